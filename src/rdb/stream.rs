//! The reader over `io::Read`, with a bounded window.

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::rdb::event::{Event, Mark, What};
use crate::rdb::parser::{Parser, Step};
use crate::rdb::reader::{ChecksumMode, Sum};
use crate::wire::cursor::part;
use std::io::{self, Read};

/// Reads an RDB from any source in bounded memory, lending one event at a time.
///
/// Give it the bare source, not a `BufReader`: it reads in blocks of [`Limits::window`] itself. A
/// value bigger than that comes in runs and pieces; see [`EventKind`](crate::rdb::EventKind).
///
/// ```
/// use redkeep::rdb::{EventKind, StreamReader};
/// let source: &[u8] = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff";
/// let mut reader = StreamReader::new(source);
/// let mut keys = 0;
/// while let Some(event) = reader.next()? {
///     keys += u32::from(matches!(event.kind(), EventKind::Entry(_)));
/// }
/// assert_eq!(keys, 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct StreamReader<R> {
    source: R,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// How much the buffer grew for the record at hand.
    grown: usize,
    eof: bool,
    done: bool,
    complete: bool,
    parser: Parser,
    sum: Sum,
}

impl<R: Read> StreamReader<R> {
    /// A reader with default limits that verifies the checksum.
    pub fn new(source: R) -> Self {
        Self::with_limits(source, &Limits::default())
    }

    /// A reader with limits of your own.
    pub fn with_limits(source: R, limits: &Limits) -> Self {
        Self::with_buffer(source, limits, limits.window)
    }

    /// The buffer's first size apart from the window's: only tests want them to differ.
    pub(crate) fn with_buffer(source: R, limits: &Limits, size: usize) -> Self {
        StreamReader {
            source,
            buf: vec![0; size],
            start: 0,
            end: 0,
            grown: 0,
            eof: false,
            done: false,
            complete: false,
            parser: Parser::new(limits, limits.window),
            sum: Sum::new(ChecksumMode::default()),
        }
    }

    /// Sets what is done about the checksum; to be called before the first event.
    #[must_use]
    pub fn checksum(mut self, mode: ChecksumMode) -> Self {
        self.sum = Sum::new(mode);
        self
    }

    /// The absolute offset of the next byte: after the last event, where the RDB ends.
    pub fn offset(&self) -> u64 {
        self.parser.offset()
    }

    /// Whether its last event has been given: the RDB ends at [`offset`](Self::offset), without an
    /// error, and what follows is none of it.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The bytes read from the source and not used, and the source: what follows the RDB.
    pub fn into_rest(self) -> (Vec<u8>, R) {
        (part(&self.buf, self.start, self.end).to_vec(), self.source)
    }

    /// The next event, lent until the next call; `None` after the end or an error.
    ///
    /// # Errors
    /// As [`SliceReader`](crate::rdb::SliceReader), with the same offsets, and `Io` where the source
    /// fails.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)] // it lends its buffer, which no Iterator can
    pub fn next(&mut self) -> Result<Option<Event<'_>>> {
        if self.done {
            return Ok(None);
        }
        let at = self.start;
        let offset = self.parser.offset();
        // Numbers only, so that the window is not borrowed where the slow way may refill it.
        let (used, mark) = match self.parser.quick(part(&self.buf, at, self.end)) {
            Some(got) => got,
            None => self.next_slow(offset)?,
        };
        let at = self.start;
        self.start = at + used;
        let raw = part(&self.buf, at, at + used);
        Ok(Some(Event { raw, mark, place: self.parser.place(offset) }))
    }

    #[inline(never)]
    fn next_slow(&mut self, offset: u64) -> Result<(usize, Mark)> {
        let (used, mut mark) = loop {
            let window = part(&self.buf, self.start, self.end);
            match self.parser.step(window, self.eof) {
                Ok(Step::Got { used, mark }) => break (used, mark),
                Ok(Step::Need(need)) => self.fill(need)?,
                Err(error) => {
                    self.done = true;
                    return Err(error);
                }
            }
        };
        self.done = self.parser.is_done();
        if mark.what == What::Footer {
            self.sum.feed(part(&self.buf, 0, self.start));
            let footer = part(&self.buf, self.start, self.end);
            mark = Mark::footer(self.sum.settle(footer, offset)?);
        }
        self.complete = self.done;
        Ok((used, mark))
    }

    /// Lets go of what was consumed (summed in one block), then reads at least one byte.
    #[cold]
    #[inline(never)]
    fn fill(&mut self, need: u64) -> Result<()> {
        if self.start > 0 {
            self.grown = 0;
        }
        self.sum.feed(part(&self.buf, 0, self.start));
        self.buf.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buf.len() {
            // By what the atom needs, twice as much each time that was too little, and never by more
            // than what has really arrived. Not by more at once: what a window has left over when it
            // is bigger than a run is moved to the front time and again.
            let need = usize::try_from(need).unwrap_or(usize::MAX);
            let more = need.max(self.grown * 2).max(64).min(self.buf.len().max(64));
            self.grown = more;
            self.buf.resize(self.end + more, 0);
        }
        loop {
            match self.source.read(self.buf.get_mut(self.end..).unwrap_or_default()) {
                Ok(n) => {
                    self.end += n;
                    self.eof = n == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.done = true;
                    let offset = self.parser.offset() + self.end as u64;
                    return Err(Error::io(error, Some(offset)));
                }
            }
        }
    }
}
