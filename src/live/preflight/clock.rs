//! Whether the server's clock and ours agree.

use crate::error::Result;
use crate::live::preflight::finding::Found;
use crate::live::reply::{ask, list, number};
use crate::time::UnixMillis;
use redis::ConnectionLike;

/// How far clocks may be apart before that is a finding, in milliseconds.
const APART: u64 = 1000;

/// How far a server's clock is ahead of the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Skew {
    /// Milliseconds by which it is ahead; negative where it is behind.
    pub ahead: i64,
    /// By how many milliseconds that may be wrong: half of the time of one question and answer.
    pub slack: u64,
}

impl Skew {
    /// Asks twice, since the time between two answers of the server is that of one round: no clock of our
    /// own is read. `now` is the caller's time right before. `None` where `TIME` may not be asked.
    pub(crate) fn ask(
        connection: &mut (impl ConnectionLike + ?Sized),
        now: UnixMillis,
    ) -> Result<Option<Skew>> {
        let Some(first) = server_millis(connection)? else { return Ok(None) };
        let Some(second) = server_millis(connection)? else { return Ok(None) };
        Ok(Some(Skew::of(now.get(), first, second)))
    }

    fn of(now: i64, first: i64, second: i64) -> Skew {
        let half = second.saturating_sub(first).max(0) / 2;
        Skew {
            ahead: first.saturating_sub(now.saturating_add(half)),
            slack: u64::try_from(half).unwrap_or(0),
        }
    }
}

/// The server's time in milliseconds since 1970.
fn server_millis(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<Option<i64>> {
    let Ok(answer) = ask(connection, &["TIME"])? else { return Ok(None) };
    let parts = list(answer).unwrap_or_default();
    let part = |at: usize| parts.get(at).and_then(number);
    let millis = |(seconds, micros): (i64, i64)| {
        seconds.checked_mul(1000)?.checked_add(micros.checked_div(1000)?)
    };
    Ok(part(0).zip(part(1)).and_then(millis))
}

pub(super) fn skew(skew: Option<&Skew>, found: &mut Found) {
    let Some(Skew { ahead, slack }) = skew else { return };
    if ahead.unsigned_abs() > APART.saturating_add(*slack) {
        let side = if *ahead > 0 { "ahead of" } else { "behind" };
        let message = format!(
            "its clock is {} ms {side} ours: times of expiry and of backups will not fit",
            ahead.unsigned_abs()
        );
        found.warning("clock_skew", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(now: i64, first: i64, second: i64) -> bool {
        let mut found = Found::default();
        skew(Some(&Skew::of(now, first, second)), &mut found);
        found.codes() == ["clock_skew"]
    }

    #[test]
    fn a_slow_way_is_no_skew() {
        assert!(!finds(10_000, 10_900, 10_910));
        assert!(finds(10_000, 11_100, 11_110));
        assert!(finds(10_000, 8_900, 8_910));
        // Three seconds for one round: the first answer is about 1.5 s after the question.
        assert!(!finds(10_000, 11_500, 14_500));
        assert!(!finds(10_000, 13_900, 16_900));
        assert!(finds(10_000, 14_100, 17_100));
        assert_eq!(Skew::of(10_000, 12_500, 12_700), Skew { ahead: 2_400, slack: 100 });
        // A clock that is set back in between gives no slack at all.
        assert_eq!(Skew::of(10_000, 12_500, 2_700).slack, 0);
    }
}
