//! What a filter says of a key, and the sum of it.

use std::collections::BTreeMap;
use std::fmt;

/// What a [`Condition`](crate::select::Condition) looks at. In the order in which a filter asks, so
/// of several conditions that reject a key, the first in this order is the one that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Criterion {
    /// The database's index.
    Db,
    /// What a client calls the value.
    DataType,
    /// How the value is laid out in the file.
    Layout,
    /// When the key expires.
    Expiry,
    /// For how long it had not been used.
    Idle,
    /// How often it was used.
    Frequency,
    /// How many bytes the value takes in the file.
    Size,
    /// The key itself.
    Key,
    /// The part of the key that decides the slot.
    HashTag,
    /// The cluster slot of the key.
    Slot,
    /// How many elements the value has.
    Elements,
}

impl Criterion {
    /// Its stable name in reports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Criterion::Db => "db",
            Criterion::DataType => "data_type",
            Criterion::Layout => "layout",
            Criterion::Expiry => "expiry",
            Criterion::Idle => "idle",
            Criterion::Frequency => "frequency",
            Criterion::Size => "size",
            Criterion::Key => "key",
            Criterion::HashTag => "hash_tag",
            Criterion::Slot => "slot",
            Criterion::Elements => "elements",
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What a filter says of an entry.
///
/// ```
/// use redkeep::select::{Criterion, Decision};
/// assert!(Decision::Keep.is_keep());
/// assert_eq!(Decision::Excluded(Criterion::Key).criterion(), Some(Criterion::Key));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// Every condition holds.
    Keep,
    /// A condition to include does not hold.
    NotIncluded(Criterion),
    /// A condition to exclude holds.
    Excluded(Criterion),
    /// Nothing that is known rejects the entry, but this condition can't be told before more of the
    /// value has been seen. Only [`matches_open`](crate::select::Filter::matches_open) says so.
    Undecided(Criterion),
}

impl Decision {
    /// Whether the entry is to be kept.
    #[inline]
    #[must_use]
    pub fn is_keep(self) -> bool {
        self == Decision::Keep
    }

    /// Which condition rejects it, or leaves it open.
    #[must_use]
    pub fn criterion(self) -> Option<Criterion> {
        match self {
            Decision::Keep => None,
            Decision::NotIncluded(criterion)
            | Decision::Excluded(criterion)
            | Decision::Undecided(criterion) => Some(criterion),
        }
    }
}

/// How many entries a filter kept, and how many it rejected by which condition.
///
/// With feature `json` it is `{"kept":9,"undecided":0,"not_included":{"key":3},"excluded":{}}`.
///
/// ```
/// use redkeep::select::{Criterion, Decision, Rejections};
/// let mut counts = Rejections::default();
/// counts.count(Decision::Keep);
/// counts.count(Decision::Excluded(Criterion::Db));
/// assert_eq!((counts.kept, counts.rejected()), (1, 1));
/// assert_eq!(counts.excluded[&Criterion::Db], 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Rejections {
    /// Entries for which every condition held.
    pub kept: u64,
    /// Entries counted before they were decided.
    pub undecided: u64,
    /// Entries for which a condition to include did not hold, by the first such condition.
    pub not_included: BTreeMap<Criterion, u64>,
    /// Entries for which a condition to exclude held, by the first such condition.
    pub excluded: BTreeMap<Criterion, u64>,
}

impl Rejections {
    /// Counts one decision.
    #[inline]
    pub fn count(&mut self, decision: Decision) {
        *match decision {
            Decision::Keep => &mut self.kept,
            Decision::Undecided(_) => &mut self.undecided,
            Decision::NotIncluded(criterion) => self.not_included.entry(criterion).or_default(),
            Decision::Excluded(criterion) => self.excluded.entry(criterion).or_default(),
        } += 1;
    }

    /// All rejected entries.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.not_included.values().chain(self.excluded.values()).sum()
    }

    /// All entries counted, so that a caller can prove that none was lost.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.kept + self.undecided + self.rejected()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_is_counted_once() {
        let mut counts = Rejections::default();
        for decision in [
            Decision::Keep,
            Decision::Keep,
            Decision::NotIncluded(Criterion::Key),
            Decision::NotIncluded(Criterion::Key),
            Decision::Excluded(Criterion::Key),
            Decision::Undecided(Criterion::Size),
        ] {
            counts.count(decision);
        }
        assert_eq!((counts.kept, counts.undecided, counts.rejected()), (2, 1, 3));
        assert_eq!(counts.total(), 6);
    }

    #[cfg(feature = "json")]
    #[test]
    fn the_counts_are_json_with_the_codes_as_names() {
        let mut counts = Rejections::default();
        counts.count(Decision::Excluded(Criterion::HashTag));
        assert_eq!(
            serde_json::to_string(&counts).unwrap(),
            r#"{"kept":0,"undecided":0,"not_included":{},"excluded":{"hash_tag":1}}"#
        );
        let code = serde_json::to_string(&Criterion::DataType).unwrap();
        assert_eq!(code, format!("\"{}\"", Criterion::DataType));
    }
}
