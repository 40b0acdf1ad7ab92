//! The servers that keys go to: one, or the masters of a cluster.

use crate::error::{Error, Fault, Result};
use crate::live::cluster::Look;
use crate::live::connect::Connection;
use crate::live::info::Info;
use crate::live::reply::{broken, settle, unexpected};
use crate::live::restore::batch::Batch;
use crate::live::restore::link::Link;
use redis::{ConnectionLike, Value};
use std::collections::BTreeSet;

/// A server, and what waits to be sent to it.
pub(super) struct Node<'s> {
    pub(super) connection: Link<'s>,
    pub(super) batch: Batch,
    /// Sent, and not answered yet.
    pub(super) ahead: Option<Batch>,
    pub(super) run_id: String,
    /// Databases that it has, as was tried.
    dbs: BTreeSet<u64>,
}

impl<'s> Node<'s> {
    pub(super) fn new(connection: Link<'s>, run_id: String) -> Node<'s> {
        Node { connection, batch: Batch::default(), ahead: None, run_id, dbs: BTreeSet::new() }
    }

    /// Whether a database is known to be there, so that selecting it cannot fail.
    pub(super) fn has(&self, db: u64) -> bool {
        self.dbs.contains(&db)
    }

    /// Sends commands and waits for all their answers.
    pub(super) fn exchange(&mut self, commands: &[u8], count: usize) -> Result<Vec<Value>> {
        let answers = self.connection.req_packed_commands(commands, 0, count);
        let answers = answers.map_err(|error| broken(&error))?;
        if answers.len() == count { Ok(answers) } else { Err(unexpected("RESTORE")) }
    }

    /// Why it has no such database; were commands sent after a refused SELECT, their keys would come
    /// to be in another one.
    pub(super) fn lacks(&mut self, db: u64) -> Result<Option<String>> {
        if self.dbs.contains(&db) {
            return Ok(None);
        }
        let mut select = redis::cmd("SELECT");
        select.arg(db);
        match settle(self.connection.req_command(&select))? {
            Ok(_) => {
                self.dbs.insert(db);
                Ok(None)
            }
            Err(refusal) if refusal.is_busy() => Err(refusal.into_error("SELECT")),
            Err(refusal) => Ok(Some(refusal.words())),
        }
    }
}

/// How a connection to another node of a cluster is made, from its address.
type Opener<'s> = Box<dyn FnMut(&str) -> Result<Link<'s>> + 's>;

/// All servers, and which of them has which slot.
pub(super) struct Nodes<'s> {
    all: Vec<Node<'s>>,
    cluster: Option<Cluster<'s>>,
}

struct Cluster<'s> {
    /// By node.
    addresses: Vec<String>,
    /// By slot.
    owners: Vec<usize>,
    open: Opener<'s>,
}

impl<'s> Nodes<'s> {
    pub(super) fn one(connection: Link<'s>, run_id: String) -> Nodes<'s> {
        Nodes { all: vec![Node::new(connection, run_id)], cluster: None }
    }

    /// Keys that the servers have evicted so far; `None` where one does not say.
    pub(super) fn evicted(&mut self) -> Result<Option<u64>> {
        let mut all = Some(0);
        for node in &mut self.all {
            let evicted =
                Info::section(&mut node.connection, "stats")?.number::<u64>("evicted_keys");
            all = all.zip(evicted).map(|(all, evicted)| all + evicted);
        }
        Ok(all)
    }

    pub(super) fn get(&mut self, node: usize) -> Result<&mut Node<'s>> {
        self.all.get_mut(node).ok_or_else(|| Error::from_fault(Fault::Internal))
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether something was sent whose answers are still to come.
    pub(super) fn is_ahead(&self) -> bool {
        self.all.iter().any(|node| node.ahead.is_some())
    }

    /// Whether a database has to be selected; most clusters have only the one, and refuse that.
    pub(super) fn selects(&self, db: u64) -> bool {
        self.cluster.is_none() || db > 0
    }

    /// Where a key goes.
    pub(super) fn of_key(&self, name: &[u8]) -> usize {
        let Some(cluster) = &self.cluster else { return 0 };
        let slot = usize::from(crate::select::slot(name));
        cluster.owners.get(slot).copied().unwrap_or_default()
    }

    /// The node at an address, connected to now if it wasn't.
    pub(super) fn at(&mut self, address: &str) -> Result<usize> {
        let Some(cluster) = &mut self.cluster else {
            let detail = format!("it is a cluster: {address} has that key");
            return Err(Error::from_fault(Fault::ServerRefused).with_detail(detail));
        };
        if let Some(node) = cluster.addresses.iter().position(|known| known == address) {
            return Ok(node);
        }
        let mut connection = (cluster.open)(address)?;
        let run_id = run_id(&mut connection)?;
        cluster.addresses.push(address.to_owned());
        self.all.push(Node::new(connection, run_id));
        Ok(self.all.len() - 1)
    }

    /// From now on a slot is that node's.
    pub(super) fn moved(&mut self, slot: u16, node: usize) {
        let cluster = self.cluster.as_mut();
        if let Some(owner) = cluster.and_then(|cluster| cluster.owners.get_mut(usize::from(slot))) {
            *owner = node;
        }
    }

    /// The masters of a cluster, all of which have to be there.
    pub(super) fn cluster(look: &Look) -> Result<Nodes<'s>> {
        look.nodes.complete()?;
        let (mut all, mut addresses) = (Vec::new(), Vec::new());
        for shard in &look.nodes.shards {
            let mut connection = shard.open_master(&look.asked)?;
            let run_id = run_id(&mut connection)?;
            all.push(Node::new(connection.into(), run_id));
            addresses.push(shard.master.address());
        }
        let owners = look.nodes.table().into_iter().map(Option::unwrap_or_default).collect();
        let asked = look.asked.clone();
        let open = Box::new(move |address: &str| {
            let place =
                address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
            let (host, port) = place.ok_or_else(|| unexpected("MOVED"))?;
            // A node that does not know its own host leaves it out.
            let host = match host.trim_matches(['[', ']']) {
                "" => asked.place().map_or_else(String::new, |(host, _)| host),
                host => host.to_owned(),
            };
            Connection::open(asked.clone().at(host, port)).map(Link::from)
        });
        Ok(Nodes { all, cluster: Some(Cluster { addresses, owners, open }) })
    }
}

/// Which run of a server it is.
pub(super) fn run_id(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<String> {
    let info = Info::section(connection, "server")?;
    Ok(info.get("run_id").unwrap_or_default().to_owned())
}
