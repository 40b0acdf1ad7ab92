//! One backup on its way.

use crate::error::{Error, Fault, Result};
use crate::repo::store::IfExists;
use crate::repo::{Archive, Exact, Lock, StoredBackup};
use crate::task::copy_backup::options::{Arrival, CopyBackupOptions};
use crate::task::copy_backup::outcome::{CopiedBackup, CopyBackupProgress};
use crate::time::UnixMillis;
use std::ops::ControlFlow;

/// Who is told how far it is, and may stop it.
pub(super) type Watch<'w> = &'w mut dyn FnMut(&CopyBackupProgress) -> ControlFlow<()>;

pub(super) struct Work<'a> {
    pub(super) target: &'a Archive,
    pub(super) now: &'a dyn Fn() -> UnixMillis,
    pub(super) options: &'a CopyBackupOptions,
    pub(super) watch: Watch<'a>,
    pub(super) lock: Lock,
    pub(super) progress: CopyBackupProgress,
}

impl Work<'_> {
    /// Copies a backup, or what is new beside one that is there.
    pub(super) fn backup(&mut self, stored: &StoredBackup) -> Result<CopiedBackup> {
        let manifest = stored.manifest();
        let (stream, id) = (&manifest.stream, manifest.backup);
        self.progress =
            CopyBackupProgress { id, bytes: 0, len: manifest.stored_bytes(), ..self.progress };
        self.step(0)?;
        let is_new = !self.target.has_manifest(stream, id)?;
        let mut copied = CopiedBackup { id, is_new, objects: 0, bytes: 0, objects_there: 0 };
        let volumes = stored.volumes();
        if is_new {
            self.may_come(stored, &volumes)?;
            for volume in &volumes {
                let before = self.progress.bytes;
                self.object(stored, volume, &mut copied)?;
                self.progress.bytes = before.saturating_add(volume.len);
            }
        } else {
            self.is_there(stored, &volumes)?;
            copied.objects_there = volumes.len() as u64 + 2;
        }
        let beside = stored.beside(&mut |_| self.step(0))?;
        for object in &beside {
            self.object(stored, object, &mut copied)?;
        }
        if is_new {
            // Whoever took the stream over may have cleaned up already.
            self.lock.look()?;
            stored.commit_to(self.target)?;
        }
        Ok(copied)
    }

    /// Whether it can be stored there at all, before anything is sent.
    fn may_come(&self, stored: &StoredBackup, volumes: &[Exact]) -> Result<()> {
        let manifest = stored.manifest();
        for need in &manifest.needs {
            if !self.target.has_manifest(&manifest.stream, *need)? {
                let detail = format!("{}, which {} needs", need, manifest.backup);
                return Err(Error::from_fault(Fault::BackupNone).with_detail(detail));
            }
        }
        let store = self.target.store();
        let biggest = volumes.iter().max_by_key(|volume| volume.len);
        if let (Some(biggest), Some(largest)) = (biggest, store.largest_object())
            && biggest.len > largest
        {
            let detail = format!("{} bytes, and that store takes {largest}", biggest.len);
            let name = stored.folder().join(&biggest.name)?;
            let error = Error::from_fault(Fault::ObjectBig).with_detail(detail);
            return Err(error.in_file(name.as_str()));
        }
        if let Some(free) = store.free()? {
            let mut needed = 0u64;
            for volume in volumes {
                let there = store.stat(&stored.folder().join(&volume.name)?)?;
                needed = needed.saturating_add(volume.len.saturating_sub(there.unwrap_or(0)));
            }
            if free < needed {
                let detail = format!("{free} bytes are free, and it takes {needed}");
                return Err(Error::from_fault(Fault::StoreFull).with_detail(detail));
            }
        }
        Ok(())
    }

    /// Whether the backup there is this one, with volumes as long as recorded.
    fn is_there(&mut self, stored: &StoredBackup, volumes: &[Exact]) -> Result<()> {
        let manifest = stored.manifest();
        let there = self.target.backup(&manifest.stream, manifest.backup)?;
        if there.manifest_sha256() != stored.manifest_sha256() {
            return Err(Error::from_fault(Fault::BackupOther).in_file(stored.folder().as_str()));
        }
        for volume in volumes {
            let name = stored.folder().join(&volume.name)?;
            let fault = match self.target.store().stat(&name)? {
                Some(len) if len == volume.len => continue,
                Some(len) if len < volume.len => Fault::VolumeShort,
                Some(_) => Fault::VolumeLong,
                None => Fault::ObjectMissing,
            };
            return Err(Error::from_fault(fault).in_file(name.as_str()));
        }
        Ok(())
    }

    /// Sends an object, unless it is there.
    fn object(
        &mut self,
        stored: &StoredBackup,
        object: &Exact,
        copied: &mut CopiedBackup,
    ) -> Result<()> {
        let if_exists = match self.arrived(stored, object)? {
            Some(true) => {
                copied.objects_there += 1;
                return Ok(());
            }
            // No backup names it: it is what an interrupted copy left.
            Some(false) => IfExists::Replace,
            None => IfExists::Refuse,
        };
        let target = self.target;
        let sent = stored.send(object, target, if_exists, &mut |bytes| self.step(bytes));
        match sent {
            Ok(()) => {}
            // A try that was not heard of may have stored it.
            Err(error) if error.is_retryable() || error.fault() == Some(Fault::ObjectExists) => {
                if self.arrived(stored, object)? != Some(true) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        if self.arrived(stored, object)? != Some(true) {
            let name = stored.folder().join(&object.name)?;
            let _ = target.store().delete(&name);
            return Err(Error::from_fault(Fault::VolumeDigest)
                .with_detail("it did not arrive as it was sent")
                .in_file(name.as_str()));
        }
        copied.objects += 1;
        copied.bytes = copied.bytes.saturating_add(object.len);
        Ok(())
    }

    /// Whether an object is there, and the right one.
    fn arrived(&mut self, stored: &StoredBackup, object: &Exact) -> Result<Option<bool>> {
        let (target, read) = (self.target, self.options.arrival == Arrival::Read);
        object.is_in(target, stored.folder(), read, &mut |_| self.step(0))
    }

    fn step(&mut self, bytes: u64) -> Result<()> {
        let bytes = self.progress.bytes.saturating_add(bytes);
        self.progress.bytes = bytes.min(self.progress.len);
        self.lock.keep((self.now)())?;
        match (self.watch)(&self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::from_fault(Fault::Cancelled)),
        }
    }
}
