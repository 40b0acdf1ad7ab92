//! What is special about folders.

use crate::{conforms, name};
use redkeep::Fault;
use redkeep::repo::store::{ConformanceOptions, IfExists, LocalStore, Store};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Every file and folder below one, hidden ones too.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(tree(&path));
        }
        all.push(path);
    }
    all.sort();
    all
}

fn open() -> (tempfile::TempDir, LocalStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    (folder, store)
}

#[test]
fn a_folder_keeps_every_promise_and_is_empty_afterwards() {
    let (folder, store) = open();
    conforms(&store, &ConformanceOptions::default());
    assert!(tree(folder.path()).is_empty(), "{:?}", tree(folder.path()));
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let error = LocalStore::open(&path).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("disk"), "{error}");
    assert!(!path.exists());
    fs::write(&path, b"").unwrap();
    assert!(LocalStore::open(&path).is_err());
}

#[test]
fn an_object_is_a_file_that_any_program_reads() {
    let (folder, store) = open();
    store.put(&name("prod/b/part.000000"), b"one", IfExists::Refuse).unwrap();
    assert_eq!(fs::read(folder.path().join("prod/b/part.000000")).unwrap(), b"one");
    fs::write(folder.path().join("prod/b/copied"), b"by hand").unwrap();
    assert_eq!(store.get(&name("prod/b/copied"), 100).unwrap(), b"by hand");
}

#[test]
fn no_object_has_the_name_of_a_folder() {
    let (_folder, store) = open();
    let fault = |object: &str| {
        let put = store.put(&name(object), b"1", IfExists::Replace).unwrap_err().fault();
        assert_eq!(put, store.writer(&name(object), IfExists::Refuse).err().unwrap().fault());
        put
    };
    store.put(&name("a/b"), b"1", IfExists::Refuse).unwrap();
    assert_eq!(fault("a"), Some(Fault::ObjectFolder));
    assert_eq!(fault("a/b/c"), Some(Fault::ObjectFolder));
    assert_eq!(store.stat(&name("a")).unwrap(), None);
    assert_eq!(store.get(&name("a"), 10).unwrap_err().fault(), Some(Fault::ObjectMissing));
    assert_eq!(store.get(&name("a/b/c"), 10).unwrap_err().fault(), Some(Fault::ObjectMissing));
    store.delete(&name("a")).unwrap();
    store.delete(&name("a/b/c")).unwrap();
    assert_eq!(store.list(None).unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn what_is_no_object_is_left_alone() {
    let (folder, store) = open();
    let root = folder.path();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"1").unwrap();
    fs::create_dir(root.join("a")).unwrap();
    std::os::unix::fs::symlink(outside.path(), root.join("a/linked")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), root.join("a/secret")).unwrap();
    for odd in [".hidden", "a b", "a/\u{e4}", "lost+found."] {
        fs::write(root.join(odd), b"odd").unwrap();
    }
    let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
    assert!(made.success());
    store.put(&name("a/object"), b"1", IfExists::Refuse).unwrap();
    let listed: Vec<_> = store.list(None).unwrap().into_iter().map(|o| o.name).collect();
    assert_eq!(listed, [name("a/object")]);
    for no_object in ["a/secret", "pipe"] {
        let error = store.get(&name(no_object), 10).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::ObjectMissing), "{no_object}");
    }
    store.delete(&name("a/object")).unwrap();
    store.clean().unwrap();
    assert_eq!(tree(root).len(), 9);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_done_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, store) = open();
    store.put(&name("a/b"), b"1", IfExists::Refuse).unwrap();
    fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o000)).unwrap();
    let denied = fs::read_dir(folder.path().join("a")).is_err();
    let faults = [
        store.get(&name("a/b"), 10).err(),
        store.put(&name("a/c"), b"1", IfExists::Refuse).err(),
        store.delete(&name("a/b")).err(),
        store.list(None).err(),
    ];
    fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o700)).unwrap();
    // Root may do it all.
    if denied {
        for fault in faults {
            assert_eq!(fault.unwrap().fault(), Some(Fault::StoreDenied));
        }
    }
}

#[test]
fn what_killed_writers_left_goes_and_what_is_being_written_stays() {
    let (folder, store) = open();
    let root = folder.path();
    for at in ["prod/b1", "prod/b2/deep", "."] {
        fs::create_dir_all(root.join(at)).unwrap();
        fs::write(root.join(at).join(".redkeep-4000000-0"), b"left").unwrap();
    }
    // Killed after its object got its name and before it lost the other one.
    fs::write(root.join("prod/b2/part"), b"whole").unwrap();
    fs::hard_link(root.join("prod/b2/part"), root.join("prod/b2/.redkeep-4000000-1")).unwrap();
    let mut writer = store.writer(&name("prod/b3/part"), IfExists::Refuse).unwrap();
    writer.write_all(b"new").unwrap();
    assert_eq!(store.list(None).unwrap().len(), 1);
    store.clean().unwrap();
    let left = tree(root);
    assert_eq!(left.iter().filter(|path| path.is_file()).count(), 2, "{left:?}");
    assert!(!root.join("prod/b1").exists() && !root.join("prod/b2/deep").exists());
    writer.commit().unwrap();
    assert_eq!(store.get(&name("prod/b3/part"), 10).unwrap(), b"new");
    assert_eq!(store.get(&name("prod/b2/part"), 10).unwrap(), b"whole");
}

#[test]
fn folders_that_come_and_go_do_not_disturb_writers() {
    let (folder, store) = open();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..50 {
                    let object = name(&format!("one/two/{thread}-{round}"));
                    store.put(&object, b"1", IfExists::Refuse).unwrap();
                    store.delete(&object).unwrap();
                }
            });
        }
    });
    assert!(tree(folder.path()).is_empty());
}
