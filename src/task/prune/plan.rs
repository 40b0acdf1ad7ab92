//! What is to be deleted, and why.

use crate::error::{Fault, Result};
use crate::repo::retention::{BackupFacts, RetentionPlan, retain};
use crate::repo::{Archive, BackupId, Listed, Problem, StreamName};
use crate::task::known::{Known, Stream};
use crate::task::prune::options::PruneOptions;
use crate::time::UnixMillis;
use serde::Serialize;
use std::collections::BTreeMap;

/// What goes from a stream and what stays, with every reason.
///
/// See [`prune`](crate::task::prune()).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct PrunePlan {
    /// What becomes of each backup whose manifest can be read, and why.
    pub retention: RetentionPlan,
    /// Backups that go, from the newest to the oldest.
    pub forget: Vec<PruneFolder>,
    /// Remains of writers that go, the oldest first.
    pub remains: Vec<PruneFolder>,
    /// Remains that are too young, the oldest first: somebody may be at work on them.
    pub young: Vec<PruneFolder>,
    /// Backups whose manifests cannot be read, and that stay for this reason.
    pub unreadable: Vec<Problem>,
}

/// What goes, or stays, as a whole.
///
/// See [`prune`](crate::task::prune()).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PruneFolder {
    /// Its id.
    pub id: BackupId,
    /// Bytes of all its objects.
    pub bytes: u64,
    /// How many those are.
    pub objects: u64,
}

impl From<&Listed> for PruneFolder {
    fn from(listed: &Listed) -> PruneFolder {
        PruneFolder { id: listed.id, bytes: listed.bytes, objects: listed.objects }
    }
}

impl PrunePlan {
    /// Bytes of all that goes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let going = self.forget.iter().chain(&self.remains);
        going.fold(0, |sum, folder| sum.saturating_add(folder.bytes))
    }

    pub(super) fn make(
        archive: &Archive,
        at: UnixMillis,
        options: &PruneOptions,
        step: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<PrunePlan> {
        let Stream { known, unreadable, remains } = Stream::read(archive, &options.stream, step)?;
        let mut problems = Vec::new();
        for (listed, error) in unreadable {
            if error.fault() == Some(Fault::ArchiveFormat) {
                return Err(error);
            }
            problems.push(Problem::of(&place(&options.stream, listed.id), &error));
        }
        let facts: Vec<BackupFacts> = known.iter().map(facts).collect();
        let retention = retain(&facts, at, &options.retention)?;
        let by_id: BTreeMap<String, &Known> =
            known.iter().map(|known| (known.listed.id.to_string(), known)).collect();
        let forgotten = retention.forgotten().filter_map(|gone| by_id.get(&gone.id));
        let forget = forgotten.map(|known| PruneFolder::from(&known.listed)).collect();
        let grace = i64::try_from(options.grace.as_millis()).unwrap_or(i64::MAX);
        let oldest = UnixMillis::new(at.get().saturating_sub(grace));
        let (remains, young) =
            remains.iter().map(PruneFolder::from).partition(|folder| folder.id.time() < oldest);
        Ok(PrunePlan { retention, forget, remains, young, unreadable: problems })
    }
}

fn facts(known: &Known) -> BackupFacts {
    let id = known.listed.id;
    let facts = BackupFacts::new(id.to_string(), id.time(), known.state);
    let facts = known.tags.iter().fold(facts, |facts, tag| facts.tag(tag));
    known.needs.iter().fold(facts, |facts, id| facts.need(id.to_string()))
}

/// Where a backup is, for people.
pub(super) fn place(stream: &StreamName, id: BackupId) -> String {
    format!("{stream}/{id}")
}
