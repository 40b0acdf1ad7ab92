//! What a check found, as plain values.

use crate::error::{Error, ErrorKind};
use crate::rdb::version::ServerVersion;
use std::collections::BTreeMap;
use std::fmt;

/// How far a check goes; each step includes those before it.
///
/// ```
/// use redkeep::rdb::check::Level;
/// assert!(Level::Framing < Level::Semantics);
/// assert_eq!("elements".parse(), Ok(Level::Elements));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Level {
    /// Every record can be told from the next, and the checksum fits.
    Framing,
    /// Every container has the size and the number of entries that its head says.
    Structure,
    /// Every string inflates and every number is one.
    Elements,
    /// What servers rely on without looking: nothing twice, nothing empty, order, stream
    /// bookkeeping.
    Semantics,
    /// A named server would load it.
    Loadable,
}

impl Level {
    const NAMES: [(&'static str, Level); 5] = [
        ("framing", Level::Framing),
        ("structure", Level::Structure),
        ("elements", Level::Elements),
        ("semantics", Level::Semantics),
        ("loadable", Level::Loadable),
    ];
}

impl std::str::FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let found = Level::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, level)| *level).ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Level::NAMES.iter().find(|(_, level)| level == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

/// A level's name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a level: {0:?} (framing, structure, elements, semantics or loadable)")]
pub struct UnknownLevel(String);

/// The outcome in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing found at the level asked for.
    Sound,
    /// All of it can be read, but something in it is not as it should be.
    Findings,
    /// It holds a form that is recognised and cannot be read, or more than the limits allow: nothing
    /// is known to be wrong with it, and the rest of it has not been seen.
    Unreadable,
    /// Bytes are missing or wrong.
    Damaged,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Sound => "sound",
            Verdict::Findings => "findings",
            Verdict::Unreadable => "unreadable",
            Verdict::Damaged => "damaged",
        })
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing; the file is as sound as before.
    Note,
    /// Some server refuses it, drops it or trips over it.
    Problem,
    /// It cannot be read here, by its form or by the limits.
    Unreadable,
    /// Bytes are missing or wrong.
    Damage,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// Its stable name, such as `duplicate_key` or a [`Fault`](crate::Fault)'s code.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// Absolute offset in the file: of the byte, or of the key's record.
    pub offset: Option<u64>,
    /// The database.
    pub db: Option<u64>,
    /// The key, escaped and shortened.
    pub key: Option<String>,
    /// One sentence.
    pub message: String,
}

impl Finding {
    pub(crate) fn of_error(error: &Error) -> Finding {
        let severity = match error.kind() {
            ErrorKind::Unsupported | ErrorKind::Limit => Severity::Unreadable,
            _ => Severity::Damage,
        };
        Finding {
            code: error.fault().map_or("io", |fault| fault.code()),
            severity,
            offset: error.offset(),
            db: error.db(),
            key: error.key().map(str::to_owned),
            message: error.to_string(),
        }
    }
}

/// What is known of the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case", tag = "state"))]
#[non_exhaustive]
pub enum ChecksumState {
    /// It fits.
    Ok,
    /// A zero is stored: the server kept none (`rdbchecksum no`), so damage can pass unseen.
    Absent,
    /// The format had none yet (RDB 1 to 4).
    BeforeItsTime,
    /// It does not fit.
    Mismatch {
        /// As stored.
        #[cfg_attr(feature = "json", serde(serialize_with = "as_hex"))]
        stored: u64,
        /// That of the bytes.
        #[cfg_attr(feature = "json", serde(serialize_with = "as_hex"))]
        computed: u64,
    },
    /// The end was not reached.
    NotReached,
}

/// Counts of one database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DbReport {
    /// The database's index; 2^64-1 for all beyond the first 65,536.
    pub db: u64,
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expiring: u64,
    /// Keys whose expiry is before the `now` that was given; a master would drop them on loading.
    pub expired: u64,
    /// Keys by what clients call their type.
    pub types: BTreeMap<&'static str, u64>,
}

/// A function library.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionReport {
    /// Its name, from the first line of its source.
    pub name: String,
    /// Bytes of source.
    pub bytes: u64,
}

/// A module that a server must have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModuleReport {
    /// The module type's name.
    pub name: String,
    /// The version of its encoding.
    pub version: u64,
    /// Keys of this type.
    pub keys: u64,
    /// Data of its own outside keys.
    pub aux: u64,
}

/// How duplicate keys were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DuplicateSearch {
    /// The memory it was allowed, in bytes.
    pub budget: u64,
    /// Keys that were compared with all others of their share.
    pub compared: u64,
    /// Every how many-th key (by hash) was compared: 1 = all; a power of two where the budget did
    /// not suffice for all.
    pub one_in: u64,
}

/// Whether a named server would load it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LoadReport {
    /// The server asked about.
    #[cfg_attr(feature = "json", serde(serialize_with = "as_text"))]
    pub server: ServerVersion,
    /// Whether it would load it: nothing was found that makes such a server refuse or lose anything.
    pub loads: bool,
}

/// JSON readers keep 53 bits of a number; a checksum has 64.
#[cfg(feature = "json")]
fn as_hex<S: serde::Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{value:016x}"))
}

#[cfg(feature = "json")]
fn as_text<S: serde::Serializer>(value: &ServerVersion, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// All that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// The outcome in one word.
    pub verdict: Verdict,
    /// The level that was asked for.
    pub level: Level,
    /// Magic and version, where there is one.
    pub header: Option<String>,
    /// What the file says of itself: version of the server, time of saving, ...
    pub facts: BTreeMap<String, String>,
    /// Bytes of the RDB that were read.
    pub bytes: u64,
    /// Bytes behind its end.
    pub trailing_bytes: u64,
    /// The checksum.
    pub checksum: ChecksumState,
    /// Keys in all databases.
    pub keys: u64,
    /// Keys by database.
    pub dbs: Vec<DbReport>,
    /// Keys by layout in the file.
    pub layouts: BTreeMap<&'static str, u64>,
    /// Elements in all values, where they were walked.
    pub elements: u64,
    /// Function libraries.
    pub functions: Vec<FunctionReport>,
    /// Modules that a server must have.
    pub modules: Vec<ModuleReport>,
    /// How duplicate keys were looked for, where they were.
    pub duplicates: Option<DuplicateSearch>,
    /// Whether the named server would load it, where one was named.
    pub target: Option<LoadReport>,
    /// What was found, the worst kind first; at most as many as asked for, and then always the first
    /// of the worst kind.
    pub findings: Vec<Finding>,
    /// How often each code was found, those past the cap included.
    pub counts: BTreeMap<&'static str, u64>,
}

#[cfg(feature = "json")]
impl Report {
    /// The report as one JSON document, indented. Field names and codes are stable.
    ///
    /// ```
    /// use redkeep::rdb::check::{CheckOptions, check_slice};
    /// let report = check_slice(b"REDIS0003\xff", &CheckOptions::default());
    /// assert!(report.to_json()?.contains(r#""verdict": "sound""#));
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that a report can cause: serde's interface allows for them.
    pub fn to_json(&self) -> crate::Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| Error::from(std::io::Error::from(error)))
    }
}
