//! Which machine, as whom, and how it is known.

use std::path::PathBuf;

/// A folder of a machine that is reached by SSH.
///
/// The connection is what `ssh HOST -s sftp` makes, with all that the user's and the system's
/// configuration say of the host: names for it, users, keys, agents, certificates, jumps. Two things are
/// not up to them: nobody is ever asked for a password, and a machine whose key is not known already is
/// refused. There is no secret in here.
///
/// ```
/// use redkeep::repo::store::SftpOptions;
/// let options = SftpOptions::new("backup.example.net", "redis/prod")
///     .user("keeper")
///     .key_file("/etc/redkeep/id_ed25519")
///     .known_hosts("/etc/redkeep/known_hosts");
/// assert_eq!(options.port, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SftpOptions {
    /// Its name or address, or a name that a configuration has for it.
    pub host: String,
    /// The folder that is the top of the store, which must be there; without a `/` in front it is below
    /// where a login begins.
    pub root: String,
    /// Its port. Default none: by the configuration, else 22.
    pub port: Option<u16>,
    /// Who logs in. Default none: by the configuration, else the user of this process.
    pub user: Option<String>,
    /// A private key without a passphrase, and no other. Default none: by the configuration and agents.
    pub key_file: Option<PathBuf>,
    /// The only file with keys of machines. Default none: by the configuration.
    pub known_hosts: Option<PathBuf>,
    /// The only configuration. Default none: the user's and the system's.
    pub config: Option<PathBuf>,
    /// The program. Default `ssh`, wherever that is found.
    pub program: PathBuf,
}

impl SftpOptions {
    /// This folder of this machine.
    #[must_use]
    pub fn new(host: impl Into<String>, root: impl Into<String>) -> SftpOptions {
        SftpOptions {
            host: host.into(),
            root: root.into(),
            port: None,
            user: None,
            key_file: None,
            known_hosts: None,
            config: None,
            program: "ssh".into(),
        }
    }

    /// Sets [`port`](Self::port).
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets [`user`](Self::user).
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Sets [`key_file`](Self::key_file).
    #[must_use]
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_file = Some(path.into());
        self
    }

    /// Sets [`known_hosts`](Self::known_hosts).
    #[must_use]
    pub fn known_hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.known_hosts = Some(path.into());
        self
    }

    /// Sets [`config`](Self::config).
    #[must_use]
    pub fn config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// Sets [`program`](Self::program).
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = path.into();
        self
    }
}
