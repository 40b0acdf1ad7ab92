//! What is in a shard, in numbers.

use crate::aof;
use crate::rdb::check::{ChecksumState, DbReport, Level, Report, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Whether a backup can be relied on, by what the check of its bytes found while it was made.
///
/// ```
/// use redkeep::repo::Soundness;
/// assert!(Soundness::Sound < Soundness::Damaged);
/// assert!(Soundness::Findings.is_readable() && !Soundness::Unreadable.is_readable());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Soundness {
    /// Nothing was found.
    Sound,
    /// All of it can be read, but something in it is not as it should be.
    Findings,
    /// It holds a form that cannot be read here, so not all of it was looked at.
    Unreadable,
    /// Bytes are missing or wrong.
    Damaged,
}

impl Soundness {
    /// Whether all of it can be read.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self <= Soundness::Findings
    }
}

impl fmt::Display for Soundness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Soundness::Sound => "sound",
            Soundness::Findings => "findings",
            Soundness::Unreadable => "unreadable",
            Soundness::Damaged => "damaged",
        })
    }
}

impl From<Verdict> for Soundness {
    fn from(verdict: Verdict) -> Soundness {
        match verdict {
            Verdict::Sound => Soundness::Sound,
            Verdict::Findings => Soundness::Findings,
            Verdict::Unreadable => Soundness::Unreadable,
            Verdict::Damaged => Soundness::Damaged,
        }
    }
}

impl From<aof::check::Verdict> for Soundness {
    fn from(verdict: aof::check::Verdict) -> Soundness {
        match verdict {
            aof::check::Verdict::Sound => Soundness::Sound,
            aof::check::Verdict::Findings => Soundness::Findings,
            aof::check::Verdict::Unreadable => Soundness::Unreadable,
            _ => Soundness::Damaged,
        }
    }
}

/// What is in a shard. A later check of the same bytes has to come to the same.
///
/// See [`Manifest`](crate::repo::Manifest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Content {
    /// What was found.
    pub soundness: Soundness,
    /// How far it was looked at.
    pub level: Level,
    /// How the dump begins, as `REDIS0011`; of a log its first RDB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The checksum in the dump: `ok`, `absent` (the server keeps none), `before_its_time`, `mismatch`
    /// or `not_reached`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Bytes of the files.
    pub bytes: u64,
    /// Keys; of a log those in its RDBs.
    pub keys: u64,
    /// Elements in all values of a dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<u64>,
    /// Of a log: its commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<u64>,
    /// Databases of a dump.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dbs: Vec<DbCount>,
    /// Function libraries of a dump.
    #[serde(default)]
    pub functions: u64,
    /// Modules that a server must have, as its dump names their types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// How often each thing was found, by its code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub found: BTreeMap<String, u64>,
    /// What a later version wrote.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// Counts of one database.
///
/// See [`Manifest`](crate::repo::Manifest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DbCount {
    /// Its index.
    pub db: u64,
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expiring: u64,
    /// Keys by what clients call their type.
    pub types: BTreeMap<String, u64>,
}

impl From<&DbReport> for DbCount {
    fn from(report: &DbReport) -> DbCount {
        let types = report.types.iter().map(|(name, keys)| ((*name).to_owned(), *keys)).collect();
        DbCount { db: report.db, keys: report.keys, expiring: report.expiring, types }
    }
}

impl From<&Report> for Content {
    fn from(report: &Report) -> Content {
        let checksum = match report.checksum {
            ChecksumState::Ok => "ok",
            ChecksumState::Absent => "absent",
            ChecksumState::BeforeItsTime => "before_its_time",
            ChecksumState::Mismatch { .. } => "mismatch",
            ChecksumState::NotReached => "not_reached",
        };
        Content {
            soundness: report.verdict.into(),
            level: report.level,
            header: report.header.clone(),
            checksum: Some(checksum.to_owned()),
            bytes: report.bytes.saturating_add(report.trailing_bytes),
            keys: report.keys,
            elements: Some(report.elements),
            commands: None,
            dbs: report.dbs.iter().map(DbCount::from).collect(),
            functions: report.functions.len() as u64,
            modules: report.modules.iter().map(|module| module.name.clone()).collect(),
            found: counts(&report.counts),
            unknown: Map::new(),
        }
    }
}

impl From<&aof::check::Report> for Content {
    fn from(report: &aof::check::Report) -> Content {
        let rdb = report.files.iter().find_map(|file| file.rdb.as_ref());
        Content {
            soundness: report.verdict.into(),
            level: report.level,
            header: rdb.and_then(|rdb| rdb.header.clone()),
            checksum: None,
            bytes: report.bytes,
            keys: report.rdb_keys,
            elements: None,
            commands: Some(report.commands),
            dbs: Vec::new(),
            functions: 0,
            modules: Vec::new(),
            found: counts(&report.counts),
            unknown: Map::new(),
        }
    }
}

fn counts(found: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    found.iter().map(|(code, times)| ((*code).to_owned(), *times)).collect()
}

impl Content {
    /// What differs from the other, in words; None where nothing does. How far either was looked at and
    /// what was found does not count.
    pub(crate) fn difference(&self, other: &Content) -> Option<String> {
        let number = |what: &str, here: u64, there: u64| {
            (here != there).then(|| format!("{here} {what}, and {there} were recorded"))
        };
        number("bytes", self.bytes, other.bytes)
            .or_else(|| number("keys", self.keys, other.keys))
            .or_else(|| number("commands", self.commands.unwrap_or(0), other.commands.unwrap_or(0)))
            .or_else(|| number("function libraries", self.functions, other.functions))
            .or_else(|| {
                (self.header != other.header).then(|| "another header than was recorded".to_owned())
            })
            .or_else(|| {
                (self.dbs != other.dbs).then(|| {
                    "other keys, types or expiries by database than were recorded".to_owned()
                })
            })
    }
}
