//! Escaping, for text that has much to escape: JSON documents inside JSON.

/// Bytes that are looked at together.
const STEP: usize = 64;

/// Escapes into room for six bytes a byte and sixteen more; how many that took.
pub(super) fn escape(block: &[u8], room: &mut [u8]) -> usize {
    let (mut rest, mut at) = (block, 0);
    while let Some(step) = rest.first_chunk() {
        at = escape_step(odd_bytes(step), STEP, rest, room, at);
        rest = rest.get(STEP..).unwrap_or_default();
    }
    let mut last = [b' '; STEP];
    if let Some(to) = last.get_mut(..rest.len()) {
        to.copy_from_slice(rest);
    }
    escape_step(odd_bytes(&last), rest.len(), rest, room, at)
}

/// Escapes the first `len` bytes, of which those in the set `odd` have to be.
#[inline(always)]
fn escape_step(mut odd: u64, len: usize, bytes: &[u8], room: &mut [u8], mut at: usize) -> usize {
    let mut from = 0;
    while odd != 0 {
        let next = odd.trailing_zeros() as usize;
        odd &= odd - 1;
        at = copy_run(bytes, from, next, room, at);
        let byte = bytes.get(next).copied().unwrap_or_default();
        let form = ESCAPED.get(usize::from(byte)).copied().unwrap_or_default();
        if let Some(to) = room.get_mut(at..at + 8) {
            to.copy_from_slice(&form);
        }
        let [.., taken] = form;
        at += usize::from(taken);
        from = next + 1;
    }
    copy_run(bytes, from, len, room, at)
}

/// Copies `from..to`; where it can, more than that in a step of known size, for that needs no call.
#[inline(always)]
fn copy_run(bytes: &[u8], from: usize, to: usize, room: &mut [u8], at: usize) -> usize {
    const SHORT: usize = 16;
    let len = to - from;
    if len <= SHORT
        && let Some(bytes) = bytes.get(from..from + SHORT)
        && let Some(room) = room.get_mut(at..at + SHORT)
    {
        room.copy_from_slice(bytes);
    } else if let Some(bytes) = bytes.get(from..to)
        && let Some(room) = room.get_mut(at..at + len)
    {
        room.copy_from_slice(bytes);
    }
    at + len
}

/// The set of bytes that cannot stand in JSON as they are.
#[inline(always)]
fn odd_bytes(bytes: &[u8; STEP]) -> u64 {
    let odd = bytes.map(|byte| {
        u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
    });
    let (words, _) = odd.as_chunks::<8>();
    words.iter().rev().fold(0, |set, word| {
        // Brings bit 0 of each byte together in the highest byte, the first byte's lowest.
        let bits = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        set << 8 | bits
    })
}

/// What stands for a byte, as the crate serde_json writes it; the last byte says its length.
const ESCAPED: [[u8; 8]; 128] = {
    let mut table = [[0; 8]; 128];
    let mut rest: &mut [[u8; 8]] = &mut table;
    let mut byte = 0;
    while let Some((form, more)) = rest.split_first_mut() {
        *form = escaped(byte);
        rest = more;
        byte += 1;
    }
    table
};

const fn escaped(byte: u8) -> [u8; 8] {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let low = byte & 15;
            let low = if low < 10 { b'0' + low } else { b'a' + low - 10 };
            return [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low, 0, 6];
        }
    };
    [b'\\', letter, 0, 0, 0, 0, 0, 2]
}
