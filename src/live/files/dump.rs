//! A dump that was there already.

use crate::error::{Error, Fault, Result};
use crate::live::drivers::Driver;
use crate::live::file::{Identity, stated_time};
use crate::live::files::place::Place;
use crate::live::info::Info;
use crate::live::snapshot::{Snapshot, SnapshotReceiver};
use std::fs::File;

/// Gives the dump to `receiver`. It is opened once, so that a new one under its name is no matter;
/// one that is written over in place is.
pub(super) fn give(
    place: &Place,
    asked_at: Option<u64>,
    info: Option<&Info>,
    receiver: &mut dyn SnapshotReceiver,
) -> Result<Snapshot> {
    let name = || place.dump.display().to_string();
    let named = |error: std::io::Error| Error::from(error).in_file(name());
    let mut file = File::open(&place.dump).map_err(named)?;
    let before = Identity::of(&file.metadata().map_err(named)?);
    let mut snapshot = match info {
        Some(info) => Snapshot::between(Driver::Files, info, info),
        None => Snapshot::of(Driver::Files),
    };
    // What the server is at now says nothing of when the dump was made.
    (snapshot.replication_id, snapshot.offset_before, snapshot.offset_after) = (None, None, None);
    snapshot.asked_at = asked_at;
    snapshot.stated_at = stated_time(&file).map_err(|error| error.in_file(name()))?;
    snapshot.age_seconds =
        asked_at.zip(snapshot.stated_at).map(|(now, then)| now.saturating_sub(then));
    snapshot.file = Some(name());
    snapshot.bytes = Some(before.len());
    receiver.dump(&mut file, snapshot.bytes)?;
    let after = Identity::of(&file.metadata().map_err(named)?);
    if !after.has_content_of(&before) {
        return Err(Error::from_fault(Fault::ChangedMeanwhile).in_file(name()));
    }
    Ok(snapshot)
}
