//! Commands in the servers' protocol.

mod events;
mod ids;
mod options;
mod out;
mod outcome;
mod plain;
mod restore;
mod stream;
mod target;
mod writer;

pub use options::{CommandForm, CommandsOptions};
pub use outcome::CommandsOutcome;
pub use writer::{Commands, export_commands};
