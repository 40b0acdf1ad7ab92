//! A folder that appears whole or not at all.

use crate::error::{Error, Result};
use crate::file::leftovers;
use crate::file::place::{beside, folder_of, named, sync_folder};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A new folder beside its final place, renamed into it. Dropped before that, nothing of it stays.
#[derive(Debug)]
pub(crate) struct FolderPlace {
    path: PathBuf,
    temporary: PathBuf,
    placed: bool,
    replace: bool,
    /// What says that the folder is being written.
    _held: Option<File>,
}

impl FolderPlace {
    /// Begins a folder that will be at `path`. One that is there already is kept unless it is empty or
    /// `replace`, and then moved aside.
    pub(crate) fn create(path: &Path, replace: bool) -> Result<FolderPlace> {
        // Found out now rather than after an hour's work; the commit looks again.
        if !replace && !is_free(path).map_err(|error| named(error, path))? {
            return Err(taken(path));
        }
        let (temporary, held) = beside(path, make)?;
        let path = path.to_owned();
        Ok(FolderPlace { path, temporary, placed: false, replace, _held: held })
    }

    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is until then.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Puts it in its place; its files have to be synced. What was there gets the name with `.old-1`,
    /// or the next free number, behind it, which is given back.
    pub(crate) fn commit(mut self) -> Result<Option<PathBuf>> {
        sync_folder(&self.temporary).map_err(|error| named(error, &self.path))?;
        let moved_to = self.make_room()?;
        if let Err(error) = fs::rename(&self.temporary, &self.path) {
            let back = moved_to.as_ref().map(|old| fs::rename(old, &self.path));
            let lost = moved_to.filter(|_| back.is_some_and(|back| back.is_err()));
            return Err(named(error, lost.as_ref().unwrap_or(&self.path)));
        }
        self.placed = true;
        sync_folder(folder_of(&self.path)).map_err(|error| named(error, &self.path))?;
        Ok(moved_to)
    }

    /// Moves what is in the place aside, or an empty folder out of the way.
    fn make_room(&self) -> Result<Option<PathBuf>> {
        let name = |error| named(error, &self.path);
        if is_free(&self.path).map_err(name)? {
            // It takes none but an empty folder.
            let _ = fs::remove_dir(&self.path);
            return Ok(None);
        }
        if !self.replace {
            return Err(taken(&self.path));
        }
        for n in 1..u32::MAX {
            let mut old = self.path.clone().into_os_string();
            old.push(format!(".old-{n}"));
            let old = PathBuf::from(old);
            if old.symlink_metadata().is_err() {
                fs::rename(&self.path, &old).map_err(name)?;
                return Ok(Some(old));
            }
        }
        Err(taken(&self.path))
    }
}

impl Drop for FolderPlace {
    fn drop(&mut self) {
        if !self.placed {
            // It was made here, under a name of ours; that this may fail changes nothing.
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

/// Makes a folder and holds it, where folders can be held.
fn make(temporary: &Path) -> io::Result<Option<File>> {
    fs::create_dir(temporary)?;
    let held = File::open(temporary).ok();
    held.as_ref().map_or(Ok(()), |folder| leftovers::claim(folder, temporary))?;
    Ok(held)
}

/// Whether a folder can be put there without losing anything.
fn is_free(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Ok(facts) if facts.is_dir() => Ok(fs::read_dir(path)?.next().is_none()),
        other => other.map(|_| false),
    }
}

fn taken(path: &Path) -> Error {
    named(io::ErrorKind::AlreadyExists.into(), path)
}
