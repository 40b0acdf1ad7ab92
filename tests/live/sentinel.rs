//! Masters and replicas that sentinels lead to.

use crate::cluster::wait;
use crate::sentinels::{NAME, Trio, sentinel};
use crate::servers::{ALL, Server};
use crate::{open, run, start};
use redkeep::live::sentinel::Sentinels;
use redkeep::live::{ConnectOptions, Connection};
use redkeep::{Error, ErrorKind, Fault};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

fn at(server: &Server) -> ConnectOptions {
    ConnectOptions::new(format!("redis://127.0.0.1:{}", server.port()))
}

fn login() -> ConnectOptions {
    ConnectOptions::new("redis://servers")
}

fn of(trio: &Trio) -> Sentinels {
    Sentinels::new(trio.sentinels.iter().map(at), NAME, login())
}

fn port(connection: &Connection) -> u16 {
    connection.address().rsplit_once(':').unwrap().1.parse().unwrap()
}

fn nobody(error: Error, words: &str) {
    assert_eq!(error.fault(), Some(Fault::NoServer), "{error}");
    assert!(error.is_retryable() && error.to_string().contains(words), "{error}");
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_master_is_found_before_and_after_a_failover() {
    // A failover is mostly waiting: all at once.
    std::thread::scope(|scope| {
        for name in ALL {
            scope.spawn(move || {
                let mut trio = Trio::start(name, &[]);
                found_as_they_are(name, &trio);
                trio.fail_over();
                found_as_they_are(name, &trio);
            });
        }
    });
}

fn found_as_they_are(name: &str, trio: &Trio) {
    let mut master = of(trio).master().unwrap();
    assert_eq!(port(&master), trio.master.port(), "{name}");
    run(&mut master, "SET a 1");
    let found = of(trio).replica().unwrap();
    assert_eq!(port(&found.server), trio.replica.port(), "{name}");
    assert!(found.behind.is_some_and(|bytes| bytes < 1 << 16), "{name}: {found:?}");
    let strict = of(trio).most_behind(1 << 16).replica().unwrap();
    assert_eq!(port(&strict.server), trio.replica.port(), "{name}");
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_sentinel_that_is_gone_or_behind_is_passed_over() {
    for name in ALL {
        let trio = Trio::start(name, &[]);
        // One that takes the replica for the master, as after a failover that it missed.
        let behind = sentinel(name, trio.replica.port(), "");
        let gone = ConnectOptions::new("redis://127.0.0.1:1");
        let other = at(&trio.master);
        let wrong = [gone, at(&behind), other];
        let all = wrong.iter().cloned().chain(trio.sentinels.iter().map(at));
        let master = Sentinels::new(all, NAME, login()).master().unwrap();
        assert_eq!(port(&master), trio.master.port(), "{name}");
        let error = Sentinels::new(wrong, NAME, login()).master().unwrap_err();
        let said = error.to_string();
        for (server, why) in [
            ("127.0.0.1:1".to_owned(), "refused"),
            (format!("127.0.0.1:{}", behind.port()), "is no master any more"),
            (format!("127.0.0.1:{}", trio.master.port()), "unknown command"),
        ] {
            let at = said.find(&server).unwrap_or_else(|| panic!("{name}: {server} in {said}"));
            assert!(said[at..].contains(why), "{name}: {said}");
        }
        nobody(error, NAME);
        let unknown = Sentinels::new(trio.sentinels.iter().map(at), "nobody", login());
        nobody(unknown.master().unwrap_err(), "knows no master of that name");
        nobody(unknown.replica().unwrap_err(), "nobody");
        let none = Sentinels::new([], NAME, login()).master().unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Usage);
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_replica_without_its_master_is_none_that_will_do() {
    for name in ALL {
        let trio = Trio::start(name, &[]);
        let elsewhere = start(name, &[]);
        let lost = format!("REPLICAOF 127.0.0.1 {}", elsewhere.port());
        drop(elsewhere);
        run(&mut open(&trio.replica), &lost);
        nobody(of(&trio).replica().unwrap_err(), "without a link to its master");
        let port_of = port(&of(&trio).master().unwrap());
        assert_eq!(port_of, trio.master.port(), "{name}");
        run(&mut open(&trio.replica), "REPLICAOF NO ONE");
        nobody(of(&trio).replica().unwrap_err(), "no replica any more");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn sentinels_and_servers_have_logins_of_their_own_and_show_neither() {
    for name in ALL {
        let trio = Trio::start(name, &[]);
        for server in [&trio.master, &trio.replica] {
            // No right to ROLE: INFO serves.
            run(&mut open(server), "ACL SETUSER bk on >s3cret -@all +info");
        }
        let rights =
            ["+sentinel|get-master-addr-by-name", "+sentinel|slaves", "+sentinel|replicas"];
        for sentinel in &trio.sentinels {
            let line = format!("ACL SETUSER watch on >0ther -@all {}", rights.join(" "));
            run(&mut open(sentinel), &line);
        }
        let watch = |password| {
            trio.sentinels.iter().map(move |one| at(one).username("watch").password(password))
        };
        let bk = || login().username("bk").password("s3cret");
        let sentinels = Sentinels::new(watch("0ther"), NAME, bk());
        assert_eq!(port(&sentinels.master().unwrap()), trio.master.port(), "{name}");
        assert_eq!(port(&sentinels.replica().unwrap().server), trio.replica.port(), "{name}");
        let shown = format!("{sentinels:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("0ther"), "{shown}");
        for wrong in [
            Sentinels::new(watch("wr0ng"), NAME, bk()),
            Sentinels::new(watch("0ther"), NAME, login().username("bk").password("wr0ng")),
        ] {
            let error = wrong.master().unwrap_err();
            assert_eq!(error.fault(), Some(Fault::ServerDenied), "{name}: {error}");
            assert!(!error.is_retryable(), "{name}: {error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("wr0ng") && !shown.contains("s3cret"), "{shown}");
        }
    }
}

/// Passes connections on to a port for as long as it may; then it holds what comes, and nobody is told.
fn valve(to: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let open = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&open);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) =
                (client.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
            let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || io::copy(&mut up, &mut down));
            let gate = Arc::clone(&gate);
            std::thread::spawn(move || {
                let mut buf = [0; 4096];
                while let Ok(n @ 1..) = server.read(&mut buf) {
                    while !gate.load(Relaxed) {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    client.write_all(&buf[..n]).unwrap_or_default();
                }
            });
        }
    });
    (port, open)
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_replica_that_lacks_too_much_is_none_that_will_do() {
    for name in ALL {
        let master = start(name, &["--repl-diskless-sync-delay", "0"]);
        let replica = start(name, &[]);
        let (through, open_valve) = valve(master.port());
        run(&mut open(&replica), &format!("REPLICAOF 127.0.0.1 {through}"));
        let watcher = sentinel(name, master.port(), "");
        let strict = Sentinels::new([at(&watcher)], NAME, login()).most_behind(1 << 20);
        wait("the replica is there", || strict.replica().is_ok());
        open_valve.store(false, Relaxed);
        run(&mut open(&master), &format!("SET big {}", "x".repeat(3 << 20)));
        nobody(strict.replica().unwrap_err(), "bytes behind");
        let any = Sentinels::new([at(&watcher)], NAME, login());
        let behind = any.replica().unwrap().behind.unwrap();
        assert!(behind > 3 << 20, "{name}: {behind}");
        open_valve.store(true, Relaxed);
        wait("the replica is up to date", || strict.replica().is_ok());
    }
}

#[cfg(feature = "cli")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_program_finds_its_server_by_sentinels() {
    use std::process::Command;
    for name in ALL {
        let trio = Trio::start(name, &[]);
        run(&mut open(&trio.master), "SET a 1");
        for server in [&trio.master, &trio.replica] {
            run(&mut open(server), "ACL SETUSER bk on >s3cret +@all ~*");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "s3cret\n").unwrap();
        let dump = folder.path().join("out.rdb");
        let places = trio.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port()));
        let url = format!("redis://127.0.0.1:1,{}/0", places.collect::<Vec<_>>().join(","));
        let redkeep = |arguments: &[&str]| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_redkeep"));
            program.args(["snapshot", &url, "--force", "-o", dump.to_str().unwrap()]);
            program.args(["--user", "bk", "--password-file", file.to_str().unwrap()]);
            let done = program.args(arguments).output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert!(!said.contains("s3cret"), "{said}");
            (done.status.code(), said)
        };
        for driver in ["bgsave", "replication", "scan"] {
            let arguments = ["--sentinel", NAME, "--replica", "--driver", driver];
            let (code, said) = redkeep(&arguments);
            assert_eq!(code, Some(0), "{name} {driver}: {said}");
            let told = format!("using the replica 127.0.0.1:{}", trio.replica.port());
            assert!(said.contains(&told), "{name} {driver}: {said}");
            assert_eq!(crate::keys(&std::fs::read(&dump).unwrap()), ["a"], "{name} {driver}");
        }
        run(&mut open(&trio.replica), "REPLICAOF NO ONE");
        let (code, said) = redkeep(&["--sentinel", NAME, "--replica"]);
        assert_eq!(code, Some(0), "{name}: {said}");
        let told = format!("using the master 127.0.0.1:{}", trio.master.port());
        assert!(said.contains(&told), "{name}: {said}");
        let (code, said) = redkeep(&["--sentinel", "nobody"]);
        assert_eq!(code, Some(1), "{name}");
        assert!(said.contains("knows no master of that name"), "{name}: {said}");
        assert_eq!(redkeep(&["--replica"]).0, Some(2), "{name}");
    }
}
