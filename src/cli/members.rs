//! Which parts of values: the options that `extract` and `export` share.

use crate::rdb::StreamId;
use crate::select::{KeyPattern, MemberCondition, MemberOptions};
use crate::wire::number::parse_double;
use clap::Args;
use std::ffi::OsString;
use std::ops::Bound;

/// Options of one kind are alternatives; options of several kinds have all to hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which parts of values (keys of which nothing is left are left out)")]
pub(crate) struct MemberArguments {
    /// Of hashes, fields that match this pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    field: Vec<OsString>,
    /// But no fields that match this pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    not_field: Vec<OsString>,
    /// Of sets and sorted sets, members that match this pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    member: Vec<OsString>,
    /// But no members that match this pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    not_member: Vec<OsString>,
    /// Of lists, elements that match this pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    element: Vec<OsString>,
    /// But no elements that match this pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    not_element: Vec<OsString>,
    /// Of sorted sets, members with at least this score; `(5` for more than 5
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true, value_parser = score)]
    min_score: Option<Bound<f64>>,
    /// Of sorted sets, members with at most this score; `(5` for less than 5
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true, value_parser = score)]
    max_score: Option<Bound<f64>>,
    /// Of streams, entries from this ID on: milliseconds, or both halves as in 1526985054069-0
    #[arg(long, value_name = "ID", value_parser = first_id)]
    from_id: Option<StreamId>,
    /// Of streams, entries up to this ID
    #[arg(long, value_name = "ID", value_parser = last_id)]
    to_id: Option<StreamId>,
}

impl MemberArguments {
    /// The parts they ask for.
    pub(crate) fn options(&self) -> MemberOptions {
        let globs = |patterns: &[OsString]| -> Option<Vec<KeyPattern>> {
            let globs = patterns.iter().map(|glob| KeyPattern::glob(glob.as_encoded_bytes()));
            (!patterns.is_empty()).then(|| globs.collect())
        };
        let mut options = MemberOptions::default();
        options.include.extend(globs(&self.field).map(MemberCondition::fields));
        options.exclude.extend(globs(&self.not_field).map(MemberCondition::fields));
        options.include.extend(globs(&self.member).map(MemberCondition::members));
        options.exclude.extend(globs(&self.not_member).map(MemberCondition::members));
        options.include.extend(globs(&self.element).map(MemberCondition::elements));
        options.exclude.extend(globs(&self.not_element).map(MemberCondition::elements));
        if self.min_score.is_some() || self.max_score.is_some() {
            let ends = [self.min_score, self.max_score];
            let [min, max] = ends.map(|end| end.unwrap_or(Bound::Unbounded));
            options = options.include(MemberCondition::scores([(min, max)]));
        }
        if self.from_id.is_some() || self.to_id.is_some() {
            let from = self.from_id.map_or(Bound::Unbounded, Bound::Included);
            let to = self.to_id.map_or(Bound::Unbounded, Bound::Included);
            options = options.include(MemberCondition::ids([(from, to)]));
        }
        options
    }
}

/// A score as `ZRANGEBYSCORE` takes it.
fn score(text: &str) -> Result<Bound<f64>, String> {
    let (number, bound): (_, fn(f64) -> Bound<f64>) = match text.strip_prefix('(') {
        Some(number) => (number, Bound::Excluded),
        None => (text, Bound::Included),
    };
    let score = parse_double(number.as_bytes()).filter(|score| !score.is_nan());
    score.map(bound).ok_or_else(|| "not a score".to_owned())
}

fn first_id(text: &str) -> Result<StreamId, String> {
    id(text, 0)
}

fn last_id(text: &str) -> Result<StreamId, String> {
    id(text, u64::MAX)
}

/// An ID, of which the second half may be left out.
fn id(text: &str, seq: u64) -> Result<StreamId, String> {
    let (ms, seq) = match text.split_once('-') {
        Some((ms, seq)) => (ms.parse(), seq.parse()),
        None => (text.parse(), Ok(seq)),
    };
    ms.and_then(|ms| Ok(StreamId::new(ms, seq?))).map_err(|_| "not the ID of an entry".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_and_ids_are_those_of_the_servers_commands() {
        assert_eq!(score("(1.5"), Ok(Bound::Excluded(1.5)));
        assert_eq!(score("-inf"), Ok(Bound::Included(f64::NEG_INFINITY)));
        assert!(score("nan").is_err() && score("(").is_err() && score("").is_err());
        assert_eq!(first_id("5-1"), Ok(StreamId::new(5, 1)));
        assert_eq!(first_id("5"), Ok(StreamId::new(5, 0)));
        assert_eq!(last_id("5"), Ok(StreamId::new(5, u64::MAX)));
        assert!(last_id("-").is_err() && last_id("5-").is_err() && last_id("a-1").is_err());
    }
}
