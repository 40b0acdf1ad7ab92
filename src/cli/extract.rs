//! `redkeep extract`: a dump made of another. `redkeep convert` shares it.

use crate::cli::choice::ChoiceArguments;
use crate::cli::human::several;
use crate::cli::output::Output;
use crate::cli::target::LossArguments;
use crate::cli::{Exit, Opened, Source, as_json, complain, print};
use crate::error::{ErrorKind, Fault, Result};
use crate::rdb::ServerVersion;
use crate::task::{ExtractOptions, ExtractOutcome, extract};
use clap::Args;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;

/// Copy some keys of a dump into a dump of their own
#[derive(Debug, Args)]
pub(crate) struct ExtractArguments {
    #[command(flatten)]
    files: Files,
    /// The server that has to load it, as redis-6.2 or valkey-9.1
    #[arg(long = "for", value_name = "SERVER")]
    target: Option<ServerVersion>,
    #[command(flatten)]
    loss: LossArguments,
    #[command(flatten)]
    choice: ChoiceArguments,
}

/// From where to where, and what to print.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The dump, or `-` for standard input
    pub(crate) path: OsString,
    /// The dump to write: it appears whole or not at all
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the output if it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Only say what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: ExtractArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl ExtractArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let ExtractArguments { files, loss, .. } = self;
        let mut options = self.choice.extract()?;
        options.convert = self.target.map(|target| loss.options(target, files.dry_run));
        files.run("extracting", &options, Some(loss))
    }
}

impl Files {
    pub(crate) fn run(
        &self,
        verb: &'static str,
        options: &ExtractOptions,
        loss: Option<&LossArguments>,
    ) -> Result<Exit, Exit> {
        let source = Source::from(self.path.clone());
        let target = self.output.as_deref().filter(|_| !self.dry_run);
        if target.is_some_and(|path| Output::would_replace(path, &source.0)) {
            complain("the output is the dump itself: nothing was written");
            return Err(Exit::Usage);
        }
        let output = target.map(|path| Output::create(path, self.force)).transpose();
        let output = output.map_err(|error| {
            complain(error);
            Exit::Failed
        })?;
        let written = match source.open(verb, true)? {
            Opened::File(file, _) => write(file, output, options),
            Opened::Stream(stream) => write(stream, output, options),
        };
        match written {
            Ok(outcome) => self.report(&outcome, loss),
            Err(error) if error.fault() == Some(Fault::Loss) => {
                source.complain(error);
                complain("nothing was written; --on-loss drop writes the dump without that");
                Err(Exit::Failed)
            }
            Err(error) if error.is_io() => {
                source.complain(error);
                Err(Exit::Failed)
            }
            Err(error) => {
                let asked = error.kind() == ErrorKind::Usage;
                let damaged = error.is_corrupt() || error.is_truncated();
                source.complain(error);
                let why = if damaged { ": a damaged dump gives no sound part" } else { "" };
                complain(format_args!("nothing was written{why}"));
                Err(if asked { Exit::Usage } else { Exit::Findings })
            }
        }
    }

    fn report(&self, outcome: &ExtractOutcome, loss: Option<&LossArguments>) -> Result<Exit, Exit> {
        let text = if self.json { as_json(outcome)? } else { in_words(outcome, self.dry_run) };
        print(text.as_bytes())?;
        let lost = outcome.converted.as_ref().is_some_and(|counts| !counts.losses.is_empty());
        let fails = lost && self.dry_run && loss.is_some_and(LossArguments::fails);
        Ok(if fails { Exit::Findings } else { Exit::Done })
    }
}

/// The outcome for people, what did not happen left out.
pub(crate) fn in_words(outcome: &ExtractOutcome, only_told: bool) -> String {
    let ExtractOutcome { read, written, members, transform, converted, bytes, .. } = outcome;
    let keys = |n: u64| several(n, "key", "keys");
    let would = if only_told { "would be " } else { "" };
    let mut text = format!("{} of {read} {would}written, {bytes} bytes\n", keys(*written));
    let mut say = |happened: u64, what: String| {
        if happened > 0 {
            text += &what;
            text.push('\n');
        }
    };
    let parts = several(members.elements_removed, "element", "elements");
    say(
        members.elements_removed,
        format!(
            "{parts} left out of {}; {} emptied",
            several(members.values_changed, "value", "values"),
            keys(members.keys_emptied)
        ),
    );
    say(transform.expired, format!("{} had expired: left out", keys(transform.expired)));
    say(transform.renamed, format!("{} renamed", keys(transform.renamed)));
    say(transform.moved, format!("{} moved to another database", keys(transform.moved)));
    say(
        transform.expiries_changed,
        format!("{} with another expiry", keys(transform.expiries_changed)),
    );
    let dropped = outcome.functions_dropped;
    let libraries = several(dropped, "function library", "function libraries");
    say(dropped, format!("{libraries} left out; --functions brings them along"));
    if let Some(counts) = converted {
        let form = keys(counts.converted);
        say(counts.converted, format!("{form} {would}written in another form"));
        let lost = u64::from(!counts.losses.is_empty());
        say(lost, format!("{would}lost: {}", counts.losses));
    }
    text
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
