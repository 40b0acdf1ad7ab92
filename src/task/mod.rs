//! What people come for, one verb a file: each is a plain function over readers and writers, with
//! options in and an outcome out. Nothing here prints, and no file is opened by name.

mod copy;
mod extract;

pub use copy::copy_checked;
pub use extract::{ExtractOptions, ExtractOutcome, extract};
