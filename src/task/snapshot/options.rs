//! How a snapshot is taken, and where it goes.

use crate::live::replication::ReplicationOptions;
use crate::live::{Driver, FilesOptions, ProbeOptions, SaveOptions, ScanOptions};
use crate::rdb::check::CheckOptions;
use std::path::PathBuf;

/// How a snapshot is taken.
///
/// ```
/// use redkeep::live::Driver;
/// use redkeep::task::{ReplicaOptions, SnapshotOptions};
/// let options = SnapshotOptions::default()
///     .driver(Driver::Bgsave)
///     .replica(ReplicaOptions::default().most_behind(1 << 20));
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SnapshotOptions {
    /// The way. Default: by `BGSAVE` where that is open, else by replication, else by scan.
    pub driver: Option<Driver>,
    /// How the server is asked which ways are open.
    pub probe: ProbeOptions,
    /// For the ways by `BGSAVE` and `SAVE`.
    pub save: SaveOptions,
    /// For the way by replication; the login is that of the connection.
    pub replication: ReplicationOptions,
    /// For the way by scan.
    pub scan: ScanOptions,
    /// For the way by files.
    pub files: FilesOptions,
    /// How the bytes are checked.
    pub check: CheckOptions,
    /// Whether a replica is asked in place of its master. Default: no.
    pub replica: Option<ReplicaOptions>,
}

impl SnapshotOptions {
    /// Sets [`driver`](Self::driver).
    #[must_use]
    pub fn driver(mut self, driver: Driver) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Sets [`probe`](Self::probe).
    #[must_use]
    pub fn probe(mut self, options: ProbeOptions) -> Self {
        self.probe = options;
        self
    }

    /// Sets [`save`](Self::save).
    #[must_use]
    pub fn save(mut self, options: SaveOptions) -> Self {
        self.save = options;
        self
    }

    /// Sets [`replication`](Self::replication).
    #[must_use]
    pub fn replication(mut self, options: ReplicationOptions) -> Self {
        self.replication = options;
        self
    }

    /// Sets [`scan`](Self::scan).
    #[must_use]
    pub fn scan(mut self, options: ScanOptions) -> Self {
        self.scan = options;
        self
    }

    /// Sets [`files`](Self::files).
    #[must_use]
    pub fn files(mut self, options: FilesOptions) -> Self {
        self.files = options;
        self
    }

    /// Sets [`check`](Self::check).
    #[must_use]
    pub fn check(mut self, options: CheckOptions) -> Self {
        self.check = options;
        self
    }

    /// Sets [`replica`](Self::replica).
    #[must_use]
    pub fn replica(mut self, options: ReplicaOptions) -> Self {
        self.replica = Some(options);
        self
    }
}

/// Which replica will do in place of its master.
///
/// ```
/// use redkeep::task::ReplicaOptions;
/// let options = ReplicaOptions::default().required(true);
/// assert_eq!(options.most_behind, 1 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaOptions {
    /// Bytes of history that it may lack, before the snapshot and after it. Default 1 MiB.
    pub most_behind: u64,
    /// Whether it is an error where none will do. Default: no, and the master is asked.
    pub required: bool,
}

impl Default for ReplicaOptions {
    fn default() -> Self {
        ReplicaOptions { most_behind: 1 << 20, required: false }
    }
}

impl ReplicaOptions {
    /// Sets [`most_behind`](Self::most_behind).
    #[must_use]
    pub fn most_behind(mut self, bytes: u64) -> Self {
        self.most_behind = bytes;
        self
    }

    /// Sets [`required`](Self::required).
    #[must_use]
    pub fn required(mut self, required: bool) -> Self {
        self.required = required;
        self
    }
}

/// Where a snapshot goes: it appears there whole, or not at all.
///
/// ```
/// use redkeep::task::SnapshotTarget;
/// let target = SnapshotTarget::new("/backup/today.rdb").replace(true);
/// # drop(target);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotTarget {
    /// A file, or a folder for a log of several parts.
    pub path: PathBuf,
    /// Whether what is there is replaced: a file is written over, a folder moved aside. Default: no.
    pub replace: bool,
}

impl SnapshotTarget {
    /// A place where nothing is yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> SnapshotTarget {
        SnapshotTarget { path: path.into(), replace: false }
    }

    /// Sets [`replace`](Self::replace).
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }
}
