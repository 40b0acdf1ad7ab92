//! Each rule, and what none of them may take.

use crate::{DAY, HOUR, at, kept, plan, verified};
use redkeep::repo::retention::{
    BackupFacts, BackupState, KeepReason, RetentionOptions, Verdict, Zone, retain,
};
use redkeep::{ErrorKind, UnixMillis};
use std::time::Duration;

fn ms(ms: i64) -> UnixMillis {
    UnixMillis::new(ms)
}

fn backup(id: &str, day: i64, state: BackupState) -> BackupFacts {
    BackupFacts::new(id, ms(day * DAY), state)
}

#[test]
fn without_a_rule_everything_stays() {
    let backups = [
        backup("a", 1, BackupState::Failed),
        backup("b", 2, BackupState::Unverified),
        backup("c", 3, BackupState::Verified),
        backup("d", 9, BackupState::Verified),
    ];
    for options in [
        RetentionOptions::default(),
        RetentionOptions::default().zone(Zone::fixed(3600).unwrap()),
        RetentionOptions::default().last(0).yearly(0),
    ] {
        let plan = retain(&backups, ms(5 * DAY), &options).unwrap();
        assert_eq!(kept(&plan), ["d", "c", "b", "a"]);
        assert_eq!(plan.backups[3].to_string(), "a: keep: no rule is given");
    }
    assert_eq!(retain(&[], ms(0), &RetentionOptions::default()).unwrap().backups, []);
}

#[test]
fn every_reason_is_given() {
    let backups =
        at(&["2026-11-18 23:00", "2026-11-19 22:00", "2026-11-20 09:00", "2026-11-20 14:30"]);
    let mut backups: Vec<_> = backups.into_iter().map(|backup| backup.tag("x").tag("y")).collect();
    backups[0].tags = vec!["release".to_owned(), "y".to_owned(), "y".to_owned()];
    let options = RetentionOptions::default()
        .last(2)
        .hourly(1)
        .daily(2)
        .monthly(12)
        .tag("y")
        .tag("release")
        .within(Duration::from_millis(2 * 24 * 3_600_000));
    assert_eq!(
        plan(&backups, &options).to_string(),
        "2026-11-20 14:30: keep: newest verified backup; newest 1 of 2; newest of the hour \
         2026-11-20 14h+00:00 (1 of 1); newest of the day 2026-11-20 (1 of 2); newest of the month \
         2026-11 (1 of 12); young enough; tag y\n\
         2026-11-20 09:00: keep: newest 2 of 2; young enough; tag y\n\
         2026-11-19 22:00: keep: newest of the day 2026-11-19 (2 of 2); young enough; tag y\n\
         2026-11-18 23:00: keep: tag release; tag y\n"
    );
}

#[test]
fn age_is_seen_from_now_and_to_the_millisecond() {
    let backups =
        [verified("a", 999), verified("b", 1000), verified("c", 1001), verified("d", 6000)];
    let options = RetentionOptions::default().within(Duration::from_millis(5000));
    let plan = retain(&backups, ms(6000), &options).unwrap();
    assert_eq!(kept(&plan), ["d", "c", "b"]);
    let endless = RetentionOptions::default().within(Duration::MAX);
    let plan = retain(&backups, ms(6000), &endless).unwrap();
    assert_eq!(plan.forgotten().count(), 0);
    let none = RetentionOptions::default().within(Duration::ZERO);
    let plan = retain(&backups, ms(i64::MAX), &none).unwrap();
    assert_eq!(kept(&plan), ["d"]); // the newest one
}

#[test]
fn what_may_be_worthless_pushes_nothing_out() {
    use BackupState::{Failed, Unverified, Verified};
    let backups = [
        backup("a", 1, Verified),
        backup("b", 2, Failed),
        backup("c", 3, Unverified),
        backup("d", 4, Verified),
        backup("e", 5, Failed),
        backup("f", 6, Unverified),
        backup("g", 7, Unverified),
        backup("h", 8, Failed),
        backup("i", 9, Failed),
    ];
    for options in [RetentionOptions::default().last(2), RetentionOptions::default().daily(2)] {
        let plan = plan(&backups, &options);
        assert_eq!(kept(&plan), ["i", "h", "g", "f", "d", "a"]);
    }
    let plan = plan(&backups, &RetentionOptions::default().last(1));
    assert_eq!(
        plan.to_string(),
        "i: keep: newest failed backup; newest 1 of 1\n\
         h: forget: no rule keeps it\n\
         g: keep: newest unverified backup; newest 1 of 1\n\
         f: forget: no rule keeps it\n\
         e: forget: no rule keeps it; failed, and a better one is newer\n\
         d: keep: newest verified backup; newest 1 of 1\n\
         c: forget: no rule keeps it; unverified, and a better one is newer\n\
         b: forget: no rule keeps it; failed, and a better one is newer\n\
         a: forget: no rule keeps it\n"
    );
}

#[test]
fn the_newest_verified_one_stays_whatever_the_rules() {
    let backups = [
        backup("a", 1, BackupState::Verified),
        backup("b", 2, BackupState::Verified),
        backup("c", 3, BackupState::Unverified),
        backup("d", 4, BackupState::Failed).tag("x"),
    ];
    for options in [
        RetentionOptions::default().tag("x"),
        RetentionOptions::default().tag("nobody has it"),
        RetentionOptions::default().within(Duration::ZERO),
    ] {
        let plan = retain(&backups, ms(900 * DAY), &options).unwrap();
        assert_eq!(kept(&plan), ["d", "c", "b"]);
    }
}

#[test]
fn what_is_in_the_future_stays_and_takes_no_place() {
    let backups = [
        backup("a", 1, BackupState::Verified),
        backup("b", 2, BackupState::Verified),
        backup("c", 9, BackupState::Verified),
        backup("d", 90, BackupState::Failed),
    ];
    let options = RetentionOptions::default().last(1).within(Duration::from_millis(1));
    let plan = retain(&backups, ms(5 * DAY), &options).unwrap();
    assert_eq!(
        plan.to_string(),
        "d: keep: taken in the future: a clock is wrong\n\
         c: keep: taken in the future: a clock is wrong\n\
         b: keep: newest verified backup; newest 1 of 1\n\
         a: forget: no rule keeps it\n"
    );
    // Now is no future.
    let plan = retain(&backups[..2], ms(2 * DAY), &options).unwrap();
    assert_eq!(
        plan.backups[0].verdict.to_string(),
        "keep: newest verified backup; newest 1 of 1; young enough"
    );
}

#[test]
fn what_is_needed_stays_through_any_chain() {
    let backups = [
        backup("base", 1, BackupState::Verified),
        backup("other", 2, BackupState::Verified),
        backup("d1", 3, BackupState::Verified).need("base"),
        backup("d2", 4, BackupState::Verified).need("d1").need("base").need("base"),
        backup("d3", 5, BackupState::Verified).need("d2").need("d3"),
    ];
    let plan = plan(&backups, &RetentionOptions::default().last(1));
    assert_eq!(
        plan.to_string(),
        "d3: keep: newest verified backup; newest 1 of 1\n\
         d2: keep: needed by d3\n\
         d1: keep: needed by d2\n\
         other: forget: no rule keeps it\n\
         base: keep: needed by d1; needed by d2\n"
    );
    // What is kept for its date alone is followed, too, and a circle ends.
    let circle = [
        backup("a", 1, BackupState::Verified).need("b"),
        backup("b", 900, BackupState::Verified).need("c"),
        backup("c", 3, BackupState::Verified).need("a"),
        backup("z", 4, BackupState::Verified),
    ];
    let plan = retain(&circle, ms(5 * DAY), &RetentionOptions::default().last(1)).unwrap();
    assert_eq!(kept(&plan), ["b", "z", "c", "a"]);
}

#[test]
fn a_backup_is_no_better_than_what_it_needs() {
    let backups = [
        backup("a", 1, BackupState::Verified),
        backup("base", 2, BackupState::Failed),
        backup("d1", 3, BackupState::Verified).need("base"),
        backup("d2", 4, BackupState::Verified).need("d1"),
        backup("lost", 5, BackupState::Verified).need("x").need("x"),
    ];
    let plan = plan(&backups, &RetentionOptions::default().last(1));
    let states: Vec<_> = plan.backups.iter().map(|backup| backup.state).collect();
    assert_eq!(states[..4], [BackupState::Failed; 4]);
    assert_eq!(kept(&plan), ["lost", "a"]);
    assert_eq!(plan.missing.len(), 1);
    assert!(plan.to_string().ends_with("lost needs x, which is not there\n"), "{plan}");
    assert!(matches!(
        &plan.backups[4].verdict,
        Verdict::Keep(reasons) if reasons[0] == KeepReason::Newest { state: BackupState::Verified }
    ));
}

#[test]
fn of_two_at_one_time_the_greater_id_is_newer() {
    let backups = [verified("b", HOUR), verified("a", HOUR), verified("c", HOUR)];
    assert_eq!(kept(&plan(&backups, &RetentionOptions::default().daily(3))), ["c"]);
    let twice = [verified("same", 1), verified("b", 2), verified("same", 3)];
    let error = retain(&twice, ms(9), &RetentionOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("same"), "{error}");
}

#[cfg(feature = "json")]
#[test]
fn plans_and_options_are_json() {
    let delta = backup("b", 2, BackupState::Unverified).need("a");
    let plan = plan(
        &[delta, backup("c", 3, BackupState::Verified)],
        &RetentionOptions::default().daily(1),
    );
    assert_eq!(
        serde_json::to_value(&plan).unwrap(),
        serde_json::json!({
            "backups": [
                {"id": "c", "time": 3 * DAY, "state": "verified", "verdict": "keep", "reasons": [
                    {"code": "newest", "state": "verified"},
                    {"code": "slot", "period": "day", "name": "1970-01-04", "number": 1, "of": 1},
                ]},
                {"id": "b", "time": 2 * DAY, "state": "failed", "verdict": "forget", "reasons": [
                    {"code": "no_rule"},
                    {"code": "outdone", "state": "failed"},
                ]},
            ],
            "missing": [{"backup": "b", "needs": "a"}],
        })
    );
    let options = RetentionOptions::default()
        .last(1)
        .hourly(2)
        .daily(3)
        .weekly(4)
        .monthly(5)
        .yearly(6)
        .within(Duration::from_secs(90))
        .tag("t")
        .zone("America/New_York".parse().unwrap());
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(
        text,
        r#"{"last":1,"hourly":2,"daily":3,"weekly":4,"monthly":5,"yearly":6,"within":"1m30s","tags":["t"],"zone":"America/New_York"}"#
    );
    assert_eq!(serde_json::from_str::<RetentionOptions>(&text).unwrap(), options);
    let read = |text| serde_json::from_str::<RetentionOptions>(text);
    assert_eq!(read("{}").unwrap(), RetentionOptions::default());
    assert_eq!(read(r#"{"within":null}"#).unwrap().within, None);
    for bad in [
        r#"{"zone":"Mars/Olympus"}"#,
        r#"{"within":"7"}"#,
        r#"{"daily":-1}"#,
        r#"{"keep_daily":1}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
