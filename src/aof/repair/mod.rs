//! Repair: what to keep of a log that servers refuse, or that is to end earlier.
//!
//! [`plan`] looks and changes nothing; a [`Plan`] is a value that can be read, stored and thrown
//! away; [`task::repair`](crate::task::repair) carries it out.
//!
//! # What is cut
//!
//! | what is seen | what is done |
//! |---|---|
//! | the end inside a record, a transaction without EXEC, zeros at the end | cut before it, in any file of a set |
//! | bytes that no record has, with more behind | cut there; or, with [`salvage`](RepairOptions::salvage), only they go |
//! | a later time, offset or command than [asked for](CutAt) | cut there, never inside a transaction; later files leave the manifest |
//! | a manifest that is missing or refused | written anew from the files there and what can be read of it |
//! | a file that is missing, an RDB that is damaged | an [obstacle](Plan::obstacles): no cut mends that |
//!
//! # Salvage
//!
//! A log has no checksum, so nothing behind damage is proven; the rules are those that held when
//! measured. One byte of the framing is put right where it is seen to be wrong and only one other
//! byte fits: the command then has a known name and enough arguments, and three more such follow, or
//! the end. A digit in place of a digit is not seen to be wrong: such a command goes, and the
//! report says by which digit it would be whole. Else reading goes on at the next place where three
//! known commands follow each other. So one bad byte in command 11 of 1000 costs one command.
//!
//! Never stays half a transaction: where a part is lost, all of it goes. Neither can be known what a
//! lost command would have done: what follows a gap is as of an incomplete log, and if a SELECT may
//! be in the gap, the commands up to the next one may go to the wrong database. A [`Loss`] says so.

mod chain;
mod display;
mod evidence;
mod ledger;
mod mend;
mod options;
mod plan;
mod planner;
mod rebuild;
mod scan;
mod stamp;
mod window;

pub use options::{CutAt, RepairOptions};
pub use plan::{
    Doubt, Fate, FilePlan, Loss, LossCause, ManifestPlan, Mend, Neighbour, Piece, Plan, Tally,
    Target,
};
pub use planner::{plan, plan_log};
pub use stamp::Stamp;
