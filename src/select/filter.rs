//! Filters: conditions that must hold, and conditions that must not.

use crate::error::Result;
use crate::rdb::{Entry, StrBuf};
use crate::select::condition::{Condition, Test};
use crate::select::count::{Count, count};
use crate::select::decision::{Criterion, Decision};
use crate::select::slot::{hash_tag, slot};

/// What a [`Filter`] is made of.
///
/// Each condition is a set of alternatives. All conditions to include must hold, and none of those
/// to exclude may: alternatives go into one condition, further demands into another.
///
/// ```
/// use redkeep::select::{Condition, Filter, FilterOptions, KeyPattern};
/// let filter = Filter::new(
///     FilterOptions::default()
///         .include(Condition::keys([KeyPattern::prefix("user:"), KeyPattern::prefix("u:")]))
///         .include(Condition::dbs([0, 3]))
///         .exclude(Condition::sizes([1 << 20..])),
/// );
/// assert!(!filter.is_empty());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FilterOptions {
    /// Conditions that must hold. Default: none, so everything is included.
    pub include: Vec<Condition>,
    /// Conditions of which none may hold. Default: none, so nothing is excluded.
    pub exclude: Vec<Condition>,
}

impl FilterOptions {
    /// Adds a condition that must hold.
    #[must_use]
    pub fn include(mut self, condition: Condition) -> Self {
        self.include.push(condition);
        self
    }

    /// Adds a condition that must not hold.
    #[must_use]
    pub fn exclude(mut self, condition: Condition) -> Self {
        self.exclude.push(condition);
        self
    }
}

/// Decides which entries are meant, by their key and what stands around it.
///
/// It asks in the order of [`Criterion`]: what the record's frame says, then the key (decoded once,
/// into the caller's buffer, and only if some condition asks for it), at last the number of
/// elements, for which alone the value is looked at. The first condition that rejects an entry ends
/// it. A filter holds no state and reads no clock, so the same entry gets the same answer.
///
/// ```
/// use redkeep::rdb::{EventKind, SliceReader, StrBuf};
/// use redkeep::select::{Condition, Criterion, Decision, Filter, FilterOptions};
///
/// # let dump = b"REDIS0003\xfe\x00\x00\x01a\x01v\x01\x01b\x02\x01x\x01y\xff";
/// let filter = Filter::new(FilterOptions::default().include(Condition::elements([2..])));
/// let (mut buf, mut decisions) = (StrBuf::new(), Vec::new());
/// for event in SliceReader::new(dump) {
///     if let EventKind::Entry(entry) = event?.kind() {
///         decisions.push(filter.matches(&entry, &mut buf)?);
///     }
/// }
/// assert_eq!(decisions, [Decision::NotIncluded(Criterion::Elements), Decision::Keep]);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Filter {
    frame: Vec<Rule>,
    key: Vec<Rule>,
    value: Vec<Rule>,
}

/// A condition, and whether it must hold or must not.
#[derive(Debug, Clone)]
struct Rule {
    test: Test,
    criterion: Criterion,
    include: bool,
}

impl Rule {
    /// What becomes of the entry, given whether the condition holds; `None` is: go on.
    #[inline(always)]
    fn settle(&self, holds: Option<bool>, undecided: &mut Option<Criterion>) -> Option<Decision> {
        match holds {
            Some(holds) if holds == self.include => None,
            Some(_) if self.include => Some(Decision::NotIncluded(self.criterion)),
            Some(_) => Some(Decision::Excluded(self.criterion)),
            None => {
                undecided.get_or_insert(self.criterion);
                None
            }
        }
    }

    fn holds_by_frame(&self, entry: &Entry<'_>, whole: bool) -> Option<bool> {
        Some(match &self.test {
            Test::Db(indexes) => indexes.has(entry.db()),
            Test::DataType(types) => types.contains(&entry.value_type().data_type()),
            Test::Layout(layouts) => layouts.contains(&entry.value_type()),
            Test::Expiry(alternatives) => {
                let expires = entry.expires();
                alternatives.iter().any(|expiry| expiry.holds(expires))
            }
            Test::Idle(seconds) => {
                entry.attributes().idle_seconds.is_some_and(|idle| seconds.has(idle))
            }
            Test::Frequency(counters) => {
                let frequency = entry.attributes().frequency;
                frequency.is_some_and(|frequency| counters.has(u64::from(frequency)))
            }
            Test::Size(sizes) => {
                let len = entry.value().len() as u64;
                return if whole { Some(sizes.has(len)) } else { sizes.has_at_least(len) };
            }
            Test::Key(_) | Test::HashTag(_) | Test::Slot(_) | Test::Elements(_) => return None,
        })
    }

    fn holds_by_key(&self, key: &[u8]) -> Option<bool> {
        match &self.test {
            Test::Key(keys) => Some(keys.has(key)),
            Test::HashTag(tags) => Some(hash_tag(key).is_some_and(|tag| tags.contains(tag))),
            Test::Slot(slots) => Some(slots.has(u64::from(slot(key)))),
            _ => None,
        }
    }

    fn holds_by_count(&self, count: Count) -> Option<bool> {
        match (&self.test, count) {
            (Test::Elements(counts), Count::Exact(count)) => Some(counts.has(count)),
            (Test::Elements(_), Count::Never) => Some(false),
            (Test::Elements(counts), Count::Unknown) => counts.has_at_least(0),
            _ => None,
        }
    }
}

impl Filter {
    /// A filter of these conditions.
    #[must_use]
    pub fn new(options: FilterOptions) -> Filter {
        let rule = |include| {
            move |condition: Condition| Rule {
                criterion: condition.criterion(),
                test: condition.0,
                include,
            }
        };
        let include = options.include.into_iter().map(rule(true));
        let mut rules: Vec<Rule> =
            include.chain(options.exclude.into_iter().map(rule(false))).collect();
        rules.sort_by_key(|rule| rule.criterion);
        let mut filter = Filter::default();
        for rule in rules {
            match rule.criterion {
                Criterion::Key | Criterion::HashTag | Criterion::Slot => filter.key.push(rule),
                Criterion::Elements => filter.value.push(rule),
                _ => filter.frame.push(rule),
            }
        }
        filter
    }

    /// Whether it has no condition, and so keeps everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frame.is_empty() && self.key.is_empty() && self.value.is_empty()
    }

    /// Decides on an entry with its whole value; never
    /// [`Undecided`](crate::select::Decision::Undecided).
    ///
    /// # Errors
    /// `Corrupt` or `Limit` when a compressed key does not inflate; when elements are asked for,
    /// also what the value's counts and heads give. Both name database and offset.
    #[inline]
    pub fn matches(&self, entry: &Entry<'_>, buf: &mut StrBuf) -> Result<Decision> {
        self.decide(entry, true, buf)
    }

    /// Decides on an [`Open`](crate::rdb::EventKind::Open) entry, of whose value only the beginning
    /// is there.
    ///
    /// Size is then known from below only, and so is the number of elements of a list of nodes, a
    /// stream or a packed blob. Where that does not decide a condition, and no other rejects the
    /// entry, the answer is [`Undecided`](crate::select::Decision::Undecided): the caller keeps it,
    /// drops it or looks at the rest of the value, but has to say so.
    ///
    /// # Errors
    /// As [`matches`](Self::matches).
    pub fn matches_open(&self, entry: &Entry<'_>, buf: &mut StrBuf) -> Result<Decision> {
        self.decide(entry, false, buf)
    }

    #[inline]
    fn decide(&self, entry: &Entry<'_>, whole: bool, buf: &mut StrBuf) -> Result<Decision> {
        let mut undecided = None;
        for rule in &self.frame {
            let holds = rule.holds_by_frame(entry, whole);
            if let Some(rejected) = rule.settle(holds, &mut undecided) {
                return Ok(rejected);
            }
        }
        if !self.key.is_empty() {
            let key = entry.key().bytes(buf);
            let key = key.map_err(|error| error.or_at(entry.offset()).in_key(entry.db(), b""))?;
            for rule in &self.key {
                if let Some(rejected) = rule.settle(rule.holds_by_key(key), &mut undecided) {
                    return Ok(rejected);
                }
            }
        }
        if !self.value.is_empty() {
            let count = count(entry.value(), whole, buf)
                .map_err(|error| error.in_key(entry.db(), &entry.key_for_message()))?;
            for rule in &self.value {
                if let Some(rejected) = rule.settle(rule.holds_by_count(count), &mut undecided) {
                    return Ok(rejected);
                }
            }
        }
        Ok(undecided.map_or(Decision::Keep, Decision::Undecided))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::rdb::{DataType, EventKind, SliceReader, StreamReader, ValueType};
    use crate::select::{Expiry, KeyPattern};
    use crate::time::UnixMillis;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::slice::from_ref;

    /// Keys `a` to `e`: a plain string; a list that expires at 1000; a set of db 2, idle 10 s; a
    /// set, frequency 5; a compressed key of 30 times `e`.
    const DUMP: &[u8] = b"REDIS0009\xfe\x00\x00\x01a\x03abc\
        \xfc\xe8\x03\0\0\0\0\0\0\x01\x01b\x02\x01x\x01y\
        \xfe\x02\xf8\x0a\x02\x01c\x01\x01x\
        \xf9\x05\x0b\x01d\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0\
        \x00\xc3\x09\x1e\x01ee\xe0\x11\x00\x01ee\x01v\xff\0\0\0\0\0\0\0\0";

    fn decisions(options: FilterOptions) -> Vec<Decision> {
        let (filter, mut buf) = (Filter::new(options), StrBuf::new());
        let events = SliceReader::new(DUMP).map(Result::unwrap);
        let entries = events.filter_map(|event| match event.kind() {
            EventKind::Entry(entry) => Some(entry),
            _ => None,
        });
        entries.map(|entry| filter.matches(&entry, &mut buf).unwrap()).collect()
    }

    /// The first letters of keys for which the condition holds; excluding it has to keep the others.
    fn held(condition: Condition) -> String {
        let included = decisions(FilterOptions::default().include(condition.clone()));
        let excluded = decisions(FilterOptions::default().exclude(condition.clone()));
        let mut held = String::new();
        for ((letter, with), without) in "abcde".chars().zip(included).zip(excluded) {
            match with {
                Decision::Keep => {
                    assert_eq!(without, Decision::Excluded(condition.criterion()));
                    held.push(letter);
                }
                other => {
                    assert_eq!(other, Decision::NotIncluded(condition.criterion()));
                    assert_eq!(without, Decision::Keep);
                }
            }
        }
        held
    }

    #[test]
    fn each_condition_holds_for_what_it_says() {
        let at = UnixMillis::new;
        assert_eq!(held(Condition::dbs([0, 7])), "ab");
        assert_eq!(held(Condition::data_types([DataType::Set])), "cd");
        assert_eq!(held(Condition::layouts([ValueType::SetIntset, ValueType::List])), "bd");
        assert_eq!(held(Condition::expiry([Expiry::Never])), "acde");
        assert_eq!(held(Condition::expiry([Expiry::ExpiredAt(at(1001))])), "b");
        assert_eq!(held(Condition::expiry([Expiry::ExpiredAt(at(1000))])), "");
        let within = Expiry::Within { from: at(0), to: at(1000) };
        assert_eq!(held(Condition::expiry([Expiry::Never, within])), "abcde");
        assert_eq!(held(Condition::idle_seconds([..=10])), "c");
        assert_eq!(held(Condition::idle_seconds([0..=9])), "");
        assert_eq!(held(Condition::frequencies([5..=5])), "d");
        assert_eq!(held(Condition::sizes([4..=5])), "ab");
        assert_eq!(held(Condition::elements([2..])), "bd");
        assert_eq!(held(Condition::elements([0..=1])), "ace");
        assert_eq!(held(Condition::slots([u64::from(slot(b"c"))..=u64::from(slot(b"c"))])), "c");
        assert_eq!(held(Condition::hash_tags(["a"])), "");
        assert_eq!(held(Condition::keys([KeyPattern::exact("a"), KeyPattern::glob("e*")])), "ae");
        assert_eq!(held(Condition::keys([])), "");
    }

    #[test]
    fn all_conditions_must_hold_and_the_first_in_order_is_named() {
        let options = || {
            FilterOptions::default()
                .include(Condition::keys([KeyPattern::glob("[abc]")]))
                .include(Condition::data_types([DataType::Set, DataType::List]))
                .exclude(Condition::dbs([2]))
        };
        let expected = [
            Decision::NotIncluded(Criterion::DataType),
            Decision::Keep,
            Decision::Excluded(Criterion::Db),
            Decision::Excluded(Criterion::Db),
            Decision::Excluded(Criterion::Db),
        ];
        assert_eq!(decisions(options()), expected);
        let mut turned = options();
        turned.include.reverse();
        assert_eq!(decisions(turned), expected);
    }

    #[test]
    fn a_hash_tag_is_compared_without_its_braces() {
        let dump = b"REDIS0003\x00\x06{ab}cd\x01v\xff";
        let filter = |tag: &str| {
            let tags = Condition::hash_tags([tag]);
            Filter::new(FilterOptions::default().include(tags))
        };
        for event in SliceReader::new(dump) {
            if let EventKind::Entry(entry) = event.unwrap().kind() {
                let decide = |tag| filter(tag).matches(&entry, &mut StrBuf::new()).unwrap();
                assert!(decide("ab").is_keep());
                assert!(!decide("{ab}").is_keep());
            }
        }
    }

    /// A list of 100 strings and a quicklist of two nodes, both over the window.
    fn open_decisions(options: FilterOptions) -> Vec<Decision> {
        let mut dump = b"REDIS0009\x01\x01l\x40\x64".to_vec();
        dump.extend(b"\x05abcde".repeat(100));
        dump.extend(b"\x12\x01q\x02");
        dump.extend([&b"\x01\x40\x50"[..], &[b'x'; 80]].concat().repeat(2));
        dump.extend(b"\xff\0\0\0\0\0\0\0\0");
        let limits = Limits::default().window(64);
        let mut reader = StreamReader::with_limits(&dump[..], &limits);
        let (filter, mut buf, mut decisions) = (Filter::new(options), StrBuf::new(), Vec::new());
        while let Some(event) = reader.next().unwrap() {
            if let EventKind::Open(entry) = event.kind() {
                decisions.push(filter.matches_open(&entry, &mut buf).unwrap());
            }
        }
        decisions
    }

    #[test]
    fn of_an_open_value_what_is_not_known_stays_undecided() {
        let include = |condition| FilterOptions::default().include(condition);
        let undecided = Decision::Undecided(Criterion::Elements);
        // The list says its count in front, the nodes have to be seen.
        let small = open_decisions(include(Condition::elements([100..=100])));
        assert_eq!(small, [Decision::Keep, undecided]);
        let other = open_decisions(include(Condition::elements([2..=49])));
        assert_eq!(other, [Decision::NotIncluded(Criterion::Elements), undecided]);
        let all = open_decisions(include(Condition::elements([0..])));
        assert_eq!(all, [Decision::Keep, Decision::Keep]);
        let sizes = open_decisions(include(Condition::sizes([1000..])));
        assert_eq!(sizes, [Decision::Undecided(Criterion::Size); 2]);
        // What is known may still reject it.
        let keys = Condition::keys([KeyPattern::exact("l")]);
        let both = open_decisions(include(Condition::sizes([1000..])).exclude(keys));
        let expected = [Decision::Excluded(Criterion::Key), Decision::Undecided(Criterion::Size)];
        assert_eq!(both, expected);
    }

    #[test]
    fn a_key_that_does_not_inflate_is_an_error_only_where_keys_are_asked_for() {
        let dump = b"REDIS0009\xfe\x03\x00\xc3\x02\x09\x00a\x01v\xff\0\0\0\0\0\0\0\0";
        let keys = Condition::keys([KeyPattern::glob("*a")]);
        let by_key = Filter::new(FilterOptions::default().include(keys));
        for event in SliceReader::new(dump) {
            if let EventKind::Entry(entry) = event.unwrap().kind() {
                let mut buf = StrBuf::new();
                assert!(Filter::default().matches(&entry, &mut buf).unwrap().is_keep());
                let error = by_key.matches(&entry, &mut buf).unwrap_err();
                assert!(error.is_corrupt());
                assert_eq!((error.offset(), error.db()), (Some(11), Some(3)));
            }
        }
    }

    proptest! {
        #[test]
        fn no_condition_keeps_all_and_the_same_on_both_sides_keeps_none(
            pattern in vec(proptest::sample::select(b"abe*?[]^-".as_slice()), 0..6),
        ) {
            let keep = [Decision::Keep; 5];
            prop_assert_eq!(decisions(FilterOptions::default()), keep);
            let keys = Condition::keys([KeyPattern::glob(&pattern)]);
            let options = FilterOptions::default().include(keys.clone()).exclude(keys.clone());
            prop_assert!(decisions(options).iter().all(|decision| !decision.is_keep()));
            // Excluding keeps what including rejects.
            let sides = [(from_ref(&keys), &[][..]), (&[], from_ref(&keys))];
            let [with, without] = sides.map(|(include, exclude)| decisions(FilterOptions {
                include: include.to_vec(),
                exclude: exclude.to_vec(),
            }));
            for (with, without) in with.iter().zip(without) {
                prop_assert!(with.is_keep() != without.is_keep());
            }
        }
    }
}
