//! The search: sentinel after sentinel, until a server says that it is what was looked for.

use crate::error::{Error, Fault, Result};
use crate::live::connect::{ConnectOptions, Connection};
use crate::live::reply::{ask, list, number, text, unexpected};
use crate::live::role::{Failures, reach_master, reach_replica};
use crate::live::sentinel::follower::Follower;
use redis::Value;

/// Sentinels, the name of a master that they watch, and the login of the servers.
///
/// See [the module](super) for an example; `Debug` shows no password.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sentinels {
    /// The sentinels, in the order in which they are asked, each with a login of its own.
    pub sentinels: Vec<ConnectOptions>,
    /// The name by which they know the master.
    pub name: String,
    /// Login, TLS and time limits of the servers; host and port in it mean nothing.
    pub servers: ConnectOptions,
    /// How many bytes of the master's history a replica may lack. Default: any number.
    pub most_behind: Option<u64>,
}

/// A replica that was found.
///
/// See [the module](super) for an example.
#[derive(Debug)]
#[non_exhaustive]
pub struct FoundReplica {
    /// The connection to it.
    pub server: Connection,
    /// How many bytes of the master's history it lacked; `None` where the master did not say.
    pub behind: Option<u64>,
}

impl Sentinels {
    /// Sentinels that watch a master of this name.
    #[must_use]
    pub fn new(
        sentinels: impl IntoIterator<Item = ConnectOptions>,
        name: impl Into<String>,
        servers: ConnectOptions,
    ) -> Self {
        let sentinels = sentinels.into_iter().collect();
        Sentinels { sentinels, name: name.into(), servers, most_behind: None }
    }

    /// Sets [`most_behind`](Self::most_behind).
    #[must_use]
    pub fn most_behind(mut self, bytes: u64) -> Self {
        self.most_behind = Some(bytes);
        self
    }

    /// Connects to the master.
    ///
    /// # Errors
    /// `Server` with what became of each sentinel: `no_server`, which may pass (a failover takes its time),
    /// or `server_denied` where each way ends at a login that is refused; `Usage` where there are no sentinels, or an address or certificate cannot be understood.
    pub fn master(&self) -> Result<Connection> {
        self.first(|sentinel| Ok(self.master_by(sentinel)?.0))
    }

    /// Connects to the replica that lacks least of the master's history. One without a link to its master,
    /// or in the midst of getting all data, will not do; one that the sentinel cannot reach is tried last.
    /// Of those that are equal one that never becomes master (priority 0) comes first: such are often kept
    /// for work like this.
    ///
    /// # Errors
    /// As [`master`](Self::master), also where there is no such replica or all lack more than
    /// [`most_behind`](Self::most_behind).
    pub fn replica(&self) -> Result<FoundReplica> {
        self.first(|sentinel| self.replica_by(sentinel))
    }

    /// What the first sentinel leads to.
    fn first<T>(&self, mut by: impl FnMut(&mut Connection) -> Result<T>) -> Result<T> {
        if self.sentinels.is_empty() {
            return Err(Error::usage("no sentinel to ask"));
        }
        let mut failures = Failures::default();
        for options in &self.sentinels {
            // Sentinels have no databases.
            match Connection::open(options.clone().db(0)).and_then(|mut sentinel| by(&mut sentinel))
            {
                Ok(found) => return Ok(found),
                Err(error) if error.kind() == crate::ErrorKind::Usage => return Err(error),
                Err(error) => failures.add(options, &error),
            }
        }
        Err(failures.into_error(&format!("master \"{}\": ", self.name.escape_debug())))
    }

    /// The master that a sentinel points to, and how many bytes of history it has.
    fn master_by(&self, sentinel: &mut Connection) -> Result<(Connection, u64)> {
        let command = "SENTINEL GET-MASTER-ADDR-BY-NAME";
        let answer = ask(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.name])?
            .map_err(|refusal| refusal.into_error(command))?;
        if answer == Value::Nil {
            return Err(refused("it knows no master of that name"));
        }
        let parts = list(answer).unwrap_or_default();
        let host = parts.first().and_then(text);
        let port = parts.get(1).and_then(number).and_then(|port| u16::try_from(port).ok());
        let (host, port) = host.zip(port).ok_or_else(|| unexpected(command))?;
        reach_master(self.servers.clone().at(host, port))
    }

    fn replica_by(&self, sentinel: &mut Connection) -> Result<FoundReplica> {
        let mut best: Option<(Connection, u64)> = None;
        let mut failures = Failures::default();
        let mut followers = self.followers(sentinel)?;
        followers.sort_by_key(|follower| (follower.doubtful, follower.priority != 0));
        for follower in followers {
            if follower.doubtful && best.is_some() {
                break; // it may take as long as connecting may
            }
            let options = self.servers.clone().at(follower.host, follower.port);
            match reach_replica(options.clone()) {
                Ok((server, offset)) if best.as_ref().is_none_or(|(_, most)| offset > *most) => {
                    best = Some((server, offset));
                }
                Ok(_) => {}
                Err(error) => failures.add(&options, &error),
            }
        }
        let Some((server, offset)) = best else {
            return Err(match failures.is_empty() {
                true => refused("it knows no replica"),
                false => failures.into_error("of its replicas none will do: "),
            });
        };
        // Asked last, so that a replica never looks nearer than it is. A master that is gone has no say.
        let behind = self.master_by(sentinel).ok().map(|(_, has)| has.saturating_sub(offset));
        if let (Some(behind), Some(most)) = (behind, self.most_behind)
            && behind > most
        {
            return Err(refused(format!("{} is {behind} bytes behind", server.address())));
        }
        Ok(FoundReplica { server, behind })
    }

    fn followers(&self, sentinel: &mut Connection) -> Result<Vec<Follower>> {
        let command = "SENTINEL REPLICAS";
        let answer = match ask(sentinel, &["SENTINEL", "REPLICAS", &self.name])? {
            Ok(answer) => answer,
            // The old word for it, which alone the old ones know.
            Err(_) => ask(sentinel, &["SENTINEL", "SLAVES", &self.name])?
                .map_err(|refusal| refusal.into_error(command))?,
        };
        let all: Option<Vec<_>> =
            list(answer).and_then(|all| all.into_iter().map(Follower::of).collect());
        all.ok_or_else(|| unexpected(command))
    }
}

fn refused(why: impl Into<String>) -> Error {
    Error::from_fault(Fault::ServerBusy).with_detail(why)
}
