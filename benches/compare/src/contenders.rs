//! Who takes part in which job.

use std::error::Error;
use std::fmt;
use std::path::Path;

use crate::{librdb_jobs, rdb_jobs, redkeep_jobs};

/// What a contender handed to its consumer, so that one that leaves something out shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delivered {
    pub keys: u64,
    /// Strings inside values: a field and its value are two, a member with its score is one.
    pub elements: u64,
    /// Length of what was delivered: raw values, elements, or text.
    pub bytes: u64,
}

impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys {} elements {} bytes {}", self.keys, self.elements, self.bytes)
    }
}

pub type Outcome = Result<Delivered, Box<dyn Error>>;

#[derive(Clone, Copy)]
pub enum Work {
    /// Done in a fresh process of this program.
    Call(fn(&Path) -> Outcome),
    /// A program from PATH, given the file as its only argument.
    Program(&'static str),
}

pub struct Contender {
    pub job: &'static str,
    pub name: &'static str,
    pub what: &'static str,
    pub work: Work,
}

impl Contender {
    pub fn is_redkeep(&self) -> bool {
        self.name.starts_with("redkeep")
    }
}

pub struct Job {
    pub name: &'static str,
    pub what: &'static str,
}

pub const JOBS: &[Job] = &[
    Job { name: "walk", what: "every key with its value as stored, not decoded" },
    Job { name: "decode", what: "every element of every value" },
    Job { name: "check", what: "is this file valid, down to the inside of every value" },
    Job { name: "filter", what: "keys by a pattern, written to nowhere" },
    Job { name: "copy", what: "every record read and written again, to nowhere" },
    Job { name: "json", what: "every key as JSON, written to nowhere" },
];

const fn call(
    job: &'static str,
    name: &'static str,
    what: &'static str,
    work: fn(&Path) -> Outcome,
) -> Contender {
    Contender { job, name, what, work: Work::Call(work) }
}

/// The first one of each job is what the others are measured against.
#[rustfmt::skip] // a table
pub const CONTENDERS: &[Contender] = &[
    call("walk", "redkeep", "stream reader, checksum", redkeep_jobs::walk_stream),
    call("walk", "redkeep-slice", "file read whole, checksum", redkeep_jobs::walk_slice),
    call("walk", "librdb-raw-file", "raw level, file reader, checksum; validates packed values", librdb_jobs::raw_file),
    call("walk", "librdb-raw-memory", "raw level, file read whole, checksum; validates packed values", librdb_jobs::raw_memory),
    call("walk", "rdb-skip", "a filter that takes no key; no checksum", rdb_jobs::skip),

    call("decode", "redkeep", "stream reader, checksum", redkeep_jobs::decode_stream),
    call("decode", "redkeep-slice", "file read whole, checksum", redkeep_jobs::decode_slice),
    call("decode", "librdb-crate", "the Rust crate as it is: data level, file reader, checksum", librdb_jobs::crate_file),
    call("decode", "librdb-data-file", "C callbacks: data level, file reader, checksum", librdb_jobs::data_file),
    call("decode", "librdb-data-light", "the same without deep integrity checks", librdb_jobs::data_file_light),
    call("decode", "librdb-data-memory", "C callbacks: data level, file read whole, checksum", librdb_jobs::data_memory),
    call("decode", "rdb", "the iterator; no checksum, no streams", rdb_jobs::decode),
    call("decode", "rdb-nil", "its formatter that does nothing; no checksum, no streams", rdb_jobs::format_nothing),

    call("check", "redkeep", "all validity rules, checksum", redkeep_jobs::check),
    Contender { job: "check", name: "redis-check-rdb", what: "from PATH", work: Work::Program("redis-check-rdb") },

    call("filter", "redkeep", "a dump of the keys that end in 7", redkeep_jobs::filter),
    call("filter", "librdb-resp", "librdb's own filter, and RESTORE commands, only counted", librdb_jobs::filter),

    call("copy", "redkeep", "a dump of all keys, checksum verified and made", redkeep_jobs::copy),
    call("copy", "redkeep-walk", "walking alone, for comparison", redkeep_jobs::walk_stream),

    call("json", "redkeep", "JSON lines", redkeep_jobs::json),
    call("json", "librdb-json", "librdb's own handlers, as in rdb-cli", librdb_jobs::json),
    call("json", "rdb-json", "its JSON formatter; no checksum, no streams", rdb_jobs::json),
];
