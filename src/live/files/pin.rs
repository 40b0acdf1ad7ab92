//! Pinning: see the [lesson](super).

use crate::aof::{Content, FileKind, Layout, Manifest, ManifestEntry};
use crate::error::{Error, Fault, Result};
use crate::live::files::pinned::{PinnedFile, PinnedLog};
use crate::live::files::place::Place;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
#[cfg(not(unix))]
use std::path::PathBuf;

/// Bytes of the biggest manifest that is read: ten thousand increments.
const MAX_MANIFEST: u64 = 1 << 20;

/// What one round came to.
pub(super) enum Pin {
    Pinned(PinnedLog),
    Again(&'static str),
}

/// Tries once.
pub(super) fn pin(place: &Place) -> Result<Pin> {
    if place.parts { parts_of(place) } else { single(place) }
}

fn single(place: &Place) -> Result<Pin> {
    let path = place.single();
    let file = open(&path, place.file_name.clone(), FileKind::Base, 1)
        .map_err(|error| named(error, &path))?;
    let name = place.file_name.clone();
    Ok(Pin::Pinned(PinnedLog { layout: Layout::Single, name, files: vec![file] }))
}

fn parts_of(place: &Place) -> Result<Pin> {
    let path = place.manifest();
    let before = read(&path)?;
    let manifest = Manifest::parse(&before).map_err(|error| error.in_file(shown(&path)))?;
    if manifest.loaded().next().is_none() {
        return Err(Error::from_fault(Fault::LogRefused)
            .with_detail("its manifest names no file to load")
            .in_file(shown(&path)));
    }
    let folder = place.folder();
    // While a log is being switched on, the server writes to a file that no manifest names.
    let unnamed = || folder.join(format!("temp-{}.incr", place.file_name)).exists();
    if unnamed() {
        return Ok(Pin::Again("the log is being switched on"));
    }
    let mut files = Vec::new();
    for entry in manifest.loaded() {
        let path = folder.join(file_name(entry));
        let name = String::from_utf8_lossy(&entry.file).into_owned();
        match open(&path, name, entry.kind, entry.seq) {
            Ok(file) => files.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A rewrite took it away, unless it was never there.
                return match read(&place.manifest())? == before {
                    true => Err(named(error, &path)),
                    false => Ok(Pin::Again("the log is rewritten all the time")),
                };
            }
            Err(error) => return Err(named(error, &path)),
        }
    }
    if read(&path)? != before || unnamed() {
        return Ok(Pin::Again("the log is rewritten all the time"));
    }
    // Only the last one grows, and now is the moment that counts.
    if let Some(last) = files.last_mut() {
        last.len = last.file.metadata().map_err(|error| named(error, &path))?.len();
    }
    let name = place.file_name.clone();
    Ok(Pin::Pinned(PinnedLog { layout: Layout::Parts, name, files }))
}

fn open(path: &Path, name: String, kind: FileKind, seq: i64) -> io::Result<PinnedFile> {
    let file = File::open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut head = Vec::new();
    (&file).take(9).read_to_end(&mut head)?;
    Ok(PinnedFile { content: Content::of(&head), len: facts.len(), file, name, kind, seq })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| named(error, path))?;
    file.take(MAX_MANIFEST + 1).read_to_end(&mut text).map_err(|error| named(error, path))?;
    match text.len() as u64 > MAX_MANIFEST {
        true => Err(Error::at(Fault::Held, MAX_MANIFEST).in_file(shown(path))),
        false => Ok(text),
    }
}

#[cfg(unix)]
fn file_name(entry: &ManifestEntry) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(&entry.file))
}

#[cfg(not(unix))]
fn file_name(entry: &ManifestEntry) -> PathBuf {
    String::from_utf8_lossy(&entry.file).into_owned().into()
}

fn named(error: io::Error, path: &Path) -> Error {
    Error::from(error).in_file(shown(path))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
