//! The least that a user needs for each way to a snapshot, and what is said where less was given.

use crate::servers::ALL;
use crate::{keys, open, run, start};
use std::process::Command;

/// A driver, what nothing goes without, and what else a user needs for it.
const RIGHTS: [(&str, &[&str], &[&str]); 3] = [
    ("bgsave", &["+info", "+config|get", "+bgsave"], &[]),
    ("replication", &["+psync", "+replconf"], &[]),
    ("scan", &["+scan", "+dump"], &["+info", "+time", "+select", "+pttl", "~*"]),
];

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn each_driver_works_with_the_rights_that_it_needs_and_names_one_that_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let (file, dump) = (folder.path().join("password"), folder.path().join("out.rdb"));
    std::fs::write(&file, "s3cret\n").unwrap();
    for name in ALL {
        let server = start(name, &["--repl-diskless-sync-delay", "0"]);
        let mut admin = open(&server);
        for line in ["SET a 1", "SET b 2 EX 1000", "SELECT 3", "SET c 3", "SELECT 0"] {
            run(&mut admin, line);
        }
        let mut snapshot = |driver: &str, rights: &[&str]| {
            run(&mut admin, "ACL DELUSER bk");
            run(&mut admin, &format!("ACL SETUSER bk on >s3cret -@all {}", rights.join(" ")));
            let done = Command::new(env!("CARGO_BIN_EXE_redkeep"))
                .args(["snapshot", &format!("redis://127.0.0.1:{}", server.port())])
                .args(["--driver", driver, "--force", "-o", dump.to_str().unwrap()])
                .args(["--user", "bk", "--password-file", file.to_str().unwrap()])
                .output()
                .unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert!(!said.contains("s3cret"), "{said}");
            (done.status.code(), said)
        };
        for (driver, rights, more) in RIGHTS {
            let (code, said) = snapshot(driver, &[rights, more].concat());
            assert_eq!(code, Some(0), "{name} {driver}: {said}");
            let mut found = keys(&std::fs::read(&dump).unwrap());
            found.sort();
            assert_eq!(found, ["a", "b", "c"], "{name} {driver}");
            for lacking in rights {
                let mut fewer = [rights, more].concat();
                fewer.retain(|right| right != lacking);
                let (code, said) = snapshot(driver, &fewer);
                assert_ne!(code, Some(0), "{name} {driver} without {lacking}");
                let command = lacking.trim_start_matches('+');
                let named = said.to_lowercase().contains(&format!("'{command}"))
                    || said.contains(&format!("the '{}", command.split('|').next().unwrap()));
                assert!(named, "{name} {driver} without {lacking}: {said}");
            }
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn each_driver_works_over_a_socket_of_this_machine() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let (socket, dump) = (folder.path().join("s"), folder.path().join("out.rdb"));
        let server = start(name, &["--unixsocket", socket.to_str().unwrap()]);
        let mut admin = open(&server);
        run(&mut admin, "SET a 1");
        run(&mut admin, "ACL SETUSER bk on >s3cret +@all ~*");
        let url = format!("unix://{}?user=bk&pass=s3cret", socket.display());
        for (driver, ..) in RIGHTS {
            let done = Command::new(env!("CARGO_BIN_EXE_redkeep"))
                .args(["snapshot", &url, "--driver", driver, "--force"])
                .args(["-o", dump.to_str().unwrap()])
                .output()
                .unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(0), "{name} {driver}: {said}");
            assert_eq!(keys(&std::fs::read(&dump).unwrap()), ["a"], "{name} {driver}");
        }
    }
}
