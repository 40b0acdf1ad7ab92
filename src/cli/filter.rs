//! Which keys: the options that `extract` and `export` share.

use crate::cli::{Exit, complain, now};
use crate::rdb::DataType;
use crate::select::{Condition, Expiry, FilterOptions, KeyPattern};
use crate::time::UnixMillis;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Options of one kind are alternatives; options of several kinds have all to hold.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Which keys (given options must all hold; values of one are alternatives)"
)]
pub(crate) struct FilterArguments {
    /// Keys that match this pattern, as KEYS has them; may be repeated
    #[arg(long, value_name = "GLOB")]
    key: Vec<OsString>,
    /// Keys that begin so; may be repeated
    #[arg(long, value_name = "PREFIX")]
    prefix: Vec<OsString>,
    /// Keys of this very name; may be repeated
    #[arg(long, value_name = "NAME")]
    exact: Vec<OsString>,
    /// Keys whose names stand in this file, one a line
    #[arg(long, value_name = "FILE")]
    keys_from: Option<PathBuf>,
    /// But no keys that match this pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    not_key: Vec<OsString>,
    /// Keys in this database; may be repeated
    #[arg(long, value_name = "N")]
    db: Vec<u64>,
    /// Keys of this type: string, list, set, zset, hash, stream, ...; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Vec<DataType>,
    /// But no keys of this type; may be repeated
    #[arg(long, value_name = "TYPE")]
    not_type: Vec<DataType>,
    /// Keys by their expiry
    #[arg(long, value_enum, value_name = "WHICH")]
    ttl: Option<Ttl>,
    /// Keys whose values take at least so many bytes in the file
    #[arg(long, value_name = "BYTES")]
    min_size: Option<u64>,
    /// Keys whose values take at most so many bytes in the file
    #[arg(long, value_name = "BYTES")]
    max_size: Option<u64>,
    /// Keys whose values have at least so many elements: members, fields, entries; a string is one
    #[arg(long, value_name = "N")]
    min_elements: Option<u64>,
    /// Keys whose values have at most so many elements
    #[arg(long, value_name = "N")]
    max_elements: Option<u64>,
    /// Keys that had not been used for at least so many seconds, where the dump says it
    #[arg(long, value_name = "SECONDS")]
    min_idle: Option<u64>,
    /// Keys that had not been used for at most so many seconds, where the dump says it
    #[arg(long, value_name = "SECONDS")]
    max_idle: Option<u64>,
    /// Keys whose access counter is at least this, 0 to 255, where the dump says it
    #[arg(long, value_name = "N")]
    min_freq: Option<u64>,
    /// Keys whose access counter is at most this, 0 to 255, where the dump says it
    #[arg(long, value_name = "N")]
    max_freq: Option<u64>,
    /// Keys in this cluster slot; may be repeated
    #[arg(long, value_name = "SLOT")]
    slot: Vec<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Ttl {
    /// That never expire
    None,
    /// That expire some time
    Any,
    /// That have expired by now
    Expired,
    /// That have not expired by now
    Live,
}

impl FilterArguments {
    /// The filter they ask for, or what to say and how to end where its file cannot be read.
    pub(crate) fn options(&self) -> Result<FilterOptions, Exit> {
        self.options_at(now()).map_err(|error| {
            complain(format_args!("the list of keys cannot be read: {error}"));
            Exit::Failed
        })
    }

    fn options_at(&self, now: UnixMillis) -> std::io::Result<FilterOptions> {
        let globs = |patterns: &[OsString]| -> Vec<KeyPattern> {
            patterns.iter().map(|pattern| KeyPattern::glob(pattern.as_encoded_bytes())).collect()
        };
        let mut keys = globs(&self.key);
        keys.extend(self.prefix.iter().map(|prefix| KeyPattern::prefix(prefix.as_encoded_bytes())));
        keys.extend(self.exact.iter().map(|name| KeyPattern::exact(name.as_encoded_bytes())));
        if let Some(file) = &self.keys_from {
            let names = std::fs::read(file)?;
            let lines = names.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            keys.extend(lines.map(KeyPattern::exact));
        }
        let mut filter = FilterOptions::default();
        // A file without names asks for no key, not for all of them.
        if !keys.is_empty() || self.keys_from.is_some() {
            filter = filter.include(Condition::keys(keys));
        }
        if !self.not_key.is_empty() {
            filter = filter.exclude(Condition::keys(globs(&self.not_key)));
        }
        if !self.db.is_empty() {
            filter = filter.include(Condition::dbs(self.db.iter().copied()));
        }
        if !self.data_type.is_empty() {
            filter = filter.include(Condition::data_types(self.data_type.iter().copied()));
        }
        if !self.not_type.is_empty() {
            filter = filter.exclude(Condition::data_types(self.not_type.iter().copied()));
        }
        filter = match self.ttl {
            None => filter,
            Some(Ttl::None) => filter.include(Condition::expiry([Expiry::Never])),
            Some(Ttl::Any) => filter.include(Condition::expiry([Expiry::Any])),
            Some(Ttl::Expired) => filter.include(Condition::expiry([Expiry::ExpiredAt(now)])),
            Some(Ttl::Live) => filter.exclude(Condition::expiry([Expiry::ExpiredAt(now)])),
        };
        let between = |min: Option<u64>, max: Option<u64>| {
            let asked = min.is_some() || max.is_some();
            asked.then(|| [min.unwrap_or(0)..=max.unwrap_or(u64::MAX)])
        };
        let ranges = [
            between(self.min_size, self.max_size).map(Condition::sizes),
            between(self.min_elements, self.max_elements).map(Condition::elements),
            between(self.min_idle, self.max_idle).map(Condition::idle_seconds),
            between(self.min_freq, self.max_freq).map(Condition::frequencies),
        ];
        filter.include.extend(ranges.into_iter().flatten());
        if !self.slot.is_empty() {
            filter = filter.include(Condition::slots(self.slot.iter().map(|slot| *slot..=*slot)));
        }
        Ok(filter)
    }
}
