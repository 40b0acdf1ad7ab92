//! Bytes as they lie in the file, as base64 that grows.

use super::lines::Lines;
use super::text::BASE64_BLOCK;
use crate::error::Result;
use std::io::Write;

/// What of the bytes so far does not make a group of three yet.
pub(super) struct Raw {
    odd: Vec<u8>,
}

impl Raw {
    pub(super) fn new() -> Raw {
        Raw { odd: Vec::new() }
    }

    pub(super) fn begin(&mut self) {
        self.odd.clear();
    }

    pub(super) fn put(
        &mut self,
        bytes: &[u8],
        lines: &mut Lines,
        sink: &mut dyn Write,
    ) -> Result<()> {
        let wanted = if self.odd.is_empty() { 0 } else { 3 - self.odd.len() };
        let (first, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
        self.odd.extend_from_slice(first);
        if self.odd.len() < 3 && !self.odd.is_empty() {
            return Ok(());
        }
        lines.text.base64_digits(&self.odd);
        let (groups, odd) = rest.split_at(rest.len() - rest.len() % 3);
        for block in groups.chunks(BASE64_BLOCK) {
            lines.text.base64_digits(block);
            lines.spill(sink)?;
        }
        self.odd.clear();
        self.odd.extend_from_slice(odd);
        Ok(())
    }

    /// The last digits, and the end of the object that they are in.
    pub(super) fn end(&mut self, lines: &mut Lines) {
        lines.text.base64_digits(&self.odd);
        self.odd.clear();
        lines.text.put(b"\"}");
    }
}
