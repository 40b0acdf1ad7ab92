//! What lies in a directory, and which steps that asks for.

use crate::aof::repair::Stamp;
use crate::aof::{Manifest, ManifestEntry};
use crate::error::Result;
use crate::file::leftovers;
use crate::file::place::named;
use crate::task::data_dir::names::Names;
use crate::task::data_dir::options::{AppendOnly, DataDirOptions};
use crate::task::data_dir::plan::DataDirObstacle;
use crate::task::data_dir::steps::{DataDirAction, DataDirForm, DataDirStep};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of the biggest manifest that is looked into.
const MAX_MANIFEST: u64 = 1 << 20;

/// A plan while it is made.
pub(crate) struct Planner<'a> {
    pub(crate) dir: PathBuf,
    names: &'a Names,
    pub(crate) forms: Vec<DataDirForm>,
    pub(crate) steps: Vec<DataDirStep>,
    pub(crate) obstacles: Vec<DataDirObstacle>,
    pub(crate) notes: Vec<String>,
    pub(crate) seen: BTreeMap<PathBuf, Option<Stamp>>,
    pub(crate) number: i64,
    /// What stands behind the names of what is moved aside.
    suffix: String,
    /// The files of this log in its folder, the manifest last.
    logs: Vec<PathBuf>,
    manifest: PathBuf,
}

impl<'a> Planner<'a> {
    /// Looks at what is there, and puts down all steps.
    pub(crate) fn new(
        dir: PathBuf,
        options: &DataDirOptions,
        names: &'a Names,
    ) -> Result<Planner<'a>> {
        let server = options.server;
        let log = match server {
            server if server.has_log_parts() => DataDirForm::LogFolder,
            server if server.at_least(4, 0) => DataDirForm::LogPreamble,
            _ => DataDirForm::LogCommands,
        };
        let forms = match names.append_only {
            AppendOnly::Yes => vec![log],
            AppendOnly::No => vec![DataDirForm::Dump],
            AppendOnly::Unknown => vec![DataDirForm::Dump, log],
        };
        let manifest = dir.join(&names.folder).join(format!("{}.manifest", names.log));
        let mut planner = Planner {
            names,
            forms,
            steps: Vec::new(),
            obstacles: Vec::new(),
            notes: Vec::new(),
            seen: BTreeMap::new(),
            // A server that starts before the manifest is there makes one of its own, with an increment
            // of number 1: it would append to ours.
            number: 2,
            suffix: String::new(),
            logs: Vec::new(),
            manifest,
            dir,
        };
        planner.look()?;
        planner.suffix = planner.free_suffix(options.stamp.as_deref());
        planner.advise(options);
        planner.write();
        planner.aside();
        Ok(planner)
    }

    fn dump(&self) -> PathBuf {
        self.dir.join(&self.names.dump)
    }

    fn single(&self) -> PathBuf {
        self.dir.join(&self.names.log)
    }

    fn folder(&self) -> PathBuf {
        self.dir.join(&self.names.folder)
    }

    fn has(&self, form: DataDirForm) -> bool {
        self.forms.contains(&form)
    }

    /// Whether something had this name.
    fn is_there(&self, path: &Path) -> bool {
        self.seen.get(path).is_some_and(Option::is_some)
    }

    /// Notes what is there.
    fn look(&mut self) -> Result<()> {
        for path in [self.dump(), self.single(), self.manifest.clone()] {
            let stamp = match path.symlink_metadata() {
                Ok(facts) if facts.is_dir() => Err("a file"),
                Ok(_) => match Stamp::of(&path) {
                    // A link that leads nowhere.
                    Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {
                        Err("a file that can be looked at")
                    }
                    stamp => Ok(Some(stamp?)),
                },
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => return Err(named(error, &path)),
            };
            if let Err(wanted) = stamp {
                self.in_the_way(&path, wanted);
            }
            self.seen.insert(path, stamp.ok().flatten());
        }
        let folder = self.folder();
        if !folder.is_dir() {
            if self.has(DataDirForm::LogFolder) && folder.symlink_metadata().is_ok() {
                self.in_the_way(&folder, "a folder");
            }
            return Ok(());
        }
        self.look_into(&folder)
    }

    fn in_the_way(&mut self, path: &Path, wanted: &str) {
        let (path, wanted) = (path.to_owned(), wanted.to_owned());
        self.obstacles.push(DataDirObstacle::InTheWay { path, wanted });
    }

    /// Finds the files of this log in their folder, and a number that none of them has.
    fn look_into(&mut self, folder: &Path) -> Result<()> {
        let manifest = self.manifest.file_name().unwrap_or_default().to_owned();
        let mut others = BTreeSet::new();
        let mut highest = 0;
        for entry in self.named_in_manifest()? {
            highest = highest.max(entry.seq);
            others.insert(entry.file);
        }
        for entry in fs::read_dir(folder).map_err(|error| named(error, folder))? {
            let entry = entry.map_err(|error| named(error, folder))?;
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            let rest = bytes.strip_prefix(self.names.log.as_bytes());
            let own = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."));
            let own = own || others.contains(bytes);
            let facts = entry.metadata().map_err(|error| named(error, folder))?;
            if name == manifest || !own || facts.is_dir() {
                continue;
            }
            let rest = name.to_string_lossy();
            let rest = rest.strip_prefix(&self.names.log).and_then(|rest| rest.strip_prefix('.'));
            let number = rest.and_then(|rest| rest.split('.').next()?.parse::<i64>().ok());
            highest = highest.max(number.unwrap_or(0));
            self.seen.insert(entry.path(), Some(Stamp::of(&entry.path())?));
            self.logs.push(entry.path());
        }
        self.logs.sort();
        if self.is_there(&self.manifest) {
            self.logs.push(self.manifest.clone());
        }
        // Of absurd numbers any that is free will do: a name that is taken is never written over.
        self.number =
            if highest < i64::MAX / 2 { self.number.max(highest + 1) } else { self.number };
        Ok(())
    }

    /// What the manifest names; nothing where it is one that servers refuse.
    fn named_in_manifest(&self) -> Result<Vec<ManifestEntry>> {
        let small = fs::metadata(&self.manifest).is_ok_and(|facts| facts.len() <= MAX_MANIFEST);
        if !self.is_there(&self.manifest) || !small {
            return Ok(Vec::new());
        }
        let text = fs::read(&self.manifest).map_err(|error| named(error, &self.manifest))?;
        let Manifest { base, increments, history, .. } = Manifest::parse(&text).unwrap_or_default();
        Ok(base.into_iter().chain(increments).chain(history).collect())
    }

    /// Something to put behind names, so that nothing has any of these names yet.
    fn free_suffix(&self, stamp: Option<&str>) -> String {
        let mut suffixes = (1u64..).map(|n| match (stamp, n) {
            (Some(stamp), 1) => format!("redkeep-{stamp}"),
            (Some(stamp), n) => format!("redkeep-{stamp}-{n}"),
            (None, n) => format!("redkeep-{n}"),
        });
        let is_free = |suffix: &String| {
            let names = [self.dump(), self.single(), self.folder()];
            let within = self.folder().join(suffix);
            let mut all = names.iter().map(|path| with_suffix(path, suffix)).chain([within]);
            all.all(|path| path.symlink_metadata().is_err())
        };
        suffixes.find(is_free).unwrap_or_default()
    }

    fn aside_of(&self, path: &Path) -> PathBuf {
        if path.parent() == Some(&*self.folder()) {
            return self.logs_aside().join(path.file_name().unwrap_or_default());
        }
        with_suffix(path, &self.suffix)
    }

    /// Where the old files of the log go: a folder that could take the place of theirs.
    fn logs_aside(&self) -> PathBuf {
        let folder = self.folder();
        // What is mounted from elsewhere can only be renamed within.
        match same_device(&folder, &self.dir) {
            true => with_suffix(&folder, &self.suffix),
            false => folder.join(&self.suffix),
        }
    }

    fn step(&mut self, action: DataDirAction, path: PathBuf, why: &str) {
        self.steps.push(DataDirStep::new(action, path, why));
    }

    fn keep(&mut self, path: PathBuf, why: &str) {
        let to = self.aside_of(&path);
        self.steps.push(DataDirStep::new(DataDirAction::Keep, path, why).to(to));
    }

    /// New data under names of their own, second names for the old, and then the new in effect.
    fn write(&mut self) {
        let parts = self.has(DataDirForm::LogFolder);
        let (dump, single, folder) = (self.dump(), self.single(), self.folder());
        if parts && !folder.is_dir() {
            self.step(DataDirAction::MakeFolder, folder.clone(), "there is no folder of logs yet");
        }
        if self.has(DataDirForm::Dump) {
            self.step(DataDirAction::Write, dump.clone(), "a server with appendonly no loads it");
        }
        let log = if parts { folder } else { single.clone() };
        let has_log = self.forms.iter().any(|form| *form != DataDirForm::Dump);
        if has_log {
            self.step(
                DataDirAction::Write,
                log,
                "a server with appendonly yes loads it, and nothing else",
            );
        }
        if !self.logs.is_empty() {
            let (path, why) = (self.logs_aside(), "for the old files of the log, names and all");
            self.step(DataDirAction::MakeFolder, path, why);
        }
        if self.has(DataDirForm::Dump) && self.is_there(&dump) {
            self.keep(dump.clone(), "it is about to be replaced");
        }
        let effective = if parts { self.manifest.clone() } else { single };
        if has_log {
            if self.is_there(&effective) {
                self.keep(effective.clone(), "it is about to be replaced");
            }
            let why = if parts {
                "from here on servers load the new files"
            } else {
                "from here on servers load it"
            };
            self.step(DataDirAction::Commit, effective, why);
        }
        if self.has(DataDirForm::Dump) {
            self.step(DataDirAction::Commit, dump, "from here on servers load it");
        }
    }

    /// What would be loaded in place of the new data some other day.
    fn aside(&mut self) {
        let (dump, single) = (self.dump(), self.single());
        let mut old = Vec::new();
        if !self.has(DataDirForm::Dump) {
            old.push((dump, "a server with appendonly no would load it"));
        }
        let parts = self.has(DataDirForm::LogFolder);
        if parts || self.forms == [DataDirForm::Dump] {
            let why = match parts {
                true => "without the folder of logs a server would load it",
                false => "a server with appendonly yes would load it",
            };
            old.push((single, why));
        }
        let why = match (parts, self.forms.len()) {
            (true, _) => "it is no part of the log any more",
            (false, 1) if self.has(DataDirForm::Dump) => {
                "a server with appendonly yes would load the folder"
            }
            _ => "a server from 7.0 on would load the folder",
        };
        let kept = |path: &PathBuf| parts && *path == self.manifest;
        old.extend(self.logs.iter().filter(|path| !kept(path)).map(|path| (path.clone(), why)));
        for (path, why) in old {
            if self.is_there(&path) {
                let to = self.aside_of(&path);
                self.steps.push(DataDirStep::new(DataDirAction::MoveAside, path, why).to(to));
            }
        }
    }

    fn advise(&mut self, options: &DataDirOptions) {
        if let Some(its) = self.names.dir.as_ref()
            && its.canonicalize().ok().as_ref() != Some(&self.dir)
        {
            let its = its.display();
            self.notes.push(format!("the settings say that the server's directory is {its}"));
        }
        match self.names.append_only {
            AppendOnly::No => self.notes.push(
                "should appendonly be turned on later, then by CONFIG SET in the running server: one \
                 that starts with it and has no log starts empty"
                    .to_owned(),
            ),
            AppendOnly::Unknown => self.notes.push(
                "whether appendonly is on is not known: both forms are written, with the same content"
                    .to_owned(),
            ),
            AppendOnly::Yes => {}
        }
        for path in unfinished(&[&self.dir, &self.folder()]) {
            let path = path.display();
            self.notes.push(format!(
                "{path} is left over from a restore or repair that did not end: it is of no use"
            ));
        }
        if options.conf.is_none() {
            self.notes.push(
                "no settings were given: the server has to look for its files under the usual names"
                    .to_owned(),
            );
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What a program that was killed left of what it was writing.
fn unfinished(folders: &[&Path]) -> Vec<PathBuf> {
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let ours =
        |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(leftovers::PREFIX.as_bytes());
    entries.filter(|entry| ours(&entry.file_name())).map(|entry| entry.path()).collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
fn same_device(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.dev() == other.dev(),
        _ => true,
    }
}

#[cfg(not(unix))]
fn same_device(_: &Path, _: &Path) -> bool {
    true
}
