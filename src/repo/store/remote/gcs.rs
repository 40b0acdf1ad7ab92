//! Google Cloud Storage.

use crate::error::Result;
use crate::repo::store::ObjectName;
use crate::repo::store::remote::Bucket;
use crate::repo::store::remote::bucket::root;
use opendal::services::Gcs;
use std::fmt;
use std::path::PathBuf;

/// A bucket of Google Cloud Storage.
///
/// **This was never tried against Google's service, nor against anything that does as it does**: what
/// was seen is that requests go out as they should and that answers are understood. Hold a store in a bucket
/// of yours to its promises with [`conformance`](crate::repo::store::conformance) before you rely on it.
///
/// What is not set comes from where users of Google's cloud expect it: the file that
/// `GOOGLE_APPLICATION_CREDENTIALS` names, what `gcloud auth application-default login` left, or the
/// account of the machine. `Debug` shows no secret.
///
/// ```
/// use redkeep::repo::store::{Bucket, GcsOptions, ObjectName};
/// let options = GcsOptions::new("backups")
///     .root(ObjectName::new("redis/prod")?)
///     .credential_file("/etc/redkeep/account.json");
/// assert!(format!("{:?}", Bucket::gcs(&options)?).contains("backups"));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcsOptions {
    /// Its name.
    pub bucket: String,
    /// The folder in it that is the top of the store. Default none: all of the bucket.
    pub root: Option<ObjectName>,
    /// The service's URL. Default none: Google's own.
    pub endpoint: Option<String>,
    /// A file with the key of a service account, or another credential, as Google gives them. Default
    /// none: by the environment.
    pub credential_file: Option<PathBuf>,
    token: Option<String>,
}

impl fmt::Debug for GcsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsOptions")
            .field("bucket", &self.bucket)
            .field("root", &self.root)
            .field("endpoint", &self.endpoint)
            .field("credential_file", &self.credential_file)
            .field("token", &self.token.as_ref().map(|_| "set"))
            .finish()
    }
}

impl GcsOptions {
    /// The bucket of this name.
    #[must_use]
    pub fn new(bucket: impl Into<String>) -> GcsOptions {
        let bucket = bucket.into();
        GcsOptions { bucket, root: None, endpoint: None, credential_file: None, token: None }
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

    /// Sets [`credential_file`](Self::credential_file).
    #[must_use]
    pub fn credential_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credential_file = Some(path.into());
        self
    }

    /// Sets an access token, as `gcloud auth print-access-token` prints them; then no other credential is
    /// looked for. It lasts an hour or so.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

impl Bucket {
    /// A bucket of Google Cloud Storage. Nothing is asked of the service yet.
    ///
    /// # Errors
    /// `Usage` where the bucket is missing, or makes no sense.
    pub fn gcs(options: &GcsOptions) -> Result<Bucket> {
        let mut builder = Gcs::default().bucket(&options.bucket).root(&root(options.root.as_ref()));
        if let Some(endpoint) = &options.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if let Some(file) = &options.credential_file {
            builder = builder.credential_path(&file.display().to_string());
        }
        if let Some(token) = &options.token {
            builder = builder.token(token.clone());
        }
        Bucket::over_http(builder, &format!("bucket {}", options.bucket))
    }
}
