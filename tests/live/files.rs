//! Snapshots of the files in a data directory.

use crate::servers::{ALL, Server};
use crate::{System, open, run, start};
use redkeep::Fault;
use redkeep::aof::Layout;
use redkeep::live::{ConnectOptions, Connection, FilesOptions};
use redkeep::task::{
    SnapshotOptions, SnapshotOutcome, SnapshotTarget, snapshot, snapshot_of_files,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn take(server: &Server, to: &Path, files: FilesOptions) -> redkeep::Result<SnapshotOutcome> {
    let options = SnapshotOptions::default().driver(redkeep::live::Driver::Files).files(files);
    snapshot(&mut open(server), &System::start(), &options, &SnapshotTarget::new(to))
}

fn take_dead(folder: &Path, to: &Path, files: FilesOptions) -> redkeep::Result<SnapshotOutcome> {
    let options = SnapshotOptions::default().files(files.dir(folder));
    let watch = &mut |_: &_| ControlFlow::Continue(());
    snapshot_of_files(&System::start(), &options, &SnapshotTarget::new(to), watch)
}

/// Starts a server on a copied log.
fn load(name: &str, log: &Path) -> Server {
    let folder = tempfile::tempdir().unwrap();
    if log.is_dir() {
        std::fs::create_dir(folder.path().join("appendonlydir")).unwrap();
        for entry in log.read_dir().unwrap() {
            let entry = entry.unwrap();
            let to = folder.path().join("appendonlydir").join(entry.file_name());
            std::fs::copy(entry.path(), to).unwrap();
        }
    } else {
        std::fs::copy(log, folder.path().join("appendonly.aof")).unwrap();
    }
    // It would cut a torn tail in silence otherwise.
    let settings = ["--appendonly", "yes", "--aof-load-truncated", "no"];
    Server::start_in(name, folder, &settings).unwrap()
}

fn get(server: &Server, key: &str) -> Option<u64> {
    redis::cmd("GET").arg(key).query(&mut server.connect().unwrap()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// The law of all this. The counter is read before each pin: what was answered then has to be in it.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn each_pin_beside_rewrites_and_writes_loads_and_has_all_that_was_answered_before() {
    for name in ALL {
        let log = ["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"];
        let server = start(name, &log);
        let mut connection = open(&server);
        (0..500).for_each(|n| run(&mut connection, &format!("SET fill:{n} 1")));
        let (stop, copies) = (AtomicBool::new(false), tempfile::tempdir().unwrap());
        let taken: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut other = server.connect().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    run(&mut other, "INCR counter");
                    let pair: redis::RedisResult<()> =
                        redis::pipe().atomic().incr("a", 1).incr("b", 1).exec(&mut other);
                    pair.unwrap();
                }
            });
            scope.spawn(|| {
                let mut other = server.connect().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let _refused = redis::cmd("BGREWRITEAOF").exec(&mut other);
                    // A log of one file is only taken between two rewrites.
                    let rest = if name == "redis-6.2" { 150 } else { 4 };
                    std::thread::sleep(Duration::from_millis(rest));
                }
            });
            let take = |n: u64| {
                let least = get(&server, "counter").unwrap_or(0);
                let path = copies.path().join(n.to_string());
                take(&server, &path, FilesOptions::default()).map(|outcome| (least, path, outcome))
            };
            let taken = (0..20).map(take).collect::<redkeep::Result<_>>();
            stop.store(true, Ordering::Relaxed);
            taken
        })
        .unwrap();
        let most = get(&server, "counter").unwrap();
        let mut rounds = 0;
        for (least, path, outcome) in &taken {
            assert!(outcome.is_sound(), "{name}: {outcome:?}");
            rounds += outcome.taken.snapshot.rounds;
            let log = outcome.taken.log.as_ref().unwrap();
            let parts = if name == "redis-6.2" { Layout::Single } else { Layout::Parts };
            assert_eq!((log.layout, log.acknowledged), (parts, Some(true)), "{name}");
            let copy = load(name, path);
            let counter = get(&copy, "counter").unwrap_or(0);
            assert!((*least..=most).contains(&counter), "{name}: {least} {counter} {most}");
            assert_eq!(get(&copy, "a"), get(&copy, "b"), "{name}: half a transaction");
            assert_eq!(get(&copy, "fill:499"), Some(1), "{name}");
        }
        assert!(rounds >= 20);
        assert_eq!(names(copies.path()).len(), 20, "{name}: nothing else is left");
        let own = names(server.folder());
        assert!(own.iter().all(|name| !name.contains("redkeep")), "{name}: {own:?}");
    }
}

/// Seed: a script that copies `dump.rdb`, which a server with `appendonly yes` never loads.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_dump_beside_a_log_is_not_taken_for_the_data() {
    for name in ALL {
        let server = start(name, &["--appendonly", "yes"]);
        let mut connection = open(&server);
        run(&mut connection, "SET early 1");
        server.save();
        run(&mut connection, "SET late 2");
        let copies = tempfile::tempdir().unwrap();
        let path = copies.path().join("copy");
        let error = take(&server, &path, FilesOptions::default().log(false)).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::DumpBesideLog), "{name}: {error}");
        // What is taken is what the server would load.
        take(&server, &path, FilesOptions::default()).unwrap();
        assert_eq!(get(&load(name, &path), "late"), Some(2), "{name}");
        // Nobody guesses for a server that is not asked.
        let other = copies.path().join("other");
        let error = take_dead(server.folder(), &other, FilesOptions::default()).unwrap_err();
        assert!(error.to_string().contains("both a log and a dump"), "{name}: {error}");
        let said = FilesOptions::default().log(true);
        assert!(take_dead(server.folder(), &other, said).unwrap().is_sound(), "{name}");
        assert_eq!(get(&load(name, &other), "late"), Some(2), "{name}");
        // Neither does a log count that no server writes any more.
        run(&mut connection, "CONFIG SET appendonly no");
        let last = copies.path().join("last");
        let error = take(&server, &last, FilesOptions::default().log(true)).unwrap_err();
        assert!(error.to_string().contains("keeps no log"), "{name}: {error}");
        assert_eq!(names(copies.path()), ["copy", "other"], "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn an_old_dump_says_how_old_it_is() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = open(&server);
        run(&mut connection, "SET early 1");
        server.save();
        std::thread::sleep(Duration::from_millis(2100));
        run(&mut connection, "SET late 1");
        let copies = tempfile::tempdir().unwrap();
        let path = copies.path().join("copy.rdb");
        let snapshot = take(&server, &path, FilesOptions::default()).unwrap().taken.snapshot;
        assert!(matches!(snapshot.age_seconds, Some(2..=10)), "{name}: {snapshot:?}");
        assert!(snapshot.stated_at < snapshot.asked_at, "{name}: {snapshot:?}");
        assert_eq!((snapshot.offset_before, snapshot.replication_id), (None, None), "{name}");
        assert_eq!(crate::keys(&std::fs::read(&path).unwrap()), ["early"], "{name}");
    }
}

/// While `appendonly yes` is switched on, the manifest names the log from before.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_log_that_is_being_switched_on_is_not_taken_for_the_data() {
    for name in ALL {
        let server = start(name, &["--appendonly", "yes"]);
        let mut connection = open(&server);
        (0..1000).for_each(|n| run(&mut connection, &format!("SET fill:{n} 1")));
        run(&mut connection, "CONFIG SET appendonly no");
        run(&mut connection, "SET late 7");
        run(&mut connection, "CONFIG SET rdb-key-save-delay 1000");
        run(&mut connection, "CONFIG SET appendonly yes");
        let copies = tempfile::tempdir().unwrap();
        let path = copies.path().join("copy");
        let hasty = FilesOptions::default().deadline(Duration::from_millis(300));
        let error = take(&server, &path, hasty).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::LogUnproven), "{name}: {error}");
        assert!(error.is_retryable());
        let outcome = take(&server, &path, FilesOptions::default()).unwrap();
        assert!(outcome.taken.snapshot.rounds > 1, "{name}");
        assert_eq!(get(&load(name, &path), "late"), Some(7), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_log_of_another_server_proves_nothing() {
    for name in ALL {
        let log = ["--appendonly", "yes"];
        let (server, other) = (start(name, &log), start(name, &log));
        run(&mut open(&server), "SET a 1");
        (0..50).for_each(|n| run(&mut open(&other), &format!("SET other:{n} 1")));
        let copies = tempfile::tempdir().unwrap();
        let elsewhere =
            FilesOptions::default().dir(other.folder()).deadline(Duration::from_millis(200));
        let error = take(&server, &copies.path().join("copy"), elsewhere).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::LogUnproven), "{name}: {error}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_setting_that_holds_rewrites_off_is_put_back_also_after_a_failure() {
    for name in ALL {
        let server = start(name, &["--appendonly", "yes", "--auto-aof-rewrite-percentage", "57"]);
        let mut connection = open(&server);
        run(&mut connection, "SET a 1");
        let setting = || -> Vec<String> {
            let mut get = redis::cmd("CONFIG");
            get.arg("GET").arg("auto-aof-rewrite-percentage");
            get.query(&mut server.connect().unwrap()).unwrap()
        };
        let copies = tempfile::tempdir().unwrap();
        let held = FilesOptions::default().hold_rewrites(true);
        assert!(take(&server, &copies.path().join("a"), held.clone()).unwrap().is_sound());
        assert_eq!(setting()[1], "57", "{name}");
        let nowhere = held.dir(copies.path()).deadline(Duration::from_millis(100));
        take(&server, &copies.path().join("b"), nowhere).unwrap_err();
        assert_eq!(setting()[1], "57", "{name}");
        // Whoever may not set it is told, and nothing is copied.
        run(&mut connection, "ACL SETUSER bk on >pw +@all -config ~*");
        let url = format!("redis://bk:pw@127.0.0.1:{}", server.port());
        let mut denied = Connection::open(ConnectOptions::new(url)).unwrap();
        let files = FilesOptions::default().dir(server.folder()).hold_rewrites(true);
        let options = SnapshotOptions::default().driver(redkeep::live::Driver::Files).files(files);
        let target = SnapshotTarget::new(copies.path().join("c"));
        let error = snapshot(&mut denied, &System::start(), &options, &target).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::ServerDenied), "{name}: {error}");
    }
}

/// A server that was killed leaves what it was about to write.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_torn_log_of_a_dead_server_is_cut_at_its_last_boundary() {
    for name in ALL {
        let server = start(name, &["--appendonly", "yes"]);
        run(&mut open(&server), "SET a 1");
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let parts = server.folder().join("appendonlydir");
        let mut last = data.join("appendonly.aof");
        if parts.is_dir() {
            std::fs::create_dir(data.join("appendonlydir")).unwrap();
            for file in names(&parts) {
                std::fs::copy(parts.join(&file), data.join("appendonlydir").join(file)).unwrap();
            }
            last = data.join("appendonlydir/appendonly.aof.1.incr.aof");
        } else {
            std::fs::copy(server.folder().join("appendonly.aof"), &last).unwrap();
        }
        let torn = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n*1\r\n$4";
        let mut whole = std::fs::read(&last).unwrap();
        whole.extend_from_slice(torn);
        std::fs::write(&last, whole).unwrap();
        let copy = folder.path().join("copy");
        let outcome = take_dead(data, &copy, FilesOptions::default()).unwrap();
        assert!(outcome.is_sound(), "{name}: {outcome:?}");
        assert_eq!(outcome.log_report.unwrap().cut_bytes, torn.len() as u64, "{name}");
        assert_eq!(get(&load(name, &copy), "a"), Some(1), "{name}");
    }
}

/// A server before 7.0 loads the file, a later one the folder.
#[test]
fn of_two_logs_none_is_guessed() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, set) = (folder.path(), b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
    std::fs::create_dir(data.join("appendonlydir")).unwrap();
    std::fs::write(data.join("appendonly.aof"), set).unwrap();
    let manifest = data.join("appendonlydir/appendonly.aof.manifest");
    std::fs::write(manifest, b"file appendonly.aof.1.incr.aof seq 1 type i\n").unwrap();
    std::fs::write(data.join("appendonlydir/appendonly.aof.1.incr.aof"), set.repeat(2)).unwrap();
    let take = |to: &str, server: Option<&str>| {
        let mut options = FilesOptions::default();
        options.server = server.map(|server| server.parse().unwrap());
        take_dead(data, &copies.path().join(to), options)
    };
    let error = take("a", None).unwrap_err();
    assert!(error.to_string().contains("say which it is"), "{error}");
    for (to, server, commands) in [("a", "redis-6.2", 1), ("b", "redis-7.0", 2)] {
        let outcome = take(to, Some(server)).unwrap();
        assert_eq!(outcome.log_report.unwrap().report.commands, commands, "{server}");
    }
}

const DUMP: &[u8] =
    b"REDIS0009\xfa\x05ctime\xc2\x10\x27\x00\x00\xfe\x00\x00\x01a\x01x\xff\0\0\0\0\0\0\0\0";

#[test]
fn which_files_of_a_dead_server_count_is_said_found_or_asked() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, to) = (folder.path(), copies.path());
    let all = FilesOptions::default;
    let error = take_dead(data, &to.join("none"), all()).unwrap_err();
    assert!(error.to_string().contains("neither a log nor a dump"), "{error}");
    std::fs::write(data.join("dump.rdb"), DUMP).unwrap();
    let now = redkeep::UnixMillis::from_seconds(10_060);
    let snapshot = take_dead(data, &to.join("dump"), all().now(now)).unwrap().taken.snapshot;
    assert_eq!((snapshot.stated_at, snapshot.age_seconds), (Some(10_000), Some(60)));
    assert_eq!(std::fs::read(to.join("dump")).unwrap(), DUMP);
    // Without a clock nobody says how old it is.
    let snapshot = take_dead(data, &to.join("later"), all()).unwrap().taken.snapshot;
    assert_eq!((snapshot.stated_at, snapshot.age_seconds), (Some(10_000), None));

    std::fs::write(data.join("cache.aof"), b"*1\r\n$8\r\nFLUSHALL\r\n").unwrap();
    let conf = data.join("redis.conf");
    let write = |appendonly: &str| {
        let dir = data.display();
        let text = format!("dir {dir}\nappendonly {appendonly}\nappendfilename cache.aof\n");
        std::fs::write(&conf, text).unwrap();
    };
    let by_conf = || all().config_file(&conf).server("redis-6.2".parse().unwrap());
    write("yes");
    let outcome = take_dead(data, &to.join("log"), by_conf()).unwrap();
    assert_eq!(outcome.log_report.unwrap().report.commands, 1);
    assert_eq!(names(to), ["dump", "later", "log"]);
    let error = take_dead(data, &to.join("bad"), by_conf().log(false)).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::DumpBesideLog));
    write("no");
    let outcome = take_dead(data, &to.join("again"), by_conf()).unwrap();
    assert!(outcome.report.is_some() && outcome.is_sound());
    assert!(take_dead(data, &to.join("bad"), by_conf().log(true)).is_err());
}

#[test]
fn a_dump_that_is_written_over_while_it_is_read_is_no_snapshot() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("dump.rdb");
    std::fs::write(&path, DUMP).unwrap();
    let over = |replace: bool| {
        let options = SnapshotOptions::default().files(FilesOptions::default().dir(folder.path()));
        let target = SnapshotTarget::new(copies.path().join("copy")).replace(true);
        let write = &mut |_: &_| {
            if replace {
                // As servers do.
                std::fs::write(path.with_extension("new"), b"other").unwrap();
                std::fs::rename(path.with_extension("new"), &path).unwrap();
            } else {
                std::fs::write(&path, [DUMP, DUMP].concat()).unwrap();
            }
            ControlFlow::Continue(())
        };
        snapshot_of_files(&System::start(), &options, &target, write)
    };
    let error = over(false).unwrap_err();
    assert!(error.is_retryable() && error.fault() == Some(Fault::ChangedMeanwhile), "{error}");
    assert_eq!(names(copies.path()), [""; 0]);
    std::fs::write(folder.path().join("dump.rdb"), DUMP).unwrap();
    assert!(over(true).unwrap().is_sound());
    assert_eq!(std::fs::read(copies.path().join("copy")).unwrap(), DUMP);
}

/// A crash of the server, and its next start, cut its log on disk.
#[test]
fn damage_in_a_log_is_not_kept_and_what_is_lost_meanwhile_is_an_error() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = folder.path().join("appendonly.aof");
    let set = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n".repeat(10_000);
    let damaged = [&set[..], b"*1\r\n$x\r\n", &set].concat();
    std::fs::write(&log, &damaged).unwrap();
    let outcome = take_dead(folder.path(), &copies.path().join("bad"), FilesOptions::default());
    let outcome = outcome.unwrap();
    assert!(!outcome.kept && !outcome.is_sound());
    assert_eq!(outcome.log_report.unwrap().report.verdict, redkeep::aof::check::Verdict::Corrupt);
    std::fs::write(&log, &set).unwrap();
    let options = SnapshotOptions::default().files(FilesOptions::default().dir(folder.path()));
    let target = SnapshotTarget::new(copies.path().join("short"));
    let cut = &mut |_: &_| {
        std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(100).unwrap();
        ControlFlow::Continue(())
    };
    let error = snapshot_of_files(&System::start(), &options, &target, cut).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::ChangedMeanwhile), "{error}");
    assert_eq!(names(copies.path()), [""; 0]);
}
