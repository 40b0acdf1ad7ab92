//! What is said of a stream, by what is known of its backups.

use crate::error::Result;
use crate::repo::retention::BackupState;
use crate::repo::{Archive, Listed, Lock, StreamName};
use crate::task::known::{Known, Stream};
use crate::task::status::finding::{StatusCode, StatusFinding, StatusLevel};
use crate::task::status::options::StatusOptions;
use crate::task::status::report::{StatusBackup, StatusCounts, StatusRemains, StreamStatus};
use crate::task::status::trend::{Change, Trend};
use crate::time::UnixMillis;
use std::time::Duration;

impl StreamStatus {
    pub(super) fn of(
        archive: &Archive,
        name: StreamName,
        stream: &Stream,
        at: UnixMillis,
        options: &StatusOptions,
    ) -> Result<StreamStatus> {
        let Stream { known, unreadable, remains } = stream;
        let newest = known.last().map(|known| brief(known, at));
        let verified = known.iter().rfind(|known| known.state == BackupState::Verified);
        let listed = known.iter().map(|known| &known.listed);
        let listed = listed.chain(unreadable.iter().map(|(listed, _)| listed)).chain(remains);
        let mut status = StreamStatus {
            verdict: StatusLevel::Ok,
            backups: counts(stream),
            bytes: bytes(listed),
            newest,
            newest_verified: verified.map(|known| brief(known, at)),
            trend: trend(known, options.trend),
            remains: left(remains, at, options.grace),
            lock: Lock::holder(archive, &name)?,
            findings: Vec::new(),
            stream: name,
        };
        status.ages(stream, at, options);
        status.states(stream);
        status.changes(options);
        status.leftovers(at);
        status.verdict = status.findings.iter().map(|f| f.level).max().unwrap_or_default();
        Ok(status)
    }

    fn find(&mut self, code: StatusCode, backup: Option<&StatusBackup>, message: String) {
        self.findings.push(StatusFinding::new(code, backup.map(|backup| backup.id), message));
    }

    fn ages(&mut self, stream: &Stream, at: UnixMillis, options: &StatusOptions) {
        if self.backups.all == 0 {
            return self.find(StatusCode::NoBackup, None, "there is no backup".to_owned());
        }
        // A clock that was wrong must not hide that no backup comes any more.
        let past = |known: &&Known| known.listed.id.time() <= at;
        let newest = stream.known.iter().rfind(past).map(|known| brief(known, at));
        if let Some(limit) = options.max_age
            && let Some(newest) = &newest
            && newest.age_ms > millis(limit)
        {
            let (age, limit) = (span(newest.age_ms), span(millis(limit)));
            let message = format!("the newest backup is {age} old, and {limit} is allowed");
            self.find(StatusCode::TooOld, Some(newest), message);
        }
        if let Some(limit) = options.max_verified_age {
            let verified = |known: &&Known| past(known) && known.state == BackupState::Verified;
            match stream.known.iter().rfind(verified).map(|known| brief(known, at)) {
                Some(verified) if verified.age_ms <= millis(limit) => {}
                Some(verified) => {
                    let (age, limit) = (span(verified.age_ms), span(millis(limit)));
                    let message =
                        format!("the newest verified backup is {age} old, and {limit} is allowed");
                    self.find(StatusCode::VerifiedTooOld, Some(&verified), message);
                }
                None => {
                    let message = "there is no verified backup".to_owned();
                    self.find(StatusCode::VerifiedTooOld, None, message);
                }
            }
        }
        let future = stream.known.iter().filter(|known| !past(known)).count();
        if future > 0 {
            let message = format!("{future} taken in the future: a clock is wrong");
            let newest = self.newest.clone();
            self.find(StatusCode::Future, newest.as_ref(), message);
        }
    }

    fn states(&mut self, stream: &Stream) {
        let newest = stream.known.last();
        let last = newest.map(|known| known.listed.id);
        let newer = |listed: &Listed| last.is_none_or(|last| listed.id > last);
        let mut unreadable = 0;
        for (listed, error) in &stream.unreadable {
            if newer(listed) {
                let message = format!("the manifest of the newest cannot be read: {error}");
                let finding =
                    StatusFinding::new(StatusCode::NewestFailed, Some(listed.id), message);
                self.findings.push(finding);
            } else {
                unreadable += 1;
            }
        }
        let mut failed = self.backups.failed;
        if let Some(newest) = self.newest.clone()
            && newest.state == BackupState::Failed
        {
            failed -= 1;
            let message = match newest.soundness.is_readable() {
                true => "the newest backup failed its verification".to_owned(),
                false => format!("the newest backup is {}", newest.soundness),
            };
            self.find(StatusCode::NewestFailed, Some(&newest), message);
        }
        if failed > 0 {
            self.find(StatusCode::Failed, None, format!("{failed} older failed a check"));
        }
        if unreadable > 0 {
            let message = format!("the manifests of {unreadable} older cannot be read");
            self.find(StatusCode::Unreadable, None, message);
        }
    }

    fn changes(&mut self, options: &StatusOptions) {
        let Some(newest) = self.newest.clone() else { return };
        if let (Some(trend), Some(limit)) = (self.trend, options.max_change) {
            for (what, change) in [("bytes", trend.bytes), ("keys", trend.keys)] {
                if !change.is_more_than(limit) {
                    continue;
                }
                let (code, Change { newest: now, median, .. }) = match change.newest < change.median
                {
                    true => (StatusCode::Shrank, change),
                    false => (StatusCode::Grew, change),
                };
                let percent = match change.percent {
                    Some(percent) => format!("{percent:+} %, "),
                    None => String::new(),
                };
                let message = format!(
                    "the newest backup has {now} {what}, and {median} is the median of the {} before: \
                     {percent}more than {limit} % off",
                    trend.backups
                );
                self.find(code, Some(&newest), message);
            }
        }
        if newest.source_change.state.is_strange() {
            let message = "the newest backup is of another server than the one before".to_owned();
            self.find(StatusCode::OtherSource, Some(&newest), message);
        }
    }

    fn leftovers(&mut self, at: UnixMillis) {
        let StatusRemains { old, bytes, .. } = self.remains;
        if old > 0 {
            let message =
                format!("{old} unfinished ones were left, of {bytes} bytes with the young");
            self.find(StatusCode::Remains, None, message);
        }
        if let Some(lock) = self.lock.clone()
            && lock.until <= at
        {
            let message = format!("{} had the stream and did not give it back", lock.owner);
            self.find(StatusCode::LockOver, None, message);
        }
    }
}

fn counts(stream: &Stream) -> StatusCounts {
    let count = |state| {
        let of_state = stream.known.iter().filter(|known| known.state == state);
        of_state.count() as u64
    };
    let unreadable = stream.unreadable.len() as u64;
    StatusCounts {
        all: stream.known.len() as u64 + unreadable,
        verified: count(BackupState::Verified),
        unverified: count(BackupState::Unverified),
        failed: count(BackupState::Failed),
        unreadable,
    }
}

fn bytes<'a>(listed: impl IntoIterator<Item = &'a Listed>) -> u64 {
    listed.into_iter().fold(0, |sum, listed| sum.saturating_add(listed.bytes))
}

fn left(remains: &[Listed], at: UnixMillis, grace: Duration) -> StatusRemains {
    let old = remains.iter().filter(|listed| age(listed.id.time(), at) > millis(grace)).count();
    let young = remains.len() - old;
    StatusRemains { old: old as u64, young: young as u64, bytes: bytes(remains) }
}

fn brief(known: &Known, at: UnixMillis) -> StatusBackup {
    let id = known.listed.id;
    StatusBackup {
        id,
        time: id.time(),
        age_ms: age(id.time(), at),
        state: known.state,
        soundness: known.soundness,
        source_change: known.source_change.clone(),
        plain_bytes: known.plain_bytes,
        stored_bytes: known.listed.bytes,
        keys: known.keys,
        took_ms: known.took_ms,
    }
}

fn trend(known: &[Known], most: usize) -> Option<Trend> {
    let (newest, before) = known.split_last()?;
    let good = before.iter().rev().filter(|known| known.state != BackupState::Failed);
    let good: Vec<&Known> = good.take(most).collect();
    if good.is_empty() {
        return None;
    }
    let mut bytes: Vec<u64> = good.iter().map(|known| known.plain_bytes).collect();
    let mut keys: Vec<u64> = good.iter().map(|known| known.keys).collect();
    Some(Trend {
        backups: good.len() as u64,
        bytes: Change::new(newest.plain_bytes, &mut bytes),
        keys: Change::new(newest.keys, &mut keys),
    })
}

fn age(time: UnixMillis, at: UnixMillis) -> u64 {
    u64::try_from(at.get().saturating_sub(time.get())).unwrap_or(0)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A length of time for people, in its two longest units.
fn span(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let Some(first) = units.iter().position(|(_, unit)| ms >= *unit) else {
        return format!("{ms}ms");
    };
    let (mut text, mut left) = (String::new(), ms);
    for (name, unit) in units.iter().skip(first).take(2) {
        if left >= *unit {
            text.push_str(&format!("{}{name}", left / unit));
            left %= unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn lengths_of_time_have_two_units() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (61_000, "1m1s"),
            (3_600_000, "1h"),
            (3_601_000, "1h"),
            (90_061_000, "1d1h"),
            (86_460_000, "1d"),
        ] {
            assert_eq!(span(ms), text);
        }
        assert!(span(u64::MAX).starts_with("213503982334d"));
    }
}
