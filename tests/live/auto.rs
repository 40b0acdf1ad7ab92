//! The way to a snapshot is found out, and the next one taken where it is closed.

use crate::random::Random;
use crate::servers::{ALL, Server};
use crate::{System, keys, open, run, start};
use redkeep::live::{ConnectOptions, Connection, Driver};
use redkeep::task::{
    ReplicaOptions, SnapshotOptions, SnapshotOutcome, SnapshotTarget, snapshot, snapshot_watched,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn take(
    server: &mut Connection,
    to: &Path,
    options: &SnapshotOptions,
) -> redkeep::Result<SnapshotOutcome> {
    snapshot(server, &System::start(), options, &SnapshotTarget::new(to))
}

fn fill(server: &Server) {
    let mut pipe = redis::pipe();
    (0..2000).for_each(|n| {
        pipe.cmd("SET").arg(format!("old:{n}")).arg(n).ignore();
    });
    pipe.exec(&mut server.connect().unwrap()).unwrap();
}

/// Takes a snapshot beside a writer; all keys from before have to be in it.
fn take_beside_writes(server: &Server, through: &mut Connection) -> SnapshotOutcome {
    fill(server);
    let (stop, folder) = (AtomicBool::new(false), tempfile::tempdir().unwrap());
    let path = folder.path().join("dump.rdb");
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = server.connect().unwrap();
            for n in 0..u64::MAX {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                run(&mut other, &format!("SET new:{n} x"));
            }
        });
        let outcome = take(through, &path, &SnapshotOptions::default());
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap()
    });
    assert!(outcome.is_sound(), "{outcome:?}");
    let keys = keys(&std::fs::read(&path).unwrap());
    assert_eq!(keys.iter().filter(|key| key.starts_with("old:")).count(), 2000);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    let snapshot = &outcome.taken.snapshot;
    assert_eq!(snapshot.bytes, path.metadata().ok().map(|facts| facts.len()), "{snapshot:?}");
    assert!(snapshot.asked_at.is_some() && snapshot.run_id.len() == 40, "{snapshot:?}");
    assert!(snapshot.offset_after >= snapshot.offset_before, "{snapshot:?}");
    outcome
}

fn why_not(outcome: &SnapshotOutcome) -> Vec<Driver> {
    outcome.why_not.iter().map(|report| report.driver).collect()
}

/// What clouds take away.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn whatever_commands_are_gone_some_way_is_found() {
    use Driver::{Bgsave, Replication, Scan};
    let cases: [(&[&str], Driver, &[Driver]); 5] = [
        (&["PSYNC", "SYNC"], Bgsave, &[]),
        (&["CONFIG"], Replication, &[Bgsave]),
        (&["BGSAVE", "SAVE", "CONFIG", "LASTSAVE"], Replication, &[Bgsave]),
        (&["BGSAVE", "PSYNC", "SYNC"], Scan, &[Bgsave, Replication]),
        (&["CONFIG", "BGSAVE", "SAVE", "PSYNC", "SYNC", "REPLCONF"], Scan, &[Bgsave, Replication]),
    ];
    for name in ALL {
        for (gone, way, closed) in cases {
            let settings: Vec<_> =
                gone.iter().flat_map(|gone| ["--rename-command", gone, ""]).collect();
            let server = start(name, &settings);
            let outcome = take_beside_writes(&server, &mut open(&server));
            assert_eq!(outcome.taken.snapshot.driver, way, "{name}: {gone:?}");
            assert_eq!(why_not(&outcome), closed, "{name}: {gone:?}");
        }
    }
}

/// Before 7.0 that a user may not run PSYNC shows only when it is run.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_right_that_is_missing_leads_to_the_next_way() {
    for name in ALL {
        let server = start(name, &[]);
        run(&mut open(&server), "ACL SETUSER bk on >pw +@all -bgsave -psync ~*");
        let url = format!("redis://bk:pw@127.0.0.1:{}", server.port());
        let mut denied = Connection::open(ConnectOptions::new(url)).unwrap();
        let outcome = take_beside_writes(&server, &mut denied);
        assert_eq!(outcome.taken.snapshot.driver, Driver::Scan, "{name}");
        assert_eq!(why_not(&outcome), [Driver::Bgsave, Driver::Replication], "{name}");
    }
}

/// What stands between may have an opinion of its own.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_proxy_that_refuses_or_closes_replication_leads_to_the_next_way() {
    for (name, answer) in
        ALL.into_iter().zip([&b"-ERR not here\r\n"[..], b"", b"-NOPERM no\r\n", b"+OK\r\n"])
    {
        let server = start(name, &["--rename-command", "BGSAVE", ""]);
        let port = proxy(server.port(), answer);
        let url = format!("redis://127.0.0.1:{port}");
        let mut through = Connection::open(ConnectOptions::new(url)).unwrap();
        let outcome = take_beside_writes(&server, &mut through);
        assert_eq!(outcome.taken.snapshot.driver, Driver::Scan, "{name}");
        assert_eq!(why_not(&outcome), [Driver::Bgsave, Driver::Replication], "{name}");
    }
}

/// Passes everything on but PSYNC, to which it answers that and closes.
fn proxy(to: u16, answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to)));
            let Ok(mut server) = server else { return };
            let (mut back, mut there) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut there));
            std::thread::spawn(move || {
                let mut buf = [0; 1 << 16];
                while let Ok(n @ 1..) = client.read(&mut buf) {
                    if buf[..n].starts_with(b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?") {
                        let _ = client.write_all(answer);
                        let _ = client.shutdown(std::net::Shutdown::Both);
                        return;
                    }
                    if server.write_all(&buf[..n]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn where_every_way_is_closed_each_says_why() {
    for name in ALL {
        let gone = ["BGSAVE", "PSYNC", "SYNC", "SCAN"].map(|gone| ["--rename-command", gone, ""]);
        let server = start(name, &gone.concat());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        let error = take(&mut open(&server), &path, &SnapshotOptions::default()).unwrap_err();
        assert_eq!(error.fault(), Some(redkeep::Fault::NoDriver), "{name}: {error}");
        let said = error.to_string();
        for way in ["bgsave: there is no BGSAVE", "replication: ", "scan: there is no SCAN"] {
            assert!(said.contains(way), "{said}");
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn progress_counts_bytes_and_keys_up_to_the_end() {
    for name in ALL {
        let server = start(name, &[]);
        let mut pipe = redis::pipe();
        (0..20_000).for_each(|n| {
            pipe.cmd("SET").arg(format!("key:{n}")).arg(n).ignore();
        });
        pipe.exec(&mut server.connect().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for driver in [Driver::Bgsave, Driver::Save, Driver::Replication, Driver::Scan] {
            let target = SnapshotTarget::new(folder.path().join(driver.to_string()));
            let options = SnapshotOptions::default().driver(driver);
            let mut last = None;
            let watch = &mut |progress: &redkeep::task::SnapshotProgress| {
                assert_eq!(progress.driver, driver);
                last = Some(*progress);
                ControlFlow::Continue(())
            };
            let mut server = open(&server);
            let outcome =
                snapshot_watched(&mut server, &System::start(), &options, &target, watch).unwrap();
            let last = last.unwrap();
            assert_eq!(Some(last.bytes), outcome.taken.snapshot.bytes, "{name}: {driver}");
            // The last read is that of the end, when all but the last thousands were counted.
            assert!((16_000..=20_000).contains(&last.keys), "{name}: {last:?}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_snapshot_that_is_stopped_leaves_nothing() {
    for name in ALL {
        let server = start(name, &[]);
        fill(&server);
        let folder = tempfile::tempdir().unwrap();
        let target = SnapshotTarget::new(folder.path().join("dump.rdb"));
        for driver in [Driver::Bgsave, Driver::Save, Driver::Replication, Driver::Scan] {
            let options = SnapshotOptions::default().driver(driver);
            let stop = &mut |_: &_| ControlFlow::Break(());
            let mut server = open(&server);
            snapshot_watched(&mut server, &System::start(), &options, &target, stop).unwrap_err();
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{name}: {driver}");
            // The connection is as it was.
            run(&mut server, "PING");
        }
    }
}

/// Waits until a replica has all of its master's data.
fn follow(replica: &Server, master: &Server) {
    let mut connection = replica.connect().unwrap();
    run(&mut connection, &format!("REPLICAOF 127.0.0.1 {}", master.port()));
    let deadline = Instant::now() + Duration::from_secs(20);
    while crate::bgsave::info(replica, "master_link_status") != "up"
        || !crate::bgsave::info(master, "slave0").contains("state=online")
    {
        assert!(Instant::now() < deadline, "the replica does not follow");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_replica_that_is_near_enough_is_taken_in_place_of_its_master() {
    for name in ALL {
        let quick = ["--repl-diskless-sync-delay", "0"];
        let (master, replica) = (start(name, &quick), start(name, &quick));
        fill(&master);
        let folder = tempfile::tempdir().unwrap();
        let path = |n: u32| folder.path().join(n.to_string());
        let near = SnapshotOptions::default().replica(ReplicaOptions::default());
        let outcome = take(&mut open(&master), &path(0), &near).unwrap();
        let usage = outcome.replica.unwrap();
        assert_eq!(usage.address, None, "{name}");
        assert_eq!(usage.why_not, ["the server lists no replica"], "{name}");
        let only = ReplicaOptions::default().required(true);
        let only = SnapshotOptions::default().replica(only);
        let error = take(&mut open(&master), &path(1), &only).unwrap_err();
        assert_eq!(error.fault(), Some(redkeep::Fault::NoServer), "{name}: {error}");

        follow(&replica, &master);
        let outcome = take(&mut open(&master), &path(1), &only).unwrap();
        let usage = outcome.replica.as_ref().unwrap();
        let address = format!("127.0.0.1:{}", replica.port());
        assert_eq!(usage.address, Some(address), "{name}");
        assert!(usage.behind_after.is_some_and(|lag| lag < 1 << 20), "{name}: {usage:?}");
        assert_eq!(outcome.taken.snapshot.role, redkeep::live::Role::Replica, "{name}");
        assert_eq!(keys(&std::fs::read(path(1)).unwrap()).len(), 2000, "{name}");

        // One that hangs is behind soon, and says nothing any more.
        let mut admin = open(&master);
        run(&mut admin, "CONFIG SET repl-timeout 3600");
        let pid = crate::bgsave::info(&replica, "process_id");
        let signal = |what: &str| {
            std::process::Command::new("kill").args([what, &pid]).status().unwrap();
        };
        signal("-STOP");
        (0..2000).for_each(|n| run(&mut admin, &format!("SET late:{n} {}", "x".repeat(100))));
        let hasty = ConnectOptions::new(format!("redis://127.0.0.1:{}", master.port()))
            .connect_timeout(Duration::from_millis(300))
            .timeout(Duration::from_millis(300));
        let mut hasty = Connection::open(hasty).unwrap();
        let outcome = take(&mut hasty, &path(2), &near);
        signal("-CONT");
        let usage = outcome.unwrap().replica.unwrap();
        assert_eq!((usage.address, usage.why_not.len()), (None, 1), "{name}");
        assert_eq!(keys(&std::fs::read(path(2)).unwrap()).len(), 4000, "{name}");
    }
}

/// A clock by which nobody waits long.
struct Fast(Instant);

impl redkeep::live::Clock for Fast {
    fn elapsed(&self) -> Duration {
        self.0.elapsed() * 20
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time / 20);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_is_killed_in_the_middle_gives_one_clear_error_and_nothing_else() {
    use redkeep::Fault;
    let kill = |pid: &str| {
        assert!(std::process::Command::new("kill").args(["-9", pid]).status().unwrap().success());
    };
    for name in ALL {
        for driver in [Driver::Bgsave, Driver::Save, Driver::Replication, Driver::Scan] {
            let server =
                start(name, &["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"]);
            fill(&server);
            let mut admin = open(&server);
            // Enough that it is not in some buffer already, and of a kind that no server compresses.
            let mut pipe = redis::pipe();
            let mut random = Random(1);
            for n in 0..200 {
                let value: Vec<u8> = (0..2500).flat_map(|_| random.next().to_le_bytes()).collect();
                pipe.cmd("SET").arg(format!("big:{n}")).arg(value).ignore();
            }
            pipe.exec(&mut admin).unwrap();
            run(&mut admin, "CONFIG SET rdb-key-save-delay 1000");
            let pid = crate::bgsave::info(&server, "process_id");
            let folder = tempfile::tempdir().unwrap();
            let target = SnapshotTarget::new(folder.path().join("dump.rdb"));
            let options = SnapshotOptions::default().driver(driver);
            let (mut through, mut killed) = (open(&server), false);
            let error = std::thread::scope(|scope| {
                if matches!(driver, Driver::Bgsave | Driver::Save) {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(300));
                        kill(&pid);
                    });
                }
                let watch = &mut |_: &_| {
                    if !std::mem::replace(&mut killed, true) {
                        kill(&pid);
                    }
                    ControlFlow::Continue(())
                };
                let clock = Fast(Instant::now());
                snapshot_watched(&mut through, &clock, &options, &target, watch).unwrap_err()
            });
            assert!(error.is_retryable() || error.is_io(), "{name}: {driver}: {error}");
            if driver == Driver::Replication {
                assert_eq!(error.fault(), Some(Fault::TransferCut), "{name}: {error}");
            }
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{name}: {driver}");
        }
    }
}
