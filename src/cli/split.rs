//! `redkeep split`: a dump as several.

use crate::cli::human::{several, size, visible};
use crate::cli::{Exit, Opened, Source, as_json, complain, failed, print};
use crate::error::{Error, Result};
use crate::file::folder::FolderPlace;
use crate::task::{Place, SplitBy, SplitOptions, SplitOutcome, split};
use clap::Args;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

/// Split a dump into several, in a folder: by slots, databases or prefixes
///
/// Each key goes into one of them, byte for byte; function libraries go into all. The folder appears when all of
/// them are whole.
#[derive(Debug, Args)]
pub(crate) struct SplitArguments {
    /// The dump, or `-` for standard input
    path: OsString,
    /// The folder to write
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Move a folder aside that is there already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    by: ByArguments,
    /// Print what was written as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ByArguments {
    /// As the masters of a new cluster of so many would have it
    #[arg(long, value_name = "N")]
    shards: Option<u16>,
    /// As the masters of a cluster have it: a file with its nodes.conf, or what CLUSTER NODES answers
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    /// By database
    #[arg(long)]
    dbs: bool,
    /// By what names begin with; may be repeated, the first that fits counts
    #[arg(long, value_name = "PREFIX")]
    prefix: Vec<OsString>,
}

pub(crate) fn run(arguments: &SplitArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl SplitArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let by = self.by.rule().map_err(failed)?;
        let source = Source::from(self.path.clone());
        let done = match source.open("splitting", true)? {
            Opened::File(file, _) => self.write(file, &by),
            Opened::Stream(stream) => self.write(stream, &by),
        };
        let outcome = done.map_err(|error| {
            let damaged = error.is_corrupt() || error.is_truncated();
            let exit = if damaged { Exit::Findings } else { Exit::after(&error) };
            source.complain(error);
            complain("nothing was written");
            exit
        })?;
        let text = if self.json { as_json(&outcome)? } else { in_words(&outcome) };
        print(text.as_bytes())?;
        Ok(Exit::Done)
    }

    fn write(&self, source: impl Read, by: &SplitBy) -> Result<SplitOutcome> {
        let folder = FolderPlace::create(&self.output, self.force)?;
        let open =
            |name: &str| Place::create(&folder.temporary().join(format!("{name}.rdb")), false);
        let (outcome, files) = split(source, by, &SplitOptions::default(), open)?;
        files.into_iter().try_for_each(Place::commit)?;
        if let Some(old) = folder.commit()? {
            complain(format_args!("what was there is {} now", old.display()));
        }
        Ok(outcome)
    }
}

impl ByArguments {
    fn rule(&self) -> Result<SplitBy> {
        if let Some(count) = self.shards {
            return SplitBy::shards(count);
        }
        if let Some(path) = &self.nodes {
            let text = std::fs::read_to_string(path).map_err(Error::from);
            return text
                .and_then(|text| SplitBy::nodes(&text))
                .map_err(|error| error.in_file(path.to_string_lossy()));
        }
        if self.dbs {
            return Ok(SplitBy::Db);
        }
        let prefixes = self.prefix.iter().map(|prefix| prefix.as_encoded_bytes().to_vec());
        Ok(SplitBy::Prefixes(prefixes.collect()))
    }
}

fn in_words(outcome: &SplitOutcome) -> String {
    let mut text = String::new();
    for part in &outcome.parts {
        let keys = several(part.keys, "key", "keys");
        text += &format!("{}.rdb: {keys}, {}\n", visible(&part.name), size(part.bytes));
    }
    text + &format!("{} in all\n", several(outcome.keys, "key", "keys"))
}
