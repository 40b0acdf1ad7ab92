//! The way to a server that keys go to, whosever connection it is.

use crate::error::Result;
use crate::live::connect::Connection;
use crate::live::reply::broken;
use crate::live::restore::ahead::{Ahead, Answers};
use redis::{ConnectionLike, RedisResult, Value};
use std::fmt;
use std::io;

/// A connection of ours, lent or given, or any other.
///
/// Beside one of ours another is opened, on which the keys go while it waits.
///
/// ```
/// use redkeep::live::restore::{Link, RestoreOptions, RestoreSink};
/// # use redkeep::live::{Clock, Connection, ConnectionLike};
/// # fn examples(mut own: Connection, redis: redis::Connection, other: impl ConnectionLike, clock: &dyn Clock) -> redkeep::Result<()> {
/// let options = RestoreOptions::default;
/// RestoreSink::new(&mut own, clock, options())?; // ours is kept busy while the next keys are made ready
/// RestoreSink::new(redis, clock, options())?; // so is one of the `redis` crate
/// RestoreSink::new(Link::of(other), clock, options())?; // a wrapper, or one of a pool
/// # Ok(())
/// # }
/// ```
pub struct Link<'s> {
    kind: Kind<'s>,
    /// For connections of ours: another one beside it, whose answers cost less to read.
    ahead: Option<Ahead>,
    /// Whether there is no such other one to be had.
    alone: bool,
    sent: u32,
}

enum Kind<'s> {
    Lent(&'s mut Connection),
    Own(Box<Connection>),
    Redis(Box<redis::Connection>),
    Other(Box<dyn ConnectionLike + 's>),
}

/// After so many batches the connection beside which they go is used too: servers may close one that
/// has long been silent (`timeout`).
const SILENT: u32 = 64;

impl<'s> Link<'s> {
    /// Any connection that takes commands together.
    #[must_use]
    pub fn of(connection: impl ConnectionLike + 's) -> Link<'s> {
        Link::by(Kind::Other(Box::new(connection)))
    }

    fn by(kind: Kind<'s>) -> Link<'s> {
        Link { kind, ahead: None, alone: false, sent: 0 }
    }

    /// Whether commands can be sent while the answers to others are still to come.
    pub(super) fn sends_ahead(&self) -> bool {
        !matches!(self.kind, Kind::Other(_))
    }

    /// Sends commands whose answers are [heard](Self::hear) later, to that run of the server.
    pub(super) fn send(&mut self, commands: &[u8], run_id: &str) -> Result<()> {
        self.sent = self.sent.wrapping_add(1);
        if let Some(ahead) = self.ahead(run_id) {
            let sent = ahead.send(commands);
            self.give_up_after(sent)?;
            if self.sent.is_multiple_of(SILENT) {
                // Where it was lost, the next request makes a new one.
                let _pong = self.inner_mut().req_command(&redis::cmd("PING"));
            }
            return Ok(());
        }
        let sent = match &mut self.kind {
            Kind::Lent(connection) => connection.send_ahead(commands),
            Kind::Own(connection) => connection.send_ahead(commands),
            Kind::Redis(connection) => connection.send_packed_command(commands),
            Kind::Other(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        };
        sent.map_err(|error| broken(&error))
    }

    /// What has cut the connection beside this one may have cut this one too, and nothing says so.
    fn give_up_after<T>(&mut self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            match &mut self.kind {
                Kind::Lent(connection) => connection.give_up(),
                Kind::Own(connection) => connection.give_up(),
                Kind::Redis(_) | Kind::Other(_) => {}
            }
        }
        done
    }

    /// The connection beside this one, as long as one can be had.
    fn ahead(&mut self, run_id: &str) -> Option<&mut Ahead> {
        if !self.alone && self.ahead.as_ref().is_none_or(Ahead::is_broken) {
            self.ahead = match &self.kind {
                Kind::Lent(connection) => Ahead::open(connection.options(), run_id).ok(),
                Kind::Own(connection) => Ahead::open(connection.options(), run_id).ok(),
                Kind::Redis(_) | Kind::Other(_) => None,
            };
            self.alone = self.ahead.is_none();
        }
        self.ahead.as_mut()
    }

    /// The answers to so many commands, in their order.
    pub(super) fn hear(&mut self, count: usize) -> Result<Answers> {
        if let Some(ahead) = &mut self.ahead {
            let heard = ahead.hear(count);
            return self.give_up_after(heard);
        }
        let mut answers = Answers::none();
        for _ in 0..count {
            let answer = match &mut self.kind {
                Kind::Lent(connection) => connection.hear_one(),
                Kind::Own(connection) => connection.hear_one(),
                Kind::Redis(connection) => connection.recv_response(),
                Kind::Other(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
            };
            answers.push(answer.map_err(|error| broken(&error))?);
        }
        Ok(answers)
    }

    fn inner(&self) -> &dyn ConnectionLike {
        match &self.kind {
            Kind::Lent(connection) => &**connection,
            Kind::Own(connection) => &**connection,
            Kind::Redis(connection) => &**connection,
            Kind::Other(connection) => &**connection,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn ConnectionLike {
        match &mut self.kind {
            Kind::Lent(connection) => &mut **connection,
            Kind::Own(connection) => &mut **connection,
            Kind::Redis(connection) => &mut **connection,
            Kind::Other(connection) => &mut **connection,
        }
    }
}

impl From<Connection> for Link<'_> {
    fn from(connection: Connection) -> Self {
        Link::by(Kind::Own(Box::new(connection)))
    }
}

impl<'s> From<&'s mut Connection> for Link<'s> {
    fn from(connection: &'s mut Connection) -> Self {
        Link::by(Kind::Lent(connection))
    }
}

impl From<redis::Connection> for Link<'_> {
    fn from(connection: redis::Connection) -> Self {
        Link::by(Kind::Redis(Box::new(connection)))
    }
}

impl fmt::Debug for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl ConnectionLike for Link<'_> {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.inner_mut().req_packed_command(command)
    }

    fn req_packed_commands(
        &mut self,
        commands: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.inner_mut().req_packed_commands(commands, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.inner().get_db()
    }

    fn check_connection(&mut self) -> bool {
        self.inner_mut().check_connection()
    }

    fn is_open(&self) -> bool {
        self.inner().is_open()
    }
}
