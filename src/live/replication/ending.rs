//! Where a transfer of unknown length ends.
//!
//! Its last 40 bytes are a mark that the server announced. Servers repeat marks, so a dataset may hold
//! one, and how reads cut the stream says nothing. What decides is what stands before it: the end of
//! an RDB (`ff`) and the checksum of all bytes up to there. A stored zero is the checksum of servers
//! that keep none, and then has to do.

use crate::wire::crc64::Crc64;
use crate::wire::cursor::part;

pub(super) const MARK: usize = 40;
/// `ff` and the checksum.
const FOOTER: usize = 9;
/// Bytes not handed on before more have come: a mark but for one byte, and the footer before it.
pub(super) const HELD: usize = MARK - 1 + FOOTER;

/// What was found in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The dump goes on: so many bytes are its own, and the rest has to be shown again.
    Body(usize),
    /// It ends after so many bytes, and the mark follows.
    End(usize),
}

/// Looks for the end in windows over a stream, each of which begins with what the one before did not
/// hand on.
pub(super) struct Ending {
    mark: [u8; MARK],
    /// By how much the mark may be moved on if this is the byte under its last one.
    skip: [u8; 256],
    /// Of all bytes handed on.
    crc: Crc64,
}

impl Ending {
    pub(super) fn new(mark: [u8; MARK]) -> Ending {
        let mut skip = [MARK_LEN; 256];
        for (distance, byte) in (1..MARK_LEN).rev().zip(mark) {
            if let Some(skip) = skip.get_mut(usize::from(byte)) {
                *skip = distance;
            }
        }
        Ending { mark, skip, crc: Crc64::new() }
    }

    pub(super) fn scan(&mut self, window: &[u8]) -> Found {
        let (mut from, mut summed) = (0, 0);
        while let Some(at) = self.find(window, from) {
            let Some(footer) = at.checked_sub(FOOTER) else {
                from = at + 1;
                continue;
            };
            self.crc.update(part(window, summed, footer + 1));
            summed = footer + 1;
            if let Some(&[0xff, ref stored @ ..]) =
                window.get(footer..).and_then(|rest| rest.first_chunk::<FOOTER>())
            {
                let stored = u64::from_le_bytes(*stored);
                if stored == 0 || stored == self.crc.value() {
                    return Found::End(at);
                }
            }
            from = at + 1;
        }
        let body = window.len().saturating_sub(HELD);
        self.crc.update(part(window, summed, body));
        Found::Body(body)
    }

    /// Whether the last bytes that came are the mark, wherever it stands.
    pub(super) fn is_at_end_of(&self, held: &[u8]) -> bool {
        held.ends_with(&self.mark)
    }

    /// Where the mark stands, at or after `from`. Compares its last byte first and then moves on as
    /// far as the byte found there allows: by 40 for most.
    fn find(&self, window: &[u8], mut from: usize) -> Option<usize> {
        let last = self.mark.last()?;
        loop {
            let byte = window.get(from + (MARK - 1))?;
            if byte == last && part(window, from, from + MARK) == self.mark {
                return Some(from);
            }
            from += usize::from(*self.skip.get(usize::from(*byte))?);
        }
    }
}

const MARK_LEN: u8 = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOME: [u8; MARK] = *b"0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_window_is_summed_up_to_the_footer_and_never_twice() {
        let mut body = b"REDIS0011".to_vec();
        body.extend([7; 200]);
        body.extend(SOME); // a value may hold it
        body.push(0xff);
        let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&body);
        body.extend(crc.to_le_bytes());
        let whole = [&body[..], &SOME].concat();
        for step in 1..whole.len() {
            let (mut ending, mut window, mut given) = (Ending::new(SOME), Vec::new(), Vec::new());
            let mut ended = false;
            for chunk in whole.chunks(step) {
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
            assert_eq!(given, body, "step {step}");
        }
    }

    #[test]
    fn neither_a_footer_that_does_not_fit_nor_a_bare_mark_is_an_end() {
        for before in [&b"REDIS0011...................."[..], b"REDIS0011\xff\x01\0\0\0\0\0\0\0"] {
            let window = [before, &SOME].concat();
            let mut ending = Ending::new(SOME);
            assert_eq!(ending.scan(&window), Found::Body(window.len().saturating_sub(HELD)));
            assert!(ending.is_at_end_of(&window));
        }
        let unsummed = [&b"REDIS0011\xff\0\0\0\0\0\0\0\0"[..], &SOME].concat();
        assert_eq!(Ending::new(SOME).scan(&unsummed), Found::End(18));
    }

    proptest! {
        #[test]
        fn the_mark_is_found_where_a_plain_search_finds_it(
            letters in prop::collection::vec(0u8..3, 40),
            hay in prop::collection::vec(0u8..3, 0..300),
            place in 0usize..300,
        ) {
            let mut mark = [0; MARK];
            mark.copy_from_slice(&letters);
            let mut hay = hay;
            let place = place.min(hay.len());
            hay.splice(place..place, mark);
            let ending = Ending::new(mark);
            let plain = hay.windows(MARK).position(|window| window == mark);
            prop_assert_eq!(ending.find(&hay, 0), plain);
            let from = plain.unwrap() + 1;
            let next = hay[from..].windows(MARK).position(|window| window == mark);
            prop_assert_eq!(ending.find(&hay, from), next.map(|at| at + from));
        }
    }
}
