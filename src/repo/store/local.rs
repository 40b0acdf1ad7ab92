//! Objects as files below a folder.

use crate::error::{Error, Fault, Result};
use crate::file::leftovers;
use crate::file::place::{Place, folder_of, sync_folder};
use crate::file::space;
use crate::repo::store::contract::{exists, folder_error, missing};
use crate::repo::store::{IfExists, Object, ObjectName, ObjectWriter, Store};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A folder whose files are the objects, each at the path that its name says.
///
/// A file is written beside its place under a name that begins with `.redkeep-`, synced, given its
/// name and its folder synced, in that order: after a crash or a power cut it is there whole or not at
/// all. What a process that was killed left is removed by whoever next writes to that folder, or by
/// [`clean`](Store::clean). Where the file system has hard links no object is ever overwritten unasked;
/// without them there is a moment between looking and renaming.
///
/// Folders come with the first object in them and go with the last. Symbolic links and files with other
/// names than objects have are left alone and not listed. An object cannot have the name of a folder.
///
/// ```
/// use redkeep::repo::store::{IfExists, LocalStore, ObjectName, Store};
/// # let root = std::env::temp_dir().join(format!("redkeep-doc-local-{}", std::process::id()));
/// # std::fs::create_dir_all(&root)?;
/// let store = LocalStore::open(&root)?;
/// store.put(&ObjectName::new("prod/note")?, b"by hand", IfExists::Refuse)?;
/// assert_eq!(std::fs::read(root.join("prod/note"))?, b"by hand");
/// # std::fs::remove_dir_all(&root)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// Opens a folder, which must be there: one that is made here might hide a disk that is not
    /// mounted.
    ///
    /// # Errors
    /// `Io` if it is not there or no folder.
    pub fn open(root: impl Into<PathBuf>) -> Result<LocalStore> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(facts) if facts.is_dir() => Ok(LocalStore { root }),
            Ok(_) => Err(failed(io::ErrorKind::NotADirectory.into(), &root)),
            Err(error) => Err(failed(error, &root)),
        }
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        name.as_str().split('/').fold(self.root.clone(), |path, part| path.join(part))
    }

    /// The folder of an object, and its parents, made to last.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || folder.is_dir() {
            return Ok(());
        }
        let parent = folder_of(folder);
        self.make_folder(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match folder.is_dir() {
                true => Ok(()),
                false => Err(io::ErrorKind::NotADirectory.into()),
            },
            made => made.and_then(|()| sync_folder(parent)),
        }
    }

    /// Removes folders that nothing is in any more, from this one up.
    fn remove_empty(&self, mut folder: &Path) {
        while folder != self.root && folder.starts_with(&self.root) {
            // One that is not empty stays, which ends it.
            if fs::remove_dir(folder).is_err() {
                return;
            }
            folder = folder_of(folder);
        }
    }

    fn begin(&self, name: &ObjectName, if_exists: IfExists) -> Result<Place> {
        let path = self.path(name);
        // Somebody may delete the last object of the folder meanwhile, and the folder with it.
        for _ in 0..100 {
            match self.make_folder(folder_of(&path)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                made => made.map_err(|error| of_object(error, name))?,
            }
            match Place::create(&path, if_exists == IfExists::Replace) {
                Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {}
                Err(_) if path.is_dir() => return Err(folder_error(name)),
                Err(error) => return Err(of_place(error, name)),
                Ok(_) if path.is_dir() => return Err(folder_error(name)),
                Ok(place) => return Ok(place),
            }
        }
        Err(Error::from_fault(Fault::StoreUnavailable).in_file(name.as_str()))
    }

    fn walk(&self, folder: &Path, prefix: &str, found: &mut Vec<Object>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if is_absent(&error) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(part) = entry.file_name().into_string() else { continue };
            let separator = if prefix.is_empty() { "" } else { "/" };
            let Ok(name) = ObjectName::new(format!("{prefix}{separator}{part}")) else { continue };
            let facts = match entry.metadata() {
                Err(error) if is_absent(&error) => continue,
                facts => facts?,
            };
            if facts.is_dir() {
                self.walk(&entry.path(), name.as_str(), found)?;
            } else if facts.is_file() {
                found.push(Object::new(name, facts.len()));
            }
        }
        Ok(())
    }

    fn clean_below(folder: &Path) -> io::Result<()> {
        leftovers::remove(folder);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let ours = entry.file_name().into_string().ok().and_then(|n| ObjectName::new(n).ok());
            if ours.is_some() && entry.file_type()?.is_dir() {
                match LocalStore::clean_below(&entry.path()) {
                    Err(error) if is_absent(&error) => {}
                    cleaned => cleaned?,
                }
                // Only if it is empty, as a killed writer leaves it.
                let _ = fs::remove_dir(entry.path());
            }
        }
        Ok(())
    }
}

impl Store for LocalStore {
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
        match fs::symlink_metadata(self.path(name)) {
            Ok(facts) => Ok(facts.is_file().then_some(facts.len())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(of_object(error, name)),
        }
    }

    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
        // First of all, since opening a pipe would wait.
        self.stat(name)?.ok_or_else(|| missing(name))?;
        let read = || {
            let mut file = File::open(self.path(name))?;
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(range.start))?;
            file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| of_object(error, name))
    }

    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>> {
        let place = Some(self.begin(name, if_exists)?);
        Ok(Box::new(LocalWriter { store: self.clone(), name: name.clone(), place }))
    }

    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
        let (path, prefix) = match folder {
            Some(folder) => (self.path(folder), folder.as_str()),
            None => (self.root.clone(), ""),
        };
        let mut found = Vec::new();
        self.walk(&path, prefix, &mut found).map_err(|error| failed(error, &path))?;
        found.sort();
        Ok(found)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        if self.stat(name)?.is_none() {
            return Ok(());
        }
        let path = self.path(name);
        let folder = folder_of(&path);
        match fs::remove_file(&path).and_then(|()| sync_folder(folder)) {
            Err(error) if !is_absent(&error) => return Err(of_object(error, name)),
            _ => {}
        }
        leftovers::remove(folder);
        self.remove_empty(folder);
        Ok(())
    }

    fn free(&self) -> Result<Option<u64>> {
        Ok(space::free(&self.root))
    }

    fn clean(&self) -> Result<()> {
        LocalStore::clean_below(&self.root).map_err(|error| failed(error, &self.root))
    }
}

struct LocalWriter {
    store: LocalStore,
    name: ObjectName,
    /// None once it is committed.
    place: Option<Place>,
}

impl Write for LocalWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.place.as_mut().map_or(Err(io::ErrorKind::NotConnected.into()), |at| at.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.place.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl ObjectWriter for LocalWriter {
    fn commit(mut self: Box<Self>) -> Result<()> {
        let Some(place) = self.place.take() else { return Ok(()) };
        place.commit().map_err(|error| match self.store.path(&self.name).is_dir() {
            true => folder_error(&self.name),
            false => of_place(error, &self.name),
        })
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        drop(self.place.take());
        self.store.remove_empty(folder_of(&self.store.path(&self.name)));
    }
}

/// Whether there is nothing, or a file where a folder would have to be.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// An error of the file system, said of an object.
fn of_object(error: io::Error, name: &ObjectName) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => missing(name),
        io::ErrorKind::AlreadyExists => exists(name),
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => folder_error(name),
        io::ErrorKind::PermissionDenied => {
            Error::from_fault(Fault::StoreDenied).caused_by(error).in_file(name.as_str())
        }
        _ => Error::from(error).in_file(name.as_str()),
    }
}

/// The same of an error that says so already of a path.
fn of_place(error: Error, name: &ObjectName) -> Error {
    match error.io_kind() {
        Some(kind) if of_object(kind.into(), name).fault().is_some() => {
            of_object(kind.into(), name)
        }
        _ => error,
    }
}

/// An error that is not about one object.
fn failed(error: io::Error, path: &Path) -> Error {
    let shown = path.display().to_string();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Error::from_fault(Fault::StoreDenied).caused_by(error).in_file(shown)
        }
        _ => Error::from(error).in_file(shown),
    }
}
