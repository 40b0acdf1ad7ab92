//! Backups in a second archive, far away from the first.

mod options;
mod outcome;
mod work;

pub use options::{Arrival, CopyBackupOptions};
pub use outcome::{CopiedBackup, CopiedBackups, CopyBackupProgress};

use crate::error::{Error, Fault, Result};
use crate::repo::{Archive, BackupId, Listed, Lock, Problem, StreamName};
use crate::task::copy_backup::work::{Watch, Work};
use crate::task::known::says_nothing;
use crate::time::UnixMillis;
use std::collections::{BTreeMap, BTreeSet};

/// Copies a backup into a second archive, byte for byte as it is stored: no key is needed. The second has
/// to be a [mirror](Archive::open_or_create_mirror) of the first: manifests name their archive's id.
///
/// Digests are compared while bytes pass, and again of what [arrived](Arrival); the manifest comes last. So
/// it is there whole, or is no backup: what had arrived when it was interrupted stays and is not sent
/// again, unless the second archive is [pruned](crate::task::prune()) before. One that is there already is left as it is. Certificates come along that found nothing wrong,
/// unless a later one did; also to a backup that is there already.
///
/// The stream of the second archive is locked meanwhile. That of the first is not: what is deleted there
/// meanwhile is missing, and an error. `now` says what time it is; `watch` is told how far it is, and may
/// stop it.
///
/// # Errors
/// `Usage`: `ArchiveOther` where the second archive has another id; `Cancelled`. `Store`: `BackupNone` where
/// there is none of this id, or the second archive lacks one that it needs; `LockHeld`, `LockLost`, `StoreFull`,
/// those of the stores. `ObjectBig` where a volume is too big for the second store. `VolumeDigest`,
/// `VolumeShort`, `VolumeLong`, `ObjectMissing`, `BackupDigest` where objects are not what was recorded, in
/// the first archive or on arrival; `BackupOther` where the second has another backup of this id.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, store::MemoryStore};
/// use redkeep::task::{BackupOptions, CopyBackupOptions, backup, copy_backup};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let (here, now) = (Archive::create(MemoryStore::new())?, || UnixMillis::new(0));
/// let made = backup(&here, dump, None, &now, &BackupOptions::default())?.manifest;
/// let far_away = Archive::open_or_create_mirror(MemoryStore::new(), here.id())?;
///
/// let options = CopyBackupOptions::default();
/// let mut watch = |_: &_| std::ops::ControlFlow::Continue(());
/// let copied =
///     copy_backup(&here, &far_away, &made.stream, made.backup, &now, &options, &mut watch)?;
/// assert!(copied.is_new && copied.bytes >= made.stored_bytes());
/// assert_eq!(far_away.backup(&made.stream, made.backup)?.manifest(), &made);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn copy_backup(
    source: &Archive,
    target: &Archive,
    stream: &StreamName,
    id: BackupId,
    now: &dyn Fn() -> UnixMillis,
    options: &CopyBackupOptions,
    watch: Watch<'_>,
) -> Result<CopiedBackup> {
    target.must_be(source.id())?;
    let stored = source.backup(stream, id)?;
    let lock = Lock::take(target, stream, &options.lock, now())?;
    let progress = CopyBackupProgress { id, bytes: 0, len: 0, number: 1, of: 1 };
    let mut work = Work { target, now, options, watch, lock, progress };
    let copied = work.backup(&stored)?;
    // It is there whatever becomes of the lock, which ends by itself.
    let _ = work.lock.release();
    Ok(copied)
}

/// Copies all backups of a stream that are not in the second archive yet, as [`copy_backup`] does: the newest
/// first, but those that one needs before it.
///
/// One that is damaged does not keep the others from being copied, and is told of.
///
/// # Errors
/// `Store`: `BackupNone` where the first has none in this stream. Those of [`copy_backup`] that are not about one
/// backup: what was copied until then is there.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, store::MemoryStore};
/// use redkeep::task::{BackupOptions, CopyBackupOptions, backup, copy_missing};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let here = Archive::create(MemoryStore::new())?;
/// let made = BackupOptions::default();
/// for ms in [5, 10] {
///     backup(&here, dump, None, &|| UnixMillis::new(ms), &made)?;
/// }
/// let far_away = Archive::open_or_create_mirror(MemoryStore::new(), here.id())?;
/// let (options, now) = (CopyBackupOptions::default(), || UnixMillis::new(0));
/// let mut watch = |_: &_| std::ops::ControlFlow::Continue(());
/// let first = copy_missing(&here, &far_away, &made.stream, &now, &options, &mut watch)?;
/// let again = copy_missing(&here, &far_away, &made.stream, &now, &options, &mut watch)?;
/// assert_eq!((first.copied.len(), again.copied.len(), again.there), (2, 0, 2));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn copy_missing(
    source: &Archive,
    target: &Archive,
    stream: &StreamName,
    now: &dyn Fn() -> UnixMillis,
    options: &CopyBackupOptions,
    watch: Watch<'_>,
) -> Result<CopiedBackups> {
    target.must_be(source.id())?;
    let here = source.backups(stream)?;
    if here.is_empty() {
        // Rather a slip in the name than a stream that is safe.
        let detail = format!("none in stream {stream}");
        return Err(Error::from_fault(Fault::BackupNone).with_detail(detail));
    }
    let lock = Lock::take(target, stream, &options.lock, now())?;
    let there = target.backups(stream)?.into_iter().map(|listed| (listed.id, listed));
    let there: BTreeMap<BackupId, Listed> = there.collect();
    // A certificate that came later is worth a look.
    let is_left = |listed: &&Listed| match there.get(&listed.id) {
        None => true,
        Some(there) => !listed.certificates.iter().all(|name| there.certificates.contains(name)),
    };
    let mut left: Vec<BackupId> = here.iter().filter(is_left).map(|listed| listed.id).collect();
    let missing: BTreeSet<BackupId> =
        left.iter().filter(|id| !there.contains_key(id)).copied().collect();
    let mut outcome = CopiedBackups::new(stream.clone(), (here.len() - missing.len()) as u64);
    // The newest stands at its end.
    let Some(id) = left.last().copied() else { return Ok(outcome) };
    let progress = CopyBackupProgress { id, bytes: 0, len: 0, number: 0, of: left.len() as u64 };
    let mut work = Work { target, now, options, watch, lock, progress };
    let (mut begun, mut done) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = left.pop() {
        if done.contains(&id) {
            continue;
        }
        let copied = source.backup(stream, id).and_then(|stored| {
            let needs = stored.manifest().needs.intersection(&missing);
            let needs: Vec<BackupId> =
                needs.filter(|need| !done.contains(*need)).copied().collect();
            // Needs that go round are not looked at twice.
            if begun.insert(id) && !needs.is_empty() {
                left.push(id);
                left.extend(needs);
                return Ok(None);
            }
            work.progress.number += 1;
            work.backup(&stored).map(Some)
        });
        match copied {
            Ok(None) => continue,
            Ok(Some(copied)) => outcome.add(copied),
            // Deleted meanwhile.
            Err(error) if is_of_one(&error) && is_gone(source, stream, id)? => {}
            Err(error) if is_of_one(&error) => {
                outcome.failures.push(Problem::of(&format!("{stream}/{id}"), &error));
            }
            Err(error) => return Err(error),
        }
        done.insert(id);
    }
    let _ = work.lock.release();
    Ok(outcome)
}

fn is_gone(archive: &Archive, stream: &StreamName, id: BackupId) -> Result<bool> {
    Ok(!archive.has_manifest(stream, id)?)
}

/// Whether an error says something of one backup, so that others may do better.
fn is_of_one(error: &Error) -> bool {
    let of_one = [Fault::ArchiveFormat, Fault::BackupNone, Fault::ObjectBig, Fault::ObjectMissing];
    let named = error.fault().is_some_and(|fault| of_one.contains(&fault));
    !says_nothing(error) && (named || error.is_corrupt() || error.is_truncated())
}
