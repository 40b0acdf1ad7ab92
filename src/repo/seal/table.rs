//! The seek table: where each frame lies. It is a frame that every zstd decoder skips.

use crate::error::{Error, Fault, Result};

/// The four bytes that a frame to skip begins with, where it is a seek table.
pub(super) const SKIP: [u8; 4] = [0x5e, 0x2a, 0x4d, 0x18];
const END: [u8; 4] = [0xb1, 0xea, 0x92, 0x8f];

/// Rows have checksums.
pub(super) const WITH_CHECKSUMS: u8 = 0x80;
/// Bits that have to be 0.
const RESERVED: u8 = 0x7c;

/// Its last bytes: how many rows, a descriptor, and a mark.
pub(super) const FOOTER: u64 = 9;

/// More do not fit the length of a frame to skip.
pub(super) const MOST_FRAMES: u64 = (u32::MAX as u64 - FOOTER) / 12;

/// Bytes of the table of so many frames.
pub(super) const fn len(frames: u64) -> u64 {
    frames.saturating_mul(12).saturating_add(8 + FOOTER)
}

/// What the table says of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) compressed: u32,
    pub(super) plain: u32,
    /// The last four bytes of the frame, as they lie there.
    pub(super) checksum: [u8; 4],
}

impl Row {
    pub(super) fn bytes(self) -> [u8; 12] {
        let ([a, b, c, d], [e, f, g, h]) =
            (self.compressed.to_le_bytes(), self.plain.to_le_bytes());
        let [i, j, k, l] = self.checksum;
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    pub(super) fn of(bytes: [u8; 12]) -> Row {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Row {
            compressed: u32::from_le_bytes([a, b, c, d]),
            plain: u32::from_le_bytes([e, f, g, h]),
            checksum: [i, j, k, l],
        }
    }
}

/// A table in the making.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<u8>);

impl Rows {
    pub(super) fn push(&mut self, row: Row) -> Result<()> {
        if self.frames() >= MOST_FRAMES {
            return Err(Error::from_fault(Fault::SealTableLimit));
        }
        self.0.extend_from_slice(&row.bytes());
        Ok(())
    }

    pub(super) fn frames(&self) -> u64 {
        self.0.len() as u64 / 12
    }

    /// The whole of it, as it is stored.
    pub(super) fn table(self) -> Vec<u8> {
        let frames = u32::try_from(self.frames()).unwrap_or(u32::MAX);
        let inner = frames.saturating_mul(12).saturating_add(9);
        let mut table = Vec::with_capacity(self.0.len() + 17);
        table.extend_from_slice(&SKIP);
        table.extend_from_slice(&inner.to_le_bytes());
        table.extend_from_slice(&self.0);
        table.extend_from_slice(&frames.to_le_bytes());
        table.push(WITH_CHECKSUMS);
        table.extend_from_slice(&END);
        table
    }
}

/// The end of a table: how many rows, and its descriptor. `None` where it is not one.
pub(super) fn footer(bytes: [u8; 9]) -> Option<(u32, u8)> {
    let [a, b, c, d, descriptor, end @ ..] = bytes;
    (end == END).then_some((u32::from_le_bytes([a, b, c, d]), descriptor))
}

/// Whether a descriptor is one of tables with checksums.
pub(super) fn has_checksums(descriptor: u8) -> bool {
    descriptor & WITH_CHECKSUMS != 0
}

/// Whether it has bits that no table has.
pub(super) fn is_reserved(descriptor: u8) -> bool {
    descriptor & RESERVED != 0
}

/// A frame, where it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Among the frames.
    pub(super) at: u64,
    /// Among the plain bytes.
    pub(super) plain_at: u64,
    pub(super) row: Row,
}

/// A table that was read: frames with their places.
#[derive(Debug)]
pub(super) struct Table(Vec<Place>);

impl Table {
    /// Reads the whole of a table whose frames take up `framed` bytes and hold `plain`.
    pub(super) fn parse(bytes: &[u8], framed: u64, plain: u64) -> Result<Table> {
        let wrong = |what: &str| Err(Error::at(Fault::SealTable, framed).with_detail(what));
        let Some((head, rest)) = bytes.split_first_chunk::<8>() else {
            return wrong("it is too short");
        };
        let Some((rows, end)) = rest.split_last_chunk::<9>() else {
            return wrong("it is too short");
        };
        let [magic @ .., a, b, c, d] = *head;
        let inner = u64::from(u32::from_le_bytes([a, b, c, d]));
        if magic != SKIP || inner != rest.len() as u64 {
            return wrong("it does not begin where it should");
        }
        let Some((count, descriptor)) = footer(*end) else {
            return wrong("it does not end as one");
        };
        if !has_checksums(descriptor) || is_reserved(descriptor) {
            return wrong("it is of a form that is not written here");
        }
        let (rows, []) = rows.as_chunks::<12>() else {
            return wrong("it does not hold whole rows");
        };
        if rows.len() as u64 != u64::from(count) {
            return wrong("it holds another number of rows than it says");
        }
        let (mut at, mut plain_at) = (0u64, 0u64);
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let row = Row::of(*row);
            places.push(Place { at, plain_at, row });
            at = at.saturating_add(row.compressed.into());
            plain_at = plain_at.saturating_add(row.plain.into());
        }
        if at != framed || plain_at != plain {
            return wrong("its frames are more or fewer bytes");
        }
        Ok(Table(places))
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.0
    }

    /// The number of the frame that holds this plain byte.
    pub(super) fn holding(&self, plain_at: u64) -> usize {
        self.0.partition_point(|place| place.plain_at <= plain_at).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row { compressed: 300, plain: 1000, checksum: [1, 2, 3, 4] };

    #[test]
    fn a_table_has_the_bytes_of_the_public_format() {
        let mut rows = Rows::default();
        rows.push(ROW).unwrap();
        let table = rows.table();
        let want = [
            0x5e, 0x2a, 0x4d, 0x18, 21, 0, 0, 0, 0x2c, 1, 0, 0, 0xe8, 3, 0, 0, 1, 2, 3, 4, 1, 0, 0,
            0, 0x80, 0xb1, 0xea, 0x92, 0x8f,
        ];
        assert_eq!(table, want);
        assert_eq!(len(1), 29);
        assert_eq!(Table::parse(&table, 300, 1000).unwrap().places()[0].row, ROW);
    }

    #[test]
    fn no_byte_of_a_table_may_change_unseen_but_a_checksum_and_unused_bits() {
        let mut rows = Rows::default();
        rows.push(ROW).unwrap();
        rows.push(ROW).unwrap();
        let table = rows.table();
        for at in 0..table.len() {
            for bit in 0..8 {
                let mut table = table.clone();
                table[at] ^= 1 << bit;
                let in_checksum = (16..20).contains(&at) || (28..32).contains(&at);
                let unused = at == 36 && bit < 2;
                let seen = Table::parse(&table, 600, 2000).is_err();
                assert_eq!(seen, !in_checksum && !unused, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_plain_byte_is_in_the_frame_that_holds_it() {
        let mut rows = Rows::default();
        (0..3).for_each(|_| rows.push(ROW).unwrap());
        let table = Table::parse(&rows.table(), 900, 3000).unwrap();
        let found = [0, 999, 1000, 2000, 2999].map(|at| table.holding(at));
        assert_eq!(found, [0, 0, 1, 2, 2]);
    }
}
