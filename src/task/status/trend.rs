//! The newest backup beside those before it.

use serde::Serialize;

/// How the newest backup differs from those before it.
///
/// See [`status`](crate::task::status()).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Trend {
    /// With how many backups it was compared; failed ones are passed over.
    pub backups: u64,
    /// Plain bytes.
    pub bytes: Change,
    /// Keys.
    pub keys: Change,
}

/// A number beside what it was before.
///
/// ```
/// use redkeep::task::Change;
/// let change = Change::new(150, &mut [90, 1000, 100]);
/// assert_eq!((change.median, change.percent), (100, Some(50)));
/// assert!(!change.is_more_than(50) && change.is_more_than(49));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What it is now.
    pub newest: u64,
    /// The median of what it was; of two in the middle the mean.
    pub median: u64,
    /// How many percent more (or less, below 0) that is now, towards 0. None where it was 0.
    pub percent: Option<i64>,
}

impl Change {
    /// Compares with what it was before; the order there does not matter, and changes.
    #[must_use]
    pub fn new(newest: u64, before: &mut [u64]) -> Change {
        before.sort_unstable();
        let middle = |at: usize| before.get(at).copied().unwrap_or(0);
        let half = before.len() / 2;
        let median = match before.len() {
            0 => 0,
            len if len % 2 == 1 => middle(half),
            _ => middle(half).midpoint(middle(half - 1)),
        };
        let more = i128::from(newest) - i128::from(median);
        let percent = (more * 100).checked_div(i128::from(median));
        let percent = percent.map(|percent| i64::try_from(percent).unwrap_or(i64::MAX));
        Change { newest, median, percent }
    }

    /// Whether it is this many percent off, and more, in either direction. From 0 to anything is.
    #[must_use]
    pub fn is_more_than(&self, percent: u32) -> bool {
        let off = u128::from(self.newest.abs_diff(self.median)) * 100;
        off > u128::from(percent) * u128::from(self.median)
    }

    pub(super) fn ratio(&self) -> Option<u64> {
        // In thousandths.
        let ratio = (u128::from(self.newest) * 1000).checked_div(u128::from(self.median))?;
        Some(u64::try_from(ratio).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_numbers_are_no_trouble() {
        assert_eq!(Change::new(5, &mut []).percent, None);
        assert!(Change::new(5, &mut []).is_more_than(u32::MAX));
        assert!(!Change::new(0, &mut [0, 0]).is_more_than(0));
        assert_eq!(Change::new(u64::MAX, &mut [1]).percent, Some(i64::MAX));
        let change = Change::new(0, &mut [u64::MAX, u64::MAX - 2]);
        assert_eq!((change.median, change.percent), (u64::MAX - 1, Some(-100)));
        assert!(change.is_more_than(99) && !change.is_more_than(100));
        assert_eq!(Change::new(u64::MAX, &mut [1]).ratio(), Some(u64::MAX));
        assert_eq!(Change::new(1, &mut [3, 1]).ratio(), Some(500));
    }
}
