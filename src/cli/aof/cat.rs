//! `redkeep aof cat`: the commands of a log, printed.

use crate::aof::EndKind;
use crate::cli::human::several;
use crate::cli::stdout::Out;
use crate::cli::{Exit, Source, aof, complain, when};
use crate::select::{Condition, FilterOptions, KeyPattern, RecordFilterOptions};
use crate::task::{CatFormat, CatOptions, CatOutcome, cat_aof};
use clap::{Args, ValueEnum};
use std::ffi::OsString;

/// Print the commands of a log, one JSON document a line
#[derive(Debug, Args)]
pub(crate) struct CatArguments {
    /// The log: a file, a manifest, a folder of logs, or the folder of a server
    path: OsString,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Also print the keys of RDBs in the log, as `export` does
    #[arg(long)]
    keys: bool,
    /// The name of the log in a folder (`appendfilename`)
    #[arg(long, value_name = "NAME", default_value = "appendonly.aof")]
    name: String,
    #[command(flatten)]
    filter: RecordArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON document a line
    Jsonl,
    /// As a server takes them
    Resp,
}

/// Options of one kind are alternatives; options of several kinds have all to hold.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Which commands (given options must all hold; values of one are alternatives)"
)]
struct RecordArguments {
    /// Commands with a key that matches this pattern, as KEYS has them; may be repeated
    #[arg(long, value_name = "GLOB")]
    key: Vec<OsString>,
    /// Commands with a key that begins so; may be repeated
    #[arg(long, value_name = "PREFIX")]
    prefix: Vec<OsString>,
    /// Commands with a key of this very name; may be repeated
    #[arg(long, value_name = "NAME")]
    exact: Vec<OsString>,
    /// Commands of this name, as `del` or `xgroup create`; may be repeated
    #[arg(long, value_name = "NAME")]
    command: Vec<String>,
    /// Commands on this database; may be repeated
    #[arg(long, value_name = "N")]
    db: Vec<u64>,
    /// Of this time and later: seconds since 1970, or as 2026-11-20T07:42:01Z (UTC)
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    since: Option<i64>,
    /// Of this time and earlier
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    until: Option<i64>,
    /// That begin at these offsets of their file, as 100..200, 100.. or ..200; the last is not one
    #[arg(long, value_name = "FROM..TO", value_parser = range)]
    offset: Option<(Option<u64>, Option<u64>)>,
}

impl RecordArguments {
    fn patterns(&self) -> Vec<KeyPattern> {
        let (key, prefix, exact) = (self.key.iter(), self.prefix.iter(), self.exact.iter());
        key.map(|key| KeyPattern::glob(key.as_encoded_bytes()))
            .chain(prefix.map(|prefix| KeyPattern::prefix(prefix.as_encoded_bytes())))
            .chain(exact.map(|name| KeyPattern::exact(name.as_encoded_bytes())))
            .collect()
    }

    fn records(&self) -> RecordFilterOptions {
        let (from_offset, to_offset) = self.offset.unwrap_or_default();
        RecordFilterOptions {
            keys: Some(self.patterns()).filter(|patterns| !patterns.is_empty()),
            commands: Some(self.command.clone()).filter(|names| !names.is_empty()),
            dbs: Some(self.db.clone()).filter(|dbs| !dbs.is_empty()),
            since: self.since,
            until: self.until,
            from_offset,
            to_offset,
        }
    }

    /// What can be asked of the keys of an RDB.
    fn entries(&self) -> FilterOptions {
        let (patterns, mut filter) = (self.patterns(), FilterOptions::default());
        if !patterns.is_empty() {
            filter = filter.include(Condition::keys(patterns));
        }
        if !self.db.is_empty() {
            filter = filter.include(Condition::dbs(self.db.iter().copied()));
        }
        filter
    }
}

/// A time on the command line.
fn seconds(text: &str) -> Result<i64, String> {
    let time = text.parse().ok().or_else(|| Some(when::date(text)? / 1000));
    time.ok_or_else(|| "neither seconds since 1970 nor a time as 2026-11-20T07:42:01Z".to_owned())
}

fn range(text: &str) -> Result<(Option<u64>, Option<u64>), String> {
    let bound = |text: &str| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("{text:?} is not an offset")),
    };
    let (from, to) = text.split_once("..").ok_or("not of the form FROM..TO")?;
    Ok((bound(from)?, bound(to)?))
}

pub(crate) fn run(arguments: CatArguments) -> Exit {
    let CatArguments { path, format, keys, name, filter } = arguments;
    if keys && format == Format::Resp {
        complain("--keys prints JSON, which does not go with --format resp");
        return Exit::Usage;
    }
    let source = Source::from(path);
    if source.is_stdin() {
        complain("a log is read from its files, not from standard input");
        return Exit::Usage;
    }
    let fileset = match aof::find(&source.0, &name) {
        Ok(fileset) => fileset,
        Err(exit) => return exit,
    };
    let mut options = CatOptions::default().records(filter.records()).format(match format {
        Format::Jsonl => CatFormat::JsonLines,
        Format::Resp => CatFormat::Resp,
    });
    options.keys = keys.then(|| filter.entries());
    let mut out = Out::new();
    let end = cat_aof(&fileset, &mut out, &options);
    if let Err(exit) = out.finish() {
        return exit;
    }
    match end {
        Ok(outcome) => report(&outcome, &source),
        Err(error) => {
            source.complain(error);
            Exit::Failed
        }
    }
}

/// Says on stderr what a reader of the lines has to know.
fn report(outcome: &CatOutcome, source: &Source) -> Exit {
    let left_out = |n: u64, why: &str| {
        if n > 0 {
            complain(format_args!("{} not printed: {why}", several(n, "record", "records")));
        }
    };
    left_out(outcome.unknown, "of commands not known here, whose keys nobody can tell");
    left_out(outcome.untimed, "when they were written is not noted in the log");
    let Some(damage) = &outcome.damage else { return Exit::Done };
    complain(damage);
    let read = several(outcome.read, "record", "records");
    match &outcome.end {
        Some(end) if end.kind == EndKind::Preamble => {
            complain(format_args!("{read} could be read before the RDB that is damaged"));
        }
        Some(end) => complain(format_args!(
            "{read} could be read before that; the file is sound up to byte {}",
            end.valid_up_to
        )),
        None => complain(format_args!("nothing was printed of {source}")),
    }
    if damage.is_io() { Exit::Failed } else { Exit::Findings }
}
