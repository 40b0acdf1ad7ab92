//! From any encoding to what it holds.

use crate::error::{Error, Fault, Result};
use crate::rdb::content::parts::{ArrayContent, ArrayValue, HashField, ModuleContent, ModuleValue};
use crate::rdb::content::stream::{
    StreamConsumer, StreamContent, StreamEntry, StreamGroup, StreamIdempotence, StreamPending,
    StreamProducer,
};
use crate::rdb::content::value::Content;
use crate::rdb::decode::Decoder;
use crate::rdb::element::{Element, ModuleField, Score, StreamId, Visit};
use crate::rdb::encoding::Scalar;
use crate::rdb::item::{ArrayItem, Item};
use crate::rdb::string::StrBuf;
use crate::rdb::value::Value;
use crate::rdb::value_type::{DataType, ValueType};
use crate::time::UnixMillis;
use crate::wire::number::Digits;
use bytes::Bytes;

impl Content {
    /// Reads a value in whatever encoding it lies in the file.
    ///
    /// Memory is what the value really holds, with a small constant for each element; no declared
    /// count is believed. The value has to be whole: one that comes in runs is not. The
    /// decoder must have [learned](Decoder::learn) the file's hash templates, where there are any.
    ///
    /// # Errors
    /// `Corrupt` or `Limit` where the value cannot be decoded; `Unsupported` for a scheduled script
    /// of KeyDB, which is no value of any other server.
    pub fn read(value: Value<'_>, decoder: &mut Decoder) -> Result<Content> {
        let content = match value.data_type() {
            DataType::Array => return read_array(value),
            DataType::String => Content::String(Bytes::new()),
            DataType::List => Content::List(Vec::new()),
            DataType::Set => Content::Set(Vec::new()),
            DataType::SortedSet => Content::SortedSet(Vec::new()),
            DataType::Hash => Content::Hash(Vec::new()),
            DataType::Stream => Content::Stream(StreamContent::new(StreamId::default())),
            DataType::Module => {
                let id = value.module().map_or(0, |id| id.get());
                Content::Module(ModuleContent::new(id, []))
            }
            DataType::Cron => {
                return Err(Error::at(Fault::Vendor, value.offset())
                    .with_detail("a scheduled script of KeyDB"));
            }
        };
        use ValueType::{StreamListpacks, StreamListpacks2};
        let active_times = !matches!(value.value_type(), StreamListpacks | StreamListpacks2);
        let mut reading = Reading { content, active_times };
        decoder.visit_value(value, &mut reading).map_err(|error| error.or_at(value.offset()))?;
        Ok(reading.content)
    }
}

/// An array tells integers from text that looks like one only by its items.
fn read_array(value: Value<'_>) -> Result<Content> {
    let mut array = ArrayContent { cursor: value.array_cursor(), elements: Vec::new() };
    let mut buf = StrBuf::new();
    for located in value.items()? {
        let located = located?;
        if let Item::At(index, item) = located.item {
            let element = match item {
                ArrayItem::Text(text) => {
                    let text = text.bytes(&mut buf).map_err(|error| error.or_at(located.end))?;
                    ArrayValue::Text(Bytes::copy_from_slice(text))
                }
                ArrayItem::Int(n) => ArrayValue::Int(n),
                ArrayItem::Float(n) => ArrayValue::Float(n),
            };
            array.elements.push((index, element));
        }
    }
    Ok(Content::Array(array))
}

/// A content that grows with what is shown to it.
struct Reading {
    content: Content,
    /// Whether a stream's layout says when consumers were active.
    active_times: bool,
}

fn owned(scalar: Scalar<'_>) -> Bytes {
    Bytes::copy_from_slice(scalar.bytes(&mut Digits::new()))
}

/// An element that does not belong where it came.
#[cold]
fn misplaced() -> Error {
    Error::from_fault(Fault::Internal)
}

impl Visit for Reading {
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        self.content = Content::String(owned(text));
        Ok(())
    }

    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        match &mut self.content {
            Content::List(rows) | Content::Set(rows) => rows.push(owned(member)),
            _ => return Err(misplaced()),
        }
        Ok(())
    }

    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        let score = score.value().ok_or_else(|| Error::from_fault(Fault::TextNumber))?;
        match &mut self.content {
            Content::SortedSet(members) => members.push((owned(member), score)),
            _ => return Err(misplaced()),
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        match &mut self.content {
            Content::Hash(fields) => {
                fields.push(HashField { field: owned(field), value: owned(value), expires });
            }
            _ => return Err(misplaced()),
        }
        Ok(())
    }

    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        let Content::Stream(stream) = &mut self.content else { return Err(misplaced()) };
        let (entry, before) = stream.entries.split_last_mut().ok_or_else(misplaced)?;
        let mut digits = Digits::new();
        let name = field.bytes(&mut digits);
        // A node has its names once: so they are shared here too, however many entries it has.
        let same = before.last().and_then(|before| before.fields.get(entry.fields.len()));
        let name = match same {
            Some((same, _)) if same == name => same.clone(),
            _ => Bytes::copy_from_slice(name),
        };
        entry.fields.push((name, owned(value)));
        Ok(())
    }

    fn other(&mut self, element: Element<'_>) -> Result<()> {
        match &mut self.content {
            Content::Stream(stream) => stream_part(stream, element, self.active_times),
            Content::Module(module) => {
                let Element::Module(field) = element else { return Err(misplaced()) };
                module.fields.push(match field {
                    ModuleField::Signed(n) => ModuleValue::Signed(n),
                    ModuleField::Unsigned(n) => ModuleValue::Unsigned(n),
                    ModuleField::Float(n) => ModuleValue::Float(n),
                    ModuleField::Double(n) => ModuleValue::Double(n),
                    ModuleField::Text(text) => ModuleValue::Text(owned(text)),
                    ModuleField::End => return Ok(()),
                });
                Ok(())
            }
            _ => Err(misplaced()),
        }
    }
}

/// A part of a stream that is no field of an entry.
fn stream_part(stream: &mut StreamContent, element: Element<'_>, active_times: bool) -> Result<()> {
    match element {
        Element::StreamNode { .. } | Element::StreamEntry { deleted: true, .. } => {}
        Element::StreamEntry { id, .. } => {
            stream.entries.push(StreamEntry { id, fields: Vec::new() });
        }
        Element::StreamInfo(info) => {
            (stream.last_id, stream.counters) = (info.last_id, info.counters);
        }
        Element::Group { name, last_delivered, entries_read, .. } => {
            stream.groups.push(StreamGroup {
                entries_read,
                ..StreamGroup::new(owned(name), last_delivered)
            });
        }
        Element::Pending { id, delivered, deliveries } => {
            let pending = StreamPending { id, delivered, deliveries };
            group(stream)?.pending.push(pending);
        }
        Element::Consumer { name, seen, active, .. } => {
            let mut consumer = StreamConsumer::new(owned(name), seen);
            if active_times {
                consumer.active = active;
            }
            group(stream)?.consumers.push(consumer);
        }
        Element::Owned(id) => {
            let consumer = group(stream)?.consumers.last_mut().ok_or_else(misplaced)?;
            consumer.pending.push(id);
        }
        Element::Nacked(id) => group(stream)?.nacked.push(id),
        Element::Idempotence { duration, max } => {
            let memory = StreamIdempotence { duration, max, ..StreamIdempotence::default() };
            stream.idempotence = Some(memory);
        }
        Element::Producer { id, .. } => {
            memory(stream)?.producers.push(StreamProducer::new(owned(id)));
        }
        Element::Remembered(id, entry) => {
            let producer = memory(stream)?.producers.last_mut().ok_or_else(misplaced)?;
            producer.remembered.push((owned(id), entry));
        }
        Element::IdempotenceTail { added, duplicates } => {
            let memory = memory(stream)?;
            (memory.added, memory.duplicates) = (added, duplicates);
            // Servers write producers that were forgotten, and pass them when they load.
            memory.producers.retain(|producer| !producer.remembered.is_empty());
            // What servers give every stream says nothing.
            stream.idempotence.take_if(|memory| *memory == StreamIdempotence::default());
        }
        _ => return Err(misplaced()),
    }
    Ok(())
}

fn group(stream: &mut StreamContent) -> Result<&mut StreamGroup> {
    stream.groups.last_mut().ok_or_else(misplaced)
}

fn memory(stream: &mut StreamContent) -> Result<&mut StreamIdempotence> {
    stream.idempotence.as_mut().ok_or_else(misplaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Encoder;

    #[test]
    fn entries_with_the_same_fields_share_their_names() {
        let mut stream = StreamContent::new(StreamId::new(100, 0));
        let entry = |ms| StreamEntry::new(StreamId::new(ms, 0), [("n".repeat(1000), "v")]);
        stream.entries = (1..=100).map(entry).collect();
        let mut encoder = Encoder::new("redis-6.2".parse().unwrap()).stream_node(1 << 20, 100);
        let written = Content::Stream(stream);
        let encoded = encoder.encode(&written).unwrap();
        let read = Content::read(encoded.value(), &mut Decoder::new()).unwrap();
        assert_eq!(read, written);
        let Content::Stream(stream) = read else { panic!("no stream") };
        let places = stream.entries.iter().map(|entry| entry.fields[0].0.as_ptr());
        assert_eq!(places.collect::<std::collections::BTreeSet<_>>().len(), 1);
    }

    #[test]
    fn what_is_no_value_of_a_server_is_refused_by_name() {
        let cron = [&b"\x06return"[..], &[0; 16], &[0, 0]].concat();
        let value = Value { kind: ValueType::KeyDbCron, bytes: &cron, offset: 77 };
        let error = Content::read(value, &mut Decoder::new()).unwrap_err();
        assert_eq!((error.fault(), error.offset()), (Some(Fault::Vendor), Some(77)));
    }
}
