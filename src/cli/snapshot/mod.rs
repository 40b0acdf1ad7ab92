//! `redkeep snapshot`: a dump of a running server, checked while it is written.

pub(crate) mod how;

use crate::cli::human::{ago, several, size};
use crate::cli::log_report::LogPrintout;
use crate::cli::progress::{Bar, KeyCount};
use crate::cli::report::Printout;
use crate::cli::server::{Monotonic, ServerArguments};
use crate::cli::snapshot::how::{HowToTake, Way};
use crate::cli::{Exit, as_json, complain, failed, now, print, stop};
use crate::live::cluster::ClusterNodes;
use crate::live::{Driver, Taken};
use crate::task::{
    ClusterSnapshot, SnapshotOptions, SnapshotOutcome, SnapshotProgress, SnapshotTarget,
    snapshot_cluster, snapshot_of_files, snapshot_watched,
};
use clap::Args;
use std::fmt::Write;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Take a snapshot of a running server, and check it while it is written
///
/// The server is asked to save (BGSAVE), and the file of that very save is copied, never one that was
/// there before; it has to be readable from here. Where that is not open the server sends what a replica
/// gets, and where that is not open either the keys are fetched one by one, which is not from one
/// moment. With the data directory of a server that is not running in place of the URL its files are
/// taken.
#[derive(Debug, Args)]
pub(crate) struct SnapshotArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The dump to write, or the log: it appears whole and sound, or not at all. A log of several parts
    /// is a folder
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    /// Replace the output if it exists; a folder is moved aside
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    how: HowToTake,
    /// Print what was done and found as one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &SnapshotArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl SnapshotArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let mut options = self.how.options(self.server.url.folder()).map_err(failed)?;
        let target = SnapshotTarget::new(&self.output).replace(self.force);
        let mut shown = Shown(None);
        let mut watch = |progress: &SnapshotProgress| {
            shown.show(progress);
            stop::or_go_on()
        };
        let clock = Monotonic::start();
        if self.how.cluster {
            return self.cluster(&clock, &options, &target, &mut watch);
        }
        let outcome = match self.server.url.folder() {
            Some(_) => snapshot_of_files(&clock, &options, &target, &mut watch),
            None => {
                let mut server = self.how.open(&self.server.login, &self.server.url)?;
                options.replication.stall = server.options().timeout;
                snapshot_watched(&mut server, &clock, &options, &target, &mut watch)
                    .map_err(|error| error.in_file(server.address()))
            }
        };
        drop(shown);
        let outcome = outcome.map_err(|error| {
            let there = error.io_kind() == Some(io::ErrorKind::AlreadyExists);
            let exit = failed(error);
            if there && !self.force {
                complain("it exists already, and --force was not given");
            }
            complain("nothing was written");
            exit
        })?;
        self.remark(&outcome);
        print(self.text(&outcome)?.as_bytes())?;
        if !outcome.kept {
            complain("nothing was written: what the server gave cannot be read to its end");
        }
        Ok(if outcome.is_sound() { Exit::Done } else { Exit::Findings })
    }

    /// All shards, each in a file of its own.
    fn cluster(
        &self,
        clock: &Monotonic,
        options: &SnapshotOptions,
        target: &SnapshotTarget,
        watch: &mut dyn FnMut(&SnapshotProgress) -> ControlFlow<()>,
    ) -> Result<Exit, Exit> {
        let server = self.server.open()?;
        let taken = ClusterNodes::look(&[server.options().clone()])
            .and_then(|look| snapshot_cluster(&look, clock, options, target, watch));
        let taken = taken.map_err(|error| {
            let exit = failed(error);
            complain("nothing was written");
            exit
        })?;
        let text = match self.json {
            true => as_json(&taken)?,
            false => cluster_in_words(&taken),
        };
        print(text.as_bytes())?;
        if !taken.kept {
            complain("nothing was written: what a server gave cannot be read to its end");
        }
        if !taken.changes.is_empty() {
            complain(format_args!("keys may be missing or twice: {}", taken.changes));
        }
        Ok(if taken.is_sound() { Exit::Done } else { Exit::Findings })
    }

    /// On stderr, why it was not taken in a better way.
    fn remark(&self, outcome: &SnapshotOutcome) {
        if let Some(replica) = &outcome.replica {
            replica.why_not.iter().for_each(|why| complain(format_args!("no replica: {why}")));
        }
        for way in &outcome.why_not {
            let why = way.obstacles.join("; ");
            complain(format_args!("{} is not open: {why}", way.driver));
        }
        let taken = &outcome.taken;
        if taken.snapshot.driver == Driver::Scan && self.how.driver == Way::Auto {
            complain("taken key by key");
        }
        if taken.scan.as_ref().is_some_and(|scan| scan.emptied == Some(true)) {
            complain("databases were emptied or swapped meanwhile: much may be missing");
        }
        if taken.log.as_ref().is_some_and(|log| log.acknowledged == Some(false)) {
            complain("the server was behind with its log: its last answers may be missing");
        }
    }

    fn text(&self, outcome: &SnapshotOutcome) -> Result<String, Exit> {
        if self.json {
            return as_json(outcome);
        }
        let name = self.output.display().to_string();
        let report = match (&outcome.report, &outcome.log_report) {
            (Some(report), _) => {
                let len = outcome.taken.snapshot.bytes;
                Printout { report, name: &name, len, now: now() }.to_string()
            }
            (None, Some(log)) => {
                LogPrintout { report: &log.report, name: &name, now: now() }.to_string()
            }
            (None, None) => String::new(),
        };
        Ok(report + &in_words(outcome))
    }
}

/// The bar, once something comes.
struct Shown(Option<ShownBar>);

struct ShownBar {
    driver: Driver,
    bytes: u64,
    bar: Bar,
    keys: KeyCount,
}

impl Shown {
    fn show(&mut self, progress: &SnapshotProgress) {
        let SnapshotProgress { driver, bytes, keys, len, .. } = *progress;
        let fits = |shown: &ShownBar| shown.driver == driver && shown.bytes <= bytes;
        if !self.0.as_ref().is_some_and(fits) {
            let verb = match driver {
                Driver::Replication => "receiving",
                Driver::Scan => "scanning",
                _ => "copying",
            };
            let bar = Bar::new(verb, len);
            self.0 = Some(ShownBar { driver, bytes: 0, keys: bar.key_count(verb), bar });
        }
        if let Some(shown) = &mut self.0 {
            shown.keys.tell(keys);
            shown.bar.read(bytes.saturating_sub(shown.bytes));
            shown.bytes = bytes;
        }
    }
}

fn cluster_in_words(taken: &ClusterSnapshot) -> String {
    let mut text = String::new();
    for shard in &taken.shards {
        let keys = shard.outcome.report.as_ref().map_or(0, |report| report.keys);
        let verdict = if shard.outcome.is_sound() { "sound" } else { "NOT SOUND" };
        text += &format!(
            "{}: {verdict}, {} of {}\n{}",
            shard.file,
            several(keys, "key", "keys"),
            shard.address,
            in_words(&shard.outcome)
        );
    }
    text
}

fn in_words(outcome: &SnapshotOutcome) -> String {
    let Taken { snapshot, replication, scan, log, .. } = &outcome.taken;
    let mut words = format!("  taken by    {}", snapshot.driver);
    // Nothing that is written to a string fails.
    let mut say = |args: std::fmt::Arguments<'_>| {
        let _ = words.write_fmt(args);
    };
    if let Some(address) = outcome.replica.as_ref().and_then(|replica| replica.address.as_ref()) {
        say(format_args!(" from the replica {address}"));
    }
    match snapshot.rounds {
        1 => {}
        rounds if log.is_some() => say(format_args!(", in {rounds} rounds")),
        rounds => say(format_args!(", asked for {rounds} times")),
    }
    if let Some(facts) = replication.as_ref().map(|received| &received.facts) {
        if let (Some(replid), Some(offset)) = (&facts.replid, facts.offset) {
            say(format_args!("; up to offset {offset} of {replid}"));
        }
    } else if let Some(scan) = scan {
        let vanished = several(scan.vanished, "key", "keys");
        say(format_args!(", so not from one moment; {vanished} vanished meanwhile"));
        if scan.function_libraries.is_none() {
            say(format_args!("; without function libraries, which it did not give"));
        }
    } else if let Some(log) = log {
        say(format_args!("; the log as it was at one moment"));
        let cut = outcome.log_report.as_ref().map_or(0, |log| log.cut_bytes);
        if cut > 0 {
            say(format_args!(", without {} at its end that were only begun", size(cut)));
        }
        if log.acknowledged == Some(true) {
            say(format_args!("; all that was acknowledged is in it"));
        }
    } else if snapshot.driver == Driver::Files {
        match (snapshot.stated_at, snapshot.age_seconds) {
            (Some(at), Some(age)) => {
                let at = i64::try_from(at).unwrap_or(i64::MAX);
                let now = crate::time::UnixMillis::from_seconds(at.saturating_add_unsigned(age));
                say(format_args!(
                    "; it was made {}, and no write since then is in it",
                    ago(at, now)
                ));
            }
            _ => say(format_args!("; how old it is, it does not say")),
        }
    } else {
        let writes = several(snapshot.writes_meanwhile.unwrap_or(0), "write", "writes");
        say(format_args!("; {writes} came too late for it"));
    }
    if let Some(old) = &outcome.moved_to {
        say(format_args!("\n  moved       what was there is {} now", old.display()));
    }
    words + "\n"
}
