//! Commands in the servers' protocol.

mod events;
mod ids;
#[cfg(feature = "live")]
mod keys;
mod options;
mod out;
mod outcome;
mod plain;
mod restore;
mod stream;
mod target;
mod writer;

#[cfg(feature = "live")]
pub(crate) use keys::{Fate, KeyCommands};
pub use options::{CommandForm, CommandsOptions};
pub use outcome::CommandsOutcome;
pub use writer::{Commands, export_commands};
