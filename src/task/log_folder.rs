//! A folder of logs that appears whole or not at all.

use crate::aof::{Content, FileKind, Manifest, ManifestEntry};
use crate::error::{Error, Result};
use crate::file::folder::FolderPlace;
use crate::file::place::{Looks, named, not_given, sync_folder};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a log is written to: one file, or several.
///
/// It is a [`Write`] for the file that was begun last.
///
/// ```
/// use redkeep::aof::{Content, FileKind};
/// use redkeep::task::{LogTarget, SingleLog};
/// let mut log = SingleLog::new(Vec::new());
/// log.begin(FileKind::Base, Content::Log)?;
/// assert!(!log.has_parts());
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait LogTarget: Write {
    /// Whether the parts of a log become files of their own.
    fn has_parts(&self) -> bool;

    /// Begins the next part, which starts with an RDB or not: the base, if there is one, and then
    /// increments.
    ///
    /// # Errors
    /// `Usage` for a part that cannot come next, `Io` where its file cannot be made.
    fn begin(&mut self, kind: FileKind, content: Content) -> Result<()>;
}

/// A log of one file, whatever it is written to: all parts go there in turn.
#[derive(Debug)]
pub struct SingleLog<W> {
    target: W,
    begun: bool,
}

impl<W: Write> SingleLog<W> {
    /// A log that is written here.
    pub fn new(target: W) -> SingleLog<W> {
        SingleLog { target, begun: false }
    }

    /// What it is written to.
    #[cfg(feature = "live")]
    pub(crate) fn get_mut(&mut self) -> &mut W {
        &mut self.target
    }

    /// Gives back what it was written to.
    pub fn into_inner(self) -> W {
        self.target
    }
}

impl<W: Write> LogTarget for SingleLog<W> {
    fn has_parts(&self) -> bool {
        false
    }

    fn begin(&mut self, _: FileKind, content: Content) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) && content == Content::Rdb {
            return Err(Error::usage("a log of one file has an RDB only at its beginning"));
        }
        Ok(())
    }
}

/// A log that is not written, only counted by whoever writes it.
#[cfg(any(feature = "live", feature = "cli"))]
#[derive(Debug)]
pub(crate) struct NoLog {
    /// Whether it would be one of several files.
    pub(crate) parts: bool,
}

#[cfg(any(feature = "live", feature = "cli"))]
impl Write for NoLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(any(feature = "live", feature = "cli"))]
impl LogTarget for NoLog {
    fn has_parts(&self) -> bool {
        self.parts
    }

    fn begin(&mut self, _: FileKind, _: Content) -> Result<()> {
        Ok(())
    }
}

impl<W: Write> Write for SingleLog<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.target.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

/// A new folder of logs beside its final place, its files called as servers call them.
///
/// [`commit`](LogFolder::commit) syncs the files, writes the manifest last and then renames the
/// folder into its place, so that no server ever finds a part of it. Dropped before that, nothing of
/// it stays.
///
/// ```
/// use redkeep::aof::{Content, FileKind, Fileset, FilesetOptions, LogWriter, Startup};
/// use redkeep::task::{LogFolder, LogTarget};
/// # let data = std::env::temp_dir().join(format!("redkeep-doc-folder-{}", std::process::id()));
/// # std::fs::create_dir_all(&data)?;
/// let mut folder = LogFolder::create(&data.join("appendonlydir"), "appendonly.aof", false)?;
/// folder.begin(FileKind::Increment, Content::Log)?;
/// let mut log = LogWriter::new(folder);
/// log.command(0, &["SET", "a", "1"])?;
/// log.rotate(|folder| folder.begin(FileKind::Increment, Content::Log))?;
/// log.command(0, &["SET", "b", "1"])?;
/// log.finish()?.commit()?;
///
/// let fileset = Fileset::find(&data, &FilesetOptions::new("redis-7.2".parse().unwrap()))?;
/// assert_eq!((fileset.startup, fileset.files.len()), (Startup::Loads, 2));
/// # std::fs::remove_dir_all(&data)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct LogFolder {
    name: String,
    place: FolderPlace,
    current: Option<File>,
    manifest: Manifest,
    /// The number that the first base and the first increment get.
    first: i64,
    /// What its files are given; as the process makes them where there is none.
    looks: Option<Looks>,
    /// The manifest is written.
    complete: bool,
}

/// A folder that is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlacedFolder {
    /// Its manifest.
    pub manifest: Manifest,
    /// Where the folder is now that was there before, if there was one with anything in it.
    pub moved_to: Option<PathBuf>,
}

impl LogFolder {
    /// Begins a folder that will be at `path`, for a server with this `appendfilename`. One that is
    /// there already is kept unless it is empty or `replace`, and then moved aside.
    ///
    /// # Errors
    /// `Io` where something is there and not to be replaced, or where no folder can be made; `Usage`
    /// for a file name that is a path.
    pub fn create(path: &Path, file_name: &str, replace: bool) -> Result<LogFolder> {
        if file_name.is_empty() || file_name.contains(['/', '\\']) {
            return Err(Error::usage("the name of a log is a bare name"));
        }
        Ok(LogFolder {
            name: file_name.to_owned(),
            place: FolderPlace::create(path, replace)?,
            current: None,
            manifest: Manifest::default(),
            first: 1,
            looks: None,
            complete: false,
        })
    }

    /// Begins one within a folder of logs that is there, whose files are to go beside those in it,
    /// with numbers from `first` on and these looks. It is completed and then moved by the caller.
    #[cfg(feature = "live")]
    pub(crate) fn within(
        folder: &Path,
        file_name: &str,
        first: i64,
        looks: Looks,
    ) -> Result<LogFolder> {
        let path = folder.join(format!("{file_name}.manifest"));
        let mut staged = LogFolder::create(&path, file_name, true)?;
        (staged.first, staged.looks) = (first, Some(looks));
        Ok(staged)
    }

    /// Writes the manifest, after which no part can be begun: the folder can be read now, where it is
    /// until it gets its place.
    pub(crate) fn complete(&mut self) -> Result<&Path> {
        self.close()?;
        let temporary = self.place.temporary();
        if !std::mem::replace(&mut self.complete, true) {
            let manifest = self.manifest.to_bytes()?;
            let mut file = self.make(&temporary.join(format!("{}.manifest", self.name)))?;
            let mut write = || {
                file.write_all(&manifest)?;
                file.sync_all()?;
                sync_folder(temporary)
            };
            write().map_err(|error| named(error, self.place.path()))?;
        }
        Ok(temporary)
    }

    /// Where its files are until they are in their place, and what they are called but the manifest.
    #[cfg(feature = "live")]
    pub(crate) fn staged(&self) -> Result<(PathBuf, Vec<String>)> {
        let files = self.manifest.loaded();
        Ok((
            self.place.temporary().to_owned(),
            files.map(|entry| String::from_utf8_lossy(&entry.file).into_owned()).collect(),
        ))
    }

    /// Makes a file in it.
    fn make(&self, path: &Path) -> Result<File> {
        let file = File::create_new(path).map_err(|error| named(error, self.place.path()))?;
        if let Some(looks) = &self.looks {
            looks.give(&file).map_err(|error| not_given(error, self.place.path()))?;
        }
        Ok(file)
    }

    /// Puts the folder in its place: its files first, its manifest last, then its name. What was
    /// there gets the name with `.old-1`, or the next free number, behind it.
    ///
    /// # Errors
    /// `Usage` where no part was begun; `Io` where something fails: what was there before is there
    /// again then, or under the name that the error gives.
    pub fn commit(mut self) -> Result<PlacedFolder> {
        self.complete()?;
        Ok(PlacedFolder { manifest: self.manifest, moved_to: self.place.commit()? })
    }

    /// Syncs the part that is being written.
    fn close(&mut self) -> Result<()> {
        match self.current.take() {
            Some(file) => file.sync_all().map_err(|error| named(error, self.place.path())),
            None => Ok(()),
        }
    }
}

impl LogTarget for LogFolder {
    fn has_parts(&self) -> bool {
        true
    }

    fn begin(&mut self, kind: FileKind, content: Content) -> Result<()> {
        let seq = self.manifest.increments.last().map_or(self.first, |last| last.seq + 1);
        let seq = if kind == FileKind::Base { self.first } else { seq };
        let end = match (kind, content) {
            (FileKind::Base, Content::Rdb) => "base.rdb",
            (FileKind::Base, _) => "base.aof",
            _ => "incr.aof",
        };
        let name = format!("{}.{seq}.{end}", self.name);
        let entry = ManifestEntry::new(name.as_str(), seq, kind);
        match kind {
            FileKind::Base if self.manifest.loaded().next().is_none() => {}
            FileKind::Increment => {}
            _ => return Err(Error::usage("a base comes first, and history not at all")),
        }
        if self.complete {
            return Err(Error::usage("the folder has its manifest already"));
        }
        self.close()?;
        self.current = Some(self.make(&self.place.temporary().join(&name))?);
        match kind {
            FileKind::Base => self.manifest.base = Some(entry),
            _ => self.manifest.increments.push(entry),
        }
        Ok(())
    }
}

impl Write for LogFolder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.current {
            Some(file) => file.write(bytes),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "no part was begun")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.current.as_mut().map_or(Ok(()), File::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::file::place::Place;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn folder(path: &Path, replace: bool) -> LogFolder {
        let mut folder = LogFolder::create(path, "my log", replace).unwrap();
        folder.begin(FileKind::Base, Content::Rdb).unwrap();
        folder.write_all(b"base").unwrap();
        folder.begin(FileKind::Increment, Content::Log).unwrap();
        folder.begin(FileKind::Increment, Content::Log).unwrap();
        folder.write_all(b"second").unwrap();
        folder
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("appendonlydir");
        drop(folder(&path, false));
        assert!(names(data.path()).is_empty());
        let placed = folder(&path, false).commit().unwrap();
        assert_eq!((placed.moved_to, names(data.path())), (None, vec!["appendonlydir".to_owned()]));
        let files = ["my log.1.base.rdb", "my log.1.incr.aof", "my log.2.incr.aof"];
        assert_eq!(names(&path), [&files[..], &["my log.manifest"]].concat());
        let manifest = fs::read(path.join("my log.manifest")).unwrap();
        assert_eq!(Manifest::parse(&manifest).unwrap(), placed.manifest);
        assert_eq!(fs::read(path.join(files[2])).unwrap(), b"second");
    }

    #[test]
    fn what_was_there_is_kept_or_moved_aside_and_never_deleted() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("logs");
        let early = folder(&path, false);
        fs::create_dir(&path).unwrap();
        folder(&path, false).commit().unwrap();
        assert!(early.commit().unwrap_err().is_io());
        let refused = LogFolder::create(&path, "a", false).unwrap_err();
        assert_eq!(refused.io_kind(), Some(io::ErrorKind::AlreadyExists));
        for n in 1..3 {
            fs::write(path.join("own"), n.to_string()).unwrap();
            let moved = folder(&path, true).commit().unwrap().moved_to.unwrap();
            assert_eq!(moved, data.path().join(format!("logs.old-{n}")));
            assert_eq!(fs::read_to_string(moved.join("own")).unwrap(), n.to_string());
        }
        assert_eq!(names(data.path()), ["logs", "logs.old-1", "logs.old-2"]);
        let file = data.path().join("file");
        fs::write(&file, b"x").unwrap();
        assert!(LogFolder::create(&file, "a", false).is_err());
    }

    #[test]
    fn parts_come_in_the_order_of_a_log() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("logs");
        let mut folder = folder(&path, false);
        let again = folder.begin(FileKind::Base, Content::Rdb).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Usage);
        assert!(folder.begin(FileKind::History, Content::Log).is_err());
        assert!(LogFolder::create(&path, "a/b", false).is_err());
        let empty = LogFolder::create(&path, "a", false).unwrap();
        assert_eq!(empty.commit().unwrap_err().kind(), ErrorKind::Usage);
        let mut single = SingleLog::new(Vec::new());
        single.begin(FileKind::Base, Content::Rdb).unwrap();
        single.begin(FileKind::Increment, Content::Log).unwrap();
        assert!(single.begin(FileKind::Increment, Content::Rdb).is_err());
    }

    #[test]
    fn what_was_left_is_removed_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        for kept in ["dump.rdb", ".redkeep-1", ".redkeep-1-x", ".redkeep--1", "x.redkeep-1-1"] {
            fs::write(data.join(kept), b"kept").unwrap();
        }
        let kept = names(data);
        fs::write(data.join(".redkeep-4000000-0"), b"left").unwrap();
        fs::create_dir(data.join(".redkeep-4000000-1")).unwrap();
        fs::write(data.join(".redkeep-4000000-1/part"), b"left").unwrap();
        let mut first = Place::create(&data.join("first"), false).unwrap();
        assert_eq!(names(data).len(), kept.len() + 1);
        let mut log = LogFolder::create(&data.join("log"), "a", false).unwrap();
        log.begin(FileKind::Increment, Content::Log).unwrap();
        let second = Place::create(&data.join("second"), false).unwrap();
        assert_eq!(names(data).len(), kept.len() + 3);
        first.write_all(b"whole").unwrap();
        first.commit().unwrap();
        second.commit().unwrap();
        log.commit().unwrap();
        let placed = ["first", "second", "log"].map(str::to_owned).into_iter();
        let mut all: Vec<_> = kept.into_iter().chain(placed).collect();
        all.sort();
        assert_eq!(names(data), all);
    }
}
