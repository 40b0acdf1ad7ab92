//! The nodes of a cluster: who has which slots, and whether slots moved meanwhile.
//!
//! [`ClusterNodes::look`] asks one node for the others, and then each master for what only it knows: the
//! slots that it is giving away or getting. All of it is asked for by `CLUSTER NODES`, which every version
//! has and which alone tells moving slots; `CLUSTER SLOTS` adds the addresses that the nodes want clients
//! to use, and serves alone where `CLUSTER NODES` is not open. A user needs `+cluster|nodes`
//! and `+cluster|slots`, and `+role` or `+info`; for replicas
//! `+readonly` too.
//!
//! A snapshot of a cluster is one of each shard. They are not from one moment, and a key whose slot moved
//! meanwhile may be in two of them or in none: look before and after, and ask
//! [`changed`](ClusterNodes::changed).
//!
//! ```no_run
//! use redkeep::live::{ConnectOptions, cluster::ClusterNodes};
//! let seed = ConnectOptions::new("redis://10.0.0.1:7000").username("backup").password("s3cret");
//! let before = ClusterNodes::look(&[seed])?;
//! before.nodes.complete()?; // or some slots have no node
//! for shard in &before.nodes.shards {
//!     let mut server = shard.open_replica(&before.asked)?; // or open_master; then a snapshot
//! }
//! let after = ClusterNodes::look(&before.seeds())?;
//! let changes = before.nodes.changed(&after.nodes);
//! assert!(changes.is_empty(), "keys may be missing or twice: {changes}");
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! Who writes into a cluster asks [`ClusterNodes::shard_of`] (or [`ClusterNodes::table`], for many keys)
//! with the [`slot`](crate::select::slot()) of a key, and [`ClusterNode::options`] for the way to a node:
//! the same login, TLS and time limits as those of the node that was asked.

mod look;
mod node;
mod nodes;

pub use look::{Look, Silent};
pub use node::{ClusterNode, MovingSlot, NodeState, SlotRange};
pub use nodes::{ClusterChanges, ClusterNodes, Shard};
