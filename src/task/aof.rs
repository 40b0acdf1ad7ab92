//! Logs made of dumps and of other logs, and dumps made of logs.

use crate::aof::{
    Command, CommandSpec, Content, FileKind, Fileset, LogFile, LogWriter, Record, RecordKind,
    StreamReader, Trap,
};
use crate::error::{Error, Fault, Result, printable};
use crate::export::{CommandsOptions, CommandsOutcome, export_commands};
use crate::file::place::named;
use crate::limits::Limits;
use crate::pipe::{EntrySource, Staged};
use crate::rdb::convert::{ConvertCounts, ConvertOptions, Converter};
use crate::rdb::{self, Event, EventKind, Header, Role, RoleMarker, Writer};
use crate::task::log_folder::LogTarget;
use std::fs::File;
use std::io::{Read, Write};

/// How a log or a dump is made.
///
/// ```
/// use redkeep::rdb::convert::ConvertOptions;
/// use redkeep::task::AofOptions;
/// let server = "redis-6.2".parse().unwrap();
/// let options = AofOptions::default().convert(ConvertOptions::new(server));
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AofOptions {
    /// Another server that has to load it. Default: none, and all stays as it is.
    pub convert: Option<ConvertOptions>,
    /// A dump as the plain commands that build it, as servers rewrite a log with
    /// `aof-use-rdb-preamble no`: these go by the server named here, and
    /// [`convert`](Self::convert) is not looked at. Default: none, and a dump becomes an RDB base.
    pub commands: Option<CommandsOptions>,
    /// Ceilings on memory while reading.
    pub limits: Limits,
}

impl AofOptions {
    /// Sets [`convert`](Self::convert).
    #[must_use]
    pub fn convert(mut self, options: ConvertOptions) -> Self {
        self.convert = Some(options);
        self
    }

    /// Sets [`commands`](Self::commands).
    #[must_use]
    pub fn commands(mut self, options: CommandsOptions) -> Self {
        self.commands = Some(options);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AofOutcome {
    /// Keys in RDBs that were read.
    pub keys: u64,
    /// Records of logs that were read and written, annotations among them.
    pub records: u64,
    /// SELECTs that were added, at the seams of files that became one.
    pub selects: u64,
    /// Annotations left out, for which a dump has no place.
    pub annotations_dropped: u64,
    /// Files of the source.
    pub files: u64,
    /// Bytes written, a manifest not counted.
    pub bytes: u64,
    /// What the conversion of RDBs did, where there was one.
    pub converted: Option<ConvertCounts>,
    /// What became of a dump that was written as commands.
    pub commands: Option<CommandsOutcome>,
}

/// Makes a log of a dump: an RDB, marked for what it is, that commands can follow; or the commands that
/// build it, if [asked for](AofOptions::commands).
///
/// With `appendonly yes` servers load nothing but their log: this is how a dump is restored there.
/// A folder gets a base and an empty increment; a single file, which servers from 4.0 to 6.2 have,
/// is the RDB. Records are copied as they are, expired keys too: servers drop those when they load a
/// dump, and load them from a log to expire them afterwards.
///
/// # Errors
/// As [`extract`](crate::task::extract); `Usage` where the server that is to load it keeps its log
/// another way. Nothing that was written is of use then: do not commit it.
///
/// ```
/// use redkeep::task::{AofOptions, SingleLog, aof_from_dump};
/// # let dump: &[u8] = b"REDIS0009\xfa\x0caof-preamble\xc0\x00\xfe\x00\x00\x01a\x01x\xff\0\0\0\0\0\0\0\0";
/// let mut log = SingleLog::new(Vec::new());
/// let outcome = aof_from_dump(dump, &mut log, &AofOptions::default())?;
/// assert_eq!((outcome.keys, log.into_inner().len()), (1, dump.len()));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn aof_from_dump(
    source: impl Read,
    target: &mut impl LogTarget,
    options: &AofOptions,
) -> Result<AofOutcome> {
    let mut work = Work::new(options);
    if let Some(commands) = &options.commands {
        if target.has_parts() && !commands.target.has_log_parts() {
            let server = commands.target;
            return Err(Error::usage(format!("{server} keeps its log in a single file")));
        }
        target.begin(FileKind::Base, Content::Log)?;
        let commands = commands.clone().limits(options.limits);
        let outcome = export_commands(source, &mut *target, commands)?;
        (work.outcome.keys, work.outcome.bytes) = (outcome.read, outcome.bytes);
        (work.outcome.files, work.outcome.commands) = (1, Some(outcome));
        if target.has_parts() {
            target.begin(FileKind::Increment, Content::Log)?;
        }
        return Ok(work.outcome);
    }
    work.fits(target, true)?;
    target.begin(FileKind::Base, Content::Rdb)?;
    let mut reader = rdb::StreamReader::with_limits(source, &options.limits);
    let role = if target.has_parts() { Role::Base } else { Role::Preamble };
    work.rdb(&mut reader, &mut *target, role)?;
    if target.has_parts() {
        target.begin(FileKind::Increment, Content::Log)?;
    }
    work.outcome.files = 1;
    Ok(work.outcome)
}

/// Makes a log of another one: a folder of a single file, a single file of a folder, or one for
/// another server.
///
/// Records are copied byte for byte. An RDB in front becomes a file of its own in a folder, and the
/// first thing in a single file; where files become one and the next would begin in another
/// database, a SELECT 0 goes between them.
///
/// For another server commands are looked up by their names alone: options that it does not know yet
/// make it pass over a command, as `PXAT` of SET does before 6.2.
///
/// # Errors
/// Those of the reader for the first damage, torn tails among them; `Unsupported` for a command that
/// the server to load it does not know, or a payload of RESTORE that it cannot read; `Usage` where it
/// keeps its log another way, or for an RDB in the midst of a log that is to be one file.
///
/// ```
/// use redkeep::aof::{Fileset, FilesetOptions};
/// use redkeep::task::{AofOptions, LogFolder, aof_from_aof};
/// # let data = std::env::temp_dir().join(format!("redkeep-doc-aof-{}", std::process::id()));
/// # std::fs::create_dir_all(&data)?;
/// # std::fs::write(data.join("old.aof"), b"*1\r\n$8\r\nFLUSHALL\r\n")?;
/// let options = FilesetOptions::new("redis-7.2".parse().unwrap());
/// let old = Fileset::find(&data.join("old.aof"), &options)?;
/// let mut folder = LogFolder::create(&data.join("appendonlydir"), "appendonly.aof", false)?;
/// let outcome = aof_from_aof(&old, &mut folder, &AofOptions::default())?;
/// folder.commit()?;
/// assert_eq!(outcome.records, 1);
/// # std::fs::remove_dir_all(&data)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn aof_from_aof(
    source: &Fileset,
    target: &mut impl LogTarget,
    options: &AofOptions,
) -> Result<AofOutcome> {
    let mut work = Work::new(options);
    let files = log_files(source)?;
    work.fits(target, files.iter().any(|file| file.content == Content::Rdb))?;
    let has_parts = target.has_parts();
    let role = if has_parts { Role::Base } else { Role::Preamble };
    let mut log = LogWriter::new(CountingTarget { target, bytes: 0 });
    for file in files {
        let mut reader = open(file, &options.limits)?;
        work.file(file, &mut reader, &mut log, role, has_parts)
            .map_err(|error| error.in_file(file.path.display().to_string()))?;
    }
    // As servers do, which would make one at their start.
    if has_parts && !files.iter().any(|file| file.kind == FileKind::Increment) && !work.increment {
        log.rotate(|target| target.target.begin(FileKind::Increment, Content::Log))?;
    }
    (work.outcome.records, work.outcome.selects) = (log.records() - log.selects(), log.selects());
    work.outcome.bytes = log.finish()?.bytes;
    work.outcome.files = files.len() as u64;
    Ok(work.outcome)
}

/// Makes a dump of a log that is nothing but an RDB, as it is after a rewrite.
///
/// # Errors
/// `Unsupported` where the log holds commands, which would have to be replayed; those of the readers
/// for damage; as [`extract`](crate::task::extract) for conversion.
///
/// ```
/// use redkeep::aof::{Fileset, FilesetOptions};
/// use redkeep::task::{AofOptions, dump_from_aof};
/// # let data = std::env::temp_dir().join(format!("redkeep-doc-base-{}", std::process::id()));
/// # std::fs::create_dir_all(&data)?;
/// # let base = data.join("appendonly.aof.1.base.rdb");
/// # std::fs::write(&base, b"REDIS0010\xfa\x08aof-base\xc0\x01\xff\0\0\0\0\0\0\0\0")?;
/// let base = Fileset::find(&base, &FilesetOptions::new("redis-7.2".parse().unwrap()))?;
/// let mut dump = Vec::new();
/// dump_from_aof(&base, &mut dump, &AofOptions::default())?;
/// assert_eq!(&dump[..22], b"REDIS0010\xfa\x08aof-base\xc0\x00\xff");
/// # std::fs::remove_dir_all(&data)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn dump_from_aof(
    source: &Fileset,
    mut target: impl Write,
    options: &AofOptions,
) -> Result<AofOutcome> {
    let mut work = Work::new(options);
    let files = log_files(source)?;
    let mut written = false;
    for file in files {
        let mut reader = open(file, &options.limits)?;
        let mut copy = || {
            if file.content == Content::Rdb && !std::mem::replace(&mut written, true) {
                work.rdb(&mut Preamble::new(&mut reader), &mut target, Role::Dump)?;
            }
            while let Some(record) = reader.next()? {
                match record.kind {
                    RecordKind::Annotation(_) => work.outcome.annotations_dropped += 1,
                    // It changes nothing by itself.
                    RecordKind::Command(command) if command.is("SELECT") => {}
                    _ => return Err(needs_replay(&record)),
                }
            }
            Ok(())
        };
        copy().map_err(|error| error.in_file(file.path.display().to_string()))?;
    }
    if !written {
        return Err(Error::from_fault(Fault::NeedsReplay).with_detail("it holds no RDB"));
    }
    work.outcome.files = files.len() as u64;
    Ok(work.outcome)
}

fn needs_replay(record: &Record<'_>) -> Error {
    let what = match record.command() {
        Some(command) => printable(command.name()),
        None => "an RDB in the midst of it".to_owned(),
    };
    Error::at(Fault::NeedsReplay, record.offset).with_detail(format!("the first is {what}"))
}

/// The files that make up a log, or why they do not.
pub(crate) fn log_files(source: &Fileset) -> Result<&[LogFile]> {
    let refuses =
        |trap: &&Trap| matches!(trap, Trap::ManifestRefused { .. } | Trap::Missing { .. });
    let why = match source.traps.iter().find(refuses) {
        Some(trap) => trap.to_string(),
        None if !source.files.is_empty() => return Ok(&source.files),
        None => {
            // A dump, or files without a manifest, may be what was taken for one.
            let found = source.traps.iter().map(Trap::to_string);
            ["there is none".to_owned()].into_iter().chain(found).collect::<Vec<_>>().join("; ")
        }
    };
    Err(Error::from_fault(Fault::LogRefused).with_detail(why))
}

/// Opens a file of a log to read its records.
pub(crate) fn open(file: &LogFile, limits: &Limits) -> Result<StreamReader<File>> {
    let opened = File::open(&file.path).map_err(|error| named(error, &file.path))?;
    Ok(StreamReader::with_limits(opened, limits))
}

/// The RDB that a log begins with, as a source of its own.
pub(crate) struct Preamble<'r, R> {
    reader: &'r mut StreamReader<R>,
    ended: bool,
}

impl<'r, R: Read> Preamble<'r, R> {
    /// Of a reader that has read nothing yet.
    pub(crate) fn new(reader: &'r mut StreamReader<R>) -> Preamble<'r, R> {
        Preamble { reader, ended: false }
    }
}

impl<R: Read> EntrySource for Preamble<'_, R> {
    fn next_event(&mut self) -> Result<Option<Event<'_>>> {
        if self.ended {
            return Ok(None);
        }
        match self.reader.next()?.map(|record| record.kind) {
            Some(RecordKind::Rdb(event)) => {
                self.ended = ends_rdb(&event);
                Ok(Some(event))
            }
            _ => Err(Error::from_fault(Fault::Internal)),
        }
    }
}

/// Whether it is the last event of an RDB.
fn ends_rdb(event: &Event<'_>) -> bool {
    if event.entry().is_some() {
        return false;
    }
    match event.kind() {
        EventKind::Eof => !event.expects_footer(),
        EventKind::Footer(_) => true,
        _ => false,
    }
}

/// A target that counts, lent to a writer.
struct CountingTarget<'t, T> {
    target: &'t mut T,
    bytes: u64,
}

impl<T: Write> Write for CountingTarget<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.target.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.target.flush()
    }
}

struct Work<'o> {
    options: &'o AofOptions,
    outcome: AofOutcome,
    /// The log behind an RDB became an increment.
    increment: bool,
}

impl<'o> Work<'o> {
    fn new(options: &'o AofOptions) -> Work<'o> {
        Work { options, outcome: AofOutcome::default(), increment: false }
    }

    /// Whether the server would look for the log where it goes.
    fn fits(&self, target: &impl LogTarget, has_rdb: bool) -> Result<()> {
        let Some(server) = self.options.convert.as_ref().map(|convert| convert.target) else {
            return Ok(());
        };
        if target.has_parts() && !server.has_log_parts() {
            return Err(Error::usage(format!("{server} keeps its log in a single file")));
        }
        if has_rdb && !server.is_valkey() && !server.at_least(4, 0) {
            return Err(Error::usage(format!("{server} reads no RDB in a log")));
        }
        Ok(())
    }

    /// Copies an RDB.
    fn rdb(&mut self, source: &mut impl EntrySource, target: impl Write, role: Role) -> Result<()> {
        let stage = self.options.convert.clone().map(Converter::new);
        let to = Staged { stage: RoleMarker::new(role), to: Writer::new(target) };
        let mut pipe = Staged { stage, to };
        while let Some(event) = source.next_event()? {
            self.outcome.keys += u64::from(event.begins_key());
            crate::pipe::EntrySink::event(&mut pipe, &event)?;
        }
        let Staged { stage, to: Staged { to: writer, .. } } = pipe;
        self.outcome.bytes += writer.ended_len();
        writer.finish()?;
        if let Some(converter) = stage {
            self.outcome.converted = Some(converter.counts().clone());
        }
        Ok(())
    }

    /// Copies a file of a log.
    fn file<T: LogTarget>(
        &mut self,
        file: &LogFile,
        reader: &mut StreamReader<File>,
        log: &mut LogWriter<CountingTarget<'_, T>>,
        role: Role,
        has_parts: bool,
    ) -> Result<()> {
        let mut fresh = has_parts;
        if file.content == Content::Rdb {
            log.rotate(|to| {
                to.target.begin(file.kind, Content::Rdb)?;
                self.rdb(&mut Preamble::new(reader), to, role)
            })?;
        } else if has_parts {
            log.rotate(|to| to.target.begin(file.kind, Content::Log))?;
            fresh = false;
        } else {
            log.get_mut().target.begin(file.kind, Content::Log)?;
        }
        while let Some(record) = reader.next()? {
            if fresh {
                log.rotate(|to| to.target.begin(FileKind::Increment, Content::Log))?;
                (fresh, self.increment) = (false, true);
            }
            if let Some(command) = record.command() {
                self.is_known(command, record.offset)?;
            }
            log.record(&record)?;
        }
        Ok(())
    }

    /// Whether the server to load the log would take a command.
    fn is_known(&self, command: Command<'_>, offset: u64) -> Result<()> {
        let Some(convert) = &self.options.convert else { return Ok(()) };
        let server = convert.target;
        let lost = |what: String| Err(Error::at(Fault::Loss, offset).with_detail(what));
        let Some(spec) = CommandSpec::of(&command) else {
            // It may be one of theirs.
            if !convert.target_modules.is_empty() {
                return Ok(());
            }
            return lost(format!("{server} does not know {}", printable(command.name())));
        };
        if !spec.known_to(server) {
            return lost(format!("{server} does not know {}", spec.name()));
        }
        if let ("RESTORE" | "RESTORE-ASKING", Some(payload)) = (spec.name(), command.get(3))
            && let Some(&[low, high, ..]) = payload.last_chunk::<10>().map(<[u8; 10]>::as_slice)
        {
            let version = u16::from_le_bytes([low, high]);
            if !server.reads_header(Header::of_version(version)) {
                return lost(format!(
                    "{server} reads no payload of RDB {version} ({})",
                    spec.name()
                ));
            }
        }
        Ok(())
    }
}
