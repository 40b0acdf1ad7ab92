//! What a server keeps on disk, and what a crash now would lose.

use crate::live::info::Info;
use crate::live::settings::Settings;

/// A save point: save when so many writes happened and so many seconds went by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SaveRule {
    /// Seconds since the last save.
    pub seconds: u64,
    /// Writes since then.
    pub writes: u64,
}

/// What a server keeps on disk, and how its last attempts went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Persistence {
    /// Whether it is loading its data now.
    pub loading: bool,
    /// Whether a save runs in the background, for a file or for a replica.
    pub save_running: bool,
    /// Unix time in seconds of the last good save; of the start, where there was none since.
    pub last_save: Option<u64>,
    /// Whether the last save in the background that was not cancelled went well.
    pub last_save_ok: Option<bool>,
    /// How long it took, in seconds.
    pub last_save_seconds: Option<u64>,
    /// Writes since the last good save.
    pub writes_since_save: Option<u64>,
    /// Attempts to save since the start (from Redis 7.0 on).
    pub saves: Option<u64>,
    /// The save points; `None` where they are not known.
    pub save_rules: Option<Vec<SaveRule>>,
    /// Whether it logs commands in an append-only file.
    pub log: bool,
    /// When that is flushed to the disk: `always`, `everysec` or `no`.
    pub log_fsync: Option<String>,
    /// Whether the log is being rewritten, or is about to be.
    pub log_rewrite_running: bool,
    /// Whether the last rewrite of the log went well.
    pub log_rewrite_ok: Option<bool>,
    /// Whether the last write to the log went well.
    pub log_write_ok: Option<bool>,
    /// Bytes of the log, all its files together.
    pub log_bytes: Option<u64>,
    /// Bytes that it had after its last rewrite, or at the start.
    pub log_base_bytes: Option<u64>,
    /// Flushes to the disk that had to wait for another one, since the start.
    pub log_delayed_flushes: Option<u64>,
}

impl Persistence {
    pub(crate) fn of(info: &Info, settings: &Settings) -> Persistence {
        let ok = |name| info.get(name).map(|status| status == "ok");
        let running = info.number::<i64>("rdb_last_bgsave_time_sec").unwrap_or(-1);
        Persistence {
            loading: info.is_set("loading"),
            save_running: info.is_set("rdb_bgsave_in_progress"),
            last_save: info.number("rdb_last_save_time"),
            last_save_ok: ok("rdb_last_bgsave_status"),
            last_save_seconds: u64::try_from(running).ok(),
            writes_since_save: info.number("rdb_changes_since_last_save"),
            saves: info.number("rdb_saves"),
            save_rules: settings.get("save").and_then(save_rules),
            log: info.is_set("aof_enabled"),
            log_fsync: settings.get("appendfsync").map(str::to_owned),
            log_rewrite_running: info.is_set("aof_rewrite_in_progress")
                || info.is_set("aof_rewrite_scheduled"),
            log_rewrite_ok: ok("aof_last_bgrewrite_status"),
            log_write_ok: ok("aof_last_write_status"),
            log_bytes: info.number("aof_current_size"),
            log_base_bytes: info.number("aof_base_size"),
            log_delayed_flushes: info.number("aof_delayed_fsync"),
        }
    }
}

/// Reads pairs of seconds and writes; `None` for anything else.
fn save_rules(text: &str) -> Option<Vec<SaveRule>> {
    let numbers: Vec<u64> =
        text.split_ascii_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let rules = numbers.chunks(2).map(|pair| match pair {
        [seconds, writes] => Some(SaveRule { seconds: *seconds, writes: *writes }),
        _ => None,
    });
    rules.collect()
}

/// What a crash of the machine right now would lose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CrashLoss {
    /// The last writes, at most so many; `None` where their number is not known.
    pub writes: Option<u64>,
    /// The writes of the last so many seconds, at most; `None` where that is not known.
    pub seconds: Option<u64>,
    /// That in words.
    pub words: String,
}

impl CrashLoss {
    /// `now` is the server's time, in seconds.
    pub(crate) fn of(facts: &Persistence, now: Option<u64>) -> CrashLoss {
        let loss = |writes, seconds, words: String| CrashLoss { writes, seconds, words };
        if facts.log && facts.log_write_ok != Some(false) {
            return match facts.log_fsync.as_deref() {
                Some("always") => loss(Some(0), Some(0), "no acknowledged write".to_owned()),
                // A flush that takes long may leave one second more unwritten.
                Some("everysec") => loss(
                    None,
                    Some(2),
                    "up to 2 seconds of writes (the log is flushed every second)".to_owned(),
                ),
                Some("no") => loss(
                    None,
                    None,
                    "what the operating system has not written yet, usually up to 30 seconds of \
                     writes (the log is never flushed)"
                        .to_owned(),
                ),
                _ => loss(
                    None,
                    None,
                    "some seconds of writes; when the log is flushed is not known".to_owned(),
                ),
            };
        }
        let seconds = now.zip(facts.last_save).map(|(now, last)| now.saturating_sub(last));
        let failing = facts.log_write_ok == Some(false) && facts.log;
        // Without a save since the start, the time of the last one is that of the start.
        let since = if facts.saves == Some(0) { "start" } else { "last save" };
        let mut words = match (facts.writes_since_save, seconds) {
            (Some(0), _) if !failing => {
                return loss(Some(0), Some(0), "no write: all are saved".to_owned());
            }
            (Some(writes), Some(seconds)) => {
                let noun = if writes == 1 { "write" } else { "writes" };
                format!("{writes} {noun} of the {seconds} seconds since the {since}")
            }
            _ => format!("all writes since the {since}"),
        };
        if failing {
            words += "; writing to the log fails";
        }
        if facts.last_save_ok == Some(false) {
            words += "; saves fail";
        } else if facts.save_rules.as_ref().is_some_and(Vec::is_empty) {
            words += "; none is scheduled";
        }
        loss(facts.writes_since_save, seconds, words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(fsync: &str) -> Persistence {
        Persistence { log: true, log_fsync: Some(fsync.to_owned()), ..Persistence::default() }
    }

    #[test]
    fn save_points_are_pairs() {
        let rule = |seconds, writes| SaveRule { seconds, writes };
        assert_eq!(save_rules("3600 1 60 10000"), Some(vec![rule(3600, 1), rule(60, 10000)]));
        assert_eq!(save_rules(""), Some(vec![]));
        assert_eq!(save_rules("3600"), None);
    }

    #[test]
    fn a_log_loses_what_was_not_flushed() {
        assert_eq!(CrashLoss::of(&log("always"), None).seconds, Some(0));
        assert_eq!(CrashLoss::of(&log("everysec"), None).seconds, Some(2));
        assert_eq!(CrashLoss::of(&log("no"), None).seconds, None);
    }

    #[test]
    fn without_a_log_all_since_the_last_save_is_lost() {
        let facts = Persistence {
            last_save: Some(1000),
            writes_since_save: Some(7),
            save_rules: Some(Vec::new()),
            ..Persistence::default()
        };
        let loss = CrashLoss::of(&facts, Some(1090));
        assert_eq!((loss.writes, loss.seconds), (Some(7), Some(90)));
        assert!(loss.words.contains("none is scheduled"), "{}", loss.words);
        let saved = Persistence { writes_since_save: Some(0), ..facts };
        assert_eq!(CrashLoss::of(&saved, Some(1090)).writes, Some(0));
    }

    #[test]
    fn a_log_that_cannot_be_written_protects_nothing() {
        let facts = Persistence {
            log_write_ok: Some(false),
            writes_since_save: Some(3),
            last_save: Some(10),
            ..log("always")
        };
        let loss = CrashLoss::of(&facts, Some(20));
        assert_eq!((loss.writes, loss.seconds), (Some(3), Some(10)));
    }
}
