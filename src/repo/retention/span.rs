//! Lengths of time as people write them into a configuration.
#![cfg(feature = "json")]

use std::time::Duration;

/// Milliseconds in each unit, from the longest down.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Numbers with units, each unit once and the longer before the shorter.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no length of time: write `2w`, `30d` or `1d12h`");
    let (mut rest, mut from, mut total) = (text, 0, 0u64);
    while !rest.is_empty() {
        let digits = rest.find(|sign: char| !sign.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|sign: char| sign.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let mut units = UNITS.iter().enumerate().skip(from);
        let (at, (_, ms)) = units.find(|(_, (name, _))| *name == unit).ok_or_else(wrong)?;
        total = number.checked_mul(*ms).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        (rest, from) = (behind, at + 1);
    }
    if from == 0 { Err(wrong()) } else { Ok(Duration::from_millis(total)) }
}

/// What [`parse`] reads as the same; parts of a millisecond are counted as a whole one.
pub(super) fn text(span: Duration) -> String {
    let ms = span.as_nanos().div_ceil(1_000_000);
    let mut left = u64::try_from(ms).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, ms) in UNITS {
        if left >= ms {
            text.push_str(&format!("{}{name}", left / ms));
            left %= ms;
        }
    }
    text
}

pub(super) mod optional {
    use std::borrow::Cow;
    use std::time::Duration;

    pub(in crate::repo::retention) fn serialize<S: serde::Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => serializer.serialize_some(&super::text(*span)),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::repo::retention) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = <Option<Cow<'_, str>> as serde::Deserialize>::deserialize(deserializer)?;
        text.map(|text| super::parse(&text).map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_numbers_with_units() {
        for (written, ms) in [
            ("2w", 1_209_600_000),
            ("30d", 2_592_000_000),
            ("1d12h", 129_600_000),
            ("90m", 5_400_000),
            ("1m1ms", 60_001),
            ("0s", 0),
        ] {
            assert_eq!(parse(written), Ok(Duration::from_millis(ms)), "{written}");
            assert_eq!(parse(&text(Duration::from_millis(ms))), Ok(Duration::from_millis(ms)));
        }
        for bad in ["", "7", "d", "7x", "1h1d", "1d1d", "-1d", "1.5d", "1 d", "99999999999999999w"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(text(Duration::from_nanos(1)), "1ms");
        assert!(parse(&text(Duration::MAX)).is_ok());
    }
}
