//! LZF, the compression of strings inside RDB files (liblzf's format).
//!
//! A stream is a row of tokens, and each begins with a byte that says which kind it is:
//!
//! ```text
//! 000nnnnn                     the n + 1 bytes that follow, as they are (1 to 32)
//! nnnooooo oooooooo            n + 2 bytes (3 to 8) from o + 1 bytes back, n being 1 to 6
//! 111ooooo nnnnnnnn oooooooo   n + 9 bytes (9 to 264) from o + 1 bytes back
//! ```
//!
//! A copy may reach into what it is writing: one byte back repeats that byte. The stream does not
//! know its own length; RDB stores it in front. Three bytes give 264 at most, so a claim of more
//! than 88 times the input is refused at sight.
//!
//! ```
//! use redkeep::wire::lzf;
//! let text = b"abcabcabcabcabcabcabcabcabc";
//! let (mut packed, mut inflated) = (Vec::new(), Vec::new());
//! let packed = lzf::Compressor::new().compress(text, &mut packed).unwrap();
//! assert_eq!(packed, b"\x02abc\xe0\x0f\x02");
//! assert_eq!(lzf::decompress(packed, 27, 1 << 20, &mut inflated), Ok(&text[..]));
//! ```

use std::{fmt, ops::Range};

use crate::error::Fault;

/// Room behind the place of writing: the longest token, and what copies of 32 bytes overshoot it.
const SLACK: usize = 320;

/// Inflates `packed` to exactly `len` bytes, which must not be more than `limit`.
///
/// `out` is scratch space: what it held is lost, what it holds afterwards beyond the returned
/// bytes means nothing, and reusing it from call to call saves clearing and growing it. It grows
/// with what really comes out and never because of what `len` claims.
///
/// ```
/// use redkeep::{Fault, wire::lzf};
/// let mut out = Vec::new();
/// assert_eq!(lzf::decompress(b"\x01hi", 2, 100, &mut out), Ok(&b"hi"[..]));
/// assert_eq!(lzf::decompress(b"\x00h\x00i", 2, 100, &mut out), Ok(&b"hi"[..]));
/// assert_eq!(lzf::decompress(b"\x01hi", 3, 100, &mut out), Err(Fault::LzfData));
/// assert_eq!(lzf::decompress(b"\x01hi", 1000, 100, &mut out), Err(Fault::LzfLength));
/// ```
///
/// # Errors
///
/// [`Fault::LzfLength`] if so many bytes cannot come from so few, [`Fault::Inflated`] if `len` is
/// over the limit or memory is short, [`Fault::LzfData`] if `packed` is not LZF of `len` bytes.
pub fn decompress<'o>(
    packed: &[u8],
    len: u64,
    limit: u64,
    out: &'o mut Vec<u8>,
) -> Result<&'o [u8], Fault> {
    if len > (packed.len() as u64).saturating_mul(88) {
        return Err(Fault::LzfLength);
    }
    if len > limit {
        return Err(Fault::Inflated);
    }
    let len = usize::try_from(len).map_err(|_| Fault::Inflated)?;
    let full = len.checked_add(SLACK).ok_or(Fault::Inflated)?;
    let mut room = full.min(out.len().max(packed.len() + SLACK));
    let (mut src, mut at) = (packed, 0);
    loop {
        if out.len() < room {
            grow(out, room)?;
        }
        let out = out.get_mut(..room).unwrap_or_default();
        (src, at) = run(src, at, out).ok_or(Fault::LzfData)?;
        if src.is_empty() || room == full {
            break;
        }
        room = full.min(room.saturating_mul(2));
    }
    // A stream that says too much has stopped early, or ended in the slack.
    out.get(..len).filter(|_| src.is_empty() && at == len).ok_or(Fault::LzfData)
}

#[cold]
#[inline(never)]
fn grow(out: &mut Vec<u8>, room: usize) -> Result<(), Fault> {
    out.try_reserve_exact(room - out.len()).map_err(|_| Fault::Inflated)?;
    out.resize(room, 0);
    Ok(())
}

/// Goes on until the input ends or the next token might not fit, and says how far both came;
/// `None` if it is not LZF.
///
/// The one check for room stands before a token. Behind it, copies go in blocks of fixed size and
/// write more than is due: the next token overwrites the rest.
#[inline(always)]
fn run<'p>(mut src: &'p [u8], mut at: usize, out: &mut [u8]) -> Option<(&'p [u8], usize)> {
    while let Some((done, todo)) = out.split_at_mut_checked(at) {
        let Some(todo) = todo.first_chunk_mut::<SLACK>() else { break };
        let Some((&head, rest)) = src.split_first() else { break };
        let head = usize::from(head);
        if head < 32 {
            let n = head + 1;
            if let Some(block) = rest.first_chunk::<32>() {
                *todo.first_chunk_mut()? = *block;
                src = rest.get(n..)?;
            } else {
                src = literal_near_end(rest, n, todo)?;
            }
            at += n;
            continue;
        }
        let mut n = (head >> 5) + 2;
        let mut low;
        (low, src) = rest.split_first()?;
        if n == 9 {
            n += usize::from(*low);
            (low, src) = src.split_first()?;
        }
        let back = ((head & 31) << 8 | usize::from(*low)) + 1;
        let behind = done.get(at.checked_sub(back)?..)?;
        if let Some(block) = behind.first_chunk::<32>() {
            *todo.first_chunk_mut()? = *block;
            let mut to = 32;
            while to < n {
                copy::<32>(out, at + to, back)?;
                to += 32;
            }
        } else {
            repeat(out, at, n, back)?;
        }
        at += n;
    }
    Some((src, at))
}

#[inline(always)]
fn literal_near_end<'p>(src: &'p [u8], n: usize, todo: &mut [u8; SLACK]) -> Option<&'p [u8]> {
    let (literal, rest) = src.split_at_checked(n)?;
    match src.first_chunk::<8>() {
        Some(block) if n <= 8 => *todo.first_chunk_mut()? = *block,
        _ => todo.get_mut(..n)?.copy_from_slice(literal),
    }
    Some(rest)
}

/// A short distance is a period: it is doubled until eight bytes can go at once.
#[inline(always)]
fn repeat(out: &mut [u8], at: usize, n: usize, mut back: usize) -> Option<()> {
    let (mut to, end) = (at, at + n);
    while back < 8 {
        // Eight bytes of which the first `back` are right; the next round mends the others.
        let block: [u8; 8] = *out.get(to.checked_sub(back)?..)?.first_chunk()?;
        *out.get_mut(to..)?.first_chunk_mut()? = block;
        to += back;
        back += back;
    }
    while to < end {
        copy::<8>(out, to, back)?;
        to += 8;
    }
    Some(())
}

/// `N` bytes from `back` behind `to`, `back` being `N` at least.
#[inline(always)]
fn copy<const N: usize>(out: &mut [u8], to: usize, back: usize) -> Option<()> {
    let (done, todo) = out.split_at_mut_checked(to)?;
    let block: &[u8; N] = done.get(done.len().checked_sub(back)?..)?.first_chunk()?;
    *todo.first_chunk_mut()? = *block;
    Some(())
}

/// How far back a token can point.
const WINDOW: u32 = 1 << 13;
/// Slots of the hash table: with more, ratios hardly get better.
const SLOTS: usize = 1 << 14;
/// Bytes of a short string at most. Its copies begin at four bytes: one of three mostly saves
/// nothing, as the literals behind it need a new head, and costs as much time as any other.
const SHORT: usize = 512;
/// The slots that short strings use: a part of the table that fits the nearest cache.
const FEW_SLOTS: usize = 1 << 11;

/// Packs strings as servers do, keeping its table of 128 KiB from one to the next.
///
/// The output depends on nothing but the input, and every liblzf can read it. It need not be the
/// very bytes a server would write.
///
/// ```
/// let mut compressor = redkeep::wire::lzf::Compressor::new();
/// let mut out = Vec::new();
/// assert!(compressor.compress(&[b'a'; 100], &mut out).is_some_and(|packed| packed.len() < 10));
/// assert_eq!(compressor.compress(b"nothing to save", &mut out), None);
/// ```
#[derive(Clone, Default)]
pub struct Compressor {
    /// What was last seen of a hash: its bytes in the upper half, and below where that was, as
    /// `base` of that call and the place in its input.
    slots: Vec<u64>,
    /// More than a window beyond everything in the table, so that no old entry is ever in reach.
    base: u32,
}

impl Compressor {
    /// A compressor whose table is made when first needed.
    #[must_use]
    pub const fn new() -> Self {
        Compressor { slots: Vec::new(), base: 0 }
    }

    /// Packs `raw` into the scratch space `out`, or gives `None` if that would not save at least
    /// four bytes: the servers' measure for storing a string as it is. So is one of nearly 4 GiB
    /// and more, which their LZF cannot count.
    pub fn compress<'o>(&mut self, raw: &[u8], out: &'o mut Vec<u8>) -> Option<&'o [u8]> {
        let most = raw.len().checked_sub(4)?;
        let span = u32::try_from(raw.len()).ok()?.checked_add(WINDOW)?;
        if self.slots.is_empty() || self.base.checked_add(span).is_none() {
            self.slots.clear();
            self.slots.resize(SLOTS, 0);
            self.base = WINDOW + 1;
        }
        let next = self.base.checked_add(span)?;
        let base = std::mem::replace(&mut self.base, next);
        out.resize(out.len().max(raw.len() + SLACK), 0);
        let room = out.get_mut(..raw.len() + SLACK)?;
        let n = if raw.len() <= SHORT {
            let slots = self.slots.first_chunk_mut()?;
            pack(raw, most, Table::<FEW_SLOTS, 4> { slots, base }, room)?
        } else {
            let slots = self.slots.first_chunk_mut()?;
            pack(raw, most, Table::<SLOTS, 3> { slots, base }, room)?
        };
        out.get(..n)
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

/// The length of the output, or `None` if that is more than `most`.
fn pack<const N: usize, const LEAST: u32>(
    raw: &[u8],
    most: usize,
    mut table: Table<'_, N, LEAST>,
    out: &mut [u8],
) -> Option<usize> {
    let tail = tail(raw)?;
    let (mut start, mut at) = (0, 0);
    loop {
        // Behind so many literals even a copy of all the rest, two bytes, comes too late.
        let end = raw.len().min(start + most.checked_sub(at)? + 2);
        let Some((mut here, back)) = table.find(raw, start, end) else { break };
        // Places passed by may belong to the copy; all of it that is known must fit one token.
        let first = start.max(back).max(here.saturating_sub(128));
        while here > first && raw.get(here - 1) == raw.get(here - back - 1) {
            here -= 1;
        }
        at = write_literals(raw, &tail, start..here, out, at)?;
        let n = 3 + common(raw.get(here - back + 3..)?, raw.get(here + 3..)?);
        at = write_copy(out, at, back, n)?;
        start = here + n;
        for place in [start - 2, start - 1] {
            if let Some(four) = raw.get(place..)?.first_chunk() {
                table.note(*four, place);
            }
        }
    }
    let rest = raw.len() - start;
    if at + rest + rest.div_ceil(32) > most {
        return None;
    }
    write_literals(raw, &tail, start..raw.len(), out, at)
}

/// Where runs of `LEAST` bytes, three or four, were last seen.
struct Table<'t, const N: usize, const LEAST: u32> {
    slots: &'t mut [u64; N],
    base: u32,
}

impl<const N: usize, const LEAST: u32> Table<'_, N, LEAST> {
    /// The next place whose bytes were seen in reach, from `start` on, and how far back that was.
    #[inline(always)]
    fn find(&mut self, raw: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
        let mut seen =
            |(here, four): (usize, &[u8])| Some((here, self.note(*four.first_chunk()?, here)?));
        let near = raw.get(start..end.min(start + 64 + 3))?.windows(4);
        let near = (start..).zip(near).find_map(&mut seen);
        if near.is_some() {
            return near;
        }
        // The longer nothing was found, the fewer places are tried.
        let (mut from, mut step) = (start + 64, 2);
        while from < end {
            let far = raw.get(from..end.min(from + 64 + 3))?.windows(4).step_by(step);
            let far = (from..).step_by(step).zip(far).find_map(&mut seen);
            if far.is_some() {
                return far;
            }
            from += 64;
            step = 16.min(step + 1);
        }
        None
    }

    /// Notes a place, and says how far back the same bytes were seen last if a token reaches there.
    #[inline(always)]
    fn note(&mut self, four: [u8; 4], here: usize) -> Option<usize> {
        let bytes = u32::from_le_bytes(four) << (32 - 8 * LEAST);
        let hash = bytes.wrapping_mul(0x9E37_79B1) >> (32 - N.ilog2());
        let entry = u64::from(bytes) << 32 | (u64::from(self.base) + here as u64);
        let old = std::mem::replace(self.slots.get_mut(hash as usize)?, entry);
        // Of other bytes the upper halves differ, which makes it more than any window.
        let back = entry.wrapping_sub(old);
        usize::try_from(back).ok().filter(|_| back <= u64::from(WINDOW))
    }
}

/// How many bytes are the same behind the first three, up to the longest token.
#[inline(always)]
fn common(old: &[u8], new: &[u8]) -> usize {
    let new = new.get(..264 - 3).unwrap_or(new);
    let mut same = 0;
    let ends = old.iter().zip(new);
    for (a, b) in old.as_chunks::<8>().0.iter().zip(new.as_chunks::<8>().0) {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return same + differ.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    ends.skip(same).take_while(|(a, b)| a == b).fold(same, |same, _| same + 1)
}

#[inline(always)]
fn write_copy(out: &mut [u8], at: usize, back: usize, n: usize) -> Option<usize> {
    let todo: &mut [u8; 3] = out.get_mut(at..)?.first_chunk_mut()?;
    let [low, high, ..] = (back - 1).to_le_bytes();
    if n < 9 {
        let [n, ..] = (n - 2).to_le_bytes();
        (todo[0], todo[1]) = (n << 5 | high, low);
        Some(at + 2)
    } else {
        let [n, ..] = (n - 9).to_le_bytes();
        *todo = [7 << 5 | high, n, low];
        Some(at + 3)
    }
}

/// The last 32 bytes, with zeros in front if there are fewer, and 32 zeros behind them.
#[inline(always)]
fn tail(raw: &[u8]) -> Option<[u8; 64]> {
    let mut tail = [0; 64];
    match raw.last_chunk::<32>() {
        Some(last) => *tail.first_chunk_mut()? = *last,
        None => tail.get_mut(32 - raw.len()..32)?.copy_from_slice(raw),
    }
    Some(tail)
}

/// Copies 32 bytes whatever is due, the last of them out of the tail.
#[inline(always)]
fn write_literals(
    raw: &[u8],
    tail: &[u8; 64],
    span: Range<usize>,
    out: &mut [u8],
    mut at: usize,
) -> Option<usize> {
    let Range { mut start, end } = span;
    while start < end {
        let n = (end - start).min(32);
        let src = raw.get(start..)?;
        let (head, todo) = out.get_mut(at..)?.split_first_mut()?;
        [*head, ..] = (n - 1).to_le_bytes();
        *todo.first_chunk_mut::<32>()? = match src.first_chunk() {
            Some(block) => *block,
            None => *tail.get(32 - src.len()..)?.first_chunk()?,
        };
        at += n + 1;
        start += n;
    }
    Some(at)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the numbers here are small")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The format, byte by byte.
    fn slowly(packed: &[u8]) -> Option<Vec<u8>> {
        let (mut src, mut out) = (packed.iter().map(|byte| usize::from(*byte)), Vec::new());
        while let Some(head) = src.next() {
            if head < 32 {
                for _ in 0..=head {
                    out.push(src.next()? as u8);
                }
                continue;
            }
            let more = if head >> 5 == 7 { src.next()? } else { 0 };
            let back = ((head & 31) << 8 | src.next()?) + 1;
            for _ in 0..(head >> 5) + more + 2 {
                out.push(out[out.len().checked_sub(back)?]);
            }
        }
        Some(out)
    }

    /// A small generator with a fixed seed: numbers below `n`.
    fn dice(mut x: u64) -> impl FnMut(usize) -> usize {
        move |n| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) as usize % n
        }
    }

    fn inflated(packed: &[u8], len: usize) -> Result<Vec<u8>, Fault> {
        decompress(packed, len as u64, 1 << 20, &mut Vec::new()).map(<[u8]>::to_vec)
    }

    /// A stream of some tokens and what it inflates to, all distances and lengths being likely.
    fn stream(roll: &mut impl FnMut(usize) -> usize, packed: &mut Vec<u8>) -> usize {
        let mut len = 0;
        packed.clear();
        for _ in 0..=roll(12) {
            if len == 0 || roll(3) == 0 {
                let n = 1 + roll(32);
                packed.push(n as u8 - 1);
                packed.extend((0..n).map(|_| roll(256) as u8));
                len += n;
                continue;
            }
            let (reach, n) = ([8, 40, 8192][roll(3)], 1 + roll(7));
            let back = roll(reach.min(len));
            let more = if n == 7 { roll(256) } else { 0 };
            packed.push((n << 5 | back >> 8) as u8);
            packed.extend((n == 7).then_some(more as u8));
            packed.push(back as u8);
            len += n + more + 2;
        }
        len
    }

    #[test]
    fn whole_and_damaged_streams_inflate_as_a_byte_by_byte_decoder_does() {
        let mut roll = dice(1);
        let (mut packed, mut out, mut good) = (Vec::new(), Vec::new(), 0);
        for round in 0..200_000 {
            let mut len = stream(&mut roll, &mut packed);
            if roll(3) == 0 {
                let at = roll(packed.len());
                packed[at] = roll(256) as u8;
            }
            if roll(8) == 0 {
                packed.truncate(roll(packed.len() + 1));
            }
            if roll(8) == 0 {
                len = (len + roll(80)).saturating_sub(40);
            }
            let want = slowly(&packed).filter(|out| out.len() == len);
            let fault = if len > packed.len() * 88 { Fault::LzfLength } else { Fault::LzfData };
            good += usize::from(want.is_some());
            // Both into a buffer that is big enough already and into one that has to grow.
            out.truncate(if round % 16 == 0 { 0 } else { out.len() });
            let got = decompress(&packed, len as u64, 1 << 20, &mut out);
            assert_eq!(got, want.as_deref().ok_or(fault), "{packed:x?} as {len} bytes");
        }
        assert!((80_000..160_000).contains(&good));
    }

    #[test]
    fn a_length_one_off_and_a_stream_cut_inside_a_token_are_refused() {
        let packed = b"\x02abc\xe0\x0f\x02";
        for end in 0..=packed.len() {
            for len in 0..=30 {
                let right = [(0, 0), (4, 3), (7, 27)].contains(&(end, len));
                assert_eq!(inflated(&packed[..end], len).is_ok(), right, "{end} as {len} bytes");
            }
        }
    }

    #[test]
    fn a_reference_before_the_start_is_refused() {
        assert_eq!(inflated(b"\x20\x00", 3), Err(Fault::LzfData));
        assert_eq!(inflated(b"\x00a\x20\x01", 4), Err(Fault::LzfData));
        assert_eq!(inflated(b"\x00a\x20\x00", 4), Ok(b"aaaa".to_vec()));
    }

    #[test]
    fn what_a_claim_may_cost_depends_on_the_bytes_that_came() {
        let mut out = Vec::new();
        let garbage = [b"\x00".as_slice(), &[0x80; 1 << 20]].concat();
        let claim = garbage.len() as u64 * 88;
        assert_eq!(decompress(&garbage, claim, u64::MAX, &mut out), Err(Fault::LzfData));
        assert!(out.capacity() < 2 * garbage.len());
        assert_eq!(decompress(b"\x00a", 88, 87, &mut out), Err(Fault::Inflated));

        // Where it is true, the space for it comes in steps.
        let packed = [b"\0\0".as_slice(), &[0xe0, 0xff, 0].repeat(20_000)].concat();
        let (len, mut out) = (20_000 * 264 + 1, Vec::new());
        let zeros = decompress(&packed, len, u64::MAX, &mut out).unwrap();
        assert!(zeros.len() as u64 == len && zeros.iter().all(|byte| *byte == 0));
        assert_eq!(out.len() as u64, len + SLACK as u64);
    }

    #[test]
    fn packing_does_not_depend_on_what_was_packed_before() {
        let mut roll = dice(7);
        let (mut used, mut out, mut fresh) = (Compressor::new(), Vec::new(), Vec::new());
        for round in 0..300 {
            used.base = if round % 50 == 49 { u32::MAX - 20_000 } else { used.base };
            let (kinds, most) = (1 + roll(30), [SHORT, 20_000][round % 2]);
            let raw: Vec<u8> = (0..roll(most)).map(|_| roll(kinds) as u8).collect();
            let got = used.compress(&raw, &mut out);
            assert_eq!(got, Compressor::new().compress(&raw, &mut fresh));
            got.into_iter().for_each(|packed| assert_eq!(slowly(packed).as_ref(), Some(&raw)));
        }
    }

    #[test]
    fn noise_that_repeats_is_packed_wherever_the_repetition_is_noticed() {
        let mut roll = dice(5);
        let (mut compressor, mut out, mut packed) = (Compressor::new(), Vec::new(), 0);
        for round in 0..2_000 {
            let most = [60, SHORT, 9_000][round % 3];
            let mut raw: Vec<u8> = (0..1 + roll(most)).map(|_| roll(256) as u8).collect();
            while raw.len() < most {
                let (start, n) = (roll(raw.len()), 1 + roll(most));
                raw.extend_from_within(start..raw.len().min(start + n));
                raw.extend((0..roll(80)).map(|_| roll(256) as u8));
            }
            if let Some(short) = compressor.compress(&raw, &mut out) {
                assert!(short.len() + 4 <= raw.len());
                assert_eq!(slowly(short), Some(raw));
                packed += 1;
            }
        }
        assert!(packed > 1_000, "{packed}");
    }

    #[test]
    fn a_string_is_packed_only_if_four_bytes_are_saved() {
        let (mut compressor, mut out) = (Compressor::new(), Vec::new());
        assert_eq!(compressor.compress(b"aaaaaaaa", &mut out), Some(&b"\x00a\xa0\x00"[..]));
        for n in 0..8 {
            assert_eq!(compressor.compress(&b"aaaaaaaa"[..n], &mut out), None);
        }
    }

    #[test]
    fn text_behind_a_long_stretch_of_noise_is_still_packed() {
        let mut roll = dice(3);
        let mut raw: Vec<u8> = (0..300_000).map(|_| roll(256) as u8).collect();
        raw.extend((0..10_000).flat_map(|i| format!("{{\"id\":{i},\"name\":\"x\"}}").into_bytes()));
        let mut out = Vec::new();
        let packed = Compressor::new().compress(&raw, &mut out).unwrap();
        assert!(packed.len() < 300_000 * 33 / 32 + 100_000, "{}", packed.len());
    }

    /// Bytes in which something repeats.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), 1usize..30), 0..12)
            .prop_map(|parts| parts.into_iter().flat_map(|(part, n)| part.repeat(n)).collect())
    }

    proptest! {
        #[test]
        fn what_is_packed_inflates_to_itself_here_and_in_the_lzf_crate(raw in text()) {
            let mut out = Vec::new();
            if let Some(packed) = Compressor::new().compress(&raw, &mut out) {
                prop_assert_eq!(inflated(packed, raw.len()), Ok(raw.clone()));
                prop_assert_eq!(lzf::decompress(packed, raw.len()), Ok(raw));
            }
        }

        #[test]
        fn any_bytes_are_refused_or_inflate_as_in_the_lzf_crate(
            packed in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..4, Just(0x20)], 1..60),
            len in 0usize..500,
        ) {
            let _ = inflated(&packed, len);
            if let Ok(theirs) = lzf::decompress(&packed, 4096) {
                prop_assert_eq!(inflated(&packed, theirs.len()), Ok(theirs));
            }
        }
    }
}
