//! Ziplists: the packed lists, sorted sets and (since 2.6) hashes of Redis 2.4 to 6.2, types 10 and
//! 12 to 14.

use super::{Origin, Scalar};
use crate::error::{Error, Fault, Result};
use std::{fmt, iter::FusedIterator};

/// The entries of a ziplist, first to last.
///
/// ```text
///  total u32le   tail u32le      num u16le          entry   entry   ...   FF
///  whole blob    of last entry   65535: not kept    |
///                                                   prevlen head [more] [bytes]
///
///  prevlen        00 to FD, or FE and u32le: size of the entry before, 0 for the first
///
///  head           more   holds
///  00xxxxxx              a string of up to 63 bytes
///  01xxxxxx       1      a string of up to 16383 bytes, high bits of its length first
///  10......       4      a string, its length u32be; servers write 80
///  C0 D0 E0              an integer of 2, 4 or 8 bytes, little-endian
///  F0                    an integer of 3 bytes, little-endian (since RDB 6)
///  FE                    an integer of 1 byte (since RDB 6)
///  F1 to FD              an integer, 0 to 12, in the head itself (since RDB 6)
/// ```
///
/// Five bytes of `prevlen` may hold what fits one: servers leave the wide form in place when an
/// entry shrinks.
///
/// Every head and size is checked against the blob, and every `prevlen` against the entry before.
/// Whether there are as many entries as declared is for the caller, who counts anyway. Errors name
/// the first byte of the entry. After an error, or the end, it yields `None` forever.
///
/// ```
/// use redkeep::rdb::encoding::{Origin, Scalar, ziplist::Ziplist};
/// //           total       tail        num   "f"       12       end
/// let blob = b"\x10\0\0\0\x0d\0\0\0\x02\0\0\x01f\x03\xfd\xff";
/// let mut entries = Ziplist::new(blob, Origin::plain(0))?;
/// assert_eq!(entries.declared(), Some(2));
/// assert_eq!(entries.next().transpose()?, Some(Scalar::Bytes(b"f")));
/// assert_eq!(entries.next().transpose()?, Some(Scalar::Int(12)));
/// assert!(entries.next().is_none());
/// assert!(entries.tail_fits());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct Ziplist<'a> {
    rest: &'a [u8],
    /// Where the end mark lies in the blob, which is where `rest` ends.
    end: usize,
    /// Size of the entry before `rest`, and where it began.
    before: usize,
    before_at: usize,
    tail: u32,
    num: u16,
    origin: Origin,
}

impl<'a> Ziplist<'a> {
    /// Opens a blob; only its header and its end mark are looked at.
    ///
    /// # Errors
    ///
    /// [`Fault::ZiplistHeader`] if the blob is shorter than header and end mark, says it has
    /// another size than it has, says its last entry begins outside of it, or does not end in `FF`.
    #[inline(always)]
    pub fn new(blob: &'a [u8], origin: Origin) -> Result<Self> {
        let Some((total, tail, num, [rest @ .., mark])) = header(blob) else {
            return Err(origin.fault(Fault::ZiplistHeader, 0));
        };
        if u64::from(total) != blob.len() as u64 {
            return Err(origin.fault(Fault::ZiplistHeader, 0));
        }
        let end = blob.len() - 1;
        if u64::from(tail) > end as u64 {
            return Err(origin.fault(Fault::ZiplistHeader, 4));
        }
        if *mark != 0xFF {
            return Err(origin.fault(Fault::ZiplistHeader, end));
        }
        Ok(Ziplist { rest, end, before: 0, before_at: HEADER, tail, num, origin })
    }

    /// The number of entries that the header promises; `None` where it does not say (65535).
    #[inline(always)]
    #[must_use]
    pub fn declared(&self) -> Option<u16> {
        (self.num != u16::MAX).then_some(self.num)
    }

    /// Whether the header's `tail` is where the last entry began, or 10 if there was none.
    ///
    /// To be asked after the end. Servers from 7.0 on refuse a ziplist with a wrong one, 6.2 only
    /// when told to check deeply.
    #[inline]
    #[must_use]
    pub fn tail_fits(&self) -> bool {
        self.rest.is_empty() && u64::from(self.tail) == self.before_at as u64
    }

    /// A fault at the first byte that is not read yet. Inlined, for a call that takes `self` by
    /// reference would keep the iterator out of registers.
    #[inline(always)]
    pub(crate) fn fault(&self, fault: Fault) -> Error {
        self.origin.fault(fault, self.end - self.rest.len())
    }

    #[inline(always)]
    fn step(&mut self) -> Option<Scalar<'a>> {
        let (&first, body) = self.rest.split_first()?;
        let (prevlen, body) = match first {
            0x00..=0xFD => (u32::from(first), body),
            0xFE => {
                let (wide, body) = body.split_first_chunk()?;
                (u32::from_le_bytes(*wide), body)
            }
            0xFF => return None,
        };
        if u64::from(prevlen) != self.before as u64 {
            return None;
        }
        let (scalar, rest) = content(body)?;
        self.before_at = self.end - self.rest.len();
        self.before = self.rest.len() - rest.len();
        self.rest = rest;
        Some(scalar)
    }
}

const HEADER: usize = 10;

#[inline(always)]
fn header(blob: &[u8]) -> Option<(u32, u32, u16, &[u8])> {
    let (total, blob) = blob.split_first_chunk()?;
    let (tail, blob) = blob.split_first_chunk()?;
    let (num, blob) = blob.split_first_chunk()?;
    Some((u32::from_le_bytes(*total), u32::from_le_bytes(*tail), u16::from_le_bytes(*num), blob))
}

/// What an entry holds, read from its head on, and what follows it.
#[inline(always)]
fn content(bytes: &[u8]) -> Option<(Scalar<'_>, &[u8])> {
    let (&head, body) = bytes.split_first()?;
    match head {
        0x00..=0x3F => string(body, usize::from(head)),
        0x40..=0x7F => {
            let (&low, body) = body.split_first()?;
            string(body, usize::from(head & 63) << 8 | usize::from(low))
        }
        0x80..=0xBF => {
            let (n, body) = body.split_first_chunk()?;
            string(body, u32::from_be_bytes(*n) as usize)
        }
        0xC0 => integer(body, |n| i64::from(i16::from_le_bytes(n))),
        0xD0 => integer(body, |n| i64::from(i32::from_le_bytes(n))),
        0xE0 => integer(body, i64::from_le_bytes),
        0xF0 => integer(body, |[a, b, c]| i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)),
        0xF1..=0xFD => Some((Scalar::Int(i64::from(head & 15) - 1), body)),
        0xFE => integer(body, |n| i64::from(i8::from_le_bytes(n))),
        _ => None,
    }
}

#[inline(always)]
fn string(body: &[u8], n: usize) -> Option<(Scalar<'_>, &[u8])> {
    let (bytes, rest) = body.split_at_checked(n)?;
    Some((Scalar::Bytes(bytes), rest))
}

#[inline(always)]
fn integer<const N: usize>(body: &[u8], of: fn([u8; N]) -> i64) -> Option<(Scalar<'_>, &[u8])> {
    let (bytes, rest) = body.split_first_chunk()?;
    Some((Scalar::Int(of(*bytes)), rest))
}

impl<'a> Iterator for Ziplist<'a> {
    type Item = Result<Scalar<'a>>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(scalar) = self.step() else {
            let error = self.fault(Fault::ZiplistEntry);
            self.rest = &[];
            return Some(Err(error));
        };
        Some(Ok(scalar))
    }
}

impl FusedIterator for Ziplist<'_> {}

/// Shows no content: values are never logged.
impl fmt::Debug for Ziplist<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ziplist").field("bytes_left", &self.rest.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::Index};

    /// A ziplist of entries given without their prevlens; narrow ones where they fit.
    fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
        let (mut body, mut before, mut last) = (Vec::new(), 0usize, 0);
        for entry in entries {
            last = body.len();
            if before < 254 {
                body.push(before.to_le_bytes()[0]);
            } else {
                body.push(0xFE);
                body.extend(&before.to_le_bytes()[..4]);
            }
            body.extend(entry);
            before = body.len() - last;
        }
        seal(&body, last, entries.len())
    }

    /// Puts header and end mark around any bytes; `last` is where the last entry begins in them.
    fn seal(body: &[u8], last: usize, num: usize) -> Vec<u8> {
        let total = u32::try_from(body.len() + 11).unwrap().to_le_bytes();
        let tail = u32::try_from(last + 10).unwrap().to_le_bytes();
        let num = u16::try_from(num).unwrap().to_le_bytes();
        [&total, &tail, &num[..], body, &[0xFF]].concat()
    }

    fn text(s: &[u8]) -> Vec<u8> {
        let [a, b, c, d, ..] = s.len().to_le_bytes();
        match s.len() {
            0..64 => [&[a], s].concat(),
            64..16_384 => [&[0x40 | b, a], s].concat(),
            _ => [&[0x80, d, c, b, a], s].concat(),
        }
    }

    fn open(blob: &[u8]) -> Ziplist<'_> {
        Ziplist::new(blob, Origin::plain(0)).unwrap()
    }

    fn read(blob: &[u8]) -> Vec<Scalar<'_>> {
        let mut entries = open(blob);
        let out = entries.by_ref().collect::<Result<_>>().unwrap();
        assert!(entries.tail_fits());
        out
    }

    fn offset_of_fault(body: &[u8]) -> Option<u64> {
        let error = open(&seal(body, 0, 0)).find_map(Result::err).unwrap();
        assert_eq!(error.fault(), Some(Fault::ZiplistEntry));
        error.offset()
    }

    #[test]
    fn the_entries_of_redis_6_2_read_as_documented() {
        // HSET h f v, format reference example 7, without the type and length before the blob.
        let blob = b"\x11\0\0\0\x0d\0\0\0\x02\0\0\x01f\x03\x01v\xff";
        assert_eq!(read(blob), [Scalar::Bytes(b"f"), Scalar::Bytes(b"v")]);
        // RPUSH l a 1 12 13 -1 300 70000 5000000000, example 9.
        let body = b"\0\x01a\x03\xf2\x02\xfd\x02\xfe\x0d\x03\xfe\xff\x03\xc0\x2c\x01\
            \x04\xf0\x70\x11\x01\x05\xe0\x00\xf2\x05\x2a\x01\0\0\0";
        let blob = seal(body, body.len() - 10, 8);
        let integers = [1, 12, 13, -1, 300, 70_000, 5_000_000_000].map(Scalar::Int);
        assert_eq!(read(&blob), [&[Scalar::Bytes(b"a")][..], &integers].concat());
    }

    #[test]
    fn every_integer_width_keeps_its_edges() {
        let (mut entries, mut integers) = (Vec::new(), Vec::new());
        for (head, bytes) in [(0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)] {
            let most = i64::MAX >> (64 - 8 * bytes);
            for n in [-most - 1, -1, 0, 1, most] {
                entries.push([&[head], &n.to_le_bytes()[..bytes]].concat());
                integers.push(n);
            }
        }
        entries.extend((0xF1..=0xFD).map(|head| vec![head]));
        integers.extend(0..=12);
        assert!(read(&pack(&entries)).into_iter().eq(integers.into_iter().map(Scalar::Int)));
    }

    #[test]
    fn every_string_width_keeps_its_edges() {
        let lengths = [0, 63, 64, 255, 256, 16_383, 16_384, 70_000];
        let blob = pack(&lengths.map(|n| text(&vec![b's'; n])));
        assert_eq!(read(&blob), lengths.map(|n| Scalar::Bytes(&[b's'; 70_000][..n])));
        assert_eq!(read(&seal(b"\0\xbf\0\0\0\x03abc", 0, 1)), [Scalar::Bytes(b"abc")]);
    }

    #[test]
    fn prevlens_widen_at_254_and_may_stay_wide() {
        for n in [250, 251, 252, 253, 254] {
            // With its own prevlen and a head of two bytes, that is 253 to 257.
            assert_eq!(read(&pack(&[text(&vec![b's'; n]), vec![0xF1]])).len(), 2);
        }
        let wide = b"\xfe\0\0\0\0\xf1\xfe\x06\0\0\0\xf2";
        assert_eq!(read(&seal(wide, 6, 2)), [Scalar::Int(0), Scalar::Int(1)]);
    }

    #[test]
    fn entries_that_no_writer_makes_are_refused() {
        assert_eq!(offset_of_fault(b"\x01\xf1"), Some(10));
        assert_eq!(offset_of_fault(b"\xff\xf1"), Some(10));
        assert_eq!(offset_of_fault(b"\0\xf1\x03\xf1"), Some(12));
        assert_eq!(offset_of_fault(b"\0\xf1\xfe\x02\0\0\x01\xf1"), Some(12));
        let known = [0xC0, 0xD0, 0xE0, 0xF0];
        for head in (0xC1..0xF0).chain([0xFF]).filter(|head| !known.contains(head)) {
            assert_eq!(offset_of_fault(&[&[0, 0xF1, 2, head], &[0; 20][..]].concat()), Some(12));
        }
        for n in [0xFFFF_FFFFu32, 0xFFFF_FFFA, 0x7FFF_FFFF, 3] {
            let body = [&[0, 0x80], &n.to_be_bytes()[..], b"ab"].concat();
            assert_eq!(offset_of_fault(&body), Some(10));
        }
    }

    #[test]
    fn a_wrong_header_or_end_mark_is_named() {
        let good = pack(&[vec![0xF1], vec![0xF2]]);
        let error = |blob: &[u8]| Ziplist::new(blob, Origin::plain(1000)).unwrap_err();
        assert!((0..good.len()).all(|cut| error(&good[..cut]).offset() == Some(1000)));
        for (i, at) in [(0, 1000), (3, 1000), (4, 1004), (7, 1004), (14, 1014)] {
            let mut bad = good.clone();
            bad[i] ^= 0x55;
            assert_eq!(error(&bad).fault(), Some(Fault::ZiplistHeader));
            assert_eq!(error(&bad).offset(), Some(at));
        }
        assert_eq!((open(&seal(b"", 0, 65_535)).declared(), read(&pack(&[])).len()), (None, 0));
    }

    #[test]
    fn a_tail_that_is_not_the_last_entry_is_told_but_no_error() {
        for (last, fits) in [(0, false), (1, false), (2, true), (4, false)] {
            let blob = seal(b"\0\xf1\x02\xf2", last, 2);
            let mut entries = open(&blob);
            assert_eq!((entries.by_ref().flatten().count(), entries.tail_fits()), (2, fits));
        }
        assert!(open(&seal(b"", 0, 0)).tail_fits());
    }

    #[test]
    fn after_an_error_comes_nothing() {
        let blob = seal(b"\0\xf1\x07\xf1\x02\xf1", 0, 3);
        let mut entries = Ziplist::new(&blob, Origin::inflated(500)).unwrap();
        assert_eq!(entries.next().unwrap().unwrap(), Scalar::Int(0));
        let error = entries.clone().next().unwrap().unwrap_err();
        assert_eq!(error.offset(), Some(500));
        assert!(error.to_string().contains("byte 12 of the inflated blob"), "{error}");
        assert!(entries.next().unwrap().is_err());
        assert!(entries.next().is_none() && entries.next().is_none());
    }

    /// The laws: at most one entry per two bytes, at most one error, and that comes last.
    fn behaves(blob: &[u8]) -> bool {
        let results: Vec<_> = open(blob).map(|entry| entry.is_ok()).collect();
        results.iter().filter(|ok| **ok).count() <= blob.len() / 2
            && !results.iter().rev().skip(1).any(|ok| !*ok)
    }

    #[test]
    fn a_cut_anywhere_keeps_the_entries_before_it() {
        let blob = pack(&[text(b"abc"), vec![0xF0, 1, 2, 3], text(&[1; 256]), vec![0xF9]]);
        let whole = read(&blob);
        let ends = [10, 15, 20, 279, blob.len() - 1];
        for cut in 10..blob.len() {
            let blob = seal(&blob[10..cut], 0, 4);
            let results: Vec<_> = open(&blob).collect();
            let good: Vec<_> = results.iter().flatten().copied().collect();
            assert_eq!(good, whole[..ends.iter().filter(|end| **end <= cut).count() - 1]);
            assert_eq!(results.len() == good.len(), ends.contains(&cut), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn mutated_ziplists_end_without_a_panic(
            strings in vec(vec(any::<u8>(), 0..300), 1..20),
            changes in vec((any::<Index>(), any::<u8>()), 0..4),
        ) {
            let mut blob = pack(&strings.iter().map(|s| text(s)).collect::<Vec<_>>());
            prop_assert!(read(&blob).into_iter().eq(strings.iter().map(|s| Scalar::Bytes(s))));
            let room = blob.len() - 11;
            for (at, byte) in changes {
                blob[10 + at.index(room)] = byte;
            }
            prop_assert!(behaves(&blob));
        }

        #[test]
        fn any_bytes_end_without_a_panic(body in vec(any::<u8>(), 0..200)) {
            let _ = Ziplist::new(&body, Origin::plain(u64::MAX));
            prop_assert!(behaves(&seal(&body, 0, 0)));
            prop_assert!(behaves(&seal(&[&[0], &body[..]].concat(), 0, 0)));
        }
    }
}
