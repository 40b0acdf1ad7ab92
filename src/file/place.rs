//! A file that appears whole or not at all.

use crate::error::{Error, Result};
use crate::file::leftovers;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A new file beside its final place: synced, then renamed into it. Dropped before that, nothing
/// of it stays. A process that is killed leaves it under a name that begins with `.redkeep-`; whoever
/// makes the next one in that folder removes it.
///
/// ```
/// use redkeep::task::Place;
/// use std::io::Write;
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-place-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("dump.rdb");
/// let mut place = Place::create(&path, false)?;
/// place.write_all(b"REDIS0009")?;
/// assert!(!path.exists());
/// place.commit()?;
/// assert!(path.exists() && Place::create(&path, false).is_err());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct Place {
    /// None once it is committed.
    file: Option<File>,
    temporary: PathBuf,
    path: PathBuf,
    replace: bool,
}

impl Place {
    /// Begins a file that will be at `path`; one that is there already is kept unless `replace`.
    ///
    /// # Errors
    /// `Io` where one is there and not to be replaced, or where no file can be made in its folder.
    pub fn create(path: &Path, replace: bool) -> Result<Place> {
        // Found out now rather than after an hour's work; the commit looks again.
        if !replace && path.symlink_metadata().is_ok() {
            return Err(named(io::ErrorKind::AlreadyExists.into(), path));
        }
        let make = |temporary: &Path| {
            let file = OpenOptions::new().write(true).create_new(true).open(temporary)?;
            leftovers::claim(&file, temporary).map(|()| file)
        };
        let (temporary, file) = beside(path, make)?;
        Ok(Place { file: Some(file), temporary, path: path.to_owned(), replace })
    }

    /// Gives it the owner and the rights of another file.
    ///
    /// # Errors
    /// `Io` where it may not have them: a server could then not write to it.
    pub(crate) fn resemble(&self, other: &Path) -> Result<()> {
        let looks = fs::metadata(other).map(|facts| Looks::of(&facts));
        self.look(&looks.map_err(|error| named(error, &self.path))?)
    }

    /// Gives it an owner and rights.
    ///
    /// # Errors
    /// As [`resemble`](Self::resemble).
    pub(crate) fn look(&self, looks: &Looks) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        looks.give(file).map_err(|error| not_given(error, &self.path))
    }

    /// Lets nobody but its owner read it, where the system has such rights.
    #[cfg(all(feature = "repo", feature = "live", feature = "cli"))]
    pub(crate) fn keep_secret(&self) -> Result<()> {
        #[cfg(unix)]
        if let Some(file) = &self.file {
            use std::os::unix::fs::PermissionsExt;
            let secret = file.set_permissions(fs::Permissions::from_mode(0o600));
            secret.map_err(|error| named(error, &self.path))?;
        }
        Ok(())
    }

    /// Where the bytes are until they are in their place.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Puts the file in its place: its bytes first, then its name, then the folder that holds it.
    ///
    /// # Errors
    /// `Io` where that fails, or where a file has come to be at the place that is not to be replaced.
    pub fn commit(mut self) -> Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let commit = || {
            file.sync_all()?;
            match self.replace {
                true => fs::rename(&self.temporary, &self.path)?,
                false => rename_to_new(&self.temporary, &self.path)?,
            }
            sync_folder(folder_of(&self.path))
        };
        commit().map_err(|error| {
            let _ = fs::remove_file(&self.temporary);
            named(error, &self.path)
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nobody is there to hear that this failed, and nothing would follow from it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().map_or(Err(io::ErrorKind::NotConnected.into()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

/// Renames a file without ever replacing one.
pub(crate) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    // A link is refused where the name is taken, which a rename would overwrite.
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        // A file system without links: the moment between these two is the best there is.
        Err(_) if to.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

/// A second name for a file, or a copy of it where there are no links.
pub(crate) fn keep_as(path: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(path, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(named(error, to)),
        Err(_) => {
            let mut copy = Place::create(to, false)?;
            copy.resemble(path)?;
            let mut source = File::open(path).map_err(|error| named(error, path))?;
            io::copy(&mut source, &mut copy).map_err(|error| named(error, to))?;
            copy.commit()?;
        }
    }
    sync_folder(folder_of(to)).map_err(|error| named(error, to))
}

/// Makes something under a name beside `path` that nothing has, and [claims](leftovers::claim) it.
pub(crate) fn beside<T>(
    path: &Path,
    make: impl Fn(&Path) -> io::Result<T>,
) -> Result<(PathBuf, T)> {
    let process = std::process::id();
    leftovers::remove(folder_of(path));
    for n in 0..u32::MAX {
        let temporary = folder_of(path).join(format!("{}{process}-{n}", leftovers::PREFIX));
        match make(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (temporary, made)).map_err(|error| named(error, path)),
        }
    }
    Err(named(io::ErrorKind::AlreadyExists.into(), path))
}

/// The folder that a file is in; of a bare name the current one.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder last.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

pub(crate) fn named(error: io::Error, path: &Path) -> Error {
    Error::from(error).in_file(path.display().to_string())
}

/// The error of a file that could not get its owner or its rights.
pub(crate) fn not_given(error: io::Error, path: &Path) -> Error {
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    let error = named(error, path);
    match denied {
        true => error.with_detail(
            "it cannot be given to the owner of what is there: do this as that user, or as root",
        ),
        false => error,
    }
}

/// The owner and the rights of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Looks {
    /// User and group.
    #[cfg(unix)]
    owner: (u32, u32),
    /// None: as the process makes them.
    rights: Option<fs::Permissions>,
}

impl Looks {
    /// Those of something that is there.
    pub(crate) fn of(facts: &fs::Metadata) -> Looks {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Looks {
            #[cfg(unix)]
            owner: (facts.uid(), facts.gid()),
            rights: Some(facts.permissions()),
        }
    }

    /// The same owner with the rights of something else, or with the usual ones.
    #[cfg(feature = "live")]
    pub(crate) fn with_rights_of(&self, other: Option<&fs::Metadata>) -> Looks {
        Looks { rights: other.map(fs::Metadata::permissions), ..self.clone() }
    }

    /// Gives them to an open file or folder.
    pub(crate) fn give(&self, to: &File) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            let own = to.metadata()?;
            if (own.uid(), own.gid()) != self.owner {
                fchown(to, Some(self.owner.0), Some(self.owner.1))?;
            }
        }
        match &self.rights {
            Some(rights) => to.set_permissions(rights.clone()),
            None => Ok(()),
        }
    }

    /// Gives them to a folder.
    #[cfg(feature = "live")]
    pub(crate) fn give_folder(&self, path: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened as a file, and has no owner of this kind.
        if cfg!(unix) { self.give(&File::open(path)?) } else { Ok(()) }
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
        let mut place = Place::create(&path, false).unwrap();
        place.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(place);
        assert!(names(folder.path()).is_empty());
        let (mut one, mut other) =
            (Place::create(&path, false).unwrap(), Place::create(&path, false).unwrap());
        one.write_all(b"whole").unwrap();
        other.write_all(b"later").unwrap();
        one.commit().unwrap();
        assert!(other.commit().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out.rdb"]);
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.rdb");
        fs::write(&path, b"old").unwrap();
        let error = Place::create(&path, false).unwrap_err();
        assert_eq!(error.io_kind(), Some(io::ErrorKind::AlreadyExists));
        let mut place = Place::create(&path, true).unwrap();
        place.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        place.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["out.rdb"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Place::create(Path::new("/nowhere/out.rdb"), false).unwrap_err();
        assert!(error.is_io() && error.to_string().contains("/nowhere/out.rdb"));
    }
}
