//! Objects of a backup on their way into another archive, byte for byte.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::archive::reading::ObjectReader;
use crate::repo::archive::writing::{holds, put_surely};
use crate::repo::archive::{Archive, MANIFEST, MANIFEST_DIGEST, StoredBackup, digest_line};
use crate::repo::certificate::CERTIFICATE;
use crate::repo::manifest::{MOST, Manifest};
use crate::repo::retention::BackupState;
use crate::repo::seal::digest_of;
use crate::repo::store::{IfExists, ObjectName, Store};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Bytes of one step.
const PIECE: usize = 128 << 10;

/// Told how many more bytes passed, and may end it.
type Step<'s> = &'s mut dyn FnMut(u64) -> Result<()>;

/// What an object is, to the byte.
#[derive(Debug, Clone)]
pub(crate) struct Exact {
    /// Below the folder of its backup.
    pub(crate) name: String,
    pub(crate) len: u64,
    pub(crate) sha256: Digest32,
}

impl StoredBackup {
    /// The volumes that its manifest names.
    pub(crate) fn volumes(&self) -> Vec<Exact> {
        let volumes = self.manifest().parts().flat_map(|part| &part.sealed.volumes);
        let exact = volumes.map(|volume| Exact {
            name: volume.name.clone(),
            len: volume.len,
            sha256: volume.sha256,
        });
        exact.collect()
    }

    /// What else belongs to it and is not its manifest: certificates that speak for it, and what later
    /// versions put there.
    ///
    /// A certificate that found damage is about the bytes of one store. It is left out, and with it those
    /// that came before it where nothing came after.
    pub(crate) fn beside(&self, step: Step<'_>) -> Result<Vec<Exact>> {
        let volumes: BTreeSet<String> =
            self.volumes().into_iter().map(|volume| volume.name).collect();
        let (mut others, mut named) = (Vec::new(), Vec::new());
        for object in self.store().list(Some(self.folder()))? {
            let path = object.name.as_str();
            let below = path.strip_prefix(self.folder().as_str()).unwrap_or_default();
            let name = below.trim_start_matches('/').to_owned();
            match name.as_str() {
                MANIFEST | MANIFEST_DIGEST => {}
                _ if volumes.contains(&name) => {}
                _ if name.starts_with(CERTIFICATE) => named.push(name),
                _ => others.push(name),
            }
        }
        let mut certificates = Vec::new();
        for name in named {
            let json = self.certificate_bytes(&name)?;
            if let Some(certificate) = json.and_then(|json| self.certificate(&json)) {
                others.extend(certificate.passed().then_some(name));
                certificates.push(certificate);
            }
        }
        if self.state(&certificates) == BackupState::Failed {
            others.retain(|name| !name.starts_with(CERTIFICATE));
        }
        // No digest is recorded of these: they are read once more for it.
        let exact = others.into_iter().map(|name| self.measured(name, step));
        exact.collect()
    }

    fn measured(&self, name: String, step: Step<'_>) -> Result<Exact> {
        let (len, sha256) = pass(&mut self.object(&name)?, u64::MAX, &mut io::sink(), step)?;
        Ok(Exact { name, len, sha256 })
    }

    /// Reads an object to its end.
    fn object(&self, name: &str) -> Result<ObjectReader> {
        Ok(ObjectReader::new(Arc::clone(&self.store), self.folder().join(name)?))
    }

    /// Puts an object into the same folder of another archive. It is there, and is what it has to be; or
    /// nothing of it is.
    pub(crate) fn send(
        &self,
        object: &Exact,
        to: &Archive,
        if_exists: IfExists,
        step: Step<'_>,
    ) -> Result<()> {
        let name = self.folder().join(&object.name)?;
        let mut writer = to.store.writer(&name, if_exists)?;
        let (len, sha256) = pass(&mut self.object(&object.name)?, object.len, &mut writer, step)?;
        if let Some(error) = object.differs(len, sha256) {
            return Err(error.in_file(name.as_str()));
        }
        writer.commit()
    }

    /// Makes the copy a backup: its manifest is put, as it is here, and read again.
    pub(crate) fn commit_to(&self, to: &Archive) -> Result<()> {
        let manifest = self.folder().join(MANIFEST)?;
        let json = self.store().get(&manifest, MOST)?;
        if digest_of(&json) != self.manifest_sha256() {
            return Err(Error::from_fault(Fault::BackupDigest).in_file(manifest.as_str()));
        }
        let digest = self.folder().join(MANIFEST_DIGEST)?;
        put_same(&*to.store, &digest, digest_line(self.manifest_sha256()).as_bytes())?;
        let put = put_same(&*to.store, &manifest, &json);
        let Manifest { stream, backup, .. } = self.manifest();
        match to.backup(stream, *backup) {
            Ok(there) if there.manifest_sha256() == self.manifest_sha256() => Ok(()),
            Err(error) if !error.is_corrupt() => put.and(Err(error)),
            read => {
                // What cannot be read must not pass for a backup.
                let _ = to.store.delete(&manifest);
                let other =
                    || Err(Error::from_fault(Fault::BackupDigest).in_file(manifest.as_str()));
                read.map_or_else(Err, |_| other())
            }
        }
    }
}

impl Exact {
    /// Whether an object of this name is in a folder of the archive and is this one; `read` all of it, or ask
    /// for its length alone. None where it is not there.
    pub(crate) fn is_in(
        &self,
        archive: &Archive,
        folder: &ObjectName,
        read: bool,
        step: Step<'_>,
    ) -> Result<Option<bool>> {
        let name = folder.join(&self.name)?;
        match archive.store.stat(&name)? {
            None => return Ok(None),
            Some(len) if len != self.len => return Ok(Some(false)),
            Some(_) if !read => return Ok(Some(true)),
            Some(_) => {}
        }
        let mut reader = ObjectReader::new(Arc::clone(&archive.store), name);
        let (len, sha256) = pass(&mut reader, self.len, &mut io::sink(), step)?;
        Ok(Some(self.differs(len, sha256).is_none()))
    }

    fn differs(&self, len: u64, sha256: Digest32) -> Option<Error> {
        if len < self.len {
            Some(Error::at(Fault::VolumeShort, len))
        } else if len > self.len {
            Some(Error::at(Fault::VolumeLong, self.len))
        } else if sha256 != self.sha256 {
            Some(Error::from_fault(Fault::VolumeDigest))
        } else {
            None
        }
    }
}

/// Reads to the end, or as soon as there are more bytes than `most`; how many there were, and their digest.
fn pass(
    from: &mut dyn Read,
    most: u64,
    to: &mut dyn Write,
    step: Step<'_>,
) -> Result<(u64, Digest32)> {
    let (mut len, mut sha256) = (0u64, Sha256::new());
    let mut buffer = vec![0; PIECE];
    while len <= most {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            break;
        }
        let bytes = buffer.get(..read).unwrap_or_default();
        sha256.update(bytes);
        to.write_all(bytes)?;
        len = len.saturating_add(read as u64);
        step(read as u64)?;
    }
    Ok((len, Digest32::new(sha256.finalize().into())))
}

/// Puts an object that only this may be; what an interrupted copy left there is replaced.
fn put_same(store: &dyn Store, name: &ObjectName, bytes: &[u8]) -> Result<()> {
    match store.stat(name)? {
        Some(_) if holds(store, name, bytes) => Ok(()),
        Some(_) => put_surely(store, name, bytes, IfExists::Replace),
        None => put_surely(store, name, bytes, IfExists::Refuse),
    }
}
