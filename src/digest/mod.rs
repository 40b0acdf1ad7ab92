//! Digests of what a dump holds, to tell whether two datasets are the same. (Feature `digest`.)
//!
//! Two of them, for two questions:
//!
//! | | [`ServerDigest`] | [`ContentDigest`] |
//! |---|---|---|
//! | equals | what `DEBUG DIGEST` and `DEBUG DIGEST-VALUE` of a server say once it has loaded the dump | itself only |
//! | asks | does the running server hold what the dump holds? | do two dumps hold the same? |
//! | size, made of | 20 bytes of SHA-1 and XOR | 32 bytes of BLAKE3 |
//! | depends on the server's version | yes: three switches in [`DigestOptions`] | no |
//! | blind for | when keys expire, consumer groups, functions, and whoever means harm | LRU and LFU, key metadata; consumer groups unless asked for |
//!
//! Both are independent of how values are encoded and in which order the file has keys. Neither is
//! a signature: against someone who may rewrite the dump, keep the digest elsewhere.
//!
//! # The server's digest
//!
//! ```text
//! XOR(d, data) = d xor SHA1(data)              members in no order
//! MIX(d, data) = SHA1(d xor SHA1(data))        elements in their order
//!
//! final = 0
//! for every non-empty db, ascending:  final = MIX(final, be32(db))
//!     for every key of it:            final = XOR(final, VALUE(MIX(0, key)))
//!
//! VALUE(d):  d = MIX(d, be32(type)), then by type
//!     string, list, stream, array     MIX(d, element) for each
//!     set                             XOR(d, member) for each
//!     zset, hash                      XOR(d, MIX(MIX(0, member), score or value)) for each
//!     and XOR(d, "!!expire!!") where the key has an expiry, whatever the time
//! ```
//!
//! Worked example, `SET k v` in db 0 (all confirmed on servers):
//!
//! ```text
//! MIX(0, "k")                69a7bae3d37a83849ecef8f3ff9260b35e01555d
//! MIX, be32(0) for string    6b57dcf9fff5f695ae2d8e39e9a800f33a896fc1
//! MIX, "v"                   da4e051e99f8f5646cc19b614551347ee012d875
//! its SHA1                   8c7c579647052d160ee9f7ee19de2543ecb3a170
//! MIX(0, be32(0)) for db 0   aa3098f3aae94baac14e3b8b8dcae989af93f6a2
//! the two, xored             264ccf65edec66bccfa7cc659414ccca432057d2
//! ```
//!
//! The value by itself, `DEBUG DIGEST-VALUE k`, is `VALUE(0)`: neither key nor db is part of it.
//!
//! # Our own
//!
//! ```text
//! record   db, key, type, expiry; the elements in order, or sorted by their bytes; how many
//! leaf     BLAKE3, derive-key mode, of the record: 512 bytes of its output, as 64 numbers
//! dataset  per db the sum of the leaves, number by number; BLAKE3 of (db, keys, sum) ascending
//! ```
//!
//! Inside a value the elements are sorted and hashed in one row. Over the keys the leaves are
//! summed, which needs no order and no memory; the sum is wide since a narrow one, or an XOR, can
//! be steered by whoever may choose some keys. See [`ContentDigest`] for what is in a record.
//!
//! # Cost
//!
//! Where the processor has instructions for SHA-1, a hundred million small strings take about 15 s
//! for the server's digest (2.2 SHA-1 a string, and no way around) and 6 s for our own; reading them
//! takes one.

mod content;
mod difference;
mod feed;
mod hex;
mod options;
mod rows;
mod server;
mod sha;
mod vectorset;

pub use content::{ContentDigest, ContentOptions, content_digest};
pub use difference::{Differing, How, KeyDigests, differing_keys};
pub use hex::{Digest, Digest20, Digest32, NotADigest};
pub use options::{DigestOptions, Role, ScoreText};
pub use server::{LoadNotes, ServerDigest, server_digest};
