//! The file that a save wrote.

use crate::live::snapshot::Snapshot;
use std::fs::File;
use std::io::{self, Read};

/// The opened file of a proven save. Whatever comes to stand under its name later is no matter.
#[derive(Debug)]
pub struct SavedFile {
    file: File,
    snapshot: Snapshot,
}

impl SavedFile {
    /// When and how it was taken.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The file, positioned where reading has come to, and the report.
    #[must_use]
    pub fn into_parts(self) -> (File, Snapshot) {
        (self.file, self.snapshot)
    }
}

impl Read for SavedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl SavedFile {
    pub(super) fn new(file: File, snapshot: Snapshot) -> SavedFile {
        SavedFile { file, snapshot }
    }
}
