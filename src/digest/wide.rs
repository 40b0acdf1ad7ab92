//! A sum over hashes, in no order: of the keys of a dataset, and of the elements of a big value.
//!
//! Each summand is a hash of 4096 bits, added as 64 numbers that wrap. Two things that are not the
//! same and have one sum would have to be found in one of these ways:
//!
//! - *By chance.* One in 2^4096.
//! - *By lists* (Wagner's generalised birthday). With 2^k lists of candidates the work is about
//!   2^(k + 4096 / (k + 1)): at its least, at k = 63, 2^127. A sum of 256 bits has 2^31 there, and an
//!   XOR is solved by elimination; hence the width.
//! - *By lattices.* Candidates that are taken or not, once each, are a vector of zeros, ones and
//!   minus ones. One so short asks for a reduction in blocks of some 2000 dimensions (a root Hermite
//!   factor of 1.0012), at more than 2^500 steps.
//!
//! The last wants that nothing is summed twice over, as no server has a key or a member twice. A
//! file by hand can have them: a repetition changes the sum and the count, so a stray one shows; but
//! with some hundred records that come a hundred thousand times each, short vectors are no longer
//! needed, and two such files with one sum can be made. [`check`](crate::rdb::check) finds keys that
//! come twice.

/// Numbers in a summand.
const LANES: usize = 64;

/// Bytes of a summand, and of a sum.
pub(super) const BYTES: usize = 8 * LANES;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wide([u64; LANES]);

impl Wide {
    pub(super) const ZERO: Wide = Wide([0; LANES]);

    /// Adds what was hashed, and gives the first bytes of that hash.
    #[inline(always)]
    pub(super) fn add(&mut self, hashed: &blake3::Hasher) -> [u8; 32] {
        let mut summand = [0; BYTES];
        hashed.finalize_xof().fill(&mut summand);
        self.add_bytes(&summand);
        summand.first_chunk().copied().unwrap_or_default()
    }

    /// Adds another sum: that of both.
    pub(super) fn join(&mut self, other: &Wide) {
        self.0.iter_mut().zip(other.0).for_each(|(total, n)| *total = total.wrapping_add(n));
    }

    pub(super) fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        for (to, n) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *to = n.to_le_bytes();
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; BYTES]) -> Wide {
        let mut sum = Wide::ZERO;
        sum.add_bytes(bytes);
        sum
    }

    #[inline(always)]
    fn add_bytes(&mut self, bytes: &[u8; BYTES]) {
        for (total, n) in self.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *total = total.wrapping_add(u64::from_le_bytes(*n));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(of: &[&str]) -> Wide {
        let mut sum = Wide::ZERO;
        for text in of {
            sum.add(blake3::Hasher::new().update(text.as_bytes()));
        }
        sum
    }

    #[test]
    fn a_sum_has_no_order_and_counts_what_comes_twice() {
        assert!(sum(&["a", "b", "c"]) == sum(&["c", "a", "b"]));
        assert!(sum(&["a", "a"]) != sum(&[]) && sum(&["a", "a"]) != sum(&["a"]));
        let mut joined = sum(&["a"]);
        joined.join(&sum(&["b", "c"]));
        assert!(joined == sum(&["a", "b", "c"]));
        assert!(Wide::from_bytes(&joined.bytes()) == joined);
    }

    #[test]
    fn a_summand_is_all_of_a_long_hash() {
        let mut long = [0; BYTES];
        blake3::Hasher::new().update(b"a").finalize_xof().fill(&mut long);
        assert_eq!(sum(&["a"]).bytes(), long);
    }
}
