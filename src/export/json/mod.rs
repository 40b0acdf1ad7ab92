//! JSON lines.

mod escape;
mod facts;
mod lines;
mod stream;
mod text;
mod value;

use crate::error::{Error, Result};
use crate::rdb::encoding::Scalar;
use crate::rdb::{
    Aux, DataType, Decoder, Entry, Event, EventKind, Item, Items, Piece, StrBuf, StreamReader,
    ValueType,
};
use crate::wire::number::parse_integer;
use lines::Lines;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use value::{Shape, Shown};

/// Writes the keys of an RDB as JSON lines; fed with the events of either reader.
///
/// What a line holds is in [the module's documentation](crate::export). Memory is bounded whatever
/// the size of a value: one that comes in runs is written as they come, and a line over 1 MiB does
/// not wait for its end. Only a single string that comes in pieces is held, since whether it is
/// text is known at its end, and the pending entries of one consumer group.
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
        self.export.facts = facts;
        self
    }

    /// Sets how many bytes one compressed string may inflate to. Default as in
    /// [`Limits`](crate::Limits).
    #[must_use]
    pub fn inflated_limit(mut self, bytes: u64) -> Self {
        self.export.decoder = Decoder::new().inflated_limit(bytes);
        self.export.buf = StrBuf::new().inflated_limit(bytes);
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

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct JsonOutcome {
    /// Bytes written.
    pub bytes: u64,
    /// Complete lines: those of keys, of expiries and of facts.
    pub lines: u64,
    /// Keys.
    pub keys: u64,
    /// Keys by type, as [`DataType::name`](crate::rdb::DataType::name) has it.
    pub types: BTreeMap<&'static str, u64>,
    /// Expiries of members and fields that KeyDB keeps behind the key.
    pub sub_expiries: u64,
    /// Lines about the file.
    pub facts: u64,
    /// Keys whose line was given up.
    pub given_up: u64,
}

const DATA_TYPES: [DataType; 9] = [
    DataType::String,
    DataType::List,
    DataType::Set,
    DataType::SortedSet,
    DataType::Hash,
    DataType::Stream,
    DataType::Array,
    DataType::Module,
    DataType::Cron,
];

/// The value whose runs and pieces come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// None, or none that is written.
    No,
    Items(ValueType),
    /// A module's value or data: bytes as they are.
    Raw {
        fact: bool,
    },
}

/// Everything but the sink, so that it is compiled once.
struct Export {
    facts: bool,
    decoder: Decoder,
    buf: StrBuf,
    lines: Lines,
    shape: Shape,
    heads: Heads,
    open: Open,
    /// Database and beginning of the key that is open, for messages.
    open_key: (u64, Vec<u8>),
    /// Pieces of one item.
    held: Vec<u8>,
    /// Bytes that do not make a group of base64 yet.
    odd: Vec<u8>,
    /// A line about a KeyDB expiry that lacks its time.
    sub_expiry: Vec<u8>,
    keys: [u64; 9],
    sub_expiries: u64,
    fact_lines: u64,
    given_up: u64,
}

/// The fixed parts of lines: before the key, and between key and value.
struct Heads {
    db: u64,
    before_key: Vec<u8>,
    /// By layout, for a key without attributes.
    after_key: Vec<Vec<u8>>,
}

const NO_ATTRIBUTES: &[u8] = b"null,\"value\":";

impl Heads {
    fn new() -> Heads {
        let mut after_key = vec![Vec::new(); 256];
        for kind in ValueType::ALL {
            if let Some(head) = after_key.get_mut(usize::from(*kind as u8)) {
                let (name, code) = (kind.data_type().name(), kind.code());
                *head = format!(
                    ",\"type\":\"{name}\",\"encoding\":\"{code}\",\"expire_at_ms\":null,\"value\":"
                )
                .into_bytes();
            }
        }
        Heads { db: 0, before_key: before_key(0), after_key }
    }
}

fn before_key(db: u64) -> Vec<u8> {
    format!("{{\"db\":{db},\"key\":").into_bytes()
}

impl Export {
    fn new() -> Export {
        Export {
            facts: false,
            decoder: Decoder::new(),
            buf: StrBuf::new(),
            lines: Lines::new(),
            shape: Shape::new(),
            heads: Heads::new(),
            open: Open::No,
            open_key: (0, Vec::new()),
            held: Vec::new(),
            odd: Vec::new(),
            sub_expiry: Vec::new(),
            keys: [0; 9],
            sub_expiries: 0,
            fact_lines: 0,
            given_up: 0,
        }
    }

    fn event(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        let Some(entry) = event.entry() else { return self.rare(event, sink) };
        self.whole(&entry, sink).map_err(|error| self.give_up(error, &entry))
    }

    #[inline(always)]
    fn whole(&mut self, entry: &Entry<'_>, sink: &mut dyn Write) -> Result<()> {
        self.head(entry)?;
        match entry.value_type() {
            ValueType::Module2 | ValueType::ModulePreGa => {
                self.raw(entry.value().bytes());
                self.end_raw();
            }
            ValueType::KeyDbCron => self.items(entry.value().items()?, sink)?,
            _ => {
                let mut shown = Shown { shape: &mut self.shape, lines: &mut self.lines, sink };
                self.decoder.visit_value(entry.value(), &mut shown)?;
            }
        }
        self.close(entry.value_type(), sink)
    }

    /// All of a line that stands before the first element.
    #[inline(always)]
    fn head(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.lines.begin();
        if entry.db() != self.heads.db {
            (self.heads.db, self.heads.before_key) = (entry.db(), before_key(entry.db()));
        }
        self.lines.text.put(&self.heads.before_key);
        let start = self.lines.text.len();
        self.lines.text.scalar(entry.key().scalar(&mut self.buf)?);
        self.lines.key_from(start);
        let kind = entry.value_type();
        let after_key = self.heads.after_key.get(usize::from(kind as u8));
        let after_key = after_key.map(Vec::as_slice).unwrap_or_default();
        if kind.data_type() == DataType::Module {
            return self.head_of_module(entry);
        }
        if entry.raw_attributes().is_empty() && entry.slot().is_none() {
            self.lines.text.put(after_key);
        } else {
            let known = after_key.len().saturating_sub(NO_ATTRIBUTES.len());
            self.lines.text.put(after_key.get(..known).unwrap_or_default());
            self.attributes(entry)?;
        }
        let sink = &mut std::io::sink();
        Shown { shape: &mut self.shape, lines: &mut self.lines, sink }.begin(entry);
        Ok(())
    }

    #[inline(never)]
    fn head_of_module(&mut self, entry: &Entry<'_>) -> Result<()> {
        let module =
            entry.value().module().unwrap_or(crate::rdb::encoding::module::ModuleId::new(0));
        self.lines.text.put(b",\"type\":");
        self.lines.text.string(module.name().as_bytes());
        self.lines.text.put(b",\"encoding\":");
        self.lines.text.string(entry.value_type().code().as_bytes());
        self.lines.text.put(b",\"expire_at_ms\":");
        self.attributes(entry)?;
        self.lines.text.put(b"{\"module\":");
        facts::module(module, &mut self.lines);
        self.lines.text.put(b",\"b64\":\"");
        self.odd.clear();
        Ok(())
    }

    /// From the expiry's number to the value's colon.
    #[inline(never)]
    fn attributes(&mut self, entry: &Entry<'_>) -> Result<()> {
        let attributes = entry.attributes();
        let text = &mut self.lines.text;
        match attributes.expires {
            Some(at) => text.signed(at.get()),
            None => text.put(b"null"),
        }
        if let Some(count) = attributes.frequency {
            text.put(b",\"freq\":");
            text.unsigned(u64::from(count));
        }
        if let Some(seconds) = attributes.idle_seconds {
            text.put(b",\"idle_s\":");
            text.unsigned(seconds);
        }
        if let Some(slot) = entry.slot() {
            text.put(b",\"slot\":");
            text.unsigned(u64::from(slot));
        }
        if let Some(stamp) = attributes.mvcc {
            text.put(b",\"mvcc\":");
            text.scalar(stamp.scalar(&mut self.buf)?);
        }
        if let Some(metadata) = attributes.metadata {
            text.put(b",\"metadata\":");
            text.base64(metadata);
        }
        text.put(b",\"value\":");
        Ok(())
    }

    /// The end of a key's line.
    #[inline(always)]
    fn close(&mut self, kind: ValueType, sink: &mut dyn Write) -> Result<()> {
        let data = kind.data_type();
        if data != DataType::Module {
            Shown { shape: &mut self.shape, lines: &mut self.lines, sink: &mut *sink }.end()?;
        }
        self.lines.text.push(b'}');
        if let Some(keys) = self.keys.get_mut(data as usize) {
            *keys += 1;
        }
        self.lines.end(sink)
    }

    #[inline(never)]
    fn items(&mut self, items: Items<'_>, sink: &mut dyn Write) -> Result<()> {
        let mut shown = Shown { shape: &mut self.shape, lines: &mut self.lines, sink };
        for located in items {
            let located = located?;
            if let Item::CronArguments(_) = located.item {
                shown.cron_arguments();
            }
            self.decoder.visit(located, &mut shown)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn rare(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        match event.kind() {
            EventKind::Open(entry) => {
                let done = self.open(&entry, sink);
                done.map_err(|error| self.give_up(error, &entry))
            }
            EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => {
                let done = self.part(event, sink);
                done.map_err(|error| self.give_up_open(error))
            }
            EventKind::ModuleAux(aux) => {
                self.open = Open::No;
                if !self.facts {
                    return Ok(());
                }
                self.lines.begin();
                facts::module_aux(&aux, &mut self.lines);
                self.odd.clear();
                self.raw(aux.data);
                self.open = Open::Raw { fact: true };
                if aux.whole { self.part_closed(sink) } else { Ok(()) }
            }
            EventKind::HashTemplate(template) => {
                self.decoder.learn(&template)?;
                self.fact(event, sink)
            }
            EventKind::Aux(aux) => {
                self.sub_expiry(&aux, sink)?;
                self.fact(event, sink)
            }
            _ => self.fact(event, sink),
        }
    }

    fn open(&mut self, entry: &Entry<'_>, sink: &mut dyn Write) -> Result<()> {
        self.open = Open::No;
        self.head(entry)?;
        self.held.clear();
        self.open_key = (entry.db(), entry.key_for_message());
        let kind = entry.value_type();
        self.open = match kind.data_type() {
            DataType::Module => Open::Raw { fact: false },
            _ => Open::Items(kind),
        };
        if self.open == (Open::Raw { fact: false }) {
            self.raw(entry.value().bytes());
        }
        self.lines.spill(sink)
    }

    /// A run, a piece or the end of an open value.
    fn part(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        match (self.open, event.kind()) {
            (Open::No, _) => Ok(()),
            (_, EventKind::Close) => self.part_closed(sink),
            (Open::Raw { .. }, _) => {
                self.raw(event.raw());
                self.lines.spill(sink)
            }
            (Open::Items(_), EventKind::Run(run)) => self.items(run.items(), sink),
            (Open::Items(_), EventKind::Piece(piece)) => self.piece(&piece, sink),
            _ => Ok(()),
        }
    }

    fn part_closed(&mut self, sink: &mut dyn Write) -> Result<()> {
        match std::mem::replace(&mut self.open, Open::No) {
            Open::No => Ok(()),
            Open::Items(kind) => self.close(kind, sink),
            Open::Raw { fact: false } => {
                self.end_raw();
                self.close(ValueType::Module2, sink)
            }
            Open::Raw { fact: true } => {
                self.end_raw();
                self.fact_lines += 1;
                self.lines.end(sink)
            }
        }
    }

    fn piece(&mut self, piece: &Piece<'_>, sink: &mut dyn Write) -> Result<()> {
        self.held.extend_from_slice(piece.raw());
        if !piece.ends {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let done = self.items(piece.join(&held), sink);
        // A giant's room is given back; that of the next may be small.
        if held.len() <= HELD_KEPT {
            self.held = held;
            self.held.clear();
        }
        done
    }

    /// Bytes as base64, of which whole groups are written and the rest waits.
    fn raw(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let (1.., Some((byte, more))) = (self.odd.len() % 3, rest.split_first()) {
            self.odd.push(*byte);
            rest = more;
        }
        if self.odd.len().is_multiple_of(3) {
            self.lines.text.base64_digits(&self.odd);
            self.odd.clear();
            let (groups, odd) = rest.split_at(rest.len() - rest.len() % 3);
            self.lines.text.base64_digits(groups);
            self.odd.extend_from_slice(odd);
        }
    }

    fn end_raw(&mut self) {
        self.lines.text.base64_digits(&self.odd);
        self.odd.clear();
        self.lines.text.put(b"\"}");
    }

    fn fact(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        if !self.facts {
            return Ok(());
        }
        match facts::fact(event, &mut self.lines, &mut self.buf) {
            Ok(true) => {
                self.fact_lines += 1;
                self.lines.end(sink)
            }
            Ok(false) => Ok(()),
            Err(error) => {
                self.lines.cut();
                Err(error.or_at(event.offset()))
            }
        }
    }

    /// KeyDB writes the expiry of a member or field as two facts behind the key.
    fn sub_expiry(&mut self, aux: &Aux<'_>, sink: &mut dyn Write) -> Result<()> {
        let crate::rdb::Str::Plain(name) = aux.name else { return Ok(()) };
        if name.eq_ignore_ascii_case(b"keydb-subexpire-key") {
            self.end_sub_expiry(b"null", sink)?;
            let mut line = text::Text::new();
            line.put(b"{\"db\":");
            line.unsigned(self.heads.db);
            line.put(b",\"of_key\":");
            match self.lines.last_key() {
                b"" => line.put(b"null"),
                key => line.put(key),
            }
            line.put(b",\"subkey\":");
            line.scalar(aux.value.scalar(&mut self.buf)?);
            line.put(b",\"expire_at_ms\":");
            self.sub_expiry = line.bytes().to_vec();
        } else if name.eq_ignore_ascii_case(b"keydb-subexpire-when") {
            let mut at = text::Text::new();
            match aux.value.scalar(&mut self.buf)? {
                Scalar::Int(n) => at.signed(n),
                Scalar::Bytes(text) => match parse_integer(text) {
                    Some(n) => at.signed(n),
                    None => at.string(text),
                },
            }
            self.end_sub_expiry(at.bytes(), sink)?;
        }
        Ok(())
    }

    /// Writes the line that waits for its time.
    fn end_sub_expiry(&mut self, at: &[u8], sink: &mut dyn Write) -> Result<()> {
        if self.sub_expiry.is_empty() {
            return Ok(());
        }
        self.lines.begin();
        self.lines.text.put(&self.sub_expiry);
        self.lines.text.put(at);
        self.lines.text.push(b'}');
        self.sub_expiry.clear();
        self.sub_expiries += 1;
        self.lines.end(sink)
    }

    #[cold]
    #[inline(never)]
    fn give_up(&mut self, error: Error, entry: &Entry<'_>) -> Error {
        self.lines.cut();
        self.open = Open::No;
        if error.is_io() {
            return error;
        }
        self.given_up += 1;
        error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message())
    }

    #[cold]
    #[inline(never)]
    fn give_up_open(&mut self, error: Error) -> Error {
        self.lines.cut();
        self.open = Open::No;
        if error.is_io() {
            return error;
        }
        self.given_up += 1;
        error.in_key(self.open_key.0, &self.open_key.1)
    }

    fn finish(&mut self, sink: &mut dyn Write) -> Result<JsonOutcome> {
        if self.open != Open::No {
            self.given_up += u64::from(self.open != Open::Raw { fact: true });
            self.lines.cut();
        }
        self.end_sub_expiry(b"null", sink)?;
        self.lines.flush(sink)?;
        sink.flush()?;
        let (bytes, lines) = self.lines.counts();
        let types = DATA_TYPES.iter().zip(self.keys).filter(|(_, keys)| *keys > 0);
        Ok(JsonOutcome {
            bytes,
            lines,
            keys: self.keys.iter().sum(),
            types: types.map(|(data, keys)| (data.name(), keys)).collect(),
            sub_expiries: self.sub_expiries,
            facts: self.fact_lines,
            given_up: self.given_up,
        })
    }
}

/// The buffer for pieces that is kept from one item to the next.
const HELD_KEPT: usize = 4 << 20;
