//! A look at a whole cluster, and the ways to its nodes.

use crate::error::{Error, Fault, Result};
use crate::live::cluster::node::{ClusterNode, NodeState};
use crate::live::cluster::nodes::{ClusterNodes, Shard, shown};
use crate::live::connect::{ConnectOptions, Connection};
use crate::live::reply::demand;
use crate::live::role::{Failures, reach_master, reach_replica};

/// A master that did not tell what it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Silent {
    /// Its id.
    pub id: String,
    /// Host and port.
    pub address: String,
    /// Why it did not.
    pub why: String,
}

/// What a whole cluster knows of itself.
///
/// See [the module](super) for an example.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Look {
    /// The nodes, with what is on its way between any of them.
    pub nodes: ClusterNodes,
    /// The way to the node that was asked first; to the others by [`ClusterNode::options`].
    pub asked: ConnectOptions,
    /// Masters that could not be asked: slots may be on their way that are not known of.
    pub silent: Vec<Silent>,
}

impl Look {
    /// The ways to the node that was asked and to all masters, for [`ClusterNodes::look`] to look again
    /// though one of them may be gone by then.
    #[must_use]
    pub fn seeds(&self) -> Vec<ConnectOptions> {
        let masters = self.nodes.shards.iter().map(|shard| shard.master.options(&self.asked));
        [self.asked.clone()].into_iter().chain(masters).collect()
    }
}

impl ClusterNodes {
    /// Asks the first of these nodes that answers for all, and then each master.
    ///
    /// # Errors
    /// `Server` where none of them answers, with what became of each: `no_server`, or `server_denied` where
    /// each refuses the login; `server_busy`, which may pass, where masters do not agree who has a slot; `Usage` without seeds. A master that is gone is no error
    /// but one of [`Look::silent`].
    pub fn look(seeds: &[ConnectOptions]) -> Result<Look> {
        if seeds.is_empty() {
            return Err(Error::usage("no node of a cluster to ask"));
        }
        let mut failures = Failures::default();
        for seed in seeds {
            let asked = Connection::open(seed.clone())
                .and_then(|mut server| ClusterNodes::ask_whom(&mut server));
            match asked {
                Ok((nodes, own)) => return all(seed.clone(), nodes, own.as_deref()),
                Err(error) if seeds.len() == 1 => return Err(error),
                Err(error) => failures.add(seed, &error),
            }
        }
        Err(failures.into_error(""))
    }
}

fn all(asked: ConnectOptions, mut nodes: ClusterNodes, own: Option<&str>) -> Result<Look> {
    // What one node calls "here" is somewhere else for the next.
    let here = asked.place().map(|(host, _)| host);
    let shards = nodes.shards.iter_mut();
    let nodes_of = shards.flat_map(|shard| shard.replicas.iter_mut().chain([&mut shard.master]));
    for node in nodes_of.chain(&mut nodes.idle) {
        if node.host.is_none() {
            node.host.clone_from(&here);
        }
    }
    let mut silent = Vec::new();
    let mut moving = nodes.moving.clone();
    for shard in nodes.shards.iter().filter(|shard| Some(shard.master.id.as_str()) != own) {
        let told = believed(&shard.master)
            .and_then(|()| Connection::open(shard.master.options(&asked)))
            .and_then(|mut server| ClusterNodes::ask(&mut server));
        match told {
            Ok(told) => {
                let moved = nodes.changed(&told).moved;
                if !moved.is_empty() {
                    let who = shard.master.address();
                    return Err(Error::from_fault(Fault::ServerBusy).with_detail(format!(
                        "{who} does not agree who has slots {}",
                        shown(&moved)
                    )));
                }
                nodes.moving_known &= told.moving_known;
                moving.extend(told.moving);
            }
            Err(error) => {
                let (id, address) = (shard.master.id.clone(), shard.master.address());
                silent.push(Silent { id, address, why: error.to_string() });
            }
        }
    }
    moving.sort();
    moving.dedup();
    nodes.moving = moving;
    nodes.moving_known &= silent.is_empty();
    Ok(Look { nodes, asked, silent })
}

impl Shard {
    /// Connects to the master; `asked` is the way to the node that told of it.
    ///
    /// # Errors
    /// As [`Connection::open`]; `server_busy`, which may pass, where it is no master any more.
    pub fn open_master(&self, asked: &ConnectOptions) -> Result<Connection> {
        Ok(reach_master(self.master.options(asked))?.0)
    }

    /// Connects to the replica that has most of the master's history, of those that are connected to it,
    /// and makes it answer for its keys (`READONLY`). A connection that was lost and renewed has forgotten
    /// that, and then keys are refused.
    ///
    /// # Errors
    /// `no_server` (or `server_denied`) where none will do, with what is wrong with each.
    pub fn open_replica(&self, asked: &ConnectOptions) -> Result<Connection> {
        let mut failures = Failures::default();
        let mut best: Option<(u64, Connection)> = None;
        for replica in &self.replicas {
            match follower(replica, asked) {
                Ok(found) if best.as_ref().is_none_or(|(most, _)| found.0 > *most) => {
                    best = Some(found);
                }
                Ok(_) => {}
                Err(error) => failures.add(&replica.options(asked), &error),
            }
        }
        match best {
            Some((_, server)) => Ok(server),
            None if failures.is_empty() => Err(Error::from_fault(Fault::NoServer)
                .with_detail(format!("{} has no replica", self.master.address()))),
            None => Err(failures.into_error(&format!("of {}: ", self.master.address()))),
        }
    }
}

/// A replica that may be read, and how much it has.
fn follower(replica: &ClusterNode, asked: &ConnectOptions) -> Result<(u64, Connection)> {
    believed(replica)?;
    let (mut server, offset) = reach_replica(replica.options(asked))?;
    demand(&mut server, &["READONLY"])?;
    Ok((offset, server))
}

/// Connecting to a node that is gone may take as long as it may take.
fn believed(node: &ClusterNode) -> Result<()> {
    match node.state {
        NodeState::Ok | NodeState::Suspected => Ok(()),
        NodeState::Failed | NodeState::Unreachable => Err(Error::from_fault(Fault::ServerBusy)
            .with_detail(format!("the cluster calls {} failed", node.address()))),
    }
}
