//! What is asked of the server, and how long it may take.

use std::fmt;
use std::time::Duration;

/// How a snapshot is asked for.
///
/// `Debug` says whether there is a password, never what it is.
///
/// ```
/// use redkeep::live::replication::ReplicationOptions;
/// let options = ReplicationOptions::default().user("backup").password("secret");
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ReplicationOptions {
    /// The user to log in as, for servers with users (Redis 6.0 on). Default: `default`.
    pub user: Option<String>,
    /// The password. Default: no login.
    pub password: Option<String>,
    /// What to send. Default: all of it.
    pub portion: Portion,
    /// Whether the command stream is wanted after the dump, see
    /// [`Transfer::into_stream`](super::Transfer::into_stream). Default: no, and then servers from
    /// Redis 6.2 on keep no commands back for us.
    pub follow: bool,
    /// Whether a server may send the dump straight from memory. Default: yes. Without, it writes
    /// its own dump file first, and replaces the one that is there.
    pub diskless: bool,
    /// What version to claim. Valkey 9 makes the dump readable for that: for one before 9.0 it leaves
    /// its own format, and closes the connection where that has no place for something. Default:
    /// `255.255.255`, the format of its own. `None` sends none.
    pub version: Option<String>,
    /// The port that the server lists us under. Default: none is announced, as nothing can be asked
    /// of us there.
    pub listening_port: Option<u16>,
    /// Whether a transfer that ends with a mark proves its end by the dump's checksum, which takes about
    /// a tenth of what receiving does. Default: yes, and with [`follow`](Self::follow) always. Without, it
    /// ends where the last bytes that came look like the end of a dump and the mark. A value may look
    /// so, and the transfer then ends inside it if a read does: so only for who checks the dump for being
    /// whole, as all of [`task`](crate::task) does.
    pub proves_end: bool,
    /// How long nothing at all may come, keep-alives included. Default: 60 s, as for replicas. A
    /// server that forks a big dataset is silent for that long.
    pub stall: Duration,
    /// How long all of it may take, until the dump is complete. Default: any time.
    pub deadline: Option<Duration>,
}

/// Which part of a dataset is asked for; servers know no filter by key or database.
///
/// ```
/// use redkeep::live::replication::{Portion, ReplicationOptions};
/// let options = ReplicationOptions::default().portion(Portion::Functions);
/// assert_ne!(options.portion, Portion::All);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Portion {
    /// Everything.
    #[default]
    All,
    /// Function libraries and no keys: Redis 7.0 on, and only from memory. Other servers say no.
    Functions,
}

impl Default for ReplicationOptions {
    fn default() -> Self {
        ReplicationOptions {
            user: None,
            password: None,
            portion: Portion::All,
            follow: false,
            diskless: true,
            version: Some("255.255.255".to_owned()),
            listening_port: None,
            proves_end: true,
            stall: Duration::from_secs(60),
            deadline: None,
        }
    }
}

impl ReplicationOptions {
    /// Sets [`user`](Self::user).
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Sets [`password`](Self::password).
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Sets [`portion`](Self::portion).
    #[must_use]
    pub fn portion(mut self, portion: Portion) -> Self {
        self.portion = portion;
        self
    }

    /// Sets [`follow`](Self::follow).
    #[must_use]
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// Sets [`diskless`](Self::diskless).
    #[must_use]
    pub fn diskless(mut self, allow: bool) -> Self {
        self.diskless = allow;
        self
    }

    /// Sets [`version`](Self::version).
    #[must_use]
    pub fn version(mut self, version: Option<String>) -> Self {
        self.version = version;
        self
    }

    /// Sets [`listening_port`](Self::listening_port).
    #[must_use]
    pub fn listening_port(mut self, port: u16) -> Self {
        self.listening_port = Some(port);
        self
    }

    /// Sets [`proves_end`](Self::proves_end).
    #[must_use]
    pub fn proves_end(mut self, proves: bool) -> Self {
        self.proves_end = proves;
        self
    }

    /// Sets [`stall`](Self::stall).
    #[must_use]
    pub fn stall(mut self, longest: Duration) -> Self {
        self.stall = longest;
        self
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn deadline(mut self, longest: Duration) -> Self {
        self.deadline = Some(longest);
        self
    }
}

impl fmt::Debug for ReplicationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicationOptions")
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("portion", &self.portion)
            .field("follow", &self.follow)
            .field("diskless", &self.diskless)
            .field("version", &self.version)
            .field("listening_port", &self.listening_port)
            .field("proves_end", &self.proves_end)
            .field("stall", &self.stall)
            .field("deadline", &self.deadline)
            .finish()
    }
}
