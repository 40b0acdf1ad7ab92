//! Is this dump sound, what is in it, and would that server load it?
//!
//! `redis-check-rdb` calls files sound that the server then refuses, and others broken that load.
//! This check is a ladder ([`Level`]) that ends above what any server looks at, and its answer is a
//! value: [`Report`].
//!
//! | found | servers | here |
//! |---|---|---|
//! | checksum wrong, bytes missing or malformed | refuse | damage |
//! | the same key twice | abort; the checker says OK | problem |
//! | a database index of 16 or more | refuse by default; the checker says OK | problem |
//! | an empty collection | drop it; the checker says error | problem |
//! | a field or member twice, scores out of order | often unnoticed until later | problem |
//! | bytes behind the end | never look | problem |
//! | a form that is known and cannot be read | differ | unreadable |
//! | no checksum kept, expired keys, modules needed | load, drop, refuse | said in the report |
//!
//! A stale smallest field expiry, an unknown AUX field and a stream without entries are no errors.
//!
//! ```
//! use redkeep::rdb::check::{check_slice, CheckOptions, Verdict};
//! let twice = b"REDIS0003\x00\x01k\x01a\x00\x01k\x01b\xff";
//! let report = check_slice(twice, &CheckOptions::default());
//! assert_eq!(report.verdict, Verdict::Findings);
//! assert_eq!(report.findings[0].code, "duplicate_key");
//! ```

mod checker;
mod distinct;
mod lua;
mod options;
mod report;
mod stream;
mod value;

pub(crate) use checker::Checker;
#[cfg(feature = "repo")]
pub(crate) use checker::check_stream_cut;
pub use checker::{check_file, check_slice, check_stream};
pub use options::CheckOptions;
pub use report::{
    ChecksumState, DbReport, DuplicateSearch, Finding, FunctionReport, Level, LoadReport,
    ModuleReport, Report, Severity, UnknownLevel, Verdict,
};
