//! A transfer in which a value looks like the end of it.

use crate::replication_laws::{self, MARK};
use crate::servers::Server;
use crate::{System, keys, open};
use redkeep::live::replication::ReplicationOptions;
use redkeep::live::restore::{RestoreOptions, RestoreSink};
use redkeep::live::{ConnectOptions, Connection, Driver, Replicating};
use redkeep::rdb::check::{CheckOptions, Verdict};
use redkeep::task::{RestoreChoice, SnapshotOptions, SnapshotTarget, copy, snapshot, take};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::time::Duration;

/// A dump, and how much of it comes before its false end is over.
fn dump() -> (Vec<u8>, usize) {
    let like_an_end = [b"\xff\x01\0\0\0\0\0\0\0", &MARK[..]].concat();
    let mut records = Vec::new();
    for (key, value) in [("before", &b"x"[..]), ("like", &like_an_end), ("after", b"x")] {
        records.push(0);
        for string in [key.as_bytes(), value] {
            records.push(u8::try_from(string.len()).unwrap());
            records.extend(string);
        }
    }
    let dump = replication_laws::dump(&records);
    let at = dump.windows(MARK.len()).position(|window| window == MARK).unwrap();
    (dump, at + MARK.len())
}

/// A server that sends such a dump, and the second half only when nobody listens or so long has passed.
fn serve(wait: Duration) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            std::thread::spawn(move || answer(client.unwrap(), wait));
        }
    });
    Connection::open(ConnectOptions::new(format!("redis://127.0.0.1:{port}"))).unwrap()
}

fn answer(mut client: TcpStream, wait: Duration) {
    let lines = BufReader::new(client.try_clone().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        let answer = match &line[..] {
            "PSYNC" => break,
            "INFO" => "$8\r\nrun_id:1\r\n",
            "AUTH" | "PING" | "REPLCONF" | "SELECT" | "CLIENT" | "TIME" => "+OK\r\n",
            _ => continue,
        };
        client.write_all(answer.as_bytes()).unwrap();
    }
    let ((dump, half), mark) = (dump(), std::str::from_utf8(MARK).unwrap());
    let head = format!("+FULLRESYNC {mark} 1\r\n$EOF:{mark}\r\n");
    client.write_all(&[head.as_bytes(), &dump[..half]].concat()).unwrap();
    client.set_read_timeout(Some(wait)).unwrap();
    let _closed = client.read_exact(&mut [0; 1 << 10]);
    let _closed = client.write_all(&[&dump[half..], MARK].concat());
    let _closed = client.read(&mut [0]);
}

#[test]
fn an_end_inside_a_value_is_found_out_and_nothing_of_it_kept() {
    let folder = tempfile::tempdir().unwrap();
    let target = SnapshotTarget::new(folder.path().join("dump.rdb"));
    let mut server = serve(Duration::from_secs(60));
    let options = SnapshotOptions::default().driver(Driver::Replication);
    let outcome = snapshot(&mut server, &System::start(), &options, &target).unwrap();
    assert!(!outcome.kept && !outcome.is_sound(), "{outcome:?}");
    assert_eq!(outcome.report.unwrap().verdict, Verdict::Damaged);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn where_the_end_is_proven_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let target = SnapshotTarget::new(folder.path().join("dump.rdb"));
    let mut server = serve(Duration::from_millis(300));
    let (clock, options) = (System::start(), ReplicationOptions::default());
    let mut way = Replicating { server: &mut server, clock: &clock, options: &options };
    let check = CheckOptions::default();
    let outcome = take(&mut way, &target, &check, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(outcome.is_sound(), "{outcome:?}");
    assert_eq!(keys(&std::fs::read(&target.path).unwrap()), ["before", "like", "after"]);
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_copy_that_ends_inside_a_value_is_not_complete() {
    let into = Server::start("redis-7.0", None).unwrap();
    let (clock, mut connection) = (System::start(), open(&into));
    let sink = RestoreSink::new(&mut connection, &clock, RestoreOptions::default()).unwrap();
    let options = SnapshotOptions::default().driver(Driver::Replication);
    let mut server = serve(Duration::from_secs(60));
    let copied = copy(&mut server, &clock, &options, &RestoreChoice::default(), sink).unwrap();
    assert!(!copied.is_complete(), "{copied:?}");
    assert_eq!(copied.restored.keys.stopped.unwrap().code, "ends_inside");
}
