//! Key patterns as `KEYS`, `SCAN ... MATCH` and `PSUBSCRIBE` understand them.

use std::fmt;

/// A key pattern that matches exactly what it matches in a server (x86, case-sensitive).
///
/// ```text
///  *            any bytes, also none, also `/` and line ends
///  ?            any one byte
///  [abc] [a-c]  one byte of these     [^abc]  one byte that is none of these
///  \x           the byte x itself, also inside brackets
/// ```
///
/// The corners (read in Redis 8.x, and compared with live servers from Redis 6.2 to Valkey 9.1):
///
/// - A range may be the wrong way round, and its bytes are *signed*: `[\x80-\x01]` holds 0. (A
///   server on ARM compares unsigned; there only ranges from below to above `80` differ.)
/// - `!` and braces mean nothing. `]` closes at once, so `[]` holds no byte and `[^]` any; but in
///   `[a-]` it is the end of the range, and the bracket is never closed.
/// - A bracket that is not closed ends with the pattern. A backslash at the end is itself.
/// - The empty key is matched by the empty pattern and by `*`, and not by `**`: servers know `*`
///   without looking at the key.
///
/// One thing is not copied: late servers (seen in Redis 8.x) give up on more than a thousand groups of
/// `*` and say no; here such a pattern matches what it means.
///
/// Matching takes no memory and no recursion. Its time is at worst the product of the two lengths,
/// for a pattern like `*aaaa...ab*`; several `*` add up, they do not multiply.
///
/// ```
/// use redkeep::select::Glob;
/// let glob = Glob::new("user:[0-9]*:{tag}");
/// assert!(glob.matches(b"user:1000/x:{tag}"));
/// assert!(!glob.matches(b"user:x:{tag}"));
/// assert_eq!(glob.prefix(), b"user:");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    pattern: Box<[u8]>,
    prefix: Box<[u8]>,
    shape: Shape,
}

/// The forms of a pattern, most of them one comparison.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Shape {
    /// `*` alone.
    All,
    /// More than one `*` and nothing else.
    NotEmpty,
    /// Some byte has to be in a set that holds none.
    Never,
    /// No `*`.
    Exact(Segment),
    /// Literal, then `*`.
    Prefix(Box<[u8]>),
    /// `*`, then literal.
    Suffix(Box<[u8]>),
    /// `first * middle * middle * last`, the outer ones maybe empty.
    Parts { first: Segment, middle: Box<[Segment]>, last: Segment },
}

/// What stands between two `*`: of a fixed length, which is why the leftmost place of each segment
/// is always a right one, and nothing has to be tried twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Literal(Box<[u8]>),
    Steps(Box<[Step]>),
}

/// What one byte has to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Byte(u8),
    Any,
    Set(Box<Set>),
}

impl Step {
    #[inline(always)]
    fn accepts(&self, byte: u8) -> bool {
        match self {
            Step::Byte(wanted) => *wanted == byte,
            Step::Any => true,
            Step::Set(set) => set.has(byte),
        }
    }

    /// The byte it has to be, where only one will do.
    fn byte(&self) -> Option<u8> {
        match self {
            Step::Byte(byte) => Some(*byte),
            Step::Any | Step::Set(_) => None,
        }
    }
}

/// A set of bytes, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set([u64; 4]);

impl Set {
    #[inline(always)]
    fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    fn add(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    /// From either end to the other, as signed bytes.
    fn add_range(&mut self, a: u8, b: u8) {
        let (a, b) = (a.cast_signed(), b.cast_signed());
        for byte in a.min(b)..=a.max(b) {
            self.add(byte.cast_unsigned());
        }
    }

    fn inverted(self) -> Set {
        Set(self.0.map(|word| !word))
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The simplest step that accepts these; `None` if there are none.
    fn into_step(self) -> Option<Step> {
        match self.len() {
            0 => None,
            1 => (0..=255).find(|byte| self.has(*byte)).map(Step::Byte),
            256 => Some(Step::Any),
            _ => Some(Step::Set(Box::new(self))),
        }
    }
}

/// Reads a set behind its `[` and passes its `]`.
fn read_set(rest: &mut &[u8]) -> Set {
    let mut set = Set::default();
    let negated = rest.first() == Some(&b'^');
    if negated {
        *rest = rest.get(1..).unwrap_or_default();
    }
    loop {
        // The order of these matters: `[\]` is an escape, `[a-]` a range.
        *rest = match *rest {
            [b'\\', escaped, tail @ ..] => {
                set.add(*escaped);
                tail
            }
            [b']', tail @ ..] => {
                *rest = tail;
                break;
            }
            [start, b'-', end, tail @ ..] => {
                set.add_range(*start, *end);
                tail
            }
            [byte, tail @ ..] => {
                set.add(*byte);
                tail
            }
            [] => break,
        };
    }
    if negated { set.inverted() } else { set }
}

impl Segment {
    fn new(steps: Vec<Step>) -> Segment {
        match steps.iter().map(Step::byte).collect::<Option<Box<[u8]>>>() {
            Some(literal) => Segment::Literal(literal),
            None => Segment::Steps(steps.into()),
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        match self {
            Segment::Literal(literal) => literal.len(),
            Segment::Steps(steps) => steps.len(),
        }
    }

    /// Whether it is all of these bytes.
    #[inline(always)]
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        match self {
            // No memcmp of nothing: an empty box points nowhere, and glibc's AVX-512 memcmp needs
            // 200 ns to find that it need not look there.
            Segment::Literal(literal) if literal.is_empty() => bytes.is_empty(),
            Segment::Literal(literal) => **literal == *bytes,
            Segment::Steps(steps) => {
                steps.len() == bytes.len()
                    && steps.iter().zip(bytes).all(|(step, byte)| step.accepts(*byte))
            }
        }
    }

    /// What follows the first place where it is.
    #[inline(always)]
    pub(crate) fn find<'k>(&self, bytes: &'k [u8]) -> Option<&'k [u8]> {
        match self {
            Segment::Literal(literal) => {
                let (first, others) = literal.split_first()?;
                // Further right there is no room for it.
                let places = bytes.len().checked_sub(others.len())?;
                let found = |at: &usize| {
                    bytes.get(*at) == Some(first)
                        && bytes.get(at + 1..).is_some_and(|after| after.starts_with(others))
                };
                bytes.get((0..places).find(found)? + literal.len()..)
            }
            Segment::Steps(steps) => {
                let mut windows = bytes.windows(steps.len().max(1));
                bytes.get(windows.position(|window| self.is(window))? + steps.len()..)
            }
        }
    }

    fn literal(&self) -> Option<&[u8]> {
        match self {
            Segment::Literal(literal) => Some(literal),
            Segment::Steps(_) => None,
        }
    }
}

/// What stands between the `*`s of a pattern, always one more than those; `None` where some byte has
/// to be in a set that holds none.
pub(crate) fn segments(pattern: &[u8]) -> Option<Vec<Segment>> {
    let (mut rest, mut steps, mut segments) = (pattern, Vec::new(), Vec::new());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        steps.push(match byte {
            b'*' => {
                segments.push(Segment::new(std::mem::take(&mut steps)));
                continue;
            }
            b'?' => Step::Any,
            b'[' => read_set(&mut rest).into_step()?,
            b'\\' => match rest.split_first() {
                Some((&escaped, tail)) => {
                    rest = tail;
                    Step::Byte(escaped)
                }
                None => Step::Byte(b'\\'),
            },
            byte => Step::Byte(byte),
        });
    }
    segments.push(Segment::new(steps));
    Some(segments)
}

impl Shape {
    fn of(pattern: &[u8]) -> Shape {
        if pattern == b"*" {
            return Shape::All;
        }
        let Some(mut segments) = segments(pattern) else { return Shape::Never };
        let Some(last) = segments.pop() else { return Shape::Never };
        let mut segments = segments.into_iter();
        let Some(first) = segments.next() else { return Shape::Exact(last) };
        // Between two neighbouring `*` there is nothing to find.
        let middle: Box<[Segment]> = segments.filter(|segment| segment.len() > 0).collect();
        match (first.literal(), &*middle, last.literal()) {
            (Some([]), [], Some([])) => Shape::NotEmpty,
            (Some(prefix), [], Some([])) => Shape::Prefix(prefix.into()),
            (Some([]), [], Some(suffix)) => Shape::Suffix(suffix.into()),
            _ => Shape::Parts { first, middle, last },
        }
    }

    /// The literal bytes that it begins with.
    fn prefix(&self) -> Box<[u8]> {
        match self {
            Shape::Prefix(prefix) => prefix.clone(),
            Shape::Exact(first) | Shape::Parts { first, .. } => match first {
                Segment::Literal(literal) => literal.clone(),
                Segment::Steps(steps) => steps.iter().map_while(Step::byte).collect(),
            },
            Shape::All | Shape::NotEmpty | Shape::Never | Shape::Suffix(_) => Box::default(),
        }
    }
}

impl Glob {
    /// A pattern; every sequence of bytes is one.
    #[must_use]
    pub fn new(pattern: impl AsRef<[u8]>) -> Glob {
        let pattern = pattern.as_ref();
        let shape = Shape::of(pattern);
        Glob { pattern: pattern.into(), prefix: shape.prefix(), shape }
    }

    /// Whether a key is one of those meant.
    #[inline]
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        match &self.shape {
            Shape::Prefix(prefix) => key.starts_with(prefix),
            Shape::Suffix(suffix) => key.ends_with(suffix),
            Shape::All => true,
            Shape::NotEmpty => !key.is_empty(),
            Shape::Never => false,
            Shape::Exact(segment) => segment.is(key),
            Shape::Parts { first, middle, last } => parts_match(first, middle, last, key),
        }
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &[u8] {
        &self.pattern
    }

    /// What every key that matches begins with; empty where that is not known.
    ///
    /// ```
    /// use redkeep::select::Glob;
    /// assert_eq!(Glob::new("user:*:x").prefix(), b"user:");
    /// assert_eq!(Glob::new("us[e]r\\*?").prefix(), b"user*");
    /// ```
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The one key that it matches, where there is only one.
    pub(crate) fn as_exact(&self) -> Option<&[u8]> {
        match &self.shape {
            Shape::Exact(segment) => segment.literal(),
            _ => None,
        }
    }

    /// The prefix that is all it asks for.
    pub(crate) fn as_prefix(&self) -> Option<&[u8]> {
        match &self.shape {
            Shape::Prefix(prefix) => Some(prefix),
            _ => None,
        }
    }
}

/// The outer segments have their places; the others go as far left as they can.
#[inline(never)]
fn parts_match(first: &Segment, middle: &[Segment], last: &Segment, key: &[u8]) -> bool {
    let Some((front, rest)) = key.split_at_checked(first.len()) else { return false };
    let Some(inner) = rest.len().checked_sub(last.len()) else { return false };
    let Some((mut rest, back)) = rest.split_at_checked(inner) else { return false };
    if !first.is(front) || !last.is(back) {
        return false;
    }
    for segment in middle {
        match segment.find(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// The pattern, escaped.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pattern.escape_ascii())
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// The servers' algorithm, word for word, with the zero byte behind every string and without
    /// the bounds on runs of `*`.
    fn naive(mut p: &[u8], mut s: &[u8]) -> bool {
        while !p.is_empty() && !s.is_empty() {
            match p[0] {
                b'*' => {
                    while p.get(1) == Some(&b'*') {
                        p = &p[1..];
                    }
                    if p.len() == 1 {
                        return true;
                    }
                    while !s.is_empty() {
                        if naive(&p[1..], s) {
                            return true;
                        }
                        s = &s[1..];
                    }
                    return false;
                }
                b'?' => s = &s[1..],
                b'[' => {
                    p = &p[1..];
                    let not = p.first() == Some(&b'^');
                    if not {
                        p = &p[1..];
                    }
                    let mut matched = false;
                    let closed = loop {
                        if p.len() >= 2 && p[0] == b'\\' {
                            p = &p[1..];
                            matched |= p[0] == s[0];
                        } else if p.first() == Some(&b']') {
                            break true;
                        } else if p.is_empty() {
                            break false;
                        } else if p.len() >= 3 && p[1] == b'-' {
                            let (mut start, mut end) = (p[0] as i8, p[2] as i8);
                            if start > end {
                                (start, end) = (end, start);
                            }
                            p = &p[2..];
                            matched |= (start..=end).contains(&(s[0] as i8));
                        } else {
                            matched |= p[0] == s[0];
                        }
                        p = &p[1..];
                    };
                    if matched == not {
                        return false;
                    }
                    s = &s[1..];
                    if !closed {
                        return s.is_empty();
                    }
                }
                other => {
                    let literal = match p {
                        [b'\\', _, ..] => {
                            p = &p[1..];
                            p[0]
                        }
                        _ => other,
                    };
                    if literal != s[0] {
                        return false;
                    }
                    s = &s[1..];
                }
            }
            p = &p[1..];
            if s.is_empty() {
                while p.first() == Some(&b'*') {
                    p = &p[1..];
                }
                break;
            }
        }
        p.is_empty() && s.is_empty()
    }

    /// A pattern, keys that it matches, keys that it does not.
    type Case = (&'static [u8], &'static [&'static [u8]], &'static [&'static [u8]]);

    #[test]
    fn each_corner_is_the_servers() {
        let cases: &[Case] = &[
            (b"", &[b""], &[b"a", b"*"]),
            (b"*", &[b"", b"a", b"a/b\n", b"\0\xff"], &[]),
            (b"**", &[b"a", b"ab"], &[b""]),
            (b"?", &[b"a", b"*", b"\xff", b"\n"], &[b"", b"aa"]),
            (b"?*", &[b"a", b"ab"], &[b""]),
            (b"user:*", &[b"user:", b"user:1/2"], &[b"user", b"User:1", b"xuser:1"]),
            (b"*:s", &[b":s", b"a:s", b":s:s"], &[b"s", b":s:", b""]),
            (b"a*", &[b"a", b"ab"], &[b"", b"ba"]),
            (b"a**", &[b"a", b"ab"], &[b"b"]),
            (b"a*b*c", &[b"abc", b"axbxc", b"abcbc"], &[b"acb", b"ab", b"ac", b"bac"]),
            (b"a*a", &[b"aa", b"axa"], &[b"a"]),
            (b"*ab*ab*", &[b"abab", b"xabyabz"], &[b"aab", b"ab"]),
            (b"*aab", &[b"aaab", b"aab"], &[b"ab", b"aaba"]),
            (b"h[ae]llo", &[b"hallo", b"hello"], &[b"hillo", b"hllo", b"haello"]),
            (b"[a-c]", &[b"a", b"b", b"c"], &[b"d", b"-", b"ab"]),
            (b"[c-a]", &[b"a", b"b", b"c"], &[b"d", b"-"]),
            (b"[^a]", &[b"b", b"^", b"\xff"], &[b"a", b""]),
            (b"[!a]", &[b"!", b"a"], &[b"b"]),
            (b"[]", &[], &[b"", b"]", b"[]", b"a"]),
            (b"[]a]", &[], &[b"]", b"a", b"a]", b"]a]"]),
            (b"[^]", &[b"a", b"]", b"\0"], &[b"", b"ab"]),
            (b"[", &[], &[b"", b"[", b"a"]),
            (b"a[", &[], &[b"a", b"a["]),
            (b"[^", &[b"a", b"^", b"["], &[b"", b"ab"]),
            (b"[ab", &[b"a", b"b"], &[b"c", b"[ab"]),
            (b"x[a*", &[b"xa", b"x*"], &[b"xab", b"x"]),
            (b"[a-", &[b"a", b"-"], &[b"b"]),
            (b"[a-]", &[b"a", b"]", b"_"], &[b"-", b"b"]),
            (b"[-a]", &[b"-", b"a"], &[b"b"]),
            (b"[a-c-e]", &[b"a", b"c", b"-", b"e"], &[b"d"]),
            (b"[a-\\]]", &[b"a]", b"\\]", b"]]", b"_]"], &[b"a", b"b]"]),
            (b"[\\]]", &[b"]"], &[b"\\", b"\\]"]),
            (b"[\\", &[b"\\"], &[b"["]),
            (b"[\\]", &[b"]"], &[b"\\"]),
            (b"[\\a-c]", &[b"a", b"-", b"c"], &[b"b", b"\\"]),
            (b"\\", &[b"\\"], &[b"", b"a"]),
            (b"a\\", &[b"a\\"], &[b"a"]),
            (b"\\*", &[b"*"], &[b"a", b"\\*", b""]),
            (b"\\[a]", &[b"[a]"], &[b"a"]),
            (b"\\a", &[b"a"], &[b"\\a"]),
            (b"{a,b}", &[b"{a,b}"], &[b"a", b"b"]),
            // Signed: from -128 to 1, which is 80 to ff, then 00 and 01.
            (b"[\x80-\x01]", &[b"\x80", b"\xff", b"\0", b"\x01"], &[b"\x02", b"\x7f"]),
            (b"[a-\xff]", &[b"\xff", b"\0", b"A", b"a"], &[b"b", b"\x80", b"\xfe"]),
        ];
        for (pattern, yes, no) in cases {
            let glob = Glob::new(pattern);
            for (keys, expected) in [(yes, true), (no, false)] {
                for key in *keys {
                    let what = format!("{glob} {}", key.escape_ascii());
                    assert_eq!(glob.matches(key), expected, "{what}");
                    if *pattern != b"*" {
                        assert_eq!(naive(pattern, key), expected, "the port: {what}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_catastrophic_pattern_takes_no_longer_than_the_product_of_the_lengths() {
        let key = vec![b'a'; 1 << 20];
        let started = std::time::Instant::now();
        assert!(!Glob::new("a*".repeat(500) + "b").matches(&key));
        assert!(!Glob::new("a*".repeat(500) + "b*").matches(&key));
        assert!(!Glob::new("a*".repeat(100_000) + "b*").matches(&key));
        assert!(!Glob::new("*[ab]?".repeat(300) + "*c*").matches(&key));
        assert!(!Glob::new(format!("*{}b*", "a".repeat(1000))).matches(&key));
        assert!(Glob::new("a*".repeat(500) + "a").matches(&key));
        // More groups than late servers try.
        assert!(Glob::new("*a".repeat(2000)).matches(&key));
        // The naive way would take longer than the universe lasts.
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    }

    fn byte() -> impl Strategy<Value = u8> {
        select(b"ab*?[]^-\\\x80\xff\0".as_slice())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn it_is_the_naive_port_on_everything_but_the_lone_star(
            pattern in vec(byte(), 0..12),
            keys in vec(vec(byte(), 0..8), 1..8),
        ) {
            let glob = Glob::new(&pattern);
            for key in keys {
                let expected = pattern == b"*" || naive(&pattern, &key);
                prop_assert_eq!(glob.matches(&key), expected, "{} {}", glob, key.escape_ascii());
                if expected {
                    prop_assert!(key.starts_with(glob.prefix()));
                }
            }
        }

        #[test]
        fn a_key_made_from_a_pattern_matches_it(
            segments in vec(vec(select(b"abc\xff".as_slice()), 0..4), 1..6),
            fill in vec(select(b"ab*c".as_slice()), 0..6),
        ) {
            let glob = Glob::new(segments.join(&b'*'));
            prop_assert!(segments.concat().is_empty() || glob.matches(&segments.join(&fill[..])));
        }
    }
}
