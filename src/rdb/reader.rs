//! The reader over a slice, and what both readers share.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::rdb::event::{Event, Mark, What};
use crate::rdb::parser::{Parser, Step, UNLIMITED};
use crate::wire::crc64::Crc64;
use crate::wire::cursor::{Cursor, part};

/// What to do about the checksum at the end of a file (RDB 5 and later).
///
/// ```
/// use redkeep::rdb::{ChecksumMode, SliceReader};
/// let dump = b"REDIS0009\xff12345678";
/// assert!(SliceReader::new(dump).any(|event| event.is_err()));
/// assert!(SliceReader::new(dump).checksum(ChecksumMode::Report).all(|event| event.is_ok()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ChecksumMode {
    /// Compute it; a mismatch is an error in place of the footer. A stored 0 means none was kept.
    #[default]
    Verify,
    /// Compute it and leave the comparing to whoever reads the footer.
    Report,
    /// Do not compute it: nothing that is read is proven.
    Skip,
}

/// CRC of everything before the footer, fed in blocks: per record it would be slow.
pub(crate) struct Sum {
    mode: ChecksumMode,
    crc: Crc64,
}

impl Sum {
    pub(crate) fn new(mode: ChecksumMode) -> Sum {
        Sum { mode, crc: Crc64::new() }
    }

    #[inline(never)]
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.mode != ChecksumMode::Skip {
            self.crc.update(bytes);
        }
    }

    /// The computed sum, unless it has to agree with the stored one and does not.
    pub(crate) fn settle(&self, footer: &[u8], offset: u64) -> Result<Option<u64>> {
        let stored = Cursor::new(footer).u64_le().unwrap_or_default();
        let computed = match self.mode {
            ChecksumMode::Skip => return Ok(None),
            _ => self.crc.value(),
        };
        if self.mode == ChecksumMode::Verify && stored != 0 && stored != computed {
            return Err(Error::at(Fault::ChecksumMismatch, offset)
                .with_detail(format!("{stored:016x} is stored, {computed:016x} was computed")));
        }
        Ok(Some(computed))
    }
}

/// Bytes after which the slice reader feeds the checksum.
const BLOCK: usize = 128 << 10;

/// Reads a whole RDB from memory: a real [`Iterator`] of events that borrow from the slice.
///
/// Fused: after an error or the end it yields `None`. Bytes behind the end are not looked at; see
/// [`offset`](Self::offset).
///
/// # Errors
/// Items are `Truncated`, `Corrupt`, `Checksum`, `Unsupported` or `Limit` errors with the absolute
/// offset, and database and key where one was being read.
///
/// ```
/// use redkeep::rdb::{EventKind, SliceReader};
/// let dump = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff";
/// let mut keys = 0;
/// for event in SliceReader::new(dump) {
///     keys += u32::from(matches!(event?.kind(), EventKind::Entry(_)));
/// }
/// assert_eq!(keys, 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct SliceReader<'a> {
    input: &'a [u8],
    at: usize,
    summed: usize,
    parser: Parser,
    sum: Sum,
    done: bool,
    complete: bool,
}

impl<'a> SliceReader<'a> {
    /// A reader with default limits that verifies the checksum and always gives whole values.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self::with_parser(input, Parser::new(&Limits::default().held(u64::MAX), UNLIMITED))
    }

    /// Like [`new`](Self::new), but values bigger than [`Limits::window`] come in runs, as a stream
    /// would give them.
    #[must_use]
    pub fn windowed(input: &'a [u8], limits: &Limits) -> Self {
        Self::with_parser(input, Parser::new(limits, limits.window))
    }

    fn with_parser(input: &'a [u8], parser: Parser) -> Self {
        let sum = Sum::new(ChecksumMode::default());
        SliceReader { input, at: 0, summed: 0, parser, sum, done: false, complete: false }
    }

    /// Sets what is done about the checksum; to be called before the first event.
    #[must_use]
    pub fn checksum(mut self, mode: ChecksumMode) -> Self {
        self.sum = Sum::new(mode);
        self
    }

    /// The absolute offset of the next byte: after the last event, where the RDB ends.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.parser.offset()
    }

    /// Whether its last event has been given: the RDB ends at [`offset`](Self::offset), without an
    /// error, and what follows is none of it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    #[inline(never)]
    fn read_slow(&mut self) -> Result<(usize, Mark)> {
        let window = self.input.get(self.at..).unwrap_or_default();
        let offset = self.parser.offset();
        let Step::Got { used, mut mark } = self.parser.slow(window, true)? else {
            return Err(Error::at(Fault::Internal, offset));
        };
        if mark.what == What::Footer {
            self.feed();
            mark = Mark::footer(self.sum.settle(window, offset)?);
        }
        self.done = self.parser.is_done();
        self.complete = self.done;
        Ok((used, mark))
    }

    #[inline(never)]
    fn feed(&mut self) {
        self.sum.feed(part(self.input, self.summed, self.at));
        self.summed = self.at;
    }
}

impl<'a> Iterator for SliceReader<'a> {
    type Item = Result<Event<'a>>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let window = self.input.get(self.at..).unwrap_or_default();
        let offset = self.parser.offset();
        let (used, mark) = match self.parser.quick(window) {
            Some(got) => got,
            None => match self.read_slow() {
                Ok(got) => got,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            },
        };
        self.at += used;
        if self.at - self.summed >= BLOCK {
            self.feed();
        }
        Some(Ok(Event { raw: part(window, 0, used), mark, place: self.parser.place(offset) }))
    }
}

impl std::iter::FusedIterator for SliceReader<'_> {}
