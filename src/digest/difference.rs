//! Which keys differ, by their digests.

use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};

/// Digests of keys, by database and name. A dataset with many keys takes as much memory as their
/// names do, and some 80 bytes for each.
pub type KeyDigests<D> = BTreeMap<(u64, Vec<u8>), D>;

/// A key in which two datasets differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Differing<'a> {
    /// Its database.
    pub db: u64,
    /// Its name.
    pub key: &'a [u8],
    /// How they differ.
    pub how: How,
}

/// How two datasets differ in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum How {
    /// Both have it, with different digests.
    Changed,
    /// Only the first has it.
    OnlyFirst,
    /// Only the second has it.
    OnlySecond,
}

/// Names the keys in which two datasets differ, ascending by database and name.
///
/// ```
/// use redkeep::digest::{ContentDigest, Differing, How, KeyDigests, differing_keys};
/// use redkeep::rdb::SliceReader;
/// fn digests(dump: &[u8]) -> redkeep::Result<KeyDigests<redkeep::digest::Digest32>> {
///     let mut found = KeyDigests::new();
///     let mut digest = ContentDigest::default()
///         .digest_keys(|db, key, digest| _ = found.insert((db, key.to_vec()), digest));
///     for event in SliceReader::new(dump) {
///         digest.event(&event?)?;
///     }
///     digest.finish()?;
///     Ok(found)
/// }
/// let first = digests(b"REDIS0003\x00\x01a\x011\x00\x01b\x012\xff")?;
/// let second = digests(b"REDIS0003\x00\x01b\xc0\x02\x00\x01a\xc0\x02\x00\x01c\x013\xff")?;
/// let differ: Vec<_> = differing_keys(&first, &second).map(|d| (d.key, d.how)).collect();
/// assert_eq!(differ, [(&b"a"[..], How::Changed), (b"c", How::OnlySecond)]);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn differing_keys<'a, D: PartialEq>(
    first: &'a KeyDigests<D>,
    second: &'a KeyDigests<D>,
) -> impl Iterator<Item = Differing<'a>> {
    let (mut first, mut second) = (first.iter().peekable(), second.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let (name, how) = match (first.peek(), second.peek()) {
                (None, None) => return None,
                (Some((a, _)), Some((b, _))) if a == b => {
                    let ((name, a), (_, b)) = (first.next()?, second.next()?);
                    if a == b {
                        continue;
                    }
                    (name, How::Changed)
                }
                (Some((a, _)), b) if b.is_none_or(|(b, _)| a < b) => {
                    (first.next()?.0, How::OnlyFirst)
                }
                _ => (second.next()?.0, How::OnlySecond),
            };
            let (db, key) = name;
            return Some(Differing { db: *db, key, how });
        }
    })
}

/// Compares two datasets key by key: all digests of the first come first, then those of the second.
///
/// # Memory
///
/// Names of the first dataset with their digests, and some 200 bytes for each besides; of the
/// second only those that differ. What turned out to be the same is let go.
///
/// ```
/// use redkeep::digest::{ContentDigest, How, KeyComparison};
/// use redkeep::rdb::SliceReader;
/// let first = b"REDIS0003\x00\x01a\x011\x00\x01b\x012\xff";
/// let second = b"REDIS0003\x00\x01b\xc0\x02\x00\x01c\x013\xff";
/// let mut keys = KeyComparison::new();
/// let mut digest =
///     ContentDigest::default().digest_keys(|db, key, digest| keys.first(db, key, digest));
/// for event in SliceReader::new(first) {
///     digest.event(&event?)?;
/// }
/// let one = digest.finish()?;
/// let mut digest =
///     ContentDigest::default().digest_keys(|db, key, digest| keys.second(db, key, digest));
/// for event in SliceReader::new(second) {
///     digest.event(&event?)?;
/// }
/// assert_ne!(one, digest.finish()?);
/// let differ: Vec<_> = keys.differing().map(|d| (d.key, d.how)).collect();
/// assert_eq!(differ, [(&b"a"[..], How::OnlyFirst), (b"c", How::OnlySecond)]);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KeyComparison<D> {
    /// Those that the second has not had, or had with another digest.
    first: Keys<D>,
    /// Those that the first has not, or has with another digest.
    second: Keys<D>,
    twice: u64,
}

/// Digests of keys by database and name: in no order, which is several times quicker to make.
type Keys<D> = BTreeMap<u64, HashMap<Box<[u8]>, D, RandomState>>;

impl<D> Default for KeyComparison<D> {
    fn default() -> Self {
        KeyComparison { first: Keys::new(), second: Keys::new(), twice: 0 }
    }
}

impl<D: PartialEq> KeyComparison<D> {
    /// Nothing compared so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a key of the first dataset.
    pub fn first(&mut self, db: u64, key: &[u8], digest: D) {
        let before = self.first.entry(db).or_default().insert(key.into(), digest);
        self.twice += u64::from(before.is_some());
    }

    /// Takes a key of the second dataset, after all of the first.
    pub fn second(&mut self, db: u64, key: &[u8], digest: D) {
        if let Some(first) = self.first.get_mut(&db)
            && first.get(key) == Some(&digest)
        {
            first.remove(key);
            return;
        }
        let before = self.second.entry(db).or_default().insert(key.into(), digest);
        self.twice += u64::from(before.is_some());
    }

    /// How many keys were seen to come twice in one dataset, where servers have each once; of them
    /// only the last is compared. (One that comes again in the second after it was the same is not
    /// counted, but named as only there.)
    #[must_use]
    pub fn twice(&self) -> u64 {
        self.twice
    }

    /// Names the keys that differ, ascending by database and name.
    pub fn differing(&self) -> impl Iterator<Item = Differing<'_>> {
        let of_first = names(&self.first)
            .map(|(db, key)| (db, key, How::OnlyFirst))
            .filter(|(db, key, _)| !has(&self.second, *db, key));
        let of_second = names(&self.second).map(|(db, key)| {
            let how = if has(&self.first, db, key) { How::Changed } else { How::OnlySecond };
            (db, key, how)
        });
        let mut all: Vec<_> = of_first.chain(of_second).collect();
        all.sort_unstable_by_key(|(db, key, _)| (*db, *key));
        all.into_iter().map(|(db, key, how)| Differing { db, key, how })
    }
}

fn has<D>(keys: &Keys<D>, db: u64, key: &[u8]) -> bool {
    keys.get(&db).is_some_and(|keys| keys.contains_key(key))
}

fn names<D>(keys: &Keys<D>) -> impl Iterator<Item = (u64, &[u8])> {
    keys.iter().flat_map(|(db, keys)| keys.keys().map(|key| (*db, &**key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_keeps_of_the_first_what_the_second_lacks() {
        let mut keys = KeyComparison::new();
        for (name, digest) in [("a", 1), ("b", 1), ("c", 1)] {
            keys.first(0, name.as_bytes(), digest);
        }
        for (db, name, digest) in [(0, "c", 1), (0, "b", 2), (1, "a", 1)] {
            keys.second(db, name.as_bytes(), digest);
        }
        let held = |keys: &Keys<_>| keys.values().map(HashMap::len).sum::<usize>();
        assert_eq!((held(&keys.first), held(&keys.second), keys.twice()), (2, 2, 0));
        let differ: Vec<_> = keys.differing().map(|d| (d.db, d.key, d.how)).collect();
        let want: [(u64, &[u8], How); 3] =
            [(0, b"a", How::OnlyFirst), (0, b"b", How::Changed), (1, b"a", How::OnlySecond)];
        assert_eq!(differ, want);
        keys.first(0, b"a", 1);
        assert_eq!(keys.twice(), 1);
    }

    #[test]
    fn every_key_that_differs_is_named_once_in_order() {
        let map = |keys: &[(u64, &str, u8)]| -> KeyDigests<u8> {
            keys.iter().map(|(db, key, d)| ((*db, key.as_bytes().to_vec()), *d)).collect()
        };
        let first = map(&[(0, "a", 1), (0, "b", 1), (0, "d", 1), (1, "a", 1), (2, "z", 1)]);
        let second = map(&[(0, "b", 1), (0, "c", 1), (0, "d", 2), (1, "a", 1), (1, "b", 1)]);
        let named = |a, b| -> Vec<(u64, String, How)> {
            let text = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
            differing_keys(a, b).map(|d| (d.db, text(d.key), d.how)).collect()
        };
        let want = |db, key: &str, how| (db, key.to_owned(), how);
        assert_eq!(
            named(&first, &second),
            [
                want(0, "a", How::OnlyFirst),
                want(0, "c", How::OnlySecond),
                want(0, "d", How::Changed),
                want(1, "b", How::OnlySecond),
                want(2, "z", How::OnlyFirst),
            ]
        );
        assert!(named(&first, &first).is_empty());
    }
}
