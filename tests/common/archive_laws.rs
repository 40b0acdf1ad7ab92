//! Laws that hold whatever lies in an archive: for the tests and the fuzz target.

#![allow(dead_code)] // not every user needs all of it
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // that is how laws fail

use redkeep::repo::seal::OpenOptions;
use redkeep::repo::store::{IfExists, MemoryStore, ObjectName, Store};
use redkeep::repo::{Archive, Details, Manifest, Pick, StreamName};
use redkeep::task::{BackupOptions, SealChoice, VerifyOptions, backup, verify};
use redkeep::{Fault, UnixMillis};
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

const DUMP: &[u8] = b"REDIS0003\xfe\x00\x00\x05hello\x05world\x00\x03key\x05value\xff";

/// The objects of a small archive in clear, with one backup in two volumes and more.
static OBJECTS: LazyLock<Vec<(ObjectName, Vec<u8>)>> = LazyLock::new(|| {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let seal = SealChoice::default().threads(1).volume(40);
    let options = BackupOptions::default().seal(seal);
    backup(&archive, DUMP, None, &|| UnixMillis::new(0), &options).unwrap();
    let objects = store.list(None).unwrap().into_iter();
    objects.map(|object| (object.name.clone(), store.get(&object.name, 1 << 20).unwrap())).collect()
});

/// The first byte says what the others are.
pub(crate) fn archive(input: &[u8]) {
    match input.split_first() {
        None => {}
        Some((0, rest)) => manifest(rest),
        Some((1, rest)) => drop(Details::parse(rest)),
        Some((_, rest)) => changed(rest),
    }
}

/// A manifest that is taken is written as it was read, and leads nowhere.
fn manifest(json: &[u8]) {
    let Ok(manifest) = Manifest::parse(json) else { return };
    let written = manifest.to_json().unwrap();
    assert_eq!(Manifest::parse(&written).unwrap(), manifest);
    // What is passed over need not be text.
    let Ok(read) = serde_json::from_slice::<serde_json::Value>(json) else { return };
    let again: serde_json::Value = serde_json::from_slice(&written).unwrap();
    for (name, value) in read.as_object().unwrap() {
        // Fields that are empty may be left out.
        let empty = ["tags", "warnings", "skew_ms"].contains(&&**name);
        assert!(empty || again[name] == *value || value.is_object() || value.is_array(), "{name}");
    }
    for part in manifest.parts() {
        assert!(!part.file.contains('/') && !part.name().contains('/'));
        for volume in &part.sealed.volumes {
            assert!(!volume.name.contains(['/', '\\']) && volume.name != "..");
        }
    }
}

/// Objects that were changed: which one, where, and the bytes there; or cut there, where there are none.
fn changed(changes: &[u8]) {
    let store = Arc::new(MemoryStore::new());
    let mut objects = OBJECTS.clone();
    for change in changes.chunks(6) {
        let [which, high, low, bytes @ ..] = change else { continue };
        let at = usize::from(*which) % objects.len();
        let bytes_of = &mut objects[at].1;
        let offset = usize::from(u16::from_be_bytes([*high, *low])) % (bytes_of.len() + 1);
        match bytes {
            [] => bytes_of.truncate(offset),
            bytes => {
                let end = bytes_of.len().min(offset + bytes.len());
                bytes_of.splice(offset..end, bytes.iter().copied());
            }
        }
    }
    for (name, bytes) in &objects {
        store.put(name, bytes, IfExists::Refuse).unwrap();
    }
    let Ok(archive) = Archive::open(Arc::clone(&store)) else { return };
    let main = StreamName::default();
    let id = archive.find(&main, &Pick::Latest).unwrap();
    let options = VerifyOptions::default().keep(false);
    let found = verify(&archive, &main, id, &|| UnixMillis::new(0), &options, &mut |_, _| {
        ControlFlow::Continue(())
    });
    if let Ok(found) = found
        && found.passed()
    {
        // What wrote the archive is recorded nowhere else.
        let backup = |list: &[(ObjectName, Vec<u8>)]| {
            list.iter()
                .filter(|(name, _)| name.as_str() != "redkeep.json")
                .cloned()
                .collect::<Vec<_>>()
        };
        assert!(backup(&objects) == backup(&OBJECTS), "it was changed, and passed");
    }
    let Ok(stored) = archive.backup(&main, id) else { return };
    for shard in &stored.manifest().shards {
        for part in &shard.parts {
            let mut plain = Vec::new();
            let read = stored
                .open(part, &OpenOptions::default())
                .map(|mut reader| reader.read_to_end(&mut plain));
            match read {
                Ok(Ok(_)) => assert_eq!(plain, DUMP, "wrong bytes were given as good"),
                Ok(Err(_)) => {}
                Err(error) => assert!(error.fault() != Some(Fault::Internal), "{error}"),
            }
        }
    }
}

/// Seeds for the fuzzer, by name.
pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = vec![("changes-none".to_owned(), vec![2])];
    for (name, bytes) in OBJECTS.iter() {
        if name.as_str().ends_with("/manifest.json") {
            seeds.push(("manifest".to_owned(), [&[0], &bytes[..]].concat()));
        }
    }
    seeds.push(("details".to_owned(), b"\x01{\"plain_sha256\":{},\"reports\":{}}".to_vec()));
    for at in 0..OBJECTS.len() {
        let at = u8::try_from(at).unwrap();
        seeds.push((format!("changes-{at}"), vec![2, at, 0, 9, b'x']));
        seeds.push((format!("cut-{at}"), vec![2, at, 0, 9]));
    }
    seeds
}
