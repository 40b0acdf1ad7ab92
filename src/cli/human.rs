//! Numbers, sizes and times for people.

use crate::time::{Civil, UnixMillis};

/// Text of unknown origin with its control characters escaped: a dump must not steer a terminal.
pub(crate) fn visible(text: &str) -> String {
    let escape = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if escape(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// "1 key", "2 keys".
pub(crate) fn several(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A size in bytes, and in a unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    let exact = several(bytes, "byte", "bytes");
    let units = [(60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let Some((shift, unit)) = units.into_iter().find(|(shift, _)| bytes >> shift > 0) else {
        return exact;
    };
    // Tenths, without a detour over floating point.
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{exact} ({}.{} {unit})", tenths / 10, tenths % 10)
}

/// The date and time of day, in UTC.
pub(crate) fn date(seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::of(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// How long ago something was, roughly.
pub(crate) fn ago(seconds: i64, now: UnixMillis) -> String {
    let passed = (now.get() / 1000).saturating_sub(seconds);
    match passed {
        ..0 => "in the future by this machine's clock".to_owned(),
        0..120 => format!("{passed} s ago"),
        120..7200 => format!("{} min ago", passed / 60),
        7200..172_800 => format!("{} h ago", passed / 3600),
        _ => format!("{} days ago", passed / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(visible("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(visible("naïve \"key\""), "naïve \"key\"");
        assert_eq!(visible("\u{202e}fdp"), "\\u{202e}fdp");
    }

    #[test]
    fn sizes_and_counts_are_exact_and_readable() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1,023 bytes");
        assert_eq!(size(1536), "1,536 bytes (1.5 KiB)");
        assert_eq!(size(u64::MAX), "18,446,744,073,709,551,615 bytes (15.9 EiB)");
    }

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(date(-1), "1969-12-31 23:59:59 UTC");
        // Nonsense in a file is no reason to stop.
        assert!(date(i64::MAX).ends_with("UTC"));
        assert!(date(i64::MIN).ends_with("UTC"));
    }

    #[test]
    fn ages_are_rough() {
        let now = UnixMillis::from_seconds(1_000_000);
        assert_eq!(ago(999_990, now), "10 s ago");
        assert_eq!(ago(1_000_000 - 7199, now), "119 min ago");
        assert_eq!(ago(1_000_000 - 86_400, now), "24 h ago");
        assert_eq!(ago(1_000_000 - 864_000, now), "10 days ago");
        assert!(ago(1_000_001, now).contains("future"));
    }
}
