//! Streams, in the version of the layout that a server writes.

use crate::error::Result;
use crate::rdb::content::{
    StreamContent, StreamEntry, StreamGroup, StreamIdempotence, StreamPending, StreamProducer,
};
use crate::rdb::element::{StreamCounters, StreamId};
use crate::rdb::encode::encoder::Encoder;
use crate::rdb::encoding::Scalar;
use crate::rdb::len::write_length;
use crate::rdb::loss::{Loss, Losses};
use crate::rdb::value_type::ValueType;
use crate::time::UnixMillis;

/// The entry has the master's fields: only values follow.
const SAME_FIELDS: i64 = 2;

/// What a version of the layout has a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layout {
    First,
    Counters,
    ActiveTimes,
    Idempotence,
    Nacks,
}

impl Encoder {
    pub(super) fn stream(
        &mut self,
        stream: &StreamContent,
        losses: &mut Losses,
    ) -> Result<ValueType> {
        use ValueType as T;
        let newest_first = [
            (T::StreamListpacks5, Layout::Nacks),
            (T::StreamListpacks4, Layout::Idempotence),
            (T::StreamListpacks3, Layout::ActiveTimes),
            (T::StreamListpacks2, Layout::Counters),
        ];
        let newest = newest_first.into_iter().find(|(kind, _)| self.target.reads(*kind));
        let (kind, layout) = newest.unwrap_or((T::StreamListpacks, Layout::First));
        self.needs(kind, Loss::Stream)?;
        count_losses(stream, layout, losses);
        let filled = if layout >= Layout::Counters { stream.filled() } else { None };
        let (counters, groups) = match &filled {
            Some((counters, groups)) => (Some(*counters), groups),
            None => (stream.counters, &stream.groups),
        };
        self.nodes(&stream.entries)?;
        write_length(stream.entries.len() as u64, &mut self.out);
        write_id(stream.last_id, &mut self.out);
        if let Some(counters) = counters.filter(|_| layout >= Layout::Counters) {
            let StreamCounters { first_id, max_deleted_id, entries_added } = counters;
            write_id(first_id, &mut self.out);
            write_id(max_deleted_id, &mut self.out);
            write_length(entries_added, &mut self.out);
        }
        write_length(groups.len() as u64, &mut self.out);
        let mut groups: Vec<_> = groups.iter().collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        for group in groups {
            self.group(group, layout);
        }
        if layout >= Layout::Idempotence {
            match &stream.idempotence {
                Some(memory) => self.idempotence(memory),
                None => self.idempotence(&StreamIdempotence::default()),
            }
        }
        Ok(kind)
    }

    /// All nodes behind their count, filled as servers fill them.
    fn nodes(&mut self, mut entries: &[StreamEntry]) -> Result<()> {
        let mut nodes = 0;
        self.rows.clear();
        while let Some((first, _)) = entries.split_first() {
            entries = self.fill_node(first, entries)?;
            write_length(16, &mut self.rows);
            write_raw_id(first.id, &mut self.rows);
            self.text.write_blob(self.node.finish(), &mut self.rows);
            nodes += 1;
        }
        write_length(nodes, &mut self.out);
        self.out.append(&mut self.rows);
        Ok(())
    }

    /// Builds one node, and returns the entries that go into others.
    fn fill_node<'a>(
        &mut self,
        master: &StreamEntry,
        entries: &'a [StreamEntry],
    ) -> Result<&'a [StreamEntry]> {
        let (most_bytes, most_entries) = self.stream_node;
        self.node.clear();
        // Live entries, counted below, and deleted ones.
        self.node.push_integer(0);
        self.node.push_integer(0);
        self.node.push_integer(number(master.fields.len()));
        for (field, _) in &master.fields {
            self.node.push(Scalar::Bytes(field))?;
        }
        self.node.push_integer(0);
        let (mut count, mut rest) = (0u8, entries);
        while let Some((entry, others)) = rest.split_first() {
            let bytes: usize = entry.fields.iter().map(|(f, v)| f.len() + v.len()).sum();
            let full = self.node.size().saturating_add(bytes) >= most_bytes;
            if count > 0 && (full || count >= most_entries) {
                break;
            }
            self.entry(entry, master)?;
            (count, rest) = (count + 1, others);
        }
        self.node.set_first(count);
        Ok(rest)
    }

    fn entry(&mut self, entry: &StreamEntry, master: &StreamEntry) -> Result<()> {
        let StreamEntry { id, fields } = entry;
        let same =
            fields.iter().map(|(name, _)| name).eq(master.fields.iter().map(|(name, _)| name));
        self.node.push_integer(if same { SAME_FIELDS } else { 0 });
        self.node.push_integer(id.ms.wrapping_sub(master.id.ms).cast_signed());
        self.node.push_integer(id.seq.wrapping_sub(master.id.seq).cast_signed());
        if !same {
            self.node.push_integer(number(fields.len()));
        }
        for (field, value) in fields {
            if !same {
                self.node.push(Scalar::Bytes(field))?;
            }
            self.node.push(Scalar::Bytes(value))?;
        }
        let count = number(fields.len());
        self.node.push_integer(if same { count + 3 } else { count * 2 + 4 });
        Ok(())
    }

    fn group(&mut self, group: &StreamGroup, layout: Layout) {
        self.text.write_bytes(&group.name, &mut self.out);
        write_id(group.last_delivered, &mut self.out);
        if layout >= Layout::Counters {
            write_length(group.entries_read.unwrap_or(u64::MAX), &mut self.out);
        }
        // Without a place for those that were given back, they would have no owner.
        let mut nacked = group.nacked.clone();
        nacked.sort_unstable();
        let left_out = |id| layout < Layout::Nacks && nacked.binary_search(id).is_ok();
        let mut pending: Vec<_> = group.pending.iter().filter(|p| !left_out(&p.id)).collect();
        pending.sort_by_key(|pending| pending.id);
        write_length(pending.len() as u64, &mut self.out);
        for StreamPending { id, delivered, deliveries } in pending {
            write_raw_id(*id, &mut self.out);
            self.out.extend_from_slice(&delivered.get().to_le_bytes());
            write_length(*deliveries, &mut self.out);
        }
        let mut consumers: Vec<_> = group.consumers.iter().collect();
        consumers.sort_by(|a, b| a.name.cmp(&b.name));
        write_length(consumers.len() as u64, &mut self.out);
        for consumer in consumers {
            self.text.write_bytes(&consumer.name, &mut self.out);
            self.out.extend_from_slice(&consumer.seen.get().to_le_bytes());
            if layout >= Layout::ActiveTimes {
                let active = consumer.active.map_or(-1, UnixMillis::get);
                self.out.extend_from_slice(&active.to_le_bytes());
            }
            write_ids(&consumer.pending, &mut self.out);
        }
        if layout >= Layout::Nacks {
            write_ids(&group.nacked, &mut self.out);
        }
    }

    fn idempotence(&mut self, memory: &StreamIdempotence) {
        let StreamIdempotence { duration, max, producers, added, duplicates } = memory;
        write_length(*duration, &mut self.out);
        write_length(*max, &mut self.out);
        write_length(producers.len() as u64, &mut self.out);
        let mut producers: Vec<_> = producers.iter().collect();
        producers.sort_by(|a, b| a.id.cmp(&b.id));
        for StreamProducer { id, remembered } in producers {
            self.text.write_bytes(id, &mut self.out);
            write_length(remembered.len() as u64, &mut self.out);
            for (id, entry) in remembered {
                self.text.write_bytes(id, &mut self.out);
                write_id(*entry, &mut self.out);
            }
        }
        write_length(*added, &mut self.out);
        write_length(*duplicates, &mut self.out);
    }
}

/// What of a stream this layout has no place for.
fn count_losses(stream: &StreamContent, layout: Layout, losses: &mut Losses) {
    let groups = || stream.groups.iter();
    if layout < Layout::Counters {
        let read = groups().any(|group| group.entries_read.is_some());
        let any = read || stream.counters.is_some();
        losses.add(Loss::StreamCounters, u64::from(any), 1);
    }
    if layout < Layout::ActiveTimes {
        // What servers fill in again is not lost.
        let consumers = groups().flat_map(|group| &group.consumers);
        let active = consumers.filter(|consumer| consumer.active != Some(consumer.seen));
        losses.add(Loss::StreamActiveTime, active.count() as u64, 1);
    }
    if layout < Layout::Idempotence
        && let Some(memory) = &stream.idempotence
        && *memory != StreamIdempotence::default()
    {
        // Settings and counters of their own are a loss too where no ID is remembered.
        let ids: usize = memory.producers.iter().map(|producer| producer.remembered.len()).sum();
        losses.add(Loss::StreamIdempotence, (ids as u64).max(1), 1);
    }
    if layout < Layout::Nacks {
        let nacked: usize = groups().map(|group| group.nacked.len()).sum();
        losses.add(Loss::StreamNack, nacked as u64, 1);
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn write_id(id: StreamId, out: &mut Vec<u8>) {
    write_length(id.ms, out);
    write_length(id.seq, out);
}

fn write_raw_id(id: StreamId, out: &mut Vec<u8>) {
    out.extend_from_slice(&id.ms.to_be_bytes());
    out.extend_from_slice(&id.seq.to_be_bytes());
}

/// Raw IDs behind their count, ascending.
fn write_ids(ids: &[StreamId], out: &mut Vec<u8>) {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    write_length(ids.len() as u64, out);
    for id in ids {
        write_raw_id(id, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{Content, Decoder, Element, StreamConsumer};

    const AT: UnixMillis = UnixMillis::new(0x0102_0304);

    /// 1-1 {f v}, group g, consumer c, one pending.
    fn small() -> StreamContent {
        let id = StreamId::new(1, 1);
        let mut stream = StreamContent::new(id);
        stream.entries.push(StreamEntry::new(id, [("f", "v")]));
        let mut group = StreamGroup::new("g", id);
        group.pending.push(StreamPending::new(id, AT, 1));
        group.consumers.push(StreamConsumer::new("c", AT));
        group.consumers[0].pending.push(id);
        stream.groups.push(group);
        stream
    }

    fn encoder(server: &str) -> Encoder {
        Encoder::new(server.parse().unwrap())
    }

    #[test]
    fn the_bytes_of_the_first_version_are_those_of_redis_6_2() {
        let id = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        let time = [4, 3, 2, 1, 0, 0, 0, 0];
        let node = b"\x1d\x1d\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81f\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x04\x01\xff";
        let want = [
            &[1, 16][..],
            &id,
            node,
            b"\x01\x01\x01\x01\x01g\x01\x01\x01",
            &id,
            &time,
            b"\x01\x01\x01c",
            &time,
            b"\x01",
            &id,
        ]
        .concat();
        let mut encoder = encoder("redis-6.2");
        let encoded = encoder.encode(&Content::Stream(small())).unwrap();
        assert_eq!(encoded.value().bytes(), want);
        assert!(encoded.losses.is_empty());
    }

    #[test]
    fn an_empty_stream_is_one() {
        // 13 00 00 05 00 00 00 05 00 01 00, as 7.0 dumps one that was emptied of 5-0.
        let mut stream = StreamContent::new(StreamId::new(5, 0));
        let deleted = StreamId::new(5, 0);
        stream.counters = Some(StreamCounters::new(StreamId::default(), deleted, 1));
        let mut encoder = encoder("redis-7.0");
        let encoded = encoder.encode(&Content::Stream(stream)).unwrap();
        assert_eq!(encoded.value_type(), ValueType::StreamListpacks2);
        assert_eq!(encoded.value().bytes(), [0, 0, 5, 0, 0, 0, 5, 0, 1, 0]);
    }

    #[test]
    fn nodes_end_at_their_entries_and_their_bytes() {
        let entries = |n: u64, bytes: usize| {
            let mut stream = StreamContent::new(StreamId::new(n, 0));
            let entry = |ms| StreamEntry::new(StreamId::new(ms, 0), [("f", "x".repeat(bytes))]);
            stream.entries = (1..=n).map(entry).collect();
            Content::Stream(stream)
        };
        let nodes = |encoder: &mut Encoder, content: &Content| {
            let encoded = encoder.encode(content).unwrap();
            let mut live = Vec::new();
            for item in encoded.value().items().unwrap() {
                for element in Decoder::new().elements(item.unwrap()).unwrap() {
                    if let Element::StreamNode { live: n, .. } = element.unwrap() {
                        live.push(n);
                    }
                }
            }
            live
        };
        let mut encoder = encoder("redis-7.2");
        assert_eq!(nodes(&mut encoder, &entries(100, 1)), [100]);
        assert_eq!(nodes(&mut encoder, &entries(101, 1)), [100, 1]);
        assert_eq!(nodes(&mut encoder, &entries(5, 1500)), [2, 2, 1]);
        assert_eq!(nodes(&mut encoder, &entries(3, 5000)), [1, 1, 1]);
        let mut encoder = encoder.stream_node(1 << 20, 255);
        assert_eq!(nodes(&mut encoder, &entries(130, 1)), [127, 3]);
    }

    #[test]
    fn what_has_no_place_is_counted_and_the_rest_stays_whole() {
        let mut stream = small();
        stream.counters = Some(StreamCounters::new(StreamId::new(1, 1), StreamId::default(), 1));
        stream.idempotence = Some(StreamIdempotence { added: 3, ..Default::default() });
        let group = &mut stream.groups[0];
        group.entries_read = Some(1);
        group.consumers[0].active = None;
        let back = StreamId::new(7, 0);
        group.pending.push(StreamPending::new(back, UnixMillis::new(0), 2));
        group.nacked.push(back);
        let content = Content::Stream(stream);
        let all = [
            Loss::StreamCounters,
            Loss::StreamActiveTime,
            Loss::StreamIdempotence,
            Loss::StreamNack,
        ];
        for (server, kept) in [
            ("redis-5.0", 0),
            ("redis-7.0", 1),
            ("valkey-9.0", 2),
            ("redis-8.0", 2),
            ("redis-8.6", 3),
            ("redis-8.8", 4),
        ] {
            let mut encoder = encoder(server);
            let encoded = encoder.encode(&content).unwrap();
            let lost: Vec<_> = encoded.losses.iter().collect();
            let want: Vec<_> = all[kept..].iter().map(|loss| (*loss, 1)).collect();
            let counted: Vec<_> = lost.iter().map(|(loss, lost)| (*loss, lost.count)).collect();
            assert_eq!(counted, want, "{server}");
            let value = encoded.value();
            Content::read(value, &mut Decoder::new()).unwrap().validate().unwrap();
        }
        let error = encoder("redis-4.0").encode(&content).unwrap_err();
        assert!(error.to_string().contains("streams for redis-4.0"), "{error}");
    }
}
