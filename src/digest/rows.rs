//! Rows in no order: the elements of one set, sorted set or hash, and what streams keep beside their
//! entries.
//!
//! Up to [`MOST_BYTES`] and [`MOST_ROWS`] they are held, sorted, and hashed in one go, which is the
//! quickest. Of more than that each row is hashed by itself and added to a [`Wide`] sum, so that the
//! biggest value takes no more memory. Which of the two it is follows from the rows alone, and not
//! from their order; so it is part of the digest's format.

use crate::digest::wide::Wide;

/// Rows that are sorted, at most: never to be changed.
pub(super) const MOST_ROWS: usize = 1 << 18;

/// Bytes of rows that are sorted, at most, the lengths in front included: never to be changed.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// The name of what is hashed of one row.
const ROW: &str = "redkeep 2026-11 content digest v1, element of a big value";

/// Rows end to end, each with the bytes it is sorted by in front: `len, key, rest`.
pub(super) struct Rows {
    /// Those that are held; of a value whose rows are summed, the beginning of the next.
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Where the row that is being written begins, and its key ends.
    start: usize,
    key_end: usize,
    /// Where there are too many to be held.
    sum: Option<Box<Sum>>,
}

/// A row, and eight bytes of its key: those behind what all keys have in common.
#[derive(Clone, Copy)]
struct Slot {
    prefix: u64,
    start: u32,
    key_end: u32,
    end: u32,
}

struct Sum {
    rows: u64,
    total: Wide,
    /// Of the row that is being written.
    row: blake3::Hasher,
}

/// A length that is not in one byte, but in eight behind this one. (Most strings are short: with
/// eight bytes in front of each, a third more had to be hashed.)
const LONG: u8 = u8::MAX;

/// Writes the length that stands in front of a string.
#[inline(always)]
pub(super) fn put_len(len: u64, to: &mut Vec<u8>) {
    match u8::try_from(len) {
        Ok(len) if len < LONG => to.push(len),
        _ => {
            to.push(LONG);
            to.extend_from_slice(&len.to_le_bytes());
        }
    }
}

/// How many bytes a string and its length take.
pub(super) fn len_with_string(bytes: &[u8]) -> u64 {
    let len = bytes.len() as u64;
    len + if len < u64::from(LONG) { 1 } else { 9 }
}

/// The room that is kept from one value to the next.
const KEPT: usize = 4 << 20;

/// A part of a row that is not copied where it need not be.
const BIG: usize = 64 << 10;

impl Rows {
    pub(super) const fn new() -> Rows {
        Rows { bytes: Vec::new(), slots: Vec::new(), start: 0, key_end: 0, sum: None }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> u64 {
        self.sum.as_ref().map_or(self.slots.len() as u64, |sum| sum.rows)
    }

    /// The sum of all rows, where they are more than are sorted.
    pub(super) fn sum(&self) -> Option<&Wide> {
        self.sum.as_ref().map(|sum| &sum.total)
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
        if self.bytes.capacity() > KEPT || self.sum.is_some() {
            *self = Rows::new();
        }
    }

    /// Begins a row whose key has this length; its bytes follow in parts.
    #[inline(always)]
    pub(super) fn begin(&mut self, len: u64) {
        self.start = self.bytes.len();
        put_len(len, &mut self.bytes);
    }

    /// Writes into the row.
    #[inline(always)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if bytes.len() >= BIG {
            return self.put_big(bytes);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The same for one of many parts of a row.
    pub(super) fn put_piece(&mut self, piece: &[u8]) {
        if self.sum.is_some() || self.bytes.len() + piece.len() > MOST_BYTES {
            return self.put_big(piece);
        }
        self.put(piece);
    }

    #[inline(never)]
    fn put_big(&mut self, bytes: &[u8]) {
        if self.sum.is_none() && self.bytes.len() + bytes.len() <= MOST_BYTES {
            return self.bytes.extend_from_slice(bytes);
        }
        self.spill();
        if let Some(sum) = &mut self.sum {
            sum.row.update(bytes);
        }
    }

    /// A string with its length in front.
    #[inline(always)]
    pub(super) fn put_string(&mut self, bytes: &[u8]) {
        put_len(bytes.len() as u64, &mut self.bytes);
        self.put(bytes);
    }

    /// What follows is no more part of the key.
    #[inline(always)]
    pub(super) fn end_key(&mut self) {
        self.key_end = self.bytes.len();
    }

    /// Ends the row.
    #[inline(always)]
    pub(super) fn end(&mut self) {
        if self.sum.is_some() {
            return self.end_summed();
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let (start, key_end) = (place(self.start), place(self.key_end));
        self.slots.push(Slot { prefix: 0, start, key_end, end: place(self.bytes.len()) });
        if self.bytes.len() > MOST_BYTES || self.slots.len() > MOST_ROWS {
            self.start = self.bytes.len();
            self.spill();
        }
    }

    #[inline(never)]
    fn end_summed(&mut self) {
        self.spill();
        if let Some(sum) = &mut self.sum {
            sum.end();
        }
    }

    /// Hashes what is held: the rows, and what there is of the next. From now on rows are summed.
    #[inline(never)]
    fn spill(&mut self) {
        let Rows { bytes, slots, start, sum, .. } = self;
        let sum = sum.get_or_insert_with(Sum::new);
        for slot in slots.iter() {
            sum.row.update(row(bytes, slot));
            sum.end();
        }
        sum.row.update(bytes.get(*start..).unwrap_or_default());
        if !slots.is_empty() {
            (*bytes, *slots) = (Vec::new(), Vec::new());
        }
        bytes.clear();
        *start = 0;
    }

    /// Shows all rows, sorted by their keys as bytes; none where they are summed.
    #[inline(always)]
    pub(super) fn sorted(&mut self, mut see: impl FnMut(&[u8])) {
        let Rows { bytes, slots, .. } = self;
        let shared = shared(bytes, slots);
        let used = bytes.len();
        // So that eight bytes can be read behind every key.
        bytes.extend_from_slice(&[0; 8]);
        for slot in slots.iter_mut() {
            slot.prefix = prefix(bytes, slot, shared);
        }
        slots.sort_unstable_by(|a, b| {
            a.prefix.cmp(&b.prefix).then_with(|| {
                let by_key = key(bytes, a).cmp(key(bytes, b));
                by_key.then_with(|| row(bytes, a).cmp(row(bytes, b)))
            })
        });
        slots.iter().for_each(|slot| see(row(bytes, slot)));
        bytes.truncate(used);
    }
}

impl Sum {
    fn new() -> Box<Sum> {
        let row = blake3::Hasher::new_derive_key(ROW);
        Box::new(Sum { rows: 0, total: Wide::ZERO, row })
    }

    #[inline(always)]
    fn end(&mut self) {
        self.total.add(&self.row);
        self.row.reset();
        self.rows += 1;
    }
}

#[inline(always)]
fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[inline(always)]
fn row<'a>(bytes: &'a [u8], slot: &Slot) -> &'a [u8] {
    bytes.get(place(slot.start)..place(slot.end)).unwrap_or_default()
}

#[inline(always)]
fn key<'a>(bytes: &'a [u8], slot: &Slot) -> &'a [u8] {
    bytes.get(key_start(bytes, slot)..place(slot.key_end)).unwrap_or_default()
}

#[inline(always)]
fn key_start(bytes: &[u8], slot: &Slot) -> usize {
    let start = place(slot.start);
    start + if bytes.get(start) == Some(&LONG) { 9 } else { 1 }
}

/// How many bytes all keys begin with in common. (Without this, names such as `member:0000123`
/// share their eight bytes, and every comparison goes to memory.)
fn shared(bytes: &[u8], slots: &[Slot]) -> usize {
    let Some((first, others)) = slots.split_first() else { return 0 };
    let first = key(bytes, first);
    others.iter().fold(first.len(), |shared, slot| {
        let other = key(bytes, slot);
        if shared <= other.len() && first.get(..shared) == other.get(..shared) {
            return shared;
        }
        first.iter().zip(other).take_while(|(a, b)| a == b).count().min(shared)
    })
}

#[inline(always)]
fn prefix(bytes: &[u8], slot: &Slot, shared: usize) -> u64 {
    let from = key_start(bytes, slot) + shared;
    let len = place(slot.key_end).saturating_sub(from);
    let eight = bytes.get(from..).and_then(<[u8]>::first_chunk::<8>).copied().unwrap_or_default();
    let eight = u64::from_be_bytes(eight);
    match len {
        0 => 0,
        1..8 => eight & (u64::MAX << (64 - 8 * len)),
        _ => eight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(keys: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut rows = Rows::new();
        for key in keys {
            rows.begin(key.len() as u64);
            rows.put(key);
            rows.end_key();
            rows.put(b"rest");
            rows.end();
        }
        let mut seen = Vec::new();
        rows.sorted(|row| seen.push(row[1..row.len() - 4].to_vec()));
        seen
    }

    #[test]
    fn a_length_is_one_byte_or_nine_and_has_one_form() {
        for len in [0, 1, 254, 255, 256, 1 << 20] {
            let (mut bytes, string) = (Vec::new(), vec![0; len]);
            put_len(len as u64, &mut bytes);
            assert_eq!(bytes.len(), if len < 255 { 1 } else { 9 });
            assert_eq!((bytes.len() + len) as u64, len_with_string(&string));
        }
        let long = "x".repeat(300);
        let mut rows = Rows::new();
        for key in ["y", &long, "", "xx"] {
            rows.begin(key.len() as u64);
            rows.put(key.as_bytes());
            rows.end_key();
            rows.end();
        }
        let mut seen = Vec::new();
        rows.sorted(|row| seen.push(row.len()));
        assert_eq!(seen, [1, 3, 309, 2]);
    }

    #[test]
    fn rows_come_in_the_order_of_their_keys_as_bytes() {
        let keys: [&[u8]; 9] = [
            b"member:0000002",
            b"member:0000001",
            b"member:",
            b"member:0000001\0",
            b"member:00",
            b"member:\0",
            b"member:\0\0",
            b"member:\xff",
            b"member:0000001aaaaaaaaaaaaa",
        ];
        let mut want = keys.map(<[u8]>::to_vec).to_vec();
        want.sort();
        assert_eq!(sorted(&keys), want);
        let mut with_empty = keys.to_vec();
        with_empty.push(b"");
        want.insert(0, Vec::new());
        assert_eq!(sorted(&with_empty), want);
        assert!(sorted(&[]).is_empty());
    }

    /// The rows of `members`, put in pieces of `piece` bytes.
    fn rows<'a>(members: impl Iterator<Item = &'a [u8]>, piece: usize) -> Rows {
        let mut rows = Rows::new();
        for member in members {
            rows.begin(member.len() as u64);
            member.chunks(piece).for_each(|piece| rows.put_piece(piece));
            rows.end_key();
            rows.end();
        }
        rows
    }

    #[test]
    fn more_rows_than_are_sorted_are_summed_in_any_order() {
        let numbers: Vec<_> = (0..=MOST_ROWS as u64).map(|n| n.to_be_bytes()).collect();
        let members = || numbers.iter().map(|n| &n[..]);
        let sorted = rows(members().skip(1), 8);
        assert!(sorted.sum().is_none());
        let one_more = rows(members(), 8);
        let backwards = rows(members().rev(), 3);
        assert!(one_more.sum().unwrap() == backwards.sum().unwrap());
        assert_eq!((sorted.len(), one_more.len()), (MOST_ROWS as u64, MOST_ROWS as u64 + 1));
        let mut by_hand = Wide::ZERO;
        for member in members() {
            let mut row = blake3::Hasher::new_derive_key(ROW);
            by_hand.add(row.update(&[8]).update(member));
        }
        assert!(one_more.sum().unwrap() == &by_hand);
        let twice = rows(members().chain(members().take(1)), 8);
        assert!(twice.sum().unwrap() != &by_hand);
    }

    #[test]
    fn more_bytes_than_are_sorted_are_summed_wherever_their_pieces_end() {
        let big = vec![7; MOST_BYTES - 2 - 9];
        let members: [&[u8]; 3] = [b"a", &big, b"b"];
        assert!(rows(members.into_iter().take(2), 1000).sum().is_none());
        let whole = rows(members.into_iter(), usize::MAX);
        let total = whole.sum().unwrap();
        for piece in [1000, 1 << 20] {
            assert!(rows(members.into_iter(), piece).sum().unwrap() == total);
            let turned = [members[2], members[0], members[1]];
            assert!(rows(turned.into_iter(), piece).sum().unwrap() == total);
        }
        let giant = vec![7; MOST_BYTES * 2];
        let mut held = rows([&giant[..]].into_iter(), 1 << 20);
        assert!(held.sum().is_some() && held.bytes.capacity() <= 2 * MOST_BYTES);
        held.clear();
        assert!(held.sum().is_none() && held.len() == 0);
    }
}
