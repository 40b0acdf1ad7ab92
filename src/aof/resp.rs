//! Framing: where a record ends, and the arguments of a command.
//!
//! ```text
//! command     "*" argc CR LF  then argc times  "$" len CR LF  len bytes  CR LF
//! annotation  "#" anything LF
//! ```
//!
//! Lengths are followed, nothing is searched for: what stands inside an argument is never looked
//! at. A walk keeps its place between arguments, so a big command that arrives in pieces is framed
//! once.

use crate::error::Fault;
use crate::wire::cursor::{Cursor, Res, Stop, part};
use crate::wire::number::parse_integer;
use std::fmt;
use std::ops::Range;

/// Bytes of the longest annotation that servers read, its LF counted: their buffer has 1024, the
/// last of which is for a zero.
pub const MAX_ANNOTATION: usize = 1023;

/// Bytes of the longest line that holds a number, its prefix and CR LF not counted: no count or
/// length needs more.
const MAX_DIGITS: usize = 20;

/// A command of a log: its bytes, and its arguments read from them when asked.
///
/// The first argument is the command's name. Arguments are any bytes.
///
/// ```
/// use redkeep::aof::Command;
/// let command = Command::parse(b"*3\r\n$3\r\nset\r\n$1\r\nk\r\n$2\r\n\r\n\r\n")?;
/// assert_eq!((command.name(), command.len()), (&b"set"[..], 3));
/// assert!(command.is("SET"));
/// assert_eq!(command.get(2), Some(&b"\r\n"[..]));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    raw: &'a [u8],
    argc: usize,
    args_at: usize,
}

impl<'a> Command<'a> {
    /// Reads bytes that are one whole command and nothing else.
    ///
    /// # Errors
    /// `Truncated` where bytes are missing, `Corrupt` where they are no command or go on after it.
    pub fn parse(raw: &'a [u8]) -> crate::Result<Command<'a>> {
        let end = raw.len() as u64;
        let at = |fault, left: usize| crate::Error::at(fault, end - left as u64);
        let mut walk = match Walk::start(raw) {
            Ok(walk) => walk,
            Err(Stop::Short(_)) => return Err(at(Fault::EndsInside, 0)),
            Err(Stop::Bad(fault, left)) => return Err(at(fault, left)),
        };
        match walk.run(raw) {
            Ok(()) if walk.at == raw.len() => Ok(walk.command(raw)),
            Ok(()) => Err(at(Fault::LogPrefix, raw.len() - walk.at)),
            Err(Stop::Short(_)) => Err(at(Fault::EndsInside, 0)),
            Err(Stop::Bad(fault, left)) => Err(at(fault, left)),
        }
    }

    #[inline(always)]
    pub(crate) fn new(raw: &'a [u8], argc: usize, args_at: usize) -> Command<'a> {
        Command { raw, argc, args_at }
    }

    /// The bytes as they stand in the log.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// How many arguments it has, the name counted: at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // none is empty
    pub fn len(&self) -> usize {
        self.argc
    }

    /// The name as it is written, in whatever case.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.args().next().unwrap_or_default()
    }

    /// Whether this is its name; case does not matter, as for servers.
    #[inline]
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// All arguments in order, the name first.
    #[inline(always)]
    #[must_use]
    pub fn args(&self) -> Args<'a> {
        let rest = self.raw.get(self.args_at..).unwrap_or_default();
        Args { rest: Cursor::new(rest), left: self.argc }
    }

    /// The argument at this place, the name being at 0. It walks there from the front.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.args().nth(index)
    }
}

impl fmt::Debug for Command<'_> {
    /// The name and the number of arguments: the others may be anybody's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = crate::error::printable(self.name());
        f.debug_struct("Command").field("name", &name).field("len", &self.argc).finish()
    }
}

impl<'a> IntoIterator for Command<'a> {
    type Item = &'a [u8];
    type IntoIter = Args<'a>;

    fn into_iter(self) -> Args<'a> {
        self.args()
    }
}

/// The arguments of a [`Command`], borrowed from its bytes.
///
/// ```
/// use redkeep::aof::Command;
/// let command = Command::parse(b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n")?;
/// assert_eq!(command.args().collect::<Vec<_>>(), [&b"DEL"[..], b"k"]);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Args<'a> {
    rest: Cursor<'a>,
    left: usize,
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        argument(&mut self.rest).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Args<'_> {}
impl std::iter::FusedIterator for Args<'_> {}

/// A line that begins with `#`: a timestamp, or anything else, which servers skip.
///
/// ```
/// use redkeep::aof::Annotation;
/// let line = Annotation::new(b"#TS:1795159679\r\n");
/// assert_eq!((line.timestamp(), line.text()), (Some(1_795_159_679), &b"TS:1795159679"[..]));
/// assert_eq!(Annotation::new(b"#made by hand\n").timestamp(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Annotation<'a> {
    raw: &'a [u8],
}

impl<'a> Annotation<'a> {
    /// The annotation that these bytes are, `#` and line end included.
    #[must_use]
    pub fn new(raw: &'a [u8]) -> Annotation<'a> {
        Annotation { raw }
    }

    /// The bytes as they stand in the log.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The line without `#` and without its end.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        let text = self.raw.strip_prefix(b"#").unwrap_or(self.raw);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.strip_suffix(b"\r").unwrap_or(text)
    }

    /// Seconds since 1970 where it is a `#TS:` line with a number.
    #[must_use]
    pub fn timestamp(&self) -> Option<i64> {
        parse_integer(self.text().strip_prefix(b"TS:")?)
    }
}

impl fmt::Debug for Annotation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = crate::error::printable(self.text());
        f.debug_tuple("Annotation").field(&text).finish()
    }
}

/// One argument with its length before and its CR LF behind.
#[inline(always)]
fn argument<'a>(c: &mut Cursor<'a>) -> Res<&'a [u8]> {
    let len = header::<b'$'>(c)?;
    let whole = c.take(len.saturating_add(2))?;
    match whole.split_last_chunk() {
        Some((argument, b"\r\n")) => Ok(argument),
        _ => Err(Stop::Bad(Fault::LogTerminator, c.left() + 2)),
    }
}

/// Passes one argument whose length has one to three digits; `None` for any other, for one that is
/// not all here, and for what is wrong.
///
/// Where the next argument begins hangs on the length of this one, so what counts is how soon that
/// is known: a branch for each number of digits is sooner than any arithmetic over all of them.
#[inline(always)]
fn pass(rest: &[u8]) -> Option<&[u8]> {
    let word = u64::from_le_bytes(*rest.first_chunk::<8>()?);
    let digit = |place: u32| ((word >> place) & 0xff) ^ 0x30;
    let [a, b, c] = [digit(8), digit(16), digit(24)];
    let total = if word & ONE == 0x0a0d_0024 && a < 10 {
        6 + a
    } else if word & TWO == 0x0a_0d00_0024 && a.max(b) < 10 {
        7 + a * 10 + b
    } else if word & THREE == 0x0a0d_0000_0024 && a.max(b).max(c) < 10 {
        8 + a * 100 + b * 10 + c
    } else {
        return None;
    };
    let (argument, rest) = rest.split_at_checked(usize::try_from(total).ok()?)?;
    argument.ends_with(b"\r\n").then_some(rest)
}

/// All but the digits of a length of one digit: the dollar, CR, LF.
const ONE: u64 = 0xffff_00ff;
const TWO: u64 = 0xff_ff00_00ff;
const THREE: u64 = 0xffff_0000_00ff;

/// A prefix, a number, CR LF.
#[inline(always)]
fn header<const PREFIX: u8>(c: &mut Cursor<'_>) -> Res<u64> {
    match *c.rest() {
        [prefix, digit @ b'0'..=b'9', b'\r', b'\n', ..] if prefix == PREFIX => {
            c.take(4)?;
            Ok((digit - b'0').into())
        }
        _ => long_header(c, PREFIX),
    }
}

/// As [`header`], for any number of digits, for what is cut short, and for what is wrong.
#[inline(never)]
fn long_header(c: &mut Cursor<'_>, prefix: u8) -> Res<u64> {
    let (wrong_prefix, wrong_number) = match prefix {
        b'*' => (Fault::LogPrefix, Fault::LogCount),
        _ => (Fault::LogArgument, Fault::LogLength),
    };
    let before = *c;
    if c.byte()? != prefix {
        return Err(before.bad(wrong_prefix));
    }
    let mut number = 0u64;
    for digits in 0..=MAX_DIGITS {
        let here = *c;
        match c.byte()? {
            byte @ b'0'..=b'9' => {
                let next = number.checked_mul(10).and_then(|n| n.checked_add((byte - b'0').into()));
                number = next.ok_or_else(|| before.bad(wrong_number))?;
            }
            b'\r' if digits > 0 => {
                return match c.byte()? {
                    b'\n' => Ok(number),
                    _ => Err(here.bad(wrong_number)),
                };
            }
            _ => return Err(here.bad(wrong_number)),
        }
    }
    Err(before.bad(wrong_number))
}

/// How far the framing of a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    argc: usize,
    args_at: usize,
    /// Arguments still to pass.
    pub(crate) left: usize,
    /// Bytes passed.
    pub(crate) at: usize,
}

impl Walk {
    /// Frames a whole command of fewer than ten arguments and with a short name, which it gives
    /// as well; `None` for any other.
    #[inline(always)]
    pub(crate) fn usual(input: &[u8]) -> Option<(Walk, &[u8])> {
        let word = u64::from_le_bytes(*input.first_chunk::<8>()?);
        // A star, a digit, CR LF, a dollar, a digit, CR LF.
        if word & 0xffff_00ff_ffff_00ff != 0x0a0d_0024_0a0d_002a {
            return None;
        }
        let [argc, len] = [8, 40].map(|place| ((word >> place) & 0xff) ^ 0x30);
        if argc == 0 || argc > 9 || len > 9 {
            return None;
        }
        let (argc, len) = (usize::try_from(argc).ok()?, usize::try_from(len).ok()?);
        let (name, rest) = input.get(8..)?.split_at_checked(len)?;
        let (end, mut rest) = rest.split_first_chunk()?;
        if end != b"\r\n" {
            return None;
        }
        for _ in 1..argc {
            rest = pass(rest)?;
        }
        let at = input.len() - rest.len();
        Some((Walk { argc, args_at: 4, left: 0, at }, name))
    }

    /// Reads the count that a command begins with.
    #[inline(always)]
    pub(crate) fn start(input: &[u8]) -> Res<Walk> {
        let mut c = Cursor::new(input);
        let argc = header::<b'*'>(&mut c)?;
        let at = input.len() - c.left();
        match usize::try_from(argc) {
            Ok(argc) if argc > 0 => Ok(Walk { argc, args_at: at, left: argc, at }),
            _ => Err(Stop::Bad(Fault::LogCount, input.len())),
        }
    }

    /// A walk over so many arguments, the first of which begins at this place.
    pub(crate) fn resume(args: usize, at: usize) -> Walk {
        Walk { argc: args, args_at: at, left: args, at }
    }

    /// Passes the arguments that are there. `input` begins where the command does.
    #[inline(always)]
    pub(crate) fn run(&mut self, input: &[u8]) -> Res<()> {
        let mut rest = input.get(self.at..).unwrap_or_default();
        while self.left > 0 {
            rest = match pass(rest) {
                Some(rest) => rest,
                None => {
                    let mut c = Cursor::new(rest);
                    argument(&mut c)?;
                    c.rest()
                }
            };
            self.at = input.len() - rest.len();
            self.left -= 1;
        }
        Ok(())
    }

    /// The command, once the walk is through.
    #[inline(always)]
    pub(crate) fn command<'a>(&self, input: &'a [u8]) -> Command<'a> {
        Command::new(part(input, 0, self.at), self.argc, self.args_at)
    }

    #[inline(always)]
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.argc, self.args_at)
    }
}

/// The length of the annotation that `input` begins with.
pub(crate) fn annotation(input: &[u8]) -> Res<usize> {
    let line = part(input, 0, input.len().min(MAX_ANNOTATION));
    match line.iter().position(|&byte| byte == b'\n') {
        Some(at) => Ok(at + 1),
        None if line.len() == MAX_ANNOTATION => Err(Stop::Bad(Fault::LogAnnotation, input.len())),
        None => Err(Stop::Short(1)),
    }
}

/// Where, at or after `from`, a whole command begins on a line of its own: evidence that a log
/// goes on behind a damaged place. Inside a value there may be one, too.
///
/// The work is bounded by the length of `input`, whatever it holds.
pub(crate) fn next_command(input: &[u8], from: usize) -> Option<usize> {
    find_command(input, from..input.len(), &mut input.len()).map(|found| found.start)
}

/// Where in `places` a whole command begins, and where it ends. `fuel` is the work that may be
/// done; at 0 the search is given up.
pub(crate) fn find_command(
    input: &[u8],
    places: Range<usize>,
    fuel: &mut usize,
) -> Option<Range<usize>> {
    let mut at = places.start;
    while *fuel > 0 {
        at += part(input, at, places.end).iter().position(|&byte| byte == b'*')?;
        let behind = at.checked_sub(2).map(|before| part(input, before, at));
        if behind.is_none_or(|end| end == b"\r\n") {
            let candidate = input.get(at..)?;
            if let Ok(mut walk) = Walk::start(candidate) {
                let all = walk.left;
                let end = walk.run(candidate);
                *fuel = fuel.saturating_sub(1 + all - walk.left);
                if end.is_ok() {
                    return Some(at..at + walk.at);
                }
            }
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(raw: &[u8]) -> (Fault, u64) {
        let error = Command::parse(raw).unwrap_err();
        (error.fault().unwrap(), error.offset().unwrap())
    }

    #[test]
    fn arguments_are_any_bytes_and_any_number() {
        let raw = [b"*12\r\n$0\r\n\r\n$010\r\n*3\r\n$1\r\na\0\r\n", &b"$1\r\nb\r\n".repeat(10)[..]];
        let raw = raw.concat();
        let command = Command::parse(&raw).unwrap();
        assert_eq!(command.len(), 12);
        let args: Vec<_> = command.args().collect();
        assert_eq!((args[0], args[1]), (&b""[..], &b"*3\r\n$1\r\na\0"[..]));
        assert_eq!(args[2..], [b"b"; 10]);
        assert_eq!(command.get(12), None);
    }

    #[test]
    fn framing_is_as_strict_as_the_servers_checker_and_wants_one_argument() {
        assert_eq!(fault(b"*0\r\n"), (Fault::LogCount, 0));
        assert_eq!(fault(b"*-1\r\n"), (Fault::LogCount, 1));
        assert_eq!(fault(b"*\r\n"), (Fault::LogCount, 1));
        assert_eq!(fault(b"*1\n$1\r\na\r\n"), (Fault::LogCount, 2));
        assert_eq!(fault(b"*1\rx"), (Fault::LogCount, 2));
        assert_eq!(fault(b"SET a b\r\n"), (Fault::LogPrefix, 0));
        assert_eq!(fault(b"*1\r\n*1\r\n"), (Fault::LogArgument, 4));
        assert_eq!(fault(b"*1\r\n$-1\r\n"), (Fault::LogLength, 5));
        assert_eq!(fault(b"*1\r\n$1\r\nab\r\n"), (Fault::LogTerminator, 9));
        assert_eq!(fault(b"*1\r\n$99999999999999999999\r\n"), (Fault::LogLength, 4));
        assert_eq!(fault(b"*1\r\n$000000000000000000001\r\n"), (Fault::LogLength, 4));
        assert_eq!(fault(b"*1\r\n$1\r\na\r\n\r\n"), (Fault::LogPrefix, 11));
        assert_eq!(fault(b"*2\r\n$1\r\na\r\n$18446744073709551615\r\n"), (Fault::EndsInside, 34));
        assert_eq!(fault(b"*99\r\n$1\r\na\r\n"), (Fault::EndsInside, 12));
    }

    #[test]
    fn the_short_way_past_an_argument_is_the_long_one() {
        let signs = b"0159:/ $\r\n";
        let signs = || signs.iter().copied();
        let heads =
            signs().flat_map(|a| signs().flat_map(move |b| signs().map(move |c| [a, b, c])));
        // Ends wherever one is looked for: at even places behind even lengths, and at odd ones.
        for (tail, head) in heads.flat_map(|head| [(&b""[..], head), (b"x", head)]) {
            for digits in 1..=3 {
                let body = b"\r\n".repeat(600);
                let raw = [b"$", &head[..digits], b"\r\n", tail, &body].concat();
                let mut c = Cursor::new(&raw);
                let long = argument(&mut c).ok().map(|_| c.rest());
                assert_eq!(pass(&raw), long, "{}", head[..digits].escape_ascii());
            }
        }
    }

    #[test]
    fn a_short_read_says_what_lacks_of_the_argument_at_hand() {
        let raw = b"*2\r\n$3\r\nGET\r\n$10\r\n01234";
        let mut walk = Walk::start(raw).unwrap();
        assert_eq!(walk.run(raw), Err(Stop::Short(7)));
        assert_eq!((walk.at, walk.left), (13, 1));
    }

    #[test]
    fn annotations_have_the_length_that_servers_read() {
        let line = |len: usize| [b"#", "x".repeat(len - 2).as_bytes(), b"\n*"].concat();
        assert_eq!(annotation(&line(1023)), Ok(1023));
        assert_eq!(annotation(&line(1024)), Err(Stop::Bad(Fault::LogAnnotation, 1025)));
        assert_eq!(annotation(b"#TS:1"), Err(Stop::Short(1)));
        assert_eq!(Annotation::new(b"#TS:abc\r\n").timestamp(), None);
        assert_eq!(Annotation::new(b"#TS:-5\n").timestamp(), Some(-5));
        assert_eq!(Annotation::new(b"#").text(), b"");
    }

    #[test]
    fn a_command_behind_damage_is_found_in_bounded_time() {
        let log = b"*1\r\n$999\r\nab\r\n*1\r\n$4\r\nPING\r\n*9";
        assert_eq!(next_command(log, 1), Some(14));
        assert_eq!(next_command(log, 15), None);
        assert_eq!(next_command(b"*1\r\n$1\r\nx\r\n", 0), Some(0));
        // Every line might begin a command of a million arguments, which are the lines behind it.
        let hostile = b"$10\r\n\r\n*1000000\r\n".repeat(60_000);
        assert_eq!(next_command(&hostile, 0), None);
    }
}
