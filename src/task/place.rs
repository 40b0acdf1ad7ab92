//! A file that appears whole or not at all.

use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Names that are tried for what is not finished yet.
const ATTEMPTS: u32 = 1000;

/// A new file beside its final place: synced, then renamed into it. Dropped before that, nothing
/// of it stays.
#[derive(Debug)]
pub(crate) struct Place {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    replace: bool,
    done: bool,
}

impl Place {
    /// Begins a file that will be at `path`; one that is there already is kept unless `replace`.
    pub(crate) fn create(path: &Path, replace: bool) -> Result<Place> {
        // Found out now rather than after an hour's work; the commit looks again.
        if !replace && path.symlink_metadata().is_ok() {
            return Err(named(taken(), path));
        }
        let (file, temporary) = temporary(path).map_err(|error| named(error, path))?;
        Ok(Place { file, temporary, path: path.to_owned(), replace, done: false })
    }

    /// Gives it the owner and the rights of another file.
    ///
    /// # Errors
    /// `Io` where it may not have them: a server could then not write to it.
    pub(crate) fn resemble(&self, other: &Path) -> Result<()> {
        let resemble = || {
            let facts = fs::metadata(other)?;
            self.file.set_permissions(facts.permissions())?;
            same_owner(&self.file, &facts)
        };
        resemble().map_err(|error| named(error, &self.path))
    }

    /// Where the bytes are until they are in their place.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Puts the file in its place: its bytes first, then its name, then the folder that holds it.
    pub(crate) fn commit(mut self) -> Result<()> {
        let commit = |place: &mut Place| {
            place.file.sync_all()?;
            match place.replace {
                true => fs::rename(&place.temporary, &place.path)?,
                false => rename_to_new(&place.temporary, &place.path)?,
            }
            place.done = true;
            sync_folder(&place.path)
        };
        commit(&mut self).map_err(|error| named(error, &self.path))
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Renames a file without ever replacing one.
pub(crate) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    // A link is refused where the name is taken; where there are no links, looking has to do.
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) if to.symlink_metadata().is_ok() => Err(taken()),
        Err(_) => fs::rename(from, to),
    }
}

/// Makes sure that what was renamed in the folder of a file stays so.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Only of Unix it is known that a folder can be opened and synced.
    match cfg!(unix) {
        true => File::open(folder_of(path))?.sync_all(),
        false => Ok(()),
    }
}

/// The folder that a file is in; of a bare name the current one.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn temporary(path: &Path) -> io::Result<(File, PathBuf)> {
    let process = std::process::id();
    for attempt in 0..ATTEMPTS {
        let temporary = folder_of(path).join(format!(".redkeep-{process}-{attempt}.tmp"));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return Ok((file?, temporary)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no name is free for what is not finished"))
}

fn taken() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "it exists already")
}

pub(crate) fn named(error: io::Error, path: &Path) -> Error {
    Error::from(error).in_file(path.display().to_string())
}

#[cfg(unix)]
fn same_owner(file: &File, like: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}

#[cfg(not(unix))]
fn same_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
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
        let mut place = Place::create(&path, false).unwrap();
        place.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(place);
        assert!(names(folder.path()).is_empty());
        let mut place = Place::create(&path, false).unwrap();
        place.write_all(b"whole").unwrap();
        place.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out.rdb"]);
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.rdb");
        let early = Place::create(&path, false).unwrap();
        fs::write(&path, b"old").unwrap();
        assert!(Place::create(&path, false).is_err());
        assert!(early.commit().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["out.rdb"]);
        let mut place = Place::create(&path, true).unwrap();
        place.write_all(b"new").unwrap();
        place.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn two_at_once_in_one_folder_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let places =
            ["a", "b"].map(|name| Place::create(&folder.path().join(name), false).unwrap());
        for mut place in places {
            place.write_all(b"x").unwrap();
            place.commit().unwrap();
        }
        assert_eq!(names(folder.path()).len(), 2);
        assert!(Place::create(Path::new("/nowhere/out"), false).unwrap_err().is_io());
    }
}
