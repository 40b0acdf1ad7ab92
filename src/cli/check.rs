//! `redkeep check`: is this dump sound, what is in it, and would that server load it?

use crate::cli::report::Printout;
use crate::cli::{Arguments, Exit, Opened, Source, complain, now, print, usage};
use crate::rdb::ServerVersion;
use crate::rdb::check::{CheckOptions, Level, Report, Verdict, check_file, check_stream};
use crate::time::UnixMillis;
use clap::{Args, CommandFactory, error::ErrorKind};
use std::ffi::OsString;

/// Check a dump: is it sound, what is in it, and would a given server load it?
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The dump, or `-` for standard input
    path: OsString,
    /// Print the whole report as one JSON document
    #[arg(long)]
    json: bool,
    /// How far to look: framing, structure, elements, semantics or loadable
    /// [default: semantics, with --for: loadable]
    #[arg(long)]
    level: Option<Level>,
    /// The server that has to load it, as redis-6.2 or valkey-9.1
    #[arg(long = "for", value_name = "SERVER")]
    target: Option<ServerVersion>,
    /// A module type that this server has, by the name `check` gives it; may be repeated
    #[arg(long = "module", value_name = "NAME", requires = "target")]
    modules: Vec<String>,
    /// How many databases the server is configured for
    #[arg(long, value_name = "N", default_value_t = CheckOptions::default().databases)]
    databases: u64,
}

pub(crate) fn run(arguments: CheckArguments) -> Exit {
    let now = now();
    let (source, json) = (Source::from(arguments.path.clone()), arguments.json);
    let options = match options(arguments, now) {
        Ok(options) => options,
        Err(error) => return usage(&error),
    };
    let checked = source.open("checking", true).and_then(|opened| {
        let (report, len) = match opened {
            Opened::File(file, len) => (check_file(file, &options), Some(len)),
            Opened::Stream(stream) => (check_stream(stream, &options), None),
        };
        let report = report.map_err(|error| {
            source.complain(error);
            Exit::Failed
        })?;
        let text = if json {
            as_json(&report)?
        } else {
            Printout { report: &report, name: &source.to_string(), len, now }.to_string()
        };
        print(text.as_bytes())?;
        Ok(match report.verdict {
            Verdict::Sound => Exit::Done,
            Verdict::Findings | Verdict::Unreadable | Verdict::Damaged => Exit::Findings,
        })
    });
    checked.unwrap_or_else(|exit| exit)
}

fn options(arguments: CheckArguments, now: UnixMillis) -> Result<CheckOptions, clap::Error> {
    let refuse = |kind, text| Err(Arguments::command().error(kind, text));
    let options = CheckOptions::default()
        .now(now)
        .target_modules(arguments.modules)
        .databases(arguments.databases);
    match (arguments.target, arguments.level) {
        (Some(_), Some(level)) if level < Level::Loadable => refuse(
            ErrorKind::ArgumentConflict,
            "--for asks what a server would load, which is the level loadable",
        ),
        (None, Some(Level::Loadable)) => refuse(
            ErrorKind::MissingRequiredArgument,
            "the level loadable needs a server: give one with --for",
        ),
        (Some(server), _) => Ok(options.target(server)),
        (None, Some(level)) => Ok(options.level(level)),
        (None, None) => Ok(options),
    }
}

fn as_json(report: &Report) -> Result<String, Exit> {
    let json = report.to_json().map_err(|error| {
        complain(format_args!("the report cannot be written as JSON: {error}"));
        Exit::Failed
    })?;
    Ok(json + "\n")
}
