//! From items to logical elements.

use crate::error::{Error, Fault, Result};
use crate::rdb::element::{
    Element, ModuleField, Score, StreamCounters, StreamId, StreamInfo, Visit,
};
use crate::rdb::encoding::intset::Intset;
use crate::rdb::encoding::listpack::Listpack;
use crate::rdb::encoding::module::ModuleOp;
use crate::rdb::encoding::stream::StreamNode;
use crate::rdb::encoding::ziplist::Ziplist;
use crate::rdb::encoding::zipmap::Zipmap;
use crate::rdb::encoding::{Origin, Scalar};
use crate::rdb::item::{ArrayItem, Item};
use crate::rdb::string::{Str, StrBuf};
use crate::rdb::template::{HashTemplate, Names, Templates};
use crate::rdb::value::{Items, Located, Value};
use crate::rdb::value_type::ValueType;
use crate::time::UnixMillis;
use crate::wire::cursor::Cursor;

/// Makes logical elements of items; keeps the buffers that compressed strings inflate into, and
/// the hash templates seen so far.
///
/// One decoder serves a whole file. See [`Value`](crate::rdb::Value) for the loop.
///
/// ```
/// use redkeep::rdb::Decoder;
/// let decoder = Decoder::new().inflated_limit(64 << 20);
/// # drop(decoder);
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    first: StrBuf,
    second: StrBuf,
    templates: Templates,
    /// Fields that a value itself carries (types 29 and 31).
    carried: Names,
}

impl Decoder {
    /// A decoder with the default limit on inflating.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many bytes one string may inflate to.
    #[must_use]
    pub fn inflated_limit(mut self, bytes: u64) -> Self {
        self.first = StrBuf::new().inflated_limit(bytes);
        self.second = StrBuf::new().inflated_limit(bytes);
        self
    }

    /// Takes note of a template that later hashes refer to; the file declares them before its keys.
    ///
    /// # Errors
    /// `Corrupt` when a name cannot be read.
    pub fn learn(&mut self, template: &HashTemplate<'_>) -> Result<()> {
        self.templates.add(template, &mut self.first)
    }

    /// The elements of one item, to be pulled one by one. They borrow from the item or from this
    /// decoder's buffers.
    ///
    /// # Errors
    /// `Corrupt` or `Limit` when the item's blob cannot be opened; the iterator's items fail where
    /// an element cannot be read, or where a blob holds another number than it says.
    #[inline]
    pub fn elements<'s, 'a: 's>(&'s mut self, located: Located<'a>) -> Result<Elements<'s>> {
        Ok(Elements { source: self.source(located)?, passed: 0 })
    }

    /// Shows every element of one item to a visitor, which is quicker than pulling them: the
    /// encoding is looked at once per item.
    ///
    /// # Errors
    /// As [`elements`](Self::elements), and whatever the visitor returns.
    #[inline(always)]
    pub fn visit<V: Visit>(&mut self, located: Located<'_>, to: &mut V) -> Result<()> {
        let end = located.end;
        match located.item {
            Item::Text(text) => to.text(scalar(text, &mut self.first, end)?),
            Item::Member(text) => to.member(scalar(text, &mut self.first, end)?),
            Item::Pair(field, value) => {
                let field = scalar(field, &mut self.first, end)?;
                to.field(field, scalar(value, &mut self.second, end)?, None)
            }
            Item::Scored(member, score) => {
                to.scored(scalar(member, &mut self.first, end)?, Score::Double(score))
            }
            Item::Packed(_) | Item::Node(2, _) | Item::StreamNode(..) => {
                match self.source(located)? {
                    Source::ListpackMembers(mut list) => {
                        let mut entries = 0;
                        for member in list.by_ref() {
                            to.member(member?)?;
                            entries += 1;
                        }
                        list.complete(entries)
                    }
                    Source::ListpackFields(list) => {
                        pairs(list, |field, value| to.field(field, value, None))
                    }
                    Source::ListpackScored(list) => {
                        pairs(list, |member, score| to.scored(member, Score::of(score)))
                    }
                    Source::Intset(set) => {
                        for n in set {
                            to.member(Scalar::Int(n))?;
                        }
                        Ok(())
                    }
                    Source::StreamNode(node) => node.visit(to),
                    source => drain(source, to),
                }
            }
            _ => drain(self.rare(located)?, to),
        }
    }

    /// Shows every element of items, a row at a time, to a visitor.
    ///
    /// # Errors
    /// As [`visit`](Self::visit), and where an item cannot be read.
    #[inline(always)]
    pub fn visit_items<V: Visit>(&mut self, items: Items<'_>, to: &mut V) -> Result<()> {
        items.each(|located| self.visit(located, to))
    }

    /// Shows every element of a whole value to a visitor.
    ///
    /// # Errors
    /// As [`visit`](Self::visit), and where an item cannot be read.
    #[inline(always)]
    pub fn visit_value<V: Visit>(&mut self, value: Value<'_>, to: &mut V) -> Result<()> {
        if let Some(text) = value.text() {
            let end = value.offset() + value.len() as u64;
            return to.text(scalar(text, &mut self.first, end)?);
        }
        self.visit_items(value.items()?, to)
    }

    #[inline(always)]
    fn source<'s, 'a: 's>(&'s mut self, located: Located<'a>) -> Result<Source<'s>> {
        let end = located.end;
        match located.item {
            Item::Packed(blob) => self.packed(located.kind, blob, end),
            Item::Node(2, blob) => {
                let (bytes, origin) = open(blob, &mut self.first, end)?;
                Ok(Source::ListpackMembers(Listpack::new(bytes, origin)?))
            }
            Item::StreamNode(key, blob) => {
                let Str::Plain(key) = key else {
                    return Err(Error::at(Fault::StreamNodeKey, end));
                };
                let key: [u8; 16] =
                    key.try_into().map_err(|_| Error::at(Fault::StreamNodeKey, end))?;
                let (bytes, origin) = open(blob, &mut self.first, end)?;
                Ok(Source::StreamNode(StreamNode::new(StreamId::from_bytes(key), bytes, origin)?))
            }
            _ => self.rare(located),
        }
    }

    #[inline(always)]
    fn packed<'s, 'a: 's>(
        &'s mut self,
        kind: ValueType,
        blob: Str<'a>,
        end: u64,
    ) -> Result<Source<'s>> {
        use ValueType as T;
        let (bytes, origin) = open(blob, &mut self.first, end)?;
        Ok(match kind {
            T::HashListpack => Source::ListpackFields(Listpack::new(bytes, origin)?),
            T::ZSetListpack => Source::ListpackScored(Listpack::new(bytes, origin)?),
            T::SetListpack => Source::ListpackMembers(Listpack::new(bytes, origin)?),
            T::SetIntset => Source::Intset(Intset::new(bytes, origin)?),
            T::HashListpackEx | T::HashListpackExPreGa => {
                Source::ListpackTtl(Listpack::new(bytes, origin)?)
            }
            T::ListZiplist => Source::ZiplistMembers(Ziplist::new(bytes, origin)?),
            T::ZSetZiplist => Source::ZiplistScored(Ziplist::new(bytes, origin)?),
            T::HashZiplist => Source::ZiplistFields(Ziplist::new(bytes, origin)?),
            T::HashZipmap => Source::Zipmap(Zipmap::new(bytes, origin)?),
            T::HashTmplLp | T::HashTmplLpRef => {
                let mut list = Listpack::new(bytes, origin)?;
                let unknown = || origin.fault(Fault::TemplateUnknown, 0);
                let id = list.next().ok_or_else(unknown)??.int().ok_or_else(unknown)?;
                let names = match kind {
                    T::HashTmplLp => &self.carried,
                    _ => self.templates.get(id.cast_unsigned()).ok_or_else(unknown)?,
                };
                Source::ListpackTemplate { list, names, at: 0 }
            }
            _ => return Err(Error::at(Fault::Internal, end)),
        })
    }

    #[inline(never)]
    fn rare<'s, 'a: 's>(&'s mut self, located: Located<'a>) -> Result<Source<'s>> {
        let end = located.end;
        Ok(Source::One(match located.item {
            Item::Text(text) => Element::Text(scalar(text, &mut self.first, end)?),
            Item::Member(text) => Element::Member(scalar(text, &mut self.first, end)?),
            Item::Pair(field, value) => Element::Field {
                field: scalar(field, &mut self.first, end)?,
                value: scalar(value, &mut self.second, end)?,
                expires: None,
            },
            Item::Scored(member, score) => {
                Element::Scored(scalar(member, &mut self.first, end)?, Score::Double(score))
            }
            Item::FieldTtl { field, value, expires } => {
                if expires < -1 {
                    return Err(Error::at(Fault::FieldExpiry, end));
                }
                Element::Field {
                    field: scalar(field, &mut self.first, end)?,
                    value: scalar(value, &mut self.second, end)?,
                    expires: (expires != -1).then_some(UnixMillis::new(expires)),
                }
            }
            Item::ScoredText(member, score) => {
                Element::Scored(scalar(member, &mut self.first, end)?, Score::Text(score))
            }
            Item::ZiplistNode(blob) => {
                let (bytes, origin) = open(blob, &mut self.first, end)?;
                return Ok(Source::ZiplistMembers(Ziplist::new(bytes, origin)?));
            }
            Item::Node(1, Str::Plain([])) => {
                return Err(Error::at(Fault::QuicklistContainer, end)
                    .with_detail("a plain node without an element"));
            }
            Item::Node(1, text) => Element::Member(scalar(text, &mut self.first, end)?),
            Item::Node(..) => return Err(Error::at(Fault::QuicklistContainer, end)),
            Item::StreamInfo { raw, groups } => Element::StreamInfo(stream_info(raw, groups)),
            Item::Group { name, raw, pending } => {
                let mut c = Cursor::new(raw);
                Element::Group {
                    name: scalar(name, &mut self.first, end)?,
                    last_delivered: stream_id(&mut c),
                    // All ones stand for "unknown", the only place where they are no error.
                    entries_read: c.length().ok().filter(|n| *n != u64::MAX),
                    pending,
                }
            }
            Item::Pending { raw, deliveries } => {
                let mut c = Cursor::new(raw);
                Element::Pending {
                    id: StreamId::from_bytes(c.array().unwrap_or_default()),
                    delivered: UnixMillis::new(c.i64_le().unwrap_or_default()),
                    deliveries,
                }
            }
            Item::Consumer { name, raw, pending } => {
                let mut c = Cursor::new(raw);
                Element::Consumer {
                    name: scalar(name, &mut self.first, end)?,
                    seen: UnixMillis::new(c.i64_le().unwrap_or_default()),
                    active: c.i64_le().ok().filter(|ms| *ms != -1).map(UnixMillis::new),
                    pending,
                }
            }
            Item::Owned(id) => Element::Owned(id_of(id)),
            Item::Nacked(id) => Element::Nacked(id_of(id)),
            Item::Idempotence { duration, max, .. } => Element::Idempotence { duration, max },
            Item::Producer { id, entries } => {
                Element::Producer { id: scalar(id, &mut self.first, end)?, entries }
            }
            Item::Remembered { id, ms, seq } => {
                Element::Remembered(scalar(id, &mut self.first, end)?, StreamId { ms, seq })
            }
            Item::IdempotenceTail { added, duplicates } => {
                Element::IdempotenceTail { added, duplicates }
            }
            Item::At(index, ArrayItem::Text(text)) => {
                Element::At(index, scalar(text, &mut self.first, end)?)
            }
            Item::At(index, ArrayItem::Int(n)) => Element::At(index, Scalar::Int(n)),
            Item::At(index, ArrayItem::Float(n)) => Element::FloatAt(index, n),
            Item::Module(op) => {
                let text = match op {
                    ModuleOp::Text(text) => scalar(text, &mut self.first, end)?,
                    _ => Scalar::Int(0),
                };
                Element::Module(ModuleField::of(op, text))
            }
            Item::TemplateValue { value, at, template } => {
                let unknown = || Error::at(Fault::TemplateUnknown, end);
                let names = match template {
                    Some(id) => self.templates.get(id).ok_or_else(unknown)?,
                    None => &self.carried,
                };
                let at = usize::try_from(at).ok();
                let field = at.and_then(|at| names.get(at)).ok_or_else(unknown)?;
                Element::Field {
                    field: Scalar::Bytes(field),
                    value: scalar(value, &mut self.second, end)?,
                    expires: None,
                }
            }
            Item::TemplateName { name, at } => {
                if at == 0 {
                    self.carried.clear();
                }
                let name = name.unpack(&mut self.first).map_err(|f| Error::at(f, end))?;
                self.carried.push(name);
                return Ok(Source::None);
            }
            Item::TemplateNames(blob) => {
                let (bytes, origin) = open(blob, &mut self.first, end)?;
                let mut digits = crate::wire::number::Digits::new();
                self.carried.clear();
                for name in Listpack::new(bytes, origin)? {
                    self.carried.push(name?.bytes(&mut digits));
                }
                return Ok(Source::None);
            }
            Item::Cron { script, raw, .. } => {
                let mut c = Cursor::new(raw);
                Element::Cron {
                    script: scalar(script, &mut self.first, end)?,
                    start: UnixMillis::new(c.i64_le().unwrap_or_default()),
                    interval: c.i64_le().unwrap_or_default(),
                }
            }
            Item::Consumers(_) | Item::Nacks(_) | Item::CronArguments(_) => {
                return Ok(Source::None);
            }
            Item::Packed(_) | Item::StreamNode(..) => {
                return Err(Error::at(Fault::Internal, end));
            }
        }))
    }
}

/// A string that ends at `end`, an integer left as one.
#[inline(always)]
fn scalar<'b, 'a: 'b>(text: Str<'a>, buf: &'b mut StrBuf, end: u64) -> Result<Scalar<'b>> {
    text.unpack_scalar(buf).map_err(|fault| at_string(fault, text, end))
}

/// A packed blob that ends at `end`, and where it lies.
#[inline(always)]
pub(crate) fn open<'b, 'a: 'b>(
    blob: Str<'a>,
    buf: &'b mut StrBuf,
    end: u64,
) -> Result<(&'b [u8], Origin)> {
    let origin = match blob {
        Str::Plain(bytes) => Origin::plain(end.saturating_sub(bytes.len() as u64)),
        Str::Lzf { packed, .. } => Origin::inflated(end.saturating_sub(packed.len() as u64)),
        Str::Int(_) => Origin::inflated(end),
    };
    match blob.unpack(buf) {
        Ok(bytes) => Ok((bytes, origin)),
        Err(fault) => Err(at_string(fault, blob, end)),
    }
}

#[cold]
fn at_string(fault: Fault, text: Str<'_>, end: u64) -> Error {
    let stored = match text {
        Str::Plain(bytes) | Str::Lzf { packed: bytes, .. } => bytes.len() as u64,
        Str::Int(_) => 0,
    };
    Error::at(fault, end.saturating_sub(stored))
}

/// An ID of 16 bytes.
pub(crate) fn id_of(raw: &[u8]) -> StreamId {
    StreamId::from_bytes(raw.try_into().unwrap_or_default())
}

/// An ID of two lengths.
pub(crate) fn stream_id(c: &mut Cursor<'_>) -> StreamId {
    StreamId { ms: c.length().unwrap_or_default(), seq: c.length().unwrap_or_default() }
}

fn stream_info(raw: &[u8], groups: u64) -> StreamInfo {
    let mut c = Cursor::new(raw);
    let length = c.length().unwrap_or_default();
    let last_id = stream_id(&mut c);
    let counters = (!c.is_empty()).then(|| StreamCounters {
        first_id: stream_id(&mut c),
        max_deleted_id: stream_id(&mut c),
        entries_added: c.length().unwrap_or_default(),
    });
    StreamInfo { length, last_id, counters, groups }
}

/// The elements of one item, one by one. Fused.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    source: Source<'a>,
    passed: u64,
}

#[derive(Debug, Clone)]
enum Source<'a> {
    None,
    One(Element<'a>),
    ListpackMembers(Listpack<'a>),
    ListpackFields(Listpack<'a>),
    ListpackScored(Listpack<'a>),
    ListpackTtl(Listpack<'a>),
    ListpackTemplate { list: Listpack<'a>, names: &'a Names, at: usize },
    ZiplistMembers(Ziplist<'a>),
    ZiplistFields(Ziplist<'a>),
    ZiplistScored(Ziplist<'a>),
    Intset(Intset<'a>),
    Zipmap(Zipmap<'a>),
    StreamNode(StreamNode<'a>),
}

/// A packed list: it knows how many entries it should have, and can blame one.
trait Packed<'a>: Iterator<Item = Result<Scalar<'a>>> {
    /// Entries are missing from a group.
    fn odd(&self) -> Error;
    /// After the end: whether the head told the truth.
    fn complete(&self, entries: u64) -> Result<()>;
}

impl<'a> Packed<'a> for Listpack<'a> {
    #[cold]
    fn odd(&self) -> Error {
        self.fault(Fault::ListpackOdd)
    }

    #[inline(always)]
    fn complete(&self, entries: u64) -> Result<()> {
        match self.declared() {
            Some(declared) if u64::from(declared) != entries => {
                Err(self.fault(Fault::ListpackCount))
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Packed<'a> for Ziplist<'a> {
    #[cold]
    fn odd(&self) -> Error {
        self.fault(Fault::ZiplistOdd)
    }

    fn complete(&self, entries: u64) -> Result<()> {
        match self.declared() {
            Some(declared) if u64::from(declared) != entries => {
                Err(self.fault(Fault::ZiplistCount))
            }
            _ if !self.tail_fits() => Err(self.fault(Fault::ZiplistHeader)),
            _ => Ok(()),
        }
    }
}

/// Shows the pairs of a list.
#[inline(always)]
fn pairs<'a, L: Packed<'a>>(
    mut list: L,
    mut see: impl FnMut(Scalar<'a>, Scalar<'a>) -> Result<()>,
) -> Result<()> {
    let mut entries = 0;
    while let Some(first) = list.next() {
        let first = first?;
        match list.next() {
            Some(second) => see(first, second?)?,
            None => return Err(list.odd()),
        }
        entries += 2;
    }
    list.complete(entries)
}

/// Shows what the slow way pulls.
#[inline(never)]
fn drain<V: Visit>(source: Source<'_>, to: &mut V) -> Result<()> {
    for element in (Elements { source, passed: 0 }) {
        match element? {
            Element::Text(text) => to.text(text)?,
            Element::Member(member) => to.member(member)?,
            Element::Scored(member, score) => to.scored(member, score)?,
            Element::Field { field, value, expires } => to.field(field, value, expires)?,
            Element::StreamField(field, value) => to.stream_field(field, value)?,
            other => to.other(other)?,
        }
    }
    Ok(())
}

/// Two entries as a pair.
#[inline(always)]
fn pair<'a, L: Packed<'a>, T>(
    list: &mut L,
    join: impl FnOnce(Scalar<'a>, Scalar<'a>) -> T,
) -> Option<Result<T>> {
    let first = match list.next()? {
        Ok(first) => first,
        Err(error) => return Some(Err(error)),
    };
    Some(match list.next() {
        Some(Ok(second)) => Ok(join(first, second)),
        Some(Err(error)) => Err(error),
        None => Err(list.odd()),
    })
}

fn field<'a>(field: Scalar<'a>, value: Scalar<'a>) -> Element<'a> {
    Element::Field { field, value, expires: None }
}

fn scored<'a>(member: Scalar<'a>, score: Scalar<'a>) -> Element<'a> {
    Element::Scored(member, Score::of(score))
}

fn triple<'a>(list: &mut Listpack<'a>) -> Option<Result<Element<'a>>> {
    let (field, value) = match pair(list, |a, b| (a, b))? {
        Ok(pair) => pair,
        Err(error) => return Some(Err(error)),
    };
    Some(match list.next() {
        Some(Ok(Scalar::Int(0))) => Ok(Element::Field { field, value, expires: None }),
        Some(Ok(Scalar::Int(at))) if at > 0 => {
            Ok(Element::Field { field, value, expires: Some(UnixMillis::new(at)) })
        }
        Some(Ok(_)) => Err(list.fault(Fault::FieldExpiry)),
        Some(Err(error)) => Err(error),
        None => Err(list.fault(Fault::ListpackOdd)),
    })
}

impl<'a> Elements<'a> {
    fn step(&mut self) -> Option<Result<Element<'a>>> {
        match &mut self.source {
            Source::None => None,
            Source::One(element) => {
                let element = *element;
                self.source = Source::None;
                Some(Ok(element))
            }
            Source::ListpackMembers(list) => Some(list.next()?.map(Element::Member)),
            Source::ListpackFields(list) => pair(list, field),
            Source::ListpackScored(list) => pair(list, scored),
            Source::ListpackTtl(list) => triple(list),
            Source::ListpackTemplate { list, names, at } => match (list.next(), names.get(*at)) {
                (Some(Ok(value)), Some(name)) => {
                    *at += 1;
                    Some(Ok(field(Scalar::Bytes(name), value)))
                }
                (Some(Err(error)), _) => Some(Err(error)),
                (None, None) if *at == names.len() => None,
                _ => Some(Err(list.fault(Fault::TemplateFields))),
            },
            Source::ZiplistMembers(list) => Some(list.next()?.map(Element::Member)),
            Source::ZiplistFields(list) => pair(list, field),
            Source::ZiplistScored(list) => pair(list, scored),
            Source::Intset(set) => Some(Ok(Element::Member(Scalar::Int(set.next()?)))),
            Source::Zipmap(map) => {
                Some(map.next()?.map(|(f, v)| field(Scalar::Bytes(f), Scalar::Bytes(v))))
            }
            Source::StreamNode(node) => node.next(),
        }
    }

    /// After the last element: whether the blob's head told the truth.
    fn complete(&self) -> Result<()> {
        let passed = self.passed;
        match &self.source {
            // A stream node compares its own count.
            Source::None | Source::One(_) | Source::Intset(_) | Source::StreamNode(_) => Ok(()),
            Source::ListpackMembers(list) => list.complete(passed),
            Source::ListpackFields(list) | Source::ListpackScored(list) => {
                list.complete(passed * 2)
            }
            Source::ListpackTtl(list) => list.complete(passed * 3),
            Source::ListpackTemplate { list, .. } => list.complete(passed + 1),
            Source::ZiplistMembers(list) => list.complete(passed),
            Source::ZiplistFields(list) | Source::ZiplistScored(list) => list.complete(passed * 2),
            Source::Zipmap(map) => match map.declared() {
                Some(declared) if u64::from(declared) != passed => {
                    Err(map.fault(Fault::ZipmapCount))
                }
                _ => Ok(()),
            },
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = match self.step() {
            None => self.complete().err().map(Err),
            step => step,
        };
        match step {
            Some(Ok(_)) => self.passed += 1,
            _ => self.source = Source::None,
        }
        step
    }
}

impl std::iter::FusedIterator for Elements<'_> {}
