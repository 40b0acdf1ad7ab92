//! A file as memory, for random access to large dumps. The one place with unsafe code.
//!
//! For one pass over a file a [`StreamReader`](crate::rdb::StreamReader) is quicker.

use crate::error::{Error, Result};
use bytes::Bytes;
use memmap2::Mmap;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

/// A file mapped into memory, read-only.
///
/// The file must not be shortened while it is mapped: reading behind its new end ends the process
/// (SIGBUS). Dumps are safe in that, for servers replace them by renaming and never rewrite them.
///
/// ```
/// use redkeep::rdb::SliceReader;
/// use redkeep::wire::mmap::MappedFile;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("dump.rdb");
/// # std::fs::write(&path, b"REDIS0003\xfe\x00\x00\x01k\x01v\xff")?;
/// let file = MappedFile::open(&path)?;
/// assert_eq!(SliceReader::new(&file).filter_map(Result::ok).count(), 4);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct MappedFile(Option<Mmap>);

impl MappedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// `Io` when it cannot be opened or mapped.
    pub fn open(path: impl AsRef<Path>) -> Result<MappedFile> {
        let path = path.as_ref();
        Self::of(path).map_err(|error| error.in_file(path.display().to_string()))
    }

    fn of(path: &Path) -> Result<MappedFile> {
        let file = File::open(path)?;
        // A map of nothing is refused by some systems.
        if file.metadata()?.len() == 0 {
            return Ok(MappedFile(None));
        }
        map(&file).map(|map| MappedFile(Some(map)))
    }

    /// The file as shared bytes, without copying: slices of it keep the map alive.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.map(Bytes::from_owner).unwrap_or_default()
    }
}

#[expect(
    unsafe_code,
    reason = "a map is only as constant as its file, which no safe function can promise; \
              the type's documentation passes that duty on"
)]
fn map(file: &File) -> Result<Mmap> {
    // SAFETY: the map is private to this type and read-only; that nobody shortens the file
    // meanwhile is the caller's part.
    unsafe { Mmap::map(file) }.map_err(Error::from)
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_holds_the_files_bytes_and_an_empty_file_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, b"abc").unwrap();
        let bytes = MappedFile::open(&path).unwrap().into_bytes();
        assert_eq!(bytes.slice(1..), b"bc"[..]);
        std::fs::write(&path, b"").unwrap();
        assert!(MappedFile::open(&path).unwrap().is_empty());
        let error = MappedFile::open(folder.path().join("none")).unwrap_err();
        assert!(error.is_io() && error.to_string().contains("none"));
    }
}
