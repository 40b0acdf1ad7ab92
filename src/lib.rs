//! One crate that opens what it stores and proves what it restores.
#![forbid(unsafe_code)]

mod error;
mod limits;
pub mod rdb;
mod time;
pub mod wire;

pub use error::{Error, ErrorKind, Fault, Result};
pub use limits::Limits;
pub use time::UnixMillis;
