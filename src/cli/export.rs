//! `redkeep export`: every key of a dump, as lines of JSON.

use crate::cli::filter::FilterArguments;
use crate::cli::human::several;
use crate::cli::members::MemberArguments;
use crate::cli::{Exit, Opened, Source, complain};
use crate::error::Result;
use crate::export::{JsonLines, JsonOutcome};
use crate::pipe::{Staged, pump};
use crate::rdb::StreamReader;
use crate::select::{Filter, MemberFilter, Sieve};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, StdoutLock, Write};

/// Print every key of a dump with its value, one JSON document a line
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
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    members: MemberArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON document a line
    Jsonl,
}

pub(crate) fn run(arguments: ExportArguments) -> Exit {
    let ExportArguments { path, format: Format::Jsonl, facts, filter, members } = arguments;
    let source = Source::from(path);
    let filter = match filter.options() {
        Ok(filter) => Sieve::new(Filter::new(filter)),
        Err(exit) => return exit,
    };
    let members = MemberFilter::new(members.options());
    // A bar would only disturb the lines where they are looked at.
    let opened = match source.open("exporting", !io::stdout().is_terminal()) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let mut out = Out { out: io::stdout().lock(), failed: None };
    let (end, outcome) = match opened {
        Opened::File(file, _) => export(file, &mut out, facts, filter, members),
        Opened::Stream(stream) => export(stream, &mut out, facts, filter, members),
    };
    if let Err(error) = out.flush() {
        out.failed.get_or_insert(error);
    }
    match (out.failed, end) {
        // Whoever read the lines has seen enough.
        (Some(error), _) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        (Some(error), _) => {
            complain(format_args!("writing to standard output: {error}"));
            Exit::Failed
        }
        (None, Ok(())) => Exit::Done,
        (None, Err(error)) if error.is_io() => {
            source.complain(error);
            Exit::Failed
        }
        (None, Err(error)) => {
            source.complain(error);
            match outcome.map_or(0, |outcome| outcome.keys) {
                0 => complain("no key could be read before that"),
                keys => complain(format_args!(
                    "{} before that printed, not proven by a checksum; `redkeep check` says more",
                    several(keys, "key", "keys")
                )),
            }
            Exit::Findings
        }
    }
}

/// Writes line after line, up to the end or the first thing that is wrong.
fn export(
    source: impl Read,
    out: &mut Out,
    facts: bool,
    sieve: Sieve,
    members: MemberFilter,
) -> (Result<()>, Result<JsonOutcome>) {
    let mut reader = StreamReader::new(source);
    let mut lines = JsonLines::new(out).facts(facts);
    let to = Staged { stage: members, to: &mut lines };
    let end = pump(&mut reader, &mut Staged { stage: sieve, to });
    (end, lines.finish())
}

/// Standard output, which remembers that it failed: a full disk there is no fault of the dump.
struct Out {
    out: StdoutLock<'static>,
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
        let result = self.out.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.noted(result)
    }
}
