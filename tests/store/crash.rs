//! A process that ends at any moment, as by `kill -9`, while it writes to a folder.

use crate::name;
use redkeep::repo::store::{IfExists, LocalStore, Store};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where the child is told what to do: the folder, and the step to end after.
const ORDER: &str = "REDKEEP_TEST_STORE_CRASH";

/// What an object of this number holds, in either of its two forms.
fn content(number: usize, form: usize) -> Vec<u8> {
    format!("{number} {form}\n").repeat(5000 + number * 1000 + form).into_bytes()
}

/// No test by itself: the process that is to end.
#[test]
fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let (folder, stop) = order.split_once('|').unwrap();
    let mut steps: usize = stop.parse().unwrap();
    let store = LocalStore::open(folder).unwrap();
    let mut step = || {
        if steps == 0 {
            // Nothing is cleaned up by this.
            std::process::abort();
        }
        steps -= 1;
    };
    for form in 0.. {
        for number in 0..3 {
            let object = name(&format!("prod/b{number}/part"));
            step();
            let mut writer = store.writer(&object, IfExists::Replace).unwrap();
            for piece in content(number, form % 2).chunks(20_000) {
                step();
                writer.write_all(piece).unwrap();
            }
            step();
            writer.commit().unwrap();
            step();
            store.put(&name(&format!("new/{form}/{number}")), b"new", IfExists::Refuse).unwrap();
            step();
            store.delete(&object).unwrap();
            store.put(&object, &content(number, form % 2), IfExists::Refuse).unwrap();
        }
    }
}

fn start(folder: &Path, steps: usize) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::child", "--exact", "--test-threads=1"])
        .env(ORDER, format!("{}|{steps}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn hidden(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, |entries| {
        let entries = entries.map(|entry| entry.unwrap());
        entries
            .map(|entry| {
                usize::from(entry.file_name().as_encoded_bytes()[0] == b'.')
                    + if entry.path().is_dir() { hidden(&entry.path()) } else { 0 }
            })
            .sum()
    })
}

/// That each object that is there is whole, and that the next run recovers; how many leftovers it found.
fn recovers(folder: &Path, shown: &str) -> usize {
    let store = LocalStore::open(folder).unwrap();
    for object in store.list(None).unwrap() {
        let bytes = store.get(&object.name, 1 << 30).unwrap();
        assert_eq!(bytes.len() as u64, object.size);
        let whole = match object.name.as_str().strip_prefix("prod/b") {
            Some(rest) => {
                let number: usize = rest.split('/').next().unwrap().parse().unwrap();
                bytes == content(number, 0) || bytes == content(number, 1)
            }
            None => bytes == b"new",
        };
        assert!(whole, "{shown}: {} is there in part", object.name);
    }
    let left = hidden(folder);
    store.clean().unwrap();
    assert_eq!(hidden(folder), 0, "{shown}");
    store.put(&name("prod/b0/part"), b"after", IfExists::Replace).unwrap();
    left
}

#[test]
fn a_crash_between_any_two_steps_leaves_no_object_in_part() {
    let mut left = 0;
    for steps in 0..24 {
        let folder = tempfile::tempdir().unwrap();
        assert!(!start(folder.path(), steps).wait().unwrap().success());
        left += recovers(folder.path(), &format!("after step {steps}"));
    }
    assert!(left >= 6, "only {left} crashes left something");
}

#[test]
fn a_kill_at_any_moment_leaves_no_object_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let mut objects = 0;
    for round in 0..30 {
        let mut child = start(folder.path(), usize::MAX);
        std::thread::sleep(Duration::from_millis(15 + round * 7 % 50));
        child.kill().unwrap();
        child.wait().unwrap();
        recovers(folder.path(), &format!("round {round}"));
        // So that the next child does not find its new names taken.
        let store = LocalStore::open(folder.path()).unwrap();
        for object in store.list(Some(&name("new"))).unwrap() {
            store.delete(&object.name).unwrap();
            objects += 1;
        }
        store.delete(&name("prod/b0/part")).unwrap();
    }
    assert!(objects > 30, "the children were killed before they did anything: {objects}");
}
