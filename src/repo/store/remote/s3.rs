//! S3, and what speaks its language.

use crate::error::Result;
use crate::repo::store::ObjectName;
use crate::repo::store::remote::Bucket;
use crate::repo::store::remote::bucket::root;
use opendal::services;
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
        let mut builder =
            services::S3::default().bucket(&options.bucket).root(&root(options.root.as_ref()));
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
        Bucket::over_http(builder, &format!("bucket {}", options.bucket))
    }
}
