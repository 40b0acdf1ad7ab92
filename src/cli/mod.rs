//! The `redkeep` program: arguments in, one call of the library, printing and an exit code out.
//!
//! The only place that reads the clock, prints, or knows a terminal.

mod aof;
#[cfg(all(feature = "repo", feature = "live"))]
mod archive;
mod change;
mod check;
mod choice;
mod commands;
mod content;
mod convert;
#[cfg(feature = "live")]
mod copy;
mod digest;
mod export;
mod extract;
mod filter;
mod human;
mod lines;
mod log_report;
mod members;
mod output;
#[cfg(feature = "live")]
mod probe;
mod progress;
mod repair;
mod report;
#[cfg(feature = "live")]
mod restore;
#[cfg(feature = "live")]
mod sentinel;
#[cfg(feature = "live")]
mod server;
#[cfg(feature = "live")]
mod snapshot;
mod split;
mod stdout;
mod stop;
mod synth;
mod target;
mod when;

use crate::error::{Error, ErrorKind, Fault};
use crate::time::UnixMillis;
use clap::{Parser, Subcommand};
use progress::Watched;
use std::fmt::{self, Display};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// Checks, compares and exports Redis and Valkey dumps (RDB files), takes parts out of them, and
/// converts them for other servers. Checks, repairs and prints append-only logs, and makes them of
/// dumps and of each other. Built for it, takes snapshots of running servers, restores into them, and keeps
/// verified backups in an archive.
///
/// No command changes what it reads: what is written is a file or folder of its own, and what it takes
/// the place of is kept aside.
#[derive(Debug, Parser)]
#[command(name = "redkeep", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArguments),
    Digest(digest::DigestArguments),
    Export(export::ExportArguments),
    Extract(extract::ExtractArguments),
    Convert(convert::ConvertArguments),
    Aof(aof::AofArguments),
    Split(split::SplitArguments),
    Synth(synth::SynthArguments),
    Repair(repair::RepairArguments),
    #[cfg(feature = "live")]
    Probe(probe::ProbeArguments),
    #[cfg(feature = "live")]
    Snapshot(snapshot::SnapshotArguments),
    #[cfg(feature = "live")]
    Restore(Box<restore::RestoreArguments>),
    #[cfg(feature = "live")]
    Copy(Box<copy::CopyArguments>),
    #[cfg(all(feature = "repo", feature = "live"))]
    #[command(flatten)]
    Archive(archive::ArchiveCommand),
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, and nothing found
  1  could not be done: no such file, reading or writing failed
  2  the arguments make no sense
  3  something is wrong with the dump, log or server, or two dumps differ
  4  done in part: some keys are not in the server or not as they should be, or backups that were to go
     are still there";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Findings = 3,
    #[cfg(feature = "live")]
    Partial = 4,
}

impl Exit {
    /// After what was asked for could not be done.
    fn after(error: &Error) -> Exit {
        match error.kind() {
            // It was stopped, and is well.
            ErrorKind::Usage if error.fault() == Some(Fault::Cancelled) => Exit::Failed,
            ErrorKind::Usage => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// Runs the program on the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    stop::listen();
    let exit = match Arguments::try_parse() {
        Ok(Arguments { command: Command::Check(arguments) }) => check::run(arguments),
        Ok(Arguments { command: Command::Digest(arguments) }) => digest::run(arguments),
        Ok(Arguments { command: Command::Export(arguments) }) => export::run(arguments),
        Ok(Arguments { command: Command::Extract(arguments) }) => extract::run(arguments),
        Ok(Arguments { command: Command::Convert(arguments) }) => convert::run(arguments),
        Ok(Arguments { command: Command::Aof(arguments) }) => aof::run(arguments),
        Ok(Arguments { command: Command::Split(arguments) }) => split::run(&arguments),
        Ok(Arguments { command: Command::Synth(arguments) }) => synth::run(&arguments),
        Ok(Arguments { command: Command::Repair(arguments) }) => repair::run(arguments),
        #[cfg(feature = "live")]
        Ok(Arguments { command: Command::Probe(arguments) }) => probe::run(&arguments),
        #[cfg(feature = "live")]
        Ok(Arguments { command: Command::Snapshot(arguments) }) => snapshot::run(&arguments),
        #[cfg(feature = "live")]
        Ok(Arguments { command: Command::Restore(arguments) }) => restore::run(&arguments),
        #[cfg(feature = "live")]
        Ok(Arguments { command: Command::Copy(arguments) }) => copy::run(&arguments),
        #[cfg(all(feature = "repo", feature = "live"))]
        Ok(Arguments { command: Command::Archive(command) }) => command.run(),
        Err(error) => usage(&error),
    };
    ExitCode::from(exit as u8)
}

/// Prints what clap has to say: help and version to stdout, wrong usage to stderr.
fn usage(error: &clap::Error) -> Exit {
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// The time by this machine's clock.
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Says on stderr why it could not be done.
fn complain(what: impl Display) {
    // Where not even stderr can be written to, the exit code has to do.
    let _ = writeln!(io::stderr().lock(), "redkeep: {what}");
}

/// Says why it could not be done, and how that ends.
fn failed(error: Error) -> Exit {
    let exit = Exit::after(&error);
    complain(error);
    exit
}

/// Writes everything to stdout. A reader that has seen enough and left is no failure.
fn print(text: &[u8]) -> Result<(), Exit> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format_args!("writing to standard output: {error}"));
            Err(Exit::Failed)
        }
        _ => Ok(()),
    }
}

/// A report as one JSON document.
fn as_json(report: &impl serde::Serialize) -> Result<String, Exit> {
    serde_json::to_string_pretty(report).map(|json| json + "\n").map_err(|error| {
        complain(format_args!("the outcome cannot be written as JSON: {error}"));
        Exit::Failed
    })
}

/// Where a dump comes from.
#[derive(Debug, Clone)]
struct Source(PathBuf);

impl Source {
    fn is_stdin(&self) -> bool {
        self.0 == Path::new("-")
    }

    /// Opens it, or says why not.
    fn open(&self, verb: &'static str, bar: bool) -> Result<Opened, Exit> {
        self.try_open(verb, bar).map_err(|error| {
            complain(format_args!("{self}: {error}"));
            Exit::Failed
        })
    }

    fn try_open(&self, verb: &'static str, bar: bool) -> io::Result<Opened> {
        let watch = |len| bar.then(|| progress::Bar::new(verb, len));
        if self.is_stdin() {
            let source: Box<dyn Read> = Box::new(io::stdin().lock());
            return Ok(Opened::Stream(Watched::new(source, watch(None))));
        }
        let file = File::open(&self.0)?;
        let facts = file.metadata()?;
        if facts.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        // A named pipe has a path too, but can be read only once.
        if !facts.is_file() {
            let source: Box<dyn Read> = Box::new(file);
            return Ok(Opened::Stream(Watched::new(source, watch(None))));
        }
        Ok(Opened::File(Watched::new(file, watch(Some(facts.len()))), facts.len()))
    }

    /// A failure with the name of the dump in front.
    fn complain(&self, error: Error) {
        complain(error.in_file(self.to_string()));
    }
}

impl From<std::ffi::OsString> for Source {
    fn from(path: std::ffi::OsString) -> Self {
        Source(path.into())
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_stdin() {
            return f.write_str("standard input");
        }
        f.write_str(&human::visible(&self.0.to_string_lossy()))
    }
}

enum Opened {
    /// Can be read a second time; its length in bytes.
    File(Watched<File>, u64),
    Stream(Watched<Box<dyn Read>>),
}
