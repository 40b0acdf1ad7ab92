//! One value without what goes: counted first, then written.

use crate::error::{Error, Fault, Result};
use crate::rdb::build::{ListpackBuilder, StrWriter, write_plain};
use crate::rdb::decode::{Decoder, open};
use crate::rdb::element::{Element, Score, StreamId, Visit};
use crate::rdb::encoding::Scalar;
use crate::rdb::item::Item;
use crate::rdb::len::write_length;
use crate::rdb::retain::packed::{Blob, Packer};
use crate::rdb::retain::stream::{Entries, Node};
use crate::rdb::string::{Str, StrBuf};
use crate::rdb::template::HashTemplate;
use crate::rdb::value::Value;
use crate::rdb::value_type::{DataType, ValueType};
use crate::time::UnixMillis;
use crate::wire::cursor::{Cursor, part};
use crate::wire::number::Digits;

/// What is to stay of a value. Asked more than once, it has to give the same answer.
pub(crate) trait Keep {
    /// An element of a list.
    fn element(&self, element: &[u8]) -> bool;
    /// A member of a set.
    fn member(&self, member: &[u8]) -> bool;
    /// A member of a sorted set.
    fn scored(&self, member: &[u8], score: Score<'_>) -> bool;
    /// A field of a hash.
    fn field(&self, field: &[u8]) -> bool;
    /// An entry of a stream.
    fn id(&self, id: StreamId) -> bool;
}

/// How many elements stay, and how many go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Retained {
    pub(crate) left: u64,
    pub(crate) removed: u64,
}

/// Writes values without what goes, keeping its buffers from one to the next.
#[derive(Debug)]
pub(crate) struct Retain {
    decoder: Decoder,
    buf: StrBuf,
    packer: Packer,
    listpack: ListpackBuilder,
    strings: StrWriter,
    nodes: Vec<u8>,
}

impl Retain {
    /// `inflated`: how many bytes one string may inflate to.
    pub(crate) fn new(inflated: u64) -> Retain {
        Retain {
            decoder: Decoder::new().inflated_limit(inflated),
            buf: StrBuf::new().inflated_limit(inflated),
            packer: Packer::default(),
            listpack: ListpackBuilder::default(),
            strings: StrWriter::new(true),
            nodes: Vec::new(),
        }
    }

    /// Takes note of a template that later hashes refer to.
    pub(crate) fn learn(&mut self, template: &HashTemplate<'_>) -> Result<()> {
        self.decoder.learn(template)
    }

    /// Counts what stays and what goes; all of the value is looked at, so that a value which passed
    /// this can be written.
    pub(crate) fn count(&mut self, value: Value<'_>, keep: &impl Keep) -> Result<Retained> {
        let data = value.data_type();
        let digits = Digits::new();
        let mut count = Count { keep, data, digits, retained: Retained::default() };
        self.decoder.visit_value(value, &mut count)?;
        Ok(count.retained)
    }

    /// The layout in which a value of this one is written.
    pub(crate) fn layout(kind: ValueType) -> ValueType {
        use ValueType as T;
        match kind {
            T::HashTmplLp | T::HashTmplLpRef | T::HashTmplArray | T::HashTmplArrayRef => T::Hash,
            kind => kind,
        }
    }

    /// Appends the value with what stays of it, of which there is something or it is a stream; `left`
    /// is how much, as counted before.
    pub(crate) fn write(
        &mut self,
        value: Value<'_>,
        keep: &impl Keep,
        left: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        use ValueType as T;
        match value.value_type() {
            T::List
            | T::Set
            | T::Hash
            | T::ZSet
            | T::ZSet2
            | T::HashMetadataPreGa
            | T::HashMetadata
            | T::ValkeyHash2 => plain(value, keep, left, &mut self.buf, out),
            T::ListQuicklist | T::ListQuicklist2 => self.nodes(value, keep, out),
            T::StreamListpacks
            | T::StreamListpacks2
            | T::StreamListpacks3
            | T::StreamListpacks4
            | T::StreamListpacks5 => self.stream(value, keep, out),
            T::HashTmplLp | T::HashTmplLpRef | T::HashTmplArray | T::HashTmplArrayRef => {
                write_length(left, out);
                let mut pairs =
                    Pairs { keep, digits: Digits::new(), strings: &mut self.strings, out };
                self.decoder.visit_value(value, &mut pairs)
            }
            T::HashListpackEx => {
                // The smallest expiry: advice that may be stale, and no server believes it.
                out.extend_from_slice(part(value.bytes(), 0, 8));
                self.packed(value, keep, out)
            }
            _ => self.packed(value, keep, out),
        }
    }

    /// A value that is one blob.
    fn packed(&mut self, value: Value<'_>, keep: &impl Keep, out: &mut Vec<u8>) -> Result<()> {
        for located in value.items()? {
            let located = located?;
            let Item::Packed(blob) = located.item else { return Err(internal(located.end)) };
            let (bytes, origin) = open(blob, &mut self.buf, located.end)?;
            match self.packer.blob(value.value_type(), bytes, origin, keep)? {
                Blob::New(bytes) => put(blob, bytes, &mut self.strings, out),
                Blob::Same | Blob::Empty => return Err(internal(located.end)),
            }
        }
        Ok(())
    }

    /// A list of nodes.
    fn nodes(&mut self, value: Value<'_>, keep: &impl Keep, out: &mut Vec<u8>) -> Result<()> {
        self.nodes.clear();
        let (mut count, mut from) = (0, head(value)?);
        for located in value.items()? {
            let located = located?;
            let raw = raw_item(value, &mut from, located.end);
            let same = match located.item {
                Item::Node(1, element) => keep.element(element.bytes(&mut self.buf)?),
                Item::Node(_, blob) | Item::ZiplistNode(blob) => {
                    let (bytes, origin) = open(blob, &mut self.buf, located.end)?;
                    match self.packer.blob(value.value_type(), bytes, origin, keep)? {
                        Blob::Same => true,
                        Blob::Empty => false,
                        Blob::New(bytes) => {
                            if let Item::Node(container, _) = located.item {
                                write_length(container, &mut self.nodes);
                            }
                            put(blob, bytes, &mut self.strings, &mut self.nodes);
                            count += 1;
                            false
                        }
                    }
                }
                _ => return Err(internal(located.end)),
            };
            if same {
                self.nodes.extend_from_slice(raw);
                count += 1;
            }
        }
        write_length(count, out);
        out.extend_from_slice(&self.nodes);
        Ok(())
    }

    fn stream(&mut self, value: Value<'_>, keep: &impl Keep, out: &mut Vec<u8>) -> Result<()> {
        self.nodes.clear();
        let (mut entries, mut count, mut from) = (Entries::default(), 0, head(value)?);
        for located in value.items()? {
            let located = located?;
            let raw = raw_item(value, &mut from, located.end);
            match located.item {
                Item::StreamNode(Str::Plain(key), blob) => {
                    let master = StreamId::from_bytes(key.try_into().unwrap_or_default());
                    let (bytes, origin) = open(blob, &mut self.buf, located.end)?;
                    match entries.node(master, bytes, origin, keep, &mut self.listpack)? {
                        Node::Same => self.nodes.extend_from_slice(raw),
                        Node::Empty => continue,
                        Node::New(bytes) => {
                            write_plain(key, &mut self.nodes);
                            put(blob, bytes, &mut self.strings, &mut self.nodes);
                        }
                    }
                    count += 1;
                }
                Item::StreamInfo { raw, groups } => {
                    write_length(count, out);
                    out.extend_from_slice(&self.nodes);
                    entries.write_info(raw, out)?;
                    // Groups may hold IDs pending whose entries are gone, as after `XDEL`.
                    write_length(groups, out);
                    out.extend_from_slice(part(value.bytes(), from, value.len()));
                    return Ok(());
                }
                _ => return Err(internal(located.end)),
            }
        }
        Err(internal(value.offset()))
    }
}

/// Strings one after the other: those that stay are copied as they lie.
fn plain(
    value: Value<'_>,
    keep: &impl Keep,
    left: u64,
    buf: &mut StrBuf,
    out: &mut Vec<u8>,
) -> Result<()> {
    if value.value_type() == ValueType::HashMetadata {
        // What the fields' expiries count from.
        out.extend_from_slice(part(value.bytes(), 0, 8));
    }
    write_length(left, out);
    let mut from = head(value)?;
    for located in value.items()? {
        let located = located?;
        let raw = raw_item(value, &mut from, located.end);
        let stays = match located.item {
            Item::Member(text) if value.data_type() == DataType::List => {
                keep.element(text.bytes(buf)?)
            }
            Item::Member(text) => keep.member(text.bytes(buf)?),
            Item::Pair(field, _) | Item::FieldTtl { field, .. } => keep.field(field.bytes(buf)?),
            Item::Scored(member, score) => keep.scored(member.bytes(buf)?, Score::Double(score)),
            Item::ScoredText(member, score) => keep.scored(member.bytes(buf)?, Score::Text(score)),
            _ => return Err(internal(located.end)),
        };
        if stays {
            out.extend_from_slice(raw);
        }
    }
    Ok(())
}

/// Where a value's items begin, behind its count.
fn head(value: Value<'_>) -> Result<usize> {
    let mut c = Cursor::new(value.bytes());
    let base = if value.value_type() == ValueType::HashMetadata { 8 } else { 0 };
    let read = c.take(base).and_then(|_| c.length());
    read.map_err(|_| internal(value.offset()))?;
    Ok(value.len() - c.left())
}

/// The bytes of the item that begins at `from`, which moves to its end.
fn raw_item<'a>(value: Value<'a>, from: &mut usize, end: u64) -> &'a [u8] {
    let end = usize::try_from(end - value.offset()).unwrap_or(usize::MAX);
    part(value.bytes(), std::mem::replace(from, end), end)
}

/// Writes a blob, compressed if the one in whose place it stands was.
fn put(old: Str<'_>, new: &[u8], strings: &mut StrWriter, out: &mut Vec<u8>) {
    match old.is_compressed() {
        true => strings.write_blob(new, out),
        false => write_plain(new, out),
    }
}

#[cold]
fn internal(offset: u64) -> Error {
    Error::at(Fault::Internal, offset)
}

/// Counts what stays and what goes.
struct Count<'k, K> {
    keep: &'k K,
    data: DataType,
    digits: Digits,
    retained: Retained,
}

impl<K> Count<'_, K> {
    fn count(&mut self, stays: bool) {
        let retained = &mut self.retained;
        *if stays { &mut retained.left } else { &mut retained.removed } += 1;
    }
}

impl<K: Keep> Visit for Count<'_, K> {
    fn text(&mut self, _: Scalar<'_>) -> Result<()> {
        self.count(true);
        Ok(())
    }

    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        let member = member.bytes(&mut self.digits);
        let stays = match self.data {
            DataType::List => self.keep.element(member),
            _ => self.keep.member(member),
        };
        self.count(stays);
        Ok(())
    }

    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        let stays = self.keep.scored(member.bytes(&mut self.digits), score);
        self.count(stays);
        Ok(())
    }

    fn field(&mut self, field: Scalar<'_>, _: Scalar<'_>, _: Option<UnixMillis>) -> Result<()> {
        let stays = self.keep.field(field.bytes(&mut self.digits));
        self.count(stays);
        Ok(())
    }

    /// Goes with its entry.
    fn stream_field(&mut self, _: Scalar<'_>, _: Scalar<'_>) -> Result<()> {
        Ok(())
    }

    fn other(&mut self, element: Element<'_>) -> Result<()> {
        // Of the rest, nothing can go by itself.
        if let Element::StreamEntry { id, deleted: false, .. } = element {
            let stays = self.keep.id(id);
            self.count(stays);
        }
        Ok(())
    }
}

/// Writes the fields that stay as those of a plain hash.
struct Pairs<'k, K> {
    keep: &'k K,
    digits: Digits,
    strings: &'k mut StrWriter,
    out: &'k mut Vec<u8>,
}

impl<K: Keep> Visit for Pairs<'_, K> {
    fn field(&mut self, field: Scalar<'_>, value: Scalar<'_>, _: Option<UnixMillis>) -> Result<()> {
        if self.keep.field(field.bytes(&mut self.digits)) {
            self.strings.write(field, self.out);
            self.strings.write(value, self.out);
        }
        Ok(())
    }

    fn text(&mut self, _: Scalar<'_>) -> Result<()> {
        Err(Error::from_fault(Fault::Internal))
    }

    fn member(&mut self, _: Scalar<'_>) -> Result<()> {
        Err(Error::from_fault(Fault::Internal))
    }

    fn scored(&mut self, _: Scalar<'_>, _: Score<'_>) -> Result<()> {
        Err(Error::from_fault(Fault::Internal))
    }

    fn stream_field(&mut self, _: Scalar<'_>, _: Scalar<'_>) -> Result<()> {
        Err(Error::from_fault(Fault::Internal))
    }

    fn other(&mut self, _: Element<'_>) -> Result<()> {
        Err(Error::from_fault(Fault::Internal))
    }
}
