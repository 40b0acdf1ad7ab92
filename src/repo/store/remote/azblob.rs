//! Azure Blob Storage.

use crate::error::{Error, Result};
use crate::repo::store::ObjectName;
use crate::repo::store::remote::Bucket;
use crate::repo::store::remote::bucket::root;
use opendal::services::Azblob;
use std::fmt;

/// A container of Azure Blob Storage.
///
/// What is not set comes from where users of Azure expect it, the first that is there: the account from
/// `AZURE_STORAGE_ACCOUNT`; its key from `AZURE_STORAGE_KEY` or a shared access signature from
/// `AZURE_STORAGE_SAS_TOKEN`; all of these, and the endpoint, from `AZURE_STORAGE_CONNECTION_STRING`
/// where neither account nor endpoint is said otherwise; else the identities of Entra: a service
/// principal (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`), a workload's or a machine's.
/// `Debug` shows no secret.
///
/// ```
/// use redkeep::repo::store::{AzblobOptions, Bucket, ObjectName};
/// let options = AzblobOptions::new("backups")
///     .root(ObjectName::new("redis/prod")?)
///     .account("example")
///     .key("YSBzZWNyZXQ=");
/// assert!(!format!("{options:?}").contains("YSBzZWNyZXQ="));
/// let bucket = Bucket::azblob(&options)?;
/// assert!(!format!("{bucket:?}").contains("YSBzZWNyZXQ="));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AzblobOptions {
    /// Its name.
    pub container: String,
    /// The folder in it that is the top of the store. Default none: all of the container.
    pub root: Option<ObjectName>,
    /// The account it belongs to. Default none: by the environment.
    pub account: Option<String>,
    /// The service's URL. Default none: by the environment, else Azure's own for the account.
    pub endpoint: Option<String>,
    credential: Option<Credential>,
}

#[derive(Clone, PartialEq, Eq)]
enum Credential {
    Key(String),
    Signature(String),
}

impl fmt::Debug for AzblobOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credential = self.credential.as_ref().map(|credential| match credential {
            Credential::Key(_) => "a key",
            Credential::Signature(_) => "a signature",
        });
        f.debug_struct("AzblobOptions")
            .field("container", &self.container)
            .field("root", &self.root)
            .field("account", &self.account)
            .field("endpoint", &self.endpoint)
            .field("credential", &credential)
            .finish()
    }
}

impl AzblobOptions {
    /// The container of this name.
    #[must_use]
    pub fn new(container: impl Into<String>) -> AzblobOptions {
        let container = container.into();
        AzblobOptions { container, root: None, account: None, endpoint: None, credential: None }
    }

    /// Sets [`root`](Self::root).
    #[must_use]
    pub fn root(mut self, folder: ObjectName) -> Self {
        self.root = Some(folder);
        self
    }

    /// Sets [`account`](Self::account).
    #[must_use]
    pub fn account(mut self, name: impl Into<String>) -> Self {
        self.account = Some(name.into());
        self
    }

    /// Sets [`endpoint`](Self::endpoint).
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Sets a key of the account, in Base64 as Azure shows it; then no other credential is looked for.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.credential = Some(Credential::Key(key.into()));
        self
    }

    /// Sets a shared access signature, `sv=...&sig=...`; then no other credential is looked for. It has
    /// to allow to read, write, create, delete and list.
    #[must_use]
    pub fn signature(mut self, token: impl Into<String>) -> Self {
        self.credential = Some(Credential::Signature(token.into()));
        self
    }
}

impl Bucket {
    /// A container of Azure Blob Storage. Nothing is asked of the service yet.
    ///
    /// # Errors
    /// `Usage` where container, account or key are missing, or make no sense.
    pub fn azblob(options: &AzblobOptions) -> Result<Bucket> {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let what = format!("container {}", options.container);
        Bucket::over_http(builder(options, &what, env)?, &what)
    }
}

fn builder(
    options: &AzblobOptions,
    what: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Azblob> {
    let known = env("AZURE_STORAGE_ACCOUNT").or_else(|| env("AZURE_STORAGE_ACCOUNT_NAME"));
    let account = options.account.clone().or(known);
    let connection = env("AZURE_STORAGE_CONNECTION_STRING");
    let connection = connection.filter(|_| account.is_none() && options.endpoint.is_none());
    let mut builder = match (connection, &options.endpoint, &account) {
        (Some(text), ..) => Azblob::from_connection_string(&text)
            // Its message could show what it does not understand, and that may be a secret.
            .map_err(|_| Error::usage("AZURE_STORAGE_CONNECTION_STRING makes no sense"))?,
        (None, Some(endpoint), _) => Azblob::default().endpoint(endpoint),
        (None, None, Some(account)) => {
            Azblob::default().endpoint(&format!("https://{account}.blob.core.windows.net"))
        }
        (None, None, None) => {
            let why = "neither account nor endpoint is set, nor AZURE_STORAGE_ACCOUNT";
            return Err(Error::usage(format!("{what}: {why}")));
        }
    };
    if let Some(account) = &account {
        builder = builder.account_name(account);
    }
    let key = || env("AZURE_STORAGE_KEY").or_else(|| env("AZURE_STORAGE_ACCOUNT_KEY"));
    let signature = || env("AZURE_STORAGE_SAS_TOKEN").map(Credential::Signature);
    let credential = options.credential.clone();
    builder = match credential.or_else(|| key().map(Credential::Key)).or_else(signature) {
        Some(Credential::Key(key)) => builder.account_key(&key),
        // As portals show it, for the end of an address.
        Some(Credential::Signature(token)) => builder.sas_token(token.trim_start_matches('?')),
        None => builder,
    };
    Ok(builder.container(&options.container).root(&root(options.root.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "YSBzZWNyZXQ=";

    fn built(options: &AzblobOptions, env: &[(&str, &str)]) -> Result<String> {
        let env = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        builder(options, "container c", env).map(|builder| format!("{builder:?}"))
    }

    #[test]
    fn what_is_not_set_comes_from_the_environment() {
        let plain = AzblobOptions::new("c");
        let error = built(&plain, &[]).unwrap_err().to_string();
        assert!(error.contains("AZURE_STORAGE_ACCOUNT"), "{error}");
        let own = "https://one.blob.core.windows.net";
        for env in ["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"] {
            assert!(built(&plain, &[(env, "one")]).unwrap().contains(own));
        }
        let connection = format!(
            "DefaultEndpointsProtocol=https;AccountName=two;AccountKey={KEY};EndpointSuffix=core.windows.net"
        );
        let env = [("AZURE_STORAGE_CONNECTION_STRING", connection.as_str())];
        assert!(built(&plain, &env).unwrap().contains("https://two.blob.core.windows.net"));
        // Half of one account and half of another would be wrong.
        let set = plain.clone().account("one");
        assert!(built(&set, &env).unwrap().contains(own));
        let set = plain.clone().endpoint("http://127.0.0.1:1/three");
        assert!(built(&set, &env).unwrap().contains("http://127.0.0.1:1/three"));
        let bad = [("AZURE_STORAGE_CONNECTION_STRING", "a secret alone")];
        let error = built(&plain, &bad).unwrap_err();
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }

    #[test]
    fn a_key_that_is_none_is_no_secret_either() {
        let options = AzblobOptions::new("c").account("one").key("%not base64%");
        let error = Bucket::azblob(&options).unwrap_err();
        assert!(error.to_string().contains("account_key"), "{error}");
        assert!(!format!("{error} {error:?}").contains("%not base64%"), "{error:?}");
        assert!(Bucket::azblob(&AzblobOptions::new("").account("one")).is_err());
    }
}
