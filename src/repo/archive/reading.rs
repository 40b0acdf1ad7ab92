//! A backup that is there, and the bytes of its parts.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::manifest::{Details, MOST, Manifest, Part};
use crate::repo::seal::{
    OpenOptions, RangeReader, RangeSource, SealedReader, VolumeSource, Volumes,
};
use crate::repo::store::{ObjectName, Store};
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

/// Bytes asked for at once while an object is read to its end.
const PIECE: u64 = 4 << 20;

/// A backup in an archive, whose manifest was read.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, Pick, StreamName, seal::OpenOptions, store::MemoryStore};
/// use redkeep::task::{BackupOptions, backup};
/// use std::io::Read;
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let archive = Archive::create(MemoryStore::new())?;
/// backup(&archive, dump, None, &|| UnixMillis::new(0), &BackupOptions::default())?;
///
/// let main = StreamName::default();
/// let stored = archive.backup(&main, archive.find(&main, &Pick::Latest)?)?;
/// let mut plain = Vec::new();
/// stored.open(&stored.manifest().shards[0].parts[0], &OpenOptions::default())?.read_to_end(&mut plain)?;
/// assert_eq!(plain, dump);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct StoredBackup {
    pub(super) store: Arc<dyn Store>,
    pub(super) folder: ObjectName,
    pub(super) manifest: Manifest,
    pub(super) sha256: Digest32,
}

impl fmt::Debug for StoredBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredBackup").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl StoredBackup {
    /// What is recorded of it.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of its `manifest.json`.
    #[must_use]
    pub fn manifest_sha256(&self) -> Digest32 {
        self.sha256
    }

    /// Has somebody read a part, and then says whether all of it, to its very end, is what was stored; without the
    /// details only that it can be opened. What is wrong with the bytes goes before what the reader made of them.
    pub(crate) fn whole(
        &self,
        part: &Part,
        details: Option<&Details>,
        options: &OpenOptions,
        read: impl FnOnce(&mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let mut reader = self.open(part, options)?;
        let mut source = Kept { reader: &mut reader, failed: None };
        let done = read(&mut source);
        if let Some(error) = source.failed {
            return Err(error);
        }
        if done.as_ref().is_err_and(|error| error.fault() == Some(Fault::Cancelled)) {
            return done;
        }
        let opened = reader.finish()?;
        done?;
        let detail = details.map(|details| details.plain_sha256.get(part.name()).copied());
        let same = |recorded: Digest32| recorded == opened.plain_sha256;
        let told = detail.is_none_or(|digest| digest.is_some_and(same));
        if told && part.plain_sha256.is_none_or(same) {
            return Ok(());
        }
        Err(Error::from_fault(Fault::BackupContent)
            .with_detail("another SHA-256 than was recorded")
            .in_file(part.name()))
    }

    /// Where its objects are.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The folder of its objects.
    #[must_use]
    pub fn folder(&self) -> &ObjectName {
        &self.folder
    }

    /// Reads a part from its beginning to its very end. What was read is good only once the end was said.
    ///
    /// # Errors
    /// `SealNoKey` and such: those of [`SealedReader`].
    pub fn open(
        &self,
        part: &Part,
        options: &OpenOptions,
    ) -> Result<SealedReader<Volumes<StoredSource>>> {
        SealedReader::open(self.source(), &part.sealed, options)
    }

    /// Reads ranges of a part.
    ///
    /// # Errors
    /// Those of [`RangeReader`].
    pub fn ranges(&self, part: &Part, options: &OpenOptions) -> Result<RangeReader<StoredSource>> {
        RangeReader::open(self.source(), &part.sealed, options)
    }

    /// Reads the details, which takes a key where the backup is encrypted.
    ///
    /// # Errors
    /// `BackupRecord` where they are malformed or too big; those of [`open`](Self::open).
    pub fn details(&self, options: &OpenOptions) -> Result<Details> {
        let mut json = Vec::new();
        let mut reader = self.open(&self.manifest.details, options)?.take(MOST + 1);
        reader.read_to_end(&mut json)?;
        if json.len() as u64 > MOST {
            return Err(Error::from_fault(Fault::BackupRecord).with_detail("details without end"));
        }
        Details::parse(&json)
    }

    /// Reads a part as it is stored, all volumes of it, whose lengths and digests are verified.
    pub(crate) fn stored(&self, part: &Part) -> Volumes<StoredSource> {
        Volumes::new(self.source(), &part.sealed)
    }

    fn source(&self) -> StoredSource {
        StoredSource { store: Arc::clone(&self.store), folder: self.folder.clone() }
    }
}

/// Keeps why the bytes could not be read apart from what their reader makes of it: to a check of a dump it
/// would be damage of the dump.
struct Kept<'r, R> {
    reader: &'r mut R,
    failed: Option<Error>,
}

impl<R: Read> Read for Kept<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into).map_err(|error| {
            self.failed.get_or_insert(error.into());
            io::Error::other("it could not be read on")
        })
    }
}

/// The volumes of a backup.
///
/// See [`StoredBackup::open`].
pub struct StoredSource {
    store: Arc<dyn Store>,
    folder: ObjectName,
}

impl VolumeSource for StoredSource {
    type Volume = ObjectReader;

    fn open(&mut self, name: &str) -> Result<ObjectReader> {
        Ok(ObjectReader::new(Arc::clone(&self.store), self.folder.join(name)?))
    }
}

impl RangeSource for StoredSource {
    fn read_exact_at(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<()> {
        let name = self.folder.join(name)?;
        let bytes = self.store.range(&name, offset..offset.saturating_add(buf.len() as u64))?;
        if bytes.len() != buf.len() {
            let error = Error::from(io::Error::from(io::ErrorKind::UnexpectedEof));
            return Err(error.in_file(name.as_str()));
        }
        buf.copy_from_slice(&bytes);
        Ok(())
    }
}

/// An object from its beginning to its end.
///
/// See [`StoredBackup::open`].
pub struct ObjectReader {
    store: Arc<dyn Store>,
    name: ObjectName,
    piece: Vec<u8>,
    /// Of the piece.
    read: usize,
    /// Where the next piece begins.
    next: u64,
}

impl ObjectReader {
    pub(super) fn new(store: Arc<dyn Store>, name: ObjectName) -> ObjectReader {
        ObjectReader { store, name, piece: Vec::new(), read: 0, next: 0 }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.piece.len() && !into.is_empty() {
            let piece = self.store.range(&self.name, self.next..self.next + PIECE);
            self.piece = piece.map_err(io::Error::other)?;
            self.next += self.piece.len() as u64;
            self.read = 0;
        }
        let mut left = self.piece.get(self.read..).unwrap_or_default();
        let read = left.read(into)?;
        self.read += read;
        Ok(read)
    }
}
