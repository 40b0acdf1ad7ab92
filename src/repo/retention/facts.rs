//! What is known of a backup.

use crate::time::UnixMillis;
use std::fmt;

/// How far a backup can be trusted, from the best down.
///
/// ```
/// use redkeep::repo::retention::BackupState;
/// assert!(BackupState::Verified < BackupState::Failed);
/// assert_eq!(BackupState::Unverified.to_string(), "unverified");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
pub enum BackupState {
    /// It was verified, and no check failed since.
    Verified,
    /// It is complete; nobody verified it yet.
    Unverified,
    /// It is incomplete, or a check failed and none succeeded since.
    Failed,
}

impl fmt::Display for BackupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BackupState::Verified => "verified",
            BackupState::Unverified => "unverified",
            BackupState::Failed => "failed",
        })
    }
}

/// What is known of a backup.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::retention::{BackupFacts, BackupState};
/// let taken = UnixMillis::new(1_790_000_000_000);
/// let backup = BackupFacts::new("b2", taken, BackupState::Verified).tag("release").need("b1");
/// assert_eq!(backup.needs, ["b1"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BackupFacts {
    /// Its name, like no other's. Of two taken in one millisecond the greater is the newer one.
    pub id: String,
    /// When it was taken.
    pub time: UnixMillis,
    /// How far it can be trusted by itself.
    pub state: BackupState,
    /// The user's tags.
    pub tags: Vec<String>,
    /// The ids of backups without which this one is worth nothing.
    pub needs: Vec<String>,
}

impl BackupFacts {
    /// A backup without tags that needs no other.
    #[must_use]
    pub fn new(id: impl Into<String>, time: UnixMillis, state: BackupState) -> BackupFacts {
        BackupFacts { id: id.into(), time, state, tags: Vec::new(), needs: Vec::new() }
    }

    /// Adds one of the [`tags`](Self::tags).
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds one of the [`needs`](Self::needs).
    #[must_use]
    pub fn need(mut self, id: impl Into<String>) -> Self {
        self.needs.push(id.into());
        self
    }
}
