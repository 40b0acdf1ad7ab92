//! All nodes together: shards, and the slots that they have.

use crate::error::{Error, Fault, Result};
use crate::live::cluster::node::{ClusterNode, Line, MovingSlot, SlotRange};
use crate::live::facts::Role;
use crate::live::reply::{ask, demand, list, number, text};
use crate::select::SLOTS;
use redis::{ConnectionLike, Value};
use std::collections::BTreeMap;
use std::fmt;

/// A master that has slots, and its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Shard {
    /// What it serves, ascending.
    pub slots: Vec<SlotRange>,
    /// Who serves it.
    pub master: ClusterNode,
    /// Who copies it.
    pub replicas: Vec<ClusterNode>,
}

/// Who has which slots.
///
/// See [the module](super) for an example.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClusterNodes {
    /// Those that have slots, by the first of these.
    pub shards: Vec<Shard>,
    /// Nodes that have none and copy nobody who has: new ones, and failed ones that were replaced.
    pub idle: Vec<ClusterNode>,
    /// Slots on their way. Only the two nodes of a move know of it, so one of [`ask`](Self::ask) has
    /// those of the node that was asked, and [`look`](Self::look) has all.
    pub moving: Vec<MovingSlot>,
    /// Whether moving slots could be asked for.
    pub moving_known: bool,
    /// Slots that no master has.
    pub unassigned: Vec<SlotRange>,
}

impl ClusterNodes {
    /// What one node knows of all.
    ///
    /// # Errors
    /// `Server` where it is no node of a cluster, or where neither `CLUSTER NODES` nor `CLUSTER SLOTS` may
    /// be asked; `Io` where the way to the server fails.
    ///
    /// ```no_run
    /// use redkeep::live::{ConnectOptions, Connection, cluster::ClusterNodes};
    /// let mut server = Connection::open(ConnectOptions::new("redis://10.0.0.1:7000"))?;
    /// let nodes = ClusterNodes::ask(&mut server)?;
    /// let shard = nodes.shard_of(redkeep::select::slot(b"user:17")).ok_or("no node has that slot")?;
    /// let way = shard.master.options(server.options());
    /// # drop(way);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ask(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<ClusterNodes> {
        Ok(ClusterNodes::ask_whom(connection)?.0)
    }

    /// With the id of the node that was asked, where it says that.
    pub(super) fn ask_whom(
        connection: &mut (impl ConnectionLike + ?Sized),
    ) -> Result<(ClusterNodes, Option<String>)> {
        let (mut nodes, own) = match ask(connection, &["CLUSTER", "NODES"])? {
            Ok(answer) => {
                let text = text(&answer).ok_or_else(|| bad("CLUSTER NODES"))?;
                ClusterNodes::parse(&text)?
            }
            Err(refusal) if refusal.is_denied() || refusal.is_unknown_command() => {
                let rows = demand(connection, &["CLUSTER", "SLOTS"])?;
                return Ok((from_slots(rows).ok_or_else(|| bad("CLUSTER SLOTS"))?, None));
            }
            Err(refusal) => return Err(refusal.into_error("CLUSTER NODES")),
        };
        // The addresses that clients are to use; without them those that the nodes use.
        if let Ok(rows) = ask(connection, &["CLUSTER", "SLOTS"])? {
            let wanted = endpoints(rows).unwrap_or_default();
            let shards = nodes.shards.iter_mut();
            for node in
                shards.flat_map(|shard| shard.replicas.iter_mut().chain([&mut shard.master]))
            {
                if let Some(Some((host, port))) = wanted.get(&node.id) {
                    (node.host, node.port) = (host.clone(), *port);
                }
            }
        }
        Ok((nodes, own))
    }

    /// Reads the answer to `CLUSTER NODES`.
    fn parse(answer: &str) -> Result<(ClusterNodes, Option<String>)> {
        let lines = answer.lines().filter(|line| !line.trim().is_empty());
        let lines: Option<Vec<Line>> = lines.map(Line::parse).collect();
        let lines = lines.filter(|lines| !lines.is_empty()).ok_or_else(|| bad("CLUSTER NODES"))?;
        let own = lines.iter().find(|line| line.myself).map(|line| line.node.id.clone());
        let mut nodes = gather(lines).ok_or_else(|| bad("CLUSTER NODES: a slot of two nodes"))?;
        nodes.moving_known = own.is_some();
        Ok((nodes, own))
    }

    /// Who has a slot; `None` where nobody has, or there is no such slot.
    #[must_use]
    pub fn shard_of(&self, slot: u16) -> Option<&Shard> {
        self.shards.iter().find(|shard| shard.slots.iter().any(|range| range.contains(slot)))
    }

    /// For each of the 16384 slots the index in [`shards`](Self::shards) of who has it.
    #[must_use]
    pub fn table(&self) -> Vec<Option<usize>> {
        let mut table = vec![None; usize::from(SLOTS)];
        for (index, shard) in self.shards.iter().enumerate() {
            for range in &shard.slots {
                let (first, last) = (usize::from(range.first), usize::from(range.last));
                table.get_mut(first..=last).unwrap_or_default().fill(Some(index));
            }
        }
        table
    }

    /// That each slot has a master.
    ///
    /// # Errors
    /// `Server` (`slots_unassigned`), naming the slots that have none.
    pub fn complete(&self) -> Result<()> {
        if self.unassigned.is_empty() {
            return Ok(());
        }
        Err(Error::from_fault(Fault::SlotsUnassigned).with_detail(shown(&self.unassigned)))
    }

    /// What went on between this look and a later one.
    #[must_use]
    pub fn changed(&self, after: &ClusterNodes) -> ClusterChanges {
        let owner = |nodes: &ClusterNodes, table: &[Option<usize>], slot: u16| {
            let index = table.get(usize::from(slot)).copied().flatten()?;
            Some(nodes.shards.get(index)?.master.id.clone())
        };
        let (old, new) = (self.table(), after.table());
        let moved = (0..SLOTS)
            .filter(|slot| owner(self, &old, *slot) != owner(after, &new, *slot))
            .collect::<Vec<u16>>();
        let mut moving: Vec<u16> =
            self.moving.iter().chain(&after.moving).map(|moving| moving.slot).collect();
        moving.sort_unstable();
        moving.dedup();
        ClusterChanges {
            moved: ranges(moved),
            moving: ranges(moving),
            known: self.moving_known && after.moving_known,
        }
    }
}

/// What went on in a cluster between two looks.
///
/// ```
/// use redkeep::live::cluster::ClusterNodes;
/// let nodes = ClusterNodes::default();
/// assert!(nodes.changed(&nodes).moved.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClusterChanges {
    /// Slots that have another master now: keys of these may be missing, or be there twice.
    pub moved: Vec<SlotRange>,
    /// Slots that were on their way at either look: likewise.
    pub moving: Vec<SlotRange>,
    /// Whether slots on their way could be asked for both times.
    pub known: bool,
}

impl ClusterChanges {
    /// Whether nothing moved, as far as can be known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.moving.is_empty()
    }
}

impl fmt::Display for ClusterChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("another master has", &self.moved), ("on their way were", &self.moving)];
        let parts = parts.iter().filter(|(_, slots)| !slots.is_empty());
        let mut words: Vec<_> =
            parts.map(|(what, slots)| format!("{what} slots {}", shown(slots))).collect();
        if words.is_empty() {
            words.push("no slot moved".to_owned());
        }
        if !self.known {
            words.push("which slots were on their way, is not known".to_owned());
        }
        f.write_str(&words.join("; "))
    }
}

/// Slots as a list of ranges, shortened.
pub(super) fn shown(slots: &[SlotRange]) -> String {
    const SHOWN: usize = 8;
    let mut words: Vec<_> = slots.iter().take(SHOWN).map(SlotRange::to_string).collect();
    if slots.len() > SHOWN {
        words.push("...".to_owned());
    }
    words.join(", ")
}

/// Ascending slots as ranges.
fn ranges(slots: Vec<u16>) -> Vec<SlotRange> {
    let mut ranges: Vec<SlotRange> = Vec::new();
    for slot in slots {
        match ranges.last_mut() {
            Some(range) if range.last.checked_add(1) == Some(slot) => range.last = slot,
            _ => ranges.push(SlotRange { first: slot, last: slot }),
        }
    }
    ranges
}

fn bad(what: &str) -> Error {
    Error::from_fault(Fault::ServerReply).with_detail(what)
}

/// Shards of single nodes; `None` where two of them have a slot.
fn gather(lines: Vec<Line>) -> Option<ClusterNodes> {
    let mut nodes = ClusterNodes::default();
    let mut others = Vec::new();
    for line in lines {
        nodes.moving.extend(line.moving);
        match line.slots.is_empty() {
            true => others.push((line.node, line.master)),
            false => {
                let mut slots = line.slots;
                slots.sort_unstable();
                nodes.shards.push(Shard { slots, master: line.node, replicas: Vec::new() });
            }
        }
    }
    for (node, master) in others {
        let shard = nodes.shards.iter_mut().find(|shard| Some(&shard.master.id) == master.as_ref());
        match shard {
            Some(shard) => shard.replicas.push(node),
            None => nodes.idle.push(node),
        }
    }
    // The order in which a node tells of the others is none.
    nodes.shards.sort_by_key(|shard| shard.slots.first().copied());
    for shard in &mut nodes.shards {
        shard.replicas.sort_by(|one, other| one.id.cmp(&other.id));
    }
    nodes.idle.sort_by(|one, other| one.id.cmp(&other.id));
    nodes.moving.sort();
    let claims: u32 = nodes.shards.iter().flat_map(|shard| &shard.slots).map(|r| r.count()).sum();
    let table = nodes.table();
    let missing = (0..).zip(&table).filter(|(_, shard)| shard.is_none()).map(|(slot, _)| slot);
    nodes.unassigned = ranges(missing.collect());
    let unassigned: u32 = nodes.unassigned.iter().map(|range| range.count()).sum();
    (claims + unassigned == u32::from(SLOTS)).then_some(nodes)
}

/// One row of `CLUSTER SLOTS`: first, last, master, replicas, each `[host, port, id, ...]`; ids came with
/// Redis 4.0.
struct Row {
    range: SlotRange,
    nodes: Vec<ClusterNode>,
}

fn rows(answer: Value) -> Option<Vec<Row>> {
    list(answer)?.into_iter().map(row).collect()
}

fn row(value: Value) -> Option<Row> {
    let mut parts = list(value)?.into_iter();
    let mut slot = || parts.next().as_ref().and_then(number).and_then(|n| u16::try_from(n).ok());
    let range = SlotRange::of(slot()?, slot()?)?;
    let nodes: Option<Vec<_>> = parts.map(endpoint).collect();
    Some(Row { range, nodes: nodes.filter(|nodes| !nodes.is_empty())? })
}

fn endpoint(value: Value) -> Option<ClusterNode> {
    let parts = list(value)?;
    // Nil or nothing: where the one was found that was asked.
    let host = parts.first().and_then(text).filter(|host| !host.is_empty());
    let port = parts.get(1).and_then(number).and_then(|port| u16::try_from(port).ok())?;
    let id = match parts.get(2).and_then(text) {
        Some(id) => id,
        None => format!("{}:{port}", host.as_deref().unwrap_or_default()),
    };
    Some(ClusterNode { id, host, port, connected: true, ..ClusterNode::default() })
}

/// Host and port by id; those without a known name (`?`) are left out.
#[allow(clippy::type_complexity)]
fn endpoints(answer: Value) -> Option<BTreeMap<String, Option<(Option<String>, u16)>>> {
    let nodes = rows(answer)?.into_iter().flat_map(|row| row.nodes);
    let known = nodes.map(|node| {
        let place = Some((node.host, node.port));
        (node.id, place.filter(|(host, _)| host.as_deref() != Some("?")))
    });
    Some(known.collect())
}

fn from_slots(answer: Value) -> Option<ClusterNodes> {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for Row { range, nodes } in rows(answer)? {
        let mut nodes = nodes.into_iter();
        let master = nodes.next()?;
        for mut node in nodes {
            node.role = Role::Replica;
            let master = Some(master.id.clone());
            lines.insert(node.id.clone(), Line { node, master, ..Line::default() });
        }
        let new = || Line { node: master.clone(), ..Line::default() };
        lines.entry(master.id.clone()).or_insert_with(new).slots.push(range);
    }
    gather(lines.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "\
        c 10.0.0.3:7000@17000 master - 0 1 3 connected 10923-16383\n\
        a 10.0.0.1:7000@17000 myself,master - 0 1 1 connected 0-5460 [100->-b]\n\
        d 10.0.0.4:7000@17000 slave a 0 1 1 connected\n\
        e 10.0.0.5:7000@17000 master,fail - 0 1 1 disconnected\n\
        b 10.0.0.2:7000@17000 master - 0 1 2 connected 5461-10922\n";

    fn nodes(text: &str) -> ClusterNodes {
        ClusterNodes::parse(text).unwrap().0
    }

    #[test]
    fn shards_are_in_the_order_of_their_slots() {
        let (nodes, own) = ClusterNodes::parse(THREE).unwrap();
        assert_eq!(own.as_deref(), Some("a"));
        let ids: Vec<_> = nodes.shards.iter().map(|shard| shard.master.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(nodes.shards[0].replicas[0].id, "d");
        assert_eq!(nodes.idle[0].id, "e");
        assert_eq!((nodes.moving[0].slot, nodes.moving[0].to.as_str()), (100, "b"));
        nodes.complete().unwrap();
        for (slot, id) in [(0, "a"), (5460, "a"), (5461, "b"), (16383, "c")] {
            assert_eq!(nodes.shard_of(slot).unwrap().master.id, id);
            assert_eq!(nodes.table()[usize::from(slot)], ids.iter().position(|one| *one == id));
        }
        assert_eq!(nodes.shard_of(16384), None);
    }

    #[test]
    fn slots_that_nobody_has_are_named() {
        let gaps = nodes(&THREE.replace("5461-10922", "5461-10900 10902"));
        let error = gaps.complete().unwrap_err();
        assert_eq!(error.fault(), Some(Fault::SlotsUnassigned));
        assert!(error.to_string().contains("10901, 10903-10922"), "{error}");
    }

    #[test]
    fn a_slot_of_two_nodes_is_no_answer() {
        let error = ClusterNodes::parse(&THREE.replace("5461", "5460")).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::ServerReply));
        for bad in ["", "\n", "+OK", "a b c"] {
            assert!(ClusterNodes::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_moved_between_two_looks_is_named() {
        let before = nodes(THREE);
        let still = nodes(&THREE.replace(" [100->-b]", ""));
        assert!(still.changed(&still).is_empty());
        assert_eq!(before.changed(&still).to_string(), "on their way were slots 100");
        let after = nodes(&THREE.replace("5460 [100->-b]", "5400").replace("5461-", "5401-"));
        let changes = still.changed(&after);
        assert_eq!(changes.moved, [SlotRange { first: 5401, last: 5460 }]);
        assert!(!changes.is_empty() && changes.to_string().contains("5401-5460"), "{changes}");
    }

    #[test]
    fn the_order_in_which_nodes_are_told_makes_no_difference() {
        let turned: Vec<&str> = THREE.lines().rev().collect();
        assert_eq!(nodes(THREE), nodes(&turned.join("\n")));
    }

    fn word(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: Value, port: i64, id: &str) -> Value {
        Value::Array(vec![host, Value::Int(port), word(id), Value::Array(Vec::new())])
    }

    #[test]
    fn where_only_slots_may_be_asked_for_they_do() {
        let row = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let a = || node(Value::Nil, 7000, "a");
        let answer = || {
            Value::Array(vec![
                row(0, 10, vec![a(), node(word("r"), 7002, "r")]),
                row(11, 12, vec![node(word("?"), 7001, "b")]),
                row(13, 16383, vec![a(), node(word("r"), 7002, "r")]),
            ])
        };
        let nodes = from_slots(answer()).unwrap();
        assert_eq!(nodes.shards.len(), 2);
        assert_eq!((nodes.shards[0].slots.len(), nodes.shards[0].replicas.len()), (2, 1));
        assert!(!nodes.moving_known);
        let places = endpoints(answer()).unwrap();
        assert_eq!(places["a"], Some((None, 7000)));
        assert_eq!(places["b"], None);
        for bad in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![row(5, 4, vec![a()])]),
        ] {
            assert!(from_slots(bad).is_none());
        }
    }
}
