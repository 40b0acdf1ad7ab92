//! Where the files are, and how they are pinned.

use crate::rdb::ServerVersion;
use crate::time::UnixMillis;
use std::path::PathBuf;
use std::time::Duration;

/// Where a server's files are, and how they are taken.
///
/// ```
/// use redkeep::live::FilesOptions;
/// let options = FilesOptions::default().dir("/mnt/redis-data").log(true);
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilesOptions {
    /// The data directory as seen from here. Default: what the server says, else the configuration file.
    pub dir: Option<PathBuf>,
    /// The server's `redis.conf`: where its files are, and whether it keeps a log, where no server says. Default:
    /// none.
    pub config_file: Option<PathBuf>,
    /// Whether the server keeps a log (`appendonly yes`), and so loads that and no dump. Default: what the
    /// server says, else the configuration file, else which of both is there.
    pub log: Option<bool>,
    /// Which server it is, where none is asked: from Redis 7.0 on a log is a folder of parts. Default: what is
    /// there, and where that is both it has to be said.
    pub server: Option<ServerVersion>,
    /// `dbfilename`. Default: likewise, else `dump.rdb`.
    pub dump_name: Option<String>,
    /// `appendfilename`. Default: likewise, else `appendonly.aof`.
    pub file_name: Option<String>,
    /// `appenddirname`. Default: likewise, else `appendonlydir`.
    pub folder_name: Option<String>,
    /// Whether the server is kept from rewriting its log while that is pinned
    /// (`auto-aof-rewrite-percentage 0`, put back at once): then a pin needs fewer rounds. A process
    /// that is killed in between leaves it at 0. Default: no.
    pub hold_rewrites: bool,
    /// How long a pin may take: not the copy, which no rewrite disturbs. Default one minute.
    pub deadline: Duration,
    /// How long to wait between two rounds. Default 20 ms.
    pub poll: Duration,
    /// The time by the caller's clock, to say how old a dump is without a server. Default: none, and it is not
    /// said.
    pub now: Option<UnixMillis>,
}

impl Default for FilesOptions {
    fn default() -> Self {
        FilesOptions {
            dir: None,
            config_file: None,
            log: None,
            server: None,
            dump_name: None,
            file_name: None,
            folder_name: None,
            hold_rewrites: false,
            deadline: Duration::from_secs(60),
            poll: Duration::from_millis(20),
            now: None,
        }
    }
}

impl FilesOptions {
    /// Sets [`dir`](Self::dir).
    #[must_use]
    pub fn dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.dir = Some(path.into());
        self
    }

    /// Sets [`config_file`](Self::config_file).
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Sets [`log`](Self::log).
    #[must_use]
    pub fn log(mut self, keeps: bool) -> Self {
        self.log = Some(keeps);
        self
    }

    /// Sets [`server`](Self::server).
    #[must_use]
    pub fn server(mut self, version: ServerVersion) -> Self {
        self.server = Some(version);
        self
    }

    /// Sets [`dump_name`](Self::dump_name).
    #[must_use]
    pub fn dump_name(mut self, name: impl Into<String>) -> Self {
        self.dump_name = Some(name.into());
        self
    }

    /// Sets [`file_name`](Self::file_name).
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Sets [`folder_name`](Self::folder_name).
    #[must_use]
    pub fn folder_name(mut self, name: impl Into<String>) -> Self {
        self.folder_name = Some(name.into());
        self
    }

    /// Sets [`hold_rewrites`](Self::hold_rewrites).
    #[must_use]
    pub fn hold_rewrites(mut self, hold: bool) -> Self {
        self.hold_rewrites = hold;
        self
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn deadline(mut self, most: Duration) -> Self {
        self.deadline = most;
        self
    }

    /// Sets [`poll`](Self::poll).
    #[must_use]
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// Sets [`now`](Self::now).
    #[must_use]
    pub fn now(mut self, time: UnixMillis) -> Self {
        self.now = Some(time);
        self
    }
}
