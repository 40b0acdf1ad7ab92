//! What is recorded of a backup.

mod content;
mod source;

pub use content::{Content, DbCount, Soundness};
pub use source::{Source, SourceChange, SourceState};

use crate::aof;
use crate::aof::FileKind;
use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::rdb::check::Level;
use crate::repo::names::{ArchiveId, BackupId, StreamName};
use crate::repo::seal::SealedPart;
use crate::time::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The newest form of manifests, and of what says which archive it is.
pub(crate) const FORMAT: u32 = 1;

/// The record of a backup: its `manifest.json`, which makes it one.
///
/// It is written last and never changed. It holds no name of a key and no value, and where parts are
/// encrypted nothing that depends on their bytes but counts. Fields that a later version adds are kept
/// and written again.
///
/// ```
/// use redkeep::repo::Manifest;
/// use redkeep::{Fault, UnixMillis};
/// use redkeep::repo::{Archive, store::MemoryStore};
/// use redkeep::task::{BackupOptions, backup};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let archive = Archive::create(MemoryStore::new())?;
/// let now = || UnixMillis::new(1_795_140_000_000);
/// let manifest = backup(&archive, dump, None, &now, &BackupOptions::default())?.manifest;
/// assert_eq!(manifest.backup.time(), now());
/// assert_eq!(manifest.shards[0].content.keys, 1);
/// assert_eq!(Manifest::parse(&manifest.to_json()?)?, manifest);
///
/// let error = Manifest::parse(b"{\"format\":2}").unwrap_err();
/// assert_eq!(error.fault(), Some(Fault::ArchiveFormat));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The form of this record: 1.
    pub format: u32,
    /// The archive it was made for.
    pub archive: ArchiveId,
    /// The stream it belongs to.
    pub stream: StreamName,
    /// Its id.
    pub backup: BackupId,
    /// What wrote it, as `redkeep 0.1.0`.
    pub tool: String,
    /// When it was begun, by the clock of who made it.
    pub started_at: UnixMillis,
    /// When all else of it was stored, likewise.
    pub finished_at: UnixMillis,
    /// Words that whoever made it gave it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Backups of the stream without which this one is worth nothing: retention keeps them as long as
    /// this. Whatever this version makes stands alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<BackupId>,
    /// The worst that was found in any shard.
    pub soundness: Soundness,
    /// How far its content was checked.
    pub level: Level,
    /// Whether its server is the one of the backup before.
    pub source_change: SourceChange,
    /// What is stored: one shard, or those of a cluster.
    pub shards: Vec<Shard>,
    /// Of a cluster: ms between the first shard's moment and the last one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<u64>,
    /// What whoever restores it should know, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// A part of its own, sealed as the others: [`Details`] as JSON.
    pub details: Part,
    /// What a later version wrote.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// What was taken from one server, or given as one file or log.
///
/// See [`Manifest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shard {
    /// `main`, or `from-slot-` and the first of its slots.
    pub name: String,
    /// The first and the last slot of each range that it served, where it is of a cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<(u16, u16)>,
    /// Where it comes from.
    pub source: Source,
    /// Of a log: what its files make up. None of a dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogForm>,
    /// What is in it, and what is wrong with it.
    pub content: Content,
    /// The files: one dump, or those of a log in the order in which they are loaded.
    pub parts: Vec<Part>,
    /// What a later version wrote.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// How the files of a log belong together.
///
/// See [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogForm {
    /// What the server calls it (`appendfilename`).
    pub name: String,
    /// One file, or a folder of parts.
    pub layout: aof::Layout,
    /// Bytes at the end of the last file that were left out: a record or a transaction that the server
    /// had only begun to write.
    pub cut_bytes: u64,
}

/// A file, and the sealed part it is stored as.
///
/// See [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Part {
    /// What it is called outside: `dump.rdb`, or as the server calls a file of its log.
    pub file: String,
    /// Of a file of a log: base or increment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FileKind>,
    /// Of a file of a log: what it begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_with: Option<aof::Content>,
    /// How it is stored.
    #[serde(flatten)]
    pub sealed: SealedPart,
    /// SHA-256 of the file, where it is not encrypted; else it is in the details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_sha256: Option<Digest32>,
    /// What a later version wrote.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// What is known of a backup that only those may read who may read its content.
///
/// ```
/// use redkeep::repo::Details;
/// let details = Details::parse(br#"{"plain_sha256":{},"reports":{"main":{"verdict":"sound"}}}"#)?;
/// assert_eq!(details.reports["main"]["verdict"], "sound");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Details {
    /// SHA-256 of the plain bytes of each part, by its [name](Part::name).
    pub plain_sha256: BTreeMap<String, Digest32>,
    /// The full report of the check of each shard, by its name: with names of keys, where those are what
    /// was found.
    pub reports: BTreeMap<String, Value>,
}

/// Bytes of the biggest manifest, and of the biggest details: some 100,000 volumes.
pub(crate) const MOST: u64 = 64 << 20;

impl Details {
    /// Reads them.
    ///
    /// # Errors
    /// `BackupRecord` where they are malformed.
    pub fn parse(json: &[u8]) -> Result<Details> {
        serde_json::from_slice(json).map_err(malformed)
    }
}

impl Manifest {
    /// Reads a manifest, and looks whether all of it can be true at once.
    ///
    /// # Errors
    /// `ArchiveFormat` for one of a later form; `BackupRecord` where it is malformed or contradicts itself.
    pub fn parse(json: &[u8]) -> Result<Manifest> {
        #[derive(Deserialize)]
        struct Form {
            format: u64,
        }
        let Form { format } = serde_json::from_slice(json).map_err(malformed)?;
        if format > FORMAT.into() {
            return Err(Error::from_fault(Fault::ArchiveFormat)
                .with_detail(format!("form {format}, and {FORMAT} is the newest known")));
        }
        let manifest: Manifest = serde_json::from_slice(json).map_err(malformed)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Its bytes: JSON, indented, with a line end.
    ///
    /// # Errors
    /// `BackupRecord` where it contradicts itself.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut json = serde_json::to_vec_pretty(self).map_err(malformed)?;
        json.push(b'\n');
        Ok(json)
    }

    /// All parts: those of the shards, and the details.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.shards.iter().flat_map(|shard| &shard.parts).chain([&self.details])
    }

    /// Whether its parts are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.details.sealed.encrypted
    }

    /// Keys of all shards; of logs those in their RDBs.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.shards.iter().fold(0, |sum, shard| sum.saturating_add(shard.content.keys))
    }

    /// Bytes of the files in it.
    #[must_use]
    pub fn plain_bytes(&self) -> u64 {
        let files = self.shards.iter().flat_map(|shard| &shard.parts);
        files.fold(0, |sum, part| sum.saturating_add(part.sealed.plain_len))
    }

    /// Bytes that its volumes take in the store.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.parts().fold(0, |sum, part| sum.saturating_add(part.sealed.stored_len()))
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::from_fault(Fault::BackupRecord).with_detail(what));
        if self.format == 0 {
            return wrong("there is no form 0");
        }
        let (mut shards, mut volumes) = (HashSet::new(), HashSet::new());
        for shard in &self.shards {
            if !shards.insert(&shard.name) {
                return wrong("two shards have one name");
            }
            if shard.log.is_none() && shard.parts.len() != 1 {
                return wrong("a dump is one file");
            }
            let mut files = HashSet::new();
            for part in &shard.parts {
                if part.file.is_empty()
                    || part.file.contains(['/', '\\', '\0'])
                    || part.file.starts_with('.')
                {
                    return wrong("a file's name is no bare name");
                }
                if !files.insert(&part.file) {
                    return wrong("two files of a shard have one name");
                }
            }
        }
        if self.shards.is_empty() {
            return wrong("it has no shard");
        }
        for part in self.parts() {
            part.sealed.check()?;
            if part.sealed.encrypted != self.is_encrypted() {
                return wrong("some of it is encrypted and some is not");
            }
            if !part.sealed.volumes.iter().all(|volume| volumes.insert(&volume.name)) {
                return wrong("two volumes have one name");
            }
        }
        Ok(())
    }
}

impl Shard {
    pub(crate) fn new(
        name: String,
        slots: Vec<(u16, u16)>,
        source: Source,
        log: Option<LogForm>,
        content: Content,
        parts: Vec<Part>,
    ) -> Shard {
        Shard { name, slots, source, log, content, parts, unknown: Map::new() }
    }
}

impl Part {
    pub(crate) fn new(file: impl Into<String>, sealed: SealedPart) -> Part {
        let unknown = Map::new();
        Part {
            file: file.into(),
            kind: None,
            begins_with: None,
            sealed,
            plain_sha256: None,
            unknown,
        }
    }

    /// What its volumes are called, but for their numbers.
    #[must_use]
    pub fn name(&self) -> &str {
        let first = self.sealed.volumes.first().map_or("", |volume| &volume.name);
        first.strip_suffix(".000000").unwrap_or(first)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn malformed(error: serde_json::Error) -> Error {
    Error::from_fault(Fault::BackupRecord).with_detail(error.to_string())
}
