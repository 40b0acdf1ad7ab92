//! What was copied, and how far that is.

use crate::repo::{BackupId, Problem, StreamName};
use serde::Serialize;

/// A backup that is in both archives.
///
/// See [`copy_backup`](crate::task::copy_backup()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CopiedBackup {
    /// Its id.
    pub id: BackupId,
    /// Whether it was not there before.
    pub is_new: bool,
    /// Objects that were sent.
    pub objects: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Objects that were there already: all, or what an interrupted copy had sent.
    pub objects_there: u64,
}

/// The backups of a stream that are in both archives.
///
/// See [`copy_missing`](crate::task::copy_missing).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CopiedBackups {
    /// The stream.
    pub stream: StreamName,
    /// Backups that were copied, in the order in which they were.
    pub copied: Vec<CopiedBackup>,
    /// Backups that were there already.
    pub there: u64,
    /// Objects sent to those: certificates that came later.
    pub objects_added: u64,
    /// Bytes of all objects that were sent.
    pub bytes: u64,
    /// Backups that could not be copied, and why.
    pub failures: Vec<Problem>,
}

impl CopiedBackups {
    pub(super) fn new(stream: StreamName, there: u64) -> CopiedBackups {
        let (copied, failures) = (Vec::new(), Vec::new());
        CopiedBackups { stream, copied, there, objects_added: 0, bytes: 0, failures }
    }

    pub(super) fn add(&mut self, one: CopiedBackup) {
        self.bytes = self.bytes.saturating_add(one.bytes);
        if one.is_new {
            self.copied.push(one);
        } else {
            self.objects_added = self.objects_added.saturating_add(one.objects);
        }
    }

    /// Whether every backup is in both archives.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

/// How far it is.
///
/// See [`copy_backup`](crate::task::copy_backup()).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyBackupProgress {
    /// Which backup is copied.
    pub id: BackupId,
    /// Bytes of its volumes that were sent, or were there.
    pub bytes: u64,
    /// Bytes of all its volumes.
    pub len: u64,
    /// Which of the backups to copy it is, from 1 on.
    pub number: u64,
    /// How many those are.
    pub of: u64,
}
