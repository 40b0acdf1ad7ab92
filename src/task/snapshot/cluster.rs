//! A snapshot of every shard of a cluster, in one folder.

use crate::error::Result;
use crate::file::folder::FolderPlace;
use crate::live::Clock;
use crate::live::cluster::{ClusterChanges, ClusterNodes, Look, SlotRange};
use crate::task::snapshot::options::{SnapshotOptions, SnapshotTarget};
use crate::task::snapshot::outcome::{SnapshotOutcome, SnapshotProgress};
use crate::task::snapshot::run::snapshot_watched;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// The snapshot of one shard.
///
/// See [`snapshot_cluster`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShardSnapshot {
    /// The slots that the shard served.
    pub slots: Vec<SlotRange>,
    /// The file in the folder, `from-slot-` and the first of its slots.
    pub file: String,
    /// Who was asked.
    pub address: String,
    /// What was taken, and what is in it.
    #[cfg_attr(feature = "json", serde(flatten))]
    pub outcome: SnapshotOutcome,
}

/// The snapshots of all shards, and whether keys may have moved between them meanwhile.
///
/// See [`snapshot_cluster`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClusterSnapshot {
    /// One for each shard.
    pub shards: Vec<ShardSnapshot>,
    /// What went on between the first of them and the last.
    pub changes: ClusterChanges,
    /// Whether the folder is in its place: it is only when all of them can be read to their ends.
    pub kept: bool,
    /// Where the folder is now that was in that place before.
    pub moved_to: Option<PathBuf>,
}

impl ClusterSnapshot {
    /// Whether all of it is in its place, nothing is wrong with it, and no slot moved meanwhile.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.kept
            && self.changes.is_empty()
            && self.changes.known
            && self.shards.iter().all(|shard| shard.outcome.is_sound())
    }
}

/// Takes a snapshot of every shard of a cluster, one after the other, into one folder that appears when
/// all of them are there.
///
/// They are not from one moment, and a key whose slot moves meanwhile may be in two of them or in none:
/// [`changes`](ClusterSnapshot::changes) says whether any did. With [`replica`](SnapshotOptions::replica)
/// each shard's replica is asked, with the rules there.
///
/// # Errors
/// As [`snapshot`](crate::task::snapshot()), and `Server` where a slot has no master. Nothing is in its
/// place then.
///
/// ```no_run
/// use redkeep::live::ConnectOptions;
/// use redkeep::live::cluster::ClusterNodes;
/// use redkeep::task::{SnapshotOptions, SnapshotTarget, snapshot_cluster};
/// use std::ops::ControlFlow;
/// # struct System;
/// # impl redkeep::live::Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let look = ClusterNodes::look(&[ConnectOptions::new("redis://10.0.0.1:7000")])?;
/// let target = SnapshotTarget::new("/backup/today");
/// let taken = snapshot_cluster(&look, &System, &SnapshotOptions::default(), &target, &mut |_| {
///     ControlFlow::Continue(())
/// })?;
/// assert!(taken.is_sound(), "{}", taken.changes);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn snapshot_cluster(
    look: &Look,
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    target: &SnapshotTarget,
    watch: &mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>,
) -> Result<ClusterSnapshot> {
    look.nodes.complete()?;
    let folder = FolderPlace::create(&target.path, target.replace)?;
    let mut shards = Vec::new();
    for shard in &look.nodes.shards {
        let mut server = shard.open_master(&look.asked)?;
        let address = server.address().to_owned();
        let first = shard.slots.first().map_or(0, |range| range.first);
        let file = format!("from-slot-{first:05}.rdb");
        let place = SnapshotTarget::new(folder.temporary().join(&file));
        let outcome = snapshot_watched(&mut server, clock, options, &place, watch)
            .map_err(|error| error.in_file(address.clone()))?;
        shards.push(ShardSnapshot { slots: shard.slots.clone(), file, address, outcome });
    }
    let after = ClusterNodes::look(&look.seeds())?;
    let changes = look.nodes.changed(&after.nodes);
    let kept = shards.iter().all(|shard| shard.outcome.kept);
    let moved_to = if kept { folder.commit()? } else { None };
    Ok(ClusterSnapshot { shards, changes, kept, moved_to })
}
