//! A snapshot: what is known of it besides its bytes, and what takes one.

use crate::error::Result;
use crate::live::drivers::Driver;
use crate::live::facts::{Replication, Role, ServerFacts};
use crate::live::files::{LogFacts, PinnedLog};
use crate::live::info::Info;
use crate::live::replication::Received;
use crate::live::scan::ScanCounts;
use std::io::Read;

/// When and how a snapshot was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// How.
    pub driver: Driver,
    /// Whether all of it is from one moment.
    pub point_in_time: bool,
    /// The server, as `redis 7.0.15`; empty where none was asked.
    pub server: String,
    /// The server's run; empty where none was asked.
    pub run_id: String,
    /// What the server is to others.
    pub role: Role,
    /// When it was asked for, by the server's clock, in seconds since 1970; of files without a server,
    /// by the caller's.
    pub asked_at: Option<u64>,
    /// When it was done, likewise.
    pub done_at: Option<u64>,
    /// When the file says that it was made, likewise (since Redis 3.2).
    pub stated_at: Option<u64>,
    /// How old that makes it when it was asked for, in seconds: writes since then are not in it. Only
    /// of files that were there already.
    pub age_seconds: Option<u64>,
    /// The id of the history of its data (since Redis 4.0).
    pub replication_id: Option<String>,
    /// How far that history was before it was taken, in bytes.
    pub offset_before: Option<u64>,
    /// And after it.
    pub offset_after: Option<u64>,
    /// Writes that came after the moment it is from, while it was taken.
    pub writes_meanwhile: Option<u64>,
    /// How often it had to be asked for, because others saved or rewrote at the same time.
    pub rounds: u32,
    /// The server's file or folder, as named here.
    pub file: Option<String>,
    /// Bytes of it.
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// One of no server.
    pub(crate) fn of(driver: Driver) -> Snapshot {
        Snapshot {
            driver,
            point_in_time: driver.is_point_in_time(),
            server: String::new(),
            run_id: String::new(),
            role: Role::default(),
            asked_at: None,
            done_at: None,
            stated_at: None,
            age_seconds: None,
            replication_id: None,
            offset_before: None,
            offset_after: None,
            writes_meanwhile: None,
            rounds: 1,
            file: None,
            bytes: None,
        }
    }

    /// What a server said of itself before and after.
    pub(crate) fn between(driver: Driver, before: &Info, after: &Info) -> Snapshot {
        let server = ServerFacts::of(after);
        let (first, last) = (Replication::of(before), Replication::of(after));
        Snapshot {
            server: format!("{} {}", server.product, server.version),
            run_id: server.run_id,
            role: last.role,
            replication_id: last.id,
            offset_before: first.offset,
            offset_after: last.offset,
            ..Snapshot::of(driver)
        }
    }
}

/// A snapshot that came whole, and what its driver knows of it. Whether its bytes are sound is for
/// whoever [received](SnapshotReceiver) them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Taken {
    /// When and how.
    pub snapshot: Snapshot,
    /// Of one that came as replicas get it: what the server said, the exact place in its history too.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub replication: Option<Received>,
    /// Of one that was taken key by key: what happened to the keys.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub scan: Option<ScanCounts>,
    /// Of a log: how it was pinned.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub log: Option<LogFacts>,
}

impl Taken {
    pub(crate) fn of(snapshot: Snapshot) -> Taken {
        Taken { snapshot, replication: None, scan: None, log: None }
    }
}

/// A way to a snapshot, with all it needs to go it.
///
/// [`Bgsaving`](crate::live::Bgsaving), [`Saving`](crate::live::Saving),
/// [`Replicating`](crate::live::Replicating), [`Scanning`](crate::live::Scanning) and
/// [`CopyingFiles`](crate::live::CopyingFiles) are those that there are.
///
/// ```no_run
/// use redkeep::live::{
///     ConnectOptions, Connection, PinnedLog, ScanOptions, Scanning, SnapshotDriver, SnapshotReceiver,
/// };
/// use redkeep::rdb::check::{CheckOptions, Verdict, check_stream};
/// use std::io::Read;
///
/// /// Keeps nothing and believes nothing.
/// struct Verify(Option<Verdict>);
/// impl SnapshotReceiver for Verify {
///     fn dump(&mut self, bytes: &mut dyn Read, _: Option<u64>) -> redkeep::Result<()> {
///         self.0 = Some(check_stream(bytes, &CheckOptions::default())?.verdict);
///         Ok(())
///     }
///     fn log(&mut self, _: &PinnedLog) -> redkeep::Result<()> {
///         Ok(())
///     }
/// }
///
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let mut verify = Verify(None);
/// let taken = Scanning { server: &mut server, options: &ScanOptions::default() }.take(&mut verify)?;
/// assert!(!taken.snapshot.point_in_time && verify.0 == Some(Verdict::Sound));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait SnapshotDriver {
    /// Which way it is.
    fn driver(&self) -> Driver;

    /// Takes a snapshot and gives it to `receiver`, once: nothing is given before the server agreed.
    ///
    /// # Errors
    /// Why none could be taken, or why it did not come whole; what the receiver got has to be thrown
    /// away then. Those of the receiver.
    fn take(&mut self, receiver: &mut dyn SnapshotReceiver) -> Result<Taken>;
}

/// What becomes of a snapshot's bytes: whoever writes this keeps and checks them.
pub trait SnapshotReceiver {
    /// Takes a dump (RDB), to its end: that the source ends without an error says that all of it came.
    /// `len` is how long it will be, where that is known.
    ///
    /// # Errors
    /// Those of the source, which the driver words better, and the receiver's own.
    fn dump(&mut self, bytes: &mut dyn Read, len: Option<u64>) -> Result<()>;

    /// Takes a log (AOF), whose pinned files are there until this returns.
    ///
    /// # Errors
    /// Those of reading the files, and the receiver's own.
    fn log(&mut self, log: &PinnedLog) -> Result<()>;
}
