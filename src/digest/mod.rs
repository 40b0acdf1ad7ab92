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
//! Both are sinks: [`pump`](crate::pipe::pump) brings them the events of any source.
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
//! record   0, db, key, type, expiry; the elements, or their sum; how many
//! leaf     BLAKE3 of the record: 512 bytes of its output, as 64 numbers
//! dataset  BLAKE3 of how many keys, the sum of their leaves number by number, and in ascending
//!          order the leaves of what is no key, 32 bytes each, with how often each came
//! ```
//!
//! BLAKE3 is always in derive-key mode, with a name for each use. Numbers are 8 bytes,
//! little-endian; strings have their length in front, in one byte, or from 255 on in eight behind a
//! byte of 255. Over the keys the leaves are summed, which needs no order and no memory; the sum is
//! wide since a narrow one, or an XOR, can be steered by whoever may choose some keys. Inside a
//! value without an order, elements are sorted by their bytes and hashed in one go, which costs a
//! fraction of a sum. Only where they are more than 262,144, or more than 16 MiB, each is hashed by
//! itself, and the record has their sum, made as that over keys. See [`ContentDigest`] for what is
//! in a record.
//!
//! # Beside other work
//!
//! Both digests take the events of a reader one by one, so they can be computed while the same bytes
//! are stored, filtered or checked, in one pass:
//!
//! ```
//! use redkeep::digest::{ContentDigest, DigestOptions, ServerDigest};
//! use redkeep::rdb::SliceReader;
//! let dump = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff"; // or a StreamReader over any source
//! let mut own = ContentDigest::default();
//! let mut server = ServerDigest::new(DigestOptions::new("redis-7.2".parse().unwrap()));
//! for event in SliceReader::new(dump) {
//!     let event = event?;
//!     own.event(&event)?;
//!     server.event(&event)?;
//!     // And here whatever else the event is for.
//! }
//! assert_eq!(server.finish()?.to_string(), "264ccf65edec66bccfa7cc659414ccca432057d2");
//! let own = own.finish()?;
//! # drop(own);
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! A dataset in several parts, as the shards of a cluster, needs no pass over all: the
//! [`ContentSum`] or [`ServerSum`] of each part is kept, and joined. What the masters of a cluster
//! answered is put together by [`digest_of_shards`].
//!
//! # Cost
//!
//! Where the processor has instructions for SHA-1, a hundred million small strings take about 15 s
//! for the server's digest (2.2 SHA-1 a string, and no way around) and 6 s for our own; reading them
//! takes one. An element of a value that is summed takes 0.2 us where the processor has AVX-512, and
//! several times that where not. Memory is bounded for both, whatever is in the dump.

mod content;
mod difference;
mod feed;
mod hex;
mod options;
mod record;
mod rows;
mod server;
mod sha;
mod sum;
mod vectorset;
mod wide;

pub use content::{ContentDigest, ContentOptions, content_digest};
pub use difference::{Differing, How, KeyComparison, KeyDigests, differing_keys};
pub use hex::{Digest, Digest20, Digest32, NotADigest};
pub use options::{DigestOptions, Role, ScoreText};
pub use server::{LoadNotes, ServerDigest, server_digest};
pub use sum::{ContentSum, ServerSum, digest_of_shards};
