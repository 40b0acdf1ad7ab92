//! Keys of one running server into another.

use crate::clock::System;
use crate::cluster::Cluster;
use crate::differing::differing;
use crate::servers::{ALL, Server};
use crate::{open, run};
use redkeep::live::restore::{Conflict, RestoreOptions, RestoreSink};
use redkeep::live::{Connection, Driver};
use redkeep::task::{CopyOutcome, RestoreChoice, SnapshotOptions, copy};
use std::path::Path;

fn copied(from: &mut Connection, to: &Server, driver: Driver) -> CopyOutcome {
    let clock = System::start();
    let options =
        RestoreOptions::default().conflict(Conflict::Replace).functions(Conflict::Replace);
    let sink = RestoreSink::new(open(to), &clock, options).unwrap();
    let way = SnapshotOptions::default().driver(driver);
    copy(from, &clock, &way, &RestoreChoice::default(), sink).unwrap()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_copy_is_the_same_by_every_way() {
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/redis-6.2.16/lru/dump.rdb");
    let dump = std::fs::read(dump).unwrap();
    for name in ALL {
        let source = Server::start(name, Some(&dump)).unwrap();
        let mut from = open(&source);
        for driver in [Driver::Bgsave, Driver::Save, Driver::Replication, Driver::Scan] {
            let target = Server::start(name, None).unwrap();
            let outcome = copied(&mut from, &target, driver);
            assert!(outcome.is_complete(), "{name} {driver}: {outcome:?}");
            assert!(outcome.restored.keys.restored > 90, "{name} {driver}: {outcome:?}");
            assert_eq!(outcome.taken.unwrap().snapshot.driver, driver);
            let mut both = [&source, &target].map(|server| server.connect().unwrap());
            assert_eq!(differing(&mut both.each_mut()), [""; 0], "{name} {driver}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_target_that_stops_it_is_told_from_a_source_that_is_cut() {
    let fill = |server: &Server| {
        let mut all = redis::pipe();
        for n in 0..20_000 {
            all.cmd("SET").arg(format!("key:{n}")).arg("x".repeat(200));
        }
        all.exec(&mut server.connect().unwrap()).unwrap();
    };
    for name in ALL {
        let source = Server::start(name, None).unwrap();
        fill(&source);
        for driver in [Driver::Bgsave, Driver::Replication, Driver::Scan] {
            let target = Server::start(name, None).unwrap();
            run(&target, "CONFIG SET maxmemory 1");
            let outcome = copied(&mut open(&source), &target, driver);
            let stopped = outcome.restored.keys.stopped.clone().unwrap();
            assert!(stopped.message.contains("OOM"), "{name} {driver}: {stopped:?}");
        }
        // The source goes away while it is read key by key.
        let target = Server::start(name, None).unwrap();
        let mut from = open(&source);
        let clock = System::start();
        let mut source = Some(source);
        let options = RestoreOptions::default().batch_keys(100);
        let sink = RestoreSink::new(open(&target), &clock, options).unwrap().watch(|progress| {
            if progress.restored >= 1000 {
                source.take();
            }
            std::ops::ControlFlow::Continue(())
        });
        let way = SnapshotOptions::default().driver(Driver::Scan);
        let outcome = copy(&mut from, &clock, &way, &RestoreChoice::default(), sink).unwrap();
        assert!(!outcome.is_complete() && outcome.taken.is_none(), "{name}: {outcome:?}");
        let keys = &outcome.restored.keys;
        assert!(keys.restored >= 1000 && keys.restored < 20_000, "{name}: {keys:?}");
        let there: u64 = run(&target, "DBSIZE").parse().unwrap();
        assert_eq!(there, keys.restored, "{name}");
    }
}

#[cfg(feature = "cli")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn clusters_are_copied_as_a_whole_and_snapshots_of_them_have_every_shard() {
    use std::process::Command;
    let redkeep = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_redkeep"))
            .args(arguments)
            .env_remove("REDKEEP_PASSWORD")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    for name in ["redis-6.2", "valkey-9.1"] {
        let (from, to) = (Cluster::start(name, 3, &[]), Cluster::start(name, 3, &[]));
        for n in 0..300 {
            let key = format!("key:{n}");
            from.set(redkeep::select::slot(key.as_bytes()), &key, "x");
        }
        let (code, out, err) = redkeep(&["copy", &from.url(0), &to.url(1)]);
        assert_eq!((code, err.as_str()), (0, ""), "{name}: {out}");
        let there: usize = (0..3)
            .map(|node| to.text(node, &["INFO", "keyspace"]))
            .map(|text| {
                text.split("keys=")
                    .nth(1)
                    .unwrap()
                    .split(',')
                    .next()
                    .unwrap()
                    .parse::<usize>()
                    .unwrap()
            })
            .sum();
        assert_eq!(there, 300, "{name}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all");
        let (code, out, err) =
            redkeep(&["snapshot", &from.url(2), "--cluster", "-o", path.to_str().unwrap()]);
        assert_eq!((code, err.as_str()), (0, ""), "{name}: {out}");
        let mut keys = 0;
        let files: Vec<_> = path.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 3, "{name}: {files:?}");
        for file in files {
            let dump = std::fs::read(file).unwrap();
            let report = redkeep::rdb::check::check_slice(
                &dump,
                &redkeep::rdb::check::CheckOptions::default(),
            );
            keys += report.keys;
        }
        assert_eq!(keys, 300, "{name}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
    }
}
