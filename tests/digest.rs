//! Digests of files that real servers wrote, compared with what those servers answered; and the
//! laws of our own digest.
//!
//! `tests/data/<server>-<version>/<case>/` is a part of a wider corpus, whose folder is named by
//! `REDKEEP_CORPUS`.
#![cfg(feature = "digest")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a panic is how a test fails

use redkeep::digest::{
    ContentDigest, ContentOptions, ContentSum, Differing, Digest20, Digest32, DigestOptions, How,
    KeyDigests, Role, ServerDigest, ServerSum, content_digest, differing_keys, digest_of_shards,
    server_digest,
};
use redkeep::rdb::{SliceReader, StreamReader};
use redkeep::select::{Condition, FilterOptions};
use redkeep::task::{ExtractOptions, extract};
use redkeep::wire::number::{write_double_17, write_double_digest};
use redkeep::{Error, ErrorKind, Limits, UnixMillis};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// Later than any key that was to be expired, earlier than any that was to stay.
const NOW: UnixMillis = UnixMillis::from_seconds(1_900_000_000);

#[test]
fn digests_are_those_that_the_servers_gave() {
    let done = compare_all(Path::new(HERE));
    println!("{done:?}");
    assert!(done.datasets >= 25 && done.values >= 2000 && done.parts >= 60, "{done:?}");
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn digests_of_the_wide_corpus_are_those_that_the_servers_gave() {
    let Some(folder) = std::env::var_os("REDKEEP_CORPUS") else {
        println!("nothing compared: REDKEEP_CORPUS does not name the folder of the wide corpus");
        return;
    };
    let done = compare_all(Path::new(&folder));
    println!("{done:?}");
    assert!(done.datasets > 0, "no files with digests in {folder:?}");
}

#[derive(Debug, Default)]
struct Done {
    datasets: usize,
    values: usize,
    /// Shards that were not empty.
    parts: usize,
    /// Without a digest that could be compared, and why.
    others: Vec<String>,
}

fn compare_all(folder: &Path) -> Done {
    let mut done = Done::default();
    let mut wrong = Vec::new();
    for file in cases(folder) {
        let name = file.parent().unwrap().strip_prefix(folder).unwrap().display().to_string();
        let meta = fs::read_to_string(file.with_file_name("expected.meta.json")).unwrap();
        let meta: Json = serde_json::from_str(&meta).unwrap();
        let dump = fs::read(&file).unwrap();
        let options = options(&meta);
        let (ours, values) = match by_slice(&dump, &options) {
            Ok(found) => found,
            Err(error) => {
                done.others.push(format!("{name}: {error}"));
                assert!(meta.get("debug_digest").is_none_or(Json::is_null), "{name}: {error}");
                continue;
            }
        };
        assert_eq!(ours, by_stream(&dump, &options, 64), "{name}");
        assert_eq!(ours, server_digest(&dump[..], options.clone()).unwrap(), "{name}");
        content_is_the_same_by_every_reader(&dump, &name);
        done.parts += parts_add_up(&dump, &options, &name);
        match meta["debug_digest"].as_str() {
            Some(theirs) if ours == theirs.parse().unwrap() => done.datasets += 1,
            Some(theirs) => wrong.push(format!("{name}: {ours}, not {theirs}")),
            None => done.others.push(format!("{name}: the server gave none")),
        }
        for line in fs::read_to_string(file.with_file_name("expected.jsonl")).unwrap().lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            let (Some(theirs), Some(key)) = (line["digest"].as_str(), bytes(&line["key"])) else {
                continue;
            };
            let ours = values.get(&(line["db"].as_u64().unwrap(), key));
            match ours {
                Some(Some(ours)) if *ours == theirs.parse().unwrap() => done.values += 1,
                _ => wrong.push(format!("{name}: {}: {ours:?}, not {theirs}", line["key"])),
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    done
}

/// The server that loaded a case, with its settings.
fn options(meta: &Json) -> DigestOptions {
    let (product, version) = meta["server"].as_str().unwrap().split_once('-').unwrap();
    let product = product.trim_end_matches("lite");
    let (version, candidate) = match version.split_once('-') {
        Some((release, candidate)) => (release, candidate),
        None => (version, ""),
    };
    let version = match version {
        "unstable" => "255.255",
        "2.0.4" | "2.2.15" => "2.4",
        other => other,
    };
    let options = DigestOptions::new(format!("{product}-{version}").parse().unwrap()).now(NOW);
    let setting = |name: &str| {
        let of = |packed| meta["config"][format!("zset-max-{packed}-{name}")].as_u64();
        of("listpack").or_else(|| of("ziplist"))
    };
    let value = usize::try_from(setting("value").unwrap_or(64)).unwrap();
    let options = options.zset_listpack(setting("entries").unwrap_or(128), value);
    let candidate_of_7_0 = version == "7.0" && candidate.starts_with("rc");
    if candidate_of_7_0 { options.loses_minus_zero(false) } else { options }
}

type Values = BTreeMap<(u64, Vec<u8>), Option<Digest20>>;

fn by_slice(dump: &[u8], options: &DigestOptions) -> Result<(Digest20, Values), Error> {
    let mut values = Values::new();
    let mut digest = ServerDigest::new(options.clone())
        .digest_values(|db, key, digest| _ = values.insert((db, key.to_vec()), digest));
    for event in SliceReader::new(dump) {
        digest.event(&event?)?;
    }
    Ok((digest.finish()?, values))
}

fn by_stream(dump: &[u8], options: &DigestOptions, window: usize) -> Digest20 {
    let mut digest = ServerDigest::new(options.clone());
    let mut reader = StreamReader::with_limits(dump, &Limits::default().window(window));
    while let Some(event) = reader.next().unwrap() {
        digest.event(&event).unwrap();
    }
    digest.finish().unwrap()
}

fn content_is_the_same_by_every_reader(dump: &[u8], name: &str) {
    for state in [false, true] {
        let options = ContentOptions::default().stream_state(state);
        let whole = content_digest(dump, options).unwrap();
        for window in [64, 5000] {
            let mut digest = ContentDigest::new(options);
            let mut reader = StreamReader::with_limits(dump, &Limits::default().window(window));
            while let Some(event) = reader.next().unwrap() {
                digest.event(&event).unwrap();
            }
            assert_eq!(digest.finish().unwrap(), whole, "{name}, window {window}");
        }
    }
}

/// Splits a dump by slot, as a cluster would have it, and joins the digests of its parts.
fn parts_add_up(dump: &[u8], options: &DigestOptions, name: &str) -> usize {
    let slots = |from: u64, to: u64| Condition::slots([from..=to]);
    let shards = || [slots(0, 4000), slots(4001, 9000), slots(9001, 16_383)];
    let part = |filter: FilterOptions| {
        let mut part = Vec::new();
        let options = ExtractOptions::default().filter(filter).functions(true);
        extract(dump, &mut part, &options).unwrap();
        part
    };
    let (mut content, mut server) = (None::<ContentSum>, ServerSum::default());
    let mut filled = 0;
    for shard in shards() {
        let part = part(FilterOptions::default().include(shard));
        let own = content_sum(&part);
        filled += usize::from(own.keys() > 0);
        match &mut content {
            Some(all) => all.join(&ContentSum::from_bytes(&own.to_bytes()).unwrap()).unwrap(),
            None => content = Some(own),
        }
        server.join(&server_sum(&part, options));
    }
    let content = content.unwrap();
    assert_eq!(content, content_sum(dump), "{name}");
    assert_eq!(content.digest(), content_digest(dump, ContentOptions::default()).unwrap());
    assert_eq!(server.digest(), server_digest(dump, options.clone()).unwrap(), "{name}");
    // What the servers themselves would answer, without the other databases.
    let first = || FilterOptions::default().include(Condition::dbs([0]));
    let of = |filter| server_digest(&part(filter)[..], options.clone()).unwrap();
    let digests = shards().map(|shard| of(first().include(shard)));
    assert_eq!(digest_of_shards(digests), of(first()), "{name}");
    filled
}

fn content_sum(dump: &[u8]) -> ContentSum {
    let mut digest = ContentDigest::default();
    SliceReader::new(dump).for_each(|event| digest.event(&event.unwrap()).unwrap());
    digest.into_sum().unwrap()
}

fn server_sum(dump: &[u8], options: &DigestOptions) -> ServerSum {
    let mut digest = ServerDigest::new(options.clone());
    SliceReader::new(dump).for_each(|event| digest.event(&event.unwrap()).unwrap());
    digest.into_sum().unwrap()
}

/// The dumps that have a server's answers beside them.
fn cases(folder: &Path) -> Vec<PathBuf> {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let servers = folders(folder).into_iter().flat_map(|server| folders(&server));
    let mut dumps: Vec<_> = servers.map(|case| case.join("dump.rdb")).collect();
    dumps.retain(|dump| dump.exists() && dump.with_file_name("expected.meta.json").exists());
    dumps.sort();
    dumps
}

/// The bytes of a JSON string or `{"b64": ...}`; none where the corpus has but their hash.
fn bytes(json: &Json) -> Option<Vec<u8>> {
    if let Some(text) = json.as_str() {
        return Some(text.as_bytes().to_vec());
    }
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for digit in json["b64"].as_str()?.bytes().filter(|byte| *byte != b'=') {
        let six = alphabet.iter().position(|byte| *byte == digit).unwrap();
        (bits, held) = (bits << 6 | u32::try_from(six).unwrap(), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 255).unwrap());
        }
    }
    Some(bytes)
}

// Dumps by hand.

fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let len = u32::try_from(text.len()).unwrap();
    [&[0x80], &len.to_be_bytes()[..], text].concat()
}

fn key(kind: u8, name: &str, value: &[Vec<u8>]) -> Vec<u8> {
    [vec![kind], text(name), value.concat()].concat()
}

fn count(n: u8) -> Vec<u8> {
    vec![n]
}

fn expiring(ms: i64, key: Vec<u8>) -> Vec<u8> {
    [vec![0xfc], ms.to_le_bytes().to_vec(), key].concat()
}

fn dump(records: &[Vec<u8>]) -> Vec<u8> {
    [b"REDIS0011".to_vec(), records.concat(), vec![0xff], vec![0; 8]].concat()
}

fn score(score: f64) -> Vec<u8> {
    score.to_le_bytes().to_vec()
}

fn zset(name: &str, members: &[(&str, f64)]) -> Vec<u8> {
    let rows = members.iter().map(|(member, n)| [text(member), score(*n)].concat());
    let n = u8::try_from(members.len()).unwrap();
    key(5, name, &[vec![0x40, n], rows.collect::<Vec<_>>().concat()])
}

fn for_server(server: &str) -> DigestOptions {
    DigestOptions::new(server.parse().unwrap())
}

fn digest(server: &str, records: &[Vec<u8>]) -> String {
    server_digest(&dump(records)[..], for_server(server)).unwrap().to_string()
}

fn value(server: &str, record: Vec<u8>) -> String {
    let (_, values) = by_slice(&dump(&[record]), &for_server(server)).unwrap();
    values.into_values().next().unwrap().unwrap().to_string()
}

fn content(records: &[Vec<u8>]) -> Digest32 {
    content_digest(&dump(records)[..], ContentOptions::default()).unwrap()
}

fn content_of(record: &Vec<u8>) -> Digest32 {
    content(std::slice::from_ref(record))
}

#[test]
fn values_give_the_examples_that_servers_confirmed() {
    let string = || key(0, "k", &[text("v")]);
    assert_eq!(value("redis-7.2", string()), "d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f");
    let mortal = expiring(4_000_000_000_000, string());
    assert_eq!(value("redis-7.2", mortal), "311b17018163335616e089f6b951c82c477335ac");
    let list = key(1, "k", &[count(2), text("a"), text("b")]);
    assert_eq!(value("redis-7.2", list), "62f55a532623cf6c3d81081db480b6fd8461eb3f");
    let set = key(2, "k", &[count(2), text("a"), vec![0xc0, 1]]);
    assert_eq!(value("redis-7.2", set), "012434e5fd10923eb5614823e20e4674a940a6f5");
    let scored = || zset("k", &[("m", 0.1)]);
    assert_eq!(value("redis-7.0", scored()), "285a6e508750d13f749019c7cddbd43bf282cb72");
    assert_eq!(value("redis-7.2", scored()), "7e1bae26d61f35a2675e4748edc8fe0bff072cee");
    assert_eq!(value("valkey-7.2", scored()), "7e1bae26d61f35a2675e4748edc8fe0bff072cee");
    let hash = key(4, "k", &[count(1), text("f"), text("v")]);
    assert_eq!(value("redis-7.4", hash), "90c76e9e9f4c62d642a34fc97c7dad503b51f906");
    let fields = [4_000_000_000_000i64.to_le_bytes().to_vec(), count(1), count(1)];
    let timed = key(24, "k", &[fields.concat(), text("f"), text("v")]);
    assert_eq!(value("redis-7.4", timed), "74b891d3701022bf67574b56900ce11f3e5270b3");
    let slots = [
        [count(2), count(0)].concat(),
        [count(0), count(0), text("x")].concat(),
        [count(2), count(2), score(3.5)].concat(),
    ];
    let array = key(28, "k", &slots);
    assert_eq!(value("redis-8.8", array), "960d14c75fe60a185ec83f6210525bffe74d27c5");
}

#[test]
fn datasets_give_the_examples_that_servers_confirmed() {
    let string = || key(0, "k", &[text("v")]);
    let one = "264ccf65edec66bccfa7cc659414ccca432057d2";
    let both = "794cf907ddc694cc1d15645a71582e3d0a57d2a0";
    let select = |db| vec![0xfe, db];
    assert_eq!(digest("redis-7.2", &[]), "0".repeat(40));
    assert_eq!(digest("redis-7.2", &[string()]), one);
    assert_eq!(digest("redis-7.2", &[string(), select(1), string()]), both);
    assert_eq!(digest("redis-2.6", &[select(1), string(), select(0), string()]), both);
}

#[test]
fn expired_keys_are_dropped_by_a_master_only() {
    let lasting = || key(0, "k", &[text("v")]);
    let file = dump(&[lasting(), expiring(1000, key(0, "gone", &[text("v")]))]);
    let of = |options: DigestOptions| server_digest(&file[..], options).unwrap();
    let now = |server: &str| for_server(server).now(UnixMillis::new(1001));
    let lasting = server_digest(&dump(&[lasting()])[..], for_server("redis-7.2")).unwrap();
    assert_eq!(of(now("redis-7.2")), lasting);
    assert_ne!(of(now("redis-7.2").role(Role::Replica)), lasting);
    assert_eq!(of(now("redis-7.2").role(Role::Replica)), of(for_server("redis-7.2")));
    assert_ne!(of(for_server("redis-7.2").now(UnixMillis::new(1000))), lasting);
    // Redis up to 2.4 skips them though it holds them.
    assert_eq!(of(now("redis-2.4").role(Role::Replica)), lasting);
}

#[test]
fn a_hash_whose_fields_have_all_expired_is_no_key() {
    let valkey = |at: i64| {
        let field = [text("f"), text("v"), at.to_le_bytes().to_vec()].concat();
        let record = key(22, "h", &[count(1), field]);
        [b"VALKEY080".to_vec(), record, vec![0xff], vec![0; 8]].concat()
    };
    let options = || for_server("valkey-9.1").now(UnixMillis::new(2000));
    let mut digest = ServerDigest::new(options().role(Role::Replica));
    for event in SliceReader::new(&valkey(1000)) {
        digest.event(&event.unwrap()).unwrap();
    }
    let notes = digest.notes();
    assert_eq!((notes.keys, notes.expired_fields, notes.empty_keys), (0, 1, 1));
    assert_eq!(digest.finish().unwrap().to_string(), "0".repeat(40));
    assert_ne!(server_digest(&valkey(3000)[..], options()).unwrap().to_string(), "0".repeat(40));
}

#[test]
fn minus_zero_is_lost_in_small_sorted_sets_that_get_packed() {
    let long = "m".repeat(65);
    let [negative, plain] = [-0.0, 0.0].map(|n| digest("redis-6.2", &[zset("z", &[("m", n)])]));
    assert_ne!(negative, plain);
    let small = |server, n| digest(server, &[zset("z", &[("m", n), ("n", 1.0)])]);
    assert_eq!(small("redis-7.0", -0.0), small("redis-7.0", 0.0));
    assert_ne!(small("redis-6.2", -0.0), small("redis-6.2", 0.0));
    let big = |n| digest("redis-7.0", &[zset("z", &[("m", n), (&long, 1.0)])]);
    assert_ne!(big(-0.0), big(0.0));
    let members: Vec<String> = (0..129).map(|n| n.to_string()).collect();
    let rows = |first: f64, n: usize| -> Vec<u8> {
        let rows = members.iter().take(n).enumerate();
        zset(
            "z",
            &rows.map(|(at, m)| (&m[..], if at == 0 { first } else { 1.0 })).collect::<Vec<_>>(),
        )
    };
    let of = |first, n| digest("valkey-8.0", &[rows(first, n)]);
    assert_eq!(of(-0.0, 128), of(0.0, 128));
    assert_ne!(of(-0.0, 129), of(0.0, 129));
    let more = for_server("valkey-8.0").zset_listpack(200, 64);
    let [a, b] = [-0.0, 0.0].map(|n| server_digest(&dump(&[rows(n, 129)])[..], more.clone()));
    assert_eq!(a.unwrap(), b.unwrap());
}

#[test]
fn what_cannot_be_known_gets_no_number() {
    let unknown = |server: &str, record: Vec<u8>| {
        let file = dump(&[key(0, "good", &[text("v")]), record]);
        let mut seen = Vec::new();
        let mut digest = ServerDigest::new(for_server(server).array_slots(1000))
            .digest_values(|_, key, digest| seen.push((key.to_vec(), digest.is_some())));
        for event in SliceReader::new(&file) {
            digest.event(&event.unwrap()).unwrap();
        }
        let error = digest.finish().unwrap_err();
        assert_eq!(seen, [(b"good".to_vec(), true), (b"bad".to_vec(), false)]);
        assert_eq!(error.key(), Some("bad"));
        (error.kind(), error.to_string())
    };
    let id = [&[0x81][..], &0xbde7_2da2_bb1e_b400u64.to_be_bytes()].concat();
    let vectors = || key(7, "bad", &[id.clone(), vec![2, 2, 2, 0, 2, 0, 2, 0, 0]]);
    let (kind, said) = unknown("redis-7.4", vectors());
    assert!(kind == ErrorKind::Unsupported && said.contains("module type vectorset"), "{said}");
    let other = key(7, "bad", &[vec![0x81, 0, 0, 0, 0, 0, 0, 4, 0], vec![0]]);
    let (_, said) = unknown("redis-8.0", other);
    assert!(said.contains("module type AAAAAAAAB"), "{said}");
    let array =
        |index| key(28, "bad", &[count(1), count(0), vec![0x80, 0, 0], index, count(0), text("x")]);
    let (kind, said) = unknown("redis-8.8", array(vec![0x03, 0xe8]));
    assert_eq!(kind, ErrorKind::Limit, "{said}");
    let (_, said) = unknown("valkey-9.0", array(vec![0, 0]));
    assert!(said.contains("type array"), "{said}");
}

#[test]
fn a_key_that_was_not_read_leaves_no_digest() {
    // One that is cut while it comes in pieces.
    let cut = dump(&[key(0, "s", &[text("x".repeat(1000))])]);
    let mut reader = StreamReader::with_limits(&cut[..500], &Limits::default().window(64));
    let mut server = ServerDigest::new(for_server("redis-7.2"));
    let mut own = ContentDigest::default();
    while let Ok(Some(event)) = reader.next() {
        server.event(&event).unwrap();
        own.event(&event).unwrap();
    }
    assert!(server.finish().unwrap_err().is_truncated() && own.finish().is_err());
    // A listpack whose header does not fit.
    let broken = dump(&[key(17, "z", &[text([9, 0, 0, 0, 1, 0, 0xff])])]);
    let mut server = ServerDigest::new(for_server("redis-7.2"));
    let mut own = ContentDigest::default();
    let (mut failures, events) = (0, SliceReader::new(&broken).map(Result::unwrap));
    for event in events {
        failures += usize::from(server.event(&event).is_err());
        failures += usize::from(own.event(&event).is_err());
    }
    assert_eq!(failures, 2);
    assert!(server.finish().is_err() && own.finish().is_err());
}

#[test]
fn damaged_files_get_an_error_or_the_same_number_by_every_reader() {
    let mut folders = vec![Path::new(HERE).join("damaged"), Path::new(HERE).join("regressions")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = fs::read(&path).unwrap();
            files += 1;
            let of = |window| {
                let limits = Limits::default().window(window);
                let options = for_server("redis-8.8").limits(limits);
                let own = ContentOptions::default().stream_state(true).limits(limits);
                (server_digest(&file[..], options).ok(), content_digest(&file[..], own).ok())
            };
            assert_eq!(of(1 << 20), of(64), "{}", path.display());
        }
    }
    assert!(files >= 40);
}

#[test]
fn whole_scores_are_hashed_as_the_printers_print_them() {
    // The digest prints whole numbers by a way of its own: it must not show.
    let mut numbers =
        vec![1.0, -1.0, 1e7, 1e8, 3e8, 123e8, 9e14, 8.9e15, 9e15, 9.1e15, 1e17, -5e22];
    numbers.extend((0..53).map(|n| (1u64 << n) as f64));
    numbers.extend((1..2000).map(|n| f64::from(n) * 12_345_600.0));
    for n in numbers {
        for (server, shortened) in [("redis-7.0", false), ("redis-7.2", true)] {
            let mut printed = Vec::new();
            if shortened {
                write_double_digest(n, &mut printed);
            } else {
                write_double_17(n, &mut printed);
            }
            // The same chain, as a hash has it: only the type differs, so compare with type 3 text.
            let by_text = [vec![u8::try_from(printed.len()).unwrap()], printed].concat();
            let as_text = key(3, "z", &[count(1), text("m"), by_text.clone()]);
            let hash = key(4, "z", &[count(1), text("m"), text(&by_text[1..])]);
            let values = [value(server, zset("z", &[("m", n)])), value(server, as_text)];
            assert_eq!(values[0], values[1]);
            assert_eq!(without_type(&values[0], 3), without_type(&value(server, hash), 4), "{n}");
        }
    }
}

/// The sum of a sorted set or a hash is the same chain, xored into the type's state.
fn without_type(digest: &str, number: usize) -> Vec<u8> {
    let types =
        ["82821961dd2584cd984f0c48e6ac598f0a6d654d", "a3e9f2f09216c6c31996d2fe563800d93d9dee85"];
    let [a, b] = [digest, types[number - 3]].map(|text| *text.parse::<Digest20>().unwrap().bytes());
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

#[test]
fn content_does_not_depend_on_encoding_or_order() {
    let long = "abcdefgh".repeat(20);
    let set = key(2, "s", &[count(3), text("1"), text("22"), text("-3")]);
    let intset = text([2, 0, 0, 0, 3, 0, 0, 0, 0xfd, 0xff, 1, 0, 22, 0]);
    let packed = key(11, "s", &[intset]);
    assert_eq!(content_of(&set), content(&[packed]));
    let ordered = zset("z", &[("b", 1.0), ("a", 0.0)]);
    let reversed = zset("z", &[("a", -0.0), ("b", 1.0)]);
    let as_text =
        key(3, "z", &[count(2), text("a"), b"\x010".to_vec(), text("b"), b"\x031.0".to_vec()]);
    assert_eq!(content_of(&ordered), content(&[reversed]));
    assert_eq!(content_of(&ordered), content(&[as_text]));
    let hash = |first: &str, second: &str| {
        let pair = |field: &str| [text(field), text(&long)].concat();
        key(4, "h", &[count(2), pair(first), pair(second)])
    };
    assert_eq!(content(&[hash("f", "g")]), content(&[hash("g", "f")]));
    let list = |first: &str, second: &str| key(1, "l", &[count(2), text(first), text(second)]);
    assert_ne!(content(&[list("a", "b")]), content(&[list("b", "a")]));
    assert_ne!(content(&[list("ab", "c")]), content(&[list("a", "bc")]));
    let select = |db| vec![0xfe, db];
    let all = content(&[set.clone(), ordered.clone(), select(3), hash("f", "g")]);
    assert_eq!(all, content(&[select(3), hash("f", "g"), select(0), ordered.clone(), set.clone()]));
    assert_ne!(all, content(&[select(2), hash("f", "g"), select(0), ordered.clone(), set.clone()]));
    assert_ne!(content_of(&set), content(&[expiring(4_000_000_000_000, set.clone())]));
    let empty = key(2, "none", &[count(0)]);
    assert_eq!(content_of(&set), content(&[empty, set.clone()]));
    // What an XOR would not see: a key twice is not nothing.
    assert_ne!(content(&[set.clone(), set]), content(&[]));
}

#[test]
fn content_covers_functions_and_the_state_of_streams_where_asked() {
    let function = |code: &str| [vec![0xf5], text(code)].concat();
    assert_ne!(content(&[function("a")]), content(&[]));
    assert_ne!(content(&[function("a")]), content(&[function("b")]));
    assert_eq!(content(&[function("a"), function("b")]), content(&[function("b"), function("a")]));
    // A stream without entries, with one group or none: nodes, length, last ID, groups.
    let stream = |groups: &[&str]| {
        let n = u8::try_from(groups.len()).unwrap();
        let groups = groups.iter().map(|name| [text(name), vec![0, 0, 0, 0]].concat());
        key(15, "x", &[vec![0, 0, 5, 1, n], groups.collect::<Vec<_>>().concat()])
    };
    let with = |state, record| {
        content_digest(&dump(&[record])[..], ContentOptions::default().stream_state(state)).unwrap()
    };
    assert_eq!(with(false, stream(&[])), with(false, stream(&["g"])));
    assert_ne!(with(true, stream(&[])), with(true, stream(&["g"])));
    assert_ne!(with(true, stream(&["g"])), with(true, stream(&["h"])));
    assert_eq!(with(true, stream(&["g", "h"])), with(true, stream(&["h", "g"])));
    assert_ne!(with(true, stream(&[])), with(false, stream(&[])));
}

#[test]
fn giants_in_pieces_give_what_they_give_whole() {
    let long = "x".repeat(3000);
    let file = dump(&[
        key(0, "string", &[text(&long)]),
        key(1, "list", &[count(3), text("a"), text(&long), text("b")]),
        key(2, "set", &[count(3), text("z"), text(&long), text("b")]),
        key(4, "hash", &[count(2), text(&long), text("v"), text("f"), text(&long)]),
        zset("zset", &[(&long, 1.5), ("m", 2.0)]),
    ]);
    let options = for_server("redis-7.2");
    let (whole, _) = by_slice(&file, &options).unwrap();
    for window in [64, 100, 1000] {
        assert_eq!(by_stream(&file, &options, window), whole);
    }
    content_is_the_same_by_every_reader(&file, "giants");
    let small = Limits::default().held(2000).window(64);
    let error = content_digest(&file[..], ContentOptions::default().limits(small)).unwrap_err();
    // A member of a set may be of any size; a pair is held.
    assert_eq!((error.kind(), error.key()), (ErrorKind::Limit, Some("hash")));
}

#[test]
fn big_values_in_another_order_or_encoding_are_the_same() {
    // More members than are sorted.
    let members: Vec<String> = (0..300_000).map(|n| n.to_string()).collect();
    let big = |kind: u8, rows: Vec<Vec<u8>>| {
        let n = u32::try_from(rows.len()).unwrap().to_be_bytes();
        key(kind, "big", &[[&[0x80], &n[..]].concat(), rows.concat()])
    };
    let set = |members: &mut dyn Iterator<Item = &String>| big(2, members.map(text).collect());
    let whole = content_of(&set(&mut members.iter()));
    assert_eq!(whole, content_of(&set(&mut members.iter().rev())));
    let integers = (0..300_000u32).map(|n| [&[0xc2], &n.to_le_bytes()[..]].concat());
    assert_eq!(whole, content_of(&big(2, integers.collect())));
    assert_ne!(whole, content_of(&set(&mut members.iter().skip(1))));
    let doubled = content_of(&set(&mut members.iter().chain(members.iter().take(1))));
    assert_ne!(whole, doubled);
    assert_eq!(doubled, content_of(&set(&mut members.iter().take(1).chain(members.iter()))));
    // The same members with scores, and as fields: one changed at a time.
    let scored = |change: f64| {
        let rows =
            members.iter().rev().map(|m| [text(m), score(if m == "7" { change } else { 1.0 })]);
        content_of(&big(5, rows.map(|row| row.concat()).collect()))
    };
    assert!(scored(1.0) != scored(2.0) && scored(0.0) == scored(-0.0));
    let hash = |changed: &str, value: &str| {
        let of = |m: &String| text(if m == changed { value } else { "v" });
        content_of(&big(4, members.iter().map(|m| [text(m), of(m)].concat()).collect()))
    };
    assert!(hash("7", "w") != hash("7", "v") && hash("7", "w") != hash("8", "w"));
    let file = dump(&[set(&mut members.iter())]);
    content_is_the_same_by_every_reader(&file, "a big set");
}

/// The format does not change: these were computed when it was set down.
#[test]
fn content_has_the_digest_it_always_had() {
    let records = [
        key(0, "string", &[text("value")]),
        expiring(4_000_000_000_000, key(1, "list", &[count(2), text("a"), text("b")])),
        vec![0xfe, 3],
        key(2, "set", &[count(2), text("b"), vec![0xc0, 1]]),
        zset("zset", &[("m", 1.5), ("n", -0.0)]),
        key(4, "hash", &[count(1), text("field"), text("value")]),
        [vec![0xf5], text("#!lua name=f")].concat(),
    ];
    let members: Vec<_> = (0..262_145).map(|n| text(n.to_string())).collect();
    let big = key(2, "big", &[vec![0x80, 0, 4, 0, 1], members.concat()]);
    let digests = [content(&[]), content(&records), content_of(&big)];
    assert_eq!(
        digests.map(|digest| digest.to_string()),
        [
            "4f6fcb14e226390dddb9ef2d8d3bad4dfa5b09225348ed0306db84121078d7b8",
            "06489f11ce077767949c96a90875c46e84a1a1bf9efea301e2ff8cc974fd3f99",
            "f8613adc46ea15abd2a6916736bdb636f801ec31b965783720717bf84da3deb8",
        ]
    );
}

#[test]
fn keys_that_differ_are_named() {
    let of = |records: &[Vec<u8>]| -> KeyDigests<Option<Digest20>> {
        by_slice(&dump(records), &for_server("redis-7.2")).unwrap().1
    };
    let string = |name, value| key(0, name, &[text(value)]);
    let first = of(&[string("a", "1"), string("b", "2"), string("c", "3")]);
    let second = of(&[string("d", "4"), string("c", "3"), string("b", "-2")]);
    let differ: Vec<(Vec<u8>, How)> = differing_keys(&first, &second)
        .map(|Differing { key, how, .. }| (key.to_vec(), how))
        .collect();
    let want = [("a", How::OnlyFirst), ("b", How::Changed), ("d", How::OnlySecond)];
    assert_eq!(differ, want.map(|(name, how)| (name.as_bytes().to_vec(), how)));
}
