//! From contents to what a given server would write.
//!
//! The encodings are chosen as that server chooses them, under its default thresholds, with two
//! exceptions in which servers differ among themselves or from what loads everywhere: zipmaps and
//! the ziplists of Redis 2.4 are never written, plain forms are.
//!
//! | | 2.4 | 2.6 to 3.0 | 3.2 to 6.2 | 7.0 | 7.2 and later, Valkey |
//! |---|---|---|---|---|---|
//! | list | strings | one ziplist, strings | ziplist nodes | listpack and plain nodes | same |
//! | set | intset, strings | same | same | same | intset, listpack, strings |
//! | sorted set | text scores | ziplist, text scores | ziplist, binary scores since 4.0 | listpack, binary scores | same |
//! | hash | strings | ziplist, strings | same | listpack, strings | and those with field expiries |
//! | stream | | | version 1 since 5.0 | version 2 | version 3; 4 in Redis 8.6, 5 in 8.8 |

mod collections;
mod encoder;
mod head;
mod packer;
mod stream;

pub use encoder::{Encoded, Encoder};
pub(crate) use head::write_attributes;
