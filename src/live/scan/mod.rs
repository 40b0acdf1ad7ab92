//! A snapshot key by key, by `SCAN` and `DUMP`: where a server leaves nothing else open.
//!
//! It is not from one moment. A key that is there all the time is in it once; one that comes or goes
//! meanwhile may or may not be. What went between its name and its value is counted. `FLUSHDB` ends a
//! scan as if all had been seen, so the server's own counts of such commands are compared.

mod driver;
mod options;
mod outcome;
mod pages;
mod reader;
mod run;
mod seen;

pub use driver::Scanning;
pub use options::ScanOptions;
pub use outcome::{ScanCounts, ScanOutcome};
pub use reader::scan;
