//! What is done to a directory, one rename at a time.

use std::fmt;
use std::path::PathBuf;

/// A form in which a server keeps its data.
///
/// ```
/// use redkeep::task::data_dir::DataDirForm;
/// assert_eq!(DataDirForm::LogFolder.to_string(), "a folder of logs");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DataDirForm {
    /// A dump.
    Dump,
    /// A folder with a base, increments and a manifest (Redis from 7.0, Valkey).
    LogFolder,
    /// A log of one file that begins with an RDB (Redis 4.0 to 6.2).
    LogPreamble,
    /// A log of one file, plain commands and nothing else (Redis up to 3.2).
    LogCommands,
}

impl fmt::Display for DataDirForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataDirForm::Dump => "a dump",
            DataDirForm::LogFolder => "a folder of logs",
            DataDirForm::LogPreamble => "a log that begins with an RDB",
            DataDirForm::LogCommands => "a log of plain commands",
        })
    }
}

/// What a step does.
///
/// ```
/// use redkeep::task::data_dir::DataDirAction;
/// assert_ne!(DataDirAction::Keep, DataDirAction::MoveAside);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DataDirAction {
    /// A folder is made.
    MakeFolder,
    /// New data are written under a name that nothing has, and read back.
    Write,
    /// What is about to be replaced gets a second name.
    Keep,
    /// A file of the new log is put beside those in the folder; the manifest does not name it yet.
    Place,
    /// The new data take effect, by one rename.
    Commit,
    /// What would be loaded another day gets the name under which it is kept.
    MoveAside,
}

/// A step of a plan.
///
/// ```
/// use redkeep::task::data_dir::{DataDirOptions, plan_data_dir};
/// # use std::time::Duration;
/// # struct Still;
/// # impl redkeep::live::Clock for Still {
/// #     fn elapsed(&self) -> Duration { Duration::ZERO }
/// #     fn sleep(&self, _: Duration) {}
/// # }
/// # let dir = std::env::temp_dir().join(format!("redkeep-doc-step-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let plan = plan_data_dir(&dir, &DataDirOptions::new("redis-6.2".parse().unwrap()), &Still)?;
/// let first = plan.steps.first().unwrap();
/// assert!(first.path.ends_with("dump.rdb") && first.to.is_none());
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DataDirStep {
    /// What it does.
    pub action: DataDirAction,
    /// To what, by the name it has then; or the name that new data will have.
    pub path: PathBuf,
    /// The name under which it is kept, where it is.
    pub to: Option<PathBuf>,
    /// Why, in one sentence.
    pub why: String,
}

impl DataDirStep {
    pub(crate) fn new(action: DataDirAction, path: PathBuf, why: impl Into<String>) -> DataDirStep {
        DataDirStep { action, path, to: None, why: why.into() }
    }

    pub(crate) fn to(mut self, kept: PathBuf) -> DataDirStep {
        self.to = Some(kept);
        self
    }
}

impl fmt::Display for DataDirStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.action {
            DataDirAction::MakeFolder => "make the folder",
            DataDirAction::Write => "write and read back",
            DataDirAction::Keep => "keep",
            DataDirAction::Place => "put in place",
            DataDirAction::Commit => "put into effect",
            DataDirAction::MoveAside => "move aside",
        };
        write!(f, "{verb} {}", self.path.display())?;
        if let Some(to) = &self.to {
            write!(f, " as {}", to.display())?;
        }
        write!(f, ": {}", self.why)
    }
}
