//! How much room a disk has.

use std::path::Path;

/// Bytes that who runs this may still write in a folder's file system; `None` where nobody can say.
#[cfg(unix)]
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(folder).ok()?;
    facts.f_bavail.checked_mul(facts.f_frsize)
}

#[cfg(not(unix))]
pub(crate) fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_has_some_room_and_a_missing_one_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(folder.path()) > Some(0));
        assert_eq!(free(&folder.path().join("none")), None);
    }
}
