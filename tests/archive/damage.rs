//! What becomes of a backup whose objects are not what they were.

use crate::{NOON, at, data, fetched, problems, put, sealed};
use redkeep::repo::store::{IfExists, MemoryStore, ObjectName, Store};
use redkeep::repo::{Archive, Manifest, Pick, StreamName, VerifyLevel};
use redkeep::task::{BackupOptions, backup};
use redkeep::{Fault, UnixMillis};
use std::sync::Arc;

/// A small archive with one backup, and its objects.
fn small(options: &BackupOptions) -> (Arc<MemoryStore>, Vec<(ObjectName, Vec<u8>)>) {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let dump = b"REDIS0003\xfe\x00\x00\x05hello\x05world\x00\x03key\x05value\xff";
    backup(&archive, &dump[..], None, &at(NOON), options).unwrap();
    let objects = store.list(None).unwrap().into_iter().map(|object| {
        let bytes = store.get(&object.name, 1 << 20).unwrap();
        (object.name, bytes)
    });
    let objects = objects.collect();
    (store, objects)
}

/// Whether anybody is told that something is wrong: by fetching it, and by verifying it.
fn told(store: &Arc<MemoryStore>, level: VerifyLevel) -> bool {
    let Ok(archive) = Archive::open(Arc::clone(store)) else { return true };
    let before = store.list(None).unwrap();
    let found = problems(&archive, level);
    // The certificate.
    for object in store.list(None).unwrap() {
        if !before.contains(&object) {
            store.delete(&object.name).unwrap();
        }
    }
    let told = found.is_err() || !found.unwrap().is_empty();
    if !told || level < VerifyLevel::Bytes {
        return told;
    }
    fetched(&archive, &Pick::Latest).is_err()
}

#[test]
fn every_byte_changed_and_every_cut_is_told() {
    for options in [BackupOptions::default(), sealed()] {
        let (store, objects) = small(&options);
        assert!(!told(&store, VerifyLevel::Meaning));
        for (name, bytes) in &objects {
            let put = |bytes: &[u8]| store.put(name, bytes, IfExists::Replace).unwrap();
            let free = name.as_str() == "redkeep.json";
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                put(&changed);
                // What wrote the archive is told nowhere else.
                assert!(free || told(&store, VerifyLevel::Bytes), "{name:?} byte {at}");
                if at % 7 == 0 {
                    put(&bytes[..at]);
                    assert!(told(&store, VerifyLevel::Bytes), "{name:?} cut to {at}");
                    let sized = !name.as_str().contains(".json");
                    assert!(!sized || told(&store, VerifyLevel::Exists), "{name:?} cut to {at}");
                }
            }
            put(&[bytes.as_slice(), b"\n"].concat());
            assert!(free || told(&store, VerifyLevel::Bytes), "{name:?} longer");
            store.delete(name).unwrap();
            assert!(told(&store, VerifyLevel::Exists), "{name:?} gone");
            put(bytes);
        }
        assert!(!told(&store, VerifyLevel::Meaning));
    }
}

#[test]
fn objects_of_other_backups_are_told_apart() {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let dump = data("redis-7.0.15/default/dump.rdb");
    let older = put(&archive, &dump, NOON, &sealed()).unwrap().manifest.backup;
    let newer = put(&archive, &dump, NOON + 1000, &sealed()).unwrap().manifest.backup;
    let object = |id, file: &str| ObjectName::new(format!("main/{id}/{file}")).unwrap();
    // The same content under the same name: only the record knows which it is.
    for file in ["main.rdb.zst.age.000000", "details.json.zst.age.000000"] {
        let good = store.get(&object(newer, file), 1 << 20).unwrap();
        let old = store.get(&object(older, file), 1 << 20).unwrap();
        store.put(&object(newer, file), &old, IfExists::Replace).unwrap();
        assert!(!problems(&archive, VerifyLevel::Bytes).unwrap().is_empty());
        assert!(fetched(&archive, &Pick::Latest).is_err());
        store.put(&object(newer, file), &good, IfExists::Replace).unwrap();
    }
    // A whole older backup under a newer id, with all that belongs to it.
    for file in [
        "manifest.json",
        "manifest.json.sha256",
        "main.rdb.zst.age.000000",
        "details.json.zst.age.000000",
    ] {
        let old = store.get(&object(older, file), 1 << 20).unwrap();
        store.put(&object(newer, file), &old, IfExists::Replace).unwrap();
    }
    let main = StreamName::default();
    assert_eq!(archive.backup(&main, newer).unwrap_err().fault(), Some(Fault::BackupOther));
    // And a backup of another archive.
    let foreign = Arc::new(MemoryStore::new());
    let other = Archive::create(Arc::clone(&foreign)).unwrap();
    for object in store.list(Some(&ObjectName::new(format!("main/{older}")).unwrap())).unwrap() {
        let bytes = store.get(&object.name, 1 << 20).unwrap();
        foreign.put(&object.name, &bytes, IfExists::Refuse).unwrap();
    }
    assert_eq!(other.backup(&main, older).unwrap_err().fault(), Some(Fault::BackupOther));
}

#[test]
fn a_later_version_may_say_more_and_a_later_form_is_refused() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let dump = data("redis-7.0.15/default/dump.rdb");
    let manifest = put(&archive, &dump, NOON, &BackupOptions::default()).unwrap().manifest;
    let mut json: serde_json::Value = serde_json::from_slice(&manifest.to_json().unwrap()).unwrap();
    json["delta_of"] = "something".into();
    json["shards"][0]["index"] = serde_json::json!({"keys": 255});
    json["shards"][0]["source"]["zone"] = "b".into();
    json["shards"][0]["content"]["slots"] = 3.into();
    json["shards"][0]["parts"][0]["delta"] = serde_json::json!(["a"]);
    let read = Manifest::parse(&serde_json::to_vec(&json).unwrap()).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&read.to_json().unwrap()).unwrap();
    assert_eq!(written, json, "what is not known is kept");
    json["format"] = 2.into();
    let error = Manifest::parse(&serde_json::to_vec(&json).unwrap()).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::ArchiveFormat));
    json["format"] = 1.into();
    type Change = fn(&mut serde_json::Value);
    let changes: [Change; 8] = [
        |json| json["format"] = 0.into(),
        |json| json["shards"] = serde_json::json!([]),
        |json| json["shards"][0]["parts"] = serde_json::json!([]),
        |json| json["shards"][0]["parts"][0]["file"] = "../dump.rdb".into(),
        |json| json["shards"][0]["parts"][0]["volumes"][0]["name"] = "../x".into(),
        |json| json["shards"][0]["parts"][0]["encrypted"] = true.into(),
        |json| json["details"]["volumes"] = json["shards"][0]["parts"][0]["volumes"].clone(),
        |json| drop(json.as_object_mut().unwrap().remove("backup")),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut json = json.clone();
        change(&mut json);
        let error = Manifest::parse(&serde_json::to_vec(&json).unwrap()).unwrap_err();
        let record = matches!(error.fault(), Some(Fault::BackupRecord | Fault::SealRecord));
        assert!(record, "change {at}: {error}");
    }
    assert_eq!(manifest.backup.time(), UnixMillis::new(NOON));
}

#[test]
fn what_is_wrong_with_the_bytes_is_what_is_said() {
    let (store, objects) = small(&sealed());
    let archive = Archive::open(Arc::clone(&store)).unwrap();
    for (name, bytes) in &objects {
        if name.as_str().contains(".zst") {
            let mut changed = bytes.clone();
            changed[bytes.len() - 1] ^= 1;
            store.put(name, &changed, IfExists::Replace).unwrap();
            for level in [VerifyLevel::Bytes, VerifyLevel::Meaning] {
                let found = problems(&archive, level).unwrap();
                let said = ["seal_auth", "volume_digest"];
                assert!(found.iter().all(|code| said.contains(&&**code)), "{name:?}: {found:?}");
                assert_eq!(found.len(), 1, "{name:?}: {found:?}");
            }
            let error = fetched(&archive, &Pick::Latest).unwrap_err();
            let said = [Some(Fault::SealAuth), Some(Fault::VolumeDigest)];
            assert!(said.contains(&error.fault()), "{name:?}: {error}");
            store.put(name, bytes, IfExists::Replace).unwrap();
        }
    }
}
