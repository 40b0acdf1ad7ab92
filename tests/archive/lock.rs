//! Two who write to one stream.

use crate::{NOON, at, data, put};
use redkeep::repo::store::MemoryStore;
use redkeep::repo::{Archive, Lock, LockOptions, StreamName};
use redkeep::task::{BackupOptions, backup_watched};
use redkeep::{Fault, UnixMillis};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

#[test]
fn of_many_who_want_a_stream_at_once_one_has_it() {
    for round in 0..50 {
        let archive = Archive::create(MemoryStore::new()).unwrap();
        let main = StreamName::default();
        if round % 2 == 0 {
            // One that was killed left its own.
            std::mem::forget(Lock::take(
                &archive,
                &main,
                &LockOptions::default(),
                UnixMillis::new(0),
            ));
        }
        let now = UnixMillis::new(NOON);
        let held: Vec<_> = std::thread::scope(|scope| {
            let take = || Lock::take(&archive, &main, &LockOptions::default(), now);
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(held.iter().filter(|lock| lock.is_ok()).count(), 1);
        for error in held.iter().filter_map(|lock| lock.as_ref().err()) {
            assert!(error.is_retryable() && error.fault() == Some(Fault::LockHeld), "{error}");
        }
    }
}

#[test]
fn whoever_was_silent_for_too_long_has_lost_the_stream() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let dump = data("redis-7.0.15/default/dump.rdb");
    let options = BackupOptions::default();
    let mut others = 0;
    let error = backup_watched(&archive, &dump[..], None, &at(NOON), &options, &mut |_| {
        if others == 0 {
            // By the clock of somebody else the lease is over.
            put(&archive, &dump, NOON + 3_600_000, &options).unwrap();
        }
        others += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(error.unwrap_err().fault(), Some(Fault::LockLost));
    let main = StreamName::default();
    assert_eq!(archive.backups(&main).unwrap().len(), 1);
    assert_eq!(
        archive.backup(&main, archive.backups(&main).unwrap()[0].id).unwrap().manifest().started_at,
        UnixMillis::new(NOON + 3_600_000)
    );
}

#[test]
fn backups_of_one_stream_wait_for_each_other_and_of_two_do_not() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let dump = Arc::new(data("redis-7.0.15/default/dump.rdb"));
    let other = BackupOptions::default().stream(StreamName::new("other").unwrap());
    let mut looked = false;
    let main = BackupOptions::default();
    backup_watched(&archive, &dump[..], None, &at(NOON), &main, &mut |_| {
        if !looked {
            let error = put(&archive, &dump, NOON, &main).unwrap_err();
            assert_eq!(error.fault(), Some(Fault::LockHeld));
            assert!(error.to_string().contains("redkeep"), "{error}");
            assert!(put(&archive, &dump, NOON, &other).unwrap().is_sound());
        }
        looked = true;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(looked && put(&archive, &dump, NOON, &main).unwrap().is_sound());
}

#[test]
fn a_lock_lives_as_long_as_its_holder_says_so() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let main = StreamName::default();
    let clock = AtomicI64::new(NOON);
    let options = LockOptions::default().owner("a").lease(Duration::from_secs(60));
    let mut lock = Lock::take(&archive, &main, &options, UnixMillis::new(NOON)).unwrap();
    for _ in 0..20 {
        let now = UnixMillis::new(clock.fetch_add(25_000, Ordering::Relaxed));
        lock.keep(now).unwrap();
        assert!(Lock::take(&archive, &main, &options, now).is_err());
    }
    let later = UnixMillis::new(clock.load(Ordering::Relaxed) + 100_000);
    let next = Lock::take(&archive, &main, &options, later).unwrap();
    assert_eq!(lock.look().unwrap_err().fault(), Some(Fault::LockLost));
    assert_eq!(lock.keep(later).unwrap_err().fault(), Some(Fault::LockLost));
    drop(lock);
    next.look().unwrap();
}
