//! Numbers that look random, and are the same in every run.

/// SplitMix64, as published by Steele, Lea and Flood in 2014: a counter that is stirred.
///
/// What it gives for a seed never changes: datasets depend on it.
///
/// ```
/// use redkeep::synth::Random;
/// let mut random = Random::new(0);
/// assert_eq!(random.next_u64(), 0xe220_a839_7b1d_cdaf);
/// assert!(random.below(10) < 10);
/// ```
#[derive(Debug, Clone)]
pub struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Random {
    /// Begins with a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Begins with a seed and the number of a thing, so that each thing has numbers of its own.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Random {
        let mut stirred = Random(number);
        let number = stirred.next_u64();
        Random(seed ^ number)
    }

    /// The next number.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 where `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        let product = u128::from(self.next_u64()) * u128::from(n);
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// A number from `least` to `most`, both included.
    pub fn range(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// A length from `least` to `most`, both included.
    pub(crate) fn length(&mut self, least: u64, most: u64) -> usize {
        usize::try_from(self.range(least, most)).unwrap_or_default()
    }

    /// So many letters, digits, `-` and `_`.
    pub fn text(&mut self, length: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(length.saturating_add(10));
        while text.len() < length {
            let sixes = self.next_u64();
            text.extend((0..10).filter_map(|at| {
                let six = usize::try_from(sixes >> (6 * at) & 63).ok()?;
                LETTERS.get(six)
            }));
        }
        text.truncate(length);
        text
    }

    /// So many bytes of any kind.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.saturating_add(8));
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next_u64().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// One of some things.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, things: &[&'a T], other: &'a T) -> &'a T {
        let at = usize::try_from(self.below(things.len() as u64)).unwrap_or_default();
        things.get(at).copied().unwrap_or(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        // The first three for the seed 1234567 in the reference implementation.
        let mut random = Random::new(1_234_567);
        let first = [0; 3].map(|_| random.next_u64());
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn ranges_hold_their_ends_and_no_more() {
        let mut random = Random::new(7);
        let seen: std::collections::BTreeSet<u64> = (0..200).map(|_| random.range(3, 6)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert_eq!((random.below(0), random.range(5, 5)), (0, 5));
        assert_eq!((random.text(25).len(), random.bytes(3).len()), (25, 3));
    }
}
