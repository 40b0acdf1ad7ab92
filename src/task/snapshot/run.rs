//! One snapshot, from the first question to its place.

use crate::error::{Error, Fault, Result};
use crate::file::place::Place;
use crate::live::DriverReport;
use crate::live::{Clock, Connection, CopyingFiles, Driver, SnapshotDriver, Taken};
use crate::rdb::check::CheckOptions;
use crate::task::snapshot::auto::{StartsOver, taken};
use crate::task::snapshot::keeper::{Keeper, Settled};
use crate::task::snapshot::options::{SnapshotOptions, SnapshotTarget};
use crate::task::snapshot::outcome::{ReplicaUse, SnapshotOutcome, SnapshotProgress};
use crate::task::snapshot::replica;
use std::ops::ControlFlow;

/// Takes a snapshot of a server and puts it at its place, checked.
///
/// Where no way is asked for, `BGSAVE`, replication and scan are tried in this order: those that the
/// server leaves open, and also the next one where it says no only when it is asked. The outcome says
/// why not by those before. A save that failed, a server that was restarted and what failed after its
/// bytes began to come are errors.
///
/// A snapshot that cannot be read to its end is not kept, and the outcome says so:
/// [`kept`](SnapshotOutcome::kept).
///
/// # Errors
/// Those of the [drivers](crate::live::SnapshotDriver) and of [`probe`](crate::live::probe);
/// `Server` (`no_driver`) where no way is open; `Io` where something is at the place already that is
/// not to be replaced, or it cannot be written. Nothing is in its place then.
///
/// ```no_run
/// use redkeep::live::{Clock, ConnectOptions, Connection};
/// use redkeep::task::{SnapshotOptions, SnapshotTarget, snapshot};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let target = SnapshotTarget::new("/backup/today.rdb");
/// let outcome = snapshot(&mut server, &System, &SnapshotOptions::default(), &target)?;
/// assert!(outcome.is_sound(), "{:?}", outcome.report);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn snapshot(
    server: &mut Connection,
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    target: &SnapshotTarget,
) -> Result<SnapshotOutcome> {
    snapshot_watched(server, clock, options, target, &mut |_| ControlFlow::Continue(()))
}

/// As [`snapshot`]; `watch` is told how far it is whenever bytes came, and may stop it there.
///
/// # Errors
/// As [`snapshot`], and `Io` where it was stopped.
///
/// See [`snapshot`] for an example.
pub fn snapshot_watched(
    server: &mut Connection,
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    target: &SnapshotTarget,
    watch: &mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>,
) -> Result<SnapshotOutcome> {
    // Found out now rather than after the server's work.
    if options.driver != Some(Driver::Files) {
        drop(Place::create(&target.path, target.replace)?);
    }
    let mut keeper = keeper(target, &options.check, watch);
    let run = run(server, clock, options, &mut keeper)?;
    outcome(run.taken, run.why_not, keeper, run.replica)
}

/// A snapshot that somebody received.
pub(in crate::task) struct Run {
    pub(in crate::task) taken: Taken,
    /// The ways that would have come first, and why they were not gone.
    pub(in crate::task) why_not: Vec<DriverReport>,
    /// Which replica was asked, or why none, where one was asked for.
    pub(in crate::task) replica: Option<ReplicaUse>,
}

/// Has somebody receive a snapshot, of a replica where one is asked for and will do.
pub(in crate::task) fn run(
    server: &mut Connection,
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    receiver: &mut impl StartsOver,
) -> Result<Run> {
    let Some(rules) = &options.replica else {
        let (taken, why_not) = taken(server, clock, options, receiver)?;
        return Ok(Run { taken, why_not, replica: None });
    };
    let mut usage = ReplicaUse::default();
    match replica::find(server, rules)? {
        Err(why_not) => usage.why_not = why_not,
        Ok(mut found) => {
            let result = taken(&mut found.server, clock, options, receiver);
            let address = found.usage.address.clone().unwrap_or_default();
            match result {
                Ok((taken, why_not)) => match replica::behind(server, &mut found.server) {
                    Ok(Ok(behind)) if behind <= rules.most_behind => {
                        found.usage.behind_after = Some(behind);
                        return Ok(Run { taken, why_not, replica: Some(found.usage) });
                    }
                    Ok(Ok(behind)) => {
                        usage.why_not.push(format!("{address}: {behind} bytes behind in the end"));
                    }
                    Ok(Err(why)) => usage.why_not.push(format!("{address}: in the end, {why}")),
                    Err(error) => usage.why_not.push(format!("{address}: in the end, {error}")),
                },
                Err(error) if receiver.has_begun() || rules.required => {
                    return Err(error.in_file(address));
                }
                Err(error) => usage.why_not.push(error.in_file(address).to_string()),
            }
        }
    }
    if rules.required {
        let why = usage.why_not.join("; ");
        return Err(Error::from_fault(Fault::NoServer).with_detail(why));
    }
    // What was taken of the replica is not put into its place, and gone.
    receiver.start_over();
    let (taken, why_not) = taken(server, clock, options, receiver)?;
    Ok(Run { taken, why_not, replica: Some(usage) })
}

/// Copies the files in a data directory whose server is not running, or not asked:
/// [`files`](SnapshotOptions::files) has to say where that is.
///
/// # Errors
/// As [`snapshot`]; `Usage` where it is not known which files count.
///
/// ```
/// use redkeep::live::FilesOptions;
/// use redkeep::task::{SnapshotOptions, SnapshotTarget, snapshot_of_files};
/// # struct System;
/// # impl redkeep::live::Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, _: std::time::Duration) {}
/// # }
/// # let data = std::env::temp_dir().join(format!("redkeep-doc-files-{}", std::process::id()));
/// # std::fs::create_dir_all(&data)?;
/// std::fs::write(data.join("dump.rdb"), b"REDIS0003\xfe\x00\x00\x01a\x01x\xff")?;
/// let options = SnapshotOptions::default().files(FilesOptions::default().dir(&data));
/// let target = SnapshotTarget::new(data.join("copy.rdb"));
/// let outcome = snapshot_of_files(&System, &options, &target, &mut |_| std::ops::ControlFlow::Continue(()))?;
/// assert!(outcome.is_sound() && target.path.is_file());
/// # std::fs::remove_dir_all(&data)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn snapshot_of_files(
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    target: &SnapshotTarget,
    watch: &mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>,
) -> Result<SnapshotOutcome> {
    let server = None::<&mut Connection>;
    let mut files = CopyingFiles { server, clock, options: &options.files };
    take(&mut files, target, &options.check, watch)
}

/// Takes a snapshot by one way and puts it at its place, checked.
///
/// # Errors
/// As [`snapshot`].
///
/// ```no_run
/// use redkeep::live::{ConnectOptions, Connection, ScanOptions, Scanning};
/// use redkeep::rdb::check::CheckOptions;
/// use redkeep::task::{SnapshotTarget, take};
/// use std::ops::ControlFlow;
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let users = ScanOptions::default().pattern("user:*");
/// let mut way = Scanning { server: &mut server, options: &users };
/// let target = SnapshotTarget::new("/backup/users.rdb");
/// let check = CheckOptions::default();
/// let outcome = take(&mut way, &target, &check, &mut |_| ControlFlow::Continue(()))?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn take(
    driver: &mut dyn SnapshotDriver,
    target: &SnapshotTarget,
    check: &CheckOptions,
    watch: &mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>,
) -> Result<SnapshotOutcome> {
    let mut keeper = keeper(target, check, watch);
    keeper.driver = driver.driver();
    let taken = driver.take(&mut keeper)?;
    outcome(taken, Vec::new(), keeper, None)
}

fn keeper<'a>(
    target: &'a SnapshotTarget,
    check: &'a CheckOptions,
    watch: &'a mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>,
) -> Keeper<'a> {
    Keeper { target, check, watch, driver: Driver::Bgsave, begun: false, kept: None }
}

fn outcome(
    taken: Taken,
    why_not: Vec<DriverReport>,
    keeper: Keeper<'_>,
    replica: Option<ReplicaUse>,
) -> Result<SnapshotOutcome> {
    let Some(kept) = keeper.kept else {
        return Err(Error::from_fault(Fault::Internal).with_detail("a driver that gave nothing"));
    };
    let Settled { report, log: log_report, kept, moved_to } = kept.settle()?;
    Ok(SnapshotOutcome { taken, report, log_report, kept, moved_to, why_not, replica })
}
