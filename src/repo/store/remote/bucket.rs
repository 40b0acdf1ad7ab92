//! Which service, and where in it.

use opendal::Operator;
use std::fmt;

/// A place in a service: one that is made here, or any operator of opendal 0.59.
///
/// An operator that comes ready keeps its layers; timeouts, retries and limits by
/// [`RemoteOptions`](super::RemoteOptions) are put around them. Only services that make an object visible
/// as a whole keep what stores promise: S3, GCS, Azure Blob and Swift do; a plain file system, SFTP and
/// WebDAV do not. Where the service knows no `if-none-match` (Swift), the store looks before it puts, and
/// of two who do that at once both may succeed.
///
/// ```
/// use redkeep::repo::store::Bucket;
/// let operator = opendal::Operator::new(opendal::services::Memory::default())?;
/// let bucket = Bucket::from(operator);
/// assert!(format!("{bucket:?}").contains("memory"));
/// # Ok::<(), opendal::Error>(())
/// ```
#[derive(Clone)]
pub struct Bucket(pub(super) Operator);

impl From<Operator> for Bucket {
    fn from(operator: Operator) -> Bucket {
        Bucket(operator)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.0.info();
        let mut shown = f.debug_struct("Bucket");
        shown.field("service", &info.scheme()).field("name", &info.name());
        shown.field("root", &info.root()).finish()
    }
}

#[cfg(feature = "s3")]
pub use s3::S3Options;

#[cfg(feature = "s3")]
mod s3 {
    use super::Bucket;
    use crate::error::{Error, Result};
    use crate::repo::store::ObjectName;
    use crate::repo::store::remote::http::over_http;
    use opendal::{Operator, services};
    use std::fmt;

    /// A bucket of S3, or of a service that speaks its language.
    ///
    /// What is not set comes from where users of S3 expect it: `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY`, profiles, web identities and the roles of machines; `AWS_REGION`;
    /// `AWS_ENDPOINT_URL`. `Debug` shows no secret.
    ///
    /// ```
    /// use redkeep::repo::store::{Bucket, ObjectName, S3Options};
    /// let options = S3Options::new("backups")
    ///     .root(ObjectName::new("redis/prod")?)
    ///     .region("eu-central-1")
    ///     .credentials("AKIDEXAMPLE", "a secret");
    /// assert!(!format!("{options:?}").contains("a secret"));
    /// let bucket = Bucket::s3(&options)?;
    /// assert!(!format!("{bucket:?}").contains("a secret"));
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    #[derive(Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct S3Options {
        /// Its name.
        pub bucket: String,
        /// The folder in it that is the top of the store. Default none: all of the bucket.
        pub root: Option<ObjectName>,
        /// The service's URL. Default none: by the environment, else Amazon's own.
        pub endpoint: Option<String>,
        /// The region. Default none: by the environment; where an endpoint is set, `us-east-1`.
        pub region: Option<String>,
        credentials: Option<(String, String)>,
    }

    impl fmt::Debug for S3Options {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("S3Options")
                .field("bucket", &self.bucket)
                .field("root", &self.root)
                .field("endpoint", &self.endpoint)
                .field("region", &self.region)
                .field("credentials", &self.credentials.as_ref().map(|_| "set"))
                .finish()
        }
    }

    impl S3Options {
        /// The bucket of this name.
        #[must_use]
        pub fn new(bucket: impl Into<String>) -> S3Options {
            let bucket = bucket.into();
            S3Options { bucket, root: None, endpoint: None, region: None, credentials: None }
        }

        /// Sets [`root`](Self::root).
        #[must_use]
        pub fn root(mut self, folder: ObjectName) -> Self {
            self.root = Some(folder);
            self
        }

        /// Sets [`endpoint`](Self::endpoint).
        #[must_use]
        pub fn endpoint(mut self, url: impl Into<String>) -> Self {
            self.endpoint = Some(url.into());
            self
        }

        /// Sets [`region`](Self::region).
        #[must_use]
        pub fn region(mut self, region: impl Into<String>) -> Self {
            self.region = Some(region.into());
            self
        }

        /// Sets an access key by its id and its secret; then no other is looked for.
        #[must_use]
        pub fn credentials(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
            self.credentials = Some((id.into(), secret.into()));
            self
        }
    }

    impl Bucket {
        /// A bucket of S3. Nothing is asked of the service yet.
        ///
        /// # Errors
        /// `Usage` where bucket or region are missing, or make no sense.
        pub fn s3(options: &S3Options) -> Result<Bucket> {
            let mut builder = services::S3::default().bucket(&options.bucket);
            if let Some(root) = &options.root {
                builder = builder.root(&format!("/{root}"));
            }
            if let Some(endpoint) = &options.endpoint {
                builder = builder.endpoint(endpoint);
            }
            let usual = options.endpoint.as_ref().map(|_| "us-east-1");
            if let Some(region) = options.region.as_deref().or(usual) {
                builder = builder.region(region);
            }
            if let Some((id, secret)) = &options.credentials {
                builder = builder.access_key_id(id).secret_access_key(secret).disable_config_load();
            }
            let operator = Operator::new(builder).map_err(|error| {
                Error::usage(format!("bucket {}: {}", options.bucket, error.message()))
            })?;
            over_http(operator).map(Bucket)
        }
    }
}
