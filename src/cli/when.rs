//! Times and spans of time, as people type them.

use crate::time::Civil;

/// A point in time in ms since 1970: so many milliseconds, or a date in UTC with a time of day or
/// without (`2026-11-20`, `2026-11-20 07:42:01`, `2026-11-20T07:42:01Z`).
pub(crate) fn time(text: &str) -> Result<i64, String> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    date(text).ok_or_else(|| {
        "neither milliseconds since 1970 nor a date in UTC as 2026-11-20T07:42:01Z".to_owned()
    })
}

/// A span in ms: so many milliseconds, or a number with a unit (`90s`, `15m`, `2h`, `7d`).
pub(crate) fn span(text: &str) -> Result<i64, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let parsed = units.into_iter().chain([("", 1)]).find_map(|(unit, ms)| {
        let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(ms)
    });
    parsed.ok_or_else(|| "neither milliseconds nor a number with ms, s, m, h or d".to_owned())
}

/// The ms since 1970 of a date in UTC.
pub(crate) fn date(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    let (day, clock) = match text.split_once(['T', ' ']) {
        Some((day, clock)) => (day, clock),
        None => (text, "0:0:0"),
    };
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let civil = Civil { year, month, day, hour, minute, second };
    civil.seconds().map(|seconds| seconds * 1000)
}

/// Three numbers without signs.
fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let numbers: Option<Vec<i64>> =
        text.split(between).map(|number| number.parse::<u16>().ok().map(i64::from)).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::human;

    #[test]
    fn dates_are_read_as_they_are_printed() {
        for seconds in [0, 951_782_399, 951_782_400, 1_763_624_521, 4_107_542_400, -1] {
            assert_eq!(time(&human::date(seconds)), Ok(seconds * 1000));
        }
        assert_eq!(time("2000-02-29"), Ok(951_782_400_000));
        assert_eq!(time("2000-02-29T00:00:01Z"), Ok(951_782_401_000));
        assert_eq!(time("1763624521123"), Ok(1_763_624_521_123));
        for text in
            ["2001-02-29", "2001-13-01", "2001-01-01 24:00:00", "today", "", "1-2", "-1-1-1"]
        {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_have_units_or_are_milliseconds() {
        for (text, ms) in [("90s", 90_000), ("-2h", -7_200_000), ("7d", 604_800_000), ("5", 5)] {
            assert_eq!(span(text), Ok(ms), "{text}");
        }
        assert_eq!(span("+15m"), Ok(900_000));
        assert_eq!(span("20ms"), Ok(20));
        for text in ["", "h", "1w", "9223372036854775807d"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
