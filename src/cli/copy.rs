//! `redkeep copy`: the keys of one running server into another.

use crate::cli::choice::ChoiceArguments;
use crate::cli::human::visible;
use crate::cli::progress::{Bar, KeyCount};
use crate::cli::restore::how::HowArguments;
use crate::cli::restore::server::{failed, restored_in_words};
use crate::cli::server::{LoginArguments, Monotonic, Url};
use crate::cli::snapshot::how::Way;
use crate::cli::target::LossArguments;
use crate::cli::{Exit, as_json, complain, print, stop};
use crate::error::Result;
use crate::live::cluster::{ClusterChanges, ClusterNodes};
use crate::live::replication::ReplicationOptions;
use crate::live::restore::{Conflict, RestoreOptions, RestoreProgress, RestoreSink, Target};
use crate::live::{ConnectOptions, Connection, SaveOptions, ServerFacts};
use crate::task::{CopyOutcome, RestoreChoice, SnapshotOptions, copy};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Copy the keys of a running server, or some of them, into another one
///
/// A snapshot of the source, taken as `snapshot` does, goes into the target while it comes, as `restore`
/// does it: no file is written between. What is written to the source later does not come along. Clusters
/// are found to be such, on either side.
#[derive(Debug, Args)]
pub(crate) struct CopyArguments {
    /// The server to copy from, as redis://host:6379
    source: Url,
    /// The server to copy into. Its password may be in the environment's REDKEEP_TARGET_PASSWORD
    target: Url,
    /// How to take it
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    driver: Way,
    /// How long the source may take to save, or to send all of it
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    deadline: u64,
    /// Only say what would be done: the snapshot is taken, and the target asked which keys it has
    #[arg(long)]
    dry_run: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    json: bool,
    /// The user to log in as at the target
    #[arg(long, value_name = "NAME")]
    target_user: Option<String>,
    /// A file with the password for the target in its first line
    #[arg(long, value_name = "FILE")]
    target_password_file: Option<PathBuf>,
    #[command(flatten)]
    how: HowArguments,
    #[command(flatten)]
    login: LoginArguments,
    #[command(flatten)]
    loss: LossArguments,
    #[command(flatten)]
    choice: ChoiceArguments,
}

/// All there is to say; of a cluster there is a copy of each shard.
#[derive(Serialize)]
struct Report {
    copies: Vec<CopyOutcome>,
    /// Whether slots of a source that is a cluster moved meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<ClusterChanges>,
}

pub(crate) fn run(arguments: &CopyArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl CopyArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let (choice, functions) = self.choice.restore()?;
        let mut options = self.how.options(&self.loss, functions).dry_run(self.dry_run);
        let mut source = self.login.open(&self.source)?;
        let user = self.target_user.as_deref();
        let target = self.login.other(&self.target, user, self.target_password_file.as_deref())?;
        let into = Target::ask(&mut open(&target)?, &options).map_err(failed)?;
        let copy = |source: &mut Connection, options: &RestoreOptions| {
            self.copy(source, &target, &into, options, &choice)
        };
        let facts = ServerFacts::ask(&mut source).map_err(failed)?;
        let before = match facts.mode == "cluster" {
            true => Some(ClusterNodes::look(&[source.options().clone()]).map_err(failed)?),
            false => None,
        };
        let mut report = Report { copies: Vec::new(), changes: None };
        match before {
            None => report.copies.push(copy(&mut source, &options)?),
            Some(before) => {
                before.nodes.complete().map_err(failed)?;
                for shard in &before.nodes.shards {
                    let mut master = shard.open_master(&before.asked).map_err(failed)?;
                    report.copies.push(copy(&mut master, &options)?);
                    // Every master has the same libraries.
                    options.functions = options.functions.map(|_| Conflict::Skip);
                }
                let after = ClusterNodes::look(&before.seeds()).map_err(failed)?;
                report.changes = Some(before.nodes.changed(&after.nodes));
            }
        }
        self.say(&report)
    }

    fn copy(
        &self,
        source: &mut Connection,
        target: &ConnectOptions,
        into: &Target,
        options: &RestoreOptions,
        choice: &RestoreChoice,
    ) -> Result<CopyOutcome, Exit> {
        let clock = Monotonic::start();
        let deadline = Duration::from_secs(self.deadline);
        let mut way = SnapshotOptions::default()
            .save(SaveOptions::default().deadline(deadline))
            .replication(ReplicationOptions::default().deadline(deadline));
        way.driver = self.driver.driver();
        let bar = Bar::new("copying", None);
        let mut shown = Shown { keys: bar.key_count("copying"), bar, bytes: 0 };
        let watch = |progress: &RestoreProgress| {
            shown.show(progress);
            stop::or_go_on()
        };
        let sink = match into.cluster {
            true => ClusterNodes::look(std::slice::from_ref(target))
                .and_then(|look| RestoreSink::cluster(&look, &clock, options.clone())),
            false => RestoreSink::new(open(target)?, &clock, options.clone()),
        };
        let sink = sink.map_err(failed)?.watch(watch);
        copy(source, &clock, &way, choice, sink)
            .map_err(|error| failed(error.in_file(source.address())))
    }

    fn say(&self, report: &Report) -> Result<Exit, Exit> {
        for way in report.copies.iter().flat_map(|copied| &copied.why_not) {
            complain(format_args!("{} is not open: {}", way.driver, way.obstacles.join("; ")));
        }
        let text = match self.json {
            true => as_json(report)?,
            false => in_words(report, self.dry_run),
        };
        print(text.as_bytes())?;
        let moved = report.changes.as_ref().filter(|changes| !changes.is_empty());
        if let Some(changes) = moved {
            complain(format_args!("keys may be missing or twice: {changes}"));
        }
        let complete = report.copies.iter().all(CopyOutcome::is_complete) && moved.is_none();
        let copied: u64 = report.copies.iter().map(|copied| copied.restored.keys.restored).sum();
        Ok(match complete {
            true => Exit::Done,
            false if self.dry_run => Exit::Findings,
            false if copied > 0 => Exit::Partial,
            false => Exit::Failed,
        })
    }
}

fn open(options: &ConnectOptions) -> Result<Connection, Exit> {
    Connection::open(options.clone()).map_err(failed)
}

fn in_words(report: &Report, dry_run: bool) -> String {
    let done = if dry_run { "would be copied" } else { "copied" };
    let mut text = String::new();
    for copied in &report.copies {
        text += &restored_in_words(&copied.restored, done);
        if let Some(taken) = &copied.taken {
            let moment = match taken.snapshot.point_in_time {
                true => "of one moment",
                false => "not from one moment",
            };
            let server = visible(&taken.snapshot.server);
            text += &format!("  taken by    {}, from {server}, {moment}\n", taken.snapshot.driver);
        }
    }
    text
}

/// The bar, moved by what the target has confirmed.
struct Shown {
    bar: Bar,
    keys: KeyCount,
    bytes: u64,
}

impl Shown {
    fn show(&mut self, progress: &RestoreProgress) {
        self.keys.tell(progress.restored + progress.skipped + progress.failed);
        self.bar.read(progress.bytes.saturating_sub(self.bytes));
        self.bytes = progress.bytes;
    }
}
