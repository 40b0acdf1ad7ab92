//! Conditions: what a filter can ask of an entry.

use crate::rdb::{DataType, ValueType};
use crate::select::decision::Criterion;
use crate::select::key::{KeyPattern, KeySet};
use crate::time::UnixMillis;
use std::collections::HashSet;
use std::ops::{Bound, RangeBounds};

/// One thing to ask of an entry, with its alternatives: it holds if any of them does.
///
/// A condition without alternatives holds for nothing. Numbers are ranges, so `[3..=3]` is one
/// number and `[0..=9, 20..=29]` two rows of ten.
///
/// ```
/// use redkeep::rdb::DataType;
/// use redkeep::select::{Condition, Filter, FilterOptions};
/// let big_hashes = Filter::new(
///     FilterOptions::default()
///         .include(Condition::data_types([DataType::Hash, DataType::Set]))
///         .include(Condition::elements([1_000_000..]))
///         .include(Condition::slots([0..=5460])),
/// );
/// # drop(big_hashes);
/// ```
#[derive(Debug, Clone)]
pub struct Condition(pub(crate) Test);

/// What a condition asks, in a form that is quick to answer.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Db(Ranges),
    DataType(Vec<DataType>),
    Layout(Vec<ValueType>),
    Expiry(Vec<Expiry>),
    Idle(Ranges),
    Frequency(Ranges),
    Size(Ranges),
    Key(Box<KeySet>),
    HashTag(HashSet<Box<[u8]>, foldhash::fast::RandomState>),
    Slot(Ranges),
    Elements(Ranges),
}

impl Condition {
    /// The key is one of those named.
    ///
    /// ```
    /// # use redkeep::select::{Condition, KeyPattern};
    /// let list = ["a", "b", "c"];
    /// let named = Condition::keys(list.into_iter().map(KeyPattern::exact));
    /// let sessions = Condition::keys([KeyPattern::glob("sess:*:v2"), KeyPattern::prefix("s2:")]);
    /// # drop((named, sessions));
    /// ```
    #[must_use]
    pub fn keys(patterns: impl IntoIterator<Item = KeyPattern>) -> Condition {
        Condition(Test::Key(Box::new(KeySet::new(patterns.into_iter().collect()))))
    }

    /// The key's database is one of these.
    #[must_use]
    pub fn dbs(indexes: impl IntoIterator<Item = u64>) -> Condition {
        Condition(Test::Db(Ranges::new(indexes.into_iter().map(|db| db..=db))))
    }

    /// A client calls the value one of these.
    #[must_use]
    pub fn data_types(types: impl IntoIterator<Item = DataType>) -> Condition {
        Condition(Test::DataType(types.into_iter().collect()))
    }

    /// The value is laid out in the file in one of these ways.
    #[must_use]
    pub fn layouts(layouts: impl IntoIterator<Item = ValueType>) -> Condition {
        Condition(Test::Layout(layouts.into_iter().collect()))
    }

    /// The key's expiry is as one of these says.
    ///
    /// ```
    /// # use redkeep::{UnixMillis, select::{Condition, Expiry}};
    /// let now = UnixMillis::from_seconds(1_700_000_000);
    /// let dead = Condition::expiry([Expiry::ExpiredAt(now)]);
    /// # drop(dead);
    /// ```
    #[must_use]
    pub fn expiry(alternatives: impl IntoIterator<Item = Expiry>) -> Condition {
        Condition(Test::Expiry(alternatives.into_iter().collect()))
    }

    /// The value takes so many bytes in the file, without key and attributes. That is after the
    /// server's compression, and not what it takes in memory.
    #[must_use]
    pub fn sizes(bytes: impl IntoIterator<Item = impl RangeBounds<u64>>) -> Condition {
        Condition(Test::Size(Ranges::new(bytes)))
    }

    /// The value has so many elements: entries of a list or stream, members, fields, cells of an
    /// array; a string is one.
    ///
    /// This is the only condition that looks at the value. It reads counts and heads of packed
    /// blobs, and does not check them: in a damaged file they may say anything.
    ///
    /// - Lists, sets, sorted sets and hashes of single strings, and arrays, say it in front.
    /// - A packed blob says it in its head; a compressed one is inflated for that. One that has more
    ///   entries than its head can say (65534; zipmaps 253) is walked, to be exact.
    /// - Lists of nodes are the sum of their nodes' heads; streams say it behind their nodes, which
    ///   are passed unread. So these cost what framing costs.
    /// - Modules' values, and KeyDB's scheduled scripts, do not say it in any way that is known: they
    ///   are in no range.
    #[must_use]
    pub fn elements(counts: impl IntoIterator<Item = impl RangeBounds<u64>>) -> Condition {
        Condition(Test::Elements(Ranges::new(counts)))
    }

    /// The key had not been used for so many seconds when the dump was made. Dumps say it of
    /// servers with an LRU policy only; a key of which it is not said is in no range.
    #[must_use]
    pub fn idle_seconds(seconds: impl IntoIterator<Item = impl RangeBounds<u64>>) -> Condition {
        Condition(Test::Idle(Ranges::new(seconds)))
    }

    /// The key's access counter (0 to 255, logarithmic) is in one of these. Dumps say it of servers
    /// with an LFU policy only; a key of which it is not said is in no range.
    #[must_use]
    pub fn frequencies(counters: impl IntoIterator<Item = impl RangeBounds<u64>>) -> Condition {
        Condition(Test::Frequency(Ranges::new(counters)))
    }

    /// The key's cluster slot is in one of these; computed from the key, whatever the file says.
    #[must_use]
    pub fn slots(slots: impl IntoIterator<Item = impl RangeBounds<u64>>) -> Condition {
        Condition(Test::Slot(Ranges::new(slots)))
    }

    /// The key has one of these [hash tags](crate::select::hash_tag()): given without braces.
    #[must_use]
    pub fn hash_tags(tags: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Condition {
        Condition(Test::HashTag(tags.into_iter().map(|tag| tag.as_ref().into()).collect()))
    }

    /// What it looks at.
    #[must_use]
    pub fn criterion(&self) -> Criterion {
        match self.0 {
            Test::Db(_) => Criterion::Db,
            Test::DataType(_) => Criterion::DataType,
            Test::Layout(_) => Criterion::Layout,
            Test::Expiry(_) => Criterion::Expiry,
            Test::Idle(_) => Criterion::Idle,
            Test::Frequency(_) => Criterion::Frequency,
            Test::Size(_) => Criterion::Size,
            Test::Key(_) => Criterion::Key,
            Test::HashTag(_) => Criterion::HashTag,
            Test::Slot(_) => Criterion::Slot,
            Test::Elements(_) => Criterion::Elements,
        }
    }
}

/// An alternative of [`Condition::expiry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// The key never expires.
    Never,
    /// It expires some time.
    Any,
    /// At this time it has expired: its expiry lies before.
    ExpiredAt(UnixMillis),
    /// It expires at one of these times.
    Within {
        /// The first.
        from: UnixMillis,
        /// The last.
        to: UnixMillis,
    },
}

impl Expiry {
    pub(crate) fn holds(self, expires: Option<UnixMillis>) -> bool {
        match self {
            Expiry::Never => expires.is_none(),
            Expiry::Any => expires.is_some(),
            Expiry::ExpiredAt(now) => expires.is_some_and(|at| at < now),
            Expiry::Within { from, to } => expires.is_some_and(|at| from <= at && at <= to),
        }
    }
}

/// Ranges of numbers, first and last; sorted, and with a gap between any two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    fn new(ranges: impl IntoIterator<Item = impl RangeBounds<u64>>) -> Ranges {
        let mut all: Vec<(u64, u64)> =
            ranges.into_iter().filter_map(|range| ends(&range)).collect();
        all.sort_unstable();
        all.dedup_by(|later, earlier| {
            let touches = later.0 <= earlier.1.saturating_add(1);
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
        Ranges(all)
    }

    #[inline]
    pub(crate) fn has(&self, number: u64) -> bool {
        let above = self.0.partition_point(|(first, _)| *first <= number);
        let candidate = above.checked_sub(1).and_then(|at| self.0.get(at));
        candidate.is_some_and(|(_, last)| number <= *last)
    }

    /// Whether a number is in one, of which only this is known: it is not smaller.
    pub(crate) fn has_at_least(&self, number: u64) -> Option<bool> {
        match self.0.last() {
            Some((first, u64::MAX)) if *first <= number => Some(true),
            Some((_, last)) if *last >= number => None,
            _ => Some(false),
        }
    }
}

/// The first and the last number of a range; `None` if there is none in it.
fn ends(range: &impl RangeBounds<u64>) -> Option<(u64, u64)> {
    let first = match range.start_bound() {
        Bound::Included(first) => *first,
        Bound::Excluded(before) => before.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let last = match range.end_bound() {
        Bound::Included(last) => *last,
        Bound::Excluded(after) => after.checked_sub(1)?,
        Bound::Unbounded => u64::MAX,
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_joined_and_empty_ones_dropped() {
        let none: [std::ops::Range<u64>; 0] = [];
        assert_eq!(Ranges::new(none).0, []);
        assert_eq!(Ranges::new([5..5, 0..0]).0, []);
        assert_eq!(Ranges::new([7..9, 0..3, 3..4, 2..3]).0, [(0, 3), (7, 8)]);
        assert_eq!(Ranges::new([..=u64::MAX, ..=3]).0, [(0, u64::MAX)]);
    }

    #[test]
    fn a_number_known_from_below_is_in_out_or_open() {
        let ranges = Ranges::new([10..20, 30..40]);
        assert_eq!(ranges.has_at_least(5), None);
        assert_eq!(ranges.has_at_least(39), None);
        assert_eq!(ranges.has_at_least(40), Some(false));
        assert_eq!(Ranges::new([10..]).has_at_least(9), None);
        assert_eq!(Ranges::new([10..]).has_at_least(10), Some(true));
    }

    #[test]
    fn a_key_has_expired_once_its_time_lies_before() {
        let at = |ms| Some(UnixMillis::new(ms));
        let now = Expiry::ExpiredAt(UnixMillis::new(100));
        assert!(now.holds(at(99)) && now.holds(at(-5)));
        assert!(!now.holds(at(100)) && !now.holds(None));
        let within = Expiry::Within { from: UnixMillis::new(5), to: UnixMillis::new(7) };
        assert!(within.holds(at(5)) && within.holds(at(7)));
        assert!(!within.holds(at(4)) && !within.holds(at(8)) && !within.holds(None));
        assert!(Expiry::Any.holds(at(0)) && !Expiry::Any.holds(None));
        assert!(Expiry::Never.holds(None) && !Expiry::Never.holds(at(0)));
    }

    proptest! {
        #[test]
        fn joined_ranges_hold_what_each_holds(
            ranges in vec((0u64..30, 0u64..30), 0..6),
            number in 0u64..32,
        ) {
            let set = Ranges::new(ranges.iter().map(|(a, b)| *a..*b));
            let expected = ranges.iter().any(|(a, b)| (*a..*b).contains(&number));
            prop_assert_eq!(set.has(number), expected);
        }
    }
}
