//! What a check of a log found, as plain values.

use crate::aof::fileset::Layout;
use crate::aof::manifest::FileKind;
use crate::rdb;
use crate::rdb::ServerVersion;
use crate::rdb::check::{Level, Severity};
use std::collections::BTreeMap;
use std::fmt;

/// The outcome in one word, the gravest last.
///
/// ```
/// use redkeep::aof::check::Verdict;
/// assert!(Verdict::TornTail < Verdict::Corrupt);
/// assert_eq!(Verdict::TornTail.to_string(), "torn tail");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing found at the level asked for.
    Sound,
    /// All of it can be read, but something in it is not as it should be.
    Findings,
    /// It ends inside a record, as a crash while writing leaves it.
    TornTail,
    /// It ends between MULTI and EXEC.
    OpenMulti,
    /// It ends in zeros: the file had grown, and its data never came to the disk.
    ZeroTail,
    /// It holds what cannot be read here, by its form or by the limits; the rest of it has not been
    /// seen.
    Unreadable,
    /// Bytes are wrong that no crash explains.
    Corrupt,
    /// The RDB that a file begins with is cut or damaged. No cut can mend that.
    BrokenBase,
    /// The files do not make up a log: the manifest is refused or gone, a file is missing, or one
    /// before the last is torn.
    BrokenSet,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Sound => "sound",
            Verdict::Findings => "findings",
            Verdict::TornTail => "torn tail",
            Verdict::OpenMulti => "open multi",
            Verdict::ZeroTail => "zero tail",
            Verdict::Unreadable => "unreadable",
            Verdict::Corrupt => "corrupt",
            Verdict::BrokenBase => "broken base",
            Verdict::BrokenSet => "broken set",
        })
    }
}

/// One thing found.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, check_log};
/// let report = check_log(&b"*2\r\n$4\r\nFROB\r\n$1\r\nk\r\n"[..], "a.aof", &AofCheckOptions::default())?;
/// let finding = &report.findings[0];
/// assert_eq!((finding.code, finding.command), ("unknown_command", Some(0)));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// Its stable name: one of the log's, a [`Trap`](crate::aof::Trap)'s, a
    /// [`Fault`](crate::Fault)'s, or one of [`rdb::check`].
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The name of the file it is in.
    pub file: Option<String>,
    /// Offset in that file: of the byte, or of the command or key.
    pub offset: Option<u64>,
    /// How many commands of the file come before it.
    pub command: Option<u64>,
    /// The database.
    pub db: Option<u64>,
    /// The key, escaped and shortened; only in an RDB.
    pub key: Option<String>,
    /// One sentence.
    pub message: String,
}

/// What a cut at the last good boundary of a file would come to.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, check_log};
/// let log = b"*1\r\n$8\r\nFLUSHALL\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
/// let report = check_log(&log[..], "a.aof", &AofCheckOptions::default())?;
/// let cut = report.files[0].cut.unwrap();
/// assert_eq!((cut.at, cut.commands, cut.lost_bytes, cut.lost_commands), (18, 1, 35, 2));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Cut {
    /// The end of the last whole record outside a transaction.
    pub at: u64,
    /// Commands before it.
    pub commands: u64,
    /// Bytes behind it.
    pub lost_bytes: u64,
    /// Whole commands behind it that can be told, those of an open transaction and those behind
    /// damage included. A value that holds the bytes of commands counts as well.
    pub lost_commands: u64,
    /// Whether all bytes behind it were searched for commands; on hostile ones that is given up.
    pub searched: bool,
}

/// The times that `#TS:` annotations give, in seconds since 1970.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, check_log};
/// let report = check_log(&b"#TS:10\r\n#TS:15\r\n"[..], "a.aof", &AofCheckOptions::default())?;
/// let times = report.times.unwrap();
/// assert_eq!((times.first, times.last), (10, 15));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TimeRange {
    /// The first one.
    pub first: i64,
    /// The last one; less than the first where the clock was set back.
    pub last: i64,
}

/// Commands of one database.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, check_log};
/// let log = b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
/// let report = check_log(&log[..], "a.aof", &AofCheckOptions::default())?;
/// assert_eq!((report.dbs[0].db, report.dbs[0].commands), (3, 1));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DbCommands {
    /// The database's index; 2^64-1 for all beyond the first 65,536.
    pub db: u64,
    /// Commands but SELECT, MULTI and EXEC that were logged while it was selected.
    pub commands: u64,
}

/// What a named server would do with the log as it is, `aof-load-truncated` being `yes`.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, Outcome, check_log};
/// use redkeep::rdb::check::CheckOptions;
/// let rules = CheckOptions::default().target("redis-7.0".parse().unwrap());
/// let report = check_log(&b"*1\r\n$4"[..], "a.aof", &AofCheckOptions::new(rules))?;
/// assert_eq!(report.target.unwrap().outcome, Outcome::CutsTail);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// It loads all of it.
    Loads,
    /// It starts, but passes over commands or puts them into another database.
    LoadsInPart,
    /// It cuts the last file, on disk, and starts with the rest.
    CutsTail,
    /// It starts with no data.
    StartsEmpty,
    /// It does not start. (Where the only wrong bytes stand in place of a CR or LF it may: servers
    /// do not look at all of those.)
    Refuses,
}

/// The answer for the server that was asked about.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, Outcome, check_log};
/// use redkeep::rdb::check::CheckOptions;
/// let rules = CheckOptions::default().target("redis-7.0".parse().unwrap());
/// let target = check_log(&b""[..], "a.aof", &AofCheckOptions::new(rules))?.target.unwrap();
/// assert_eq!((target.server.to_string(), target.outcome), ("redis-7.0".to_owned(), Outcome::StartsEmpty));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Target {
    /// The server asked about.
    #[cfg_attr(feature = "json", serde(serialize_with = "as_text"))]
    pub server: ServerVersion,
    /// What it would do.
    pub outcome: Outcome,
}

/// All that a check found in one file of a log.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, Verdict, check_log};
/// let log = b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n";
/// let file = &check_log(&log[..], "a.aof", &AofCheckOptions::default())?.files[0];
/// assert_eq!((file.verdict, file.commands, file.transactions), (Verdict::Sound, 2, 1));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FileReport {
    /// Its bare name, or what the caller calls it.
    pub name: String,
    /// Base or increment; a single file is a base.
    pub kind: FileKind,
    /// The outcome for this file alone.
    pub verdict: Verdict,
    /// Bytes in it.
    pub bytes: u64,
    /// The report on the RDB it begins with, where it does. Its findings stand among those of the
    /// set as well.
    pub rdb: Option<rdb::check::Report>,
    /// The end of the last whole record outside a transaction; all before it can be read.
    pub valid_up_to: u64,
    /// Where a cut would mend it, and at what loss; `None` where there is nothing to mend, or no
    /// cut would.
    pub cut: Option<Cut>,
    /// Offset of a whole command behind the damage. No crash leaves that, unless a value holds
    /// the bytes of a command.
    pub goes_on_at: Option<u64>,
    /// Zeros that the file ends in, where its end is not a good one.
    pub zeros: u64,
    /// Whole commands up to the damage, or to the end.
    pub commands: u64,
    /// Annotations likewise.
    pub annotations: u64,
    /// Transactions that were ended by EXEC.
    pub transactions: u64,
    /// The times of the annotations, where there are any.
    pub times: Option<TimeRange>,
}

/// All that a check of a log found.
///
/// ```
/// use redkeep::aof::check::{AofCheckOptions, Verdict, check_log};
/// let report = check_log(&b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"[..], "a.aof", &AofCheckOptions::default())?;
/// assert_eq!((report.verdict, report.names["DEL"]), (Verdict::Sound, 1));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// The outcome in one word.
    pub verdict: Verdict,
    /// The level that was asked for.
    pub level: Level,
    /// How the files belong together.
    pub layout: Layout,
    /// By whose rules the files were put together: the target's, or where none was asked about
    /// those of the newest server known here that reads them.
    #[cfg_attr(feature = "json", serde(serialize_with = "as_text"))]
    pub server: ServerVersion,
    /// The files that a server loads, in order.
    pub files: Vec<FileReport>,
    /// Bytes in all files.
    pub bytes: u64,
    /// Keys in the RDBs that files begin with.
    pub rdb_keys: u64,
    /// Whole commands in all files.
    pub commands: u64,
    /// Commands by name, in capitals where it is one that servers log. Of names that are not, a
    /// hundred are told apart; all others are under `(others)`.
    pub names: BTreeMap<String, u64>,
    /// Commands by database.
    pub dbs: Vec<DbCommands>,
    /// Transactions that were ended by EXEC.
    pub transactions: u64,
    /// From the first `#TS:` annotation of all files to the last.
    pub times: Option<TimeRange>,
    /// What the target would do, where one was named.
    pub target: Option<Target>,
    /// What was found, the worst kind first; at most as many as asked for, and then always the first
    /// of the worst kind.
    pub findings: Vec<Finding>,
    /// How often each code was found, those past the cap included.
    pub counts: BTreeMap<&'static str, u64>,
}

#[cfg(feature = "json")]
fn as_text<S: serde::Serializer>(value: &ServerVersion, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

#[cfg(feature = "json")]
impl Report {
    /// The report as one JSON document, indented. Field names and codes are stable.
    ///
    /// ```
    /// use redkeep::aof::check::{AofCheckOptions, check_log};
    /// let report = check_log(&b"*2\r\n$3"[..], "a.aof", &AofCheckOptions::default())?;
    /// assert!(report.to_json()?.contains(r#""verdict": "torn_tail""#));
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that a report can cause: serde's interface allows for them.
    pub fn to_json(&self) -> crate::Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| std::io::Error::from(error).into())
    }
}
