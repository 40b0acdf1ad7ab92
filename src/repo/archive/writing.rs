//! A backup on its way into the archive.

use crate::error::{Error, Fault, Result};
use crate::repo::archive::post::Posted;
use crate::repo::archive::{Archive, MANIFEST, MANIFEST_DIGEST, digest_line};
use crate::repo::manifest::Manifest;
use crate::repo::names::{BackupId, StreamName};
use crate::repo::seal::{VolumeTarget, digest_of};
use crate::repo::store::{IfExists, ObjectName, Store};
use std::sync::{Arc, Mutex, PoisonError};

/// A backup that is being written. Dropped before it is committed, what was stored of it is deleted again, as
/// far as the store lets us; the rest is found by its missing manifest.
pub(crate) struct NewBackup {
    archive: Archive,
    stream: StreamName,
    id: BackupId,
    folder: ObjectName,
    stored: Arc<Mutex<Vec<ObjectName>>>,
}

impl NewBackup {
    pub(crate) fn begin(archive: &Archive, stream: &StreamName, id: BackupId) -> Result<NewBackup> {
        let folder = stream.folder().join(&id.to_string())?;
        let (archive, stream) = (archive.clone(), stream.clone());
        Ok(NewBackup { archive, stream, id, folder, stored: Arc::default() })
    }

    pub(crate) fn id(&self) -> BackupId {
        self.id
    }

    /// Where its volumes go.
    pub(crate) fn volumes(&self) -> StoredVolumes {
        StoredVolumes {
            store: Arc::clone(&self.archive.store),
            folder: self.folder.clone(),
            stored: Arc::clone(&self.stored),
        }
    }

    /// Makes a backup of it.
    pub(crate) fn commit(self, manifest: &Manifest) -> Result<()> {
        let Manifest { archive, stream, backup, .. } = manifest;
        if (*archive, stream, *backup) != (self.archive.id, &self.stream, self.id) {
            return Err(
                Error::from_fault(Fault::Internal).with_detail("a manifest of another backup")
            );
        }
        let json = manifest.to_json()?;
        let digest = self.folder.join(MANIFEST_DIGEST)?;
        self.remember(&digest);
        put_once(&*self.archive.store, &digest, digest_line(digest_of(&json)).as_bytes())?;
        let name = self.folder.join(MANIFEST)?;
        let stored = put_once(&*self.archive.store, &name, &json);
        // From here on it may be a backup, whatever was heard of it: then nothing of it goes.
        if stored.as_ref().err().is_none_or(Error::is_retryable) {
            self.forget();
        }
        stored
    }

    /// Deletes a volume that is not wanted after all.
    #[cfg(feature = "live")]
    pub(crate) fn discard(&self, volume: &str) {
        if let Ok(name) = self.folder.join(volume) {
            let _ = self.archive.store.delete(&name);
        }
    }

    fn remember(&self, name: &ObjectName) {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
    }

    fn forget(&self) {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for NewBackup {
    fn drop(&mut self) {
        let stored =
            std::mem::take(&mut *self.stored.lock().unwrap_or_else(PoisonError::into_inner));
        for name in stored {
            // What cannot be deleted is no backup either.
            let _ = self.archive.store.delete(&name);
        }
    }
}

/// Puts an object that nobody else puts. That a try which was not heard of had stored it is well.
pub(in crate::repo) fn put_once(store: &dyn Store, name: &ObjectName, bytes: &[u8]) -> Result<()> {
    put_surely(store, name, bytes, IfExists::Refuse)
}

/// Puts an object; a try that was not heard of may have stored it.
pub(super) fn put_surely(
    store: &dyn Store,
    name: &ObjectName,
    bytes: &[u8],
    if_exists: IfExists,
) -> Result<()> {
    let Err(error) = store.put(name, bytes, if_exists) else { return Ok(()) };
    let unheard = error.is_retryable() || error.fault() == Some(Fault::ObjectExists);
    if unheard && holds(store, name, bytes) { Ok(()) } else { Err(error) }
}

/// Whether these bytes, and no others, are there.
pub(super) fn holds(store: &dyn Store, name: &ObjectName, bytes: &[u8]) -> bool {
    store.get(name, bytes.len() as u64).is_ok_and(|found| found == bytes)
}

/// Where the volumes of a backup go.
pub(crate) struct StoredVolumes {
    store: Arc<dyn Store>,
    folder: ObjectName,
    stored: Arc<Mutex<Vec<ObjectName>>>,
}

impl VolumeTarget for StoredVolumes {
    type Volume = Posted;

    fn create(&mut self, name: &str) -> Result<Posted> {
        let name = self.folder.join(name)?;
        let writer = self.store.writer(&name, IfExists::Refuse)?;
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        Posted::begin(writer)
    }

    fn complete(&mut self, _: &str, volume: Posted) -> Result<()> {
        volume.commit()
    }
}
