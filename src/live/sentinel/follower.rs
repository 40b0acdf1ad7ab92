//! What a sentinel says of a replica.

use crate::live::reply::{list, text};
use redis::Value;
use std::collections::BTreeMap;

/// A replica as a sentinel describes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Follower {
    pub(super) host: String,
    pub(super) port: u16,
    /// Those with 0 never become masters.
    pub(super) priority: u64,
    /// The sentinel does not reach it, or it does not reach its master.
    pub(super) doubtful: bool,
}

impl Follower {
    /// Reads one of the lists of names and values that `SENTINEL REPLICAS` answers with.
    pub(super) fn of(value: Value) -> Option<Follower> {
        let words: Vec<String> = list(value)?.iter().map(text).collect::<Option<_>>()?;
        let fields: BTreeMap<&str, &str> = words
            .chunks_exact(2)
            .filter_map(|pair| Some((pair.first()?.as_str(), pair.get(1)?.as_str())))
            .collect();
        let flags: Vec<&str> =
            fields.get("flags").copied().unwrap_or_default().split(',').collect();
        let down = ["s_down", "o_down", "disconnected"].iter().any(|flag| flags.contains(flag));
        let linked = fields.get("master-link-status").is_none_or(|status| *status == "ok");
        Some(Follower {
            host: fields
                .get("ip")
                .filter(|host| !host.is_empty())
                .map(|host| (*host).to_owned())?,
            port: fields.get("port")?.parse().ok()?,
            priority: fields
                .get("slave-priority")
                .or_else(|| fields.get("replica-priority"))
                .and_then(|number| number.parse().ok())
                .unwrap_or(100),
            doubtful: down || !linked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower(line: &str) -> Option<Follower> {
        let words = line.split(' ').map(|word| Value::BulkString(word.as_bytes().to_vec()));
        Follower::of(Value::Array(words.collect()))
    }

    #[test]
    fn replicas_that_are_down_or_have_lost_their_master_are_doubtful() {
        let rest = "ip 10.0.0.2 port 6379 slave-priority 0";
        let found = follower(&format!("{rest} flags slave master-link-status ok")).unwrap();
        assert_eq!((found.host.as_str(), found.port, found.priority), ("10.0.0.2", 6379, 0));
        assert!(!found.doubtful);
        for (flags, status) in
            [("s_down,slave", "ok"), ("slave,disconnected", "ok"), ("slave", "err")]
        {
            let found = follower(&format!("{rest} flags {flags} master-link-status {status}"));
            assert!(found.unwrap().doubtful, "{flags} {status}");
        }
        for bad in ["ip 10.0.0.2", "ip 10.0.0.2 port x", "port 1"] {
            assert_eq!(follower(bad), None, "{bad}");
        }
    }
}
