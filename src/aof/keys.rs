//! Which arguments of a command are keys.

use crate::aof::resp::{Args, Command};
use crate::wire::number::parse_integer;

/// Where the keys of a command stand. Places count from 0, the name; negative ones from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// It has none, or works on a whole database.
    None,
    /// From the first place to the last, every so many.
    Range { first: u8, last: i8, step: u8 },
    /// A number at this place, and so many keys behind it, every so many places.
    Counted { number: u8, step: u8 },
    /// One at place 1, and a number at place 2 with so many keys behind it.
    OneAndCounted,
    /// One at place 1, and one behind each of these words.
    OneAndBehind(&'static [&'static str]),
    /// MIGRATE: one at place 3, or if that is empty all behind the word KEYS.
    Migrate,
    /// XREADGROUP: the first half of what is behind the word STREAMS.
    Streams,
}

/// The keys among the arguments of a command, in their order.
///
/// ```
/// use redkeep::aof::{Command, CommandSpec};
/// let raw = b"*5\r\n$11\r\nZUNIONSTORE\r\n$3\r\ndst\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\nb\r\n";
/// let command = Command::parse(raw)?;
/// let spec = CommandSpec::of(&command).unwrap();
/// assert_eq!(spec.keys(command).collect::<Vec<_>>(), [&b"dst"[..], b"a", b"b"]);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Keys<'a> {
    args: Args<'a>,
    /// The place of the next argument.
    at: usize,
    /// A key before the others.
    one: Option<usize>,
    /// The others: from, up to and without, every so many.
    from: usize,
    until: usize,
    step: usize,
    /// Words behind which one stands.
    words: &'static [&'static str],
    /// The argument before was such a word.
    behind: bool,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(command: Command<'a>, pattern: Pattern) -> Keys<'a> {
        let len = command.len();
        let mut keys = Keys {
            args: command.args(),
            at: 0,
            one: None,
            from: 0,
            until: 0,
            step: 1,
            words: &[],
            behind: false,
        };
        match pattern {
            Pattern::None => {}
            Pattern::Range { first, last, step } => {
                let (back, last) = (last < 0, usize::from(last.unsigned_abs()));
                let last = if back { len.checked_sub(last) } else { Some(last) };
                keys.span(first.into(), last.map_or(0, |last| last + 1), step.into());
            }
            Pattern::Counted { number, step } => keys.counted(command, number.into(), step.into()),
            Pattern::OneAndCounted => {
                keys.one = Some(1);
                keys.counted(command, 2, 1);
            }
            Pattern::OneAndBehind(words) => (keys.one, keys.words) = (Some(1), words),
            Pattern::Migrate => match command.get(3) {
                Some(b"") => {
                    let word = command.args().skip(4).position(|arg| is(arg, "KEYS"));
                    keys.span(word.map_or(len, |at| at + 5), len, 1);
                }
                _ => keys.one = Some(3),
            },
            Pattern::Streams => {
                let word = command.args().position(|arg| is(arg, "STREAMS"));
                let from = word.map_or(len, |at| at + 1);
                keys.span(from, from + (len - from) / 2, 1);
            }
        }
        keys
    }

    fn span(&mut self, from: usize, until: usize, step: usize) {
        (self.from, self.until, self.step) = (from, until, step.max(1));
    }

    fn counted(&mut self, command: Command<'_>, number: usize, step: usize) {
        let count = command.get(number).and_then(parse_integer);
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        let until = (number + 1).saturating_add(count.saturating_mul(step));
        self.span(number + 1, until, step);
    }

    fn is_key(&self, at: usize) -> bool {
        let in_span =
            (self.from..self.until).contains(&at) && (at - self.from).is_multiple_of(self.step);
        self.one == Some(at) || in_span || self.behind
    }
}

impl<'a> Iterator for Keys<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let at = self.at;
            if self.words.is_empty() && at >= self.until && self.one.is_none_or(|one| at > one) {
                return None;
            }
            let arg = self.args.next()?;
            self.at += 1;
            let is_key = self.is_key(at);
            // A key may be called like such a word.
            self.behind = at > 1 && !is_key && self.words.iter().any(|word| is(arg, word));
            if is_key {
                return Some(arg);
            }
        }
    }
}

impl std::iter::FusedIterator for Keys<'_> {}

fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

#[cfg(test)]
mod tests {
    use crate::aof::{Command, CommandSpec};

    fn keys(words: &str) -> String {
        let mut out = Vec::new();
        let words: Vec<_> = words.split(' ').map(|word| word.trim_matches('\'')).collect();
        crate::aof::write_command(&words, &mut out).unwrap();
        let command = Command::parse(&out).unwrap();
        let keys = CommandSpec::of(&command).unwrap().keys(command);
        keys.map(|key| String::from_utf8(key.to_vec()).unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn keys_stand_where_servers_look_for_them() {
        for (command, wanted) in [
            ("SET k v", "k"),
            ("DEL a b c", "a b c"),
            ("MSET a 1 b 2", "a b"),
            ("MSET a 1 b", "a b"),
            ("RENAME a b", "a b"),
            ("COPY a b DB 3", "a b"),
            ("BITOP AND dst a b", "dst a b"),
            ("BLPOP a b 0", "a b"),
            ("PFDEBUG TODENSE k", "k"),
            ("XGROUP CREATE st g $", "st"),
            ("FLUSHALL", ""),
            ("SELECT 3", ""),
            ("SDIFFSTORE dst a b", "dst a b"),
            ("ZUNIONSTORE dst 2 a b WEIGHTS 1 2", "dst a b"),
            ("ZUNIONSTORE dst 9 a b", "dst a b"),
            ("ZUNIONSTORE dst -1 a b", "dst"),
            ("LMPOP 2 a b LEFT", "a b"),
            ("BZMPOP 0 1 a MIN", "a"),
            ("EVAL code 2 a b arg", "a b"),
            ("MSETEX 2 a 1 b 2 EX 5", "a b"),
            ("MIGRATE host 1 k 0 100", "k"),
            ("MIGRATE host 1 '' 0 100 COPY keys a b", "a b"),
            ("MIGRATE host 1 KEYS 0 100", "KEYS"),
            ("XREADGROUP GROUP g c COUNT 1 STREAMS a b > 0", "a b"),
            ("SORT k BY w GET x STORE dst", "k dst"),
            ("SORT store STORE store", "store store"),
            ("GEORADIUS k 1 1 1 m store a StoreDist b", "k a b"),
            ("GEORADIUS k 1 1 1 m store store", "k store"),
            ("SET", ""),
            ("ZUNIONSTORE", ""),
            ("BLPOP", ""),
            ("XREADGROUP", ""),
        ] {
            assert_eq!(keys(command), wanted, "{command}");
        }
    }
}
