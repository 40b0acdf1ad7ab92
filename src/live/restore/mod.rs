//! Keys into a running server: every answer looked at, every key accounted for.
//!
//! ```text
//! events  ->  RestoreSink  ->  batches of RESTORE or plain commands  ->  the server, or a cluster's masters
//!                   |                                                        |
//!                   +------  restored | skipped | failed | unknown  <-- answers, one by one
//! ```
//!
//! [`RestoreSink`] stands at the end of a [pipe](crate::pipe): in front of it keys are chosen, changed
//! and converted. `task::restore` puts all of that together.
//!
//! A restore is no transaction. Where it stops half-way, [`RestoreOutcome`] says what became of every
//! key so far and from which [`Checkpoint`] another can go on. With [`RestoreOptions::dry_run`] the
//! server is only asked, so what is in the way can be known before. With feature `digest`, `CompareSink`
//! reads back what is there afterwards.

mod ahead;
mod batch;
mod checkpoint;
#[cfg(feature = "digest")]
mod compare;
mod delivery;
mod link;
mod nodes;
mod options;
mod outcome;
mod sink;
mod target;
mod verdict;

pub use checkpoint::Checkpoint;
#[cfg(feature = "digest")]
pub use compare::{CompareOutcome, CompareSink, DifferingKey, Differs, Sample};
pub use link::Link;
pub use options::{Conflict, RestoreOptions};
pub use outcome::{
    FailedKey, Failure, FunctionCounts, RestoreOutcome, RestoreProgress, Skipped, Stopped,
};
pub use sink::RestoreSink;
pub use target::Target;
