//! A scan as a way to a snapshot.

use crate::error::Result;
use crate::live::drivers::Driver;
use crate::live::scan::options::ScanOptions;
use crate::live::scan::outcome::ScanCounts;
use crate::live::scan::reader::ScanReader;
use crate::live::snapshot::{SnapshotDriver, SnapshotReceiver, Taken};
use redis::ConnectionLike;

/// Key by key, as [`scan`](crate::live::scan()).
///
/// See [`SnapshotDriver`].
pub struct Scanning<'a, C: ?Sized> {
    /// The server.
    pub server: &'a mut C,
    /// Which keys.
    pub options: &'a ScanOptions,
}

impl<C: ConnectionLike + ?Sized> SnapshotDriver for Scanning<'_, C> {
    fn driver(&self) -> Driver {
        Driver::Scan
    }

    fn take(&mut self, receiver: &mut dyn SnapshotReceiver) -> Result<Taken> {
        let mut reader = ScanReader::start(self.server, self.options)?;
        let received = receiver.dump(&mut reader, None);
        let outcome = reader.finish(received)?;
        let scan = Some(ScanCounts::from(&outcome));
        Ok(Taken { scan, ..Taken::of(outcome.snapshot) })
    }
}
