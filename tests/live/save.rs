//! Snapshots by SAVE.

use crate::servers::{ALL, Server};
use crate::{System, keys, open, run, start};
use redkeep::Fault;
use redkeep::live::{Driver, SaveOptions, Snapshot, save};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

fn snapshot(server: &Server, options: &SaveOptions) -> redkeep::Result<(Vec<u8>, Snapshot)> {
    let mut file = save(&mut open(server), &System::start(), options)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    Ok((bytes, file.snapshot().clone()))
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn each_save_beside_a_writer_and_rewrites_of_the_log_has_what_came_before() {
    for name in ALL {
        let server = start(name, &["--appendonly", "yes"]);
        let mut connection = server.connect().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut other = server.connect().unwrap();
                for number in 0..u64::MAX {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    run(&mut other, &format!("SET new:{number} x"));
                    if number.is_multiple_of(200) {
                        let _refused = redis::cmd("BGREWRITEAOF").exec(&mut other);
                    }
                }
            });
            for round in 0..5 {
                run(&mut connection, &format!("SET round:{round} x"));
                let taken = snapshot(&server, &SaveOptions::default());
                if taken.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                let (dump, report) = taken.unwrap();
                assert!(keys(&dump).contains(&format!("round:{round}")), "{name}: {report:?}");
                assert_eq!((report.driver, report.rounds), (Driver::Save, 1), "{name}");
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}

/// A folder that was removed fails for root too.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_failed_save_never_ships_the_old_dump() {
    for name in ALL {
        let kept = tempfile::tempdir().unwrap();
        let server = start(name, &[]);
        let old = kept.path().join("dump.rdb");
        std::fs::write(&old, server.save()).unwrap();
        run(&mut server.connect().unwrap(), "SET late 1");
        std::fs::remove_dir_all(server.folder()).unwrap();
        let error = snapshot(&server, &SaveOptions::default().file(&old)).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::SaveFailed), "{name}: {error}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_save_that_outlasts_the_patience_of_the_connection_is_proven_all_the_same() {
    for name in ALL {
        let server = start(name, &["--rdb-key-save-delay", "500"]);
        let mut admin = server.connect().unwrap();
        let mut pipe = redis::pipe();
        (0..4000).for_each(|n| {
            pipe.cmd("SET").arg(n).arg("x").ignore();
        });
        pipe.exec(&mut admin).unwrap();
        let url = format!("redis://127.0.0.1:{}", server.port());
        let hasty =
            redkeep::live::ConnectOptions::new(url).timeout(std::time::Duration::from_millis(300));
        let mut hasty = redkeep::live::Connection::open(hasty).unwrap();
        let mut file = save(&mut hasty, &System::start(), &SaveOptions::default()).unwrap();
        let mut dump = Vec::new();
        file.read_to_end(&mut dump).unwrap();
        assert_eq!(keys(&dump).len(), 4000, "{name}");
    }
}
