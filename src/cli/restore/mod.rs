//! `redkeep restore`: a dump or a log, or a part of it, put into a server or where one has its data.

#[cfg(feature = "repo")]
mod backup;
mod directory;
pub(crate) mod how;
pub(crate) mod server;

use crate::cli::choice::ChoiceArguments;
use crate::cli::convert::{Form, form_of};
use crate::cli::server::Url;
use crate::cli::target::LossArguments;
use crate::cli::{Exit, Source, complain};
use clap::Args;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

/// Put a dump, or a part of it, into a running server, or into the data directory of one that is stopped
///
/// Into a running server (a URL) keys go by RESTORE, or as plain commands where that will not do. A file
/// is read once before anything is changed: what is damaged, lost or in the way is found then. Every answer
/// is looked at, and keys are read back afterwards.
///
/// In a directory no server must run. What it would load is written in the form that it looks for, read
/// back, and put into effect by one rename; what was there is moved aside and never deleted. Logs can go
/// there too.
#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The dump, `-` for standard input, or a log: a file, its folder, a manifest or the `dir` of a
    /// server. With --repo a backup: `latest`, a time in UTC (the newest before it), or an id
    file: OsString,
    /// A running server, as redis://host:6379, or the `dir` of a stopped one; for a backup also a file
    /// that is not there yet
    #[arg(required_unless_present = "to")]
    target: Option<Target>,
    /// The same as TARGET
    #[arg(long, value_name = "TARGET", conflicts_with = "target")]
    to: Option<Target>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print plan and outcome as one JSON document
    #[arg(long)]
    json: bool,
    #[cfg(feature = "repo")]
    #[command(flatten)]
    backup: backup::BackupSource,
    #[command(flatten)]
    directory: directory::DirectoryArguments,
    #[command(flatten)]
    server: server::ServerTarget,
    #[command(flatten)]
    loss: LossArguments,
    #[command(flatten)]
    choice: ChoiceArguments,
}

/// Where to: with `://` in it a server's URL, else a directory. A URL may hold a password, and is
/// never printed.
#[derive(Clone)]
pub(crate) struct Target(OsString);

impl Target {
    fn is_url(&self) -> bool {
        self.0.to_string_lossy().contains("://")
    }

    fn url(&self) -> Url {
        Url::from(self.0.to_string_lossy().into_owned())
    }

    fn path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_url() { "Url" } else { "Directory" })
    }
}

impl From<OsString> for Target {
    fn from(target: OsString) -> Self {
        Target(target)
    }
}

pub(crate) fn run(arguments: &RestoreArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl RestoreArguments {
    fn run(&self) -> Result<Exit, Exit> {
        #[cfg(feature = "repo")]
        if let Some(which) = self.which()? {
            return backup::run(self, which);
        }
        if self.target()?.is_url() { server::run(self) } else { directory::run(self) }
    }

    fn target(&self) -> Result<&Target, Exit> {
        self.target.as_ref().or(self.to.as_ref()).ok_or(Exit::Usage)
    }

    /// The source and what it is.
    fn source(&self) -> Result<(Source, Form), Exit> {
        let source = Source::from(self.file.clone());
        match form_of(&source) {
            Ok(form) => Ok((source, form)),
            Err(error) => {
                complain(format_args!("{source}: {error}"));
                Err(Exit::Failed)
            }
        }
    }
}
