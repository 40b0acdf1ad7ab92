//! Running servers: what one is and would lose, and snapshots of its data.
//!
//! [`probe`] asks without changing anything; what a user may not do, or what was renamed, is found
//! and not assumed.
//!
//! [`bgsave`] has the server save, and opens the file that this very save wrote, or fails. It is never
//! content with the file that is there.
//!
//! [`scan`] takes a snapshot key by key, where nothing else is open; it isn't from one moment.
//!
//! [`replication`] takes a snapshot over the wire, as a replica would, from a stream that the caller
//! connected.
//!
//! [`cluster`] finds the nodes of a cluster, and [`sentinel`] the master that sentinels watch, or a
//! replica of it.
//!
//! Everything else takes any connection of the `redis` crate ([`ConnectionLike`]), or [`Connection`], which
//! shows no password in anything it prints.

mod clock;
pub mod cluster;
mod commands;
mod conf;
mod connect;
mod drivers;
mod facts;
mod file;
mod host;
mod info;
mod persistence;
mod preflight;
mod probe;
pub mod replication;
mod reply;
mod role;
mod save;
mod scan;
pub mod sentinel;
mod settings;
mod snapshot;

pub use clock::Clock;
pub use commands::{Access, CommandAccess};
pub use connect::{ConnectOptions, Connection};
pub use drivers::{Driver, DriverReport};
pub use facts::{Database, Files, Memory, Module, Replica, Replication, Role, ServerFacts};
pub use host::{Host, Overcommit};
pub use persistence::{CrashLoss, Persistence, SaveRule};
pub use preflight::{Finding, Severity, Skew};
pub use probe::{Probe, ProbeOptions, probe};
pub use redis::ConnectionLike;
pub use save::{SaveOptions, SavedFile, bgsave, save};
pub use scan::{ScanOptions, ScanOutcome, scan};
pub use settings::SettingsSource;
pub use snapshot::Snapshot;
