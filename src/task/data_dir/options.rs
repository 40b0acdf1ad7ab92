//! What a server's directory is to get, and what is known of the server.

use crate::live::ConnectOptions;
use crate::rdb::ServerVersion;
use crate::task::ExtractOptions;
use std::path::PathBuf;
use std::time::Duration;

/// Whether the server keeps a log: its setting `appendonly`.
///
/// ```
/// use redkeep::task::data_dir::AppendOnly;
/// assert_ne!(AppendOnly::Yes, AppendOnly::Unknown);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AppendOnly {
    /// It loads its log, and nothing else.
    Yes,
    /// It loads its dump, and nothing else.
    No,
    /// It may be either: both are written.
    Unknown,
}

impl std::fmt::Display for AppendOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            AppendOnly::Yes => "yes",
            AppendOnly::No => "no",
            AppendOnly::Unknown => "unknown",
        })
    }
}

/// How a directory is restored into.
///
/// ```
/// use redkeep::task::data_dir::{AppendOnly, DataDirOptions};
/// let options = DataDirOptions::new("redis-7.2".parse().unwrap())
///     .append_only(AppendOnly::Yes)
///     .stamp("20261120T134500Z");
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DataDirOptions {
    /// The server that will start there. Everything is converted for it.
    pub server: ServerVersion,
    /// Its `redis.conf`, which gives the names of its files, `appendonly`, the number of databases,
    /// and where it would answer if it ran. Default: none, and names are the usual ones.
    pub conf: Option<PathBuf>,
    /// Its setting `appendonly`. Default: what [`conf`](Self::conf) says, else
    /// [`Unknown`](AppendOnly::Unknown).
    pub append_only: Option<AppendOnly>,
    /// Where the server would answer if it ran, to ask whether it does, in place of what
    /// [`conf`](Self::conf) says. Default: as that says, on this machine; without it nobody is asked.
    pub ask: Option<ConnectOptions>,
    /// Stands behind the names of what is moved aside, `dump.rdb.redkeep-<stamp>`, as a time in UTC
    /// does: letters, digits, `-` and `_`. Default: none, and they are numbered.
    pub stamp: Option<String>,
    /// Which keys, and what is changed about them. A conversion named here has to be for
    /// [`server`](Self::server); without one, a loss is an error. Default: all, unchanged.
    pub extract: ExtractOptions,
    /// Whether to restore what the check finds fault with: the server may then refuse to start, or
    /// leave out some of it. Default: no.
    pub accept_findings: bool,
    /// How long files of a save that did not end are watched, to see whether they still grow. Default
    /// one second.
    pub settle: Duration,
}

impl DataDirOptions {
    /// All keys, for this server, with nothing known of its settings.
    #[must_use]
    pub fn new(server: ServerVersion) -> Self {
        DataDirOptions {
            server,
            conf: None,
            append_only: None,
            ask: None,
            stamp: None,
            extract: ExtractOptions::default(),
            accept_findings: false,
            settle: Duration::from_secs(1),
        }
    }

    /// Sets [`conf`](Self::conf).
    #[must_use]
    pub fn conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.conf = Some(path.into());
        self
    }

    /// Sets [`append_only`](Self::append_only).
    #[must_use]
    pub fn append_only(mut self, setting: AppendOnly) -> Self {
        self.append_only = Some(setting);
        self
    }

    /// Sets [`ask`](Self::ask).
    #[must_use]
    pub fn ask(mut self, server: ConnectOptions) -> Self {
        self.ask = Some(server);
        self
    }

    /// Sets [`stamp`](Self::stamp).
    #[must_use]
    pub fn stamp(mut self, stamp: impl Into<String>) -> Self {
        self.stamp = Some(stamp.into());
        self
    }

    /// Sets [`extract`](Self::extract).
    #[must_use]
    pub fn extract(mut self, options: ExtractOptions) -> Self {
        self.extract = options;
        self
    }

    /// Sets [`accept_findings`](Self::accept_findings).
    #[must_use]
    pub fn accept_findings(mut self, accept: bool) -> Self {
        self.accept_findings = accept;
        self
    }

    /// Sets [`settle`](Self::settle).
    #[must_use]
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = time;
        self
    }
}
