//! The way to a server: its address, a login, and what else a connection needs.

use crate::error::{Error, Fault, Result};
use crate::live::reply::broken;
#[cfg(feature = "live-tls")]
use redis::ConnectionAddr;
use redis::{Client, ConnectionInfo, ConnectionLike, IntoConnectionInfo, Value};
use std::fmt;
use std::time::Duration;

/// Something that is never shown.
#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

/// Where a server is and how to log in.
///
/// | URL | goes over |
/// |---|---|
/// | `redis://[user:password@]host[:port][/db]`, `valkey://...` | TCP |
/// | `rediss://...`, `valkeys://...` | TLS (feature `live-tls`) |
/// | `unix:///path?db=0&user=...&pass=...` | a socket on this machine |
///
/// `Debug` shows neither passwords nor the URL, which may hold one.
///
/// ```
/// use redkeep::live::ConnectOptions;
/// let options = ConnectOptions::new("redis://backup:s3cret@10.0.0.7/0").db(2);
/// assert!(!format!("{options:?}").contains("s3cret"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    url: Secret,
    password: Option<Secret>,
    /// The ACL user, in place of the URL's. Default: the URL's, else the server's default user.
    pub username: Option<String>,
    /// The database, in place of the URL's. Default: the URL's, else 0.
    pub db: Option<i64>,
    /// How long connecting and logging in may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How long one answer may be waited for. Default 60 s: `SAVE`, or `DUMP` of a giant, takes time.
    pub timeout: Duration,
    #[cfg(feature = "live-tls")]
    tls: Tls,
}

#[cfg(feature = "live-tls")]
#[derive(Clone, Default)]
struct Tls {
    authorities: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    unverified: bool,
}

impl ConnectOptions {
    /// The usual way to the server at this URL, which is looked at when connecting.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        ConnectOptions {
            url: Secret(url.into()),
            password: None,
            username: None,
            db: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            #[cfg(feature = "live-tls")]
            tls: Tls::default(),
        }
    }

    /// Sets [`username`](Self::username).
    #[must_use]
    pub fn username(mut self, name: impl Into<String>) -> Self {
        self.username = Some(name.into());
        self
    }

    /// Sets the password, in place of the URL's.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Secret(password.into()));
        self
    }

    /// Sets [`db`](Self::db).
    #[must_use]
    pub fn db(mut self, db: i64) -> Self {
        self.db = Some(db);
        self
    }

    /// Sets [`connect_timeout`](Self::connect_timeout).
    #[must_use]
    pub fn connect_timeout(mut self, most: Duration) -> Self {
        self.connect_timeout = most;
        self
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, most: Duration) -> Self {
        self.timeout = most;
        self
    }

    /// Sets the certificate authorities that are trusted, as PEM, in place of the system's.
    #[cfg(feature = "live-tls")]
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.authorities = Some(pem.into());
        self
    }

    /// Sets our own certificate (with its chain) and key, both as PEM.
    #[cfg(feature = "live-tls")]
    #[must_use]
    pub fn identity(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls.identity = Some((certificate.into(), key.into()));
        self
    }

    /// Believes any certificate: whoever sits between can read the password and all data.
    #[cfg(feature = "live-tls")]
    #[must_use]
    pub fn danger_accept_any_certificate(mut self, accept: bool) -> Self {
        self.tls.unverified = accept;
        self
    }

    /// Whether the way goes over TLS: the URL begins with `rediss://` or `valkeys://`.
    ///
    /// ```
    /// use redkeep::live::ConnectOptions;
    /// assert!(ConnectOptions::new("valkeys://10.0.0.7").is_tls());
    /// assert!(!ConnectOptions::new("redis://10.0.0.7").is_tls());
    /// ```
    #[must_use]
    pub fn is_tls(&self) -> bool {
        let scheme = self.url.0.split_once("://").map_or("", |(scheme, _)| scheme);
        matches!(scheme, "rediss" | "valkeys")
    }

    /// The parts of the URL, with what was set beside it.
    pub(crate) fn info(&self) -> Result<ConnectionInfo> {
        let url = self.url.0.as_str();
        // Nothing of the URL in errors: any part of a mistyped one may be the password.
        let refuse = |why: &str| Error::usage(format!("the server's URL: {why}"));
        if self.is_tls() {
            if !cfg!(feature = "live-tls") {
                return Err(refuse("TLS needs the feature `live-tls`, which this build lacks"));
            }
            // The client library turns checks off where it says `#insecure`: too easily overlooked.
            if url.contains('#') {
                return Err(refuse("a `#` has no meaning in it; in a password it is %23"));
            }
        }
        let info = url.into_connection_info().map_err(|_| {
            refuse("not understood; expected redis://[user:password@]host[:port][/db], or rediss, valkey, valkeys, unix")
        })?;
        let mut login = info.redis_settings().clone().set_skip_set_lib_name();
        login = login.set_protocol(redis::ProtocolVersion::RESP2);
        if let Some(name) = &self.username {
            login = login.set_username(name);
        }
        if let Some(Secret(password)) = &self.password {
            login = login.set_password(password);
        }
        if let Some(db) = self.db {
            login = login.set_db(db);
        }
        if login.username().is_some() && login.password().is_none() {
            return Err(refuse("a user without a password"));
        }
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        Ok(info.set_redis_settings(login).set_tcp_settings(tcp))
    }

    fn client(&self) -> Result<Client> {
        let info = self.info()?;
        #[cfg(feature = "live-tls")]
        if let ConnectionAddr::TcpTls { host, port, .. } = info.addr() {
            return self.tls_client(host.clone(), *port, &info);
        }
        Client::open(info).map_err(|error| Error::usage(error.category().to_owned()))
    }

    #[cfg(feature = "live-tls")]
    fn tls_client(&self, host: String, port: u16, info: &ConnectionInfo) -> Result<Client> {
        // Where a program has two providers compiled in and chose none, rustls panics.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Tls { authorities, identity, unverified } = self.tls.clone();
        let insecure = unverified;
        let unreadable =
            || Error::usage("a certificate or key for TLS cannot be read: PEM is expected");
        // Without one the client library would trust nobody, and say so only when it connects.
        let mark = b"-----BEGIN CERTIFICATE-----";
        let holds_one = |pem: &Vec<u8>| pem.windows(mark.len()).any(|part| part == mark);
        if !authorities.iter().all(holds_one) {
            return Err(unreadable());
        }
        let addr = ConnectionAddr::TcpTls { host, port, insecure, tls_params: None };
        let certificates = redis::TlsCertificates {
            client_tls: identity.map(|(client_cert, client_key)| redis::ClientTlsConfig {
                client_cert,
                client_key,
            }),
            root_cert: authorities,
        };
        Client::build_with_tls(info.clone().set_addr(addr), certificates).map_err(|_| unreadable())
    }

    /// Host and port, or the path of the socket: all of a URL that may be shown.
    fn address(&self) -> Option<String> {
        Some(self.info().ok()?.addr().to_string())
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ConnectOptions");
        shown
            .field("address", &self.address())
            .field("password", &self.password)
            .field("username", &self.username)
            .field("db", &self.db)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout);
        #[cfg(feature = "live-tls")]
        shown.field("danger_accept_any_certificate", &self.tls.unverified);
        shown.finish_non_exhaustive()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> Error {
        ConnectOptions::new(url).info().err().unwrap()
    }

    #[test]
    fn no_part_of_a_bad_url_is_repeated() {
        for url in ["redis//:s3cret@h", "redis://u:s3cret@h:port", "http://u:s3cret@h", "s3cret"] {
            let error = refused(url);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
            let shown = format!("{:?}", ConnectOptions::new(url));
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn options_hide_passwords_and_show_the_address() {
        let urls =
            ["redis://u:s3cret@host:7/1", "valkey://:s3cret@host:7", "unix:///host:7?pass=s3cret"];
        for url in urls {
            let options = ConnectOptions::new(url).password("0ther");
            let shown = format!("{options:?}");
            assert!(shown.contains("host:7"), "{shown}");
            assert!(!shown.contains("s3cret") && !shown.contains("0ther"), "{shown}");
        }
    }

    #[test]
    fn what_is_set_beside_the_url_wins() {
        let options = ConnectOptions::new("redis://u:p@host/1").username("v").password("q").db(3);
        let login = options.info().unwrap().redis_settings().clone();
        assert_eq!((login.username(), login.password(), login.db()), (Some("v"), Some("q"), 3));
    }

    #[test]
    fn certificates_are_not_skipped_by_a_mark_in_the_url() {
        assert!(matches!(refused("rediss://host#insecure").kind(), crate::ErrorKind::Usage));
    }
}
