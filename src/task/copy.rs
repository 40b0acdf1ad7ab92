//! Keys of one running server into another.

use crate::error::{Error, Result};
use crate::live::restore::{RestoreSink, Stopped};
use crate::live::{Clock, Connection, Driver, DriverReport, PinnedLog, SnapshotReceiver, Taken};
use crate::task::restore::{RestoreChoice, Restored, restore_from};
use crate::task::snapshot::{Receives, SnapshotOptions, taken};
use std::io::Read;

/// What was copied.
#[must_use = "a copy that stopped early is no error but an outcome that says so"]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CopyOutcome {
    /// When and how it was taken from the source; `None` where it did not come whole.
    pub taken: Option<Taken>,
    /// Why not by the ways that would have been taken before.
    pub why_not: Vec<DriverReport>,
    /// What became of the keys.
    pub restored: Restored,
}

impl CopyOutcome {
    /// Whether all of the source came, and every key of it is accounted for and none failed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.taken.is_some() && self.restored.keys.is_complete()
    }
}

/// Copies the keys of a running server into another, in one pass and without a file between: a snapshot
/// of the one, by whatever way is open, [restored](crate::task::restore()) while it comes.
///
/// The copy is of the moment of the snapshot (of none, where it was taken key by key); what is written to the
/// source later does not come along.
///
/// # Errors
/// Those of the ways to a snapshot, where none of it came; `Usage` where the files of a server are taken
/// and it keeps a log. What stops it later is [told](crate::live::restore::RestoreOutcome::stopped) in the
/// outcome.
///
/// ```no_run
/// use redkeep::live::{Clock, ConnectOptions, Connection};
/// use redkeep::live::restore::{RestoreOptions, RestoreSink};
/// use redkeep::task::{RestoreChoice, SnapshotOptions, copy};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let mut from = Connection::open(ConnectOptions::new("redis://10.0.0.7"))?;
/// let mut to = Connection::open(ConnectOptions::new("redis://10.0.0.8"))?;
/// let sink = RestoreSink::new(&mut to, &System, RestoreOptions::default())?;
/// let copied =
///     copy(&mut from, &System, &SnapshotOptions::default(), &RestoreChoice::default(), sink)?;
/// assert!(copied.is_complete(), "{:?}", copied.restored.keys.stopped);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn copy(
    source: &mut Connection,
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    choice: &RestoreChoice,
    sink: RestoreSink<'_>,
) -> Result<CopyOutcome> {
    let mut into = Into { choice, sink: Some(sink), restored: None };
    let done = taken(source, clock, options, &mut into);
    let (taken, why_not, error) = match done {
        Ok((taken, why_not)) => (Some(taken), why_not, None),
        Err(error) => (None, Vec::new(), Some(error)),
    };
    let Some(restored) = into.restored else {
        return Err(error.unwrap_or_else(|| Error::usage("a driver that gave nothing")));
    };
    let (mut restored, cut) = restored?;
    // The driver knows better than the reader why the source came to an end.
    let own = cut || restored.keys.stopped.is_none();
    if let Some(error) = error.filter(|_| own) {
        restored.keys.stopped = Some(Stopped::by(&error));
    }
    Ok(CopyOutcome { taken, why_not, restored })
}

/// Restores what it receives.
struct Into<'a, 's> {
    choice: &'a RestoreChoice,
    sink: Option<RestoreSink<'s>>,
    /// And whether the source was the one that failed.
    restored: Option<Result<(Restored, bool)>>,
}

impl SnapshotReceiver for Into<'_, '_> {
    fn dump(&mut self, bytes: &mut dyn Read, _: Option<u64>) -> Result<()> {
        let Some(sink) = self.sink.take() else {
            return Err(Error::usage("a snapshot that came twice"));
        };
        self.restored = Some(restore_from(bytes, self.choice, sink));
        Ok(())
    }

    fn log(&mut self, _: &PinnedLog) -> Result<()> {
        let why =
            "it keeps a log, which would have to be replayed: take another way than its files";
        Err(Error::usage(why))
    }
}

impl Receives for Into<'_, '_> {
    fn goes(&mut self, _: Driver) {}

    fn has_begun(&self) -> bool {
        self.sink.is_none()
    }
}
