//! What servers refuse, or take and trip over later.

use crate::error::{Error, Result};
use crate::rdb::content::parts::{ArrayContent, HashField};
use crate::rdb::content::stream::{StreamContent, StreamGroup, StreamIdempotence};
use crate::rdb::content::value::Content;
use crate::rdb::element::{LATEST_FIELD_EXPIRY, StreamId};
use bytes::Bytes;
use foldhash::fast::RandomState;
use std::collections::HashSet;

/// Below this, comparing each with each is quicker than hashing.
const FEW: usize = 8;

impl Content {
    /// Whether servers take such a value: collections have elements, and none twice; scores are
    /// numbers; field expiries are times; a stream's IDs ascend and its bookkeeping is right.
    ///
    /// # Errors
    /// `Usage`, with what is wrong in words, and never with content.
    ///
    /// ```
    /// use redkeep::rdb::Content;
    /// assert!(Content::set(["a", "b"]).validate().is_ok());
    /// assert!(Content::set(["a", "a"]).validate().is_err());
    /// assert!(Content::sorted_set([("a", f64::NAN)]).validate().is_err());
    /// ```
    pub fn validate(&self) -> Result<()> {
        match self {
            Content::String(_) | Content::Module(_) => Ok(()),
            Content::List(elements) => refuse(elements.is_empty(), "a list without elements"),
            Content::Set(members) => {
                refuse(members.is_empty(), "a set without members")?;
                refuse(!distinct(members, |member| &member[..]), "a set has a member twice")
            }
            Content::SortedSet(members) => {
                refuse(members.is_empty(), "a sorted set without members")?;
                let nan = members.iter().any(|(_, score)| score.is_nan());
                refuse(nan, "a score is not a number")?;
                let distinct = distinct(members, |(member, _)| &member[..]);
                refuse(!distinct, "a sorted set has a member twice")
            }
            Content::Hash(fields) => hash(fields),
            Content::Stream(stream) => self::stream(stream),
            Content::Array(array) => self::array(array),
        }
    }
}

fn refuse(bad: bool, what: &'static str) -> Result<()> {
    if bad { Err(Error::usage(what)) } else { Ok(()) }
}

/// Whether no two rows have the same name.
fn distinct<T>(rows: &[T], name: impl Fn(&T) -> &[u8]) -> bool {
    if rows.len() <= FEW {
        let mut rest = rows;
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| name(other) == name(first)) {
                return false;
            }
            rest = others;
        }
        return true;
    }
    let mut seen = HashSet::with_capacity_and_hasher(rows.len(), RandomState::default());
    rows.iter().all(|row| seen.insert(name(row)))
}

fn hash(fields: &[HashField]) -> Result<()> {
    refuse(fields.is_empty(), "a hash without fields")?;
    let times = fields.iter().filter_map(|field| field.expires);
    let bad = { times }.any(|at| !(1..=LATEST_FIELD_EXPIRY).contains(&at.get()));
    refuse(bad, "a field's expiry is not between 1 and 2^48-1 ms")?;
    refuse(!distinct(fields, |field| &field.field[..]), "a hash has a field twice")
}

fn array(array: &ArrayContent) -> Result<()> {
    refuse(array.elements.is_empty(), "an array without elements")?;
    let ascending = array.elements.is_sorted_by(|(a, _), (b, _)| a < b);
    refuse(!ascending, "an array's indexes do not ascend")?;
    let last = array.elements.last().is_some_and(|(index, _)| *index == u64::MAX);
    refuse(last || array.cursor == Some(u64::MAX), "an array has the forbidden index 2^64-1")
}

fn stream(stream: &StreamContent) -> Result<()> {
    let StreamContent { entries, last_id, counters, groups, idempotence } = stream;
    let first = entries.first().map(|entry| entry.id);
    refuse(first == Some(StreamId::default()), "a stream has an entry 0-0")?;
    let ascending = entries.is_sorted_by(|a, b| a.id < b.id);
    refuse(!ascending, "a stream's IDs do not ascend")?;
    let last = entries.last().map(|entry| entry.id);
    refuse(last > Some(*last_id), "a stream's last ID is before that of an entry")?;
    let bare = entries.iter().any(|entry| entry.fields.is_empty());
    refuse(bare, "a stream has an entry without fields")?;
    let added = counters.map(|counters| counters.entries_added);
    let miscounts = added.is_some_and(|added| added < entries.len() as u64);
    refuse(miscounts, "a stream has more entries than were ever added")?;
    refuse(!distinct(groups, |group| &group.name[..]), "a stream has a consumer group twice")?;
    for group in groups {
        self::group(group, added.unwrap_or(entries.len() as u64))?;
    }
    idempotence.iter().try_for_each(self::idempotence)
}

fn group(group: &StreamGroup, added: u64) -> Result<()> {
    let read = group.entries_read.is_some_and(|read| read > added);
    refuse(read, "a group has read more entries than were ever added")?;
    let consumers = &group.consumers;
    refuse(!distinct(consumers, |c| &c.name[..]), "a group has a consumer twice")?;
    let mut pending: Vec<_> = group.pending.iter().map(|pending| pending.id).collect();
    pending.sort_unstable();
    refuse(!pending.is_sorted_by(|a, b| a < b), "a group has an entry pending twice")?;
    let owned = consumers.iter().flat_map(|consumer| &consumer.pending);
    let mut owned: Vec<_> = owned.chain(&group.nacked).copied().collect();
    owned.sort_unstable();
    refuse(!owned.is_sorted_by(|a, b| a < b), "a pending entry has two owners")?;
    let foreign = owned.iter().any(|id| pending.binary_search(id).is_err());
    refuse(foreign, "a consumer owns an entry that its group does not hold pending")?;
    refuse(owned.len() != pending.len(), "a pending entry has no owner")
}

fn idempotence(memory: &StreamIdempotence) -> Result<()> {
    let fits = (1..=86_400).contains(&memory.duration) && (1..=10_000).contains(&memory.max);
    refuse(!fits, "settings of idempotent adding are out of range")?;
    let producers = &memory.producers;
    refuse(!distinct(producers, |p| &p.id[..]), "a stream has a producer twice")?;
    let name = |(id, _): &'_ (Bytes, StreamId)| id.clone();
    for producer in producers {
        let ids: Vec<Bytes> = producer.remembered.iter().map(name).collect();
        refuse(!distinct(&ids, |id| &id[..]), "a producer has used an ID twice")?;
        refuse(ids.is_empty(), "a producer of which nothing is remembered")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{
        ArrayValue, StreamConsumer, StreamCounters, StreamEntry, StreamPending, StreamProducer,
    };
    use crate::{ErrorKind, UnixMillis};

    fn refused(content: &Content, word: &str) {
        let error = content.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(word), "{error}");
    }

    #[test]
    fn empty_collections_and_repeated_elements_are_refused() {
        let none = [""; 0];
        refused(&Content::list(none), "without");
        refused(&Content::set(none), "without");
        refused(&Content::sorted_set([("", 0.0); 0]), "without");
        refused(&Content::hash([("", ""); 0]), "without");
        refused(&Content::Array(ArrayContent::default()), "without");
        assert!(Content::list(["a", "a"]).validate().is_ok());
        for n in [1, 7, 8, 9, 100] {
            let texts: Vec<String> = (0..n).chain([0]).map(|n| n.to_string()).collect();
            refused(&Content::set(texts.clone()), "twice");
            refused(&Content::hash(texts.iter().map(|t| (t.clone(), ""))), "twice");
            refused(&Content::sorted_set(texts.iter().map(|t| (t.clone(), 1.0))), "twice");
            assert!(Content::set(texts[1..].to_vec()).validate().is_ok());
        }
    }

    #[test]
    fn times_scores_and_indexes_are_in_their_range() {
        refused(&Content::sorted_set([("a", f64::NAN)]), "not a number");
        for (at, good) in [(0, false), (1, true), (LATEST_FIELD_EXPIRY, true), (1 << 48, false)] {
            let field = HashField::new("f", "v").expires(UnixMillis::new(at));
            assert_eq!(Content::Hash(vec![field]).validate().is_ok(), good, "{at}");
        }
        let array = |indexes: &[u64]| {
            let elements = indexes.iter().map(|n| (*n, ArrayValue::Int(1))).collect();
            Content::Array(ArrayContent { cursor: None, elements })
        };
        assert!(array(&[0, u64::MAX - 1]).validate().is_ok());
        refused(&array(&[1, 1]), "ascend");
        refused(&array(&[u64::MAX]), "forbidden");
    }

    /// Two entries, and a group to which both are pending.
    fn sound() -> StreamContent {
        let ids = [StreamId::new(1, 0), StreamId::new(2, 0)];
        let mut stream = StreamContent::new(ids[1]);
        stream.entries = ids.map(|id| StreamEntry::new(id, [("f", "v")])).into();
        let mut group = StreamGroup::new("g", ids[1]);
        let at = UnixMillis::new(1);
        group.pending = ids.map(|id| StreamPending::new(id, at, 1)).into();
        group.consumers = ["a", "b"].map(|name| StreamConsumer::new(name, at)).into();
        group.consumers[0].pending.push(ids[0]);
        group.nacked.push(ids[1]);
        stream.groups.push(group);
        let mut producer = StreamProducer::new("p");
        producer.remembered.push(("i".into(), ids[0]));
        let producers = vec![producer];
        stream.idempotence = Some(StreamIdempotence { producers, ..Default::default() });
        stream
    }

    #[test]
    fn each_thing_wrong_with_a_stream_is_named() {
        assert!(Content::Stream(sound()).validate().is_ok());
        type Breaks = fn(&mut StreamContent);
        let cases: [(&str, Breaks); 15] = [
            ("0-0", |s| s.entries[0].id = StreamId::default()),
            ("do not ascend", |s| s.entries[1].id = StreamId::new(1, 0)),
            ("last ID", |s| s.last_id = StreamId::new(1, 9)),
            ("without fields", |s| s.entries[0].fields.clear()),
            ("ever added", |s| {
                let entries_added = 1;
                let [first_id, max_deleted_id] = [StreamId::default(); 2];
                s.counters = Some(StreamCounters { first_id, max_deleted_id, entries_added });
            }),
            ("ever added", |s| s.groups[0].entries_read = Some(3)),
            ("group twice", |s| s.groups.extend(s.groups.clone())),
            ("consumer twice", |s| s.groups[0].consumers[1].name = "a".into()),
            ("pending twice", |s| s.groups[0].pending[1].id = StreamId::new(1, 0)),
            ("two owners", |s| s.groups[0].nacked.push(StreamId::new(1, 0))),
            ("does not hold", |s| s.groups[0].nacked[0] = StreamId::new(7, 0)),
            ("no owner", |s| s.groups[0].nacked.clear()),
            ("out of range", |s| s.idempotence.as_mut().unwrap().max = 0),
            ("producer twice", |s| {
                let memory = s.idempotence.as_mut().unwrap();
                memory.producers.extend(memory.producers.clone());
            }),
            ("ID twice", |s| {
                let producer = &mut s.idempotence.as_mut().unwrap().producers[0];
                producer.remembered.extend(producer.remembered.clone());
            }),
        ];
        for (word, breaks) in cases {
            let mut stream = sound();
            breaks(&mut stream);
            refused(&Content::Stream(stream), word);
        }
    }
}
