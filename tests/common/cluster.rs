//! A cluster on free loopback ports, put together by the test itself and stopped when dropped.

#![allow(dead_code)] // not every user needs all of it

use crate::servers::{Server, any_port};
use std::net::TcpListener;
use std::ops::Range;
use std::time::{Duration, Instant};

const SLOTS: usize = 16_384;

/// Masters that share all slots evenly and in order, and the replicas that were added.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
    name: String,
    masters: usize,
    settings: Vec<String>,
}

impl Cluster {
    /// Starts masters that know each other, with more settings for each.
    pub(crate) fn start(name: &str, masters: usize, settings: &[&str]) -> Cluster {
        let settings = settings.iter().map(|word| (*word).to_owned()).collect();
        let mut cluster = Cluster { nodes: Vec::new(), name: name.to_owned(), masters, settings };
        for index in 0..masters {
            let node = cluster.launch();
            let mut connection = node.connect().unwrap();
            let mut slots = redis::cmd("CLUSTER");
            slots.arg("ADDSLOTS").arg(cluster.slots(index).collect::<Vec<_>>());
            slots.exec(&mut connection).unwrap();
            let mut epoch = redis::cmd("CLUSTER");
            epoch.arg("SET-CONFIG-EPOCH").arg(index + 1).exec(&mut connection).unwrap();
            cluster.nodes.push(node);
            cluster.introduce(index);
        }
        cluster.settle();
        cluster
    }

    /// Starts a replica of a master; its index.
    pub(crate) fn add_replica(&mut self, of: usize) -> usize {
        let index = self.nodes.len();
        self.nodes.push(self.launch());
        self.introduce(index);
        self.settle();
        let id = self.id(of);
        self.run(index, &["CLUSTER", "REPLICATE", &id]);
        wait("the replica has its data", || {
            self.info(index, "replication").contains("master_link_status:up")
        });
        // The others are told with the next beat.
        wait("all know the replica", || {
            (0..self.nodes.len())
                .all(|node| self.text(node, &["CLUSTER", "NODES"]).contains(&format!(" {id} ")))
        });
        index
    }

    fn launch(&self) -> Server {
        let folder = || tempfile::tempdir().unwrap();
        for _ in 0..10 {
            let folder = folder();
            let dir = folder.path().display().to_string();
            let mut words = vec!["--bind", "127.0.0.1", "--save", "", "--dir", &dir];
            words.extend(["--cluster-enabled", "yes", "--cluster-node-timeout", "3000"]);
            words.extend(["--repl-diskless-sync-delay", "0"]);
            if self.name != "redis-6.2" {
                words.extend(["--enable-debug-command", "local"]);
            }
            words.extend(self.settings.iter().map(String::as_str));
            if let Some(node) = Server::launch(&self.name, folder, &words, "DBSIZE", bus_port) {
                return node;
            }
        }
        panic!("{}: no node of a cluster starts", self.name);
    }

    fn introduce(&self, index: usize) {
        let port = self.nodes[index].port().to_string();
        if index > 0 {
            self.run(0, &["CLUSTER", "MEET", "127.0.0.1", &port]);
        }
    }

    /// Waits until each node knows all others and calls the cluster sound.
    pub(crate) fn settle(&self) {
        let known = format!("cluster_known_nodes:{}\r", self.nodes.len());
        wait("the cluster is put together", || {
            (0..self.nodes.len()).all(|index| {
                let info = self.text(index, &["CLUSTER", "INFO"]);
                let nodes = self.text(index, &["CLUSTER", "NODES"]);
                info.contains("cluster_state:ok")
                    && info.contains(&known)
                    && !nodes.contains("handshake")
            })
        });
    }

    /// The slots that a master had at the start.
    pub(crate) fn slots(&self, master: usize) -> Range<usize> {
        SLOTS * master / self.masters..SLOTS * (master + 1) / self.masters
    }

    /// Which master had a slot at the start.
    pub(crate) fn owner(&self, slot: u16) -> usize {
        (0..self.masters).find(|master| self.slots(*master).contains(&usize::from(slot))).unwrap()
    }

    pub(crate) fn url(&self, index: usize) -> String {
        format!("redis://127.0.0.1:{}", self.nodes[index].port())
    }

    pub(crate) fn id(&self, index: usize) -> String {
        self.text(index, &["CLUSTER", "MYID"])
    }

    /// Puts a key where it belongs.
    pub(crate) fn set(&self, slot: u16, key: &str, value: &str) {
        self.run(self.owner(slot), &["SET", key, value]);
    }

    /// Begins to move a slot; its keys stay where they are.
    pub(crate) fn begin_move(&self, slot: u16, to: usize) {
        let (from, slot) = (self.owner(slot), slot.to_string());
        self.run(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)]);
        self.run(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(to)]);
    }

    /// Ends what `begin_move` began; the keys have to be gone from the old node.
    pub(crate) fn end_move(&self, slot: u16, to: usize) {
        let (id, from) = (self.id(to), self.owner(slot));
        let mut order = vec![to, from];
        order.extend((0..self.masters).filter(|node| ![to, from].contains(node)));
        for node in order {
            self.run(node, &["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id]);
        }
    }

    /// Moves a key of a slot that is on its way.
    pub(crate) fn migrate(&self, slot: u16, key: &str, to: usize) {
        let port = self.nodes[to].port().to_string();
        self.run(self.owner(slot), &["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
    }

    pub(crate) fn run(&self, index: usize, words: &[&str]) {
        let done = command(words).exec(&mut self.nodes[index].connect().unwrap());
        done.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }

    pub(crate) fn text(&self, index: usize, words: &[&str]) -> String {
        command(words).query(&mut self.nodes[index].connect().unwrap()).unwrap()
    }

    fn info(&self, index: usize, section: &str) -> String {
        self.text(index, &["INFO", section])
    }
}

fn command(words: &[&str]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    command.arg(words);
    command
}

/// Before Redis 7.0 nodes talk to each other at a port that is 10000 higher.
pub(crate) fn bus_port() -> u16 {
    loop {
        let port = any_port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}

pub(crate) fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !until() {
        assert!(Instant::now() < deadline, "in a minute, {what}: no");
        std::thread::sleep(Duration::from_millis(50));
    }
}
