//! The length encoding: 6, 14, 32 or 64 bits behind a two-bit tag (all RDB versions).
//!
//! ```text
//! 00xxxxxx                    6 bits
//! 01xxxxxx yyyyyyyy           14 bits, big-endian
//! 80 u32be    81 u64be        (81 since RDB 8)
//! 11eeeeee                    not a length: a special string encoding
//! ```

use crate::error::Fault;
use crate::wire::cursor::{Cursor, Res};

impl Cursor<'_> {
    #[inline(always)]
    pub(crate) fn length(&mut self) -> Res<u64> {
        let before = *self;
        let first = self.byte()?;
        match first >> 6 {
            0 => Ok(u64::from(first)),
            1 => Ok((u64::from(first) & 63) << 8 | u64::from(self.byte()?)),
            _ => self.wide_length(first, before),
        }
    }

    /// The 32 and 64-bit forms; `before` is the place to blame.
    #[cold]
    #[inline(never)]
    pub(crate) fn wide_length(&mut self, first: u8, before: Cursor<'_>) -> Res<u64> {
        match first {
            0x80 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            0x81 => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(before.bad(Fault::Length)),
        }
    }
}

/// Appends a length in its shortest form, as servers write it.
pub(crate) fn write_length(length: u64, out: &mut Vec<u8>) {
    match (u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
        (Ok(n @ 0..64), ..) => out.push(n),
        (_, Ok(n @ 0..16_384), _) => out.extend_from_slice(&(n | 0x4000).to_be_bytes()),
        (.., Ok(n)) => {
            out.push(0x80);
            out.extend_from_slice(&n.to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::cursor::Stop;

    #[test]
    fn every_form_of_a_length_reads_the_same_number() {
        for bytes in
            [&[0x01][..], &[0x40, 0x01], &[0x80, 0, 0, 0, 1], &[0x81, 0, 0, 0, 0, 0, 0, 0, 1]]
        {
            let mut c = Cursor::new(bytes);
            assert_eq!(c.length(), Ok(1));
            assert!(c.is_empty());
        }
        assert_eq!(Cursor::new(&[0x7f, 0xff]).length(), Ok(16_383));
    }

    #[test]
    fn lengths_are_written_in_the_shortest_form_and_read_back() {
        let edges = [0, 63, 64, 16_383, 16_384, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
        for (length, size) in edges.into_iter().zip([1, 1, 2, 2, 5, 5, 9, 9]) {
            let mut bytes = Vec::new();
            write_length(length, &mut bytes);
            assert_eq!(bytes.len(), size, "{length}");
            assert_eq!(Cursor::new(&bytes).length(), Ok(length));
        }
    }

    #[test]
    fn what_is_no_length_is_blamed_on_its_first_byte() {
        for first in (0x82..=0xff).filter(|b| !(0x40..0x80).contains(b)) {
            assert_eq!(Cursor::new(&[first, 0]).length(), Err(Stop::Bad(Fault::Length, 2)));
        }
        assert_eq!(Cursor::new(&[0x81, 0]).length(), Err(Stop::Short(7)));
    }
}
