//! `redkeep repair`: what to keep of an append-only log, and then to do so.

use crate::aof::repair::{CutAt, Plan, RepairOptions, plan};
use crate::cli::human::visible;
use crate::cli::{Exit, as_json, failed, now, print};
use crate::rdb::ServerVersion;
use crate::task::{RepairOutcome, RepairPlace, repair};
use crate::time::UnixMillis;
use clap::Args;
use std::path::PathBuf;

/// Repair an append-only log: says what would be kept and lost, and does it with --apply
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("how").args(["to_time", "to_offset", "to_command", "salvage"])))]
#[command(group(clap::ArgGroup::new("place").args(["output", "in_place"])))]
pub(crate) struct RepairArguments {
    /// The `dir` of a server, its folder of logs, a manifest, or a single log
    path: PathBuf,
    /// End the log before what is later: seconds since 1970, milliseconds as 1795159679000ms, or
    /// 2026-11-20T13:45:00Z
    #[arg(long, value_name = "T", value_parser = time)]
    to_time: Option<UnixMillis>,
    /// End the log at or before this offset of a file, by default the last one
    #[arg(long, value_name = "[FILE:]N", value_parser = offset)]
    to_offset: Option<CutAt>,
    /// End the log behind so many commands, over all files
    #[arg(long, value_name = "N")]
    to_command: Option<u64>,
    /// Keep what stands behind a damaged place
    #[arg(long)]
    salvage: bool,
    /// With --salvage, put right a digit that may be wrong, too
    #[arg(long, requires = "salvage")]
    suspicious: bool,
    /// Where the repaired set goes: a folder that is empty or not there yet
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Repair it where it is; the originals are kept beside it
    #[arg(long)]
    in_place: bool,
    /// Do it; without this nothing is written
    #[arg(long, requires = "place")]
    apply: bool,
    /// Print the plan as one JSON document
    #[arg(long)]
    json: bool,
    /// The server that has to load it, as redis-7.0 or valkey-9.1
    #[arg(long = "for", value_name = "SERVER")]
    target: Option<ServerVersion>,
}

pub(crate) fn run(arguments: RepairArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl RepairArguments {
    fn run(self) -> Result<Exit, Exit> {
        let mut options =
            RepairOptions::default().salvage(self.salvage).suspicious(self.suspicious);
        options.server = self.target;
        options.cut = match (self.to_time, self.to_command) {
            (Some(time), _) => Some(CutAt::Time(time)),
            (_, Some(number)) => Some(CutAt::Command(number)),
            _ => self.to_offset,
        };
        let plan = plan(&self.path, &options).map_err(failed)?;
        let place = self.output.map(RepairPlace::Folder);
        let place = place.unwrap_or_else(|| RepairPlace::InPlace { stamp: stamp() });
        let outcome = match self.apply && plan.obstacles.is_empty() {
            true => Some(repair(&plan, &place).map_err(failed)?),
            false => None,
        };
        print(report(&plan, outcome.as_ref(), self.json)?.as_bytes())?;
        Ok(match plan.obstacles.is_empty() {
            false => Exit::Failed,
            true if plan.is_empty() => Exit::Done,
            true => Exit::Findings,
        })
    }
}

fn report(plan: &Plan, outcome: Option<&RepairOutcome>, json: bool) -> Result<String, Exit> {
    if json {
        return as_json(&serde_json::json!({ "plan": plan, "outcome": outcome }));
    }
    let mut text: String = plan.to_string().lines().map(|line| visible(line) + "\n").collect();
    match outcome {
        Some(outcome) => {
            let lists = [("written", &outcome.written), ("kept aside", &outcome.aside)];
            for (what, paths) in lists {
                for path in paths {
                    text += &format!("{what}: {}\n", visible(&path.to_string_lossy()));
                }
            }
        }
        None if plan.is_empty() || !plan.obstacles.is_empty() => {}
        None => text += "nothing was changed; --apply with -o DIR or --in-place does it\n",
    }
    Ok(text)
}

/// The time by this machine's clock, as a part of names.
pub(crate) fn stamp() -> String {
    let date = crate::cli::human::date(now().get() / 1000);
    let digits: String = date.chars().filter(char::is_ascii_digit).collect();
    match digits.split_at_checked(8) {
        Some((day, time)) => format!("{day}T{time}Z"),
        None => digits,
    }
}

fn offset(text: &str) -> Result<CutAt, String> {
    let (file, number) = match text.rsplit_once(':') {
        Some((file, number)) => (Some(file.to_owned()), number),
        None => (None, text),
    };
    let offset = number.parse().map_err(|_| "expected [FILE:]N, N being bytes".to_owned())?;
    Ok(CutAt::Offset { file, offset })
}

fn time(text: &str) -> Result<UnixMillis, String> {
    let wrong = "expected seconds since 1970, milliseconds as 1795159679000ms, or a time in UTC as \
                 2026-11-20T13:45:00Z";
    if let Some(ms) = text.strip_suffix("ms") {
        return ms.parse().map(UnixMillis::new).map_err(|_| wrong.to_owned());
    }
    if let Ok(seconds) = text.parse() {
        return Ok(UnixMillis::from_seconds(seconds));
    }
    rfc3339(text).ok_or_else(|| wrong.to_owned())
}

/// A time in UTC, with up to three places behind the seconds.
fn rfc3339(text: &str) -> Option<UnixMillis> {
    let text = text.strip_suffix(['Z', 'z'])?;
    let (day, clock) = text.split_once(['T', 't', ' '])?;
    let (clock, part) = clock.split_once('.').unwrap_or((clock, "0"));
    let numbers = |text: &str, by: char, widths: [usize; 3]| -> Option<[i64; 3]> {
        let parts: Vec<_> = text.split(by).collect();
        let parts: [&str; 3] = parts.try_into().ok()?;
        let fit = parts.iter().zip(widths).all(|(part, width)| {
            part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit())
        });
        let [a, b, c] = parts.map(|part| part.parse().ok());
        if fit { Some([a?, b?, c?]) } else { None }
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let fits = (1..=12).contains(&month) && (1..=last).contains(&day);
    if !fits || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if part.is_empty() || part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms: i64 = format!("{part:0<3}").parse().ok()?;
    // Days since 1970, in a calendar whose years begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    Some(UnixMillis::new((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::human::date;

    #[test]
    fn times_are_seconds_milliseconds_or_written_out() {
        for (text, ms) in [
            ("1795159679", 1_795_159_679_000),
            ("1795159679123ms", 1_795_159_679_123),
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59.5Z", 951_868_799_500),
            ("2026-11-20 13:45:00z", 1_795_182_300_000),
            ("-1", -1000),
        ] {
            assert_eq!(time(text).unwrap().get(), ms, "{text}");
        }
        for text in [
            "",
            "x",
            "1.5",
            "2026-11-20",
            "2026-02-29T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T13:45:00",
            "2026-11-20T13:45:00+01:00",
            "2026-1-2T00:00:00Z",
            "ms",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
        for seconds in [0, 951_782_400, 1_795_182_300, 4_107_542_399, 4_107_542_400] {
            let text = date(seconds).replacen(' ', "T", 1).replace(" UTC", "Z");
            assert_eq!(time(&text).unwrap(), UnixMillis::from_seconds(seconds), "{text}");
        }
    }

    #[test]
    fn an_offset_may_name_its_file() {
        assert_eq!(offset("70"), Ok(CutAt::Offset { file: None, offset: 70 }));
        let file = Some("a:b.aof".to_owned());
        assert_eq!(offset("a:b.aof:7"), Ok(CutAt::Offset { file, offset: 7 }));
        assert!(offset("a.aof").is_err() && offset("a:").is_err());
    }
}
