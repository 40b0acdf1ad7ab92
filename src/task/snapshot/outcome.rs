//! What was taken, and what is in it.

use crate::aof::check as log;
use crate::live::{Driver, DriverReport, Taken};
use crate::rdb::check::{Report, Verdict};
use std::path::PathBuf;

/// A snapshot, what is in it, and why it was taken that way.
///
/// See [`snapshot`](crate::task::snapshot()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SnapshotOutcome {
    /// When and how it was taken.
    #[cfg_attr(feature = "json", serde(flatten))]
    pub taken: Taken,
    /// Of a dump: what is in it, and what is wrong with it.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub report: Option<Report>,
    /// Of a log: the same, and where it was cut.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub log_report: Option<LogOutcome>,
    /// Whether it is in its place: what cannot be read to its end is not kept.
    pub kept: bool,
    /// Where the folder is now that was in that place before.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub moved_to: Option<PathBuf>,
    /// The ways that would have come first, and why they were not gone.
    pub why_not: Vec<DriverReport>,
    /// Where one was asked for: which replica it was taken from, or why from none.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub replica: Option<ReplicaUse>,
}

impl SnapshotOutcome {
    /// Whether it is in its place and nothing is wrong with it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let dump = self.report.as_ref().is_none_or(|report| report.verdict == Verdict::Sound);
        let log = self.log_report.as_ref();
        let log = log.is_none_or(|log| log.report.verdict == log::Verdict::Sound);
        let scan = self.taken.scan.as_ref();
        self.kept && dump && log && scan.is_none_or(|scan| scan.emptied != Some(true))
    }
}

/// A log that was copied.
///
/// See [`SnapshotOutcome`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogOutcome {
    /// What is in the copy, and what is wrong with it.
    pub report: log::Report,
    /// Bytes at the end of the last file that were left out: a record or a transaction that the server
    /// had only begun to write.
    pub cut_bytes: u64,
}

/// A replica in place of its master.
///
/// See [`SnapshotOutcome`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ReplicaUse {
    /// Which one; `None` where the server that was named was asked itself.
    pub address: Option<String>,
    /// Bytes of history that it lacked before.
    pub behind_before: Option<u64>,
    /// And after.
    pub behind_after: Option<u64>,
    /// Why others were not taken.
    pub why_not: Vec<String>,
}

/// How far a snapshot is.
///
/// See [`snapshot_watched`](crate::task::snapshot_watched).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotProgress {
    /// The way it is taken.
    pub driver: Driver,
    /// Bytes so far.
    pub bytes: u64,
    /// Keys so far, some thousands late; of a log none are counted.
    pub keys: u64,
    /// Bytes there will be, where that is known.
    pub len: Option<u64>,
}
