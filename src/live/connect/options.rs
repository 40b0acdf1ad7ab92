//! The way to a server: its address, a login, and what else a connection needs.

use crate::error::{Error, Result};
#[cfg(feature = "live-tls")]
use crate::live::connect::tls::Tls;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
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
    /// Where to, in place of what the URL says.
    place: Option<(String, u16)>,
    #[cfg(feature = "live-tls")]
    pub(crate) tls: Tls,
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
            place: None,
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

    /// The same login, TLS and time limits for the server at another host and port: another node of a
    /// cluster, say. In place of a socket of this machine it is TCP.
    ///
    /// ```
    /// use redkeep::live::ConnectOptions;
    /// let seed = ConnectOptions::new("rediss://backup:s3cret@10.0.0.7:7000");
    /// let other = seed.clone().at("10.0.0.8", 7001);
    /// assert!(format!("{other:?}").contains("10.0.0.8:7001") && other.is_tls());
    /// ```
    #[must_use]
    pub fn at(mut self, host: impl Into<String>, port: u16) -> Self {
        self.place = Some((host.into(), port));
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
        let info = info.set_redis_settings(login).set_tcp_settings(tcp);
        let Some((host, port)) = self.place.clone() else { return Ok(info) };
        Ok(info.set_addr(match self.is_tls() {
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host, port),
        }))
    }

    pub(crate) fn client(&self) -> Result<Client> {
        let info = self.info()?;
        #[cfg(feature = "live-tls")]
        if let ConnectionAddr::TcpTls { host, port, .. } = info.addr() {
            return self.tls.client(host.clone(), *port, &info);
        }
        Client::open(info).map_err(|error| Error::usage(error.category().to_owned()))
    }

    /// Host and port of the server, where it isn't a socket of this machine.
    pub(crate) fn place(&self) -> Option<(String, u16)> {
        match self.info().ok()?.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some((host.clone(), *port))
            }
            _ => None,
        }
    }

    /// Host and port, or the path of the socket: all of a URL that may be shown.
    pub(crate) fn address(&self) -> Option<String> {
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
