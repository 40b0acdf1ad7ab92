//! LZF.

use crate::error::Fault;
use std::hint::select_unpredictable;

const SLACK: usize = 320;

/// d
///
/// # Errors
/// e
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
    let mut state = State { src: packed, at: 0 };
    loop {
        if out.len() < room {
            grow(out, room)?;
        }
        run(&mut state, out.get_mut(..room).ok_or(Fault::Internal)?).ok_or(Fault::LzfData)?;
        if state.src.is_empty() || room == full {
            break;
        }
        room = full.min(room.saturating_mul(2));
    }
    if state.src.is_empty() && state.at == len {
        out.get(..len).ok_or(Fault::LzfData)
    } else {
        Err(Fault::LzfData)
    }
}

struct State<'p> {
    src: &'p [u8],
    at: usize,
}

#[cold]
fn grow(out: &mut Vec<u8>, room: usize) -> Result<(), Fault> {
    out.try_reserve_exact(room - out.len()).map_err(|_| Fault::Inflated)?;
    out.resize(room, 0);
    Ok(())
}

#[inline(always)]
fn run(state: &mut State<'_>, out: &mut [u8]) -> Option<()> {
    let State { mut src, mut at } = *state;
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
                src = tail(rest, n, todo)?;
            }
            at += n;
            continue;
        }
        let mut n = (head >> 5) + 2;
        src = rest;
        if n == 9 {
            let (&more, rest) = src.split_first()?;
            n += usize::from(more);
            src = rest;
        }
        let (&low, rest) = src.split_first()?;
        src = rest;
        let back = ((head & 31) << 8 | usize::from(low)) + 1;
        let behind = done.get(at.checked_sub(back)?..)?;
        if let Some(block) = behind.first_chunk::<32>() {
            *todo.first_chunk_mut()? = *block;
            if n > 32 {
                more(out, at, n, back)?;
            }
        } else {
            short(out, at, n, back)?;
        }
        at += n;
    }
    *state = State { src, at };
    Some(())
}

#[inline(always)]
fn tail<'p>(src: &'p [u8], n: usize, todo: &mut [u8; SLACK]) -> Option<&'p [u8]> {
    let (block, rest) = src.split_at_checked(n)?;
    if n <= 8
        && let Some(block) = src.first_chunk::<8>()
    {
        *todo.first_chunk_mut()? = *block;
    } else {
        todo.get_mut(..n)?.copy_from_slice(block);
    }
    Some(rest)
}

#[inline(always)]
fn more(out: &mut [u8], at: usize, n: usize, back: usize) -> Option<()> {
    let mut to = 32;
    while to < n {
        copy::<32>(out, at + to, back)?;
        to += 32;
    }
    Some(())
}

#[inline(always)]
fn short(out: &mut [u8], at: usize, n: usize, mut back: usize) -> Option<()> {
    let (mut to, end) = (at, at + n);
    while back < 8 {
        copy_short(out, to, back)?;
        to += back;
        back += back;
    }
    while to < end {
        copy::<8>(out, to, back)?;
        to += 8;
    }
    Some(())
}

#[inline(always)]
fn copy<const N: usize>(out: &mut [u8], to: usize, back: usize) -> Option<()> {
    let (done, todo) = out.split_at_mut_checked(to)?;
    let block: &[u8; N] = done.get(done.len().checked_sub(back)?..)?.first_chunk()?;
    *todo.first_chunk_mut()? = *block;
    Some(())
}

#[inline(always)]
fn copy_short(out: &mut [u8], to: usize, back: usize) -> Option<()> {
    let from = to.checked_sub(back)?;
    let block: [u8; 8] = *out.get(from..)?.first_chunk()?;
    *out.get_mut(to..)?.first_chunk_mut()? = block;
    Some(())
}

const BITS: u32 = 14;
const SKIP: u32 = 6;

/// c
pub struct Compressor {
    slots: Box<[u32; 1 << BITS]>,
    base: u32,
}
impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// n
    pub fn new() -> Self {
        Compressor { slots: Box::new([0; 1 << BITS]), base: 8193 }
    }
    /// c
    pub fn compress<'o>(&mut self, raw: &[u8], out: &'o mut Vec<u8>) -> Option<&'o [u8]> {
        let limit = raw.len().checked_sub(4)?;
        if out.len() < raw.len() + SLACK {
            out.resize(raw.len() + SLACK, 0);
        }
        let len = u32::try_from(raw.len()).ok()?;
        let base = match self.base.checked_add(len + 8192) {
            Some(next) => std::mem::replace(&mut self.base, next),
            None => {
                self.slots.fill(0);
                self.base = 1u32.checked_add(len)?;
                1
            }
        };
        let n = pack(raw, out.get_mut(..raw.len() + SLACK)?, &mut self.slots, base)?;
        if n > limit { None } else { out.get(..n) }
    }
}

#[inline(always)]
fn slot(four: u32) -> usize {
    ((four << 8).wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

#[inline(always)]
fn word(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*raw.get(at..)?.first_chunk()?))
}

fn pack(raw: &[u8], out: &mut [u8], slots: &mut [u32; 1 << BITS], base: u32) -> Option<usize> {
    let (mut i, mut start, mut at) = (0usize, 0usize, 0usize);
    while let Some(four) = word(raw, i) {
        let here = base.wrapping_add(i as u32);
        let entry = slots.get_mut(slot(four))?;
        let back = here.wrapping_sub(std::mem::replace(entry, here)) as usize;
        if back > 8192 {
            i += 1 + ((i - start) >> SKIP).min(15);
            continue;
        }
        let from = i.checked_sub(back)?;
        if (word(raw, from)? ^ four) << 8 != 0 {
            i += 1 + ((i - start) >> SKIP).min(15);
            continue;
        }
        at = literals(raw, start, i, out, at)?;
        let n = 3 + common(raw.get(from + 3..)?, raw.get(i + 3..)?);
        at = reference(out, at, back - 1, n)?;
        i += n;
        start = i;
        if let Some(four) = word(raw, i - 2) {
            *slots.get_mut(slot(four))? = base.wrapping_add(i as u32 - 2);
        }
    }
    literals(raw, start, raw.len(), out, at)
}

#[inline(always)]
fn common(old: &[u8], new: &[u8]) -> usize {
    let new = new.get(..261).unwrap_or(new);
    let mut n = 0;
    let (a, ar) = old.as_chunks::<8>();
    let (b, br) = new.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        let x = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if x != 0 {
            return n + (x.trailing_zeros() / 8) as usize;
        }
        n += 8;
    }
    let _ = (ar, br);
    n + old
        .get(n..)
        .unwrap_or_default()
        .iter()
        .zip(new.get(n..).unwrap_or_default())
        .take_while(|(a, b)| a == b)
        .count()
}

#[inline(always)]
fn reference(out: &mut [u8], at: usize, back: usize, n: usize) -> Option<usize> {
    let todo: &mut [u8; 3] = out.get_mut(at..)?.first_chunk_mut()?;
    let n = n - 2;
    let high = (back >> 8) as u8;
    if n < 7 {
        todo[0] = (n << 5) as u8 | high;
        todo[1] = back as u8;
        Some(at + 2)
    } else {
        todo[0] = 7 << 5 | high;
        todo[1] = (n - 7) as u8;
        todo[2] = back as u8;
        Some(at + 3)
    }
}

#[inline(always)]
fn literals(
    raw: &[u8],
    mut start: usize,
    end: usize,
    out: &mut [u8],
    mut at: usize,
) -> Option<usize> {
    while start < end {
        let n = (end - start).min(32);
        let src = raw.get(start..)?;
        let (head, todo) = out.get_mut(at..)?.split_first_mut()?;
        *head = (n - 1) as u8;
        if let Some(block) = src.first_chunk::<32>() {
            *todo.first_chunk_mut()? = *block;
        } else {
            todo.get_mut(..n)?.copy_from_slice(src.get(..n)?);
        }
        at += n + 1;
        start += n;
    }
    Some(at)
}
