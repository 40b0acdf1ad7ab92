//! One dump as several: the parts add up to the whole, and each key is where it belongs.
#![cfg(feature = "digest")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/servers.rs"]
mod servers;

use redkeep::digest::{ContentDigest, ContentOptions, ContentSum, Digest20, digest_of_shards};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::{EventKind, SliceReader, StrBuf, StreamReader};
use redkeep::select::slot;
use redkeep::task::{SplitBy, SplitOptions, SplitOutcome, split};
use redkeep::{ErrorKind, Limits, Result};
use servers::Server;
use std::path::{Path, PathBuf};

fn parts(
    dump: &[u8],
    by: &SplitBy,
    options: &SplitOptions,
) -> Result<(SplitOutcome, Vec<Vec<u8>>)> {
    split(dump, by, options, |_| Ok(Vec::new()))
}

fn sum(dump: &[u8]) -> Result<ContentSum> {
    let mut digest = ContentDigest::new(ContentOptions::default());
    let mut reader = StreamReader::new(dump);
    while let Some(event) = reader.next()? {
        digest.event(&event)?;
    }
    digest.into_sum()
}

/// Databases and names of a dump's keys.
fn names(dump: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut buf = StrBuf::new();
    let mut names = Vec::new();
    for event in SliceReader::new(dump) {
        let event = event.unwrap();
        if let EventKind::Entry(entry) | EventKind::Open(entry) = event.kind() {
            names.push((entry.db(), entry.key().bytes(&mut buf).unwrap().to_vec()));
        }
    }
    names
}

fn rdbs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rdbs(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rdb") {
            found.push(path);
        }
    }
}

/// All that are sound of those in the repository, and of the corpus where that is.
fn dumps() -> Vec<PathBuf> {
    let mut found = Vec::new();
    rdbs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), &mut found);
    if let Some(corpus) = std::env::var_os("REDKEEP_CORPUS") {
        rdbs(corpus.as_ref(), &mut found);
    }
    found
}

#[test]
fn the_parts_of_every_dump_add_up_to_it() {
    let rules = [
        SplitBy::shards(3).unwrap(),
        SplitBy::Db,
        SplitBy::Prefixes(vec![b"li".to_vec(), b"s".to_vec()]),
    ];
    let mut split_ones = 0;
    for path in dumps() {
        let dump = std::fs::read(&path).unwrap();
        let before = check_slice(&dump, &CheckOptions::default().databases(1 << 20));
        if !matches!(before.verdict, Verdict::Sound) || dump.len() > 8 << 20 {
            continue;
        }
        let Ok(whole) = sum(&dump) else { continue };
        for by in &rules {
            // In windows that no value fits into, and in the usual ones.
            for window in [64, 1 << 20] {
                let options = SplitOptions::default().limits(Limits::default().window(window));
                let (outcome, files) = parts(&dump, by, &options).unwrap();
                let place = format!("{} by {by:?} in {window}", path.display());
                assert_eq!(outcome.keys, before.keys, "{place}");
                assert_eq!(outcome.parts.len(), files.len());
                let mut added: Option<ContentSum> = None;
                for (part, file) in outcome.parts.iter().zip(&files) {
                    let check = CheckOptions::default().databases(1 << 20);
                    let after = check_slice(file, &check);
                    assert_eq!(after.verdict, Verdict::Sound, "{place}: {:?}", after.findings);
                    assert_eq!((after.keys, file.len() as u64), (part.keys, part.bytes), "{place}");
                    assert_eq!(after.functions, before.functions, "{place}");
                    for (db, name) in names(file) {
                        let wanted = match by {
                            SplitBy::Db => format!("db-{db}"),
                            SplitBy::Prefixes(_) if name.starts_with(b"li") => "part-1".to_owned(),
                            SplitBy::Prefixes(_) if name.starts_with(b"s") => "part-2".to_owned(),
                            SplitBy::Prefixes(_) => "rest".to_owned(),
                            _ => {
                                let third = usize::from(slot(&name) >= 5461)
                                    + usize::from(slot(&name) >= 10_923);
                                ["from-slot-00000", "from-slot-05461", "from-slot-10923"][third]
                                    .to_owned()
                            }
                        };
                        assert_eq!(part.name, wanted, "{place}");
                    }
                    let sum = sum(file).unwrap();
                    // Libraries and such are in every part, and count once.
                    match &mut added {
                        None => added = Some(sum),
                        Some(all) if before.functions.is_empty() && before.modules.is_empty() => {
                            all.join(&sum).unwrap()
                        }
                        Some(all) => assert!(all.keys() <= whole.keys()),
                    }
                }
                if before.functions.is_empty() && before.modules.is_empty() {
                    assert_eq!(added.unwrap().digest(), whole.digest(), "{place}");
                }
                split_ones += 1;
            }
        }
        assert_eq!(whole.keys(), before.keys);
    }
    assert!(split_ones > 200, "{split_ones}");
}

#[test]
fn new_clusters_get_the_slots_that_redis_gives_them() {
    let SplitBy::Slots(parts) = SplitBy::shards(3).unwrap() else { panic!() };
    assert_eq!(parts, [vec![0..=5460], vec![5461..=10_922], vec![10_923..=16_383]]);
    for count in [1, 2, 7, 1000, 16_384] {
        let SplitBy::Slots(parts) = SplitBy::shards(count).unwrap() else { panic!() };
        let slots: usize = parts.iter().flatten().map(|range| range.clone().count()).sum();
        assert_eq!((parts.len(), slots), (usize::from(count), 16_384));
    }
    assert!(SplitBy::shards(0).is_err() && SplitBy::shards(16_385).is_err());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let text = |nodes: &str| SplitBy::nodes(nodes).unwrap_err();
    for nodes in [
        "",
        "vars currentEpoch 2",
        "one two three",
        "a b master - 0 0 1 connected 5-3",
        "a b master - 0 0 1 connected 0-16384",
        "a b master - 0 0 1 connected x",
    ] {
        assert_eq!(text(nodes).kind(), ErrorKind::Usage, "{nodes}");
    }
    let moving =
        "a b:1@2 master - 0 0 1 connected 0-16383 [5-<-c]\nc d:1@2 slave a 0 0 1 connected\n";
    assert_eq!(SplitBy::nodes(moving).unwrap(), SplitBy::shards(1).unwrap());
    let two = b"REDIS0003\xfe\x00\x00\x01a\x01x\x00\x01b\x01y\xff";
    let some = SplitBy::slots([vec![0..=3299]]).unwrap();
    assert_eq!(slot(b"b"), 3300);
    let error = parts(two, &some, &SplitOptions::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.offset().is_some(), "{error}");
    let by = SplitBy::Prefixes(vec![b"a".to_vec()]);
    assert!(parts(two, &by, &SplitOptions::default().most(1)).is_err());
    assert_eq!(parts(two, &by, &SplitOptions::default().most(2)).unwrap().0.parts.len(), 2);
    // Cut anywhere there is no outcome.
    for len in 0..two.len() {
        assert!(parts(&two[..len], &by, &SplitOptions::default()).is_err(), "{len}");
    }
    let (none, files) = parts(b"REDIS0003\xff", &SplitBy::Db, &SplitOptions::default()).unwrap();
    assert_eq!((none.keys, files), (0, vec![b"REDIS0003\xff".to_vec()]));
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_load_the_parts_and_their_digests_add_up() {
    let of =
        |name: &str| if name == "redis-6.2" { "redis-5.0.14/lfu" } else { "redis-7.0.15/default" };
    let digest = |server: &Server| -> Digest20 {
        let mut connection = server.connect().unwrap();
        // A cluster has database 0 only.
        for db in 1..16 {
            redis::cmd("SELECT").arg(db).exec(&mut connection).unwrap();
            redis::cmd("FLUSHDB").exec(&mut connection).unwrap();
        }
        let digest: String = redis::cmd("DEBUG").arg("DIGEST").query(&mut connection).unwrap();
        digest.parse().unwrap()
    };
    for name in servers::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(of(name));
        let dump = std::fs::read(path.join("dump.rdb")).unwrap();
        let whole = digest(&Server::start(name, Some(&dump)).unwrap());
        let (_, files) =
            parts(&dump, &SplitBy::shards(3).unwrap(), &SplitOptions::default()).unwrap();
        let shards = files.iter().map(|file| digest(&Server::start(name, Some(file)).unwrap()));
        assert_eq!(digest_of_shards(shards.collect::<Vec<_>>()), whole, "{name}");
    }
}
