//! The one file that touches raw bytes.
//!
//! A cursor only shrinks: a place is "what is left", and whoever knows the offset of the end turns
//! that into an absolute `u64` when somebody asks. So offsets cost nothing until there is an error.

use crate::error::Fault;

/// Why a read stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The atom being read lacks exactly this many bytes.
    Short(u64),
    /// No bytes can mend it; seen with this many bytes left.
    Bad(Fault, usize),
}

pub(crate) type Res<T> = Result<T, Stop>;

impl Stop {
    #[cold]
    #[inline(never)]
    pub(crate) fn short(lacking: usize) -> Stop {
        Stop::Short(lacking as u64)
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Cursor { rest }
    }

    #[inline(always)]
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The first `room` bytes of what is left.
    #[inline(always)]
    pub(crate) fn clip(self, room: usize) -> Self {
        Cursor { rest: self.rest.get(..room).unwrap_or(self.rest) }
    }

    /// A fault at this place.
    #[cold]
    #[inline(never)]
    pub(crate) fn bad(&self, fault: Fault) -> Stop {
        Stop::Bad(fault, self.rest.len())
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Res<u8> {
        self.rest.first().copied().ok_or_else(|| Stop::short(1))
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Res<u8> {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                Ok(*byte)
            }
            None => Err(Stop::short(1)),
        }
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, n: u64) -> Res<&'a [u8]> {
        match usize::try_from(n).ok().and_then(|n| self.rest.split_at_checked(n)) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.lacks(n)),
        }
    }

    #[cold]
    #[inline(never)]
    fn lacks(&self, wanted: u64) -> Stop {
        Stop::Short(wanted.saturating_sub(self.rest.len() as u64))
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Res<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(Stop::short(N - self.rest.len())),
        }
    }

    #[inline(always)]
    pub(crate) fn i64_le(&mut self) -> Res<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub(crate) fn u64_le(&mut self) -> Res<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub(crate) fn f64_le(&mut self) -> Res<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }
}

/// The bytes from `start` to `end`; nothing where they do not exist.
#[inline(always)]
pub(crate) fn part(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    bytes.get(..end).and_then(|bytes| bytes.get(start..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_says_exactly_what_lacks_and_moves_nothing() {
        let mut c = Cursor::new(b"abc");
        assert_eq!(c.take(5), Err(Stop::Short(2)));
        assert_eq!(c.array::<8>(), Err(Stop::Short(5)));
        assert_eq!(c.take(u64::MAX), Err(Stop::Short(u64::MAX - 3)));
        assert_eq!(c.take(3), Ok(&b"abc"[..]));
        assert_eq!(c.byte(), Err(Stop::Short(1)));
    }
}
