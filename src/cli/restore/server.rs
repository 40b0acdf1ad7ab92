//! Into a running server.

use crate::cli::convert::Form;
use crate::cli::human::{count, several, size, visible};
use crate::cli::progress::{Bar, KeyCount, Watched};
use crate::cli::restore::RestoreArguments;
use crate::cli::restore::how::HowArguments;
use crate::cli::server::{LoginArguments, Monotonic};
use crate::cli::{Exit, Opened, as_json, complain, print, stop};
use crate::error::{Error, Result};
use crate::live::cluster::{ClusterNodes, Look};
use crate::live::restore::{
    Checkpoint, CompareOutcome, CompareSink, Conflict, RestoreOptions, RestoreProgress,
    RestoreSink, Sample, Target,
};
use crate::live::{Connection, LogPauseOptions, LogPauseOutcome, pause_log};
use crate::task::{Place, RestoreChoice, Restored, compare, restore};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::{self, Read, Seek, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is written down how far it is.
const NOTED: Duration = Duration::from_secs(1);

/// What only goes with a URL.
#[derive(Debug, Args)]
#[command(next_help_heading = "A running server")]
pub(crate) struct ServerTarget {
    #[command(flatten)]
    how: HowArguments,
    /// How much to read back afterwards: types and expiries of all keys, and the values of some
    #[arg(long, value_enum, value_name = "HOW_MUCH", default_value_t = Verify::Sample)]
    verify: Verify,
    /// Do not read the source once before: what is wrong with it, or in the way, is then found half-way
    #[arg(long)]
    one_pass: bool,
    /// A file that says how far it has come; where there is one it goes on from there, and at the end it
    /// is removed
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Turn the server's log off meanwhile, then on again, and wait until it is rewritten
    #[arg(long)]
    pause_log: bool,
    #[command(flatten)]
    login: LoginArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verify {
    /// Nothing
    None,
    /// One value in a hundred
    Sample,
    /// Every value
    All,
}

/// All there is to say.
#[derive(Default, Serialize)]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Restored>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<Restored>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<CompareOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogPauseOutcome>,
}

pub(super) fn run(arguments: &RestoreArguments) -> Result<Exit, Exit> {
    let (source, form) = arguments.source()?;
    if form != Form::Dump {
        complain(
            "a log goes into the directory of a server; redkeep convert --as dump makes a dump of one that holds no commands",
        );
        return Err(Exit::Usage);
    }
    let mut work = Work::begin(arguments)?;
    match source.open("restoring", true)? {
        Opened::File(file, len) => work.file(&source.to_string(), file, Some(len)),
        Opened::Stream(stream) => work.stream(stream),
    }
}

/// Restores from a source of this name that can be read again.
#[cfg(feature = "repo")]
pub(super) fn feed(
    arguments: &RestoreArguments,
    name: &str,
    source: impl Read + Seek,
    len: Option<u64>,
) -> Result<Exit, Exit> {
    Work::begin(arguments)?.file(name, source, len)
}

/// Says why it could not be done, in words that are in part a server's.
pub(crate) fn failed(error: Error) -> Exit {
    complain(visible(&error.to_string()));
    Exit::after(&error)
}

impl RestoreArguments {
    fn restore_options(&self, functions: bool) -> Result<RestoreOptions, Exit> {
        let mut options = self.server.how.options(&self.loss, functions);
        options.like = self.directory.server;
        if let Some(path) = &self.server.checkpoint {
            options.resume = read_checkpoint(path)?;
        }
        Ok(options)
    }
}

fn read_checkpoint(path: &Path) -> Result<Option<Checkpoint>, Exit> {
    let refuse = |why: String| {
        complain(format_args!("{}: {why}", path.display()));
        Exit::Failed
    };
    match std::fs::read_to_string(path) {
        Ok(text) => text.parse().map(Some).map_err(|error: Error| refuse(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(error.to_string())),
    }
}

struct Work<'a> {
    arguments: &'a RestoreArguments,
    server: Connection,
    look: Option<Look>,
    options: RestoreOptions,
    choice: RestoreChoice,
    report: Report,
}

impl<'a> Work<'a> {
    /// Connects, and looks what is there.
    fn begin(arguments: &'a RestoreArguments) -> Result<Work<'a>, Exit> {
        let mut server = arguments.server.login.open(&arguments.target()?.url())?;
        let address = server.address().to_owned();
        let named = |error: Error| failed(error.in_file(address.clone()));
        let (choice, functions) = arguments.choice.restore()?;
        let options = arguments.restore_options(functions)?;
        let target = Target::ask(&mut server, &options).map_err(named)?;
        let look = match target.cluster {
            true => Some(ClusterNodes::look(&[server.options().clone()]).map_err(named)?),
            false => None,
        };
        Ok(Work { arguments, server, look, options, choice, report: Report::default() })
    }

    /// A source that can be read again: looked at first, restored, and compared.
    fn file(
        &mut self,
        name: &str,
        mut file: impl Read + Seek,
        len: Option<u64>,
    ) -> Result<Exit, Exit> {
        let dry_run = self.arguments.dry_run;
        if dry_run || !self.arguments.server.one_pass {
            let plan = self.put(&mut file, self.plan_options(), None)?;
            let in_the_way = plan.keys.failures.get("exists").map_or(0, |failure| failure.keys);
            let libraries = match self.options.functions {
                Some(Conflict::Fail) => plan.keys.functions.existing,
                _ => 0,
            };
            let in_the_way = in_the_way + libraries;
            let stops = plan.keys.stopped.is_some() || in_the_way > 0;
            let exit = match &plan.keys.stopped {
                _ if !stops && plan.keys.failed == 0 => Exit::Done,
                Some(stopped) if stopped.code == "io" => Exit::Failed,
                _ => Exit::Findings,
            };
            if dry_run || stops {
                self.report.plan = Some(plan);
                self.show()?;
                if stops && in_the_way > 0 {
                    complain(
                        "nothing was restored; --on-conflict skip or replace decides about keys that are there",
                    );
                } else if stops {
                    complain("nothing was restored");
                }
                return Ok(exit);
            }
            again(name, &mut file)?;
        }
        let bar = Bar::new("restoring", len);
        let options = self.options.clone();
        let restored = self.put(&mut file, options, Some(bar))?;
        self.report.restored = Some(restored);
        if self.sample() != Sample::None && self.is_restored() {
            again(name, &mut file)?;
            self.report.compared = Some(self.compare(&mut file)?);
        }
        self.end()
    }

    /// A source that comes once.
    fn stream(&mut self, stream: impl Read) -> Result<Exit, Exit> {
        let options =
            if self.arguments.dry_run { self.plan_options() } else { self.options.clone() };
        let outcome = self.put(stream, options, Some(Bar::new("restoring", None)))?;
        if self.arguments.dry_run {
            let exit = if outcome.keys.is_complete() { Exit::Done } else { Exit::Findings };
            self.report.plan = Some(outcome);
            self.show()?;
            return Ok(exit);
        }
        self.report.restored = Some(outcome);
        self.end()
    }

    fn plan_options(&self) -> RestoreOptions {
        let mut options = self.options.clone().dry_run(true);
        // A plan tells of all of it, and which keys are there is of no matter where they may be.
        options.resume = None;
        if !self.arguments.dry_run && options.conflict == Conflict::Skip {
            options.conflict = Conflict::Replace;
        }
        options
    }

    fn is_restored(&self) -> bool {
        let restored = self.report.restored.as_ref();
        restored.is_some_and(|restored| restored.keys.stopped.is_none())
    }

    fn sample(&self) -> Sample {
        match self.arguments.server.verify {
            Verify::None => Sample::None,
            Verify::Sample => Sample::default(),
            Verify::All => Sample::All,
        }
    }

    /// Puts the keys there, or only asks for them.
    fn put(
        &mut self,
        source: impl Read,
        options: RestoreOptions,
        bar: Option<Bar>,
    ) -> Result<Restored, Exit> {
        let clock = Monotonic::start();
        let dry_run = options.dry_run;
        let kept = self.arguments.server.checkpoint.as_deref().filter(|_| !dry_run);
        let mut told = Told::new(bar.as_ref().map(|bar| bar.key_count("restoring")), kept);
        let source = Watched::new(source, bar);
        let Work { look, choice, server, .. } = self;
        let load = |server: &mut Connection| -> Result<Restored> {
            let mut watch = |progress: &RestoreProgress| told.tell(progress);
            let restored = match look {
                Some(look) => {
                    let sink = RestoreSink::cluster(look, &clock, options)?;
                    restore(source, choice, sink.watch(&mut watch))
                }
                None => {
                    let sink = RestoreSink::new(server, &clock, options)?;
                    restore(source, choice, sink.watch(&mut watch))
                }
            }?;
            told.end(&restored);
            Ok(restored)
        };
        if dry_run || !self.arguments.server.pause_log {
            return load(server).map_err(failed);
        }
        let done = pause_log(server, &clock, &LogPauseOptions::default(), load);
        let (restored, log) = done.map_err(|error| {
            complain(visible(&error.to_string()));
            Exit::Failed
        })?;
        self.report.log = Some(log);
        Ok(restored)
    }

    fn compare(&mut self, source: impl Read) -> Result<CompareOutcome, Exit> {
        let source = Watched::new(source, Some(Bar::new("comparing", None)));
        let (sample, choice, options) = (self.sample(), &self.choice, &self.options);
        let compared = match &self.look {
            Some(look) => CompareSink::cluster(look, options, sample)
                .map(|sink| compare(source, choice, sink)),
            None => CompareSink::new(&mut self.server, options, sample)
                .map(|sink| compare(source, choice, sink)),
        };
        compared.map_err(failed)
    }

    /// Says what became of it.
    fn end(&mut self) -> Result<Exit, Exit> {
        self.show()?;
        let Report { restored, compared, .. } = &self.report;
        let Some(Restored { keys, .. }) = restored else { return Ok(Exit::Failed) };
        if keys.stopped.is_some() {
            if let Some(checkpoint) = keys.checkpoint {
                complain(format_args!("it can be gone on from after {} keys", checkpoint.keys()));
            }
            return Ok(if keys.restored > 0 { Exit::Partial } else { Exit::Failed });
        }
        let same = compared.as_ref().is_none_or(CompareOutcome::is_same);
        Ok(if keys.is_complete() && same { Exit::Done } else { Exit::Partial })
    }

    fn show(&self) -> Result<(), Exit> {
        let text =
            if self.arguments.json { as_json(&self.report)? } else { in_words(&self.report) };
        print(text.as_bytes())
    }
}

fn again(name: &str, file: &mut impl Seek) -> Result<(), Exit> {
    file.rewind().map_err(|error| failed(Error::from(error).in_file(name)))
}

/// Tells how far it is: on the terminal, and in a file.
struct Told<'a> {
    keys: Option<KeyCount>,
    file: Option<&'a Path>,
    noted: Option<Instant>,
}

impl<'a> Told<'a> {
    fn new(keys: Option<KeyCount>, file: Option<&'a Path>) -> Told<'a> {
        Told { keys, file, noted: None }
    }

    fn tell(&mut self, progress: &RestoreProgress) -> ControlFlow<()> {
        if let Some(keys) = &mut self.keys {
            keys.tell(progress.restored + progress.skipped + progress.failed);
        }
        let due = self.noted.is_none_or(|noted| noted.elapsed() >= NOTED);
        if let (Some(path), Some(checkpoint), true) = (self.file, progress.checkpoint, due) {
            self.noted = Some(Instant::now());
            if let Err(error) = write_checkpoint(path, checkpoint) {
                complain(error);
                // Whoever asked for it relies on it.
                return ControlFlow::Break(());
            }
        }
        stop::or_go_on()
    }

    /// What is done needs no checkpoint, and what is not one that is up to date.
    fn end(&mut self, restored: &Restored) {
        let Some(path) = self.file else { return };
        let done = match (&restored.keys.stopped, restored.keys.checkpoint) {
            (Some(_), Some(checkpoint)) => write_checkpoint(path, checkpoint),
            _ => match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::from(error).in_file(path.display().to_string()))
                }
                _ => Ok(()),
            },
        };
        done.unwrap_or_else(complain);
    }
}

fn write_checkpoint(path: &Path, checkpoint: Checkpoint) -> Result<()> {
    let mut place = Place::create(path, true)?;
    writeln!(place, "{checkpoint}")?;
    place.commit()
}

fn in_words(report: &Report) -> String {
    let mut text = String::new();
    if let Some(plan) = &report.plan {
        text += &restored_in_words(plan, "would be restored");
    }
    if let Some(restored) = &report.restored {
        text += &restored_in_words(restored, "restored");
    }
    if let Some(compared) = &report.compared {
        text += &compared_in_words(compared);
    }
    if let Some(log) = &report.log {
        text += &format!("  log         {}\n", log_in_words(log));
    }
    text
}

fn log_in_words(log: &LogPauseOutcome) -> &'static str {
    match log.was_on {
        true => "off meanwhile; on again, and rewritten",
        false => "there is none",
    }
}

/// What became of the keys, what did not happen left out.
pub(crate) fn restored_in_words(restored: &Restored, done: &str) -> String {
    let Restored { rejected, members, transform, converted, keys: of, .. } = restored;
    let keys = |n: u64| several(n, "key", "keys");
    let mut text = format!(
        "{} of {} {done} into {}, {}\n",
        keys(of.restored),
        count(of.read + rejected.rejected()),
        of.server,
        size(of.bytes)
    );
    let mut say = |n: u64, what: String| {
        if n > 0 {
            text += &format!("  {what}\n");
        }
    };
    let skipped = &of.skipped;
    say(rejected.rejected(), format!("{} not chosen", keys(rejected.rejected())));
    say(of.plain, format!("{} of these as plain commands", count(of.plain)));
    say(*converted, format!("{} in another form than the source has", keys(*converted)));
    say(members.elements_removed, format!("{} elements left out", count(members.elements_removed)));
    say(transform.renamed, format!("{} renamed", keys(transform.renamed)));
    say(transform.moved, format!("{} moved to another database", keys(transform.moved)));
    say(skipped.existing, format!("{} left as the server has them", keys(skipped.existing)));
    say(skipped.expired, format!("{} had expired", keys(skipped.expired)));
    say(skipped.empty, format!("{} without elements, which no server keeps", keys(skipped.empty)));
    say(skipped.lost, format!("{} that the server has no place for", keys(skipped.lost)));
    let in_flight = "there when they were sent again after a cut: of this restore, or older";
    say(skipped.in_flight, format!("{} {in_flight}", keys(skipped.in_flight)));
    say(skipped.resumed, format!("{} done before", keys(skipped.resumed)));
    say(of.unknown, format!("{} on their way when it stopped: there or not", keys(of.unknown)));
    say(of.not_sent, format!("{} read and not sent", keys(of.not_sent)));
    for (reason, failure) in &of.failures {
        say(failure.keys, format!("{} FAILED ({reason}), as", keys(failure.keys)));
        for key in &failure.first {
            say(1, visible(&format!("    \"{}\" in db {}: {}", key.key, key.db, key.message)));
        }
    }
    let functions = &of.functions;
    let library = |n: u64| several(n, "function library", "function libraries");
    say(
        functions.loaded,
        format!("{} {}", library(functions.loaded), done.replace("restored", "loaded")),
    );
    say(functions.existing, format!("{} left as the server has them", library(functions.existing)));
    say(functions.left_out, format!("{} left out", library(functions.left_out)));
    let evicted = of.evicted.unwrap_or(0);
    say(
        evicted,
        format!("WARNING: the server removed {} meanwhile for want of memory", keys(evicted)),
    );
    say(u64::from(!of.losses.is_empty()), format!("lost: {}", of.losses));
    if let Some(stopped) = &of.stopped {
        say(1, visible(&format!("STOPPED: {}", stopped.message)));
    }
    text
}

fn compared_in_words(compared: &CompareOutcome) -> String {
    let keys = several(compared.keys, "key", "keys");
    let what = format!("types and expiries of {keys}, values of {}", count(compared.values));
    let mut text = match (compared.differing(), &compared.stopped) {
        (0, None) => format!("  read back   {what}: the same\n"),
        (differ, _) => format!("  read back   {what}: {} DIFFER\n", count(differ)),
    };
    for key in &compared.first {
        let how = format!("{:?}", key.how).to_lowercase();
        text += &visible(&format!("    \"{}\" in db {}: {how}", key.key, key.db));
        text.push('\n');
    }
    if let Some(stopped) = &compared.stopped {
        text += &visible(&format!("  STOPPED: {}", stopped.message));
        text.push('\n');
    }
    text
}
