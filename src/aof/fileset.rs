//! What a server would load from a folder, and the traps on the way.

use crate::aof::manifest::{FileKind, Manifest};
use crate::aof::traps::Trap;
use crate::error::{Error, Fault, Result};
use crate::rdb::{Header, ServerVersion};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of the biggest manifest that is read: ten thousand increments.
const MAX_MANIFEST: u64 = 1 << 20;

/// The names that a server was configured with, and its version.
///
/// ```
/// use redkeep::aof::FilesetOptions;
/// let options = FilesetOptions::new("redis-7.2".parse().unwrap()).file_name("cache.aof");
/// assert_eq!((&options.file_name[..], &options.folder_name[..]), ("cache.aof", "appendonlydir"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilesetOptions {
    /// The server that is to load it.
    pub server: ServerVersion,
    /// `appendfilename`. Default `appendonly.aof`.
    pub file_name: String,
    /// `appenddirname`. Default `appendonlydir`.
    pub folder_name: String,
    /// `dbfilename`. Default `dump.rdb`.
    pub dump_name: String,
}

impl FilesetOptions {
    /// Default names.
    #[must_use]
    pub fn new(server: ServerVersion) -> FilesetOptions {
        FilesetOptions {
            server,
            file_name: "appendonly.aof".to_owned(),
            folder_name: "appendonlydir".to_owned(),
            dump_name: "dump.rdb".to_owned(),
        }
    }

    /// Sets [`file_name`](Self::file_name).
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> FilesetOptions {
        self.file_name = name.into();
        self
    }

    /// Sets [`folder_name`](Self::folder_name).
    #[must_use]
    pub fn folder_name(mut self, name: impl Into<String>) -> FilesetOptions {
        self.folder_name = name.into();
        self
    }

    /// Sets [`dump_name`](Self::dump_name).
    #[must_use]
    pub fn dump_name(mut self, name: impl Into<String>) -> FilesetOptions {
        self.dump_name = name.into();
        self
    }
}

/// What a server with `appendonly yes` would load, and what it would do besides.
///
/// Only names, sizes and the first bytes of files are looked at: whether what is in them is sound
/// is for their readers to say. Nothing is changed.
///
/// ```
/// use redkeep::aof::{Fileset, FilesetOptions, Startup, Trap};
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// std::fs::write(folder.join("dump.rdb"), b"REDIS0009\xff\0\0\0\0\0\0\0\0")?;
/// let options = FilesetOptions::new("redis-7.2".parse().unwrap());
/// let fileset = Fileset::find(&folder, &options)?;
/// assert_eq!(fileset.startup, Startup::Empty);
/// assert_eq!(fileset.traps, [Trap::DumpIgnored { file: "dump.rdb".to_owned() }]);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Fileset {
    /// How the files belong together.
    pub layout: Layout,
    /// What the server does with them, as far as names and first bytes tell.
    pub startup: Startup,
    /// The files it loads, in order. Where it refuses, those it would load otherwise.
    pub files: Vec<LogFile>,
    /// What is worth knowing before one starts a server on this, in the order it was found.
    pub traps: Vec<Trap>,
}

/// How the files of a log belong together.
///
/// ```
/// use redkeep::aof::Layout;
/// assert_ne!(Layout::Single, Layout::Parts);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Layout {
    /// There is no log.
    Absent,
    /// One file, as before Redis 7.0.
    Single,
    /// One file, which a server from 7.0 on moves into a folder of its own and makes its base.
    Upgrade,
    /// A folder with a manifest.
    Parts,
}

/// What a server comes to.
///
/// ```
/// use redkeep::aof::Startup;
/// assert_ne!(Startup::Loads, Startup::Refuses);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Startup {
    /// It loads the files, if they are sound.
    Loads,
    /// It starts with no data.
    Empty,
    /// It exits, before it looks into any file or at the one that a trap names.
    Refuses,
}

/// A file that a server loads.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-file-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use redkeep::aof::{Content, Fileset, FilesetOptions};
/// std::fs::write(folder.join("appendonly.aof"), b"*1\r\n$8\r\nFLUSHALL\r\n")?;
/// let fileset = Fileset::find(&folder, &FilesetOptions::new("redis-6.2".parse().unwrap()))?;
/// let file = &fileset.files[0];
/// assert_eq!((&file.name[..], file.size, file.content), ("appendonly.aof", 18, Content::Log));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogFile {
    /// Its bare name.
    pub name: String,
    /// Where it is now.
    pub path: PathBuf,
    /// Base or increment; a single file is a base.
    pub kind: FileKind,
    /// Its number, 1 for a single file.
    pub seq: i64,
    /// Bytes in it.
    pub size: u64,
    /// What it begins with. Servers go by that, never by the name.
    pub content: Content,
    /// The replication offset at which it begins, where the manifest says so.
    pub start_offset: Option<i64>,
}

/// What a file begins with.
///
/// ```
/// use redkeep::aof::Content;
/// assert_eq!(Content::of(b"REDIS0011\xfa"), Content::Rdb);
/// assert_eq!(Content::of(b"#TS:1\r\n"), Content::Log);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Content {
    /// Nothing.
    Empty,
    /// An RDB; a log may follow it.
    Rdb,
    /// A log, or what should be one.
    Log,
}

impl Content {
    /// By the first bytes of a file; nine are enough.
    #[must_use]
    pub fn of(head: &[u8]) -> Content {
        if head.is_empty() {
            Content::Empty
        } else if head.starts_with(b"REDIS") || head.starts_with(b"VALKEY") {
            Content::Rdb
        } else {
            Content::Log
        }
    }
}

impl Fileset {
    /// Looks at the `dir` of a server, at its folder of logs, at a manifest, or at a single file.
    ///
    /// A folder counts as that of the logs where it has the manifest itself. A file called
    /// `*.manifest` is one, whatever the configured name; any other file is a log of its own.
    ///
    /// # Errors
    /// `Io` where folder or files cannot be read. A manifest that servers refuse is no error here
    /// but a [`Trap`].
    pub fn find(path: &Path, options: &FilesetOptions) -> Result<Fileset> {
        if !path.is_dir() {
            let content = Content::of(&head(path)?);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            return match name.as_ref().and_then(|name| name.strip_suffix(".manifest")) {
                Some(log) if content != Content::Rdb => {
                    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                    let options = options.clone().file_name(log);
                    let set = Builder::new(&options);
                    set.parts(folder.unwrap_or(Path::new(".")), Some(path), None)
                }
                _ => Builder::new(options).single(path, Layout::Single),
            };
        }
        let set = Builder::new(options);
        let manifest = format!("{}.manifest", options.file_name);
        let own = path.join(&manifest);
        if own.is_file() && !path.join(&options.folder_name).is_dir() {
            return set.parts(path, Some(&own), None);
        }
        if options.server.has_log_parts() {
            let folder = path.join(&options.folder_name);
            let manifest = Some(folder.join(manifest)).filter(|file| file.is_file());
            set.parts(&folder, manifest.as_deref(), Some(path))
        } else {
            set.before_parts(path)
        }
    }
}

struct Builder<'a> {
    options: &'a FilesetOptions,
    layout: Layout,
    refused: bool,
    files: Vec<LogFile>,
    traps: Vec<Trap>,
}

impl<'a> Builder<'a> {
    fn new(options: &'a FilesetOptions) -> Builder<'a> {
        let (files, traps) = (Vec::new(), Vec::new());
        Builder { options, layout: Layout::Absent, refused: false, files, traps }
    }

    fn done(self) -> Fileset {
        let Builder { layout, files, traps, .. } = self;
        let startup = match files.iter().any(|file| file.size > 0) {
            _ if self.refused => Startup::Refuses,
            true => Startup::Loads,
            false => Startup::Empty,
        };
        Fileset { layout, startup, files, traps }
    }

    /// One file and nothing else.
    fn single(mut self, path: &Path, layout: Layout) -> Result<Fileset> {
        self.layout = layout;
        self.file(path, FileKind::Base, 1, None)?;
        Ok(self.done())
    }

    /// The `dir` of a server that knows single files only.
    fn before_parts(mut self, dir: &Path) -> Result<Fileset> {
        let folder = dir.join(&self.options.folder_name);
        if folder.is_dir() && !self.log_names(&folder)?.is_empty() {
            self.traps.push(Trap::FolderIgnored { folder: self.options.folder_name.clone() });
        }
        self.dump(dir);
        let file = dir.join(&self.options.file_name);
        match file.is_file() {
            true => self.single(&file, Layout::Single),
            false => Ok(self.done()),
        }
    }

    /// A folder of logs; `dir` is where an old single file and a dump may lie.
    fn parts(
        mut self,
        folder: &Path,
        manifest: Option<&Path>,
        dir: Option<&Path>,
    ) -> Result<Fileset> {
        if let Some(dir) = dir {
            self.dump(dir);
        }
        let names = if folder.is_dir() { self.log_names(folder)? } else { Vec::new() };
        let manifest = match manifest.map(read_manifest).transpose()? {
            None => {
                if !names.is_empty() {
                    self.traps.push(Trap::ManifestMissing { files: names.clone() });
                }
                Manifest::default()
            }
            Some(text) => match Manifest::parse(&text) {
                Ok(manifest) => manifest,
                Err(error) => {
                    self.layout = Layout::Parts;
                    self.refuse(Trap::ManifestRefused { error: error.to_string() });
                    return Ok(self.done());
                }
            },
        };
        let old = dir.map(|dir| dir.join(&self.options.file_name)).filter(|old| old.is_file());
        match old {
            Some(old) if self.upgrades(folder, &manifest) => {
                self.traps.push(Trap::Moved { file: self.options.file_name.clone() });
                self.next_increment(&names, &manifest);
                self.strays(&names, &manifest);
                return self.single(&old, Layout::Upgrade);
            }
            Some(_) => {
                self.traps.push(Trap::OldFileIgnored { file: self.options.file_name.clone() });
            }
            None => {}
        }
        if manifest.loaded().next().is_some() {
            self.layout = Layout::Parts;
        } else {
            let base = format!("{}.1.base.rdb", self.options.file_name);
            if names.contains(&base) {
                self.traps.push(Trap::BaseOverwritten { file: base });
            }
        }
        for entry in manifest.loaded() {
            let path = folder.join(os_name(&entry.file));
            self.file(&path, entry.kind, entry.seq, entry.start_offset)?;
        }
        self.next_increment(&names, &manifest);
        self.strays(&names, &manifest);
        Ok(self.done())
    }

    /// Whether a server makes the old single file its base.
    fn upgrades(&self, folder: &Path, manifest: &Manifest) -> bool {
        let old = self.options.file_name.as_bytes();
        match (&manifest.base, &manifest.increments[..]) {
            _ if !folder.is_dir() => true,
            (None, []) => true,
            (Some(base), []) => base.file == old && !folder.join(os_name(old)).is_file(),
            _ => false,
        }
    }

    /// Without an increment in the manifest a server opens the first one to append to it.
    fn next_increment(&mut self, names: &[String], manifest: &Manifest) {
        let file = format!("{}.1.incr.aof", self.options.file_name);
        if manifest.increments.is_empty() && names.contains(&file) {
            self.traps.push(Trap::IncrementReopened { file });
        }
    }

    fn strays(&mut self, names: &[String], manifest: &Manifest) {
        let of = |file: &[u8]| String::from_utf8_lossy(file).into_owned();
        let history: Vec<_> = manifest.history.iter().map(|entry| of(&entry.file)).collect();
        let loaded: Vec<_> = manifest.loaded().map(|entry| of(&entry.file)).collect();
        let known = |name: &&String| !history.contains(name) && !loaded.contains(name);
        if self.layout == Layout::Parts {
            let strays = names.iter().filter(known).cloned();
            self.traps.extend(strays.map(|file| Trap::Stray { file }));
        }
        let kept = history.into_iter().filter(|name| names.contains(name));
        self.traps.extend(kept.map(|file| Trap::HistoryDeleted { file }));
    }

    fn dump(&mut self, dir: &Path) {
        if dir.join(&self.options.dump_name).is_file() {
            self.traps.push(Trap::DumpIgnored { file: self.options.dump_name.clone() });
        }
    }

    fn refuse(&mut self, trap: Trap) {
        self.refused = true;
        self.traps.push(trap);
    }

    /// Adds a file that is loaded.
    fn file(
        &mut self,
        path: &Path,
        kind: FileKind,
        seq: i64,
        start_offset: Option<i64>,
    ) -> Result<()> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if !path.is_file() {
            self.refuse(Trap::Missing { file: name });
            return Ok(());
        }
        let size = fs::metadata(path).map_err(|error| io_in(error, path))?.len();
        let head = head(path)?;
        let content = Content::of(&head);
        if content == Content::Rdb {
            if kind == FileKind::Increment {
                self.traps.push(Trap::RdbIncrement { file: name.clone() });
            }
            let header = head.first_chunk().and_then(Header::parse);
            if !header.is_some_and(|header| self.options.server.reads_preamble(header)) {
                let header = head.escape_ascii().to_string();
                self.refuse(Trap::RdbUnreadable { file: name.clone(), header });
            }
        }
        let path = path.to_path_buf();
        self.files.push(LogFile { name, path, kind, seq, size, content, start_offset });
        Ok(())
    }

    /// The files in a folder that are called like parts of this log, sorted.
    fn log_names(&self, folder: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| io_in(error, folder))? {
            let entry = entry.map_err(|error| io_in(error, folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let rest = name.strip_prefix(&self.options.file_name);
            let part = rest.is_some_and(|rest| {
                let ends = [".base.rdb", ".base.aof", ".incr.aof"];
                rest.is_empty() || ends.iter().any(|end| rest.ends_with(end))
            });
            if part && entry.path().is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

fn read_manifest(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| io_in(error, path))?;
    file.take(MAX_MANIFEST + 1).read_to_end(&mut text).map_err(|error| io_in(error, path))?;
    if text.len() as u64 > MAX_MANIFEST {
        return Err(Error::at(Fault::Held, MAX_MANIFEST).in_file(path.display().to_string()));
    }
    Ok(text)
}

/// The first nine bytes, or what there is.
fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| io_in(error, path))?;
    file.take(9).read_to_end(&mut head).map_err(|error| io_in(error, path))?;
    Ok(head)
}

fn io_in(error: io::Error, path: &Path) -> Error {
    Error::io(error, None).in_file(path.display().to_string())
}

#[cfg(unix)]
fn os_name(name: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(name))
}

#[cfg(not(unix))]
fn os_name(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}
