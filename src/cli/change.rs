//! What is changed about keys: the options of `extract`.

use crate::cli::when;
use crate::cli::{Exit, complain, now};
use crate::error::Error;
use crate::select::{ExpiryChange, Rename, TransformOptions};
use crate::time::UnixMillis;
use clap::Args;
use std::ffi::OsString;

#[derive(Debug, Args)]
#[command(next_help_heading = "What is changed about them")]
pub(crate) struct ChangeArguments {
    /// Keys that begin with OLD begin with NEW instead; without OLD, all do; may be repeated
    #[arg(long, value_name = "OLD=NEW")]
    rename_prefix: Vec<OsString>,
    /// Keys that match GLOB get this name, each `*` of which stands for what that of GLOB stood for;
    /// may be repeated
    #[arg(long, value_name = "GLOB=NAME")]
    rename: Vec<OsString>,
    /// Move all keys to this database
    #[arg(long, value_name = "N")]
    to_db: Option<u64>,
    /// Move the keys of database A to B; may be repeated
    #[arg(long, value_name = "A=B", value_parser = db_pair)]
    db_map: Vec<(u64, u64)>,
    /// Let no key expire
    #[arg(long, group = "expiry")]
    ttl_drop: bool,
    /// Let every key expire so long from now: milliseconds, or 90s, 15m, 2h, 7d
    #[arg(long, group = "expiry", value_name = "SPAN", value_parser = when::span)]
    ttl_set: Option<i64>,
    /// Let keys that expire do so later by this span, or sooner by -SPAN
    #[arg(
        long,
        group = "expiry",
        value_name = "SPAN",
        allow_hyphen_values = true,
        value_parser = when::span
    )]
    ttl_shift: Option<i64>,
    /// Give keys the time to live that they had at this time: milliseconds since 1970, a date in UTC
    /// as 2026-11-20T07:42:01Z, or `dump` for when the dump was taken
    #[arg(long, group = "expiry", value_name = "TIME", value_parser = as_of)]
    ttl_as_of: Option<AsOf>,
    /// Leave out keys that have expired by now; with --ttl-shift and --ttl-as-of, by the new time
    #[arg(long)]
    drop_expired: bool,
}

/// The time of `--ttl-as-of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AsOf {
    /// That of the dump.
    Dump,
    Time(UnixMillis),
}

impl ChangeArguments {
    /// The change they ask for, or how to end where they make no sense.
    pub(crate) fn options(&self) -> Result<TransformOptions, Exit> {
        self.options_at(now()).map_err(|error| {
            complain(error);
            Exit::Usage
        })
    }

    fn options_at(&self, now: UnixMillis) -> Result<TransformOptions, Error> {
        let mut options = TransformOptions::default();
        for pair in &self.rename_prefix {
            let (old, new) = halves(pair, "--rename-prefix OLD=NEW")?;
            options = options.rename(Rename::prefix(old, new));
        }
        for pair in &self.rename {
            let (glob, name) = halves(pair, "--rename GLOB=NAME")?;
            options = options.rename(Rename::glob(glob, name)?);
        }
        for (from, to) in &self.db_map {
            options = options.move_db(*from, *to);
        }
        if let Some(db) = self.to_db {
            options = options.move_all(db);
        }
        let set = self.ttl_set.map(|span| ExpiryChange::remaining(now, span));
        let shift = self.ttl_shift.map(ExpiryChange::Shift);
        let as_of = self.ttl_as_of.map(|time| match time {
            AsOf::Dump => ExpiryChange::AsOf { taken: None, now },
            AsOf::Time(taken) => ExpiryChange::AsOf { taken: Some(taken), now },
        });
        let dropped = self.ttl_drop.then_some(ExpiryChange::Drop);
        options = options.expiry(set.or(shift).or(as_of).or(dropped).unwrap_or_default());
        Ok(if self.drop_expired { options.drop_expired(now) } else { options })
    }
}

/// What stands before and behind the first `=`.
fn halves<'a>(pair: &'a OsString, wanted: &str) -> Result<(&'a [u8], &'a [u8]), Error> {
    let bytes = pair.as_encoded_bytes();
    let mut halves = bytes.splitn(2, |byte| *byte == b'=');
    match (halves.next(), halves.next()) {
        (Some(old), Some(new)) => Ok((old, new)),
        _ => Err(Error::usage(format!("{wanted} was expected, and there is no `=`"))),
    }
}

fn db_pair(text: &str) -> Result<(u64, u64), String> {
    let pair = text.split_once('=').map(|(from, to)| (from.parse(), to.parse()));
    match pair {
        Some((Ok(from), Ok(to))) => Ok((from, to)),
        _ => Err("not two databases as in 3=0".to_owned()),
    }
}

fn as_of(text: &str) -> Result<AsOf, String> {
    match text {
        "dump" => Ok(AsOf::Dump),
        text => when::time(text).map(|ms| AsOf::Time(UnixMillis::new(ms))),
    }
}
