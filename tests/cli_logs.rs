//! `redkeep check` and `redkeep repair` on logs, run as a user would.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // how a test fails

#[path = "common/program.rs"]
mod program;

use program::*;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;
use tempfile::TempDir;

/// Bytes of a command.
fn command(words: &str) -> Vec<u8> {
    let words: Vec<_> = words.split(' ').collect();
    let mut out = Vec::new();
    redkeep::aof::write_command(&words, &mut out).unwrap();
    out
}

/// A folder with these files in it.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

#[test]
fn a_log_is_told_by_its_content_and_what_a_cut_would_lose_is_said() {
    let log = [command("SELECT 3"), command("SET a b"), b"*2\r\n$3\r\nDEL\r\n$1".to_vec()].concat();
    let torn = Dump::of(&log); // in a file called dump.rdb
    let output = torn.run("check");
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("TORN TAIL  "), "{text}");
    assert!(text.contains("DAMAGE  ends_inside  dump.rdb  at byte 65"), "{text}");
    assert!(text.contains("good up to byte 50, command 2"), "{text}");
    assert!(
        text.contains("A cut of dump.rdb at byte 50 loses 15 bytes and 0 whole commands"),
        "{text}"
    );
    let output = torn.run("check --for redis-7.0");
    assert!(stdout(&output).contains("redis-7.0 would cut it and start"), "{}", stdout(&output));

    let output = fed("check -", &log[..50]);
    assert_eq!((code(&output), stderr(&output)), (0, ""));
    let text = stdout(&output);
    assert!(text.starts_with("SOUND  standard input: nothing found"), "{text}");
    assert!(text.contains("names       SELECT 1, SET 1"), "{text}");
}

#[test]
fn a_log_with_an_rdb_in_front_is_a_log_and_a_dump_is_none() {
    let preamble = |flag: u8| {
        let mut bytes = b"REDIS0009\xfa\x0caof-preamble\xc0".to_vec();
        bytes.extend([flag, 0xfe, 0]);
        bytes.extend([string("one", "1st"), vec![0xff]].concat());
        let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&bytes);
        [bytes, crc.to_le_bytes().to_vec(), command("DEL one")].concat()
    };
    let output = fed("check -", &preamble(1));
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("REDIS0009 with 1 key, 1 command"), "{}", stdout(&output));
    let output = fed("check -", &preamble(0));
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("trailing_bytes"), "{}", stdout(&output));
}

#[test]
fn folders_and_manifests_are_checked_as_a_server_would_load_them() {
    let (base, increment) = (two_keys(), command("SET a b"));
    let manifest = b"file appendonly.aof.1.base.rdb seq 1 type b\n\
                     file appendonly.aof.1.incr.aof seq 1 type i\n";
    let mut files: Vec<(&str, &[u8])> = vec![
        ("appendonlydir/appendonly.aof.1.base.rdb", &base),
        ("appendonlydir/appendonly.aof.1.incr.aof", &increment),
        ("appendonlydir/appendonly.aof.manifest", manifest),
        ("dump.rdb", &base),
    ];
    let sound = folder(&files);
    for path in ["", "appendonlydir", "appendonlydir/appendonly.aof.manifest"] {
        let output = redkeep("check --json").arg(sound.path().join(path)).output().unwrap();
        assert_eq!((code(&output), stderr(&output)), (0, ""), "{path}");
        let report: Value = serde_json::from_str(stdout(&output)).unwrap();
        assert_eq!((&report["verdict"], &report["layout"]), (&"sound".into(), &"parts".into()));
        assert_eq!(report["server"], "redis-8.10");
        assert_eq!(report["files"][0]["rdb"]["keys"], 2);
        assert_eq!(report["names"]["SET"], 1);
    }
    let output = redkeep("check --for redis-6.2").arg(sound.path()).output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("redis-6.2 would start empty"), "{}", stdout(&output));

    files.remove(1);
    let output = redkeep("check").arg(folder(&files).path()).output().unwrap();
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("BROKEN SET  "), "{text}");
    assert!(text.contains("appendonly.aof.1.incr.aof is not there"), "{text}");

    let output = redkeep("check").arg(folder(&[("dump.rdb", &base)]).path()).output().unwrap();
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("dump.rdb: nothing found"), "{}", stdout(&output));
    assert!(stderr(&output).contains("starts empty"), "{}", stderr(&output));
    let output = redkeep("check").arg(folder(&[]).path()).output().unwrap();
    assert_eq!(code(&output), 1);
}

/// A folder with one log in it that ends inside a command.
fn torn_log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    std::fs::write(&path, b"*1\r\n$8\r\nFLUSHALL\r\n*2\r\n$3\r\nDE").unwrap();
    (folder, path)
}

fn repair(arguments: &str, path: &std::path::Path) -> Output {
    redkeep("repair").arg(path).args(arguments.split_whitespace()).output().unwrap()
}

#[test]
fn a_repair_is_a_plan_until_it_is_told_to_apply_it() {
    let (folder, path) = torn_log();
    let before = std::fs::read(&path).unwrap();
    let output = repair("--in-place --for redis-7.0", &path);
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("PLAN  1 command (18 bytes) kept"), "{text}");
    assert!(text.contains("bytes 18 to 28 go: the file ends inside a record"), "{text}");
    assert!(text.contains("redis-7.0 would load the result"), "{text}");
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let output = repair("--apply --in-place", &path);
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("kept aside: "), "{}", stdout(&output));
    assert_eq!(std::fs::read(&path).unwrap(), before[..18]);
    let names = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let aside = names.filter(|name| *name != path).collect::<Vec<_>>();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(&aside[0]).unwrap(), before);

    let output = repair("--apply --in-place", &path);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).starts_with("NOTHING TO REPAIR"), "{}", stdout(&output));
}

#[test]
fn a_repair_into_a_folder_leaves_the_log_alone_and_speaks_json() {
    let (folder, path) = torn_log();
    let before = std::fs::read(&path).unwrap();
    let out = folder.path().join("new");
    let output = repair(&format!("--apply --json -o {}", out.display()), &path);
    assert_eq!(code(&output), 3);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["plan"]["files"][0]["losses"][0]["cause"], "torn");
    assert_eq!(json["outcome"]["kept"]["commands"], 1);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read(out.join("appendonly.aof")).unwrap(), before[..18]);
    let again = repair(&format!("--apply -o {}", out.display()), &path);
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("is not empty"), "{}", stderr(&again));
}

#[test]
fn a_repair_that_makes_no_sense_is_2_and_one_that_cannot_be_is_1() {
    let (folder, path) = torn_log();
    for arguments in [
        "--apply",
        "--salvage --to-command 1",
        "--to-time tomorrow",
        "--to-offset x",
        "--suspicious",
        "--in-place -o there",
        "--to-time 5",
        "--to-offset other.aof:1",
    ] {
        assert_eq!(code(&repair(arguments, &path)), 2, "{arguments}");
    }
    assert_eq!(code(&repair("", &folder.path().join("nothing.aof"))), 1);
    let rdb = folder.path().join("rdb.aof");
    std::fs::write(&rdb, b"REDIS0009\xfe").unwrap();
    let output = repair("--apply --in-place", &rdb);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("in the way: rdb.aof"), "{}", stdout(&output));
    assert_eq!(code(&repair("--to-command 0", &path)), 3);
    assert_eq!(code(&repair("--to-offset 18", &path)), 3);
}
