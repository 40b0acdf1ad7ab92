//! What the stars of a pattern stood for.

use crate::select::glob::{Glob, Segment, segments};

/// A pattern that says what each of its `*` stands for in a key.
///
/// Each is as short as it can be, from the left; the last takes what is left. That is how keys are
/// matched too, so a key that matches always has an answer, and only one.
#[derive(Debug, Clone)]
pub(crate) struct Stars {
    glob: Glob,
    /// What stands between the stars, outer ones included; empty for a pattern that matches nothing.
    segments: Vec<Segment>,
}

impl Stars {
    pub(crate) fn new(pattern: &[u8]) -> Stars {
        Stars { glob: Glob::new(pattern), segments: segments(pattern).unwrap_or_default() }
    }

    /// How many stars there are.
    pub(crate) fn count(&self) -> usize {
        self.segments.len().saturating_sub(1)
    }

    /// What they stand for, in order; `None` where the key does not match.
    pub(crate) fn capture<'k>(&self, key: &'k [u8]) -> Option<Vec<&'k [u8]>> {
        if !self.glob.matches(key) {
            return None;
        }
        let Some((first, [middle @ .., last])) = self.segments.split_first() else {
            return Some(Vec::new());
        };
        let mut rest = key.get(first.len()..)?;
        rest = rest.get(..rest.len().checked_sub(last.len())?)?;
        let mut stars = Vec::with_capacity(self.count());
        for segment in middle {
            let after = match segment.len() {
                0 => rest,
                _ => segment.find(rest)?,
            };
            stars.push(rest.get(..rest.len() - after.len() - segment.len())?);
            rest = after;
        }
        stars.push(rest);
        Some(stars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn captured(pattern: &str, key: &str) -> Option<Vec<String>> {
        let stars = Stars::new(pattern.as_bytes()).capture(key.as_bytes())?;
        Some(stars.into_iter().map(|star| String::from_utf8(star.to_vec()).unwrap()).collect())
    }

    #[test]
    fn stars_are_short_from_the_left_and_the_last_takes_the_rest() {
        for (pattern, key, stars) in [
            ("user:*", "user:1:x", &["1:x"][..]),
            ("*:*", "a:b:c", &["a", "b:c"]),
            ("*:*:*", "a:b:c:d", &["a", "b", "c:d"]),
            ("a*b*", "abbb", &["", "bb"]),
            ("*b", "abb", &["ab"]),
            ("**", "ab", &["", "ab"]),
            ("x[0-9]*?", "x1abc", &["ab"]),
            ("plain", "plain", &[]),
            ("*", "", &[""]),
        ] {
            let stars: Vec<String> = stars.iter().map(ToString::to_string).collect();
            assert_eq!(captured(pattern, key), Some(stars), "{pattern} {key}");
        }
        assert_eq!(captured("user:*", "cart:1"), None);
        assert_eq!(captured("[]", ""), None);
    }

    proptest! {
        #[test]
        fn stars_and_what_is_between_them_are_the_key(
            pieces in vec(vec(select(b"abc".as_slice()), 0..3), 1..5),
            key in vec(select(b"abc".as_slice()), 0..12),
        ) {
            let pattern = pieces.join(&b'*');
            let matches = Glob::new(&pattern).matches(&key);
            let stars = Stars::new(&pattern).capture(&key);
            prop_assert_eq!(stars.is_some(), matches);
            if let Some(stars) = stars {
                let mut joined = pieces[0].clone();
                for (star, piece) in stars.iter().zip(&pieces[1..]) {
                    joined.extend_from_slice(star);
                    joined.extend_from_slice(piece);
                }
                prop_assert_eq!((joined, stars.len()), (key, pieces.len() - 1));
            }
        }
    }
}
