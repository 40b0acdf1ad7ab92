//! Strings as they lie in the file: plain, an integer, or LZF.

use crate::error::{Error, Fault, Result};
use crate::rdb::encoding::Scalar;
use crate::wire::cursor::{Cursor, Res};
use crate::wire::{lzf, number::Digits};
use std::fmt;

/// A string of the file, not yet decoded: most are a borrow and cost nothing.
///
/// Keys, members, values and whole packed blobs are all written this way. A string that looks like
/// a small integer may be stored as one, so compare [`bytes`](Str::bytes), never the stored form.
///
/// ```
/// use redkeep::rdb::{StrBuf, SliceReader, EventKind};
/// // SET k 12, as Redis 2.6 wrote it: the value is the 8-bit integer 12.
/// let dump = b"REDIS0003\x00\x01k\xc0\x0c\xff";
/// for event in SliceReader::new(dump) {
///     if let EventKind::Entry(entry) = event.unwrap().kind() {
///         assert_eq!(entry.key().bytes(&mut StrBuf::new()).unwrap(), b"k");
///     }
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Str<'a> {
    /// The bytes as they are.
    Plain(&'a [u8]),
    /// An 8, 16 or 32-bit integer that stands for its decimal text.
    Int(i32),
    /// LZF data that inflate to exactly `len` bytes.
    Lzf {
        /// The compressed bytes.
        packed: &'a [u8],
        /// The length it claims to inflate to; not to be believed before inflating.
        len: u64,
    },
}

/// Shows no content: values are never logged.
impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Str::Plain(bytes) => write!(f, "Plain({})", bytes.len()),
            Str::Int(_) => f.write_str("Int"),
            Str::Lzf { packed, len } => write!(f, "Lzf({} -> {len})", packed.len()),
        }
    }
}

/// A buffer that strings which are no borrow are decoded into, kept from one to the next.
///
/// ```
/// use redkeep::rdb::StrBuf;
/// let buf = StrBuf::new().inflated_limit(1 << 20);
/// # drop(buf);
/// ```
#[derive(Debug, Default)]
pub struct StrBuf {
    inflated: Vec<u8>,
    digits: Digits,
    limit: Option<u64>,
}

impl StrBuf {
    /// An empty buffer that inflates up to the default of
    /// [`Limits::inflated`](crate::Limits::inflated).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many bytes one string may inflate to.
    #[must_use]
    pub fn inflated_limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    fn limit(&self) -> u64 {
        self.limit.unwrap_or_else(|| crate::Limits::default().inflated)
    }
}

impl<'a> Str<'a> {
    /// The bytes a client would see.
    ///
    /// # Errors
    /// `Corrupt` when compressed data do not yield the length they claim, `Limit` when that is over
    /// the buffer's limit. Both name no offset: what holds the string knows it.
    #[inline(always)]
    pub fn bytes<'b>(self, buf: &'b mut StrBuf) -> Result<&'b [u8]>
    where
        'a: 'b,
    {
        self.unpack(buf).map_err(Error::from_fault)
    }

    #[inline(always)]
    pub(crate) fn unpack<'b>(self, buf: &'b mut StrBuf) -> Result<&'b [u8], Fault>
    where
        'a: 'b,
    {
        match self {
            Str::Plain(bytes) => Ok(bytes),
            Str::Int(n) => Ok(buf.digits.format(i64::from(n))),
            Str::Lzf { packed, len } => {
                lzf::decompress(packed, len, buf.limit(), &mut buf.inflated)
            }
        }
    }

    /// Like [`bytes`](Str::bytes), but an integer stays one.
    ///
    /// # Errors
    /// As [`bytes`](Str::bytes).
    #[inline(always)]
    pub fn scalar<'b>(self, buf: &'b mut StrBuf) -> Result<Scalar<'b>>
    where
        'a: 'b,
    {
        self.unpack_scalar(buf).map_err(Error::from_fault)
    }

    #[inline(always)]
    pub(crate) fn unpack_scalar<'b>(self, buf: &'b mut StrBuf) -> Result<Scalar<'b>, Fault>
    where
        'a: 'b,
    {
        match self {
            Str::Int(n) => Ok(Scalar::Int(i64::from(n))),
            Str::Plain(bytes) => Ok(Scalar::Bytes(bytes)),
            Str::Lzf { .. } => self.unpack(buf).map(Scalar::Bytes),
        }
    }

    /// Whether its bytes in the file are compressed.
    #[must_use]
    pub fn is_compressed(self) -> bool {
        matches!(self, Str::Lzf { .. })
    }

    /// The length in bytes a client would see; for compressed data the length they claim.
    #[must_use]
    pub fn claimed_len(self) -> u64 {
        match self {
            Str::Plain(bytes) => bytes.len() as u64,
            Str::Int(n) => Digits::new().format(i64::from(n)).len() as u64,
            Str::Lzf { len, .. } => len,
        }
    }
}

/// What follows the head of a string too big to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StrHead {
    /// This many plain bytes.
    Plain(u64),
    /// An integer of this many bytes.
    Int(u64),
    /// This many bytes of LZF data, which inflate to `len`.
    Lzf {
        /// Compressed bytes that follow.
        packed: u64,
        /// The length they claim to inflate to.
        len: u64,
    },
}

impl StrHead {
    /// Bytes that follow in the file.
    #[must_use]
    pub fn following(self) -> u64 {
        match self {
            StrHead::Plain(n) | StrHead::Int(n) => n,
            StrHead::Lzf { packed, .. } => packed,
        }
    }
}

impl<'a> Cursor<'a> {
    /// One string. The two short length forms are inline, all else is one call away. (Tried: one
    /// branchless path for both; 1-6 % slower, the next string then waits for this length.)
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Res<Str<'a>> {
        if let Some((&first, rest)) = self.rest().split_first()
            && first < 0x40
        {
            if let Some((whole, rest)) = rest.split_at_checked(usize::from(first)) {
                *self = Cursor::new(rest);
                return Ok(Str::Plain(whole));
            }
        } else if let Some((&[first, second], rest)) = self.rest().split_first_chunk::<2>()
            && first < 0x80
            && let Some((whole, rest)) =
                rest.split_at_checked((usize::from(first) & 63) << 8 | usize::from(second))
        {
            *self = Cursor::new(rest);
            return Ok(Str::Plain(whole));
        }
        self.string_slow()
    }

    /// Every other form, and every shortage: says exactly how much is missing.
    #[inline(never)]
    fn string_slow(&mut self) -> Res<Str<'a>> {
        match self.string_head()? {
            StrHead::Plain(n) => Ok(Str::Plain(self.take(n)?)),
            StrHead::Lzf { packed, len } => Ok(Str::Lzf { packed: self.take(packed)?, len }),
            StrHead::Int(1) => Ok(Str::Int(i32::from(self.byte()?.cast_signed()))),
            StrHead::Int(2) => Ok(Str::Int(i32::from(i16::from_le_bytes(self.array()?)))),
            StrHead::Int(_) => Ok(Str::Int(i32::from_le_bytes(self.array()?))),
        }
    }

    /// The head of a string alone; the payload follows.
    #[inline(always)]
    pub(crate) fn string_head(&mut self) -> Res<StrHead> {
        let before = *self;
        let first = self.byte()?;
        Ok(match first {
            0x00..=0x3f => StrHead::Plain(u64::from(first)),
            0x40..=0x7f => StrHead::Plain((u64::from(first) & 63) << 8 | u64::from(self.byte()?)),
            0x80..=0xbf => StrHead::Plain(self.wide_length(first, before)?),
            0xc0 => StrHead::Int(1),
            0xc1 => StrHead::Int(2),
            0xc2 => StrHead::Int(4),
            0xc3 => StrHead::Lzf { packed: self.length()?, len: self.length()? },
            _ => return Err(before.bad(Fault::StringEncoding)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::cursor::Stop;

    fn text(bytes: &[u8]) -> Vec<u8> {
        let mut c = Cursor::new(bytes);
        let s = c.string().unwrap();
        assert!(c.is_empty());
        s.bytes(&mut StrBuf::new()).unwrap().to_vec()
    }

    #[test]
    fn each_form_decodes_to_what_a_client_sees() {
        assert_eq!(text(b"\x03abc"), b"abc");
        assert_eq!(text(b"\x40\x03abc"), b"abc");
        assert_eq!(text(b"\x80\x00\x00\x00\x03abc"), b"abc");
        assert_eq!(text(b"\xc0\xff"), b"-1");
        assert_eq!(text(b"\xc1\x2c\x01"), b"300");
        assert_eq!(text(b"\xc2\x90\xee\xfe\xff"), b"-70000");
        let lzf = b"\xc3\x09\x1e\x01\x61\x61\xe0\x11\x00\x01\x61\x61";
        assert_eq!(text(lzf), [b'a'; 30]);
    }

    #[test]
    fn a_short_string_says_what_lacks_and_a_bad_one_where() {
        assert_eq!(Cursor::new(b"\x05ab").string(), Err(Stop::Short(3)));
        assert_eq!(Cursor::new(b"\x40").string(), Err(Stop::Short(1)));
        assert_eq!(Cursor::new(b"\xc2\x00").string(), Err(Stop::Short(3)));
        assert_eq!(Cursor::new(b"\xc4\x00").string(), Err(Stop::Bad(Fault::StringEncoding, 2)));
        assert_eq!(Cursor::new(b"\x82\x00").string(), Err(Stop::Bad(Fault::Length, 2)));
    }
}
