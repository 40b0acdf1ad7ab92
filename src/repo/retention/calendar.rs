//! Hours, days, weeks, months and years of a time zone.

use crate::error::{Error, Result, printable};
use crate::time::UnixMillis;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use std::fmt;
use std::str::FromStr;

/// A time zone: UTC, a fixed distance from it, or one by its name with all its changes of the clock.
///
/// Names are those of the IANA database (`Europe/Berlin`): of the system's, else of the one that is
/// compiled in. Its text, also in a configuration, is `UTC`, `+05:30` or the name.
///
/// ```
/// use redkeep::repo::retention::Zone;
/// for text in ["UTC", "+05:30", "-08:00", "America/New_York"] {
///     assert_eq!(text.parse::<Zone>()?.to_string(), text);
/// }
/// assert_eq!(Zone::fixed(0)?, Zone::default());
/// assert!("Europe/Entenhausen".parse::<Zone>().is_err());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// A fixed distance from UTC in seconds, positive to the east.
    ///
    /// # Errors
    /// `Usage` for 24 hours and more.
    pub fn fixed(seconds: i32) -> Result<Zone> {
        let offset = Offset::from_seconds(seconds).ok().filter(|_| seconds.abs() < 86_400);
        match offset {
            Some(offset) if seconds != 0 => Ok(Zone(TimeZone::fixed(offset))),
            Some(_) => Ok(Zone::utc()),
            None => Err(Error::usage(format!("{seconds} s from UTC is no time zone"))),
        }
    }

    /// One by its name in the IANA database.
    ///
    /// # Errors
    /// `Usage` for a name that is in neither database.
    pub fn named(name: &str) -> Result<Zone> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Zone::utc());
        }
        let zone = TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some());
        zone.map(Zone).ok_or_else(|| {
            let name: String = name.chars().take(80).collect();
            Error::usage(format!("there is no time zone \"{}\"", printable(name.as_bytes())))
        })
    }
}

impl Default for Zone {
    fn default() -> Self {
        Zone::utc()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == TimeZone::UTC {
            return f.write_str("UTC");
        }
        match self.0.iana_name() {
            Some(name) => f.write_str(name),
            None => f.write_str(&distance(self.0.to_offset(Timestamp::UNIX_EPOCH))),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

impl FromStr for Zone {
    type Err = Error;

    fn from_str(text: &str) -> Result<Zone> {
        match seconds(text) {
            Some(seconds) => Zone::fixed(seconds),
            None => Zone::named(text),
        }
    }
}

#[cfg(feature = "json")]
impl serde::Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "json")]
impl<'de> serde::Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// `+hh:mm`, and seconds where there are some.
fn distance(offset: Offset) -> String {
    let (sign, all) = (if offset.is_negative() { '-' } else { '+' }, offset.seconds().abs());
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    let seconds = if seconds == 0 { String::new() } else { format!(":{seconds:02}") };
    format!("{sign}{hours:02}:{minutes:02}{seconds}")
}

/// What [`distance`] gives, in seconds.
fn seconds(text: &str) -> Option<i32> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let parts: Vec<&str> = text.get(1..)?.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let mut total = 0;
    for (at, part) in parts.iter().enumerate() {
        let two = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let number: i32 = part.parse().ok().filter(|_| two)?;
        let most = if at == 0 { 23 } else { 59 };
        total = total * 60 + Some(number).filter(|number| *number <= most)?;
    }
    Some(sign * if parts.len() == 2 { total * 60 } else { total })
}

/// A stretch of the calendar of which one backup is kept.
///
/// ```
/// use redkeep::repo::retention::Period;
/// assert_eq!(Period::Week.to_string(), "week");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Period {
    /// From a full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// Monday to Sunday; a week belongs to the year that has its Thursday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Year => "year",
        })
    }
}

impl Period {
    /// The name of the one that a time is in: another one has another name.
    pub(super) fn name(self, time: UnixMillis, zone: &Zone) -> String {
        // Beyond the years -9999 to 9999 there is no calendar, and the last one serves.
        let bound = if time.get() < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let time = Timestamp::from_millisecond(time.get()).unwrap_or(bound);
        let civil = zone.0.to_datetime(time);
        let (year, month, day) = (civil.year(), civil.month(), civil.day());
        match self {
            Period::Hour => {
                let offset = distance(zone.0.to_offset(time));
                format!("{year:04}-{month:02}-{day:02} {:02}h{offset}", civil.hour())
            }
            Period::Day => format!("{year:04}-{month:02}-{day:02}"),
            Period::Week => {
                let week = civil.date().iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Period::Month => format!("{year:04}-{month:02}"),
            Period::Year => format!("{year:04}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_read_as_they_are_written() {
        for (text, want) in [
            ("+00:00", 0),
            ("-00:30", -1800),
            ("+05:45", 20_700),
            ("-12:00", -43_200),
            ("+23:59", 86_340),
            ("+00:19:32", 1172),
        ] {
            assert_eq!(seconds(text), Some(want));
            let zone: Zone = text.parse().unwrap();
            assert_eq!(zone, Zone::fixed(want).unwrap());
            assert_eq!(zone.to_string().parse::<Zone>().unwrap(), zone);
        }
        for bad in [
            "",
            "+",
            "+5",
            "+05",
            "+5:30",
            "+24:00",
            "+05:60",
            "+0\u{e9}:00",
            "5:30",
            "+05:30:00:00",
        ] {
            assert!(bad.parse::<Zone>().is_err(), "{bad}");
        }
        assert!(Zone::fixed(86_400).is_err() && Zone::fixed(i32::MIN).is_err());
    }

    #[test]
    fn times_that_no_calendar_has_are_at_its_ends() {
        for zone in
            [Zone::utc(), Zone::named("Asia/Kolkata").unwrap(), Zone::fixed(-86_399).unwrap()]
        {
            for period in [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year] {
                let name = |ms| period.name(UnixMillis::new(ms), &zone);
                assert_ne!(name(i64::MIN), name(i64::MAX));
                assert_eq!(name(i64::MAX), name(i64::MAX - 1));
            }
        }
    }
}
