//! Opens, checks and exports Redis and Valkey dumps (RDB files): a zero-copy reader, and a check
//! that looks at more than any server does. Reads their logs (append-only files), too.
//!
//! - [`rdb`] reads every RDB version of Redis and Valkey, from memory or from a stream, at three
//!   levels: raw records, encodings, logical elements.
//! - [`rdb::check`] says whether a dump is sound, what is in it, and whether a given server would
//!   load it.
//! - [`select`] chooses keys, by the servers' own patterns and by all that a record says of its key;
//!   it leaves out parts of values, and changes names, databases and expiries.
//! - [`aof`] reads and writes logs of commands, says where they end and what a server would load from
//!   a folder.
//! - [`aof::check`] says whether a log is sound, and what a cut at its last good boundary would lose.
//! - [`task`] does what people come for: copying some keys of a dump into one of their own, making
//!   logs of dumps and the other way, printing logs.
//! - [`export`] writes dumps as commands for a server, and as JSON lines (feature `json`).
//! - `live` (feature `live`) asks running servers what they are and would lose, takes snapshots, and
//!   restores into them; `task::data_dir` restores into the directories of those that are stopped.
//! - `synth` (feature `synth`) makes datasets up, for trying out and for measuring.
//! - `repo` (feature `repo`) is the archive of backups: its stores, its format byte by byte, and which
//!   backups to keep. `task::backup` and its kin fill it; `task::{verify, fetch, drill, prune, status,
//!   copy_backup}` do with it what their names say.
//! - The [`guide`] explains dumps and checks in prose.
//!
//! Which keys are in a dump, and of what type:
//!
//! ```
//! use redkeep::rdb::{EventKind, SliceReader, StrBuf};
//!
//! let dump = b"REDIS0003\xfe\x00\x00\x05hello\x05world\x02\x03set\x02\x01a\xc0\x07\xff";
//! let mut buf = StrBuf::new();
//! let mut keys = Vec::new();
//! for event in SliceReader::new(dump) {
//!     if let EventKind::Entry(entry) = event?.kind() {
//!         let key = entry.key().bytes(&mut buf)?.escape_ascii();
//!         keys.push(format!("{} {key}", entry.value_type().data_type()));
//!     }
//! }
//! assert_eq!(keys, ["string hello", "set set"]);
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! A dump of values of one's own is built with [`rdb::Encoder`] and [`rdb::Writer`]. Whether a dump may
//! serve as a backup:
//!
//! ```
//! use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
//!
//! # let dump = b"REDIS0003\xfe\x00\x00\x05hello\x05world\x02\x03set\x02\x01a\xc0\x07\xff";
//! let options = CheckOptions::default().target("redis-7.2".parse().unwrap());
//! let report = check_slice(dump, &options);
//! assert_eq!(report.verdict, Verdict::Sound);
//! assert_eq!(report.keys, 2);
//! ```
//!
//! # For whom this is the wrong library
//!
//! It is no client for a server's data (use the `redis` crate; `live` takes snapshots with it) and does
//! not replay logs. It gives no owned tree of all keys and values: what is read is handed on piece by piece, and single values
//! can be [owned](rdb::Content). It is synchronous; in an async program, call it from a blocking task.
//!
//! # The floors
//!
//! Bytes flow one way, and no module uses one that stands further down in this table:
//!
//! | floor | modules |
//! |---|---|
//! | ground | [`Error`], [`Limits`], [`UnixMillis`] |
//! | bytes | [`wire`]: LZF, and numbers as servers print them |
//! | formats | [`rdb`], and above the rest of it [`rdb::check`]; [`aof`], and above that [`aof::check`] |
//! | meaning | [`pipe`], [`select`], [`export`], `digest`, `synth` |
//! | servers, archive | `live`; `repo` |
//! | verbs | [`task`] |
//! | top | the program, and the [`guide`] |
//!
//! # What can be relied on
//!
//! - There is no unsafe code (with feature `mmap` one line of it, in a file of its own), and no input
//!   makes it panic.
//! - No length in a file is believed: memory grows with bytes that really came, up to [`Limits`].
//! - Nothing is skipped in silence: a type or opcode that cannot be read is an error with its
//!   offset.
//! - Nothing prints, exits, or reads a clock; `now` is an argument.
//! - Values are never part of an error or of `Debug`; keys in errors are escaped and shortened.
//!
//! # Features
//!
//! None is on by default, and each only adds.
//!
//! | feature | adds | brings |
//! |---|---|---|
//! | `json` | `Serialize` on reports, JSON lines | serde, serde_json, base64 |
//! | `digest` | `digest` | sha1, blake3 |
//! | `regex` | selecting keys by regular expression | regex |
//! | `mmap` | opening a file as a memory map | memmap2 |
//! | `synth` | datasets made up by seed, `Arbitrary` for contents | arbitrary |
//! | `live` | `live`: running servers and snapshots of them | redis, without its defaults |
//! | `live-tls` | TLS for `live` | rustls with ring, `live` |
//! | `repo` | `repo`: archives of verified backups | zstd (C), age, sha2, jiff, rustix, `digest`, `json` |
//! | `repo-ssh` | keys of SSH for `repo` | rsa (RUSTSEC-2023-0071), `repo` |
//! | `opendal` | stores through opendal | opendal, tokio, `repo` |
//! | `opendal-http` | what the following share | reqwest, rustls with ring, `opendal` |
//! | `s3` | stores in S3 | `opendal-http` |
//! | `azblob` | stores in Azure Blob Storage | `opendal-http` |
//! | `swift` | stores in OpenStack Swift | `opendal-http` |
//! | `gcs` | stores in Google Cloud Storage, untried | `opendal-http` |
//! | `sftp` | stores in folders reached by SSH; starts `ssh` | russh-sftp, tokio, `repo` |
//! | `cli` | the `redkeep` program; with `live` it talks to servers | clap, indicatif, signal-hook, `json`, `digest` and `synth` |
#![cfg_attr(not(feature = "mmap"), forbid(unsafe_code))]
#![deny(unsafe_code)]

pub mod aof;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "digest")]
pub mod digest;
mod error;
pub mod export;
mod file;
pub mod guide;
mod limits;
#[cfg(feature = "live")]
pub mod live;
pub mod pipe;
pub mod rdb;
#[cfg(feature = "repo")]
pub mod repo;
pub mod select;
#[cfg(feature = "synth")]
pub mod synth;
pub mod task;
mod time;
pub mod wire;

pub use error::{Error, ErrorKind, Fault, Result};
pub use limits::Limits;
pub use time::UnixMillis;

/// The examples of the README compile and run like all others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
