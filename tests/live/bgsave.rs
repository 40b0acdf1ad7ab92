//! Snapshots by BGSAVE.

use crate::servers::{ALL, Server};
use crate::{System, keys, open, run, start};
use redkeep::Fault;
use redkeep::live::{SaveOptions, Snapshot, bgsave};
use std::io::Read;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn snapshot(server: &Server, options: &SaveOptions) -> redkeep::Result<(Vec<u8>, Snapshot)> {
    let mut file = bgsave(&mut open(server), &System::start(), options)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    Ok((bytes, file.snapshot().clone()))
}

fn fault(server: &Server, options: &SaveOptions) -> Option<Fault> {
    snapshot(server, options).unwrap_err().fault()
}

pub(crate) fn info(server: &Server, name: &str) -> String {
    let mut connection = server.connect().unwrap();
    let info: String = redis::cmd("INFO").query(&mut connection).unwrap();
    let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap().to_owned()
}

/// Sends a signal to the child that saves now.
fn signal_child(server: &Server, signal: &str) {
    let pid = info(server, "process_id");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        if let Some(child) = children.split_ascii_whitespace().next() {
            assert!(Command::new("kill").args([signal, child]).status().unwrap().success());
            return;
        }
        assert!(Instant::now() < deadline, "no child saves");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A server with enough keys, and slow enough, that a save takes half a second.
fn slow(name: &str) -> Server {
    let server = start(name, &["--rdb-key-save-delay", "100"]);
    let mut connection = server.connect().unwrap();
    let mut pipe = redis::pipe();
    for number in 0..5000 {
        pipe.cmd("SET").arg(format!("old:{number}")).arg(number).ignore();
    }
    pipe.exec(&mut connection).unwrap();
    server
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_snapshot_beside_a_writer_is_sound_and_has_all_keys_from_before() {
    for name in ALL {
        let server = slow(name);
        let stop = AtomicBool::new(false);
        let (dump, report) = std::thread::scope(|scope| {
            let _stop = Stop(&stop);
            scope.spawn(|| {
                let mut connection = server.connect().unwrap();
                for number in 0..u64::MAX {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    run(&mut connection, &format!("SET new:{number} x"));
                }
            });
            snapshot(&server, &SaveOptions::default()).unwrap()
        });
        let keys = keys(&dump);
        let old = keys.iter().filter(|key| key.starts_with("old:")).count();
        assert_eq!(old, 5000, "{name}");
        assert!(report.point_in_time && report.writes_meanwhile > Some(0), "{name}: {report:?}");
        assert_eq!(report.bytes, Some(dump.len() as u64), "{name}");
        assert!(report.stated_at >= report.asked_at.map(|at| at - 1), "{name}: {report:?}");
        assert!(report.replication_id.is_some() && report.offset_after >= report.offset_before);
    }
}

/// Seed: a script that waits for `rdb_bgsave_in_progress:0` and copies the file.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_failed_bgsave_never_ships_the_old_dump() {
    for name in ALL {
        let server = slow(name);
        let old = server.save();
        run(&mut server.connect().unwrap(), "SET late 1");
        let found = std::thread::scope(|scope| {
            scope.spawn(|| signal_child(&server, "-KILL"));
            fault(&server, &SaveOptions::default())
        });
        assert_eq!(found, Some(Fault::SaveFailed), "{name}");
        // The file that a script would have copied is there, and is the old one.
        let there = std::fs::read(server.folder().join("dump.rdb")).unwrap();
        assert!(there == old && !keys(&there).contains(&"late".to_owned()), "{name}");
    }
}

/// Not even the status says that a save was cancelled.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_cancelled_save_is_asked_for_again() {
    for name in ALL {
        let server = slow(name);
        server.save();
        run(&mut server.connect().unwrap(), "SET late 1");
        let once = SaveOptions::default().rounds(1);
        let found = std::thread::scope(|scope| {
            scope.spawn(|| signal_child(&server, "-USR1"));
            fault(&server, &once)
        });
        assert_eq!(found, Some(Fault::SaveUnproven), "{name}");
        assert_eq!(info(&server, "rdb_last_bgsave_status"), "ok", "{name}");
        let (dump, report) = std::thread::scope(|scope| {
            scope.spawn(|| signal_child(&server, "-USR1"));
            snapshot(&server, &SaveOptions::default()).unwrap()
        });
        assert!(report.rounds > 1, "{name}: {report:?}");
        assert!(keys(&dump).contains(&"late".to_owned()), "{name}");
    }
}

/// A folder that was removed fails for root too.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_cannot_write_gives_an_error() {
    for name in ALL {
        let kept = tempfile::tempdir().unwrap();
        let server = start(name, &[]);
        let old = kept.path().join("dump.rdb");
        std::fs::write(&old, server.save()).unwrap();
        std::fs::remove_dir_all(server.folder()).unwrap();
        let options = SaveOptions::default();
        assert_eq!(fault(&server, &options.clone().file(&old)), Some(Fault::SaveFailed), "{name}");
        // And it no longer knows where its file is.
        let error = snapshot(&server, &options).unwrap_err();
        assert_eq!(error.kind(), redkeep::ErrorKind::Usage, "{name}: {error}");
    }
}

/// Seed: a script that waits until LASTSAVE changes, which has whole seconds.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn saves_within_one_second_are_neither_missed_nor_waited_for_ever() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = server.connect().unwrap();
        let mut unseen = 0;
        for round in 0..5 {
            run(&mut connection, &format!("SET round:{round} 1"));
            let before = info(&server, "rdb_last_save_time");
            let (dump, report) = snapshot(&server, &SaveOptions::default()).unwrap();
            assert!(keys(&dump).contains(&format!("round:{round}")), "{name}: {report:?}");
            unseen += usize::from(info(&server, "rdb_last_save_time") == before);
        }
        // Without a count of saves each request waits for a second of its own.
        assert_eq!(
            unseen > 0,
            name != "redis-6.2",
            "{name}: {unseen} of 5 left LASTSAVE as it was"
        );
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_save_that_runs_already_is_not_taken_for_ours() {
    for name in ALL {
        let server = slow(name);
        let mut connection = server.connect().unwrap();
        run(&mut connection, "BGSAVE");
        run(&mut connection, "SET late 1");
        let (dump, report) = snapshot(&server, &SaveOptions::default()).unwrap();
        assert!(keys(&dump).contains(&"late".to_owned()), "{name}: {report:?}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_file_of_another_server_proves_nothing() {
    for name in ALL {
        let (server, other) = (start(name, &[]), start(name, &[]));
        other.save();
        let options = SaveOptions::default().file(other.folder().join("dump.rdb")).rounds(2);
        assert_eq!(fault(&server, &options), Some(Fault::SaveUnproven), "{name}");
    }
}

/// Ends the threads beside a test, also where it fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The law of all this: a proven file has what was written before the request.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn beside_foreign_saves_no_proven_file_is_older_than_its_request() {
    for name in ALL {
        let server = start(name, &["--rdb-key-save-delay", "100"]);
        let mut connection = server.connect().unwrap();
        (0..300).for_each(|number| run(&mut connection, &format!("SET fill:{number} x")));
        let stop = AtomicBool::new(false);
        let proven = std::thread::scope(|scope| {
            let _stop = Stop(&stop);
            scope.spawn(|| {
                let mut other = server.connect().unwrap();
                let lines = ["SAVE", "BGSAVE", "BGREWRITEAOF", "BGSAVE"];
                for line in lines.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let _refused = redis::cmd(line).exec(&mut other);
                    std::thread::sleep(Duration::from_millis(150));
                }
            });
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(230));
                    let pid = info(&server, "process_id");
                    let children =
                        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
                    for child in children.unwrap_or_default().split_ascii_whitespace() {
                        let _gone = Command::new("kill").args(["-USR1", child]).output();
                    }
                }
            });
            let options = SaveOptions::default()
                .poll(Duration::from_millis(5))
                .rounds(8)
                .deadline(Duration::from_secs(4));
            let mut proven = 0;
            for round in 0..6 {
                run(&mut connection, &format!("SET round:{round} x"));
                match snapshot(&server, &options) {
                    Ok((dump, report)) => {
                        proven += 1;
                        let there = keys(&dump).contains(&format!("round:{round}"));
                        assert!(there, "{name}: {round}: {report:?}");
                    }
                    Err(error) => assert!(error.is_retryable(), "{name}: {error}"),
                }
            }
            proven
        });
        assert!(proven > 0, "{name}: nothing could be proven");
    }
}
