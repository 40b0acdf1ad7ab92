//! What should be looked at before a backup, on servers where it is so.

use crate::cluster::wait;
use crate::servers::ALL;
use crate::{open, run, start};
use redkeep::UnixMillis;
use redkeep::live::{Overcommit, Probe, ProbeOptions, Severity, probe};
use std::process::Command;
use std::time::SystemTime;

fn now(offset: i64) -> ProbeOptions {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let millis = i64::try_from(since.as_millis()).unwrap();
    ProbeOptions::default().now(UnixMillis::new(millis + offset))
}

fn ask(connection: &mut redkeep::live::Connection) -> Probe {
    probe(connection, &ProbeOptions::default()).unwrap()
}

fn severity(probe: &Probe, code: &str) -> Option<Severity> {
    Some(probe.findings.iter().find(|finding| finding.code == code)?.severity)
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn clocks_that_differ_are_found() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = open(&server);
        run(&mut connection, "ACL SETUSER bk on nopass -@all +info");
        assert_eq!(ask(&mut connection).clock, None);
        let found = probe(&mut connection, &now(0)).unwrap();
        assert_eq!(severity(&found, "clock_skew"), None, "{name}: {:?}", found.clock);
        for offset in [5000, -5000] {
            let found = probe(&mut connection, &now(offset)).unwrap();
            assert_eq!(severity(&found, "clock_skew"), Some(Severity::Warning), "{name}");
            let clock = found.clock.unwrap();
            assert!((clock.ahead + offset).abs() < 1000, "{name}: {clock:?}");
        }
        // Who may not ask for the time is told nothing, rather than something wrong.
        run(&mut connection, "AUTH bk x");
        let found = probe(&mut connection, &now(5000)).unwrap();
        assert_eq!(found.clock, None, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_save_that_runs_and_memory_that_is_short_are_found() {
    for name in ALL {
        let server = start(name, &["--rdb-key-save-delay", "3000000"]);
        let mut connection = open(&server);
        assert_eq!(severity(&ask(&mut connection), "save_running"), None, "{name}");
        run(&mut connection, "SET a 1");
        run(&mut connection, "BGSAVE");
        assert_eq!(severity(&ask(&mut connection), "save_running"), Some(Severity::Note), "{name}");
        let used = ask(&mut connection).memory.used.unwrap();
        assert_eq!(severity(&ask(&mut connection), "near_limit"), None, "{name}");
        run(&mut connection, &format!("CONFIG SET maxmemory {}", used + (used / 50)));
        let found = ask(&mut connection);
        assert_eq!(severity(&found, "near_limit"), Some(Severity::Warning), "{name}");
        assert_eq!(severity(&found, "evicts"), None, "{name}");
        run(&mut connection, "CONFIG SET maxmemory 1000gb");
        run(&mut connection, "CONFIG SET maxmemory-policy allkeys-lru");
        let found = ask(&mut connection);
        assert_eq!(severity(&found, "evicts"), Some(Severity::Note), "{name}");
        assert_eq!(severity(&found, "limit_over_memory"), Some(Severity::Warning), "{name}");
        assert!(found.memory.system > found.memory.resident, "{name}: {:?}", found.memory);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_of_this_machine_is_known_to_be_that() {
    for name in ALL {
        let server = start(name, &["--appendonly", "yes"]);
        let found = ask(&mut open(&server));
        let host = found.host.as_ref().unwrap_or_else(|| panic!("{name}: {:?}", found.files));
        assert!(host.memory_available > Some(0), "{name}: {host:?}");
        let said = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap();
        let known = match said.trim() {
            "0" => Overcommit::Heuristic,
            "1" => Overcommit::Always,
            _ => Overcommit::Never,
        };
        assert_eq!(host.overcommit, Some(known), "{name}");
        assert_eq!(severity(&found, "log_wins"), Some(Severity::Note), "{name}");
        assert!(found.persistence.log_bytes.is_some(), "{name}: {:?}", found.persistence);
        // Without its directory nobody knows whether that process is the same.
        let server = start(name, &["--rename-command", "CONFIG", ""]);
        assert_eq!(ask(&mut open(&server)).host, None, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_replica_that_falls_behind_is_found() {
    for name in ALL {
        let (master, replica) =
            (start(name, &["--repl-diskless-sync-delay", "0"]), start(name, &[]));
        run(&mut open(&replica), &format!("REPLICAOF 127.0.0.1 {}", master.port()));
        let mut connection = open(&master);
        wait("the replica is there", || {
            let found = ask(&mut connection);
            found.replication.replicas.first().is_some_and(|replica| replica.state == "online")
        });
        assert_eq!(severity(&ask(&mut connection), "replica_behind"), None, "{name}");
        let signal = |signal: &str| {
            let words = [signal.to_owned(), replica.pid().to_string()];
            assert!(Command::new("kill").args(words).status().unwrap().success());
        };
        signal("-STOP");
        run(&mut connection, &format!("SET big {}", "x".repeat(3 << 20)));
        let found = ask(&mut connection);
        signal("-CONT");
        assert_eq!(severity(&found, "replica_behind"), Some(Severity::Warning), "{name}");
        let strict = ProbeOptions::default().most_behind(100 << 20);
        assert_eq!(severity(&probe(&mut connection, &strict).unwrap(), "replica_behind"), None);
    }
}
