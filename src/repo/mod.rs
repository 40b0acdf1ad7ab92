//! The archive of backups, where no server is asked. (Feature `repo`.)
//!
//! - [`Archive`]: which backups there are, and [`StoredBackup`]: one of them, by its [`Manifest`].
//! - [`retention`]: which backups to keep, and which may go.
//! - [`store`]: the places that its objects are kept in.
//! - [`seal`]: a part of a backup as it is stored, compressed, encrypted and cut into volumes.
//!
//! What makes, verifies and restores backups is in [`task`](crate::task).
//!
//! # The objects
//!
//! Version 1. Below the root of the store:
//!
//! ```text
//! redkeep.json                               {"format":1,"archive":ID,"tool":TEXT}, written once
//! STREAM/BACKUP/SHARD.rdb.zst[.age].NNNNNN   volumes of a sealed part; of logs SHARD.NNNNN.aof.zst and such
//! STREAM/BACKUP/details.json.zst[.age].NNNNNN
//! STREAM/BACKUP/manifest.json.sha256         as sha256sum writes it
//! STREAM/BACKUP/manifest.json                written last: what makes it a backup
//! STREAM/BACKUP/verified-BACKUP.json         certificates of later checks
//! STREAM/lock/NNNNNNNN                       who writes now
//! ```
//!
//! A *stream* is the user's name for one logical database ([`StreamName`]), a *backup* an id that sorts
//! by time ([`BackupId`]). A folder without `manifest.json` is no backup: it is being written, or its
//! writer was killed; or it is being deleted, which begins with the manifest. `manifest.json.sig` is
//! reserved for a signature.
//!
//! A manifest names its archive, so copies of a backup are in archives of the same id:
//! [`Archive::open_or_create_mirror`].
//!
//! Without this crate, for a part of one volume or more:
//!
//! ```sh
//! set -o pipefail
//! cat main.rdb.zst.age.* | age -d -i KEYFILE | zstd -d > dump.rdb
//! ```
//!
//! Integrity is promised, authenticity is not: see [`seal`].

mod archive;
mod certificate;
mod manifest;
mod names;
pub mod retention;
pub mod seal;
pub mod store;

pub use archive::{
    Archive, Listed, Lock, LockHolder, LockOptions, Pick, StoredBackup, StoredSource,
};
pub(crate) use archive::{Exact, NewBackup, StoredVolumes, tool};
pub use certificate::{Certificate, Problem, VerifyLevel};
pub(crate) use manifest::FORMAT;
pub use manifest::{
    Content, DbCount, Details, LogForm, Manifest, Part, Shard, Soundness, Source, SourceChange,
    SourceState,
};
#[cfg(feature = "live")]
pub(crate) use names::made_up;
pub use names::{ArchiveId, BackupId, StreamName};
