//! What should be looked at before a backup of this server is relied on.

mod clock;
mod cost;
mod finding;
mod state;

pub use clock::Skew;
pub(crate) use finding::preflight;
pub use finding::{Finding, Severity};
