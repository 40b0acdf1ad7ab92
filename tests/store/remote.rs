//! Stores through operators of opendal, and the runtime that drives them.

use crate::runtime::runtime;
use crate::{conforms, name};
use redkeep::Fault;
use redkeep::repo::store::{
    Bucket, ConformanceOptions, IfExists, OpendalStore, RemoteOptions, Store,
};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

fn memory() -> Bucket {
    opendal::Operator::new(opendal::services::Memory::default()).unwrap().into()
}

/// The service in memory cannot refuse to replace, so the store looks first.
#[test]
fn an_operator_of_ones_own_keeps_every_promise_that_its_service_can() {
    let runtime = runtime();
    let options = RemoteOptions::default().part(1 << 20);
    let store = OpendalStore::new(memory(), runtime.handle().clone(), &options);
    let exclusive = opendal::Operator::new(opendal::services::Memory::default())
        .unwrap()
        .info()
        .capability()
        .write_with_if_not_exists;
    conforms(&store, &ConformanceOptions::default().exclusive(exclusive));
    assert_eq!(store.largest_object(), None);
}

#[test]
fn objects_that_go_in_one_request_are_held_to_their_limit() {
    let runtime = runtime();
    let options = RemoteOptions::default().one_request(13 << 20);
    let store = OpendalStore::new(memory(), runtime.handle().clone(), &options);
    conforms(&store, &ConformanceOptions::default().exclusive(false).big(13 << 20));
    assert_eq!(store.largest_object(), Some(13 << 20));
    let mut writer = store.writer(&name("big"), IfExists::Refuse).unwrap();
    writer.write_all(&vec![1; 13 << 20]).unwrap();
    let error = redkeep::Error::from(writer.write_all(b"x").unwrap_err());
    assert_eq!(error.fault(), Some(Fault::ObjectBig));
    drop(writer);
    assert_eq!(store.list(None).unwrap(), []);
}

#[test]
fn a_runtime_that_does_not_run_is_an_error_and_no_panic() {
    let options = RemoteOptions::default().timeout(Duration::from_millis(200));
    // Nobody drives this one.
    let idle = Builder::new_current_thread().enable_all().build().unwrap();
    let store = OpendalStore::new(memory(), idle.handle().clone(), &options);
    let begun = Instant::now();
    let error = store.stat(&name("a")).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::StoreFailed));
    assert!(error.to_string().contains("spawn_blocking"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Its only thread is the one that waits here.
    let told = idle.block_on(async { store.list(None).unwrap_err().to_string() });
    assert!(told.contains("spawn_blocking"), "{told}");

    let runtime = runtime();
    let store = OpendalStore::new(memory(), runtime.handle().clone(), &RemoteOptions::default());
    let task = store.clone();
    let inside =
        runtime.handle().spawn_blocking(move || task.put(&name("a"), b"1", IfExists::Refuse));
    runtime.block_on(inside).unwrap().unwrap();
    runtime.block_on(async { assert_eq!(store.stat(&name("a")).unwrap(), Some(1)) });
    let mut writer = store.writer(&name("b"), IfExists::Refuse).unwrap();
    writer.write_all(b"1").unwrap();
    runtime.shutdown_timeout(Duration::from_secs(5));
    let error = writer.commit().unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
    assert_eq!(store.get(&name("a"), 10).unwrap_err().fault(), Some(Fault::StoreFailed));
}
