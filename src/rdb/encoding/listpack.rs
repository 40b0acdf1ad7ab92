//! Listpacks: the packed form of Redis 7.0 and later (sets: 7.2), and of streams since 5.0.

use super::{Origin, Scalar};
use crate::error::{Error, Fault, Result};
use std::{fmt, iter::FusedIterator};

/// The entries of a listpack, first to last.
///
/// ```text
///  total u32le   num u16le          entry   entry   ...   FF
///  whole blob    65535: not kept    |
///                                   head [more] [bytes] backlen
///
///  head           more   holds
///  0xxxxxxx              an integer, 0 to 127
///  10xxxxxx              a string of up to 63 bytes
///  110xxxxx       1      an integer of 13 bits, high bits first
///  1110xxxx       1      a string of up to 4095 bytes, high bits of its length first
///  F0             4      a string, its length u32le
///  F1 F2 F3 F4           an integer of 2, 3, 4 or 8 bytes, little-endian
/// ```
///
/// `backlen` is the size of its entry without itself, for walking backwards: 7 bits per byte, the
/// high ones first, with bit `80` set in all but the first. One byte serves sizes up to 127, two
/// below 16383, three below 2097151, four below 268435455, five the rest: servers do not use the
/// last size of a width, so that an entry of 16383 bytes ends in `00 FF FF` (seen in 7.0.15).
///
/// Every head and size is checked against the blob and every `backlen` against its entry. Whether
/// there are as many entries as declared is for the caller, who counts anyway. Errors name the
/// first byte of the entry. After an error, or the end, it yields `None` forever.
///
/// ```
/// use redkeep::rdb::encoding::{Origin, Scalar, listpack::Listpack};
/// //          total        num   "a"          300              end
/// let blob = b"\x0d\0\0\0\x02\0\x81a\x02\xc1\x2c\x02\xff";
/// let mut entries = Listpack::new(blob, Origin::plain(0))?;
/// assert_eq!(entries.declared(), Some(2));
/// assert_eq!(entries.next().transpose()?, Some(Scalar::Bytes(b"a")));
/// assert_eq!(entries.next().transpose()?, Some(Scalar::Int(300)));
/// assert!(entries.next().is_none());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct Listpack<'a> {
    rest: &'a [u8],
    /// Where the end mark lies in the blob, which is where `rest` ends.
    end: usize,
    num: u16,
    origin: Origin,
}

impl<'a> Listpack<'a> {
    /// Opens a blob; only its header and its end mark are looked at.
    ///
    /// # Errors
    ///
    /// [`Fault::ListpackHeader`] if the blob is shorter than header and end mark, says it has
    /// another size than it has, or does not end in `FF`.
    #[inline(always)]
    pub fn new(blob: &'a [u8], origin: Origin) -> Result<Self> {
        let Some((&[a, b, c, d, low, high], [rest @ .., mark])) = blob.split_first_chunk() else {
            return Err(origin.fault(Fault::ListpackHeader, 0));
        };
        if u64::from(u32::from_le_bytes([a, b, c, d])) != blob.len() as u64 {
            return Err(origin.fault(Fault::ListpackHeader, 0));
        }
        let end = blob.len() - 1;
        if *mark != 0xFF {
            return Err(origin.fault(Fault::ListpackHeader, end));
        }
        Ok(Listpack { rest, end, num: u16::from_le_bytes([low, high]), origin })
    }

    /// The number of entries that the header promises; `None` where it does not say (65535).
    #[inline(always)]
    #[must_use]
    pub fn declared(&self) -> Option<u16> {
        (self.num != u16::MAX).then_some(self.num)
    }

    /// A fault at the first byte that is not read yet. Inlined, for a call that takes `self` by
    /// reference would keep the iterator out of registers.
    #[inline(always)]
    pub(crate) fn fault(&self, fault: Fault) -> Error {
        self.origin.fault(fault, self.end - self.rest.len())
    }

    #[inline(always)]
    fn step(&mut self) -> Option<Scalar<'a>> {
        let (scalar, size) = entry(self.rest)?;
        let tail = self.rest.get(size..)?;
        // The bounds are odd, but the servers' own.
        self.rest = match size {
            0..128 => after_backlen::<1>(tail, size)?,
            128..16_383 => after_backlen::<2>(tail, size)?,
            _ => after_wide_backlen(tail, size)?,
        };
        Some(scalar)
    }
}

/// What the entry at the front holds, and its size without the backlen.
#[inline(always)]
fn entry(bytes: &[u8]) -> Option<(Scalar<'_>, usize)> {
    let (&head, body) = bytes.split_first()?;
    Some(match head {
        0x00..=0x7F => (Scalar::Int(i64::from(head)), 1),
        0x80..=0xBF => {
            let n = usize::from(head & 63);
            (Scalar::Bytes(body.get(..n)?), 1 + n)
        }
        0xC0..=0xDF => {
            let bits = i64::from(head & 31) << 8 | i64::from(*body.first()?);
            (Scalar::Int(bits << 51 >> 51), 2)
        }
        0xE0..=0xEF => {
            let (&low, body) = body.split_first()?;
            let n = usize::from(head & 15) << 8 | usize::from(low);
            (Scalar::Bytes(body.get(..n)?), 2 + n)
        }
        0xF0 => {
            let (n, body) = body.split_first_chunk()?;
            let n = u32::from_le_bytes(*n) as usize;
            (Scalar::Bytes(body.get(..n)?), 5 + n)
        }
        0xF1 => (Scalar::Int(i64::from(i16::from_le_bytes(*body.first_chunk()?))), 3),
        0xF2 => {
            let &[a, b, c] = body.first_chunk()?;
            (Scalar::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)), 4)
        }
        0xF3 => (Scalar::Int(i64::from(i32::from_le_bytes(*body.first_chunk()?))), 5),
        0xF4 => (Scalar::Int(i64::from_le_bytes(*body.first_chunk()?)), 9),
        _ => return None,
    })
}

/// What follows a backlen of N bytes, if it is that of an entry of this size.
#[inline(always)]
fn after_backlen<const N: usize>(bytes: &[u8], size: usize) -> Option<&[u8]> {
    let (backlen, rest) = bytes.split_first_chunk::<N>()?;
    let mut fits = true;
    for (i, byte) in backlen.iter().rev().enumerate() {
        let mark = if i + 1 < N { 0x80 } else { 0 };
        fits &= u64::from(*byte) == size as u64 >> (7 * i) & 0x7F | mark;
    }
    fits.then_some(rest)
}

#[inline(never)]
fn after_wide_backlen(bytes: &[u8], size: usize) -> Option<&[u8]> {
    match size {
        0..2_097_151 => after_backlen::<3>(bytes, size),
        2_097_151..268_435_455 => after_backlen::<4>(bytes, size),
        _ => after_backlen::<5>(bytes, size),
    }
}

impl<'a> Iterator for Listpack<'a> {
    type Item = Result<Scalar<'a>>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(scalar) = self.step() else {
            let error = self.fault(Fault::ListpackEntry);
            self.rest = &[];
            return Some(Err(error));
        };
        Some(Ok(scalar))
    }
}

impl FusedIterator for Listpack<'_> {}

/// Shows no content: values are never logged.
impl fmt::Debug for Listpack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listpack").field("bytes_left", &self.rest.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::Index};

    /// The size of an entry as its backlen, written the servers' way.
    fn backlen(size: usize) -> Vec<u8> {
        let width = [127, 16_382, 2_097_150, 268_435_454].iter().filter(|max| size > **max).count();
        let group = |i: usize| (size >> (7 * i)).to_le_bytes()[0] & 0x7F;
        (0..=width).rev().map(|i| group(i) | if i < width { 0x80 } else { 0 }).collect()
    }

    /// A listpack of entries given without their backlens.
    fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
        let body = entries.iter().flat_map(|entry| [entry.clone(), backlen(entry.len())].concat());
        seal(&body.collect::<Vec<u8>>(), u16::try_from(entries.len()).unwrap())
    }

    fn seal(body: &[u8], num: u16) -> Vec<u8> {
        let total = u32::try_from(body.len() + 7).unwrap().to_le_bytes();
        [&total, &num.to_le_bytes()[..], body, &[0xFF]].concat()
    }

    fn text(s: &[u8]) -> Vec<u8> {
        let [a, b, c, d, ..] = s.len().to_le_bytes();
        match s.len() {
            0..64 => [&[0x80 | a], s].concat(),
            64..4096 => [&[0xE0 | b, a], s].concat(),
            _ => [&[0xF0, a, b, c, d], s].concat(),
        }
    }

    fn open(blob: &[u8]) -> Listpack<'_> {
        Listpack::new(blob, Origin::plain(0)).unwrap()
    }

    fn read(blob: &[u8]) -> Vec<Scalar<'_>> {
        open(blob).collect::<Result<_>>().unwrap()
    }

    fn offset_of_fault(body: &[u8]) -> Option<u64> {
        let error = open(&seal(body, 0)).find_map(Result::err).unwrap();
        assert_eq!(error.fault(), Some(Fault::ListpackEntry));
        error.offset()
    }

    /// Another decoder, as plain as can be; `None` for a bad entry, and nothing after it.
    fn naive(blob: &[u8]) -> Vec<Option<Scalar<'_>>> {
        let (mut at, end, mut out) = (6, blob.len() - 1, Vec::new());
        let byte = |i: usize| if i < end { i64::from(blob[i]) } else { 0 };
        let little = |at: usize, n: usize| (0..n).rev().fold(0, |v, i| v << 8 | byte(at + i));
        let signed = |v: i64, bits: u32| if v >> (bits - 1) & 1 == 1 { v - (1 << bits) } else { v };
        while at < end && !out.contains(&None) {
            let head = byte(at);
            let (lead, len, int) = match head {
                0..128 => (1, 0, Some(head)),
                128..192 => (1, head - 128, None),
                192..224 => (2, 0, Some(signed((head - 192) * 256 + byte(at + 1), 13))),
                224..240 => (2, (head - 224) * 256 + byte(at + 1), None),
                0xF0 => (5, little(at + 1, 4), None),
                0xF1 => (3, 0, Some(signed(little(at + 1, 2), 16))),
                0xF2 => (4, 0, Some(signed(little(at + 1, 3), 24))),
                0xF3 => (5, 0, Some(signed(little(at + 1, 4), 32))),
                0xF4 => (9, 0, Some(little(at + 1, 8))),
                _ => (end, 0, None),
            };
            let size = lead + usize::try_from(len).unwrap();
            let back = backlen(size);
            let fits = at + size + back.len() <= end && blob[at + size..].starts_with(&back);
            let bytes = blob.get(at + lead..at + size).unwrap_or_default();
            out.push(fits.then_some(int.map_or(Scalar::Bytes(bytes), Scalar::Int)));
            at += size + back.len();
        }
        out
    }

    #[test]
    fn the_entries_of_redis_7_0_read_as_documented() {
        // RPUSH l a 1 -1 300 bb, example 6 of the format reference; below, example 14.
        let blob = b"\x16\0\0\0\x05\0\x81a\x02\x01\x01\xdf\xff\x02\xc1\x2c\x02\x82bb\x03\xff";
        let (a, bb) = (Scalar::Bytes(b"a"), Scalar::Bytes(b"bb"));
        assert_eq!(read(blob), [a, Scalar::Int(1), Scalar::Int(-1), Scalar::Int(300), bb]);
        assert_eq!(open(blob).declared(), Some(5));
        let body = b"\x7f\x01\xd0\x00\x02\xf1\x00\x10\x03\xf1\xff\x7f\x03\xf2\x00\x00\x80\x04\
            \xf3\xff\xff\xff\x7f\x05\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09";
        let integers = [127, -4096, 4096, 32_767, -8_388_608, i64::from(i32::MAX), i64::MAX];
        assert_eq!(read(&seal(body, 7)), integers.map(Scalar::Int));
    }

    #[test]
    fn every_integer_width_keeps_its_edges() {
        let mut entries = vec![vec![0], vec![127], vec![0xCF, 0xFF], vec![0xD0, 0], vec![0xC0, 0]];
        let mut integers = vec![0, 127, 4095, -4096, 0];
        for (head, bytes) in [(0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)] {
            let most = i64::MAX >> (64 - 8 * bytes);
            for n in [-most - 1, -1, 0, 1, most] {
                entries.push([&[head], &n.to_le_bytes()[..bytes]].concat());
                integers.push(n);
            }
        }
        assert!(read(&pack(&entries)).into_iter().eq(integers.into_iter().map(Scalar::Int)));
    }

    #[test]
    fn every_string_width_keeps_its_edges() {
        let lengths = [0, 63, 64, 125, 126, 255, 256, 4095, 4096, 70_000];
        let blob = pack(&lengths.map(|n| text(&vec![b's'; n])));
        assert_eq!(read(&blob), lengths.map(|n| Scalar::Bytes(&[b's'; 70_000][..n])));
    }

    #[test]
    fn backlens_change_width_where_those_of_redis_7_0_15_do() {
        // Sizes of whole entries and the bytes after them, copied from DUMPs of that server.
        let seen: [(usize, &[u8]); 4] = [
            (16_382, b"\x7f\xfe"),
            (16_383, b"\0\xff\xff"),
            (2_097_150, b"\x7f\xff\xfe"),
            (2_097_151, b"\0\xff\xff\xff"),
        ];
        for (size, back) in seen {
            let body = text(&vec![b's'; size - 5]);
            assert_eq!(read(&seal(&[&body[..], back].concat(), 1)).len(), 1);
            for i in 0..back.len() {
                let mut other = back.to_vec();
                other[i] ^= 0x80;
                assert_eq!(offset_of_fault(&[&body[..], &other].concat()), Some(6));
            }
        }
    }

    #[test]
    fn the_widest_backlens_are_checked_too() {
        let five = b"\0\xff\xff\xff\xff";
        for (size, back) in [(268_435_454, &b"\x7f\xff\xff\xfe"[..]), (268_435_455, five)] {
            assert_eq!(after_wide_backlen(&[back, b"next"].concat(), size), Some(&b"next"[..]));
            assert_eq!(after_wide_backlen(back, size - 1), None);
        }
    }

    #[test]
    fn a_wrong_header_or_end_mark_is_named() {
        let error = |blob: &[u8]| Listpack::new(blob, Origin::plain(1000)).unwrap_err();
        let good = pack(&[vec![1], vec![2]]);
        assert!((0..good.len()).all(|cut| error(&good[..cut]).offset() == Some(1000)));
        for (i, at) in [(0, 1000), (1, 1000), (2, 1000), (3, 1000), (10, 1010)] {
            let mut bad = good.clone();
            bad[i] ^= 1;
            assert_eq!(error(&bad).fault(), Some(Fault::ListpackHeader));
            assert_eq!(error(&bad).offset(), Some(at));
        }
        assert_eq!((open(&seal(b"", 65_535)).declared(), read(&seal(b"", 0)).len()), (None, 0));
    }

    #[test]
    fn entries_that_no_writer_makes_are_refused() {
        for head in 0xF5..=0xFF {
            assert_eq!(offset_of_fault(&[1, 1, head, 1]), Some(8));
        }
        for n in [0xFFFF_FFFFu32, 0xFFFF_FFFB, 0x7FFF_FFFF, 3] {
            assert_eq!(offset_of_fault(&[&[0xF0], &n.to_le_bytes()[..], b"ab"].concat()), Some(6));
        }
    }

    #[test]
    fn after_an_error_comes_nothing() {
        let blob = seal(&[1, 1, 2, 9, 3, 1], 3);
        let mut entries = Listpack::new(&blob, Origin::inflated(500)).unwrap();
        assert_eq!(entries.next().unwrap().unwrap(), Scalar::Int(1));
        let error = entries.clone().next().unwrap().unwrap_err();
        assert_eq!(error.offset(), Some(500));
        assert!(error.to_string().contains("byte 8 of the inflated blob"), "{error}");
        assert!(entries.next().unwrap().is_err());
        assert!(entries.next().is_none() && entries.next().is_none());
    }

    fn any_entry() -> impl Strategy<Value = Vec<u8>> {
        let head = prop_oneof![0u8..0xF5, 0xF0u8..0xF5];
        (head, any::<u8>(), any::<[u8; 4]>()).prop_map(|(head, low, more)| {
            let bytes = [&[head, low, low & 1, 0, 0], &more[..], &[b's'; 5000]].concat();
            bytes[..entry(&bytes).unwrap().1].to_vec()
        })
    }

    /// The law: what the naive decoder reads, an error where that one stops, then nothing.
    fn agrees_with_naive(blob: &[u8]) -> bool {
        let results: Vec<_> = open(blob).map(Result::ok).collect();
        results == naive(blob) && results.iter().flatten().count() <= blob.len() / 2
    }

    #[test]
    fn a_cut_anywhere_keeps_the_entries_before_it() {
        let blob = pack(&[vec![1], text(b"abc"), vec![0xF2, 1, 2, 3], text(&[1; 200]), vec![5]]);
        for cut in 6..blob.len() {
            assert!(agrees_with_naive(&seal(&blob[6..cut], 5)), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn mutated_and_random_bytes_read_as_by_the_naive_decoder(
            entries in vec(any_entry(), 1..20),
            changes in vec((any::<Index>(), any::<u8>()), 0..4),
            junk in vec(any::<u8>(), 0..200),
        ) {
            let whole = pack(&entries);
            prop_assert_eq!(read(&whole).len(), entries.len());
            let mut body = whole[6..whole.len() - 1].to_vec();
            for (at, byte) in changes {
                body[at.index(whole.len() - 7)] = byte;
            }
            prop_assert!(agrees_with_naive(&seal(&body, 0)));
            prop_assert!(agrees_with_naive(&seal(&junk, 0)));
            let _ = Listpack::new(&junk, Origin::plain(u64::MAX));
        }
    }
}
