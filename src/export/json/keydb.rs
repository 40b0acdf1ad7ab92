//! KeyDB's expiries of members and fields: two facts behind the key each.

use super::lines::Lines;
use super::text::Text;
use crate::error::Result;
use crate::rdb::encoding::Scalar;
use crate::rdb::{Aux, Str, StrBuf};
use crate::wire::number::parse_integer;
use std::io::Write;

/// A line that lacks its time.
pub(super) struct SubExpiry {
    line: Vec<u8>,
}

impl SubExpiry {
    pub(super) fn new() -> SubExpiry {
        SubExpiry { line: Vec::new() }
    }

    /// Takes a fact, if it is one of the two; how many lines that made.
    pub(super) fn fact(
        &mut self,
        aux: &Aux<'_>,
        db: u64,
        lines: &mut Lines,
        buf: &mut StrBuf,
        sink: &mut dyn Write,
    ) -> Result<u64> {
        let Str::Plain(name) = aux.name else { return Ok(0) };
        if name.eq_ignore_ascii_case(b"keydb-subexpire-key") {
            let made = self.end(lines, sink)?;
            let mut text = Text::new();
            text.put(b"{\"db\":");
            text.unsigned(db);
            text.put(b",\"of_key\":");
            text.put(lines.last_key().unwrap_or(b"null"));
            text.put(b",\"subkey\":");
            text.scalar(aux.value.scalar(buf)?);
            text.put(b",\"expire_at_ms\":");
            self.line.extend_from_slice(text.bytes());
            return Ok(made);
        }
        if name.eq_ignore_ascii_case(b"keydb-subexpire-when") && !self.line.is_empty() {
            let mut at = Text::new();
            match aux.value.scalar(buf)? {
                Scalar::Int(n) => at.signed(n),
                Scalar::Bytes(text) => match parse_integer(text) {
                    Some(n) => at.signed(n),
                    None => at.string(text),
                },
            }
            return self.end_with(at.bytes(), lines, sink);
        }
        Ok(0)
    }

    /// Writes a line that still waits: its time did not come.
    pub(super) fn end(&mut self, lines: &mut Lines, sink: &mut dyn Write) -> Result<u64> {
        match self.line.is_empty() {
            true => Ok(0),
            false => self.end_with(b"null", lines, sink),
        }
    }

    fn end_with(&mut self, at: &[u8], lines: &mut Lines, sink: &mut dyn Write) -> Result<u64> {
        lines.begin();
        lines.text.put(&self.line);
        lines.text.put(at);
        lines.text.push(b'}');
        self.line.clear();
        lines.end(sink)?;
        Ok(1)
    }
}
