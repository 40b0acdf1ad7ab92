//! Keys into running servers: what arrives is what was in the dump, and every key is accounted for.

#![cfg(all(feature = "live", feature = "digest"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/between.rs"]
mod between;
#[path = "common/clock.rs"]
mod clock;
#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/differing.rs"]
mod differing;
#[path = "common/servers.rs"]
mod servers;

#[path = "restore/clusters.rs"]
mod clusters;
#[path = "restore/content.rs"]
mod content;
#[path = "restore/copying.rs"]
mod copying;
#[path = "restore/faults.rs"]
mod faults;
#[path = "restore/policies.rs"]
mod policies;
#[cfg(feature = "cli")]
#[path = "restore/program.rs"]
mod program;

use clock::System;
use redis::cmd;
use redkeep::live::restore::{RestoreOptions, RestoreSink};
use redkeep::live::{ConnectOptions, Connection};
use redkeep::task::{RestoreChoice, Restored, restore};
use servers::Server;

fn open(server: &Server) -> Connection {
    let url = format!("redis://127.0.0.1:{}", server.port());
    Connection::open(ConnectOptions::new(url)).unwrap()
}

/// Restores all of a dump.
fn put(dump: &[u8], server: &Server, options: RestoreOptions) -> Restored {
    let (clock, mut connection) = (System::start(), open(server));
    let sink = RestoreSink::new(&mut connection, &clock, options).unwrap();
    restore(dump, &RestoreChoice::default(), sink).unwrap()
}

/// What a server saves that was filled so.
fn dump_of(name: &str, fill: &dyn Fn(&mut redis::Connection)) -> Vec<u8> {
    let server = Server::start(name, None).unwrap();
    fill(&mut server.connect().unwrap());
    server.save()
}

/// Runs a command, given as words between blanks, and gives the answer as text.
fn run(server: &Server, line: &str) -> String {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    let answer: redis::Value = command
        .query(&mut server.connect().unwrap())
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    match answer {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        redis::Value::Int(number) => number.to_string(),
        redis::Value::SimpleString(text) => text,
        other => format!("{other:?}"),
    }
}
