//! Stores keep what they are given, whole, and never over something else.

#![cfg(feature = "repo")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "store/alike.rs"]
mod alike;
#[cfg(feature = "azblob")]
#[path = "store/azurite.rs"]
mod azurite;
#[cfg(all(
    feature = "live",
    any(feature = "s3", feature = "azblob", feature = "swift", feature = "sftp")
))]
#[path = "store/backups.rs"]
mod backups;
#[cfg(all(
    feature = "live",
    any(feature = "s3", feature = "azblob", feature = "swift", feature = "sftp")
))]
#[path = "common/clock.rs"]
mod clock;
#[cfg(any(feature = "s3", feature = "azblob", feature = "swift", feature = "sftp"))]
#[path = "store/component.rs"]
mod component;
#[path = "store/crash.rs"]
mod crash;
#[path = "store/faults.rs"]
mod faults;
#[cfg(feature = "gcs")]
#[path = "store/gcs.rs"]
mod gcs;
#[path = "store/local.rs"]
mod local;
#[cfg(feature = "s3")]
#[path = "store/moto.rs"]
mod moto;
#[cfg(feature = "swift")]
#[path = "store/openstack.rs"]
mod openstack;
#[cfg(feature = "opendal")]
#[path = "store/remote.rs"]
mod remote;
#[cfg(any(feature = "opendal", feature = "sftp"))]
#[path = "store/runtime.rs"]
mod runtime;
#[cfg(feature = "s3")]
#[path = "store/s3.rs"]
mod s3;
#[cfg(all(
    feature = "live",
    any(feature = "s3", feature = "azblob", feature = "swift", feature = "sftp")
))]
#[path = "common/seal_laws.rs"]
mod seal_laws;
#[cfg(all(
    feature = "live",
    any(feature = "s3", feature = "azblob", feature = "swift", feature = "sftp")
))]
#[path = "common/servers.rs"]
mod servers;
#[cfg(feature = "sftp")]
#[path = "store/sshd.rs"]
mod sshd;

use redkeep::repo::store::{
    ConformanceOptions, FaultStore, MemoryStore, ObjectName, Store, conformance,
};

fn name(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}

/// That a store keeps every promise, and is left empty.
fn conforms(store: &dyn Store, options: &ConformanceOptions) {
    for folder in ["try", "deeper/still/try"] {
        let breaches = conformance(store, &name(folder), options);
        let breaches: Vec<_> = breaches.iter().map(ToString::to_string).collect();
        assert!(breaches.is_empty(), "in {folder}: {breaches:#?}");
    }
    assert_eq!(store.list(None).unwrap(), []);
}

#[test]
fn a_store_in_memory_keeps_every_promise() {
    conforms(&MemoryStore::new(), &ConformanceOptions::default());
}

#[test]
fn a_store_that_is_not_told_to_fail_keeps_every_promise() {
    conforms(&FaultStore::new(MemoryStore::new()), &ConformanceOptions::default());
}
