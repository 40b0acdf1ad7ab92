//! The program, as its users run it: servers into an archive, and out of it.

use crate::cluster::Cluster;
use crate::servers::{ALL, Server};
use crate::{digest, given};
use redis::cmd;
use std::path::Path;
use std::process::{Command, Output};

/// A folder with an archive and a key.
pub(crate) fn place() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("archive")).unwrap();
    let public = well(folder.path(), "", "keygen -o key");
    (folder, public.trim().to_owned())
}

fn run(folder: &Path, public: &str, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkeep"));
    command.args(arguments.split(' ')).current_dir(folder).env_remove("REDKEEP_PASSWORD");
    command.env("REDKEEP_REPO", "archive").env("REDKEEP_IDENTITY", "key");
    command.env("REDKEEP_RECIPIENT", public).output().unwrap()
}

pub(crate) fn well(folder: &Path, public: &str, arguments: &str) -> String {
    let output = run(folder, public, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port())
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_goes_into_an_archive_and_another_one_comes_out() {
    for name in ALL {
        let server = Server::start(name, Some(&given(name))).unwrap();
        let (folder, public) = place();
        let run_well = |arguments: &str| well(folder.path(), &public, arguments);
        let first = run_well(&format!("backup {} --to archive --init", url(&server)));
        assert!(first.starts_with("SOUND") && first.contains("by bgsave"), "{name}: {first}");
        let second = run_well(&format!("backup {} --driver replication --json", url(&server)));
        let second: serde_json::Value = serde_json::from_str(&second).unwrap();
        assert_eq!(second["manifest"]["source_change"]["state"], "same", "{name}");
        assert_eq!(run_well("verify --all").lines().count(), 2);

        let empty = Server::start(name, None).unwrap();
        let plan = run_well(&format!("restore latest {} --dry-run", url(&empty)));
        assert!(plan.contains("would be restored"), "{name}: {plan}");
        run_well(&format!("restore latest --to {} --verify all", url(&empty)));
        assert_eq!(digest(&empty), digest(&server), "{name}");
        let again = run(folder.path(), &public, &format!("restore latest {}", url(&empty)));
        assert_eq!(again.status.code(), Some(3), "{name}: keys are there already");

        let drill =
            run_well(&format!("drill --server {}", crate::servers::program(name).display()));
        assert!(drill.starts_with("PROVEN") && drill.contains("the same"), "{name}: {drill}");

        // The directory of a server that is stopped.
        let dir = tempfile::tempdir().unwrap();
        run_well(&format!("restore latest {} --for {name} --appendonly no", dir.path().display()));
        let settings = ["--dir", dir.path().to_str().unwrap(), "--appendonly", "no"];
        let started = Server::start_in(name, tempfile::tempdir().unwrap(), &settings).unwrap();
        assert_eq!(digest(&started), digest(&server), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_log_goes_into_an_archive_and_a_server_starts_on_it() {
    for name in ALL {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start_in(name, data, &["--appendonly", "yes"]).unwrap();
        let mut connection = server.connect().unwrap();
        for n in 0..200 {
            cmd("RPUSH").arg("list").arg(n).exec(&mut connection).unwrap();
        }
        let (folder, public) = place();
        let run_well = |arguments: &str| well(folder.path(), &public, arguments);
        run_well(&format!("backup {} --driver files --init", url(&server)));
        let dir = tempfile::tempdir().unwrap();
        run_well(&format!("restore latest {} --for {name} --appendonly yes", dir.path().display()));
        let settings = ["--dir", dir.path().to_str().unwrap(), "--appendonly", "yes"];
        let started = Server::start_in(name, tempfile::tempdir().unwrap(), &settings).unwrap();
        assert_eq!(digest(&started), digest(&server), "{name}");
        let refused = run(folder.path(), &public, &format!("restore latest {}", url(&started)));
        assert_eq!(refused.status.code(), Some(2), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_cluster_is_one_backup_and_goes_into_another() {
    for name in ["redis-7.0", "valkey-9.1"] {
        let (from, to) = (Cluster::start(name, 3, &[]), Cluster::start(name, 3, &[]));
        for n in 0..100 {
            let key = format!("key:{n}");
            from.set(redkeep::select::slot(key.as_bytes()), &key, &n.to_string());
        }
        let (folder, public) = place();
        let run_well = |arguments: &str| well(folder.path(), &public, arguments);
        let made = run_well(&format!("backup {} --cluster --init", from.url(0)));
        assert!(made.contains("from-slot-05461") && made.contains("apart"), "{made}");
        run_well("verify");
        run_well(&format!("restore latest {} --verify all", to.url(0)));
        let keys: u64 = (0..3).map(|at| to.text(at, &["DBSIZE"]).parse::<u64>().unwrap()).sum();
        assert_eq!(keys, 100, "{name}");
        run_well("restore latest one.rdb --shard from-slot-05461");
        assert!(well(folder.path(), "", "check one.rdb").starts_with("SOUND"));
        let several = run(folder.path(), &public, "restore latest some.rdb --key key:1*");
        assert_eq!(several.status.code(), Some(2), "{name}");
        run_well("restore latest shards");
        assert_eq!(folder.path().join("shards").read_dir().unwrap().count(), 3);
    }
}
