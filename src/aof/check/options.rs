//! What to check, and what the files are called.

use crate::aof::fileset::FilesetOptions;
use crate::rdb::ServerVersion;
use crate::rdb::check::CheckOptions;

/// How a log is checked.
///
/// ```
/// use redkeep::aof::check::AofCheckOptions;
/// use redkeep::rdb::check::CheckOptions;
/// let rules = CheckOptions::default().target("redis-7.2".parse().unwrap()).databases(64);
/// let options = AofCheckOptions::new(rules).file_name("cache.aof");
/// assert_eq!((options.rules.databases, &options.file_name[..]), (64, "cache.aof"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AofCheckOptions {
    /// What holds for the RDBs in a log, and as far as it applies for the rest of it: the level
    /// (names, arguments and databases of commands are looked at from
    /// [`Level::Semantics`](crate::rdb::check::Level::Semantics) on), the target, its databases, how
    /// many findings to list, and the limits.
    pub rules: CheckOptions,
    /// `appendfilename` of the server. Default `appendonly.aof`.
    pub file_name: String,
    /// `appenddirname` of the server. Default `appendonlydir`.
    pub folder_name: String,
    /// `dbfilename` of the server. Default `dump.rdb`.
    pub dump_name: String,
}

impl Default for AofCheckOptions {
    fn default() -> Self {
        Self::new(CheckOptions::default())
    }
}

impl AofCheckOptions {
    /// Default names.
    #[must_use]
    pub fn new(rules: CheckOptions) -> Self {
        AofCheckOptions {
            rules,
            file_name: "appendonly.aof".to_owned(),
            folder_name: "appendonlydir".to_owned(),
            dump_name: "dump.rdb".to_owned(),
        }
    }

    /// Sets [`file_name`](Self::file_name).
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = name.into();
        self
    }

    /// Sets [`folder_name`](Self::folder_name).
    #[must_use]
    pub fn folder_name(mut self, name: impl Into<String>) -> Self {
        self.folder_name = name.into();
        self
    }

    /// Sets [`dump_name`](Self::dump_name).
    #[must_use]
    pub fn dump_name(mut self, name: impl Into<String>) -> Self {
        self.dump_name = name.into();
        self
    }

    pub(crate) fn fileset(&self, server: ServerVersion) -> FilesetOptions {
        FilesetOptions::new(server)
            .file_name(&self.file_name)
            .folder_name(&self.folder_name)
            .dump_name(&self.dump_name)
    }
}
