//! Objects in services far away, through opendal.

mod bucket;
#[cfg(feature = "s3")]
mod http;
mod options;
mod store;
mod wait;

pub use bucket::Bucket;
#[cfg(feature = "s3")]
pub use bucket::S3Options;
pub use options::RemoteOptions;
pub use store::OpendalStore;
