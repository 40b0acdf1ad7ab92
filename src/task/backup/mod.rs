//! Backups into an archive: checked, compressed and encrypted in one pass, while the source gives its bytes.

mod given;
mod intake;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "live")]
mod log;
mod options;
mod outcome;
mod store;

pub use given::{backup, backup_watched};
#[cfg(feature = "live")]
pub use live::{backup_cluster, backup_files, backup_server};
pub use options::{BackupOptions, SealChoice};
pub use outcome::{BackupOutcome, BackupProgress};
