//! What is asked of an archive, and what is too old or too different.

use crate::repo::StreamName;
use std::time::Duration;

/// What is asked of an archive, and what is too old or too different.
///
/// ```
/// use redkeep::task::StatusOptions;
/// use std::time::Duration;
/// let options = StatusOptions::default().max_age(Duration::from_secs(26 * 3600)).max_change(Some(30));
/// assert_eq!((options.trend, options.max_verified_age), (7, None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusOptions {
    /// Which streams. Default all that have a backup; one that is named has to have one.
    pub streams: Vec<StreamName>,
    /// How old the newest backup may be. Default any age.
    pub max_age: Option<Duration>,
    /// How old the newest verified backup may be. Default any age, and that there is none.
    pub max_verified_age: Option<Duration>,
    /// With how many backups before it the newest is compared. Default 7.
    pub trend: usize,
    /// How many percent more or less bytes or keys than the median of those it may have. Default 50; with
    /// None nothing is too different.
    pub max_change: Option<u32>,
    /// How old the remains of writers may be. Default a day.
    pub grace: Duration,
}

impl Default for StatusOptions {
    fn default() -> Self {
        StatusOptions {
            streams: Vec::new(),
            max_age: None,
            max_verified_age: None,
            trend: 7,
            max_change: Some(50),
            grace: Duration::from_secs(86_400),
        }
    }
}

impl StatusOptions {
    /// Adds one of the [`streams`](Self::streams).
    #[must_use]
    pub fn stream(mut self, stream: StreamName) -> Self {
        self.streams.push(stream);
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets [`max_verified_age`](Self::max_verified_age).
    #[must_use]
    pub fn max_verified_age(mut self, age: Duration) -> Self {
        self.max_verified_age = Some(age);
        self
    }

    /// Sets [`trend`](Self::trend).
    #[must_use]
    pub fn trend(mut self, backups: usize) -> Self {
        self.trend = backups;
        self
    }

    /// Sets [`max_change`](Self::max_change).
    #[must_use]
    pub fn max_change(mut self, percent: Option<u32>) -> Self {
        self.max_change = percent;
        self
    }

    /// Sets [`grace`](Self::grace).
    #[must_use]
    pub fn grace(mut self, age: Duration) -> Self {
        self.grace = age;
        self
    }
}
