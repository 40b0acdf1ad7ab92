//! A snapshot of a server, kept where it belongs: checked while it comes, and in its place only when all
//! of it came and can be read.
//!
//! [`snapshot`] chooses the way by [`probe`](crate::live::probe), or takes the one that was asked for;
//! [`take`] is given one. Both put a dump at a path, or a log where the files of a server are taken and
//! it keeps one.

mod auto;
mod cluster;
mod keeper;
mod options;
mod outcome;
mod replica;
mod run;

#[cfg(feature = "repo")]
pub(super) use auto::StartsOver;
pub(super) use auto::{Receives, taken};
pub use cluster::{ClusterSnapshot, ShardSnapshot, snapshot_cluster};
#[cfg(feature = "repo")]
pub(super) use keeper::ends;
pub use options::{ReplicaOptions, SnapshotOptions, SnapshotTarget};
pub use outcome::{LogOutcome, ReplicaUse, SnapshotOutcome, SnapshotProgress};
#[cfg(feature = "repo")]
pub(super) use run::{Run, run};
pub use run::{snapshot, snapshot_of_files, snapshot_watched, take};
