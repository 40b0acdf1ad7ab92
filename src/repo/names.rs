//! What things in an archive are called.

use crate::error::{Error, Fault, Result, printable};
use crate::repo::store::ObjectName;
use crate::time::{Civil, UnixMillis};
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::str::FromStr;

/// Which archive it is: 32 hexadecimal digits that were made up when it was created.
///
/// ```
/// use redkeep::repo::ArchiveId;
/// let id: ArchiveId = "0123456789abcdef0123456789abcdef".parse()?;
/// assert_eq!(id.to_string(), "0123456789abcdef0123456789abcdef");
/// assert!("prod".parse::<ArchiveId>().is_err());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveId(u128);

impl ArchiveId {
    /// One that nobody else has.
    pub(crate) fn made_up() -> ArchiveId {
        ArchiveId(u128::from(made_up()) << 64 | u128::from(made_up()))
    }
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for ArchiveId {
    type Err = Error;

    fn from_str(text: &str) -> Result<ArchiveId> {
        match (hexadecimal(text, 32), u128::from_str_radix(text, 16)) {
            (true, Ok(id)) => Ok(ArchiveId(id)),
            _ => Err(no_name(text, "is not 32 hexadecimal digits")),
        }
    }
}

/// The user's name for one logical database, whose backups follow each other: `main`, `sessions-eu`.
///
/// It is one part of an [`ObjectName`], of at most 100 bytes, and not `redkeep.json`.
///
/// ```
/// use redkeep::repo::StreamName;
/// assert_eq!(StreamName::new("prod")?.as_str(), "prod");
/// assert!(StreamName::new("a/b").is_err());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(ObjectName);

impl StreamName {
    /// Checks a name.
    ///
    /// # Errors
    /// `Usage` with the fault `ObjectName`, which says what is wrong with it.
    pub fn new(name: impl Into<String>) -> Result<StreamName> {
        let name = ObjectName::new(name)?;
        let wrong = match name.as_str() {
            text if text.contains('/') => "has parts; a stream has none",
            text if text.len() > 100 => "is longer than 100 bytes",
            crate::repo::archive::ARCHIVE => "is what says that this is an archive",
            _ => return Ok(StreamName(name)),
        };
        Err(no_name(name.as_str(), wrong))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The folder of its backups.
    pub(crate) fn folder(&self) -> &ObjectName {
        &self.0
    }
}

impl Default for StreamName {
    /// `main`.
    fn default() -> StreamName {
        StreamName(ObjectName::of_part("main"))
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StreamName {
    type Err = Error;

    fn from_str(text: &str) -> Result<StreamName> {
        StreamName::new(text)
    }
}

/// Which backup of a stream it is: when it was begun, by the clock of who made it, in UTC to the
/// millisecond, and eight hexadecimal digits that were made up, as `20261120T020000123Z-9f86d081`. In
/// the order of their texts they are in the order of time.
///
/// ```
/// use redkeep::repo::BackupId;
/// let id: BackupId = "20261120T020000123Z-9f86d081".parse()?;
/// assert_eq!(id.time().get(), 1_795_140_000_123);
/// assert!("20261320T020000123Z-9f86d081".parse::<BackupId>().is_err());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId {
    time: UnixMillis,
    made_up: u32,
}

impl BackupId {
    /// A new one.
    ///
    /// # Errors
    /// `Usage` for a time before 1970 or after the year 9999.
    pub(crate) fn at(time: UnixMillis) -> Result<BackupId> {
        let year = Civil::of(time.get().div_euclid(1000)).year;
        if !(1970..=9999).contains(&year) {
            return Err(Error::usage(format!("the clock says {time} since 1970")));
        }
        // Any half will do.
        let made_up = u32::try_from(made_up() >> 32).unwrap_or_default();
        Ok(BackupId { time, made_up })
    }

    /// When it was begun.
    #[must_use]
    pub fn time(&self) -> UnixMillis {
        self.time
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.time.get().div_euclid(1000), self.time.get().rem_euclid(1000));
        let Civil { year, month, day, hour, minute, second } = Civil::of(seconds);
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}{ms:03}Z")?;
        write!(f, "-{:08x}", self.made_up)
    }
}

impl FromStr for BackupId {
    type Err = Error;

    fn from_str(text: &str) -> Result<BackupId> {
        let wrong = || no_name(text, "is not like 20261120T020000123Z-9f86d081");
        let number = |from: usize, to: usize| {
            let digits =
                text.get(from..to).filter(|digits| digits.bytes().all(|d| d.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<i64>().ok()).ok_or_else(wrong)
        };
        let sign = |at: usize, sign: &str| text.get(at..at + 1) == Some(sign);
        let made_up = text.get(20..).filter(|digits| hexadecimal(digits, 8));
        let made_up = made_up.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let (Some(made_up), true) = (made_up, sign(8, "T") && sign(18, "Z") && sign(19, "-"))
        else {
            return Err(wrong());
        };
        let civil = Civil {
            year: number(0, 4)?,
            month: number(4, 6)?,
            day: number(6, 8)?,
            hour: number(9, 11)?,
            minute: number(11, 13)?,
            second: number(13, 15)?,
        };
        let seconds = civil.seconds().filter(|_| civil.year >= 1970).ok_or_else(wrong)?;
        Ok(BackupId { time: UnixMillis::new(seconds * 1000 + number(15, 18)?), made_up })
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(ArchiveId StreamName BackupId);

fn no_name(text: &str, why: &str) -> Error {
    Error::from_fault(Fault::ObjectName)
        .with_detail(format!("\"{}\" {why}", printable(text.as_bytes())))
}

fn hexadecimal(text: &str, digits: usize) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(digit)
}

/// 64 bits that differ each time, in any process: std's hashers are keyed by the system's randomness.
pub(crate) fn made_up() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_sort_by_time_as_text_does() {
        let times = [0, 1, 999, 951_782_399_999, 1_795_140_000_123, 253_402_300_799_999];
        let ids: Vec<_> = times.map(|ms| BackupId::at(UnixMillis::new(ms)).unwrap()).into();
        let texts: Vec<_> = ids.iter().map(BackupId::to_string).collect();
        assert!(texts.is_sorted() && ids.is_sorted());
        for (id, text) in ids.iter().zip(&texts) {
            assert_eq!(text.parse::<BackupId>().unwrap(), *id);
            assert_eq!(text.len(), 28);
        }
        let now = UnixMillis::new(5);
        let many: std::collections::HashSet<_> =
            (0..1000).map(|_| BackupId::at(now).unwrap()).collect();
        assert!(many.len() > 990, "32 made-up bits: {}", many.len());
        assert!(BackupId::at(UnixMillis::new(-1)).is_err());
        assert!(BackupId::at(UnixMillis::new(i64::MAX)).is_err());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let good = "20240229T235959999Z-00000000";
        assert!(good.parse::<BackupId>().is_ok());
        for at in 0..good.len() {
            let mut text = good.as_bytes().to_vec();
            text[at] = b'x';
            assert!(String::from_utf8(text).unwrap().parse::<BackupId>().is_err(), "{at}");
        }
        for text in [
            "",
            "20230229T235959999Z-00000000",
            "20240229T235959999Z-0000000A",
            "+0240229T235959999Z-00000000",
            "20240229T235959999Z-000000000",
            "\u{e4}0240229T235959999Z-0000000",
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }

    #[test]
    fn streams_have_bare_names() {
        for name in ["", "a/b", "..", "redkeep.json", &"a".repeat(101)] {
            assert!(StreamName::new(name).is_err(), "{name}");
        }
        assert_eq!(StreamName::default(), StreamName::new("main").unwrap());
    }
}
