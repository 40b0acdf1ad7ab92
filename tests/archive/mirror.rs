//! Copies of backups in a second archive.

use crate::{DAY, NOON, TINY, at, certify, data, fetched, ids, put, sealed, tiny};
use redkeep::repo::retention::{BackupState, RetentionOptions};
use redkeep::repo::store::{
    FaultStore, IfExists, LocalStore, MemoryStore, Object, ObjectName, ObjectWriter, Store, Trouble,
};
use redkeep::repo::{Archive, BackupId, Lock, LockOptions, Pick, StreamName, VerifyLevel};
use redkeep::task::{
    Arrival, BackupOptions, CopiedBackup, CopiedBackups, CopyBackupOptions, PruneOptions,
    SealChoice, VerifyOptions, copy_backup, copy_missing, prune, verify,
};
use redkeep::{Error, Fault, Result, UnixMillis};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn copied(from: &Archive, to: &Archive, id: BackupId, now: i64) -> Result<CopiedBackup> {
    let (main, options) = (StreamName::default(), CopyBackupOptions::default());
    copy_backup(from, to, &main, id, &at(now), &options, &mut |_| ControlFlow::Continue(()))
}

fn all(from: &Archive, to: &Archive, now: i64) -> Result<CopiedBackups> {
    let (main, options) = (StreamName::default(), CopyBackupOptions::default());
    copy_missing(from, to, &main, &at(now), &options, &mut |_| ControlFlow::Continue(()))
}

/// An archive in memory, and a mirror of it.
fn pair() -> (Arc<MemoryStore>, Archive, Arc<MemoryStore>, Archive) {
    let (near, far) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let here = Archive::create(Arc::clone(&near)).unwrap();
    let there = Archive::open_or_create_mirror(Arc::clone(&far), here.id()).unwrap();
    (near, here, far, there)
}

/// All objects of backups.
fn objects(store: &dyn Store) -> BTreeMap<String, Vec<u8>> {
    let listed = store.list(Some(&ObjectName::new("main").unwrap())).unwrap();
    let backups = listed.iter().filter(|object| !object.name.as_str().contains("/lock/"));
    let bytes = |object: &Object| store.get(&object.name, 1 << 24).unwrap();
    backups.map(|object| (object.name.as_str().to_owned(), bytes(object))).collect()
}

fn state(archive: &Archive, id: BackupId) -> BackupState {
    let stored = archive.backup(&StreamName::default(), id).unwrap();
    stored.state(&stored.certificates().unwrap())
}

/// Every backup there is whole.
fn whole(archive: &Archive) {
    for id in ids(archive) {
        let options = VerifyOptions::default().level(VerifyLevel::Bytes).keep(false);
        let main = StreamName::default();
        let found =
            verify(archive, &main, id, &at(NOON), &options, &mut |_, _| ControlFlow::Continue(()));
        assert!(found.unwrap().passed(), "{id}");
    }
}

#[test]
fn a_copy_is_the_same_to_the_byte_and_is_used_as_the_first() {
    let dump = data("redis-7.0.15/default/dump.rdb");
    let small = SealChoice::default().volume(10_000).threads(1);
    for options in [sealed(), BackupOptions::default().seal(small)] {
        let (near, here, far, there) = pair();
        let id = put(&here, &dump, NOON, &options).unwrap().manifest.backup;
        let manifest = here.backup(&options.stream, id).unwrap().manifest().clone();
        if !manifest.is_encrypted() {
            assert!(certify(&here, id, NOON + 1, VerifyLevel::Meaning));
        }
        let outcome = copied(&here, &there, id, NOON + 2).unwrap();
        assert_eq!(objects(&*far), objects(&*near));
        let count = objects(&*near).len() as u64;
        assert_eq!((outcome.is_new, outcome.objects, outcome.objects_there), (true, count - 2, 0));
        assert!(outcome.bytes >= manifest.stored_bytes() && count >= 4);
        assert_eq!(fetched(&there, &Pick::Latest).unwrap(), dump);
        whole(&there);
        assert_eq!(there.backup(&options.stream, id).unwrap().manifest(), &manifest);

        let before = far.list(None).unwrap();
        let again = copied(&here, &there, id, NOON + 3).unwrap();
        assert_eq!((again.is_new, again.objects, again.objects_there), (false, 0, count));
        assert_eq!(far.list(None).unwrap(), before);
        // And back, where the first is lost.
        let new = Archive::open_or_create_mirror(MemoryStore::new(), there.id()).unwrap();
        assert_eq!(all(&there, &new, NOON + 4).unwrap().copied.len(), 1);
        assert_eq!(fetched(&new, &Pick::Latest).unwrap(), dump);
    }
}

#[test]
fn a_mirror_has_the_id_of_the_first_and_no_other() {
    let (_, here, far, there) = pair();
    assert_eq!(there.id(), here.id());
    let again = Archive::open_or_create_mirror(Arc::clone(&far), here.id()).unwrap();
    assert_eq!((again.id(), Archive::open(far.clone()).unwrap().id()), (here.id(), here.id()));
    let other = Archive::create(MemoryStore::new()).unwrap();
    let error = Archive::open_or_create_mirror(Arc::clone(&far), other.id()).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::ArchiveOther));
    assert_eq!(error.kind(), redkeep::ErrorKind::Usage);
    let id = tiny(&here, NOON);
    let before = other.store().list(None).unwrap();
    for error in
        [copied(&here, &other, id, NOON).unwrap_err(), all(&here, &other, NOON).unwrap_err()]
    {
        assert_eq!(error.fault(), Some(Fault::ArchiveOther), "{error}");
    }
    assert_eq!(other.store().list(None).unwrap(), before);
    let nobody = "20200101T000000000Z-00000000".parse().unwrap();
    let error = copied(&here, &there, nobody, NOON).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::BackupNone));
    // A lost answer when it is made is found out.
    for trouble in [Trouble::LostAnswer, Trouble::Unavailable] {
        let store = Arc::new(FaultStore::new(MemoryStore::new()));
        store.fail(1, trouble);
        let made = Archive::open_or_create_mirror(Arc::clone(&store), here.id());
        assert_eq!(made.is_ok(), trouble == Trouble::LostAnswer);
        let made = Archive::open_or_create_mirror(store, here.id()).unwrap();
        assert_eq!(made.id(), here.id());
    }
}

/// Copies with one call that goes wrong, of the first store or of the second; how often there was the old
/// and the new.
fn each_call(trouble: Trouble, of_first: bool) -> (usize, usize) {
    let dump = data("redis-7.0.15/default/dump.rdb");
    let options = BackupOptions::default().seal(SealChoice::default().volume(20_000).threads(1));
    let (near, here, _, _) = pair();
    let first = put(&here, &dump, NOON, &options).unwrap().manifest.backup;
    let second = put(&here, &dump, NOON + DAY, &options).unwrap().manifest.backup;
    certify(&here, second, NOON + DAY, VerifyLevel::Bytes);
    let (mut old, mut new) = (0, 0);
    for call in 0.. {
        let far = Arc::new(MemoryStore::new());
        let there = Archive::open_or_create_mirror(Arc::clone(&far), here.id()).unwrap();
        copied(&here, &there, first, NOON + DAY).unwrap();
        let source = Arc::new(FaultStore::new(Arc::clone(&near)));
        let target = Arc::new(FaultStore::new(Arc::clone(&far)));
        let from = Archive::open(Arc::clone(&source)).unwrap();
        let to = Archive::open(Arc::clone(&target)).unwrap();
        let faulty = if of_first { &source } else { &target };
        let before = faulty.calls().len();
        faulty.fail(before + call, trouble);
        let outcome = all(&from, &to, NOON + 2 * DAY);
        let reached = faulty.calls().len() > before + call;
        drop((from, to));
        let found = ids(&there);
        assert!(found.starts_with(&[first]), "call {call}");
        whole(&there);
        match &outcome {
            Ok(done) if done.is_complete() => assert_eq!(found, [first, second], "call {call}"),
            Ok(done) => assert_eq!((found.len(), done.failures.len()), (1, 1), "call {call}"),
            Err(error) => {
                // It may be there all the same, and could not be read again.
                let unknown =
                    trouble == Trouble::Dead || error.to_string().contains("/manifest.json");
                assert!(found.len() == 1 || unknown, "call {call}: {error}");
            }
        }
        (old, new) = (old + usize::from(found.len() == 1), new + usize::from(found.len() == 2));
        // Whoever comes next, once the lease is over, completes it.
        let next = all(&here, &there, NOON + 2 * DAY + 7_200_000);
        assert!(next.unwrap().is_complete(), "call {call}");
        let (copies, firsts) = (objects(&*far), objects(&*near));
        assert!(copies == firsts, "call {call}: {:?}", copies.keys());
        if !reached {
            assert!(outcome.unwrap().is_complete());
            break;
        }
    }
    (old, new)
}

#[test]
fn whichever_call_fails_there_is_no_backup_or_a_whole_one() {
    for trouble in [Trouble::Unavailable, Trouble::Denied, Trouble::Dead, Trouble::Torn(9)] {
        let (old, new) = each_call(trouble, false);
        assert!(old > 20 && new > 0, "{trouble:?}: {old} {new}");
    }
    let (old, new) = each_call(Trouble::LostAnswer, false);
    assert!(old > 5 && new > 5, "{old} {new}");
    for trouble in [Trouble::Unavailable, Trouble::Denied, Trouble::Dead, Trouble::Short(9)] {
        let (old, new) = each_call(trouble, true);
        assert!(old > 3 && new > 0, "{trouble:?}: {old} {new}");
    }
}

#[test]
fn what_a_store_cut_in_silence_is_told_on_arrival() {
    let (old, new) = each_call(Trouble::Short(9), false);
    assert!(old > 5 && new > 0, "{old} {new}");
}

/// A store that changes one byte of one object, when it is read for the n-th time or when it is written.
struct Flip {
    inner: Arc<MemoryStore>,
    name: String,
    at: u64,
    /// Which of the reads of that object; None where it is the write.
    read: Option<usize>,
    reads: AtomicUsize,
}

impl Flip {
    fn flip(&self, name: &ObjectName, start: u64, bytes: &mut [u8]) -> bool {
        let at = self.at.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        match at.and_then(|at| bytes.get_mut(at)).filter(|_| name.as_str() == self.name) {
            Some(byte) => *byte ^= 1 << (self.at % 8),
            None => return false,
        }
        true
    }
}

impl Store for Flip {
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.inner.stat(name)
    }

    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = self.inner.range(name, range.clone())?;
        let mut changed = bytes.clone();
        if self.flip(name, range.start, &mut changed)
            && self.read == Some(self.reads.fetch_add(1, Ordering::Relaxed))
        {
            bytes = changed;
        }
        Ok(bytes)
    }

    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>> {
        let inner = self.inner.writer(name, if_exists)?;
        let flip = (self.read.is_none() && name.as_str() == self.name).then_some(self.at);
        Ok(Box::new(Flipping { inner, flip, written: 0 }))
    }

    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
        self.inner.list(folder)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.inner.delete(name)
    }
}

struct Flipping {
    inner: Box<dyn ObjectWriter>,
    flip: Option<u64>,
    written: u64,
}

impl Write for Flipping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut bytes = bytes.to_vec();
        let at = self.flip.and_then(|at| at.checked_sub(self.written));
        if let Some(byte) = at.and_then(|at| bytes.get_mut(usize::try_from(at).unwrap())) {
            *byte ^= 1;
        }
        self.written += bytes.len() as u64;
        self.inner.write_all(&bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl ObjectWriter for Flipping {
    fn commit(self: Box<Self>) -> Result<()> {
        self.inner.commit()
    }
}

#[test]
fn every_byte_that_is_changed_on_the_way_is_told() {
    let near = Arc::new(MemoryStore::new());
    let here = Archive::create(Arc::clone(&near)).unwrap();
    let id = tiny(&here, NOON);
    certify(&here, id, NOON, VerifyLevel::Bytes);
    let firsts = objects(&*near);
    assert_eq!(firsts.len(), 5);
    let (mut told, mut bytes_seen) = (0, 0);
    for (name, bytes) in &firsts {
        bytes_seen += bytes.len();
        for at in 0..bytes.len() as u64 {
            // Objects without a recorded digest are read more than once.
            let reads = if at % 8 < 2 { 0..3 } else { 0..1 };
            for read in reads.map(Some).chain([None]) {
                let far = Arc::new(MemoryStore::new());
                let flip = |inner: &Arc<MemoryStore>| {
                    let (inner, name, reads) =
                        (Arc::clone(inner), name.clone(), AtomicUsize::new(0));
                    Flip { inner, name, at, read, reads }
                };
                Archive::open_or_create_mirror(Arc::clone(&far), here.id()).unwrap();
                let (from, to) = match read {
                    None => (Archive::open(Arc::clone(&near)), Archive::open(flip(&far))),
                    Some(_) => (Archive::open(flip(&near)), Archive::open(Arc::clone(&far))),
                };
                let outcome = copied(&from.unwrap(), &to.unwrap(), id, NOON + 1);
                let there = Archive::open(Arc::clone(&far)).unwrap();
                match outcome {
                    Err(error) => {
                        told += 1;
                        assert!(error.is_corrupt(), "{name} byte {at}: {error}");
                        assert!(ids(&there).is_empty(), "{name} byte {at}: half a backup");
                    }
                    // Nothing changed has arrived; a certificate that could not be read stays away.
                    Ok(_) => {
                        let copies = objects(&*far);
                        let same =
                            copies.iter().all(|(name, bytes)| firsts.get(name) == Some(bytes));
                        let absent = firsts.keys().filter(|name| !copies.contains_key(*name));
                        let certificate = |name: &String| name.contains("/verified-");
                        assert!(same && absent.into_iter().all(certificate));
                        assert!(read.is_some(), "{name} byte {at}: nobody heard of it");
                    }
                }
            }
        }
    }
    assert!(told > bytes_seen, "{told} of {bytes_seen}");
}

#[test]
fn lengths_alone_are_asked_for_where_that_is_wished() {
    let (_, here, _, _) = pair();
    let id = tiny(&here, NOON);
    let reads = |arrival| {
        let far = Arc::new(FaultStore::new(MemoryStore::new()));
        let there = Archive::open_or_create_mirror(Arc::clone(&far), here.id()).unwrap();
        let options = CopyBackupOptions::default().arrival(arrival);
        copy_backup(&here, &there, &StreamName::default(), id, &at(NOON), &options, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
        let volume = |name: &ObjectName| name.as_str().contains(".zst");
        use redkeep::repo::store::Operation::Range;
        let calls = far.calls();
        calls.iter().filter(|c| c.operation == Range && c.name.as_ref().is_some_and(volume)).count()
    };
    assert_eq!(reads(Arrival::Stat), 0);
    assert!(reads(Arrival::Read) >= 2);
}

#[test]
fn what_arrived_before_a_stop_is_not_sent_again() {
    let dump = data("redis-7.0.15/default/dump.rdb");
    let (near, here, far, there) = pair();
    let options = BackupOptions::default().seal(SealChoice::default().volume(5000).threads(1));
    let id = put(&here, &dump, NOON, &options).unwrap().manifest.backup;
    let main = StreamName::default();
    let stop = CopyBackupOptions::default();
    let len = here.backup(&main, id).unwrap().manifest().stored_bytes();
    let error = copy_backup(&here, &there, &main, id, &at(NOON), &stop, &mut |progress| {
        assert_eq!((progress.id, progress.number, progress.of), (id, 1, 1));
        if progress.bytes > len / 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(error.unwrap_err().fault(), Some(Fault::Cancelled));
    let arrived = objects(&*far).len() as u64;
    assert!(arrived > 2 && ids(&there).is_empty());
    assert!(
        there.streams().unwrap() == [main.clone()] && there.find(&main, &Pick::Latest).is_err()
    );
    // One of those was spoiled meanwhile: it is replaced.
    let (first, good) = objects(&*far).into_iter().next().unwrap();
    far.put(&ObjectName::new(first).unwrap(), &good[1..], IfExists::Replace).unwrap();
    let mut last = 0;
    let done = copy_backup(&here, &there, &main, id, &at(NOON), &stop, &mut |progress| {
        assert!(progress.bytes >= last && progress.bytes <= progress.len);
        last = progress.bytes;
        ControlFlow::Continue(())
    });
    let done = done.unwrap();
    assert_eq!((done.is_new, done.objects_there), (true, arrived - 1));
    assert_eq!(last, len);
    assert_eq!(objects(&*far), objects(&*near));
}

#[test]
fn a_damaged_backup_does_not_keep_the_others_away() {
    let (near, here, _, there) = pair();
    let made: Vec<_> = (0..4).map(|day| tiny(&here, NOON + day * DAY)).collect();
    let name =
        |at: usize, file: &str| ObjectName::new(format!("main/{}/{file}", made[at])).unwrap();
    near.put(&name(1, "main.rdb.zst.000000"), b"rotten", IfExists::Replace).unwrap();
    near.put(&name(2, "manifest.json"), b"{}", IfExists::Replace).unwrap();
    let done = all(&here, &there, NOON + 4 * DAY).unwrap();
    let order: Vec<_> = done.copied.iter().map(|copied| copied.id).collect();
    assert_eq!(order, [made[3], made[0]], "the newest first");
    let codes: Vec<_> = done.failures.iter().map(|failure| failure.code.as_str()).collect();
    assert_eq!(codes, ["backup_digest", "volume_short"]);
    assert_eq!(done.failures[1].place, format!("main/{}", made[1]));
    assert_eq!(ids(&there), [made[0], made[3]]);
    whole(&there);
    let again = all(&here, &there, NOON + 4 * DAY).unwrap();
    assert_eq!((again.copied.len(), again.there, again.failures.len()), (0, 2, 2));
    // A copy that lost a volume is told of, and another backup of that id too.
    there.store().delete(&name(0, "main.rdb.zst.000000")).unwrap();
    let error = copied(&here, &there, made[0], NOON + 4 * DAY).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::ObjectMissing));
    let json = serde_json::to_value(&done).unwrap();
    assert_eq!(json["copied"][0]["is_new"], true);
}

#[test]
fn certificates_follow_where_they_speak_for_the_copy() {
    let (near, here, _, there) = pair();
    let made: Vec<_> = (0..3).map(|day| tiny(&here, NOON + day * DAY)).collect();
    certify(&here, made[0], NOON + 3 * DAY, VerifyLevel::Bytes);
    all(&here, &there, NOON + 3 * DAY).unwrap();
    let states = |archive| made.iter().map(|id| state(archive, *id)).collect::<Vec<_>>();
    use BackupState::{Failed, Unverified, Verified};
    assert_eq!(states(&there), [Verified, Unverified, Unverified]);
    // Verified later: the certificate comes along.
    certify(&here, made[1], NOON + 4 * DAY, VerifyLevel::Meaning);
    // Rotten later: what is far away is not.
    let volume = ObjectName::new(format!("main/{}/main.rdb.zst.000000", made[0])).unwrap();
    near.put(&volume, b"rotten", IfExists::Replace).unwrap();
    certify(&here, made[0], NOON + 4 * DAY, VerifyLevel::Bytes);
    let done = all(&here, &there, NOON + 4 * DAY).unwrap();
    assert_eq!((done.objects_added, done.there, done.copied.len()), (1, 3, 0));
    assert_eq!(states(&here), [Failed, Verified, Unverified]);
    assert_eq!(states(&there), [Verified, Verified, Unverified]);
    whole(&there);

    // What failed in between and is sound again: what speaks for it comes along.
    let certificates = |archive: &Archive, id| {
        archive.backup(&StreamName::default(), id).unwrap().certificates().unwrap()
    };
    let id = tiny(&here, NOON + 5 * DAY);
    let volume = ObjectName::new(format!("main/{id}/main.rdb.zst.000000")).unwrap();
    let good = near.get(&volume, 1 << 20).unwrap();
    assert!(certify(&here, id, NOON + 5 * DAY, VerifyLevel::Bytes));
    near.put(&volume, b"rotten", IfExists::Replace).unwrap();
    assert!(!certify(&here, id, NOON + 6 * DAY, VerifyLevel::Bytes));
    near.put(&volume, &good, IfExists::Replace).unwrap();
    // Nobody has looked since: the copy is one that nobody verified.
    assert_eq!(state(&here, id), Failed);
    assert_eq!(all(&here, &there, NOON + 6 * DAY).unwrap().copied.len(), 1);
    assert_eq!((state(&there, id), certificates(&there, id).len()), (Unverified, 0));
    assert!(certify(&here, id, NOON + 7 * DAY, VerifyLevel::Bytes));
    assert_eq!(all(&here, &there, NOON + 7 * DAY).unwrap().objects_added, 2);
    assert_eq!((certificates(&here, id).len(), certificates(&there, id).len()), (3, 2));
    assert_eq!(state(&there, id), Verified);
}

#[test]
fn a_backup_comes_after_those_that_it_needs() {
    use sha2::Digest as _;
    let (near, here, _, there) = pair();
    let made: Vec<_> = (0..4).map(|day| tiny(&here, NOON + day * DAY)).collect();
    let name =
        |at: usize, file: &str| ObjectName::new(format!("main/{}/{file}", made[at])).unwrap();
    for (at, needs) in [(3, vec![1]), (1, vec![0])] {
        let bytes = near.get(&name(at, "manifest.json"), 1 << 20).unwrap();
        let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let needs: Vec<_> = needs.iter().map(|need| made[*need].to_string()).collect();
        json["needs"] = needs.into();
        let bytes = serde_json::to_vec(&json).unwrap();
        let line = format!("{:x}  manifest.json\n", sha2::Sha256::digest(&bytes));
        near.put(&name(at, "manifest.json"), &bytes, IfExists::Replace).unwrap();
        near.put(&name(at, "manifest.json.sha256"), line.as_bytes(), IfExists::Replace).unwrap();
    }
    let error = copied(&here, &there, made[3], NOON + 4 * DAY).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::BackupNone));
    assert!(error.to_string().contains(&made[1].to_string()), "{error}");
    let done = all(&here, &there, NOON + 4 * DAY).unwrap();
    let order: Vec<_> = done.copied.iter().map(|copied| copied.id).collect();
    assert_eq!(order, [made[0], made[1], made[3], made[2]]);
    assert!(done.is_complete());
}

#[test]
fn a_stream_far_away_is_locked_and_the_first_is_not() {
    let (_, here, _, there) = pair();
    let id = tiny(&here, NOON);
    let main = StreamName::default();
    let lock = Lock::take(&there, &main, &LockOptions::default(), UnixMillis::new(NOON)).unwrap();
    assert_eq!(copied(&here, &there, id, NOON).unwrap_err().fault(), Some(Fault::LockHeld));
    lock.release().unwrap();
    let mut looked = 0;
    let options = CopyBackupOptions::default();
    copy_backup(&here, &there, &main, id, &at(NOON), &options, &mut |_| {
        looked += 1;
        if looked == 1 {
            tiny(&here, NOON + 1000);
            let rules = PruneOptions::new(RetentionOptions::default().last(1));
            let pruned = prune(&there, &at(NOON), &rules, &mut |_| ControlFlow::Continue(()));
            assert_eq!(pruned.unwrap_err().fault(), Some(Fault::LockHeld));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(ids(&there), [id]);
    assert_eq!(ids(&here).len(), 2);
    // Deleted from the first while it is copied.
    let doomed = ids(&here)[1];
    let error = copy_backup(&here, &there, &main, doomed, &at(NOON), &options, &mut |_| {
        for object in here.store().list(None).unwrap() {
            if object.name.as_str().contains(&doomed.to_string()) {
                here.store().delete(&object.name).unwrap();
            }
        }
        ControlFlow::Continue(())
    });
    assert_eq!(error.unwrap_err().fault(), Some(Fault::ObjectMissing));
    assert_eq!(ids(&there), [id]);
}

#[test]
fn of_two_couriers_the_one_that_was_silent_for_too_long_ends() {
    let (near, here, far, there) = pair();
    let id = tiny(&here, NOON);
    let (main, options) = (StreamName::default(), CopyBackupOptions::default());
    let mut other = None;
    let error = copy_backup(&here, &there, &main, id, &at(NOON), &options, &mut |progress| {
        if progress.bytes > 0 && other.is_none() {
            other = Some(copied(&here, &there, id, NOON + 3_600_000).unwrap());
            assert_eq!(ids(&there), [id]);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(error.unwrap_err().fault(), Some(Fault::LockLost));
    assert!(other.unwrap().is_new);
    assert_eq!(objects(&*far), objects(&*near));
    // Long copies keep their lock alive.
    let (_, here, _, there) = pair();
    (0..5).for_each(|day| assert!(tiny(&here, NOON + day * DAY).time().get() > 0));
    let clock = std::sync::atomic::AtomicI64::new(NOON);
    let now = || UnixMillis::new(clock.fetch_add(600_000, Ordering::Relaxed));
    let mut watch = |_: &_| ControlFlow::Continue(());
    let done = copy_missing(&here, &there, &main, &now, &options, &mut watch).unwrap();
    assert_eq!(done.copied.len(), 5);
    assert!(clock.load(Ordering::Relaxed) > NOON + 5 * 1_800_000, "many leases");

    let other = StreamName::new("mian").unwrap();
    let error = copy_missing(&here, &there, &other, &now, &options, &mut watch).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::BackupNone));
}

/// A store that is small.
struct Small(MemoryStore, Option<u64>, Option<u64>);

impl Store for Small {
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
        self.0.delete(name)
    }

    fn largest_object(&self) -> Option<u64> {
        self.1
    }

    fn free(&self) -> Result<Option<u64>> {
        Ok(self.2)
    }
}

#[test]
fn what_does_not_fit_is_known_before_anything_is_sent() {
    let (_, here, _, _) = pair();
    let id = tiny(&here, NOON);
    let try_it = |largest, free| -> Error {
        let memory = MemoryStore::new();
        let small = Small(memory.clone(), largest, free);
        let there = Archive::open_or_create_mirror(small, here.id()).unwrap();
        let error = copied(&here, &there, id, NOON).unwrap_err();
        assert_eq!(memory.list(None).unwrap().len(), 1, "the archive and nothing else");
        error
    };
    assert_eq!(try_it(Some(10), None).fault(), Some(Fault::ObjectBig));
    assert_eq!(try_it(None, Some(10)).fault(), Some(Fault::StoreFull));
}

#[test]
fn folders_are_mirrors_of_each_other_and_are_pruned_by_themselves() {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = Archive::create(LocalStore::open(near.path()).unwrap()).unwrap();
    let store = LocalStore::open(far.path()).unwrap();
    let there = Archive::open_or_create_mirror(store, here.id()).unwrap();
    for day in 0..3 {
        put(&here, TINY, NOON + day * DAY, &BackupOptions::default()).unwrap();
    }
    // One that was stopped after its first object.
    let mut options = CopyBackupOptions::default();
    options = options.lock(LockOptions::default().owner("courier"));
    let main = StreamName::default();
    let mut steps = 0;
    let stopped =
        copy_missing(&here, &there, &main, &at(NOON + 3 * DAY), &options, &mut |progress| {
            steps += usize::from(progress.bytes > 0);
            if steps > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    assert_eq!(stopped.unwrap_err().fault(), Some(Fault::Cancelled));
    assert_eq!((there.remains(&main).unwrap().len(), ids(&there).len()), (1, 0));
    let rules = PruneOptions::new(RetentionOptions::default().last(2));
    let go = |archive: &Archive| {
        prune(archive, &at(NOON + 4 * DAY), &rules, &mut |_| ControlFlow::Continue(())).unwrap()
    };
    assert_eq!(go(&there).remains_deleted.len(), 1);
    assert_eq!(all(&here, &there, NOON + 4 * DAY).unwrap().copied.len(), 3);
    let oldest = ids(&there)[0];
    assert_eq!((go(&there).deleted, go(&here).deleted), (vec![oldest], vec![oldest]));
    assert_eq!(ids(&there), ids(&here));
    assert_eq!(all(&here, &there, NOON + 4 * DAY).unwrap().copied.len(), 0);
}
