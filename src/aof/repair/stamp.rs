//! What tells that a file is still the one that was looked at.

use crate::error::{Error, Result};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Size, time of change and identity of a file.
///
/// ```
/// use redkeep::aof::repair::Stamp;
/// let path = std::env::temp_dir().join(format!("redkeep-doc-stamp-{}", std::process::id()));
/// std::fs::write(&path, b"one")?;
/// let before = Stamp::of(&path)?;
/// std::fs::write(&path, b"other")?;
/// assert_ne!(Stamp::of(&path)?, before);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stamp {
    /// Bytes in it.
    pub size: u64,
    /// Nanoseconds since 1970 of its last change, where the system tells.
    pub modified: Option<u64>,
    /// Device and number of the file, where the system has such.
    pub identity: Option<(u64, u64)>,
}

impl Stamp {
    /// That of a file as it is now.
    ///
    /// # Errors
    /// `Io` where it cannot be looked at.
    pub fn of(path: &Path) -> Result<Stamp> {
        let facts = fs::metadata(path)
            .map_err(|error| Error::io(error, None).in_file(path.display().to_string()))?;
        let modified = facts.modified().ok();
        let since = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Ok(Stamp {
            size: facts.len(),
            modified: since.and_then(|since| u64::try_from(since.as_nanos()).ok()),
            identity: identity(&facts),
        })
    }
}

#[cfg(unix)]
fn identity(facts: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((facts.dev(), facts.ino()))
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}
