//! The sans-IO core: a step takes bytes and answers need-n-more, or used-n with a mark.
//!
//! An event *is* its raw bytes, `bytes[..used]`; the mark says where in them the parts begin. So
//! the core never borrows its input, and both readers are thin drivers over it that cannot
//! disagree: every decision depends on the bytes so far and the limit, never on what is resident.
//!
//! A whole small record is framed by a short path without state. Everything else (bytes short,
//! opcodes, values over the limit, damage) reads the record again from its first byte on one cold
//! path. State that resumes a value lives inside the state's variant: kept beside it, it would
//! outlive the value and hit the next key.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::rdb::attribute::{MVCC, SLOT_INFO, slot_of};
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::entry::Head;
use crate::rdb::event::{EventKind, Mark, Place, What, read_record};
use crate::rdb::opcode::{Opcode, Token, token};
use crate::rdb::string::{Str, StrBuf};
use crate::rdb::template::TemplateSizes;
use crate::rdb::value_type::ValueType;
use crate::rdb::version::{Header, Lineage};
use crate::rdb::walk::{Atom, Part, Walk, pass};
use crate::wire::cursor::{Cursor, Res, Stop, part};

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// At least this many bytes more.
    Need(u64),
    /// The first `used` bytes are what the mark says.
    Got { used: usize, mark: Mark },
}

/// A walk cut short, and the bytes of items it has passed.
type Walked = (Walk, usize);

#[derive(Debug, Clone, Copy)]
enum State {
    Header,
    Record,
    /// A value not all here, walked this far.
    Waiting(Walked),
    /// Between runs of a value over the limit.
    Big(Walk),
    BigWaiting(Walk, Walked),
    /// Inside an item over the limit: at this atom, this much of its string to come.
    Giant {
        run: Walk,
        atom: usize,
        raw: u64,
    },
    Footer,
    Done,
}

/// All that is kept between steps.
#[derive(Debug)]
pub(crate) struct Parser {
    state: State,
    /// Absolute offset of the next byte.
    base: u64,
    limit: usize,
    held: u64,
    max_templates: usize,
    header: Header,
    lineage: Lineage,
    db: u64,
    slot: Option<u16>,
    /// What the items of the open value refer to.
    items_base: u64,
    sizes: TemplateSizes,
    /// The key of the value that is open, shortened, for messages.
    open_key: Vec<u8>,
}

type Got = (usize, Mark);

enum Halt {
    Done(usize),
    /// The next item does not fit, whatever is resident.
    Full(Walk, usize),
    Wait(Walk, usize, u64),
}

/// Walks items within `room` bytes.
#[inline(never)]
fn advance(
    c: Cursor<'_>,
    from: Option<Walked>,
    start: Walk,
    room: usize,
    one_part: bool,
) -> Res<Halt> {
    let (mut walk, walked) = from.unwrap_or((start, 0));
    let mut view = c.clip(room);
    let seen = view.left();
    view.take(walked as u64)?;
    let end = if one_part {
        walk.run_part(&mut view, |_, _| Ok(()))
    } else {
        walk.run(&mut view, |_, _| Ok(()))
    };
    let used = seen - view.left();
    match end {
        Ok(()) if one_part => Ok(Halt::Full(walk, used)),
        Ok(()) => Ok(Halt::Done(used)),
        Err(Stop::Short(n)) if exceeds(room, seen, n) => Ok(Halt::Full(walk, used)),
        Err(Stop::Short(n)) => Ok(Halt::Wait(walk, used, n)),
        Err(Stop::Bad(fault, left)) => Err(Stop::Bad(fault, left + (c.left() - seen))),
    }
}

/// A limit that no claimed length is over, not even one of 2^64-1.
pub(crate) const UNLIMITED: usize = usize::MAX;

fn exceeds(room: usize, seen: usize, lacking: u64) -> bool {
    room != UNLIMITED && (seen as u64).saturating_add(lacking) > room as u64
}

/// What a record over several steps begins with.
enum Lead {
    Key(Head),
    ModuleAux,
}

impl Parser {
    /// `limit`: the biggest value handed out whole, and the biggest run of items.
    pub(crate) fn new(limits: &Limits, limit: usize) -> Self {
        Parser {
            state: State::Header,
            base: 0,
            limit,
            held: limits.held.max(limit as u64),
            max_templates: limits.templates,
            header: Header { lineage: Lineage::Redis, version: 0 },
            lineage: Lineage::Redis,
            db: 0,
            slot: None,
            items_base: 0,
            sizes: TemplateSizes::default(),
            open_key: Vec::new(),
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.base
    }

    /// Where and in what the event lies that began at `offset` and has just been stepped over.
    #[inline(always)]
    pub(crate) fn place(&self, offset: u64) -> Place {
        Place { offset, db: self.db, base: self.items_base, slot: self.slot }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The short path: a whole small record, or nothing done.
    #[inline(always)]
    pub(crate) fn quick(&mut self, input: &[u8]) -> Option<(usize, Mark)> {
        if !matches!(self.state, State::Record) {
            return None;
        }
        let mut c = Cursor::new(input);
        let (kind_at, kind) = Head::read_usual(&mut c, self.lineage)?;
        let value_at = input.len() - c.left();
        pass(kind, &mut c, &self.sizes).ok()?;
        let used = input.len() - c.left();
        if used - value_at > self.limit {
            return None;
        }
        self.base += used as u64;
        Some((used, Mark::key(What::Entry, kind, kind_at, value_at)))
    }

    /// One step of either path.
    pub(crate) fn step(&mut self, input: &[u8], eof: bool) -> Result<Step> {
        match self.quick(input) {
            Some((used, mark)) => Ok(Step::Got { used, mark }),
            None => self.slow(input, eof),
        }
    }

    /// Everything that is not a whole small record; reads the record again from its first byte.
    #[inline(never)]
    pub(crate) fn slow(&mut self, input: &[u8], eof: bool) -> Result<Step> {
        let c = Cursor::new(input);
        let stop = match self.other(c) {
            Ok((used, mark)) => {
                self.base += used as u64;
                return Ok(Step::Got { used, mark });
            }
            Err(stop) => stop,
        };
        let total = input.len() as u64;
        let error = match stop {
            Stop::Short(n) if total.saturating_add(n) > self.held => {
                Error::at(Fault::Held, self.base)
                    .with_detail(format!("it needs {} bytes", total.saturating_add(n)))
            }
            Stop::Short(n) if !eof => return Ok(Step::Need(n)),
            // Too short for a header, but long enough to see that it is none.
            Stop::Short(_) if self.base == 0 && !may_be_magic(input) => Error::at(Fault::Magic, 0)
                .with_detail(format!("\"{}\"", c.clip(9).rest().escape_ascii())),
            Stop::Short(n) => Error::at(Fault::EndsInside, self.base + total)
                .with_detail(format!("{n} bytes are missing in {}", self.what(c))),
            Stop::Bad(fault, left) => {
                let at = total - left as u64;
                let error = Error::at(fault, self.base + at);
                match self.detail(fault, c, left) {
                    Some(detail) => error.with_detail(detail),
                    None => error,
                }
            }
        };
        let error = self.in_key(error, c);
        self.state = State::Done;
        Err(error)
    }

    fn other(&mut self, mut c: Cursor<'_>) -> Res<Got> {
        match self.state {
            State::Record => match token(self.lineage, c.peek()?) {
                Token::Value(_) => self.value(c, None),
                Token::Opcode(Opcode::ModuleAux) => self.value(c, None),
                Token::Opcode(opcode) if opcode.is_key_scoped() => self.value(c, None),
                Token::Opcode(Opcode::Aux) if is_mvcc(c)? => self.value(c, None),
                Token::Opcode(_) => self.record(c),
                Token::Vendor(_) => Err(c.bad(Fault::Vendor)),
                Token::Unknown => Err(c.bad(Fault::Opcode)),
            },
            State::Waiting(walked) => self.value(c, Some(walked)),
            State::Header => self.header(c),
            State::Footer => {
                c.u64_le()?;
                self.state = State::Done;
                Ok((8, Mark::footer(None)))
            }
            State::Big(run) => self.big(c, run, None),
            State::BigWaiting(run, walked) => self.big(c, run, Some(walked)),
            State::Giant { run, atom, raw } => self.giant(c, run, atom, raw),
            State::Done => Err(c.bad(Fault::PastTheEnd)),
        }
    }

    fn header(&mut self, mut c: Cursor<'_>) -> Res<Got> {
        let before = c;
        let magic = c.array()?;
        if magic.starts_with(b"VCS") {
            return Err(before.bad(Fault::CompressedEnvelope));
        }
        let header = Header::parse(&magic).ok_or_else(|| {
            let known = magic.starts_with(b"REDIS") || magic.starts_with(b"VALKEY");
            before.bad(if known { Fault::Version } else { Fault::Magic })
        })?;
        if header.version == 0 {
            return Err(before.bad(Fault::Version));
        }
        (self.header, self.lineage) = (header, header.lineage);
        self.state = State::Record;
        Ok((9, Mark::of(What::Header)))
    }

    /// A record that is no key.
    fn record(&mut self, mut c: Cursor<'_>) -> Res<Got> {
        let before = c;
        match read_record(&mut c, self.base)? {
            EventKind::Eof => {
                let footer = self.header.has_footer();
                self.state = if footer { State::Footer } else { State::Done };
                return Ok((1, Mark::eof(footer)));
            }
            EventKind::SelectDb(db) => (self.db, self.slot) = (db, None),
            EventKind::SlotInfo { slot, .. } => self.slot = u16::try_from(slot).ok(),
            EventKind::Aux(aux) => self.note_aux(aux.name, aux.value),
            EventKind::HashTemplate(template) => self
                .sizes
                .add(template.id, template.fields, self.max_templates)
                .map_err(|fault| before.bad(fault))?,
            _ => {}
        }
        Ok((before.left() - c.left(), Mark::of(What::Record)))
    }

    /// Facts that change how the rest is read.
    fn note_aux(&mut self, name: Str<'_>, value: Str<'_>) {
        match name {
            Str::Plain(b"df-ver") if self.header.lineage == Lineage::Redis => {
                self.lineage = Lineage::Dragonfly;
            }
            Str::Plain(SLOT_INFO) => self.slot = slot_of(value),
            _ => {}
        }
    }

    /// What comes before the items, and their walk; the value's own bytes begin at `value_at`.
    fn lead(&self, c: &mut Cursor<'_>) -> Res<(Lead, usize, Walk)> {
        let total = c.left();
        if token(self.lineage, c.peek()?) == Token::Opcode(Opcode::ModuleAux) {
            let before = *c;
            let EventKind::ModuleAux(aux) = read_record(c, self.base)? else {
                return Err(before.bad(Fault::Internal));
            };
            let walk = Walk::module_fields(aux.module.get());
            return Ok((Lead::ModuleAux, total - c.left(), walk));
        }
        let head = Head::read(c, self.lineage)?;
        let value_at = total - c.left();
        let walk = Walk::start(head.kind, c, Some(&self.sizes))?;
        Ok((Lead::Key(head), value_at, walk))
    }

    /// A value not all here, or too big: walks on from where the last step came to.
    fn value(&mut self, mut c: Cursor<'_>, walked: Option<Walked>) -> Res<Got> {
        let whole = c;
        let (lead, value_at, start) = self.lead(&mut c)?;
        let items_at = whole.left() - c.left();
        let room = match self.limit {
            UNLIMITED => UNLIMITED,
            limit => limit.saturating_sub(items_at - value_at),
        };
        let fits = match advance(c, walked, start, room, false)? {
            Halt::Done(n) => Some(n),
            Halt::Wait(walk, used, n) => {
                self.state = State::Waiting((walk, used));
                return Err(Stop::Short(n));
            }
            Halt::Full(..) => None,
        };
        self.state = match fits {
            Some(_) => State::Record,
            None => {
                self.items_base = start.base;
                State::Big(start)
            }
        };
        let mark = match lead {
            Lead::Key(Head { kind, kind_at, db, slot }) => {
                if let Some(db) = db {
                    (self.db, self.slot) = (db, None);
                }
                self.slot = slot.or(self.slot);
                match fits {
                    Some(_) => Mark::key(What::Entry, kind, kind_at, value_at),
                    None => {
                        self.open_key = key_of(whole, kind_at, value_at);
                        Mark::key(What::Open, kind, kind_at, value_at)
                    }
                }
            }
            Lead::ModuleAux => {
                self.open_key.clear();
                Mark::module_aux(fits.is_some())
            }
        };
        Ok((items_at + fits.unwrap_or(0), mark))
    }

    /// The next run of a big value.
    fn big(&mut self, c: Cursor<'_>, mut run: Walk, walked: Option<Walked>) -> Res<Got> {
        run.settle();
        let Walk { kind, part, left, base, .. } = run;
        if part == Part::Done {
            self.state = State::Record;
            return Ok((0, Mark::of(What::Close)));
        }
        match advance(c, walked, run, self.limit, true)? {
            // Counters and names cannot be cut: such an item is held whole.
            Halt::Full(mut next, 0) if part.atoms().is_empty() => {
                let mut at = c;
                next.next(&mut at)?;
                self.state = State::Big(next);
                let left = self.counted(kind, base, left);
                Ok((c.left() - at.left(), Mark::run(kind, part, 1, left)))
            }
            Halt::Full(next, 0) => self.giant(c, next, 0, 0),
            Halt::Full(next, used) => {
                self.state = State::Big(next);
                let count = next.since(&run);
                let left = self.counted(kind, base, left);
                Ok((used, Mark::run(kind, part, count, left)))
            }
            Halt::Wait(next, used, n) => {
                self.state = State::BigWaiting(run, (next, used));
                Err(Stop::Short(n))
            }
            Halt::Done(_) => Err(c.bad(Fault::Internal)),
        }
    }

    /// Items left as a reader without the template's size counts them: down from the top.
    fn counted(&self, kind: ValueType, template: u64, left: u64) -> u64 {
        match (kind, self.sizes.get(template)) {
            (ValueType::HashTmplArrayRef, Some(fields)) => u64::MAX - fields.saturating_sub(left),
            _ => left,
        }
    }

    /// One item that alone is bigger than the limit, atom by atom, strings in pieces of `limit`
    /// bytes.
    fn giant(&mut self, mut c: Cursor<'_>, mut run: Walk, atom: usize, raw: u64) -> Res<Got> {
        let total = c.left();
        let atoms = run.part.atoms();
        let mut opens = false;
        let (next, following) = if raw > 0 {
            let n = raw.min(self.limit as u64);
            c.take(n)?;
            (if raw == n { atom + 1 } else { atom }, raw - n)
        } else {
            match atoms.get(atom) {
                Some(Atom::Str) => {
                    opens = true;
                    match c.string_head()?.following() {
                        0 => (atom + 1, 0),
                        n => (atom, n),
                    }
                }
                Some(Atom::Len) => {
                    c.length()?;
                    (atom + 1, 0)
                }
                Some(Atom::Raw(n)) => {
                    c.take(*n)?;
                    (atom + 1, 0)
                }
                Some(Atom::TextScore) => {
                    let n = c.byte()?;
                    c.take(if n < 253 { u64::from(n) } else { 0 })?;
                    (atom + 1, 0)
                }
                None => return Err(c.bad(Fault::Internal)),
            }
        };
        let Walk { kind, part, base, left: items, .. } = run;
        let ends = following == 0 && atoms.get(next).is_none();
        self.state = if ends {
            run.left = items.saturating_sub(1);
            State::Big(run)
        } else {
            State::Giant { run, atom: next, raw: following }
        };
        let left = self.counted(kind, base, items);
        Ok((total - c.left(), Mark::piece(kind, part, opens, ends, following, left)))
    }

    /// What was being read, for a message about its end.
    #[cold]
    fn what(&self, c: Cursor<'_>) -> String {
        match self.state {
            State::Header => "the header".to_owned(),
            State::Footer => "the checksum".to_owned(),
            State::Big(walk) | State::BigWaiting(walk, _) | State::Giant { run: walk, .. } => {
                format!("a value of type {}", walk.kind)
            }
            State::Done => "nothing".to_owned(),
            State::Record | State::Waiting(_) => match Head::read(&mut c.clone(), self.lineage) {
                Ok(head) => format!("a value of type {}", head.kind),
                Err(_) if c.is_empty() => "the end: no end opcode".to_owned(),
                Err(_) => "a record's head".to_owned(),
            },
        }
    }

    /// Words that the fault alone does not know.
    #[cold]
    fn detail(&self, fault: Fault, c: Cursor<'_>, left: usize) -> Option<String> {
        let mut at = c;
        at.take((c.left() - left) as u64).ok()?;
        let byte = at.peek().ok();
        match fault {
            Fault::Vendor => match token(self.lineage, byte?) {
                Token::Vendor(name) => Some(format!("byte {}, {name}", byte?)),
                _ => None,
            },
            Fault::Opcode => Some(format!("byte {} after {}", byte?, self.lineage)),
            Fault::ModulePreGa => {
                let id = ModuleId::new(at.length().ok()?);
                Some(format!("module {}, encoding version {}", id.name(), id.version()))
            }
            Fault::Magic | Fault::Version => {
                Some(format!("\"{}\"", c.clip(9).rest().escape_ascii()))
            }
            _ => None,
        }
    }

    /// Names the key, where one was being read.
    #[cold]
    fn in_key(&self, error: Error, c: Cursor<'_>) -> Error {
        match self.state {
            State::Record | State::Waiting(_) => {
                let total = c.left();
                let mut after = c;
                match Head::read(&mut after, self.lineage) {
                    Ok(Head { kind_at, db, .. }) => {
                        let key = key_of(c, kind_at, total - after.left());
                        error.in_key(db.unwrap_or(self.db), &key)
                    }
                    Err(_) => error,
                }
            }
            State::Big(_) | State::BigWaiting(..) | State::Giant { .. }
                if !self.open_key.is_empty() =>
            {
                error.in_key(self.db, &self.open_key)
            }
            _ => error,
        }
    }
}

/// Whether a header may begin so.
fn may_be_magic(bytes: &[u8]) -> bool {
    let magics = [&b"REDIS"[..], b"VALKEY", b"VCS"];
    magics.iter().any(|magic| bytes.starts_with(magic) || magic.starts_with(bytes))
}

/// Does this AUX field belong to the key that follows?
fn is_mvcc(mut c: Cursor<'_>) -> Res<bool> {
    c.byte()?;
    Ok(c.string()? == Str::Plain(MVCC))
}

/// The beginning of a record's key, for messages.
#[cold]
fn key_of(c: Cursor<'_>, kind_at: usize, value_at: usize) -> Vec<u8> {
    let raw = part(c.rest(), kind_at + 1, value_at);
    let key = Cursor::new(raw).string().unwrap_or(Str::Plain(&[]));
    let mut buf = StrBuf::new().inflated_limit(64 << 10);
    let bytes = key.unpack(&mut buf).unwrap_or_default();
    bytes.get(..64).unwrap_or(bytes).to_vec()
}
