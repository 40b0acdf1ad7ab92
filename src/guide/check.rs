//! What the report of a check says, and how to let only sound backups pass; and how logs differ.
//!
//! # The ladder
//!
//! A check goes up to a [`Level`](crate::rdb::check::Level), and each level includes those below:
//!
//! | level | then you know that | cost |
//! |---|---|---|
//! | `framing` | every record can be told from the next, nothing is cut off, and the checksum fits | a pass over the bytes |
//! | `structure` | every container has the size and the number of entries that it claims | packed values are walked |
//! | `elements` | every string inflates and every number is one | compressed strings are inflated |
//! | `semantics` | nothing is there twice, nothing is empty that must not be, what must ascend does | memory for the keys' hashes, up to a budget |
//! | `loadable` | a server that you name would load it | nothing more |
//!
//! The default is `semantics`: for a backup, the checksum alone is not enough. It fits a file that
//! was damaged in the server's memory before it was saved, and a server may have been told to keep
//! none.
//!
//! # The verdict
//!
//! ```
//! use redkeep::rdb::check::{CheckOptions, Severity, Verdict, check_slice};
//!
//! let cut = b"REDIS0003\xfe\x00\x00\x01a\x011\x00\x01b\x0522";
//! let report = check_slice(cut, &CheckOptions::default());
//! assert_eq!(report.verdict, Verdict::Damaged);
//! assert_eq!(report.keys, 1); // what could be read, up to the damage
//!
//! let finding = &report.findings[0];
//! assert_eq!(finding.code, "ends_inside");
//! assert_eq!(finding.severity, Severity::Damage);
//! assert_eq!(finding.offset, Some(22));
//! ```
//!
//! - [`Sound`](crate::rdb::check::Verdict::Sound): nothing found, or only notes.
//! - [`Findings`](crate::rdb::check::Verdict::Findings): all of it can be read, but some server
//!   refuses it, drops part of it or trips over it. Examples: the same key twice, a hash with a
//!   field twice, bytes behind the end.
//! - [`Damaged`](crate::rdb::check::Verdict::Damaged): bytes are missing or wrong.
//!
//! Each [`Finding`](crate::rdb::check::Finding) has a `code` that never changes, for programs, and
//! a sentence for people. Only so many are listed
//! ([`max_findings`](crate::rdb::check::CheckOptions::max_findings)); `counts` has them all by
//! code.
//!
//! # What a verdict does not say
//!
//! - `checksum` may be [`Absent`](crate::rdb::check::ChecksumState::Absent): the server kept none.
//!   The file can be sound to every rule and a value still have a changed byte. Look at it if you
//!   need to know.
//! - `duplicates` says how the search went. With more keys than the budget has room for, only a
//!   share is compared (`one_in`).
//! - `target` is there only if you named a server.
//! - Nobody but you knows how many keys there should be: compare `keys` or `dbs` with what the
//!   server said when it saved.
//!
//! # Gating a backup
//!
//! Check the copy, at the place where it is kept, not the file it was made of. Let the name of the
//! server that has to load it be part of the question. And give the time, so that keys which are
//! past their expiry are counted: a master drops those on loading, and an old dump may come up
//! empty.
//!
//! ```
//! use redkeep::UnixMillis;
//! use redkeep::rdb::check::{CheckOptions, ChecksumState, Report, Verdict, check_file};
//! use std::io::{Read, Seek};
//!
//! /// Why this copy is no backup, if it is none.
//! fn refuse(copy: impl Read + Seek, server: &str, now: UnixMillis) -> Option<String> {
//!     let server = match server.parse() {
//!         Ok(server) => server,
//!         Err(error) => return Some(format!("{error}")),
//!     };
//!     let options = CheckOptions::default().target(server).now(now);
//!     let report: Report = match check_file(copy, &options) {
//!         Ok(report) => report,
//!         Err(error) => return Some(format!("could not be read: {error}")), // worth another try
//!     };
//!     if report.verdict != Verdict::Sound {
//!         return Some(report.findings.first().map_or(String::new(), |f| f.message.clone()));
//!     }
//!     if report.checksum == ChecksumState::Absent {
//!         return Some("it has no checksum: set `rdbchecksum yes`".to_owned());
//!     }
//!     let expired: u64 = report.dbs.iter().map(|db| db.expired).sum();
//!     (expired == report.keys).then(|| "no key in it is still alive".to_owned())
//! }
//!
//! let now = UnixMillis::from_seconds(1_800_000_000);
//! let dump = |bytes: &[u8]| std::io::Cursor::new(bytes.to_vec());
//! let good = dump(b"REDIS0003\xfe\x00\x00\x01k\x01v\xff");
//! assert_eq!(refuse(good, "redis-6.2", now), None);
//! let twice = dump(b"REDIS0003\xfe\x00\x00\x01k\x01v\x00\x01k\x01v\xff");
//! assert!(refuse(twice, "redis-6.2", now).unwrap().contains("was there before"));
//! let past = dump(b"REDIS0003\xfe\x00\xfd\x00\x00\x00\x01\x00\x01k\x01v\xff");
//! assert_eq!(refuse(past, "redis-6.2", now).unwrap(), "no key in it is still alive");
//! ```
//!
//! From a shell, the program does the same; its exit code is 0 for a sound dump, 3 for one with
//! findings or damage, and 1 where it could not be read:
//!
//! ```text
//! redkeep check --for redis-7.2 /backups/dump.rdb || exit
//! redkeep check --json /backups/dump.rdb > /backups/dump.rdb.report.json
//! ```
//!
//! # Which function
//!
//! [`check_file`](crate::rdb::check::check_file) for files: bounded memory, and a second pass only
//! where keys seem to be there twice, to name them.
//! [`check_stream`](crate::rdb::check::check_stream) for what can be read only once, such as a
//! download: duplicate keys are counted but not named.
//! [`check_slice`](crate::rdb::check::check_slice) for bytes that are in memory anyway. All three
//! find the same.
//!
//! # Logs
//!
//! A log (AOF) has neither checksum nor end mark. So its check ([`aof::check`](crate::aof::check))
//! says in what way it ends, and where it could be cut:
//!
//! ```
//! use redkeep::aof::check::{AofCheckOptions, Outcome, Verdict, check_log};
//! use redkeep::rdb::check::CheckOptions;
//!
//! let log = b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nb\r\n*1\r\n$4";
//! let rules = CheckOptions::default().target("redis-7.0".parse().unwrap());
//! let report = check_log(&log[..], "appendonly.aof", &AofCheckOptions::new(rules))?;
//! assert_eq!(report.verdict, Verdict::TornTail);
//! assert_eq!(report.target.unwrap().outcome, Outcome::CutsTail);
//!
//! let cut = report.files[0].cut.unwrap(); // before the MULTI
//! assert_eq!((cut.at, cut.lost_bytes, cut.lost_commands), (21, 42, 2));
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! A torn tail is the normal picture after a crash: servers cut it off and start. Three others are
//! not, and a server's own repair makes them worse:
//!
//! - [`Corrupt`](crate::aof::check::Verdict::Corrupt) with whole commands behind the wrong bytes
//!   (`goes_on_at`): a cut drops those. `lost_commands` says how many they are.
//! - A torn file that is not the last (`torn_not_last`): the first start cuts it and fails, the second
//!   one succeeds without what was cut off.
//! - Files without their manifest (`manifest_missing`): the server starts empty, and writes over
//!   the base. So copy the whole folder before a server starts on it.
//!
//! For a set of files, give [`check_fileset`](crate::aof::check::check_fileset) the `dir` of the
//! server: it finds what a server of the target's version would load from there, and names what
//! that one leaves out. The RDB that a file begins with is checked as any dump, and its report is in
//! that file's ([`rdb`](crate::aof::check::FileReport::rdb)).
