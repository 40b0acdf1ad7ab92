//! What is said of an archive.

use crate::{DAY, NOON, TINY, at, certify, ids, put, tiny};
use redkeep::repo::store::{
    FaultStore, IfExists, MemoryStore, ObjectName, Operation, Store, Trouble,
};
use redkeep::repo::{Archive, Lock, LockOptions, StreamName, VerifyLevel};
use redkeep::task::{
    BackupOptions, Status, StatusCode, StatusLevel, StatusOptions, StreamStatus, backup_watched,
    status,
};
use redkeep::{Fault, UnixMillis};
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

const HOUR: i64 = 3_600_000;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn ask(archive: &Archive, now: i64, options: &StatusOptions) -> Status {
    status(archive, &at(now), options, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

fn codes(stream: &StreamStatus) -> Vec<&'static str> {
    stream.findings.iter().map(|finding| finding.code.code()).collect()
}

/// A dump of so many keys, each of some bytes.
fn dump(keys: usize, value: usize) -> Vec<u8> {
    let mut dump = b"REDIS0003\xfe\x00".to_vec();
    for key in 0..keys {
        let key = format!("key{key:05}");
        dump.extend([0, u8::try_from(key.len()).unwrap()]);
        dump.extend(key.bytes());
        dump.push(u8::try_from(value).unwrap());
        dump.extend(vec![b'v'; value]);
    }
    dump.push(0xff);
    dump
}

#[test]
fn an_archive_without_a_backup_is_critical() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let empty = ask(&archive, NOON, &StatusOptions::default());
    assert_eq!(
        (empty.verdict, empty.findings[0].code),
        (StatusLevel::Critical, StatusCode::NoBackup)
    );
    tiny(&archive, NOON);
    let fine = ask(&archive, NOON, &StatusOptions::default());
    assert_eq!((fine.verdict, fine.findings().count()), (StatusLevel::Ok, 0), "{fine:?}");
    assert_eq!(fine.streams[0].stream, StreamName::default());
    let named = StatusOptions::default().stream(StreamName::new("sessions").unwrap());
    let named = ask(&archive, NOON, &named);
    assert_eq!(named.verdict, StatusLevel::Critical);
    assert_eq!(codes(&named.streams[0]), ["no_backup"]);
}

#[test]
fn ages_are_those_of_backups_and_limits_are_kept_to_the_millisecond() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let verified = tiny(&archive, NOON);
    certify(&archive, verified, NOON + 5 * HOUR, VerifyLevel::Bytes);
    let newest = tiny(&archive, NOON + HOUR);
    let options = StatusOptions::default().max_age(hours(2)).max_verified_age(hours(4));
    let now = NOON + 3 * HOUR;
    let fine = ask(&archive, now, &options);
    let stream = &fine.streams[0];
    assert_eq!((fine.verdict, stream.newest.as_ref().unwrap().id), (StatusLevel::Ok, newest));
    assert_eq!(stream.newest.as_ref().unwrap().age_ms, 2 * 3_600_000);
    let of_verified = stream.newest_verified.as_ref().unwrap();
    assert_eq!((of_verified.id, of_verified.age_ms), (verified, 3 * 3_600_000));
    assert_eq!((stream.backups.all, stream.backups.verified, stream.backups.unverified), (2, 1, 1));

    let late = ask(&archive, now + 1, &options);
    assert_eq!((late.verdict, codes(&late.streams[0])), (StatusLevel::Critical, vec!["too_old"]));
    assert_eq!(late.streams[0].findings[0].backup, Some(newest));
    let later = ask(&archive, NOON + 4 * HOUR + 1, &options);
    assert_eq!(codes(&later.streams[0]), ["too_old", "verified_too_old"]);
    assert_eq!(later.streams[0].findings[1].backup, Some(verified));

    // One from a clock that was wrong does not look new for ever.
    let wrong = tiny(&archive, NOON + 9 * DAY);
    let told = ask(&archive, now + 1, &options);
    assert_eq!(codes(&told.streams[0]), ["too_old", "future"]);
    assert_eq!(told.streams[0].newest.as_ref().unwrap().id, wrong);
    assert_eq!(told.streams[0].newest.as_ref().unwrap().age_ms, 0);

    let none = Archive::create(MemoryStore::new()).unwrap();
    tiny(&none, NOON);
    assert_eq!(codes(&ask(&none, NOON, &options).streams[0]), ["verified_too_old"]);
}

#[test]
fn what_failed_is_told_by_whether_it_is_the_newest() {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let made: Vec<_> = (0..4).map(|day| tiny(&archive, NOON + day * DAY)).collect();
    let file =
        |at: usize, name: &str| ObjectName::new(format!("main/{}/{name}", made[at])).unwrap();
    let spoil = |at: usize| {
        store.put(&file(at, "main.rdb.zst.000000"), b"rotten", IfExists::Replace).unwrap();
        assert!(!certify(&archive, made[at], NOON + 5 * DAY, VerifyLevel::Bytes));
    };
    let told = || ask(&archive, NOON + 5 * DAY, &StatusOptions::default());
    spoil(0);
    store.put(&file(1, "manifest.json.sha256"), b"", IfExists::Replace).unwrap();
    let status = told();
    assert_eq!(
        (status.verdict, codes(&status.streams[0])),
        (StatusLevel::Warning, vec!["failed", "unreadable"])
    );
    spoil(3);
    let status = told();
    assert_eq!(codes(&status.streams[0]), ["newest_failed", "failed", "unreadable"]);
    assert_eq!(status.verdict, StatusLevel::Critical);
    let counts = status.streams[0].backups;
    assert_eq!((counts.all, counts.failed, counts.unreadable, counts.unverified), (4, 2, 1, 1));
    // The manifest of the newest is gone bad: that is worse than any other.
    store.put(&file(3, "manifest.json"), b"{}", IfExists::Replace).unwrap();
    let status = told();
    assert_eq!(codes(&status.streams[0]), ["newest_failed", "failed", "unreadable"]);
    assert_eq!(status.streams[0].findings[0].backup, Some(made[3]));
    assert_eq!(status.streams[0].newest.as_ref().unwrap().id, made[2]);

    let damaged = Archive::create(MemoryStore::new()).unwrap();
    let options = BackupOptions::default().keep_damaged(true);
    put(&damaged, &TINY[..14], NOON, &options).unwrap();
    let status = ask(&damaged, NOON, &StatusOptions::default());
    assert_eq!(codes(&status.streams[0]), ["newest_failed"]);
    assert_eq!(status.streams[0].findings[0].message, "the newest backup is damaged");
}

#[test]
fn a_backup_that_is_much_smaller_or_bigger_than_those_before_is_told() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let options = BackupOptions::default();
    let add = |day: i64, keys: usize, value: usize| {
        put(&archive, &dump(keys, value), NOON + day * DAY, &options).unwrap();
        ask(&archive, NOON + day * DAY, &StatusOptions::default().trend(3)).streams.remove(0)
    };
    assert_eq!(add(0, 100, 10).trend, None);
    assert_eq!(codes(&add(1, 140, 10)), [""; 0]);
    let (keys, bytes) = (120, dump(120, 10).len() as u64);
    let third = add(2, 120, 10);
    assert_eq!(codes(&third), [""; 0]);
    let trend = add(3, 60, 10).trend.unwrap();
    assert_eq!((trend.backups, trend.keys.newest, trend.keys.median), (3, 60, keys));
    assert_eq!((trend.keys.percent, trend.bytes.median), (Some(-50), bytes));
    // Of the last three: 140, 120 and 60.
    let shrunk = add(4, 59, 10);
    assert_eq!(codes(&shrunk), ["shrank", "shrank"]);
    assert_eq!(
        shrunk.findings[1].to_string(),
        "warning: the newest backup has 59 keys, and 120 is the median of the 3 before: -50 %, more than 50 % off"
    );
    // As many keys, bigger values: of 120, 60 and 59.
    assert_eq!(codes(&add(5, 60, 60)), ["grew"]);
    // One that is damaged is nothing to compare with.
    let damaged = BackupOptions::default().keep_damaged(true);
    put(&archive, &dump(30, 10)[..400], NOON + 5 * DAY + 1, &damaged).unwrap();
    let status = add(6, 50, 60);
    let one = StatusOptions::default().trend(1);
    let trend = ask(&archive, NOON + 6 * DAY, &one).streams[0].trend.unwrap();
    assert_eq!((trend.backups, trend.keys.median, status.backups.failed), (1, 60, 1));
    let off = StatusOptions::default().trend(3).max_change(None);
    let status = ask(&archive, NOON + 6 * DAY, &off);
    assert_eq!(codes(&status.streams[0]), ["failed"]);
    assert_eq!(status.bytes, status.streams[0].bytes);
    let stored: u64 = archive.store().list(None).unwrap().iter().map(|object| object.size).sum();
    let own = archive.store().stat(&ObjectName::new("redkeep.json").unwrap()).unwrap().unwrap();
    assert_eq!(status.bytes, stored - own);
}

#[test]
fn another_server_is_told() {
    let store = Arc::new(MemoryStore::new());
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    let id = tiny(&archive, NOON);
    let name = |file: &str| ObjectName::new(format!("main/{id}/{file}")).unwrap();
    let mut json: serde_json::Value =
        serde_json::from_slice(&store.get(&name("manifest.json"), 1 << 20).unwrap()).unwrap();
    json["source_change"]["state"] = "other".into();
    let bytes = serde_json::to_vec(&json).unwrap();
    use sha2::Digest as _;
    let line = format!("{:x}  manifest.json\n", sha2::Sha256::digest(&bytes));
    store.put(&name("manifest.json"), &bytes, IfExists::Replace).unwrap();
    store.put(&name("manifest.json.sha256"), line.as_bytes(), IfExists::Replace).unwrap();
    let status = ask(&archive, NOON, &StatusOptions::default());
    assert_eq!(
        (status.verdict, codes(&status.streams[0])),
        (StatusLevel::Warning, vec!["other_source"])
    );
}

#[test]
fn who_is_at_work_and_who_was_killed_is_told_apart() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    tiny(&archive, NOON);
    let options = StatusOptions::default();
    let mut looked = 0;
    let backup = BackupOptions::default().lock(LockOptions::default().owner("night \"shift\""));
    let now = NOON + DAY;
    backup_watched(&archive, TINY, None, &at(now), &backup, &mut |_| {
        let status = ask(&archive, now, &options);
        let stream = &status.streams[0];
        assert_eq!((status.verdict, stream.backups.all), (StatusLevel::Ok, 1));
        assert_eq!(stream.lock.as_ref().unwrap().owner, "night \"shift\"");
        assert!(status.prometheus().contains("redkeep_locked{stream=\"main\"} 1\n"));
        looked += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(looked > 0);
    let main = StreamName::default();
    let lock = Lock::take(&archive, &main, &LockOptions::default(), UnixMillis::new(now)).unwrap();
    std::mem::forget(lock);
    let left = ObjectName::new("main/20261121T120000000Z-00000000/main.rdb.zst.000000").unwrap();
    archive.store().put(&left, b"left", IfExists::Refuse).unwrap();
    let status = ask(&archive, now + 1, &options);
    assert_eq!((status.verdict, status.streams[0].remains.young), (StatusLevel::Ok, 1));
    let status = ask(&archive, now + 1_800_000, &options);
    assert_eq!(codes(&status.streams[0]), ["lock_over"]);
    assert!(status.prometheus().contains("redkeep_locked{stream=\"main\"} 0\n"));
    let status = ask(&archive, now + DAY + 1, &options);
    assert_eq!(codes(&status.streams[0]), ["remains", "lock_over"]);
    let remains = status.streams[0].remains;
    assert_eq!((remains.old, remains.young, remains.bytes), (1, 0, 4));
}

#[test]
fn only_manifests_certificates_and_locks_are_read_and_nothing_is_changed() {
    let store = Arc::new(FaultStore::new(MemoryStore::new()));
    let archive = Archive::create(Arc::clone(&store)).unwrap();
    for day in 0..3 {
        let id = tiny(&archive, NOON + day * DAY);
        certify(&archive, id, NOON + day * DAY, VerifyLevel::Bytes);
    }
    let (before, objects) = (store.calls().len(), store.list(None).unwrap());
    ask(&archive, NOON + 3 * DAY, &StatusOptions::default());
    assert_eq!(store.list(None).unwrap(), objects);
    let calls = store.calls();
    for call in &calls[before..] {
        let name = call.name.as_ref().map_or("", ObjectName::as_str);
        let read = ["json", "sha256"].iter().any(|end| name.ends_with(end));
        let known = call.operation == Operation::Range && read || call.operation == Operation::List;
        assert!(known, "{call:?}");
    }
    // A store that fails is an error and no verdict.
    for (call, _) in calls[before..].iter().enumerate().take(8) {
        store.fail(store.calls().len() + call, Trouble::Unavailable);
        let error = status(&archive, &at(NOON), &StatusOptions::default(), &mut |_, _| {
            ControlFlow::Continue(())
        });
        assert_eq!(error.unwrap_err().fault(), Some(Fault::StoreUnavailable), "call {call}");
    }
    let error =
        status(&archive, &at(NOON), &StatusOptions::default(), &mut |_, _| ControlFlow::Break(()));
    assert_eq!(error.unwrap_err().fault(), Some(Fault::Cancelled));
}

/// Samples by name and labels, each line held to the text format.
fn parsed(text: &str) -> BTreeMap<(String, Vec<(String, String)>), f64> {
    assert!(text.ends_with('\n') && !text.contains("\n\n"));
    let is_name = |name: &str| {
        let sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.starts_with("redkeep_") && name.chars().all(sign)
    };
    let (mut families, mut samples) = (HashSet::new(), BTreeMap::new());
    let (mut family, mut helped) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(is_name(name) && words.ends_with('.'), "{line}");
            helped = name.to_owned();
        } else if let Some(of_type) = line.strip_prefix("# TYPE ") {
            let name = of_type.strip_suffix(" gauge").unwrap();
            assert_eq!(name, helped, "{line}");
            assert!(families.insert(name.to_owned()), "{line}: said twice");
            family = name.to_owned();
        } else {
            let (head, value) = line.rsplit_once(' ').unwrap();
            let (name, mut rest) = match head.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
                None => (head, ""),
            };
            assert_eq!(name, family, "{line}");
            let mut labels = Vec::new();
            while !rest.is_empty() {
                let (label, quoted) = rest.split_once("=\"").unwrap();
                let end = quoted.find('"').unwrap();
                assert!(label.chars().all(|c| c.is_ascii_lowercase()), "{line}");
                assert!(!quoted[..end].contains('\\'), "no stream has such signs: {line}");
                labels.push((label.to_owned(), quoted[..end].to_owned()));
                rest = quoted[end + 1..].strip_prefix(',').unwrap_or(&quoted[end + 1..]);
            }
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite());
            assert_eq!(samples.insert((name.to_owned(), labels), value), None, "{line}: twice");
        }
    }
    samples
}

#[test]
fn metrics_are_what_is_reported_line_by_line() {
    let archive = Archive::create(MemoryStore::new()).unwrap();
    let made: Vec<_> = (0..3).map(|day| tiny(&archive, NOON + day * DAY)).collect();
    certify(&archive, made[1], NOON + 2 * DAY, VerifyLevel::Meaning);
    let other = StreamName::new("other-1").unwrap();
    put(&archive, &dump(30, 5), NOON, &BackupOptions::default().stream(other)).unwrap();
    let options = StatusOptions::default().max_age(hours(24));
    let status = ask(&archive, NOON + 2 * DAY + 1500, &options);
    let text = status.prometheus();
    let samples = parsed(&text);
    let value = |name: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(l, v)| ((*l).to_owned(), (*v).to_owned())).collect();
        let key = (name.to_owned(), labels);
        *samples.get(&key).unwrap_or_else(|| panic!("{key:?} in\n{text}"))
    };
    let main = [("stream", "main")];
    assert_eq!(value("redkeep_archive_info", &[("archive", &archive.id().to_string())]), 1.0);
    assert_eq!(value("redkeep_status", &[]), 2.0);
    assert_eq!(value("redkeep_stream_status", &main), 0.0);
    assert_eq!(value("redkeep_stream_status", &[("stream", "other-1")]), 2.0);
    assert_eq!(value("redkeep_backups", &[("stream", "main"), ("state", "verified")]), 1.0);
    assert_eq!(value("redkeep_backups", &[("stream", "main"), ("state", "unverified")]), 2.0);
    assert_eq!(value("redkeep_newest_backup_age_seconds", &main), 1.5);
    assert_eq!(value("redkeep_newest_verified_backup_age_seconds", &main), 86_401.5);
    let begun = (NOON + 2 * DAY) as f64 / 1000.0;
    assert_eq!(value("redkeep_newest_backup_timestamp_seconds", &main), begun);
    assert_eq!(value("redkeep_newest_backup_keys", &[("stream", "other-1")]), 30.0);
    assert_eq!(value("redkeep_newest_backup_keys_ratio", &main), 1.0);
    assert_eq!(value("redkeep_stored_bytes", &[]), status.bytes as f64);
    let finding = [("stream", "other-1"), ("code", "too_old"), ("level", "critical")];
    assert_eq!(value("redkeep_findings", &finding), 1.0);
    assert!(!text.contains("redkeep_newest_verified_backup_age_seconds{stream=\"other-1\"}"));
    assert_eq!(ids(&archive).len(), 3);

    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["verdict"], "critical");
    assert_eq!(json["streams"][1]["findings"][0]["code"], "too_old");
    let codes: HashSet<_> = StatusCode::ALL.iter().map(|code| code.code()).collect();
    assert_eq!(codes.len(), StatusCode::ALL.len());
}
