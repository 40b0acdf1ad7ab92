//! Data loaded while the log is off, and a log that holds them afterwards.

use crate::servers::{ALL, Server};
use crate::{System, open, run, start};
use redis::cmd;
use redkeep::live::{
    Connection, LogPauseError, LogPauseOptions, LogPauseOutcome, LogPauseStep, LogState, pause_log,
};
use redkeep::{Fault, Result};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const KEYS: u64 = 3000;

/// A server with a log, in a folder that outlives it.
fn logging(name: &str, folder: &Path, settings: &[&str]) -> Server {
    let dir = folder.to_str().unwrap();
    let all = [&["--dir", dir, "--appendonly", "yes"], settings].concat();
    start(name, &all)
}

/// Many keys at once, as a restore would.
fn load(server: &mut Connection) -> Result<u64> {
    let mut pipe = redis::pipe();
    for number in 0..KEYS {
        pipe.cmd("SET").arg(format!("new:{number}")).arg(number).ignore();
    }
    pipe.exec(server).unwrap();
    Ok(KEYS)
}

fn pause(
    server: &Server,
    load: impl FnOnce(&mut Connection) -> Result<u64>,
) -> std::result::Result<LogPauseOutcome, LogPauseError> {
    let options = LogPauseOptions::default()
        .deadline(Duration::from_secs(20))
        .poll(Duration::from_millis(20));
    pause_log(&mut open(server), &System::start(), &options, load).map(|(loaded, outcome)| {
        assert_eq!(loaded, KEYS);
        outcome
    })
}

fn count(server: &Server) -> u64 {
    cmd("DBSIZE").query(&mut server.connect().unwrap()).unwrap()
}

fn digest(server: &Server) -> String {
    cmd("DEBUG").arg("DIGEST").query(&mut server.connect().unwrap()).unwrap()
}

fn info(server: &Server, name: &str) -> String {
    let info: String = cmd("INFO").query(&mut server.connect().unwrap()).unwrap();
    let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap().to_owned()
}

/// Ends the child that rewrites the log, of this server and no other.
fn kill_child(pid: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        if let Some(child) = children.unwrap_or_default().split_ascii_whitespace().next() {
            assert!(Command::new("kill").args(["-KILL", child]).status().unwrap().success());
            return;
        }
        assert!(Instant::now() < deadline, "no child rewrites");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn after_a_pause_the_data_survive_a_crash() {
    for name in ALL {
        for busy in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let server = logging(name, folder.path(), &["--rdb-key-save-delay", "50"]);
            run(&mut open(&server), "SET old 1");
            let outcome = pause(&server, |server| {
                assert_eq!(
                    cmd("CONFIG")
                        .arg("GET")
                        .arg("appendonly")
                        .query::<(String, String)>(server)
                        .unwrap()
                        .1,
                    "no"
                );
                let loaded = load(server);
                // A save that runs makes the rewrite wait for its turn.
                if busy {
                    run(server, "BGSAVE");
                }
                loaded
            });
            let outcome = outcome.unwrap();
            assert!(outcome.was_on && !outcome.rewrite_failed, "{name}: {outcome:?}");
            assert_eq!(outcome.step, LogPauseStep::Confirming);
            assert_eq!(outcome.rewrites, (name != "redis-6.2").then_some(1), "{name}");
            run(&mut open(&server), "CONFIG SET appendfsync always");
            run(&mut open(&server), "SET later 1");
            let before = digest(&server);
            drop(server);
            let server = logging(name, folder.path(), &[]);
            assert_eq!((count(&server), digest(&server)), (KEYS + 2, before), "{name}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_rewrite_whose_child_is_killed_is_waited_for_until_the_next_is_done() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let server = logging(name, folder.path(), &["--rdb-key-save-delay", "100"]);
        let pid = info(&server, "process_id");
        let outcome = std::thread::scope(|scope| {
            pause(&server, |server| {
                scope.spawn(|| kill_child(&pid));
                load(server)
            })
        });
        let outcome = outcome.unwrap();
        assert!(
            outcome.rewrite_failed && outcome.rewrites.is_none_or(|count| count == 2),
            "{name}: {outcome:?}"
        );
        drop(server);
        assert_eq!(count(&logging(name, folder.path(), &[])), KEYS, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_crash_before_the_rewrite_is_done_is_an_error_and_brings_back_the_old_data() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Some(logging(name, folder.path(), &["--rdb-key-save-delay", "1000"]));
        run(&mut open(server.as_ref().unwrap()), "SET old 1");
        let pid = info(server.as_ref().unwrap(), "process_id");
        let mut connection = open(server.as_ref().unwrap());
        let options = LogPauseOptions::default()
            .deadline(Duration::from_secs(2))
            .poll(Duration::from_millis(20));
        let done = std::thread::scope(|scope| {
            let paused =
                scope.spawn(|| pause_log(&mut connection, &System::start(), &options, load));
            let deadline = Instant::now() + Duration::from_secs(10);
            while std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
                .unwrap()
                .is_empty()
            {
                assert!(Instant::now() < deadline, "no child rewrites");
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(100));
            drop(server.take());
            paused.join().unwrap()
        });
        let error = done.unwrap_err();
        assert_eq!(
            (error.step, error.log),
            (LogPauseStep::Rewriting, LogState::Unknown),
            "{name}: {error}"
        );
        let server = logging(name, folder.path(), &[]);
        assert_eq!(count(&server), 1, "{name}: {error}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_lets_nobody_set_it_is_left_alone() {
    let never = |_: &mut Connection| panic!("nothing is loaded");
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let server = logging(name, folder.path(), &["--rename-command", "CONFIG", ""]);
        let error = pause(&server, never).unwrap_err();
        let found = (error.step, error.log, error.error.fault());
        assert_eq!(
            found,
            (LogPauseStep::Looking, LogState::On, Some(Fault::ServerLacks)),
            "{name}: {error}"
        );
        assert_eq!(info(&server, "aof_enabled").trim(), "1");
        drop(server);
        let server = logging(name, folder.path(), &[]);
        // Nothing of it, and then to look but not to change.
        for rule in ["-config", "+config|get"] {
            run(&mut open(&server), &format!("ACL SETUSER default {rule}"));
            let error = pause(&server, never).unwrap_err();
            let found = (error.log, error.error.fault());
            assert_eq!(found, (LogState::On, Some(Fault::ServerDenied)), "{name}: {error}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_log_that_cannot_be_turned_on_again_is_said_to_be_off() {
    for name in ALL {
        for fails in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("data");
            std::fs::create_dir(&dir).unwrap();
            let server = logging(name, &dir, &[]);
            let error = pause(&server, |server| {
                std::fs::remove_dir_all(&dir).unwrap();
                let loaded = load(server)?;
                match fails {
                    true => Err(std::io::Error::other("the source ended").into()),
                    false => Ok(loaded),
                }
            });
            let error = error.unwrap_err();
            let step = if fails { LogPauseStep::Loading } else { LogPauseStep::TurningOn };
            assert_eq!((error.step, error.log), (step, LogState::Off), "{name}: {error}");
            assert!(error.to_string().contains("Unable to turn on AOF"), "{name}: {error}");
            assert_eq!((count(&server), &*info(&server, "aof_enabled")), (KEYS, "0"), "{name}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_load_that_fails_leaves_the_log_on_and_whole() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let server = logging(name, folder.path(), &[]);
        let error = pause(&server, |server| {
            load(server)?;
            Err(std::io::Error::other("the source ended").into())
        });
        let error = error.unwrap_err();
        assert_eq!(
            (error.step, error.log),
            (LogPauseStep::Loading, LogState::On),
            "{name}: {error}"
        );
        drop(server);
        assert_eq!(count(&logging(name, folder.path(), &[])), KEYS, "{name}");
    }
}
