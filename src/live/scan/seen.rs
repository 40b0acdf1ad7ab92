//! Which names a scan has seen, in bounded memory.
//!
//! A name is known by 128 bits, made of it by two hashers under random keys: nobody who names keys can
//! make two of them alike, and by chance two of a billion are with a likelihood of 10^-21. The newest
//! are in a table in memory. When it is full it is sorted and written to a file as one run, and a
//! filter remembers roughly what runs hold: only what it knows is looked for in them. The numbers are
//! spread evenly, so where one would stand follows from what it is, and one or two reads find it.

use crate::error::{Error, Result};
use crate::live::scan::run::{FINGERPRINT, Run};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

/// Slots of a table at first.
const FIRST: usize = 1 << 10;

/// So many runs of a size become one of the next size.
const FAN: usize = 4;

/// Bytes of a block of the filter: a line of the processor's cache.
const LINE: usize = 64;

/// Bits of the filter per name.
const MARKS: u32 = 5;

pub(super) struct Seen {
    hashers: [RandomState; 2],
    /// A table with open addressing; 0 is a free slot.
    table: Vec<u128>,
    len: usize,
    /// The most slots.
    most: usize,
    filter: Filter,
    /// The biggest first.
    runs: Vec<Run>,
    folder: PathBuf,
}

impl Seen {
    /// A set that takes about so many bytes of memory, and from there on files in that folder.
    pub(super) fn new(memory: u64, folder: Option<PathBuf>) -> Seen {
        let half = usize::try_from(memory / 2).unwrap_or(usize::MAX / 2);
        let floor = |slots: usize| (slots + 1).next_power_of_two() / 2;
        Seen {
            hashers: [RandomState::new(), RandomState::new()],
            table: Vec::new(),
            len: 0,
            most: floor(half / FINGERPRINT).max(LINE),
            filter: Filter { lines: Vec::new(), most: (half / LINE).max(1) },
            runs: Vec::new(),
            folder: folder.unwrap_or_else(std::env::temp_dir),
        }
    }

    /// Whether it is seen for the first time.
    ///
    /// # Errors
    /// `Io` where there is no room for more in the folder.
    pub(super) fn insert(&mut self, name: &[u8]) -> Result<bool> {
        let [high, low] = self.hashers.each_ref().map(|hasher| {
            let mut hasher = hasher.build_hasher();
            hasher.write(name);
            u128::from(hasher.finish())
        });
        self.insert_fingerprint(((high << 64) | low).max(1)).map_err(|error| {
            Error::io(error, None)
                .in_file(self.folder.display().to_string())
                .with_detail("the names seen so far need a temporary file there")
        })
    }

    fn insert_fingerprint(&mut self, fingerprint: u128) -> std::io::Result<bool> {
        if self.len >= self.table.len() / 4 * 3 {
            self.make_room()?;
        }
        let Some(free) = find(&self.table, fingerprint) else { return Ok(false) };
        if self.filter.may_hold(fingerprint) {
            for run in &mut self.runs {
                if run.holds(fingerprint)? {
                    return Ok(false);
                }
            }
        }
        if let Some(slot) = self.table.get_mut(free) {
            *slot = fingerprint;
            self.len += 1;
        }
        Ok(true)
    }

    #[cold]
    fn make_room(&mut self) -> std::io::Result<()> {
        if self.table.len() >= self.most {
            return self.spill();
        }
        let slots = (self.table.len() * 2).clamp(FIRST.min(self.most), self.most);
        let old = std::mem::replace(&mut self.table, vec![0; slots]);
        for fingerprint in old.into_iter().filter(|fingerprint| *fingerprint != 0) {
            if let Some(slot) = find(&self.table, fingerprint).and_then(|at| self.table.get_mut(at))
            {
                *slot = fingerprint;
            }
        }
        Ok(())
    }

    /// Writes the table as a run, and leaves it empty.
    fn spill(&mut self) -> std::io::Result<()> {
        self.table.retain(|fingerprint| *fingerprint != 0);
        self.table.sort_unstable();
        self.runs.push(Run::write(&self.folder, &self.table)?);
        self.table.iter().for_each(|fingerprint| self.filter.add(*fingerprint));
        self.table.clear();
        self.table.resize(self.most, 0);
        self.len = 0;
        while let Some(first) = self.runs.len().checked_sub(FAN)
            && let Some([all @ .., last]) = self.runs.get_mut(first..)
            && all.iter().all(|run| run.level == last.level)
        {
            let merged = Run::merge(&self.folder, self.runs.get_mut(first..).unwrap_or_default())?;
            self.runs.truncate(first);
            self.runs.push(merged);
        }
        Ok(())
    }
}

/// A free slot for it; `None` where it is in the table, which must have room.
#[inline]
fn find(table: &[u128], fingerprint: u128) -> Option<usize> {
    let mask = table.len().wrapping_sub(1);
    let mut at = low(fingerprint) & mask;
    while let Some(there) = table.get(at) {
        if *there == 0 {
            return Some(at);
        }
        if *there == fingerprint {
            return None;
        }
        at = (at + 1) & mask;
    }
    None
}

#[inline]
#[allow(clippy::cast_possible_truncation)]
fn low(fingerprint: u128) -> usize {
    fingerprint as usize
}

/// Says for sure what no run holds. All bits of a name are in one line, which is one miss of the cache.
struct Filter {
    /// Empty as long as there are no runs.
    lines: Vec<[u64; LINE / 8]>,
    most: usize,
}

impl Filter {
    /// The line, and what picks the bits in it.
    #[inline]
    fn place(&self, fingerprint: u128) -> (usize, u64) {
        let [high, bits] = halves(fingerprint);
        let at = (u128::from(high) * self.lines.len() as u128) >> 64;
        (usize::try_from(at).unwrap_or_default(), bits)
    }

    fn add(&mut self, fingerprint: u128) {
        if self.lines.is_empty() {
            self.lines.resize(self.most, [0; LINE / 8]);
        }
        let (at, bits) = self.place(fingerprint);
        let Some(line) = self.lines.get_mut(at) else { return };
        for (word, bit) in marks(bits) {
            if let Some(word) = line.get_mut(word) {
                *word |= bit;
            }
        }
    }

    #[inline]
    fn may_hold(&self, fingerprint: u128) -> bool {
        let (at, bits) = self.place(fingerprint);
        let Some(line) = self.lines.get(at) else { return false };
        marks(bits).all(|(word, bit)| line.get(word).is_some_and(|word| word & bit != 0))
    }
}

/// Places of bits in a line: nine bits choose each.
#[inline]
fn marks(bits: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..MARKS).map(move |n| {
        let nine = bits >> (63 - 9 * (n + 1));
        (usize::from((nine >> 6).to_le_bytes()[0] & 7), 1 << (nine & 63))
    })
}

#[inline]
#[allow(clippy::cast_possible_truncation)]
fn halves(fingerprint: u128) -> [u64; 2] {
    [(fingerprint >> 64) as u64, fingerprint as u64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// The law: it says the same as a set of the names, also where next to nothing fits into memory.
        #[test]
        fn it_knows_what_a_set_of_names_knows(
            names in prop::collection::vec(0u16..3000, 0..6000),
            memory in 0u64..20_000,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut seen = Seen::new(memory, Some(folder.path().to_owned()));
            let mut known = HashSet::new();
            for name in names {
                let new = seen.insert(name.to_string().as_bytes()).unwrap();
                prop_assert_eq!(new, known.insert(name));
            }
        }
    }

    #[test]
    fn runs_are_few_and_each_holds_what_was_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::new(0, Some(folder.path().to_owned()));
        let names = || (0..20_000u32).map(u32::to_le_bytes);
        assert!(names().all(|name| seen.insert(&name).unwrap()));
        assert_eq!(seen.most, 64);
        // 48 names make a run: 416 of them are 1 * 256 + 2 * 64 + 2 * 16.
        let levels = seen.runs.iter().map(|run| run.level).collect::<Vec<_>>();
        assert_eq!(levels, [4, 3, 3, 2, 2]);
        assert!(names().all(|name| !seen.insert(&name).unwrap()));
        // Nothing of it has a name.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn memory_stays_within_its_budget() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::new(1 << 20, Some(folder.path().to_owned()));
        assert!((0..100_000u32).all(|name| seen.insert(&name.to_le_bytes()).unwrap()));
        assert!(!seen.runs.is_empty());
        let table = seen.table.capacity() * FINGERPRINT;
        assert_eq!(table + seen.filter.lines.capacity() * LINE, 1 << 20);
    }

    #[test]
    fn the_filter_keeps_nearly_all_that_is_new_from_the_runs() {
        let mut filter = Filter { lines: Vec::new(), most: 1 << 10 };
        let hashers = [RandomState::new(), RandomState::new()];
        let fingerprint = |n: u32| {
            let [high, low] = hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(n)));
            (high << 64) | low
        };
        // Twelve bits for each.
        (0..43_000).for_each(|n| filter.add(fingerprint(n)));
        assert!((0..43_000).all(|n| filter.may_hold(fingerprint(n))));
        let taken_for_seen = (43_000..143_000).filter(|n| filter.may_hold(fingerprint(*n))).count();
        assert!(taken_for_seen < 1500, "{taken_for_seen}");
    }

    #[test]
    fn without_a_place_for_the_file_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let mut seen = Seen::new(0, Some(gone.clone()));
        let error = (0..100u8).find_map(|name| seen.insert(&[name]).err()).unwrap();
        assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
        let text = error.to_string();
        assert!(
            text.contains("temporary file") && text.contains(&*gone.to_string_lossy()),
            "{text}"
        );
    }
}
