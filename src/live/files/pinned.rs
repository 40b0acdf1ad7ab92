//! The files of a log, held fast.

use crate::aof::{Content, FileKind, Layout};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, Take};

/// The files of a log as they were at one moment, whatever the server does to them now.
///
/// They are held open, and nothing of a pin is on any disk.
///
/// See [`SnapshotReceiver::log`](crate::live::SnapshotReceiver::log).
#[derive(Debug)]
pub struct PinnedLog {
    pub(super) layout: Layout,
    pub(super) name: String,
    pub(super) files: Vec<PinnedFile>,
}

impl PinnedLog {
    /// Whether it is one file, or a folder of parts.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What the server calls it (`appendfilename`), or its parts begin with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files, in the order in which they are loaded. The last one may end inside a record or a
    /// transaction.
    #[must_use]
    pub fn files(&self) -> &[PinnedFile] {
        &self.files
    }

    /// Bytes of all of them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
    }
}

/// A file of a pinned log.
///
/// See [`PinnedLog`].
#[derive(Debug)]
pub struct PinnedFile {
    pub(super) file: File,
    pub(super) name: String,
    pub(super) kind: FileKind,
    pub(super) seq: i64,
    pub(super) content: Content,
    pub(super) len: u64,
}

impl PinnedFile {
    /// What the server calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Base or increment; a single file is a base.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Its number, 1 for a single file.
    #[must_use]
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// What it begins with.
    #[must_use]
    pub fn content(&self) -> Content {
        self.content
    }

    /// Bytes of it that were there at the moment of the pin: later ones do not count.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Reads it from its beginning, as far as it counts. One reader at a time: they share a place.
    ///
    /// # Errors
    /// `Io` where it cannot be read from its beginning.
    pub fn reader(&self) -> Result<Take<&File>> {
        let mut file = &self.file;
        file.rewind().map_err(|error| Error::from(error).in_file(&self.name[..]))?;
        Ok(file.take(self.len))
    }
}

/// How a log was pinned.
///
/// ```
/// # fn show(facts: &redkeep::live::LogFacts) {
/// if facts.acknowledged == Some(false) {
///     // What the server answered last may not be in it.
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogFacts {
    /// Whether it is one file, or a folder of parts.
    pub layout: Layout,
    /// The server's files, in the order in which they are loaded.
    pub files: Vec<String>,
    /// Whether all that the server had acknowledged when it was asked for is in it; `None` where no
    /// server was asked.
    pub acknowledged: Option<bool>,
}
