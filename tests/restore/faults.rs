//! Connections that are cut, servers that die or are busy, and going on from a checkpoint.

use crate::between::{Between, Moment};
use crate::clock::System;
use crate::servers::{ALL, Server};
use crate::{dump_of, put, run};
use redis::cmd;
use redkeep::export::CommandForm;
use redkeep::live::restore::{
    Checkpoint, Conflict, Link, RestoreOptions, RestoreOutcome, RestoreSink,
};
use redkeep::live::{ConnectOptions, Connection};
use redkeep::task::{RestoreChoice, restore};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Lists of ten elements: sent twice as plain commands they would have twenty.
fn lists(count: usize) -> Vec<u8> {
    dump_of("redis-6.2", &|connection| {
        let mut all = redis::pipe();
        for n in 0..count {
            all.cmd("RPUSH").arg(format!("list:{n}")).arg((0..10).collect::<Vec<_>>());
        }
        all.exec(connection).unwrap();
    })
}

fn sizes_are_right(server: &Server, count: usize) {
    assert_eq!(run(server, "DBSIZE"), count.to_string());
    let script = "for _, k in ipairs(redis.call('keys', '*')) do \
        if redis.call('llen', k) ~= 10 then return k end end return 'right'";
    let right: String =
        cmd("EVAL").arg(script).arg(0).query(&mut server.connect().unwrap()).unwrap();
    assert_eq!(right, "right");
}

/// Passes bytes on, and cuts each of the first connections after so many from the client.
struct Cutter {
    port: u16,
    cuts: Arc<AtomicU64>,
}

impl Cutter {
    fn start(to: u16, cuts: u64, after: usize) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicU64::new(cuts));
        let counted = left.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, counted) = (client.unwrap(), counted.clone());
                std::thread::spawn(move || pass(client, to, &counted, after));
            }
        });
        Cutter { port, cuts: left }
    }
}

fn pass(mut client: TcpStream, to: u16, cuts: &AtomicU64, after: usize) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)) else { return };
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
    let (mut passed, mut buffer) = (0, vec![0; 4096]);
    while let Ok(n @ 1..) = client.read(&mut buffer) {
        if server.write_all(&buffer[..n]).is_err() {
            return;
        }
        passed += n;
        let last = cuts.load(Ordering::SeqCst);
        if passed > after
            && last > 0
            && cuts.compare_exchange(last, last - 1, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        {
            // What was passed on is carried out; the answers are lost.
            let _ = client.shutdown(Shutdown::Both);
            std::thread::sleep(Duration::from_millis(50));
            let _ = server.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn through(port: u16, dump: &[u8], options: RestoreOptions) -> RestoreOutcome {
    let clock = System::start();
    let url = format!("redis://127.0.0.1:{port}");
    let mut connection = Connection::open(ConnectOptions::new(url)).unwrap();
    let sink = RestoreSink::new(&mut connection, &clock, options).unwrap();
    restore(dump, &RestoreChoice::default(), sink).unwrap().keys
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn after_a_cut_nothing_is_there_twice_and_nothing_is_missing() {
    let dump = lists(2000);
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        for form in [CommandForm::Restore, CommandForm::Plain] {
            for conflict in [Conflict::Skip, Conflict::Replace] {
                run(&server, "FLUSHALL");
                let cutter = Cutter::start(server.port(), 3, 30_000);
                let options =
                    RestoreOptions::default().form(form).conflict(conflict).batch_keys(200);
                let outcome = through(cutter.port, &dump, options);
                assert_eq!(cutter.cuts.load(Ordering::SeqCst), 0, "{name}: not cut");
                assert_eq!(outcome.stopped, None, "{name} {form:?} {conflict:?}");
                assert_eq!((outcome.failed, outcome.unknown), (0, 0), "{outcome:?}");
                assert_eq!(outcome.restored + outcome.skipped.in_flight, 2000, "{outcome:?}");
                sizes_are_right(&server, 2000);
            }
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_way_that_stays_cut_ends_it_and_a_later_one_goes_on() {
    let dump = lists(2000);
    let server = Server::start("redis-7.0", None).unwrap();
    let cutter = Cutter::start(server.port(), u64::MAX, 60_000);
    let options = RestoreOptions::default().batch_keys(200).patience(Duration::from_secs(1));
    // A batch is more than what passes before a cut, so that it never gets its answers.
    let outcome = through(cutter.port, &dump, options.clone().batch_keys(2000));
    let stopped = outcome.stopped.clone().unwrap();
    assert!(stopped.retryable, "{stopped:?}");
    assert!(outcome.unknown > 0, "{outcome:?}");
    let mut options = options.conflict(Conflict::Skip);
    options.resume = outcome.checkpoint;
    let outcome = put(&dump, &server, options).keys;
    assert!(outcome.is_complete(), "{outcome:?}");
    sizes_are_right(&server, 2000);
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_cancelled_restore_goes_on_from_its_checkpoint() {
    let dump = lists(1000);
    let server = Server::start("valkey-9.1", None).unwrap();
    let clock = System::start();
    let sink = |options: RestoreOptions| {
        RestoreSink::new(server.connect().unwrap(), &clock, options.batch_keys(100)).unwrap()
    };
    let stops = sink(RestoreOptions::default()).watch(|progress| match progress.restored {
        ..300 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    let outcome = restore(&dump[..], &RestoreChoice::default(), stops).unwrap().keys;
    assert_eq!(outcome.stopped.as_ref().unwrap().code, "cancelled");
    let checkpoint = outcome.checkpoint.unwrap();
    // The batch that was on its way is in the account.
    assert_eq!((outcome.restored, checkpoint.keys()), (400, 400), "{outcome:?}");
    // With `Fail` a single key that was sent again would end it.
    let options = RestoreOptions::default().resume(checkpoint);
    let outcome = restore(&dump[..], &RestoreChoice::default(), sink(options)).unwrap().keys;
    assert_eq!((outcome.skipped.resumed, outcome.restored), (400, 600), "{outcome:?}");
    assert_eq!(outcome.checkpoint.unwrap().keys(), 1000);
    sizes_are_right(&server, 1000);
    let other: Checkpoint = "400-0123456789abcdef".parse().unwrap();
    let options = RestoreOptions::default().resume(other);
    let outcome = restore(&dump[..], &RestoreChoice::default(), sink(options)).unwrap().keys;
    assert!(outcome.stopped.unwrap().message.contains("another source"));
    assert_eq!(outcome.restored, 0);
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_dies_leaves_an_account_that_balances() {
    let dump = lists(1000);
    for name in ALL {
        let mut server = Some(Server::start(name, None).unwrap());
        let inner = server.as_ref().unwrap().connect().unwrap();
        let mut batches = 0;
        let act = |moment: Moment<'_>| {
            batches += u32::from(matches!(moment, Moment::Sending(_)));
            if batches == 4 {
                drop(server.take());
            }
        };
        let connection = Between { inner, act };
        let clock = System::start();
        let options =
            RestoreOptions::default().batch_keys(100).patience(Duration::from_millis(200));
        let sink = RestoreSink::new(Link::of(connection), &clock, options).unwrap();
        let outcome = restore(&dump[..], &RestoreChoice::default(), sink).unwrap().keys;
        assert_eq!((outcome.restored, outcome.unknown), (300, 100), "{name}: {outcome:?}");
        assert_eq!(outcome.not_sent, 0, "{name}: {outcome:?}");
        assert_eq!(outcome.checkpoint.unwrap().keys(), 300);
        assert_eq!(outcome.stopped.unwrap().code, "io", "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_was_started_anew_may_have_lost_all_of_it() {
    let dump = lists(2000);
    let mut servers = vec![Server::start("redis-7.0", None).unwrap()];
    // The same port, as one sees it who comes through a proxy or a service.
    let port = Arc::new(AtomicU64::new(u64::from(servers[0].port())));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let front = listener.local_addr().unwrap().port();
    let to = port.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let port = u16::try_from(to.load(Ordering::SeqCst)).unwrap();
            let client = client.unwrap();
            std::thread::spawn(move || pass(client, port, &AtomicU64::new(0), 0));
        }
    });
    let url = format!("redis://127.0.0.1:{front}");
    let mut connection = Connection::open(ConnectOptions::new(url)).unwrap();
    let clock = System::start();
    let options = RestoreOptions::default().batch_keys(100).patience(Duration::from_secs(5));
    let mut batches = 0;
    let sink = RestoreSink::new(&mut connection, &clock, options).unwrap().watch(|_| {
        batches += 1;
        if batches == 3 {
            let next = Server::start("redis-7.0", None).unwrap();
            port.store(u64::from(next.port()), Ordering::SeqCst);
            servers = vec![next];
        }
        ControlFlow::Continue(())
    });
    let outcome = restore(&dump[..], &RestoreChoice::default(), sink).unwrap().keys;
    let stopped = outcome.stopped.unwrap();
    assert_eq!(stopped.code, "server_restarted", "{stopped:?}");
    assert_eq!(outcome.checkpoint, None, "nothing may be gone on from");
}

/// Passes bytes on slowly, or after so many no more of them.
fn dawdle(to: u16, stalls_after: Option<usize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            std::thread::spawn(move || {
                let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let (mut answers, mut back) =
                    (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
                let (mut passed, mut buffer) = (0, vec![0; 2000]);
                while let Ok(n @ 1..) = client.read(&mut buffer) {
                    passed += n;
                    if stalls_after.is_some_and(|most| passed > most) {
                        std::thread::sleep(Duration::from_secs(30));
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                    server.write_all(&buffer[..n]).unwrap();
                }
            });
        }
    });
    port
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_stalled_way_is_given_up_and_a_slow_one_is_not() {
    let dump = lists(2000);
    let server = Server::start("redis-8.0", None).unwrap();
    let put = |port| {
        let clock = System::start();
        let options = ConnectOptions::new(format!("redis://127.0.0.1:{port}"))
            .timeout(Duration::from_millis(500));
        let mut connection = Connection::open(options).unwrap();
        let options = RestoreOptions::default()
            .conflict(Conflict::Skip)
            .batch_keys(100)
            .patience(Duration::from_secs(1));
        let sink = RestoreSink::new(&mut connection, &clock, options).unwrap();
        restore(&dump[..], &RestoreChoice::default(), sink).unwrap().keys
    };
    let outcome = put(dawdle(server.port(), Some(5000)));
    let stopped = outcome.stopped.clone().unwrap();
    assert!(stopped.code == "io" && stopped.retryable, "{outcome:?}");
    let outcome = put(dawdle(server.port(), None));
    assert_eq!(outcome.stopped, None, "{outcome:?}");
    sizes_are_right(&server, 2000);
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_busy_server_is_waited_for() {
    let dump = lists(100);
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_in(name, folder, &["--lua-time-limit", "20"]).unwrap();
        let mut control = server.connect().unwrap();
        let clock = System::start();
        let sink = RestoreSink::new(server.connect().unwrap(), &clock, RestoreOptions::default());
        let mut script = server.connect().unwrap();
        let outcome = std::thread::scope(|scope| {
            scope.spawn(move || cmd("EVAL").arg(&["while true do end", "0"]).exec(&mut script));
            std::thread::sleep(Duration::from_millis(100));
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(500));
                cmd("SCRIPT").arg("KILL").exec(&mut control).unwrap();
            });
            restore(&dump[..], &RestoreChoice::default(), sink.unwrap()).unwrap().keys
        });
        assert!(outcome.is_complete(), "{name}: {outcome:?}");
        sizes_are_right(&server, 100);
    }
}
