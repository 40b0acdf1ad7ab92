//! `redkeep status`: whether somebody should look at the backups.

use crate::cli::archive::place::PlaceArguments;
use crate::cli::archive::prune::time;
use crate::cli::human::{ago, count, several, size, visible};
use crate::cli::report::row;
use crate::cli::{Exit, as_json, failed, now, print, stop};
use crate::repo::StreamName;
use crate::task::{Status, StatusBackup, StatusLevel, StatusOptions, StreamStatus, status};
use clap::{Args, ValueEnum};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Say how the backups are: how old, how many, whether verified, and what changed
///
/// For cron and monitors: exit code 3 says that somebody should look at it.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Those of all streams
    #[arg(long, conflicts_with = "stream")]
    all_streams: bool,
    /// How old the newest backup may be, as 26h
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_age: Option<Duration>,
    /// How old the newest verified backup may be, as 8d
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_verified_age: Option<Duration>,
    /// How many percent more or less bytes or keys than usual the newest may have; 0: any
    #[arg(long, value_name = "PERCENT", default_value_t = 50)]
    max_change: u32,
    /// How bad it has to be for exit code 3
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailOn::Warning)]
    fail_on: FailOn,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Print metrics for Prometheus, as for a file of its node exporter
    #[arg(long, conflicts_with = "json")]
    prometheus: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Somebody should look at it
    Warning,
    /// The data may not be safe
    Critical,
}

pub(crate) fn run(arguments: &StatusArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl StatusArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let mut options =
            StatusOptions::default().max_change((self.max_change > 0).then_some(self.max_change));
        options.max_age = self.max_age;
        options.max_verified_age = self.max_verified_age;
        if !self.all_streams {
            options = options.stream(self.place.stream.clone());
        }
        let archive = self.place.open()?;
        let found = status(&archive, &now, &options, &mut |_, _| stop::or_go_on());
        let found = found.map_err(failed)?;
        let text = match (self.json, self.prometheus) {
            (true, _) => as_json(&found)?,
            (_, true) => found.prometheus(),
            _ => Words(&found).to_string(),
        };
        print(text.as_bytes())?;
        let worst = match self.fail_on {
            FailOn::Warning => StatusLevel::Warning,
            FailOn::Critical => StatusLevel::Critical,
        };
        Ok(if found.verdict >= worst { Exit::Findings } else { Exit::Done })
    }
}

struct Words<'a>(&'a Status);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let found = self.0;
        let streams = several(found.streams.len() as u64, "stream", "streams");
        writeln!(
            f,
            "{}  {streams}, {}",
            found.verdict.to_string().to_uppercase(),
            size(found.bytes)
        )?;
        found.streams.iter().try_for_each(|stream| of_stream(f, stream))?;
        let findings: Vec<_> = found.findings().collect();
        if !findings.is_empty() {
            writeln!(f, "\nWhat to look at")?;
        }
        let name = |stream: Option<&StreamName>| {
            stream.map(|stream| format!("{stream}: ")).unwrap_or_default()
        };
        findings.iter().try_for_each(|(stream, finding)| {
            writeln!(f, "  - {}{}", name(*stream), visible(&finding.to_string()))
        })
    }
}

fn of_stream(f: &mut Formatter<'_>, stream: &StreamStatus) -> fmt::Result {
    writeln!(f, "\n  {}", stream.stream)?;
    let counts = &stream.backups;
    let mut backups = several(counts.all, "backup", "backups");
    for (n, what) in [
        (counts.verified, "verified"),
        (counts.unverified, "not verified"),
        (counts.failed, "FAILED"),
        (counts.unreadable, "NOT READABLE"),
    ] {
        if n > 0 {
            backups += &format!(", {} {what}", count(n));
        }
    }
    row(f, "backups", backups)?;
    let one = |backup: &Option<StatusBackup>| match backup {
        None => "none".to_owned(),
        Some(backup) => format!(
            "{}, {}, {} keys, {}",
            ago(backup.time.get().div_euclid(1000), now()),
            backup.state,
            count(backup.keys),
            size(backup.stored_bytes)
        ),
    };
    row(f, "newest", one(&stream.newest))?;
    row(f, "verified", one(&stream.newest_verified))?;
    row(f, "in use", size(stream.bytes))?;
    if let Some(holder) = &stream.lock {
        row(f, "locked by", visible(&holder.owner))?;
    }
    Ok(())
}
