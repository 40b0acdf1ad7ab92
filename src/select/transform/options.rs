//! What a transform changes.

use crate::limits::Limits;
use crate::select::transform::{ExpiryChange, Rename};
use crate::time::UnixMillis;
use std::collections::{BTreeMap, BTreeSet};

/// What a [`Transform`](crate::select::Transform) changes. Default: nothing.
///
/// ```
/// use redkeep::select::{Rename, TransformOptions};
/// let options = TransformOptions::default()
///     .rename(Rename::prefix("app1:", "app2:"))
///     .rename(Rename::glob("*:tmp", "tmp:*")?)
///     .move_db(3, 0);
/// assert!(!options.is_empty());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransformOptions {
    /// Rules for new names; of those that apply to a key, the first counts.
    pub renames: Vec<Rename>,
    /// Databases and what their keys are moved to.
    pub dbs: BTreeMap<u64, u64>,
    /// Where the keys of all other databases are moved to; `None` lets them stay.
    pub other_dbs: Option<u64>,
    /// What becomes of the keys' expiries.
    pub expiry: ExpiryChange,
    /// Leaves out keys that have expired at this time. Expiries that are shifted are compared
    /// afterwards; those that are dropped or set, before.
    pub drop_expired: Option<UnixMillis>,
    /// Bytes for remembering names, at most 60 a key, where two keys could come to one. Default 1 GiB,
    /// enough for 17 million keys.
    pub names_budget: u64,
    /// Bytes that a compressed key may inflate to. Default as in [`Limits`].
    pub inflated: u64,
}

impl Default for TransformOptions {
    fn default() -> TransformOptions {
        TransformOptions {
            renames: Vec::new(),
            dbs: BTreeMap::new(),
            other_dbs: None,
            expiry: ExpiryChange::Keep,
            drop_expired: None,
            names_budget: 1 << 30,
            inflated: Limits::default().inflated,
        }
    }
}

impl TransformOptions {
    /// Adds a rule for new names, behind those there are.
    #[must_use]
    pub fn rename(mut self, rule: Rename) -> Self {
        self.renames.push(rule);
        self
    }

    /// Moves the keys of one database to another.
    #[must_use]
    pub fn move_db(mut self, from: u64, to: u64) -> Self {
        self.dbs.insert(from, to);
        self
    }

    /// Moves the keys of all databases to one, but for those of
    /// [`move_db`](TransformOptions::move_db).
    #[must_use]
    pub fn move_all(mut self, to: u64) -> Self {
        self.other_dbs = Some(to);
        self
    }

    /// Sets [`expiry`](Self::expiry).
    #[must_use]
    pub fn expiry(mut self, change: ExpiryChange) -> Self {
        self.expiry = change;
        self
    }

    /// Sets [`drop_expired`](Self::drop_expired).
    #[must_use]
    pub fn drop_expired(mut self, at: UnixMillis) -> Self {
        self.drop_expired = Some(at);
        self
    }

    /// Sets [`names_budget`](Self::names_budget).
    #[must_use]
    pub fn names_budget(mut self, bytes: u64) -> Self {
        self.names_budget = bytes;
        self
    }

    /// Sets [`inflated`](Self::inflated).
    #[must_use]
    pub fn inflated(mut self, bytes: u64) -> Self {
        self.inflated = bytes;
        self
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.renames.is_empty()
            && !self.moves()
            && self.expiry == ExpiryChange::Keep
            && self.drop_expired.is_none()
    }

    pub(crate) fn moves(&self) -> bool {
        self.other_dbs.is_some() || self.dbs.iter().any(|(from, to)| from != to)
    }

    /// Where a key of this database is moved to.
    pub(crate) fn db(&self, db: u64) -> u64 {
        self.dbs.get(&db).copied().or(self.other_dbs).unwrap_or(db)
    }

    /// Whether two keys can come to one name. They cannot where every key gets the same prefix, and
    /// databases only change places.
    pub(crate) fn can_collide(&self) -> bool {
        let renames = match self.renames.first() {
            None => false,
            Some(first) => !first.is_one_to_one(),
        };
        let from: BTreeSet<_> = self.dbs.keys().collect();
        let to: BTreeSet<_> = self.dbs.values().collect();
        renames || self.other_dbs.is_some() || from != to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_move_counts() {
        let options = TransformOptions::default().move_all(7).move_db(3, 4).move_db(5, 5);
        assert_eq!([0, 3, 5, 7].map(|db| options.db(db)), [7, 4, 5, 7]);
        assert!(!TransformOptions::default().move_db(2, 2).moves());
    }

    #[test]
    fn names_are_watched_unless_no_two_can_be_one() {
        let options = TransformOptions::default;
        let added = || Rename::prefix("", "x:");
        for (options, can) in [
            (options(), false),
            (options().rename(added()), false),
            (options().rename(Rename::prefix("a", "b")), true),
            (options().rename(Rename::prefix("a", "b")).rename(added()), true),
            (options().move_db(0, 1), true),
            (options().move_db(0, 1).move_db(1, 0), false),
            (options().move_db(0, 2).move_db(1, 2), true),
            (options().move_all(0), true),
        ] {
            assert_eq!(options.can_collide(), can, "{options:?}");
        }
    }
}
