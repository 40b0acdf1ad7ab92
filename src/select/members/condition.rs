//! What can be asked of an element.

use crate::limits::Limits;
use crate::rdb::{DataType, Keep, Score, StreamId};
use crate::select::key::{KeyPattern, KeySet};
use std::ops::{Bound, RangeBounds};

/// One thing to ask of the elements of values of some type, with its alternatives: it holds if any
/// of them does, and without any for nothing. Values of other types it does not concern.
///
/// ```
/// use redkeep::rdb::StreamId;
/// use redkeep::select::{KeyPattern, MemberCondition};
/// let secret = MemberCondition::fields([KeyPattern::exact("password"), KeyPattern::glob("*_pw")]);
/// let high = MemberCondition::scores([100.0..]);
/// let today = MemberCondition::ids([StreamId::new(1_760_000_000_000, 0)..]);
/// # drop((secret, high, today));
/// ```
#[derive(Debug, Clone)]
pub struct MemberCondition(Test);

#[derive(Debug, Clone)]
enum Test {
    Field(KeySet),
    Member(KeySet),
    Element(KeySet),
    Score(Vec<(Bound<f64>, Bound<f64>)>),
    Id(Vec<(Bound<StreamId>, Bound<StreamId>)>),
}

impl MemberCondition {
    /// A field of a hash is one of these.
    #[must_use]
    pub fn fields(patterns: impl IntoIterator<Item = KeyPattern>) -> MemberCondition {
        MemberCondition(Test::Field(KeySet::new(patterns.into_iter().collect())))
    }

    /// A member of a set or a sorted set is one of these.
    #[must_use]
    pub fn members(patterns: impl IntoIterator<Item = KeyPattern>) -> MemberCondition {
        MemberCondition(Test::Member(KeySet::new(patterns.into_iter().collect())))
    }

    /// An element of a list is one of these.
    #[must_use]
    pub fn elements(patterns: impl IntoIterator<Item = KeyPattern>) -> MemberCondition {
        MemberCondition(Test::Element(KeySet::new(patterns.into_iter().collect())))
    }

    /// The score of a member of a sorted set is in one of these ranges. A score that is no number is
    /// in none.
    #[must_use]
    pub fn scores(ranges: impl IntoIterator<Item = impl RangeBounds<f64>>) -> MemberCondition {
        MemberCondition(Test::Score(ranges.into_iter().map(|range| ends(&range)).collect()))
    }

    /// The ID of an entry of a stream is in one of these ranges.
    #[must_use]
    pub fn ids(ranges: impl IntoIterator<Item = impl RangeBounds<StreamId>>) -> MemberCondition {
        MemberCondition(Test::Id(ranges.into_iter().map(|range| ends(&range)).collect()))
    }

    fn concerns(&self, data: DataType) -> bool {
        match self.0 {
            Test::Field(_) => data == DataType::Hash,
            Test::Member(_) => matches!(data, DataType::Set | DataType::SortedSet),
            Test::Element(_) => data == DataType::List,
            Test::Score(_) => data == DataType::SortedSet,
            Test::Id(_) => data == DataType::Stream,
        }
    }

    /// Whether it holds; `None` where it is no question for such an element.
    fn holds(&self, element: Asked<'_>) -> Option<bool> {
        match (&self.0, element) {
            (Test::Field(names), Asked::Field(name))
            | (Test::Member(names), Asked::Member(name) | Asked::Scored(name, _))
            | (Test::Element(names), Asked::Element(name)) => Some(names.has(name)),
            (Test::Score(ranges), Asked::Scored(_, score)) => {
                let score = score.value();
                Some(score.is_some_and(|score| ranges.iter().any(|range| range.contains(&score))))
            }
            (Test::Id(ranges), Asked::Id(id)) => {
                Some(ranges.iter().any(|range| range.contains(&id)))
            }
            _ => None,
        }
    }
}

fn ends<T: Copy>(range: &impl RangeBounds<T>) -> (Bound<T>, Bound<T>) {
    (range.start_bound().cloned(), range.end_bound().cloned())
}

/// An element that is asked about.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Field(&'a [u8]),
    Member(&'a [u8]),
    Scored(&'a [u8], Score<'a>),
    Element(&'a [u8]),
    Id(StreamId),
}

/// Which parts of values a [`MemberFilter`](crate::select::MemberFilter) keeps.
///
/// As in a [`FilterOptions`](crate::select::FilterOptions), all conditions to include that concern
/// an element must hold, and none of those to exclude may.
///
/// ```
/// use redkeep::select::{KeyPattern, MemberCondition, MemberOptions};
/// let options = MemberOptions::default()
///     .include(MemberCondition::members([KeyPattern::prefix("user:")]))
///     .include(MemberCondition::scores([0.0..]))
///     .exclude(MemberCondition::fields([KeyPattern::exact("password")]));
/// assert!(!options.is_empty());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MemberOptions {
    /// Conditions that must hold. Default: none, so everything is included.
    pub include: Vec<MemberCondition>,
    /// Conditions of which none may hold. Default: none, so nothing is excluded.
    pub exclude: Vec<MemberCondition>,
    /// Ceilings on memory: a value that comes in runs is held up to [`Limits::held`].
    pub limits: Limits,
}

impl MemberOptions {
    /// Adds a condition that must hold.
    #[must_use]
    pub fn include(mut self, condition: MemberCondition) -> Self {
        self.include.push(condition);
        self
    }

    /// Adds a condition that must not hold.
    #[must_use]
    pub fn exclude(mut self, condition: MemberCondition) -> Self {
        self.exclude.push(condition);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether it has no condition, and so keeps everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether something of such a value may go.
    pub(crate) fn concern(&self, data: DataType) -> bool {
        self.include.iter().chain(&self.exclude).any(|condition| condition.concerns(data))
    }

    /// Whether an element of such a value stays, of which only the name is known.
    pub(crate) fn keeps_name(&self, data: DataType, name: &[u8]) -> bool {
        match data {
            DataType::Hash => self.keeps(Asked::Field(name)),
            _ => self.keeps(Asked::Member(name)),
        }
    }

    fn keeps(&self, element: Asked<'_>) -> bool {
        let holds = |condition: &MemberCondition| condition.holds(element);
        self.include.iter().all(|condition| holds(condition) != Some(false))
            && !self.exclude.iter().any(|condition| holds(condition) == Some(true))
    }
}

impl Keep for MemberOptions {
    fn element(&self, element: &[u8]) -> bool {
        self.keeps(Asked::Element(element))
    }

    fn member(&self, member: &[u8]) -> bool {
        self.keeps(Asked::Member(member))
    }

    fn scored(&self, member: &[u8], score: Score<'_>) -> bool {
        self.keeps(Asked::Scored(member, score))
    }

    fn field(&self, field: &[u8]) -> bool {
        self.keeps(Asked::Field(field))
    }

    fn id(&self, id: StreamId) -> bool {
        self.keeps(Asked::Id(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Vec<KeyPattern> {
        patterns.iter().map(KeyPattern::glob).collect()
    }

    #[test]
    fn conditions_concern_the_types_that_have_such_elements() {
        let fields = MemberOptions::default().exclude(MemberCondition::fields(globs(&["a"])));
        assert!(fields.concern(DataType::Hash) && !fields.concern(DataType::Set));
        assert!(!fields.field(b"a") && fields.field(b"b") && fields.member(b"a"));
        let scores = MemberOptions::default().include(MemberCondition::scores([1.0..2.0]));
        assert!(scores.concern(DataType::SortedSet) && !scores.concern(DataType::Set));
        assert!(scores.member(b"a") && scores.id(StreamId::new(1, 1)));
    }

    #[test]
    fn all_that_include_must_hold_and_none_that_excludes() {
        let options = MemberOptions::default()
            .include(MemberCondition::members(globs(&["a*", "b*"])))
            .include(MemberCondition::scores([-1.0..=1.0]))
            .exclude(MemberCondition::members(globs(&["*x"])));
        let keeps = |member: &str, score| options.scored(member.as_bytes(), Score::Double(score));
        assert!(keeps("a", 0.0) && keeps("b", -1.0) && keeps("b", 1.0));
        assert!(!keeps("c", 0.0) && !keeps("a", 1.1) && !keeps("ax", 0.0));
        assert!(!keeps("a", f64::NAN) && !options.scored(b"a", Score::Text(b"one")));
        let none: [KeyPattern; 0] = [];
        let nothing = MemberOptions::default().include(MemberCondition::elements(none));
        assert!(!nothing.element(b"a") && !nothing.is_empty());
    }

    #[test]
    fn ids_are_compared_by_both_halves() {
        let id = StreamId::new;
        let options =
            MemberOptions::default().include(MemberCondition::ids([id(5, 1)..=id(7, u64::MAX)]));
        assert!(options.id(id(5, 1)) && options.id(id(7, 9)));
        assert!(!options.id(id(5, 0)) && !options.id(id(8, 0)));
    }
}
