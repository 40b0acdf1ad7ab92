//! A store that was told to fail does exactly that.

use crate::name;
use redkeep::Fault;
use redkeep::repo::store::{
    ConformanceOptions, FaultStore, IfExists, MemoryStore, Operation, Store, Trouble, conformance,
};
use std::io::Write;

fn store() -> FaultStore<MemoryStore> {
    FaultStore::new(MemoryStore::new())
}

fn stream(store: &dyn Store, object: &str, pieces: &[&[u8]]) -> redkeep::Result<()> {
    let mut writer = store.writer(&name(object), IfExists::Refuse)?;
    for piece in pieces {
        writer.write_all(piece)?;
    }
    writer.commit()
}

#[test]
fn each_call_can_be_made_to_fail_and_then_nothing_is_done() {
    let run = |store: &FaultStore<MemoryStore>| {
        stream(store, "a", &[b"one", b"two"])?;
        store.put(&name("b"), b"three", IfExists::Refuse)?;
        store.stat(&name("a"))?;
        store.get(&name("a"), 10)?;
        store.list(None)?;
        store.clean()?;
        store.delete(&name("a"))
    };
    let whole = store();
    run(&whole).unwrap();
    let calls = whole.calls();
    use Operation::{Clean, Commit, Delete, List, Put, Range, Stat, Write, Writer};
    let operations: Vec<_> = calls.iter().map(|call| call.operation).collect();
    assert_eq!(operations, [Writer, Write, Write, Commit, Put, Stat, Range, List, Clean, Delete]);
    for (at, call) in calls.iter().enumerate() {
        for (trouble, fault) in [
            (Trouble::Unavailable, Fault::StoreUnavailable),
            (Trouble::Denied, Fault::StoreDenied),
            (Trouble::Dead, Fault::StoreFailed),
        ] {
            let store = store();
            store.fail(at, trouble);
            let error = run(&store).unwrap_err();
            assert_eq!(error.fault(), Some(fault), "{trouble:?} at {call:?}");
            assert_eq!(error.is_retryable(), trouble == Trouble::Unavailable);
            let there = |object| store.inner().stat(&name(object)).unwrap().is_some();
            assert_eq!((there("a"), there("b")), (at > 3, at > 4), "{trouble:?} at {call:?}");
            assert_eq!(store.list(None).is_err(), trouble == Trouble::Dead);
        }
    }
}

#[test]
fn an_answer_is_lost_after_the_deed() {
    let store = store();
    store.fail_next(Trouble::LostAnswer);
    assert!(store.put(&name("a"), b"1", IfExists::Refuse).unwrap_err().is_retryable());
    assert_eq!(store.get(&name("a"), 10).unwrap(), b"1");
    store.fail_next(Trouble::LostAnswer);
    assert!(store.delete(&name("a")).unwrap_err().is_retryable());
    assert_eq!(store.stat(&name("a")).unwrap(), None);
}

#[test]
fn a_torn_write_leaves_its_beginning_and_a_short_one_says_nothing() {
    let store = store();
    store.fail_next(Trouble::Torn(2));
    assert!(store.put(&name("a"), b"whole", IfExists::Refuse).is_err());
    assert_eq!(store.get(&name("a"), 10).unwrap(), b"wh");
    let commit = store.calls().len() + 3;
    store.fail(commit, Trouble::Short(4));
    stream(&store, "b", &[b"one", b"two"]).unwrap();
    assert_eq!(store.get(&name("b"), 10).unwrap(), b"onet");
    store.fail_next(Trouble::Short(1));
    assert_eq!(store.get(&name("b"), 10).unwrap(), b"o");
    let second = store.calls().len() + 2;
    store.fail(second, Trouble::Torn(1));
    let error = stream(&store, "c", &[b"one", b"two"]).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::StoreUnavailable));
    assert_eq!(store.stat(&name("c")).unwrap(), None);
}

#[test]
fn a_stale_answer_does_not_know_of_the_last_changes() {
    let store = store();
    store.put(&name("a"), b"1", IfExists::Refuse).unwrap();
    store.put(&name("b"), b"1", IfExists::Refuse).unwrap();
    store.put(&name("b"), b"22", IfExists::Replace).unwrap();
    store.delete(&name("a")).unwrap();
    let mut lists = Vec::new();
    for changes in 0..5 {
        store.fail_next(Trouble::Stale(changes));
        let listed = store.list(None).unwrap().into_iter();
        lists.push(listed.map(|o| format!("{} {}", o.name, o.size)).collect::<Vec<_>>().join(", "));
    }
    assert_eq!(lists, ["b 2", "a 1, b 2", "a 1, b 1", "a 1", ""]);
    store.fail_next(Trouble::Stale(1));
    assert_eq!(store.stat(&name("a")).unwrap(), Some(1));
    assert_eq!(store.stat(&name("a")).unwrap(), None);
}

#[test]
fn the_conformance_suite_sees_each_trouble_wherever_it_happens() {
    let options = ConformanceOptions::default().big(1 << 10).writers(1);
    let whole = store();
    assert_eq!(conformance(&whole, &name("t"), &options), []);
    let calls = whole.calls();
    let mut unseen = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        for trouble in [Trouble::Unavailable, Trouble::LostAnswer] {
            let store = store();
            store.fail(at, trouble);
            if conformance(&store, &name("t"), &options).is_empty() {
                unseen.push((at, call.operation, trouble));
            }
        }
    }
    assert!(unseen.is_empty(), "of {} calls: {unseen:?}", calls.len());
}
