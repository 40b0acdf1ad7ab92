//! The events of a file into those of a file for another server.

use crate::error::{Error, Fault, Result};
use crate::rdb::attribute::Attribute;
use crate::rdb::build::{write_as_read, write_plain};
use crate::rdb::convert::layout::{Layout, header_for, layout};
use crate::rdb::convert::options::{ConvertCounts, ConvertOptions};
use crate::rdb::convert::stream::write_tail;
use crate::rdb::convert::value::{ValueConverter, streams};
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::entry::Entry;
use crate::rdb::event::{Aux, Event, EventKind, Function};
use crate::rdb::item::Item;
use crate::rdb::len::write_length;
use crate::rdb::loss::{Loss, OnLoss};
use crate::rdb::opcode::byte;
use crate::rdb::record::{Held, Record, remade_close, remade_record, remade_run};
use crate::rdb::string::{Str, StrBuf};
use crate::rdb::value::{Items, Value};
use crate::rdb::value_type::{DataType, ValueType};
use crate::rdb::version::{Header, Lineage, ServerVersion};
use crate::rdb::walk::{Part, Walk};
use crate::wire::cursor::Cursor;

/// The module type that Redis has had built in since 8.0.
const VECTORSET: &str = "vectorset";

/// Makes of the events of any file those of a file that one server loads.
///
/// It is a [`Stage`](crate::pipe::Stage): put it between a reader and a
/// [`Writer`](crate::rdb::Writer). A file that needs no conversion comes out as it went in, byte for
/// byte. Unless losses are allowed, a file with any fails at its end, with all of them named; as a
/// writer cannot finish without that end, no such file can be taken for whole.
///
/// ```
/// use redkeep::pipe::{Staged, pump};
/// use redkeep::rdb::convert::{ConvertOptions, Converter};
/// use redkeep::rdb::{SliceReader, Writer};
/// // A set in a listpack, as Redis 7.2 has it.
/// # let dump = b"REDIS0003\x14\x01s\x0a\x0a\0\0\0\x01\0\x81a\x02\xff\xff";
/// let options = ConvertOptions::new("redis-6.2".parse().unwrap());
/// let mut pipe = Staged { stage: Converter::new(options), to: Writer::new(Vec::new()) };
/// pump(&mut SliceReader::new(dump), &mut pipe)?;
/// assert_eq!(pipe.stage.counts().converted, 1);
/// assert_eq!(pipe.to.finish()?, b"REDIS0003\x02\x01s\x01\x01a\xff");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct Converter {
    options: ConvertOptions,
    header: Header,
    /// Which Redis wrote the source: major and minor version.
    writer: Option<(u16, u16)>,
    /// The file gets the other family's magic.
    crosses: bool,
    /// By the number of the source's layout.
    layouts: Vec<Layout>,
    values: ValueConverter,
    record: Record,
    open: Open,
    /// Database and name of the open value, for messages.
    open_key: (u64, Vec<u8>),
    /// A value that has to be converted as a whole.
    whole: Held,
    /// A row too big for the window, or what follows a stream's nodes.
    held: Vec<u8>,
    rows: Vec<u8>,
    buf: StrBuf,
    counts: ConvertCounts,
}

/// What happens to the parts of the value that is open.
#[derive(Debug, Clone, Copy)]
enum Open {
    No,
    /// They go on.
    Pass,
    /// They are left out.
    Drop,
    /// Each run is written in another layout.
    Rows {
        to: ValueType,
        expiries: u64,
    },
    /// A stream's nodes go on; what follows them is held.
    Nodes {
        from: ValueType,
        to: ValueType,
    },
    /// All of it is held.
    Whole,
}

impl Converter {
    /// A converter for one file.
    #[must_use]
    pub fn new(options: ConvertOptions) -> Converter {
        let header = Header { lineage: Lineage::Redis, version: 0 };
        let values = ValueConverter::new(options.compress, options.expired_at, &options.limits);
        let buf = StrBuf::new().inflated_limit(options.limits.inflated);
        let mut converter = Converter {
            options,
            header,
            writer: None,
            crosses: false,
            layouts: Vec::new(),
            values,
            record: Record::default(),
            open: Open::No,
            open_key: (0, Vec::new()),
            whole: Held::default(),
            held: Vec::new(),
            rows: Vec::new(),
            buf,
            counts: ConvertCounts::default(),
        };
        converter.set_header(header);
        converter
    }

    /// What became of the keys so far.
    #[must_use]
    pub fn counts(&self) -> &ConvertCounts {
        &self.counts
    }

    fn set_header(&mut self, header: Header) {
        self.header = header;
        self.layouts.clear();
        self.layouts.resize(256, Layout::Lost(Loss::Module));
        for kind in ValueType::ALL {
            if let Some(place) = self.layouts.get_mut(usize::from(*kind as u8)) {
                *place = layout(self.options.target, header, *kind);
            }
        }
    }

    fn layout(&self, kind: ValueType) -> Layout {
        self.layouts.get(usize::from(kind as u8)).copied().unwrap_or(Layout::Lost(Loss::Module))
    }

    /// Takes one event, and gives what it becomes to `emit`.
    ///
    /// # Errors
    /// `Corrupt` where a value that has to be written anew cannot be read, `Limit` where it would have
    /// to be held and is too big, `Unsupported` at the end of a file that would lose something, and
    /// whatever `emit` returns.
    #[inline(always)]
    pub fn event(
        &mut self,
        event: &Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        match event.entry() {
            Some(entry)
                if entry.raw_attributes().is_empty()
                    && self.layout(entry.value_type()) == Layout::Same
                    && entry.value_type().data_type() != DataType::Module =>
            {
                self.counts.copied += 1;
                emit(event)
            }
            Some(entry) => self.entry(entry, *event, emit),
            None => self.rare(*event, emit),
        }
    }

    #[inline(never)]
    fn entry(
        &mut self,
        entry: Entry<'_>,
        event: Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let kind = entry.value_type();
        let attributes = self.attributes(&entry);
        let to = match self.layout_of(&entry) {
            Layout::Same if attributes.is_none() => {
                self.counts.copied += 1;
                return emit(&event);
            }
            Layout::Same => {
                let attributes = attributes.unwrap_or_default();
                self.counts.converted += 1;
                self.record.begin(&attributes, kind, entry.raw_key());
                self.record.value().extend_from_slice(entry.value().bytes());
                return emit(&self.record.entry(kind, entry.db(), &entry));
            }
            Layout::Lost(loss) => {
                self.counts.losses.add(loss, 1, 1);
                return Ok(());
            }
            Layout::To(to) => to,
        };
        let attributes = attributes.as_deref().unwrap_or(entry.raw_attributes());
        self.record.begin(attributes, to, entry.raw_key());
        let written = match kind.data_type() {
            DataType::Stream => self.stream(entry.value(), to).map(|()| Some(to)),
            _ => self.value(entry.value(), to),
        };
        let written = written.map_err(|error| {
            error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message())
        })?;
        let Some(to) = written else { return Ok(()) };
        self.counts.converted += 1;
        emit(&self.record.entry(to, entry.db(), &entry))
    }

    /// Writes a value into the record; `None` where nothing is left of it.
    fn value(&mut self, value: Value<'_>, to: ValueType) -> Result<Option<ValueType>> {
        let (written, found) = self.values.whole(value, to, self.record.value())?;
        if written != to {
            self.record.retype(written);
        }
        self.counts.expired_fields += found.expired;
        if found.rows == 0 {
            self.counts.emptied += 1;
            return Ok(None);
        }
        self.counts.losses.add(Loss::FieldExpiry, found.expiries, 1);
        Ok(Some(written))
    }

    /// Writes a stream into the record.
    fn stream(&mut self, value: Value<'_>, to: ValueType) -> Result<()> {
        let mut tail = value.items()?;
        let mut nodes_end = value.offset() + value.len() as u64 - tail.left() as u64;
        let mut ahead = tail.clone();
        while let Some(located) = ahead.next() {
            let located = located?;
            if !matches!(located.item, Item::StreamNode(..)) {
                break;
            }
            nodes_end = located.end;
            tail = ahead.clone();
        }
        let nodes = usize::try_from(nodes_end - value.offset()).unwrap_or(usize::MAX);
        let nodes = value.bytes().get(..nodes).unwrap_or_default();
        self.record.value().extend_from_slice(nodes);
        write_tail(&tail, value.kind, to, self.record.value(), &mut self.counts.losses)?;
        Ok(())
    }

    fn layout_of(&self, entry: &Entry<'_>) -> Layout {
        match (self.layout(entry.value_type()), entry.value().module()) {
            (Layout::Same, Some(module)) if !self.has_module(module) => Layout::Lost(Loss::Module),
            (layout, _) => layout,
        }
    }

    fn has_module(&self, module: ModuleId) -> bool {
        let name = module.name();
        let target = self.options.target;
        // Seen in 8.0: it refuses the vector sets of later servers.
        let built_in = name == VECTORSET
            && !target.is_valkey()
            && target.at_least(8, 0)
            && self.writer.is_none_or(|(major, minor)| target.at_least(major, minor));
        built_in || self.options.target_modules.contains(&name)
    }

    /// A key's attributes written anew, where the target does not know all of them.
    fn attributes(&mut self, entry: &Entry<'_>) -> Option<Vec<u8>> {
        let target = self.options.target;
        let raw = entry.raw_attributes();
        if raw.is_empty() || known_attributes(raw, target) {
            return None;
        }
        let mut attributes = entry.attributes();
        let losses = &mut self.counts.losses;
        if attributes.metadata.is_some() && !has_key_metadata(target) {
            losses.add(Loss::KeyMetadata, 1, 1);
            attributes.metadata = None;
        }
        if target.rdb_version() < 9 {
            let hints = attributes.idle_seconds.is_some() || attributes.frequency.is_some();
            losses.add(Loss::EvictionHint, u64::from(hints), 1);
            (attributes.idle_seconds, attributes.frequency) = (None, None);
        }
        let mut out = Vec::new();
        if let Some(at) = attributes.expires.filter(|_| target.rdb_version() < 3) {
            let whole = at.get().rem_euclid(1000) == 0;
            losses.add(Loss::ExpiryPrecision, u64::from(!whole), 1);
            let seconds = at.get().div_euclid(1000) + i64::from(!whole);
            out.push(byte::EXPIRE_SECONDS);
            let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
            out.extend_from_slice(&seconds.to_le_bytes());
            attributes.expires = None;
        }
        attributes.write(&mut out);
        Some(out)
    }

    #[inline(never)]
    fn rare(
        &mut self,
        event: Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let target = self.options.target;
        let kept = match event.kind() {
            EventKind::Header(header) => {
                self.set_header(header_for(target, header));
                self.crosses = header.lineage != self.header.lineage;
                let header = self.header.to_string();
                return emit(&remade_record(header.as_bytes(), true, event.place));
            }
            EventKind::Aux(aux) => match self.renamed_aux(&aux) {
                Some(name) => {
                    let mut raw = vec![byte::AUX];
                    write_plain(name, &mut raw);
                    write_as_read(aux.value, &mut raw);
                    return emit(&remade_record(&raw, false, event.place));
                }
                None => self.keeps_aux(&aux),
            },
            EventKind::SelectDb(_) | EventKind::Footer(_) => true,
            EventKind::Eof => {
                if self.options.on_loss == OnLoss::Fail && !self.counts.losses.is_empty() {
                    let losses = &self.counts.losses;
                    return Err(Error::from_fault(Fault::Loss)
                        .with_detail(format!("{target} would lose {losses}")));
                }
                true
            }
            EventKind::ResizeDb { .. } => target.rdb_version() >= 7,
            EventKind::SlotInfo { .. } => target.at_least(7, 4) && !target.is_valkey(),
            EventKind::SlotImport(_) => self.header.lineage == Lineage::Valkey,
            EventKind::EnterpriseSkip => false,
            EventKind::Function(function) => return self.function(&function, event, emit),
            EventKind::HashTemplate(template) => {
                self.values.learn(&template)?;
                target.reads(ValueType::HashTmplLpRef)
            }
            EventKind::ModuleAux(aux) => {
                let kept = target.rdb_version() >= 9 && self.has_module(aux.module);
                if !kept {
                    self.counts.losses.add(Loss::ModuleAux, 1, 0);
                }
                self.open = match (aux.whole, kept) {
                    (true, _) => Open::No,
                    (_, true) => Open::Pass,
                    (_, false) => Open::Drop,
                };
                return if kept { emit(&event) } else { Ok(()) };
            }
            EventKind::Open(entry) => return self.opens(entry, event, emit),
            EventKind::Run(_) | EventKind::Piece(_) => return self.part(event, emit),
            EventKind::Close => return self.close(event, emit),
            EventKind::Entry(_) => return Err(Error::from_fault(Fault::Internal)),
        };
        if kept {
            return emit(&event);
        }
        self.counts.records_dropped += 1;
        Ok(())
    }

    /// Of the field that says which server wrote the file: what it is called in a file with the
    /// other family's magic, where under its own name it would look like damage.
    fn renamed_aux(&mut self, aux: &Aux<'_>) -> Option<&'static [u8]> {
        if let (Str::Plain(b"redis-ver"), Str::Plain(version)) = (aux.name, aux.value) {
            let mut parts = std::str::from_utf8(version).ok()?.split('.').map(str::parse);
            self.writer = Some((parts.next()?.ok()?, parts.next()?.ok()?));
        }
        match aux.name {
            Str::Plain(b"redis-ver") if self.crosses => Some(b"redkeep-from-redis-ver"),
            Str::Plain(b"valkey-ver") if self.crosses => Some(b"redkeep-from-valkey-ver"),
            _ => None,
        }
    }

    fn keeps_aux(&mut self, aux: &Aux<'_>) -> bool {
        if matches!(aux.name, Str::Plain(b"keydb-subexpire-when")) {
            self.counts.losses.add(Loss::MemberExpiry, 1, 1);
        }
        let of_keydb = matches!(aux.name, Str::Plain(name) if name.starts_with(b"keydb-"));
        self.options.target.rdb_version() >= 7 && !of_keydb
    }

    fn function(
        &mut self,
        function: &Function<'_>,
        event: Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let target = self.options.target;
        if !target.has_functions() {
            self.counts.losses.add(Loss::Function, 1, 0);
            return Ok(());
        }
        let Some((name, engine)) = function.pre_ga else { return emit(&event) };
        if target.reads_pre_ga_functions() {
            return emit(&event);
        }
        self.counts.functions_converted += 1;
        // As Redis 7.0 itself takes over what its release candidates wrote.
        let mut code = b"#!".to_vec();
        code.extend_from_slice(engine.bytes(&mut self.buf)?);
        code.extend_from_slice(b" name=");
        code.extend_from_slice(name.bytes(&mut self.buf)?);
        code.push(b'\n');
        code.extend_from_slice(function.code.bytes(&mut self.buf)?);
        let mut raw = vec![byte::FUNCTION2];
        write_length(code.len() as u64, &mut raw);
        raw.extend_from_slice(&code);
        emit(&remade_record(&raw, false, event.place))
    }

    fn opens(
        &mut self,
        entry: Entry<'_>,
        event: Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let kind = entry.value_type();
        let layout = self.layout_of(&entry);
        let by_rows = |to| streams(kind, to, self.options.expired_at);
        match layout {
            Layout::Lost(loss) => {
                self.counts.losses.add(loss, 1, 1);
                self.open = Open::Drop;
                return Ok(());
            }
            // The count in front waits for the last of it.
            Layout::To(to) if kind.data_type() != DataType::Stream && !by_rows(to) => {
                self.whole.begin(&event);
                self.open = Open::Whole;
                return Ok(());
            }
            _ => {}
        }
        let attributes = self.attributes(&entry);
        let raw_attributes = attributes.as_deref().unwrap_or(entry.raw_attributes());
        self.held.clear();
        let to = match layout {
            Layout::To(to) if kind.data_type() == DataType::Stream => {
                self.open = Open::Nodes { from: kind, to };
                to
            }
            Layout::To(to) => {
                self.open = Open::Rows { to, expiries: 0 };
                self.open_key = (entry.db(), entry.key_for_message());
                to
            }
            _ => {
                self.open = Open::Pass;
                if attributes.is_none() {
                    self.counts.copied += 1;
                    return emit(&event);
                }
                self.counts.converted += 1;
                kind
            }
        };
        self.record.begin(raw_attributes, to, entry.raw_key());
        match self.open {
            Open::Rows { .. } => {
                let count = entry.value().items()?.declared();
                ValueConverter::head(to, count, self.record.value());
            }
            _ => self.record.value().extend_from_slice(entry.value().bytes()),
        }
        emit(&self.record.open(to, entry.db(), &entry))
    }

    fn hold(&mut self, raw: &[u8], offset: u64) -> Result<()> {
        if (self.held.len() + raw.len()) as u64 > self.options.limits.held {
            return Err(Error::at(Fault::Held, offset));
        }
        self.held.extend_from_slice(raw);
        Ok(())
    }

    /// A run or a piece.
    fn part(
        &mut self,
        event: Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        match (self.open, event.kind()) {
            (Open::No | Open::Pass, _) => emit(&event),
            (Open::Drop, _) => Ok(()),
            (Open::Nodes { to, .. }, _) if event.part().0 == Part::StreamNodes => {
                emit(&event.retyped(to))
            }
            (Open::Whole, _) => self.whole.push(&event, self.options.limits.held),
            (Open::Rows { .. }, EventKind::Run(run)) => {
                self.run(run.items(), run.len(), event, emit)
            }
            (Open::Rows { .. }, EventKind::Piece(piece)) if piece.ends => {
                self.hold(event.raw(), event.offset())?;
                let held = std::mem::take(&mut self.held);
                self.run(piece.join(&held), 1, event, emit)
            }
            (Open::Nodes { .. } | Open::Rows { .. }, _) => self.hold(event.raw(), event.offset()),
        }
    }

    /// So many rows in another layout.
    fn run(
        &mut self,
        items: Items<'_>,
        count: u64,
        event: Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let Open::Rows { to, expiries } = self.open else { return Ok(()) };
        self.rows.clear();
        let run = self.values.run(items, to, &mut self.rows);
        let (db, key) = &self.open_key;
        let run = run.map_err(|error| error.or_at(event.offset()).in_key(*db, key))?;
        if run.rows != count {
            // The count in front has gone out already.
            return Err(Error::at(Fault::QuicklistContainer, event.offset())
                .with_detail("a node without an element")
                .in_key(*db, key));
        }
        self.open = Open::Rows { to, expiries: expiries + run.expiries };
        let (_, left) = event.part();
        emit(&remade_run(&self.rows, to, row_part(to), run.rows, left, event.place))
    }

    fn close(
        &mut self,
        event: Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        match std::mem::replace(&mut self.open, Open::No) {
            Open::No | Open::Pass => emit(&event),
            Open::Drop => Ok(()),
            Open::Rows { expiries, .. } => {
                self.counts.losses.add(Loss::FieldExpiry, expiries, 1);
                self.counts.converted += 1;
                emit(&event)
            }
            Open::Nodes { from, to } => {
                let held = std::mem::take(&mut self.held);
                let offset = event.offset().saturating_sub(held.len() as u64);
                let walk = Walk::of(from, Part::StreamInfo, 1);
                let items = Items::new(walk, &held, offset);
                self.rows.clear();
                let rows = write_tail(&items, from, to, &mut self.rows, &mut self.counts.losses)?;
                let mut start = 0;
                for row in rows {
                    let raw = self.rows.get(start..row.end).unwrap_or_default();
                    emit(&remade_run(raw, to, row.part, row.count, row.count, event.place))?;
                    start = row.end;
                }
                self.counts.converted += 1;
                emit(&remade_close(event.place))
            }
            Open::Whole => {
                let mut whole = std::mem::take(&mut self.whole);
                let done = match whole.event().and_then(|event| Some((event.entry()?, event))) {
                    Some((entry, event)) => self.entry(entry, event, emit),
                    None => Ok(()),
                };
                whole.clear();
                self.whole = whole;
                done
            }
        }
    }
}

/// What the rows of a layout are that is written run by run.
fn row_part(to: ValueType) -> Part {
    match to {
        ValueType::ListQuicklist => Part::ZiplistNodes,
        ValueType::ZSet => Part::ScoredText,
        ValueType::HashMetadata => Part::TtlPairs,
        ValueType::ValkeyHash2 => Part::PairsTtl,
        _ => Part::Pairs,
    }
}

fn has_key_metadata(target: ServerVersion) -> bool {
    !target.is_valkey() && target.at_least(8, 6)
}

/// Whether the target knows every record among a key's attributes.
fn known_attributes(raw: &[u8], target: ServerVersion) -> bool {
    let version = target.rdb_version();
    // An expiry is all that most keys have.
    if raw.len() == 9 && raw.first() == Some(&byte::EXPIRE_MS) {
        return version >= 3;
    }
    let mut c = Cursor::new(raw);
    while !c.is_empty() {
        let seconds = c.peek() == Ok(byte::EXPIRE_SECONDS);
        let known = match Attribute::read(&mut c, Lineage::Redis) {
            Ok(Attribute::Expires(_)) => version >= 3 || seconds,
            Ok(Attribute::Idle(_) | Attribute::Frequency(_)) => version >= 9,
            Ok(Attribute::Metadata(_)) => has_key_metadata(target),
            Ok(Attribute::Aux(..)) => version >= 7,
            Ok(Attribute::SelectDb(_)) => true,
            _ => false,
        };
        if !known {
            return false;
        }
    }
    true
}
