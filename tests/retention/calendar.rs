//! Hours, days, weeks, months and years.

use crate::{DAY, HOUR, at, days, kept, plan, utc, verified};
use redkeep::repo::retention::{KeepReason, RetentionOptions, RetentionPlan, Verdict, Zone};

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

/// The names of the hours, days and so on that backups are kept for, from the newest to the oldest.
fn names(plan: &RetentionPlan) -> Vec<&str> {
    let reasons = plan.backups.iter().flat_map(|backup| match &backup.verdict {
        Verdict::Keep(reasons) => &reasons[..],
        Verdict::Forget(_) => &[],
    });
    let names = reasons.filter_map(|reason| match reason {
        KeepReason::Slot { name, .. } => Some(&name[..]),
        _ => None,
    });
    names.collect()
}

/// One each noon from 2019 to 2029, with the date as its id.
fn eleven_years() -> Vec<redkeep::repo::retention::BackupFacts> {
    let mut backups = Vec::new();
    for year in 2019..=2029 {
        for month in 1..=12 {
            let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
            let first = days(year, month, 1);
            for day in first..next {
                let id = format!("{year}-{month:02}-{:02}", day - first + 1);
                backups.push(verified(&id, day * DAY + 12 * HOUR));
            }
        }
    }
    assert_eq!(backups.len(), 4018); // three leap years
    backups
}

#[test]
fn over_years_each_day_month_and_year_keeps_its_last() {
    let backups = eleven_years();
    let with = |options: RetentionOptions| plan(&backups, &options);
    let yearly = with(RetentionOptions::default().yearly(20));
    let want: Vec<_> = (2019..=2029).rev().map(|year| format!("{year}-12-31")).collect();
    assert_eq!(kept(&yearly), want);
    let monthly = with(RetentionOptions::default().monthly(11 * 12));
    assert_eq!(kept(&monthly).len(), 132);
    let februaries: Vec<_> = kept(&monthly).into_iter().filter(|id| &id[5..7] == "02").collect();
    let leap = |id: &&str| ["2020", "2024", "2028"].contains(&&id[..4]);
    for id in februaries {
        assert_eq!(&id[8..], if leap(&id) { "29" } else { "28" });
    }
    let daily = with(RetentionOptions::default().daily(366 + 365));
    assert_eq!(kept(&daily).len(), 731);
    assert_eq!(kept(&daily)[730], "2028-01-01");
    let hourly = with(RetentionOptions::default().hourly(3));
    assert_eq!(kept(&hourly), ["2029-12-31", "2029-12-30", "2029-12-29"]);
}

#[test]
fn over_years_each_week_keeps_its_sunday() {
    let backups = eleven_years();
    let weekly = plan(&backups, &RetentionOptions::default().weekly(10_000));
    let ids = kept(&weekly);
    // 2029 ends on a Monday, whose week has no Sunday yet.
    assert_eq!(ids[..3], ["2029-12-31", "2029-12-30", "2029-12-23"]);
    for id in &ids[1..] {
        let part = |from: usize, to: usize| id[from..to].parse().unwrap();
        // 1970-01-01 was a Thursday.
        assert_eq!((days(part(0, 4), part(5, 7), part(8, 10)) + 4) % 7, 0, "{id}");
    }
    assert_eq!(ids.len(), 574 + 1);
    let names = names(&weekly);
    let of = |year: &str| names.iter().filter(|name| name.starts_with(year)).count();
    assert_eq!((of("2019"), of("2020"), of("2021"), of("2026")), (52, 53, 52, 53));
}

#[test]
fn a_week_belongs_to_the_year_that_has_its_thursday() {
    for (time, want) in [
        ("2015-12-31 12:00", "2015-W53"),
        ("2016-01-01 12:00", "2015-W53"),
        ("2016-01-03 23:59", "2015-W53"),
        ("2016-01-04 00:00", "2016-W01"),
        ("2018-12-30 12:00", "2018-W52"),
        ("2018-12-31 12:00", "2019-W01"),
        ("2020-12-31 12:00", "2020-W53"),
        ("2021-01-03 12:00", "2020-W53"),
        ("2021-01-04 12:00", "2021-W01"),
        ("2024-02-29 12:00", "2024-W09"),
        ("2024-12-30 12:00", "2025-W01"),
        ("2026-12-31 12:00", "2026-W53"),
        ("2027-01-03 12:00", "2026-W53"),
    ] {
        let plan = plan(&at(&[time]), &RetentionOptions::default().weekly(1));
        assert_eq!(names(&plan), [want], "{time}");
    }
    let around =
        at(&["2020-12-28 01:00", "2021-01-02 01:00", "2021-01-03 01:00", "2021-01-04 01:00"]);
    let weekly = plan(&around, &RetentionOptions::default().weekly(5));
    assert_eq!(kept(&weekly), ["2021-01-04 01:00", "2021-01-03 01:00"]);
    let yearly = plan(&around, &RetentionOptions::default().yearly(5));
    assert_eq!(kept(&yearly), ["2021-01-04 01:00", "2020-12-28 01:00"]);
}

#[test]
fn a_leap_day_is_a_day() {
    let around =
        at(&["2024-02-28 23:00", "2024-02-29 01:00", "2024-02-29 23:00", "2024-03-01 01:00"]);
    let daily = plan(&around, &RetentionOptions::default().daily(9));
    assert_eq!(names(&daily), ["2024-03-01", "2024-02-29", "2024-02-28"]);
    let monthly = plan(&around, &RetentionOptions::default().monthly(9));
    assert_eq!(kept(&monthly), ["2024-03-01 01:00", "2024-02-29 23:00"]);
    // 1900 and 2100 have none.
    assert_eq!(days(2100, 3, 1) - days(2100, 2, 28), 1);
    let centuries = at(&["2100-02-28 12:00", "2100-03-01 12:00"]);
    assert_eq!(
        names(&plan(&centuries, &RetentionOptions::default().daily(9))),
        ["2100-03-01", "2100-02-28"]
    );
}

/// On 2026-10-25 at 03:00 Berlin's clocks went back to 02:00, which is 01:00 UTC.
#[test]
fn an_hour_that_comes_twice_is_two() {
    let night = at(&[
        "2026-10-24 23:30", // 01:30 in summer
        "2026-10-25 00:10",
        "2026-10-25 00:50", // 02:50 in summer
        "2026-10-25 01:10",
        "2026-10-25 01:50", // 02:50 in winter
        "2026-10-25 02:30",
    ]);
    let hourly = plan(&night, &RetentionOptions::default().hourly(9).zone(zone("Europe/Berlin")));
    assert_eq!(
        names(&hourly),
        [
            "2026-10-25 03h+01:00",
            "2026-10-25 02h+01:00",
            "2026-10-25 02h+02:00",
            "2026-10-25 01h+02:00"
        ]
    );
    assert_eq!(
        kept(&hourly),
        ["2026-10-25 02:30", "2026-10-25 01:50", "2026-10-25 00:50", "2026-10-24 23:30"]
    );
    // The day has 25 hours.
    let long = at(&["2026-10-24 22:00", "2026-10-25 22:59", "2026-10-25 23:00"]);
    let daily = plan(&long, &RetentionOptions::default().daily(9).zone(zone("Europe/Berlin")));
    assert_eq!(kept(&daily), ["2026-10-25 23:00", "2026-10-25 22:59"]);
    // In New York a week later, at 06:00 UTC.
    let night = at(&["2026-11-01 05:59", "2026-11-01 06:00", "2026-11-01 07:00"]);
    let hourly =
        plan(&night, &RetentionOptions::default().hourly(9).zone(zone("America/New_York")));
    assert_eq!(
        names(&hourly),
        ["2026-11-01 02h-05:00", "2026-11-01 01h-05:00", "2026-11-01 01h-04:00"]
    );
}

/// On 2026-03-29 at 02:00 Berlin's clocks went on to 03:00, which is 01:00 UTC.
#[test]
fn an_hour_that_is_left_out_is_none() {
    let night =
        at(&["2026-03-29 00:00", "2026-03-29 00:59", "2026-03-29 01:00", "2026-03-29 01:59"]);
    let hourly = plan(&night, &RetentionOptions::default().hourly(9).zone(zone("Europe/Berlin")));
    assert_eq!(names(&hourly), ["2026-03-29 03h+02:00", "2026-03-29 01h+01:00"]);
    assert_eq!(kept(&hourly), ["2026-03-29 01:59", "2026-03-29 00:59"]);
    // The day has 23 hours.
    let short = at(&["2026-03-28 23:00", "2026-03-29 21:59", "2026-03-29 22:00"]);
    let daily = plan(&short, &RetentionOptions::default().daily(9).zone(zone("Europe/Berlin")));
    assert_eq!(names(&daily), ["2026-03-30", "2026-03-29"]);
    let night = at(&["2026-03-08 06:59", "2026-03-08 07:00"]);
    let hourly =
        plan(&night, &RetentionOptions::default().hourly(9).zone(zone("America/New_York")));
    assert_eq!(names(&hourly), ["2026-03-08 03h-04:00", "2026-03-08 01h-05:00"]);
}

/// In St. John's clocks went back at 00:01 on 2010-11-07 (02:31 UTC): a minute of that day, then the last
/// hour of the day before once more.
#[test]
fn a_day_that_comes_again_is_one() {
    let night =
        at(&["2010-11-07 02:29", "2010-11-07 02:30", "2010-11-07 02:32", "2010-11-07 03:31"]);
    let daily = plan(&night, &RetentionOptions::default().daily(9).zone(zone("America/St_Johns")));
    assert_eq!(names(&daily), ["2010-11-07", "2010-11-06"]);
    assert_eq!(kept(&daily), ["2010-11-07 03:31", "2010-11-07 02:32"]);
}

#[test]
fn the_zone_says_when_a_day_ends() {
    let evening = at(&["2025-12-31 14:00", "2025-12-31 16:00", "2025-12-31 23:30"]);
    for (zone, want) in [
        ("UTC", &["2025-12-31 23:30"][..]),
        ("+01:00", &["2025-12-31 23:30", "2025-12-31 16:00"]),
        ("Asia/Tokyo", &["2025-12-31 23:30", "2025-12-31 14:00"]),
        ("-12:00", &["2025-12-31 23:30"]),
    ] {
        for options in
            [RetentionOptions::default().yearly(9), RetentionOptions::default().monthly(9)]
        {
            assert_eq!(kept(&plan(&evening, &options.zone(zone.parse().unwrap()))), want, "{zone}");
        }
    }
    assert_eq!(utc("2026-11-20 00:00"), 1_795_132_800_000);
}
