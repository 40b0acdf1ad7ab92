//! The value grammar, once. `read` knows one item of each part; [`Walk`] knows which part follows
//! which, and keeps its place *between* items. Framing, runs of a big value and decoding are users
//! of it.
//!
//! Advice to whoever adds a type: give its items a [`Part`], say in [`Walk::start`] how it begins,
//! in [`read`] what one item is, in [`Part::atoms`] whether one can be big, and in `turn` what
//! follows.

use crate::error::Fault;
use crate::rdb::encoding::listpack::Listpack;
use crate::rdb::encoding::{Origin, module::ModuleOp};
use crate::rdb::item::{ArrayItem, Item};
use crate::rdb::string::{Str, StrBuf};
use crate::rdb::template::TemplateSizes;
use crate::rdb::value_type::ValueType;
use crate::wire::cursor::{Cursor, Res, Stop};

/// A row of equal items inside a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    Text,
    Members,
    Pairs,
    Scored,
    ScoredText,
    /// Field, value and expiry, the expiry first (Redis).
    TtlPairs,
    /// Field, value and expiry, the expiry last (Valkey).
    PairsTtl,
    Packed,
    ZiplistNodes,
    Nodes,
    StreamNodes,
    StreamInfo,
    Group,
    Pending,
    Consumers,
    Consumer,
    Owned,
    Nacks,
    Nacked,
    Idempotence,
    Producer,
    Remembered,
    IdempotenceTail,
    Array,
    Module,
    TemplateNamesPacked,
    TemplateNames,
    TemplateValues,
    Cron,
    CronKeys,
    CronArgumentCount,
    CronArguments,
    Done,
}

/// What an item is made of, for one too big to be held: strings and fixed bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Atom {
    Str,
    Len,
    Raw(u64),
    /// A score as text behind its length byte.
    TextScore,
}

impl Part {
    /// Empty for parts whose items are counters or names: those are held whole, whatever the limit.
    pub(crate) fn atoms(self) -> &'static [Atom] {
        match self {
            Part::Pairs | Part::StreamNodes => &[Atom::Str, Atom::Str],
            Part::Scored => &[Atom::Str, Atom::Raw(8)],
            Part::ScoredText => &[Atom::Str, Atom::TextScore],
            Part::TtlPairs => &[Atom::Len, Atom::Str, Atom::Str],
            Part::PairsTtl => &[Atom::Str, Atom::Str, Atom::Raw(8)],
            Part::Nodes | Part::Module => &[Atom::Len, Atom::Str],
            Part::Array => &[Atom::Len, Atom::Len, Atom::Str],
            Part::Text
            | Part::Members
            | Part::Packed
            | Part::ZiplistNodes
            | Part::TemplateNamesPacked
            | Part::TemplateNames
            | Part::TemplateValues
            | Part::CronKeys
            | Part::CronArguments => &[Atom::Str],
            _ => &[],
        }
    }
}

/// Where a walk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) kind: ValueType,
    pub(crate) part: Part,
    /// Items of this part still to come.
    pub(crate) left: u64,
    /// What items refer to: a hash's smallest expiry, a template's number or size, a module's
    /// identity.
    pub(crate) base: u64,
    groups: u64,
    /// Consumers of the group, later producers of the stream; what a module value left at its end.
    members: u64,
}

/// Which layout of a stream, 1 to 5.
pub(crate) fn stream_layout(kind: ValueType) -> u8 {
    match kind {
        ValueType::StreamListpacks => 1,
        ValueType::StreamListpacks2 => 2,
        ValueType::StreamListpacks3 => 3,
        ValueType::StreamListpacks4 => 4,
        _ => 5,
    }
}

/// Passes `count` lengths and gives their bytes.
#[inline(always)]
fn lengths<'a>(c: &mut Cursor<'a>, count: usize) -> Res<&'a [u8]> {
    let before = *c;
    for _ in 0..count {
        c.length()?;
    }
    Ok(before.clip(before.left() - c.left()).rest())
}

/// One item. The cursor is left anywhere when it stops short: callers work on a copy.
#[inline(always)]
fn read<'a>(part: Part, kind: ValueType, base: u64, c: &mut Cursor<'a>) -> Res<Item<'a>> {
    Ok(match part {
        Part::Text => Item::Text(c.string()?),
        Part::Members | Part::CronKeys | Part::CronArguments => Item::Member(c.string()?),
        Part::Pairs => Item::Pair(c.string()?, c.string()?),
        Part::Scored => Item::Scored(c.string()?, c.f64_le()?),
        Part::Packed => Item::Packed(c.string()?),
        Part::Nodes => Item::Node(c.length()?, c.string()?),
        Part::ZiplistNodes => Item::ZiplistNode(c.string()?),
        Part::StreamNodes => Item::StreamNode(c.string()?, c.string()?),
        Part::TtlPairs => {
            let ttl = c.length()?;
            let (field, value) = (c.string()?, c.string()?);
            let expires = match ttl {
                0 => -1,
                // Both halves come from the file: a sum out of range is a finding, not a panic, and
                // must not become the -1 that stands for none.
                ttl => match ttl.wrapping_add(base).cast_signed() {
                    -1 => i64::MIN,
                    at => at,
                },
            };
            Item::FieldTtl { field, value, expires }
        }
        Part::PairsTtl => {
            Item::FieldTtl { field: c.string()?, value: c.string()?, expires: c.i64_le()? }
        }
        Part::Pending => Item::Pending { raw: c.take(24)?, deliveries: c.length()? },
        Part::Owned => Item::Owned(c.take(16)?),
        _ => return read_rare(part, kind, c),
    })
}

/// Items that come once a value, or in types of which nobody has millions.
#[inline(never)]
fn read_rare<'a>(part: Part, kind: ValueType, c: &mut Cursor<'a>) -> Res<Item<'a>> {
    Ok(match part {
        Part::ScoredText => {
            let member = c.string()?;
            let score = match c.byte()? {
                253 => &b"nan"[..],
                254 => b"inf",
                255 => b"-inf",
                n => c.take(u64::from(n))?,
            };
            Item::ScoredText(member, score)
        }
        Part::StreamInfo => Item::StreamInfo {
            raw: lengths(c, if stream_layout(kind) == 1 { 3 } else { 8 })?,
            groups: c.length()?,
        },
        Part::Group => Item::Group {
            name: c.string()?,
            raw: lengths(c, if stream_layout(kind) == 1 { 2 } else { 3 })?,
            pending: c.length()?,
        },
        Part::Consumers => Item::Consumers(c.length()?),
        Part::Consumer => Item::Consumer {
            name: c.string()?,
            raw: c.take(if stream_layout(kind) < 3 { 8 } else { 16 })?,
            pending: c.length()?,
        },
        Part::Nacks => Item::Nacks(c.length()?),
        Part::Nacked => Item::Nacked(c.take(16)?),
        Part::Idempotence => {
            Item::Idempotence { duration: c.length()?, max: c.length()?, producers: c.length()? }
        }
        Part::Producer => Item::Producer { id: c.string()?, entries: c.length()? },
        Part::Remembered => Item::Remembered { id: c.string()?, ms: c.length()?, seq: c.length()? },
        Part::IdempotenceTail => {
            Item::IdempotenceTail { added: c.length()?, duplicates: c.length()? }
        }
        Part::Array => {
            let index = c.length()?;
            let before = *c;
            Item::At(
                index,
                match c.length()? {
                    0 | 3 => ArrayItem::Text(c.string()?),
                    1 => ArrayItem::Int(c.i64_le()?),
                    2 => ArrayItem::Float(c.f64_le()?),
                    _ => return Err(before.bad(Fault::ArrayTag)),
                },
            )
        }
        Part::Module => Item::Module(ModuleOp::read(c)?),
        Part::TemplateNamesPacked => Item::TemplateNames(c.string()?),
        Part::TemplateNames => Item::TemplateName { name: c.string()?, at: 0 },
        Part::TemplateValues => Item::TemplateValue { value: c.string()?, at: 0, template: None },
        Part::Cron => Item::Cron { script: c.string()?, raw: c.take(16)?, keys: c.length()? },
        Part::CronArgumentCount => Item::CronArguments(c.length()?),
        _ => return Err(c.bad(Fault::Internal)),
    })
}

/// Runs `item` for every item left; the cursor and the count move only past whole items.
#[inline(always)]
fn each<'a>(
    left: &mut u64,
    c: &mut Cursor<'a>,
    mut item: impl FnMut(&mut Cursor<'a>) -> Res<()>,
) -> Res<()> {
    let (mut n, mut at) = (*left, *c);
    let end = loop {
        if n == 0 {
            break Ok(());
        }
        match item(&mut at) {
            Ok(()) => {
                n -= 1;
                *c = at;
            }
            Err(stop) => break Err(stop),
        }
    };
    *left = n;
    end
}

/// Is this type one string, and if so what is in it?
#[inline(always)]
pub(crate) fn single(kind: ValueType) -> Option<Part> {
    use ValueType as T;
    match kind {
        T::String => Some(Part::Text),
        T::HashZipmap
        | T::ListZiplist
        | T::SetIntset
        | T::ZSetZiplist
        | T::HashZiplist
        | T::HashListpack
        | T::ZSetListpack
        | T::SetListpack
        | T::HashListpackExPreGa
        | T::HashTmplLpRef => Some(Part::Packed),
        _ => None,
    }
}

impl Walk {
    pub(crate) fn of(kind: ValueType, part: Part, left: u64) -> Walk {
        Walk { kind, part, left, base: 0, groups: 0, members: 0 }
    }

    /// The same walk with another base.
    pub(crate) fn with_base(self, base: u64) -> Walk {
        Walk { base, ..self }
    }

    /// The fields of module data outside any key.
    pub(crate) fn module_fields(module_id: u64) -> Walk {
        Walk::of(ValueType::Module2, Part::Module, u64::MAX).with_base(module_id)
    }

    /// Reads what opens a value of this type: its count, mostly. Without `sizes`, a hash that
    /// refers to a template ends where its window does.
    #[inline(always)]
    pub(crate) fn start(
        kind: ValueType,
        c: &mut Cursor<'_>,
        sizes: Option<&TemplateSizes>,
    ) -> Res<Walk> {
        use ValueType as T;
        if let Some(part) = single(kind) {
            return Ok(Walk::of(kind, part, 1));
        }
        let part = match kind {
            T::List | T::Set => Part::Members,
            T::Hash => Part::Pairs,
            T::ZSet2 => Part::Scored,
            T::ListQuicklist => Part::ZiplistNodes,
            T::ListQuicklist2 => Part::Nodes,
            T::StreamListpacks
            | T::StreamListpacks2
            | T::StreamListpacks3
            | T::StreamListpacks4
            | T::StreamListpacks5 => Part::StreamNodes,
            _ => return Walk::start_rare(kind, c, sizes),
        };
        Ok(Walk::of(kind, part, c.length()?))
    }

    #[inline(never)]
    fn start_rare(kind: ValueType, c: &mut Cursor<'_>, sizes: Option<&TemplateSizes>) -> Res<Walk> {
        use ValueType as T;
        Ok(match kind {
            T::ZSet => Walk::of(kind, Part::ScoredText, c.length()?),
            T::ValkeyHash2 => Walk::of(kind, Part::PairsTtl, c.length()?),
            T::HashMetadataPreGa => Walk::of(kind, Part::TtlPairs, c.length()?),
            T::HashMetadata => {
                // A field's expiry is `ttl + smallest - 1`.
                let base = c.u64_le()?.wrapping_sub(1);
                Walk::of(kind, Part::TtlPairs, c.length()?).with_base(base)
            }
            T::HashListpackEx => {
                c.u64_le()?;
                Walk::of(kind, Part::Packed, 1)
            }
            T::Array => {
                let count = c.length()?;
                let before = *c;
                match c.length()? {
                    0 => {}
                    1 => _ = c.length()?,
                    _ => return Err(before.bad(Fault::ArrayFlag)),
                }
                Walk::of(kind, Part::Array, count)
            }
            T::Module2 => Walk::module_fields(c.length()?),
            T::ModulePreGa => {
                let before = *c;
                c.length()?;
                return Err(before.bad(Fault::ModulePreGa));
            }
            T::HashTmplArrayRef => {
                let before = *c;
                let id = c.length()?;
                let count = match sizes {
                    None => u64::MAX,
                    Some(sizes) => {
                        sizes.get(id).ok_or_else(|| before.bad(Fault::TemplateUnknown))?
                    }
                };
                Walk::of(kind, Part::TemplateValues, count).with_base(id)
            }
            T::HashTmplLp | T::HashTmplArray => Walk::start_template(kind, c)?,
            T::KeyDbCron => Walk::of(kind, Part::Cron, 1),
            _ => return Err(c.bad(Fault::Internal)),
        })
    }

    /// A template hash that carries its fields: as one listpack, or one by one.
    fn start_template(kind: ValueType, c: &mut Cursor<'_>) -> Res<Walk> {
        let before = *c;
        match c.byte()? {
            0 => {
                // Only the fields say how many values follow.
                let base = names_in_listpack(*c)?;
                Ok(Walk::of(kind, Part::TemplateNamesPacked, 1).with_base(base))
            }
            1 => {
                let count = c.length()?;
                Ok(Walk::of(kind, Part::TemplateNames, count).with_base(count))
            }
            _ => Err(before.bad(Fault::TemplateFields)),
        }
    }

    /// Walks to the end of the value, or until the bytes end; `see` meets every item once.
    #[inline(always)]
    pub(crate) fn run<'a>(
        &mut self,
        c: &mut Cursor<'a>,
        mut see: impl FnMut(Item<'a>, &Cursor<'a>) -> Res<()>,
    ) -> Res<()> {
        loop {
            self.run_part(c, &mut see)?;
            if self.left == 0 {
                self.turn();
            }
            if self.part == Part::Done {
                return Ok(());
            }
        }
    }

    /// To the end of this part only. One tight loop for every part that repeats.
    #[inline(always)]
    pub(crate) fn run_part<'a>(
        &mut self,
        c: &mut Cursor<'a>,
        mut see: impl FnMut(Item<'a>, &Cursor<'a>) -> Res<()>,
    ) -> Res<()> {
        let (kind, base) = (self.kind, self.base);
        macro_rules! loops {
            ($($part:ident)*) => {
                match self.part {
                    $(Part::$part => {
                        each(&mut self.left, c, |c| see(read(Part::$part, kind, base, c)?, c))
                    })*
                    _ => match self.next(c)? {
                        Some(item) => see(item, c),
                        None => Ok(()),
                    },
                }
            };
        }
        loops!(Text Members Pairs Scored Packed Nodes ZiplistNodes StreamNodes
               TtlPairs PairsTtl Pending Owned)
    }

    /// Pull form of `run`: one item, or `None` when this part is finished.
    #[inline(always)]
    pub(crate) fn next<'a>(&mut self, c: &mut Cursor<'a>) -> Res<Option<Item<'a>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut at = *c;
        let item = read(self.part, self.kind, self.base, &mut at)?;
        *c = at;
        self.left -= 1;
        match item {
            Item::Text(_)
            | Item::Member(_)
            | Item::Pair(..)
            | Item::Scored(..)
            | Item::Packed(_)
            | Item::Node(..) => {}
            Item::TemplateValue { value, .. } => {
                let (at, template) = self.place_in_template();
                return Ok(Some(Item::TemplateValue { value, at, template }));
            }
            Item::TemplateName { name, .. } => {
                let at = self.base.saturating_sub(self.left + 1);
                return Ok(Some(Item::TemplateName { name, at }));
            }
            other => self.passed(&other),
        }
        Ok(Some(item))
    }

    /// Which field the value just read belongs to, and of which declared template.
    fn place_in_template(&self) -> (u64, Option<u64>) {
        match self.kind {
            ValueType::HashTmplArrayRef => (u64::MAX - self.left - 1, Some(self.base)),
            _ => (self.base.saturating_sub(self.left + 1), None),
        }
    }

    /// Counts that items announce.
    fn passed(&mut self, item: &Item<'_>) {
        match *item {
            Item::StreamInfo { groups, .. } => self.groups = groups,
            Item::Consumers(n) => self.members = n,
            Item::Idempotence { producers, .. } => self.members = producers,
            Item::Group { pending, .. } => {
                self.groups = self.groups.saturating_sub(1);
                (self.part, self.left) = (Part::Pending, pending);
            }
            Item::Consumer { pending, .. } => {
                self.members = self.members.saturating_sub(1);
                (self.part, self.left) = (Part::Owned, pending);
            }
            Item::Nacks(n) => (self.part, self.left) = (Part::Nacked, n),
            Item::Producer { entries, .. } => {
                self.members = self.members.saturating_sub(1);
                (self.part, self.left) = (Part::Remembered, entries);
            }
            Item::Module(ModuleOp::End) => (self.members, self.left) = (self.left, 0),
            Item::Cron { keys, .. } => (self.part, self.left) = (Part::CronKeys, keys),
            Item::CronArguments(n) => (self.part, self.left) = (Part::CronArguments, n),
            _ => {}
        }
    }

    /// How many items were passed since `before`, of the part it was in.
    pub(crate) fn since(&self, before: &Walk) -> u64 {
        match before.part {
            part if part != self.part => before.left,
            // Their number shows only at the end.
            Part::Module if self.left == 0 => before.left - self.members,
            _ => before.left - self.left,
        }
    }

    /// Past finished and empty parts.
    pub(crate) fn settle(&mut self) {
        while self.left == 0 && self.part != Part::Done {
            self.turn();
        }
    }

    /// The part that follows a finished one.
    pub(crate) fn turn(&mut self) {
        (self.part, self.left) = self.following();
    }

    fn following(&mut self) -> (Part, u64) {
        let layout = stream_layout(self.kind);
        let group_or_tail = |walk: &Walk| match layout {
            _ if walk.groups > 0 => (Part::Group, 1),
            4.. => (Part::Idempotence, 1),
            _ => (Part::Done, 0),
        };
        match self.part {
            Part::StreamNodes => (Part::StreamInfo, 1),
            Part::StreamInfo | Part::Nacked => group_or_tail(self),
            Part::Pending => (Part::Consumers, 1),
            Part::Consumers | Part::Owned => match layout {
                _ if self.members > 0 => (Part::Consumer, 1),
                5 => (Part::Nacks, 1),
                _ => group_or_tail(self),
            },
            Part::Idempotence | Part::Remembered if self.members > 0 => (Part::Producer, 1),
            Part::Idempotence | Part::Remembered => (Part::IdempotenceTail, 1),
            Part::TemplateNames | Part::TemplateNamesPacked => match self.kind {
                ValueType::HashTmplLp => (Part::Packed, 1),
                _ => (Part::TemplateValues, self.base),
            },
            Part::CronKeys => (Part::CronArgumentCount, 1),
            _ => (Part::Done, 0),
        }
    }
}

/// Passes a value without looking inside.
#[inline(always)]
pub(crate) fn pass(kind: ValueType, c: &mut Cursor<'_>, sizes: &TemplateSizes) -> Res<()> {
    if single(kind).is_some() {
        c.string()?;
        return Ok(());
    }
    Walk::start(kind, c, Some(sizes))?.run(c, |_, _| Ok(()))
}

/// How many entries the listpack in the next string has.
#[cold]
fn names_in_listpack(mut c: Cursor<'_>) -> Res<u64> {
    let before = c;
    let blob: Str<'_> = c.string()?;
    let mut buf = StrBuf::new();
    let bad = |_| before.bad(Fault::TemplateFields);
    let bytes = blob.unpack(&mut buf).map_err(|fault| before.bad(fault))?;
    let mut count = 0u64;
    for name in Listpack::new(bytes, Origin::plain(0)).map_err(bad)? {
        name.map_err(bad)?;
        count += 1;
    }
    Ok(count)
}

/// A stop inside a window that is all there: what was short is malformed.
#[cold]
pub(crate) fn settle_stop(stop: Stop, offset: u64, window: usize) -> crate::Error {
    match stop {
        Stop::Short(_) => crate::Error::at(Fault::EndsInside, offset + window as u64),
        Stop::Bad(fault, left) => crate::Error::at(fault, offset + (window - left) as u64),
    }
}
