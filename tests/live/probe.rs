//! What is found out about servers.

use crate::servers::ALL;
use crate::{open, run, start};
use redkeep::Fault;
use redkeep::live::{
    Access, ConnectOptions, Connection, Driver, Probe, ProbeOptions, Role, SettingsSource, probe,
};

fn ask(connection: &mut impl redis::ConnectionLike) -> Probe {
    probe(connection, &ProbeOptions::default()).unwrap()
}

fn access(probe: &Probe, command: &str) -> Access {
    probe.commands.iter().find(|found| found.command == command).unwrap().access
}

fn possible(probe: &Probe, driver: Driver) -> bool {
    probe.driver(driver).unwrap().possible
}

/// Before 7.0 the right to SAVE shows only when it is run.
fn right_to_save(name: &str) -> Access {
    if name == "redis-6.2" { Access::Exists } else { Access::Allowed }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_facts_of_each_server_are_right() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = open(&server);
        for line in ["SET a 1", "SET b 2 EX 1000", "SELECT 3", "SET c 3", "SELECT 0"] {
            run(&mut connection, line);
        }
        let probe = ask(&mut connection);
        let (product, version) = name.split_once('-').unwrap();
        assert_eq!(probe.server.product, product);
        assert!(probe.server.version.starts_with(version), "{name}: {}", probe.server.version);
        let header = probe.server.release().unwrap().header().to_string();
        let dump = server.save();
        assert!(dump.starts_with(header.as_bytes()), "{name}: {header}");
        assert_eq!(probe.server.dump_header, Some(header));
        assert_eq!(probe.server.mode, "standalone");
        assert_eq!(probe.replication.role, Role::Master);
        assert_eq!(probe.replication.id.as_ref().unwrap().len(), 40);
        let dbs: Vec<_> = probe.dbs.iter().map(|db| (db.db, db.keys, db.expiring)).collect();
        assert_eq!(dbs, [(0, 2, 1), (3, 1, 0)], "{name}");
        assert_eq!(probe.databases, Some(16));
        assert_eq!(probe.files.source, SettingsSource::Server);
        assert_eq!(probe.files.dump, Some(server.folder().join("dump.rdb")), "{name}");
        assert_eq!(probe.persistence.save_rules.as_deref(), Some(&[][..]));
        assert_eq!(probe.at_risk.writes, Some(3), "{name}: {:?}", probe.at_risk);
        assert!(probe.memory.used > Some(100_000));
        assert_eq!(probe.function_libraries, (name != "redis-6.2").then_some(0), "{name}");
        for driver in
            [Driver::Bgsave, Driver::Save, Driver::Replication, Driver::Scan, Driver::Files]
        {
            assert!(possible(&probe, driver), "{name}: {:?}", probe.driver(driver));
        }
        let codes: Vec<_> = probe.findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&"not_persistent"), "{name}: {codes:?}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_a_crash_loses_follows_the_settings() {
    for name in ALL {
        let log = ["--appendonly", "yes", "--appendfsync", "always"];
        assert_eq!(ask(&mut open(&start(name, &log))).at_risk.seconds, Some(0), "{name}");
        let log = ["--appendonly", "yes", "--appendfsync", "everysec"];
        assert_eq!(ask(&mut open(&start(name, &log))).at_risk.seconds, Some(2), "{name}");
        let server = start(name, &[]);
        let mut connection = open(&server);
        run(&mut connection, "SET a 1");
        server.save();
        assert_eq!(ask(&mut connection).at_risk.writes, Some(0), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_user_with_few_rights_is_told_what_they_allow() {
    for name in ALL {
        let server = start(name, &[]);
        let mut admin = open(&server);
        run(&mut admin, "ACL SETUSER bk on >s3cret -@all +info +scan +dump +pttl ~a*");
        run(&mut admin, "ACL SETUSER all on >s3cret +@all ~*");
        let login = |user: &str| {
            let url = format!("valkey://{user}:s3cret@127.0.0.1:{}/0", server.port());
            Connection::open(ConnectOptions::new(url)).unwrap()
        };
        let probe = ask(&mut login("bk"));
        for command in ["BGSAVE", "CONFIG", "LASTSAVE", "REPLCONF"] {
            assert_eq!(access(&probe, command), Access::Denied, "{name}: {command}");
        }
        assert_eq!(access(&probe, "SAVE"), Access::Exists, "{name}");
        assert_eq!(access(&probe, "SCAN"), Access::Allowed, "{name}");
        assert_eq!(access(&probe, "DUMP"), Access::SomeKeys, "{name}");
        assert!(possible(&probe, Driver::Scan), "{name}");
        assert!(
            !possible(&probe, Driver::Bgsave) && !possible(&probe, Driver::Replication),
            "{name}"
        );
        assert_eq!(probe.files.source, SettingsSource::Unknown);
        // Nothing was begun by asking.
        assert_eq!(probe.persistence.saves.unwrap_or(0), 0, "{name}");
        assert_eq!(ask(&mut admin).persistence.saves.unwrap_or(0), 0, "{name}");
        let probe = ask(&mut login("all"));
        for command in ["BGSAVE", "SCAN", "DUMP", "PTTL", "REPLCONF", "CONFIG"] {
            assert_eq!(access(&probe, command), Access::Allowed, "{name}: {command}");
        }
        // With DRYRUN, so since 7.0, even what has no harmless call.
        let expected = right_to_save(name);
        assert_eq!(
            (access(&probe, "SAVE"), access(&probe, "PSYNC")),
            (expected, expected),
            "{name}"
        );
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn commands_that_were_renamed_away_are_found() {
    for name in ALL {
        let renamed = ["--rename-command", "CONFIG", "", "--rename-command", "BGSAVE", "b-gs"];
        let server = start(name, &renamed);
        let probe = ask(&mut open(&server));
        assert_eq!(access(&probe, "CONFIG"), Access::Absent, "{name}");
        assert_eq!(access(&probe, "BGSAVE"), Access::Absent, "{name}");
        assert_eq!(access(&probe, "SAVE"), right_to_save(name), "{name}");
        assert!(!possible(&probe, Driver::Bgsave) && possible(&probe, Driver::Scan), "{name}");
        assert_eq!(probe.files.dump, None);
        // The file of settings says where the dump is.
        let file = server.folder().join("redis.conf");
        std::fs::write(&file, format!("dir {}\n", server.folder().display())).unwrap();
        let options = ProbeOptions::default().config_file(&file);
        let probe = redkeep::live::probe(&mut open(&server), &options).unwrap();
        assert_eq!(probe.files.source, SettingsSource::File);
        assert_eq!(probe.files.dump, Some(server.folder().join("dump.rdb")), "{name}");
        assert!(possible(&probe, Driver::Save), "{name}: {:?}", probe.driver(Driver::Save));
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn where_even_command_and_acl_are_gone_the_rest_is_still_found() {
    for name in ALL {
        let gone = ["COMMAND", "ACL", "CONFIG", "LASTSAVE"];
        let settings: Vec<_> =
            gone.iter().flat_map(|command| ["--rename-command", command, ""]).collect();
        let server = start(name, &settings);
        let probe = ask(&mut open(&server));
        assert_eq!(access(&probe, "LASTSAVE"), Access::Absent, "{name}");
        assert_eq!(access(&probe, "BGSAVE"), Access::Allowed, "{name}");
        assert_eq!(access(&probe, "SAVE"), Access::Exists, "{name}");
        assert_eq!(access(&probe, "PSYNC"), Access::Exists, "{name}");
        assert_eq!(probe.persistence.saves.unwrap_or(0), 0, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_replica_that_lost_its_master_is_called_a_problem() {
    for name in ALL {
        let server = start(name, &[]);
        run(&mut open(&server), "REPLICAOF 127.0.0.1 1");
        let probe = ask(&mut open(&server));
        assert_eq!(probe.replication.role, Role::Replica, "{name}");
        assert_eq!(probe.replication.link_up, Some(false), "{name}");
        assert_eq!(probe.findings[0].code, "link_down", "{name}: {:?}", probe.findings);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn no_refused_login_shows_the_password() {
    for name in ALL {
        let server = start(name, &["--rename-command", "AUTH", ""]);
        for options in [
            ConnectOptions::new(format!("redis://u:s3cret@127.0.0.1:{}", server.port())),
            ConnectOptions::new(format!("redis://127.0.0.1:{}", server.port())).password("s3cret"),
        ] {
            // Such a server repeats the words of a command that it does not know.
            let error = Connection::open(options).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{name}: {error:?}");
        }
        let server = start(name, &[]);
        let url = format!("redis://u:s3cret@127.0.0.1:{}", server.port());
        let error = Connection::open(ConnectOptions::new(url)).err().unwrap();
        assert_eq!(error.fault(), Some(Fault::ServerDenied), "{name}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_socket_of_this_machine_is_reached_too() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s").display().to_string();
        let server = start(name, &["--unixsocket", &socket, "--requirepass", ""]);
        run(&mut open(&server), "ACL SETUSER u on >s3cret +@all ~*");
        let url = format!("unix://{socket}?user=u&pass=s3cret&db=3");
        let mut connection = Connection::open(ConnectOptions::new(url)).unwrap();
        assert_eq!(connection.address(), socket);
        run(&mut connection, "SET a 1");
        assert_eq!(ask(&mut connection).dbs[0].db, 3, "{name}");
        assert!(!format!("{connection:?}").contains("s3cret"));
    }
}

#[test]
fn a_server_that_is_not_there_is_an_io_error() {
    let error = Connection::open(ConnectOptions::new("redis://127.0.0.1:1")).err().unwrap();
    assert!(error.is_io(), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
