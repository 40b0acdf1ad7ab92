//! Backups of real servers: what is restored from an archive is what the server held.

#![cfg(all(feature = "live", feature = "repo"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/clock.rs"]
mod clock;
#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/seal_laws.rs"]
mod seal_laws;
#[path = "common/servers.rs"]
mod servers;

#[cfg(feature = "cli")]
#[path = "backup/program.rs"]
mod program;
#[cfg(feature = "cli")]
#[path = "backup/programs.rs"]
mod programs;

use clock::System;
use cluster::Cluster;
use redis::cmd;
use redkeep::live::cluster::ClusterNodes;
use redkeep::live::restore::{RestoreOptions, RestoreSink};
use redkeep::live::{ConnectOptions, Connection, Driver, FilesOptions};
use redkeep::repo::seal::Recipients;
use redkeep::repo::store::{LocalStore, MemoryStore};
use redkeep::repo::{Archive, SourceState, StoredBackup, VerifyLevel};
use redkeep::task::{
    BackupOptions, BackupOutcome, BackupProgress, DrillOptions, FetchOptions, RestoreChoice,
    SealChoice, SnapshotOptions, VerifyOptions, backup_cluster, backup_files, backup_server, drill,
    fetch, restore, verify,
};
use redkeep::{Fault, Result, UnixMillis};
use servers::{ALL, Server};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis::new(since.as_millis().try_into().unwrap())
}

fn on(_: &BackupProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn sealed() -> BackupOptions {
    let keys = Recipients::parse(seal_laws::PUBLIC).unwrap();
    BackupOptions::default().seal(SealChoice::default().recipients(keys).volume(50_000))
}

fn open(server: &Server) -> Connection {
    Connection::open(ConnectOptions::new(format!("redis://127.0.0.1:{}", server.port()))).unwrap()
}

fn digest(server: &Server) -> String {
    cmd("DEBUG").arg("DIGEST").query(&mut server.connect().unwrap()).unwrap()
}

fn back_up(archive: &Archive, server: &Server, how: &SnapshotOptions) -> Result<BackupOutcome> {
    let clock = System::start();
    backup_server(archive, &mut open(server), &clock, how, &now, &sealed(), &mut on)
}

/// A dump that this server loads.
fn given(name: &str) -> Vec<u8> {
    let of = if name == "redis-6.2" { "redis-5.0.14/lfu" } else { "redis-7.0.15/default" };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(of);
    std::fs::read(path.join("dump.rdb")).unwrap()
}

fn stored(archive: &Archive, outcome: &BackupOutcome) -> StoredBackup {
    assert!(outcome.is_sound(), "{:?}", outcome.reports);
    archive.backup(&outcome.manifest.stream, outcome.manifest.backup).unwrap()
}

/// Verifies a backup, fetches it, and starts a server on what came.
fn loaded(name: &str, archive: &Archive, outcome: &BackupOutcome, log: bool) -> Server {
    let stored = stored(archive, outcome);
    let open = seal_laws::ours();
    let options = VerifyOptions::default().level(VerifyLevel::Meaning).open(open.clone());
    let id = stored.manifest().backup;
    let stream = &stored.manifest().stream;
    let found = verify(archive, stream, id, &now, &options, &mut |_, _| ControlFlow::Continue(()));
    let found = found.unwrap();
    assert!(found.passed() && found.plain, "{name}: {:?}", found.problems);
    let folder = tempfile::tempdir().unwrap();
    let place = match &stored.manifest().shards[0].log {
        Some(form) if form.layout == redkeep::aof::Layout::Parts => "appendonlydir",
        Some(_) => "appendonly.aof",
        None => "dump.rdb",
    };
    let options = FetchOptions::default().open(open);
    fetch(&stored, &folder.path().join(place), &options, &mut |_, _| ControlFlow::Continue(()))
        .unwrap();
    let settings: &[&str] =
        if log { &["--appendonly", "yes", "--aof-load-truncated", "no"] } else { &[] };
    Server::start_in(name, folder, settings).unwrap()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_is_restored_from_a_backup_is_what_the_server_held() {
    for name in ALL {
        let server = Server::start(name, Some(&given(name))).unwrap();
        let archive = Archive::create(MemoryStore::new()).unwrap();
        for driver in [Driver::Bgsave, Driver::Save, Driver::Replication, Driver::Scan] {
            let how = SnapshotOptions::default().driver(driver);
            let outcome = back_up(&archive, &server, &how);
            let outcome = outcome.unwrap();
            let source = &outcome.manifest.shards[0].source;
            assert_eq!(source.driver, driver.to_string());
            assert_eq!(source.address.as_deref(), Some(&*format!("127.0.0.1:{}", server.port())));
            assert_eq!(source.point_in_time, driver != Driver::Scan);
            assert!(outcome.manifest.stored_bytes() > 0 && outcome.manifest.keys() > 90);
            let again = loaded(name, &archive, &outcome, false);
            assert_eq!(digest(&again), digest(&server), "{name} {driver}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_backup_goes_straight_into_a_running_server() {
    for name in ALL {
        let server = Server::start(name, Some(&given(name))).unwrap();
        let archive = Archive::create(MemoryStore::new()).unwrap();
        let how = SnapshotOptions::default();
        let outcome = back_up(&archive, &server, &how);
        let stored = stored(&archive, &outcome.unwrap());
        let part = &stored.manifest().shards[0].parts[0];
        let reader = stored.open(part, &seal_laws::ours()).unwrap();
        let empty = Server::start(name, None).unwrap();
        let (mut target, clock) = (open(&empty), System::start());
        let sink = RestoreSink::new(&mut target, &clock, RestoreOptions::default()).unwrap();
        let restored = restore(reader, &RestoreChoice::default(), sink).unwrap();
        assert!(restored.keys.is_complete(), "{name}: {:?}", restored.keys);
        assert_eq!(digest(&empty), digest(&server), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn logs_come_back_as_logs_that_load() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_in(name, folder, &["--appendonly", "yes"]).unwrap();
        let mut connection = server.connect().unwrap();
        for n in 0..500 {
            cmd("SET").arg(format!("before:{n}")).arg(n).exec(&mut connection).unwrap();
        }
        cmd("BGREWRITEAOF").exec(&mut connection).unwrap();
        cluster::wait("the rewrite", || {
            let info: String = cmd("INFO").arg("persistence").query(&mut connection).unwrap();
            info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
        });
        for n in 0..500 {
            cmd("RPUSH").arg("list").arg(n).exec(&mut connection).unwrap();
        }
        let archive = Archive::create(MemoryStore::new()).unwrap();
        let how = SnapshotOptions::default().driver(Driver::Files);
        let outcome = back_up(&archive, &server, &how).unwrap();
        let shard = &outcome.manifest.shards[0];
        assert!(shard.log.is_some() && shard.content.commands > Some(400), "{name}: {shard:?}");
        let again = loaded(name, &archive, &outcome, true);
        assert_eq!(digest(&again), digest(&server), "{name}");

        // And of the folder alone, once nobody writes there.
        let how = SnapshotOptions::default().files(FilesOptions::default().dir(server.folder()));
        let outcome =
            backup_files(&archive, &System::start(), &how, &now, &sealed(), &mut on).unwrap();
        assert_eq!(outcome.manifest.source_change.state, SourceState::Unknown);
        assert_eq!(digest(&loaded(name, &archive, &outcome, true)), digest(&server), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_shards_of_a_cluster_are_one_backup() {
    for name in ALL {
        let cluster = Cluster::start(name, 3, &[]);
        for n in 0..300 {
            let key = format!("key:{n}");
            cluster.set(redkeep::select::slot(key.as_bytes()), &key, &n.to_string());
        }
        let look = ClusterNodes::look(&[ConnectOptions::new(cluster.url(0))]).unwrap();
        let archive = Archive::create(MemoryStore::new()).unwrap();
        let how = SnapshotOptions::default();
        let mut shards_seen = [false; 3];
        let mut watch = |progress: &BackupProgress| {
            shards_seen[progress.shard] = true;
            ControlFlow::Continue(())
        };
        let outcome =
            backup_cluster(&archive, &look, &System::start(), &how, &now, &sealed(), &mut watch)
                .unwrap();
        assert_eq!(shards_seen, [true; 3]);
        let manifest = &outcome.manifest;
        assert_eq!((manifest.shards.len(), manifest.keys()), (3, 300), "{name}");
        assert!(
            manifest.skew_ms.is_some() && manifest.warnings.is_empty(),
            "{:?}",
            manifest.warnings
        );
        assert_eq!(manifest.shards[0].name, "from-slot-00000");
        let slots: u32 = manifest
            .shards
            .iter()
            .flat_map(|shard| &shard.slots)
            .map(|(first, last)| u32::from(last - first) + 1)
            .sum();
        assert_eq!(slots, 16_384);
        let stored = stored(&archive, &outcome);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shards");
        let options = FetchOptions::default().open(seal_laws::ours());
        let fetched =
            fetch(&stored, &path, &options, &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert!(fetched.folder && path.read_dir().unwrap().count() == 3);

        // One that fails stops the others, and says why.
        let full = BackupOptions::default().parallel(3);
        let (stop, how) = (
            Server::start(name, None).unwrap(),
            SnapshotOptions::default()
                .driver(Driver::Files)
                .files(FilesOptions::default().dir("/nowhere")),
        );
        let error = backup_cluster(&archive, &look, &System::start(), &how, &now, &full, &mut on)
            .unwrap_err();
        assert!(error.fault() != Some(Fault::Cancelled), "{name}: {error}");
        assert_eq!(archive.backups(&manifest.stream).unwrap().len(), 1);
        drop(stop);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_stream_notices_when_another_server_writes_to_it() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let how = SnapshotOptions::default().driver(Driver::Replication);
    let take = |server: &Server| {
        let outcome = backup_server(
            &archive,
            &mut open(server),
            &System::start(),
            &how,
            &now,
            &BackupOptions::default(),
            &mut on,
        );
        outcome.unwrap().manifest.source_change.state
    };
    let (first, second) =
        (Server::start("redis-7.0", None).unwrap(), Server::start("redis-7.0", None).unwrap());
    assert_eq!(take(&first), SourceState::First);
    assert_eq!(take(&first), SourceState::Same);
    assert_eq!(take(&second), SourceState::Other);
    assert_eq!(take(&second), SourceState::Same);
    let port = first.port().to_string();
    cmd("REPLICAOF").arg("127.0.0.1").arg(&port).exec(&mut second.connect().unwrap()).unwrap();
    cluster::wait("the replica", || {
        let info: String =
            cmd("INFO").arg("replication").query(&mut second.connect().unwrap()).unwrap();
        info.contains("master_link_status:up")
    });
    // A replica has the history of its master: that is other data than before.
    assert_eq!(take(&second), SourceState::Same, "its run is the same");
    assert_eq!(take(&first), SourceState::Same, "and now its history is the first one's");
}

/// The seed of the scripts that everybody copies: a save that fails ships the old dump.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_save_that_fails_makes_no_backup_of_the_old_dump() {
    for name in ALL {
        let server = Server::start(name, Some(&given(name))).unwrap();
        let store = tempfile::tempdir().unwrap();
        let archive = Archive::create(LocalStore::open(store.path()).unwrap()).unwrap();
        // A folder stands where the server wants to rename its file to.
        std::fs::remove_file(server.folder().join("dump.rdb")).unwrap();
        std::fs::create_dir(server.folder().join("dump.rdb")).unwrap();
        std::fs::write(server.folder().join("dump.rdb/in-the-way"), b"").unwrap();
        let how = SnapshotOptions::default().driver(Driver::Bgsave);
        let error = back_up(&archive, &server, &how);
        let error = error.unwrap_err();
        assert_eq!(error.fault(), Some(Fault::SaveFailed), "{name}: {error}");
        assert!(archive.backups(&sealed().stream).unwrap().is_empty());
        let left: Vec<_> =
            store.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["redkeep.json"], "{name}: nothing of it stays, the lock neither");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_drill_loads_it_into_a_server_and_compares_everything() {
    for name in ALL {
        let server = Server::start(name, Some(&given(name))).unwrap();
        let archive = Archive::create(MemoryStore::new()).unwrap();
        let outcome = back_up(&archive, &server, &SnapshotOptions::default());
        let manifest = outcome.unwrap().manifest;
        let work = tempfile::tempdir().unwrap();
        let verify = VerifyOptions::default().open(seal_laws::ours());
        let options = DrillOptions::default().verify(verify).folder(work.path());
        let drill = |options: &DrillOptions| {
            let (clock, mut last) = (System::start(), (0, 0));
            let watch = &mut |read, len| {
                assert!(read >= last.0 && read <= len);
                last = (read, len);
                ControlFlow::Continue(())
            };
            let tried =
                drill(&archive, &manifest.stream, manifest.backup, &clock, &now, options, watch);
            assert!(tried.is_err() || last.0 == last.1, "{last:?}");
            tried
        };
        let read = drill(&options).unwrap();
        assert!(read.is_proven() && read.servers.is_empty() && read.restore_ms() == read.read_ms);

        let tried = drill(&options.clone().server(servers::program(name))).unwrap();
        assert!(tried.is_proven(), "{name}: {tried:?}");
        let loaded = &tried.servers[0];
        assert_eq!(
            loaded.keys,
            manifest.keys() - loaded.compared.as_ref().unwrap().expired,
            "{name}"
        );
        assert_eq!(loaded.compared.as_ref().unwrap().keys, manifest.keys());
        assert!(name.ends_with(&loaded.version[..3]), "{name}: {}", loaded.version);
        assert!(tried.restore_ms() >= loaded.loaded_ms);
        // One that does not load it says why.
        let options = options
            .clone()
            .server(servers::program(name))
            .setting("--no-such-setting")
            .setting("1");
        let error = drill(&options).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::DrillFailed), "{name}: {error}");
        assert!(error.to_string().contains("no-such-setting"), "{name}: {error}");
        assert_eq!(work.path().read_dir().unwrap().count(), 0, "{name}: nothing is left behind");
    }
}

/// The examples, as they are started from the README.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
#[cfg(feature = "cli")]
fn the_examples_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("archive")).unwrap();
    std::fs::write(path("key"), format!("{}\n", seal_laws::SECRET)).unwrap();
    let run = |example: &str, arguments: &[&str]| {
        let built = Path::new(env!("CARGO_BIN_EXE_redkeep")).with_file_name("examples");
        let program = built.join(example);
        let output = std::process::Command::new(&program).args(arguments).output();
        let output = output.unwrap_or_else(|error| {
            panic!("{}: {error}; cargo build --examples --all-features makes it", program.display())
        });
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{example}: {error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let server = Server::start("redis-7.0", Some(&given("redis-7.0"))).unwrap();
    let url = format!("redis://127.0.0.1:{}", server.port());
    let (archive, key) = (path("archive"), path("key"));
    let made = run("backup_now", &[&url, &archive, seal_laws::PUBLIC]);
    assert!(made.contains("sound, 255 keys"), "{made}");
    let nightly = run("nightly", &[&url, &archive, seal_laws::PUBLIC, &key]);
    assert!(nightly.contains("passed true, 1 deleted, ok"), "{nightly}");
    run("restore_all", &[&archive, &key, &path("dump.rdb")]);
    let again =
        Server::start("redis-7.0", Some(&std::fs::read(path("dump.rdb")).unwrap())).unwrap();
    assert_eq!(digest(&again), digest(&server));
    let empty = Server::start("redis-7.0", None).unwrap();
    let target = format!("redis://127.0.0.1:{}", empty.port());
    let some = run("restore_pattern", &[&archive, &key, "list*", &target]);
    assert!(some.starts_with("13 keys restored, 0 failed"), "{some}");
    std::fs::create_dir(path("other")).unwrap();
    assert!(run("tokio_service", &[&path("dump.rdb"), &path("other")]).contains("sound"));
    std::fs::write(path("torn.aof"), b"*1\r\n$8\r\nFLUSHALL\r\n*1\r\n$2").unwrap();
    run("repair_log", &[&path("torn.aof"), &path("repaired")]);
    assert_eq!(std::fs::read(path("repaired/torn.aof")).unwrap(), b"*1\r\n$8\r\nFLUSHALL\r\n");
}
