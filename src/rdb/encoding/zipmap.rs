//! Zipmaps: the small hashes of Redis 2.4 (type 9).

use super::Origin;
use crate::error::{Error, Fault, Result};
use std::{fmt, iter::FusedIterator};

/// The fields of a zipmap with their values, in the order of the blob.
///
/// ```text
///  num u8                pair   pair   ...   FF
///  254, 255: not kept    |
///                        length field   length free value junk
///
///  length   00 to FD, or FE and u32le for 254 bytes and more
///  free     u8: how many bytes of junk follow the value
/// ```
///
/// Junk is what a longer value left behind when a shorter one took its place. A length below 254 in
/// five bytes is refused, as by the servers that still load this form.
///
/// Whether the number of pairs is the declared one is for the caller, who counts anyway. Errors
/// name the first byte of the pair. After an error, or the end, it yields `None` forever.
///
/// ```
/// use redkeep::rdb::encoding::{Origin, zipmap::Zipmap};
/// //          num    "f"      "abc", 2 bytes of junk
/// let blob = b"\x01\x01f\x03\x02abcde\xff";
/// let mut pairs = Zipmap::new(blob, Origin::plain(0))?;
/// assert_eq!(pairs.declared(), Some(1));
/// assert_eq!(pairs.next().transpose()?, Some((&b"f"[..], &b"abc"[..])));
/// assert!(pairs.next().is_none());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct Zipmap<'a> {
    rest: &'a [u8],
    /// Where the end mark lies in the blob, which is where `rest` ends.
    end: usize,
    num: u8,
    origin: Origin,
}

impl<'a> Zipmap<'a> {
    /// Opens a blob; only its count and its end mark are looked at.
    ///
    /// # Errors
    ///
    /// [`Fault::ZipmapFormat`] if the blob has fewer than two bytes or does not end in `FF`.
    #[inline]
    pub fn new(blob: &'a [u8], origin: Origin) -> Result<Self> {
        let Some((&num, [rest @ .., mark])) = blob.split_first() else {
            return Err(origin.fault(Fault::ZipmapFormat, 0));
        };
        let end = blob.len() - 1;
        if *mark != 0xFF {
            return Err(origin.fault(Fault::ZipmapFormat, end));
        }
        Ok(Zipmap { rest, end, num, origin })
    }

    /// The number of pairs that the first byte promises; `None` where it does not say (254, 255).
    #[inline]
    #[must_use]
    pub fn declared(&self) -> Option<u8> {
        (self.num < WIDE).then_some(self.num)
    }

    /// A fault at the first byte that is not read yet.
    #[inline]
    pub(crate) fn fault(&self, fault: Fault) -> Error {
        self.origin.fault(fault, self.end - self.rest.len())
    }

    #[inline]
    fn step(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (n, bytes) = length(self.rest)?;
        let (field, bytes) = bytes.split_at_checked(n)?;
        let (n, bytes) = length(bytes)?;
        let (&free, bytes) = bytes.split_first()?;
        let (value, bytes) = bytes.split_at_checked(n)?;
        self.rest = bytes.get(usize::from(free)..)?;
        Some((field, value))
    }
}

/// The head of a length of five bytes, and the first number that needs them.
const WIDE: u8 = 0xFE;

#[inline]
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..WIDE => Some((usize::from(first), rest)),
        WIDE => {
            let (n, rest) = rest.split_first_chunk()?;
            let n = u32::from_le_bytes(*n);
            (n >= u32::from(WIDE)).then_some((n as usize, rest))
        }
        0xFF => None,
    }
}

impl<'a> Iterator for Zipmap<'a> {
    type Item = Result<(&'a [u8], &'a [u8])>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(pair) = self.step() else {
            let error = self.fault(Fault::ZipmapFormat);
            self.rest = &[];
            return Some(Err(error));
        };
        Some(Ok(pair))
    }
}

impl FusedIterator for Zipmap<'_> {}

/// Shows no content: values are never logged.
impl fmt::Debug for Zipmap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zipmap").field("bytes_left", &self.rest.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::Index};

    fn put_length(blob: &mut Vec<u8>, n: usize) {
        match u8::try_from(n) {
            Ok(small @ 0..WIDE) => blob.push(small),
            _ => blob.extend([&[WIDE], &u32::try_from(n).unwrap().to_le_bytes()[..]].concat()),
        }
    }

    /// A zipmap of fields, values, and bytes of junk after them.
    fn pack(pairs: &[(Vec<u8>, Vec<u8>, u8)]) -> Vec<u8> {
        let mut blob = vec![u8::try_from(pairs.len()).unwrap_or(WIDE).min(WIDE)];
        for (field, value, free) in pairs {
            put_length(&mut blob, field.len());
            blob.extend(field);
            put_length(&mut blob, value.len());
            blob.push(*free);
            blob.extend(value);
            blob.extend(vec![0xFF; usize::from(*free)]);
        }
        blob.push(0xFF);
        blob
    }

    fn open(blob: &[u8]) -> Zipmap<'_> {
        Zipmap::new(blob, Origin::plain(0)).unwrap()
    }

    fn read(blob: &[u8]) -> Vec<(&[u8], &[u8])> {
        open(blob).collect::<Result<_>>().unwrap()
    }

    fn offset_of_fault(blob: &[u8]) -> Option<u64> {
        let error = open(blob).find_map(Result::err).unwrap();
        assert_eq!(error.fault(), Some(Fault::ZipmapFormat));
        error.offset()
    }

    #[test]
    fn the_hash_of_redis_2_4_reads_as_documented() {
        // HSET hash:one a b, format reference example 25, without what is before the blob.
        let blob = b"\x01\x01a\x01\0b\xff";
        assert_eq!(read(blob), [(&b"a"[..], &b"b"[..])]);
        assert_eq!(open(blob).declared(), Some(1));
    }

    #[test]
    fn junk_behind_a_replaced_value_is_skipped() {
        // HSET h f abcdefgh, h g 1, h f abcdef on Redis 2.4.18, format reference example 26.
        let blob = b"\x02\x01f\x06\x02abcdefgh\x01g\x01\x001\xff";
        assert_eq!(read(blob), [(&b"f"[..], &b"abcdef"[..]), (&b"g"[..], &b"1"[..])]);
        let most = pack(&[(b"f".into(), b"v".into(), 255), (b"g".into(), b"".into(), 1)]);
        assert_eq!(read(&most), [(&b"f"[..], &b"v"[..]), (&b"g"[..], &b""[..])]);
    }

    #[test]
    fn lengths_widen_at_254() {
        for n in [0, 1, 253, 254, 255, 256, 70_000] {
            let text = vec![b'x'; n];
            let blob = pack(&[(text.clone(), text.clone(), 0)]);
            assert_eq!(blob.len(), 2 * n + if n < 254 { 5 } else { 13 });
            assert_eq!(read(&blob), [(&text[..], &text[..])]);
        }
    }

    #[test]
    fn a_short_length_in_five_bytes_is_refused() {
        for n in [0u8, 1, 253] {
            let text = vec![b'x'; usize::from(n)];
            let wide = [&[WIDE, n, 0, 0, 0][..], &text].concat();
            let field = [&[1][..], &wide, &[1, 0, b'v', 0xFF]].concat();
            assert_eq!(offset_of_fault(&field), Some(1));
            let value = [&[1, 1, b'f', WIDE, n, 0, 0, 0, 0][..], &text, &[0xFF]].concat();
            assert_eq!(offset_of_fault(&value), Some(1));
        }
    }

    #[test]
    fn a_length_of_32_bits_cannot_leave_the_blob() {
        let blob = b"\x01\x01f\x01\0v\xfe\xff\xff\xff\xffrest\xff";
        assert_eq!(offset_of_fault(blob), Some(6));
    }

    #[test]
    fn an_end_mark_before_the_end_is_refused() {
        assert_eq!(offset_of_fault(b"\x01\x01f\x01\0v\xff\xff"), Some(6));
        let (room, end) = (vec![0; 600], [0xFF]);
        assert_eq!(offset_of_fault(&[&[1, 0xFF], &room[..], &end].concat()), Some(1));
        assert_eq!(offset_of_fault(&[&[1, 1, b'f', 0xFF], &room[..], &end].concat()), Some(1));
    }

    #[test]
    fn a_map_without_count_or_end_mark_is_refused() {
        for (blob, at) in [(&b""[..], 1000), (b"\xff", 1000), (b"\0\0", 1001), (b"\x01\x01f", 1002)]
        {
            let error = Zipmap::new(blob, Origin::plain(1000)).unwrap_err();
            assert_eq!((error.fault(), error.offset()), (Some(Fault::ZipmapFormat), Some(at)));
        }
        assert!(read(b"\0\xff").is_empty());
    }

    #[test]
    fn a_count_of_254_or_more_says_nothing() {
        for (num, declared) in [(0, Some(0)), (253, Some(253)), (254, None), (255, None)] {
            assert_eq!(open(&[num, 0xFF]).declared(), declared);
        }
    }

    #[test]
    fn after_an_error_comes_nothing() {
        let mut pairs = Zipmap::new(b"\x02\0\0\0\xffjunk\xff", Origin::inflated(500)).unwrap();
        assert_eq!(pairs.next().unwrap().unwrap(), (&b""[..], &b""[..]));
        let error = pairs.clone().next().unwrap().unwrap_err();
        assert_eq!(error.offset(), Some(500));
        assert!(error.to_string().contains("byte 4 of the inflated blob"), "{error}");
        assert!(pairs.next().unwrap().is_err());
        assert!(pairs.next().is_none() && pairs.next().is_none());
        assert_eq!(format!("{pairs:?}"), "Zipmap { bytes_left: 0, .. }");
    }

    #[test]
    fn a_cut_anywhere_keeps_the_pairs_before_it() {
        let pairs = [(b"f".to_vec(), b"abc".to_vec(), 2), (b"gg".to_vec(), vec![b'x'; 300], 0)];
        let blob = pack(&pairs);
        let whole = read(&blob);
        let ends = [1, 10, blob.len() - 1];
        for cut in 1..blob.len() {
            let cut_blob = [&blob[..cut], &[0xFF]].concat();
            let results: Vec<_> = open(&cut_blob).collect();
            let good: Vec<_> = results.iter().flatten().copied().collect();
            assert_eq!(good, whole[..ends.iter().filter(|end| **end <= cut).count() - 1]);
            assert_eq!(results.len() == good.len(), ends.contains(&cut), "{cut}");
        }
    }

    /// The laws: at most one pair per two bytes, at most one error, and that comes last.
    fn behaves(blob: &[u8]) -> bool {
        let results: Vec<_> = open(blob).map(|pair| pair.is_ok()).collect();
        let good = results.iter().filter(|ok| **ok).count();
        good <= blob.len() / 2 && !results.iter().rev().skip(1).any(|ok| !*ok)
    }

    proptest! {
        #[test]
        fn mutated_zipmaps_end_without_a_panic(
            pairs in vec((vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..300), 0u8..4), 1..20),
            changes in vec((any::<Index>(), any::<u8>()), 0..4),
        ) {
            let mut blob = pack(&pairs);
            let expected: Vec<_> = pairs.iter().map(|(f, v, _)| (&f[..], &v[..])).collect();
            prop_assert_eq!(read(&blob), expected);
            let end = blob.len() - 1;
            for (at, byte) in changes {
                blob[at.index(end)] = byte;
            }
            prop_assert!(behaves(&blob));
        }

        #[test]
        fn any_bytes_end_without_a_panic(mut blob in vec(any::<u8>(), 0..200)) {
            let _ = Zipmap::new(&blob, Origin::plain(u64::MAX));
            blob.extend([0, 0xFF]);
            prop_assert!(behaves(&blob));
        }
    }
}
