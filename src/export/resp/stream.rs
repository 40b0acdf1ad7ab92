//! Streams as the commands that build them.
//!
//! The entries come first, so that everything behind them can point to them. The file has a group's
//! pending entries before it says whose they are, so those of one group are held, and the IDs of the
//! live entries are too: who claims an entry that is gone gets nothing.

use super::ids::Ids;
use super::plain::Shown;
use crate::aof::frame;
use crate::error::{Error, Fault, Result};
use crate::rdb::encoding::Scalar;
use crate::rdb::{Element, Loss, StreamCounters, StreamId, StreamInfo};
use crate::wire::number::Digits;
use std::cmp::Ordering;

/// Settings of idempotent adding that a stream has from the start.
const IDEMPOTENCE: (u64, u64) = (100, 100);

#[derive(Default)]
pub(super) struct StreamState {
    ids: Ids,
    /// The entry whose fields come, and how many are still to come.
    entry: Option<(StreamId, u64, u64)>,
    info: Option<StreamInfo>,
    /// The group as an argument, and its pending entries.
    group: Vec<u8>,
    pending: Vec<Pending>,
    sorted: bool,
    /// The consumer as an argument; `None` outside of consumers.
    consumer: Option<Vec<u8>>,
    /// Whether a command named the consumer.
    named: bool,
    producer: Vec<u8>,
    remembered: u64,
}

struct Pending {
    id: StreamId,
    delivered: i64,
    deliveries: u64,
    owned: bool,
}

impl StreamState {
    pub(super) fn begin(&mut self) {
        self.ids.clear();
        (self.entry, self.info, self.consumer) = (None, None, None);
        self.pending.clear();
        self.remembered = 0;
    }

    /// The pending entry of this ID, from now on owned.
    fn own(&mut self, id: StreamId) -> Option<&Pending> {
        if !self.sorted {
            self.pending.sort_by_key(|pending| pending.id);
            self.sorted = true;
        }
        let at = self.pending.binary_search_by_key(&id, |pending| pending.id).ok()?;
        let pending = self.pending.get_mut(at)?;
        pending.owned = true;
        Some(pending)
    }
}

impl Shown<'_> {
    pub(super) fn stream_element(&mut self, element: Element<'_>) -> Result<()> {
        match element {
            Element::StreamEntry { id, deleted: false, fields } => self.entry(id, fields),
            Element::StreamEntry { .. } | Element::StreamNode { .. } => Ok(()),
            Element::StreamInfo(info) => self.info(&info),
            Element::Group { name, last_delivered, entries_read, .. } => {
                self.end_group()?;
                self.group(name, last_delivered, entries_read)
            }
            Element::Pending { id, delivered, deliveries } => {
                let stream = &mut self.plain.stream;
                stream.sorted &= stream.pending.last().is_none_or(|last| last.id <= id);
                let (delivered, owned) = (delivered.get(), false);
                stream.pending.push(Pending { id, delivered, deliveries, owned });
                let held = stream.pending.len() * size_of::<Pending>();
                self.plain.check_held(held as u64)
            }
            Element::Consumer { name, .. } => {
                self.end_consumer()?;
                self.account.forget(Loss::StreamActiveTime, 1);
                let stream = &mut self.plain.stream;
                let mut consumer = Vec::new();
                frame::bulk(name.bytes(&mut Digits::new()), &mut consumer);
                (stream.consumer, stream.named) = (Some(consumer), false);
                Ok(())
            }
            Element::Owned(id) => self.owned(id),
            Element::Nacked(id) => {
                self.end_consumer()?;
                self.nacked(id)
            }
            Element::Idempotence { duration, max } => {
                self.end_group()?;
                self.idempotence(duration, max)
            }
            Element::Producer { id, .. } => {
                let producer = &mut self.plain.stream.producer;
                producer.clear();
                frame::bulk(id.bytes(&mut Digits::new()), producer);
                Ok(())
            }
            Element::Remembered(iid, id) => self.remembered(iid, id),
            Element::IdempotenceTail { added, duplicates } => {
                let kept = added == self.plain.stream.remembered && duplicates == 0;
                self.account.forget(Loss::StreamCounters, u64::from(!kept));
                Ok(())
            }
            _ => Err(Error::from_fault(Fault::Internal)),
        }
    }

    /// After the last element.
    pub(super) fn end_stream(&mut self) -> Result<()> {
        self.end_group()
    }

    fn entry(&mut self, id: StreamId, fields: u64) -> Result<()> {
        let stream = &mut self.plain.stream;
        if fields == 0 || !stream.ids.push(id) {
            let detail = "an entry without fields, or one whose ID is not above the last";
            return Err(Error::from_fault(Fault::StreamNode).with_detail(detail));
        }
        stream.entry = Some((id, fields, fields));
        self.plain.items.clear();
        self.plain.check_held(self.plain.stream.ids.size())
    }

    /// A field of the entry; the last one sends it.
    pub(super) fn entry_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        let Some((id, fields, left)) = self.plain.stream.entry else {
            return Err(Error::from_fault(Fault::Internal));
        };
        self.argument(field.bytes(&mut Digits::new()))?;
        self.argument(value.bytes(&mut Digits::new()))?;
        let plain = &mut *self.plain;
        plain.stream.entry = Some((id, fields, left - 1));
        if left > 1 {
            return Ok(());
        }
        plain.stream.entry = None;
        plain.exists = true;
        let arguments = usize::try_from(fields).unwrap_or(usize::MAX).saturating_mul(2);
        self.out.begin(arguments.saturating_add(3), "XADD");
        self.out.framed(&plain.key);
        self.out.id(id);
        self.out.end_with(&[&plain.items], self.to)
    }

    fn info(&mut self, info: &StreamInfo) -> Result<()> {
        self.plain.stream.info = Some(*info);
        if self.plain.stream.ids.len() == 0 {
            // What servers do: an entry that is gone at once. Its ID has to be above 0-0.
            self.out.begin(7, "XADD");
            self.out.framed(&self.plain.key);
            for word in [&b"MAXLEN"[..], b"0", b"0-1", b"x", b"y"] {
                self.out.word(word);
            }
            self.plain.exists = true;
            self.end_command()?;
        }
        let derived = self.derived();
        let counters = info.counters.unwrap_or(derived);
        let has_counters = self.plain.target.has_stream_counters();
        if !has_counters {
            // A newer server works these out by itself, should it ever load the stream again.
            let lost = counters.entries_added != derived.entries_added
                || counters.max_deleted_id != derived.max_deleted_id;
            self.account.lose(Loss::StreamCounters, u64::from(lost), self.out);
        }
        self.out.begin(if has_counters { 7 } else { 3 }, "XSETID");
        self.out.framed(&self.plain.key);
        self.out.id(info.last_id);
        if has_counters {
            self.out.word(b"ENTRIESADDED");
            self.out.unsigned(counters.entries_added);
            self.out.word(b"MAXDELETEDID");
            self.out.id(counters.max_deleted_id);
        }
        self.end_command()
    }

    /// The counters that a server since 7.0 gives to a stream that has none.
    fn derived(&self) -> StreamCounters {
        StreamCounters {
            first_id: self.plain.stream.ids.first().unwrap_or_default(),
            max_deleted_id: StreamId::default(),
            entries_added: self.plain.stream.info.map_or(0, |info| info.length),
        }
    }

    /// How many entries up to this one were ever added, as a server since 7.0 works it out for a
    /// stream without counters; `None` where it cannot.
    fn worked_out(&self, up_to: StreamId) -> Option<u64> {
        let StreamInfo { length, last_id, .. } = self.plain.stream.info?;
        let first = self.plain.stream.ids.first().unwrap_or_default();
        match (up_to.cmp(&last_id), up_to.cmp(&first)) {
            _ if length == 0 => Some(0),
            (Ordering::Equal, _) => Some(length),
            (Ordering::Greater, _) | (_, Ordering::Greater) => None,
            (_, Ordering::Less) => Some(0),
            (_, Ordering::Equal) => Some(1),
        }
    }

    fn group(
        &mut self,
        name: Scalar<'_>,
        last_delivered: StreamId,
        entries_read: Option<u64>,
    ) -> Result<()> {
        let worked_out = self.worked_out(last_delivered);
        let has_counters = self.plain.target.has_stream_counters();
        let stated = self.plain.stream.info.is_some_and(|info| info.counters.is_some());
        let entries_read = if stated { entries_read } else { worked_out };
        if !has_counters && entries_read.is_some() && entries_read != worked_out {
            self.account.lose(Loss::StreamCounters, 1, self.out);
        }
        let stream = &mut self.plain.stream;
        stream.group.clear();
        frame::bulk(name.bytes(&mut Digits::new()), &mut stream.group);
        stream.sorted = true;
        self.out.begin(if has_counters { 7 } else { 5 }, "XGROUP");
        self.out.word(b"CREATE");
        self.out.framed(&self.plain.key);
        self.out.framed(&stream.group);
        self.out.id(last_delivered);
        if has_counters {
            self.out.word(b"ENTRIESREAD");
            match entries_read {
                Some(n) => self.out.unsigned(n),
                None => self.out.number(-1),
            }
        }
        self.end_command()
    }

    /// A pending entry of the consumer.
    fn owned(&mut self, id: StreamId) -> Result<()> {
        let Shown { plain, account, out, to } = self;
        let lives = plain.stream.ids.contains(id);
        let Some(&Pending { delivered, deliveries, .. }) = plain.stream.own(id) else {
            // In the consumer's list and not in the group's: no server has such.
            let detail = "a consumer owns an entry that is not pending";
            return Err(Error::from_fault(Fault::StreamNode).with_detail(detail));
        };
        if !lives {
            account.lose(Loss::StreamPending, 1, out);
            return Ok(());
        }
        plain.stream.named = true;
        out.begin(12, "XCLAIM");
        out.framed(&plain.key);
        out.framed(&plain.stream.group);
        out.framed(plain.stream.consumer.as_deref().unwrap_or_default());
        out.word(b"0");
        out.id(id);
        out.word(b"TIME");
        out.number(delivered);
        out.word(b"RETRYCOUNT");
        out.unsigned(deliveries);
        out.word(b"JUSTID");
        out.word(b"FORCE");
        out.end(*to)
    }

    /// A pending entry that was given back.
    fn nacked(&mut self, id: StreamId) -> Result<()> {
        let Shown { plain, account, out, to } = self;
        let lives = plain.stream.ids.contains(id);
        let deliveries = plain.stream.own(id).map_or(0, |pending| pending.deliveries);
        if !lives || !plain.target.has_nacks() {
            let loss = if lives { Loss::StreamNack } else { Loss::StreamPending };
            account.lose(loss, 1, out);
            return Ok(());
        }
        out.begin(10, "XNACK");
        out.framed(&plain.key);
        out.framed(&plain.stream.group);
        for word in [&b"FAIL"[..], b"IDS", b"1"] {
            out.word(word);
        }
        out.id(id);
        out.word(b"RETRYCOUNT");
        out.unsigned(deliveries);
        out.word(b"FORCE");
        out.end(*to)
    }

    /// A consumer that no command named is created for itself.
    fn end_consumer(&mut self) -> Result<()> {
        let Some(consumer) = self.plain.stream.consumer.take() else { return Ok(()) };
        if self.plain.stream.named {
            return Ok(());
        }
        if !self.plain.target.creates_consumers() {
            self.account.lose(Loss::StreamConsumer, 1, self.out);
            return Ok(());
        }
        self.out.begin(5, "XGROUP");
        self.out.word(b"CREATECONSUMER");
        self.out.framed(&self.plain.key);
        self.out.framed(&self.plain.stream.group);
        self.out.framed(&consumer);
        self.end_command()
    }

    fn end_group(&mut self) -> Result<()> {
        self.end_consumer()?;
        let stream = &mut self.plain.stream;
        let orphans = stream.pending.iter().filter(|pending| !pending.owned).count();
        self.account.lose(Loss::StreamPending, orphans as u64, self.out);
        stream.pending.clear();
        Ok(())
    }

    fn idempotence(&mut self, duration: u64, max: u64) -> Result<()> {
        if !self.plain.target.has_idempotence() {
            let set = (duration, max) != IDEMPOTENCE;
            self.account.lose(Loss::StreamIdempotence, u64::from(set), self.out);
            return Ok(());
        }
        self.out.begin(6, "XCFGSET");
        self.out.framed(&self.plain.key);
        self.out.word(b"IDMP-DURATION");
        self.out.unsigned(duration);
        self.out.word(b"IDMP-MAXSIZE");
        self.out.unsigned(max);
        self.end_command()
    }

    /// An ID that a producer used: a server remembers it only for an entry that it has.
    fn remembered(&mut self, iid: Scalar<'_>, id: StreamId) -> Result<()> {
        self.plain.stream.remembered += 1;
        if !self.plain.target.has_idempotence() || !self.plain.stream.ids.contains(id) {
            self.account.lose(Loss::StreamIdempotence, 1, self.out);
            return Ok(());
        }
        self.out.begin(5, "XIDMPRECORD");
        self.out.framed(&self.plain.key);
        self.out.framed(&self.plain.stream.producer);
        self.out.word(iid.bytes(&mut Digits::new()));
        self.out.id(id);
        self.end_command()
    }
}
