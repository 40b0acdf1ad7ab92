//! Streams as JSON.
//!
//! The file has a group's pending entries first and says later, consumer by consumer, whose they
//! are. In JSON both lists name both, so the pending entries of one group are held: 64 bytes for each,
//! where the file has 41.

use super::text::Text;
use super::value::Shown;
use crate::error::{Error, Fault, Result};
use crate::rdb::{Element, StreamId, StreamInfo, ValueType};
use std::ops::Range;

/// Where in the value of a stream the writing is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between entries, or behind the last.
    Entries,
    /// In the fields of an entry.
    Fields,
    /// Between groups, or behind the last.
    Groups,
    /// In a group, its lists being collected.
    Group,
    Producers,
    /// In the remembered IDs of a producer.
    Remembered,
    Tail,
}

pub(super) struct StreamShape {
    place: Place,
    kind: ValueType,
    /// An entry, group or producer stands before the next one.
    comma: bool,
    pending: Vec<Pending>,
    sorted: bool,
    consumers: Vec<Consumer>,
    /// The JSON of the consumers' names.
    names: Text,
    owned: Vec<StreamId>,
    nacked: Vec<StreamId>,
    producers: u64,
    remembered: u64,
}

struct Pending {
    id: StreamId,
    delivered: i64,
    deliveries: u64,
    owner: Owner,
}

#[derive(Clone, Copy)]
enum Owner {
    Unknown,
    Nobody,
    Consumer(usize),
}

struct Consumer {
    name: Range<usize>,
    seen: i64,
    active: i64,
    /// What is its own of `owned`.
    owned: Range<usize>,
}

impl StreamShape {
    pub(super) fn new() -> StreamShape {
        StreamShape {
            place: Place::Entries,
            kind: ValueType::StreamListpacks,
            comma: false,
            pending: Vec::new(),
            sorted: true,
            consumers: Vec::new(),
            names: Text::new(),
            owned: Vec::new(),
            nacked: Vec::new(),
            producers: 0,
            remembered: 0,
        }
    }

    pub(super) fn begin(&mut self, kind: ValueType) {
        (self.place, self.kind, self.comma) = (Place::Entries, kind, false);
        (self.producers, self.remembered) = (0, 0);
        self.clear_group();
    }

    fn clear_group(&mut self) {
        self.pending.clear();
        self.sorted = true;
        self.consumers.clear();
        self.names.truncate(0);
        self.owned.clear();
        self.nacked.clear();
    }

    fn has_counters(&self) -> bool {
        self.kind != ValueType::StreamListpacks
    }

    fn has_active_times(&self) -> bool {
        self.has_counters() && self.kind != ValueType::StreamListpacks2
    }

    fn find(&mut self, id: StreamId) -> Option<&mut Pending> {
        if !self.sorted {
            self.pending.sort_by_key(|pending| pending.id);
            self.sorted = true;
        }
        let at = self.pending.binary_search_by_key(&id, |pending| pending.id).ok()?;
        self.pending.get_mut(at)
    }
}

impl Shown<'_> {
    pub(super) fn stream_element(&mut self, element: Element<'_>) -> Result<()> {
        let stream = &mut self.shape.stream;
        match element {
            Element::StreamEntry { deleted: true, .. } | Element::StreamNode { .. } => {}
            Element::StreamEntry { id, .. } => {
                self.leave(Place::Fields)?;
                self.row();
                self.lines.text.push(b'[');
                self.lines.text.id(id);
                self.lines.text.put(b",[");
                self.shape.comma = false;
            }
            Element::StreamInfo(info) => {
                self.leave(Place::Groups)?;
                self.info(&info);
            }
            Element::Group { name, last_delivered, entries_read, .. } => {
                self.leave(Place::Group)?;
                self.row();
                self.lines.text.put(b"{\"name\":");
                self.scalar(name)?;
                let text = &mut self.lines.text;
                text.put(b",\"last_delivered_id\":");
                text.id(last_delivered);
                if self.shape.stream.has_counters() {
                    text.put(b",\"entries_read\":");
                    match entries_read {
                        Some(n) => text.unsigned(n),
                        None => text.put(b"null"),
                    }
                }
            }
            Element::Pending { id, delivered, deliveries } => {
                stream.sorted &= stream.pending.last().is_none_or(|last| last.id <= id);
                let (delivered, owner) = (delivered.get(), Owner::Unknown);
                stream.pending.push(Pending { id, delivered, deliveries, owner });
            }
            Element::Consumer { name, seen, active, .. } => {
                let start = stream.names.len();
                stream.names.scalar(name);
                let owned = stream.owned.len();
                stream.consumers.push(Consumer {
                    name: start..stream.names.len(),
                    seen: seen.get(),
                    active: active.map_or(-1, |at| at.get()),
                    owned: owned..owned,
                });
            }
            Element::Owned(id) => {
                stream.owned.push(id);
                let end = stream.owned.len();
                let last = stream.consumers.len().saturating_sub(1);
                if let Some(consumer) = stream.consumers.last_mut() {
                    consumer.owned.end = end;
                }
                if let Some(pending) = stream.find(id) {
                    pending.owner = Owner::Consumer(last);
                }
            }
            Element::Nacked(id) => {
                stream.nacked.push(id);
                if let Some(pending) = stream.find(id) {
                    pending.owner = Owner::Nobody;
                }
            }
            Element::Idempotence { duration, max } => {
                self.leave(Place::Producers)?;
                let text = &mut self.lines.text;
                text.put(b",\"idmp_duration\":");
                text.unsigned(duration);
                text.put(b",\"idmp_maxsize\":");
                text.unsigned(max);
                text.put(b",\"producers\":[");
            }
            Element::Producer { id, .. } => {
                stream.producers += 1;
                self.leave(Place::Remembered)?;
                self.row();
                self.lines.text.put(b"{\"pid\":");
                self.scalar(id)?;
                self.lines.text.put(b",\"iids\":[");
                self.shape.comma = false;
            }
            Element::Remembered(iid, id) => {
                stream.remembered += 1;
                self.separate();
                self.lines.text.push(b'[');
                self.scalar(iid)?;
                self.lines.text.push(b',');
                self.lines.text.id(id);
                self.lines.text.push(b']');
            }
            Element::IdempotenceTail { added, duplicates } => {
                self.leave(Place::Tail)?;
                let (stream, text) = (&self.shape.stream, &mut self.lines.text);
                for (name, n) in [
                    (&b",\"pids_tracked\":"[..], stream.producers),
                    (b",\"iids_tracked\":", stream.remembered),
                    (b",\"iids_added\":", added),
                    (b",\"iids_duplicates\":", duplicates),
                ] {
                    text.put(name);
                    text.unsigned(n);
                }
            }
            _ => return Err(Error::from_fault(Fault::Internal)),
        }
        self.lines.spill(self.sink)
    }

    pub(super) fn end_stream(&mut self) -> Result<()> {
        self.leave(Place::Tail)?;
        self.lines.text.push(b'}');
        Ok(())
    }

    /// A comma before an entry, group or producer, where one is due.
    fn row(&mut self) {
        if self.shape.stream.comma {
            self.lines.text.push(b',');
        }
        self.shape.stream.comma = true;
    }

    /// Closes what is open and does not hold the place that comes next.
    fn leave(&mut self, next: Place) -> Result<()> {
        let from = std::mem::replace(&mut self.shape.stream.place, next);
        let section = match from {
            Place::Fields => {
                self.lines.text.put(b"]]");
                Place::Entries
            }
            Place::Group => {
                self.group_lists()?;
                Place::Groups
            }
            Place::Remembered => {
                self.lines.text.put(b"]}");
                Place::Producers
            }
            section => section,
        };
        let stays = matches!(
            (section, next),
            (Place::Entries, Place::Fields)
                | (Place::Groups, Place::Group)
                | (Place::Producers, Place::Remembered)
                | (Place::Tail, _)
        );
        if !stays {
            self.lines.text.push(b']');
            self.shape.stream.comma = false;
        }
        Ok(())
    }

    fn info(&mut self, info: &StreamInfo) {
        let text = &mut self.lines.text;
        text.put(b",\"length\":");
        text.unsigned(info.length);
        text.put(b",\"last_id\":");
        text.id(info.last_id);
        if let Some(counters) = info.counters {
            text.put(b",\"max_deleted_id\":");
            text.id(counters.max_deleted_id);
            text.put(b",\"first_id\":");
            text.id(counters.first_id);
            text.put(b",\"entries_added\":");
            text.unsigned(counters.entries_added);
        }
        text.put(b",\"groups\":[");
    }

    /// The lists of the group whose last element has come.
    fn group_lists(&mut self) -> Result<()> {
        let active_times = self.shape.stream.has_active_times();
        let nacks = self.shape.stream.kind == ValueType::StreamListpacks5;
        let Shown { shape, lines, sink } = self;
        let stream = &mut shape.stream;
        if nacks {
            lines.text.put(b",\"nacked_count\":");
            lines.text.unsigned(stream.nacked.len() as u64);
            lines.text.put(b",\"nacked\":[");
            for (at, id) in stream.nacked.iter().enumerate() {
                comma_before(at, &mut lines.text);
                lines.text.id(*id);
                lines.spill(*sink)?;
            }
            lines.text.push(b']');
        }
        lines.text.put(b",\"pel\":[");
        for (at, pending) in stream.pending.iter().enumerate() {
            comma_before(at, &mut lines.text);
            lines.text.push(b'[');
            lines.text.id(pending.id);
            lines.text.push(b',');
            lines.text.put(match pending.owner {
                Owner::Unknown => b"null",
                Owner::Nobody => b"\"\"",
                Owner::Consumer(at) => {
                    let name = stream.consumers.get(at).map(|consumer| consumer.name.clone());
                    stream.names.bytes().get(name.unwrap_or_default()).unwrap_or_default()
                }
            });
            delivery(Some(pending), &mut lines.text);
            lines.spill(*sink)?;
        }
        lines.text.put(b"],\"consumers\":[");
        let consumers = std::mem::take(&mut stream.consumers);
        for (at, consumer) in consumers.iter().enumerate() {
            comma_before(at, &mut lines.text);
            lines.text.put(b"{\"name\":");
            lines.text.put(stream.names.bytes().get(consumer.name.clone()).unwrap_or_default());
            lines.text.put(b",\"seen_time\":");
            lines.text.signed(consumer.seen);
            if active_times {
                lines.text.put(b",\"active_time\":");
                lines.text.signed(consumer.active);
            }
            lines.text.put(b",\"pel\":[");
            for own in consumer.owned.clone() {
                comma_before(own - consumer.owned.start, &mut lines.text);
                let id = stream.owned.get(own).copied().unwrap_or_default();
                lines.text.push(b'[');
                lines.text.id(id);
                delivery(stream.find(id).map(|pending| &*pending), &mut lines.text);
                lines.spill(*sink)?;
            }
            lines.text.put(b"]}");
        }
        lines.text.put(b"]}");
        stream.clear_group();
        Ok(())
    }
}

fn comma_before(at: usize, text: &mut Text) {
    if at > 0 {
        text.push(b',');
    }
}

/// Time and count of a delivery, and the end of the row; null where the group has no such entry.
fn delivery(pending: Option<&Pending>, text: &mut Text) {
    match pending {
        Some(pending) => {
            text.push(b',');
            text.signed(pending.delivered);
            text.push(b',');
            text.unsigned(pending.deliveries);
            text.push(b']');
        }
        None => text.put(b",null,null]"),
    }
}
