//! Places far away, as people write them; logins come from the environment, as each service's users expect.

use crate::error::{Error, Result};
#[cfg(feature = "opendal-http")]
use crate::repo::store::{Bucket, ObjectName, OpendalStore};
use crate::repo::store::{RemoteOptions, Store};
use std::sync::OnceLock;
use tokio::runtime::{Builder, Handle, Runtime};

/// Lives as long as the process: a store may be used until its end.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

fn runtime() -> Result<Handle> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle().clone());
    }
    let made = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| made).handle().clone())
}

/// `BUCKET` or `BUCKET/FOLDER`.
#[cfg(feature = "opendal-http")]
fn halves(place: &str) -> Result<(&str, Option<ObjectName>)> {
    let (bucket, root) = place.split_once('/').unwrap_or((place, ""));
    if bucket.is_empty() {
        return Err(Error::usage("a place far away needs the name of a bucket or container"));
    }
    let root = root.trim_end_matches('/');
    Ok((bucket, (!root.is_empty()).then(|| ObjectName::new(root)).transpose()?))
}

#[cfg(feature = "opendal-http")]
fn in_bucket(bucket: Bucket) -> Result<Box<dyn Store>> {
    Ok(Box::new(OpendalStore::new(bucket, runtime()?, &RemoteOptions::default())))
}

macro_rules! buckets {
    ($($feature:literal $name:ident $options:ident,)*) => {$(
        #[cfg(feature = $feature)]
        pub(crate) fn $name(place: &str) -> Result<Box<dyn Store>> {
            use crate::repo::store::$options;
            let (bucket, root) = halves(place)?;
            let options = $options::new(bucket);
            let options = match root {
                Some(root) => options.root(root),
                None => options,
            };
            in_bucket(Bucket::$name(&options)?)
        }
    )*};
}
buckets! {
    "s3" s3 S3Options,
    "azblob" azblob AzblobOptions,
    "swift" swift SwiftOptions,
    "gcs" gcs GcsOptions,
}

/// `[USER@]HOST[:PORT]/FOLDER`, from the top of that machine; `/~/FOLDER` from the user's own folder.
#[cfg(feature = "sftp")]
pub(crate) fn sftp(place: &str) -> Result<Box<dyn Store>> {
    use crate::repo::store::{SftpOptions, SftpStore};
    let wrong = || Error::usage("not like sftp://USER@HOST/FOLDER");
    let (host, folder) = place.split_once('/').ok_or_else(wrong)?;
    let folder = match folder.strip_prefix("~/") {
        Some(own) => own.to_owned(),
        None => format!("/{folder}"),
    };
    let (user, host) = match host.split_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, host),
    };
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
        None => (host, None),
    };
    if host.is_empty() {
        return Err(wrong());
    }
    let mut options = SftpOptions::new(host, folder);
    if let Some(user) = user {
        options = options.user(user);
    }
    if let Some(port) = port {
        options = options.port(port);
    }
    Ok(Box::new(SftpStore::new(options, runtime()?, &RemoteOptions::default())))
}
