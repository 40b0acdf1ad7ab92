//! The way to a server that keys go to, whosever connection it is.

use crate::error::Result;
use crate::live::connect::Connection;
use crate::live::reply::broken;
use redis::{ConnectionLike, RedisResult, Value};
use std::fmt;
use std::io;

/// A connection of ours, lent or given, or any other.
///
/// ```
/// use redkeep::live::restore::{Link, RestoreOptions, RestoreSink};
/// # use redkeep::live::{Clock, Connection, ConnectionLike};
/// # fn examples(mut own: Connection, redis: redis::Connection, other: Box<dyn ConnectionLike>, clock: &dyn Clock) -> redkeep::Result<()> {
/// let options = RestoreOptions::default;
/// RestoreSink::new(&mut own, clock, options())?; // ours is kept busy while the next keys are made ready
/// RestoreSink::new(redis, clock, options())?; // so is one of the `redis` crate
/// RestoreSink::new(Link::of(other), clock, options())?; // a wrapper, or one of a pool
/// # Ok(())
/// # }
/// ```
pub struct Link<'s>(Kind<'s>);

/// Answers in their order.
pub(super) struct Answers {
    /// So many `OK` come first.
    pub(super) fine: usize,
    pub(super) rest: Vec<Value>,
}

enum Kind<'s> {
    Lent(&'s mut Connection),
    Own(Box<Connection>),
    Redis(Box<redis::Connection>),
    Other(Box<dyn ConnectionLike + 's>),
}

impl<'s> Link<'s> {
    /// Any connection that takes commands together.
    #[must_use]
    pub fn of(connection: impl ConnectionLike + 's) -> Link<'s> {
        Link(Kind::Other(Box::new(connection)))
    }

    /// Whether commands can be sent while the answers to others are still to come.
    pub(super) fn sends_ahead(&self) -> bool {
        !matches!(self.0, Kind::Other(_))
    }

    /// Sends commands whose answers are [heard](Self::hear) later.
    pub(super) fn send(&mut self, commands: &[u8]) -> Result<()> {
        let sent = match &mut self.0 {
            Kind::Lent(connection) => connection.send_ahead(commands),
            Kind::Own(connection) => connection.send_ahead(commands),
            Kind::Redis(connection) => connection.send_packed_command(commands),
            Kind::Other(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        };
        sent.map_err(|error| broken(&error))
    }

    /// The answers to so many commands, in their order.
    pub(super) fn hear(&mut self, count: usize) -> Result<Answers> {
        let mut answers = Answers { fine: 0, rest: Vec::new() };
        for _ in 0..count {
            let answer = match &mut self.0 {
                Kind::Lent(connection) => connection.hear_one(),
                Kind::Own(connection) => connection.hear_one(),
                Kind::Redis(connection) => connection.recv_response(),
                Kind::Other(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
            };
            match answer {
                Ok(Value::Okay) if answers.rest.is_empty() => answers.fine += 1,
                Ok(answer) => answers.rest.push(answer),
                Err(error) => return Err(broken(&error)),
            }
        }
        Ok(answers)
    }

    fn inner(&self) -> &dyn ConnectionLike {
        match &self.0 {
            Kind::Lent(connection) => &**connection,
            Kind::Own(connection) => &**connection,
            Kind::Redis(connection) => &**connection,
            Kind::Other(connection) => &**connection,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn ConnectionLike {
        match &mut self.0 {
            Kind::Lent(connection) => &mut **connection,
            Kind::Own(connection) => &mut **connection,
            Kind::Redis(connection) => &mut **connection,
            Kind::Other(connection) => &mut **connection,
        }
    }
}

impl From<Connection> for Link<'_> {
    fn from(connection: Connection) -> Self {
        Link(Kind::Own(Box::new(connection)))
    }
}

impl<'s> From<&'s mut Connection> for Link<'s> {
    fn from(connection: &'s mut Connection) -> Self {
        Link(Kind::Lent(connection))
    }
}

impl From<redis::Connection> for Link<'_> {
    fn from(connection: redis::Connection) -> Self {
        Link(Kind::Redis(Box::new(connection)))
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
