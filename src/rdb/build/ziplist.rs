//! Ziplists, for servers before 7.0, built entry by entry.

use crate::error::{Error, Fault, Result};
use crate::rdb::encoding::Scalar;
use crate::wire::number::parse_integer;

/// Size, place of the last entry, and number of entries in front of them.
const HEADER: usize = 10;
/// The size is kept in 32 bits; half of that is more than any server can use.
const MOST: usize = 1 << 31;

/// Builds ziplists, keeping its buffer from one to the next.
///
/// Text of up to 31 bytes that is a canonical 64-bit integer becomes one, as in the servers. The
/// short integers are those of Redis 2.6 and later; 2.4 does not know them.
#[derive(Debug, Default)]
pub(crate) struct ZiplistBuilder {
    blob: Vec<u8>,
    entries: u64,
    /// Where the last entry begins, and how long it is.
    last: (usize, usize),
}

impl ZiplistBuilder {
    /// Begins a new list.
    pub(crate) fn clear(&mut self) {
        self.blob.clear();
        self.entries = 0;
        self.last = (HEADER, 0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How big the blob is if it is finished now.
    pub(crate) fn size(&self) -> usize {
        self.blob.len().max(HEADER) + 1
    }

    pub(crate) fn push(&mut self, entry: Scalar<'_>) -> Result<()> {
        let text = match entry {
            Scalar::Int(n) => return self.push_integer(n),
            Scalar::Bytes(text) => text,
        };
        if let Some(n) = parse_integer(text) {
            return self.push_integer(n);
        }
        let start = self.begin(text.len())?;
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let [.., b, a] = length.to_be_bytes();
        match length {
            0..64 => self.blob.push(a),
            64..16_384 => self.blob.extend_from_slice(&[0x40 | b, a]),
            _ => {
                self.blob.push(0x80);
                self.blob.extend_from_slice(&length.to_be_bytes());
            }
        }
        self.blob.extend_from_slice(text);
        self.end(start);
        Ok(())
    }

    pub(crate) fn push_integer(&mut self, n: i64) -> Result<()> {
        let start = self.begin(0)?;
        let bytes = n.to_le_bytes();
        let [a, b, c, d, ..] = bytes;
        match n {
            0..=12 => self.blob.push(0xF1 + a),
            -0x80..=0x7F => self.blob.extend_from_slice(&[0xFE, a]),
            -0x8000..=0x7FFF => self.blob.extend_from_slice(&[0xC0, a, b]),
            -0x80_0000..=0x7F_FFFF => self.blob.extend_from_slice(&[0xF0, a, b, c]),
            -0x8000_0000..=0x7FFF_FFFF => self.blob.extend_from_slice(&[0xD0, a, b, c, d]),
            _ => {
                self.blob.push(0xE0);
                self.blob.extend_from_slice(&bytes);
            }
        }
        self.end(start);
        Ok(())
    }

    /// Writes the length of the entry before; says where this one begins.
    fn begin(&mut self, more: usize) -> Result<usize> {
        if self.blob.is_empty() {
            self.blob.resize(HEADER, 0);
            self.last = (HEADER, 0);
        }
        if self.blob.len().saturating_add(more) > MOST {
            return Err(Error::from_fault(Fault::Held).with_detail("a ziplist of more than 2 GiB"));
        }
        let start = self.blob.len();
        match u8::try_from(self.last.1) {
            Ok(before @ 0..0xFE) => self.blob.push(before),
            _ => {
                let before = u32::try_from(self.last.1).unwrap_or(u32::MAX);
                self.blob.push(0xFE);
                self.blob.extend_from_slice(&before.to_le_bytes());
            }
        }
        Ok(start)
    }

    fn end(&mut self, start: usize) {
        self.last = (start, self.blob.len() - start);
        self.entries += 1;
    }

    /// The blob. The builder has to be cleared before the next.
    pub(crate) fn finish(&mut self) -> &[u8] {
        if self.blob.is_empty() {
            self.blob.resize(HEADER, 0);
            self.last = (HEADER, 0);
        }
        self.blob.push(0xFF);
        let total = u32::try_from(self.blob.len()).unwrap_or(u32::MAX).to_le_bytes();
        let tail = u32::try_from(self.last.0).unwrap_or(u32::MAX).to_le_bytes();
        let entries = u16::try_from(self.entries).unwrap_or(u16::MAX).to_le_bytes();
        let header = total.into_iter().chain(tail).chain(entries);
        for (place, byte) in self.blob.iter_mut().zip(header) {
            *place = byte;
        }
        &self.blob
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(entries: &[Scalar<'_>]) -> Vec<u8> {
        let mut builder = ZiplistBuilder::default();
        entries.iter().for_each(|entry| builder.push(*entry).unwrap());
        builder.finish().to_vec()
    }

    #[test]
    fn the_bytes_are_those_of_redis_2_6() {
        // RPUSH l a 12 300
        let blob = built(&[Scalar::Bytes(b"a"), Scalar::Int(12), Scalar::Bytes(b"300")]);
        assert_eq!(blob, b"\x14\0\0\0\x0f\0\0\0\x03\0\0\x01a\x03\xfd\x02\xc0\x2c\x01\xff");
        assert_eq!(built(&[]), b"\x0b\0\0\0\x0a\0\0\0\0\0\xff");
    }
}
