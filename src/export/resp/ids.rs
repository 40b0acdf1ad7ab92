//! The IDs of a stream's live entries, small enough to be kept until its pending entries come.
//!
//! The file has the entries first, and a pending entry can only be claimed while its entry lives.
//! IDs ascend, so they are kept as differences: two bytes for most, where the file has some ten.

use crate::rdb::StreamId;

/// Differences between two places that can be looked up.
const STRIDE: u64 = 64;

#[derive(Default)]
pub(super) struct Ids {
    len: u64,
    last: StreamId,
    /// Every so many IDs, the ID itself and where the differences behind it begin.
    marks: Vec<(StreamId, usize)>,
    differences: Vec<u8>,
}

impl Ids {
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.last = StreamId::default();
        self.marks.clear();
        self.differences.clear();
    }

    /// Takes the next ID; false where it is not above the last, or 0-0, which no entry has.
    pub(super) fn push(&mut self, id: StreamId) -> bool {
        if id <= self.last {
            return false;
        }
        if self.len.is_multiple_of(STRIDE) {
            self.marks.push((id, self.differences.len()));
        } else {
            let ms = id.ms - self.last.ms;
            write_varint(ms, &mut self.differences);
            let seq = if ms == 0 { id.seq - self.last.seq } else { id.seq };
            write_varint(seq, &mut self.differences);
        }
        (self.last, self.len) = (id, self.len + 1);
        true
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn first(&self) -> Option<StreamId> {
        self.marks.first().map(|(id, _)| *id)
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> u64 {
        (self.differences.len() + self.marks.len() * size_of::<(StreamId, usize)>()) as u64
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        let after = self.marks.partition_point(|(first, _)| *first <= id);
        let Some(&(mut at, start)) = after.checked_sub(1).and_then(|n| self.marks.get(n)) else {
            return false;
        };
        let end = self.marks.get(after).map_or(self.differences.len(), |(_, start)| *start);
        let mut rest = self.differences.get(start..end).unwrap_or_default().iter();
        while at < id {
            let (Some(ms), Some(seq)) = (read_varint(&mut rest), read_varint(&mut rest)) else {
                return false;
            };
            let seq = if ms == 0 { at.seq + seq } else { seq };
            at = StreamId::new(at.ms + ms, seq);
        }
        at == id
    }
}

fn write_varint(mut n: u64, out: &mut Vec<u8>) {
    while let Some(low) = u8::try_from(n & 127).ok().filter(|_| n > 127) {
        out.push(low | 128);
        n >>= 7;
    }
    out.push(u8::try_from(n).unwrap_or_default());
}

fn read_varint(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u64> {
    let (mut n, mut shift) = (0, 0);
    loop {
        let byte = *bytes.next()?;
        n |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(n);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_that_do_not_ascend_are_refused() {
        let mut ids = Ids::default();
        assert!(!ids.push(StreamId::new(0, 0)) && ids.first().is_none());
        assert!(ids.push(StreamId::new(0, 1)) && !ids.push(StreamId::new(0, 1)));
        assert!(ids.push(StreamId::new(u64::MAX, u64::MAX)));
        assert!(ids.contains(StreamId::new(u64::MAX, u64::MAX)) && ids.len() == 2);
        ids.clear();
        assert!(!ids.contains(StreamId::new(0, 1)));
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_nothing_else(
            some in prop::collection::btree_set((0u64..400, prop_oneof![0u64..5, any::<u64>()]), 0..400),
            asked in prop::collection::vec((0u64..400, 0u64..5), 0..50),
        ) {
            let some: BTreeSet<StreamId> =
                some.into_iter().map(|(ms, seq)| StreamId::new(ms, seq.max(1))).collect();
            let mut ids = Ids::default();
            for id in &some {
                prop_assert!(ids.push(*id));
            }
            prop_assert_eq!(ids.first(), some.first().copied());
            for id in some.iter().copied().chain(asked.into_iter().map(|(ms, seq)| StreamId::new(ms, seq))) {
                prop_assert_eq!(ids.contains(id), some.contains(&id));
            }
        }
    }
}
