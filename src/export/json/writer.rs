//! The exporter as its users see it.

use super::events::Export;
use super::outcome::JsonOutcome;
use crate::error::Result;
use crate::pipe::EntrySink;
use crate::rdb::{Event, StreamReader};
use std::io::{Read, Write};

/// Writes the keys of an RDB as JSON lines; fed with the events of either reader.
///
/// What a line holds is in [the module's documentation](crate::export). Memory is bounded whatever
/// the size of a value: one that comes in runs is written as they come, and a line over 1 MiB does
/// not wait for its end. What is held is a single string that comes in pieces, for as long as it may
/// be text, and the pending entries of one consumer group.
///
/// # Damage
///
/// A line that is complete is a key that was read without an error. A key that turns out to be
/// damaged is taken back; where a part of its line has been written out, that is ended by a newline
/// in the midst of the JSON, which no parser takes for a line. The error says what was wrong, the
/// lines before it stay, and the next key can be written.
///
/// Lines wait in a buffer: call [`finish`](Self::finish) after an error too, to write out the last
/// of them.
///
/// ```
/// use redkeep::export::JsonLines;
/// use redkeep::rdb::SliceReader;
/// let mut out = Vec::new();
/// let mut lines = JsonLines::new(&mut out).facts(true);
/// for event in SliceReader::new(b"REDIS0003\x04\x01h\x01\x01f\xc0\x0c\xff") {
///     lines.event(&event?)?;
/// }
/// assert_eq!(lines.finish()?.facts, 1);
/// let text = String::from_utf8(out).unwrap();
/// assert_eq!(text.lines().next(), Some(r#"{"fact":"header","magic":"REDIS0003"}"#));
/// assert!(text.lines().nth(1).unwrap().ends_with(r#","value":[["f","12"]]}"#));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct JsonLines<W: Write> {
    out: W,
    export: Export,
}

impl<W: Write> JsonLines<W> {
    /// An exporter that writes to `out`, in blocks of at least 256 KiB: it needs no buffer of its
    /// own.
    pub fn new(out: W) -> Self {
        JsonLines { out, export: Export::new() }
    }

    /// Sets whether to write lines about the file too, which have no `key`. Default: no.
    #[must_use]
    pub fn facts(mut self, facts: bool) -> Self {
        self.export.set_facts(facts);
        self
    }

    /// Sets how many bytes one compressed string may inflate to. Default as in
    /// [`Limits`](crate::Limits).
    #[must_use]
    pub fn inflated_limit(mut self, bytes: u64) -> Self {
        self.export.set_inflated_limit(bytes);
        self
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Corrupt` or `Limit` when something in the key cannot be read: its line is given up, and
    /// what follows may still be written. `Io` when `out` fails, and from then on always.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        self.export.event(event, &mut self.out)
    }

    /// Writes out what waits, and says what was written. A value that was not closed is given up.
    ///
    /// # Errors
    /// `Io` when `out` fails or has failed before.
    pub fn finish(mut self) -> Result<JsonOutcome> {
        self.export.finish(&mut self.out)
    }
}

/// Exports an RDB from any source, its checksum verified.
///
/// The checksum stands at the end: lines are written before it is known, and an error of kind
/// `Checksum` says that any of them may be wrong.
///
/// # Errors
/// The first one that the reader or the writer meets. The lines before it have been written.
///
/// # Examples
/// See [the module](crate::export).
pub fn export_json(source: impl Read, out: impl Write, facts: bool) -> Result<JsonOutcome> {
    let mut reader = StreamReader::new(source);
    let mut lines = JsonLines::new(out).facts(facts);
    let end = loop {
        match reader.next() {
            Ok(Some(event)) => {
                if let Err(error) = lines.event(&event) {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // What was sound goes out in any case; of two errors the first is the cause.
    let outcome = lines.finish();
    end.and(outcome)
}

impl<W: Write> EntrySink for JsonLines<W> {
    #[inline(always)]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        JsonLines::event(self, event)
    }
}
