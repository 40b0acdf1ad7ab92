//! Intsets: sets of integers only, in every version since 2.4 (type 11).

use super::Origin;
use crate::error::{Fault, Result};
use std::{fmt, iter::FusedIterator};

/// The integers of an intset, in the order of the blob.
///
/// ```text
///  width u32le   num u32le   integer   integer   ...
///  2, 4 or 8                 width bytes each, signed, little-endian
/// ```
///
/// There is no end mark: the size of the blob is `8 + width * num` exactly. One width serves all
/// elements, and a wider one than needed is legal, for servers never narrow it. They write the
/// integers in ascending order, each once, and at least one; that is not checked here.
///
/// ```
/// use redkeep::rdb::encoding::{Origin, intset::Intset};
/// let blob = b"\x02\0\0\0\x03\0\0\0\xff\xff\x01\0\x2c\x01";
/// let set = Intset::new(blob, Origin::plain(0))?;
/// assert_eq!((set.width(), set.len()), (2, 3));
/// assert_eq!(set.collect::<Vec<i64>>(), [-1, 1, 300]);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct Intset<'a> {
    rest: &'a [u8],
    width: usize,
}

impl<'a> Intset<'a> {
    /// Opens a blob. That checks all there is to check: the integers themselves cannot fail.
    ///
    /// # Errors
    ///
    /// [`Fault::IntsetHeader`] if the width is neither 2, 4 nor 8, or the blob does not hold as
    /// many elements as it says.
    #[inline(always)]
    pub fn new(blob: &'a [u8], origin: Origin) -> Result<Self> {
        let Some((&[a, b, c, d, e, f, g, h], rest)) = blob.split_first_chunk() else {
            return Err(origin.fault(Fault::IntsetHeader, 0));
        };
        let width @ (2 | 4 | 8) = u32::from_le_bytes([a, b, c, d]) else {
            return Err(origin.fault(Fault::IntsetHeader, 0));
        };
        let num = u64::from(u32::from_le_bytes([e, f, g, h]));
        if u64::from(width) * num != rest.len() as u64 {
            return Err(origin.fault(Fault::IntsetHeader, 4));
        }
        Ok(Intset { rest, width: width as usize })
    }

    /// The bytes per integer: 2, 4 or 8.
    #[inline(always)]
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    fn cut<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }
}

impl Iterator for Intset<'_> {
    type Item = i64;

    #[inline(always)]
    fn next(&mut self) -> Option<i64> {
        Some(match self.width {
            2 => i64::from(i16::from_le_bytes(self.cut()?)),
            4 => i64::from(i32::from_le_bytes(self.cut()?)),
            _ => i64::from_le_bytes(self.cut()?),
        })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len() / self.width;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Intset<'_> {}

impl FusedIterator for Intset<'_> {}

/// Shows no content: values are never logged.
impl fmt::Debug for Intset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intset").field("left", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes integers that must fit the width.
    fn blob(width: usize, integers: &[i64]) -> Vec<u8> {
        let mut blob = Vec::new();
        blob.extend(u32::try_from(width).unwrap().to_le_bytes());
        blob.extend(u32::try_from(integers.len()).unwrap().to_le_bytes());
        integers.iter().for_each(|n| blob.extend(&n.to_le_bytes()[..width]));
        blob
    }

    fn read(blob: &[u8]) -> Result<Vec<i64>> {
        Ok(Intset::new(blob, Origin::plain(0))?.collect())
    }

    #[test]
    fn the_intset_of_redis_7_0_reads_as_documented() {
        // SADD s 1 70000, format reference example 10, without the length before the blob.
        let blob = b"\x04\0\0\0\x02\0\0\0\x01\0\0\0\x70\x11\x01\0";
        assert_eq!(read(blob).unwrap(), [1, 70_000]);
    }

    #[test]
    fn every_width_keeps_its_edges_and_small_integers_in_it() {
        for (width, least, most) in [
            (2, i64::from(i16::MIN), i64::from(i16::MAX)),
            (4, i64::from(i32::MIN), i64::from(i32::MAX)),
            (8, i64::MIN, i64::MAX),
        ] {
            let integers = [least, -1, 0, 1, most];
            let blob = blob(width, &integers);
            let set = Intset::new(&blob, Origin::plain(0)).unwrap();
            assert_eq!((set.width(), set.len()), (width, 5));
            assert_eq!(set.clone().skip(2).len(), 3);
            assert_eq!(set.collect::<Vec<_>>(), integers);
        }
    }

    #[test]
    fn an_empty_intset_is_left_for_others_to_judge() {
        assert!(read(&blob(8, &[])).unwrap().is_empty());
    }

    #[test]
    fn a_blob_of_any_other_size_is_refused() {
        let whole = blob(4, &[1, 2, 3]);
        for cut in 0..whole.len() {
            let error = read(&whole[..cut]).unwrap_err();
            assert_eq!(error.fault(), Some(Fault::IntsetHeader));
            assert_eq!(error.offset(), Some(if cut < 8 { 0 } else { 4 }));
        }
        assert!(read(&[whole, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_count_whose_size_wraps_32_bits_is_refused() {
        for width in [2, 4, 8] {
            let mut blob = blob(width, &[]);
            blob[4..8]
                .copy_from_slice(&(u32::MAX / u32::try_from(width).unwrap() + 1).to_le_bytes());
            assert!(read(&blob).is_err());
            blob[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
            assert!(read(&blob).is_err());
        }
    }

    #[test]
    fn a_width_of_none_of_the_three_is_refused() {
        for width in [0, 1, 3, 5, 6, 7, 16, 0x0200] {
            let mut blob = blob(8, &[]);
            blob[..4].copy_from_slice(&u32::to_le_bytes(width));
            assert_eq!(read(&blob).unwrap_err().offset(), Some(0));
        }
    }

    #[test]
    fn debug_shows_no_content() {
        let blob = blob(2, &[77]);
        let set = Intset::new(&blob, Origin::plain(0)).unwrap();
        assert_eq!(format!("{set:?}"), "Intset { left: 1, .. }");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(integers: Vec<i64>) {
            prop_assert_eq!(read(&blob(8, &integers)).unwrap(), integers);
        }

        #[test]
        fn any_bytes_yield_what_the_length_says_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            width in prop_oneof![Just(2u8), Just(4), Just(8)],
            num in 0u8..12,
        ) {
            let _ = read(&bytes);
            let header = [width, 0, 0, 0, num, 0, 0, 0];
            let blob = [&header[..], &bytes].concat();
            let fits = bytes.len() == usize::from(width) * usize::from(num);
            prop_assert_eq!(read(&blob).ok().map(|all| all.len()), fits.then_some(num.into()));
        }
    }
}
