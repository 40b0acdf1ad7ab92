//! Which keys differ, by their digests.

use std::collections::BTreeMap;

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

#[cfg(test)]
mod tests {
    use super::*;

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
