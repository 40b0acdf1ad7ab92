//! What a reader hands out, and how its reading ended.

use crate::aof::resp::{Annotation, Command};
use crate::rdb;

/// One record of a log, with what was known when it was read.
///
/// ```
/// use redkeep::aof::{RecordKind, SliceReader, Transaction};
/// let log = b"*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n";
/// let records = SliceReader::new(log).collect::<Result<Vec<_>, _>>()?;
/// let RecordKind::Command(del) = records[2].kind else { panic!() };
/// assert_eq!((del.name(), records[2].db, records[2].offset), (&b"DEL"[..], 3, 38));
/// assert_eq!(records[2].transaction, Transaction::Inside);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Record<'a> {
    /// What it is.
    pub kind: RecordKind<'a>,
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// How many records of the log come before it in the file; events of a preamble do not count.
    pub number: u64,
    /// The database that a command works on; for a SELECT the one it chooses, for events of a
    /// preamble 0. Every file begins with 0, and a SELECT without a number from 0 up fails and
    /// changes nothing. Nor does one beyond the `databases` of the server, which nobody but that
    /// server knows.
    pub db: u64,
    /// Seconds since 1970 of the last `#TS:` annotation up to here in the file.
    pub timestamp: Option<i64>,
    /// How it stands to a transaction.
    pub transaction: Transaction,
}

impl<'a> Record<'a> {
    /// The bytes as they stand in the file; those of all records, end to end, are the file.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        match self.kind {
            RecordKind::Command(command) => command.raw(),
            RecordKind::Annotation(annotation) => annotation.raw(),
            RecordKind::Rdb(event) => event.raw(),
        }
    }

    /// The command, where it is one.
    #[must_use]
    pub fn command(&self) -> Option<Command<'a>> {
        match self.kind {
            RecordKind::Command(command) => Some(command),
            _ => None,
        }
    }
}

/// What a record is.
///
/// ```
/// use redkeep::aof::{RecordKind, SliceReader};
/// let record = SliceReader::new(b"#TS:1\r\n").next().unwrap()?;
/// assert!(matches!(record.kind, RecordKind::Annotation(line) if line.timestamp() == Some(1)));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum RecordKind<'a> {
    /// A command.
    Command(Command<'a>),
    /// A line that begins with `#`.
    Annotation(Annotation<'a>),
    /// A part of the RDB that the file begins with.
    Rdb(rdb::Event<'a>),
}

/// How a record stands to a transaction (MULTI ... EXEC).
///
/// Servers run what is inside only when EXEC comes, all at once.
///
/// ```
/// use redkeep::aof::{SliceReader, Transaction};
/// let record = SliceReader::new(b"*1\r\n$4\r\nEXEC\r\n").next().unwrap()?;
/// assert_eq!(record.transaction, Transaction::StrayExec);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Transaction {
    /// It is in none.
    Outside,
    /// The MULTI that opens one.
    Begin,
    /// Inside one.
    Inside,
    /// The EXEC that closes it.
    Commit,
    /// An EXEC without a MULTI: a server reports an error and goes on, the servers' checker stops.
    StrayExec,
    /// A MULTI inside a transaction, which stays open: as with a stray EXEC.
    NestedMulti,
}

/// How the reading of a log ended.
///
/// ```
/// use redkeep::aof::{EndKind, SliceReader};
/// let mut reader = SliceReader::new(b"*1\r\n$8\r\nFLUSHALL\r\n*2\r\n$3\r\nDE");
/// assert!(reader.by_ref().last().unwrap().is_err());
/// let end = reader.end().unwrap();
/// assert_eq!((end.kind, end.valid_up_to, end.records), (EndKind::Torn, 18, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct End {
    /// Which kind of end it is.
    pub kind: EndKind,
    /// The end of the last whole record outside a transaction: all before it is sound, and a log
    /// can be cut there.
    pub valid_up_to: u64,
    /// The end of the last whole command, be it in a transaction, and 0 before the first one. That
    /// is where Redis cuts a log that is [`Torn`](EndKind::Torn), also behind a preamble: when the
    /// first command after one is torn, the whole file goes (seen with Redis 6.2, 7.0 and 8.0).
    /// Valkey 9.1 cuts at [`valid_up_to`](Self::valid_up_to).
    pub commands_up_to: u64,
    /// The end of the last whole record of any kind.
    pub records_up_to: u64,
    /// How many records of the log were whole.
    pub records: u64,
    /// Offset of the MULTI whose EXEC was not seen.
    pub open_multi: Option<u64>,
    /// With a [`Torn`](EndKind::Torn) end: offset of a whole command that stands behind the
    /// beginning of the torn record. A crash does not write on after the place where it tore, so
    /// either a length is wrong, and servers would drop all that follows it as if it were torn, or
    /// a value holds the bytes of a command.
    pub goes_on_at: Option<u64>,
}

/// The kinds of ends.
///
/// ```
/// use redkeep::aof::{EndKind, SliceReader};
/// let mut reader = SliceReader::new(b"*1\r\n$5\r\nMULTI\r\n");
/// assert!(reader.by_ref().last().unwrap().is_err());
/// assert_eq!(reader.end().unwrap().kind, EndKind::OpenMulti);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EndKind {
    /// After a whole record, outside a transaction; or the file is empty.
    Clean,
    /// Inside a record: what a crash while writing leaves.
    Torn,
    /// After a whole record, but inside a transaction.
    OpenMulti,
    /// At bytes that no record has: no crash of a server explains them, though that of a file
    /// system may, which fills with zeros.
    Corrupt,
    /// In the RDB that the file begins with. Servers refuse it whole, and no cut can mend it.
    Preamble,
    /// The source failed, or a limit was reached: how the log goes on is not known.
    Stopped,
}
