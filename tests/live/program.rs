//! `redkeep probe` and `redkeep snapshot`, run as a user would.

use crate::servers::{ALL, Server};
use crate::{keys, open, run, start};
use std::path::Path;
use std::process::{Command, Output};

fn redkeep(server: &Server, verb: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_redkeep"))
        .args([verb, &format!("redis://127.0.0.1:{}", server.port())])
        .args(arguments)
        .env_remove("REDKEEP_PASSWORD")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder, and where in it a snapshot goes.
fn place() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.rdb").to_str().unwrap().to_owned();
    (folder, path)
}

fn names(folder: &Path) -> usize {
    folder.read_dir().unwrap().count()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn probe_says_what_is_open_and_what_would_be_lost() {
    for name in ALL {
        let server = start(name, &[]);
        run(&mut open(&server), "SET a 1");
        let done = redkeep(&server, "probe", &[]);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        let said = text(&done.stdout);
        assert!(said.contains("would lose 1 write of the"), "{said}");
        assert!(said.contains("bgsave      open"), "{said}");
        let done = redkeep(&server, "probe", &["--json"]);
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["server"]["product"], name.split_once('-').unwrap().0);
        assert_eq!(json["persistence"]["save_rules"], serde_json::json!([]));
        assert_eq!(json["drivers"][0]["driver"], "bgsave");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_disk_that_is_full_on_our_side_leaves_nothing() {
    for name in ALL {
        let server = start(name, &["--repl-diskless-sync-delay", "0"]);
        let mut all = redis::pipe();
        for n in 0..1000 {
            all.cmd("SET")
                .arg(format!("key:{n}"))
                .arg((n..n + 300).map(|n| n.to_string()).collect::<String>());
        }
        all.exec(&mut server.connect().unwrap()).unwrap();
        for driver in ["bgsave", "save", "replication", "scan"] {
            let (folder, path) = place();
            // A write over the limit fails as one to a full disk does; ignored, its signal kills nobody.
            let done = Command::new("sh")
                .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
                .arg(env!("CARGO_BIN_EXE_redkeep"))
                .args(["snapshot", &format!("redis://127.0.0.1:{}", server.port()), "-o", &path])
                .args(["--driver", driver])
                .env_remove("REDKEEP_PASSWORD")
                .output()
                .unwrap();
            assert_eq!(done.status.code(), Some(1), "{name} {driver}: {done:?}");
            assert!(text(&done.stderr).contains("nothing was written"), "{name} {driver}");
            assert_eq!(names(folder.path()), 0, "{name} {driver}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_problem_on_the_server_is_exit_code_3() {
    for name in ALL {
        let server = start(name, &[]);
        run(&mut open(&server), "REPLICAOF 127.0.0.1 1");
        let done = redkeep(&server, "probe", &[]);
        assert_eq!(done.status.code(), Some(3), "{name}");
        assert!(text(&done.stdout).contains("PROBLEM     it has lost its master"), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_snapshot_is_checked_and_appears_whole() {
    for name in ALL {
        let server = start(name, &[]);
        run(&mut open(&server), "SET a 1");
        let (folder, path) = place();
        let output = ["-o", &path];
        let done = redkeep(&server, "snapshot", &output);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        assert!(text(&done.stdout).starts_with("SOUND"), "{}", text(&done.stdout));
        assert_eq!(keys(&std::fs::read(&path).unwrap()), ["a"], "{name}");
        // A file that is there stays, unless told otherwise.
        run(&mut open(&server), "SET b 1");
        assert_eq!(redkeep(&server, "snapshot", &output).status.code(), Some(1), "{name}");
        assert_eq!(keys(&std::fs::read(&path).unwrap()), ["a"], "{name}");
        let done = redkeep(&server, "snapshot", &[&output[..], &["--force", "--json"]].concat());
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["snapshot"]["driver"], "bgsave");
        assert_eq!(json["report"]["keys"], 2, "{name}");
        assert_eq!(names(folder.path()), 1, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn where_the_server_cannot_save_nothing_is_written() {
    for name in ALL {
        let server = start(name, &[]);
        let (folder, path) = place();
        let old = folder.path().join("old.rdb");
        std::fs::write(&old, server.save()).unwrap();
        std::fs::remove_dir_all(server.folder()).unwrap();
        let old = old.to_str().unwrap();
        let done = redkeep(&server, "snapshot", &["-o", &path, "--dump-file", old]);
        assert_eq!(done.status.code(), Some(1), "{name}");
        let said = text(&done.stderr);
        assert!(said.contains("could not save") && said.contains("nothing was written"), "{said}");
        assert_eq!(names(folder.path()), 1, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_password_is_read_from_a_file_and_never_shown() {
    for name in ALL {
        let server = start(name, &[]);
        run(&mut open(&server), "ACL SETUSER bk on >s3cret +@all ~*");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "s3cret\nand a note\n").unwrap();
        let login = ["--user", "bk", "--password-file", file.to_str().unwrap()];
        let done = redkeep(&server, "probe", &login);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        assert!(!text(&done.stdout).contains("s3cret"), "{name}");
        std::fs::write(&file, "wr0ng\n").unwrap();
        let done = redkeep(&server, "probe", &login);
        assert_eq!(done.status.code(), Some(1), "{name}");
        let said = text(&done.stderr);
        assert!(said.contains("may not") && !said.contains("wr0ng"), "{said}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn where_bgsave_is_gone_a_snapshot_is_taken_key_by_key_and_says_so() {
    for name in ALL {
        let gone = ["BGSAVE", "PSYNC", "SYNC"].map(|gone| ["--rename-command", gone, ""]);
        let server = start(name, &gone.concat());
        run(&mut open(&server), "SET a 1");
        let (_folder, path) = place();
        let output = ["-o", &path];
        let done = redkeep(&server, "snapshot", &output);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        assert!(text(&done.stderr).contains("there is no BGSAVE"), "{}", text(&done.stderr));
        assert!(text(&done.stdout).contains("not from one moment"), "{}", text(&done.stdout));
        assert_eq!(keys(&std::fs::read(&path).unwrap()), ["a"], "{name}");
        let asked = [&output[..], &["--force", "--driver", "bgsave"]].concat();
        assert_eq!(redkeep(&server, "snapshot", &asked).status.code(), Some(1), "{name}");
        assert_eq!(keys(&std::fs::read(&path).unwrap()), ["a"], "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn where_bgsave_is_gone_a_snapshot_is_taken_as_replicas_get_it() {
    for name in ALL {
        let server = start(name, &["--rename-command", "BGSAVE", ""]);
        run(&mut open(&server), "SET a 1");
        let (folder, path) = place();
        let output = ["-o", &path];
        let done = redkeep(&server, "snapshot", &output);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        assert!(text(&done.stderr).contains("bgsave is not open"), "{}", text(&done.stderr));
        assert!(text(&done.stdout).contains("taken by    replication; up to offset"), "{name}");
        assert_eq!(keys(&std::fs::read(&path).unwrap()), ["a"], "{name}");
        run(&mut open(&server), "SET b 1");
        let asked = [&output[..], &["--force", "--driver", "replication", "--json"]].concat();
        let done = redkeep(&server, "snapshot", &asked);
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["report"]["keys"], 2, "{name}");
        assert!(json["replication"]["facts"]["replid"].is_string(), "{name}");
        assert_eq!(names(folder.path()), 1, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_files_of_a_server_that_is_down_are_taken_from_its_folder() {
    for name in ALL {
        let server = start(name, &["--appendonly", "yes"]);
        run(&mut open(&server), "SET a 1");
        let (folder, path) = place();
        let (data, kept) = (server.folder().to_str().unwrap().to_owned(), "--appendonly");
        let snapshot = |arguments: &[&str]| {
            let program = env!("CARGO_BIN_EXE_redkeep");
            let mut command = Command::new(program);
            command.args(["snapshot", &data, "-o", &path]).args(arguments).output().unwrap()
        };
        let done = snapshot(&[]);
        let said = text(&done.stdout);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        assert!(said.contains("taken by    files; the log as it was"), "{name}: {said}");
        let done = redkeep(&server, "snapshot", &["-o", &path, "--driver", "files", "--force"]);
        let said = text(&done.stdout);
        assert!(said.contains("all that was acknowledged is in it"), "{name}: {said}");
        server.save();
        let done = snapshot(&["--force"]);
        assert_eq!(done.status.code(), Some(2), "{name}: {}", text(&done.stdout));
        assert!(text(&done.stderr).contains("both a log and a dump"), "{}", text(&done.stderr));
        let done = snapshot(&["--force", kept, "yes", "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["log_report"]["report"]["verdict"], "sound", "{name}");
        assert_eq!(json["kept"], true);
        let bad = redkeep(&server, "snapshot", &["-o", &path, "--driver", "files", kept, "no"]);
        assert_eq!(bad.status.code(), Some(2), "{name}");
        assert!(text(&bad.stderr).contains("would load that and not this dump"), "{name}");
        drop(folder);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn functions_and_chosen_keys_are_taken_by_the_ways_that_have_them() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = open(&server);
        for line in ["SET user:1 x", "RPUSH user:2 x", "SET other x"] {
            run(&mut connection, line);
        }
        let (folder, path) = place();
        let output = ["-o", &path, "--force"];
        let taken =
            |arguments: &[&str]| redkeep(&server, "snapshot", &[&output[..], arguments].concat());
        let scan = ["--driver", "scan", "--pattern", "user:*", "--type", "string", "--idle"];
        let done = taken(&scan);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        assert_eq!(keys(&std::fs::read(&path).unwrap()), ["user:1"], "{name}");
        assert_eq!(taken(&["--pattern", "user:*"]).status.code(), Some(2), "{name}");
        assert_eq!(taken(&["--driver", "save"]).status.code(), Some(0), "{name}");
        let done = taken(&["--functions-only"]);
        if name == "redis-6.2" {
            assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
            continue;
        }
        let code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
        redis::cmd("FUNCTION").arg("LOAD").arg(code).exec(&mut connection).unwrap();
        let done = taken(&["--functions-only", "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["report"]["keys"], 0, "{name}");
        assert_eq!(json["report"]["functions"].as_array().unwrap().len(), 1, "{name}");
        assert_eq!(json["snapshot"]["driver"], "replication", "{name}");
        drop(folder);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_snapshot_that_is_interrupted_is_nowhere_and_the_next_one_clears_up() {
    // Ctrl-C clears up itself; what is killed cannot.
    for (name, signal, left) in ALL.iter().flat_map(|name| [(name, "-INT", 0), (name, "-KILL", 1)])
    {
        // From memory, which is written while it is sent.
        let settings = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];
        let server = start(name, &settings);
        let mut pipe = redis::pipe();
        (0..20_000).for_each(|n| {
            pipe.cmd("SET").arg(n).arg("x".repeat(100)).ignore();
        });
        pipe.exec(&mut server.connect().unwrap()).unwrap();
        run(&mut open(&server), "CONFIG SET rdb-key-save-delay 300");
        let (folder, path) = place();
        let mut running = Command::new(env!("CARGO_BIN_EXE_redkeep"))
            .args(["snapshot", &format!("redis://127.0.0.1:{}", server.port()), "-o", &path])
            .args(["--driver", "replication"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let part = || {
            let entries = folder.path().read_dir().unwrap().map(|entry| entry.unwrap());
            entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).max()
        };
        while part().is_none_or(|bytes| bytes == 0) {
            assert!(running.try_wait().unwrap().is_none(), "{name}: too quick for this test");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let pid = running.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert!(!running.wait().unwrap().success(), "{name} {signal}");
        assert!(!Path::new(&path).exists() && names(folder.path()) == left, "{name} {signal}");
        run(&mut open(&server), "CONFIG SET rdb-key-save-delay 0");
        let done = redkeep(&server, "snapshot", &["-o", &path, "--driver", "scan"]);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
        assert_eq!((names(folder.path()), Path::new(&path).is_file()), (1, true), "{name}");
    }
}
