//! What has to be done to a directory, and what stands in the way.

use crate::aof::repair::Stamp;
use crate::error::{Error, Result};
use crate::file::place::named;
use crate::live::Clock;
use crate::rdb::ServerVersion;
use crate::rdb::convert::ConvertOptions;
use crate::task::data_dir::alive::Signs;
use crate::task::data_dir::names::Names;
use crate::task::data_dir::options::{AppendOnly, DataDirOptions};
use crate::task::data_dir::planner::Planner;
use crate::task::data_dir::steps::{DataDirForm, DataDirStep};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

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
    let planner = Planner::new(dir, &options, &names)?;
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
