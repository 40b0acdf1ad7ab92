//! `redkeep export`: every key of a dump, as lines of JSON or as commands for a server.

use crate::cli::commands::{CommandsArguments, remarks};
use crate::cli::filter::FilterArguments;
use crate::cli::human::several;
use crate::cli::members::MemberArguments;
use crate::cli::output::Output;
use crate::cli::{Arguments, Exit, Opened, Source, complain, usage};
use crate::error::Result;
use crate::export::{Commands, CommandsOptions, JsonLines};
use crate::pipe::{EntrySink, Staged, pump};
use crate::rdb::StreamReader;
use crate::select::{Filter, MemberFilter, Sieve};
use clap::{Args, CommandFactory, ValueEnum, error::ErrorKind};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, StdoutLock, Write};
use std::path::PathBuf;

/// Print every key of a dump with its value: as JSON, one document a line, or as commands
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The dump, or `-` for standard input
    path: OsString,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Also print what is no key: the header, facts about the file, functions
    #[arg(long)]
    facts: bool,
    /// Write a file and not standard output: it appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the output if it exists
    #[arg(long, requires = "output")]
    force: bool,
    #[command(flatten)]
    commands: CommandsArguments,
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    members: MemberArguments,
}

/// Which keys, and which parts of their values.
struct Choice {
    sieve: Sieve,
    members: MemberFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON document a line
    Jsonl,
    /// Commands in the servers' protocol, for `redis-cli --pipe`
    Resp,
}

/// What is to be written.
enum What {
    Lines { facts: bool },
    Commands(Box<CommandsOptions>),
}

pub(crate) fn run(arguments: ExportArguments) -> Exit {
    let what = match what(&arguments) {
        Ok(what) => what,
        Err(error) => return usage(&error),
    };
    let ExportArguments { path, output, force, filter, members, .. } = arguments;
    let source = Source::from(path);
    let sieve = match filter.options() {
        Ok(filter) => Sieve::new(Filter::new(filter)),
        Err(exit) => return exit,
    };
    if output.as_deref().is_some_and(|path| Output::would_replace(path, &source.0)) {
        complain("the output is the dump itself: nothing was written");
        return Exit::Usage;
    }
    // A bar would only disturb the lines where they are looked at.
    let bar = output.is_some() || !io::stdout().is_terminal();
    let target = match output.map(|path| Output::create(&path, force)).transpose() {
        Ok(output) => output.map_or_else(|| Target::Stdout(io::stdout().lock()), Target::File),
        Err(error) => {
            complain(error);
            return Exit::Failed;
        }
    };
    let opened = match source.open("exporting", bar) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let choice = Choice { sieve, members: MemberFilter::new(members.options()) };
    let mut out = Out { target, failed: None };
    let written = match opened {
        Opened::File(file, _) => write(file, &mut out, what, choice),
        Opened::Stream(stream) => write(stream, &mut out, what, choice),
    };
    finish(out, written, &source)
}

fn what(arguments: &ExportArguments) -> std::result::Result<What, clap::Error> {
    let refuse = |text: String| Arguments::command().error(ErrorKind::ArgumentConflict, text);
    match arguments.format {
        Format::Jsonl => match arguments.commands.given() {
            Some(option) => Err(refuse(format!("{option} is for --format resp"))),
            None => Ok(What::Lines { facts: arguments.facts }),
        },
        Format::Resp if arguments.facts => {
            Err(refuse("--facts is for --format jsonl: facts are no commands".to_owned()))
        }
        Format::Resp => match arguments.commands.options() {
            Ok(options) => Ok(What::Commands(Box::new(options))),
            Err(error) => Err(refuse(error.to_string())),
        },
    }
}

/// How it went.
struct Written {
    end: Result<()>,
    /// What is worth saying about what was written, or was before the end came too early.
    remark: Option<String>,
}

/// Writes key after key, up to the end or the first thing that is wrong.
fn write(source: impl Read, out: &mut Out, what: What, choice: Choice) -> Written {
    match what {
        What::Lines { facts } => {
            let mut lines = JsonLines::new(out).facts(facts);
            let end = chosen(source, choice, &mut lines);
            // What was sound goes out in any case.
            let keys = lines.finish().map_or(0, |outcome| outcome.keys);
            let remark = end.is_err().then(|| match keys {
                0 => "no key could be read before that".to_owned(),
                keys => format!(
                    "{} before that printed, not proven by a checksum; `redkeep check` says more",
                    several(keys, "key", "keys")
                ),
            });
            Written { end, remark }
        }
        What::Commands(options) => {
            let exported = Commands::new(out, *options).and_then(|mut commands| {
                chosen(source, choice, &mut commands)?;
                commands.finish()
            });
            match exported {
                Ok(outcome) => Written { end: Ok(()), remark: remarks(&outcome) },
                Err(error) => {
                    let remark = "commands that were printed before that are not all there are";
                    Written { end: Err(error), remark: Some(remark.to_owned()) }
                }
            }
        }
    }
}

/// Brings what was chosen to the sink.
fn chosen(source: impl Read, choice: Choice, sink: &mut impl EntrySink) -> Result<()> {
    let to = Staged { stage: choice.members, to: sink };
    pump(&mut StreamReader::new(source), &mut Staged { stage: choice.sieve, to })
}

fn finish(mut out: Out, Written { end, remark }: Written, source: &Source) -> Exit {
    if let Err(error) = out.flush() {
        out.failed.get_or_insert(error);
    }
    let printed = matches!(out.target, Target::Stdout(_));
    match (out.failed, end) {
        // Whoever read the lines has seen enough.
        (Some(error), _) if printed && error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        (Some(error), _) => {
            let place = if printed { "standard output" } else { "the output" };
            complain(format_args!("writing to {place}: {error}"));
            Exit::Failed
        }
        (None, Ok(())) => {
            if let Some(remark) = remark {
                complain(remark);
            }
            match out.target {
                Target::Stdout(_) => Exit::Done,
                Target::File(output) => output.commit().map_or_else(
                    |error| {
                        complain(error);
                        Exit::Failed
                    },
                    |()| Exit::Done,
                ),
            }
        }
        (None, Err(error)) => {
            let exit = if error.is_io() { Exit::Failed } else { Exit::Findings };
            source.complain(error);
            match (printed, remark) {
                (false, _) => complain("nothing was written"),
                (true, Some(remark)) if exit == Exit::Findings => complain(remark),
                (true, _) => {}
            }
            exit
        }
    }
}

/// Where it goes.
enum Target {
    Stdout(StdoutLock<'static>),
    File(Output),
}

/// The target, which remembers that it failed: a full disk there is no fault of the dump.
struct Out {
    target: Target,
    failed: Option<io::Error>,
}

impl Out {
    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed = Some(io::Error::new(error.kind(), error.to_string()));
            }
        })
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match &mut self.target {
            Target::Stdout(out) => out.write(bytes),
            Target::File(out) => out.write(bytes),
        };
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.target {
            Target::Stdout(out) => out.flush(),
            Target::File(out) => out.flush(),
        };
        self.noted(result)
    }
}
