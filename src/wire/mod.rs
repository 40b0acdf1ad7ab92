//! Floor 0, bytes: a cursor that cannot panic, the checksum, LZF, and numbers as servers print
//! them. Nothing here knows a key.

pub(crate) mod crc64;
pub(crate) mod cursor;
pub mod lzf;
#[cfg(feature = "mmap")]
pub mod mmap;
pub mod number;
