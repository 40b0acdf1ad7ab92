//! Escaping, for text that has much to escape: JSON documents inside JSON.

/// Bytes that are looked at together.
const STEP: usize = 64;
/// What must lie behind a step's first byte, so that each short copy in it stays inside.
const WIDE: usize = 3 * STEP;

/// Escapes into room for six bytes a byte and [`SLACK`] more; how many that took.
pub(super) fn escape(block: &[u8], room: &mut [u8]) -> usize {
    let (mut rest, mut at) = (block, 0);
    while let (Some(step), Some(wide)) = (rest.first_chunk(), rest.first_chunk::<WIDE>()) {
        at = escape_step(odd_bytes(step), STEP, wide, room, at);
        rest = rest.get(STEP..).unwrap_or_default();
    }
    while !rest.is_empty() {
        let (step, more) = rest.split_at_checked(STEP).unwrap_or((rest, &[]));
        let mut wide = [b' '; WIDE];
        if let Some(to) = wide.get_mut(..step.len()) {
            to.copy_from_slice(step);
        }
        let odd = wide.first_chunk().map_or(0, odd_bytes);
        at = escape_step(odd, step.len(), &wide, room, at);
        rest = more;
    }
    at
}

/// Room that is written to behind what is taken.
pub(super) const SLACK: usize = STEP;

/// Escapes the first `len` bytes, of which those in the set `odd` have to be.
#[inline(always)]
fn escape_step(
    mut odd: u64,
    len: usize,
    bytes: &[u8; WIDE],
    room: &mut [u8],
    mut at: usize,
) -> usize {
    let mut from = 0;
    while odd != 0 {
        let next = odd.trailing_zeros() as usize;
        odd &= odd - 1;
        at = copy_run(bytes, from, next, room, at);
        let byte = bytes.get(next).copied().unwrap_or_default();
        // Written as one number: bytes put together in memory would be waited for.
        at = match byte {
            0..0x20 => control(byte, room, at),
            _ => put(room, at, (u16::from(byte) << 8 | u16::from(b'\\')).to_le_bytes()),
        };
        from = next + 1;
    }
    copy_run(bytes, from, len, room, at)
}

/// Copies `from..to` of a step, in a length that is known beforehand and so needs no call.
#[inline(always)]
fn copy_run(bytes: &[u8; WIDE], from: usize, to: usize, room: &mut [u8], at: usize) -> usize {
    // No more than 64 either way, which saves the checks below.
    let start = from % (2 * STEP);
    if to - from <= 16 {
        copy::<16>(bytes, start, room, at);
    } else {
        copy::<STEP>(bytes, start, room, at);
    }
    at + to - from
}

#[inline(always)]
fn put<const N: usize>(room: &mut [u8], at: usize, bytes: [u8; N]) -> usize {
    if let Some(to) = room.get_mut(at..at + N) {
        to.copy_from_slice(&bytes);
    }
    at + N
}

#[inline(always)]
fn copy<const N: usize>(bytes: &[u8; WIDE], from: usize, room: &mut [u8], at: usize) {
    if let (Some(from), Some(to)) = (bytes.get(from..from + N), room.get_mut(at..at + N)) {
        to.copy_from_slice(from);
    }
}

/// The set of bytes that cannot stand in JSON as they are.
#[inline(always)]
fn odd_bytes(bytes: &[u8; STEP]) -> u64 {
    let odd =
        bytes.map(|byte| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\'));
    let (words, _) = odd.as_chunks::<8>();
    words.iter().rev().fold(0, |set, word| {
        // Brings bit 0 of each byte together in the highest byte, the first byte's lowest.
        let bits = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        set << 8 | bits
    })
}

/// Writes what stands for a control character, as the crate serde_json does.
#[inline(never)]
fn control(byte: u8, room: &mut [u8], at: usize) -> usize {
    let letter = match byte {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let low = byte & 15;
            let low = if low < 10 { b'0' + low } else { b'a' + low - 10 };
            return put(room, at, [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low]);
        }
    };
    put(room, at, [b'\\', letter])
}
