//! Text under construction, and how bytes become JSON.

use super::escape::{SLACK, escape};
use crate::rdb::StreamId;
use crate::rdb::encoding::Scalar;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Input bytes that are escaped at one go: the room for their longest form is made beforehand.
pub(super) const BLOCK: usize = 4096;
/// Bytes of input of one go of base64: whole groups, so that no padding comes in between.
pub(super) const BASE64_BLOCK: usize = 3 << 12;

/// Bytes that were written, in a buffer that is always initialised: no write has to zero it first.
pub(super) struct Text {
    bytes: Vec<u8>,
    end: usize,
}

impl Text {
    pub(super) fn new() -> Text {
        Text { bytes: Vec::new(), end: 0 }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.end
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    /// Forgets all from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.end = self.end.min(len);
    }

    /// A pen at the end.
    #[inline(always)]
    pub(super) fn pen(&mut self) -> Pen<'_> {
        let end = self.end;
        Pen { text: self, end }
    }

    pub(super) fn push(&mut self, byte: u8) {
        let mut pen = self.pen();
        pen.push(byte);
        pen.done();
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        let mut pen = self.pen();
        pen.put(bytes);
        pen.done();
    }

    pub(super) fn signed(&mut self, n: i64) {
        let mut pen = self.pen();
        pen.signed(n);
        pen.done();
    }

    pub(super) fn unsigned(&mut self, n: u64) {
        let mut pen = self.pen();
        pen.unsigned(n);
        pen.done();
    }

    pub(super) fn id(&mut self, id: StreamId) {
        let mut pen = self.pen();
        pen.id(id);
        pen.done();
    }

    pub(super) fn scalar(&mut self, scalar: Scalar<'_>) {
        let mut pen = self.pen();
        pen.scalar(scalar);
        pen.done();
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        self.scalar(Scalar::Bytes(bytes));
    }

    /// At least `n` bytes from `end` on, which is the end or what will be.
    #[inline(always)]
    fn room(&mut self, end: usize, n: usize) -> &mut [u8] {
        if self.bytes.len() - end < n {
            self.grow(end, n);
        }
        self.bytes.get_mut(end..).unwrap_or_default()
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, end: usize, n: usize) {
        self.bytes.resize((self.bytes.len() * 2).max(end + n), 0);
    }

    /// A string of which so many bytes are plain and stand behind the quote at `start` already;
    /// the new end.
    #[inline(never)]
    fn string_from(&mut self, start: usize, bytes: &[u8], plain: usize) -> usize {
        self.end = start + 1 + plain;
        let mut rest = bytes.get(plain..).unwrap_or_default();
        let mut ascii = true;
        while !rest.is_empty() {
            let block = rest.get(..BLOCK).unwrap_or(rest);
            if ascii && !block.is_ascii() {
                if std::str::from_utf8(rest).is_err() {
                    self.end = start;
                    self.base64(bytes);
                    return self.end;
                }
                ascii = false;
            }
            self.escaped(block);
            rest = rest.get(block.len()..).unwrap_or_default();
        }
        self.push(b'"');
        self.end
    }

    /// A part of a string in quotes, of at most [`BLOCK`] bytes.
    pub(super) fn escaped(&mut self, block: &[u8]) {
        let room = self.room(self.end, block.len() * 6 + SLACK);
        self.end += escape(block, room);
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.put(b"{\"b64\":\"");
        self.base64_digits(bytes);
        self.put(b"\"}");
    }

    pub(super) fn base64_digits(&mut self, bytes: &[u8]) {
        let room = self.room(self.end, bytes.len().div_ceil(3) * 4);
        // It fails only where there is less room than just made.
        self.end += STANDARD.encode_slice(bytes, room).unwrap_or_default();
    }
}

/// Writes several things in a row. It keeps the end to itself until [`done`](Pen::done): stored and
/// loaded again for every comma, the end would be what all the writing waits for.
pub(super) struct Pen<'t> {
    text: &'t mut Text,
    end: usize,
}

impl Pen<'_> {
    /// Gives back the new end.
    #[inline(always)]
    pub(super) fn done(self) {
        self.text.end = self.end;
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.end
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(to) = self.text.room(self.end, 1).first_mut() {
            *to = byte;
            self.end += 1;
        }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if let Some(to) = self.text.room(self.end, bytes.len()).get_mut(..bytes.len()) {
            copy(bytes, to);
            self.end += bytes.len();
        }
    }

    /// The first `len` bytes: a copy of known size needs no call.
    #[inline(always)]
    pub(super) fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        if let Some(to) = self.text.room(self.end, N).first_chunk_mut() {
            *to = *bytes;
            self.end += len;
        }
    }

    #[inline(always)]
    pub(super) fn signed(&mut self, n: i64) {
        if n < 0 {
            self.push(b'-');
        }
        self.unsigned(n.unsigned_abs());
    }

    #[inline(always)]
    pub(super) fn unsigned(&mut self, n: u64) {
        const PAIRS: [[u8; 2]; 100] = pairs();
        let mut len = n.checked_ilog10().unwrap_or_default() as usize + 1;
        let Some(to) = self.text.room(self.end, len).get_mut(..len) else { return };
        self.end += len;
        let mut rest = n;
        while let Some(at) = len.checked_sub(2) {
            let pair = usize::try_from(rest % 100).ok().and_then(|two| PAIRS.get(two));
            if let (Some(to), Some(pair)) = (to.get_mut(at..len), pair) {
                to.copy_from_slice(pair);
            }
            (rest, len) = (rest / 100, at);
        }
        if let (1, Some(to), Ok(one)) = (len, to.first_mut(), u8::try_from(rest)) {
            *to = b'0' + one;
        }
    }

    /// A number of thousandths that is no whole number, without zeros at the end.
    #[inline(always)]
    pub(super) fn thousandths(&mut self, n: i64) {
        if n < 0 {
            self.push(b'-');
        }
        let n = n.unsigned_abs();
        self.unsigned(n / 1000);
        let digits = [n / 100 % 10, n / 10 % 10, n % 10];
        let [a, b, c] = digits.map(|digit| b'0' + u8::try_from(digit).unwrap_or_default());
        let len = if c != b'0' { 4 } else { 2 + usize::from(b != b'0') };
        self.put_first(&[b'.', a, b, c], len);
    }

    /// A stream ID, quoted.
    #[inline(always)]
    pub(super) fn id(&mut self, id: StreamId) {
        self.push(b'"');
        self.unsigned(id.ms);
        self.push(b'-');
        self.unsigned(id.seq);
        self.push(b'"');
    }

    #[inline(always)]
    pub(super) fn scalar(&mut self, scalar: Scalar<'_>) {
        match scalar {
            Scalar::Bytes(bytes) => self.string(bytes),
            Scalar::Int(n) => {
                self.push(b'"');
                self.signed(n);
                self.push(b'"');
            }
        }
    }

    /// A byte string: in quotes where it is UTF-8, else as base64.
    #[inline(always)]
    pub(super) fn string(&mut self, bytes: &[u8]) {
        let room = self.text.room(self.end, bytes.len() + 2);
        let Some((quote, to)) = room.split_first_mut() else { return };
        *quote = b'"';
        let plain = copy_plain(bytes, to);
        if plain == bytes.len()
            && let Some(quote) = to.get_mut(plain)
        {
            *quote = b'"';
            self.end += plain + 2;
        } else {
            self.end = self.text.string_from(self.end, bytes, plain);
        }
    }
}

/// The numbers to 99 in two digits.
const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut rest: &mut [[u8; 2]] = &mut pairs;
    let mut n = 0;
    while let Some((pair, more)) = rest.split_first_mut() {
        *pair = [b'0' + n / 10, b'0' + n % 10];
        rest = more;
        n += 1;
    }
    pairs
}

/// Copies to as many bytes, without a call where they are few.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    let copied = match from.len() {
        0..4 => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
            return;
        }
        4..8 => ends::<4>(from, to).is_some(),
        8..=16 => ends::<8>(from, to).is_some(),
        17..=32 => ends::<16>(from, to).is_some(),
        _ => false,
    };
    if !copied {
        to.copy_from_slice(from);
    }
}

/// Copies the first and the last N bytes, which may overlap.
#[inline(always)]
fn ends<const N: usize>(from: &[u8], to: &mut [u8]) -> Option<([u8; N], [u8; N])> {
    let (first, last) = (*from.first_chunk::<N>()?, *from.last_chunk::<N>()?);
    *to.first_chunk_mut()? = first;
    *to.last_chunk_mut()? = last;
    Some((first, last))
}

/// Copies bytes as long as JSON wants them as they are and they are ASCII; how many that were.
/// Looks at steps of several bytes, so it may stop some bytes before the first that is not.
#[inline(always)]
fn copy_plain(from: &[u8], to: &mut [u8]) -> usize {
    let n = from.len();
    let Some(to) = to.get_mut(..n) else { return 0 };
    let plain = match n {
        0..4 => {
            let mut plain = true;
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
                plain &= is_plain([*from]);
            }
            plain
        }
        4..8 => plain_ends::<4>(from, to),
        8..=16 => plain_ends::<8>(from, to),
        17..=32 => plain_ends::<16>(from, to),
        _ => return copy_plain_long(from, to),
    };
    if plain { n } else { 0 }
}

#[inline(always)]
fn plain_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    match ends::<N>(from, to) {
        Some((first, last)) => is_plain(first) & is_plain(last),
        None => false,
    }
}

#[inline(never)]
fn copy_plain_long(from: &[u8], to: &mut [u8]) -> usize {
    let (steps, _) = from.as_chunks::<32>();
    let (places, _) = to.as_chunks_mut::<32>();
    let mut done = 0;
    for (step, place) in steps.iter().zip(places) {
        *place = *step;
        if !is_plain(*step) {
            return done;
        }
        done += 32;
    }
    match ends::<32>(from, to) {
        Some((_, last)) if is_plain(last) => from.len(),
        _ => done,
    }
}

/// Whether none of the bytes is a control, a quote, a backslash or beyond ASCII.
#[inline(always)]
fn is_plain<const N: usize>(bytes: [u8; N]) -> bool {
    // As signed numbers, bytes beyond ASCII are below the controls: one comparison for both.
    let odd = |byte: u8| {
        u8::from(byte.cast_signed() < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
    };
    bytes.iter().fold(0, |any, &byte| any | odd(byte)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(bytes: &[u8]) -> String {
        let mut text = Text::new();
        text.string(bytes);
        String::from_utf8(text.bytes().to_vec()).unwrap()
    }

    fn expected(bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => serde_json::to_string(text).unwrap(),
            Err(_) => format!("{{\"b64\":\"{}\"}}", STANDARD.encode(bytes)),
        }
    }

    #[test]
    fn any_byte_at_any_place_of_any_length_is_written_as_serde_json_does() {
        for len in (0..140usize).chain([4095, 4096, 4097, 9000]) {
            for byte in 0..=255 {
                let places = [0, 1, len / 2, len.saturating_sub(9), len.saturating_sub(1)];
                for at in places.into_iter().filter(|at| *at < len) {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = byte;
                    assert_eq!(written(&bytes), expected(&bytes), "{byte} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_character_across_two_blocks_stays_whole_and_a_bad_byte_far_behind_is_seen() {
        let mut bytes = "x".repeat(BLOCK - 1).into_bytes();
        bytes.extend("€\"".repeat(3000).bytes());
        assert_eq!(written(&bytes), expected(&bytes));
        bytes.push(0xff);
        assert_eq!(written(&bytes), expected(&bytes));
    }

    #[test]
    fn numbers_of_every_length_are_printed_like_rust_prints_them() {
        let tens = (0..20).map(|power| 10u64.pow(power));
        let numbers = tens.flat_map(|ten| [ten - 1, ten, ten + 1, ten.saturating_mul(7)]);
        for n in numbers.chain([u64::MAX, u64::MAX - 1, 1 << 63]) {
            let mut text = Text::new();
            text.unsigned(n);
            text.push(b' ');
            text.signed(n.cast_signed());
            assert_eq!(text.bytes(), format!("{n} {}", n.cast_signed()).as_bytes());
        }
    }

    proptest! {
        #[test]
        fn text_is_written_as_serde_json_does(text in "\\PC{0,80}|[\"\\\\\n\t\x00-\x1f a-z]{0,300}") {
            prop_assert_eq!(written(text.as_bytes()), expected(text.as_bytes()));
        }

        #[test]
        fn bytes_that_are_no_text_are_written_as_base64(bytes: Vec<u8>) {
            prop_assert_eq!(written(&bytes), expected(&bytes));
        }
    }
}
