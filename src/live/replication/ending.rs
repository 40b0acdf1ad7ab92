//! Where a transfer of unknown length ends.
//!
//! Its last 40 bytes are a mark that the server announced, and after it the server says nothing until
//! it has heard from us: so the mark is always the last that came. Servers repeat marks, though, so a
//! dataset may hold one, and a connection may be cut right after it. What decides is what stands
//! before it: the end of an RDB (`ff`) and the checksum of all bytes up to there. A stored zero is the
//! checksum of servers that keep none, and then has to do. Where whoever reads the dump checks it for being
//! whole, any eight bytes do: it would be summed twice, and an end inside a value is found there, too.
//!
//! Nothing is searched for, since that would cost as much as receiving does.

use crate::wire::crc64::Crc64;

pub(super) const MARK: usize = 40;
const CHECKSUM: usize = 8;
/// Bytes not handed on before more have come: they may be the checksum and the mark.
pub(super) const HELD: usize = CHECKSUM + MARK;

/// What was found in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The dump goes on: so many bytes are its own, and the rest has to be shown again.
    Body(usize),
    /// It ends after so many bytes, and the mark follows.
    End(usize),
}

/// Looks for the end in windows over a stream, each of which ends with what came last and begins with
/// what the one before did not hand on.
pub(super) struct Ending {
    mark: [u8; MARK],
    /// Of all bytes handed on; `None` where the end is not to be proven.
    crc: Option<Crc64>,
}

impl Ending {
    pub(super) fn new(mark: [u8; MARK], proves: bool) -> Ending {
        Ending { mark, crc: proves.then(Crc64::new) }
    }

    /// Whether it looks at all bytes.
    pub(super) fn proves(&self) -> bool {
        self.crc.is_some()
    }

    pub(super) fn scan(&mut self, window: &[u8]) -> Found {
        let (body, held) = window.split_at(window.len().saturating_sub(HELD));
        if let Some(crc) = &mut self.crc {
            crc.update(body);
        }
        if let (Some(0xff), Some((stored, mark))) = (body.last(), held.split_first_chunk())
            && mark == self.mark
            && self.fits(u64::from_le_bytes(*stored))
        {
            return Found::End(body.len() + CHECKSUM);
        }
        Found::Body(body.len())
    }

    fn fits(&self, stored: u64) -> bool {
        self.crc.as_ref().is_none_or(|crc| [0, crc.value()].contains(&stored))
    }

    /// Whether the last bytes that came are the mark, whatever stands before it.
    pub(super) fn is_at_end_of(&self, held: &[u8]) -> bool {
        held.ends_with(&self.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: [u8; MARK] = *b"0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn the_end_is_found_however_it_comes_and_a_mark_before_it_is_not() {
        let mut dump = b"REDIS0011".to_vec();
        dump.extend([7; 200]);
        dump.extend(b"\xff\x01\0\0\0\0\0\0\0");
        dump.extend(SOME); // a value may hold it
        dump.push(0xff);
        let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&dump);
        dump.extend(crc.to_le_bytes());
        let whole = [&dump[..], &SOME].concat();
        for step in 1..whole.len() {
            let (mut ending, mut window, mut given) =
                (Ending::new(SOME, true), Vec::new(), Vec::new());
            let mut ended = false;
            for chunk in whole.chunks(step) {
                assert!(!ended, "step {step}");
                window.extend_from_slice(chunk);
                let n = match ending.scan(&window) {
                    Found::Body(n) => n,
                    Found::End(n) => {
                        ended = true;
                        n
                    }
                };
                given.extend(window.drain(..n));
            }
            assert!(ended, "step {step}");
            assert_eq!(given, dump, "step {step}");
        }
    }

    #[test]
    fn neither_a_checksum_that_does_not_fit_nor_a_bare_mark_is_an_end() {
        for before in [&b"REDIS0011...................."[..], b"REDIS0011\xff\x01\0\0\0\0\0\0\0"] {
            let window = [before, &SOME].concat();
            let mut ending = Ending::new(SOME, true);
            assert_eq!(ending.scan(&window), Found::Body(before.len() - 8));
            assert!(ending.is_at_end_of(&window));
        }
        assert_eq!(Ending::new(SOME, true).scan(&SOME), Found::Body(0));
        let unsummed = [&b"REDIS0011\xff\0\0\0\0\0\0\0\0"[..], &SOME].concat();
        assert_eq!(Ending::new(SOME, true).scan(&unsummed), Found::End(18));
    }

    #[test]
    fn without_a_proof_all_that_looks_like_an_end_is_one() {
        let window = [&b"REDIS0011\xff\x01\0\0\0\0\0\0\0"[..], &SOME].concat();
        assert_eq!(Ending::new(SOME, false).scan(&window), Found::End(18));
        assert_eq!(Ending::new(SOME, false).scan(&SOME), Found::Body(0));
        let bare = [&b"REDIS0011...................."[..], &SOME].concat();
        assert_eq!(Ending::new(SOME, false).scan(&bare), Found::Body(21));
    }
}
