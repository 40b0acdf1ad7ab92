//! Where a backup comes from, and whether that is still the same.

use crate::repo::manifest::Manifest;
use crate::repo::names::BackupId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a shard comes from, and how it was taken. What is not known, or of no server, is left out.
///
/// See [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// How it was taken: `bgsave`, `save`, `replication`, `scan` or `files`, of a server; else `given`.
    pub driver: String,
    /// Whether all of it is from one moment.
    pub point_in_time: bool,
    /// The server's address, without any login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The server, as `redis 7.0.15`; of a dump without one, what that says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The server's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// `master` or `replica`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The id of the history of its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_id: Option<String>,
    /// How far that history was before it was taken, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_before: Option<u64>,
    /// And after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_after: Option<u64>,
    /// The exact place in that history, where it came as replicas get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// When it was asked for, by the server's clock, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<u64>,
    /// When it was done, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<u64>,
    /// When the file says that it was made, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_at: Option<u64>,
    /// Of a key by key snapshot: what happened meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_meanwhile: Option<u64>,
    /// The ways that would have come first, and why they were not gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why_not: Vec<String>,
    /// What a later version wrote.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

impl Source {
    /// A file that somebody gave.
    pub(crate) fn given(server: Option<String>, stated_at: Option<u64>) -> Source {
        let driver = "given".to_owned();
        Source { driver, point_in_time: true, server, stated_at, ..Source::default() }
    }
}

/// What a stream knows of its server's identity.
///
/// ```
/// use redkeep::repo::SourceState;
/// assert!(SourceState::Other.is_strange() && !SourceState::Restarted.is_strange());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceState {
    /// It is the first backup of its stream.
    First,
    /// The history of its data is that of the backup before, or the server's run is.
    Same,
    /// The address is that of the backup before, but its data has another history: it was restarted,
    /// restored, or replaced.
    Restarted,
    /// Another server writes to this stream now.
    Other,
    /// Nothing tells whether it is the same: no server was asked, now or before.
    Unknown,
}

impl SourceState {
    /// Whether somebody should look at it.
    #[must_use]
    pub fn is_strange(self) -> bool {
        self == SourceState::Other
    }
}

/// Whether a backup's server is that of the backup before it in the stream.
///
/// See [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceChange {
    /// What can be said.
    pub state: SourceState,
    /// The backup before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<BackupId>,
}

impl SourceChange {
    /// Compares with the backup before, if there is one.
    pub(crate) fn since(previous: Option<&Manifest>, now: &[&Source]) -> SourceChange {
        let Some(before) = previous else {
            return SourceChange { state: SourceState::First, previous: None };
        };
        let before_sources = || before.shards.iter().map(|shard| &shard.source);
        let states = now.iter().map(|source| {
            let same = |of: fn(&Source) -> &Option<String>| {
                of(source).is_some() && before_sources().any(|before| of(before) == of(source))
            };
            let known = |of: fn(&Source) -> &Option<String>| {
                of(source).is_some() && before_sources().any(|before| of(before).is_some())
            };
            if same(|source| &source.replication_id) || same(|source| &source.run_id) {
                SourceState::Same
            } else if !known(|source| &source.run_id) && !known(|source| &source.replication_id) {
                SourceState::Unknown
            } else if same(|source| &source.address) {
                SourceState::Restarted
            } else {
                SourceState::Other
            }
        });
        // A cluster may grow: one node that is known makes it the same.
        let order = |state: &SourceState| match state {
            SourceState::Same => 0,
            SourceState::Restarted => 1,
            SourceState::Other => 2,
            SourceState::Unknown | SourceState::First => 3,
        };
        let state = states.min_by_key(order).unwrap_or(SourceState::Unknown);
        SourceChange { state, previous: Some(before.backup) }
    }
}
