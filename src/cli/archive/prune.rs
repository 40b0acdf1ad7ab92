//! `redkeep prune`: backups that no rule keeps are deleted.

use crate::cli::archive::place::PlaceArguments;
use crate::cli::human::{several, size, visible};
use crate::cli::{Exit, as_json, failed, now, print, stop, when};
use crate::repo::retention::{RetentionOptions, Zone};
use crate::task::{PruneOptions, PruneOutcome, prune};
use clap::Args;
use std::time::Duration;

/// Delete the backups of a stream that no rule keeps, and what killed writers left
///
/// Say --dry-run first. Whatever the rules say, the newest verified backup stays, and what a backup needs that
/// is kept. Verified backups are counted first: what nobody verified pushes none of them out.
#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Keep the newest so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_last: u32,
    /// Keep the newest of each of the last so many hours that have one
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_hourly: u32,
    /// Of each day
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_daily: u32,
    /// Of each week (ISO)
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_weekly: u32,
    /// Of each month
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_monthly: u32,
    /// Of each year
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_yearly: u32,
    /// Keep all that are no older than this, as 36h or 14d
    #[arg(long, value_name = "TIME", value_parser = time)]
    keep_within: Option<Duration>,
    /// Keep those with this tag; may be repeated
    #[arg(long, value_name = "WORD")]
    keep_tag: Vec<String>,
    /// The time zone of the calendar, as Europe/Berlin or +01:00
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: Zone,
    /// How old the remains of killed writers have to be
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "24h")]
    grace: Duration,
    /// Only say what would be deleted, and why
    #[arg(long)]
    dry_run: bool,
    /// Print plan and outcome as one JSON document
    #[arg(long)]
    json: bool,
}

/// A span of time that is not negative.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let ms = u64::try_from(when::span(text)?).map_err(|_| "before now".to_owned())?;
    Ok(Duration::from_millis(ms))
}

pub(crate) fn run(arguments: &PruneArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl PruneArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let mut retention = RetentionOptions::default()
            .last(self.keep_last)
            .hourly(self.keep_hourly)
            .daily(self.keep_daily)
            .weekly(self.keep_weekly)
            .monthly(self.keep_monthly)
            .yearly(self.keep_yearly)
            .zone(self.zone.clone());
        retention.within = self.keep_within;
        retention.tags.clone_from(&self.keep_tag);
        let options = PruneOptions::new(retention)
            .stream(self.place.stream.clone())
            .dry_run(self.dry_run)
            .grace(self.grace);
        let archive = self.place.open()?;
        let outcome = prune(&archive, &now, &options, &mut |_| stop::or_go_on());
        let outcome = outcome.map_err(failed)?;
        let text = if self.json { as_json(&outcome)? } else { in_words(&outcome) };
        print(text.as_bytes())?;
        let unread = !outcome.plan.unreadable.is_empty();
        Ok(match outcome.is_complete() {
            false => Exit::Partial,
            true if unread => Exit::Findings,
            true => Exit::Done,
        })
    }
}

fn in_words(outcome: &PruneOutcome) -> String {
    let plan = &outcome.plan;
    let mut text: String =
        plan.retention.to_string().lines().map(|line| visible(line) + "\n").collect();
    for problem in &plan.unreadable {
        text += &format!("{}: kept, since it cannot be read\n", visible(&problem.to_string()));
    }
    for folder in &plan.remains {
        text +=
            &format!("{}: what a writer left that was killed, {}\n", folder.id, size(folder.bytes));
    }
    let (backups, remains) = match outcome.dry_run {
        true => (plan.forget.len(), plan.remains.len()),
        false => (outcome.deleted.len(), outcome.remains_deleted.len()),
    };
    let bytes = if outcome.dry_run { plan.bytes() } else { outcome.bytes_freed };
    let would = if outcome.dry_run { "would be " } else { "" };
    text += &format!(
        "{} and {} {would}deleted, {}\n",
        several(backups as u64, "backup", "backups"),
        several(remains as u64, "remains", "remains"),
        size(bytes)
    );
    for problem in outcome.failures.iter().chain(&outcome.stopped) {
        text += &format!("NOT DELETED  {}\n", visible(&problem.to_string()));
    }
    text
}
