//! What people come for, one verb a file: each is a plain function over readers and writers, with
//! options in and an outcome out. Nothing here prints.
//!
//! What has to appear whole or not at all, under a name of its own, goes through [`Place`] (a file)
//! or [`LogFolder`] (a log of several files).

mod aof;
#[cfg(feature = "repo")]
mod backup;
#[cfg(feature = "json")]
mod cat;
#[cfg(feature = "live")]
mod copy;
#[cfg(feature = "repo")]
mod copy_backup;
mod copy_checked;
#[cfg(feature = "live")]
pub mod data_dir;
#[cfg(all(feature = "repo", feature = "live"))]
mod drill;
mod extract;
#[cfg(feature = "repo")]
mod fetch;
#[cfg(feature = "repo")]
mod known;
pub(crate) mod log_folder;
#[cfg(feature = "repo")]
mod prune;
mod repair;
#[cfg(feature = "live")]
mod restore;
#[cfg(feature = "live")]
mod snapshot;
mod split;
#[cfg(feature = "repo")]
mod status;
#[cfg(feature = "repo")]
mod stored_dump;
#[cfg(feature = "repo")]
mod verify;

pub use crate::file::place::Place;
pub use aof::{AofOptions, AofOutcome, aof_from_aof, aof_from_dump, dump_from_aof};
#[cfg(feature = "repo")]
pub use backup::{
    BackupOptions, BackupOutcome, BackupProgress, SealChoice, backup, backup_watched,
};
#[cfg(all(feature = "repo", feature = "live"))]
pub use backup::{backup_cluster, backup_files, backup_server};
#[cfg(feature = "json")]
pub use cat::{CatFormat, CatOptions, CatOutcome, cat_aof};
#[cfg(feature = "live")]
pub use copy::{CopyOutcome, copy};
#[cfg(feature = "repo")]
pub use copy_backup::{
    Arrival, CopiedBackup, CopiedBackups, CopyBackupOptions, CopyBackupProgress, copy_backup,
    copy_missing,
};
pub use copy_checked::copy_checked;
#[cfg(all(feature = "repo", feature = "live"))]
pub use drill::{DrillOptions, DrillOutcome, ServerDrill, drill};
pub use extract::{ExtractOptions, ExtractOutcome, extract};
#[cfg(all(feature = "repo", feature = "live"))]
use fetch::fetch_shard;
#[cfg(feature = "repo")]
pub use fetch::{FetchOptions, Fetched, fetch};
pub use log_folder::{LogFolder, LogTarget, PlacedFolder, SingleLog};
#[cfg(feature = "repo")]
pub use prune::{PruneFolder, PruneOptions, PruneOutcome, PrunePlan, PruneProgress, prune};
pub use repair::{RepairOutcome, RepairPlace, RepairStep, repair, repair_watched};
#[cfg(all(feature = "live", feature = "digest"))]
pub use restore::compare;
#[cfg(feature = "live")]
pub use restore::{RestoreChoice, Restored, restore};
#[cfg(feature = "live")]
pub use snapshot::{
    ClusterSnapshot, LogOutcome, ReplicaOptions, ReplicaUse, ShardSnapshot, SnapshotOptions,
    SnapshotOutcome, SnapshotProgress, SnapshotTarget, snapshot, snapshot_cluster,
    snapshot_of_files, snapshot_watched, take,
};
pub use split::{SplitBy, SplitOptions, SplitOutcome, SplitPart, split};
#[cfg(feature = "repo")]
pub use status::{
    Change, Status, StatusBackup, StatusCode, StatusCounts, StatusFinding, StatusLevel,
    StatusOptions, StatusRemains, StreamStatus, Trend, status,
};
#[cfg(feature = "repo")]
pub use stored_dump::StoredDump;
#[cfg(feature = "repo")]
pub use verify::{VerifyOptions, verify};
