//! Ziplists and listpacks, built the same way.

use crate::error::Result;
use crate::rdb::build::{ListpackBuilder, ZiplistBuilder};
use crate::rdb::encoding::Scalar;

/// Builds packed lists of the one kind or the other, keeping its buffer from one to the next.
#[derive(Debug)]
pub(crate) enum PackedBuilder {
    Ziplist(ZiplistBuilder),
    Listpack(ListpackBuilder),
}

impl PackedBuilder {
    /// Of ziplists, for servers before 7.0.
    pub(crate) fn ziplist() -> PackedBuilder {
        PackedBuilder::Ziplist(ZiplistBuilder::default())
    }

    /// Of listpacks, for later ones.
    pub(crate) fn listpack() -> PackedBuilder {
        PackedBuilder::Listpack(ListpackBuilder::default())
    }

    /// Begins a new list.
    pub(crate) fn clear(&mut self) {
        match self {
            PackedBuilder::Ziplist(list) => list.clear(),
            PackedBuilder::Listpack(list) => list.clear(),
        }
    }

    pub(crate) fn push(&mut self, entry: Scalar<'_>) -> Result<()> {
        match self {
            PackedBuilder::Ziplist(list) => list.push(entry),
            PackedBuilder::Listpack(list) => list.push(entry),
        }
    }

    /// Whether no entry was pushed yet.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            PackedBuilder::Ziplist(list) => list.is_empty(),
            PackedBuilder::Listpack(list) => list.len() == 0,
        }
    }

    /// How big servers think that the list will be with one more entry of so many bytes: never less
    /// than it is, as they leave aside that it may be stored as an integer.
    pub(crate) fn size_with(&self, bytes: usize) -> usize {
        match self {
            PackedBuilder::Ziplist(list) => {
                let before = if bytes < 254 { 1 } else { 5 };
                let head = match bytes {
                    0..64 => 1,
                    64..16_384 => 2,
                    _ => 5,
                };
                list.size().saturating_add(bytes).saturating_add(before + head)
            }
            PackedBuilder::Listpack(list) => list.size().saturating_add(bytes).saturating_add(8),
        }
    }

    /// The blob. It has to be cleared before the next.
    pub(crate) fn finish(&mut self) -> &[u8] {
        match self {
            PackedBuilder::Ziplist(list) => list.finish(),
            PackedBuilder::Listpack(list) => list.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::encoding::{Origin, listpack::Listpack, ziplist::Ziplist};
    use crate::wire::number::Digits;
    use proptest::prelude::*;

    /// What is read of a list that was built after another.
    fn built(mut list: PackedBuilder, entries: &[Scalar<'_>]) -> Vec<Vec<u8>> {
        list.push(Scalar::Bytes(b"of the list before")).unwrap();
        list.clear();
        entries.iter().for_each(|entry| list.push(*entry).unwrap());
        let size = match &list {
            PackedBuilder::Ziplist(list) => list.size(),
            PackedBuilder::Listpack(list) => list.size(),
        };
        let blob = list.finish().to_vec();
        assert_eq!(blob.len(), size);
        let (declared, entries) = match list {
            PackedBuilder::Ziplist(_) => {
                let mut list = Ziplist::new(&blob, Origin::plain(0)).unwrap();
                let read = (list.declared(), bytes_of(list.by_ref()));
                assert!(list.tail_fits());
                read
            }
            PackedBuilder::Listpack(_) => {
                let list = Listpack::new(&blob, Origin::plain(0)).unwrap();
                (list.declared(), bytes_of(list))
            }
        };
        assert_eq!(declared, u16::try_from(entries.len()).ok().filter(|n| *n != u16::MAX));
        entries
    }

    fn bytes_of<'a>(entries: impl Iterator<Item = Result<Scalar<'a>>>) -> Vec<Vec<u8>> {
        entries.map(|entry| entry.unwrap().bytes(&mut Digits::new()).to_vec()).collect()
    }

    fn each() -> [PackedBuilder; 2] {
        [PackedBuilder::ziplist(), PackedBuilder::listpack()]
    }

    #[test]
    fn every_size_around_an_edge_of_heads_and_lengths_is_read_back() {
        let edges = [
            0, 63, 64, 126, 127, 128, 251, 253, 4095, 4096, 16_377, 16_378, 16_383, 16_384,
            2_097_146,
        ];
        for size in edges.into_iter().flat_map(|edge: usize| edge.saturating_sub(2)..edge + 3) {
            for list in each() {
                let text = vec![b'x'; size];
                let read = built(list, &[Scalar::Bytes(&text), Scalar::Int(7)]);
                assert!(read == [&text[..], b"7"], "{size}");
            }
        }
    }

    #[test]
    fn more_entries_than_the_header_can_count_are_left_uncounted() {
        for n in [65_534, 65_535, 65_536] {
            for list in each() {
                assert_eq!(built(list, &vec![Scalar::Int(1); n]).len(), n);
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_built_is_read(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            integers: Vec<i64>,
            shift in 0..64,
        ) {
            let entries: Vec<_> = texts.iter().map(|text| Scalar::Bytes(text))
                .chain(integers.iter().map(|n| Scalar::Int(n >> shift)))
                .collect();
            let texts = bytes_of(entries.iter().copied().map(Ok));
            for list in each() {
                prop_assert!(built(list, &entries) == texts);
            }
        }
    }
}
