//! Snapshots by `BGSAVE` or `SAVE`: the file that this very request, or one after it, had written.
//!
//! That a save ended and the server says `ok` proves nothing: a save that was killed quietly leaves
//! both, and the old file. `LASTSAVE` has whole seconds, and the name of the file may come to stand
//! for another at any time. What is proven here is that *the opened file was written by a save that
//! began no earlier than the request*:
//!
//! 1. wait until nothing saves, so that any later save is newer than the request;
//! 2. remember the file under the name by device, inode, both times and size, and the server's clock;
//! 3. `BGSAVE`, and wait until no save runs; or `SAVE`, which is over when it is answered;
//! 4. the server must be the same run and say `ok`; the file under the name, once opened, must be
//!    another than before; `LASTSAVE` must have moved and not lie before the request; and so must the
//!    time that the file itself states.
//!
//! Whatever does not fit is tried again, and never answered with the file that is there.

mod driver;
mod file;
mod options;
mod prove;
mod round;
mod state;
#[cfg(test)]
mod tests;

pub use driver::{Bgsaving, Saving};
pub use file::SavedFile;
pub use options::SaveOptions;
pub use prove::{bgsave, save};
