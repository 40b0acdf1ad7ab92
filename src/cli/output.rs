//! A file that appears whole or not at all.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A new file beside its final place: synced, then renamed into it. Dropped before that, nothing
/// of it stays.
pub(crate) struct Output {
    file: NamedTempFile,
    path: PathBuf,
    replace: bool,
}

impl Output {
    /// Begins a file that will be at `path`; one that is there already is kept unless `replace`.
    pub(crate) fn create(path: &Path, replace: bool) -> Result<Output> {
        let begin = || {
            // Found out now rather than after an hour's work; the commit looks again.
            if !replace && path.symlink_metadata().is_ok() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "it exists already, and --force was not given",
                ));
            }
            let mut builder = tempfile::Builder::new();
            builder.prefix(".redkeep-");
            // As any new file: what the umask allows, and not the owner alone.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            builder.tempfile_in(folder_of(path))
        };
        let file = begin().map_err(|error| named(error, path))?;
        Ok(Output { file, path: path.to_owned(), replace })
    }

    /// Whether this is the same file as one that is open for reading.
    pub(crate) fn would_replace(path: &Path, source: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        real(path).is_some() && real(path) == real(source)
    }

    /// Puts the file in its place: its bytes first, then its name, then the folder that holds it.
    pub(crate) fn commit(self) -> Result<()> {
        let Output { file, path, replace } = self;
        let commit = || -> io::Result<()> {
            file.as_file().sync_all()?;
            match replace {
                true => file.persist(&path)?,
                false => file.persist_noclobber(&path)?,
            };
            File::open(folder_of(&path))?.sync_all()
        };
        commit().map_err(|error| named(error, &path))
    }
}

/// The folder that a file is in; of a bare name the current one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn named(error: io::Error, path: &Path) -> Error {
    Error::from(error).in_file(path.display().to_string())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.rdb");
        let mut output = Output::create(&path, false).unwrap();
        output.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(output);
        assert!(names(folder.path()).is_empty());
        let mut output = Output::create(&path, false).unwrap();
        output.write_all(b"whole").unwrap();
        output.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out.rdb"]);
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.rdb");
        let early = Output::create(&path, false).unwrap();
        std::fs::write(&path, b"old").unwrap();
        assert!(Output::create(&path, false).is_err());
        assert!(early.commit().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["out.rdb"]);
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
