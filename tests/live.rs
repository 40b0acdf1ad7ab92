//! Running servers: what is found out about them, and snapshots that must never be the old file.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/between.rs"]
mod between;
#[path = "common/clock.rs"]
mod clock;
#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/random.rs"]
mod random;
#[path = "common/replication_laws.rs"]
mod replication_laws;
#[path = "common/sentinels.rs"]
mod sentinels;
#[path = "common/servers.rs"]
mod servers;

#[path = "live/auto.rs"]
mod auto;
#[path = "live/bgsave.rs"]
mod bgsave;
#[path = "live/cluster.rs"]
mod clusters;
#[path = "live/false_end.rs"]
mod false_end;
#[path = "live/files.rs"]
mod files;
#[path = "live/log_pause.rs"]
mod log_pause;
#[path = "live/preflight.rs"]
mod preflight;
#[path = "live/probe.rs"]
mod probe;
#[cfg(feature = "cli")]
#[path = "live/program.rs"]
mod program;
#[cfg(feature = "cli")]
#[path = "live/rights.rs"]
mod rights;
#[path = "live/save.rs"]
mod save;
#[path = "live/scan.rs"]
mod scan;
#[path = "live/sentinel.rs"]
mod sentinel;
#[cfg(feature = "live-tls")]
#[path = "live/tls.rs"]
mod tls;

use clock::System;
use redkeep::live::{ConnectOptions, Connection};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::{EventKind, SliceReader, StrBuf};
use servers::Server;

fn start(name: &str, settings: &[&str]) -> Server {
    Server::start_in(name, tempfile::tempdir().unwrap(), settings).unwrap()
}

fn open(server: &Server) -> Connection {
    let url = format!("redis://127.0.0.1:{}", server.port());
    Connection::open(ConnectOptions::new(url)).unwrap()
}

/// Runs a command, given as words between blanks.
fn run(connection: &mut impl redis::ConnectionLike, line: &str) {
    let mut command = redis::Cmd::new();
    line.split(' ').for_each(|word| {
        command.arg(word);
    });
    command.exec(connection).unwrap_or_else(|error| panic!("{line}: {error}"));
}

/// The keys of a dump that has to be sound.
fn keys(dump: &[u8]) -> Vec<String> {
    let report = check_slice(dump, &CheckOptions::default());
    assert_eq!(report.verdict, Verdict::Sound, "{:?}", report.findings);
    let mut buf = StrBuf::new();
    let mut keys = Vec::new();
    for event in SliceReader::new(dump) {
        if let EventKind::Entry(entry) = event.unwrap().kind() {
            keys.push(String::from_utf8_lossy(entry.key().bytes(&mut buf).unwrap()).into_owned());
        }
    }
    keys
}
