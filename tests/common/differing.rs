//! What two servers hold, compared key by key.

use redis::{Connection, Value, cmd};
use std::collections::{BTreeMap, BTreeSet};

/// Keys whose values differ. A server of 7.0 or later that loads a small sorted set of an older
/// layout turns -0 into 0; told by a command, it keeps it.
pub(crate) fn differing(servers: &mut [&mut Connection; 2]) -> Vec<String> {
    let mut found = Vec::new();
    for db in 0..16 {
        let [first, second] = servers.each_mut().map(|server| {
            cmd("SELECT").arg(db).exec(server).unwrap();
            let keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query(server).unwrap();
            let mut values = BTreeMap::new();
            for key in keys {
                let digest: Value =
                    cmd("DEBUG").arg("DIGEST-VALUE").arg(&key).query(server).unwrap();
                let scores: Result<Vec<(Vec<u8>, f64)>, _> =
                    cmd("ZRANGE").arg(&key).arg(0).arg(-1).arg("WITHSCORES").query(server);
                let zero = scores.is_ok_and(|rows| rows.iter().any(|(_, score)| *score == 0.0));
                let shown = if zero { "has a zero".to_owned() } else { format!("{digest:?}") };
                values.insert(key, shown);
            }
            values
        });
        let keys: BTreeSet<_> = first.keys().chain(second.keys()).collect();
        let differ = keys.into_iter().filter(|key| first.get(*key) != second.get(*key));
        found.extend(differ.map(|key| format!("{db} {}", key.escape_ascii())));
    }
    found
}
