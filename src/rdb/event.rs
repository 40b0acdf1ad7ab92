//! Events: what a reader hands out, one after the other, until the end.

use crate::error::Fault;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::entry::Entry;
use crate::rdb::opcode::{Opcode, Token, token};
use crate::rdb::string::{Str, StrHead};
use crate::rdb::template::HashTemplate;
use crate::rdb::value::Items;
use crate::rdb::value_type::ValueType;
use crate::rdb::version::{Header, Lineage};
use crate::rdb::walk::{Part, Walk};
use crate::wire::cursor::{Cursor, Res, part};
use bytes::Bytes;
use std::fmt;

/// What consumed bytes are. Numbers are places inside them; the bytes themselves are not held, so
/// that a driver may lend its buffer after the parser is done.
///
/// Plain numbers beside a bare tag, not an enum with fields: that would be written to memory and
/// read back at another width for every key, and waiting for it costs more than the parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) what: What,
    kind: ValueType,
    part: Part,
    /// A string's head begins here (piece).
    opens: bool,
    /// All of it is here (module data), the item ends here (piece), a footer follows (end), the
    /// sum was computed (footer).
    whole: bool,
    /// Where the type byte is (entry), items (run), bytes to come (piece), the sum (footer).
    first: u64,
    /// Where the value begins (entry), items that were to come before (run and piece).
    second: u64,
}

/// The tag of a [`Mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Header,
    /// A record that is no key.
    Record,
    /// Data of a module outside any key; where not whole, runs and pieces follow until `Close`.
    ModuleAux,
    /// A key with its whole value.
    Entry,
    /// A key whose value is bigger than the limit: runs and pieces follow until `Close`.
    Open,
    /// Whole items of one part, together at most `limit` bytes.
    Run,
    /// Bytes of one item that alone is bigger than the limit.
    Piece,
    Close,
    Eof,
    Footer,
}

impl Mark {
    /// A mark without numbers.
    #[inline(always)]
    pub(crate) fn of(what: What) -> Mark {
        let (kind, part) = (ValueType::String, Part::Done);
        Mark { what, kind, part, opens: false, whole: false, first: 0, second: 0 }
    }

    /// An entry, or an open one.
    #[inline(always)]
    pub(crate) fn key(what: What, kind: ValueType, kind_at: usize, value_at: usize) -> Mark {
        Mark { kind, first: kind_at as u64, second: value_at as u64, ..Mark::of(what) }
    }

    pub(crate) fn module_aux(whole: bool) -> Mark {
        Mark { whole, ..Mark::of(What::ModuleAux) }
    }

    /// `count` items of a part of which `left` were to come before.
    pub(crate) fn run(kind: ValueType, part: Part, count: u64, left: u64) -> Mark {
        Mark { kind, part, first: count, second: left, ..Mark::of(What::Run) }
    }

    pub(crate) fn piece(
        kind: ValueType,
        part: Part,
        opens: bool,
        ends: bool,
        following: u64,
        left: u64,
    ) -> Mark {
        let run = Mark::run(kind, part, following, left);
        Mark { what: What::Piece, opens, whole: ends, ..run }
    }

    /// The end opcode, and whether a footer follows.
    pub(crate) fn eof(footer: bool) -> Mark {
        Mark { whole: footer, ..Mark::of(What::Eof) }
    }

    pub(crate) fn footer(computed: Option<u64>) -> Mark {
        let (whole, first) = (computed.is_some(), computed.unwrap_or_default());
        Mark { whole, first, ..Mark::of(What::Footer) }
    }

    #[inline(always)]
    fn entry<'a>(&self, raw: &'a [u8], place: Place) -> Entry<'a> {
        let at = |place| usize::try_from(place).unwrap_or(usize::MAX);
        Entry::new(raw, self.kind, at(self.first), at(self.second), place)
    }
}

/// One event: its raw bytes, and what they are.
///
/// The raw bytes of all events, end to end, are the file. Events are borrowed from a slice or lent
/// by a stream; [`into_owned`](Event::into_owned) makes a copy to keep.
///
/// ```
/// use redkeep::rdb::{EventKind, SliceReader};
/// let dump = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff";
/// let events: Vec<_> = SliceReader::new(dump).collect::<Result<_, _>>()?;
/// assert!(matches!(events[0].kind(), EventKind::Header(_)));
/// assert!(matches!(events[2].kind(), EventKind::Entry(_)));
/// let copied: Vec<u8> = events.iter().flat_map(|event| event.raw()).copied().collect();
/// assert_eq!(copied, dump);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) mark: Mark,
    pub(crate) place: Place,
}

/// Where an event lies, and what holds for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) db: u64,
    /// What the items of an open value refer to.
    pub(crate) base: u64,
    pub(crate) slot: Option<u16>,
}

impl<'a> Event<'a> {
    /// The bytes of the file that it stands for.
    #[inline(always)]
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The absolute offset of its first byte.
    #[inline(always)]
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.place.offset
    }

    /// The key, where it is one with its whole value: what most events are, and the quick way to
    /// those.
    #[inline(always)]
    #[must_use]
    pub fn entry(&self) -> Option<Entry<'a>> {
        match self.mark.what {
            What::Entry => Some(self.mark.entry(self.raw, self.place)),
            _ => None,
        }
    }

    /// Whether it is a key, or the beginning of one whose value follows.
    #[inline(always)]
    #[must_use]
    pub fn begins_key(&self) -> bool {
        matches!(self.mark.what, What::Entry | What::Open)
    }

    /// What it is.
    #[inline(always)]
    #[must_use]
    pub fn kind(&self) -> EventKind<'a> {
        match self.mark.what {
            What::Entry => EventKind::Entry(self.mark.entry(self.raw, self.place)),
            _ => self.rare_kind(),
        }
    }

    // By value: a reference would keep every event in memory.
    #[inline(never)]
    fn rare_kind(self) -> EventKind<'a> {
        let Event { raw, mark, place } = self;
        let Mark { what, kind, part, opens, whole, first, second } = mark;
        let offset = place.offset;
        let walk = Walk::of(kind, part, second).with_base(place.base);
        match what {
            What::Entry => EventKind::Entry(mark.entry(raw, place)),
            What::Open => EventKind::Open(mark.entry(raw, place)),
            What::Run => EventKind::Run(Run { walk, count: first, raw, offset }),
            What::Piece => {
                let head = opens.then(|| Cursor::new(raw).string_head().ok()).flatten();
                EventKind::Piece(Piece { walk, head, ends: whole, following: first, raw, offset })
            }
            What::Close => EventKind::Close,
            What::Footer => EventKind::Footer(Footer {
                stored: Cursor::new(raw).u64_le().unwrap_or_default(),
                computed: whole.then_some(first),
            }),
            What::Header | What::Record | What::ModuleAux | What::Eof => {
                // Framed by the same function before, so it reads again.
                match read_record(&mut Cursor::new(raw), offset) {
                    Ok(EventKind::ModuleAux(aux)) => {
                        EventKind::ModuleAux(ModuleAux { whole, ..aux })
                    }
                    Ok(kind) => kind,
                    Err(_) => EventKind::Eof,
                }
            }
        }
    }

    /// The same bytes as a part of a value of another layout, where both lay this part out alike.
    pub(crate) fn retyped(self, kind: ValueType) -> Event<'a> {
        Event { mark: Mark { kind, ..self.mark }, ..self }
    }

    /// All of it but the bytes.
    pub(crate) fn shape(&self) -> EventShape {
        EventShape { mark: self.mark, place: self.place }
    }

    /// Of a run or a piece: its part of the value, and items of it to come before.
    pub(crate) fn part(&self) -> (Part, u64) {
        (self.mark.part, self.mark.second)
    }

    /// Of the end opcode: whether a footer follows, which only the header knows.
    pub(crate) fn expects_footer(&self) -> bool {
        self.mark.whole
    }

    /// A copy that owns its bytes.
    #[must_use]
    pub fn into_owned(self) -> OwnedEvent {
        let Event { raw, mark, place } = self;
        OwnedEvent { raw: Bytes::copy_from_slice(raw), mark, place }
    }
}

/// An event without its bytes, for who keeps those of many in one place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventShape {
    mark: Mark,
    place: Place,
}

impl EventShape {
    /// The event again.
    pub(crate) fn event(self, raw: &[u8]) -> Event<'_> {
        Event { raw, mark: self.mark, place: self.place }
    }
}

/// Reads a record that is no key, or the header; of module data only the head.
pub(crate) fn read_record<'a>(c: &mut Cursor<'a>, offset: u64) -> Res<EventKind<'a>> {
    let whole = *c;
    let here = |c: &Cursor<'_>| offset + (whole.left() - c.left()) as u64;
    let opcode = match c.peek()? {
        b'R' | b'V' => {
            let header = Header::parse(&c.array()?).ok_or_else(|| whole.bad(Fault::Magic))?;
            return Ok(EventKind::Header(header));
        }
        // Redis' key metadata has this number too, and never comes alone.
        byte @ 243 => token(Lineage::Valkey, byte),
        byte => token(Lineage::Redis, byte),
    };
    c.byte()?;
    let Token::Opcode(opcode) = opcode else { return Err(whole.bad(Fault::Internal)) };
    Ok(match opcode {
        Opcode::Eof => EventKind::Eof,
        Opcode::SelectDb => EventKind::SelectDb(c.length()?),
        Opcode::ResizeDb => EventKind::ResizeDb { keys: c.length()?, expires: c.length()? },
        Opcode::Aux => EventKind::Aux(Aux { name: c.string()?, value: c.string()? }),
        Opcode::SlotInfo => {
            EventKind::SlotInfo { slot: c.length()?, keys: c.length()?, expires: c.length()? }
        }
        Opcode::SlotImport => {
            let job = c.string()?;
            let ranges = c.length()?;
            let raw = c.rest();
            for _ in 0..ranges {
                let before = *c;
                let (first, last) = (c.length()?, c.length()?);
                if first > last || last > 16_383 {
                    return Err(before.bad(Fault::SlotRange));
                }
            }
            EventKind::SlotImport(SlotImport { job, ranges, raw: used_of(raw, c) })
        }
        Opcode::Function2 => {
            let code = c.string()?;
            EventKind::Function(Function { code, pre_ga: None, raw: used_of(whole.rest(), c) })
        }
        Opcode::FunctionPreGa => {
            let pre_ga = Some((c.string()?, c.string()?));
            if c.length()? != 0 {
                c.string()?;
            }
            let code = c.string()?;
            EventKind::Function(Function { code, pre_ga, raw: used_of(whole.rest(), c) })
        }
        Opcode::HashTemplate => {
            let before = *c;
            let (id, fields) = (c.length()?, c.length()?);
            if fields == 0 {
                return Err(before.bad(Fault::TemplateFields));
            }
            let (raw, offset) = (c.rest(), here(c));
            for _ in 0..fields {
                c.string()?;
            }
            let raw = used_of(raw, c);
            EventKind::HashTemplate(HashTemplate { id, fields, raw, offset })
        }
        Opcode::ModuleAux => {
            let module = ModuleId::new(c.length()?);
            let before = *c;
            if c.length()? != 2 {
                return Err(before.bad(Fault::ModuleAux));
            }
            let when = c.length()?;
            let (data, offset) = (c.rest(), here(c));
            EventKind::ModuleAux(ModuleAux { module, when, whole: true, data, offset })
        }
        Opcode::EnterpriseSkip => {
            c.length()?;
            EventKind::EnterpriseSkip
        }
        Opcode::KeyMeta
        | Opcode::Idle
        | Opcode::Freq
        | Opcode::ExpireMs
        | Opcode::ExpireSeconds => return Err(whole.bad(Fault::Internal)),
    })
}

/// The beginning of `bytes` that the cursor, once at their start, has passed.
fn used_of<'a>(bytes: &'a [u8], c: &Cursor<'a>) -> &'a [u8] {
    part(bytes, 0, bytes.len() - c.left())
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({:?}, {} bytes, {:?})", self.mark, self.raw.len(), self.place)
    }
}

/// An event that owns its bytes. Cloning is cheap.
///
/// ```
/// # use redkeep::rdb::SliceReader;
/// let event = SliceReader::new(b"REDIS0003\xff").next().unwrap()?;
/// let kept = event.into_owned();
/// assert_eq!(kept.event().raw(), b"REDIS0003");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
pub struct OwnedEvent {
    raw: Bytes,
    mark: Mark,
    place: Place,
}

impl OwnedEvent {
    /// The event, borrowed from this copy.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        Event { raw: &self.raw, mark: self.mark, place: self.place }
    }
}

impl fmt::Debug for OwnedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.event().fmt(f)
    }
}

/// What an [`Event`] is.
///
/// A value within the window arrives whole as [`Entry`](EventKind::Entry). A bigger one arrives as
/// [`Open`](EventKind::Open), then [`Run`](EventKind::Run)s of whole items and
/// [`Piece`](EventKind::Piece)s of single items that are themselves too big, then
/// [`Close`](EventKind::Close). A [`SliceReader`](crate::rdb::SliceReader) always gives entries.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum EventKind<'a> {
    /// Magic and version: the first nine bytes.
    Header(Header),
    /// A named fact about the file (since RDB 7).
    Aux(Aux<'a>),
    /// The keys that follow are in this database.
    SelectDb(u64),
    /// How many keys and expiring keys the database has: a hint that may be wrong.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        expires: u64,
    },
    /// The keys that follow are in this cluster slot: a hint (Redis 7.4 and later).
    SlotInfo {
        /// The slot.
        slot: u64,
        /// Keys in it.
        keys: u64,
        /// Keys in it with an expiry.
        expires: u64,
    },
    /// Slots that were being imported when the file was written (Valkey 9).
    SlotImport(SlotImport<'a>),
    /// A function library.
    Function(Function<'a>),
    /// Field names that hashes refer to (Redis 8.10).
    HashTemplate(HashTemplate<'a>),
    /// Data of a module outside any key.
    ModuleAux(ModuleAux<'a>),
    /// A record of Redis Enterprise that means nothing elsewhere.
    EnterpriseSkip,
    /// A key with its whole value.
    Entry(Entry<'a>),
    /// A key whose value follows in runs and pieces.
    Open(Entry<'a>),
    /// Whole items of an open value.
    Run(Run<'a>),
    /// A part of one item of an open value.
    Piece(Piece<'a>),
    /// The end of an open value; no bytes of its own.
    Close,
    /// The end opcode.
    Eof,
    /// The checksum (since RDB 5).
    Footer(Footer),
}

/// A named fact: `redis-ver`, `ctime`, `used-mem`, ...
///
/// ```
/// # use redkeep::rdb::{EventKind, SliceReader, StrBuf};
/// let dump = b"REDIS0007\xfa\x09redis-ver\x053.2.1\xff\0\0\0\0\0\0\0\0";
/// for event in SliceReader::new(dump) {
///     if let EventKind::Aux(aux) = event?.kind() {
///         assert_eq!(aux.name.bytes(&mut StrBuf::new())?, b"redis-ver");
///     }
/// }
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Aux<'a> {
    /// Its name.
    pub name: Str<'a>,
    /// Its value, mostly text.
    pub value: Str<'a>,
}

/// A function library, or a function of the 7.0 release candidates.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    /// The source.
    pub code: Str<'a>,
    /// What the release candidates stored apart: name and engine.
    pub pre_ga: Option<(Str<'a>, Str<'a>)>,
    raw: &'a [u8],
}

impl<'a> Function<'a> {
    /// The record as it stands in the file, opcode and all: what `FUNCTION DUMP` strings together.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

/// Data that a module keeps outside any key.
#[derive(Debug, Clone, Copy)]
pub struct ModuleAux<'a> {
    /// The module type it belongs to.
    pub module: ModuleId,
    /// 1 = to be loaded before the keys, 2 = after them.
    pub when: u64,
    /// Whether all of it is here; else runs and pieces follow until `Close`.
    pub whole: bool,
    pub(crate) data: &'a [u8],
    pub(crate) offset: u64,
}

impl<'a> ModuleAux<'a> {
    /// Its fields, as far as they are here.
    #[must_use]
    pub fn items(&self) -> Items<'a> {
        Items::new(Walk::module_fields(self.module.get()), self.data, self.offset)
    }
}

/// Slots that were being imported when the file was written.
#[derive(Debug, Clone, Copy)]
pub struct SlotImport<'a> {
    /// The name of the import job, 40 characters.
    pub job: Str<'a>,
    /// How many ranges it covers.
    pub ranges: u64,
    raw: &'a [u8],
}

impl SlotImport<'_> {
    /// First and last slot of each range.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut c = Cursor::new(self.raw);
        std::iter::from_fn(move || Some((c.length().ok()?, c.length().ok()?)))
    }
}

/// Whole items of an open value: at most a window's worth.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    walk: Walk,
    count: u64,
    raw: &'a [u8],
    offset: u64,
}

impl<'a> Run<'a> {
    /// How many items it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Never true: a run has items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items.
    #[inline(always)]
    #[must_use]
    pub fn items(&self) -> Items<'a> {
        Items::new(self.walk, self.raw, self.offset)
    }
}

/// Bytes of one item that alone is bigger than the window.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    walk: Walk,
    /// The head of a string, where one begins here; its bytes follow in the next pieces.
    pub head: Option<StrHead>,
    /// Whether the item ends with these bytes.
    pub ends: bool,
    /// Bytes of the current string still to come after these.
    pub following: u64,
    raw: &'a [u8],
    offset: u64,
}

impl<'a> Piece<'a> {
    /// Whether the item is nothing but one string of a string, list or set.
    #[must_use]
    pub fn is_plain_item(&self) -> bool {
        matches!(self.walk.part, Part::Text | Part::Members)
    }

    /// The bytes: those of the string's payload, unless `head` says that a head begins here.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The item as items of one, from the bytes of all its pieces joined; the last piece knows how.
    #[must_use]
    pub fn join<'b>(&self, bytes: &'b [u8]) -> Items<'b> {
        let end = self.offset + self.raw.len() as u64;
        Items::new(self.walk, bytes, end.saturating_sub(bytes.len() as u64))
    }
}

/// The checksum at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footer {
    /// As stored; 0 = none was kept.
    pub stored: u64,
    /// That of the bytes read, where the reader computed it.
    pub computed: Option<u64>,
}
