//! How the backups of an archive are.

mod finding;
mod judge;
mod metrics;
mod options;
mod report;
mod trend;

pub use finding::{StatusCode, StatusFinding, StatusLevel};
pub use options::StatusOptions;
pub use report::{Status, StatusBackup, StatusCounts, StatusRemains, StreamStatus};
pub use trend::{Change, Trend};

use crate::error::{Error, Fault, Result};
use crate::repo::Archive;
use crate::task::known::Stream;
use crate::time::UnixMillis;
use std::ops::ControlFlow;

/// Says how the backups of streams are: how many, how old, how far verified, how big, and what somebody
/// should look at. `now` says what time it is; `watch` is told how many backups of how many in a stream
/// were looked at, and may stop it.
///
/// It reads manifests and certificates and no other byte, locks nothing, and needs no key.
///
/// # Errors
/// `Store`: those of the store; `Cancelled`.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, store::MemoryStore};
/// use redkeep::task::{BackupOptions, StatusLevel, StatusOptions, backup, status};
/// use std::time::Duration;
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let archive = Archive::create(MemoryStore::new())?;
/// backup(&archive, dump, None, &|| UnixMillis::new(0), &BackupOptions::default())?;
///
/// let options = StatusOptions::default().max_age(Duration::from_secs(86_400));
/// let mut watch = |_, _| std::ops::ControlFlow::Continue(());
/// let status = status(&archive, &|| UnixMillis::new(90_000_000), &options, &mut watch)?;
/// assert_eq!(status.verdict, StatusLevel::Critical);
/// let finding = &status.streams[0].findings[0];
/// assert_eq!(finding.to_string(), "critical: the newest backup is 1d1h old, and 1d is allowed");
/// assert!(status.prometheus().contains("redkeep_newest_backup_age_seconds{stream=\"main\"} 90000.000\n"));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn status(
    archive: &Archive,
    now: &dyn Fn() -> UnixMillis,
    options: &StatusOptions,
    watch: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Status> {
    let at = now();
    let names = match &options.streams[..] {
        [] => archive.streams()?,
        named => named.to_vec(),
    };
    let mut streams = Vec::new();
    for name in names {
        let stream = Stream::read(archive, &name, &mut |read, of| match watch(read, of) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::from_fault(Fault::Cancelled)),
        })?;
        streams.push(StreamStatus::of(archive, name, &stream, at, options)?);
    }
    Ok(Status::of(archive.id(), at, streams))
}
