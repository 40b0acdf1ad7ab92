//! The archive as a whole: which one it is, and which backups are in it.

mod copying;
mod lock;
mod post;
mod reading;
mod writing;

pub(crate) use copying::Exact;
pub use lock::{Lock, LockHolder, LockOptions};
pub use reading::{StoredBackup, StoredSource};
pub(super) use writing::put_once;
pub(crate) use writing::{NewBackup, StoredVolumes};

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::certificate::CERTIFICATE;
use crate::repo::manifest::{FORMAT, MOST, Manifest};
use crate::repo::names::{ArchiveId, BackupId, StreamName};
use crate::repo::seal::digest_of;
use crate::repo::store::{IfExists, Object, ObjectName, Store};
use crate::time::UnixMillis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What says that a store holds an archive, and which.
pub(crate) const ARCHIVE: &str = "redkeep.json";
/// What makes a folder a backup.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Its SHA-256, as `sha256sum` writes it.
const MANIFEST_DIGEST: &str = "manifest.json.sha256";

/// An archive of backups in a store. Cheap to clone; used from any thread.
///
/// ```
/// use redkeep::repo::{Archive, StreamName, store::MemoryStore};
/// let archive = Archive::create(MemoryStore::new())?;
/// assert!(archive.streams()?.is_empty());
/// assert!(archive.backups(&StreamName::new("prod")?)?.is_empty());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn Store>,
    id: ArchiveId,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Identity {
    format: u32,
    archive: ArchiveId,
    tool: String,
}

/// What wrote something.
pub(crate) fn tool() -> String {
    format!("redkeep {}", env!("CARGO_PKG_VERSION"))
}

impl Archive {
    /// Makes an archive of a store, which may hold other things beside it.
    ///
    /// # Errors
    /// `Store`: `ArchiveExists` where one is there already; those of the store.
    pub fn create(store: impl Store + 'static) -> Result<Archive> {
        Self::create_as(Arc::new(store), ArchiveId::made_up())
    }

    /// Its own name is no proof against a try that went unheard; the id is.
    fn create_as(store: Arc<dyn Store>, id: ArchiveId) -> Result<Archive> {
        let identity = Identity { format: FORMAT, archive: id, tool: tool() };
        let mut json = serde_json::to_vec_pretty(&identity).map_err(malformed)?;
        json.push(b'\n');
        let name = ObjectName::of_part(ARCHIVE);
        match store.put(&name, &json, IfExists::Refuse) {
            Ok(()) => Ok(Archive { store, id }),
            Err(error) => match Self::read_identity(&*store) {
                Ok(found) if found.archive == id => Ok(Archive { store, id }),
                Ok(_) => Err(Error::from_fault(Fault::ArchiveExists)),
                Err(_) => Err(error),
            },
        }
    }

    /// Opens the archive in a store.
    ///
    /// # Errors
    /// `Store`: `ArchiveNone` where there is none; `ArchiveFormat` for one of a later form; `ArchiveRecord`
    /// where what says so is malformed; those of the store.
    pub fn open(store: impl Store + 'static) -> Result<Archive> {
        let id = Self::read_identity(&store)?.archive;
        Ok(Archive { store: Arc::new(store), id })
    }

    /// Opens the archive in a store, or makes one where there is none.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) but for `ArchiveNone`.
    pub fn open_or_create(store: impl Store + 'static) -> Result<Archive> {
        match Self::read_identity(&store) {
            Ok(identity) => Ok(Archive { store: Arc::new(store), id: identity.archive }),
            Err(error) if error.fault() == Some(Fault::ArchiveNone) => Self::create(store),
            Err(error) => Err(error),
        }
    }

    /// Opens the archive in a store that is to hold copies of another one's backups, or makes one where
    /// there is none. It has the other's id, which backups name, so that they are its own in both; what
    /// can be done with the other can be done with it.
    ///
    /// ```
    /// use redkeep::Fault;
    /// use redkeep::repo::{Archive, store::MemoryStore};
    /// let (here, far_away) = (Archive::create(MemoryStore::new())?, MemoryStore::new());
    /// let mirror = Archive::open_or_create_mirror(far_away.clone(), here.id())?;
    /// assert_eq!(mirror.id(), here.id());
    ///
    /// let other = Archive::create(MemoryStore::new())?;
    /// let error = Archive::open_or_create_mirror(far_away, other.id()).unwrap_err();
    /// assert_eq!(error.fault(), Some(Fault::ArchiveOther));
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage`: `ArchiveOther` where an archive of another id is there. Those of [`open`](Self::open) but
    /// for `ArchiveNone`.
    pub fn open_or_create_mirror(store: impl Store + 'static, of: ArchiveId) -> Result<Archive> {
        let store: Arc<dyn Store> = Arc::new(store);
        let id = match Self::read_identity(&*store) {
            Ok(identity) => identity.archive,
            Err(error) if error.fault() == Some(Fault::ArchiveNone) => {
                match Self::create_as(Arc::clone(&store), of) {
                    // Somebody was quicker.
                    Err(error) if error.fault() == Some(Fault::ArchiveExists) => {
                        Self::read_identity(&*store)?.archive
                    }
                    made => return made,
                }
            }
            Err(error) => return Err(error),
        };
        let archive = Archive { store, id };
        archive.must_be(of).map(|()| archive)
    }

    /// Whether it has this id.
    pub(crate) fn must_be(&self, id: ArchiveId) -> Result<()> {
        if self.id == id {
            return Ok(());
        }
        Err(Error::from_fault(Fault::ArchiveOther)
            .with_detail(format!("it is {}, and not {id}", self.id))
            .in_file(ARCHIVE))
    }

    fn read_identity(store: &dyn Store) -> Result<Identity> {
        let name = ObjectName::of_part(ARCHIVE);
        let json = match store.get(&name, 1 << 20) {
            Err(error) if error.fault() == Some(Fault::ObjectMissing) => {
                return Err(Error::from_fault(Fault::ArchiveNone));
            }
            json => json?,
        };
        let value: serde_json::Value = serde_json::from_slice(&json).map_err(malformed)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format > FORMAT.into() => {
                return Err(Error::from_fault(Fault::ArchiveFormat).in_file(ARCHIVE));
            }
            _ => {}
        }
        serde_json::from_value(value).map_err(malformed)
    }

    /// Which archive it is.
    #[must_use]
    pub fn id(&self) -> ArchiveId {
        self.id
    }

    /// Where its objects are.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The streams that have a backup, or what is left of one, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub fn streams(&self) -> Result<Vec<StreamName>> {
        let mut streams: Vec<StreamName> = Vec::new();
        for object in self.store.list(None)? {
            let Some((stream, rest)) = object.name.as_str().split_once('/') else { continue };
            let ours = rest.split_once('/').is_some_and(|(id, _)| id.parse::<BackupId>().is_ok());
            if ours && streams.last().is_none_or(|last| last.as_str() != stream) {
                streams.extend(StreamName::new(stream));
            }
        }
        Ok(streams)
    }

    /// The backups of a stream, the oldest first. What a writer left that was killed is none.
    ///
    /// # Errors
    /// Those of the store.
    pub fn backups(&self, stream: &StreamName) -> Result<Vec<Listed>> {
        Ok(self.folders(stream)?.into_iter().filter(|listed| listed.complete).collect())
    }

    /// What backups left that were never finished or are half deleted, the oldest first; what is being
    /// written right now looks the same.
    ///
    /// # Errors
    /// Those of the store.
    pub fn remains(&self, stream: &StreamName) -> Result<Vec<Listed>> {
        Ok(self.folders(stream)?.into_iter().filter(|listed| !listed.complete).collect())
    }

    /// The objects of a backup in the order in which they go: the manifest first, so that what is half
    /// deleted is no backup.
    pub(crate) fn objects_to_delete(
        &self,
        stream: &StreamName,
        id: BackupId,
    ) -> Result<Vec<Object>> {
        let mut objects = self.store.list(Some(&stream.folder().join(&id.to_string())?))?;
        objects.sort_by_key(|object| match object.name.as_str().rsplit('/').next() {
            Some(MANIFEST) => 0,
            Some(file) if file.starts_with(MANIFEST) => 1,
            Some(file) if file.starts_with(CERTIFICATE) => 2,
            _ => 3,
        });
        Ok(objects)
    }

    /// Whether a backup has a manifest, by asking for that alone.
    pub(crate) fn has_manifest(&self, stream: &StreamName, id: BackupId) -> Result<bool> {
        let name = stream.folder().join(&id.to_string())?.join(MANIFEST)?;
        Ok(self.store.stat(&name)?.is_some())
    }

    /// Folders of backups, whole or not, the oldest first.
    pub(crate) fn folders(&self, stream: &StreamName) -> Result<Vec<Listed>> {
        let mut found: BTreeMap<BackupId, Listed> = BTreeMap::new();
        for object in self.store.list(Some(stream.folder()))? {
            let path = object.name.as_str();
            let below = path.strip_prefix(stream.as_str()).and_then(|rest| rest.strip_prefix('/'));
            let Some((id, file)) = below.and_then(|below| below.split_once('/')) else { continue };
            let Ok(id) = id.parse::<BackupId>() else { continue };
            let listed = found.entry(id).or_insert_with(|| Listed::new(id));
            listed.bytes = listed.bytes.saturating_add(object.size);
            listed.objects += 1;
            match file {
                MANIFEST => listed.complete = true,
                _ if file.starts_with(CERTIFICATE) => listed.certificates.push(file.to_owned()),
                _ => {}
            }
        }
        Ok(found.into_values().collect())
    }

    /// Finds the backup that is meant: the newest, the newest at some time, or one by its id.
    ///
    /// # Errors
    /// `Store`: `BackupNone` where there is none; those of the store.
    pub fn find(&self, stream: &StreamName, pick: &Pick) -> Result<BackupId> {
        let backups = self.backups(stream)?;
        let mut ids = backups.iter().map(|listed| listed.id).rev();
        let found = match pick {
            Pick::Latest => ids.next(),
            Pick::At(time) => ids.find(|id| id.time() <= *time),
            Pick::Id(wanted) => ids.find(|id| id == wanted),
        };
        found.ok_or_else(|| {
            Error::from_fault(Fault::BackupNone).with_detail(format!("{pick} in stream {stream}"))
        })
    }

    /// Opens a backup: reads its manifest, and looks whether that is the one that was stored for it.
    ///
    /// # Errors
    /// `Store`: `BackupNone`; `BackupDigest`, `BackupRecord`, `BackupOther`, `ArchiveFormat`; those of the store.
    pub fn backup(&self, stream: &StreamName, id: BackupId) -> Result<StoredBackup> {
        let folder = stream.folder().join(&id.to_string())?;
        let name = folder.join(MANIFEST)?;
        let json = match self.store.get(&name, MOST) {
            Err(error) if error.fault() == Some(Fault::ObjectMissing) => {
                return Err(Error::from_fault(Fault::BackupNone).with_detail(folder.as_str()));
            }
            json => json?,
        };
        let stated = self.store.get(&folder.join(MANIFEST_DIGEST)?, 1 << 10);
        let stated = match stated {
            Err(error) if error.fault() == Some(Fault::ObjectMissing) => Vec::new(),
            stated => stated?,
        };
        let sha256 = digest_of(&json);
        if stated != digest_line(sha256).as_bytes() {
            return Err(Error::from_fault(Fault::BackupDigest).in_file(name.as_str()));
        }
        let manifest = Manifest::parse(&json).map_err(|error| error.in_file(name.as_str()))?;
        let meant =
            manifest.archive == self.id && manifest.stream == *stream && manifest.backup == id;
        if !meant {
            let detail = format!(
                "of {} in stream {} of archive {}",
                manifest.backup, manifest.stream, manifest.archive
            );
            return Err(Error::from_fault(Fault::BackupOther)
                .with_detail(detail)
                .in_file(name.as_str()));
        }
        Ok(StoredBackup { store: Arc::clone(&self.store), folder, manifest, sha256 })
    }
}

/// What stands beside a manifest.
fn digest_line(manifest: Digest32) -> String {
    format!("{manifest}  {MANIFEST}\n")
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn malformed(error: serde_json::Error) -> Error {
    Error::from_fault(Fault::ArchiveRecord).with_detail(error.to_string()).in_file(ARCHIVE)
}

/// A backup in a list.
///
/// See [`Archive::backups`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listed {
    /// Its id.
    pub id: BackupId,
    /// Bytes of all its objects.
    pub bytes: u64,
    /// How many those are.
    pub objects: u64,
    /// Certificates of later checks, by name: the oldest first.
    pub certificates: Vec<String>,
    /// Whether it has a manifest.
    complete: bool,
}

impl Listed {
    fn new(id: BackupId) -> Listed {
        Listed { id, bytes: 0, objects: 0, certificates: Vec::new(), complete: false }
    }

    /// Whether it has a manifest, which makes it a backup.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

/// Which backup of a stream is meant.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::Pick;
/// assert_eq!("latest".parse::<Pick>()?, Pick::Latest);
/// assert!(matches!("20261120T020000123Z-9f86d081".parse()?, Pick::Id(_)));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pick {
    /// The newest.
    #[default]
    Latest,
    /// The newest that was begun at that time or before.
    At(UnixMillis),
    /// This one.
    Id(BackupId),
}

impl FromStr for Pick {
    type Err = Error;

    /// `latest`, or an id.
    fn from_str(text: &str) -> Result<Pick> {
        if text == "latest" { Ok(Pick::Latest) } else { text.parse().map(Pick::Id) }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pick::Latest => f.write_str("latest"),
            Pick::At(time) => write!(f, "at {time}"),
            Pick::Id(id) => write!(f, "{id}"),
        }
    }
}
