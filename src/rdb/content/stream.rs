//! What streams are made of, and what servers make of one that is older than they are.

use crate::rdb::content::value::same_in_any_order;
use crate::rdb::element::{StreamCounters, StreamId};
use crate::time::UnixMillis;
use bytes::Bytes;
use std::fmt;

/// A stream: its entries, its consumer groups and its counters. Its length is that of
/// [`entries`](Self::entries).
///
/// ```
/// use redkeep::rdb::{Content, StreamContent, StreamEntry, StreamId};
/// let mut stream = StreamContent::new(StreamId::new(2, 0));
/// stream.entries.push(StreamEntry::new(StreamId::new(1, 0), [("temperature", "21")]));
/// stream.entries.push(StreamEntry::new(StreamId::new(2, 0), [("temperature", "22")]));
/// Content::Stream(stream).validate()?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct StreamContent {
    /// Its entries, IDs ascending. Deleted ones are not kept.
    pub entries: Vec<StreamEntry>,
    /// The last ID that was added; not before that of the last entry.
    pub last_id: StreamId,
    /// What Redis 7.0 and later keep; `None` for a stream from before. Such a stream is encoded for
    /// them as they would load it: see [`fill`](Self::fill).
    pub counters: Option<StreamCounters>,
    /// Its consumer groups.
    pub groups: Vec<StreamGroup>,
    /// The memory of idempotent adding (Redis 8.6); `None` where nothing was ever added that way and
    /// the settings are those that servers begin with.
    pub idempotence: Option<StreamIdempotence>,
}

impl StreamContent {
    /// An empty stream whose last entry had this ID; `0-0` for one that never had any.
    #[must_use]
    pub fn new(last_id: StreamId) -> StreamContent {
        StreamContent {
            entries: Vec::new(),
            last_id,
            counters: None,
            groups: Vec::new(),
            idempotence: None,
        }
    }

    /// Fills in what a stream from before Redis 7.0 lacks, as Redis 7.0 and later do when they load
    /// one: counters, and how far each group has read where that can be told. Does nothing where
    /// there are counters.
    pub fn fill(&mut self) {
        if let Some((counters, groups)) = self.filled() {
            (self.counters, self.groups) = (Some(counters), groups);
        }
    }

    /// Counters and groups as [`fill`](Self::fill) makes them; `None` where it does nothing.
    pub(crate) fn filled(&self) -> Option<(StreamCounters, Vec<StreamGroup>)> {
        if self.counters.is_some() {
            return None;
        }
        let length = self.entries.len();
        let first_id = self.entries.first().map(|entry| entry.id).unwrap_or_default();
        let counters = StreamCounters::new(first_id, StreamId::default(), length as u64);
        let mut groups = self.groups.clone();
        for group in &mut groups {
            let estimate = || estimate(group.last_delivered, length, self.last_id, &counters);
            group.entries_read = group.entries_read.or_else(estimate);
        }
        Some((counters, groups))
    }
}

/// How many entries come up to and including an ID, as Redis 7.0 estimates it for a stream of which
/// nothing is known to be deleted; `None` where it cannot be told.
fn estimate(id: StreamId, length: usize, last: StreamId, counters: &StreamCounters) -> Option<u64> {
    let added = counters.entries_added;
    match () {
        () if added == 0 => Some(0),
        () if length == 0 && id <= last => Some(added),
        () if id == last => Some(added),
        () if id > last => None,
        () if id < counters.first_id => Some(added.saturating_sub(length as u64)),
        () if id == counters.first_id => Some(added.saturating_sub(length as u64) + 1),
        () => None,
    }
}

impl PartialEq for StreamContent {
    fn eq(&self, other: &StreamContent) -> bool {
        let StreamContent { entries, last_id, counters, groups, idempotence } = self;
        *entries == other.entries
            && *last_id == other.last_id
            && *counters == other.counters
            && same_in_any_order(groups, &other.groups, |a, b| a.name.cmp(&b.name))
            && *idempotence == other.idempotence
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for StreamContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("entries", &self.entries.len())
            .field("last_id", &self.last_id)
            .field("counters", &self.counters)
            .field("groups", &self.groups)
            .field("idempotence", &self.idempotence)
            .finish()
    }
}

/// An entry of a stream.
///
/// ```
/// use redkeep::rdb::{StreamEntry, StreamId};
/// let entry = StreamEntry::new(StreamId::new(1, 0), [("a", "1"), ("a", "2")]);
/// assert_eq!(entry.fields.len(), 2);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamEntry {
    /// Its ID.
    pub id: StreamId,
    /// Its fields and values in order; a field may come more than once.
    pub fields: Vec<(Bytes, Bytes)>,
}

impl StreamEntry {
    /// An entry with these fields.
    #[must_use]
    pub fn new<F: Into<Bytes>, V: Into<Bytes>>(
        id: StreamId,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> StreamEntry {
        let fields = fields.into_iter().map(|(field, value)| (field.into(), value.into()));
        StreamEntry { id, fields: fields.collect() }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for StreamEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamEntry({}, {} fields)", self.id, self.fields.len())
    }
}

/// A consumer group. Every pending entry is owned by one consumer, or was given back.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::rdb::{StreamConsumer, StreamGroup, StreamId, StreamPending};
/// let id = StreamId::new(5, 1);
/// let mut group = StreamGroup::new("workers", id);
/// group.pending.push(StreamPending::new(id, UnixMillis::new(1_700_000_000_000), 1));
/// let mut consumer = StreamConsumer::new("w1", UnixMillis::new(1_700_000_000_000));
/// consumer.pending.push(id);
/// group.consumers.push(consumer);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct StreamGroup {
    /// Its name.
    pub name: Bytes,
    /// The last ID it delivered.
    pub last_delivered: StreamId,
    /// How many entries it has read (Redis 7.0); `None` where unknown.
    pub entries_read: Option<u64>,
    /// Entries that were delivered and not acknowledged.
    pub pending: Vec<StreamPending>,
    /// Its consumers.
    pub consumers: Vec<StreamConsumer>,
    /// Pending entries that their consumers gave back (Redis 8.8): no consumer owns them.
    pub nacked: Vec<StreamId>,
}

impl StreamGroup {
    /// A group without consumers.
    #[must_use]
    pub fn new(name: impl Into<Bytes>, last_delivered: StreamId) -> StreamGroup {
        StreamGroup {
            name: name.into(),
            last_delivered,
            entries_read: None,
            pending: Vec::new(),
            consumers: Vec::new(),
            nacked: Vec::new(),
        }
    }
}

impl PartialEq for StreamGroup {
    fn eq(&self, other: &StreamGroup) -> bool {
        let StreamGroup { name, last_delivered, entries_read, pending, consumers, nacked } = self;
        *name == other.name
            && *last_delivered == other.last_delivered
            && *entries_read == other.entries_read
            && same_in_any_order(pending, &other.pending, |a, b| a.id.cmp(&b.id))
            && same_in_any_order(consumers, &other.consumers, |a, b| a.name.cmp(&b.name))
            && same_in_any_order(nacked, &other.nacked, StreamId::cmp)
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for StreamGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamGroup")
            .field("name", &format_args!("{} bytes", self.name.len()))
            .field("last_delivered", &self.last_delivered)
            .field("entries_read", &self.entries_read)
            .field("pending", &self.pending.len())
            .field("consumers", &self.consumers)
            .field("nacked", &self.nacked.len())
            .finish()
    }
}

/// An entry that was delivered and not acknowledged; the entry itself may be deleted by now.
///
/// ```
/// use redkeep::{UnixMillis, rdb::{StreamId, StreamPending}};
/// let pending = StreamPending::new(StreamId::new(5, 1), UnixMillis::new(1_700_000_000_000), 2);
/// assert_eq!(pending.deliveries, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamPending {
    /// Its ID.
    pub id: StreamId,
    /// When it was last delivered; 0 for one that was given back.
    pub delivered: UnixMillis,
    /// How often it was delivered.
    pub deliveries: u64,
}

impl StreamPending {
    /// A pending entry.
    #[must_use]
    pub fn new(id: StreamId, delivered: UnixMillis, deliveries: u64) -> StreamPending {
        StreamPending { id, delivered, deliveries }
    }
}

/// A consumer of a group.
///
/// ```
/// use redkeep::{UnixMillis, rdb::StreamConsumer};
/// let consumer = StreamConsumer::new("w1", UnixMillis::new(1_700_000_000_000));
/// assert!(consumer.active == Some(consumer.seen) && consumer.pending.is_empty());
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct StreamConsumer {
    /// Its name.
    pub name: Bytes,
    /// When it was last seen.
    pub seen: UnixMillis,
    /// When it last read something; `None` where it never did. Layouts from before Redis 7.2 do not
    /// say that: servers then take the time when it was last seen, and so does reading.
    pub active: Option<UnixMillis>,
    /// The pending entries that it owns.
    pub pending: Vec<StreamId>,
}

impl StreamConsumer {
    /// A consumer that was last seen and active then, and owns nothing.
    #[must_use]
    pub fn new(name: impl Into<Bytes>, seen: UnixMillis) -> StreamConsumer {
        StreamConsumer { name: name.into(), seen, active: Some(seen), pending: Vec::new() }
    }
}

impl PartialEq for StreamConsumer {
    fn eq(&self, other: &StreamConsumer) -> bool {
        let StreamConsumer { name, seen, active, pending } = self;
        *name == other.name
            && *seen == other.seen
            && *active == other.active
            && same_in_any_order(pending, &other.pending, StreamId::cmp)
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for StreamConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamConsumer")
            .field("name", &format_args!("{} bytes", self.name.len()))
            .field("seen", &self.seen)
            .field("active", &self.active)
            .field("pending", &self.pending.len())
            .finish()
    }
}

/// The memory of idempotent adding (Redis 8.6): which of their own IDs producers have used.
///
/// ```
/// use redkeep::rdb::StreamIdempotence;
/// let memory = StreamIdempotence::default();
/// assert_eq!((memory.duration, memory.max), (100, 100));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamIdempotence {
    /// How long an ID is remembered, in seconds: 1 to 86,400.
    pub duration: u64,
    /// How many IDs are remembered per producer: 1 to 10,000.
    pub max: u64,
    /// The producers.
    pub producers: Vec<StreamProducer>,
    /// IDs ever added.
    pub added: u64,
    /// Additions that were duplicates.
    pub duplicates: u64,
}

/// What servers begin with.
impl Default for StreamIdempotence {
    fn default() -> StreamIdempotence {
        StreamIdempotence {
            duration: 100,
            max: 100,
            producers: Vec::new(),
            added: 0,
            duplicates: 0,
        }
    }
}

impl PartialEq for StreamIdempotence {
    fn eq(&self, other: &StreamIdempotence) -> bool {
        let StreamIdempotence { duration, max, producers, added, duplicates } = self;
        (duration, max, added, duplicates)
            == (&other.duration, &other.max, &other.added, &other.duplicates)
            && same_in_any_order(producers, &other.producers, |a, b| a.id.cmp(&b.id))
    }
}

/// A producer that adds to a stream idempotently.
///
/// ```
/// use redkeep::rdb::{StreamId, StreamProducer};
/// let mut producer = StreamProducer::new("sensor");
/// producer.remembered.push(("reading-1".into(), StreamId::new(5, 1)));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamProducer {
    /// Its ID.
    pub id: Bytes,
    /// The IDs it has used, oldest first, and the entries they made.
    pub remembered: Vec<(Bytes, StreamId)>,
}

impl StreamProducer {
    /// A producer of which nothing is remembered.
    #[must_use]
    pub fn new(id: impl Into<Bytes>) -> StreamProducer {
        StreamProducer { id: id.into(), remembered: Vec::new() }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for StreamProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamProducer({} bytes, {} IDs)", self.id.len(), self.remembered.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_stream_is_filled_in_as_servers_do() {
        let id = |ms| StreamId::new(ms, 0);
        let mut stream = StreamContent::new(id(9));
        stream.entries = [3, 5, 9].map(|ms| StreamEntry::new(id(ms), [("f", "v")])).to_vec();
        let read = [(0, Some(0)), (3, Some(1)), (5, None), (9, Some(3)), (10, None)];
        stream.groups = read.map(|(ms, _)| StreamGroup::new(ms.to_string(), id(ms))).to_vec();
        stream.fill();
        let counters = stream.counters.unwrap();
        assert_eq!((counters.first_id, counters.entries_added), (id(3), 3));
        for (group, (_, read)) in stream.groups.iter().zip(read) {
            assert_eq!(group.entries_read, read, "{group:?}");
        }
        let mut empty = StreamContent::new(id(9));
        empty.groups.push(StreamGroup::new("g", id(9)));
        empty.fill();
        assert_eq!(empty.groups.first().unwrap().entries_read, Some(0));
    }

    #[test]
    fn groups_consumers_and_pending_entries_have_no_order() {
        let id = |ms| StreamId::new(ms, 0);
        let group = |name: &'static str, ids: [u64; 2]| {
            let mut group = StreamGroup::new(name, id(9));
            group.pending = ids.map(|ms| StreamPending::new(id(ms), UnixMillis::new(1), 1)).into();
            let mut consumer = StreamConsumer::new("c", UnixMillis::new(1));
            consumer.pending = ids.map(id).into();
            group.consumers.push(consumer);
            group
        };
        let with = |groups: [StreamGroup; 2]| {
            let mut stream = StreamContent::new(id(9));
            stream.groups = groups.into();
            stream
        };
        let stream = with([group("a", [1, 2]), group("b", [3, 4])]);
        assert_eq!(stream, with([group("b", [4, 3]), group("a", [2, 1])]));
        assert_ne!(stream, with([group("a", [3, 4]), group("b", [1, 2])]));
    }
}
