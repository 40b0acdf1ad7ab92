//! What holds for all backups, times and rules.

use crate::{DAY, HOUR};
use proptest::prelude::*;
use proptest::sample::select;
use redkeep::UnixMillis;
use redkeep::repo::retention::{
    BackupFacts, BackupState, KeepReason, RetentionOptions, RetentionPlan, Verdict, retain,
};
use std::collections::BTreeSet;
use std::time::Duration;

const TAGS: [&str; 3] = ["a", "b", "c"];
/// Some weeks before this the clocks of both zones below change.
const NOW: i64 = 1_794_700_800_000;

fn zones() -> impl Strategy<Value = &'static str> {
    select(vec!["UTC", "Europe/Berlin", "America/New_York", "+05:45", "-11:00"])
}

fn state() -> impl Strategy<Value = BackupState> {
    use BackupState::{Failed, Unverified, Verified};
    prop_oneof![4 => Just(Verified), 2 => Just(Unverified), 1 => Just(Failed)]
}

/// Some in hours that are close together, some over years, a few in the future.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        (0i64..80).prop_map(|hours| NOW - 20 * DAY - hours * HOUR / 2),
        (-40i64..20_000).prop_map(|hours| NOW - hours * HOUR),
    ]
}

fn backups(needing: bool) -> impl Strategy<Value = Vec<BackupFacts>> {
    let needs = if needing { 0..3usize } else { 0..1 };
    let one =
        (time(), state(), prop::collection::vec(0..TAGS.len(), 0..2), needs, any::<[u8; 2]>());
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let count = all.len();
        let build = |(at, (time, state, tags, needs, which)): (
            usize,
            (_, _, Vec<usize>, usize, [u8; 2]),
        )| {
            let backup = BackupFacts::new(format!("b{at:02}"), UnixMillis::new(time), state);
            let tagged = tags.into_iter().fold(backup, |backup, tag| backup.tag(TAGS[tag]));
            // The last of the names is nobody's.
            let names =
                which[..needs].iter().map(|n| format!("b{:02}", usize::from(*n) % (count + 1)));
            names.fold(tagged, BackupFacts::need)
        };
        all.into_iter().enumerate().map(build).collect()
    })
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0u32), 1u32..6, Just(u32::MAX)]
}

prop_compose! {
    fn options()(
        last in number(), hourly in number(), daily in number(), weekly in number(),
        monthly in number(), yearly in number(),
        within in prop::option::of(0u64..4000), tags in prop::collection::vec(0..TAGS.len(), 0..2),
        zone in zones(),
    ) -> RetentionOptions {
        let options = RetentionOptions::default()
            .last(last).hourly(hourly).daily(daily).weekly(weekly).monthly(monthly).yearly(yearly)
            .zone(zone.parse().unwrap());
        let options = tags.into_iter().fold(options, |options, tag| options.tag(TAGS[tag]));
        within.map_or(options.clone(), |hours| options.within(Duration::from_secs(hours * 3600)))
    }
}

fn plan(backups: &[BackupFacts], options: &RetentionOptions) -> RetentionPlan {
    retain(backups, UnixMillis::new(NOW), options).unwrap()
}

fn kept(plan: &RetentionPlan) -> BTreeSet<String> {
    plan.kept().map(|backup| backup.id.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_order_of_backups_does_not_matter(
        backups in backups(true), options in options(), seed in any::<prop::sample::Index>(),
    ) {
        let mut other = backups.clone();
        other.reverse();
        if !other.is_empty() {
            let by = seed.index(other.len());
            other.rotate_left(by);
        }
        prop_assert_eq!(plan(&backups, &options), plan(&other, &options));
    }

    #[test]
    fn once_more_nothing_else_goes(backups in backups(true), options in options()) {
        let first = plan(&backups, &options);
        let stay = kept(&first);
        let left: Vec<_> = backups.into_iter().filter(|backup| stay.contains(&backup.id)).collect();
        prop_assert_eq!(plan(&left, &options).forgotten().count(), 0);
    }

    #[test]
    fn who_asks_for_more_gets_no_less(
        backups in backups(true), less in options(), more in options(),
    ) {
        prop_assume!(!less.is_empty());
        let mut more = more;
        more.last = more.last.max(less.last);
        more.hourly = more.hourly.max(less.hourly);
        more.daily = more.daily.max(less.daily);
        more.weekly = more.weekly.max(less.weekly);
        more.monthly = more.monthly.max(less.monthly);
        more.yearly = more.yearly.max(less.yearly);
        more.within = more.within.max(less.within);
        more.tags.extend(less.tags.clone());
        more.zone = less.zone.clone();
        let (few, many) = (kept(&plan(&backups, &less)), kept(&plan(&backups, &more)));
        prop_assert!(few.is_subset(&many), "{:?}", few.difference(&many));
    }

    #[test]
    fn the_newest_verified_one_and_what_is_needed_stay(
        backups in backups(true), options in options(),
    ) {
        let plan = plan(&backups, &options);
        let stay = kept(&plan);
        let past = plan.backups.iter().filter(|backup| backup.time.get() <= NOW);
        // All that it needs counts in its state.
        let newest = past.clone().find(|backup| backup.state == BackupState::Verified);
        prop_assert!(newest.is_none_or(|backup| stay.contains(&backup.id)));
        prop_assert!(past.clone().next().is_none_or(|backup| stay.contains(&backup.id)));
        for backup in &backups {
            prop_assert!(backup.time.get() <= NOW || stay.contains(&backup.id));
            if stay.contains(&backup.id) {
                for needed in backups.iter().filter(|other| backup.needs.contains(&other.id)) {
                    prop_assert!(stay.contains(&needed.id), "{} needs {}", backup.id, needed.id);
                }
            }
        }
    }

    #[test]
    fn what_is_not_verified_changes_nothing_for_what_is(
        backups in backups(false), options in options(),
    ) {
        let verified: Vec<_> = backups
            .iter()
            .filter(|backup| backup.state == BackupState::Verified)
            .cloned()
            .collect();
        let alone = plan(&verified, &options);
        let among = plan(&backups, &options);
        let same = among.backups.into_iter().filter(|b| b.state == BackupState::Verified);
        prop_assert_eq!(alone.backups, same.collect::<Vec<_>>());
    }

    #[test]
    fn rules_keep_as_many_as_they_say(backups in backups(false), options in options()) {
        for backup in plan(&backups, &options).backups {
            let Verdict::Keep(reasons) = &backup.verdict else {
                prop_assert!(!options.is_empty());
                continue;
            };
            prop_assert!(!reasons.is_empty());
            for reason in reasons {
                if let KeepReason::Last { number, of } | KeepReason::Slot { number, of, .. } = reason {
                    prop_assert!((1..=*of).contains(number));
                }
            }
        }
    }
}
