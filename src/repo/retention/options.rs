//! What the user wants to keep.

use crate::repo::retention::{Period, Zone};
use std::time::Duration;

/// What to keep; the [module](crate::repo::retention) has the rules. The default has none, and keeps
/// everything.
///
/// With feature `json` they can be read from a configuration and written to one. A name that is none
/// of these is an error there: a rule with a slip in its name would keep nothing.
///
/// ```
/// use redkeep::repo::retention::RetentionOptions;
/// use std::time::Duration;
///
/// let options = RetentionOptions::default()
///     .last(3)
///     .daily(7)
///     .weekly(5)
///     .within(Duration::from_secs(36 * 3600))
///     .tag("release");
/// # #[cfg(feature = "json")]
/// # {
/// let text = r#"{"last":3,"daily":7,"weekly":5,"within":"1d12h","tags":["release"],"zone":"UTC"}"#;
/// assert_eq!(serde_json::from_str::<RetentionOptions>(text).unwrap(), options);
/// assert!(serde_json::from_str::<RetentionOptions>(r#"{"dayly":7}"#).is_err());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct RetentionOptions {
    /// How many of the newest. 0, as with all numbers here: this is no rule.
    pub last: u32,
    /// The newest of so many hours. An hour that a clock shows twice is two.
    pub hourly: u32,
    /// The newest of so many days.
    pub daily: u32,
    /// The newest of so many ISO weeks, Monday to Sunday.
    pub weekly: u32,
    /// The newest of so many months.
    pub monthly: u32,
    /// The newest of so many years.
    pub yearly: u32,
    /// All that were taken no longer ago than this. As text: numbers with `w`, `d`, `h`, `m`, `s` or
    /// `ms`, as in `2w` or `1d12h`; a day has 24 hours.
    #[cfg_attr(feature = "json", serde(with = "crate::repo::retention::span::optional"))]
    pub within: Option<Duration>,
    /// All that have one of these tags.
    pub tags: Vec<String>,
    /// Whose hours and days these are. Default UTC.
    pub zone: Zone,
}

impl RetentionOptions {
    /// Sets [`last`](Self::last).
    #[must_use]
    pub fn last(mut self, backups: u32) -> Self {
        self.last = backups;
        self
    }

    /// Sets [`hourly`](Self::hourly).
    #[must_use]
    pub fn hourly(mut self, hours: u32) -> Self {
        self.hourly = hours;
        self
    }

    /// Sets [`daily`](Self::daily).
    #[must_use]
    pub fn daily(mut self, days: u32) -> Self {
        self.daily = days;
        self
    }

    /// Sets [`weekly`](Self::weekly).
    #[must_use]
    pub fn weekly(mut self, weeks: u32) -> Self {
        self.weekly = weeks;
        self
    }

    /// Sets [`monthly`](Self::monthly).
    #[must_use]
    pub fn monthly(mut self, months: u32) -> Self {
        self.monthly = months;
        self
    }

    /// Sets [`yearly`](Self::yearly).
    #[must_use]
    pub fn yearly(mut self, years: u32) -> Self {
        self.yearly = years;
        self
    }

    /// Sets [`within`](Self::within).
    #[must_use]
    pub fn within(mut self, age: Duration) -> Self {
        self.within = Some(age);
        self
    }

    /// Adds one of the [`tags`](Self::tags).
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets [`zone`](Self::zone).
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Whether there is no rule, so that everything is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let counted = self.last == 0 && self.periods().iter().all(|(_, most)| *most == 0);
        counted && self.within.is_none() && self.tags.is_empty()
    }

    pub(super) fn periods(&self) -> [(Period, u32); 5] {
        [
            (Period::Hour, self.hourly),
            (Period::Day, self.daily),
            (Period::Week, self.weekly),
            (Period::Month, self.monthly),
            (Period::Year, self.yearly),
        ]
    }
}
