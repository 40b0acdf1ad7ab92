//! `redkeep convert`: a dump or a log for another server, or in another form.

use crate::aof::{Content, FileKind, Fileset};
use crate::cli::extract::Files;
use crate::cli::human::several;
use crate::cli::output::Output;
use crate::cli::target::LossArguments;
use crate::cli::{Exit, Opened, Source, aof, as_json, complain, print};
use crate::error::{Error, Fault, Result};
use crate::rdb::{EventKind, Role, ServerVersion, StreamReader};
use crate::task::{
    AofOptions, AofOutcome, ExtractOptions, LogFolder, LogTarget, Place, SingleLog, aof_from_aof,
    aof_from_dump, dump_from_aof,
};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Write a dump or a log that another server loads, or one in the form of the other
#[derive(Debug, Args)]
pub(crate) struct ConvertArguments {
    #[command(flatten)]
    files: Files,
    /// The server that has to load it, as redis-6.2 or valkey-9.1
    #[arg(long = "for", value_name = "SERVER", required_unless_present = "form")]
    target: Option<ServerVersion>,
    /// What to write; else what the source is
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// With --as aof-dir or aof-file: the keys of a dump as an RDB, or as the commands that build them
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Base::Rdb)]
    base: Base,
    /// The name of the log in a folder (`appendfilename`)
    #[arg(long, value_name = "NAME", default_value = "appendonly.aof")]
    name: String,
    #[command(flatten)]
    loss: LossArguments,
}

/// How keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// An RDB file
    Dump,
    /// A folder of logs, as servers from 7.0 on have it (`appendonlydir`)
    AofDir,
    /// A log of one file, as servers up to 6.2 have it
    AofFile,
}

/// What a log begins with that is made of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Base {
    /// An RDB
    Rdb,
    /// Plain commands, for the server given with --for, else for Redis 7.0 and newer
    Commands,
}

pub(crate) fn run(arguments: ConvertArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

/// Where it comes from.
enum From<'f, R> {
    Dump(R),
    Log(&'f Fileset),
}

/// What was written, and what became of what was there before.
#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    outcome: AofOutcome,
    moved_to: Option<PathBuf>,
}

impl ConvertArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let ConvertArguments { files, target, form, loss, .. } = self;
        let source = Source::from(files.path.clone());
        let from = form_of(&source).map_err(|error| {
            complain(format_args!("{source}: {error}"));
            Exit::Failed
        })?;
        let convert = target.map(|target| loss.options(target, files.dry_run));
        let to = form.unwrap_or(from);
        if self.base == Base::Commands && (from != Form::Dump || to == Form::Dump) {
            complain(
                "--base commands makes a log of a dump: it goes with --as aof-dir or aof-file",
            );
            return Err(Exit::Usage);
        }
        if (from, to) == (Form::Dump, Form::Dump) {
            let options = ExtractOptions { convert, ..ExtractOptions::default() };
            return files.run("converting", &options, Some(loss));
        }
        if files.output.as_deref().is_some_and(|path| Output::would_replace(path, &source.0)) {
            complain("the output is the source itself: nothing was written");
            return Err(Exit::Usage);
        }
        let mut options = AofOptions { convert, ..AofOptions::default() };
        if self.base == Base::Commands {
            options.commands = Some(loss.commands(*target, files.dry_run));
        }
        let done = match from {
            Form::Dump => match source.open("converting", true)? {
                Opened::File(file, _) => self.write(From::Dump(file), to, &options),
                Opened::Stream(stream) => self.write(From::Dump(stream), to, &options),
            },
            Form::AofDir | Form::AofFile => {
                let fileset = aof::find(&source.0, &self.name)?;
                self.write(From::<io::Empty>::Log(&fileset), to, &options)
            }
        };
        self.report(&done.map_err(|error| refused(&source, error))?)
    }

    fn write(&self, from: From<'_, impl Read>, to: Form, options: &AofOptions) -> Result<Done> {
        let Files { force, dry_run, .. } = self.files;
        let path = self.files.output.as_deref().filter(|_| !dry_run);
        match (to, path) {
            (Form::Dump, Some(path)) => {
                let mut place = Place::create(path, force)?;
                let outcome = dump(from, &mut place, options)?;
                place.commit()?;
                Ok(Done { outcome, moved_to: None })
            }
            (Form::Dump, None) => {
                Ok(Done { outcome: dump(from, io::sink(), options)?, moved_to: None })
            }
            (Form::AofFile, Some(path)) => {
                let mut target = SingleLog::new(Place::create(path, force)?);
                let outcome = make(from, &mut target, options)?;
                target.into_inner().commit()?;
                Ok(Done { outcome, moved_to: None })
            }
            (Form::AofDir, Some(path)) => {
                let mut folder = LogFolder::create(path, &self.name, force)?;
                let outcome = make(from, &mut folder, options)?;
                let moved_to = folder.commit()?.moved_to;
                Ok(Done { outcome, moved_to })
            }
            (_, None) => {
                let mut nowhere = Nowhere { parts: to == Form::AofDir };
                Ok(Done { outcome: make(from, &mut nowhere, options)?, moved_to: None })
            }
        }
    }

    fn report(&self, done: &Done) -> Result<Exit, Exit> {
        let text = if self.files.json { as_json(done)? } else { self.in_words(done) };
        print(text.as_bytes())?;
        let lost = done.outcome.converted.as_ref().is_some_and(|counts| !counts.losses.is_empty());
        let fails = lost && self.files.dry_run && self.loss.fails();
        Ok(if fails { Exit::Findings } else { Exit::Done })
    }

    fn in_words(&self, Done { outcome, moved_to }: &Done) -> String {
        let AofOutcome { keys, records, converted, commands, bytes, .. } = outcome;
        let would = if self.files.dry_run { "would be " } else { "" };
        let (keys, records) =
            (several(*keys, "key", "keys"), several(*records, "record", "records"));
        let mut text = format!("{keys} and {records} {would}written, {bytes} bytes\n");
        if let Some(counts) = converted {
            let form = several(counts.converted, "key", "keys");
            text += &format!("{form} {would}written in another form\n");
        }
        let converted = converted.iter().map(|counts| &counts.losses);
        let losses = converted.chain(commands.iter().map(|outcome| &outcome.losses));
        for losses in losses.filter(|losses| !losses.is_empty()) {
            text += &format!("{would}lost: {losses}\n");
        }
        if let Some(old) = moved_to {
            text += &format!("what was there before is now {}\n", old.display());
        }
        text
    }
}

fn make(
    from: From<'_, impl Read>,
    target: &mut impl LogTarget,
    options: &AofOptions,
) -> Result<AofOutcome> {
    match from {
        From::Dump(source) => aof_from_dump(source, target, options),
        From::Log(fileset) => aof_from_aof(fileset, target, options),
    }
}

fn dump(from: From<'_, impl Read>, target: impl Write, options: &AofOptions) -> Result<AofOutcome> {
    match from {
        From::Log(fileset) => dump_from_aof(fileset, target, options),
        // Extracted elsewhere.
        From::Dump(_) => Err(Error::from_fault(Fault::Internal)),
    }
}

/// A log that is not written.
struct Nowhere {
    parts: bool,
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogTarget for Nowhere {
    fn has_parts(&self) -> bool {
        self.parts
    }

    fn begin(&mut self, _: FileKind, _: Content) -> Result<()> {
        Ok(())
    }
}

/// Says why nothing was written.
fn refused(source: &Source, error: Error) -> Exit {
    let (fault, io) = (error.fault(), error.is_io());
    let usage = error.kind() == crate::ErrorKind::Usage;
    source.complain(error);
    match fault {
        Some(Fault::Loss) => {
            complain("nothing was written; --on-loss drop writes it without that");
        }
        Some(Fault::NeedsReplay) => complain(
            "nothing was written: only a log that was just rewritten is an RDB and nothing else",
        ),
        _ if io => return Exit::Failed,
        _ if usage => return Exit::Usage,
        _ => {
            complain("nothing was written: what is damaged gives nothing sound");
            return Exit::Findings;
        }
    }
    Exit::Failed
}

/// What a source is. An RDB is a dump unless it says itself that a log follows.
fn form_of(source: &Source) -> io::Result<Form> {
    if source.is_stdin() {
        return Ok(Form::Dump);
    }
    let path: &Path = &source.0;
    let facts = path.metadata()?;
    if facts.is_dir() || path.extension().is_some_and(|ending| ending == "manifest") {
        return Ok(Form::AofDir);
    }
    // A pipe can be read only once.
    if !facts.is_file() {
        return Ok(Form::Dump);
    }
    let mut head = Vec::new();
    File::open(path)?.take(9).read_to_end(&mut head)?;
    let named = path.extension().is_some_and(|ending| ending == "aof");
    match (Content::of(&head), head.first()) {
        (Content::Rdb, _) => {}
        (_, Some(b'*' | b'#')) => return Ok(Form::AofFile),
        // Empty, or damaged: by what it is called.
        _ => return Ok(if named { Form::AofFile } else { Form::Dump }),
    }
    let mut reader = StreamReader::new(File::open(path)?);
    while let Ok(Some(event)) = reader.next() {
        match (event.kind(), Role::of(&event)) {
            (_, Some(Role::Preamble)) => return Ok(Form::AofFile),
            (EventKind::Header(_) | EventKind::Aux(_), None) => {}
            _ => break,
        }
    }
    Ok(Form::Dump)
}
