//! What a later check of a backup found, kept beside it.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::archive::{Archive, StoredBackup, put_once};
use crate::repo::names::{ArchiveId, BackupId, StreamName};
use crate::repo::retention::BackupState;
use crate::time::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// How certificates are called: this, an id as a backup's, and `.json`.
pub(crate) const CERTIFICATE: &str = "verified-";
/// Bytes of the biggest one.
const MOST: u64 = 16 << 20;

/// How far a verification goes; each step includes those before it.
///
/// ```
/// use redkeep::repo::VerifyLevel;
/// assert!(VerifyLevel::Exists < VerifyLevel::Meaning);
/// assert_eq!("bytes".parse::<VerifyLevel>()?, VerifyLevel::Bytes);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerifyLevel {
    /// Its manifest is the one that was stored, and every object is there, as long as recorded.
    Exists,
    /// Every stored byte is the one that was stored; with a key, or where nothing is encrypted, every
    /// plain byte too.
    Bytes,
    /// It is read and checked again as when it was made, and what is in it is what is recorded.
    #[default]
    Meaning,
}

impl fmt::Display for VerifyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VerifyLevel::Exists => "exists",
            VerifyLevel::Bytes => "bytes",
            VerifyLevel::Meaning => "meaning",
        })
    }
}

impl FromStr for VerifyLevel {
    type Err = Error;

    fn from_str(text: &str) -> Result<VerifyLevel> {
        let all = [VerifyLevel::Exists, VerifyLevel::Bytes, VerifyLevel::Meaning];
        let found = all.into_iter().find(|level| level.to_string() == text);
        found.ok_or_else(|| Error::usage(format!("no level: {text:?} (exists, bytes or meaning)")))
    }
}

/// What a verification found.
///
/// It is kept beside the backup as an object of its own, so that whoever comes later knows when it was
/// last read, and how far.
///
/// See [`verify`](crate::task::verify()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Certificate {
    /// The form of this record: 1.
    pub format: u32,
    /// The archive it is in.
    pub archive: ArchiveId,
    /// The stream.
    pub stream: StreamName,
    /// The backup.
    pub backup: BackupId,
    /// SHA-256 of the manifest that it is about.
    pub manifest_sha256: Digest32,
    /// What wrote it.
    pub tool: String,
    /// When it was begun.
    pub started_at: UnixMillis,
    /// And done.
    pub finished_at: UnixMillis,
    /// How far it was looked at.
    pub level: VerifyLevel,
    /// Whether plain bytes were looked at: not without a key to what is encrypted.
    pub plain: bool,
    /// The server it was asked of whether that would load it, as `redis-7.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// And whether it would load all of it. That it would not is no fault of the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loads: Option<bool>,
    /// Stored bytes that were read.
    pub bytes: u64,
    /// What was found. Nothing: it is as it was stored.
    pub problems: Vec<Problem>,
    /// What a later version wrote.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// Something that a verification found.
///
/// See [`Certificate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// The shard or object it is about.
    pub place: String,
    /// A [`Fault`]'s code, or `io`.
    pub code: String,
    /// One sentence, without names of keys.
    pub message: String,
}

impl Problem {
    /// An error that is about the backup; its own words may name a key, and then are left out.
    pub(crate) fn of(place: &str, error: &Error) -> Problem {
        let code = error.fault().map_or("io", Fault::code).to_owned();
        let message = match error.key() {
            Some(_) => {
                error.fault().map_or_else(|| error.kind().to_string(), |fault| fault.to_string())
            }
            None => error.to_string(),
        };
        Problem { place: place.to_owned(), code, message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl Certificate {
    /// Whether nothing is wrong with the backup.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }

    /// Puts it beside its backup.
    pub(crate) fn keep(&self, archive: &Archive, id: BackupId) -> Result<()> {
        let backup = self.stream.folder().join(&self.backup.to_string())?;
        let json = serde_json::to_vec_pretty(self).map_err(crate::repo::manifest::malformed)?;
        put_once(archive.store(), &backup.join(&format!("{CERTIFICATE}{id}.json"))?, &json)
    }
}

impl StoredBackup {
    /// The certificates of its verifications, the oldest first. One that is malformed, or of another
    /// manifest than this backup's, certifies nothing and is left out.
    ///
    /// # Errors
    /// Those of the store.
    pub fn certificates(&self) -> Result<Vec<Certificate>> {
        let objects = self.store().list(Some(self.folder()))?;
        let names = objects.iter().filter_map(|object| object.name.as_str().rsplit('/').next());
        self.certificates_called(names.filter(|file| file.starts_with(CERTIFICATE)))
    }

    /// Those of these objects beside it, in their order.
    pub(crate) fn certificates_called<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Vec<Certificate>> {
        let mut found = Vec::new();
        for name in names {
            let found_one = self.certificate_bytes(name)?;
            found.extend(found_one.and_then(|json| self.certificate(&json)));
        }
        Ok(found)
    }

    /// What an object beside it holds; None where it is gone.
    pub(crate) fn certificate_bytes(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.store().get(&self.folder().join(name)?, MOST) {
            Err(error) if error.fault() == Some(Fault::ObjectMissing) => Ok(None),
            json => json.map(Some),
        }
    }

    /// A certificate of this backup; None where it is none.
    pub(crate) fn certificate(&self, json: &[u8]) -> Option<Certificate> {
        let ours = |certificate: &Certificate| {
            certificate.manifest_sha256 == self.manifest_sha256()
                && certificate.backup == self.manifest().backup
        };
        serde_json::from_slice(json).ok().filter(ours)
    }

    /// How far it can be trusted, by what was found when it was made and by its
    /// [certificates](Self::certificates), the oldest first.
    ///
    /// Failed: it could not be read to its end when it was made, or a verification found something and
    /// none that went as far found nothing since. Verified: else, where one passed that read every byte.
    #[must_use]
    pub fn state(&self, certificates: &[Certificate]) -> BackupState {
        let mut failed = None;
        let mut verified = false;
        for certificate in certificates {
            let level = certificate.level;
            if !certificate.passed() {
                failed = failed.max(Some(level));
                verified = false;
            } else if failed.is_none_or(|failed| level >= failed) {
                failed = None;
                verified |= level >= VerifyLevel::Bytes;
            }
        }
        if failed.is_some() || !self.manifest().soundness.is_readable() {
            BackupState::Failed
        } else if verified {
            BackupState::Verified
        } else {
            BackupState::Unverified
        }
    }
}
