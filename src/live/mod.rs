//! Running servers: what one is and would lose, snapshots of its data, and keys put back into it.
//!
//! [`probe`] asks without changing anything; what a user may not do, or what was renamed, is found
//! and not assumed.
//!
//! A [`SnapshotDriver`] takes a snapshot, by one of these ways:
//!
//! - [`bgsave`] or [`save`] has the server save, and opens the file that this very save wrote, or fails.
//!   It is never content with the file that is there.
//! - [`replication`] takes a snapshot over the wire, as a replica would, also from a stream that the
//!   caller connected.
//! - [`scan`](scan()) takes one key by key, where nothing else is open; it isn't from one moment.
//! - [`CopyingFiles`] takes the files that lie there: the log of a server that goes on writing it, or an old
//!   dump, which it says the age of.
//!
//! [`task::snapshot`](crate::task::snapshot()) chooses among them, and puts what comes in its place.
//!
//! [`restore`] puts keys into a server or a cluster, every answer looked at, and compares afterwards;
//! [`task::restore`](crate::task::restore()) chooses, changes and converts them before.
//!
//! [`pause_log`] turns a server's log off while data are loaded, and is done when it was rewritten.
//!
//! [`cluster`] finds the nodes of a cluster, and [`sentinel`] the master that sentinels watch, or a
//! replica of it.
//!
//! Everything else takes any connection of the `redis` crate ([`ConnectionLike`]), or [`Connection`], which
//! shows no password in anything it prints.

mod clock;
pub mod cluster;
mod commands;
pub(crate) mod conf;
mod connect;
mod drivers;
mod facts;
#[cfg(test)]
mod fake;
mod file;
mod files;
mod host;
mod info;
mod log_pause;
mod persistence;
mod preflight;
mod probe;
pub mod replication;
mod reply;
pub mod restore;
mod role;
mod save;
mod scan;
pub mod sentinel;
pub(crate) mod settings;
mod snapshot;

pub use clock::{Clock, Ticking, Timer};
pub use commands::{Access, CommandAccess};
pub use connect::{ConnectOptions, Connection};
pub use drivers::{Driver, DriverReport};
pub(crate) use facts::replication_of;
pub use facts::{Database, Files, Memory, Module, Replica, Replication, Role, ServerFacts};
pub use files::{CopyingFiles, FilesOptions, LogFacts, PinnedFile, PinnedLog};
pub use host::{Host, Overcommit};
pub use log_pause::{
    LogPauseError, LogPauseOptions, LogPauseOutcome, LogPauseStep, LogState, pause_log,
};
pub use persistence::{CrashLoss, Persistence, SaveRule};
pub use preflight::{Finding, Severity, Skew};
pub use probe::{Probe, ProbeOptions, probe};
pub use redis::ConnectionLike;
pub use replication::driver::Replicating;
pub use save::{Bgsaving, SaveOptions, SavedFile, Saving, bgsave, save};
pub use scan::{ScanCounts, ScanOptions, ScanOutcome, Scanning, scan};
pub use settings::SettingsSource;
pub use snapshot::{Snapshot, SnapshotDriver, SnapshotReceiver, Taken};
