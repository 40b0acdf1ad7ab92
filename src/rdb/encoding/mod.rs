//! The packed encodings, as iterators that borrow from the blob they walk.
//!
//! Each is the content of one string of the file (inflated first, where it was compressed). A read
//! that runs short inside a blob is damage, never "need more": the blob is all there.

pub mod intset;
pub mod listpack;
pub mod module;
pub mod stream;
pub mod ziplist;
pub mod zipmap;

use crate::error::{Error, Fault};
use crate::wire::number::Digits;
use std::fmt;

/// A string as encodings hold it: bytes, or an integer that stands for its decimal text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scalar<'a> {
    /// The bytes themselves.
    Bytes(&'a [u8]),
    /// An integer; the string is its decimal form.
    Int(i64),
}

impl<'a> Scalar<'a> {
    /// The bytes a client would see; an integer is written into `digits`.
    ///
    /// ```
    /// use redkeep::rdb::encoding::Scalar;
    /// use redkeep::wire::number::Digits;
    /// assert_eq!(Scalar::Int(-7).bytes(&mut Digits::new()), b"-7");
    /// assert_eq!(Scalar::Bytes(b"x").bytes(&mut Digits::new()), b"x");
    /// ```
    #[inline(always)]
    pub fn bytes<'d>(self, digits: &'d mut Digits) -> &'d [u8]
    where
        'a: 'd,
    {
        match self {
            Scalar::Bytes(bytes) => bytes,
            Scalar::Int(n) => digits.format(n),
        }
    }

    /// The integer, where it is stored as one.
    #[inline(always)]
    #[must_use]
    pub fn int(self) -> Option<i64> {
        match self {
            Scalar::Int(n) => Some(n),
            Scalar::Bytes(_) => None,
        }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Scalar::Int(_) => f.write_str("Int"),
        }
    }
}

/// Where a blob lies in the file, so that an error inside it can say where to look.
///
/// ```
/// use redkeep::rdb::encoding::{Origin, intset::Intset};
/// let blob = [2, 0, 0, 0, 9, 0, 0, 0]; // nine elements, and none follows
/// let plain = Intset::new(&blob, Origin::plain(1000)).unwrap_err();
/// assert_eq!(plain.offset(), Some(1004));
/// let inflated = Intset::new(&blob, Origin::inflated(1000)).unwrap_err();
/// assert_eq!(inflated.offset(), Some(1000));
/// assert!(inflated.to_string().contains("byte 4 of the inflated blob"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    offset: u64,
    inflated: bool,
}

impl Origin {
    /// The blob's own bytes begin at this absolute offset; errors name the byte itself.
    #[inline(always)]
    #[must_use]
    pub fn plain(offset: u64) -> Self {
        Origin { offset, inflated: false }
    }

    /// The blob was compressed and its compressed form begins at this absolute offset; errors name
    /// that offset, and the place inside the inflated bytes in words.
    #[inline(always)]
    #[must_use]
    pub fn inflated(offset: u64) -> Self {
        Origin { offset, inflated: true }
    }

    /// A fault at a position inside the blob.
    #[cold]
    #[inline(never)]
    pub(crate) fn fault(self, fault: Fault, position: usize) -> Error {
        if self.inflated {
            let detail = format!("byte {position} of the inflated blob");
            return Error::at(fault, self.offset).with_detail(detail);
        }
        Error::at(fault, self.offset.saturating_add(position as u64))
    }
}
