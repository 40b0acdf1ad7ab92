//! Which server, and how to get there: the arguments of all commands that talk to one.

use crate::cli::sentinel::{SentinelArguments, Urls};
use crate::cli::{Exit, complain, failed};
use crate::live::{Clock, ConnectOptions, Connection};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the password may be, for those who have no file for it.
const PASSWORD: &str = "REDKEEP_PASSWORD";
/// That of the server that is copied into.
const TARGET_PASSWORD: &str = "REDKEEP_TARGET_PASSWORD";

#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArguments {
    /// The server, as redis://host:6379/0, rediss:// (TLS), valkey://, valkeys:// or unix:///path.
    /// A password in it is seen by all users of this machine: use --password-file, or the
    /// environment's REDKEEP_PASSWORD
    pub(crate) url: Url,
    #[command(flatten)]
    pub(crate) login: LoginArguments,
}

/// How to get to a server, wherever it is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct LoginArguments {
    /// The user to log in as
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file with the password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How long to wait for a connection, and for one answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    #[command(flatten)]
    sentinel: SentinelArguments,
    #[cfg(feature = "live-tls")]
    #[command(flatten)]
    tls: TlsArguments,
}

/// May hold a password, and is never printed.
#[derive(Clone)]
pub(crate) struct Url(String);

impl Url {
    /// The way there, with the password of the environment if there is one.
    pub(crate) fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::new(self.0.as_str());
        match std::env::var(PASSWORD) {
            Ok(password) => options.password(password),
            Err(_) => options,
        }
    }
}

impl Url {
    /// Whether it is one, and no path.
    #[cfg(feature = "repo")]
    pub(crate) fn is_url(&self) -> bool {
        self.0.contains("://")
    }

    /// The folder that was given in place of a URL.
    pub(crate) fn folder(&self) -> Option<&Path> {
        let path = Path::new(&self.0);
        (!self.0.contains("://") && path.is_dir()).then_some(path)
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Url")
    }
}

impl From<String> for Url {
    fn from(url: String) -> Self {
        Url(url)
    }
}

#[cfg(feature = "live-tls")]
#[derive(Debug, Args)]
struct TlsArguments {
    /// Certificate authorities to trust in place of the system's, as PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Our own certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// The key of it, as PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Believe any certificate: whoever sits between can read the password and all data
    #[arg(long)]
    danger_accept_any_certificate: bool,
}

impl ServerArguments {
    /// Connects, or says why not.
    pub(crate) fn open(&self) -> Result<Connection, Exit> {
        self.login.open(&self.url)
    }
}

impl LoginArguments {
    /// Connects to a server, or says why not.
    pub(crate) fn open(&self, url: &Url) -> Result<Connection, Exit> {
        let connection = match self.sentinel.is_asked().then(|| Urls::parse(&url.0)) {
            None => Connection::open(self.server(&url.0)?),
            Some(Err(error)) => Err(error),
            Some(Ok(Urls { sentinel, places, server })) => {
                let options = self.sentinel.login(self.way(&sentinel)?)?;
                let all = places.into_iter().map(|(host, port)| options.clone().at(host, port));
                self.sentinel.open(all, self.server(&server)?)
            }
        };
        connection.map_err(failed)
    }

    /// The way to a server, with its login.
    fn server(&self, url: &str) -> Result<ConnectOptions, Exit> {
        let mut options = self.way(url)?;
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = self.password()? {
            options = options.password(password);
        }
        Ok(options)
    }

    /// The way to another server: its own login, and all else as for the first.
    pub(crate) fn other(
        &self,
        url: &Url,
        user: Option<&str>,
        password_file: Option<&Path>,
    ) -> Result<ConnectOptions, Exit> {
        let mut options = self.way(&url.0)?;
        if let Some(user) = user {
            options = options.username(user);
        }
        let password = match password_file {
            Some(path) => Some(first_line(path, &read(path)?)?),
            None => std::env::var(TARGET_PASSWORD).ok(),
        };
        Ok(match password {
            Some(password) => options.password(password),
            None => options,
        })
    }

    /// What goes for sentinels and servers alike.
    fn way(&self, url: &str) -> Result<ConnectOptions, Exit> {
        let timeout = Duration::from_secs(self.timeout.max(1));
        let options = ConnectOptions::new(url).connect_timeout(timeout).timeout(timeout);
        #[cfg(feature = "live-tls")]
        let options = self.tls.add(options)?;
        Ok(options)
    }

    fn password(&self) -> Result<Option<String>, Exit> {
        let Some(path) = &self.password_file else { return Ok(std::env::var(PASSWORD).ok()) };
        first_line(path, &read(path)?).map(Some)
    }
}

#[cfg(feature = "live-tls")]
impl TlsArguments {
    fn add(&self, mut options: ConnectOptions) -> Result<ConnectOptions, Exit> {
        if let Some(path) = &self.ca {
            options = options.authorities(read(path)?);
        }
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            options = options.identity(read(certificate)?, read(key)?);
        }
        Ok(options.danger_accept_any_certificate(self.danger_accept_any_certificate))
    }
}

/// The first line of a file, which is a password.
pub(crate) fn first_line(path: &Path, content: &[u8]) -> Result<String, Exit> {
    let text = std::str::from_utf8(content).map_err(|_| {
        complain(format_args!("{}: not text", path.display()));
        Exit::Failed
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Exit> {
    std::fs::read(path).map_err(|error| {
        complain(format_args!("{}: {error}", path.display()));
        Exit::Failed
    })
}

/// The clock of this machine.
pub(crate) struct Monotonic(Instant);

impl Monotonic {
    pub(crate) fn start() -> Monotonic {
        Monotonic(Instant::now())
    }
}

impl Clock for Monotonic {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
