//! Rows that are sorted before they are hashed: the elements of one value that has no order.

use crate::error::{Error, Fault, Result};

/// Rows end to end, each with the bytes it is sorted by in front: `len u64le, key, rest`.
#[derive(Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Where the row that is being written begins, and its key ends.
    start: usize,
    key_end: usize,
}

/// A row, and eight bytes of its key: those behind what all keys have in common.
#[derive(Clone, Copy)]
struct Slot {
    prefix: u64,
    start: u32,
    key_end: u32,
    end: u32,
}

/// The length in front of a key.
const LEN: usize = 8;

/// The room that is kept from one value to the next.
const KEPT: usize = 4 << 20;

impl Rows {
    pub(super) fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
            self.slots = Vec::new();
        }
    }

    /// Begins a row whose key has this length; its bytes follow in pieces.
    #[inline(always)]
    pub(super) fn begin(&mut self, len: u64) {
        self.start = self.bytes.len();
        self.bytes.extend_from_slice(&len.to_le_bytes());
    }

    /// Writes into the row; grows with bytes that came.
    #[inline(always)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The same for bytes that alone may be too many.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub(super) fn put_within(&mut self, bytes: &[u8], limit: u64) -> Result<()> {
        if (self.bytes.len() + bytes.len()) as u64 > limit.min(u64::from(u32::MAX)) {
            return Err(over());
        }
        self.put(bytes);
        Ok(())
    }

    /// A string with its length in front.
    #[inline(always)]
    pub(super) fn put_string(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64).to_le_bytes());
        self.put(bytes);
    }

    /// What follows is no more part of the key.
    #[inline(always)]
    pub(super) fn end_key(&mut self) {
        self.key_end = self.bytes.len();
    }

    /// Ends the row.
    ///
    /// # Errors
    /// `Limit` where all rows together are over `limit` bytes, or over what 32 bits count.
    #[inline(always)]
    pub(super) fn end(&mut self, limit: u64) -> Result<()> {
        let place = |at: usize| u32::try_from(at).ok();
        let (start, key_end) = (place(self.start), place(self.key_end));
        let end = place(self.bytes.len()).filter(|end| u64::from(*end) <= limit);
        let (Some(start), Some(key_end), Some(end)) = (start, key_end, end) else {
            return Err(over());
        };
        self.slots.push(Slot { prefix: 0, start, key_end, end });
        Ok(())
    }

    /// Shows all rows, sorted by their keys as bytes.
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

#[cold]
fn over() -> Error {
    Error::from_fault(Fault::Held)
        .with_detail("the elements of a value without an order are sorted in memory")
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
    bytes.get(place(slot.start) + LEN..place(slot.key_end)).unwrap_or_default()
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
    let from = place(slot.start) + LEN + shared;
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
        let mut rows = Rows::default();
        for key in keys {
            rows.begin(key.len() as u64);
            rows.put(key);
            rows.end_key();
            rows.put(b"rest");
            rows.end(1 << 20).unwrap();
        }
        let mut seen = Vec::new();
        rows.sorted(|row| seen.push(row[8..row.len() - 4].to_vec()));
        seen
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

    #[test]
    fn rows_over_the_limit_are_an_error() {
        let mut rows = Rows::default();
        rows.begin(3);
        rows.put(b"abc");
        rows.end_key();
        assert!(rows.end(10).is_err());
        assert!(rows.end(11).is_ok());
    }
}
