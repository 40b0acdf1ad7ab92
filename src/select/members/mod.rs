//! Parts of values: fields, members, elements and entries, kept or left out.

mod condition;
mod stage;

pub use condition::{MemberCondition, MemberOptions};
pub use stage::{MemberCounts, MemberFilter};
