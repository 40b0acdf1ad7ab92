//! The reader over a slice.

use crate::aof::parser::{Parser, Step, begins_with_rdb};
use crate::aof::record::{End, Record, RecordKind, Transaction};
use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::rdb::{self, ChecksumMode, Event};

/// Reads a whole log from memory: an [`Iterator`] of records that borrow from the slice.
///
/// A file that begins with an RDB gives the RDB's events first and then its records. Fused: after
/// an error or the end it yields `None`, and [`end`](Self::end) says how it ended.
///
/// # Errors
/// Items are `Truncated` errors for a torn tail or an open transaction, `Corrupt` ones for bytes
/// that no record has, each with its absolute offset; in a preamble, those of the
/// [RDB's reader](rdb::SliceReader).
///
/// ```
/// use redkeep::aof::SliceReader;
/// let log = b"*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
/// let mut names = Vec::new();
/// for record in SliceReader::new(log) {
///     names.extend(record?.command().map(|command| command.name()));
/// }
/// assert_eq!(names, [b"SELECT", &b"SET"[..]]);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct SliceReader<'a> {
    input: &'a [u8],
    at: usize,
    parser: Parser,
    /// The preamble's, while in it.
    rdb: Option<rdb::SliceReader<'a>>,
    done: bool,
}

impl<'a> SliceReader<'a> {
    /// A reader without limits: the slice is held already.
    #[must_use]
    pub fn new(input: &'a [u8]) -> SliceReader<'a> {
        let rdb = begins_with_rdb(input, true).unwrap_or_default();
        let rdb = rdb.then(|| rdb::SliceReader::new(input));
        SliceReader { input, at: 0, parser: Parser::new(u64::MAX), rdb, done: false }
    }

    /// Like [`new`](Self::new), but within these limits, as a stream would give it: the values of a
    /// preamble come in runs of [`Limits::window`], and a command beyond [`Limits::held`] is an
    /// error.
    #[must_use]
    pub fn windowed(input: &'a [u8], limits: &Limits) -> SliceReader<'a> {
        let mut reader = SliceReader::new(input);
        reader.parser = Parser::new(limits.held.max(limits.window as u64));
        reader.rdb = reader.rdb.map(|_| rdb::SliceReader::windowed(input, limits));
        reader
    }

    /// Sets what is done about the checksum of a preamble; to be called before the first record.
    #[must_use]
    pub fn checksum(mut self, mode: ChecksumMode) -> SliceReader<'a> {
        self.rdb = self.rdb.map(|rdb| rdb.checksum(mode));
        self
    }

    /// The absolute offset of the next byte: after the last record, its end.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.rdb.as_ref().map_or(self.parser.offset(), rdb::SliceReader::offset)
    }

    /// How the reading ended; `None` while it goes on.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.parser.end()
    }

    #[inline(never)]
    fn next_slow(&mut self) -> Option<Result<Record<'a>>> {
        if let Some(rdb) = &mut self.rdb {
            match rdb.next() {
                Some(Ok(event)) => return Some(Ok(of_preamble(event))),
                Some(Err(error)) => {
                    self.parser.fail_in_preamble(&error);
                    self.done = true;
                    return Some(Err(error));
                }
                None => {
                    self.parser.begin_at(rdb.offset());
                    // It is an offset into a slice.
                    self.at = usize::try_from(rdb.offset()).unwrap_or(usize::MAX);
                    self.rdb = None;
                }
            }
        }
        let window = self.input.get(self.at..).unwrap_or_default();
        match self.parser.step(window, true) {
            Ok(Step::Got(mark)) => {
                self.at += mark.used;
                Some(Ok(mark.record(window)))
            }
            Ok(Step::End) => {
                self.done = true;
                None
            }
            Ok(Step::Need(_)) => {
                self.done = true;
                Some(Err(Error::at(Fault::Internal, self.parser.offset())))
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

impl<'a> Iterator for SliceReader<'a> {
    type Item = Result<Record<'a>>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.rdb.is_none() {
            let window = self.input.get(self.at..).unwrap_or_default();
            if let Some(mark) = self.parser.quick(window) {
                self.at += mark.used;
                return Some(Ok(mark.record(window)));
            }
        }
        self.next_slow()
    }
}

impl std::iter::FusedIterator for SliceReader<'_> {}

/// An event of the RDB that a file begins with.
pub(crate) fn of_preamble(event: Event<'_>) -> Record<'_> {
    Record {
        offset: event.offset(),
        kind: RecordKind::Rdb(event),
        number: 0,
        db: 0,
        timestamp: None,
        transaction: Transaction::Outside,
    }
}
