//! Ziplists for servers before 7.0 and listpacks for later ones, built the same way.

use crate::error::Result;
use crate::rdb::build::{ListpackBuilder, ZiplistBuilder};
use crate::rdb::encoding::Scalar;

/// The packed list that a server uses.
#[derive(Debug)]
pub(super) enum Packer {
    Ziplist(ZiplistBuilder),
    Listpack(ListpackBuilder),
}

impl Packer {
    /// Begins a new list.
    pub(super) fn clear(&mut self) {
        match self {
            Packer::Ziplist(list) => list.clear(),
            Packer::Listpack(list) => list.clear(),
        }
    }

    pub(super) fn push(&mut self, entry: Scalar<'_>) -> Result<()> {
        match self {
            Packer::Ziplist(list) => list.push(entry),
            Packer::Listpack(list) => list.push(entry),
        }
    }

    /// Whether no entry was pushed yet.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Packer::Ziplist(list) => list.is_empty(),
            Packer::Listpack(list) => list.len() == 0,
        }
    }

    /// How big servers think that the list will be with one more entry of so many bytes: never less
    /// than it is, as they leave aside that it may be stored as an integer.
    pub(super) fn size_with(&self, bytes: usize) -> usize {
        match self {
            Packer::Ziplist(list) => {
                let before = if bytes < 254 { 1 } else { 5 };
                let head = match bytes {
                    0..64 => 1,
                    64..16_384 => 2,
                    _ => 5,
                };
                list.size().saturating_add(bytes).saturating_add(before + head)
            }
            Packer::Listpack(list) => list.size().saturating_add(bytes).saturating_add(8),
        }
    }

    /// The blob. It has to be cleared before the next.
    pub(super) fn finish(&mut self) -> &[u8] {
        match self {
            Packer::Ziplist(list) => list.finish(),
            Packer::Listpack(list) => list.finish(),
        }
    }
}
