//! What people come for, one verb a file: each is a plain function with options in and an outcome
//! out. Nothing here prints. Only what has to replace files whole opens them by name: [`repair`].

mod extract;
pub(crate) mod place;
mod repair;

pub use extract::{ExtractOptions, ExtractOutcome, extract};
pub use repair::{RepairOutcome, RepairPlace, RepairStep, repair, repair_watched};
