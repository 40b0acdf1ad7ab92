//! `redkeep export`: every key of a dump, as lines of JSON.

use crate::cli::filter::FilterArguments;
use crate::cli::human::several;
use crate::cli::stdout::Out;
use crate::cli::{Exit, Opened, Source, complain};
use crate::error::Result;
use crate::export::{JsonLines, JsonOutcome};
use crate::rdb::StreamReader;
use crate::select::{Filter, Sieve};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};

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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON document a line
    Jsonl,
}

pub(crate) fn run(arguments: ExportArguments) -> Exit {
    let ExportArguments { path, format: Format::Jsonl, facts, filter } = arguments;
    let source = Source::from(path);
    let filter = match filter.options() {
        Ok(filter) => Filter::new(filter),
        Err(exit) => return exit,
    };
    // A bar would only disturb the lines where they are looked at.
    let opened = match source.open("exporting", !io::stdout().is_terminal()) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let mut out = Out::new();
    let (end, outcome) = match opened {
        Opened::File(file, _) => export(file, &mut out, facts, filter),
        Opened::Stream(stream) => export(stream, &mut out, facts, filter),
    };
    if let Err(exit) = out.finish() {
        return exit;
    }
    match end {
        Ok(()) => Exit::Done,
        Err(error) if error.is_io() => {
            source.complain(error);
            Exit::Failed
        }
        Err(error) => {
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
    filter: Filter,
) -> (Result<()>, Result<JsonOutcome>) {
    let mut sieve = Sieve::new(filter);
    let mut reader = StreamReader::new(source);
    let mut lines = JsonLines::new(out).facts(facts);
    let mut next = || match reader.next()? {
        Some(event) => match sieve.keeps(&event)? {
            true => lines.event(&event).map(|()| true),
            false => Ok(true),
        },
        None => Ok(false),
    };
    let end = loop {
        match next() {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (end, lines.finish())
}
