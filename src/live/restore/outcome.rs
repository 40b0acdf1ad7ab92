//! What became of every key.

use crate::error::{Error, ErrorKind, Fault, Result};
use crate::live::restore::checkpoint::Checkpoint;
use crate::rdb::Losses;
use std::collections::BTreeMap;

/// How many keys that failed are named, of each reason.
const NAMED: usize = 10;

/// Where a restore stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreProgress {
    /// Keys that came from the source.
    pub read: u64,
    /// Keys that are in the target now.
    pub restored: u64,
    /// Keys that were left out.
    pub skipped: u64,
    /// Keys that failed.
    pub failed: u64,
    /// Bytes of the commands that were answered.
    pub bytes: u64,
    /// From where to go on if it stops here; `None` before the first key is settled.
    pub checkpoint: Option<Checkpoint>,
}

/// Keys that were left out on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Skipped {
    /// The target has a key of that name.
    pub existing: u64,
    /// Past their expiry when the restore began, by the target's clock.
    pub expired: u64,
    /// Collections without elements, which are no keys to a server.
    pub empty: u64,
    /// The target has no place for them; [`losses`](RestoreOutcome::losses) says for what.
    pub lost: u64,
    /// There, when they were sent again after the connection was lost: put there by the first
    /// sending, or there before.
    pub in_flight: u64,
    /// Settled by the restore that this one goes on from.
    pub resumed: u64,
}

impl Skipped {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.existing + self.expired + self.empty + self.lost + self.in_flight + self.resumed
    }
}

/// Function libraries, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionCounts {
    /// In the source.
    pub read: u64,
    /// Loaded; in a cluster, into every master.
    pub loaded: u64,
    /// The target has one of that name.
    pub existing: u64,
    /// Not asked for.
    pub left_out: u64,
    /// The target has no place for them.
    pub lost: u64,
}

/// A key that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FailedKey {
    /// Its database.
    pub db: u64,
    /// Its name, escaped and shortened to what fits a line.
    pub key: String,
    /// What the target said, or what is wrong.
    pub message: String,
}

/// Keys that failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Failure {
    /// How many.
    pub keys: u64,
    /// The first of them, at most ten.
    pub first: Vec<FailedKey>,
}

/// Why a restore stopped before the end of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stopped {
    /// The [fault](Fault::code), where it is one; else `io` or `usage`.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Whether going on from the [checkpoint](RestoreOutcome::checkpoint) may succeed.
    pub retryable: bool,
}

/// What became of every key. It balances: keys read are those restored, skipped, failed, unknown and
/// not sent.
#[must_use = "a restore that stopped early is no error but an outcome that says so"]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RestoreOutcome {
    /// The target, as `valkey 9.1.2`.
    pub server: String,
    /// Whether the target was only asked.
    pub dry_run: bool,
    /// Keys that came from the source, after all filters.
    pub read: u64,
    /// Keys that the target confirmed; with [`dry_run`](Self::dry_run), that it would be sent.
    pub restored: u64,
    /// Of these, keys that were sent as plain commands.
    pub plain: u64,
    /// Keys that were left out.
    pub skipped: Skipped,
    /// Keys that failed.
    pub failed: u64,
    /// Why, by stable names: `exists`, `too_big`, `connection_lost`, `database`, or the first word of
    /// what the target said, as `ERR`.
    pub failures: BTreeMap<String, Failure>,
    /// Keys on their way when the connection was lost for good: restored or not.
    pub unknown: u64,
    /// Keys that were read and not sent any more, because it stopped.
    pub not_sent: u64,
    /// Function libraries.
    pub functions: FunctionCounts,
    /// Commands that were answered.
    pub commands: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Content that the target has no place for.
    pub losses: Losses,
    /// Keys that the target evicted meanwhile, of whatever: a restore beyond its memory succeeds, and
    /// keys are missing. `None` where it does not say.
    pub evicted: Option<u64>,
    /// Why it stopped before the end.
    pub stopped: Option<Stopped>,
    /// From where to go on.
    pub checkpoint: Option<Checkpoint>,
}

impl RestoreOutcome {
    /// Whether every key of the source is accounted for, none failed, and none was evicted.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none() && self.failed == 0 && self.evicted.unwrap_or(0) == 0
    }

    pub(super) fn fail(&mut self, reason: &str, db: u64, name: &[u8], message: String) {
        self.failed += 1;
        if !self.failures.contains_key(reason) {
            self.failures.insert(reason.to_owned(), Failure::default());
        }
        let Some(failure) = self.failures.get_mut(reason) else { return };
        failure.keys += 1;
        if failure.first.len() < NAMED {
            failure.first.push(FailedKey { db, key: crate::error::printable(name), message });
        }
    }

    pub(super) fn balances(&self) -> Result<()> {
        let told = self.restored + self.skipped.all() + self.failed + self.unknown + self.not_sent;
        if told == self.read {
            return Ok(());
        }
        Err(Error::from_fault(Fault::Internal).with_detail("the account does not balance"))
    }
}

impl Stopped {
    pub(crate) fn by(error: &Error) -> Stopped {
        let code = match (error.fault(), error.kind()) {
            (Some(fault), _) => fault.code(),
            (None, ErrorKind::Io) => "io",
            (None, _) => "usage",
        };
        Stopped { code, message: error.to_string(), retryable: error.is_retryable() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_fail_are_counted_by_reason_and_the_first_are_named() {
        let mut outcome = RestoreOutcome::default();
        for n in 0..25 {
            outcome.fail("ERR", 0, format!("k{n}\n").as_bytes(), "ERR bad".to_owned());
        }
        outcome.fail("too_big", 1, b"b", String::new());
        let failure = &outcome.failures["ERR"];
        assert_eq!((failure.keys, failure.first.len()), (25, NAMED));
        assert_eq!(failure.first[0].key, "k0\\n");
        assert_eq!(outcome.failed, 26);
        assert!(outcome.balances().is_err());
        outcome.read = 26;
        assert!(outcome.balances().is_ok() && !outcome.is_complete());
    }
}
