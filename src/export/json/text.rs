//! Text under construction, and how bytes become JSON.

use crate::rdb::StreamId;
use crate::rdb::encoding::Scalar;
use crate::wire::number::Digits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Input bytes that are escaped at one go: the room for their longest form is made beforehand.
pub(super) const BLOCK: usize = 4096;
/// Bytes of input of one go of base64: whole groups, so that no padding comes in between.
pub(super) const BASE64_BLOCK: usize = 3 << 12;

/// Bytes that were written, in a buffer that is always initialised: there is no zeroing, and no
/// check of capacity, for each of the many short writes of one element.
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

    /// At least `n` bytes behind the end.
    #[inline(always)]
    fn room(&mut self, n: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < n {
            self.grow(n);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, n: usize) {
        self.bytes.resize((self.bytes.len() * 2).max(self.end + n), 0);
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(to) = self.room(1).first_mut() {
            *to = byte;
            self.end += 1;
        }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if let Some(to) = self.room(bytes.len()).get_mut(..bytes.len()) {
            copy(bytes, to);
            self.end += bytes.len();
        }
    }

    #[inline(always)]
    pub(super) fn signed(&mut self, n: i64) {
        self.put(Digits::new().format(n));
    }

    pub(super) fn unsigned(&mut self, n: u64) {
        match i64::try_from(n) {
            Ok(n) => self.signed(n),
            // Of the two digits more that it may have, the last is cut off to fit.
            Err(_) => {
                self.put(Digits::new().format((n / 10).cast_signed()));
                self.put(Digits::new().format((n % 10).cast_signed()));
            }
        }
    }

    /// A stream ID, quoted.
    pub(super) fn id(&mut self, id: StreamId) {
        self.push(b'"');
        self.unsigned(id.ms);
        self.push(b'-');
        self.unsigned(id.seq);
        self.push(b'"');
    }

    /// A double as text in quotes: JSON's numbers have neither infinities nor a safe minus zero.
    pub(super) fn double(&mut self, value: f64, scratch: &mut Vec<u8>) {
        scratch.clear();
        crate::wire::number::write_double(value, scratch);
        self.push(b'"');
        self.put(scratch);
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
        let Some((quote, to)) = self.room(bytes.len() + 2).split_first_mut() else { return };
        *quote = b'"';
        let plain = copy_plain(bytes, to);
        if plain == bytes.len()
            && let Some(quote) = to.get_mut(plain)
        {
            *quote = b'"';
            self.end += plain + 2;
        } else {
            self.string_from(bytes, plain);
        }
    }

    /// The same, of which so many bytes are plain and stand behind the quote already.
    #[inline(never)]
    fn string_from(&mut self, bytes: &[u8], plain: usize) {
        let start = self.end;
        self.end += 1 + plain;
        let mut rest = bytes.get(plain..).unwrap_or_default();
        let mut ascii = true;
        while !rest.is_empty() {
            let block = rest.get(..BLOCK).unwrap_or(rest);
            if ascii && !block.is_ascii() {
                if std::str::from_utf8(rest).is_err() {
                    self.end = start;
                    return self.base64(bytes);
                }
                ascii = false;
            }
            self.escaped(block);
            rest = rest.get(block.len()..).unwrap_or_default();
        }
        self.push(b'"');
    }

    /// A part of a string in quotes, of at most [`BLOCK`] bytes.
    pub(super) fn escaped(&mut self, block: &[u8]) {
        let room = self.room(block.len() * 6 + 8);
        self.end += escape(block, room);
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.put(b"{\"b64\":\"");
        self.base64_digits(bytes);
        self.put(b"\"}");
    }

    pub(super) fn base64_digits(&mut self, bytes: &[u8]) {
        let room = self.room(bytes.len().div_ceil(3) * 4);
        // It fails only where there is less room than just made.
        self.end += STANDARD.encode_slice(bytes, room).unwrap_or_default();
    }
}

/// Copies to as many bytes, without a call where they are few.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    let copied = match from.len() {
        0..4 => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
            Some(0)
        }
        4..8 => ends::<4>(from, to).map(|_| 0),
        8..=16 => ends::<8>(from, to).map(|_| 0),
        17..=32 => ends::<16>(from, to).map(|_| 0),
        _ => None,
    };
    if copied.is_none() {
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
        4..8 => ends::<4>(from, to).is_some_and(|(a, b)| is_plain(a) & is_plain(b)),
        8..=16 => ends::<8>(from, to).is_some_and(|(a, b)| is_plain(a) & is_plain(b)),
        17..=32 => ends::<16>(from, to).is_some_and(|(a, b)| is_plain(a) & is_plain(b)),
        _ => return copy_plain_long(from, to),
    };
    if plain { n } else { 0 }
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
    let odd = |byte: u8| {
        u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\') | byte >> 7
    };
    bytes.iter().fold(0, |any, &byte| any | odd(byte)) == 0
}

/// Escapes into room for six bytes a byte and eight more; how many that took.
fn escape(block: &[u8], room: &mut [u8]) -> usize {
    let (mut rest, mut at) = (block, 0);
    while !rest.is_empty() {
        let (plain, odd) = run_of_plain(rest);
        let Some(to) = room.get_mut(at..at + plain) else { return at };
        to.copy_from_slice(rest.get(..plain).unwrap_or_default());
        at += plain;
        rest = rest.get(plain..).unwrap_or_default();
        if odd && let Some((byte, more)) = rest.split_first() {
            let (form, len) = escape_of(*byte);
            if let Some(to) = room.get_mut(at..).and_then(|to| to.first_chunk_mut()) {
                *to = form;
            }
            at += len;
            rest = more;
        }
    }
    at
}

fn run_of_plain(bytes: &[u8]) -> (usize, bool) {
    let odd = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    match bytes.iter().position(odd) {
        Some(at) => (at, true),
        None => (bytes.len(), false),
    }
}

/// How JSON writes a byte that cannot stand as it is, as the crate serde_json does.
fn escape_of(byte: u8) -> ([u8; 8], usize) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let short = |letter| ([b'\\', letter, 0, 0, 0, 0, 0, 0], 2);
    match byte {
        b'"' | b'\\' => short(byte),
        0x08 => short(b'b'),
        0x09 => short(b't'),
        0x0a => short(b'n'),
        0x0c => short(b'f'),
        0x0d => short(b'r'),
        _ => {
            let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or_default();
            let [high, low] = [digit(byte >> 4), digit(byte & 15)];
            ([b'\\', b'u', b'0', b'0', high, low, 0, 0], 6)
        }
    }
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
        for len in (0..70usize).chain([4095, 4096, 4097, 9000]) {
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
    fn unsigned_numbers_are_printed_to_the_last() {
        for n in [0, 9, 1 << 63, (1 << 63) - 1, u64::MAX, u64::MAX - 5, 10_000_000_000_000_000_000]
        {
            let mut text = Text::new();
            text.unsigned(n);
            assert_eq!(text.bytes(), n.to_string().as_bytes());
        }
    }

    proptest! {
        #[test]
        fn text_is_written_as_serde_json_does(text in "\\PC{0,80}|[\"\\\\\n\t\x00-\x1f a-z]{0,200}") {
            prop_assert_eq!(written(text.as_bytes()), expected(text.as_bytes()));
        }

        #[test]
        fn bytes_that_are_no_text_are_written_as_base64(bytes: Vec<u8>) {
            prop_assert_eq!(written(&bytes), expected(&bytes));
        }
    }
}
