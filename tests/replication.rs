//! Dumps from real servers, taken as a replica would.

#![cfg(all(feature = "live", feature = "digest"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/servers.rs"]
mod servers;

use redis::cmd;
use redkeep::digest::{ContentOptions, content_digest};
use redkeep::live::replication::{
    CutCause, Form, Portion, ReplicationOptions, SnapshotOutcome, Transfer, cut_cause,
    snapshot_into,
};
use redkeep::rdb::check::CheckOptions;
use redkeep::{Error, Fault};
use servers::{ALL, Server};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

fn server(name: &str, settings: &[&str]) -> Server {
    // Servers from Redis 7.0 on wait so long for more replicas, five seconds by default.
    let settings = [&["--repl-diskless-sync-delay", "0"], settings].concat();
    Server::start_in(name, tempfile::tempdir().unwrap(), &settings).expect(name)
}

/// Some of everything.
fn fill(server: &Server, server_name: &str, strings: usize) {
    let mut connection = server.connect().unwrap();
    let mut pipe = redis::pipe();
    for n in 0..strings {
        let noise: Vec<u8> =
            (0..300).map(|i: usize| u8::try_from((i * n * 7 + i * i) % 251).unwrap()).collect();
        pipe.cmd("SET").arg(format!("s:{n}")).arg(noise).ignore();
    }
    for n in 0..300 {
        pipe.cmd("HSET").arg("h").arg(n).arg(n * n).ignore();
        pipe.cmd("ZADD").arg("z").arg(n).arg(format!("m{n}")).ignore();
        pipe.cmd("SADD").arg(format!("i:{}", n % 7)).arg(n).ignore();
        pipe.cmd("RPUSH").arg("l").arg(format!("element {n}")).ignore();
        pipe.cmd("XADD").arg("x").arg(format!("{}-1", n + 1)).arg("f").arg(n).ignore();
    }
    pipe.cmd("SETEX").arg("short").arg(100_000).arg("lived").ignore();
    pipe.cmd("SELECT").arg(3).ignore().cmd("SET").arg("other").arg("db").ignore();
    pipe.exec(&mut connection).unwrap();
    // Where fields can expire: Valkey leaves that out for whom it takes for an older server.
    let expiring = ["h", "100000", "FIELDS", "1", "7"];
    let _ = cmd("SELECT").arg(0).exec(&mut connection);
    let expires = cmd("HEXPIRE").arg(&expiring).exec(&mut connection);
    assert_eq!(expires.is_ok(), ["redis-8.0", "valkey-9.1"].contains(&server_name), "{expires:?}");
}

fn connection(port: u16) -> TcpStream {
    let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    connection
}

fn snapshot(port: u16, options: &ReplicationOptions) -> Result<(SnapshotOutcome, Vec<u8>), Error> {
    let mut dump = Vec::new();
    let check = CheckOptions::default();
    let outcome = snapshot_into(connection(port), Instant::now, options, &check, &mut dump)?;
    assert_eq!(outcome.bytes, dump.len() as u64);
    Ok((outcome, dump))
}

fn options() -> ReplicationOptions {
    ReplicationOptions::default().stall(Duration::from_secs(20))
}

fn digest(dump: &[u8]) -> String {
    content_digest(dump, ContentOptions::default().stream_state(true)).unwrap().to_string()
}

fn info(server: &Server) -> String {
    cmd("INFO").query(&mut server.connect().unwrap()).unwrap()
}

fn field(info: &str, name: &str) -> String {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_snapshot_is_sound_holds_what_save_writes_and_loads() {
    for name in ALL {
        for diskless in ["yes", "no"] {
            let server = server(name, &["--repl-diskless-sync", diskless]);
            fill(&server, name, 2000);
            let saved = server.save();
            for (allow, marked) in [(true, diskless == "yes"), (false, false)] {
                let what = format!("{name}, diskless {diskless}, allowed {allow}");
                let (outcome, dump) = snapshot(server.port(), &options().diskless(allow)).unwrap();
                assert!(outcome.is_sound(), "{what}: {:?}", outcome.report.findings);
                assert_eq!(outcome.facts.form == Form::EndMark, marked, "{what}");
                assert!(outcome.facts.rdb_only);
                assert_eq!(outcome.facts.version_heard, name.starts_with("valkey"), "{what}");
                let info = info(&server);
                assert_eq!(outcome.facts.replid.unwrap(), field(&info, "master_replid"));
                let offset: u64 = field(&info, "master_repl_offset").parse().unwrap();
                assert!(outcome.facts.offset.unwrap() <= offset);
                assert_eq!(digest(&dump), digest(&saved), "{what}");
                assert_eq!(dump[..9], saved[..9], "{what}");
                let again = Server::start(name, Some(&dump)).expect("it loads");
                assert_eq!(digest(&again.save()), digest(&saved), "{what}");
            }
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn writes_that_go_on_meanwhile_do_no_harm() {
    for name in ALL {
        for diskless in ["yes", "no"] {
            let server = server(name, &["--repl-diskless-sync", diskless]);
            fill(&server, name, 20_000);
            let mut writer = server.connect().unwrap();
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let thread = std::thread::spawn(move || {
                let mut n = 0u64;
                while stopped.try_recv().is_err() {
                    let mut pipe = redis::pipe();
                    for _ in 0..50 {
                        pipe.cmd("SET").arg(format!("s:{}", n % 30_000)).arg(n).ignore();
                        n += 1;
                    }
                    pipe.exec(&mut writer).unwrap();
                }
                n
            });
            for _ in 0..3 {
                let (outcome, _) = snapshot(server.port(), &options()).unwrap();
                assert!(outcome.is_sound(), "{name}: {:?}", outcome.report.findings);
                assert!(outcome.report.keys >= 20_000);
            }
            stop.send(()).unwrap();
            assert!(thread.join().unwrap() > 100);
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn functions_alone_come_from_servers_that_have_them() {
    for name in ALL {
        let server = server(name, &[]);
        fill(&server, name, 10);
        let functions = options().portion(Portion::Functions);
        if name == "redis-6.2" {
            let error = snapshot(server.port(), &functions).err().unwrap();
            assert_eq!(error.fault(), Some(Fault::ServerLacks), "{error}");
            continue;
        }
        let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
        cmd("FUNCTION").arg("LOAD").arg(library).exec(&mut server.connect().unwrap()).unwrap();
        let (outcome, _) = snapshot(server.port(), &functions).unwrap();
        assert!(outcome.is_sound(), "{name}");
        let report = &outcome.report;
        assert_eq!((report.keys, report.functions[0].name.as_str()), (0, "lib"), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn who_claims_an_old_version_gets_a_portable_dump_or_none_from_valkey() {
    let server = server("valkey-9.1", &[]);
    let mut connection = server.connect().unwrap();
    cmd("HSET").arg(&["h", "f", "v"]).exec(&mut connection).unwrap();
    let old = || options().version(Some("8.1.0".to_owned()));
    let header = |options| snapshot(server.port(), &options).map(|done| done.1[..9].to_vec());
    assert_eq!(header(old()).unwrap(), b"REDIS0011");
    assert_eq!(header(options().version(None)).unwrap(), b"REDIS0011");
    assert_eq!(header(options()).unwrap(), b"VALKEY080");
    cmd("HEXPIRE").arg(&["h", "1000", "FIELDS", "1", "f"]).exec(&mut connection).unwrap();
    assert_eq!(header(old()).unwrap_err().fault(), Some(Fault::TransferCut));
    assert_eq!(header(options()).unwrap(), b"VALKEY080");
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn logins_and_rights_decide() {
    for name in ALL {
        let server = server(name, &[]);
        fill(&server, name, 10);
        let mut connection = server.connect().unwrap();
        for (user, rights) in [("taker", "+psync +replconf"), ("watcher", "+ping +info +replconf")]
        {
            let mut setuser = cmd("ACL");
            setuser.arg("SETUSER").arg(user).arg("on").arg(">geheim").arg("-@all");
            rights.split(' ').for_each(|right| _ = setuser.arg(right));
            setuser.exec(&mut connection).unwrap();
        }
        cmd("CONFIG").arg("SET").arg("requirepass").arg("pw").exec(&mut connection).unwrap();
        let taken =
            |options: ReplicationOptions| snapshot(server.port(), &options).map(|done| done.0);
        assert!(taken(options().password("pw")).unwrap().is_sound());
        assert!(taken(options().user("default").password("pw")).unwrap().is_sound());
        assert!(taken(options().user("taker").password("geheim")).unwrap().is_sound());
        for (options, fault) in [
            (options(), Fault::ServerAuth),
            (options().password("geheim"), Fault::ServerLogin),
            (options().user("nobody").password("geheim"), Fault::ServerLogin),
            (options().user("watcher").password("geheim"), Fault::ServerDenied),
        ] {
            let error = taken(options).unwrap_err();
            assert_eq!(error.fault(), Some(fault), "{name}: {error}");
            assert!(!error.is_retryable() && !error.to_string().contains("geheim"));
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_cannot_just_now_or_never_could_says_so() {
    for name in ALL {
        let lost = server(name, &[]);
        let nowhere = ["127.0.0.1", "1"];
        cmd("REPLICAOF").arg(&nowhere).exec(&mut lost.connect().unwrap()).unwrap();
        let error = snapshot(lost.port(), &options()).err().unwrap();
        assert_eq!(error.fault(), Some(Fault::ServerNoMaster), "{name}: {error}");
        assert!(error.is_retryable());
        // Redis 6.2 answers but every 2 MB while it loads, which no setting changes.
        if name != "redis-6.2" {
            let often = ["--loading-process-events-interval-bytes", "1024"];
            let loading = server(name, &often);
            fill(&loading, name, 20_000);
            let mut stuck = loading.connect().unwrap();
            cmd("CONFIG").arg(&["SET", "key-load-delay", "100"]).exec(&mut stuck).unwrap();
            let thread = std::thread::spawn(move || cmd("DEBUG").arg("RELOAD").exec(&mut stuck));
            std::thread::sleep(Duration::from_millis(500));
            let error = snapshot(loading.port(), &options()).map(|done| done.0).expect_err(name);
            assert_eq!(error.fault(), Some(Fault::ServerLoading), "{name}: {error}");
            assert!(error.is_retryable());
            thread.join().unwrap().unwrap();
        }
        let busy = server(name, &["--lua-time-limit", "20"]);
        let mut stuck = busy.connect().unwrap();
        let thread = std::thread::spawn(move || {
            let _ = cmd("EVAL").arg("while true do end").arg(0).exec(&mut stuck);
        });
        std::thread::sleep(Duration::from_millis(300));
        let error = snapshot(busy.port(), &options()).err().unwrap();
        assert_eq!(error.fault(), Some(Fault::ServerBusy), "{name}: {error}");
        drop(busy);
        thread.join().unwrap();
        let removed = ["--rename-command", "PSYNC", "", "--rename-command", "SYNC", ""];
        let renamed = server(name, &removed);
        let error = snapshot(renamed.port(), &options()).err().unwrap();
        assert_eq!(error.fault(), Some(Fault::ServerLacks), "{name}: {error}");
    }
}

/// What a link between us and the server does after so many bytes from the server.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Cut,
    Stall,
    /// Every byte comes by itself, for a while.
    Trickle,
}

/// Stands between us and a server; its port.
fn proxy(server: u16, after: usize, trouble: Trouble) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
        std::thread::spawn(move || io::copy(&mut from, &mut to));
        let (mut from, mut to) = (upstream, client);
        to.set_nodelay(true).unwrap();
        let mut buf = vec![0; 1 << 16];
        let mut passed = 0;
        while let Ok(n @ 1..) = from.read(&mut buf) {
            let quick = n.min(after.saturating_sub(passed));
            let _ = to.write_all(&buf[..quick]);
            passed += n;
            if passed <= after {
                continue;
            }
            match trouble {
                Trouble::Cut => break,
                Trouble::Stall => std::thread::sleep(Duration::from_secs(5)),
                Trouble::Trickle => {
                    let slow = quick + 500.min(n - quick);
                    buf[quick..slow].iter().for_each(|byte| _ = to.write_all(&[*byte]));
                    let _ = to.write_all(&buf[slow..n]);
                }
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
    port
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_bad_link_gives_one_clear_error_or_the_dump() {
    for name in ALL {
        for diskless in ["yes", "no"] {
            let server = server(name, &["--repl-diskless-sync", diskless]);
            fill(&server, name, 3000);
            let want = digest(&server.save());
            let quick = options().stall(Duration::from_secs(2));
            for after in [0, 3, 90, 200, 5000, 300_000] {
                let through = |trouble| snapshot(proxy(server.port(), after, trouble), &quick);
                let error = through(Trouble::Cut).err().unwrap();
                assert_eq!(error.fault(), Some(Fault::TransferCut), "{name} {after}: {error}");
                assert!(error.is_retryable());
                let (outcome, dump) = through(Trouble::Trickle).unwrap();
                assert!(outcome.is_sound());
                assert_eq!(digest(&dump), want, "{name} {after}");
            }
            let error = snapshot(proxy(server.port(), 5000, Trouble::Stall), &quick).err().unwrap();
            assert_eq!(error.io_kind(), Some(io::ErrorKind::TimedOut), "{name}: {error}");
            assert!(error.is_retryable());
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_dies_meanwhile_leaves_no_dump() {
    for name in ALL {
        for diskless in ["yes", "no"] {
            let server = server(name, &["--repl-diskless-sync", diskless]);
            fill(&server, name, 60_000);
            let mut transfer =
                Transfer::start(connection(server.port()), Instant::now, &options()).unwrap();
            let mut buf = vec![0; 1 << 16];
            assert!(transfer.read(&mut buf).unwrap() > 0);
            drop(server); // killed
            // What it had sent by then still comes; a forked child may even send all of it.
            let ended = io::copy(&mut transfer, &mut io::sink());
            match (ended, transfer.finish()) {
                (Err(_), Err(error)) => {
                    assert_eq!(error.fault(), Some(Fault::TransferCut), "{name}: {error}");
                }
                (ended, finished) => panic!("{name} {diskless}: {ended:?} {finished:?}"),
            }
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn commands_after_the_dump_are_those_of_the_server() {
    for name in ALL {
        for diskless in ["yes", "no"] {
            let server = server(name, &["--repl-diskless-sync", diskless]);
            fill(&server, name, 100);
            let follow = options().follow(true);
            let mut transfer =
                Transfer::start(connection(server.port()), Instant::now, &follow).unwrap();
            io::copy(&mut transfer, &mut io::sink()).unwrap();
            let mut stream = transfer.into_stream().unwrap();
            let mut writer = server.connect().unwrap();
            let value = vec![b'v'; 1 << 20];
            cmd("SET").arg("big").arg(&value).exec(&mut writer).unwrap();
            cmd("SET").arg("last").arg("one").exec(&mut writer).unwrap();
            let mut names = Vec::new();
            let deadline = Instant::now() + Duration::from_secs(20);
            while names.last().map(Vec::as_slice) != Some(b"last") {
                assert!(Instant::now() < deadline, "{name} {diskless}: {}", names.len());
                stream.ack().unwrap();
                while let Some(command) = stream.next().unwrap() {
                    names.extend(command.is("SET").then(|| command.get(1).unwrap().to_vec()));
                    assert!(command.get(2).is_none_or(|arg| arg.len() < 9 || arg == value));
                }
            }
            assert_eq!(names, [b"big".to_vec(), b"last".to_vec()], "{name} {diskless}");
            let offset: u64 = field(&info(&server), "master_repl_offset").parse().unwrap();
            assert_eq!(stream.offset(), offset, "{name} {diskless}");
            // Heard by the server: WAIT counts us.
            let waiter = std::thread::spawn(move || {
                cmd("WAIT").arg(1).arg(10_000).query::<u64>(&mut writer).unwrap()
            });
            while !waiter.is_finished() {
                while stream.next().unwrap().is_some() {}
                stream.ack().unwrap();
            }
            assert_eq!(waiter.join().unwrap(), 1, "{name} {diskless}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_reader_too_slow_for_the_servers_buffer_is_told_so() {
    for name in ["redis-8.0", "valkey-9.1"] {
        let server = server(name, &["--client-output-buffer-limit", "replica 1mb 0 0"]);
        fill(&server, name, 60_000);
        let before = info(&server);
        let follow = options().follow(true);
        let mut transfer =
            Transfer::start(connection(server.port()), Instant::now, &follow).unwrap();
        let mut buf = vec![0; 1 << 16];
        assert!(transfer.read(&mut buf).unwrap() > 0);
        let mut writer = server.connect().unwrap();
        for n in 0..16 {
            cmd("SET").arg(n).arg(vec![b'v'; 1 << 20]).exec(&mut writer).unwrap();
        }
        std::thread::sleep(Duration::from_millis(1500));
        assert!(io::copy(&mut transfer, &mut io::sink()).is_err(), "{name}");
        let error = transfer.finish().unwrap_err();
        assert_eq!(error.fault(), Some(Fault::TransferCut), "{name}: {error}");
        assert_eq!(cut_cause(&before, &info(&server)), Some(CutCause::OutputBufferLimit), "{name}");
    }
}
