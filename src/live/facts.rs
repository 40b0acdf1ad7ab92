//! The parts of a [`Probe`](crate::live::Probe) that INFO and the settings give.

use crate::error::Result;
use crate::live::info::{Info, part};
use crate::live::settings::{Settings, SettingsSource};
use crate::rdb::ServerVersion;
use redis::ConnectionLike;
use std::path::PathBuf;

/// Which server it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServerFacts {
    /// `redis` or `valkey`, or the name that another product gives itself.
    pub product: String,
    /// Its version, as it says.
    pub version: String,
    /// How its dumps begin, as `REDIS0012` or `VALKEY080`, where such a release is known.
    pub dump_header: Option<String>,
    /// `standalone`, `cluster` or `sentinel`.
    pub mode: String,
    /// Changes with every start.
    pub run_id: String,
    /// Seconds since the start.
    pub uptime_seconds: Option<u64>,
    /// The configuration file it was started with.
    pub config_file: Option<String>,
    /// Its process, on its machine.
    pub process_id: Option<u64>,
}

impl ServerFacts {
    /// Asks a server.
    #[cfg(feature = "cli")]
    pub(crate) fn ask(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<ServerFacts> {
        Info::ask(connection).map(|info| ServerFacts::of(&info))
    }

    pub(crate) fn of(info: &Info) -> ServerFacts {
        // Valkey gives the version of the Redis that it forked from under `redis_version`.
        let product = info.get("server_name").unwrap_or("redis").to_owned();
        let version = match info.get("valkey_version") {
            Some(version) => version,
            None => info.get("redis_version").unwrap_or_default(),
        };
        let mode = info.get("server_mode").or_else(|| info.get("redis_mode"));
        let mut facts = ServerFacts {
            version: version.to_owned(),
            dump_header: None,
            mode: mode.unwrap_or("standalone").to_owned(),
            run_id: info.get("run_id").unwrap_or_default().to_owned(),
            uptime_seconds: info.number("uptime_in_seconds"),
            config_file: info.text("config_file"),
            process_id: info.number("process_id"),
            product,
        };
        facts.dump_header = facts.release().map(|server| server.header().to_string());
        facts
    }

    /// The release, where it is one of Redis or Valkey that this crate knows.
    #[must_use]
    pub fn release(&self) -> Option<ServerVersion> {
        format!("{}-{}", self.product, self.version).parse().ok()
    }

    /// Major and minor version in Redis' own numbering, which settings follow.
    pub(crate) fn numbers(&self) -> (u16, u16) {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

/// What a server is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Role {
    /// It takes writes, and others may copy them.
    #[default]
    Master,
    /// It copies a master.
    Replica,
    /// It watches masters and has no data.
    Sentinel,
}

/// The place of a server among others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Replication {
    /// What it is to others.
    pub role: Role,
    /// The id of the history of its data (since Redis 4.0).
    pub id: Option<String>,
    /// That of the history before, where there was one.
    pub id2: Option<String>,
    /// How many bytes of that history it has.
    pub offset: Option<u64>,
    /// Up to where the history before went.
    pub offset2: Option<u64>,
    /// Of a master: its replicas.
    pub replicas: Vec<Replica>,
    /// Of a replica: whether it is connected to its master.
    pub link_up: Option<bool>,
    /// Of a replica: whether it is getting all data anew.
    pub sync_in_progress: Option<bool>,
    /// Of a replica: seconds since it heard of its master.
    pub last_heard_seconds: Option<u64>,
    /// Of a replica: bytes of history that it has got and not applied yet (since Redis 6.2).
    pub unapplied: Option<u64>,
    /// Bytes of history that are kept for replicas that come back.
    pub backlog_bytes: Option<u64>,
}

/// A replica as its master sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Replica {
    /// Address and port.
    pub address: String,
    /// `online`, or how far its beginning is.
    pub state: String,
    /// Bytes of history that it has not confirmed yet.
    pub behind: Option<u64>,
}

impl Replication {
    pub(crate) fn of(info: &Info) -> Replication {
        let sentinel = [info.get("redis_mode"), info.get("server_mode")];
        let role = match info.get("role") {
            _ if sentinel.contains(&Some("sentinel")) => Role::Sentinel,
            Some("slave" | "replica") => Role::Replica,
            _ => Role::Master,
        };
        let replica = role == Role::Replica;
        let own = info.number::<u64>("master_repl_offset");
        let copied = info.number("slave_repl_offset").filter(|_| replica);
        let replicas = info.beginning("slave").filter(|(number, _)| number.parse::<u32>().is_ok());
        let known = |id: &String| id.bytes().any(|digit| digit != b'0');
        Replication {
            role,
            id: info.text("master_replid"),
            id2: info.text("master_replid2").filter(known),
            offset: copied.or(own),
            offset2: info.number("second_repl_offset"),
            replicas: replicas.map(|(_, line)| Replica::of(line, own)).collect(),
            link_up: info.get("master_link_status").map(|status| status == "up"),
            sync_in_progress: info.get("master_sync_in_progress").map(|running| running != "0"),
            last_heard_seconds: info.number("master_last_io_seconds_ago"),
            unapplied: info
                .number::<u64>("slave_read_repl_offset")
                .zip(copied)
                .map(|(got, applied)| got.saturating_sub(applied)),
            backlog_bytes: info.number("repl_backlog_size"),
        }
    }
}

/// Asks a server only for its place among others.
pub(crate) fn replication_of(
    connection: &mut (impl ConnectionLike + ?Sized),
) -> Result<Replication> {
    // All usual sections: in which one a sentinel says what it is, is not that of replication.
    Info::ask(connection).map(|info| Replication::of(&info))
}

impl Replica {
    fn of(line: &str, offset: Option<u64>) -> Replica {
        let get = |name| part(line, name).unwrap_or_default();
        let confirmed = get("offset").parse().ok();
        Replica {
            address: format!("{}:{}", get("ip"), get("port")),
            state: get("state").to_owned(),
            behind: offset.zip(confirmed).map(|(all, has): (u64, u64)| all.saturating_sub(has)),
        }
    }
}

/// Where a server's files are, as far as it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Files {
    /// Where this was learned from.
    pub source: SettingsSource,
    /// Why it is not known.
    pub why_unknown: Option<String>,
    /// The data directory.
    pub dir: Option<PathBuf>,
    /// The dump file.
    pub dump: Option<PathBuf>,
    /// Bytes that can still be written to the disk of the data directory, where that is reached from here.
    pub free_bytes: Option<u64>,
    /// The name of the log, or of its parts.
    pub log_name: Option<String>,
    /// The folder of the log's parts, below the data directory.
    pub log_dir: Option<String>,
}

impl Files {
    pub(crate) fn of(settings: &Settings) -> Files {
        Files {
            source: settings.source,
            why_unknown: None,
            dir: settings.dir(),
            dump: settings.dump(),
            free_bytes: None,
            log_name: settings.get("appendfilename").map(str::to_owned),
            log_dir: settings.get("appenddirname").map(str::to_owned),
        }
    }
}

/// A module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Its version, as a number of its own making.
    pub version: String,
}

impl Module {
    pub(crate) fn of(line: &str) -> Module {
        let get = |name| part(line, name).unwrap_or_default().to_owned();
        Module { name: get("name"), version: get("ver") }
    }
}

/// A database that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Database {
    /// Its index.
    pub db: u64,
    /// Keys, those past their expiry that are not removed yet included.
    pub keys: u64,
    /// Keys with an expiry.
    pub expiring: u64,
}

impl Database {
    /// By index.
    pub(crate) fn all(info: &Info) -> Vec<Database> {
        let lines = info.beginning("db").filter_map(|(number, line)| {
            let get = |name| part(line, name).and_then(|value| value.parse().ok());
            let (db, keys) = (number.parse().ok()?, get("keys")?);
            Some(Database { db, keys, expiring: get("expires").unwrap_or(0) })
        });
        let mut all: Vec<_> = lines.collect();
        all.sort_by_key(|database| database.db);
        all
    }
}

/// A server's memory, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Memory {
    /// All that it allocated.
    pub used: Option<u64>,
    /// Of that, for data.
    pub dataset: Option<u64>,
    /// What the operating system gave it.
    pub resident: Option<u64>,
    /// What its machine has in all (since Redis 3.2); of a container the machine around it.
    pub system: Option<u64>,
    /// The most it may use; 0 = no limit.
    pub limit: Option<u64>,
    /// What it does at the limit.
    pub policy: Option<String>,
    /// What the last save took in copies of pages that were written meanwhile.
    pub last_save_copied: Option<u64>,
    /// How long the last fork stopped everything, in microseconds.
    pub last_fork_micros: Option<u64>,
}

impl Memory {
    pub(crate) fn of(info: &Info) -> Memory {
        Memory {
            used: info.number("used_memory"),
            dataset: info.number("used_memory_dataset"),
            resident: info.number("used_memory_rss"),
            system: info.number("total_system_memory"),
            limit: info.number("maxmemory"),
            policy: info.text("maxmemory_policy"),
            last_save_copied: info.number("rdb_last_cow_size"),
            last_fork_micros: info.number("latest_fork_usec"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valkey_is_told_from_the_redis_it_claims_to_be() {
        let facts = ServerFacts::of(&Info::parse(
            b"redis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.1.2\nserver_mode:cluster\n",
        ));
        assert_eq!((facts.product.as_str(), facts.version.as_str()), ("valkey", "9.1.2"));
        assert_eq!(
            (facts.mode.as_str(), facts.dump_header.as_deref()),
            ("cluster", Some("VALKEY080"))
        );
        let redis = ServerFacts::of(&Info::parse(b"redis_version:8.0.2\n"));
        assert_eq!((redis.product.as_str(), redis.numbers()), ("redis", (8, 0)));
    }

    #[test]
    fn a_master_knows_how_far_its_replicas_are() {
        let facts = Replication::of(&Info::parse(
            b"role:master\nmaster_repl_offset:100\nmaster_replid2:0000\n\
              slave0:ip=127.0.0.1,port=7,state=online,offset=90,lag=1,type=replica\n",
        ));
        assert_eq!(facts.role, Role::Master);
        assert_eq!(facts.id2, None);
        let [replica] = facts.replicas.as_slice() else { panic!("{facts:?}") };
        assert_eq!((replica.address.as_str(), replica.behind), ("127.0.0.1:7", Some(10)));
    }

    #[test]
    fn a_replica_counts_what_it_copied() {
        let facts = Replication::of(&Info::parse(
            b"role:slave\nmaster_repl_offset:5\nslave_repl_offset:9\nmaster_link_status:down\n\
              master_sync_in_progress:1\nslave_read_only:1\n",
        ));
        assert_eq!((facts.role, facts.offset), (Role::Replica, Some(9)));
        assert_eq!((facts.link_up, facts.sync_in_progress), (Some(false), Some(true)));
        assert!(facts.replicas.is_empty());
    }
}
