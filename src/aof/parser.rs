//! The sans-IO core of both readers: a step takes bytes and answers need-n-more, or a record.
//!
//! As in the RDB parser, a record is its raw bytes, and nothing depends on what is resident: a
//! record is looked at up to the limit and never further.

use crate::aof::record::{End, EndKind, Record, RecordKind, Transaction};
use crate::aof::resp::{Annotation, Command, Walk, annotation, next_command};
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::wire::cursor::{Res, Stop, part};
use crate::wire::number::parse_integer;

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// At least this many bytes more.
    Need(u64),
    /// The input begins with this record.
    Got(Mark),
    /// The log ends here, and well.
    End,
}

/// A record without its bytes: what is needed to make it again from the same input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) used: usize,
    shape: Shape,
    offset: u64,
    number: u64,
    db: u64,
    timestamp: Option<i64>,
    transaction: Transaction,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Command { argc: usize, args_at: usize },
    Annotation,
}

impl Mark {
    #[inline(always)]
    pub(crate) fn record<'a>(&self, input: &'a [u8]) -> Record<'a> {
        let raw = part(input, 0, self.used);
        let kind = match self.shape {
            Shape::Command { argc, args_at } => {
                RecordKind::Command(Command::new(raw, argc, args_at))
            }
            Shape::Annotation => RecordKind::Annotation(Annotation::new(raw)),
        };
        let Mark { offset, number, db, timestamp, transaction, .. } = *self;
        Record { kind, offset, number, db, timestamp, transaction }
    }
}

/// All that is kept between steps.
#[derive(Debug)]
pub(crate) struct Parser {
    /// A command that is not all here, framed this far.
    walk: Option<Walk>,
    /// Bytes of a record that are looked at.
    held: usize,
    /// Absolute offset of the next byte.
    offset: u64,
    number: u64,
    db: u64,
    timestamp: Option<i64>,
    multi: Option<u64>,
    valid_up_to: u64,
    commands_up_to: u64,
    end: Option<End>,
}

impl Parser {
    pub(crate) fn new(held: u64) -> Parser {
        Parser {
            walk: None,
            held: usize::try_from(held).unwrap_or(usize::MAX),
            offset: 0,
            number: 0,
            db: 0,
            timestamp: None,
            multi: None,
            valid_up_to: 0,
            commands_up_to: 0,
            end: None,
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The log begins behind a preamble of this length.
    pub(crate) fn begin_at(&mut self, offset: u64) {
        (self.offset, self.valid_up_to) = (offset, offset);
    }

    /// The short path: a whole command as nearly all are, or nothing done.
    #[inline(always)]
    pub(crate) fn quick(&mut self, input: &[u8]) -> Option<Mark> {
        if self.walk.is_some() {
            return None;
        }
        let view = input.get(..self.held).unwrap_or(input);
        let (walk, name) = Walk::usual(view)?;
        Some(self.command(view, &walk, name))
    }

    /// One step of either path; `eof` says that nothing comes after `input`.
    #[inline(never)]
    pub(crate) fn step(&mut self, input: &[u8], eof: bool) -> Result<Step> {
        let view = input.get(..self.held).unwrap_or(input);
        let stop = match self.record(view) {
            Ok(mark) => return Ok(Step::Got(mark)),
            Err(stop) => stop,
        };
        match stop {
            Stop::Short(_) if view.len() == self.held => Err(self.fail(
                Error::at(Fault::Held, self.offset)
                    .with_detail(format!("it has more than {} bytes", self.held)),
            )),
            Stop::Short(n) if !eof => Ok(Step::Need(n)),
            Stop::Short(_) if view.is_empty() => self.finish(),
            Stop::Short(n) => Err(self.torn(view, n)),
            Stop::Bad(fault, left) => {
                let at = view.len() - left.min(view.len());
                let error = Error::at(fault, self.offset + at as u64);
                Err(self.fail(error.with_detail(self.inside(view))))
            }
        }
    }

    fn record(&mut self, view: &[u8]) -> Res<Mark> {
        if view.first() == Some(&b'#') {
            let used = annotation(view)?;
            return Ok(self.annotation(part(view, 0, used)));
        }
        let mut walk = match self.walk {
            Some(walk) => walk,
            None => Walk::start(view)?,
        };
        let end = walk.run(view);
        self.walk = Some(walk);
        end?;
        self.walk = None;
        Ok(self.command(view, &walk, walk.command(view).name()))
    }

    fn annotation(&mut self, line: &[u8]) -> Mark {
        if let Some(seconds) = Annotation::new(line).timestamp() {
            self.timestamp = Some(seconds);
        }
        let transaction = match self.multi {
            Some(_) => Transaction::Inside,
            None => Transaction::Outside,
        };
        self.mark(line.len(), Shape::Annotation, transaction)
    }

    #[inline(always)]
    fn command(&mut self, view: &[u8], walk: &Walk, name: &[u8]) -> Mark {
        let transaction = match (name.len(), name.first().map(|first| first | 0x20)) {
            (4, Some(b'e')) | (5, Some(b'm')) | (6, Some(b's')) => self.control(walk.command(view)),
            _ if self.multi.is_some() => Transaction::Inside,
            _ => Transaction::Outside,
        };
        let (argc, args_at) = walk.shape();
        let mark = self.mark(walk.at, Shape::Command { argc, args_at }, transaction);
        self.commands_up_to = self.offset;
        mark
    }

    /// A command whose name has the length and the first letter of one that changes the state.
    #[inline(never)]
    fn control(&mut self, command: Command<'_>) -> Transaction {
        if command.is("SELECT") && command.len() == 2 {
            let index = command.get(1).and_then(parse_integer);
            if let Some(db) = index.and_then(|index| u64::try_from(index).ok()) {
                self.db = db;
            }
        } else if command.is("MULTI") {
            if self.multi.is_some() {
                return Transaction::NestedMulti;
            }
            self.multi = Some(self.offset);
            return Transaction::Begin;
        } else if command.is("EXEC") {
            return match self.multi.take() {
                Some(_) => Transaction::Commit,
                None => Transaction::StrayExec,
            };
        }
        match self.multi {
            Some(_) => Transaction::Inside,
            None => Transaction::Outside,
        }
    }

    #[inline(always)]
    fn mark(&mut self, used: usize, shape: Shape, transaction: Transaction) -> Mark {
        let Parser { offset, number, db, timestamp, .. } = *self;
        self.offset += used as u64;
        self.number += 1;
        if self.multi.is_none() {
            self.valid_up_to = self.offset;
        }
        Mark { used, shape, offset, number, db, timestamp, transaction }
    }

    /// Nothing is left: well, unless a transaction is open.
    fn finish(&mut self) -> Result<Step> {
        let Some(multi) = self.multi else {
            self.close(EndKind::Clean, None);
            return Ok(Step::End);
        };
        self.close(EndKind::OpenMulti, None);
        let detail = format!("its MULTI is at byte {multi}");
        Err(Error::at(Fault::LogOpenMulti, self.offset).with_detail(detail))
    }

    #[cold]
    fn torn(&mut self, view: &[u8], lacking: u64) -> Error {
        let error = Error::at(Fault::EndsInside, self.offset + view.len() as u64);
        let what = match view.first() {
            Some(b'#') => format!("the annotation at byte {} has no end", self.offset),
            _ => format!("{lacking} bytes are missing {}", self.inside(view)),
        };
        // Behind its first byte, or it would find itself.
        let goes_on_at = next_command(view, 1).map(|at| self.offset + at as u64);
        self.close(EndKind::Torn, goes_on_at);
        error.with_detail(what)
    }

    /// Which record it is, in words.
    #[cold]
    fn inside(&self, view: &[u8]) -> String {
        let of = match Walk::start(view) {
            Ok(mut walk) => {
                let _ = walk.run(view);
                match walk.command(view).name() {
                    b"" => String::new(),
                    name => format!(" ({})", crate::error::printable(name)),
                }
            }
            Err(_) => String::new(),
        };
        format!("in record {}{of}, which begins at byte {}", self.number, self.offset)
    }

    /// Notes that the reading ends with this error.
    #[cold]
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        let kind = match error.kind() {
            ErrorKind::Corrupt => EndKind::Corrupt,
            _ => EndKind::Stopped,
        };
        self.close(kind, None);
        error
    }

    /// Notes that the reading ends inside the preamble.
    #[cold]
    pub(crate) fn fail_in_preamble(&mut self, error: &Error) {
        let kind = match error.kind() {
            ErrorKind::Truncated | ErrorKind::Corrupt | ErrorKind::Checksum => EndKind::Preamble,
            _ => EndKind::Stopped,
        };
        self.close(kind, None);
    }

    fn close(&mut self, kind: EndKind, goes_on_at: Option<u64>) {
        self.end = Some(End {
            kind,
            valid_up_to: self.valid_up_to,
            commands_up_to: self.commands_up_to,
            records_up_to: self.offset,
            records: self.number,
            open_multi: self.multi,
            goes_on_at,
        });
    }
}

/// Whether a file that begins so is taken for an RDB; `None` while that cannot be told.
pub(crate) fn begins_with_rdb(head: &[u8], eof: bool) -> Option<bool> {
    const MAGICS: [&[u8]; 2] = [b"REDIS", b"VALKEY"];
    if MAGICS.iter().any(|magic| head.starts_with(magic)) {
        return Some(true);
    }
    // A part of a magic, and nothing else, is the rest of an RDB.
    match MAGICS.iter().any(|magic| magic.starts_with(head)) {
        true if eof => Some(!head.is_empty()),
        true => None,
        false => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::reader::SliceReader;

    fn log(commands: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for command in commands {
            let args: Vec<_> = command.split(' ').collect();
            crate::aof::write_command(&args, &mut out).unwrap();
        }
        out
    }

    /// The transaction and database of each record, the error, and the end.
    fn read(bytes: &[u8]) -> (Vec<(Transaction, u64)>, Option<Fault>, End) {
        let mut reader = SliceReader::new(bytes);
        let (mut records, mut fault) = (Vec::new(), None);
        for record in reader.by_ref() {
            match record {
                Ok(record) => records.push((record.transaction, record.db)),
                Err(error) => fault = error.fault(),
            }
        }
        (records, fault, *reader.end().unwrap())
    }

    #[test]
    fn a_log_that_is_whole_ends_clean_and_an_empty_one_too() {
        let (records, fault, end) = read(b"");
        assert_eq!((records.len(), fault, end.kind, end.valid_up_to), (0, None, EndKind::Clean, 0));
        let bytes = log(&["select 7", "set a b", "SELECT x", "SELECT -1", "del a"]);
        let (records, fault, end) = read(&bytes);
        assert_eq!(records, [(Transaction::Outside, 7); 5]);
        assert_eq!((fault, end.kind, end.records), (None, EndKind::Clean, 5));
        assert_eq!(end.valid_up_to, bytes.len() as u64);
        assert_eq!((end.commands_up_to, end.records_up_to), (end.valid_up_to, end.valid_up_to));
    }

    #[test]
    fn a_transaction_is_followed_and_the_boundary_stays_before_it() {
        use Transaction::{Begin, Commit, Inside, NestedMulti, Outside, StrayExec};
        let (records, _, end) =
            read(&log(&["EXEC", "multi", "MULTI", "SET a b", "exec", "EXEC x"]));
        let kinds: Vec<_> = records.iter().map(|(transaction, _)| *transaction).collect();
        assert_eq!(kinds, [StrayExec, Begin, NestedMulti, Inside, Commit, StrayExec]);
        assert_eq!(end.kind, EndKind::Clean);

        let first = log(&["SET a b"]).len() as u64;
        let open = log(&["SET a b", "MULTI", "SET c d"]);
        let (records, fault, end) = read(&open);
        assert_eq!(records.last(), Some(&(Inside, 0)));
        assert_eq!(records.first(), Some(&(Outside, 0)));
        assert_eq!((fault, end.kind), (Some(Fault::LogOpenMulti), EndKind::OpenMulti));
        assert_eq!((end.valid_up_to, end.open_multi), (first, Some(first)));
        assert_eq!(end.commands_up_to, open.len() as u64);

        let (_, fault, end) = read(&[&open[..], b"*1\r\n$4\r\nEX"].concat());
        assert_eq!((fault, end.kind), (Some(Fault::EndsInside), EndKind::Torn));
        assert_eq!((end.valid_up_to, end.open_multi), (first, Some(first)));
        assert_eq!(end.commands_up_to, open.len() as u64);
    }

    #[test]
    fn a_torn_tail_is_reported_with_the_last_good_offset_at_every_cut() {
        let bytes = log(&["SET a b", "SET c 0123456789", "#"]);
        let ends = [log(&["SET a b"]).len(), log(&["SET a b", "SET c 0123456789"]).len()];
        for cut in 1..bytes.len() {
            let good = ends.iter().filter(|end| **end <= cut).max().copied().unwrap_or(0);
            let (records, fault, end) = read(&bytes[..cut]);
            assert_eq!(end.valid_up_to, good as u64, "cut to {cut}");
            assert_eq!(records.len() as u64, end.records);
            match cut == good {
                true => assert_eq!((fault, end.kind), (None, EndKind::Clean)),
                false => assert_eq!((fault, end.kind), (Some(Fault::EndsInside), EndKind::Torn)),
            }
            assert_eq!(end.goes_on_at, None);
        }
    }

    #[test]
    fn a_length_that_swallows_the_rest_of_a_log_is_torn_with_evidence() {
        let bytes = [&log(&["SET a b"])[..], b"*2\r\n$3\r\nDEL\r\n$1000\r\na\r\n"].concat();
        let behind = bytes.len() as u64;
        let (_, _, end) = read(&[bytes, log(&["SET c d"])].concat());
        assert_eq!((end.kind, end.goes_on_at), (EndKind::Torn, Some(behind)));
    }

    #[test]
    fn zeros_behind_a_log_are_corrupt_not_torn() {
        let bytes = [&log(&["SET a b"])[..], &[0; 500]].concat();
        let (_, fault, end) = read(&bytes);
        assert_eq!((fault, end.kind), (Some(Fault::LogPrefix), EndKind::Corrupt));
        assert_eq!(end.valid_up_to, bytes.len() as u64 - 500);
    }

    #[test]
    fn annotations_give_the_time_and_a_torn_one_is_a_torn_tail() {
        let bytes = [b"#TS:5\r\n#other\n", &log(&["DEL a"])[..], b"#TS:x\r\n"].concat();
        let times: Vec<_> =
            SliceReader::new(&bytes).map(|record| record.unwrap().timestamp).collect();
        assert_eq!(times, [Some(5); 4]);
        let (_, fault, end) = read(&[&bytes[..], b"#TS:1"].concat());
        assert_eq!((fault, end.kind), (Some(Fault::EndsInside), EndKind::Torn));
        assert_eq!(end.valid_up_to, bytes.len() as u64);
    }

    #[test]
    fn a_preamble_is_read_first_and_the_log_counts_from_zero() {
        let rdb = b"REDIS0003\xfe\x05\x00\x01k\x01v\xff";
        let bytes = [rdb, &log(&["DEL a"])[..]].concat();
        let records: Vec<_> = SliceReader::new(&bytes).map(Result::unwrap).collect();
        let last = records.last().unwrap();
        assert_eq!((last.offset, last.number, last.db), (rdb.len() as u64, 0, 0));
        let joined: Vec<_> = records.iter().flat_map(Record::raw).copied().collect();
        assert_eq!(joined, bytes);
        let (_, _, end) = read(&[rdb, &b"*1"[..]].concat());
        assert_eq!((end.kind, end.valid_up_to), (EndKind::Torn, rdb.len() as u64));
        assert_eq!(end.commands_up_to, 0);
        for part in ["REDIS0003\u{5}", "VALKEY", "RED", "VALKEY080"] {
            let (_, fault, end) = read(part.as_bytes());
            assert!(fault.is_some() && end.kind == EndKind::Preamble, "{part}: {fault:?}");
        }
        assert_eq!(read(b"RUDE").2.kind, EndKind::Corrupt);
    }
}
