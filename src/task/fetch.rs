//! A backup out of the archive, as it went in.

use crate::aof;
use crate::error::{Error, Result};
use crate::file::folder::FolderPlace;
use crate::file::place::Place;
use crate::repo::seal::OpenOptions;
use crate::repo::{Details, Part, Shard, StoredBackup};
use crate::task::log_folder::{LogFolder, LogTarget};
use serde::Serialize;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How a backup is fetched.
///
/// ```
/// use redkeep::task::FetchOptions;
/// assert!(!FetchOptions::default().replace);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FetchOptions {
    /// Keys, and limits of memory.
    pub open: OpenOptions,
    /// Whether what is there is replaced: a file is written over, a folder moved aside. Default: no.
    pub replace: bool,
}

impl FetchOptions {
    /// Sets [`open`](Self::open).
    #[must_use]
    pub fn open(mut self, options: OpenOptions) -> Self {
        self.open = options;
        self
    }

    /// Sets [`replace`](Self::replace).
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }
}

/// What was fetched.
///
/// See [`fetch`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fetched {
    /// Bytes of all files.
    pub bytes: u64,
    /// Whether it is a folder: of a log of parts, or with a dump for each shard.
    pub folder: bool,
    /// Where the folder is now that was in that place before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<PathBuf>,
}

/// Puts the files of a backup at a path: a dump or a log as a file, a log of parts as a folder, and the
/// shards of a cluster as a folder with a dump for each.
///
/// It appears there whole, with the very bytes that went in, or not at all: all digests are compared
/// before. `watch` is told how many plain bytes of how many there are, and may stop it.
///
/// # Errors
/// `Io` where something is there that is not to be replaced, or it cannot be written; `SealNoKey` and what
/// else keeps parts from being opened; `BackupContent`; `Cancelled`.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, store::MemoryStore};
/// use redkeep::task::{BackupOptions, FetchOptions, backup, fetch};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// # let path = std::env::temp_dir().join(format!("redkeep-doc-fetch-{}", std::process::id()));
/// let archive = Archive::create(MemoryStore::new())?;
/// let made = backup(&archive, dump, None, &|| UnixMillis::new(0), &BackupOptions::default())?.manifest;
/// let stored = archive.backup(&made.stream, made.backup)?;
/// let fetched = fetch(&stored, &path, &FetchOptions::default(), &mut |_, _| {
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert_eq!((fetched.bytes, std::fs::read(&path)?), (17, dump.to_vec()));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn fetch(
    stored: &StoredBackup,
    path: &Path,
    options: &FetchOptions,
    watch: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Fetched> {
    let manifest = stored.manifest();
    let details = stored.details(&options.open)?;
    let len = manifest.plain_bytes();
    let mut work = Work { stored, details, options, watch, bytes: 0, len };
    let (folder, moved_to) = match &manifest.shards[..] {
        [shard] => work.shard(shard, path, options.replace)?,
        shards => {
            let place = FolderPlace::create(path, options.replace)?;
            for shard in shards {
                let ending = if shard.log.is_some() { "aof" } else { "rdb" };
                let path = place.temporary().join(format!("{}.{ending}", shard.name));
                work.shard(shard, &path, false)?;
            }
            (true, place.commit()?)
        }
    };
    Ok(Fetched { bytes: work.bytes, folder, moved_to })
}

/// One shard of a backup, to a path.
#[cfg(feature = "live")]
pub(super) fn fetch_shard(
    stored: &StoredBackup,
    shard: &Shard,
    path: &Path,
    options: &FetchOptions,
) -> Result<()> {
    let details = stored.details(&options.open)?;
    let watch = &mut |_, _| ControlFlow::Continue(());
    let mut work = Work { stored, details, options, watch, bytes: 0, len: shard.content.bytes };
    work.shard(shard, path, options.replace).map(drop)
}

struct Work<'a> {
    stored: &'a StoredBackup,
    details: Details,
    options: &'a FetchOptions,
    watch: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    bytes: u64,
    len: u64,
}

impl Work<'_> {
    /// Puts a shard in its place: whether that is a folder, and where the one before is now.
    fn shard(
        &mut self,
        shard: &Shard,
        path: &Path,
        replace: bool,
    ) -> Result<(bool, Option<PathBuf>)> {
        match &shard.log {
            Some(form) if form.layout == aof::Layout::Parts => {
                let mut folder = LogFolder::create(path, &form.name, replace)?;
                for part in &shard.parts {
                    let (Some(kind), Some(content)) = (part.kind, part.begins_with) else {
                        return Err(Error::usage(format!(
                            "what {} is in its log is not recorded",
                            part.file
                        )));
                    };
                    folder.begin(kind, content)?;
                    self.part(part, &mut folder)?;
                }
                Ok((true, folder.commit()?.moved_to))
            }
            _ => {
                let mut place = Place::create(path, replace)?;
                for part in &shard.parts {
                    self.part(part, &mut place)?;
                }
                place.commit()?;
                Ok((false, None))
            }
        }
    }

    fn part(&mut self, part: &Part, to: &mut dyn Write) -> Result<()> {
        let (stored, details, options) = (self.stored, &self.details, self.options);
        let (watch, bytes, len) = (&mut *self.watch, &mut self.bytes, self.len);
        stored.whole(part, Some(details), &options.open, |source| {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = source.read(&mut buffer)?;
                if read == 0 {
                    return Ok(to.flush()?);
                }
                to.write_all(buffer.get(..read).unwrap_or_default())?;
                *bytes += read as u64;
                if watch(*bytes, len).is_break() {
                    return Err(Error::from_fault(crate::Fault::Cancelled));
                }
            }
        })
    }
}
