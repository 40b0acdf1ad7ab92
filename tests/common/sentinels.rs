//! Sentinels on free loopback ports, started by the test itself and stopped when dropped.

#![allow(dead_code)] // not every user needs all of it

use crate::cluster::wait;
use crate::servers::{Server, any_port};

/// A master, a replica of it, and three sentinels that know both and each other.
pub(crate) struct Trio {
    pub(crate) master: Server,
    pub(crate) replica: Server,
    pub(crate) sentinels: Vec<Server>,
}

/// The name by which the sentinels know the master.
pub(crate) const NAME: &str = "orders";

impl Trio {
    /// Starts all of them, with more settings for the master and the replica.
    pub(crate) fn start(name: &str, settings: &[&str]) -> Trio {
        let settings = [&["--repl-diskless-sync-delay", "0"], settings].concat();
        let start =
            || Server::start_in(name, tempfile::tempdir().unwrap(), &settings).expect("it starts");
        let (master, replica) = (start(), start());
        let port = master.port().to_string();
        run(&replica, &["REPLICAOF", "127.0.0.1", &port]);
        wait("the replica has its data", || {
            text(&replica, &["INFO", "replication"]).contains("master_link_status:up")
        });
        let sentinels = (0..3).map(|_| sentinel(name, master.port(), "")).collect();
        let trio = Trio { master, replica, sentinels };
        trio.settle();
        trio
    }

    /// Waits until each sentinel knows the others and the replica.
    pub(crate) fn settle(&self) {
        wait("the sentinels know each other", || {
            self.sentinels.iter().all(|sentinel| {
                let info = text(sentinel, &["INFO", "sentinel"]);
                info.contains("status=ok") && info.contains("slaves=1,sentinels=3")
            })
        });
    }

    /// Makes the replica the master, and waits until all sentinels say so.
    pub(crate) fn fail_over(&mut self) {
        // For a while after the last one there is no good replica, as sentinels see it.
        wait("a failover begins", || {
            let mut command = redis::cmd("SENTINEL");
            command.arg("FAILOVER").arg(NAME);
            command.exec(&mut self.sentinels[0].connect().unwrap()).is_ok()
        });
        let port = self.replica.port().to_string();
        wait("the sentinels point to the new master", || {
            self.sentinels.iter().all(|sentinel| {
                let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
                let place: Option<Vec<String>> = try_query(sentinel, &words);
                place.is_some_and(|place| place.get(1) == Some(&port))
            })
        });
        std::mem::swap(&mut self.master, &mut self.replica);
        wait("the old master is a replica", || {
            // It closes its connections when it is told of its new place.
            let info: Option<String> = try_query(&self.replica, &["INFO", "replication"]);
            info.is_some_and(|info| {
                info.contains("role:slave") && info.contains("master_link_status:up")
            })
        });
    }
}

/// A sentinel that watches the server at a port, with more lines for its file.
pub(crate) fn sentinel(name: &str, port: u16, lines: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let file = folder.path().join("sentinel.conf");
    let text = format!(
        "bind 127.0.0.1\ndir {dir}\nsentinel monitor {NAME} 127.0.0.1 {port} 2\n\
         sentinel down-after-milliseconds {NAME} 5000\n\
         sentinel failover-timeout {NAME} 10000\n{lines}"
    );
    std::fs::write(&file, text).unwrap();
    let words = [file.to_str().unwrap(), "--sentinel"];
    Server::launch(name, folder, &words, "PING", any_port).expect("a sentinel starts")
}

fn query<T: redis::FromRedisValue>(server: &Server, words: &[&str]) -> T {
    try_query(server, words).unwrap()
}

fn try_query<T: redis::FromRedisValue>(server: &Server, words: &[&str]) -> Option<T> {
    let mut command = redis::Cmd::new();
    command.arg(words).query(&mut server.connect().ok()?).ok()
}

fn text(server: &Server, words: &[&str]) -> String {
    query(server, words)
}

fn run(server: &Server, words: &[&str]) {
    query::<()>(server, words);
}
