//! Carrying out a plan for the repair of a log.

use crate::aof::StreamReader;
use crate::aof::repair::{Fate, FilePlan, Plan, Stamp, Tally};
use crate::error::{Error, Result};
use crate::file::place::{Place, folder_of, keep_as, named, rename_to_new, sync_folder};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Where the repaired log goes.
///
/// ```
/// use redkeep::task::RepairPlace;
/// let place = RepairPlace::InPlace { stamp: "20261120T134500Z".to_owned() };
/// assert_ne!(place, RepairPlace::Folder("repaired".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepairPlace {
    /// Into this folder, which must be empty or not there yet: all files of the set.
    Folder(PathBuf),
    /// Where it is. What it replaces stays beside it under its name and `.redkeep-<stamp>`.
    InPlace {
        /// Tells one repair from another, as a time in UTC does: letters, digits, `-` and `_`.
        stamp: String,
    },
}

/// What was done.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-outcome-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use redkeep::aof::repair::{plan, RepairOptions};
/// use redkeep::task::{repair, RepairPlace};
/// let log = folder.join("appendonly.aof");
/// std::fs::write(&log, b"*1\r\n$8\r\nFLUSHALL\r\n*1\r\n$2")?;
/// let plan = plan(&log, &RepairOptions::default())?;
/// let outcome = repair(&plan, &RepairPlace::InPlace { stamp: "1".to_owned() })?;
/// assert_eq!(std::fs::read(&log)?, b"*1\r\n$8\r\nFLUSHALL\r\n");
/// assert!(outcome.aside[0].ends_with("appendonly.aof.redkeep-1"));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RepairOutcome {
    /// Files that were written, in order.
    pub written: Vec<PathBuf>,
    /// Where the originals of what was replaced are now.
    pub aside: Vec<PathBuf>,
    /// What is in the repaired log.
    pub kept: Tally,
    /// What is no longer.
    pub lost: Tally,
}

/// A step that is about to be taken. A crash between any two leaves the old set whole or the new
/// one.
///
/// ```
/// use redkeep::task::RepairStep;
/// let step = RepairStep::Write("appendonly.aof".into());
/// assert_eq!(step.path().to_str(), Some("appendonly.aof"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepairStep {
    /// A file of the new set is written under a name that nothing has yet.
    Write(PathBuf),
    /// A second name is given to what is about to be replaced.
    Keep(PathBuf),
    /// The new set takes effect: the manifest, or the only file, takes its name.
    Commit(PathBuf),
    /// A file that is no longer of the set gets the name under which it is kept.
    MoveAside(PathBuf),
}

impl RepairStep {
    /// The file that it is about, by the name it has then.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            RepairStep::Write(path)
            | RepairStep::Keep(path)
            | RepairStep::Commit(path)
            | RepairStep::MoveAside(path) => path,
        }
    }
}

/// Carries out a plan. Nothing is deleted and nothing overwritten: originals stay, aside.
///
/// Every file that is written is read again before it counts.
///
/// # Errors
/// `Usage` where the plan has obstacles, where a file is not the one that was planned for, or the
/// folder is not empty; `Io` where reading or writing fails. What was the set before is then the set
/// still, and files that were written for the new one may lie beside it.
pub fn repair(plan: &Plan, place: &RepairPlace) -> Result<RepairOutcome> {
    repair_watched(plan, place, &mut |_| ControlFlow::Continue(()))
}

/// As [`repair`]; `watch` is told of every step before it is taken, and may stop there.
///
/// # Errors
/// As [`repair`], and `Usage` where it was stopped.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-watched-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use redkeep::aof::repair::{plan, RepairOptions};
/// use redkeep::task::{repair_watched, RepairPlace};
/// let log = folder.join("appendonly.aof");
/// std::fs::write(&log, b"*1\r\n$8\r\nFLUSHALL\r\n*1\r\n$2")?;
/// let plan = plan(&log, &RepairOptions::default())?;
/// let place = RepairPlace::InPlace { stamp: "1".to_owned() };
/// let stop = &mut |_: &_| std::ops::ControlFlow::Break(());
/// assert!(repair_watched(&plan, &place, stop).is_err());
/// assert_eq!(std::fs::read(&log)?.len(), 24);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn repair_watched(
    plan: &Plan,
    place: &RepairPlace,
    watch: &mut dyn FnMut(&RepairStep) -> ControlFlow<()>,
) -> Result<RepairOutcome> {
    if let Some(obstacle) = plan.obstacles.first() {
        return Err(Error::usage(format!("the plan cannot be carried out: {obstacle}")));
    }
    let outcome = RepairOutcome { kept: plan.kept(), lost: plan.lost(), ..Default::default() };
    let mut work = Work { plan, watch, outcome };
    work.is_unchanged()?;
    match place {
        RepairPlace::Folder(folder) => work.fill_folder(folder)?,
        RepairPlace::InPlace { .. } if plan.is_empty() => {}
        RepairPlace::InPlace { stamp } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if stamp.is_empty() || !stamp.chars().all(plain) {
                return Err(Error::usage("a stamp has letters, digits, - and _ only"));
            }
            match plan.manifest {
                Some(_) => work.set_in_place(stamp)?,
                None => work.file_in_place(stamp)?,
            }
        }
    }
    Ok(work.outcome)
}

struct Work<'a> {
    plan: &'a Plan,
    watch: &'a mut dyn FnMut(&RepairStep) -> ControlFlow<()>,
    outcome: RepairOutcome,
}

impl Work<'_> {
    fn step(&mut self, step: RepairStep) -> Result<()> {
        match (self.watch)(&step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                Err(Error::usage(format!("stopped before {}", step.path().display())))
            }
        }
    }

    /// All files are still those that were planned for.
    fn is_unchanged(&self) -> Result<()> {
        let changed = |path: &Path| {
            let at = path.display();
            Err(Error::usage(format!("{at} has changed since the plan was made: make a new one")))
        };
        for file in &self.plan.files {
            if file.stamp != Some(Stamp::of(&file.path)?) {
                return changed(&file.path);
            }
        }
        let Some(manifest) = &self.plan.manifest else { return Ok(()) };
        let path = self.plan.folder.join(&manifest.name);
        let now = if path.is_file() { Some(Stamp::of(&path)?) } else { None };
        if now == manifest.stamp { Ok(()) } else { changed(&path) }
    }

    /// All files of the set, the manifest last.
    fn fill_folder(&mut self, folder: &Path) -> Result<()> {
        let plan = self.plan;
        // A whole `dir` of a server gives one, and the folder of its logs in it.
        let inner = match plan.folder.strip_prefix(&plan.path) {
            Ok(inner) if plan.path.is_dir() && plan.manifest.is_some() => folder.join(inner),
            _ => folder.to_owned(),
        };
        let occupied = |error: io::Error| named(error, folder);
        if folder.is_dir() && fs::read_dir(folder).map_err(occupied)?.next().is_some() {
            return Err(Error::usage(format!("{} is not empty", folder.display())));
        }
        fs::create_dir_all(&inner).map_err(occupied)?;
        for file in plan.files.iter().filter(|file| file.fate != Fate::Leaves) {
            let path = inner.join(&file.name);
            if plan.manifest.is_none() {
                self.step(RepairStep::Commit(path.clone()))?;
            } else {
                self.step(RepairStep::Write(path.clone()))?;
            }
            self.fill(file, &path, false)?.commit()?;
            self.outcome.written.push(path);
        }
        let Some(manifest) = &plan.manifest else { return Ok(()) };
        let mut after = manifest.after.clone();
        // History is not copied.
        after.history.clear();
        let path = inner.join(&manifest.name);
        self.manifest(&path, &after.to_bytes()?, None)
    }

    /// New files beside the old ones, then the manifest, then the old ones out of the way.
    fn set_in_place(&mut self, stamp: &str) -> Result<()> {
        let plan = self.plan;
        let Some(manifest) = &plan.manifest else { return Ok(()) };
        let mut names = BTreeMap::new();
        for file in plan.files.iter().filter(|file| file.fate == Fate::Rewritten) {
            let name = new_name(&file.name, stamp);
            let path = plan.folder.join(&name);
            self.step(RepairStep::Write(path.clone()))?;
            let place = self.fill(file, &path, false)?;
            place.resemble(&file.path)?;
            place.commit()?;
            self.outcome.written.push(path);
            names.insert(file.name.as_bytes(), name);
        }
        let mut after = manifest.after.clone();
        for entry in after.base.iter_mut().chain(&mut after.increments) {
            if let Some(name) = names.get(&entry.file[..]) {
                entry.file = name.clone().into_bytes();
                // It is shorter now than where it is said to end.
                entry.end_offset = None;
            }
        }
        let path = plan.folder.join(&manifest.name);
        if manifest.stamp.is_some() {
            self.keep(&path, stamp)?;
        }
        self.is_unchanged()?;
        let like = match manifest.stamp {
            Some(_) => Some(&path),
            None => plan.files.first().map(|file| &file.path),
        };
        self.manifest(&path, &after.to_bytes()?, like)?;
        for file in plan.files.iter().filter(|file| file.fate != Fate::Unchanged) {
            let aside = aside(&file.path, stamp);
            self.step(RepairStep::MoveAside(file.path.clone()))?;
            rename_to_new(&file.path, &aside).map_err(|error| named(error, &aside))?;
            self.outcome.aside.push(aside);
        }
        sync_folder(folder_of(&path)).map_err(|error| named(error, &path))
    }

    /// The only file, by one rename.
    fn file_in_place(&mut self, stamp: &str) -> Result<()> {
        let plan = self.plan;
        for file in plan.files.iter().filter(|file| file.fate == Fate::Rewritten) {
            // Not the link that may lead to it.
            let path = file.path.canonicalize().map_err(|error| named(error, &file.path))?;
            self.step(RepairStep::Write(path.clone()))?;
            let place = self.fill(file, &path, true)?;
            place.resemble(&path)?;
            self.keep(&path, stamp)?;
            self.is_unchanged()?;
            self.step(RepairStep::Commit(path.clone()))?;
            place.commit()?;
            self.outcome.written.push(path);
        }
        Ok(())
    }

    /// Gives a file that will be replaced a second name, or a copy where there are no links.
    fn keep(&mut self, path: &Path, stamp: &str) -> Result<()> {
        let aside = aside(path, stamp);
        self.step(RepairStep::Keep(path.to_owned()))?;
        keep_as(path, &aside)?;
        self.outcome.aside.push(aside);
        Ok(())
    }

    /// Writes the manifest, in place of the one that may be there; its owner is that of `like`.
    fn manifest(&mut self, path: &Path, text: &[u8], like: Option<&PathBuf>) -> Result<()> {
        self.step(RepairStep::Commit(path.to_owned()))?;
        let mut place = Place::create(path, like.is_some_and(|like| like == path))?;
        place.write_all(text).map_err(|error| named(error, path))?;
        if let Some(like) = like {
            place.resemble(like)?;
        }
        place.commit()?;
        self.outcome.written.push(path.to_owned());
        Ok(())
    }

    /// Writes what stays of a file, and reads it again.
    fn fill(&self, file: &FilePlan, path: &Path, replace: bool) -> Result<Place> {
        let mut place = Place::create(path, replace)?;
        let source = File::open(&file.path).map_err(|error| named(error, &file.path))?;
        let mut out = BufWriter::with_capacity(1 << 16, &mut place);
        let in_file = |error: Error| error.in_file(path.display().to_string());
        file.write(&source, &mut out).map_err(in_file)?;
        out.flush().map_err(|error| named(error, path))?;
        drop(out);
        let copy = File::open(place.temporary()).map_err(|error| named(error, path))?;
        let mut reader = StreamReader::new(copy);
        let mut commands = 0;
        while let Some(record) = reader.next().map_err(in_file)? {
            commands += u64::from(record.command().is_some());
        }
        if (reader.offset(), commands) != (file.kept.bytes, file.kept.commands) {
            return Err(in_file(Error::usage("what was written does not read as planned")));
        }
        Ok(place)
    }
}

/// `a.2.incr.aof` becomes `a.2.repaired-STAMP.incr.aof`: still the name of an increment.
fn new_name(name: &str, stamp: &str) -> String {
    let ends = [".base.rdb", ".base.aof", ".incr.aof"];
    let end = ends.into_iter().find(|end| name.ends_with(end)).unwrap_or_default();
    let front = name.strip_suffix(end).unwrap_or(name);
    format!("{front}.repaired-{stamp}{end}")
}

fn aside(path: &Path, stamp: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!("{name}.redkeep-{stamp}"))
}
