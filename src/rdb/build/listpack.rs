//! Listpacks, built entry by entry.

use crate::error::{Error, Fault, Result};
use crate::rdb::encoding::Scalar;
use crate::wire::number::parse_integer;

/// Size and number of entries in front of them.
const HEADER: usize = 6;
/// Servers do not let a listpack grow past 1 GiB.
const MOST: usize = 1 << 30;

/// Builds listpacks, keeping its buffer from one to the next.
///
/// Text that is a canonical 64-bit integer becomes one in its shortest form, as in the servers.
#[derive(Debug, Default)]
pub(crate) struct ListpackBuilder {
    blob: Vec<u8>,
    entries: u64,
}

impl ListpackBuilder {
    /// Begins a new list.
    pub(crate) fn clear(&mut self) {
        self.blob.clear();
        self.entries = 0;
    }

    /// Entries so far.
    pub(crate) fn len(&self) -> u64 {
        self.entries
    }

    /// How big the blob is if it is finished now.
    pub(crate) fn size(&self) -> usize {
        self.blob.len().max(HEADER) + 1
    }

    pub(crate) fn push(&mut self, entry: Scalar<'_>) -> Result<()> {
        match entry {
            Scalar::Int(n) => self.push_integer(n),
            Scalar::Bytes(text) => match parse_integer(text) {
                Some(n) => self.push_integer(n),
                None => return self.push_text(text),
            },
        }
        Ok(())
    }

    /// An integer, which takes ten bytes at most and so never fails.
    pub(crate) fn push_integer(&mut self, n: i64) {
        let start = self.begin();
        let bytes = n.to_le_bytes();
        let [a, b, c, d, ..] = bytes;
        match n {
            0..=0x7F => self.blob.push(a),
            -0x1000..=0xFFF => self.blob.extend_from_slice(&[0xC0 | (b & 0x1F), a]),
            -0x8000..=0x7FFF => self.blob.extend_from_slice(&[0xF1, a, b]),
            -0x80_0000..=0x7F_FFFF => self.blob.extend_from_slice(&[0xF2, a, b, c]),
            -0x8000_0000..=0x7FFF_FFFF => self.blob.extend_from_slice(&[0xF3, a, b, c, d]),
            _ => {
                self.blob.push(0xF4);
                self.blob.extend_from_slice(&bytes);
            }
        }
        self.end(start);
    }

    /// Changes the first entry, which has to be an integer of 0 to 127, to another such.
    pub(crate) fn set_first(&mut self, n: u8) {
        self.blob.get_mut(HEADER).into_iter().for_each(|first| *first = n & 0x7F);
    }

    fn push_text(&mut self, text: &[u8]) -> Result<()> {
        if self.blob.len().saturating_add(text.len()) > MOST {
            return Err(Error::from_fault(Fault::Held).with_detail("a listpack of more than 1 GiB"));
        }
        let start = self.begin();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let [a, b, ..] = length.to_le_bytes();
        match length {
            0..64 => self.blob.push(0x80 | a),
            64..4096 => self.blob.extend_from_slice(&[0xE0 | b, a]),
            _ => {
                self.blob.push(0xF0);
                self.blob.extend_from_slice(&length.to_le_bytes());
            }
        }
        self.blob.extend_from_slice(text);
        self.end(start);
        Ok(())
    }

    /// Where the next entry begins.
    fn begin(&mut self) -> usize {
        if self.blob.is_empty() {
            self.blob.resize(HEADER, 0);
        }
        self.blob.len()
    }

    /// Writes the size of the entry that began there. Each width gives up its last size, as in the
    /// servers.
    fn end(&mut self, start: usize) {
        let size = (self.blob.len() - start) as u64;
        let width = match size {
            0..128 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        for place in (0..width).rev() {
            let [low, ..] = (size >> (7 * place)).to_le_bytes();
            let more = if place + 1 < width { 0x80 } else { 0 };
            self.blob.push(low & 0x7F | more);
        }
        self.entries += 1;
    }

    /// The blob. The builder has to be cleared before the next.
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.begin();
        self.blob.push(0xFF);
        let total = u32::try_from(self.blob.len()).unwrap_or(u32::MAX).to_le_bytes();
        let entries = u16::try_from(self.entries).unwrap_or(u16::MAX).to_le_bytes();
        for (place, byte) in self.blob.iter_mut().zip(total.into_iter().chain(entries)) {
            *place = byte;
        }
        &self.blob
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(entries: &[Scalar<'_>]) -> Vec<u8> {
        let mut builder = ListpackBuilder::default();
        entries.iter().for_each(|entry| builder.push(*entry).unwrap());
        builder.finish().to_vec()
    }

    #[test]
    fn the_bytes_are_those_of_redis_7() {
        // RPUSH l a 300 -1 128, as 7.0.15 keeps it.
        let blob = built(&[Scalar::Bytes(b"a"), Scalar::Bytes(b"300"), Scalar::Int(-1)]);
        assert_eq!(blob, b"\x10\0\0\0\x03\0\x81a\x02\xc1\x2c\x02\xdf\xff\x02\xff");
        assert_eq!(built(&[]), b"\x07\0\0\0\0\0\xff");
    }
}
