//! How a stream is pruned.

use crate::repo::retention::RetentionOptions;
use crate::repo::{LockOptions, StreamName};
use std::time::Duration;

/// How a stream is pruned.
///
/// ```
/// use redkeep::repo::retention::RetentionOptions;
/// use redkeep::task::PruneOptions;
/// let options = PruneOptions::new(RetentionOptions::default().daily(7).weekly(5)).dry_run(true);
/// assert_eq!(options.grace.as_secs(), 86_400);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PruneOptions {
    /// The stream. Default `main`.
    pub stream: StreamName,
    /// What to keep. Without a rule all backups are kept, and only remains go.
    pub retention: RetentionOptions,
    /// Whether it is only said what would be done. Default: no.
    pub dry_run: bool,
    /// How old remains of killed writers have to be to go, by the time in their ids. Default a day: a
    /// writer that lost its lock may still be at work.
    pub grace: Duration,
    /// How the stream is locked meanwhile.
    pub lock: LockOptions,
}

impl PruneOptions {
    /// What keeps all that these rules keep, in the stream `main`.
    #[must_use]
    pub fn new(retention: RetentionOptions) -> PruneOptions {
        PruneOptions {
            stream: StreamName::default(),
            retention,
            dry_run: false,
            grace: Duration::from_secs(86_400),
            lock: LockOptions::default(),
        }
    }

    /// Sets [`stream`](Self::stream).
    #[must_use]
    pub fn stream(mut self, stream: StreamName) -> Self {
        self.stream = stream;
        self
    }

    /// Sets [`dry_run`](Self::dry_run).
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Sets [`grace`](Self::grace).
    #[must_use]
    pub fn grace(mut self, age: Duration) -> Self {
        self.grace = age;
        self
    }

    /// Sets [`lock`](Self::lock).
    #[must_use]
    pub fn lock(mut self, options: LockOptions) -> Self {
        self.lock = options;
        self
    }
}
