//! Is this log sound, up to where is it good, and what would a server make of it?
//!
//! `redis-check-aof` calls logs valid that servers then refuse, and others broken that load; its
//! answer is a line of text. This check reads the same files once, and answers with a [`Report`]:
//! a [`Verdict`] for each file and for all of them, where the last good boundary is, and what a
//! [`Cut`] there would lose.
//!
//! | the log | servers | `redis-check-aof` | here |
//! |---|---|---|---|
//! | ends inside a record or a transaction | cut it and start | error | [`Verdict::TornTail`], [`Verdict::OpenMulti`] |
//! | the same in a file that is not the last | cut it, refuse, and start the next time | error | [`Verdict::BrokenSet`], `torn_not_last` |
//! | ends in zeros | refuse | error | [`Verdict::ZeroTail`] |
//! | has a wrong byte, and good commands behind it | refuse, or cut off all of them | error | [`Verdict::Corrupt`], `goes_on` |
//! | has a count of 0 or below | refuse | valid | [`Verdict::Corrupt`] |
//! | has a command that is unknown, or lacks arguments | refuse or crash | valid | `unknown_command`, `target_command`, `wrong_arity` |
//! | selects a database that is not there | run what follows in another one | valid | `select_index` |
//! | has EXEC without MULTI, or MULTI twice | pass over it | error | `exec_without_multi`, `nested_multi` |
//! | has a value with a line that begins with `file` | load it | takes it for a manifest | sound |
//! | begins with an RDB of Valkey 9 | load it | error | judged by [`rdb::check`](crate::rdb::check) |
//! | has annotations, and the server is older than Redis 7.0 | refuses | | `target_annotation` |
//! | ends in half an annotation | load it | valid | [`Verdict::TornTail`] |
//! | lacks its manifest | start empty, and write over the base | says nothing | [`Verdict::BrokenSet`], `manifest_missing` |
//!
//! What servers do was seen with Redis 6.2 to 8.8 and Valkey 9.1. A command that a server passes
//! over because it fails (INCR of a list) is not found: that would take replaying the log. Nor is a
//! wrong byte inside a value: a log has no checksum.
//!
//! ```
//! use redkeep::aof::check::{AofCheckOptions, Verdict, check_log};
//! let log = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\nDEL\r\n$1\r\n";
//! let report = check_log(&log[..], "appendonly.aof", &AofCheckOptions::default())?;
//! assert_eq!(report.verdict, Verdict::TornTail);
//! let cut = report.files[0].cut.unwrap();
//! assert_eq!((cut.at, cut.lost_bytes, cut.lost_commands), (27, 17, 0));
//! # Ok::<(), redkeep::Error>(())
//! ```

mod file;
mod findings;
mod options;
mod report;
mod set;
mod tail;
mod tally;

pub use options::AofCheckOptions;
pub use report::{
    Cut, DbCommands, FileReport, Finding, Outcome, Report, Target, TimeRange, Verdict,
};
#[cfg(feature = "repo")]
pub(crate) use set::StreamedSet;
pub use set::{check_fileset, check_log};
