//! What a server that was reached really is: others may say so too late.

use crate::error::{Error, Fault, Result};
use crate::live::connect::{ConnectOptions, Connection};
use crate::live::facts::Role;
use crate::live::info::Info;
use crate::live::reply::{ask, list, number, text};
use redis::ConnectionLike;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) role: Role,
    /// Of a replica: whether it is connected to its master and not getting all data anew.
    pub(crate) linked: bool,
    /// How many bytes of the history it has.
    pub(crate) offset: u64,
}

impl Standing {
    /// By `ROLE`, or by INFO for users that may not ask for it.
    pub(crate) fn ask(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<Standing> {
        if let Ok(answer) = ask(connection, &["ROLE"])? {
            let words = list(answer).unwrap_or_default();
            let word = |at: usize| words.get(at).and_then(text);
            let offset = |at| {
                words.get(at).and_then(number).and_then(|all| u64::try_from(all).ok()).unwrap_or(0)
            };
            return match word(0).as_deref() {
                Some("master") => {
                    Ok(Standing { role: Role::Master, linked: true, offset: offset(1) })
                }
                Some("slave" | "replica") => Ok(Standing {
                    role: Role::Replica,
                    linked: word(3).as_deref() == Some("connected"),
                    offset: offset(4),
                }),
                Some("sentinel") => Ok(Standing { role: Role::Sentinel, linked: false, offset: 0 }),
                _ => Err(Error::from_fault(Fault::ServerReply).with_detail("ROLE")),
            };
        }
        let info = Info::section(connection, "replication")?;
        Ok(Standing {
            role: match info.get("role") {
                Some("slave" | "replica") => Role::Replica,
                Some(_) => Role::Master,
                None => return Err(Error::from_fault(Fault::ServerReply).with_detail("INFO")),
            },
            linked: info.get("master_link_status").is_none_or(|status| status == "up"),
            offset: ["slave_repl_offset", "master_repl_offset"]
                .iter()
                .find_map(|name| info.number(name))
                .unwrap_or(0),
        })
    }
}

/// Connects to a master, which says so itself, and how many bytes of history it has.
pub(crate) fn reach_master(options: ConnectOptions) -> Result<(Connection, u64)> {
    let mut server = Connection::open(options)?;
    match Standing::ask(&mut server)? {
        Standing { role: Role::Master, offset, .. } => Ok((server, offset)),
        _ => Err(Error::from_fault(Fault::ServerBusy)
            .with_detail(format!("{} is no master any more", server.address()))),
    }
}

/// Connects to a replica that has its master, and how many bytes of history it has.
pub(crate) fn reach_replica(options: ConnectOptions) -> Result<(Connection, u64)> {
    let mut server = Connection::open(options)?;
    match Standing::ask(&mut server)? {
        Standing { role: Role::Replica, linked: true, offset } => Ok((server, offset)),
        Standing { role: Role::Replica, .. } => Err(Error::from_fault(Fault::ServerNoMaster)),
        _ => Err(Error::from_fault(Fault::ServerBusy).with_detail("it is no replica any more")),
    }
}

/// What became of servers of which none would do.
#[derive(Default)]
pub(crate) struct Failures {
    said: Vec<String>,
    denied: usize,
}

impl Failures {
    pub(crate) fn add(&mut self, options: &ConnectOptions, error: &Error) {
        self.denied += usize::from(error.fault() == Some(Fault::ServerDenied));
        let (said, address) = (error.to_string(), options.address().unwrap_or_default());
        // What all of them begin with stands once in front.
        let said = said.strip_prefix(&format!("{address}: ")).unwrap_or(&said);
        let said = said.strip_prefix(&format!("{}: ", error.kind())).unwrap_or(said);
        self.said.push(format!("{address}: {said}"));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// All in one. A login that each of them refuses will not pass by itself.
    pub(crate) fn into_error(self, of: &str) -> Error {
        let fault = match self.denied == self.said.len() && self.denied > 0 {
            true => Fault::ServerDenied,
            false => Fault::NoServer,
        };
        Error::from_fault(fault).with_detail(format!("{of}{}", self.said.join("; ")))
    }
}
