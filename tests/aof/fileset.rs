//! Folders as servers find them, and what they load from them.

use super::servers::{ALL, Server};
use redis::cmd;
use redkeep::aof::{Content, Fileset, FilesetOptions, Layout, Risk, Startup, Trap};
use std::fs;
use std::path::Path;

const COMMAND: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
const RDB: &[u8] = b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
const BASE: &str = "file appendonly.aof.1.base.rdb seq 1 type b\n";
const INCREMENT: &str = "file appendonly.aof.1.incr.aof seq 1 type i\n";

/// A folder made of files, and what a server makes of it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn of(files: &[(&str, &[u8])]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            let path = folder.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn find(&self, server: &str) -> Fileset {
        Fileset::find(self.path(), &FilesetOptions::new(server.parse().unwrap())).unwrap()
    }
}

fn codes(fileset: &Fileset) -> Vec<&'static str> {
    fileset.traps.iter().map(Trap::code).collect()
}

fn names(fileset: &Fileset) -> Vec<&str> {
    fileset.files.iter().map(|file| &file.name[..]).collect()
}

#[test]
fn parts_are_loaded_in_the_order_of_the_manifest_and_strays_are_named() {
    let manifest = format!(
        "{INCREMENT}{BASE}file appendonly.aof.9.incr.aof seq 9 type h\n\
         file appendonly.aof.2.incr.aof seq 2 type i startoffset 77\n"
    );
    let folder = Folder::of(&[
        ("appendonlydir/appendonly.aof.manifest", manifest.as_bytes()),
        ("appendonlydir/appendonly.aof.1.base.rdb", RDB),
        ("appendonlydir/appendonly.aof.1.incr.aof", COMMAND),
        ("appendonlydir/appendonly.aof.2.incr.aof", b""),
        ("appendonlydir/appendonly.aof.3.incr.aof", COMMAND),
        ("appendonlydir/appendonly.aof.9.incr.aof", COMMAND),
        ("appendonlydir/temp-appendonly.aof.incr", COMMAND),
        ("appendonly.aof", COMMAND),
        ("dump.rdb", RDB),
    ]);
    let fileset = folder.find("redis-7.2");
    assert_eq!((fileset.layout, fileset.startup), (Layout::Parts, Startup::Loads));
    let files =
        ["1.base.rdb", "1.incr.aof", "2.incr.aof"].map(|end| format!("appendonly.aof.{end}"));
    assert_eq!(names(&fileset), files);
    let contents: Vec<_> = fileset.files.iter().map(|file| file.content).collect();
    assert_eq!(contents, [Content::Rdb, Content::Log, Content::Empty]);
    assert_eq!(fileset.files[2].start_offset, Some(77));
    assert_eq!(codes(&fileset), ["dump_ignored", "old_file_ignored", "stray", "history_deleted"]);
    // The folder of logs, or its manifest, is as good as the folder of the server.
    let inner = folder.path().join("appendonlydir");
    let options = FilesetOptions::new("valkey-9.1".parse().unwrap());
    for path in [inner.clone(), inner.join("appendonly.aof.manifest")] {
        let same = Fileset::find(&path, &options).unwrap();
        assert_eq!(
            (names(&same), codes(&same)),
            (names(&fileset), vec!["stray", "history_deleted"])
        );
    }
    // Nothing was touched.
    assert_eq!(inner.read_dir().unwrap().count(), 7);
}

#[test]
fn without_a_manifest_a_server_starts_empty_and_writes_over_what_is_there() {
    let folder = Folder::of(&[
        ("appendonlydir/appendonly.aof.1.base.rdb", RDB),
        ("appendonlydir/appendonly.aof.1.incr.aof", COMMAND),
    ]);
    let fileset = folder.find("redis-7.0");
    assert_eq!((fileset.layout, fileset.startup), (Layout::Absent, Startup::Empty));
    assert_eq!(codes(&fileset), ["manifest_missing", "base_overwritten", "increment_reopened"]);
    assert_eq!(fileset.traps.iter().map(Trap::risk).max(), Some(Risk::Loss));

    let nothing = Folder::of(&[("dump.rdb", RDB)]);
    for server in ["redis-6.2", "redis-7.0", "valkey-9.1"] {
        let fileset = nothing.find(server);
        assert_eq!((fileset.startup, codes(&fileset)), (Startup::Empty, vec!["dump_ignored"]));
    }
}

#[test]
fn a_base_alone_makes_the_first_increment_the_next() {
    let folder = Folder::of(&[
        ("appendonlydir/appendonly.aof.manifest", BASE.as_bytes()),
        ("appendonlydir/appendonly.aof.1.base.rdb", RDB),
        ("appendonlydir/appendonly.aof.1.incr.aof", COMMAND),
    ]);
    let fileset = folder.find("redis-7.0");
    assert_eq!(fileset.startup, Startup::Loads);
    assert_eq!(codes(&fileset), ["increment_reopened", "stray"]);
}

#[test]
fn an_old_log_is_upgraded_only_where_there_is_no_other() {
    let only = Folder::of(&[("appendonly.aof", COMMAND)]);
    assert_eq!(
        (only.find("redis-6.2").layout, codes(&only.find("redis-6.2"))),
        (Layout::Single, vec![])
    );
    for server in ["redis-7.0", "valkey-8.1"] {
        let fileset = only.find(server);
        assert_eq!((fileset.layout, fileset.startup), (Layout::Upgrade, Startup::Loads));
        assert_eq!((names(&fileset), codes(&fileset)), (vec!["appendonly.aof"], vec!["moved"]));
    }
    // The move was begun and not finished, and afterwards.
    let manifest = b"file appendonly.aof seq 1 type b\n";
    let begun = Folder::of(&[
        ("appendonly.aof", COMMAND),
        ("appendonlydir/appendonly.aof.manifest", manifest),
    ]);
    assert_eq!(begun.find("redis-7.0").layout, Layout::Upgrade);
    let done = Folder::of(&[
        ("appendonly.aof", COMMAND),
        ("appendonlydir/appendonly.aof", COMMAND),
        ("appendonlydir/appendonly.aof.manifest", manifest),
    ]);
    let fileset = done.find("redis-7.0");
    assert_eq!((fileset.layout, codes(&fileset)), (Layout::Parts, vec!["old_file_ignored"]));
    // Parts without a manifest do not hinder it, and are appended to.
    let beside = Folder::of(&[
        ("appendonly.aof", COMMAND),
        ("appendonlydir/appendonly.aof.1.incr.aof", COMMAND),
    ]);
    let fileset = beside.find("redis-7.0");
    assert_eq!(fileset.layout, Layout::Upgrade);
    assert_eq!(codes(&fileset), ["manifest_missing", "moved", "increment_reopened"]);
}

#[test]
fn a_server_before_parts_does_not_look_into_the_folder() {
    let folder = Folder::of(&[
        ("appendonlydir/appendonly.aof.manifest", BASE.as_bytes()),
        ("appendonlydir/appendonly.aof.1.base.rdb", RDB),
    ]);
    let fileset = folder.find("redis-6.2");
    assert_eq!((fileset.layout, fileset.startup), (Layout::Absent, Startup::Empty));
    assert_eq!(codes(&fileset), ["folder_ignored"]);
}

#[test]
fn a_file_that_is_missing_or_unreadable_ends_the_start() {
    let manifest = [BASE, INCREMENT].concat();
    let missing = Folder::of(&[
        ("appendonlydir/appendonly.aof.manifest", manifest.as_bytes()),
        ("appendonlydir/appendonly.aof.1.base.rdb", RDB),
    ]);
    let fileset = missing.find("redis-7.0");
    assert_eq!((fileset.startup, codes(&fileset)), (Startup::Refuses, vec!["missing"]));

    let valkey = Folder::of(&[
        ("appendonlydir/appendonly.aof.manifest", manifest.as_bytes()),
        ("appendonlydir/appendonly.aof.1.base.rdb", b"VALKEY080\xff\0\0\0\0\0\0\0\0"),
        ("appendonlydir/appendonly.aof.1.incr.aof", RDB),
    ]);
    let fileset = valkey.find("redis-8.0");
    assert_eq!(fileset.startup, Startup::Refuses);
    assert_eq!(codes(&fileset), ["rdb_unreadable", "rdb_increment"]);
    assert_eq!(valkey.find("valkey-9.1").startup, Startup::Loads);

    let single = Folder::of(&[("appendonly.aof", RDB)]);
    assert_eq!(single.find("redis-4.0").startup, Startup::Refuses); // RDB 9
    assert_eq!(single.find("redis-5.0").startup, Startup::Loads);
    let options = FilesetOptions::new("redis-7.0".parse().unwrap());
    let file = Fileset::find(&single.path().join("appendonly.aof"), &options).unwrap();
    assert_eq!((file.layout, file.startup, file.traps.len()), (Layout::Single, Startup::Loads, 0));
    let nowhere = Fileset::find(&single.path().join("nothing"), &options).unwrap_err();
    assert!(nowhere.is_io() && nowhere.to_string().contains("nothing"));
}

#[test]
fn other_names_are_looked_for_where_they_are_configured() {
    let folder = Folder::of(&[
        ("logs/cache log.manifest", b"file \"cache log.1.base.aof\" seq 1 type b\n"),
        ("logs/cache log.1.base.aof", COMMAND),
        ("cache.rdb", RDB),
    ]);
    let options = FilesetOptions::new("redis-7.0".parse().unwrap())
        .file_name("cache log")
        .folder_name("logs")
        .dump_name("cache.rdb");
    let fileset = Fileset::find(folder.path(), &options).unwrap();
    assert_eq!((fileset.startup, names(&fileset)), (Startup::Loads, vec!["cache log.1.base.aof"]));
    assert_eq!(codes(&fileset), ["dump_ignored"]);
    let other = folder.find("redis-7.0");
    assert_eq!((other.startup, other.layout), (Startup::Empty, Layout::Absent));
    // A manifest that is given says the name itself.
    let options = FilesetOptions::new("redis-7.0".parse().unwrap());
    let given = Fileset::find(&folder.path().join("logs/cache log.manifest"), &options).unwrap();
    assert_eq!((given.startup, names(&given)), (Startup::Loads, vec!["cache log.1.base.aof"]));
    assert_eq!(codes(&given), [""; 0]);
}

/// Folders of every kind: all that a server may find at its start.
fn folders() -> Vec<Folder> {
    let in_logs = |name: &str| format!("appendonlydir/appendonly.aof{name}");
    let [manifest, base, first, second] =
        [".manifest", ".1.base.rdb", ".1.incr.aof", ".2.incr.aof"].map(in_logs);
    let (base_only, both) = (BASE.as_bytes(), [BASE, INCREMENT].concat());
    let both = both.as_bytes();
    let other = b"*3\r\n$3\r\nSET\r\n$1\r\no\r\n$1\r\nv\r\n";
    let old = b"file appendonly.aof seq 1 type b\n";
    let history = b"file appendonly.aof.1.incr.aof seq 1 type h\n";
    let moved = in_logs("");
    let sets: [&[(&str, &[u8])]; 20] = [
        &[],
        &[("dump.rdb", RDB)],
        &[("appendonly.aof", COMMAND)],
        &[("appendonly.aof", RDB)],
        &[("appendonly.aof", b"")],
        &[(&base, RDB), (&first, other)],
        &[(&first, other)],
        &[(&manifest, b"")],
        &[(&manifest, b"#\n"), (&first, other)],
        &[(&manifest, base_only), (&base, RDB)],
        &[(&manifest, base_only), (&base, RDB), (&first, other)],
        &[(&manifest, base_only), (&base, b""), (&first, other)],
        &[(&manifest, both), (&base, RDB), (&first, other), (&second, other)],
        &[(&manifest, both), (&base, RDB)],
        &[(&manifest, both), (&first, other)],
        &[(&manifest, both), (&base, COMMAND), (&first, b"REDIS0009\xff\0\0\0\0\0\0\0\0")],
        &[(&manifest, both), (&base, b"VALKEY080\xff\0\0\0\0\0\0\0\0"), (&first, other)],
        &[(&manifest, old), ("appendonly.aof", COMMAND)],
        &[(&manifest, old), ("appendonly.aof", COMMAND), (&moved, other)],
        &[(&manifest, history), ("appendonly.aof", COMMAND), (&first, other)],
    ];
    sets.iter().map(|files| Folder::of(files)).collect()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_a_live_server_does_at_its_start_is_what_was_said() {
    let mut all = 0;
    for name in ALL {
        for (n, folder) in folders().into_iter().enumerate() {
            let shown = format!("{name}, folder {n}");
            let fileset = folder.find(name);
            let Some(server) = Server::start_in(name, folder.0, &["--appendonly", "yes"]) else {
                assert_eq!(fileset.startup, Startup::Refuses, "{shown}: {fileset:?}");
                continue;
            };
            let mut connection = server.connect().unwrap();
            let keys: u64 = cmd("DBSIZE").query(&mut connection).unwrap();
            let expected = if keys > 0 { Startup::Loads } else { Startup::Empty };
            assert_eq!(fileset.startup, expected, "{shown}: {fileset:?}");
            cmd("SET").arg("new").arg("v").exec(&mut connection).unwrap();
            // Opened to append to, and then deleted as history: what is written is lost.
            let deleted = codes(&fileset).contains(&"history_deleted");
            for trap in fileset.traps.iter().filter(|trap| !deleted || trap.risk() < Risk::Loss) {
                happened(trap, &server, &shown);
            }
            all += 1;
        }
    }
    assert!(all > 55, "{all}");
}

/// What a trap says will be, is.
fn happened(trap: &Trap, server: &Server, shown: &str) {
    let dir = server.folder();
    let logs = dir.join("appendonlydir");
    let read =
        |file: &str| fs::read(logs.join(file)).unwrap_or_else(|error| panic!("{shown}: {error}"));
    match trap {
        Trap::BaseOverwritten { file } => assert_ne!(read(file), RDB, "{shown}"),
        Trap::IncrementReopened { file } => {
            let bytes = read(file);
            assert!(bytes.starts_with(b"*3\r\n$3\r\nSET\r\n$1\r\no"), "{shown}");
            assert!(bytes.ends_with(b"$3\r\nnew\r\n$1\r\nv\r\n"), "{shown}");
        }
        Trap::Moved { file } => {
            assert!(!dir.join(file).exists() && logs.join(file).exists(), "{shown}");
        }
        Trap::Stray { file } => assert!(logs.join(file).exists(), "{shown}"),
        Trap::DumpIgnored { file } | Trap::OldFileIgnored { file } => {
            assert!(dir.join(file).exists(), "{shown}");
        }
        Trap::FolderIgnored { folder } => assert!(dir.join(folder).exists(), "{shown}"),
        Trap::ManifestMissing { .. } | Trap::HistoryDeleted { .. } | Trap::RdbIncrement { .. } => {}
        other => panic!("{shown}: {other}, and yet it started"),
    }
}
