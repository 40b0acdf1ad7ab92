//! What is received: checked while it is written, and kept beside its place until all of it came.

use crate::aof::check::{self as log, AofCheckOptions, check_fileset, check_log};
use crate::aof::{EndKind, Layout, StreamReader};
use crate::error::{Error, Fault, Result};
use crate::file::place::Place;
use crate::live::{Driver, PinnedFile, PinnedLog, SnapshotReceiver};
use crate::rdb::check::{CheckOptions, Report, Verdict};
use crate::task::copy_checked;
use crate::task::log_folder::{LogFolder, LogTarget};
use crate::task::snapshot::auto::{Receives, StartsOver};
use crate::task::snapshot::options::SnapshotTarget;
use crate::task::snapshot::outcome::{LogOutcome, SnapshotProgress};
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who is told how far it is, and may stop it.
pub(super) type Watch<'w> = &'w mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>;

pub(super) struct Keeper<'a> {
    pub(super) target: &'a SnapshotTarget,
    pub(super) check: &'a CheckOptions,
    pub(super) watch: Watch<'a>,
    pub(super) driver: Driver,
    /// Something was given.
    pub(super) begun: bool,
    pub(super) kept: Option<Kept>,
}

/// What was received, not in its place yet.
pub(super) enum Kept {
    Dump(Place, Box<Report>),
    Single(Place, Box<LogOutcome>),
    Folder(Box<LogFolder>, Box<LogOutcome>),
}

/// What was received, and whether it is in its place.
pub(super) struct Settled {
    pub(super) report: Option<Report>,
    pub(super) log: Option<LogOutcome>,
    pub(super) kept: bool,
    pub(super) moved_to: Option<PathBuf>,
}

impl Kept {
    /// Puts what can be read to its end in its place.
    pub(super) fn settle(self) -> Result<Settled> {
        let (mut moved_to, readable) = (None, |verdict| verdict <= log::Verdict::Findings);
        Ok(match self {
            Kept::Dump(place, report) => {
                let kept = matches!(report.verdict, Verdict::Sound | Verdict::Findings);
                if kept {
                    place.commit()?;
                }
                Settled { report: Some(*report), log: None, kept, moved_to }
            }
            Kept::Single(place, outcome) => {
                let kept = readable(outcome.report.verdict);
                if kept {
                    place.commit()?;
                }
                Settled { report: None, log: Some(*outcome), kept, moved_to }
            }
            Kept::Folder(folder, outcome) => {
                let kept = readable(outcome.report.verdict);
                if kept {
                    moved_to = folder.commit()?.moved_to;
                }
                Settled { report: None, log: Some(*outcome), kept, moved_to }
            }
        })
    }
}

impl Keeper<'_> {
    fn watched<R: Read>(&mut self, source: R, len: Option<u64>, bytes: u64) -> Watched<'_, R> {
        let progress = SnapshotProgress { driver: self.driver, bytes, keys: 0, len };
        Watched { source, progress, seen: None, watch: self.watch }
    }

    fn place(&self) -> Result<Place> {
        Place::create(&self.target.path, self.target.replace)
    }

    fn rules(&self, log: &PinnedLog) -> AofCheckOptions {
        AofCheckOptions::new(self.check.clone()).file_name(log.name())
    }

    /// Copies a file up to there.
    fn copy(
        &mut self,
        file: &PinnedFile,
        upto: u64,
        mut to: impl Write,
        done: u64,
        len: u64,
    ) -> Result<()> {
        let source = file.reader()?.take(upto);
        let copied = io::copy(&mut self.watched(source, Some(len), done), &mut to)?;
        match copied == upto {
            true => Ok(()),
            // A server that comes back after a crash cuts its log on disk.
            false => Err(Error::from_fault(Fault::ChangedMeanwhile).in_file(file.name())),
        }
    }
}

impl Receives for Keeper<'_> {
    fn goes(&mut self, way: Driver) {
        self.driver = way;
    }

    fn has_begun(&self) -> bool {
        self.begun
    }
}

impl StartsOver for Keeper<'_> {
    fn start_over(&mut self) {
        self.begun = false;
        self.kept = None;
    }
}

impl SnapshotReceiver for Keeper<'_> {
    fn dump(&mut self, bytes: &mut dyn Read, len: Option<u64>) -> Result<()> {
        self.begun = true;
        let mut place = self.place()?;
        let seen = self.check.seen.clone().unwrap_or_default();
        let check = self.check.clone().seen(seen.clone());
        let mut source = self.watched(bytes, len, 0);
        source.seen = Some(seen);
        let report = copy_checked(source, &mut place, &check)?;
        self.kept = Some(Kept::Dump(place, Box::new(report)));
        Ok(())
    }

    fn log(&mut self, log: &PinnedLog) -> Result<()> {
        self.begun = true;
        let ends = ends(log)?;
        let (len, mut done) = (ends.iter().sum(), 0);
        let cut_bytes = log.bytes().saturating_sub(len);
        let files = log.files().iter().zip(ends);
        if log.layout() == Layout::Parts {
            let mut folder = LogFolder::create(&self.target.path, log.name(), self.target.replace)?;
            for (file, upto) in files {
                folder.begin(file.kind(), file.content())?;
                self.copy(file, upto, &mut folder, done, len)?;
                done += upto;
            }
            let report = check_fileset(folder.complete()?, &self.rules(log))?;
            self.kept =
                Some(Kept::Folder(Box::new(folder), Box::new(LogOutcome { report, cut_bytes })));
            return Ok(());
        }
        let mut place = self.place()?;
        for (file, upto) in files {
            self.copy(file, upto, &mut place, done, len)?;
            done += upto;
        }
        let copy = File::open(place.temporary())?;
        let report = check_log(copy, log.name(), &self.rules(log))?;
        self.kept = Some(Kept::Single(place, Box::new(LogOutcome { report, cut_bytes })));
        Ok(())
    }
}

/// Up to where the files of a log are taken.
pub(in crate::task) fn ends(log: &PinnedLog) -> Result<Vec<u64>> {
    let Some((last, others)) = log.files().split_last() else { return Ok(Vec::new()) };
    let whole = others.iter().map(PinnedFile::size);
    Ok(whole.chain([last_boundary(last)?]).collect())
}

/// Up to where the last file of a log that is being written can be taken. What is wrong with it otherwise
/// is for the check to say.
fn last_boundary(file: &PinnedFile) -> Result<u64> {
    let mut reader = StreamReader::new(file.reader()?);
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Err(error) if error.is_io() => return Err(error.in_file(file.name())),
            Ok(None) | Err(_) => break,
        }
    }
    Ok(match reader.end() {
        Some(end) if matches!(end.kind, EndKind::Torn | EndKind::OpenMulti) => end.valid_up_to,
        _ => file.size(),
    })
}

/// Tells of what is read.
struct Watched<'w, R> {
    source: R,
    progress: SnapshotProgress,
    /// Keys so far.
    seen: Option<Arc<AtomicU64>>,
    watch: &'w mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.progress.bytes += read as u64;
        self.progress.keys = self.seen.as_ref().map_or(0, |seen| seen.load(Ordering::Relaxed));
        match (self.watch)(&self.progress) {
            ControlFlow::Continue(()) => Ok(read),
            ControlFlow::Break(()) => Err(io::Error::other("it was stopped")),
        }
    }
}
