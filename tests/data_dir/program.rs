//! `redkeep restore FILE DIRECTORY`, run as a user would.

use crate::servers::{ALL, Server};
use crate::{MANIFEST, all, directory, dump, keeps, loads, server, states};
use redkeep::aof::Startup;
use redkeep::task::data_dir::AppendOnly;
use std::path::Path;
use std::process::{Command, Output};

fn run(file: &Path, dir: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_redkeep"))
        .arg("restore")
        .args([file, dir])
        .args(arguments.split_whitespace())
        .env_remove("REDKEEP_PASSWORD")
        .output()
        .unwrap()
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_directory_is_restored_and_all_of_it_said() {
    let source = directory(&[("source.rdb", dump("user:new", "1"))]);
    let file = source.path().join("source.rdb");
    let dir = directory(&states()[6].1);
    let before = all(dir.path());
    let (code, out, _) =
        said(&run(&file, dir.path(), "--for redis-7.2 --appendonly yes --dry-run"));
    assert_eq!((code, all(dir.path()) == before), (0, true), "{out}");
    assert!(out.contains("move aside") && out.contains("nothing was changed"), "{out}");
    let (code, out, _) = said(&run(&file, dir.path(), "--for redis-7.2 --appendonly yes"));
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("1 key of 1 written"), "{out}");
    assert_eq!(out.matches("kept aside: ").count(), before.len(), "{out}");
    assert!(keeps(dir.path(), &before));
    assert_eq!(loads(dir.path(), server("redis-7.2"), AppendOnly::Yes).0, Startup::Loads);
    // Renamed on the way, from the folder that is there now.
    let folder = dir.path().join("appendonlydir");
    let (code, out, err) = said(&run(
        &folder,
        dir.path(),
        "--for redis-7.2 --appendonly no --rename-prefix user:=old: --json",
    ));
    assert_eq!(code, 0, "{err}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["plan"]["forms"], serde_json::json!(["dump"]));
    assert_eq!(json["outcome"]["content"]["extracted"]["transform"]["renamed"], 1);
    let (_, files) = loads(dir.path(), server("redis-7.2"), AppendOnly::No);
    assert!(files[0].windows(7).any(|part| part == b"old:new"));
    assert!(!dir.path().join(MANIFEST).exists());
}

#[test]
fn what_cannot_be_done_has_its_exit_code_and_a_way_out() {
    let mut bad = dump("new", "1");
    bad[15] ^= 1;
    let log = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n".to_vec();
    let source = directory(&[("a.rdb", dump("new", "1")), ("bad.rdb", bad), ("a.aof", log)]);
    let dir = directory(&states()[6].1);
    let before = all(dir.path());
    for (file, arguments, code, words) in [
        ("a.rdb", "", 2, "--for SERVER"),
        ("a.rdb", "--for redis-1.0", 2, "not a server version"),
        ("gone.rdb", "--for redis-7.2", 1, "gone.rdb"),
        ("bad.rdb", "--for redis-7.2", 3, "nothing was changed"),
        ("a.aof", "--for redis-7.2", 1, "say that appendonly is yes"),
        ("a.aof", "--for redis-7.2 --appendonly no", 1, "only be put into a log"),
        ("a.aof", "--for redis-7.2 --appendonly yes --key b", 1, "filters"),
        ("a.rdb", "--for redis-7.2 --key b", 2, "none of the keys"),
        ("a.rdb", "--for redis-7.2 --conf /nowhere/redis.conf", 1, "/nowhere/redis.conf"),
    ] {
        let (got, _, err) = said(&run(&source.path().join(file), dir.path(), arguments));
        assert!(got == code && err.contains(words), "{file} {arguments}: {got}: {err}");
        assert!(all(dir.path()) == before, "{file} {arguments}");
    }
    let url = Path::new("redis://:s3cret@127.0.0.1:1");
    let (code, _, err) = said(&run(&source.path().join("a.rdb"), url, "--for redis-7.2"));
    assert!(code != 0 && !err.contains("s3cret"), "{err}");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_runs_there_is_named_and_nothing_changed() {
    let source = directory(&[("a.rdb", dump("new", "1"))]);
    for name in ALL {
        let running = Server::start(name, Some(&dump("stale", "1"))).unwrap();
        let before = all(running.folder());
        for arguments in ["", "--dry-run", "--json"] {
            let arguments = format!("--for {name} {arguments}");
            let (code, out, err) =
                said(&run(&source.path().join("a.rdb"), running.folder(), &arguments));
            assert!(code == 1 && err.contains("nothing was changed"), "{err}");
            assert!(out.contains("process"), "{out}");
            assert!(all(running.folder()) == before, "{name}");
        }
    }
}

/// What a user may not see or may not do, as somebody who is not root.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn whoever_cannot_see_or_do_what_is_needed_is_told() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let place = directory(&[("a.rdb", dump("new", "1"))]);
    let program = place.path().join("redkeep");
    std::fs::copy(env!("CARGO_BIN_EXE_redkeep"), &program).unwrap();
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    open(place.path());
    let nobody = |dir: &Path| {
        let mut command = Command::new(&program);
        command
            .arg("restore")
            .arg(place.path().join("a.rdb"))
            .arg(dir)
            .args(["--for", "redis-7.2"]);
        command.uid(65_534).gid(65_534).env_remove("REDKEEP_PASSWORD").output()
    };
    // Of another user's directory: nothing in it could be given to that user.
    let dir = directory(&states()[6].1);
    open(dir.path());
    open(&dir.path().join("appendonlydir"));
    let before = all(dir.path());
    if std::os::unix::fs::chown(dir.path(), Some(65_533), Some(65_533)).is_err() {
        println!("only root can try what others may do");
        return;
    }
    let output = nobody(dir.path()).unwrap();
    let (code, _, err) = said(&output);
    assert!(code == 1 && err.contains("as that user, or as root"), "{err}");
    assert!(all(dir.path()) == before);
    // A server of that user, whose directory cannot be seen, may be here.
    let running = Server::start("redis-7.0", None).unwrap();
    std::os::unix::fs::chown(dir.path(), Some(0), Some(0)).unwrap();
    let (code, out, err) = said(&nobody(dir.path()).unwrap());
    assert!(code == 1 && err.contains("nothing was changed"), "{err}");
    assert!(out.contains("cannot be seen by this user"), "{out}");
    drop(running);
}
