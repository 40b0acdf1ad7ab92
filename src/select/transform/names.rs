//! Do two keys come to one name? A server that loads such a dump aborts.

use crate::error::Fault;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

/// What one name costs at most, in bytes: a hash and a place, in a table that is copied as it grows.
const COST: u64 = 60;

/// The names given so far, as 64-bit hashes under a random key, and where each came from. Two of 100
/// million names share a hash by chance once in four thousand files; no file can be made to.
#[derive(Debug)]
pub(crate) struct Names {
    hashes: RandomState,
    seen: HashMap<u64, Origin, RandomState>,
    most: usize,
}

/// The key that a name was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    offset: u64,
}

impl Origin {
    /// `same`: the key had that name, in that database, before.
    pub(crate) fn new(offset: u64, same: bool) -> Origin {
        Origin { offset: offset << 1 | u64::from(same) }
    }

    pub(crate) fn offset(self) -> u64 {
        self.offset >> 1
    }

    pub(crate) fn is_same(self) -> bool {
        self.offset & 1 == 1
    }
}

impl Names {
    /// Names for at most `budget` bytes.
    pub(crate) fn new(budget: u64) -> Names {
        let most = usize::try_from(budget / COST).unwrap_or(usize::MAX).max(1024);
        Names { hashes: RandomState::default(), seen: HashMap::default(), most }
    }

    /// Takes a name; gives the key that has it already.
    pub(crate) fn take(
        &mut self,
        db: u64,
        name: &[u8],
        origin: Origin,
    ) -> Result<Option<Origin>, Fault> {
        let mut hasher = self.hashes.build_hasher();
        hasher.write_u64(db);
        hasher.write(name);
        if self.seen.len() >= self.most {
            return Err(Fault::Names);
        }
        Ok(self.seen.insert(hasher.finish(), origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once_in_each_database() {
        let mut names = Names::new(0);
        assert_eq!(names.take(0, b"a", Origin::new(9, true)), Ok(None));
        assert_eq!(names.take(1, b"a", Origin::new(20, false)), Ok(None));
        let before = names.take(0, b"a", Origin::new(30, false)).unwrap().unwrap();
        assert_eq!((before.offset(), before.is_same()), (9, true));
    }

    #[test]
    fn past_the_budget_it_is_a_limit_and_no_guess() {
        let mut names = Names::new(0);
        let mut take = |n: u32| names.take(0, &n.to_le_bytes(), Origin::new(0, true));
        assert!((0..1024).all(|n| take(n) == Ok(None)));
        assert_eq!(take(1024), Err(Fault::Names));
    }
}
