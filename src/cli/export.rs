//! `redkeep export`: every key of a dump, as lines of JSON.

use crate::cli::{Exit, Source, complain};
use clap::{Args, ValueEnum};
use std::ffi::OsString;

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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON document a line
    Jsonl,
}

pub(crate) fn run(arguments: &ExportArguments) -> Exit {
    let source = Source::from(arguments.path.clone());
    let Format::Jsonl = arguments.format;
    complain(format_args!("{source}: {}", arguments.facts));
    Exit::Failed
}
