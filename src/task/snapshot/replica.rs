//! A replica in place of its master, where it is near enough.

use crate::error::Result;
use crate::live::{Connection, Replication, Role, replication_of};
use crate::task::snapshot::options::ReplicaOptions;
use crate::task::snapshot::outcome::ReplicaUse;

/// A replica that will do.
pub(super) struct Found {
    pub(super) server: Connection,
    pub(super) usage: ReplicaUse,
}

/// Looks for one among those that the server lists; the least far behind comes first.
pub(super) fn find(
    master: &mut Connection,
    options: &ReplicaOptions,
) -> Result<std::result::Result<Found, Vec<String>>> {
    let facts = replication_of(master)?;
    if facts.role != Role::Master {
        return Ok(Err(vec!["the server is no master: it is asked itself".to_owned()]));
    }
    let mut why_not = Vec::new();
    let mut replicas = facts.replicas;
    replicas.sort_by_key(|replica| replica.behind);
    for replica in replicas {
        let address = replica.address;
        if replica.state != "online" {
            why_not.push(format!("{address}: {}", replica.state));
            continue;
        }
        let Some((host, port)) = address.rsplit_once(':') else { continue };
        let Ok(port) = port.parse() else { continue };
        let opened = Connection::open(master.options().clone().at(host, port));
        let behind = opened.and_then(|mut server| Ok((behind(master, &mut server)?, server)));
        match behind {
            Err(error) => why_not.push(error.to_string()),
            Ok((Err(why), _)) => why_not.push(format!("{address}: {why}")),
            Ok((Ok(behind), _)) if behind > options.most_behind => {
                why_not.push(format!("{address}: {behind} bytes behind"));
            }
            Ok((Ok(behind), server)) => {
                let usage = ReplicaUse {
                    address: Some(address),
                    behind_before: Some(behind),
                    behind_after: None,
                    why_not,
                };
                return Ok(Ok(Found { server, usage }));
            }
        }
    }
    if why_not.is_empty() {
        why_not.push("the server lists no replica".to_owned());
    }
    Ok(Err(why_not))
}

/// How many bytes of the master's history a replica lacks, or why that cannot be said.
pub(super) fn behind(
    master: &mut Connection,
    replica: &mut Connection,
) -> Result<std::result::Result<u64, String>> {
    // In this order the lag is never said to be less than it is.
    let copied: Replication = replication_of(replica)?;
    let all = replication_of(master)?;
    Ok(match (all.offset, copied.offset) {
        _ if copied.role != Role::Replica => Err("it is no replica".to_owned()),
        _ if copied.link_up != Some(true) => Err("it has lost its master".to_owned()),
        _ if copied.sync_in_progress == Some(true) => Err("it is getting all data anew".to_owned()),
        // A listed address may lead elsewhere: to another machine's own loopback, say.
        _ if copied.id != all.id => Err("it copies another server".to_owned()),
        (Some(all), Some(copied)) => Ok(all.saturating_sub(copied)),
        _ => Err("how far it is behind is not known".to_owned()),
    })
}
