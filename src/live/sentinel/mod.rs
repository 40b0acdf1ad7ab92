//! The master that sentinels watch, or a replica of it.
//!
//! Sentinels are asked in turn: one may be gone, not know the name, or be behind and point to a master that
//! was replaced. So a server is believed to be the master, or a replica, only when it says so itself
//! (`ROLE`, or `INFO` for users that may not ask for that), and else the next sentinel is asked.
//!
//! | asked | of | since |
//! |---|---|---|
//! | `SENTINEL GET-MASTER-ADDR-BY-NAME name` | sentinels | Redis 2.8 |
//! | `SENTINEL REPLICAS name`, or `SENTINEL SLAVES name` where that is unknown | sentinels | 5.0, 2.8 |
//! | `ROLE`, or `INFO replication` | the server | 2.8.12, 2.8 |
//!
//! No sentinel can tell of a split network: a replica that is connected to a master which the majority gave
//! up looks sound from its own side.
//!
//! ```no_run
//! use redkeep::live::{ConnectOptions, ProbeOptions, probe, sentinel::Sentinels};
//! let sentinels = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
//!     .map(|host| ConnectOptions::new(format!("redis://{host}:26379")));
//! // Who to be at the servers; their place is told by the sentinels.
//! let login = ConnectOptions::new("redis://servers").username("backup").password("s3cret");
//! let sentinels = Sentinels::new(sentinels, "orders", login);
//! let mut server = match sentinels.replica() {
//!     Ok(replica) => replica.server,
//!     Err(_) => sentinels.master()?,
//! };
//! let probe = probe(&mut server, &ProbeOptions::default())?;
//! # Ok::<(), redkeep::Error>(())
//! ```

mod find;
mod follower;

pub use find::{FoundReplica, Sentinels};
