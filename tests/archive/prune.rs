//! What goes from an archive and what stays.

use crate::{DAY, Immutable, NOON, TINY, at, certify, ids, put, tiny};
use redkeep::repo::retention::{BackupState, RetentionOptions, Verdict};
use redkeep::repo::store::{
    FaultStore, IfExists, LocalStore, MemoryStore, ObjectName, Operation, Store, Trouble,
};
use redkeep::repo::{Archive, BackupId, Lock, LockOptions, Pick, StreamName, VerifyLevel};
use redkeep::task::{
    BackupOptions, PruneOptions, PruneOutcome, VerifyOptions, backup_watched, prune, verify,
};
use redkeep::{Fault, Result, UnixMillis};
use sha2::{Digest as _, Sha256};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

fn last(backups: u32) -> PruneOptions {
    PruneOptions::new(RetentionOptions::default().last(backups))
}

fn run(archive: &Archive, now: i64, options: &PruneOptions) -> Result<PruneOutcome> {
    prune(archive, &at(now), options, &mut |_| ControlFlow::Continue(()))
}

fn size(archive: &Archive) -> u64 {
    archive.store().list(None).unwrap().iter().map(|object| object.size).sum()
}

fn object(id: BackupId, file: &str) -> ObjectName {
    ObjectName::new(format!("main/{id}/{file}")).unwrap()
}

/// Every backup that is listed has all its objects.
fn whole(archive: &Archive) {
    let main = StreamName::default();
    for id in ids(archive) {
        let options = VerifyOptions::default().level(VerifyLevel::Bytes).keep(false);
        let found =
            verify(archive, &main, id, &at(NOON), &options, &mut |_, _| ControlFlow::Continue(()));
        assert!(found.unwrap().passed(), "{id}");
    }
}

/// Writes a manifest again, changed.
fn rewrite(store: &MemoryStore, id: BackupId, change: impl FnOnce(&mut serde_json::Value)) {
    let name = object(id, "manifest.json");
    let mut json = serde_json::from_slice(&store.get(&name, 1 << 20).unwrap()).unwrap();
    change(&mut json);
    let bytes = serde_json::to_vec(&json).unwrap();
    let line = format!("{:x}  manifest.json\n", Sha256::digest(&bytes));
    store.put(&name, &bytes, IfExists::Replace).unwrap();
    let digest = object(id, "manifest.json.sha256");
    store.put(&digest, line.as_bytes(), IfExists::Replace).unwrap();
}

#[test]
fn a_year_of_daily_backups_leaves_what_the_rules_say() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let rules = RetentionOptions::default().daily(7).weekly(5).monthly(12);
    let options = PruneOptions::new(rules);
    let days = 400;
    let mut all = Vec::new();
    for day in 0..days {
        let now = NOON + day * DAY;
        let id = tiny(&archive, now);
        assert!(certify(&archive, id, now + 1000, VerifyLevel::Bytes));
        all.push(id);
        let (before, there) = (size(&archive), ids(&archive));
        let would = run(&archive, now + 2000, &options.clone().dry_run(true)).unwrap();
        assert_eq!((size(&archive), ids(&archive)), (before, there.clone()), "a dry run");
        let done = run(&archive, now + 2000, &options).unwrap();
        assert!(done.is_complete() && done.plan == would.plan, "day {day}");
        assert_eq!(done.bytes_freed, before - size(&archive));
        assert_eq!(done.bytes_freed, done.plan.bytes());
        let gone: BTreeSet<_> = done.deleted.iter().copied().collect();
        let left: Vec<_> = there.into_iter().filter(|id| !gone.contains(id)).collect();
        assert_eq!(ids(&archive), left);
        assert!(archive.remains(&StreamName::default()).unwrap().is_empty());
    }
    // By the calendar alone: 2026-11-20 is a Friday.
    let mut want: BTreeSet<BackupId> = all.iter().rev().take(7).copied().collect();
    let sundays = all.iter().enumerate().filter(|(day, _)| day % 7 == 2).map(|(_, id)| *id);
    let weeks: Vec<_> = sundays.collect();
    // The last week is not over, unless a Sunday is the last day.
    let open = usize::from((days - 1) % 7 != 2);
    want.extend(weeks.iter().rev().take(5 - open));
    let month = |id: &BackupId| id.to_string()[..6].to_owned();
    let ends: Vec<_> =
        all.windows(2).filter(|two| month(&two[0]) != month(&two[1])).map(|two| two[0]).collect();
    want.extend(ends.iter().rev().take(11));
    assert_eq!(ids(&archive), want.into_iter().collect::<Vec<_>>());
    whole(&archive);
}

#[test]
fn what_may_be_worthless_pushes_out_nothing() {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let made: Vec<_> = (0..6).map(|day| tiny(&archive, NOON + day * DAY)).collect();
    assert!(certify(&archive, made[0], NOON, VerifyLevel::Meaning));
    assert!(certify(&archive, made[1], NOON, VerifyLevel::Bytes));
    // It was verified once, and is damaged now.
    let volume = object(made[2], "main.rdb.zst.000000");
    assert!(certify(&archive, made[2], NOON, VerifyLevel::Meaning));
    store.put(&volume, b"rotten", IfExists::Replace).unwrap();
    assert!(!certify(&archive, made[2], NOON + 1, VerifyLevel::Bytes));
    // A look at its length alone is no verification.
    assert!(certify(&archive, made[3], NOON, VerifyLevel::Exists));
    // Of this one nobody knows anything.
    store.put(&object(made[4], "manifest.json"), b"{}", IfExists::Replace).unwrap();

    let done = run(&archive, NOON + 9 * DAY, &last(1)).unwrap();
    let states: Vec<_> = done.plan.retention.backups.iter().map(|backup| backup.state).collect();
    use BackupState::{Failed, Unverified, Verified};
    assert_eq!(states, [Unverified, Unverified, Failed, Verified, Verified]);
    assert_eq!(ids(&archive), [made[1], made[4], made[5]]);
    assert_eq!(done.plan.unreadable.len(), 1);
    assert_eq!(done.plan.unreadable[0].code, "backup_digest");
    assert_eq!(done.plan.unreadable[0].place, format!("main/{}", made[4]));
    assert!(done.is_complete(), "{done:?}");
    // Nothing newer is verified: it stays, however often.
    for day in 10..20 {
        tiny(&archive, NOON + day * DAY);
        run(&archive, NOON + day * DAY, &last(1)).unwrap();
        assert!(ids(&archive).contains(&made[1]));
    }
    assert_eq!(ids(&archive).len(), 3);
}

#[test]
fn a_backup_that_a_kept_one_needs_stays() {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let made: Vec<_> = (0..4).map(|day| tiny(&archive, NOON + day * DAY)).collect();
    rewrite(&store, made[3], |json| json["needs"] = vec![made[1].to_string()].into());
    for id in &made {
        assert!(certify(&archive, *id, NOON + 4 * DAY, VerifyLevel::Bytes));
    }
    let done = run(&archive, NOON + 5 * DAY, &last(1)).unwrap();
    assert_eq!(done.deleted, [made[2], made[0]], "the newest goes first");
    assert_eq!(ids(&archive), [made[1], made[3]]);
    let Verdict::Keep(reasons) = &done.plan.retention.backups[2].verdict else { panic!() };
    assert_eq!(reasons[0].to_string(), format!("needed by {}", made[3]));

    // What a later form needs is not known here.
    rewrite(&store, made[3], |json| json["format"] = 2.into());
    let error = run(&archive, NOON + 5 * DAY, &last(1)).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::ArchiveFormat));
    assert_eq!(ids(&archive), [made[1], made[3]]);
}

#[test]
fn a_certificate_is_worth_no_more_than_what_was_read() {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let id = tiny(&archive, NOON);
    let state = || {
        let stored = archive.backup(&StreamName::default(), id).unwrap();
        stored.state(&stored.certificates().unwrap())
    };
    assert_eq!(state(), BackupState::Unverified);
    certify(&archive, id, NOON + 1, VerifyLevel::Exists);
    assert_eq!(state(), BackupState::Unverified);
    certify(&archive, id, NOON + 2, VerifyLevel::Bytes);
    assert_eq!(state(), BackupState::Verified);
    let volume = object(id, "main.rdb.zst.000000");
    let good = store.get(&volume, 1 << 20).unwrap();
    let mut bad = good.clone();
    bad[7] ^= 1;
    store.put(&volume, &bad, IfExists::Replace).unwrap();
    certify(&archive, id, NOON + 3, VerifyLevel::Exists);
    assert_eq!(state(), BackupState::Verified, "nobody looked");
    certify(&archive, id, NOON + 4, VerifyLevel::Bytes);
    assert_eq!(state(), BackupState::Failed);
    certify(&archive, id, NOON + 5, VerifyLevel::Exists);
    assert_eq!(state(), BackupState::Failed, "that it is there heals nothing");
    store.put(&volume, &good, IfExists::Replace).unwrap();
    certify(&archive, id, NOON + 6, VerifyLevel::Meaning);
    assert_eq!(state(), BackupState::Verified);

    // A server that is too old for it is no damage.
    let check = BackupOptions::default().check.target("redis-2.4".parse().unwrap());
    let options = VerifyOptions::default().check(check);
    let main = StreamName::default();
    let told =
        verify(&archive, &main, id, &at(NOON + 7), &options, &mut |_, _| ControlFlow::Continue(()));
    let told = told.unwrap();
    assert!(told.passed() && told.loads == Some(false), "{:?}", told.problems);
    assert_eq!(state(), BackupState::Verified);
}

/// Prunes with one call that goes wrong, for each call there is; how often nothing, something and all of
/// it was deleted.
fn each_call(trouble: Trouble) -> [usize; 3] {
    let mut counts = [0; 3];
    for call in 0.. {
        let store = Arc::new(MemoryStore::new());
        let archive = Archive::create(Arc::clone(&store)).unwrap();
        let made: Vec<_> = (0..5).map(|day| tiny(&archive, NOON + day * DAY)).collect();
        for id in &made {
            certify(&archive, *id, NOON + 5 * DAY, VerifyLevel::Bytes);
        }
        store
            .put(
                &object("20261101T000000000Z-00000000".parse().unwrap(), "x"),
                b"x",
                IfExists::Refuse,
            )
            .unwrap();
        let faulty = Arc::new(FaultStore::new(Arc::clone(&store)));
        let troubled = Archive::open(Arc::clone(&faulty)).unwrap();
        let before = faulty.calls().len();
        faulty.fail(before + call, trouble);
        let outcome = run(&troubled, NOON + 6 * DAY, &last(2));
        let reached = faulty.calls().len() > before + call;
        let there = ids(&archive);
        assert!(there.ends_with(&made[3..]), "call {call}: what is kept is kept");
        whole(&archive);
        match &outcome {
            // What cannot be read is no failure, but stays.
            Ok(done) if done.is_complete() && done.plan.unreadable.is_empty() => {
                assert!(
                    there == made[3..] || trouble == Trouble::Stale(3),
                    "call {call}: {done:?}"
                );
            }
            Ok(done) => {
                let gone = done.deleted.iter().all(|id| !there.contains(id));
                assert!(gone, "call {call}: it says that they are gone");
            }
            Err(_) => assert_eq!(there, made, "call {call}: an error is before all else"),
        }
        counts[match there.len() {
            5 => 0,
            2 => 2,
            _ => 1,
        }] += 1;
        // Whoever comes next, once a lease is over, does the rest.
        let next = run(&archive, NOON + 6 * DAY + 7_200_000, &last(2)).unwrap();
        assert!(next.is_complete(), "call {call}: {next:?}");
        assert_eq!(ids(&archive), made[3..], "call {call}");
        assert!(archive.remains(&StreamName::default()).unwrap().is_empty(), "call {call}");
        whole(&archive);
        if !reached {
            assert!(outcome.unwrap().is_complete());
            return counts;
        }
    }
    counts
}

#[test]
fn whichever_call_fails_nothing_is_half_deleted_and_the_next_run_completes() {
    for trouble in [Trouble::Unavailable, Trouble::Denied, Trouble::LostAnswer, Trouble::Dead] {
        let [none, some, all] = each_call(trouble);
        assert!(none > 3 && some > 10 && all > 3, "{trouble:?}: {none} {some} {all}");
    }
}

#[test]
fn a_list_that_is_behind_has_no_backup_taken_for_remains() {
    let store = Arc::new(FaultStore::new(MemoryStore::new()));
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let id = tiny(&archive, NOON);
    let begin = store.calls().len();
    run(&archive, NOON + 2 * DAY, &last(1)).unwrap();
    let of_stream = |name: &ObjectName| name.as_str() == "main";
    let calls = store.calls();
    let list = calls.iter().skip(begin).position(|call| call.name.as_ref().is_some_and(of_stream));
    let mut taken = 0;
    for (more, run_before) in [0, 1, 0, 2].into_iter().zip(1..) {
        // The lock of each run came and went, and there is that of this one.
        let changes = 3 + 2 * run_before + more;
        store.fail(store.calls().len() + list.unwrap(), Trouble::Stale(changes));
        let done = run(&archive, NOON + 2 * DAY, &last(1)).unwrap();
        taken += done.plan.remains.len();
        assert_eq!((done.remains_deleted.len(), ids(&archive)), (0, vec![id]), "{done:?}");
        whole(&archive);
    }
    assert_eq!(taken, 4);
}

#[test]
fn a_store_that_keeps_what_it_has_is_told_of_and_not_fought() {
    // Nothing can be deleted; then all but what is of one backup; then all but volumes.
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let made: Vec<_> = (0..4).map(|day| tiny(&archive, NOON + day * DAY)).collect();
    let locks = |name: &str| !name.contains("/lock/");
    let kept = Archive::open(Immutable(Arc::clone(&store), locks)).unwrap();
    let before = store.list(None).unwrap();
    let done = run(&kept, NOON + 4 * DAY, &last(1)).unwrap();
    assert_eq!(store.list(None).unwrap(), before);
    assert_eq!((done.deleted.len(), done.bytes_freed, done.failures.len()), (0, 0, 3));
    assert!(done.failures.iter().all(|failure| failure.code == "store_denied"));
    assert!(done.failures[0].place.ends_with("/manifest.json") && done.stopped.is_none());

    let held = |name: &str| name.starts_with("main/20261121") || name.contains("/lock/");
    let kept = Archive::open(Immutable(Arc::clone(&store), held)).unwrap();
    let done = run(&kept, NOON + 5 * DAY, &last(1)).unwrap();
    assert_eq!((done.deleted.len(), done.failures.len()), (2, 1), "{done:?}");
    assert_eq!(ids(&archive), [made[1], made[3]]);

    let volumes = |name: &str| name.contains(".zst");
    let kept = Archive::open(Immutable(Arc::clone(&store), volumes)).unwrap();
    // The lock that could not be deleted is in the way for its lease.
    let error = run(&kept, NOON + 5 * DAY, &last(1)).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::LockHeld));
    let done = run(&kept, NOON + 6 * DAY, &last(1)).unwrap();
    assert_eq!((done.deleted, done.failures.len()), (vec![made[1]], 2));
    assert_eq!(ids(&archive), [made[3]]);
    assert_eq!(archive.remains(&StreamName::default()).unwrap()[0].objects, 2);
    let done = run(&archive, NOON + 6 * DAY, &last(1)).unwrap();
    assert_eq!(done.remains_deleted, [made[1]]);
    assert_eq!(archive.remains(&StreamName::default()).unwrap(), []);
}

#[test]
fn a_stream_that_is_written_to_is_not_pruned() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let made: Vec<_> = (0..3).map(|day| tiny(&archive, NOON + day * DAY)).collect();
    let now = NOON + 3 * DAY;
    let mut looked = 0;
    let options = BackupOptions::default();
    backup_watched(&archive, TINY, None, &at(now), &options, &mut |_| {
        let error = run(&archive, now, &last(1)).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::LockHeld));
        let dry = run(&archive, now, &last(1).dry_run(true)).unwrap();
        assert_eq!((dry.plan.forget.len(), dry.plan.remains.len()), (2, 0));
        looked += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(looked > 0);
    let mut looked = 0;
    prune(&archive, &at(now), &last(1), &mut |_| {
        let error = put(&archive, TINY, now, &options).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::LockHeld));
        looked += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(looked > 3 && !made.contains(&ids(&archive)[0]));
    assert_eq!(ids(&archive).len(), 1);
}

#[test]
fn whoever_lost_the_stream_or_is_stopped_deletes_no_more() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let made: Vec<_> = (0..5).map(|day| tiny(&archive, NOON + day * DAY)).collect();
    let clock = Cell::new(NOON + 5 * DAY);
    let now = || UnixMillis::new(clock.get());
    let mut other = None;
    let main = StreamName::default();
    let done = prune(&archive, &now, &last(1), &mut |progress| {
        if progress.freed > 0 && other.is_none() {
            // The machine slept, and somebody else has the stream now.
            clock.set(clock.get() + 3_600_000);
            other = Some(Lock::take(&archive, &main, &LockOptions::default(), now()).unwrap());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(done.stopped.as_ref().unwrap().code, "lock_lost");
    assert_eq!((&done.deleted, done.is_complete()), (&vec![made[3]], false));
    other.unwrap().release().unwrap();
    // By its own clock nothing happened; by that of somebody else its lease is over.
    let (mut other, mut backups) = (None, ids(&archive));
    let done = prune(&archive, &now, &last(1), &mut |progress| {
        if progress.to_free > 0 && other.is_none() {
            let later = UnixMillis::new(clock.get() + 3_600_000);
            other = Some(Lock::take(&archive, &main, &LockOptions::default(), later).unwrap());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(done.stopped.unwrap().code, "lock_lost");
    // What was begun then is gone, and no other.
    assert_eq!(done.deleted, [made[2]]);
    backups.retain(|id| *id != made[2]);
    assert_eq!(ids(&archive), backups);
    other.unwrap().release().unwrap();

    let done = prune(&archive, &now, &last(1), &mut |progress| match progress.freed {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    let done = done.unwrap();
    assert_eq!(done.stopped.unwrap().code, "cancelled");
    assert_eq!(ids(&archive), [made[0], made[4]]);
    whole(&archive);
    let error = prune(&archive, &now, &last(1), &mut |_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Cancelled));
    // Many leases long, the reading as well as the deleting: nobody else has the stream meanwhile.
    (6..20).for_each(|day| assert!(tiny(&archive, clock.get() + day * DAY).time() > now()));
    clock.set(clock.get() + 20 * DAY);
    let mut read = 0;
    let done = prune(&archive, &now, &last(1), &mut |progress| {
        clock.set(clock.get() + 600_000);
        let error = Lock::take(&archive, &main, &LockOptions::default(), now()).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::LockHeld));
        read = progress.read;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(done.is_complete() && read == 16 && ids(&archive).len() == 1);
}

#[test]
fn remains_stay_for_a_while_and_then_go() {
    let folder = tempfile::tempdir().unwrap();
    let faulty = Arc::new(FaultStore::new(LocalStore::open(folder.path()).unwrap()));
    let archive = Archive::create(Arc::clone(&faulty)).unwrap();
    let good = tiny(&archive, NOON);
    // Killed when it wanted to put the manifest, and never heard of again.
    let calls = faulty.calls();
    let manifest = calls.iter().rposition(|call| {
        call.operation == Operation::Put
            && call.name.as_ref().is_some_and(|name| name.as_str().ends_with("manifest.json"))
    });
    let from_end = calls.len() - manifest.unwrap();
    let killed = Arc::new(FaultStore::new(LocalStore::open(folder.path()).unwrap()));
    let dying = Archive::open(Arc::clone(&killed)).unwrap();
    let lock = calls.iter().position(|call| call.operation == Operation::List).unwrap();
    // This one also looks at the backup before: two reads more.
    let begin = killed.calls().len();
    killed.fail(begin + (calls.len() - lock - from_end) + 2, Trouble::Dead);
    put(&dying, TINY, NOON + DAY, &BackupOptions::default()).unwrap_err();
    let main = StreamName::default();
    let remains = archive.remains(&main).unwrap();
    assert_eq!((remains.len(), ids(&archive)), (1, vec![good]));
    assert!(remains[0].bytes > 0 && !remains[0].is_complete());

    let done = run(&archive, NOON + DAY + DAY / 2, &last(5)).unwrap();
    assert_eq!((done.plan.young.len(), done.plan.remains.len()), (1, 0));
    assert_eq!(archive.remains(&main).unwrap(), remains);
    let done = run(&archive, NOON + 2 * DAY + 1, &last(5)).unwrap();
    assert_eq!(done.remains_deleted, [remains[0].id]);
    assert_eq!(done.bytes_freed, remains[0].bytes);
    assert!(faulty.calls().iter().any(|call| call.operation == Operation::Clean));
    assert_eq!(
        std::fs::read_dir(folder.path().join("main")).unwrap().count(),
        1,
        "no folder stays"
    );
    assert_eq!(archive.find(&main, &Pick::Latest).unwrap(), good);
    let json = serde_json::to_value(&done).unwrap();
    assert_eq!(json["plan"]["retention"]["backups"][0]["verdict"], "keep");
    assert_eq!(json["remains_deleted"][0], remains[0].id.to_string());
}
