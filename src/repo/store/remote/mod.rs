//! Objects in services far away, through opendal.

#[cfg(feature = "azblob")]
mod azblob;
mod bucket;
#[cfg(feature = "opendal-http")]
mod http;
mod options;
#[cfg(feature = "s3")]
mod s3;
mod store;
mod wait;

#[cfg(feature = "azblob")]
pub use azblob::AzblobOptions;
pub use bucket::Bucket;
pub use options::RemoteOptions;
#[cfg(feature = "s3")]
pub use s3::S3Options;
pub use store::OpendalStore;
