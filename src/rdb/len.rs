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
    fn what_is_no_length_is_blamed_on_its_first_byte() {
        for first in (0x82..=0xff).filter(|b| !(0x40..0x80).contains(b)) {
            assert_eq!(Cursor::new(&[first, 0]).length(), Err(Stop::Bad(Fault::Length, 2)));
        }
        assert_eq!(Cursor::new(&[0x81, 0]).length(), Err(Stop::Short(7)));
    }
}
