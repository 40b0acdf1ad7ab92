//! What a scan took.

use crate::live::snapshot::Snapshot;

/// What a scan took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScanOutcome {
    /// When and how.
    pub snapshot: Snapshot,
    /// Keys that were written.
    pub keys: u64,
    /// Keys that were gone, or had expired, when their value was asked for.
    pub vanished: u64,
    /// Keys that the scan named once more; each was written once.
    pub repeated: u64,
    /// Function libraries that were written; `None` where the server would not give them.
    pub function_libraries: Option<u64>,
    /// Whether databases were emptied or swapped meanwhile: then much may be missing. `None` where the
    /// server does not say.
    pub emptied: Option<bool>,
}

/// What only a scan has to tell of its keys.
///
/// See [`ScanOutcome`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScanCounts {
    /// Keys that were written.
    pub keys: u64,
    /// Keys that were gone, or had expired, when their value was asked for.
    pub vanished: u64,
    /// Keys that the scan named once more; each was written once.
    pub repeated: u64,
    /// Function libraries that were written; `None` where the server would not give them.
    pub function_libraries: Option<u64>,
    /// Whether databases were emptied or swapped meanwhile: then much may be missing. `None` where the
    /// server does not say.
    pub emptied: Option<bool>,
}

impl From<&ScanOutcome> for ScanCounts {
    fn from(outcome: &ScanOutcome) -> ScanCounts {
        ScanCounts {
            keys: outcome.keys,
            vanished: outcome.vanished,
            repeated: outcome.repeated,
            function_libraries: outcome.function_libraries,
            emptied: outcome.emptied,
        }
    }
}
