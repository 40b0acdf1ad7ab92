//! `redkeep extract`: some keys of a dump as a dump of their own.

use crate::cli::filter::FilterArguments;
use crate::cli::human::several;
use crate::cli::output::Output;
use crate::cli::{Exit, Opened, Source, complain, print};
use crate::error::Result;
use crate::task::{ExtractOptions, ExtractOutcome, extract};
use clap::Args;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;

/// Copy some keys of a dump into a dump of their own
#[derive(Debug, Args)]
pub(crate) struct ExtractArguments {
    /// The dump, or `-` for standard input
    path: OsString,
    /// The dump to write: it appears whole or not at all
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Replace the output if it exists
    #[arg(long)]
    force: bool,
    /// Only say what would be written
    #[arg(long)]
    dry_run: bool,
    /// Bring function libraries along
    #[arg(long)]
    functions: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: FilterArguments,
}

pub(crate) fn run(arguments: ExtractArguments) -> Exit {
    let source = Source::from(arguments.path.clone());
    let filter = match arguments.filter.options() {
        Ok(filter) => filter,
        Err(exit) => return exit,
    };
    let options = ExtractOptions::default().filter(filter).functions(arguments.functions);
    let target = arguments.output.as_deref().filter(|_| !arguments.dry_run);
    if target.is_some_and(|path| Output::would_replace(path, &source.0)) {
        complain("the output is the dump itself: nothing was written");
        return Exit::Usage;
    }
    let output = match target.map(|path| Output::create(path, arguments.force)).transpose() {
        Ok(output) => output,
        Err(error) => {
            complain(error);
            return Exit::Failed;
        }
    };
    let written = match source.open("extracting", true) {
        Ok(Opened::File(file, _)) => write(file, output, &options),
        Ok(Opened::Stream(stream)) => write(stream, output, &options),
        Err(exit) => return exit,
    };
    match written {
        Ok(outcome) => report(&outcome, &arguments),
        Err(error) if error.is_io() => {
            source.complain(error);
            Exit::Failed
        }
        Err(error) => {
            source.complain(error);
            complain("nothing was written: a damaged dump gives no sound part");
            Exit::Findings
        }
    }
}

fn write(
    source: impl Read,
    output: Option<Output>,
    options: &ExtractOptions,
) -> Result<ExtractOutcome> {
    let Some(mut output) = output else { return extract(source, io::sink(), options) };
    let outcome = extract(source, &mut output, options)?;
    output.commit()?;
    Ok(outcome)
}

fn report(outcome: &ExtractOutcome, arguments: &ExtractArguments) -> Exit {
    let text = if arguments.json {
        match serde_json::to_string_pretty(outcome) {
            Ok(json) => json + "\n",
            Err(error) => {
                complain(format_args!("the outcome cannot be written as JSON: {error}"));
                return Exit::Failed;
            }
        }
    } else {
        let ExtractOutcome { read, written, functions_dropped, bytes, .. } = outcome;
        let would = if arguments.dry_run { "would be " } else { "" };
        let mut text = format!(
            "{} of {} {would}written, {bytes} bytes\n",
            several(*written, "key", "keys"),
            read
        );
        if *functions_dropped > 0 {
            let libraries = several(*functions_dropped, "function library", "function libraries");
            text += &format!("{libraries} left out; --functions brings them along\n");
        }
        text
    };
    print(text.as_bytes()).err().unwrap_or(Exit::Done)
}
