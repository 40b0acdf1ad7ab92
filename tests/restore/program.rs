//! `redkeep restore FILE URL`, run as a user would.

use crate::servers::{ALL, Server};
use crate::{dump_of, run};
use redis::cmd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with a dump of five keys.
fn source() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("five.rdb");
    let dump = dump_of("redis-6.2", &|connection| {
        for n in 0..4 {
            cmd("SET").arg(format!("key:{n}")).arg(n).exec(connection).unwrap();
        }
        cmd("RPUSH").arg(&["list", "a", "b"]).exec(connection).unwrap();
    });
    std::fs::write(&path, dump).unwrap();
    (folder, path)
}

fn redkeep(file: &Path, server: &Server, arguments: &str) -> (i32, String, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_redkeep"))
        .arg("restore")
        .arg(file)
        .arg(format!("redis://127.0.0.1:{}", server.port()))
        .args(arguments.split_whitespace())
        .env_remove("REDKEEP_PASSWORD")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_dump_is_planned_restored_and_read_back() {
    let (_folder, file) = source();
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let (code, out, err) = redkeep(&file, &server, "--dry-run");
        assert_eq!((code, err.as_str()), (0, ""), "{name}: {out}");
        assert!(out.contains("5 keys of 5 would be restored"), "{out}");
        assert_eq!(run(&server, "DBSIZE"), "0");
        let (code, out, err) = redkeep(&file, &server, "--verify all");
        assert_eq!((code, err.as_str()), (0, ""), "{name}: {out}");
        assert!(out.contains("5 keys of 5 restored into"), "{out}");
        assert!(out.contains("types and expiries of 5 keys, values of 5: the same"), "{out}");
        assert_eq!(run(&server, "LINDEX list 1"), "b");
        // Once more is in the way of itself.
        let (code, out, err) = redkeep(&file, &server, "");
        assert_eq!(code, 3, "{name}: {out}");
        assert!(
            out.contains("5 keys FAILED (exists)") && err.contains("--on-conflict"),
            "{out}{err}"
        );
        run(&server, "SET key:1 other");
        let (code, out, _) = redkeep(&file, &server, "--on-conflict skip --verify none --json");
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &json["restored"]["keys"]["skipped"]["existing"]), (0, &5.into()));
        let (code, out, _) = redkeep(&file, &server, "--on-conflict skip --verify all");
        assert_eq!(code, 4, "{name}: {out}");
        assert!(out.contains("1 DIFFER") && out.contains("\"key:1\" in db 0: value"), "{out}");
        let (code, out, _) = redkeep(
            &file,
            &server,
            "--on-conflict replace --exact key:1 --rename-prefix key:=new:",
        );
        assert_eq!(code, 0, "{name}: {out}");
        assert_eq!(run(&server, "GET new:1"), "1");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_damaged_dump_or_one_with_losses_changes_nothing() {
    let (folder, file) = source();
    let server = Server::start("redis-6.2", None).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let damaged = folder.path().join("damaged.rdb");
    std::fs::write(&damaged, bytes).unwrap();
    let (code, out, err) = redkeep(&damaged, &server, "");
    assert_eq!(code, 3, "{out}{err}");
    assert!(
        out.contains("STOPPED: checksum") && err.contains("nothing was restored"),
        "{out}{err}"
    );
    assert_eq!(run(&server, "DBSIZE"), "0");
    let hashes =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/redis-7.4.1/expired/dump.rdb");
    let (code, out, _) = redkeep(&hashes, &server, "");
    assert_eq!(code, 3, "{out}");
    assert_eq!(run(&server, "DBSIZE"), "0");
    let (code, out, _) = redkeep(&hashes, &server, "--on-loss drop");
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("lost: expiries of hash fields"), "{out}");
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_checkpoint_is_kept_while_it_goes_on_and_removed_at_the_end() {
    let (folder, file) = source();
    let server = Server::start("redis-7.0", None).unwrap();
    let kept = folder.path().join("how-far");
    let argument = format!("--checkpoint {}", kept.display());
    run(&server, "SET list other");
    let one_pass = format!("{argument} --one-pass");
    let (code, out, err) = redkeep(&file, &server, &one_pass);
    assert!(code == 4 || code == 1, "{code}: {out}{err}");
    assert!(out.contains("STOPPED"), "{out}");
    run(&server, "FLUSHALL");
    std::fs::write(&kept, "nonsense").unwrap();
    let (code, _, err) = redkeep(&file, &server, &argument);
    assert_eq!(code, 1);
    assert!(err.contains("not a checkpoint"), "{err}");
    std::fs::remove_file(&kept).unwrap();
    let (code, out, err) = redkeep(&file, &server, &argument);
    assert_eq!(code, 0, "{out}{err}");
    assert!(!kept.exists(), "a finished restore has nothing to go on from");
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn with_the_log_off_meanwhile_the_data_are_there_after_a_crash() {
    let (_folder, file) = source();
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let server = Server::start_in(name, folder, &["--appendonly", "yes"]).unwrap();
        let (code, out, err) = redkeep(&file, &server, "--pause-log");
        assert_eq!(code, 0, "{name}: {out}{err}");
        assert!(out.contains("on again, and rewritten"), "{out}");
        let copy = tempfile::tempdir().unwrap();
        copy_all(&path, copy.path());
        drop(server);
        let again = Server::start_in(name, copy, &["--appendonly", "yes"]).unwrap();
        assert_eq!(run(&again, "DBSIZE"), "5", "{name}");
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs it, and gives the most memory that it had, in KiB.
#[cfg(target_os = "linux")]
fn peak(file: &Path, server: &Server, arguments: &str) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_redkeep"))
        .arg("restore")
        .arg(file)
        .arg(format!("redis://127.0.0.1:{}", server.port()))
        .args(arguments.split_whitespace())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    let status = loop {
        let told = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        most = most.max(peak.map_or(0, |peak| peak.parse().unwrap()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    assert!(status.success(), "{status}");
    most
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs real servers, which tests/run gets"]
fn a_giant_value_is_in_memory_once() {
    const MIB: usize = 1 << 20;
    let length = |n: usize| [&[0x80][..], &u32::try_from(n).unwrap().to_be_bytes()].concat();
    let dump = |kind: u8, count: usize, item: &[u8], times: usize| {
        let head = [&b"REDIS0009\xfe\x00"[..], &[kind], b"\x05giant", &length(count)].concat();
        [head, item.repeat(times), b"\xff\0\0\0\0\0\0\0\0".to_vec()].concat()
    };
    let string = dump(0, 64 * MIB, &vec![b'x'; MIB], 64);
    let list = dump(1, 1 << 14, &[length(4091), vec![b'x'; 4091]].concat(), 1 << 14);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("giant.rdb");
    let server = Server::start("redis-7.0", None).unwrap();
    for (dump, count) in [(string, "STRLEN giant"), (list, "LLEN giant")] {
        std::fs::write(&file, dump).unwrap();
        let most = peak(&file, &server, "--on-conflict replace --verify none");
        assert!(run(&server, count).parse::<usize>().unwrap() >= 1 << 14);
        assert!(most < 96 << 10, "{count}: {most} KiB");
    }
}

/// Values go as many commands each, and Ctrl-C comes between them.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
#[cfg(unix)]
fn a_restore_that_is_stopped_leaves_no_value_half() {
    let dump = dump_of("redis-6.2", &|connection| {
        let values: Vec<u32> = (0..2000).collect();
        for n in 0..400 {
            cmd("RPUSH").arg(format!("list:{n}")).arg(&values).exec(connection).unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lists.rdb");
    std::fs::write(&path, dump).unwrap();
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let size = || run(&server, "DBSIZE").parse::<u32>().unwrap();
        let restoring = Command::new(env!("CARGO_BIN_EXE_redkeep"))
            .arg("restore")
            .arg(&path)
            .arg(format!("redis://127.0.0.1:{}", server.port()))
            .args(["--plain", "--one-pass", "--checkpoint"])
            .arg(folder.path().join(format!("{name}.at")))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        while size() < 5 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let id = restoring.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let output = restoring.wait_with_output().unwrap();
        let there = size();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        if there < 400 {
            assert_eq!(output.status.code(), Some(4), "{name}: {error}");
        }
        for n in 0..400 {
            let len = run(&server, &format!("LLEN list:{n}"));
            assert!(len == "2000" || len == "0", "{name}: list:{n} has {len} of 2000");
        }
        // And it goes on from there.
        let (code, out, err) = redkeep(
            &path,
            &server,
            &format!(
                "--plain --one-pass --on-conflict skip --verify all --checkpoint {}/{name}.at",
                folder.path().display()
            ),
        );
        assert!(code == 0 || (code == 4 && there == 400), "{name}: {out}{err}");
        assert_eq!(size(), 400, "{name}");
    }
}
