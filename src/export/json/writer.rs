//! The exporter as its users see it.

use super::events::Export;
use super::outcome::JsonOutcome;
use crate::error::Result;
use crate::pipe::EntrySink;
use crate::rdb::{Event, StreamReader};
use std::io::{Read, Write};

/// Writes the keys of an RDB as JSON lines; fed with the events of either reader.
///
/// Memory is bounded whatever
/// the size of a value: one that comes in runs is written as they come, and a line over 1 MiB does
/// not wait for its end. What is held is a single string that comes in pieces, for as long as it may
/// be text, and the pending entries of one consumer group.
///
/// # What a line holds
///
/// A byte string (key, member, field, element, name) is a JSON string where it is valid UTF-8, and
/// `{"b64": "..."}` where it is not.
///
/// | field | meaning |
/// |---|---|
/// | `db`, `key` | where the key is |
/// | `type` | the answer of `TYPE`; for a module's value the module's own name |
/// | `encoding` | the layout in the file, as [`ValueType::code`](crate::rdb::ValueType::code) names it. `OBJECT ENCODING` is another thing: a server chooses it anew when it loads |
/// | `expire_at_ms` | absolute, or null |
/// | `freq`, `idle_s`, `slot` | access counter, seconds of idling, cluster slot: where the file has them |
/// | `mvcc`, `metadata` | KeyDB's version stamp; key metadata of modules, as in the file: where it has them |
/// | `value` | by type, as below |
///
/// | `type` | `value` |
/// |---|---|
/// | `string` | the string |
/// | `list` | array of elements |
/// | `set` | array of members, in the order of the file, which means nothing |
/// | `zset` | array of `[member, score]` in the order of the file: some layouts ascend, others descend. The score is text as Redis since 7.2 and Valkey print it (`-0` and `inf` occur) |
/// | `hash` | array of `[field, value]`, or `[field, value, expire_at_ms]` where the field expires |
/// | `stream` | `entries` (`[id, [field, value, ...]]`), `length`, `last_id`; since 7.0 `max_deleted_id`, `first_id`, `entries_added`; `groups`; since 8.6 `idmp_*`, `producers`, `pids_tracked`, `iids_*` |
/// | `array` | `items` (`[index, element]`, an index from 2^63 on as text), and `cursor`, the last index inserted at, where there is one |
/// | a module's | `module`, `version`, and `b64`: the value as it lies in the file |
/// | `cron` | KeyDB's scheduled script: `script`, `start_ms`, `interval_ms`, `keys`, `args` |
///
/// A stream's group has `name`, `last_delivered_id`, `entries_read` (7.0), `nacked_count` and
/// `nacked` (8.8), `pel` of `[id, consumer, delivery_time_ms, delivery_count]` and `consumers`, each
/// with `name`, `seen_time`, `active_time` (7.2; -1 = never) and `pel` of `[id, time, count]`. An
/// entry that was negatively acknowledged has an empty consumer; null stands for what the file does
/// not say.
///
/// KeyDB keeps expiries of members and fields behind the key. Such a one is a line of its own:
/// `{"db", "of_key", "subkey", "expire_at_ms"}`.
///
/// With [`facts`](Self::facts) come lines that tell of the file and not of a key. They have
/// `fact`, and by its value:
///
/// | `fact` | with |
/// |---|---|
/// | `header` | `magic`, the first nine bytes |
/// | `aux` | `name`, `value` |
/// | `function` | `code`; those of the 7.0 release candidates also `name`, `engine`, `description` |
/// | `module_aux` | `module`, `version`, `when` (1 = before the keys, 2 = after), `b64` |
/// | `slot_info` | `slot`, `keys`, `expires` |
/// | `slot_import` | `job`, `ranges` of `[first, last]` |
/// | `hash_template` | `id`, `fields` |
///
/// Left out are hints of size, which say nothing that the keys do not, and the checksum.
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
