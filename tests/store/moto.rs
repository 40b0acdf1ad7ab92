//! S3 as moto does it.

use crate::component::{Running, ask, folder, free_port, until};
use crate::runtime::runtime;
use crate::{conforms, name};
use redkeep::repo::store::{
    Bucket, ConformanceOptions, IfExists, OpendalStore, RemoteOptions, S3Options, Store,
};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Moto {
    _running: Running,
    port: u16,
}

impl Moto {
    /// Starts it with an empty bucket of this name.
    fn start(bucket: &str) -> Moto {
        let port = free_port();
        let place = ["-H", "127.0.0.1", "-p", &port.to_string()];
        let _running = Running::start(&folder("moto").join("server"), &place);
        until("moto", || {
            let made = ask(port, &format!("PUT /{bucket}"), &[]);
            made.is_some_and(|(head, _)| head.contains(" 200 "))
        });
        Moto { _running, port }
    }

    fn bucket(&self, bucket: &str) -> S3Options {
        S3Options::new(bucket)
            .endpoint(format!("http://127.0.0.1:{}", self.port))
            .credentials("testing", "testing")
    }
}

#[test]
#[ignore = "needs moto, which tests/run gets"]
fn a_bucket_keeps_every_promise() {
    let (moto, runtime) = (Moto::start("backups"), runtime());
    let bucket = |options: S3Options| {
        let bucket = Bucket::s3(&options).unwrap();
        OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default())
    };
    let store = bucket(moto.bucket("backups").root(name("redis/prod")));
    // moto looks first and puts then, so that of several at once more than one may win.
    conforms(&store, &ConformanceOptions::default().exclusive(false));
    store.put(&name("a/b"), b"1", IfExists::Refuse).unwrap();
    let whole = bucket(moto.bucket("backups"));
    let listed = whole.list(None).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, name("redis/prod/a/b"));
    assert_eq!(whole.get(&listed[0].name, 10).unwrap(), b"1");
    // Nothing of streams that were dropped stays, where it would be paid for and not seen.
    let (status, uploads) = ask(moto.port, "GET /backups?uploads", &[]).unwrap();
    assert!(status.contains(" 200 ") && uploads.contains("ListMultipartUploadsResult"), "{status}");
    assert!(!uploads.contains("<UploadId>"), "{uploads}");
}

#[test]
#[ignore = "needs moto, which tests/run gets"]
fn one_request_at_a_time_is_enough() {
    let (moto, runtime) = (Moto::start("backups"), runtime());
    let bucket = Bucket::s3(&moto.bucket("backups")).unwrap();
    let options =
        RemoteOptions::default().requests(1).part(5 << 20).timeout(Duration::from_secs(5));
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &options);
    conforms(&store, &ConformanceOptions::default().writers(4).exclusive(false));
}

/// A way to a port on which every third connection is cut: after some bytes of a request, or, in turn,
/// after all of it and before its answer.
fn flaky(port: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = cuts.clone();
    std::thread::spawn(move || {
        for (at, client) in listener.incoming().enumerate() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else {
                return;
            };
            let cut = at % 3 == 2;
            if cut {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            let upward = if cut && at % 2 == 0 { 100_000 } else { u64::MAX };
            let downward = if cut && at % 2 == 1 { 0 } else { u64::MAX };
            for (from, to, most) in [(&client, &server, upward), (&server, &client, downward)] {
                let (from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || {
                    let mut from = from;
                    if most == 0 {
                        // Until it begins to answer: then it has done what it was asked.
                        let _ = from.read(&mut [0]);
                    } else {
                        let _ = std::io::copy(&mut (&from).take(most), &mut to);
                    }
                    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                });
            }
        }
    });
    (own, cuts)
}

#[test]
#[ignore = "needs moto, which tests/run gets"]
fn connections_that_are_cut_lose_nothing() {
    let (moto, runtime) = (Moto::start("backups"), runtime());
    let (port, cuts) = flaky(moto.port);
    let options = moto.bucket("backups").endpoint(format!("http://127.0.0.1:{port}"));
    let remote = RemoteOptions::default().part(5 << 20).pause(Duration::from_millis(1)).retries(6);
    let bucket = Bucket::s3(&options).unwrap();
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &remote);
    for round in 0..6u8 {
        let (big, small) = (name(&format!("big-{round}")), name(&format!("small-{round}")));
        let bytes: Vec<u8> = (0..23u32 << 20)
            .map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()[0] ^ round)
            .collect();
        let mut writer = store.writer(&big, IfExists::Replace).unwrap();
        bytes.chunks(1 << 20).for_each(|piece| writer.write_all(piece).unwrap());
        writer.commit().unwrap();
        store.put(&small, b"small", IfExists::Replace).unwrap();
        assert!(store.get(&big, 1 << 30).unwrap() == bytes, "round {round}");
        assert_eq!(store.get(&small, 10).unwrap(), b"small");
        assert_eq!(store.list(None).unwrap().len(), 2);
        store.delete(&big).unwrap();
        store.delete(&small).unwrap();
    }
    assert!(cuts.load(Ordering::Relaxed) >= 6, "{cuts:?}");
}

#[test]
#[ignore = "needs moto, which tests/run gets"]
fn a_list_longer_than_a_page_is_whole() {
    let (moto, runtime) = (Moto::start("many"), runtime());
    let bucket = Bucket::s3(&moto.bucket("many")).unwrap();
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..260 {
                    let object = name(&format!("b/{:04}", n * 4 + thread));
                    store.put(&object, b"1", IfExists::Replace).unwrap();
                }
            });
        }
    });
    let listed = store.list(Some(&name("b"))).unwrap();
    assert_eq!(listed.len(), 1040);
    assert_eq!(listed[1039].name, name("b/1039"));
}

#[test]
#[ignore = "needs moto, which tests/run gets"]
fn a_bucket_that_is_not_there_is_not_empty() {
    let (moto, runtime) = (Moto::start("backups"), runtime());
    let bucket = Bucket::s3(&moto.bucket("other")).unwrap();
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default());
    assert!(store.list(None).is_err());
    assert!(store.put(&name("a"), b"1", IfExists::Refuse).is_err());
}

#[cfg(feature = "live")]
#[test]
#[ignore = "needs moto and a real server, which tests/run gets"]
fn backups_come_back() {
    let (moto, runtime) = (Moto::start("backups"), runtime());
    let bucket = Bucket::s3(&moto.bucket("backups").root(name("redis/prod"))).unwrap();
    let options = RemoteOptions::default();
    crate::backups::come_back(OpendalStore::new(bucket, runtime.handle().clone(), &options));
}
