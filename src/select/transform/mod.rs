//! Keys under other names, in other databases, with other expiries.
//!
//! ```text
//!  key -> shift its expiry -> expired? -> set or drop the expiry -> rename -> move -> same name twice?
//! ```
//!
//! What nothing applies to passes as it came, byte for byte.

mod expiry;
mod names;
mod options;
mod rename;
mod stage;
mod stars;

pub use expiry::ExpiryChange;
pub use options::TransformOptions;
pub use rename::Rename;
pub use stage::{Transform, TransformCounts};
