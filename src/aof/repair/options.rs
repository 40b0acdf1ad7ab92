//! What is to be repaired, and how far.

use crate::limits::Limits;
use crate::rdb::ServerVersion;
use crate::time::UnixMillis;

/// What a plan is made for. The default cuts a torn tail and nothing else.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::aof::repair::{CutAt, RepairOptions};
/// let options = RepairOptions::default()
///     .server("valkey-9.1".parse().unwrap())
///     .cut(CutAt::Time(UnixMillis::from_seconds(1_795_159_679)));
/// assert!(!options.salvage);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairOptions {
    /// The server that is to load the result. Default: none; then files are looked for as Redis 7.0
    /// and later do, and nothing is said of who would load them.
    pub server: Option<ServerVersion>,
    /// `appendfilename`. Default `appendonly.aof`.
    pub file_name: String,
    /// `appenddirname`. Default `appendonlydir`.
    pub folder_name: String,
    /// Where the log is to end. Default: where it ends well.
    pub cut: Option<CutAt>,
    /// Whether what stands behind a damaged place is kept. Default: no, the log is cut there.
    pub salvage: bool,
    /// With [`salvage`](Self::salvage), whether headers are also mended where both the old and the
    /// new byte are digits. Default: no; about one such mend in four is wrong where bytes are
    /// missing or came in, so the command is left out.
    pub suspicious: bool,
    /// Ceilings on memory while reading.
    pub limits: Limits,
}

impl Default for RepairOptions {
    fn default() -> Self {
        RepairOptions {
            server: None,
            file_name: "appendonly.aof".to_owned(),
            folder_name: "appendonlydir".to_owned(),
            cut: None,
            salvage: false,
            suspicious: false,
            limits: Limits::default(),
        }
    }
}

impl RepairOptions {
    /// Sets [`server`](Self::server).
    #[must_use]
    pub fn server(mut self, server: ServerVersion) -> Self {
        self.server = Some(server);
        self
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

    /// Sets [`cut`](Self::cut).
    #[must_use]
    pub fn cut(mut self, at: CutAt) -> Self {
        self.cut = Some(at);
        self
    }

    /// Sets [`salvage`](Self::salvage).
    #[must_use]
    pub fn salvage(mut self, salvage: bool) -> Self {
        self.salvage = salvage;
        self
    }

    /// Sets [`suspicious`](Self::suspicious).
    #[must_use]
    pub fn suspicious(mut self, mend: bool) -> Self {
        self.suspicious = mend;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Where a log is to end. It never ends inside a transaction, but before it.
///
/// ```
/// use redkeep::aof::repair::CutAt;
/// let at = CutAt::Offset { file: Some("appendonly.aof.2.incr.aof".to_owned()), offset: 70 };
/// assert_ne!(at, CutAt::Command(70));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CutAt {
    /// Before the first `#TS:` annotation that is later than this.
    Time(UnixMillis),
    /// Before the first record that reaches beyond this offset of a file.
    Offset {
        /// Its bare name; `None` for the last one that is loaded.
        file: Option<String>,
        /// Bytes from its beginning, an RDB in front counted.
        offset: u64,
    },
    /// Behind so many commands, counted over all files in the order they are loaded. SELECT, MULTI
    /// and EXEC count, annotations and what is in an RDB do not.
    Command(u64),
}
