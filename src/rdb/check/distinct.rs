//! Has this been seen before? Within one value, and in the whole keyspace.
//!
//! Both compare 64-bit hashes under a random key: cheap in memory, and no file can be made to
//! collide. Two of 100 million keys share one by chance once in four thousand files, so duplicate
//! keys are read again and compared in full where the source can be read twice.

use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hasher};

/// An open-addressed set of hashes, cleared in proportion to what the next value needs.
#[derive(Debug)]
pub(crate) struct Distinct {
    keys: RandomState,
    table: Vec<u64>,
    /// Slots in use for this value: a power of two.
    slots: usize,
    len: usize,
    /// Hashes it may hold.
    most: usize,
}

impl Distinct {
    /// A set that holds at most `budget` bytes.
    pub(crate) fn new(budget: u64) -> Distinct {
        let most = usize::try_from(budget / 32).unwrap_or(usize::MAX).max(1024);
        Distinct { keys: RandomState::default(), table: Vec::new(), slots: 0, len: 0, most }
    }

    /// Forgets everything; `expected` is only a hint and not believed.
    #[inline]
    pub(crate) fn clear(&mut self, expected: u64) {
        let expected = usize::try_from(expected).unwrap_or(usize::MAX).min(2048);
        self.resize((expected * 2).next_power_of_two().max(16));
        self.len = 0;
    }

    fn resize(&mut self, slots: usize) {
        self.slots = slots;
        if self.table.len() < slots {
            self.table.resize(slots, 0);
        }
        if let Some(used) = self.table.get_mut(..slots) {
            used.fill(0);
        }
    }

    /// Whether it is full: what comes now is not compared.
    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.most
    }

    #[inline]
    pub(crate) fn insert_bytes(&mut self, bytes: &[u8]) -> bool {
        let mut hasher = self.keys.build_hasher();
        hasher.write(bytes);
        self.insert(hasher.finish())
    }

    /// False where it was there already.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        if self.len * 2 >= self.slots && !self.grow() {
            return true;
        }
        self.place(hash)
    }

    #[inline]
    fn place(&mut self, hash: u64) -> bool {
        // 0 marks a free slot.
        let hash = hash.max(1);
        let mask = self.slots - 1;
        let mut at = slot(hash) & mask;
        while let Some(there) = self.table.get_mut(at) {
            if *there == 0 {
                *there = hash;
                self.len += 1;
                return true;
            }
            if *there == hash {
                return false;
            }
            at = (at + 1) & mask;
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> bool {
        if self.is_full() {
            return false;
        }
        let old: Vec<u64> =
            self.table.iter().take(self.slots).copied().filter(|h| *h != 0).collect();
        self.resize((self.slots * 4).max(16));
        self.len = 0;
        for hash in old {
            self.place(hash);
        }
        true
    }
}

#[inline(always)]
fn slot(hash: u64) -> usize {
    // The low half is as good as any.
    #[allow(clippy::cast_possible_truncation)]
    let low = hash as usize;
    low
}

/// Hashes of all keys, in 256 heaps by their top byte, to be compared at the end heap by heap.
///
/// When the budget is spent, every other hash (by its low bits) is forgotten and no longer taken:
/// duplicates among the rest are still found, and the report says how many were looked at.
#[derive(Debug)]
pub(crate) struct Keys {
    hashes: RandomState,
    heaps: Vec<Vec<u64>>,
    len: usize,
    most: usize,
    shift: u32,
}

impl Keys {
    pub(crate) fn new(budget: u64) -> Keys {
        let most = usize::try_from(budget / 8).unwrap_or(usize::MAX).max(1 << 16);
        let heaps = (0..256).map(|_| Vec::new()).collect();
        Keys { hashes: RandomState::default(), heaps, len: 0, most, shift: 0 }
    }

    #[inline]
    pub(crate) fn hash(&self, db: u64, key: &[u8]) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        hasher.write(key);
        // An odd factor keeps databases apart, and leaves the usual one alone.
        hasher.finish() ^ db.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[inline]
    pub(crate) fn add(&mut self, db: u64, key: &[u8]) {
        let hash = self.hash(db, key);
        if hash & self.mask() != 0 {
            return;
        }
        if let Some(heap) = self.heaps.get_mut(usize::from(hash.to_be_bytes()[0])) {
            heap.push(hash);
            self.len += 1;
        }
        if self.len > self.most {
            self.halve();
        }
    }

    fn mask(&self) -> u64 {
        (1 << self.shift) - 1
    }

    #[cold]
    fn halve(&mut self) {
        self.shift += 1;
        let mask = self.mask();
        self.len = 0;
        for heap in &mut self.heaps {
            heap.retain(|hash| hash & mask == 0);
            self.len += heap.len();
        }
    }

    /// How many were compared, and every how many-th that is.
    pub(crate) fn compared(&self) -> (u64, u64) {
        (self.len as u64, 1 << self.shift)
    }

    /// Hashes that came more than once.
    pub(crate) fn repeated(&self) -> Vec<u64> {
        let mut seen = Distinct::new(u64::MAX);
        let mut repeated = Vec::new();
        for heap in &self.heaps {
            seen.resize((heap.len() * 2).next_power_of_two().max(16));
            seen.len = 0;
            // The top byte is the heap's and the low bits may be cut off: the middle spreads best.
            for &hash in heap {
                if !seen.place(hash.rotate_left(32)) {
                    repeated.push(hash);
                }
            }
        }
        repeated.sort_unstable();
        repeated.dedup();
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_time_is_noticed_and_a_first_is_not() {
        let mut distinct = Distinct::new(1 << 20);
        for round in 0..3 {
            distinct.clear(round);
            for n in 0..5000u32 {
                assert!(distinct.insert_bytes(&n.to_le_bytes()));
            }
            for n in 0..5000u32 {
                assert!(!distinct.insert_bytes(&n.to_le_bytes()));
            }
        }
    }

    #[test]
    fn past_the_budget_nothing_is_called_a_duplicate_and_it_says_so() {
        let mut distinct = Distinct::new(0);
        distinct.clear(0);
        assert!((0..100_000u32).all(|n| distinct.insert_bytes(&n.to_le_bytes())));
        assert!(distinct.is_full());
    }

    #[test]
    fn keys_are_compared_within_their_database_and_their_share() {
        let mut keys = Keys::new(0);
        for n in 0..300_000u32 {
            keys.add(u64::from(n % 2), &(n / 2).to_le_bytes());
        }
        assert!(keys.repeated().is_empty());
        for n in 0..150_000u32 {
            keys.add(0, &n.to_le_bytes());
        }
        let (compared, one_in) = keys.compared();
        assert!(one_in >= 4 && compared <= 1 << 16);
        assert!(!keys.repeated().is_empty());
        assert!(keys.repeated().len() as u64 <= compared / 2);
    }
}
