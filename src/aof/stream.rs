//! The reader over `io::Read`, with a bounded window.

use crate::aof::parser::{Mark, Parser, Step, begins_with_rdb};
use crate::aof::reader::of_preamble;
use crate::aof::record::{End, Record};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::rdb::{self, ChecksumMode};
use crate::wire::cursor::part;
use std::io::{self, Read};

/// Reads a log from any source in bounded memory, lending one record at a time.
///
/// Give it the bare source, not a `BufReader`: it reads in blocks of [`Limits::window`] itself. A
/// command bigger than that is held whole, up to [`Limits::held`].
///
/// ```
/// use redkeep::aof::StreamReader;
/// let source: &[u8] = b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n";
/// let mut reader = StreamReader::new(source);
/// let mut commands = 0;
/// while let Some(record) = reader.next()? {
///     commands += u32::from(record.command().is_some());
/// }
/// assert_eq!(commands, 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct StreamReader<R> {
    phase: Phase<R>,
    parser: Parser,
    limits: Limits,
    checksum: ChecksumMode,
    done: bool,
}

enum Phase<R> {
    /// Nothing read yet.
    Start(R),
    Preamble(Box<rdb::StreamReader<Unread<R>>>),
    Log(Window<Unread<R>>),
    /// The phase that was is on its way to the next one.
    Between,
}

impl<R: Read> StreamReader<R> {
    /// A reader with default limits.
    pub fn new(source: R) -> StreamReader<R> {
        Self::with_limits(source, &Limits::default())
    }

    /// A reader with limits of your own.
    pub fn with_limits(source: R, limits: &Limits) -> StreamReader<R> {
        StreamReader {
            phase: Phase::Start(source),
            parser: Parser::new(limits.held.max(limits.window as u64)),
            limits: *limits,
            checksum: ChecksumMode::default(),
            done: false,
        }
    }

    /// A reader that begins in the midst of a file, where no RDB can be.
    pub(crate) fn in_the_midst(source: R, limits: &Limits) -> StreamReader<R> {
        let source = Unread { head: [0; 6], at: 0, len: 0, is_rdb: false, source };
        StreamReader {
            phase: Phase::Log(Window::new(source, Vec::new(), limits.window)),
            parser: Parser::new(limits.held.max(limits.window as u64)),
            limits: *limits,
            checksum: ChecksumMode::default(),
            done: false,
        }
    }

    /// Sets what is done about the checksum of a preamble; to be called before the first record.
    #[must_use]
    pub fn checksum(mut self, mode: ChecksumMode) -> StreamReader<R> {
        self.checksum = mode;
        self
    }

    /// The absolute offset of the next byte: after the last record, its end.
    pub fn offset(&self) -> u64 {
        match &self.phase {
            Phase::Preamble(rdb) => rdb.offset(),
            _ => self.parser.offset(),
        }
    }

    /// How the reading ended; `None` while it goes on.
    pub fn end(&self) -> Option<&End> {
        self.parser.end()
    }

    /// The bytes read from the source and not used, and the source, which is lost where it failed
    /// at its first bytes: all from [`offset`](Self::offset) on.
    ///
    /// ```
    /// use redkeep::aof::StreamReader;
    /// let mut reader = StreamReader::new(&b"*1\r\n$4\r\nEXEC\r\n*0\r\n"[..]);
    /// while let Ok(Some(_)) = reader.next() {}
    /// assert_eq!((reader.offset(), reader.into_rest().0), (14, b"*0\r\n".to_vec()));
    /// ```
    pub fn into_rest(self) -> (Vec<u8>, Option<R>) {
        let (mut rest, unread) = match self.phase {
            Phase::Start(source) => return (Vec::new(), Some(source)),
            Phase::Between => return (Vec::new(), None),
            Phase::Preamble(rdb) => rdb.into_rest(),
            Phase::Log(window) => window.into_rest(),
        };
        rest.extend_from_slice(part(&unread.head, unread.at, unread.len));
        (rest, Some(unread.source))
    }

    /// The next record, lent until the next call; `None` after the end or an error.
    ///
    /// # Errors
    /// As [`SliceReader`](crate::aof::SliceReader), with the same offsets, and `Io` where the source
    /// fails.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)] // it lends its buffer, which no Iterator can
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        if self.done {
            return Ok(None);
        }
        if !matches!(self.phase, Phase::Log(_)) {
            self.prepare()?;
        }
        match &mut self.phase {
            Phase::Log(window) => {
                let quick = self.parser.quick(window.bytes());
                let mark = match quick {
                    Some(mark) => mark,
                    None => match slow(window, &mut self.parser) {
                        Ok(Some(mark)) => mark,
                        other => {
                            self.done = true;
                            return other.map(|_| None);
                        }
                    },
                };
                Ok(Some(mark.record(window.take(mark.used))))
            }
            Phase::Preamble(rdb) => match rdb.next() {
                Ok(event) => Ok(event.map(of_preamble)),
                Err(error) => {
                    self.parser.fail_in_preamble(&error);
                    self.done = true;
                    Err(error)
                }
            },
            Phase::Start(_) | Phase::Between => Ok(None),
        }
    }

    /// Goes on to the next phase where one has ended.
    #[inline(never)]
    fn prepare(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.phase, Phase::Between) {
            Phase::Start(source) => {
                let source = match Unread::peek(source) {
                    Ok(source) => source,
                    Err(error) => {
                        self.done = true;
                        return Err(self.parser.fail(Error::io(error, Some(0))));
                    }
                };
                self.phase = if source.is_rdb {
                    let rdb = rdb::StreamReader::with_limits(source, &self.limits);
                    Phase::Preamble(Box::new(rdb.checksum(self.checksum)))
                } else {
                    Phase::Log(Window::new(source, Vec::new(), self.limits.window))
                };
            }
            Phase::Preamble(rdb) if rdb.is_complete() => {
                self.parser.begin_at(rdb.offset());
                let (rest, source) = rdb.into_rest();
                self.phase = Phase::Log(Window::new(source, rest, self.limits.window));
            }
            phase => self.phase = phase,
        }
        Ok(())
    }
}

#[inline(never)]
fn slow<R: Read>(window: &mut Window<R>, parser: &mut Parser) -> Result<Option<Mark>> {
    loop {
        match parser.step(window.bytes(), window.eof)? {
            Step::Got(mark) => return Ok(Some(mark)),
            Step::End => return Ok(None),
            Step::Need(need) => {
                if let Err(error) = window.fill(need) {
                    let offset = parser.offset() + window.bytes().len() as u64;
                    return Err(parser.fail(Error::io(error, Some(offset))));
                }
            }
        }
    }
}

/// A source some of whose bytes were read to see what it is.
struct Unread<R> {
    head: [u8; 6],
    at: usize,
    len: usize,
    is_rdb: bool,
    source: R,
}

impl<R: Read> Unread<R> {
    fn peek(source: R) -> io::Result<Unread<R>> {
        let mut unread = Unread { head: [0; 6], at: 0, len: 0, is_rdb: false, source };
        let mut eof = false;
        loop {
            if let Some(is_rdb) = begins_with_rdb(part(&unread.head, 0, unread.len), eof) {
                unread.is_rdb = is_rdb;
                return Ok(unread);
            }
            let room = unread.head.get_mut(unread.len..).unwrap_or_default();
            let n = read(&mut unread.source, room)?;
            (unread.len, eof) = (unread.len + n, n == 0);
        }
    }
}

impl<R: Read> Read for Unread<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut head = part(&self.head, self.at, self.len);
        if head.is_empty() {
            return self.source.read(into);
        }
        let n = head.read(into)?;
        self.at += n;
        Ok(n)
    }
}

/// A part of a source: what was read and not used.
struct Window<R> {
    source: R,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// How much the buffer grew for the record at hand.
    grown: usize,
    eof: bool,
}

impl<R: Read> Window<R> {
    /// `rest` are bytes that come before those of the source.
    fn new(source: R, mut rest: Vec<u8>, size: usize) -> Window<R> {
        let end = rest.len();
        rest.resize(size.max(end), 0);
        Window { source, buf: rest, start: 0, end, grown: 0, eof: false }
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        part(&self.buf, self.start, self.end)
    }

    fn into_rest(mut self) -> (Vec<u8>, R) {
        self.buf.truncate(self.end);
        self.buf.drain(..self.start);
        (self.buf, self.source)
    }

    /// The window as it was before `used` bytes of it are consumed.
    #[inline(always)]
    fn take(&mut self, used: usize) -> &[u8] {
        let before = self.start;
        self.start += used;
        part(&self.buf, before, self.end)
    }

    /// Lets go of what was consumed, then reads at least one byte or sees the end.
    #[cold]
    #[inline(never)]
    fn fill(&mut self, need: u64) -> io::Result<()> {
        if self.start > 0 {
            self.grown = 0;
        }
        self.buf.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buf.len() {
            // By what the record needs, twice as much each time that was too little, and never by
            // more than what has really arrived.
            let need = usize::try_from(need).unwrap_or(usize::MAX);
            let more = need.max(self.grown * 2).max(64).min(self.buf.len().max(64));
            self.grown = more;
            self.buf.resize(self.end + more, 0);
        }
        let n = read(&mut self.source, self.buf.get_mut(self.end..).unwrap_or_default())?;
        self.end += n;
        self.eof = n == 0;
        Ok(())
    }
}

/// Reads once, whatever interrupts it.
fn read(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
