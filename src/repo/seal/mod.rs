//! A part of a backup as it is stored: compressed, encrypted, cut into volumes, readable in part.
//!
//! A part is any stream of bytes, as a dump is. What is made of it can be opened without this
//! crate, by programs that are everywhere:
//!
//! ```text
//! set -o pipefail; cat main.rdb.zst.age.* | age -d -i key | zstd -d > main.rdb
//! ```
//!
//! (Without `pipefail` a cut may go unnoticed, and bytes come before an error does: write to a
//! temporary name, and rename it after success.) Here [`Sealer`] makes it, [`SealedReader`] reads it to
//! its very end, and [`RangeReader`] reads ranges of it.
//!
//! ```
//! use redkeep::repo::seal::{
//!     Identities, OpenOptions, RangeReader, Recipients, SealOptions, SealedReader, Sealer,
//! };
//! use std::collections::BTreeMap;
//! use std::io::Read;
//!
//! # let public = "age1jjc9k3926rd7qwrhat72gaapma05e628kpn7kaxlfnue8esasggs4wa3j6";
//! # let secret = "AGE-SECRET-KEY-1QTRWTL30YZAHSN085A9RNLDWKNQFYTQTWPKTJD63TJW40F2KNH7QTLV85C";
//! let keys = Recipients::parse(public)?; // as age-keygen -y prints it
//! let mut store = BTreeMap::new(); // or whatever implements VolumeTarget
//! let mut sealer = Sealer::new(SealOptions::new("main.rdb.zst.age").recipients(keys), &mut store)?;
//! sealer.add(b"REDIS0011")?;
//! sealer.add(b"...")?;
//! let part = sealer.finish()?.part; // to be recorded
//!
//! let identities = Identities::read(secret.as_bytes(), || None)?; // as age-keygen -o writes it
//! let options = OpenOptions::default().identities(identities);
//! let mut plain = String::new();
//! SealedReader::open(&store, &part, &options)?.read_to_string(&mut plain)?;
//! assert_eq!(plain, "REDIS0011...");
//!
//! let mut some = [0; 4];
//! RangeReader::open(&store, &part, &options)?.read_exact_at(5, &mut some)?;
//! assert_eq!(&some, b"0011");
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! # The bytes
//!
//! Version 1. Numbers are little-endian, unless said otherwise. From the inside out:
//!
//! ## Frames and table
//!
//! ```text
//! Z     := frame{n} table
//! frame := 28 B5 2F FD, descriptor, content size, blocks, XXH64(plain, seed 0) low 32 bits
//! table := 5E 2A 4D 18, u32 12*n+9, row{n}, u32 n, 80, B1 EA 92 8F            12*n+17 bytes
//! row   := u32 compressed size, u32 plain size, the last four bytes of the frame
//! ```
//!
//! A frame is one of zstd (RFC 8878), and each can be inflated alone. Its content size and its checksum
//! are always there, a dictionary never. A frame begins at the first border that the writer is told of
//! after 1 MiB of plain bytes, or inside of something bigger after 4 MiB; where no borders are told, every
//! 1 MiB. Nothing relies on these sizes, only on the table. No frame is empty: an empty part has none.
//!
//! The table is that of zstd's public seekable format, inside a frame that every decoder skips. Row by
//! row it has all frames, in order; the sizes add up to the length of what is before the table, and
//! to that of the plain bytes. Of the byte `80`, the highest bit says that rows have a checksum, the two
//! lowest are unused, and the others are 0. There are at most 357,913,940 frames.
//!
//! ## Encryption
//!
//! ```text
//! stored := Z                                                                 in clear
//! stored := header, nonce, chunk*                                             encrypted
//! header := "age-encryption.org/v1\n", one stanza or more, "--- ", MAC, "\n"
//! nonce  := 16 bytes
//! chunk  := ChaCha20-Poly1305 of 64 KiB of Z, 16 bytes of tag; its nonce is a counter of 11 bytes,
//!           big-endian, and a byte that is 1 for the last chunk, which alone may be shorter
//! ```
//!
//! This is a binary file of age (version 1), for public keys: X25519, and of SSH with the feature
//! `repo-ssh`. A passphrase never encrypts a part, it may protect the file of secret keys. Byte `p` of Z
//! lies at `H + p / 65536 * 65552 + p % 65536`, where `H` is the length of header and nonce, which varies
//! even for the same keys, and so is recorded. `H` is at most 64 KiB. Stored bytes differ every time; only
//! plain bytes are the same.
//!
//! ## Volumes
//!
//! What is stored is cut every so many bytes (1 GiB, if nothing else is said; at most 5,000,000,000).
//! The pieces are called `NAME.000000`, `NAME.000001` and so on, up to a million; also where there is
//! one only. None is empty. They have no header: one after the other they are what was stored.
//!
//! ## The record
//!
//! [`SealedPart`] has to be kept beside: whether it is encrypted, the lengths of plain bytes, of header
//! and table, the number of frames, each volume's name, length and SHA-256, and the *anchor*: SHA-256
//! of header and nonce, or of the table where it is in clear.
//!
//! # What notices which damage
//!
//! | damage | in a part of which the record is kept | in a stream without record |
//! |---|---|---|
//! | a changed bit, encrypted | [`SealAuth`], [`SealHead`] or, where it ends sooner, the volume's digest ([`VolumeDigest`]) | [`SealAuth`], [`SealHead`] |
//! | a changed bit, in clear | [`SealFrameChecksum`], [`SealFrame`], [`SealTable`]; the digest for unused bits of zstd | the same, but for those bits |
//! | a cut, or bytes added | [`VolumeShort`], [`VolumeLong`] | encrypted [`SealAuth`]; in clear [`SealCut`] inside a frame or table, nothing between frames |
//! | volumes swapped or missing | [`VolumeDigest`], [`SealAuth`], what the source says | encrypted [`SealAuth`]; in clear [`SealTable`] |
//! | another or an older object of this name | [`SealOther`], [`VolumeDigest`], [`VolumeShort`], [`VolumeLong`] | nothing |
//! | a record that contradicts itself | [`SealRecord`] | |
//! | a wrong key | [`SealNoKey`] | the same |
//! | made up by somebody who may write to the store and change the record | nothing | nothing |
//!
//! Integrity is promised, authenticity is not: public keys are public. Who reads ranges has all of this
//! but the digests of volumes: the anchor tells other objects, age every changed bit, and in clear the
//! frame's 32 bits of checksum accidents only.
//!
//! [`SealAuth`]: crate::Fault::SealAuth
//! [`SealHead`]: crate::Fault::SealHead
//! [`SealFrame`]: crate::Fault::SealFrame
//! [`SealFrameChecksum`]: crate::Fault::SealFrameChecksum
//! [`SealTable`]: crate::Fault::SealTable
//! [`SealCut`]: crate::Fault::SealCut
//! [`SealOther`]: crate::Fault::SealOther
//! [`SealRecord`]: crate::Fault::SealRecord
//! [`SealNoKey`]: crate::Fault::SealNoKey
//! [`VolumeDigest`]: crate::Fault::VolumeDigest
//! [`VolumeShort`]: crate::Fault::VolumeShort
//! [`VolumeLong`]: crate::Fault::VolumeLong
//!
//! # Cost
//!
//! Of one busy core, in MB of plain bytes a second: sealing 110 to 160 at level 3 with age around it, 15 %
//! more without, half as many again at level 1; opening 270 to 310, all digests included. One short range of
//! an encrypted part, opened anew, takes 4 ms once its bytes are there. Memory is that of a few frames.
//!
//! Dumps compress less for having been compressed before: with `rdbcompression no` at the server the
//! same data may be stored in 60 % of the bytes (JSON), while the dump itself is bigger.

mod crypt;
mod frame;
mod inflate;
mod keys;
mod part;
mod pool;
mod ranges;
mod reader;
mod sealer;
mod table;
mod volumes;

pub(in crate::repo) use crypt::sha256 as digest_of;
pub use keys::{Identities, KeyPair, Passphrase, Recipients};
pub use part::{SealedPart, Volume};
pub use ranges::RangeReader;
pub use reader::{OpenOptions, Opened, SealedReader};
pub use sealer::{SealOptions, Sealed, Sealer};
pub use volumes::{RangeSource, VolumeSource, VolumeTarget, Volumes};
