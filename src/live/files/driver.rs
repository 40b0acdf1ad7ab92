//! Files as a way to a snapshot.

use crate::aof::Layout;
use crate::error::{Error, Fault, Result};
use crate::live::clock::Clock;
use crate::live::drivers::Driver;
use crate::live::facts::Role;
use crate::live::files::dump;
use crate::live::files::options::FilesOptions;
use crate::live::files::pin::{Pin, pin};
use crate::live::files::pinned::{LogFacts, PinnedLog};
use crate::live::files::place::Place;
use crate::live::files::rewrites::Held;
use crate::live::info::Info;
use crate::live::probe::server_seconds;
use crate::live::snapshot::{Snapshot, SnapshotDriver, SnapshotReceiver, Taken};
use redis::ConnectionLike;
use std::time::Duration;

/// How long a server may lag behind with its log: a flush that takes long holds it up by two seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The files that lie in a data directory: the log where the server keeps one, else the dump that is
/// there.
///
/// See [`SnapshotDriver`]. Without a server:
///
/// ```no_run
/// # use redkeep::live::{Clock, CopyingFiles, Connection, FilesOptions, PinnedLog, SnapshotDriver, SnapshotReceiver};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// # fn take(receiver: &mut dyn SnapshotReceiver) -> redkeep::Result<()> {
/// let options = FilesOptions::default().dir("/var/lib/redis");
/// let mut files = CopyingFiles { server: None::<&mut Connection>, clock: &System, options: &options };
/// let taken = files.take(receiver)?;
/// # Ok(())
/// # }
/// ```
pub struct CopyingFiles<'a, C: ?Sized, T: ?Sized> {
    /// The server whose files they are; `None` where it is not running.
    pub server: Option<&'a mut C>,
    /// What to wait by.
    pub clock: &'a T,
    /// Where the files are.
    pub options: &'a FilesOptions,
}

impl<C: ConnectionLike + ?Sized, T: Clock + ?Sized> SnapshotDriver for CopyingFiles<'_, C, T> {
    fn driver(&self) -> Driver {
        Driver::Files
    }

    fn take(&mut self, receiver: &mut dyn SnapshotReceiver) -> Result<Taken> {
        let Some(server) = self.server.as_deref_mut() else {
            let place = Place::find(None::<(&mut C, &Info)>, self.options)?;
            let now = self.options.now.and_then(|now| u64::try_from(now.get() / 1000).ok());
            if !place.log {
                return dump::give(&place, now, None, receiver).map(Taken::of);
            }
            let (log, rounds) = self.quiet_pin(&place)?;
            let mut snapshot = Snapshot::of(Driver::Files);
            (snapshot.asked_at, snapshot.rounds) = (now, rounds);
            return give(&place, &log, snapshot, None, receiver);
        };
        let info = Info::ask(server)?;
        if Snapshot::between(Driver::Files, &info, &info).role == Role::Sentinel {
            return Err(Error::usage("a sentinel has no data"));
        }
        let place = Place::find(Some((&mut *server, &info)), self.options)?;
        let asked_at = server_seconds(server)?;
        if !place.log {
            return dump::give(&place, asked_at, Some(&info), receiver).map(Taken::of);
        }
        let pinning = Pinning { clock: self.clock, options: self.options, place: &place };
        let held = Held::begin(server, self.options.hold_rewrites)?;
        let pinned = pinning.proven(held.connection);
        let put_back = held.end();
        let Pinned { log, mut snapshot, acknowledged } = pinned?;
        put_back?;
        snapshot.asked_at = asked_at;
        give(&place, &log, snapshot, Some(acknowledged), receiver)
    }
}

fn give(
    place: &Place,
    log: &PinnedLog,
    mut snapshot: Snapshot,
    acknowledged: Option<bool>,
    receiver: &mut dyn SnapshotReceiver,
) -> Result<Taken> {
    let at = if log.layout() == Layout::Parts { place.folder() } else { place.single() };
    snapshot.file = Some(at.display().to_string());
    snapshot.bytes = Some(log.bytes());
    receiver.log(log)?;
    let files = log.files().iter().map(|file| file.name().to_owned()).collect();
    let log = Some(LogFacts { layout: log.layout(), files, acknowledged });
    Ok(Taken { log, ..Taken::of(snapshot) })
}

impl<C: ConnectionLike + ?Sized, T: Clock + ?Sized> CopyingFiles<'_, C, T> {
    /// Without a server there is none to rewrite the log, but who knows.
    fn quiet_pin(&self, place: &Place) -> Result<(PinnedLog, u32)> {
        let mut rounds = Rounds::begin(self.clock, self.options);
        loop {
            match pin(place)? {
                Pin::Pinned(log) => return Ok((log, rounds.count)),
                Pin::Again(why) => rounds.wait(why)?,
            }
        }
    }
}

struct Pinned {
    log: PinnedLog,
    snapshot: Snapshot,
    acknowledged: bool,
}

/// How often it was tried, and how long that may go on.
struct Rounds<'a, T: ?Sized> {
    clock: &'a T,
    deadline: Duration,
    poll: Duration,
    count: u32,
}

impl<'a, T: Clock + ?Sized> Rounds<'a, T> {
    fn begin(clock: &'a T, options: &FilesOptions) -> Rounds<'a, T> {
        let deadline = clock.elapsed().saturating_add(options.deadline);
        Rounds { clock, deadline, poll: options.poll, count: 1 }
    }

    fn over(&self) -> bool {
        self.clock.elapsed() >= self.deadline
    }

    fn wait(&mut self, why: &str) -> Result<()> {
        if self.over() {
            let rounds = self.count;
            return Err(Error::from_fault(Fault::LogUnproven)
                .with_detail(format!("{why} ({rounds} rounds)")));
        }
        self.count = self.count.saturating_add(1);
        self.clock.sleep(self.poll);
        Ok(())
    }
}

struct Pinning<'a, T: ?Sized> {
    clock: &'a T,
    options: &'a FilesOptions,
    place: &'a Place,
}

impl<T: Clock + ?Sized> Pinning<'_, T> {
    /// A pin of what the server says that it writes.
    fn proven(&self, server: &mut (impl ConnectionLike + ?Sized)) -> Result<Pinned> {
        let mut rounds = Rounds::begin(self.clock, self.options);
        let first = Info::ask(server)?;
        let acknowledged = self.written(server)?;
        loop {
            let before = Info::ask(server)?;
            if before.get("run_id") != first.get("run_id") {
                return Err(Error::from_fault(Fault::ServerRestarted));
            }
            let why = match self.busy(&before) {
                Some(why) => why,
                None => match pin(self.place)? {
                    Pin::Again(why) => why,
                    Pin::Pinned(log) => {
                        let after = Info::ask(server)?;
                        if self.busy(&after).is_none() && fits(&log, &before, &after) {
                            let mut snapshot = Snapshot::between(Driver::Files, &first, &after);
                            snapshot.rounds = rounds.count;
                            snapshot.done_at = server_seconds(server)?;
                            return Ok(Pinned { log, snapshot, acknowledged });
                        }
                        "the files are not as long as the server says that its log is"
                    }
                },
            };
            rounds.wait(why)?;
        }
    }

    /// Why the files cannot be the whole log just now.
    fn busy(&self, info: &Info) -> Option<&'static str> {
        if !info.is_set("aof_enabled") {
            return Some("the log was switched off");
        }
        let rewriting =
            info.is_set("aof_rewrite_in_progress") || info.is_set("aof_rewrite_scheduled");
        // There, one that is being switched on looks like one that is being rewritten.
        (!self.place.parts && rewriting).then_some("the log is being rewritten")
    }

    /// Waits until all that was acknowledged so far was handed to the files; whether that was seen.
    fn written(&self, server: &mut (impl ConnectionLike + ?Sized)) -> Result<bool> {
        let until = self.clock.elapsed().saturating_add(self.options.deadline.min(PATIENCE));
        loop {
            let info = Info::section(server, "persistence")?;
            match info.number::<u64>("aof_buffer_length") {
                Some(0) => return Ok(true),
                Some(_) if self.clock.elapsed() < until => {
                    self.clock.sleep(Duration::from_millis(5));
                }
                _ => return Ok(false),
            }
        }
    }
}

/// Whether a pin is as long as the log was between two answers of the server. The base that it began
/// with when it had no log is not counted there.
fn fits(log: &PinnedLog, before: &Info, after: &Info) -> bool {
    let size = |info: &Info| info.number::<u64>("aof_current_size");
    let (Some(least), Some(most)) = (size(before), size(after)) else { return false };
    let base =
        log.files().first().map_or(0, |file| if log.files().len() > 1 { file.size() } else { 0 });
    let total = log.bytes();
    [total, total.saturating_sub(base)].iter().any(|len| (least..=most).contains(len))
}
