//! Objects in services far away.

#[cfg(feature = "azblob")]
mod azblob;
#[cfg(feature = "opendal")]
mod bucket;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(any(feature = "s3", feature = "azblob", feature = "swift", feature = "gcs"))]
mod http;
mod options;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "sftp")]
mod sftp;
#[cfg(feature = "opendal")]
mod store;
#[cfg(feature = "swift")]
mod swift;
mod wait;

#[cfg(feature = "azblob")]
pub use azblob::AzblobOptions;
#[cfg(feature = "opendal")]
pub use bucket::Bucket;
#[cfg(feature = "gcs")]
pub use gcs::GcsOptions;
pub use options::RemoteOptions;
#[cfg(feature = "s3")]
pub use s3::S3Options;
#[cfg(feature = "sftp")]
pub use sftp::{SftpOptions, SftpStore};
#[cfg(feature = "opendal")]
pub use store::OpendalStore;
#[cfg(feature = "swift")]
pub use swift::SwiftOptions;
