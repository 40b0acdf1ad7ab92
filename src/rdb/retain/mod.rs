//! Values with some of their elements left out, in the layout they have.
//!
//! ```text
//!  value -> count what stays -> nothing goes: as it is
//!                            -> something goes: write(left)
//! ```
//!
//! Strings and nodes of which nothing goes are copied as they lie; a packed blob is built anew, and
//! compressed where it was compressed. A stream ends up as if the entries had been deleted one by
//! one, only that nothing of them is left in the file. The one layout that changes is that of hashes
//! by template, which become plain ones.

mod packed;
mod stream;
mod value;

pub(crate) use value::{Keep, Retain};
