//! What to check, against what, and at what cost.

use crate::limits::Limits;
use crate::rdb::check::report::Level;
use crate::rdb::version::ServerVersion;
use crate::time::UnixMillis;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How a check is done.
///
/// ```
/// use redkeep::rdb::check::{CheckOptions, Level};
/// let options = CheckOptions::default().target("redis-6.2".parse().unwrap());
/// assert_eq!(options.level, Level::Loadable);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckOptions {
    /// How far to go. Default: [`Level::Semantics`], or [`Level::Loadable`] once a target is set.
    pub level: Level,
    /// The server that has to load it. Default: none in particular.
    pub target: Option<ServerVersion>,
    /// Module types that the target has, by name. Default: none but those built into it.
    pub target_modules: Vec<String>,
    /// How many databases the target is configured for. Default: 16, as servers are.
    pub databases: u64,
    /// The time that expiries are compared with, for counting. Default: none are called expired.
    pub now: Option<UnixMillis>,
    /// Bytes that the search for duplicate keys may use; as much again for the elements of one
    /// value. Default 256 MiB: enough for 33 million keys; beyond that a share is compared.
    pub duplicate_budget: u64,
    /// How many findings to list; all are counted. Default 100.
    pub max_findings: usize,
    /// Where to keep the number of keys so far, for whoever shows how far it is: every few thousand
    /// records of a stream, and at the end. Default: nowhere.
    pub seen: Option<Arc<AtomicU64>>,
    /// Ceilings on memory while reading.
    pub limits: Limits,
}

impl Default for CheckOptions {
    fn default() -> Self {
        CheckOptions {
            level: Level::Semantics,
            target: None,
            target_modules: Vec::new(),
            databases: 16,
            now: None,
            duplicate_budget: 256 << 20,
            max_findings: 100,
            seen: None,
            limits: Limits::default(),
        }
    }
}

impl CheckOptions {
    /// Sets [`level`](Self::level).
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets [`target`](Self::target), and the level to [`Level::Loadable`].
    #[must_use]
    pub fn target(mut self, server: ServerVersion) -> Self {
        self.target = Some(server);
        self.level = Level::Loadable;
        self
    }

    /// Sets [`target_modules`](Self::target_modules).
    #[must_use]
    pub fn target_modules(mut self, names: Vec<String>) -> Self {
        self.target_modules = names;
        self
    }

    /// Sets [`databases`](Self::databases).
    #[must_use]
    pub fn databases(mut self, count: u64) -> Self {
        self.databases = count;
        self
    }

    /// Sets [`max_findings`](Self::max_findings).
    #[must_use]
    pub fn max_findings(mut self, most: usize) -> Self {
        self.max_findings = most;
        self
    }

    /// Sets [`now`](Self::now).
    #[must_use]
    pub fn now(mut self, now: UnixMillis) -> Self {
        self.now = Some(now);
        self
    }

    /// Sets [`duplicate_budget`](Self::duplicate_budget).
    #[must_use]
    pub fn duplicate_budget(mut self, bytes: u64) -> Self {
        self.duplicate_budget = bytes;
        self
    }

    /// Sets [`seen`](Self::seen).
    ///
    /// ```
    /// use redkeep::rdb::check::{CheckOptions, check_slice};
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// let seen = Arc::new(AtomicU64::new(0));
    /// let dump = b"REDIS0003\xfe\x00\x00\x05hello\x05world\xff";
    /// check_slice(dump, &CheckOptions::default().seen(seen.clone()));
    /// assert_eq!(seen.load(Ordering::Relaxed), 1);
    /// ```
    #[must_use]
    pub fn seen(mut self, counter: Arc<AtomicU64>) -> Self {
        self.seen = Some(counter);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
