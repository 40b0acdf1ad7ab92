//! A part of a file that grows until a question about it can be answered.

use crate::aof::repair::chain::{Edge, Found, Fuel, search};
use crate::error::{Error, Result};
use crate::limits::Limits;
use std::io::{Read, Seek, SeekFrom};

/// Bytes that are looked at first: nearly always that does.
const FIRST: u64 = 1 << 14;

/// Bytes that are looked at for the sake of one command.
const MOST: u64 = 64 << 20;

/// Asks about the bytes from `at` on, of which there are up to `len` in the file. The question
/// answers `None` to be asked again with more; at the edge of the file or the limit it has to know.
pub(crate) fn ask<T>(
    source: &mut (impl Read + Seek),
    at: u64,
    len: u64,
    limits: &Limits,
    mut question: impl FnMut(&mut Vec<u8>, Edge) -> Option<T>,
) -> Result<Option<T>> {
    let limit = limits.held.clamp(FIRST, MOST);
    let mut size = FIRST;
    loop {
        let mut bytes = bytes(source, at, size)?;
        let edge = match at.saturating_add(bytes.len() as u64) >= len {
            true => Edge::Eof,
            false if size >= limit => Edge::Limit,
            false => Edge::Open,
        };
        let answer = question(&mut bytes, edge);
        if answer.is_some() || edge != Edge::Open {
            return Ok(answer);
        }
        size = (size * 4).min(limit);
    }
}

/// Where, from `at` on, the log goes on.
pub(crate) fn resume(
    source: &mut (impl Read + Seek),
    at: u64,
    len: u64,
    limits: &Limits,
    fuel: &mut Fuel,
) -> Result<Option<u64>> {
    let mut start = at;
    while start < len && !fuel.is_out() {
        let mut seen = 0;
        let found = ask(source, start, len, limits, |bytes, edge| {
            seen = bytes.len() as u64;
            match search(bytes, 0, edge, fuel) {
                Found::At(place) => Some(Found::At(place)),
                // Something begins here that is bigger than what is at hand.
                Found::NotBefore(0) if edge == Edge::Open => None,
                other => Some(other),
            }
        })?;
        match found {
            Some(Found::At(place)) => return Ok(Some(start + place as u64)),
            Some(Found::NotBefore(place)) if place > 0 => start += place as u64,
            _ => start += seen.max(1),
        }
    }
    Ok(None)
}

/// Up to so many bytes from a place on.
pub(crate) fn bytes(source: &mut (impl Read + Seek), at: u64, size: u64) -> Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at)).map_err(|error| Error::io(error, Some(at)))?;
    let mut bytes = Vec::new();
    source
        .by_ref()
        .take(size)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io(error, Some(at)))?;
    Ok(bytes)
}

/// Whether all bytes from a place to the end are zeros, and there is one.
pub(crate) fn is_zeros(source: &mut (impl Read + Seek), mut at: u64, len: u64) -> Result<bool> {
    let begun = at;
    while at < len {
        let block = bytes(source, at, 1 << 16)?;
        if block.is_empty() || block.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += block.len() as u64;
    }
    Ok(at > begun)
}
