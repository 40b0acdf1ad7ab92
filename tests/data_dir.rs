//! Restoring into a server's directory: what the server then loads, and what is never lost.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/answers.rs"]
mod answers;
#[path = "common/clock.rs"]
mod clock;
#[path = "common/servers.rs"]
mod servers;

#[path = "data_dir/alive.rs"]
mod alive;
#[path = "data_dir/crash.rs"]
mod crash;
#[path = "data_dir/live.rs"]
mod live;
#[path = "data_dir/plans.rs"]
mod plans;
#[cfg(feature = "cli")]
#[path = "data_dir/program.rs"]
mod program;

use clock::System;
use redkeep::Result;
use redkeep::aof::{Fileset, FilesetOptions, Startup, write_command};
use redkeep::rdb::ServerVersion;
use redkeep::task::data_dir::{
    AppendOnly, DataDirOptions, DataDirOutcome, DataDirPlan, DataDirSource, plan_data_dir,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A dump of one key, with its checksum; one that every server reads.
fn dump(key: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let record = [vec![0], text(key), text(value)].concat();
    let mut bytes = [b"REDIS0006\xfe\x00".to_vec(), record, vec![0xff]].concat();
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// A log of one command.
fn set(key: &str) -> Vec<u8> {
    let mut log = Vec::new();
    write_command(&["SELECT", "0"], &mut log).unwrap();
    write_command(&["SET", key, "1"], &mut log).unwrap();
    log
}

const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
const BASE: &str = "appendonlydir/appendonly.aof.1.base.rdb";
const INCREMENT: &str = "appendonlydir/appendonly.aof.1.incr.aof";

/// Files by name.
type Files = Vec<(&'static str, Vec<u8>)>;

/// What may lie in a directory, each file with a key `stale` or nothing of use.
fn states() -> Vec<(&'static str, Files)> {
    let stale = dump("stale", "1");
    let named = b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    let folder = |manifest: &[u8]| {
        vec![(MANIFEST, manifest.to_vec()), (BASE, stale.clone()), (INCREMENT, set("stale"))]
    };
    let without = vec![(BASE, stale.clone()), (INCREMENT, set("stale"))];
    let dump_file = ("dump.rdb", stale.clone());
    let old_log = ("appendonly.aof", set("stale"));
    vec![
        ("empty", vec![]),
        ("dump", vec![dump_file.clone()]),
        ("log", vec![old_log.clone()]),
        ("log with preamble", vec![("appendonly.aof", stale.clone())]),
        ("empty log and dump", vec![("appendonly.aof", vec![]), dump_file.clone()]),
        ("folder", folder(named)),
        (
            "folder, log and dump",
            [folder(named), vec![old_log.clone(), dump_file.clone()]].concat(),
        ),
        ("folder without manifest", without.clone()),
        ("folder without manifest and dump", [without.clone(), vec![dump_file]].concat()),
        ("folder without manifest and log", [without, vec![old_log]].concat()),
        ("empty manifest", folder(b"")),
        ("manifest of missing files", folder(b"file gone.rdb seq 9 type b\n")),
    ]
}

/// A directory with these files.
fn directory(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// All files in a directory with their bytes.
fn all(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    all
}

/// Whether everything that was there still is, under whatever name.
fn keeps(dir: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) -> bool {
    let after: Vec<_> = all(dir).into_values().collect();
    before.values().all(|bytes| after.contains(bytes))
}

/// What a server that starts now would load, by names and bytes.
fn loads(dir: &Path, server: ServerVersion, setting: AppendOnly) -> (Startup, Vec<Vec<u8>>) {
    if setting == AppendOnly::No {
        return match fs::read(dir.join("dump.rdb")) {
            Ok(dump) => (Startup::Loads, vec![dump]),
            Err(_) => (Startup::Empty, vec![]),
        };
    }
    let found = Fileset::find(dir, &FilesetOptions::new(server)).unwrap();
    let files = match found.startup {
        Startup::Loads => found.files.iter().map(|file| fs::read(&file.path).unwrap()).collect(),
        _ => Vec::new(),
    };
    (found.startup, files)
}

fn server(name: &str) -> ServerVersion {
    name.parse().unwrap()
}

fn options(name: &str, setting: AppendOnly) -> DataDirOptions {
    DataDirOptions::new(server(name)).append_only(setting).settle(Duration::from_millis(50))
}

fn plan(dir: &Path, options: &DataDirOptions) -> DataDirPlan {
    plan_data_dir(dir, options, &System::start()).unwrap()
}

fn restore(dir: &Path, options: &DataDirOptions, dump: &[u8]) -> Result<DataDirOutcome> {
    plan(dir, options).apply(DataDirSource::Dump(dump), &System::start())
}

fn settings(setting: AppendOnly) -> &'static [AppendOnly] {
    match setting {
        AppendOnly::Yes => &[AppendOnly::Yes],
        AppendOnly::No => &[AppendOnly::No],
        _ => &[AppendOnly::Yes, AppendOnly::No],
    }
}
