//! Saves as ways to a snapshot.

use crate::error::Result;
use crate::live::clock::Clock;
use crate::live::drivers::Driver;
use crate::live::save::file::SavedFile;
use crate::live::save::options::SaveOptions;
use crate::live::save::prove::{bgsave, save};
use crate::live::snapshot::{SnapshotDriver, SnapshotReceiver, Taken};
use redis::ConnectionLike;

/// By [`bgsave`].
///
/// See [`SnapshotDriver`].
pub struct Bgsaving<'a, C: ?Sized, T: ?Sized> {
    /// The server.
    pub server: &'a mut C,
    /// What to wait by.
    pub clock: &'a T,
    /// How it is asked.
    pub options: &'a SaveOptions,
}

impl<C: ConnectionLike + ?Sized, T: Clock + ?Sized> SnapshotDriver for Bgsaving<'_, C, T> {
    fn driver(&self) -> Driver {
        Driver::Bgsave
    }

    fn take(&mut self, receiver: &mut dyn SnapshotReceiver) -> Result<Taken> {
        give(bgsave(self.server, self.clock, self.options)?, receiver)
    }
}

/// By [`save`].
///
/// See [`SnapshotDriver`].
pub struct Saving<'a, C: ?Sized, T: ?Sized> {
    /// The server.
    pub server: &'a mut C,
    /// What to wait by.
    pub clock: &'a T,
    /// How it is asked.
    pub options: &'a SaveOptions,
}

impl<C: ConnectionLike + ?Sized, T: Clock + ?Sized> SnapshotDriver for Saving<'_, C, T> {
    fn driver(&self) -> Driver {
        Driver::Save
    }

    fn take(&mut self, receiver: &mut dyn SnapshotReceiver) -> Result<Taken> {
        give(save(self.server, self.clock, self.options)?, receiver)
    }
}

fn give(mut file: SavedFile, receiver: &mut dyn SnapshotReceiver) -> Result<Taken> {
    let len = file.snapshot().bytes;
    receiver.dump(&mut file, len)?;
    Ok(Taken::of(file.into_parts().1))
}
