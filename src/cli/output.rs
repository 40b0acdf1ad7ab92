//! A file that appears whole or not at all.

use crate::cli::stop;
use crate::error::{Error, Fault, Result};
use crate::file::place::{Place, named};
use std::io::{self, Write};
use std::path::Path;

/// A new file beside its final place: synced, then renamed into it. Dropped before that, nothing
/// of it stays.
pub(crate) struct Output(Place);

impl Output {
    /// Begins a file that will be at `path`; one that is there already is kept unless `replace`.
    pub(crate) fn create(path: &Path, replace: bool) -> Result<Output> {
        if !replace && path.symlink_metadata().is_ok() {
            let why = "it exists already, and --force was not given";
            return Err(named(io::Error::new(io::ErrorKind::AlreadyExists, why), path));
        }
        Place::create(path, replace).map(Output)
    }

    /// Lets nobody else read it.
    #[cfg(all(feature = "repo", feature = "live"))]
    pub(crate) fn keep_secret(&self) -> Result<()> {
        self.0.keep_secret()
    }

    /// Whether this is the same file as one that is open for reading.
    pub(crate) fn would_replace(path: &Path, source: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        real(path).is_some() && real(path) == real(source)
    }

    /// Puts the file in its place: its bytes first, then its name, then the folder that holds it.
    pub(crate) fn commit(self) -> Result<()> {
        self.0.commit()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is dropped now leaves nothing behind.
        if stop::is_asked() {
            return Err(io::Error::other(Error::from_fault(Fault::Cancelled)));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_kept_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.rdb");
        std::fs::write(&path, b"old").unwrap();
        let error = Output::create(&path, false).err().unwrap().to_string();
        assert!(error.contains("--force"), "{error}");
        let mut output = Output::create(&path, true).unwrap();
        output.write_all(b"new").unwrap();
        output.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Output::create(Path::new("/nowhere/out.rdb"), false).err().unwrap();
        assert!(error.is_io() && error.to_string().contains("/nowhere/out.rdb"));
    }
}
