//! Which backups go, and their going.

mod delete;
mod options;
mod outcome;
mod plan;

pub use options::PruneOptions;
pub use outcome::{PruneOutcome, PruneProgress};
pub use plan::{PruneFolder, PrunePlan};

use crate::error::{Error, Fault, Result};
use crate::repo::{Archive, Lock};
use crate::task::prune::delete::Work;
use crate::time::UnixMillis;
use std::ops::ControlFlow;

/// Deletes the backups of a stream that no rule keeps, and what killed writers left. `now` says what
/// time it is; `watch` is told how far it is, and may stop it between two backups.
///
/// What goes is decided by [`retain`](crate::repo::retention::retain()) from manifests and
/// [certificates](crate::repo::StoredBackup::state): never the newest verified backup, nor what a kept one
/// needs, nor one whose manifest cannot be read. Of each that goes the manifest is deleted first: one that is half
/// deleted is no backup, and goes with the remains. The stream is locked meanwhile, but not for a
/// [dry run](PruneOptions::dry_run), which changes nothing and says exactly what would be done.
///
/// Whoever reads a backup meanwhile that is deleted is told that objects are missing.
///
/// # Errors
/// `Store`: `LockHeld` where somebody else writes to the stream; those of the store. `ArchiveFormat` where a
/// backup was made in a later form: nobody here knows what it needs. `Cancelled`. Nothing was deleted then: what
/// ends it later is in the [outcome](PruneOutcome::stopped).
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, retention::RetentionOptions, store::MemoryStore};
/// use redkeep::task::{BackupOptions, PruneOptions, backup, prune};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let archive = Archive::create(MemoryStore::new())?;
/// let options = BackupOptions::default();
/// for day in 1..=3 {
///     backup(&archive, dump, None, &|| UnixMillis::new(day * 86_400_000), &options)?;
/// }
/// let (now, rules) = (|| UnixMillis::new(4 * 86_400_000), RetentionOptions::default().last(1));
/// let mut watch = |_: &_| std::ops::ControlFlow::Continue(());
/// let dry = PruneOptions::new(rules).dry_run(true);
/// let would = prune(&archive, &now, &dry, &mut watch)?;
/// assert_eq!((would.plan.forget.len(), would.deleted.len()), (2, 0));
///
/// let done = prune(&archive, &now, &dry.dry_run(false), &mut watch)?;
/// assert!(done.is_complete() && done.plan == would.plan);
/// assert_eq!(archive.backups(&options.stream)?.len(), 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn prune(
    archive: &Archive,
    now: &dyn Fn() -> UnixMillis,
    options: &PruneOptions,
    watch: &mut dyn FnMut(&PruneProgress) -> ControlFlow<()>,
) -> Result<PruneOutcome> {
    let at = now();
    let mut lock = match options.dry_run {
        true => None,
        false => Some(Lock::take(archive, &options.stream, &options.lock, at)?),
    };
    let mut progress = PruneProgress::default();
    let plan = PrunePlan::make(archive, at, options, &mut |read, of| {
        (progress.read, progress.backups) = (read, of);
        if let Some(lock) = &mut lock {
            lock.keep(now())?;
        }
        told(watch, &progress)
    })?;
    progress.to_free = plan.bytes();
    let mut outcome = PruneOutcome::new(options, at, plan);
    if let Some(lock) = lock {
        Work { archive, now, watch, lock, progress, outcome: &mut outcome }.run();
    }
    Ok(outcome)
}

fn told(
    watch: &mut dyn FnMut(&PruneProgress) -> ControlFlow<()>,
    progress: &PruneProgress,
) -> Result<()> {
    match watch(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::from_fault(Fault::Cancelled)),
    }
}
