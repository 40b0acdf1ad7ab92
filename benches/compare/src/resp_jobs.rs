//! redis-parser: a parser of the protocol.

use std::path::Path;

use crate::contenders::{Delivered, Outcome};

pub fn parse(file: &Path) -> Outcome {
    let bytes = std::fs::read(file)?;
    let mut seen = Delivered { bytes: bytes.len() as u64, ..Delivered::default() };
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (after, _) = redis_parser::resp2::parse(rest).map_err(|error| format!("{error:?}"))?;
        rest = after;
        seen.elements += 1;
    }
    Ok(seen)
}
