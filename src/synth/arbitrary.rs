//! Contents from arbitrary bytes: whatever comes, servers would take it.

use crate::rdb::{
    ArrayContent, ArrayValue, Content, HashField, LATEST_FIELD_EXPIRY, ModuleContent, ModuleValue,
    ServerVersion, StreamConsumer, StreamContent, StreamCounters, StreamEntry, StreamGroup,
    StreamId, StreamIdempotence, StreamPending, StreamProducer,
};
use crate::synth::dataset::SynthKey;
use crate::time::UnixMillis;
use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// One of [`ServerVersion::MILESTONES`].
impl<'a> Arbitrary<'a> for ServerVersion {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.choose(ServerVersion::MILESTONES).copied()
    }
}

/// Any time, before 1970 too.
impl<'a> Arbitrary<'a> for UnixMillis {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(UnixMillis::new(u.arbitrary()?))
    }
}

/// Any ID, 0-0 too.
impl<'a> Arbitrary<'a> for StreamId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(StreamId::new(u.arbitrary()?, u.arbitrary()?))
    }
}

/// Bytes, the text of an integer of any width, or one byte over and over.
fn text(u: &mut Unstructured<'_>) -> Result<Bytes> {
    Ok(match u.int_in_range(0..=7u8)? {
        0..=3 => Bytes::from(<Vec<u8>>::arbitrary(u)?),
        4..=6 => {
            let n = i64::arbitrary(u)? >> u.int_in_range(0..=63)?;
            Bytes::from(n.to_string())
        }
        _ => vec![u8::arbitrary(u)?; usize::from(u16::arbitrary(u)? / 3)].into(),
    })
}

/// Rows as long as there are bytes to make them of, or up to the thresholds of servers.
fn texts(u: &mut Unstructured<'_>) -> Result<Vec<Bytes>> {
    let mut rows = Vec::new();
    match u.int_in_range(0..=3u8)? {
        0 => {
            let count = u.int_in_range(1..=700u16)?;
            let integers = bool::arbitrary(u)?;
            let name = |n: u16| if integers { n.to_string() } else { format!("name:{n}") };
            rows.extend((0..count).map(|n| Bytes::from(name(n))));
            if bool::arbitrary(u)? {
                rows.push(text(u)?);
            }
        }
        1 => {
            let integers = <Vec<i64>>::arbitrary(u)?;
            rows.extend(integers.into_iter().map(|n| Bytes::from(n.to_string())));
        }
        _ => {
            while rows.len() < 1000 && !u.is_empty() && u.ratio(7, 8)? {
                rows.push(text(u)?);
            }
        }
    }
    if rows.is_empty() {
        rows.push(text(u)?);
    }
    Ok(rows)
}

/// Rows of which none comes twice.
fn distinct(u: &mut Unstructured<'_>) -> Result<Vec<Bytes>> {
    let mut seen = BTreeSet::new();
    let mut rows = texts(u)?;
    rows.retain(|row| seen.insert(row.clone()));
    Ok(rows)
}

/// A key of any name and content; one that expires does so in 1970 or later.
impl<'a> Arbitrary<'a> for SynthKey {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let expires = Option::<u32>::arbitrary(u)?.map(|at| UnixMillis::from_seconds(at.into()));
        Ok(SynthKey { key: text(u)?, expires, content: u.arbitrary()? })
    }
}

/// A content of any type that servers take.
impl<'a> Arbitrary<'a> for Content {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=7u8)? {
            0 => Content::String(text(u)?),
            1 => Content::List(texts(u)?),
            2 => Content::Set(distinct(u)?),
            3 => {
                let members = distinct(u)?;
                let score = |member| {
                    let score = match u.int_in_range(0..=2u8)? {
                        0 => f64::arbitrary(u)?,
                        1 => f64::from(i32::arbitrary(u)?),
                        _ => f64::from(i32::arbitrary(u)?) / 1000.0,
                    };
                    Ok((member, if score.is_nan() { 0.0 } else { score }))
                };
                Content::SortedSet(members.into_iter().map(score).collect::<Result<_>>()?)
            }
            4 => {
                let names = distinct(u)?;
                let expiring = bool::arbitrary(u)?;
                let mut fields = Vec::new();
                for name in names {
                    let field = HashField::arbitrary(u)?;
                    let expires = field.expires.filter(|_| expiring);
                    fields.push(HashField { field: name, expires, ..field });
                }
                Content::Hash(fields)
            }
            5 => Content::Stream(u.arbitrary()?),
            6 => Content::Array(u.arbitrary()?),
            _ => Content::Module(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for HashField {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let field = HashField::new(text(u)?, text(u)?);
        Ok(match bool::arbitrary(u)? {
            true => field.expires(UnixMillis::new(u.int_in_range(1..=LATEST_FIELD_EXPIRY)?)),
            false => field,
        })
    }
}

impl<'a> Arbitrary<'a> for ArrayValue {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=2u8)? {
            0 => ArrayValue::Text(text(u)?),
            1 => ArrayValue::Int(u.arbitrary()?),
            _ => ArrayValue::Float(u.arbitrary()?),
        })
    }
}

/// An array of at least one element.
impl<'a> Arbitrary<'a> for ArrayContent {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut elements: BTreeMap<u64, ArrayValue> = u.arbitrary()?;
        elements.remove(&u64::MAX);
        if elements.is_empty() {
            elements.insert(0, u.arbitrary()?);
        }
        let cursor = <Option<u64>>::arbitrary(u)?.filter(|cursor| *cursor != u64::MAX);
        Ok(ArrayContent { cursor, elements: elements.into_iter().collect() })
    }
}

impl<'a> Arbitrary<'a> for ModuleValue {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=4u8)? {
            0 => ModuleValue::Signed(u.arbitrary()?),
            1 => ModuleValue::Unsigned(u.arbitrary()?),
            2 => ModuleValue::Float(u.arbitrary()?),
            3 => ModuleValue::Double(u.arbitrary()?),
            _ => ModuleValue::Text(text(u)?),
        })
    }
}

impl<'a> Arbitrary<'a> for ModuleContent {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(ModuleContent::new(u.arbitrary()?, <Vec<ModuleValue>>::arbitrary(u)?))
    }
}

/// An entry with at least one field.
impl<'a> Arbitrary<'a> for StreamEntry {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut fields = vec![(text(u)?, text(u)?)];
        while fields.len() < 50 && u.ratio(1, 3)? {
            fields.push((text(u)?, text(u)?));
        }
        Ok(StreamEntry::new(u.arbitrary()?, fields))
    }
}

impl<'a> Arbitrary<'a> for StreamPending {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(StreamPending::new(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?))
    }
}

/// A consumer that owns nothing: what it could own is its group's to say.
impl<'a> Arbitrary<'a> for StreamConsumer {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut consumer = StreamConsumer::new(text(u)?, u.arbitrary()?);
        // The stored -1 stands for a consumer that never was.
        let active = <Option<UnixMillis>>::arbitrary(u)?;
        consumer.active = active.filter(|at| at.get() != -1);
        Ok(consumer)
    }
}

/// A group in which every pending entry has one owner.
impl<'a> Arbitrary<'a> for StreamGroup {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut group = StreamGroup::new(text(u)?, u.arbitrary()?);
        group.entries_read = <Option<u64>>::arbitrary(u)?.filter(|read| *read != u64::MAX);
        let mut consumers: Vec<StreamConsumer> = u.arbitrary()?;
        let mut seen = BTreeSet::new();
        consumers.retain(|consumer| seen.insert(consumer.name.clone()));
        let mut pending: Vec<StreamPending> = u.arbitrary()?;
        let mut seen = BTreeSet::new();
        pending.retain(|pending| seen.insert(pending.id));
        for StreamPending { id, .. } in &pending {
            let owner = u.choose_index(consumers.len() + 1)?;
            match consumers.get_mut(owner) {
                Some(consumer) => consumer.pending.push(*id),
                None => group.nacked.push(*id),
            }
        }
        (group.pending, group.consumers) = (pending, consumers);
        Ok(group)
    }
}

impl<'a> Arbitrary<'a> for StreamProducer {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut producer = StreamProducer::new(text(u)?);
        for id in distinct(u)? {
            producer.remembered.push((id, u.arbitrary()?));
        }
        Ok(producer)
    }
}

impl<'a> Arbitrary<'a> for StreamIdempotence {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut producers: Vec<StreamProducer> = u.arbitrary()?;
        let mut seen = BTreeSet::new();
        producers.retain(|producer| seen.insert(producer.id.clone()));
        Ok(StreamIdempotence {
            duration: u.int_in_range(1..=86_400)?,
            max: u.int_in_range(1..=10_000)?,
            producers,
            added: u.arbitrary()?,
            duplicates: u.arbitrary()?,
        })
    }
}

impl<'a> Arbitrary<'a> for StreamContent {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut entries: Vec<StreamEntry> = u.arbitrary()?;
        if let (Some(model), true) = (entries.first().cloned(), u.ratio(1, 8)?) {
            // Enough of them for a second node.
            let count = u.int_in_range(90..=210u64)?;
            let id = |ms| StreamId::new(ms, 7);
            entries.extend((1..=count).map(|ms| StreamEntry { id: id(ms), ..model.clone() }));
        }
        entries.sort_by_key(|entry| entry.id);
        entries.dedup_by_key(|entry| entry.id);
        entries.retain(|entry| entry.id != StreamId::default());
        let last = entries.last().map(|entry| entry.id).unwrap_or_default();
        let mut stream = StreamContent::new(last.max(u.arbitrary()?));
        let length = entries.len() as u64;
        stream.entries = entries;
        if bool::arbitrary(u)? {
            let added = length.saturating_add(u.arbitrary()?).min(u64::MAX - 1);
            stream.counters = Some(StreamCounters::new(u.arbitrary()?, u.arbitrary()?, added));
        }
        let added = stream.counters.map_or(length, |counters| counters.entries_added);
        stream.groups = u.arbitrary()?;
        let mut seen = BTreeSet::new();
        stream.groups.retain(|group| seen.insert(group.name.clone()));
        for group in &mut stream.groups {
            group.entries_read = group.entries_read.map(|read| read.min(added));
        }
        // Of what servers begin with nothing is kept.
        let memory = <Option<StreamIdempotence>>::arbitrary(u)?;
        stream.idempotence = memory.filter(|memory| *memory != StreamIdempotence::default());
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::DataType;
    use crate::synth::Random;

    #[test]
    fn whatever_the_bytes_servers_take_it_and_every_type_comes() {
        let mut random = Random::new(1);
        let mut types = BTreeSet::new();
        for _ in 0..3000 {
            let length = random.length(0, 4000);
            let bytes = random.bytes(length);
            let content = Content::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
            content.validate().unwrap();
            types.insert(content.data_type());
        }
        assert_eq!(types.len(), DataType::ALL.len() - 1, "{types:?}");
    }
}
