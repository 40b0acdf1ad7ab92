//! The guide: how to do things with this crate, in prose whose examples compile.
//!
//! - [`formats`]: what a dump is made of, and how to walk it at three levels.
//! - [`check`]: what the report of a check says, and how to let only sound backups pass.

pub mod check;
pub mod formats;
