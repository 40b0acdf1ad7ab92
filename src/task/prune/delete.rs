//! The carrying out of a plan.

use crate::error::{Error, Result};
use crate::repo::{Archive, BackupId, Lock, Problem};
use crate::task::known::says_nothing;
use crate::task::prune::outcome::{PruneOutcome, PruneProgress};
use crate::task::prune::plan::place;
use crate::task::prune::told;
use crate::time::UnixMillis;
use std::ops::ControlFlow;

pub(super) struct Work<'a> {
    pub(super) archive: &'a Archive,
    pub(super) now: &'a dyn Fn() -> UnixMillis,
    pub(super) watch: &'a mut dyn FnMut(&PruneProgress) -> ControlFlow<()>,
    pub(super) lock: Lock,
    pub(super) progress: PruneProgress,
    pub(super) outcome: &'a mut PruneOutcome,
}

/// What ends all of it, not one backup.
struct Stop(Error);

impl Work<'_> {
    pub(super) fn run(mut self) {
        if let Err(Stop(error)) = self.all() {
            self.outcome.stopped = Some(Problem::of(self.outcome.stream.as_str(), &error));
        }
        // What was done is done; a lock that stays ends by itself.
        let _ = self.lock.release();
    }

    fn all(&mut self) -> Result<(), Stop> {
        for folder in self.outcome.plan.forget.clone() {
            self.between()?;
            self.backup(folder.id)?;
        }
        for folder in self.outcome.plan.remains.clone() {
            self.between()?;
            self.remains(folder.id)?;
        }
        self.between()?;
        match self.archive.store().clean() {
            Err(error) if says_nothing(&error) => return Err(Stop(error)),
            Err(error) => {
                let stream = self.outcome.stream.as_str();
                self.outcome.failures.push(Problem::of(stream, &error));
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn between(&mut self) -> Result<(), Stop> {
        self.lock.keep((self.now)()).map_err(Stop)?;
        // By somebody else's clock the lease may be over: what is planned may be needed by now.
        self.lock.look().map_err(Stop)?;
        told(self.watch, &self.progress).map_err(Stop)
    }

    /// Deletes a backup. A manifest that cannot be deleted keeps all of it.
    fn backup(&mut self, id: BackupId) -> Result<(), Stop> {
        let mut gone = false;
        let done = self.objects(id, true, &mut gone);
        if gone {
            self.outcome.deleted.push(id);
        }
        done.map(|_| ())
    }

    fn remains(&mut self, id: BackupId) -> Result<(), Stop> {
        match self.archive.has_manifest(&self.outcome.stream, id) {
            // The list did not know of it yet.
            Ok(true) => Ok(()),
            Ok(false) => {
                if self.objects(id, false, &mut false)? {
                    self.outcome.remains_deleted.push(id);
                }
                Ok(())
            }
            Err(error) => self.failed(&place(&self.outcome.stream, id), error),
        }
    }

    /// Deletes the objects of a folder, `gone` being true once the first is: of a backup the manifest,
    /// without which nothing else goes. Says whether all of them went.
    fn objects(&mut self, id: BackupId, backup: bool, gone: &mut bool) -> Result<bool, Stop> {
        let stream = self.outcome.stream.clone();
        let objects = match self.archive.objects_to_delete(&stream, id) {
            Ok(objects) => objects,
            Err(error) => return self.failed(&place(&stream, id), error).map(|()| false),
        };
        let mut all = true;
        for object in objects {
            self.lock.keep((self.now)()).map_err(Stop)?;
            match self.archive.store().delete(&object.name) {
                Ok(()) => {
                    *gone = true;
                    self.progress.freed = self.progress.freed.saturating_add(object.size);
                    self.outcome.bytes_freed = self.progress.freed;
                }
                Err(error) => {
                    self.failed(object.name.as_str(), error)?;
                    all = false;
                    if backup && !*gone {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(all)
    }

    /// Takes down what could not be deleted; what would fail with everything ends it.
    fn failed(&mut self, place: &str, error: Error) -> Result<(), Stop> {
        if says_nothing(&error) {
            return Err(Stop(error));
        }
        self.outcome.failures.push(Problem::of(place, &error));
        Ok(())
    }
}
