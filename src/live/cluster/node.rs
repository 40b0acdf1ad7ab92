//! A node of a cluster, and the lines that nodes are described by.

use crate::live::connect::ConnectOptions;
use crate::live::facts::Role;
use crate::select::SLOTS;
use std::fmt;

/// Slots that follow each other, both ends included; 0 to 16383.
///
/// ```
/// use redkeep::live::cluster::SlotRange;
/// let range = SlotRange { first: 0, last: 5460 };
/// assert!(range.contains(5460) && !range.contains(5461));
/// assert_eq!((range.to_string().as_str(), range.count()), ("0-5460", 5461));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct SlotRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl SlotRange {
    /// Whether a slot is one of them.
    #[must_use]
    pub fn contains(self, slot: u16) -> bool {
        (self.first..=self.last).contains(&slot)
    }

    /// How many they are.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::from(self.last.saturating_sub(self.first)) + 1
    }

    /// `first-last`, or one slot.
    fn parse(text: &str) -> Option<SlotRange> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        SlotRange::of(first.parse().ok()?, last.parse().ok()?)
    }

    pub(super) fn of(first: u16, last: u16) -> Option<SlotRange> {
        (first <= last && last < SLOTS).then_some(SlotRange { first, last })
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// How a node is, in the eyes of the one that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NodeState {
    /// Nothing is wrong with it.
    #[default]
    Ok,
    /// It does not answer that one (`fail?`).
    Suspected,
    /// The cluster agreed that it is gone (`fail`).
    Failed,
    /// It isn't trusted yet (`handshake`), or its address isn't known (`noaddr`).
    Unreachable,
}

/// A node as the one that was asked describes it.
///
/// See [the module](super) for an example.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClusterNode {
    /// Its name, 40 hex digits.
    pub id: String,
    /// Address or name of its machine; `None` is the one that was asked, which does not know its own.
    pub host: Option<String>,
    /// Its port for clients, of the kind (TLS or not) that was used for asking.
    pub port: u16,
    /// Master or replica.
    pub role: Role,
    /// How it is.
    pub state: NodeState,
    /// Whether the one that was asked is connected to it.
    pub connected: bool,
}

impl ClusterNode {
    /// How to get there: the login, TLS and time limits of the node that was asked, and its host where
    /// this one's isn't known.
    #[must_use]
    pub fn options(&self, asked: &ConnectOptions) -> ConnectOptions {
        let host = self.host.clone().or_else(|| asked.place().map(|(host, _)| host));
        match host {
            Some(host) => asked.clone().at(host, self.port),
            // Asked over a socket of this machine, for a node that says nothing else of itself.
            None => asked.clone(),
        }
    }

    /// Host and port for people.
    #[must_use]
    pub fn address(&self) -> String {
        let host = self.host.as_deref().unwrap_or_default();
        match host.contains(':') {
            true => format!("[{host}]:{}", self.port),
            false => format!("{host}:{}", self.port),
        }
    }
}

/// A slot on its way from one node to another; keys of it may be at either.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MovingSlot {
    /// Which.
    pub slot: u16,
    /// The id of the node that it leaves.
    pub from: String,
    /// The id of the node that it goes to.
    pub to: String,
}

/// All that one line of `CLUSTER NODES` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) node: ClusterNode,
    /// The node that was asked describes itself.
    pub(super) myself: bool,
    /// The id of the master of a replica.
    pub(super) master: Option<String>,
    pub(super) slots: Vec<SlotRange>,
    pub(super) moving: Vec<MovingSlot>,
}

impl Line {
    /// `id ip:port@bus,hostname flags master ping pong epoch link slots...`; the bus port came with 4.0,
    /// the name of the host with 7.0.
    pub(super) fn parse(line: &str) -> Option<Line> {
        let mut words = line.split_ascii_whitespace();
        let id = words.next()?.to_owned();
        let address = words.next()?;
        let flags: Vec<&str> = words.next()?.split(',').collect();
        let master = Some(words.next()?).filter(|id| *id != "-").map(str::to_owned);
        let link = words.nth(3)?;
        let has = |flag| flags.contains(&flag);
        let (place, _) = address.split_once(',').unwrap_or((address, ""));
        let (place, _) = place.split_once('@').unwrap_or((place, ""));
        // An IPv6 address has colons of its own, and no brackets.
        let (host, port) = place.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let state = if has("fail") {
            NodeState::Failed
        } else if has("fail?") {
            NodeState::Suspected
        } else if has("noaddr") || has("handshake") || port == 0 {
            NodeState::Unreachable
        } else {
            NodeState::Ok
        };
        let mut found = Line {
            myself: has("myself"),
            node: ClusterNode {
                host: Some(host).filter(|host| !host.is_empty()).map(str::to_owned),
                port,
                role: if has("slave") || has("replica") { Role::Replica } else { Role::Master },
                state,
                connected: link == "connected",
                id,
            },
            master,
            ..Line::default()
        };
        for word in words {
            match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                Some(mark) => found.moving.push(moving(mark, &found.node.id)?),
                None => found.slots.push(SlotRange::parse(word)?),
            }
        }
        Some(found)
    }
}

/// `slot->-to` or `slot-<-from`, as the node itself says it.
fn moving(mark: &str, own: &str) -> Option<MovingSlot> {
    let (slot, from, to) = match (mark.split_once("->-"), mark.split_once("-<-")) {
        (Some((slot, to)), _) => (slot, own, to),
        (_, Some((slot, from))) => (slot, from, own),
        _ => return None,
    };
    let slot = slot.parse().ok().filter(|slot| *slot < SLOTS)?;
    Some(MovingSlot { slot, from: from.to_owned(), to: to.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::parse(text).unwrap()
    }

    fn address(place: &str) -> (Option<String>, u16) {
        let node = line(&format!("a {place} master - 0 1 2 connected")).node;
        (node.host, node.port)
    }

    #[test]
    fn addresses_of_all_versions_are_read() {
        let ip = Some("10.0.0.1".to_owned());
        assert_eq!(address("10.0.0.1:7000"), (ip.clone(), 7000));
        assert_eq!(address("10.0.0.1:7000@17000"), (ip.clone(), 7000));
        assert_eq!(address("10.0.0.1:7000@17000,db1.internal"), (ip.clone(), 7000));
        assert_eq!(address("10.0.0.1:7000@17000,,shard-id=abc"), (ip, 7000));
        assert_eq!(address(":7000@17000"), (None, 7000));
        assert_eq!(address("fe80::1:7000@17000"), (Some("fe80::1".to_owned()), 7000));
    }

    #[test]
    fn marks_and_slots_are_read() {
        let text = "a 10.0.0.1:7000@17000 myself,master - 0 1 2 connected 0-5 7 [8->-b] [9-<-c]";
        let found = line(text);
        assert!(found.myself && found.node.connected);
        assert_eq!(found.slots, [SlotRange { first: 0, last: 5 }, SlotRange { first: 7, last: 7 }]);
        let moving = |slot, from: &str, to: &str| MovingSlot {
            slot,
            from: from.to_owned(),
            to: to.to_owned(),
        };
        assert_eq!(found.moving, [moving(8, "a", "b"), moving(9, "c", "a")]);
        let found = line("b 10.0.0.2:7000@17000 slave,fail? a 0 1 2 disconnected");
        assert_eq!((found.node.role, found.node.state), (Role::Replica, NodeState::Suspected));
        assert_eq!(found.master.as_deref(), Some("a"));
        let state =
            |flags: &str| line(&format!("b 1.2.3.4:7@8 {flags} - 0 0 0 connected")).node.state;
        assert_eq!(state("master,fail"), NodeState::Failed);
        assert_eq!(state("master,noaddr"), NodeState::Unreachable);
        assert_eq!(state("handshake"), NodeState::Unreachable);
    }

    #[test]
    fn a_line_of_another_kind_is_none() {
        for bad in [
            "",
            "a",
            "a 1.2.3.4 master - 0 0 0 connected",
            "a 1.2.3.4:99999 master - 0 0 0 connected",
            "a 1.2.3.4:7 master - 0 0 0",
            "a 1.2.3.4:7 master - 0 0 0 connected 5-4",
            "a 1.2.3.4:7 master - 0 0 0 connected 0-16384",
            "a 1.2.3.4:7 master - 0 0 0 connected [7]",
            "a 1.2.3.4:7 master - 0 0 0 connected [99999->-b]",
        ] {
            assert_eq!(Line::parse(bad), None, "{bad}");
        }
    }
}
