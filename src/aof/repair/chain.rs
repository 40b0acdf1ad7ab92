//! Evidence that a log goes on at some place: whole commands, known ones, one behind the other.
//!
//! Stricter than the readers: servers write no number with a zero in front, and what is no command
//! of theirs is no evidence.

use crate::aof::commands::CommandSpec;
use crate::aof::resp::{Annotation, Command, Walk, annotation};
use crate::wire::cursor::{Stop, part};

/// So many commands in a row are no accident: in 14,000 damaged logs, 3 of millions were wrong.
pub(crate) const ENOUGH: u32 = 3;

/// What stands behind the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// More of the file, which can be had.
    Open,
    /// The end of the file.
    Eof,
    /// More of the file, which would cost too much.
    Limit,
}

/// How much may still be spent on looking, in arguments passed: hostile bytes may begin a command
/// of a million arguments on every line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fuel(u64);

impl Fuel {
    /// For a file of this length.
    pub(crate) fn for_bytes(len: u64) -> Fuel {
        Fuel(len.saturating_mul(2).saturating_add(1 << 24))
    }

    /// For a look at a few bytes.
    pub(crate) fn little() -> Fuel {
        Fuel(1 << 20)
    }

    pub(crate) fn is_out(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn spend(&mut self, units: usize) {
        self.0 = self.0.saturating_sub(units as u64);
    }
}

/// An answer that may hang on bytes not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// Not to be told from these bytes.
    More,
}

/// Whether the log goes on at this place: with enough commands, or with at least `least` and then
/// the end of the file, be it a torn one or one of zeros.
pub(crate) fn goes_on(
    bytes: &[u8],
    mut at: usize,
    least: u32,
    edge: Edge,
    fuel: &mut Fuel,
) -> Answer {
    let mut commands = 0;
    let at_end = |commands| match edge {
        Edge::Open => Answer::More,
        Edge::Eof if commands >= least => Answer::Yes,
        Edge::Eof | Edge::Limit => Answer::No,
    };
    while commands < ENOUGH {
        if fuel.is_out() {
            return Answer::No;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        match rest.first() {
            None => return at_end(commands),
            Some(0) if commands > 0 && rest.iter().all(|byte| *byte == 0) => {
                return at_end(commands);
            }
            Some(b'#') => match annotation(rest) {
                Ok(len) if is_timestamp(part(rest, 0, len)) => at += len,
                Err(Stop::Short(_)) => return at_end(commands),
                _ => return Answer::No,
            },
            _ => match command(rest, fuel) {
                Ok(len) => {
                    at += len;
                    commands += 1;
                }
                Err(Stop::Short(_)) => return at_end(commands),
                Err(Stop::Bad(..)) => return Answer::No,
            },
        }
    }
    Answer::Yes
}

/// The length of the plausible command that `rest` begins with.
pub(crate) fn command(rest: &[u8], fuel: &mut Fuel) -> Result<usize, Stop> {
    let mut walk = Walk::start(rest)?;
    let (argc, _) = walk.shape();
    // Each argument takes 5 bytes, so no more of them can be passed than that.
    let end = walk.run(rest);
    fuel.spend(1 + argc.min(walk.at / 5 + 1));
    end?;
    let command = walk.command(rest);
    match is_plausible(command) {
        true => Ok(walk.at),
        false => Err(Stop::Bad(crate::error::Fault::LogPrefix, rest.len())),
    }
}

/// Whether servers write such a command.
pub(crate) fn is_plausible(command: Command<'_>) -> bool {
    let fits = match CommandSpec::of(&command) {
        Some(spec) => spec.arity().allows(command.len()),
        None => is_of_module(command.name()),
    };
    fits && is_canonical(command)
}

/// Whether a name is made as those of modules' commands are, `JSON.SET`: what those take, only the
/// module knows.
pub(crate) fn is_of_module(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| *byte == b'.');
    let word = |part: &[u8]| {
        !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    name.len() <= 64 && parts.clone().count() > 1 && parts.all(word)
}

/// Whether all its numbers are written as servers write them.
fn is_canonical(command: Command<'_>) -> bool {
    let digits = |number: usize| number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let args: usize = command.args().map(|arg| 5 + digits(arg.len()) + arg.len()).sum();
    command.raw().len() == 3 + digits(command.len()) + args
}

fn is_timestamp(line: &[u8]) -> bool {
    line.ends_with(b"\r\n") && Annotation::new(line).timestamp().is_some()
}

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The log goes on here.
    At(usize),
    /// Nowhere before this place; what is from there on cannot be told from these bytes.
    NotBefore(usize),
}

/// Where, at or after `from`, a log goes on.
///
/// Not only at the beginning of lines: the one before may have lost its end.
pub(crate) fn search(bytes: &[u8], from: usize, edge: Edge, fuel: &mut Fuel) -> Found {
    let mut at = from;
    while !fuel.is_out() {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(skip) = rest.iter().position(|byte| matches!(byte, b'*' | b'#')) else {
            break;
        };
        at += skip;
        fuel.spend(1);
        match goes_on(bytes, at, 1, edge, fuel) {
            Answer::Yes => return Found::At(at),
            Answer::More => return Found::NotBefore(at),
            Answer::No => at += 1,
        }
    }
    Found::NotBefore(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(commands: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for command in commands {
            crate::aof::write_command(&command.split(' ').collect::<Vec<_>>(), &mut out).unwrap();
        }
        out
    }

    fn goes(bytes: &[u8], edge: Edge) -> Answer {
        goes_on(bytes, 0, 1, edge, &mut Fuel::for_bytes(0))
    }

    #[test]
    fn three_known_commands_are_enough_and_fewer_only_up_to_the_end() {
        let three = log(&["SET a b", "DEL a", "SELECT 3"]);
        let two = log(&["SET a b", "DEL a"]);
        for edge in [Edge::Open, Edge::Eof, Edge::Limit] {
            assert_eq!(goes(&[&three[..], b"!!"].concat(), edge), Answer::Yes);
            assert_eq!(goes(&[&two[..], b"!!"].concat(), edge), Answer::No);
        }
        assert_eq!(goes(&two, Edge::Open), Answer::More);
        assert_eq!(goes(&two, Edge::Eof), Answer::Yes);
        assert_eq!(goes(&two, Edge::Limit), Answer::No);
        assert_eq!(goes(&[&two[..], b"*2\r\n$3\r\nDE"].concat(), Edge::Eof), Answer::Yes);
        assert_eq!(goes(&[&two[..], &[0; 9]].concat(), Edge::Eof), Answer::Yes);
        assert_eq!(goes(b"*2\r\n$3\r\nDE", Edge::Eof), Answer::No);
    }

    #[test]
    fn a_number_with_a_zero_in_front_an_odd_name_or_arity_is_no_evidence() {
        for bad in [
            &b"*03\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"[..],
            b"*3\r\n$3\r\nSET\r\n$01\r\na\r\n$1\r\nb\r\n",
            b"*3\r\n$3\r\nSOT\r\n$1\r\na\r\n$1\r\nb\r\n",
            b"*2\r\n$3\r\nSET\r\n$1\r\na\r\n",
            b"#other\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n",
        ] {
            assert_eq!(goes(bad, Edge::Eof), Answer::No, "{}", bad.escape_ascii());
        }
        assert_eq!(goes(b"#TS:5\r\n*2\r\n$8\r\nJSON.DEL\r\n$1\r\na\r\n", Edge::Eof), Answer::Yes);
        assert!(!is_of_module(b"SET") && !is_of_module(b".x") && !is_of_module(b"a.\0"));
    }

    #[test]
    fn a_search_finds_the_first_place_and_ends_in_bounded_time() {
        let bytes = [b"a\r\n*x*1\r\n$4\r\nnope\r\n", &log(&["SET a b", "DEL a"])[..]].concat();
        let mut fuel = Fuel::for_bytes(bytes.len() as u64);
        let at = bytes.len() - log(&["SET a b", "DEL a"]).len();
        assert_eq!(search(&bytes, 0, Edge::Eof, &mut fuel), Found::At(at));
        assert_eq!(search(&bytes, 0, Edge::Open, &mut fuel), Found::NotBefore(at));
        let hostile = b"$11\r\n\r\n*1000000\r\n".repeat(60_000);
        let mut fuel = Fuel::for_bytes(hostile.len() as u64);
        assert_eq!(search(&hostile, 0, Edge::Eof, &mut fuel), Found::NotBefore(hostile.len()));
    }
}
