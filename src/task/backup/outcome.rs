//! What became of a backup, and how far one is.

use crate::repo::{Manifest, Soundness};
use serde::Serialize;

/// A backup that was made, or one that was not, because of what is wrong with it.
///
/// See [`backup`](crate::task::backup()).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BackupOutcome {
    /// What is recorded of it, or would have been.
    pub manifest: Manifest,
    /// Whether it is in the archive: what cannot be read to its end is not, unless that was asked for.
    pub kept: bool,
    /// What was found in each shard, in full, by its name; names of keys too.
    pub reports: std::collections::BTreeMap<String, serde_json::Value>,
}

impl BackupOutcome {
    /// Whether it is in the archive and nothing is wrong with it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.kept && self.manifest.soundness == Soundness::Sound
    }
}

/// How far a backup is.
///
/// See [`backup_watched`](crate::task::backup_watched).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupProgress {
    /// Which shard, from 0 on.
    pub shard: usize,
    /// Plain bytes of it so far.
    pub bytes: u64,
    /// Keys of it so far, some thousands late; of a log none are counted.
    pub keys: u64,
    /// Plain bytes there will be, where that is known.
    pub len: Option<u64>,
}
