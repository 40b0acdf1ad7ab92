//! A dump for another server: it loads there, and holds the same, or says what it does not.
#![cfg(feature = "digest")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/dumps.rs"]
mod dumps;
#[path = "common/servers.rs"]
mod servers;

use redkeep::digest::{ContentOptions, Digest32, DigestOptions, ServerDigest, content_digest};
use redkeep::pipe::{Staged, pump};
use redkeep::rdb::OnLoss;
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::convert::{ConvertCounts, ConvertOptions, Converter};
use redkeep::rdb::{Event, Header, Loss, ServerVersion, SliceReader, StreamReader, Writer};
use redkeep::select::{Condition, Expiry, Filter, FilterOptions, Sieve};
use redkeep::{Fault, Limits, Result, UnixMillis};
use servers::Server;
use std::path::{Path, PathBuf};

fn options(target: ServerVersion) -> ConvertOptions {
    ConvertOptions::new(target).on_loss(OnLoss::Drop)
}

fn convert(
    dump: &[u8],
    options: ConvertOptions,
    window: usize,
) -> Result<(Vec<u8>, ConvertCounts)> {
    let limits = Limits::default().window(window);
    let stage = Converter::new(options);
    let mut pipe = Staged { stage, to: Writer::new(Vec::new()) };
    pump(&mut StreamReader::with_limits(dump, &limits), &mut pipe)?;
    let counts = pipe.stage.counts().clone();
    Ok((pipe.to.finish()?, counts))
}

fn content(dump: &[u8], stream_state: bool) -> Result<Digest32> {
    content_digest(dump, ContentOptions::default().stream_state(stream_state))
}

fn reads(server: ServerVersion, header: &str) -> bool {
    server.reads_header(Header::parse(header.as_bytes().try_into().unwrap()).unwrap())
}

/// What a conversion has to be, whatever the dump: sound, loadable, the same content.
fn holds(name: &str, dump: &[u8], target: ServerVersion, window: usize) -> Option<ConvertCounts> {
    let place = format!("{name} for {target} at {window}");
    let (converted, counts) = match convert(dump, options(target), window) {
        Ok(done) => done,
        Err(error) => {
            assert_eq!(error.fault(), Some(Fault::ModulePreGa), "{place}: {error}");
            return None;
        }
    };
    // How many databases a server has is its own affair.
    let check = CheckOptions::default().target(target).databases(1 << 20);
    let (before, after) =
        (check_slice(dump, &CheckOptions::default()), check_slice(&converted, &check));
    assert_eq!(before.keys, counts.copied + counts.converted + counts.dropped(), "{place}");
    assert_eq!(after.keys, counts.copied + counts.converted, "{place}");
    let new: Vec<_> = after.findings.iter().map(|finding| finding.code).collect();
    assert!(
        after.verdict == Verdict::Sound || before.verdict != Verdict::Sound,
        "{place}: {new:?}"
    );
    let keeps_content = counts.losses.iter().all(|(loss, _)| {
        matches!(
            loss,
            Loss::StreamCounters
                | Loss::StreamActiveTime
                | Loss::StreamNack
                | Loss::StreamIdempotence
                | Loss::EvictionHint
                | Loss::KeyMetadata
                | Loss::ModuleAux
                | Loss::MemberExpiry
        )
    });
    if keeps_content && counts.emptied + counts.functions_converted == 0 {
        assert_eq!(content(dump, false).ok(), content(&converted, false).ok(), "{place}");
    }
    let untouched =
        counts.converted + counts.functions_converted + counts.dropped() + counts.records_dropped
            == 0;
    if untouched
        && counts.losses.is_empty()
        && before.header.as_deref().is_some_and(|header| reads(target, header))
    {
        assert!(converted == dump, "{place}: it should be the same file");
    }
    if !counts.losses.is_empty() {
        let strict = options(target).on_loss(OnLoss::Fail);
        let error = convert(dump, strict, window).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::Loss), "{place}");
        let (loss, _) = counts.losses.iter().next().unwrap();
        assert!(error.to_string().contains(loss.text()), "{place}: {error}");
    }
    Some(counts)
}

#[test]
fn values_of_every_layout_come_out_for_every_server() {
    for (name, head, kind, value) in dumps::values() {
        let record = dumps::key(kind, "some key", &value);
        let dump = dumps::dump(head, &[record]);
        for &target in ServerVersion::MILESTONES {
            for window in [64, 1 << 20] {
                holds(name, &dump, target, window);
            }
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("damaged") && !path.ends_with("regressions") {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rdb") {
            found.push(path);
        }
    }
    found.sort();
}

/// The files kept here, or the wide corpus where it is.
fn corpus() -> Vec<PathBuf> {
    let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).to_owned();
    let mut found = Vec::new();
    files(&std::env::var_os("REDKEEP_CORPUS").map_or(here, PathBuf::from), &mut found);
    found
}

#[test]
fn dumps_of_every_server_come_out_for_every_other() {
    let (mut converted, mut copied) = (0, 0);
    for path in corpus() {
        let dump = std::fs::read(&path).unwrap();
        if dump.len() > 4 << 20 {
            continue;
        }
        for (n, target) in ServerVersion::MILESTONES.iter().enumerate() {
            let window = [128, 4096, 1 << 20][n % 3];
            if let Some(counts) = holds(&path.display().to_string(), &dump, *target, window) {
                converted += counts.converted;
                copied += counts.copied;
            }
        }
    }
    println!("{converted} keys converted, {copied} copied");
    assert!(converted > 1000 && copied > 1000, "{converted} converted, {copied} copied");
}

/// The dump without keys that have expired: servers drop those when they load.
fn without_expired(dump: &[u8], now: UnixMillis) -> Vec<u8> {
    let expired = Condition::expiry([Expiry::ExpiredAt(now)]);
    let mut sieve = Sieve::new(Filter::new(FilterOptions::default().exclude(expired)));
    let mut writer = Writer::new(Vec::new());
    for event in SliceReader::new(dump) {
        let event: Event<'_> = event.unwrap();
        if sieve.keeps(&event).unwrap() {
            writer.event(&event).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn now() -> UnixMillis {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis::new(i64::try_from(now.as_millis()).unwrap())
}

/// Each server loads what was made for it of any other's dump, saves it again, and holds the same;
/// and its own digest is the one that is computed of the file.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_load_what_was_made_for_them() {
    let (mut loaded, mut converted) = (0, 0);
    for path in corpus() {
        let dump = std::fs::read(&path).unwrap();
        let name = path.display().to_string();
        let unreadable = SliceReader::new(&dump).any(|event| event.is_err());
        if unreadable || dump.len() > 4 << 20 {
            continue;
        }
        let dump = without_expired(&dump, now());
        for target in servers::ALL {
            let options = options(target.parse().unwrap()).expired_at(now());
            let (made, counts) = convert(&dump, options, 4096).unwrap();
            if counts.converted == 0 {
                continue;
            }
            let place = format!("{name} for {target}");
            let server = Server::start(target, Some(&made))
                .unwrap_or_else(|| panic!("{place}: it does not load"));
            let mut connection = server.connect().unwrap();
            let answer: String = redis::cmd("DEBUG").arg("DIGEST").query(&mut connection).unwrap();
            let mut digest =
                ServerDigest::new(DigestOptions::new(target.parse().unwrap()).now(now()));
            for event in SliceReader::new(&made) {
                digest.event(&event.unwrap()).unwrap();
            }
            if let Ok(digest) = digest.finish() {
                assert_eq!(digest.to_string(), answer, "{place}");
            }
            // Servers remove fields that have expired as soon as they come to it.
            if counts.expired_fields + counts.emptied == 0 && !name.contains("expired") {
                let saved = content(&server.save(), false).unwrap();
                assert_eq!(saved, content(&made, false).unwrap(), "{place}");
            }
            loaded += 1;
            converted += counts.converted;
        }
    }
    println!("{loaded} files loaded, {converted} keys converted in them");
    assert!(loaded > 10 && converted > 100, "{loaded} loaded, {converted} converted");
}

#[test]
fn what_a_server_has_no_place_for_is_named_and_counted() {
    let value = |wanted: &str| {
        let (_, head, kind, value) =
            dumps::values().into_iter().find(|(name, ..)| *name == wanted).unwrap();
        dumps::dump(head, &[dumps::key(kind, "k", &value)])
    };
    for (name, target, loss, count, keys) in [
        ("stream5", "valkey-9.1", Loss::StreamNack, 1, 1),
        ("stream5", "redis-8.0", Loss::StreamIdempotence, 1, 1),
        ("stream5", "redis-6.2", Loss::StreamCounters, 1, 1),
        ("array", "redis-8.6", Loss::Array, 1, 0),
        ("module", "valkey-9.1", Loss::Module, 1, 0),
        ("stream", "redis-4.0", Loss::Stream, 1, 0),
    ] {
        let (made, counts) =
            convert(&value(name), options(target.parse().unwrap()), 1 << 20).unwrap();
        assert_eq!(counts.losses.get(loss).count, count, "{name} for {target}");
        let report = check_slice(&made, &CheckOptions::default());
        assert_eq!(report.keys, keys, "{name} for {target}");
    }
}
