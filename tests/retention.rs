//! Which backups are kept: over years of dates, in zones whose clocks change, and by laws.

#![cfg(feature = "repo")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a panic is how a test fails

#[path = "retention/calendar.rs"]
mod calendar;
#[path = "retention/laws.rs"]
mod laws;
#[path = "retention/rules.rs"]
mod rules;

use redkeep::UnixMillis;
use redkeep::repo::retention::{BackupFacts, BackupState, RetentionOptions, RetentionPlan, retain};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted from the rule for leap years.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let years: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + lengths[..usize::try_from(month - 1).unwrap()].iter().sum::<i64>() + day - 1
}

/// Milliseconds at `2026-11-20 14:30` UTC.
fn utc(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let day = days(number(0, 4), number(5, 7), number(8, 10));
    day * DAY + number(11, 13) * HOUR + number(14, 16) * 60_000
}

fn verified(id: &str, ms: i64) -> BackupFacts {
    BackupFacts::new(id, UnixMillis::new(ms), BackupState::Verified)
}

/// Verified backups at these times, which are their ids.
fn at(times: &[&str]) -> Vec<BackupFacts> {
    times.iter().map(|time| verified(time, utc(time))).collect()
}

/// The plan a day after the newest of them.
fn plan(backups: &[BackupFacts], options: &RetentionOptions) -> RetentionPlan {
    let newest = backups.iter().map(|backup| backup.time.get()).max().unwrap();
    retain(backups, UnixMillis::new(newest + DAY), options).unwrap()
}

/// The ids of those that are kept, from the newest to the oldest.
fn kept(plan: &RetentionPlan) -> Vec<&str> {
    plan.kept().map(|backup| &backup.id[..]).collect()
}
