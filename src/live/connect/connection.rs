//! A connection that logs in by the options given, and anew when it was lost.

use crate::error::{Error, Fault, Result};
use crate::live::connect::options::ConnectOptions;
use crate::live::reply::broken;
use redis::{ConnectionLike, Value};
use std::fmt;

/// A connection to a server, that speaks the older protocol (RESP 2).
///
/// Whatever here takes a [`ConnectionLike`] takes this, or one of your own of the `redis` crate.
/// A request that fails is not sent again; the next one after a lost connection connects anew.
///
/// ```no_run
/// use redkeep::live::{ConnectOptions, Connection, probe, ProbeOptions};
/// let options = ConnectOptions::new("rediss://10.0.0.7").username("backup").password("s3cret");
/// let mut server = Connection::open(options)?;
/// let probe = probe(&mut server, &ProbeOptions::default())?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct Connection {
    options: ConnectOptions,
    address: String,
    inner: redis::Connection,
    lost: bool,
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// `Usage` for a URL or certificates that cannot be understood, `Io` where there is no way to
    /// the server, `Server` where it does not let us in. None of them shows a password.
    pub fn open(options: ConnectOptions) -> Result<Connection> {
        let address = options.address().unwrap_or_default();
        let inner = Connection::begin(&options).map_err(|error| error.in_file(address.clone()))?;
        Ok(Connection { options, address, inner, lost: false })
    }

    fn begin(options: &ConnectOptions) -> Result<redis::Connection> {
        let connection = options.client()?.get_connection_with_timeout(options.connect_timeout);
        // Only the family of a refused login is passed on: the server's own words may repeat the
        // password, as those about an unknown command do where AUTH was renamed.
        let connection = connection.map_err(|error| match error.is_io_error() {
            true => broken(&error),
            false => Error::from_fault(Fault::ServerDenied)
                .with_detail(format!("login: {}", error.category())),
        })?;
        let limit = |error: redis::RedisError| broken(&error);
        connection.set_read_timeout(Some(options.timeout)).map_err(limit)?;
        connection.set_write_timeout(Some(options.timeout)).map_err(limit)?;
        Ok(connection)
    }

    /// Host and port, or the path of the socket.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it was opened with, for another connection to the same server.
    #[must_use]
    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The connection to use, a new one where the last was lost.
    fn ready(&mut self) -> redis::RedisResult<&mut redis::Connection> {
        if self.lost || !self.inner.is_open() {
            self.inner = Connection::begin(&self.options)
                .map_err(|error| std::io::Error::other(error.to_string()))?;
            self.lost = false;
        }
        Ok(&mut self.inner)
    }

    /// Sends commands and does not wait for their answers. A connection that was lost is not renewed:
    /// answers of the old one may still be waited for.
    pub(crate) fn send_ahead(&mut self, commands: &[u8]) -> redis::RedisResult<()> {
        if self.lost {
            return Err(std::io::Error::from(std::io::ErrorKind::NotConnected).into());
        }
        let sent = self.inner.send_packed_command(commands);
        self.watch(sent)
    }

    /// The next answer to what was sent ahead.
    pub(crate) fn hear_one(&mut self) -> redis::RedisResult<Value> {
        let answer = self.inner.recv_response();
        self.watch(answer)
    }

    /// The next request connects anew.
    pub(crate) fn give_up(&mut self) {
        self.lost = true;
    }

    /// After a failure on the way answers could be taken for those of other requests.
    fn watch<T>(&mut self, answer: redis::RedisResult<T>) -> redis::RedisResult<T> {
        self.lost |= answer.as_ref().is_err_and(|error| error.code().is_none());
        answer
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, command: &[u8]) -> redis::RedisResult<Value> {
        let answer = self.ready()?.req_packed_command(command);
        self.watch(answer)
    }

    fn req_packed_commands(
        &mut self,
        commands: &[u8],
        offset: usize,
        count: usize,
    ) -> redis::RedisResult<Vec<Value>> {
        let answer = self.ready()?.req_packed_commands(commands, offset, count);
        self.watch(answer)
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }

    fn check_connection(&mut self) -> bool {
        self.inner.check_connection()
    }

    fn is_open(&self) -> bool {
        self.inner.is_open()
    }
}
