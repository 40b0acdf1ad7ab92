//! `redkeep check`: is this dump or log sound, what is in it, and would that server load it?

use crate::aof::check::{AofCheckOptions, Report as LogReport, check_fileset, check_log};
use crate::aof::{Fileset, FilesetOptions, Layout};
use crate::cli::content::{self, Kind};
use crate::cli::log_report::LogPrintout;
use crate::cli::report::Printout;
use crate::cli::{Arguments, Exit, Opened, Source, as_json, complain, now, print, usage};
use crate::error::Error;
use crate::rdb::ServerVersion;
use crate::rdb::check::{CheckOptions, Level, Report, Verdict, check_file, check_stream};
use crate::time::UnixMillis;
use clap::{Args, CommandFactory, error::ErrorKind};
use std::ffi::OsString;

/// Check a dump or a log: is it sound, what is in it, and would a given server load it?
///
/// What PATH is goes by its content: a dump (RDB), a log (AOF) with or without an RDB in front, the
/// manifest of a log, its folder (appendonlydir), or the `dir` of a server, of which is checked what
/// the server would load with `appendonly yes`.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The dump, log, manifest or folder, or `-` for a dump or log on standard input
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
    let task = Task { source, json, options, now };
    task.run().unwrap_or_else(|exit| exit)
}

struct Task {
    source: Source,
    json: bool,
    options: CheckOptions,
    now: UnixMillis,
}

impl Task {
    fn run(mut self) -> Result<Exit, Exit> {
        if !self.source.is_stdin() && self.source.0.is_dir() {
            return self.folder();
        }
        let opened = self.source.open("checking", true)?;
        let (kind, opened) = content::look(opened, &self.source.0).map_err(|error| {
            self.source.complain(error);
            Exit::Failed
        })?;
        match kind {
            Kind::Dump => self.dump(opened),
            Kind::Log => {
                let name = match self.source.0.file_name() {
                    Some(name) if !self.source.is_stdin() => name.to_string_lossy().into_owned(),
                    _ => self.source.to_string(),
                };
                let options = AofCheckOptions::new(self.options.clone());
                let report = match opened {
                    Opened::File(file, _) => check_log(file, &name, &options),
                    Opened::Stream(stream) => check_log(stream, &name, &options),
                };
                self.log(report)
            }
            Kind::Manifest => self.fileset(),
        }
    }

    /// A folder of logs, or the `dir` of a server. With a dump alone in it, that is meant.
    fn folder(&mut self) -> Result<Exit, Exit> {
        let folder = &self.source.0;
        let names = FilesetOptions::new(self.options.target.unwrap_or(ServerVersion::NEWEST_REDIS));
        let dump = folder.join(&names.dump_name);
        let set = Fileset::find(folder, &names).map_err(|error| self.failed(error))?;
        let bare = set.layout == Layout::Absent && set.files.is_empty();
        let log_left = set.traps.iter().any(|trap| trap.code() != "dump_ignored");
        if bare && !log_left {
            if !dump.is_file() {
                complain(format_args!(
                    "{}: neither a log nor a dump is in this directory; where they do not have their \
                     usual names, give the manifest or the file",
                    self.source
                ));
                return Err(Exit::Failed);
            }
            complain(format_args!(
                "{}: no log here, so the dump is checked; a server with `appendonly yes` does not \
                 read it and starts empty",
                self.source
            ));
            self.source = Source(dump);
            let opened = self.source.open("checking", true)?;
            return self.dump(opened);
        }
        self.fileset()
    }

    fn fileset(&self) -> Result<Exit, Exit> {
        let mut options = AofCheckOptions::new(self.options.clone());
        // A manifest is called like its log.
        let name = self.source.0.file_name().map(|name| name.to_string_lossy());
        if let Some(name) = name.as_deref().and_then(|name| name.strip_suffix(".manifest")) {
            options = options.file_name(name);
        }
        self.log(check_fileset(&self.source.0, &options))
    }

    fn log(&self, report: Result<LogReport, Error>) -> Result<Exit, Exit> {
        let report = report.map_err(|error| self.failed(error))?;
        let text = match self.json {
            true => as_json(&report)?,
            false => LogPrintout { report: &report, name: &self.source.to_string(), now: self.now }
                .to_string(),
        };
        print(text.as_bytes())?;
        Ok(match report.verdict {
            crate::aof::check::Verdict::Sound => Exit::Done,
            _ => Exit::Findings,
        })
    }

    fn dump(&self, opened: Opened) -> Result<Exit, Exit> {
        let (report, len) = match opened {
            Opened::File(file, len) => (check_file(file, &self.options), Some(len)),
            Opened::Stream(stream) => (check_stream(stream, &self.options), None),
        };
        let report: Report = report.map_err(|error| self.failed(error))?;
        let text = match self.json {
            true => as_json(&report)?,
            false => {
                let name = self.source.to_string();
                Printout { report: &report, name: &name, len, now: self.now }.to_string()
            }
        };
        print(text.as_bytes())?;
        Ok(match report.verdict {
            Verdict::Sound => Exit::Done,
            Verdict::Findings | Verdict::Unreadable | Verdict::Damaged => Exit::Findings,
        })
    }

    fn failed(&self, error: Error) -> Exit {
        self.source.complain(error);
        Exit::Failed
    }
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
