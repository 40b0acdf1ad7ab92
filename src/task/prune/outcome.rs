//! What was deleted, and how far that is.

use crate::repo::{BackupId, Problem, StreamName};
use crate::task::prune::options::PruneOptions;
use crate::task::prune::plan::PrunePlan;
use crate::time::UnixMillis;
use serde::Serialize;

/// What became of a stream that was pruned.
///
/// See [`prune`](crate::task::prune()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PruneOutcome {
    /// The stream.
    pub stream: StreamName,
    /// The time that the plan was made for.
    pub at: UnixMillis,
    /// Whether nothing was to be done: then the plan is all there is.
    pub dry_run: bool,
    /// What was to be deleted, and why.
    pub plan: PrunePlan,
    /// Backups that are gone, from the newest to the oldest. If something of one could not be deleted,
    /// that is among the failures, and found as remains by the next run.
    pub deleted: Vec<BackupId>,
    /// Remains that are gone.
    pub remains_deleted: Vec<BackupId>,
    /// Bytes of all objects that are gone.
    pub bytes_freed: u64,
    /// What could not be deleted: `store_denied` where the store keeps what it has. The others were
    /// deleted all the same.
    pub failures: Vec<Problem>,
    /// What ended it before all was tried: `lock_lost`, `cancelled`, or a store that cannot be reached. The
    /// next run does the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Problem>,
}

impl PruneOutcome {
    pub(super) fn new(options: &PruneOptions, at: UnixMillis, plan: PrunePlan) -> PruneOutcome {
        PruneOutcome {
            stream: options.stream.clone(),
            at,
            dry_run: options.dry_run,
            plan,
            deleted: Vec::new(),
            remains_deleted: Vec::new(),
            bytes_freed: 0,
            failures: Vec::new(),
            stopped: None,
        }
    }

    /// Whether all was done that was to be done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.stopped.is_none()
    }
}

/// How far it is.
///
/// See [`prune`](crate::task::prune()).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PruneProgress {
    /// Backups whose manifests were read.
    pub read: u64,
    /// All backups of the stream.
    pub backups: u64,
    /// Bytes of objects that are gone.
    pub freed: u64,
    /// Bytes of all that is to go; 0 before that is known.
    pub to_free: u64,
}
