//! Points in time. The library never reads a clock: "now" is always an argument.

use std::fmt;

/// Milliseconds since 1970-01-01 00:00 UTC, as Redis keeps expiries.
///
/// Negative values are before 1970; servers treat them as long expired.
///
/// ```
/// use redkeep::UnixMillis;
/// let expiry = UnixMillis::from_seconds(1_700_000_000);
/// assert_eq!(expiry.get(), 1_700_000_000_000);
/// assert!(expiry < UnixMillis::new(1_700_000_000_001));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct UnixMillis(i64);

impl UnixMillis {
    /// A time from milliseconds since the epoch.
    #[must_use]
    pub const fn new(ms: i64) -> Self {
        UnixMillis(ms)
    }

    /// A time from whole seconds since the epoch, as opcode 253 has it; saturates.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        UnixMillis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// A date and a time of day in UTC.
#[cfg(any(feature = "cli", feature = "repo"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

#[cfg(any(feature = "cli", feature = "repo"))]
impl Civil {
    /// Of seconds since 1970.
    pub(crate) fn of(seconds: i64) -> Civil {
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days since 0000-03-01, in a calendar whose years begin in March.
        let day = days.saturating_add(719_468);
        let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era.saturating_mul(400) + year + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Civil { year, month, day, hour, minute, second }
    }

    /// Seconds since 1970, where there is such a date, in the years 1 to 9999.
    pub(crate) fn seconds(self) -> Option<i64> {
        let Civil { year, month, day, hour, minute, second } = self;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let in_range = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second);
        if !in_range {
            return None;
        }
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days =
            year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
        Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
    }
}
