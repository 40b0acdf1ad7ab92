//! Servers whose place sentinels know: the arguments, and the way there.

use crate::cli::server::{first_line, read};
use crate::cli::{Exit, complain};
use crate::live::sentinel::Sentinels;
use crate::live::{ConnectOptions, Connection};
use crate::{Error, Result};
use clap::Args;
use std::path::PathBuf;

/// Where sentinels are, unless the URL says otherwise.
const PORT: u16 = 26_379;

#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct SentinelArguments {
    /// The URL is of sentinels, as redis://host1:26379,host2,host3/0, and the server is the master that
    /// they know by this name
    #[arg(long, value_name = "NAME")]
    sentinel: Option<String>,
    /// Take a replica of that master, and the master only where no replica will do
    #[arg(long, requires = "sentinel")]
    replica: bool,
    /// The user to log in as at the sentinels. Default: that of the URL
    #[arg(long, value_name = "NAME", requires = "sentinel")]
    sentinel_user: Option<String>,
    /// A file with the password for the sentinels in its first line. Default: that of the URL
    #[arg(long, value_name = "FILE", requires = "sentinel")]
    sentinel_password_file: Option<PathBuf>,
}

impl SentinelArguments {
    /// Whether the URL is of sentinels.
    pub(crate) fn is_asked(&self) -> bool {
        self.sentinel.is_some()
    }

    /// Connects to the server that the sentinels lead to.
    pub(crate) fn open(
        &self,
        sentinels: impl IntoIterator<Item = ConnectOptions>,
        servers: ConnectOptions,
    ) -> Result<Connection> {
        let sentinels =
            Sentinels::new(sentinels, self.sentinel.as_deref().unwrap_or_default(), servers);
        if !self.replica {
            return sentinels.master();
        }
        match sentinels.replica() {
            Ok(found) => {
                let address = found.server.address();
                match found.behind {
                    Some(behind) => complain(format_args!(
                        "using the replica {address}, {behind} bytes behind its master"
                    )),
                    None => complain(format_args!("using the replica {address}")),
                }
                Ok(found.server)
            }
            Err(error) => {
                let master = sentinels.master()?;
                let address = master.address();
                complain(format_args!("{error}; using the master {address}"));
                Ok(master)
            }
        }
    }

    /// A sentinel's login, over that of the URL.
    pub(crate) fn login(&self, mut options: ConnectOptions) -> Result<ConnectOptions, Exit> {
        if let Some(user) = &self.sentinel_user {
            options = options.username(user);
        }
        if let Some(path) = &self.sentinel_password_file {
            options = options.password(first_line(path, &read(path)?)?);
        }
        Ok(options)
    }
}

/// A URL of sentinels in parts. It may hold a password, and has no `Debug` for that.
pub(crate) struct Urls {
    /// Scheme and login, for a sentinel whose place is said beside it.
    pub(crate) sentinel: String,
    pub(crate) places: Vec<(String, u16)>,
    /// The same for a server, with the database.
    pub(crate) server: String,
}

impl Urls {
    pub(crate) fn parse(url: &str) -> Result<Urls> {
        // Nothing of the URL in errors: any part of a mistyped one may be the password.
        let refuse = |why| Error::usage(format!("the sentinels' URL: {why}"));
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| *scheme != "unix")
            .ok_or_else(|| refuse("expected redis://host1:26379,host2,host3 or rediss://..."))?;
        let (rest, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, hosts) = match rest.rsplit_once('@') {
            Some((login, hosts)) => (format!("{login}@"), hosts),
            None => (String::new(), rest),
        };
        let places: Option<Vec<_>> = hosts.split(',').map(place).collect();
        Ok(Urls {
            places: places.ok_or_else(|| refuse("a host or port that is none"))?,
            sentinel: format!("{scheme}://{login}sentinel"),
            server: format!("{scheme}://{login}server{path}"),
        })
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn place(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_sentinels_names_several_and_one_login() {
        let urls = Urls::parse("rediss://u:p%2Cw@a,b:7,[::1]:8,[::2]/3").ok().unwrap();
        let places: Vec<_> =
            urls.places.iter().map(|(host, port)| (host.as_str(), *port)).collect();
        assert_eq!(places, [("a", PORT), ("b", 7), ("::1", 8), ("::2", PORT)]);
        assert_eq!(urls.sentinel, "rediss://u:p%2Cw@sentinel");
        assert_eq!(urls.server, "rediss://u:p%2Cw@server/3");
        for bad in
            ["unix:///s3cret", "redis://s3cret:x", "redis://s3cret@", "redis://s3cret@h,", "s3cret"]
        {
            let error = Urls::parse(bad).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
