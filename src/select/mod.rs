//! Which keys: the servers' own key patterns, cluster slots, and filters made of conditions.
//!
//! ```text
//!  entry -> db, type, layout, expiry, idle, frequency, size -> key -> elements -> Decision
//!           read from the record's frame                       |      only if asked for
//!                                                              decoded once, compared with all
//! ```
//!
//! - [`Glob`] matches a key as `KEYS` and `SCAN ... MATCH` do, to the byte: ranges of signed bytes,
//!   `[^`, an unclosed `[`, and no end of other corners, compared with live servers.
//! - [`slot`](slot()) and [`hash_tag`] say where a cluster keeps a key.
//! - A [`Filter`] is a set of [`Condition`]s that must hold and of such that must not. It answers
//!   with a [`Decision`] that names what rejected the key, and [`Rejections`] adds those up: what a
//!   filter leaves out is counted, not dropped in silence.
//! - A [`RecordFilter`] says which records of a log are meant.
//! - A [`MemberFilter`] leaves out parts of values: fields, members, elements, stream entries.
//! - A [`Transform`] gives keys other names, databases and expiries on their way.
//!
//! The sessions of database 0 that are still alive at a given time, without the temporary ones:
//!
//! ```
//! use redkeep::UnixMillis;
//! use redkeep::rdb::{EventKind, SliceReader, StrBuf};
//! use redkeep::select::{Condition, Expiry, Filter, FilterOptions, KeyPattern, Rejections};
//!
//! # let dump = b"REDIS0003\xfe\x00\x00\x05user1\x01a\x00\x06sess:1\x01b\x00\x08sess:tmp\x01c\xff";
//! let now = UnixMillis::new(1_700_000_000_000);
//! let filter = Filter::new(
//!     FilterOptions::default()
//!         .include(Condition::keys([KeyPattern::prefix("sess:")]))
//!         .include(Condition::dbs([0]))
//!         .exclude(Condition::keys([KeyPattern::glob("*:tmp*")]))
//!         .exclude(Condition::expiry([Expiry::ExpiredAt(now)])),
//! );
//! let (mut buf, mut counts, mut kept) = (StrBuf::new(), Rejections::default(), Vec::new());
//! for event in SliceReader::new(dump) {
//!     if let EventKind::Entry(entry) = event?.kind() {
//!         let decision = filter.matches(&entry, &mut buf)?;
//!         counts.count(decision);
//!         if decision.is_keep() {
//!             kept.push(entry.key().bytes(&mut buf)?.to_vec());
//!         }
//!     }
//! }
//! assert_eq!(kept, [b"sess:1"]);
//! assert_eq!((counts.kept, counts.rejected()), (1, 2));
//! # Ok::<(), redkeep::Error>(())
//! ```

mod condition;
mod count;
mod decision;
mod filter;
mod glob;
mod key;
mod members;
mod record;
mod sieve;
mod slot;
mod transform;

pub use condition::{Condition, Expiry};
pub use decision::{Criterion, Decision, Rejections};
pub use filter::{Filter, FilterOptions};
pub use glob::Glob;
pub use key::KeyPattern;
#[cfg(feature = "regex")]
pub use key::{BadRegex, KeyRegex};
pub use members::{MemberCondition, MemberCounts, MemberFilter, MemberOptions};
pub use record::{RecordDecision, RecordFilter, RecordFilterOptions};
pub use sieve::Sieve;
pub use slot::{SLOTS, hash_tag, slot};
pub use transform::{ExpiryChange, Rename, Transform, TransformCounts, TransformOptions};
