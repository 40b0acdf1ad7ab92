//! Writing a log: the readers' mirror.
//!
//! Records pass through as they are: the untouched records of a file come out as that file. What
//! holds between them is kept too when some are left out: the database they work on, the second
//! they were written in, and that a transaction is whole.

use crate::aof::encode::{write_annotation, write_command, write_timestamp};
use crate::aof::record::{Record, RecordKind, Transaction};
use crate::aof::resp::Command;
use crate::error::{Error, Result};
use crate::wire::number::{Digits, parse_integer};
use std::io::Write;

/// Bytes gathered before the target sees them.
const BLOCK: usize = 256 << 10;

/// Writes the records of a log to any target.
///
/// [`record`](LogWriter::record) copies those of a reader, [`command`](LogWriter::command) makes
/// new ones. Nothing is synced here: that is the business of whoever owns the target.
///
/// ```
/// use redkeep::aof::{LogWriter, SliceReader};
/// let mut writer = LogWriter::new(Vec::new());
/// writer.timestamp(1_795_159_679)?;
/// writer.command(3, &["SET", "after", "1"])?;
/// let log = writer.finish()?;
/// assert_eq!(log.len(), 70);
///
/// let mut copy = LogWriter::new(Vec::new());
/// for record in SliceReader::new(&log) {
///     copy.record(&record?)?;
/// }
/// assert_eq!(copy.finish()?, log);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct LogWriter<W> {
    target: W,
    block: Vec<u8>,
    offset: u64,
    records: u64,
    selects: u64,
    /// What a server that has read this far works on; `None` where a command of our own has to say.
    db: Option<u64>,
    timestamp: Option<i64>,
    /// Inside a transaction.
    multi: bool,
}

impl<W: Write> LogWriter<W> {
    /// A writer at the beginning of a file, or behind the RDB that a file begins with.
    pub fn new(target: W) -> LogWriter<W> {
        LogWriter {
            target,
            block: Vec::new(),
            offset: 0,
            records: 0,
            selects: 0,
            db: None,
            timestamp: None,
            multi: false,
        }
    }

    /// Bytes written since the file began.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The target, which may not have got all of it yet.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.target
    }

    /// Records written, in all files.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Those of them that are a SELECT nobody asked for, in all files.
    pub fn selects(&self) -> u64 {
        self.selects
    }

    /// Appends a command that works on this database, as servers do: a SELECT goes before the first
    /// command of a file and wherever the database changes.
    ///
    /// # Errors
    /// `Usage` for a command without a name, a SELECT of your own, a MULTI inside a transaction, an
    /// EXEC outside and another database inside of one; `Io` where the target fails.
    pub fn command(&mut self, db: u64, args: &[impl AsRef<[u8]>]) -> Result<()> {
        let name = args.first().map(AsRef::as_ref).unwrap_or_default();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("SELECT") {
            return Err(Error::usage("the database goes with the command, not before it"));
        }
        if self.multi && (is("MULTI") || self.db != Some(db)) {
            return Err(Error::usage("the transaction before is not complete"));
        }
        if is("EXEC") && !self.multi {
            return Err(Error::usage("an EXEC without a MULTI"));
        }
        if args.is_empty() {
            return Err(Error::usage("a command without a name"));
        }
        if self.db != Some(db) {
            self.select(db)?;
        }
        self.multi = is("MULTI") || self.multi && !is("EXEC");
        self.put(|block| write_command(args, block))
    }

    /// Notes the time, in seconds since 1970, of the commands that follow: an annotation goes into
    /// the file where it is another second than before, and not in a transaction, which one must be
    /// able to cut a log at.
    ///
    /// # Errors
    /// `Io` where the target fails.
    pub fn timestamp(&mut self, seconds: i64) -> Result<()> {
        if self.multi || self.timestamp == Some(seconds) {
            return Ok(());
        }
        self.timestamp = Some(seconds);
        self.put(|block| {
            write_timestamp(seconds, block);
            Ok(())
        })
    }

    /// Appends a line that servers skip; `text` goes without `#` and line end.
    ///
    /// # Errors
    /// `Usage` where it is no line or too long, `Io` where the target fails.
    pub fn annotation(&mut self, text: &[u8]) -> Result<()> {
        self.put(|block| write_annotation(text, block))
    }

    /// Passes a record of a reader through, its bytes untouched.
    ///
    /// Where its database is not the one that a server would work on here, as after records that were
    /// left out or at the seam of two files, that is selected first; likewise its second is noted.
    ///
    /// # Errors
    /// `Usage` for a part of an RDB, and for a part of a transaction without the rest; `Io` where the
    /// target fails.
    pub fn record(&mut self, record: &Record<'_>) -> Result<()> {
        let command = match record.kind {
            RecordKind::Command(command) => command,
            RecordKind::Annotation(line) => {
                self.timestamp = line.timestamp().or(self.timestamp);
                return self.raw(line.raw());
            }
            RecordKind::Rdb(_) => {
                return Err(Error::usage("a part of an RDB is no record of a log"));
            }
        };
        let inside = match record.transaction {
            Transaction::Outside | Transaction::Begin | Transaction::StrayExec => false,
            Transaction::Inside | Transaction::Commit | Transaction::NestedMulti => true,
        };
        if inside != self.multi {
            return Err(Error::usage("a part of a transaction without the rest of it"));
        }
        if let Some(seconds) = record.timestamp {
            self.timestamp(seconds)?;
        }
        if selects(command) {
            self.db = Some(record.db);
        } else if self.db.unwrap_or_default() != record.db {
            self.select(record.db)?;
        }
        match record.transaction {
            Transaction::Begin => self.multi = true,
            Transaction::Commit => self.multi = false,
            _ => {}
        }
        self.raw(command.raw())
    }

    /// Goes on in another file: all that was written goes to the target, `next` makes the target take
    /// what follows elsewhere, and database and time are those of a new file.
    ///
    /// # Errors
    /// `Usage` inside a transaction, which never spans files; `Io` where the target fails; those of
    /// `next`.
    pub fn rotate(&mut self, next: impl FnOnce(&mut W) -> Result<()>) -> Result<()> {
        self.whole()?;
        self.flush()?;
        next(&mut self.target)?;
        (self.db, self.timestamp, self.offset) = (None, None, 0);
        Ok(())
    }

    /// Hands all that was written to the target, and has the target do the same.
    ///
    /// # Errors
    /// `Io` where the target fails.
    pub fn flush(&mut self) -> Result<()> {
        self.drain()?;
        self.target.flush().map_err(|error| Error::io(error, Some(self.offset)))
    }

    /// Ends the log and gives the target back.
    ///
    /// # Errors
    /// `Usage` inside a transaction, which servers would take back; `Io` where the target fails.
    pub fn finish(mut self) -> Result<W> {
        self.whole()?;
        self.flush()?;
        Ok(self.target)
    }

    fn whole(&self) -> Result<()> {
        match self.multi {
            true => Err(Error::usage("the transaction is not complete")),
            false => Ok(()),
        }
    }

    fn select(&mut self, db: u64) -> Result<()> {
        let number = i64::try_from(db).map_err(|_| Error::usage("no server has that database"))?;
        self.db = Some(db);
        self.selects += 1;
        let mut digits = Digits::new();
        self.put(|block| write_command(&[b"SELECT", digits.format(number)], block))
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() < BLOCK {
            return self.put(|block| {
                block.extend_from_slice(bytes);
                Ok(())
            });
        }
        self.drain()?;
        self.records += 1;
        self.offset += bytes.len() as u64;
        self.target.write_all(bytes).map_err(|error| Error::io(error, Some(self.offset)))
    }

    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let before = self.block.len();
        write(&mut self.block)?;
        self.records += 1;
        self.offset += (self.block.len() - before) as u64;
        if self.block.len() >= BLOCK { self.drain() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<()> {
        let written = self.target.write_all(&self.block);
        self.block.clear();
        written.map_err(|error| Error::io(error, Some(self.offset)))
    }
}

/// Whether a command says which database follows.
fn selects(command: Command<'_>) -> bool {
    let index = || command.get(1).and_then(parse_integer).is_some_and(|index| index >= 0);
    command.is("SELECT") && command.len() == 2 && index()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::reader::SliceReader;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn copy(log: &[u8], kept: impl Fn(&Record<'_>) -> bool) -> Result<Vec<u8>> {
        let mut writer = LogWriter::new(Vec::new());
        for record in SliceReader::new(log) {
            let record = record?;
            if kept(&record) {
                writer.record(&record)?;
            }
        }
        writer.finish()
    }

    fn log(commands: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for command in commands {
            let args: Vec<_> = command.split(' ').collect();
            write_command(&args, &mut out).unwrap();
        }
        out
    }

    #[test]
    fn a_database_is_selected_where_a_server_would_not_be_in_it() {
        let mut writer = LogWriter::new(Vec::new());
        writer.command(0, &["SET", "a", "1"]).unwrap();
        writer.command(0, &["SET", "b", "1"]).unwrap();
        writer.command(7, &["MULTI"]).unwrap();
        writer.command(7, &["DEL", "a"]).unwrap();
        writer.command(7, &["EXEC"]).unwrap();
        assert_eq!((writer.selects(), writer.records()), (2, 7));
        let commands = ["SELECT 0", "SET a 1", "SET b 1", "SELECT 7", "MULTI", "DEL a", "EXEC"];
        assert_eq!(writer.finish().unwrap(), log(&commands));

        let whole = log(&["SET a 1", "SELECT 3", "SET b 1", "SELECT x", "SET c 1"]);
        assert_eq!(copy(&whole, |_| true).unwrap(), whole);
        let sets = copy(&whole, |record| record.command().unwrap().is("SET")).unwrap();
        assert_eq!(sets, log(&["SET a 1", "SELECT 3", "SET b 1", "SET c 1"]));
    }

    #[test]
    fn files_that_are_joined_stay_in_their_databases() {
        let (one, two) = (log(&["SELECT 2", "SET a 1"]), log(&["SET b 1"]));
        let mut writer = LogWriter::new(Vec::new());
        for file in [&one, &two] {
            for record in SliceReader::new(file) {
                writer.record(&record.unwrap()).unwrap();
            }
        }
        let joined = log(&["SELECT 2", "SET a 1", "SELECT 0", "SET b 1"]);
        assert_eq!(writer.finish().unwrap(), joined);
    }

    #[test]
    fn every_file_begins_in_no_database_and_without_a_time() {
        let mut writer = LogWriter::new(Vec::new());
        let mut files = Vec::new();
        for _ in 0..2 {
            writer.timestamp(5).unwrap();
            writer.command(1, &["DEL", "a"]).unwrap();
            writer.timestamp(5).unwrap();
            writer.command(1, &["DEL", "b"]).unwrap();
            assert!(writer.offset() > 0);
            writer
                .rotate(|target| {
                    files.push(std::mem::take(target));
                    Ok(())
                })
                .unwrap();
            assert_eq!(writer.offset(), 0);
        }
        let file = [b"#TS:5\r\n".to_vec(), log(&["SELECT 1", "DEL a", "DEL b"])].concat();
        assert_eq!(files, [file.clone(), file]);
    }

    #[test]
    fn a_transaction_is_whole_or_an_error() {
        let log = log(&["MULTI", "SET a 1", "EXEC", "DEL a"]);
        for left_out in ["MULTI", "EXEC"] {
            let kept = |record: &Record<'_>| !record.command().unwrap().is(left_out);
            assert!(copy(&log, kept).is_err(), "{left_out}");
        }
        assert!(copy(&log, |record| record.number == 0).is_err());
        let mut writer = LogWriter::new(Vec::new());
        assert!(writer.command(0, &["EXEC"]).is_err());
        assert!(writer.command(0, &["select", "1"]).is_err());
        assert!(writer.command(0, &[] as &[&str]).is_err());
        assert_eq!(writer.offset(), 0);
        writer.command(0, &["MULTI"]).unwrap();
        writer.timestamp(1).unwrap();
        assert_eq!(writer.records(), 2);
        assert!(writer.command(0, &["multi"]).is_err());
        assert!(writer.command(1, &["DEL", "a"]).is_err());
        assert!(writer.rotate(|_| Ok(())).is_err());
        assert!(writer.finish().is_err());
    }

    #[test]
    fn a_second_that_was_left_out_is_noted_again() {
        let log = [b"#TS:1\r\n".to_vec(), log(&["DEL a"]), b"#TS:2\r\n#x\r\n".to_vec()].concat();
        assert_eq!(copy(&log, |_| true).unwrap(), log);
        let commands = copy(&log, |record| record.command().is_some()).unwrap();
        assert_eq!(commands, log[..log.len() - 11]);
    }

    proptest! {
        #[test]
        fn what_was_written_reads_the_same_in_every_file(
            steps in vec((0u64..3, vec(vec(any::<u8>(), 0..9), 1..4), 0u8..5, 1i64..4), 0..40),
        ) {
            let (mut writer, mut files) = (LogWriter::new(Vec::new()), Vec::new());
            let mut written = Vec::new();
            for (db, args, step, seconds) in steps {
                if step == 0 {
                    let next = |target: &mut Vec<u8>| {
                        files.push(std::mem::take(target));
                        Ok(())
                    };
                    writer.rotate(next).unwrap();
                }
                writer.timestamp(seconds).unwrap();
                if writer.command(db, &args).is_ok() {
                    written.push((db, args, seconds));
                }
            }
            files.push(writer.finish().unwrap());
            let mut read = Vec::new();
            for file in &files {
                prop_assert_eq!(&copy(file, |_| true).unwrap(), file);
                for record in SliceReader::new(file) {
                    let record = record.unwrap();
                    let Some(command) = record.command() else { continue };
                    if !selects(command) {
                        let args: Vec<_> = command.args().map(<[u8]>::to_vec).collect();
                        read.push((record.db, args, record.timestamp.unwrap()));
                    }
                }
            }
            prop_assert_eq!(read, written);
        }

        #[test]
        fn what_is_kept_of_a_log_stays_in_its_database(
            commands in vec((prop::sample::select(vec!["SELECT 1", "SELECT 2", "SELECT 0", "DEL a"]),
                any::<bool>()), 0..30),
        ) {
            let names: Vec<_> = commands.iter().map(|(command, _)| *command).collect();
            let bytes = log(&names);
            let kept = |record: &Record<'_>| {
                let at = usize::try_from(record.number).unwrap();
                commands[at].1 && commands[at].0 == "DEL a"
            };
            let part = copy(&bytes, kept).unwrap();
            let dbs = |bytes: &[u8], kept: &dyn Fn(&Record<'_>) -> bool| -> Vec<u64> {
                let records = SliceReader::new(bytes).map(|record| record.unwrap());
                records.filter(|record| kept(record)).map(|record| record.db).collect()
            };
            let is_del = |record: &Record<'_>| record.command().unwrap().is("DEL");
            prop_assert_eq!(dbs(&part, &is_del), dbs(&bytes, &kept));
        }
    }
}
