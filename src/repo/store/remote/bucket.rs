//! Which service, and where in it.

#[cfg(any(feature = "s3", feature = "azblob", feature = "swift", feature = "gcs"))]
use crate::error::{Error, Result};
use opendal::Operator;
use std::fmt;

/// A place in a service: one that is made here, or any operator of opendal 0.59.
///
/// An operator that comes ready keeps its layers; timeouts, retries and limits by
/// [`RemoteOptions`](super::RemoteOptions) are put around them. Only services that make an object visible
/// as a whole keep what stores promise: S3, GCS, Azure Blob and Swift do; a plain file system, SFTP and
/// WebDAV, as opendal has them, do not. Where the service knows no `if-none-match` (Swift), the store looks before it puts, and
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

#[cfg(any(feature = "s3", feature = "azblob", feature = "swift", feature = "gcs"))]
impl Bucket {
    /// What a builder of opendal makes, reached over HTTP; `what` names it in errors.
    pub(super) fn over_http(builder: impl opendal::Builder, what: &str) -> Result<Bucket> {
        let operator = Operator::new(builder)
            .map_err(|error| Error::usage(format!("{what}: {}", error.message())))?;
        super::http::over_http(operator).map(Bucket)
    }
}

/// The folder that is the top of a store, as opendal wants it.
#[cfg(any(feature = "s3", feature = "azblob", feature = "swift", feature = "gcs"))]
pub(super) fn root(folder: Option<&crate::repo::store::ObjectName>) -> String {
    folder.map_or("/".to_owned(), |folder| format!("/{folder}"))
}
