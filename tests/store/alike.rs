//! Memory and folders are the same store to whoever uses them.

use proptest::prelude::*;
use redkeep::repo::store::{IfExists, LocalStore, MemoryStore, ObjectName, Store};
use std::fmt::Debug;
use std::io::Write;

/// Few names, so that they meet, and folders among them.
const NAMES: [&str; 7] = ["a", "a/b", "a/b/c", "a/c", "b", "b/a", "a-b"];

#[derive(Debug, Clone)]
enum Step {
    Put(usize, Vec<u8>, bool),
    Stream(usize, Vec<u8>, bool),
    Dropped(usize, bool),
    Range(usize, u64, u64),
    Get(usize, u64),
    Stat(usize),
    List(Option<usize>),
    Delete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        (name(), bytes(), any::<bool>()).prop_map(|(n, b, r)| Step::Put(n, b, r)),
        (name(), bytes(), any::<bool>()).prop_map(|(n, b, r)| Step::Stream(n, b, r)),
        (name(), any::<bool>()).prop_map(|(n, r)| Step::Dropped(n, r)),
        (name(), 0..25u64, 0..25u64).prop_map(|(n, from, to)| Step::Range(n, from, to)),
        (name(), 0..25u64).prop_map(|(n, limit)| Step::Get(n, limit)),
        name().prop_map(Step::Stat),
        prop::option::of(name()).prop_map(Step::List),
        name().prop_map(Step::Delete),
    ]
}

/// What came of a step, errors by their fault.
fn told<T: Debug>(done: redkeep::Result<T>) -> String {
    match done {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.fault().expect("a fault is known")),
    }
}

fn take(store: &dyn Store, step: &Step) -> String {
    let name = |n: usize| ObjectName::new(NAMES[n]).unwrap();
    let if_exists = |replace| if replace { IfExists::Replace } else { IfExists::Refuse };
    match *step {
        Step::Put(n, ref bytes, replace) => told(store.put(&name(n), bytes, if_exists(replace))),
        Step::Stream(n, ref bytes, replace) => {
            told(store.writer(&name(n), if_exists(replace)).and_then(|mut writer| {
                for byte in bytes {
                    writer.write_all(&[*byte])?;
                }
                writer.commit()
            }))
        }
        Step::Dropped(n, replace) => told(store.writer(&name(n), if_exists(replace)).map(drop)),
        Step::Range(n, from, to) => told(store.range(&name(n), from..to)),
        Step::Get(n, limit) => told(store.get(&name(n), limit)),
        Step::Stat(n) => told(store.stat(&name(n))),
        Step::List(n) => told(store.list(n.map(name).as_ref())),
        Step::Delete(n) => told(store.delete(&name(n))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn memory_and_folders_answer_alike(steps in prop::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let (local, memory) = (LocalStore::open(folder.path()).unwrap(), MemoryStore::new());
        for (at, step) in steps.iter().enumerate() {
            prop_assert_eq!(take(&local, step), take(&memory, step), "step {}: {:?}", at, step);
        }
        prop_assert_eq!(local.list(None).unwrap(), memory.list(None).unwrap());
    }
}
