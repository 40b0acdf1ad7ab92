//! Ways to name keys, and many of them as one set.

use crate::select::glob::Glob;
use foldhash::fast::RandomState;
use std::collections::HashSet;

/// One way to name keys.
///
/// Keys are bytes: nothing has to be text, and case matters.
///
/// ```
/// use redkeep::select::{Condition, KeyPattern};
/// let named = Condition::keys([
///     KeyPattern::exact("counter"),
///     KeyPattern::prefix(b"bin:\xff"),
///     KeyPattern::glob("user:[0-9]*"),
/// ]);
/// # drop(named);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPattern {
    /// This key.
    Exact(Box<[u8]>),
    /// Keys that begin so; the empty prefix is every key.
    Prefix(Box<[u8]>),
    /// Keys that `KEYS` would list.
    Glob(Glob),
    /// Keys in which the expression is found somewhere.
    #[cfg(feature = "regex")]
    Regex(KeyRegex),
}

impl KeyPattern {
    /// This key and no other. A list of a million is as fast as one.
    #[must_use]
    pub fn exact(key: impl AsRef<[u8]>) -> KeyPattern {
        KeyPattern::Exact(key.as_ref().into())
    }

    /// Keys that begin so.
    #[must_use]
    pub fn prefix(prefix: impl AsRef<[u8]>) -> KeyPattern {
        KeyPattern::Prefix(prefix.as_ref().into())
    }

    /// Keys that `KEYS` would list for this pattern.
    #[must_use]
    pub fn glob(pattern: impl AsRef<[u8]>) -> KeyPattern {
        KeyPattern::Glob(Glob::new(pattern))
    }

    /// Keys in which a regular expression is found somewhere; see [`KeyRegex`].
    ///
    /// ```
    /// use redkeep::select::KeyPattern;
    /// assert!(KeyPattern::regex(r"^user:\d+$").is_ok());
    /// assert!(KeyPattern::regex("(").unwrap_err().to_string().contains("unclosed group"));
    /// ```
    ///
    /// # Errors
    /// [`BadRegex`] says what is wrong with the expression.
    #[cfg(feature = "regex")]
    pub fn regex(expression: &str) -> Result<KeyPattern, BadRegex> {
        KeyRegex::new(expression).map(KeyPattern::Regex)
    }
}

/// A regular expression over the bytes of keys (feature `regex`).
///
/// The syntax is that of the crate `regex`, without Unicode: `.` is any byte but a line end, `\d`
/// and `\w` are ASCII, `\xff` is that byte. It is sought anywhere in the key; `^` and `$` bind it.
/// Time is linear in the key's length, whatever the expression.
///
/// ```
/// use redkeep::select::KeyRegex;
/// let regex = KeyRegex::new(r"^user:\d+(:\xff)?$")?;
/// assert!(regex.matches(b"user:17:\xff"));
/// assert!(!regex.matches(b"user:x"));
/// # Ok::<(), redkeep::select::BadRegex>(())
/// ```
#[cfg(feature = "regex")]
#[derive(Debug, Clone)]
pub struct KeyRegex(regex::bytes::Regex);

#[cfg(feature = "regex")]
impl KeyRegex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`BadRegex`] says what is wrong with it, or that it would grow too big.
    pub fn new(expression: &str) -> Result<KeyRegex, BadRegex> {
        let regex = regex::bytes::RegexBuilder::new(expression).unicode(false).build();
        regex.map(KeyRegex).map_err(|error| BadRegex(error.to_string()))
    }

    /// Whether it is found in a key.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        self.0.is_match(key)
    }

    /// The key with the first match replaced, `$1` and `${name}` in the replacement standing for
    /// groups; `None` where there is no match.
    pub(crate) fn replaced(&self, key: &[u8], with: &[u8]) -> Option<Vec<u8>> {
        let groups = self.0.captures(key)?;
        let found = groups.get(0)?;
        let mut new = key.get(..found.start())?.to_vec();
        groups.expand(with, &mut new);
        new.extend_from_slice(key.get(found.end()..)?);
        Some(new)
    }

    /// The expression as it was given.
    #[must_use]
    pub fn expression(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(feature = "regex")]
impl PartialEq for KeyRegex {
    fn eq(&self, other: &KeyRegex) -> bool {
        self.expression() == other.expression()
    }
}

#[cfg(feature = "regex")]
impl Eq for KeyRegex {}

/// A regular expression that could not be compiled.
#[cfg(feature = "regex")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a regular expression that can be used: {0}")]
pub struct BadRegex(String);

/// Alternatives, sorted so that the usual ones cost one look-up together.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySet {
    /// Every key is in it.
    all: bool,
    exact: HashSet<Box<[u8]>, RandomState>,
    /// Sorted, and none begins with another: a key's own is the last that is not above the key.
    prefixes: Vec<Box<[u8]>>,
    globs: Vec<Glob>,
    #[cfg(feature = "regex")]
    regexes: Vec<KeyRegex>,
}

impl KeySet {
    pub(crate) fn new(patterns: Vec<KeyPattern>) -> KeySet {
        let mut set = KeySet::default();
        for pattern in patterns {
            match pattern {
                KeyPattern::Exact(key) => _ = set.exact.insert(key),
                KeyPattern::Prefix(prefix) => set.prefixes.push(prefix),
                KeyPattern::Glob(glob) => match (glob.as_exact(), glob.as_prefix()) {
                    (Some(key), _) => _ = set.exact.insert(key.into()),
                    (_, Some(prefix)) => set.prefixes.push(prefix.into()),
                    _ => set.globs.push(glob),
                },
                #[cfg(feature = "regex")]
                KeyPattern::Regex(regex) => set.regexes.push(regex),
            }
        }
        set.all |= set.prefixes.iter().any(|prefix| prefix.is_empty());
        set.prefixes.retain(|prefix| !prefix.is_empty());
        set.prefixes.sort_unstable();
        set.prefixes.dedup_by(|later, earlier| later.starts_with(earlier));
        set
    }

    #[inline(always)]
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.all
            || !self.exact.is_empty() && self.exact.contains(key)
            || self.has_prefix_of(key)
            || self.globs.iter().any(|glob| glob.matches(key))
            || self.has_regex_for(key)
    }

    fn has_prefix_of(&self, key: &[u8]) -> bool {
        let above = self.prefixes.partition_point(|prefix| **prefix <= *key);
        let candidate = above.checked_sub(1).and_then(|at| self.prefixes.get(at));
        candidate.is_some_and(|prefix| key.starts_with(prefix))
    }

    #[cfg(feature = "regex")]
    fn has_regex_for(&self, key: &[u8]) -> bool {
        self.regexes.iter().any(|regex| regex.matches(key))
    }

    #[cfg(not(feature = "regex"))]
    #[allow(clippy::unused_self)]
    fn has_regex_for(&self, _key: &[u8]) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn has(patterns: impl IntoIterator<Item = KeyPattern>, key: &str) -> bool {
        KeySet::new(patterns.into_iter().collect()).has(key.as_bytes())
    }

    #[test]
    fn any_alternative_is_enough_and_none_is_none() {
        let patterns = [
            KeyPattern::exact("counter"),
            KeyPattern::prefix("user:"),
            KeyPattern::glob("a*z"),
            KeyPattern::glob("lit\\*eral"),
            KeyPattern::glob("pre*"),
        ];
        for key in ["counter", "user:", "user:1", "az", "a-z", "lit*eral", "pre", "prefix"] {
            assert!(has(patterns.clone(), key), "{key}");
        }
        for key in ["counter1", "user", "b", "za", "literal", "", "xpre"] {
            assert!(!has(patterns.clone(), key), "{key}");
        }
        assert!(!has([], ""));
        assert!(has([KeyPattern::prefix("")], ""));
        assert!(has([KeyPattern::glob("*")], ""));
    }

    #[cfg(feature = "regex")]
    #[test]
    fn a_regex_is_over_bytes_and_not_bound() {
        let regex = |text| KeyPattern::regex(text).unwrap();
        assert!(has([regex("b")], "abc"));
        assert!(!has([regex("^b")], "abc"));
        assert!(has([regex("^b"), regex("c$")], "abc"));
        assert!(KeySet::new(vec![regex(r"^\xff.$")]).has(b"\xff\x80"));
        assert!(!KeySet::new(vec![regex(r"\w")]).has("é".as_bytes()));
        assert_eq!(regex("a"), regex("a"));
        assert!(KeyPattern::regex("a{1000}{1000}{1000}").is_err(), "too big is an error");
    }

    proptest! {
        #[test]
        fn many_prefixes_are_what_each_is_alone(
            prefixes in vec(vec(select(b"ab\xff".as_slice()), 0..5), 0..12),
            keys in vec(vec(select(b"ab\xff".as_slice()), 0..7), 1..20),
        ) {
            let set = KeySet::new(prefixes.iter().map(KeyPattern::prefix).collect());
            for key in keys {
                let expected = prefixes.iter().any(|prefix| key.starts_with(prefix));
                prop_assert_eq!(set.has(&key), expected);
            }
        }
    }
}
