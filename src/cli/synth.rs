//! `redkeep synth`: a dump or a log of keys that were made up.

use crate::cli::human::{several, size};
use crate::cli::output::Output;
use crate::cli::{Exit, as_json, complain, print};
use crate::error::Result;
use crate::rdb::ServerVersion;
use crate::synth::{Mix, SynthOptions, SynthOutcome, SynthSize, write_dump, write_log};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Make up a dump or a log, the same for the same seed: to try things out, and to measure
#[derive(Debug, Args)]
pub(crate) struct SynthArguments {
    /// How many keys
    #[arg(long, value_name = "N", required_unless_present = "bytes", conflicts_with = "bytes")]
    keys: Option<u64>,
    /// How big the file is to be, in bytes
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// What keys: strings, mixed, big (values of several megabytes) or json
    #[arg(long, default_value_t = Mix::default())]
    mix: Mix,
    /// What tells it from others of the same mix
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The server that is to load it, as redis-6.2 or valkey-9.1
    #[arg(long = "for", value_name = "SERVER", default_value = "redis-7.2")]
    target: ServerVersion,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Rdb)]
    format: Format,
    /// The file to write: it appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the output if it exists
    #[arg(long)]
    force: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A dump
    Rdb,
    /// An append-only file of plain commands
    Aof,
}

pub(crate) fn run(arguments: &SynthArguments) -> Exit {
    let SynthArguments { keys, bytes, mix, seed, target, .. } = arguments;
    let size = match (keys, bytes) {
        (_, Some(bytes)) => SynthSize::Bytes(*bytes),
        (keys, None) => SynthSize::Keys(keys.unwrap_or_default()),
    };
    let options = SynthOptions::new(*target).mix(*mix).seed(*seed).size(size);
    let written = write(arguments, &options).map_err(|error| {
        complain(error);
        Exit::Failed
    });
    written.and_then(|outcome| report(&outcome, arguments.json)).unwrap_or_else(|exit| exit)
}

fn write(arguments: &SynthArguments, options: &SynthOptions) -> Result<SynthOutcome> {
    let mut output = Output::create(&arguments.output, arguments.force)?;
    let outcome = match arguments.format {
        Format::Rdb => write_dump(&mut output, options)?,
        Format::Aof => write_log(&mut output, options)?,
    };
    output.commit()?;
    Ok(outcome)
}

fn report(outcome: &SynthOutcome, json: bool) -> Result<Exit, Exit> {
    let text = if json {
        as_json(outcome)?
    } else {
        let SynthOutcome { keys, expiring, bytes, losses } = outcome;
        let mut text = several(*keys, "key", "keys");
        text += &format!(" written, {expiring} of them with an expiry, {}\n", size(*bytes));
        if !losses.is_empty() {
            text += &format!("the server has no place for {losses}\n");
        }
        text
    };
    print(text.as_bytes())?;
    Ok(Exit::Done)
}
