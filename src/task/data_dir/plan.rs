//! What has to be done to a directory, and what stands in the way.

use crate::aof::Manifest;
use crate::aof::repair::Stamp;
use crate::error::{Error, Result};
use crate::live::Clock;
use crate::rdb::ServerVersion;
use crate::rdb::convert::ConvertOptions;
use crate::task::data_dir::alive::Signs;
use crate::task::data_dir::names::Names;
use crate::task::data_dir::options::{AppendOnly, DataDirOptions};
use crate::task::data_dir::steps::{DataDirAction, DataDirForm, DataDirStep};
use crate::task::place::named;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of the biggest manifest that is looked into.
const MAX_MANIFEST: u64 = 1 << 20;

/// Why a directory must not be touched now.
///
/// ```
/// use redkeep::task::data_dir::DataDirObstacle;
/// let saving = DataDirObstacle::Saving { file: "temp-77.rdb".into() };
/// assert!(saving.to_string().contains("temp-77.rdb"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[cfg_attr(feature = "json", serde(tag = "code", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DataDirObstacle {
    /// A process runs there.
    Process {
        /// Its number.
        pid: u32,
        /// What it calls itself.
        name: String,
        /// What tells that it is a server.
        how: String,
    },
    /// A server answers.
    Answers {
        /// Where.
        address: String,
        /// What it says of its directory.
        how: String,
    },
    /// A file of a save or rewrite changes: whoever writes it will rename it over what is there,
    /// even where the server itself is gone.
    Saving {
        /// The file.
        file: PathBuf,
    },
    /// Something has the name of one of the server's files, and is another kind of thing.
    InTheWay {
        /// What.
        path: PathBuf,
        /// What it should be.
        wanted: String,
    },
}

impl fmt::Display for DataDirObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataDirObstacle::Process { pid, name, how } => {
                write!(f, "process {pid} ({name}) may write here: {how}; stop it first")
            }
            DataDirObstacle::Answers { address, how } => {
                write!(f, "a server answers at {address}: {how}; stop it first")
            }
            DataDirObstacle::Saving { file } => {
                write!(
                    f,
                    "{} is being written by a save or rewrite: wait for its end",
                    file.display()
                )
            }
            DataDirObstacle::InTheWay { path, wanted } => {
                write!(f, "{} is not {wanted}", path.display())
            }
        }
    }
}

/// What will be written into a directory and what moved aside, in this order, and what stands in the
/// way. It changes nothing until it is [applied](DataDirPlan::apply).
///
/// ```
/// use redkeep::task::data_dir::{AppendOnly, DataDirForm, DataDirOptions, plan_data_dir};
/// # use std::time::Duration;
/// # struct Still;
/// # impl redkeep::live::Clock for Still {
/// #     fn elapsed(&self) -> Duration { Duration::ZERO }
/// #     fn sleep(&self, _: Duration) {}
/// # }
/// # let dir = std::env::temp_dir().join(format!("redkeep-doc-plan-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// std::fs::write(dir.join("dump.rdb"), b"an old one")?;
/// let options = DataDirOptions::new("redis-7.2".parse().unwrap()).append_only(AppendOnly::Yes);
/// let plan = plan_data_dir(&dir, &options, &Still)?;
/// assert_eq!(plan.forms, [DataDirForm::LogFolder]);
/// let last = plan.steps.last().unwrap();
/// assert!(last.to.as_ref().unwrap().ends_with("dump.rdb.redkeep-1"));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DataDirPlan {
    /// The directory.
    pub dir: PathBuf,
    /// The server that will start there.
    #[cfg_attr(feature = "json", serde(serialize_with = "as_text"))]
    pub server: ServerVersion,
    /// Its setting `appendonly`, as given or as its file says.
    pub append_only: AppendOnly,
    /// The forms that will be written, all with the same content.
    pub forms: Vec<DataDirForm>,
    /// What will be done, in this order. Where a folder has several new files, each is put in place
    /// before the manifest is put into effect.
    pub steps: Vec<DataDirStep>,
    /// Why it must not be done now.
    pub obstacles: Vec<DataDirObstacle>,
    /// What could not be looked at, and so may hide a server that is alive.
    pub unseen: Vec<String>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    #[cfg_attr(feature = "json", serde(skip))]
    pub(crate) options: DataDirOptions,
    #[cfg_attr(feature = "json", serde(skip))]
    pub(crate) names: Names,
    /// What the directory held when the plan was made.
    #[cfg_attr(feature = "json", serde(skip))]
    pub(crate) seen: BTreeMap<PathBuf, Option<Stamp>>,
    /// The number of the new base and the first new increment.
    #[cfg_attr(feature = "json", serde(skip))]
    pub(crate) number: i64,
}

#[cfg(feature = "json")]
fn as_text<S: serde::Serializer>(
    value: &ServerVersion,
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Looks at a directory and says what a restore into it would do. Nothing is changed.
///
/// A server that is alive is looked for among the processes of this machine (on Linux), at the
/// address that `redis.conf` or the caller gives, and by files that a save is writing. Those of other
/// machines that share the directory are not seen.
///
/// # Errors
/// `Io` where the directory or `redis.conf` cannot be read; `Usage` for settings that make no sense.
/// A server that is alive is no error here but an [obstacle](DataDirPlan::obstacles).
pub fn plan_data_dir(
    dir: &Path,
    options: &DataDirOptions,
    clock: &impl Clock,
) -> Result<DataDirPlan> {
    let names = Names::learn(options)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if options.stamp.as_ref().is_some_and(|stamp| stamp.is_empty() || !stamp.chars().all(plain)) {
        return Err(Error::usage("a stamp has letters, digits, - and _ only"));
    }
    let mut options = options.clone();
    let convert =
        options.extract.convert.get_or_insert_with(|| ConvertOptions::new(options.server));
    if convert.target != options.server {
        let (one, other) = (convert.target, options.server);
        return Err(Error::usage(format!("converted for {one}, but the directory is of {other}")));
    }
    // All names in the plan stay right, whatever the current folder comes to be.
    let dir = dir.canonicalize().map_err(|error| named(error, dir))?;
    if !dir.is_dir() {
        return Err(named(io::ErrorKind::NotADirectory.into(), &dir));
    }
    let mut planner = Planner::new(dir, &options, &names)?;
    planner.write();
    planner.aside();
    let Planner { dir, forms, steps, obstacles, notes, seen, number, .. } = planner;
    let mut plan = DataDirPlan {
        dir,
        server: options.server,
        append_only: names.append_only,
        forms,
        steps,
        obstacles,
        unseen: Vec::new(),
        notes,
        options,
        names,
        seen,
        number,
    };
    let Signs { alive, unseen, notes } = plan.signs(clock)?;
    plan.obstacles.extend(alive);
    plan.unseen.extend(unseen);
    plan.notes.extend(notes);
    Ok(plan)
}

impl DataDirPlan {
    /// Looks whether a server is alive there now.
    pub(crate) fn signs(&self, clock: &impl Clock) -> Result<Signs> {
        let folders = [self.dir.clone(), self.dir.join(&self.names.folder)];
        let (ask, conf) = (self.options.ask.as_ref(), self.names.conf.as_ref());
        Signs::of(&self.dir, &folders, ask, conf, self.options.settle, clock)
    }

    pub(crate) fn path_of(&self, form: DataDirForm) -> PathBuf {
        match form {
            DataDirForm::Dump => self.dir.join(&self.names.dump),
            DataDirForm::LogFolder => self.dir.join(&self.names.folder),
            DataDirForm::LogPreamble | DataDirForm::LogCommands => self.dir.join(&self.names.log),
        }
    }

    /// The form of the log, where one is written.
    pub(crate) fn log_form(&self) -> Option<DataDirForm> {
        self.forms.iter().copied().find(|form| *form != DataDirForm::Dump)
    }
}

impl fmt::Display for DataDirPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms: Vec<_> = self.forms.iter().map(DataDirForm::to_string).collect();
        let (dir, server, setting) = (self.dir.display(), self.server, self.append_only);
        writeln!(f, "{dir}: {} for {server} (appendonly {setting})", forms.join(" and "))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))?;
        self.unseen.iter().try_for_each(|what| writeln!(f, "  not looked at: {what}"))?;
        self.obstacles.iter().try_for_each(|obstacle| writeln!(f, "  IN THE WAY: {obstacle}"))
    }
}

struct Planner<'a> {
    dir: PathBuf,
    names: &'a Names,
    forms: Vec<DataDirForm>,
    steps: Vec<DataDirStep>,
    obstacles: Vec<DataDirObstacle>,
    notes: Vec<String>,
    seen: BTreeMap<PathBuf, Option<Stamp>>,
    number: i64,
    /// What stands behind the names of what is moved aside.
    suffix: String,
    /// The files of this log in its folder, the manifest last.
    logs: Vec<PathBuf>,
    manifest: PathBuf,
}

impl<'a> Planner<'a> {
    fn new(dir: PathBuf, options: &DataDirOptions, names: &'a Names) -> Result<Planner<'a>> {
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
            number: 1,
            suffix: String::new(),
            logs: Vec::new(),
            manifest,
            dir,
        };
        planner.look()?;
        planner.suffix = planner.free_suffix(options.stamp.as_deref());
        planner.advise(options);
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
            let facts = match path.symlink_metadata() {
                Ok(facts) => Some(facts),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    None
                }
                Err(error) => return Err(named(error, &path)),
            };
            if facts.as_ref().is_some_and(fs::Metadata::is_dir) {
                let wanted = "a file".to_owned();
                self.obstacles.push(DataDirObstacle::InTheWay { path: path.clone(), wanted });
                self.seen.insert(path, None);
                continue;
            }
            // A link that leads nowhere has a name to be moved, and nothing to compare.
            let stamp = match facts.map(|_| Stamp::of(&path)).transpose() {
                Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {
                    let wanted = "a file that can be looked at".to_owned();
                    self.obstacles.push(DataDirObstacle::InTheWay { path: path.clone(), wanted });
                    None
                }
                stamp => stamp?,
            };
            self.seen.insert(path, stamp);
        }
        let folder = self.folder();
        if !folder.is_dir() {
            if self.has(DataDirForm::LogFolder) && folder.symlink_metadata().is_ok() {
                let wanted = "a folder".to_owned();
                self.obstacles.push(DataDirObstacle::InTheWay { path: folder, wanted });
            }
            return Ok(());
        }
        self.look_into(&folder)
    }

    /// Finds the files of this log in their folder, and a number that none of them has.
    fn look_into(&mut self, folder: &Path) -> Result<()> {
        let manifest = self.manifest.file_name().unwrap_or_default().to_owned();
        let mut others = BTreeSet::new();
        let mut highest = 0;
        if self.is_there(&self.manifest) {
            let parsed =
                match fs::metadata(&self.manifest).is_ok_and(|facts| facts.len() <= MAX_MANIFEST) {
                    true => Manifest::parse(
                        &fs::read(&self.manifest).map_err(|error| named(error, &self.manifest))?,
                    )
                    .ok(),
                    // Servers refuse one that cannot be understood, and it is moved aside like any.
                    false => None,
                };
            for entry in parsed
                .iter()
                .flat_map(|found| found.base.iter().chain(&found.increments).chain(&found.history))
            {
                others.insert(entry.file.clone());
                highest = highest.max(entry.seq);
            }
        }
        for entry in fs::read_dir(folder).map_err(|error| named(error, folder))? {
            let entry = entry.map_err(|error| named(error, folder))?;
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            let own = bytes.starts_with(self.names.log.as_bytes()) || others.contains(bytes);
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
        self.number = if highest < i64::MAX / 2 { highest + 1 } else { 1 };
        Ok(())
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
        if options.conf.is_none() {
            self.notes.push(
                "no settings were given: the server has to look for its files under the usual names"
                    .to_owned(),
            );
        }
    }
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
