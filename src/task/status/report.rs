//! What is said of an archive and its streams.

use crate::repo::retention::BackupState;
use crate::repo::{ArchiveId, BackupId, LockHolder, Soundness, SourceChange, StreamName};
use crate::task::status::finding::{StatusCode, StatusFinding, StatusLevel};
use crate::task::status::trend::Trend;
use crate::time::UnixMillis;
use serde::Serialize;

/// How the backups of an archive are.
///
/// See [`status`](crate::task::status()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The archive.
    pub archive: ArchiveId,
    /// The time that ages are counted from.
    pub at: UnixMillis,
    /// The worst that was found.
    pub verdict: StatusLevel,
    /// Bytes of all these streams in the store.
    pub bytes: u64,
    /// The streams, by name, or as they were asked for.
    pub streams: Vec<StreamStatus>,
    /// What is to be said of the archive as a whole.
    pub findings: Vec<StatusFinding>,
}

/// How the backups of a stream are.
///
/// See [`status`](crate::task::status()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StreamStatus {
    /// The stream.
    pub stream: StreamName,
    /// The worst that was found.
    pub verdict: StatusLevel,
    /// How many backups there are, by how far each can be trusted.
    pub backups: StatusCounts,
    /// Bytes in the store: of all backups and of remains.
    pub bytes: u64,
    /// The newest backup whose manifest can be read.
    pub newest: Option<StatusBackup>,
    /// The newest verified one.
    pub newest_verified: Option<StatusBackup>,
    /// The newest beside those before; None where there is but one.
    pub trend: Option<Trend>,
    /// What writers left, or are writing.
    pub remains: StatusRemains,
    /// Who has the stream, or had it and was killed.
    pub lock: Option<LockHolder>,
    /// What somebody should look at.
    pub findings: Vec<StatusFinding>,
}

/// How many backups there are.
///
/// See [`status`](crate::task::status()).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct StatusCounts {
    /// All of them.
    pub all: u64,
    /// Verified, with no failure since.
    pub verified: u64,
    /// Not verified yet.
    pub unverified: u64,
    /// Failed a check, with no success since.
    pub failed: u64,
    /// Of these the manifests cannot be read.
    pub unreadable: u64,
}

/// A backup, in short.
///
/// See [`status`](crate::task::status()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusBackup {
    /// Its id.
    pub id: BackupId,
    /// When it was begun.
    pub time: UnixMillis,
    /// Milliseconds since then; 0 where that is to come.
    pub age_ms: u64,
    /// How far it can be trusted.
    pub state: BackupState,
    /// What was found while it was made.
    pub soundness: Soundness,
    /// Whether its server is that of the backup before.
    pub source_change: SourceChange,
    /// Bytes of the files in it.
    pub plain_bytes: u64,
    /// Bytes of its objects.
    pub stored_bytes: u64,
    /// Keys; of logs those in their RDBs.
    pub keys: u64,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

/// Folders without a manifest.
///
/// See [`status`](crate::task::status()).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct StatusRemains {
    /// How many are older than the grace: their writers were killed.
    pub old: u64,
    /// How many are not: somebody may be writing them.
    pub young: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Status {
    pub(super) fn of(archive: ArchiveId, at: UnixMillis, streams: Vec<StreamStatus>) -> Status {
        let mut findings = Vec::new();
        if streams.is_empty() {
            let code = StatusCode::NoBackup;
            findings.push(StatusFinding::new(code, None, "there is no backup in this archive"));
        }
        let worst = streams.iter().map(|stream| stream.verdict);
        let verdict = worst.chain(findings.iter().map(|finding| finding.level)).max();
        let bytes = streams.iter().fold(0, |sum: u64, stream| sum.saturating_add(stream.bytes));
        let verdict = verdict.unwrap_or_default();
        Status { archive, at, verdict, bytes, streams, findings }
    }

    /// All that somebody should look at, with the stream that it is about.
    pub fn findings(&self) -> impl Iterator<Item = (Option<&StreamName>, &StatusFinding)> {
        let of_streams = self.streams.iter().flat_map(|stream| {
            stream.findings.iter().map(|finding| (Some(&stream.stream), finding))
        });
        self.findings.iter().map(|finding| (None, finding)).chain(of_streams)
    }
}
