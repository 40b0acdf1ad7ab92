//! Backups of running servers, of clusters, and of the files of servers that are stopped.

use crate::error::{Error, Fault, Result};
use crate::live::cluster::{ClusterNodes, Look};
use crate::live::{
    Clock, Connection, CopyingFiles, Driver, DriverReport, PinnedLog, Role, SnapshotDriver,
    SnapshotReceiver, Taken,
};
use crate::repo::{Archive, Source};
use crate::task::backup::intake::{Intake, Now, Stored, Watch};
use crate::task::backup::options::BackupOptions;
use crate::task::backup::outcome::BackupOutcome;
use crate::task::snapshot::{Receives, Run, SnapshotOptions, StartsOver, run};
use crate::time::UnixMillis;
use std::io::Read;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes a backup of a server: takes a snapshot as [`snapshot`](crate::task::snapshot()) does, by the same
/// options, and stores it while it comes. How it is checked is in the options of the backup.
///
/// # Errors
/// Those of [`snapshot`](crate::task::snapshot()) and [`backup`](crate::task::backup()). Nothing is in the
/// archive then.
///
/// ```no_run
/// use redkeep::UnixMillis;
/// use redkeep::live::{Clock, ConnectOptions, Connection};
/// use redkeep::repo::{Archive, store::LocalStore};
/// use redkeep::task::{BackupOptions, SnapshotOptions, backup_server};
/// use std::ops::ControlFlow;
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// # fn now() -> UnixMillis { UnixMillis::new(0) }
/// let archive = Archive::open_or_create(LocalStore::open("/backup")?)?;
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let (how, options) = (SnapshotOptions::default(), BackupOptions::default());
/// let outcome = backup_server(&archive, &mut server, &System, &how, &now, &options, &mut |_| {
///     ControlFlow::Continue(())
/// })?;
/// assert!(outcome.is_sound(), "{:?}", outcome.manifest.shards[0].content.found);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn backup_server(
    archive: &Archive,
    server: &mut Connection,
    clock: &(impl Clock + ?Sized),
    how: &SnapshotOptions,
    now: Now<'_>,
    options: &BackupOptions,
    watch: Watch<'_>,
) -> Result<BackupOutcome> {
    let mut intake = Intake::begin(archive, options, now, watch, None)?;
    let taken = take(&intake, 0, "main", server, clock, how)?;
    intake.warnings.extend(warnings(&taken.run));
    intake.add("main".to_owned(), Vec::new(), taken.source, taken.stored);
    intake.finish()
}

/// Makes a backup of the files in a data directory whose server is not running, or not asked: a dump, or a
/// log. [`files`](SnapshotOptions::files) has to say where they are.
///
/// # Errors
/// Those of [`snapshot_of_files`](crate::task::snapshot_of_files) and [`backup`](crate::task::backup()).
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::live::FilesOptions;
/// use redkeep::repo::{Archive, store::MemoryStore};
/// use redkeep::task::{BackupOptions, SnapshotOptions, backup_files};
/// # struct System;
/// # impl redkeep::live::Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, _: std::time::Duration) {}
/// # }
/// # let data = std::env::temp_dir().join(format!("redkeep-doc-backup-files-{}", std::process::id()));
/// # std::fs::create_dir_all(&data)?;
/// std::fs::write(data.join("dump.rdb"), b"REDIS0003\xfe\x00\x00\x01a\x01x\xff")?;
/// let archive = Archive::create(MemoryStore::new())?;
/// let how = SnapshotOptions::default().files(FilesOptions::default().dir(&data));
/// let (options, now) = (BackupOptions::default(), || UnixMillis::new(0));
/// let outcome = backup_files(&archive, &System, &how, &now, &options, &mut |_| {
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert!(outcome.is_sound());
/// # std::fs::remove_dir_all(&data)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn backup_files(
    archive: &Archive,
    clock: &(impl Clock + ?Sized),
    how: &SnapshotOptions,
    now: Now<'_>,
    options: &BackupOptions,
    watch: Watch<'_>,
) -> Result<BackupOutcome> {
    let mut intake = Intake::begin(archive, options, now, watch, None)?;
    let mut receiver = Receiver::new(&intake, 0, "main");
    let server = None::<&mut Connection>;
    let taken = CopyingFiles { server, clock, options: &how.files }.take(&mut receiver)?;
    let taken = Received::of(receiver, Run { taken, why_not: Vec::new(), replica: None }, None)?;
    intake.add("main".to_owned(), Vec::new(), taken.source, taken.stored);
    intake.finish()
}

/// Makes one backup of all shards of a cluster, [several](BackupOptions::parallel) at once.
///
/// They are not from one moment: [`skew_ms`](crate::repo::Manifest::skew_ms) says how far apart they may
/// be. A key whose slot moves meanwhile may be in two of them or in none; a warning says whether any did.
///
/// # Errors
/// Those of [`backup_server`], and `Server` where a slot has no master. Nothing is in the archive then.
///
/// ```no_run
/// use redkeep::UnixMillis;
/// use redkeep::live::{Clock, ConnectOptions, cluster::ClusterNodes};
/// use redkeep::repo::{Archive, store::LocalStore};
/// use redkeep::task::{BackupOptions, SnapshotOptions, backup_cluster};
/// use std::ops::ControlFlow;
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// # fn now() -> UnixMillis { UnixMillis::new(0) }
/// let archive = Archive::open_or_create(LocalStore::open("/backup")?)?;
/// let look = ClusterNodes::look(&[ConnectOptions::new("redis://10.0.0.1:7000")])?;
/// let (how, options) = (SnapshotOptions::default(), BackupOptions::default());
/// let outcome = backup_cluster(&archive, &look, &System, &how, &now, &options, &mut |_| {
///     ControlFlow::Continue(())
/// })?;
/// assert!(outcome.is_sound(), "{:?}", outcome.manifest.warnings);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn backup_cluster(
    archive: &Archive,
    look: &Look,
    clock: &(impl Clock + Sync + ?Sized),
    how: &SnapshotOptions,
    now: Now<'_>,
    options: &BackupOptions,
    watch: Watch<'_>,
) -> Result<BackupOutcome> {
    look.nodes.complete()?;
    let mut intake = Intake::begin(archive, options, now, watch, None)?;
    let shards = &look.nodes.shards;
    let name = |at: usize| {
        let first = shards.get(at).and_then(|shard| shard.slots.first());
        format!("from-slot-{:05}", first.map_or(0, |range| range.first))
    };
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(shard) = shards.get(at) else { return };
            let taken = shard.open_master(&look.asked).and_then(|mut server| {
                let address = server.address().to_owned();
                take(&intake, at, &name(at), &mut server, clock, how)
                    .map_err(|error| error.in_file(address))
            });
            if taken.is_err() {
                // The others need not go on.
                intake.stop();
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, taken));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.parallel.clamp(1, shards.len().max(1)) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    // What stopped the others says why, and not that they were stopped.
    let stopped = |error: &Error| error.fault() == Some(Fault::Cancelled);
    let cause =
        done.iter().position(|(_, taken)| taken.as_ref().is_err_and(|error| !stopped(error)));
    if let Some((_, Err(error))) = cause.map(|at| done.swap_remove(at)) {
        return Err(error);
    }
    let (mut first, mut last) = (None::<UnixMillis>, None::<UnixMillis>);
    for (at, taken) in done {
        let taken = taken?;
        first = Some(first.map_or(taken.asked_at, |first| first.min(taken.asked_at)));
        last = Some(last.map_or(taken.moment_by, |last| last.max(taken.moment_by)));
        let spans = shards.get(at).map(|shard| shard.slots.clone()).unwrap_or_default();
        let spans = spans.iter().map(|range| (range.first, range.last)).collect();
        intake
            .warnings
            .extend(warnings(&taken.run).map(|warning| format!("{}: {warning}", name(at))));
        intake.add(name(at), spans, taken.source, taken.stored);
    }
    let skew = last.zip(first).map(|(last, first)| last.get().saturating_sub(first.get()));
    intake.skew_ms = skew.and_then(|skew| u64::try_from(skew).ok());
    let changes = look.nodes.changed(&ClusterNodes::look(&look.seeds())?.nodes);
    if !changes.is_empty() {
        intake.warnings.push(format!("keys may be missing or twice: {changes}"));
    }
    intake.finish()
}

/// A snapshot that is stored.
struct Received {
    run: Run,
    stored: Stored,
    source: Source,
    /// Between these two lies the moment that it is from, by our clock.
    asked_at: UnixMillis,
    moment_by: UnixMillis,
}

fn take(
    intake: &Intake<'_>,
    at: usize,
    name: &str,
    server: &mut Connection,
    clock: &(impl Clock + ?Sized),
    how: &SnapshotOptions,
) -> Result<Received> {
    let mut receiver = Receiver::new(intake, at, name);
    let run = run(server, clock, how, &mut receiver)?;
    let replica = run.replica.as_ref().and_then(|used| used.address.clone());
    let address = replica.unwrap_or_else(|| server.address().to_owned());
    Received::of(receiver, run, Some(address))
}

impl Received {
    fn of(receiver: Receiver<'_, '_>, run: Run, address: Option<String>) -> Result<Received> {
        let (asked_at, intake) = (receiver.asked_at, receiver.intake);
        let Some((stored, stated, began)) = receiver.stored else {
            return Err(
                Error::from_fault(Fault::Internal).with_detail("a driver that gave nothing")
            );
        };
        let snapshot = &run.taken.snapshot;
        // Key by key it is not from one moment, and has one for each key.
        let moment_by = if snapshot.point_in_time { began } else { (intake.now)() };
        let source = source_of(&run.taken, &run.why_not, address, stated);
        Ok(Received { run, stored, source, asked_at, moment_by })
    }
}

fn source_of(
    taken: &Taken,
    why_not: &[DriverReport],
    address: Option<String>,
    stated: Source,
) -> Source {
    let snapshot = &taken.snapshot;
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let asked = address.is_some();
    let role = match snapshot.role {
        Role::Replica => "replica",
        Role::Sentinel => "sentinel",
        Role::Master => "master",
    };
    let why_not =
        why_not.iter().map(|report| format!("{}: {}", report.driver, report.obstacles.join(", ")));
    Source {
        driver: snapshot.driver.to_string(),
        point_in_time: snapshot.point_in_time,
        address,
        server: text(&snapshot.server).or(stated.server),
        run_id: text(&snapshot.run_id),
        role: asked.then(|| role.to_owned()),
        replication_id: snapshot.replication_id.clone(),
        offset_before: snapshot.offset_before,
        offset_after: snapshot.offset_after,
        offset: taken.replication.as_ref().and_then(|received| received.facts.offset),
        asked_at: snapshot.asked_at,
        done_at: snapshot.done_at,
        stated_at: snapshot.stated_at.or(stated.stated_at),
        writes_meanwhile: snapshot.writes_meanwhile,
        why_not: why_not.collect(),
        ..Source::default()
    }
}

/// What whoever restores it should know.
fn warnings(run: &Run) -> impl Iterator<Item = String> {
    let Run { taken, replica, .. } = run;
    let scan = taken.snapshot.driver == Driver::Scan;
    let emptied = taken.scan.as_ref().is_some_and(|scan| scan.emptied == Some(true));
    let behind = taken.log.as_ref().is_some_and(|log| log.acknowledged == Some(false));
    let said = [
        (scan, "taken key by key: it is not from one moment"),
        (emptied, "databases were emptied or swapped meanwhile: much may be missing"),
        (behind, "the server was behind with its log: its last answers may be missing"),
    ];
    let said = said.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words.to_owned());
    let none = replica.as_ref().filter(|used| used.address.is_none());
    let why = none.map(|used| format!("no replica would do: {}", used.why_not.join("; ")));
    said.chain(why).collect::<Vec<_>>().into_iter()
}

/// Stores what a driver gives.
struct Receiver<'i, 'a> {
    intake: &'i Intake<'a>,
    /// Which shard it is.
    at: usize,
    name: &'i str,
    asked_at: UnixMillis,
    begun: bool,
    /// What came, what it says of itself, and when its first bytes came.
    stored: Option<(Stored, Source, UnixMillis)>,
}

impl<'i, 'a> Receiver<'i, 'a> {
    fn new(intake: &'i Intake<'a>, at: usize, name: &'i str) -> Receiver<'i, 'a> {
        let asked_at = (intake.now)();
        Receiver { intake, at, name, asked_at, begun: false, stored: None }
    }
}

impl Receives for Receiver<'_, '_> {
    fn goes(&mut self, _: Driver) {
        // Bytes of one way say nothing of another's moment.
        self.asked_at = (self.intake.now)();
    }

    fn has_begun(&self) -> bool {
        self.begun
    }
}

impl StartsOver for Receiver<'_, '_> {
    fn start_over(&mut self) {
        self.begun = false;
        if let Some((stored, ..)) = self.stored.take() {
            self.intake.discard(&stored.parts);
        }
    }
}

impl SnapshotReceiver for Receiver<'_, '_> {
    fn dump(&mut self, bytes: &mut dyn Read, len: Option<u64>) -> Result<()> {
        let began = (self.intake.now)();
        self.begun = true;
        let (stored, stated) = self.intake.dump(self.at, self.name, bytes, len)?;
        self.stored = Some((stored, stated, began));
        Ok(())
    }

    fn log(&mut self, log: &PinnedLog) -> Result<()> {
        let began = (self.intake.now)();
        self.begun = true;
        let stored = self.intake.log(self.at, self.name, log)?;
        self.stored = Some((stored, Source::default(), began));
        Ok(())
    }
}
