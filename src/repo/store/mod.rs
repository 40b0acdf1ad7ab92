//! Where the objects of an archive are kept: a folder, memory, or a service far away.
//!
//! A [`Store`] is small on purpose. It puts an object in one piece or as a stream, gives back all of
//! one or a range, says which there are, and deletes. Two things it promises make an archive safe:
//!
//! - An object is there whole or not at all. A stream is seen by nobody before its
//!   [`commit`](ObjectWriter::commit), and dropped before that nothing of it stays.
//! - What is there is not overwritten, unless [`IfExists::Replace`] says so. Of several who put one
//!   name at once, one succeeds.
//!
//! | store | objects are | |
//! |---|---|---|
//! | [`LocalStore`] | files below a folder | synced before they get their names |
//! | [`MemoryStore`] | in memory | for tests, and for trying out |
//! | `OpendalStore` | in a service, with feature `opendal`, `s3`, `azblob`, `swift` or `gcs` | retries, timeouts, limits |
//! | `SftpStore` | files of a machine reached by SSH, with feature `sftp` | needs the program `ssh` |
//! | [`FaultStore`] | those of another store | fails where it was told to, for tests |
//!
//! All calls block. [`conformance`] tells whether a store of one's own keeps the promises; the ones
//! above go through the same.
//!
//! Errors say by their [`fault`](crate::Error::fault) what happened: `ObjectMissing`, `ObjectExists`,
//! `ObjectFolder`, `StoreDenied`, `StoreUnavailable` (which
//! [`is_retryable`](crate::Error::is_retryable)) or `StoreFailed`. After a retryable error of a call
//! that changes something nobody knows whether it was done: look.
//!
//! ```
//! use redkeep::Fault;
//! use redkeep::repo::store::{IfExists, MemoryStore, ObjectName, Store};
//! use std::io::Write;
//!
//! let store = MemoryStore::new();
//! let name = ObjectName::new("prod/20261120T020000Z/manifest.json")?;
//! let mut writer = store.writer(&name, IfExists::Refuse)?;
//! writer.write_all(b"{}")?;
//! assert!(store.stat(&name)?.is_none());
//! writer.commit()?;
//! assert_eq!(store.get(&name, 1 << 20)?, b"{}");
//!
//! let error = store.put(&name, b"{\"other\":1}", IfExists::Refuse).unwrap_err();
//! assert_eq!(error.fault(), Some(Fault::ObjectExists));
//! # Ok::<(), redkeep::Error>(())
//! ```

mod conformance;
mod contract;
mod fault;
mod local;
mod memory;
mod name;
#[cfg(any(feature = "opendal", feature = "sftp"))]
mod remote;

pub use conformance::{Breach, ConformanceOptions, conformance};
pub use contract::{IfExists, Object, ObjectWriter, Store};
pub use fault::{Call, FaultStore, Operation, Trouble};
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use name::ObjectName;
#[cfg(feature = "azblob")]
pub use remote::AzblobOptions;
#[cfg(feature = "gcs")]
pub use remote::GcsOptions;
#[cfg(any(feature = "opendal", feature = "sftp"))]
pub use remote::RemoteOptions;
#[cfg(feature = "s3")]
pub use remote::S3Options;
#[cfg(feature = "swift")]
pub use remote::SwiftOptions;
#[cfg(feature = "opendal")]
pub use remote::{Bucket, OpendalStore};
#[cfg(feature = "sftp")]
pub use remote::{SftpOptions, SftpStore};
