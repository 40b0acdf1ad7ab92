//! Into the data directory of a server that is not running.

use crate::cli::convert::Form;
use crate::cli::human::{count, several, visible};
use crate::cli::repair::stamp;
use crate::cli::restore::RestoreArguments;
use crate::cli::server::{Monotonic, Url};
use crate::cli::{Exit, Opened, aof, as_json, complain, extract, failed, print, stop};
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::rdb::ServerVersion;
use crate::task::data_dir::{
    AppendOnly, DataDirAction, DataDirContent, DataDirOptions, DataDirOutcome, DataDirPlan,
    DataDirSource, DataDirStep, plan_data_dir,
};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What is known of the server that will start there.
#[derive(Debug, Args)]
#[command(next_help_heading = "The server of the directory")]
pub(crate) struct DirectoryArguments {
    /// Its version, as redis-6.2 or valkey-9.1: always needed, since the files depend on it
    #[arg(long = "for", value_name = "SERVER")]
    pub(super) server: Option<ServerVersion>,
    /// Its redis.conf, for the names of its files, appendonly, and where it would answer if it ran
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Whether it keeps a log; without this and without --conf the dump and the log are both written
    #[arg(long, value_enum, value_name = "SETTING")]
    appendonly: Option<Setting>,
    /// Where it would answer if it ran, as a URL, in place of what --conf says; the password may be in
    /// the environment's REDKEEP_PASSWORD
    #[arg(long, value_name = "URL")]
    ask: Option<Url>,
    /// Where FILE is a folder of logs, their name (`appendfilename`)
    #[arg(long, value_name = "NAME", default_value = "appendonly.aof")]
    name: String,
    /// Restore what the check finds fault with: the server may refuse to start, or leave out some of it
    #[arg(long)]
    accept_findings: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Setting {
    /// It loads its log, and nothing else
    Yes,
    /// It loads its dump, and nothing else
    No,
    /// Both are written, with the same content
    Unknown,
}

impl From<Setting> for AppendOnly {
    fn from(setting: Setting) -> AppendOnly {
        match setting {
            Setting::Yes => AppendOnly::Yes,
            Setting::No => AppendOnly::No,
            Setting::Unknown => AppendOnly::Unknown,
        }
    }
}

/// All there is to say.
#[derive(Serialize)]
struct Report<'a> {
    plan: &'a DataDirPlan,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a DataDirContent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a DataDirOutcome>,
}

pub(super) fn run(arguments: &RestoreArguments) -> Result<Exit, Exit> {
    let (source, form) = arguments.source()?;
    let (dir, name) = (arguments.target()?.path(), source.to_string());
    match form {
        Form::Dump => match source.open("restoring", true)? {
            Opened::File(file, _) => bring_all(arguments, dir, &name, DataDirSource::Dump(file)),
            Opened::Stream(stream) => bring_all(arguments, dir, &name, DataDirSource::Dump(stream)),
        },
        Form::AofDir | Form::AofFile => {
            let log = aof::find(&source.0, &arguments.directory.name)?;
            bring_all(arguments, dir, &name, DataDirSource::<io::Empty>::Log(&log))
        }
    }
}

/// Plans for a directory, and brings a source of this name there.
pub(super) fn bring_all(
    arguments: &RestoreArguments,
    dir: &Path,
    name: &str,
    source: DataDirSource<'_, impl Read>,
) -> Result<Exit, Exit> {
    let options = options(arguments)?;
    let plan = plan_data_dir(dir, &options, &Monotonic::start()).map_err(failed)?;
    let mut report = Report { plan: &plan, content: None, outcome: None };
    if !plan.obstacles.is_empty() {
        show(arguments, &report)?;
        complain("nothing was changed");
        return Ok(Exit::Failed);
    }
    let mut touched = false;
    let done = bring(source, arguments.dry_run, &plan, &mut touched);
    let done = done.map_err(|error| refused(name, error, touched))?;
    let content = match &done {
        Done::Rehearsed(content) => content,
        Done::Applied(outcome) => {
            report.outcome = Some(outcome);
            &outcome.content
        }
    };
    report.content = Some(content).filter(|_| arguments.dry_run);
    show(arguments, &report)?;
    let lost = arguments.dry_run && arguments.loss.fails() && !losses(content).is_empty();
    Ok(if lost { Exit::Findings } else { Exit::Done })
}

fn options(arguments: &RestoreArguments) -> Result<DataDirOptions, Exit> {
    let DirectoryArguments { server, conf, appendonly, ask, accept_findings, .. } =
        &arguments.directory;
    let Some(server) = *server else {
        complain(
            "a directory needs --for SERVER, as --for redis-7.2: which files a server looks for depends on its version",
        );
        return Err(Exit::Usage);
    };
    let mut extract = arguments.choice.extract()?;
    extract.convert = Some(arguments.loss.options(server, arguments.dry_run));
    let mut options = DataDirOptions::new(server)
        .extract(extract)
        .stamp(stamp())
        .accept_findings(*accept_findings);
    options.conf.clone_from(conf);
    options.append_only = appendonly.map(AppendOnly::from);
    options.ask = ask.as_ref().map(Url::options);
    Ok(options)
}

enum Done {
    Rehearsed(DataDirContent),
    Applied(DataDirOutcome),
}

fn bring(
    source: DataDirSource<'_, impl Read>,
    dry_run: bool,
    plan: &DataDirPlan,
    touched: &mut bool,
) -> Result<Done> {
    match dry_run {
        true => plan.rehearse(source).map(Done::Rehearsed),
        false => {
            let mut watch = |step: &DataDirStep| {
                let writing = [DataDirAction::Write, DataDirAction::MakeFolder];
                *touched |= !writing.contains(&step.action);
                stop::or_go_on()
            };
            plan.apply_watched(source, &Monotonic::start(), &mut watch).map(Done::Applied)
        }
    }
}

/// What could not be carried over, one line each.
fn losses(content: &DataDirContent) -> Vec<String> {
    let extracted = content.extracted.as_ref().and_then(|outcome| outcome.converted.as_ref());
    let log = content.log.as_ref();
    let copied = log.and_then(|log| log.converted.as_ref());
    let commands = log.and_then(|log| log.commands.as_ref()).map(|outcome| &outcome.losses);
    let counts = [extracted, copied].into_iter().flatten().map(|counts| &counts.losses);
    let all = counts.chain(commands).filter(|losses| !losses.is_empty());
    all.map(ToString::to_string).collect()
}

fn show(arguments: &RestoreArguments, report: &Report<'_>) -> Result<(), Exit> {
    let text = if arguments.json { as_json(report)? } else { in_words(report) };
    print(text.as_bytes())
}

fn in_words(report: &Report<'_>) -> String {
    let plan = report.plan;
    let lines =
        |text: String| -> String { text.lines().map(|line| visible(line) + "\n").collect() };
    let Some(outcome) = report.outcome else {
        let mut text = lines(plan.to_string());
        if let Some(content) = report.content {
            text += &content_in_words(content, true);
            text += "nothing was changed\n";
        }
        return text;
    };
    let mut text = content_in_words(&outcome.content, false);
    for (what, paths) in [("written", &outcome.written), ("kept aside", &outcome.aside)] {
        for path in paths {
            text += &format!("{what}: {}\n", visible(&path.to_string_lossy()));
        }
    }
    let notes = plan.notes.iter().map(|note| format!("note: {note}\n"));
    let unseen = plan.unseen.iter().map(|what| format!("not looked at: {what}\n"));
    text += &lines(notes.chain(unseen).collect());
    text
}

fn content_in_words(content: &DataDirContent, would: bool) -> String {
    let DataDirContent { keys, records, extracted, .. } = content;
    let mut text = match extracted {
        Some(outcome) => extract::in_words(outcome, would),
        None => {
            let would = if would { "would be " } else { "" };
            let mut text = format!(
                "{} and {} {would}restored\n",
                several(*keys, "key", "keys"),
                several(*records, "record", "records")
            );
            for losses in losses(content) {
                text += &format!("{would}lost: {losses}\n");
            }
            text
        }
    };
    let commands = content.log.as_ref().and_then(|log| log.commands.as_ref());
    if let Some(commands) = commands {
        text += &format!("as {} commands in the log\n", count(commands.commands));
    }
    text
}

/// Says why it was not done.
fn refused(name: &str, error: Error, touched: bool) -> Exit {
    let (fault, kind, io) = (error.fault(), error.kind(), error.is_io());
    let damaged = error.is_corrupt() || error.is_truncated();
    let text = error.to_string();
    match fault {
        // It names the file that is meant.
        Some(Fault::WouldRefuse | Fault::DamagedValue) => complain(visible(&text)),
        _ if io || kind == ErrorKind::Usage => complain(visible(&text)),
        _ => complain(error.in_file(name)),
    }
    // The error itself says how far it came.
    if touched {
        return Exit::Failed;
    }
    let (hint, exit) = match fault {
        Some(Fault::Loss) => ("; --on-loss drop restores it without that", Exit::Failed),
        Some(Fault::WouldRefuse) => ("; --accept-findings restores it as it is", Exit::Findings),
        Some(Fault::NeedsReplay) => ("", Exit::Failed),
        _ if io => ("", Exit::Failed),
        _ if kind == ErrorKind::Usage => ("", Exit::Usage),
        _ if damaged => (": what is damaged gives nothing sound", Exit::Findings),
        _ => ("", Exit::Findings),
    };
    complain(format_args!("nothing was changed{hint}"));
    exit
}
