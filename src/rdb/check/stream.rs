//! A stream's bookkeeping: lengths, order, and who owns what is pending.
//!
//! Two things that look wrong are not: a stream without entries, and a pending entry whose message
//! was deleted.

use crate::rdb::check::distinct::Distinct;
use crate::rdb::check::value::Flaw;
use crate::rdb::element::{Element, StreamId, StreamInfo};
use crate::rdb::encoding::Scalar;
use crate::wire::number::Digits;

/// State of one stream's check.
#[derive(Debug, Default)]
pub(crate) struct StreamCheck {
    /// Most pending entries of a group to remember.
    most: usize,
    live: u64,
    node: Option<Node>,
    last_master: Option<StreamId>,
    last_id: Option<StreamId>,
    info: Option<StreamInfo>,
    group: Group,
}

#[derive(Debug)]
struct Node {
    live: u64,
    deleted: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// Its place among the stream's groups, to keep names of different groups apart.
    number: u64,
    /// IDs pending, in order, and whether each has an owner.
    pending: Vec<(StreamId, bool)>,
    complete: bool,
    open: bool,
}

impl StreamCheck {
    pub(crate) fn new(budget: u64) -> StreamCheck {
        let most = usize::try_from(budget / 24).unwrap_or(usize::MAX).max(1024);
        StreamCheck { most, ..StreamCheck::default() }
    }

    pub(crate) fn begin(&mut self) {
        let (most, mut pending) = (self.most, std::mem::take(&mut self.group.pending));
        pending.clear();
        *self = StreamCheck::new(0);
        (self.most, self.group.pending) = (most, pending);
    }

    pub(crate) fn element(&mut self, element: Element<'_>, names: &mut Distinct) -> Option<Flaw> {
        match element {
            Element::StreamNode { master, live, deleted } => {
                let flaw = self.close_node();
                let descends = self.last_master.is_some_and(|last| last >= master);
                self.last_master = Some(master);
                self.node = Some(Node { live, deleted });
                flaw.or(descends.then_some(Flaw::StreamNodeTwice))
            }
            Element::StreamEntry { id, deleted, .. } => self.entry(id, deleted),
            Element::StreamField(..) => None,
            Element::StreamInfo(info) => {
                let flaw = self.close_node();
                self.info = Some(info);
                flaw.or_else(|| self.totals(&info))
            }
            Element::Group { name, entries_read, .. } => {
                let flaw = self.close_group();
                let number = self.group.number + 1;
                let mut pending = std::mem::take(&mut self.group.pending);
                pending.clear();
                self.group = Group { number, pending, complete: true, open: true };
                let twice = !insert_name(names, 0, name);
                let added = self.info.and_then(|info| info.counters).map(|c| c.entries_added);
                let read = entries_read.zip(added).is_some_and(|(read, added)| read > added);
                flaw.or(twice.then_some(Flaw::GroupTwice)).or(read.then_some(Flaw::GroupRead))
            }
            Element::Pending { id, .. } => {
                let group = &mut self.group;
                let twice = group.pending.last().is_some_and(|(last, _)| *last >= id);
                if group.pending.len() >= self.most {
                    group.complete = false;
                    return Some(Flaw::TooMany);
                }
                group.pending.push((id, false));
                twice.then_some(Flaw::PendingTwice)
            }
            Element::Consumer { name, .. } => {
                (!insert_name(names, self.group.number, name)).then_some(Flaw::ConsumerTwice)
            }
            Element::Owned(id) | Element::Nacked(id) => self.owned(id),
            Element::Idempotence { duration, max } => {
                let fits = (1..=86_400).contains(&duration) && (1..=10_000).contains(&max);
                self.close_group().or((!fits).then_some(Flaw::IdempotenceRange))
            }
            _ => None,
        }
    }

    fn entry(&mut self, id: StreamId, deleted: bool) -> Option<Flaw> {
        let Some(node) = &mut self.node else { return Some(Flaw::StreamDeleted) };
        let count = if deleted { &mut node.deleted } else { &mut node.live };
        let counted = count.checked_sub(1).map(|left| *count = left).is_some();
        self.live += u64::from(!deleted);
        let descends = self.last_id.is_some_and(|last| last >= id);
        self.last_id = Some(id);
        match (counted, descends) {
            (false, _) => Some(Flaw::StreamDeleted),
            (_, true) => Some(Flaw::StreamOrder),
            _ => None,
        }
    }

    fn close_node(&mut self) -> Option<Flaw> {
        let node = self.node.take()?;
        (node.live > 0 || node.deleted > 0).then_some(Flaw::StreamDeleted)
    }

    fn totals(&self, info: &StreamInfo) -> Option<Flaw> {
        if info.length != self.live {
            return Some(Flaw::StreamLength);
        }
        if self.last_id.is_some_and(|last| last > info.last_id) {
            return Some(Flaw::StreamLastId);
        }
        let added = info.counters.map(|counters| counters.entries_added);
        added.filter(|added| *added < info.length).map(|_| Flaw::StreamAdded)
    }

    fn owned(&mut self, id: StreamId) -> Option<Flaw> {
        let group = &mut self.group;
        let found = group.pending.binary_search_by_key(&id, |(id, _)| *id);
        match found.ok().and_then(|at| group.pending.get_mut(at)) {
            Some((_, owner)) if *owner => Some(Flaw::PendingOwnerless),
            Some((_, owner)) => {
                *owner = true;
                None
            }
            None if group.complete => Some(Flaw::PendingForeign),
            None => None,
        }
    }

    fn close_group(&mut self) -> Option<Flaw> {
        let open = std::mem::take(&mut self.group.open);
        let ownerless = self.group.pending.iter().any(|(_, owned)| !owned);
        (open && self.group.complete && ownerless).then_some(Flaw::PendingOwnerless)
    }

    pub(crate) fn end(&mut self) -> Vec<Flaw> {
        [self.close_node(), self.close_group()].into_iter().flatten().collect()
    }
}

/// Group names share a space, and each group's consumers have one of their own.
fn insert_name(names: &mut Distinct, space: u64, name: Scalar<'_>) -> bool {
    let mut digits = Digits::new();
    let mut tagged = space.to_le_bytes().to_vec();
    tagged.extend_from_slice(name.bytes(&mut digits));
    names.insert_bytes(&tagged)
}
