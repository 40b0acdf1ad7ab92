//! Backups in an archive: what goes in comes back, damage of any kind is told, and a writer that is killed
//! leaves the old or the new.

#![cfg(feature = "repo")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/seal_laws.rs"]
mod seal_laws;

#[path = "archive/crash.rs"]
mod crash;
#[path = "archive/damage.rs"]
mod damage;
#[path = "archive/lock.rs"]
mod lock;
#[path = "archive/mirror.rs"]
mod mirror;
#[path = "archive/prune.rs"]
mod prune;
#[path = "archive/status.rs"]
mod status;

use redkeep::repo::seal::Recipients;
use redkeep::repo::store::{
    FaultStore, IfExists, LocalStore, MemoryStore, Object, ObjectName, ObjectWriter, Store, Trouble,
};
use redkeep::repo::{Archive, BackupId, Pick, Soundness, SourceState, StreamName, VerifyLevel};
use redkeep::task::{
    BackupOptions, BackupOutcome, FetchOptions, SealChoice, StoredDump, VerifyOptions, backup,
    backup_watched, fetch, verify,
};
use redkeep::{Fault, Result, UnixMillis};
use std::fs;
use std::io::{Read, Seek};
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Noon of 2026-11-20.
const NOON: i64 = 1_795_176_000_000;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// A dump of one key.
const TINY: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";

fn data(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)).unwrap()
}

fn sealed() -> BackupOptions {
    let keys = Recipients::parse(seal_laws::PUBLIC).unwrap();
    BackupOptions::default().seal(SealChoice::default().recipients(keys))
}

fn at(ms: i64) -> impl Fn() -> UnixMillis {
    move || UnixMillis::new(ms)
}

fn put(archive: &Archive, dump: &[u8], now: i64, options: &BackupOptions) -> Result<BackupOutcome> {
    backup(archive, dump, Some(dump.len() as u64), &at(now), options)
}

/// Puts a tiny backup, on threads that cost nothing.
fn tiny(archive: &Archive, now: i64) -> BackupId {
    let options = BackupOptions::default().seal(SealChoice::default().threads(1));
    put(archive, TINY, now, &options).unwrap().manifest.backup
}

/// Verifies a backup of the stream `main`, and keeps the certificate.
fn certify(archive: &Archive, id: BackupId, now: i64, level: VerifyLevel) -> bool {
    let options = VerifyOptions::default().level(level);
    let main = StreamName::default();
    verify(archive, &main, id, &at(now), &options, &mut |_, _| ControlFlow::Continue(()))
        .unwrap()
        .passed()
}

/// The ids of the stream `main`, the oldest first.
fn ids(archive: &Archive) -> Vec<BackupId> {
    archive.backups(&StreamName::default()).unwrap().iter().map(|listed| listed.id).collect()
}

/// A store that does not allow some objects to be deleted.
struct Immutable<S>(S, fn(&str) -> bool);

impl<S: Store> Store for Immutable<S> {
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.0.stat(name)
    }

    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
        self.0.range(name, range)
    }

    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>> {
        self.0.writer(name, if_exists)
    }

    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
        self.0.list(folder)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        if !self.1(name.as_str()) {
            return self.0.delete(name);
        }
        let denied = FaultStore::new(MemoryStore::new());
        denied.fail(0, Trouble::Denied);
        denied.delete(name)
    }
}

/// The bytes of a backup's only file, through a file.
fn fetched(archive: &Archive, pick: &Pick) -> Result<Vec<u8>> {
    let main = StreamName::default();
    let stored = archive.backup(&main, archive.find(&main, pick)?)?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let options = FetchOptions::default().open(seal_laws::ours());
    let fetched = fetch(&stored, &path, &options, &mut |_, _| ControlFlow::Continue(()));
    assert_eq!(fetched.is_ok(), path.exists(), "whole or not at all");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), usize::from(fetched.is_ok()));
    fetched.map(|_| fs::read(&path).unwrap())
}

/// What a verification of the newest backup finds, by codes.
fn problems(archive: &Archive, level: VerifyLevel) -> Result<Vec<String>> {
    let main = StreamName::default();
    let id = archive.find(&main, &Pick::Latest)?;
    let options = VerifyOptions::default().level(level).open(seal_laws::ours());
    let certificate =
        verify(archive, &main, id, &at(NOON), &options, &mut |_, _| ControlFlow::Continue(()))?;
    Ok(certificate.problems.into_iter().map(|problem| problem.code).collect())
}

#[test]
fn what_went_in_comes_back_and_is_what_is_recorded() {
    for path in ["redis-7.0.15/default/dump.rdb", "redis-2.6.17/expired/dump.rdb"] {
        let dump = data(path);
        for options in [BackupOptions::default(), sealed()] {
            let archive = Archive::create(MemoryStore::new()).unwrap();
            let outcome = put(&archive, &dump, NOON, &options).unwrap();
            assert!(outcome.kept && outcome.is_sound(), "{path}");
            let manifest = &outcome.manifest;
            assert_eq!(manifest.plain_bytes(), dump.len() as u64);
            assert_eq!(manifest.source_change.state, SourceState::First);
            assert_eq!(fetched(&archive, &Pick::Latest).unwrap(), dump, "{path}");
            let levels = [VerifyLevel::Exists, VerifyLevel::Bytes, VerifyLevel::Meaning];
            for level in levels {
                assert_eq!(problems(&archive, level).unwrap(), [""; 0], "{path} {level}");
            }
            // Nothing of the content in clear: neither names of keys nor digests.
            let stored = archive.backup(&manifest.stream, manifest.backup).unwrap();
            assert_eq!(stored.manifest(), manifest);
            assert_eq!(stored.certificates().unwrap().len(), 3);
            let plain = manifest.shards[0].parts[0].plain_sha256;
            assert_eq!(plain.is_none(), manifest.is_encrypted());
        }
    }
}

#[test]
fn the_objects_are_those_that_are_documented_and_other_programs_read() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::create(LocalStore::open(folder.path()).unwrap()).unwrap();
    let dump = data("redis-7.0.15/default/dump.rdb");
    let id = put(&archive, &dump, NOON, &BackupOptions::default()).unwrap().manifest.backup;
    let names: Vec<_> =
        archive.store().list(None).unwrap().iter().map(|o| o.name.as_str().to_owned()).collect();
    let backup = format!("main/{id}");
    let want =
        ["details.json.zst.000000", "main.rdb.zst.000000", "manifest.json", "manifest.json.sha256"];
    let want =
        want.iter().map(|name| format!("{backup}/{name}")).chain(["redkeep.json".to_owned()]);
    assert_eq!(names, want.collect::<Vec<_>>());
    assert!(id.to_string().starts_with("20261120T120000000Z-"));
    let manifest = fs::read(folder.path().join(&backup).join("manifest.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["shards"][0]["content"]["keys"], 255);
    assert_eq!(json["shards"][0]["parts"][0]["volumes"][0]["name"], "main.rdb.zst.000000");
    let sum = fs::read_to_string(folder.path().join(&backup).join("manifest.json.sha256")).unwrap();
    assert!(sum.ends_with("  manifest.json\n") && sum.len() == 64 + 16);
}

#[test]
fn what_cannot_be_read_is_not_kept_unless_asked_for_and_then_marked() {
    let dump = data("redis-7.0.15/default/dump.rdb");
    let archive = Archive::create(MemoryStore::new()).unwrap();
    for len in [0, 5, 9, 100, dump.len() - 1] {
        let outcome = put(&archive, &dump[..len], NOON, &BackupOptions::default()).unwrap();
        assert_eq!(
            (outcome.kept, outcome.manifest.soundness),
            (false, Soundness::Damaged),
            "{len}"
        );
    }
    assert_eq!(archive.store().list(None).unwrap().len(), 1, "nothing of it stays");

    let mut flipped = dump.clone();
    flipped[dump.len() / 2] ^= 1;
    let options = BackupOptions::default().keep_damaged(true);
    let outcome = put(&archive, &flipped, NOON, &options).unwrap();
    assert!(outcome.kept && !outcome.is_sound());
    assert_eq!(outcome.manifest.soundness, Soundness::Damaged);
    assert_eq!(fetched(&archive, &Pick::Latest).unwrap(), flipped, "all of it, as it came");
    assert_eq!(problems(&archive, VerifyLevel::Meaning).unwrap(), [""; 0], "as damaged as before");
}

#[test]
fn a_wrong_key_opens_nothing() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    put(&archive, &data("redis-7.0.15/default/dump.rdb"), NOON, &sealed()).unwrap();
    let main = StreamName::default();
    let id = archive.find(&main, &Pick::Latest).unwrap();
    let stored = archive.backup(&main, id).unwrap();
    let path = std::env::temp_dir().join(format!("redkeep-never-{}", std::process::id()));
    let error =
        fetch(&stored, &path, &FetchOptions::default(), &mut |_, _| ControlFlow::Continue(()));
    assert_eq!(error.unwrap_err().fault(), Some(Fault::SealNoKey));
    assert!(!path.exists());
    let check = |level| {
        let options = VerifyOptions::default().level(level);
        verify(&archive, &main, id, &at(NOON), &options, &mut |_, _| ControlFlow::Continue(()))
    };
    assert_eq!(check(VerifyLevel::Meaning).unwrap_err().fault(), Some(Fault::SealNoKey));
    let bytes = check(VerifyLevel::Bytes).unwrap();
    assert!(bytes.passed() && !bytes.plain && bytes.bytes == stored.manifest().stored_bytes());
}

#[test]
fn backups_are_found_by_time_and_id_in_their_streams() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let dump = data("redis-7.0.15/default/dump.rdb");
    let other = BackupOptions::default().stream(StreamName::new("other").unwrap()).tag("x");
    let mut ids = Vec::new();
    for hour in [3, 1, 2] {
        let now = NOON + hour * 3_600_000;
        ids.push(put(&archive, &dump, now, &BackupOptions::default()).unwrap().manifest.backup);
    }
    put(&archive, &dump, NOON, &other).unwrap();
    let main = StreamName::default();
    assert_eq!(archive.streams().unwrap(), [main.clone(), StreamName::new("other").unwrap()]);
    let listed: Vec<_> = archive.backups(&main).unwrap().iter().map(|listed| listed.id).collect();
    assert_eq!(listed, [ids[1], ids[2], ids[0]]);
    let find = |pick| archive.find(&main, &pick);
    assert_eq!(find(Pick::Latest).unwrap(), ids[0]);
    assert_eq!(find(Pick::At(UnixMillis::new(NOON + 7_200_000))).unwrap(), ids[2]);
    assert_eq!(find(Pick::At(UnixMillis::new(NOON))).unwrap_err().fault(), Some(Fault::BackupNone));
    assert_eq!(find(Pick::Id(ids[1])).unwrap(), ids[1]);
    // One whose clock was behind is told of.
    let stored = archive.backup(&main, ids[1]).unwrap();
    assert!(stored.manifest().warnings[0].contains("clock"), "{:?}", stored.manifest().warnings);
}

#[test]
fn a_full_disk_is_known_before_and_a_stop_leaves_nothing() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let dump = data("redis-7.0.15/default/dump.rdb");
    let options = BackupOptions::default();
    let mut bytes = 0;
    let error = backup_watched(&archive, &dump[..], None, &at(NOON), &options, &mut |progress| {
        bytes = progress.bytes;
        ControlFlow::Break(())
    });
    assert_eq!(error.unwrap_err().fault(), Some(Fault::Cancelled));
    assert!(bytes > 0 && archive.store().list(None).unwrap().len() == 1);

    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::create(LocalStore::open(folder.path()).unwrap()).unwrap();
    let error = backup(&archive, &dump[..], Some(u64::MAX), &at(NOON), &options).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::StoreFull));
    let options = options.check_room(false);
    assert!(backup(&archive, &dump[..], Some(u64::MAX), &at(NOON), &options).unwrap().is_sound());
}

#[test]
fn a_lock_is_kept_alive_while_bytes_come() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let dump = data("redis-7.0.15/default/dump.rdb");
    // Each look at the clock is ten minutes later: the backup outlives many leases.
    let clock = AtomicI64::new(NOON);
    let now = || UnixMillis::new(clock.fetch_add(600_000, Ordering::Relaxed));
    let outcome = backup(
        &archive,
        dump.chunks(100).flatten().copied().collect::<Vec<_>>().as_slice(),
        None,
        &now,
        &BackupOptions::default(),
    );
    assert!(outcome.unwrap().is_sound());
}

#[test]
fn one_store_is_one_archive() {
    let store = Arc::new(MemoryStore::new());
    let first = Archive::create(Arc::clone(&store)).unwrap();
    let error = Archive::create(Arc::clone(&store)).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::ArchiveExists));
    assert_eq!(Archive::open_or_create(Arc::clone(&store)).unwrap().id(), first.id());
    let error = Archive::open(MemoryStore::new()).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::ArchiveNone));
    let name = ObjectName::new("redkeep.json").unwrap();
    for (json, fault) in [
        ("{\"format\":2,\"archive\":\"later\"}", Fault::ArchiveFormat),
        ("{\"format\":1}", Fault::ArchiveRecord),
        ("", Fault::ArchiveRecord),
    ] {
        store.put(&name, json.as_bytes(), redkeep::repo::store::IfExists::Replace).unwrap();
        assert_eq!(Archive::open(Arc::clone(&store)).unwrap_err().fault(), Some(fault), "{json}");
    }
}

/// A reader of dumps stops at the dump's own end, before that of what is sealed.
#[test]
fn the_end_of_a_dump_comes_only_when_all_of_it_is_what_was_stored() {
    let dump = data("redis-7.0.15/default/dump.rdb");
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let manifest = put(&archive, &dump, NOON, &sealed()).unwrap().manifest;
    let stored = archive.backup(&manifest.stream, manifest.backup).unwrap();
    let part = &manifest.shards[0].parts[0];
    let read = |most: usize| {
        let mut source = StoredDump::open(&stored, part, &seal_laws::ours())?;
        let (mut got, mut buffer) = (Vec::new(), vec![0; most]);
        loop {
            let read = source.read(&mut buffer).map_err(redkeep::Error::from);
            match read {
                Ok(0) => return Ok::<_, redkeep::Error>(got),
                Ok(read) => got.extend_from_slice(&buffer[..read]),
                Err(error) => {
                    assert!(got.len() < dump.len(), "{most}");
                    return Err(error);
                }
            }
        }
    };
    let name =
        ObjectName::new(format!("main/{}/main.rdb.zst.age.000000", manifest.backup)).unwrap();
    let good = store.get(&name, 1 << 20).unwrap();
    for most in [1, 1000, 1 << 20] {
        assert!(read(most).unwrap() == dump, "{most}");
    }
    // The seek table, which no reader of a dump gets to.
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    store.put(&name, &bad, redkeep::repo::store::IfExists::Replace).unwrap();
    for most in [1, 1000, 1 << 20] {
        assert!(read(most).is_err(), "{most}");
    }
    let mut source = StoredDump::open(&stored, part, &seal_laws::ours()).unwrap();
    assert!(source.rewind().is_err(), "nor is it gone back from");
    store.put(&name, &good, redkeep::repo::store::IfExists::Replace).unwrap();
    let mut source = StoredDump::open(&stored, part, &seal_laws::ours()).unwrap();
    source.read_exact(&mut [0; 9]).unwrap();
    source.rewind().unwrap();
    let mut again = Vec::new();
    source.read_to_end(&mut again).unwrap();
    assert!(again == dump);
}

/// So that one key can be read without its neighbours.
#[test]
fn frames_end_where_keys_do() {
    let (mut dump, mut borders) = (b"REDIS0003\xfe\x00".to_vec(), vec![0]);
    for n in 0..40_000_u32 {
        borders.push(dump.len());
        let value = n.wrapping_mul(2_654_435_761).to_be_bytes().repeat(1 + n as usize % 40);
        dump.extend([0, 4]);
        dump.extend(n.to_be_bytes());
        // A length of 14 bits.
        let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
        dump.extend([0x40 | high, low]);
        dump.extend(value);
    }
    dump.push(0xff);
    assert!(dump.len() > 3 << 20);
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let manifest = put(&archive, &dump, NOON, &BackupOptions::default()).unwrap().manifest;
    let part = &manifest.shards[0].parts[0].sealed;
    assert!(part.frames >= 3, "{}", part.frames);
    let name = ObjectName::new(format!("main/{}/main.rdb.zst.000000", manifest.backup)).unwrap();
    let stored = store.get(&name, 1 << 30).unwrap();
    // The seek table: twelve bytes a frame, the second number being its plain bytes.
    let table = &stored[stored.len() - usize::try_from(part.seek_table_len).unwrap()..];
    let mut at = 0;
    for row in table[8..table.len() - 9].chunks(12) {
        assert!(borders.binary_search(&at).is_ok(), "a frame begins inside a key, at {at}");
        at += usize::try_from(u32::from_le_bytes(row[4..8].try_into().unwrap())).unwrap();
    }
    assert_eq!(at, dump.len());
}
