//! Rules by which keys get other names.

use crate::error::{Error, Result};
#[cfg(feature = "regex")]
use crate::select::key::KeyRegex;
use crate::select::transform::stars::Stars;

/// A rule by which some keys get another name.
///
/// ```
/// use redkeep::select::Rename;
/// let moved = Rename::prefix("session:", "archive:session:");
/// let turned = Rename::glob("user:*:cart:*", "cart:*:of:*")?;
/// assert_eq!(moved.apply(b"session:7").as_deref(), Some(&b"archive:session:7"[..]));
/// assert_eq!(turned.apply(b"user:7:cart:9").as_deref(), Some(&b"cart:7:of:9"[..]));
/// assert_eq!(turned.apply(b"user:7"), None);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rename(Rule);

#[derive(Debug, Clone)]
enum Rule {
    Prefix {
        old: Box<[u8]>,
        new: Box<[u8]>,
    },
    Glob {
        stars: Stars,
        replacement: Vec<Piece>,
    },
    #[cfg(feature = "regex")]
    Regex {
        regex: KeyRegex,
        replacement: Box<[u8]>,
    },
}

/// A piece of what replaces a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Star,
}

impl Rename {
    /// Keys that begin with `old` begin with `new` instead. An empty `old` puts `new` in front of
    /// every key; an empty `new` takes `old` away.
    #[must_use]
    pub fn prefix(old: impl AsRef<[u8]>, new: impl AsRef<[u8]>) -> Rename {
        Rename(Rule::Prefix { old: old.as_ref().into(), new: new.as_ref().into() })
    }

    /// Keys that match a pattern (see [`Glob`](crate::select::Glob)) are named anew: each `*` of the
    /// replacement stands for what the `*` at the same place in the pattern stood for. What `?` and
    /// brackets stood for is not kept.
    ///
    /// A `*` of the pattern is as short as it can be, from the left, and the last takes what is left.
    /// In the replacement `\*` is a star itself, and `\\` a backslash.
    ///
    /// # Errors
    /// `Usage` when the replacement has more `*` than the pattern.
    pub fn glob(pattern: impl AsRef<[u8]>, replacement: impl AsRef<[u8]>) -> Result<Rename> {
        let stars = Stars::new(pattern.as_ref());
        let replacement = pieces(replacement.as_ref());
        let wanted = replacement.iter().filter(|piece| **piece == Piece::Star).count();
        if wanted > stars.count() {
            return Err(Error::usage(format!(
                "a replacement with more stars ({wanted}) than its pattern has ({})",
                stars.count()
            )));
        }
        Ok(Rename(Rule::Glob { stars, replacement }))
    }

    /// In keys in which a regular expression is found, the first match is replaced; `$1` and
    /// `${name}` in the replacement stand for groups, `$$` for a dollar. `^` and `$` bind the
    /// expression to the whole key. For the syntax see [`KeyRegex`].
    ///
    /// ```
    /// use redkeep::select::Rename;
    /// let rule = Rename::regex(r"^user:(\d+)$", "u/${1}/")?;
    /// assert_eq!(rule.apply(b"user:17").as_deref(), Some(&b"u/17/"[..]));
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when the expression cannot be used.
    #[cfg(feature = "regex")]
    pub fn regex(expression: &str, replacement: impl AsRef<[u8]>) -> Result<Rename> {
        let regex = KeyRegex::new(expression).map_err(|bad| Error::usage(bad.to_string()))?;
        Ok(Rename(Rule::Regex { regex, replacement: replacement.as_ref().into() }))
    }

    /// The key's other name; `None` where the rule does not apply to it.
    #[must_use]
    pub fn apply(&self, key: &[u8]) -> Option<Vec<u8>> {
        match &self.0 {
            Rule::Prefix { old, new } => Some([new, key.strip_prefix(&**old)?].concat()),
            Rule::Glob { stars, replacement } => {
                let mut stars = stars.capture(key)?.into_iter();
                let mut name = Vec::new();
                for piece in replacement {
                    name.extend_from_slice(match piece {
                        Piece::Literal(literal) => literal,
                        Piece::Star => stars.next().unwrap_or_default(),
                    });
                }
                Some(name)
            }
            #[cfg(feature = "regex")]
            Rule::Regex { regex, replacement } => regex.replaced(key, replacement),
        }
    }

    /// Whether it applies to every key and never gives two the same name.
    pub(crate) fn is_one_to_one(&self) -> bool {
        matches!(&self.0, Rule::Prefix { old, .. } if old.is_empty())
    }
}

/// Takes a replacement apart.
fn pieces(replacement: &[u8]) -> Vec<Piece> {
    let (mut pieces, mut literal) = (Vec::new(), Vec::new());
    let mut bytes = replacement.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' => pieces.extend([Piece::Literal(std::mem::take(&mut literal)), Piece::Star]),
            b'\\' => literal.push(bytes.next().unwrap_or(b'\\')),
            byte => literal.push(byte),
        }
    }
    pieces.push(Piece::Literal(literal));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(rule: &Rename, key: &str) -> Option<String> {
        rule.apply(key.as_bytes()).map(|name| String::from_utf8(name).unwrap())
    }

    #[test]
    fn a_prefix_is_replaced_added_or_taken_away() {
        for (old, new, key, name) in [
            ("a:", "b:", "a:1", Some("b:1")),
            ("a:", "b:", "ba:1", None),
            ("", "x:", "a", Some("x:a")),
            ("a:", "", "a:1", Some("1")),
            ("a:", "b:", "a:", Some("b:")),
        ] {
            assert_eq!(renamed(&Rename::prefix(old, new), key).as_deref(), name, "{key}");
        }
    }

    #[test]
    fn stars_of_a_replacement_are_those_of_the_pattern_in_order() {
        for (pattern, replacement, key, name) in [
            ("a:*:b:*", "*/*", "a:1:b:2", Some("1/2")),
            ("a:*:b:*", "*", "a:1:b:2", Some("1")),
            ("a:*", r"\*\\*", "a:1", Some(r"*\1")),
            ("plain", "other", "plain", Some("other")),
            ("a?c*", "*", "abcd", Some("d")),
            ("a:*", r"end\", "a:1", Some(r"end\")),
            ("a:*", "b", "c:1", None),
        ] {
            let rule = Rename::glob(pattern, replacement).unwrap();
            assert_eq!(renamed(&rule, key).as_deref(), name, "{pattern} {key}");
        }
        assert!(Rename::glob("a*", "**").is_err());
        assert!(Rename::glob("[]*", "*").is_err(), "such a pattern matches no key");
    }

    #[cfg(feature = "regex")]
    #[test]
    fn a_regex_replaces_its_first_match() {
        let rule = Rename::regex(r"(\d)(?<next>\d)", "<${next}$1>").unwrap();
        assert_eq!(renamed(&rule, "a12b34").as_deref(), Some("a<21>b34"));
        assert_eq!(renamed(&rule, "a1b"), None);
        assert!(Rename::regex("(", "").is_err());
    }
}
