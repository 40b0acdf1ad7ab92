//! A snapshot of the files that lie in a data directory: an old dump, or the log of a server that goes
//! on writing it. The server may be down.
//!
//! # A dump
//!
//! is as old as it says, and the [`Snapshot`](crate::live::Snapshot) says how old that is. Where the server
//! keeps a log it loads that and not the dump, so that a dump is refused there.
//!
//! # A log
//!
//! has a base, increments and a manifest that names them, and a rewrite replaces and deletes them at any
//! time. A copy that is made one after the other may be of no use: its files were not there together.
//! So they are *pinned* first:
//!
//! 1. read the manifest;
//! 2. open every file that it names; where one is gone, begin again;
//! 3. read the manifest once more; where it changed, begin again: numbers only grow, so the same bytes
//!    say that nothing changed in between;
//! 4. see how long the last file is now. An open file stays what it is, whatever happens to its name.
//!
//! The last file is taken up to that length. It may end inside a record or a transaction, and is cut
//! there by whoever copies it.
//!
//! A server that is asked says besides how long its log is: a pin that is shorter, as while
//! `appendonly yes` is being switched on, or longer, as in another server's directory, is not
//! taken. A log lags behind what was answered; so before the pin its buffer has to be seen empty
//! once.

mod driver;
mod dump;
mod options;
mod pin;
mod pinned;
mod place;
mod rewrites;

pub use driver::CopyingFiles;
pub use options::FilesOptions;
pub use pinned::{LogFacts, PinnedFile, PinnedLog};
