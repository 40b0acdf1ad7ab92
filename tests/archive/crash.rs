//! A store that fails at any call, and a writer that is killed at any.

use crate::{NOON, data, fetched, put, seal_laws};
use redkeep::repo::store::{FaultStore, MemoryStore, Trouble};
use redkeep::repo::{Archive, Pick, StreamName, VerifyLevel};
use redkeep::task::{BackupOptions, SealChoice, VerifyOptions, verify};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Two volumes and more.
fn options() -> BackupOptions {
    BackupOptions::default().seal(SealChoice::default().volume(40_000).threads(1))
}

/// Every backup that is listed can be read and holds what it should.
fn sound(store: &Arc<MemoryStore>, dump: &[u8], call: usize) -> usize {
    let archive = Archive::open(Arc::clone(store)).unwrap();
    let main = StreamName::default();
    let backups = archive.backups(&main).unwrap();
    for listed in &backups {
        let options = VerifyOptions::default().level(VerifyLevel::Meaning).keep(false);
        let certificate =
            verify(&archive, &main, listed.id, &crate::at(NOON), &options, &mut |_, _| {
                ControlFlow::Continue(())
            });
        let certificate = certificate.unwrap();
        assert!(certificate.passed(), "call {call}: {:?}", certificate.problems);
        assert!(fetched(&archive, &Pick::Id(listed.id)).unwrap() == dump, "call {call}");
    }
    backups.len()
}

fn each_call(trouble: Trouble) -> (usize, usize) {
    let dump = data("redis-7.0.15/default/dump.rdb");
    let (mut old, mut new) = (0, 0);
    for call in 0.. {
        let store = Arc::new(MemoryStore::new());
        let archive = Archive::create(Arc::clone(&store)).unwrap();
        put(&archive, &dump, NOON, &options()).unwrap();
        let faulty = Arc::new(FaultStore::new(Arc::clone(&store)));
        let troubled = Archive::open(Arc::clone(&faulty)).unwrap();
        let before = faulty.calls().len();
        faulty.fail(before + call, trouble);
        let outcome = put(&troubled, &dump, NOON + 60_000, &options());
        let reached = faulty.calls().len() > before + call;
        drop(troubled);
        let there = sound(&store, &dump, call);
        match &outcome {
            Ok(_) => assert_eq!(there, 2, "call {call}: it says that it is there"),
            Err(error) => {
                // Of the manifest itself it may not be known; what is there is whole all the same.
                let unknown = error.is_retryable() || trouble == Trouble::Dead;
                assert!(there == 1 || unknown, "call {call}: {error}");
            }
        }
        (old, new) = (old + usize::from(there == 1), new + usize::from(there == 2));
        // Whoever comes next, once the lease is over, is not kept from anything.
        let next =
            put(&Archive::open(Arc::clone(&store)).unwrap(), &dump, NOON + 7_200_000, &options());
        assert!(next.unwrap().is_sound(), "call {call}");
        assert_eq!(sound(&store, &dump, call), there + 1);
        if !reached {
            assert!(outcome.unwrap().is_sound());
            break;
        }
    }
    (old, new)
}

#[test]
fn whichever_call_fails_there_is_the_old_or_the_new() {
    for trouble in [Trouble::Unavailable, Trouble::Denied] {
        let (old, new) = each_call(trouble);
        assert!(old > 10 && new >= 1, "{trouble:?}: {old} old, {new} new");
    }
}

#[test]
fn an_answer_that_is_lost_does_no_harm() {
    let (old, new) = each_call(Trouble::LostAnswer);
    assert!(old + new > 15 && new >= 3, "{old} old, {new} new");
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_or_the_new() {
    let (old, new) = each_call(Trouble::Dead);
    assert!(old > 10 && new >= 2, "{old} old, {new} new");
}

/// A store that breaks its promises is found out by who reads.
#[test]
fn what_a_store_lost_in_silence_is_told() {
    let dump = data("redis-7.0.15/default/dump.rdb");
    let mut told = 0;
    for call in 0.. {
        let store = Arc::new(MemoryStore::new());
        Archive::create(Arc::clone(&store)).unwrap();
        let faulty = Arc::new(FaultStore::new(Arc::clone(&store)));
        let archive = Archive::open(Arc::clone(&faulty)).unwrap();
        let before = faulty.calls().len();
        faulty.fail(before + call, Trouble::Short(10));
        let outcome = put(&archive, &dump, NOON, &options());
        if faulty.calls().len() <= before + call {
            break;
        }
        let read = Archive::open(Arc::clone(&store)).unwrap();
        let whole = fetched(&read, &Pick::Latest);
        if outcome.is_ok() && whole.is_err() {
            told += 1;
        }
        if let Ok(whole) = whole {
            assert!(whole == dump, "call {call}");
        }
    }
    assert!(told >= 4, "{told}");
    assert!(seal_laws::ours().identities.is_some());
}
