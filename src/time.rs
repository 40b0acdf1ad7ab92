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
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(transparent))]
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
