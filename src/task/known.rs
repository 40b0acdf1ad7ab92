//! What an archive says of the backups of a stream, by their manifests and certificates alone.

use crate::error::{Error, Fault, Result};
use crate::repo::retention::BackupState;
use crate::repo::{Archive, BackupId, Listed, Manifest, Soundness, SourceChange, StreamName};
use std::collections::BTreeSet;

/// A backup whose manifest was read.
pub(super) struct Known {
    pub(super) listed: Listed,
    pub(super) state: BackupState,
    pub(super) tags: BTreeSet<String>,
    pub(super) needs: BTreeSet<BackupId>,
    pub(super) soundness: Soundness,
    pub(super) source_change: SourceChange,
    pub(super) plain_bytes: u64,
    pub(super) keys: u64,
    /// How long it took.
    pub(super) took_ms: u64,
}

/// All that is in the folder of a stream, the oldest first.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) known: Vec<Known>,
    /// Those whose manifests cannot be read, and why.
    pub(super) unreadable: Vec<(Listed, Error)>,
    pub(super) remains: Vec<Listed>,
}

impl Stream {
    /// Reads all manifests and certificates; `step` is told how many of how many were read, and may end it.
    pub(super) fn read(
        archive: &Archive,
        name: &StreamName,
        step: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<Stream> {
        let mut stream = Stream::default();
        let (complete, remains): (Vec<Listed>, Vec<Listed>) =
            archive.folders(name)?.into_iter().partition(Listed::is_complete);
        stream.remains = remains;
        let of = complete.len() as u64;
        for (listed, read) in complete.into_iter().zip(0..) {
            step(read, of)?;
            match Known::read(archive, name, &listed) {
                Ok(known) => stream.known.push(known),
                Err(error) if says_nothing(&error) => return Err(error),
                // Deleted by somebody meanwhile.
                Err(error) if error.fault() == Some(Fault::BackupNone) => {}
                Err(error) => stream.unreadable.push((listed, error)),
            }
        }
        step(of, of)?;
        Ok(stream)
    }
}

impl Known {
    fn read(archive: &Archive, stream: &StreamName, listed: &Listed) -> Result<Known> {
        let stored = archive.backup(stream, listed.id)?;
        let names = listed.certificates.iter().map(String::as_str);
        let state = stored.state(&stored.certificates_called(names)?);
        let manifest: &Manifest = stored.manifest();
        let took = manifest.finished_at.get().saturating_sub(manifest.started_at.get());
        Ok(Known {
            listed: listed.clone(),
            state,
            tags: manifest.tags.clone(),
            needs: manifest.needs.clone(),
            soundness: manifest.soundness,
            source_change: manifest.source_change.clone(),
            plain_bytes: manifest.plain_bytes(),
            keys: manifest.keys(),
            took_ms: u64::try_from(took).unwrap_or(0),
        })
    }
}

/// Whether an error is of the store as a whole and says nothing of the backup.
pub(super) fn says_nothing(error: &Error) -> bool {
    error.is_retryable() || error.fault() == Some(Fault::StoreFailed)
}
