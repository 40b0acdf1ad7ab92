//! How backups are copied.

use crate::repo::LockOptions;

/// How backups are copied into a second archive.
///
/// ```
/// use redkeep::task::{Arrival, CopyBackupOptions};
/// assert_eq!(CopyBackupOptions::default().arrival, Arrival::Read);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CopyBackupOptions {
    /// How it is made sure that objects arrived. Default: they are read back.
    pub arrival: Arrival,
    /// How the stream of the second archive is locked meanwhile.
    pub lock: LockOptions,
}

impl CopyBackupOptions {
    /// Sets [`arrival`](Self::arrival).
    #[must_use]
    pub fn arrival(mut self, arrival: Arrival) -> Self {
        self.arrival = arrival;
        self
    }

    /// Sets [`lock`](Self::lock).
    #[must_use]
    pub fn lock(mut self, options: LockOptions) -> Self {
        self.lock = options;
        self
    }
}

/// How it is made sure that an object arrived as it was sent.
///
/// ```
/// use redkeep::task::Arrival;
/// assert_eq!(Arrival::default(), Arrival::Read);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Arrival {
    /// It is read back, and its digest compared.
    #[default]
    Read,
    /// Only its length is asked for: nothing is fetched from far away but manifests. What a store spoiled in
    /// silence is found by the next verification.
    Stat,
}
