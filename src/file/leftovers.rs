//! What processes that were killed left beside the places of their files.
//!
//! Whoever writes under a temporary name holds a lock on it, which ends with the process however that
//! ends. What nobody holds is nobody's.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// How temporary names begin: the process and a number follow.
pub(crate) const PREFIX: &str = ".redkeep-";

/// Holds a new file or folder, so that nobody takes it for a leftover.
///
/// # Errors
/// `AlreadyExists` where somebody was quicker: then another name is needed.
pub(crate) fn claim(made: &File, name: &Path) -> io::Result<()> {
    match made.try_lock() {
        // Where there are no locks nobody removes anything.
        Ok(()) | Err(fs::TryLockError::Error(_)) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::AlreadyExists.into()),
    }
    match fs::symlink_metadata(name) {
        Ok(facts) if is_same(&facts, &made.metadata()?) => Ok(()),
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(io::ErrorKind::AlreadyExists.into())
        }
        Err(error) => Err(error),
    }
}

/// Removes what nobody holds. That it fails is no harm: it is there as it was before.
pub(crate) fn remove(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        if name.to_str().is_some_and(is_temporary) {
            let _ = remove_one(&entry.path());
        }
    }
}

fn is_temporary(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(process, n)| number(process) && number(n))
}

fn remove_one(path: &Path) -> io::Result<()> {
    // A pipe of that name would be waited for.
    let facts = fs::symlink_metadata(path)?;
    if !facts.is_file() && !facts.is_dir() {
        return Ok(());
    }
    let held = File::open(path)?;
    if held.try_lock().is_err() || !is_same(&fs::symlink_metadata(path)?, &held.metadata()?) {
        return Ok(());
    }
    if facts.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
