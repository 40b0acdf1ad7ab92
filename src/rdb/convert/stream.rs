//! A stream into an older layout: its nodes stay, what stands behind them is written anew.

use crate::error::Result;
use crate::rdb::build::write_as_read;
use crate::rdb::decode::{id_of, stream_id};
use crate::rdb::element::StreamId;
use crate::rdb::item::Item;
use crate::rdb::len::write_length;
use crate::rdb::loss::{Loss, Losses};
use crate::rdb::value::Items;
use crate::rdb::value_type::ValueType;
use crate::rdb::walk::{Part, stream_layout};
use crate::wire::cursor::Cursor;
use std::collections::HashSet;

/// What new streams remember of producers: seconds, and IDs for each.
const IDEMPOTENCE: (u64, u64) = (100, 100);

/// A row of equal items in what was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) part: Part,
    pub(super) count: u64,
    pub(super) end: usize,
}

/// Writes what follows the nodes for an older server, and notes which rows it consists of.
pub(super) struct Tail<'o> {
    to: u8,
    out: &'o mut Vec<u8>,
    rows: Vec<Row>,
    /// Of each group the entries that a consumer gave back, and how many of them are pending.
    nacked: Vec<(HashSet<StreamId>, u64)>,
    group: usize,
    /// Groups, consumers and counters that say more than an older server would assume.
    counters: bool,
    inactive: u64,
    given_back: u64,
    remembered: u64,
    idempotence: bool,
    /// The ID added last, and how many were added, where no entry was ever deleted.
    last_id: StreamId,
    added: Option<u64>,
}

/// Appends all that follows the nodes; `items` begin with the stream's IDs and counters.
pub(super) fn write_tail(
    items: &Items<'_>,
    from: ValueType,
    to: ValueType,
    out: &mut Vec<u8>,
    losses: &mut Losses,
) -> Result<Vec<Row>> {
    let mut tail = Tail {
        to: stream_layout(to),
        out,
        rows: Vec::new(),
        nacked: Vec::new(),
        group: 0,
        counters: false,
        inactive: 0,
        given_back: 0,
        remembered: 0,
        idempotence: false,
        last_id: StreamId::default(),
        added: None,
    };
    // Older layouts have none.
    if stream_layout(from) == 5 {
        tail.find_nacked(items)?;
    }
    for located in items.clone() {
        tail.item(located?.item);
    }
    losses.add(Loss::StreamCounters, u64::from(tail.counters), 1);
    losses.add(Loss::StreamActiveTime, tail.inactive, 1);
    losses.add(Loss::StreamNack, tail.given_back, 1);
    losses.add(Loss::StreamIdempotence, tail.remembered.max(u64::from(tail.idempotence)), 1);
    Ok(tail.rows)
}

impl Tail<'_> {
    /// They are told at the end of their group, and must not be pending at its beginning.
    fn find_nacked(&mut self, items: &Items<'_>) -> Result<()> {
        for located in items.clone() {
            match (located?.item, self.nacked.last_mut()) {
                (Item::Group { .. }, _) => self.nacked.push((HashSet::new(), 0)),
                (Item::Nacked(id), Some((group, _))) => {
                    group.insert(id_of(id));
                }
                _ => {}
            }
        }
        let mut groups = self.nacked.iter_mut();
        let mut group = None;
        for located in items.clone() {
            match located?.item {
                Item::Group { .. } => group = groups.next(),
                Item::Pending { raw, .. } => {
                    if let Some((nacked, pending)) = &mut group {
                        *pending += u64::from(nacked.contains(&pending_id(raw)));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::StreamInfo { raw, groups } => self.info(raw, groups),
            Item::Group { name, raw, pending } => {
                self.group += 1;
                write_as_read(name, self.out);
                let mut c = Cursor::new(raw);
                let delivered = stream_id(&mut c);
                let read = c.length().ok().filter(|read| *read != u64::MAX);
                self.write(&[delivered.ms, delivered.seq]);
                if self.to > 1 {
                    self.write(&[read.unwrap_or(u64::MAX)]);
                } else {
                    // An older server assumes what can be told from the IDs.
                    self.counters |= read.is_some_and(|read| match delivered {
                        id if id == self.last_id => self.added != Some(read),
                        id => id != StreamId::default() || read != 0,
                    });
                }
                let nacked = self.group_nacked().map_or(0, |(_, pending)| *pending);
                self.write(&[pending.saturating_sub(nacked)]);
                self.row(Part::Group);
            }
            Item::Pending { raw, deliveries } => {
                if self.group_nacked().is_some_and(|(all, _)| all.contains(&pending_id(raw))) {
                    self.given_back += 1;
                    return;
                }
                self.out.extend_from_slice(raw);
                self.write(&[deliveries]);
                self.row(Part::Pending);
            }
            Item::Consumers(count) => {
                self.write(&[count]);
                self.row(Part::Consumers);
            }
            Item::Consumer { name, raw, pending } => {
                write_as_read(name, self.out);
                let (seen, active) = raw.split_at_checked(8).unwrap_or((raw, &[]));
                self.out.extend_from_slice(seen);
                if self.to > 2 {
                    self.out.extend_from_slice(active);
                } else {
                    self.inactive += u64::from(!active.is_empty() && active != seen);
                }
                self.write(&[pending]);
                self.row(Part::Consumer);
            }
            Item::Owned(id) => {
                self.out.extend_from_slice(id);
                self.row(Part::Owned);
            }
            Item::Idempotence { duration, max, producers } => {
                if self.to > 3 {
                    self.write(&[duration, max, producers]);
                    self.row(Part::Idempotence);
                } else {
                    self.idempotence |= (duration, max) != IDEMPOTENCE || producers > 0;
                }
            }
            Item::Producer { id, entries } if self.to > 3 => {
                write_as_read(id, self.out);
                self.write(&[entries]);
                self.row(Part::Producer);
            }
            Item::Remembered { id, ms, seq } => {
                if self.to > 3 {
                    write_as_read(id, self.out);
                    self.write(&[ms, seq]);
                    self.row(Part::Remembered);
                } else {
                    self.remembered += 1;
                }
            }
            Item::IdempotenceTail { added, duplicates } => {
                if self.to > 3 {
                    self.write(&[added, duplicates]);
                    self.row(Part::IdempotenceTail);
                } else {
                    self.idempotence |= added > 0 || duplicates > 0;
                }
            }
            // Negative acknowledgements, of which no older layout knows, and producers that are
            // counted with what they remember.
            _ => {}
        }
    }

    fn info(&mut self, raw: &[u8], groups: u64) {
        let mut c = Cursor::new(raw);
        let length = c.length().unwrap_or_default();
        self.last_id = stream_id(&mut c);
        self.write(&[length, self.last_id.ms, self.last_id.seq]);
        if self.to > 1 {
            self.out.extend_from_slice(c.rest());
        } else {
            stream_id(&mut c);
            let deleted = stream_id(&mut c);
            let added = c.length().unwrap_or_default();
            if deleted == StreamId::default() && added == length {
                self.added = Some(added);
            } else {
                self.counters = true;
            }
        }
        self.write(&[groups]);
        self.row(Part::StreamInfo);
    }

    fn group_nacked(&self) -> Option<&(HashSet<StreamId>, u64)> {
        self.nacked.get(self.group.checked_sub(1)?)
    }

    fn write(&mut self, lengths: &[u64]) {
        for length in lengths {
            write_length(*length, self.out);
        }
    }

    /// An item of this part was written.
    fn row(&mut self, part: Part) {
        let end = self.out.len();
        let many = matches!(part, Part::Pending | Part::Owned | Part::Remembered);
        match self.rows.last_mut() {
            Some(row) if row.part == part && many => (row.count, row.end) = (row.count + 1, end),
            _ => self.rows.push(Row { part, count: 1, end }),
        }
    }
}

/// A pending entry is its ID and when it was delivered.
fn pending_id(raw: &[u8]) -> StreamId {
    raw.first_chunk().map_or(StreamId::default(), |id| StreamId::from_bytes(*id))
}
