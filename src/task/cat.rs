//! The commands of a log, printed.

use crate::aof::{Command, End, Fileset, LogFile, RecordKind, StreamReader, write_command};
use crate::error::{Error, Fault, Result};
use crate::export::{JsonLines, RecordLines};
use crate::limits::Limits;
use crate::pipe::EntrySource;
use crate::rdb::EventKind;
use crate::select::{
    Filter, FilterOptions, RecordDecision, RecordFilter, RecordFilterOptions, Sieve,
};
use crate::task::aof::{Preamble, log_files, open};
use crate::wire::number::parse_integer;
use std::fs::File;
use std::io::Write;

/// How commands are printed.
///
/// ```
/// use redkeep::task::CatFormat;
/// assert_eq!(CatFormat::default(), CatFormat::JsonLines);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CatFormat {
    /// One JSON document a line, of every record.
    #[default]
    JsonLines,
    /// As a server takes them: commands alone, and a SELECT where the database is another one.
    Resp,
}

/// Which records are printed, and how.
///
/// ```
/// use redkeep::select::RecordFilterOptions;
/// use redkeep::task::{CatFormat, CatOptions};
/// let options = CatOptions::default()
///     .format(CatFormat::Resp)
///     .records(RecordFilterOptions::default().commands(["DEL"]));
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CatOptions {
    /// Which records. Default: all.
    pub records: RecordFilterOptions,
    /// How. Default: JSON lines.
    pub format: CatFormat,
    /// Which keys of RDBs, printed as [`JsonLines`] has them. Default: none, and one line says that
    /// there is an RDB.
    pub keys: Option<FilterOptions>,
    /// Ceilings on memory while reading.
    pub limits: Limits,
}

impl CatOptions {
    /// Sets [`records`](Self::records).
    #[must_use]
    pub fn records(mut self, filter: RecordFilterOptions) -> Self {
        self.records = filter;
        self
    }

    /// Sets [`format`](Self::format).
    #[must_use]
    pub fn format(mut self, format: CatFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets [`keys`](Self::keys).
    #[must_use]
    pub fn keys(mut self, filter: FilterOptions) -> Self {
        self.keys = Some(filter);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What was read and printed.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CatOutcome {
    /// Files that were read to their end.
    pub files: u64,
    /// Records of logs that were read.
    pub read: u64,
    /// Of those, printed.
    pub printed: u64,
    /// Keys of RDBs that were printed.
    pub keys: u64,
    /// Commands not printed because they are not known here, so that nobody can tell their keys.
    pub unknown: u64,
    /// Records not printed because it is not known when they were written.
    pub untimed: u64,
    /// What was wrong, where something was: reading ended there.
    pub damage: Option<Error>,
    /// How the file ended that reading ended in.
    pub end: Option<End>,
}

/// Prints the records of a log, file after file, to the end or to the first damage.
///
/// # Errors
/// `Io` where `out` fails or a file cannot be opened. Damage is no error here but a part of the
/// outcome: what was printed before it is sound.
///
/// ```
/// use redkeep::aof::{Fileset, FilesetOptions};
/// use redkeep::select::{KeyPattern, RecordFilterOptions};
/// use redkeep::task::{CatFormat, CatOptions, cat_aof};
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-cat-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("appendonly.aof");
/// std::fs::write(&path, b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n*1\r\n")?;
/// let log = Fileset::find(&path, &FilesetOptions::new("redis-6.2".parse().unwrap()))?;
/// let of_b = RecordFilterOptions::default().keys([KeyPattern::exact("b")]);
/// let options = CatOptions::default().records(of_b).format(CatFormat::Resp);
/// let mut out = Vec::new();
/// let outcome = cat_aof(&log, &mut out, &options)?;
/// assert_eq!(out, b"*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n");
/// assert!(outcome.damage.unwrap().is_truncated());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn cat_aof(source: &Fileset, out: impl Write, options: &CatOptions) -> Result<CatOutcome> {
    let mut cat = Cat {
        options,
        filter: RecordFilter::new(options.records.clone()),
        lines: RecordLines::new(out),
        block: Vec::new(),
        db: 0,
        time: None,
        outcome: CatOutcome::default(),
    };
    let files = match log_files(source) {
        Ok(files) => files,
        Err(error) => {
            cat.outcome.damage = Some(error);
            return Ok(cat.outcome);
        }
    };
    for file in files {
        let mut reader = open(file, &options.limits)?;
        let damage = cat.file(file, &mut reader)?;
        cat.outcome.end = reader.end().copied();
        if let Some(error) = damage {
            cat.outcome.damage = Some(error.in_file(file.path.display().to_string()));
            break;
        }
        cat.outcome.files += 1;
    }
    cat.drain(0)?;
    cat.lines.flush()?;
    Ok(cat.outcome)
}

/// Bytes of commands that are gathered before they are written out.
const BLOCK: usize = 256 << 10;

struct Cat<'o, W> {
    options: &'o CatOptions,
    filter: RecordFilter,
    lines: RecordLines<W>,
    /// Commands in RESP that wait.
    block: Vec<u8>,
    /// The database that whoever takes those works on.
    db: u64,
    /// The last second that was noted, in this file or one before.
    time: Option<i64>,
    outcome: CatOutcome,
}

impl<W: Write> Cat<'_, W> {
    /// Prints a file; what is wrong with it is the value, what is wrong with `out` the error.
    fn file(&mut self, file: &LogFile, reader: &mut StreamReader<File>) -> Result<Option<Error>> {
        if file.content == crate::aof::Content::Rdb {
            let damage = self.rdb(&file.name, reader)?;
            if damage.is_some() {
                return Ok(damage);
            }
        }
        loop {
            let record = match reader.next() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(error)),
            };
            self.outcome.read += 1;
            self.time = record.timestamp.or(self.time);
            match self.filter.matches(&record, self.time) {
                RecordDecision::Keep => {}
                RecordDecision::Reject => continue,
                RecordDecision::UnknownKeys => {
                    self.outcome.unknown += 1;
                    continue;
                }
                RecordDecision::Untimed => {
                    self.outcome.untimed += 1;
                    continue;
                }
            }
            match (self.options.format, record.kind) {
                (CatFormat::JsonLines, _) => self.lines.record(&file.name, &record, self.time)?,
                (CatFormat::Resp, RecordKind::Command(command)) => {
                    self.resp(command, record.db)?;
                }
                (CatFormat::Resp, _) => continue,
            }
            self.outcome.printed += 1;
        }
    }

    /// Names an RDB, or prints its keys.
    fn rdb(&mut self, name: &str, reader: &mut StreamReader<File>) -> Result<Option<Error>> {
        let (mut header, mut keys) = (None, 0);
        let mut preamble = Preamble::new(reader);
        let filter = self.options.keys.clone().unwrap_or_default();
        let mut sieve = Sieve::new(Filter::new(filter));
        let out = self.lines.between()?;
        let mut lines = self.options.keys.is_some().then(|| JsonLines::new(out));
        let damage = loop {
            let event = match preamble.next_event() {
                Ok(Some(event)) => event,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            if let EventKind::Header(found) = event.kind() {
                header = Some(found);
            }
            keys += u64::from(event.begins_key());
            let Some(lines) = &mut lines else { continue };
            let printed = match sieve.keeps(&event) {
                Ok(true) => lines.event(&event),
                Ok(false) => Ok(()),
                Err(error) => break Some(error),
            };
            match printed {
                Err(error) if error.is_io() => return Err(error),
                Err(error) => break Some(error),
                Ok(()) => {}
            }
        };
        match (lines, header, &damage) {
            // What was sound goes out in any case.
            (Some(lines), ..) => self.outcome.keys += lines.finish()?.keys,
            (None, Some(header), None) if self.options.format == CatFormat::JsonLines => {
                self.lines.rdb(name, header, reader.offset(), keys)?;
            }
            (None, None, None) => return Err(Error::from_fault(Fault::Internal)),
            _ => {}
        }
        Ok(damage)
    }

    fn resp(&mut self, command: Command<'_>, db: u64) -> Result<()> {
        let index = command.get(1).and_then(parse_integer);
        let selects = command.is("SELECT") && index.is_some_and(|index| index >= 0);
        if self.db != db && !selects {
            write_command(&["SELECT", &db.to_string()], &mut self.block)?;
        }
        self.db = db;
        self.block.extend_from_slice(command.raw());
        self.drain(BLOCK)
    }

    /// Writes commands out where they are more than so many bytes.
    fn drain(&mut self, most: usize) -> Result<()> {
        if self.block.len() > most {
            let written = self.lines.between()?.write_all(&self.block);
            self.block.clear();
            written?;
        }
        Ok(())
    }
}
