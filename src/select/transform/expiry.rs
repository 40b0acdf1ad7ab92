//! When keys expire, changed.

use crate::time::UnixMillis;

/// What becomes of the time at which a key expires. Expiries of single fields of a hash stay as they
/// are.
///
/// A backup of last month with sessions of an hour: all of them have expired, unless each gets the
/// time that it had left.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::select::{ExpiryChange, TransformOptions};
/// let (taken, now) = (UnixMillis::new(1_700_000_000_000), UnixMillis::new(1_760_000_000_000));
/// let options = TransformOptions::default()
///     .expiry(ExpiryChange::AsOf { taken: Some(taken), now })
///     .drop_expired(now);
/// # drop(options);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ExpiryChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// No key expires.
    Drop,
    /// Every key expires at this time, also one that never did.
    Set(UnixMillis),
    /// Keys that expire do so this many milliseconds later, or sooner where it is negative.
    Shift(i64),
    /// A key that had some time left when the dump was taken has the same time left now; one that
    /// had expired by then has expired now.
    AsOf {
        /// When the dump was taken; `None` for what its own field `ctime` says, to the second.
        taken: Option<UnixMillis>,
        /// When the keys are to have that time left.
        now: UnixMillis,
    },
}

impl ExpiryChange {
    /// Every key expires so many milliseconds after `now`, also one that never did.
    #[must_use]
    pub fn remaining(now: UnixMillis, milliseconds: i64) -> ExpiryChange {
        ExpiryChange::Set(later(now, milliseconds))
    }

    /// Whether keys that expire stay such keys, and the others too.
    pub(crate) fn keeps_their_number(self) -> bool {
        !matches!(self, ExpiryChange::Drop | ExpiryChange::Set(_))
    }
}

/// A time moved; -1 is no time but "never" in a file, so what would come there is a moment before.
pub(crate) fn later(at: UnixMillis, milliseconds: i64) -> UnixMillis {
    match at.get().saturating_add(milliseconds) {
        -1 => UnixMillis::new(-2),
        at => UnixMillis::new(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_time_never_becomes_never() {
        assert_eq!(later(UnixMillis::new(5), -6).get(), -2);
        assert_eq!(later(UnixMillis::new(i64::MAX), 1).get(), i64::MAX);
        assert_eq!(later(UnixMillis::new(5), 6).get(), 11);
    }
}
