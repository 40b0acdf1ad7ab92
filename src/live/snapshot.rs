//! What is known of a snapshot besides its bytes.

use crate::live::drivers::Driver;
use crate::live::facts::Role;

/// When and how a snapshot was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// How.
    pub driver: Driver,
    /// Whether all of it is from one moment.
    pub point_in_time: bool,
    /// The server, as `redis 7.0.15`.
    pub server: String,
    /// The server's run.
    pub run_id: String,
    /// What the server is to others.
    pub role: Role,
    /// When it was asked for, by the server's clock, in seconds since 1970.
    pub asked_at: u64,
    /// When it was done, likewise.
    pub done_at: Option<u64>,
    /// When the file says that it was made, likewise (since Redis 3.2).
    pub stated_at: Option<u64>,
    /// The id of the history of its data (since Redis 4.0).
    pub replication_id: Option<String>,
    /// How far that history was before it was taken, in bytes.
    pub offset_before: Option<u64>,
    /// And after it.
    pub offset_after: Option<u64>,
    /// Writes that came after the moment it is from, while it was taken.
    pub writes_meanwhile: Option<u64>,
    /// How often it had to be asked for, because others saved at the same time.
    pub rounds: u32,
    /// The server's file, as named here.
    pub file: Option<String>,
    /// Bytes of that.
    pub bytes: Option<u64>,
}
