//! OpenStack Swift.

use crate::error::{Error, Result};
use crate::repo::store::ObjectName;
use crate::repo::store::remote::Bucket;
use crate::repo::store::remote::bucket::root;
use opendal::services::Swift;
use std::fmt;

/// A container of OpenStack Swift.
///
/// What is not set comes from where users of Swift's client have it: `OS_STORAGE_URL` and
/// `OS_AUTH_TOKEN`, as `swift auth` prints them. Nobody logs in here: a token that has run out is an
/// error with the fault `StoreDenied`, after which a new bucket is to be made with a new one. `Debug`
/// shows no secret.
///
/// Objects are put in one request each, 64 MiB of it at most unless
/// [`one_request`](super::RemoteOptions::one_request) says otherwise: what is made of segments would
/// leave them behind when it is deleted. Swift cannot refuse to replace an object, so the store looks before
/// it puts, and of two who do that at once both may succeed. Nor does it promise that what was just put is
/// listed already.
///
/// ```
/// use redkeep::repo::store::{Bucket, ObjectName, SwiftOptions};
/// let options = SwiftOptions::new("backups")
///     .root(ObjectName::new("redis/prod")?)
///     .storage_url("https://swift.example.net/v1/AUTH_example")
///     .token("a secret");
/// assert!(!format!("{options:?}").contains("a secret"));
/// let bucket = Bucket::swift(&options)?;
/// assert!(!format!("{bucket:?}").contains("a secret"));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwiftOptions {
    /// Its name.
    pub container: String,
    /// The folder in it that is the top of the store. Default none: all of the container.
    pub root: Option<ObjectName>,
    /// The URL of the account. Default none: by the environment.
    pub storage_url: Option<String>,
    token: Option<String>,
}

impl fmt::Debug for SwiftOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwiftOptions")
            .field("container", &self.container)
            .field("root", &self.root)
            .field("storage_url", &self.storage_url)
            .field("token", &self.token.as_ref().map(|_| "set"))
            .finish()
    }
}

impl SwiftOptions {
    /// The container of this name.
    #[must_use]
    pub fn new(container: impl Into<String>) -> SwiftOptions {
        let container = container.into();
        SwiftOptions { container, root: None, storage_url: None, token: None }
    }

    /// Sets [`root`](Self::root).
    #[must_use]
    pub fn root(mut self, folder: ObjectName) -> Self {
        self.root = Some(folder);
        self
    }

    /// Sets [`storage_url`](Self::storage_url).
    #[must_use]
    pub fn storage_url(mut self, url: impl Into<String>) -> Self {
        self.storage_url = Some(url.into());
        self
    }

    /// Sets the token of a login.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

impl Bucket {
    /// A container of OpenStack Swift. Nothing is asked of the service yet.
    ///
    /// # Errors
    /// `Usage` where container, URL or token are missing, or make no sense.
    pub fn swift(options: &SwiftOptions) -> Result<Bucket> {
        let env = |name: &str| std::env::var(name).ok();
        let what = format!("container {}", options.container);
        Bucket::over_http(builder(options, &what, env)?, &what)
    }
}

fn builder(
    options: &SwiftOptions,
    what: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Swift> {
    let set = |own: &Option<String>, name: &str| {
        let found = own.clone().or_else(|| env(name)).filter(|value| !value.is_empty());
        found.ok_or_else(|| Error::usage(format!("{what}: neither that is set, nor {name}")))
    };
    if options.container.is_empty() || options.container.contains('/') {
        return Err(Error::usage(format!("{what}: no name of a container")));
    }
    let url = set(&options.storage_url, "OS_STORAGE_URL")?;
    let token = set(&options.token, "OS_AUTH_TOKEN")?;
    Ok(Swift::default()
        .endpoint(url.trim_end_matches('/'))
        .container(&options.container)
        .root(&root(options.root.as_ref()))
        .token(&token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_comes_from_the_environment() {
        let all = [("OS_STORAGE_URL", "https://h/v1/AUTH_a/"), ("OS_AUTH_TOKEN", "very secret")];
        let built = |options: &SwiftOptions, env: &[(&str, &str)]| {
            let env = |name: &str| {
                let found = env.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            builder(options, "container c", env).map(|builder| format!("{builder:?}"))
        };
        let plain = SwiftOptions::new("c");
        let shown = built(&plain, &all).unwrap();
        assert!(shown.contains("\"https://h/v1/AUTH_a\"") && !shown.contains("secret"), "{shown}");
        let own = plain.clone().storage_url("http://other/v1/AUTH_b");
        assert!(built(&own, &all).unwrap().contains("http://other/v1/AUTH_b"));
        for (missing, rest) in [("OS_STORAGE_URL", &all[1..]), ("OS_AUTH_TOKEN", &all[..1])] {
            let error = built(&plain, rest).unwrap_err().to_string();
            assert!(error.contains(missing) && !error.contains("secret"), "{error}");
        }
        for bad in ["", "a/b"] {
            assert!(built(&SwiftOptions::new(bad), &all).is_err());
        }
    }
}
