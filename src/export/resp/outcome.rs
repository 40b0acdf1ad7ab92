//! What was written, in numbers, and what could not be.

use super::out::Out;
use crate::error::{Error, Fault, Result};
use crate::rdb::OnLoss;
use crate::rdb::{Loss, Losses};

/// What became of everything in the source. It balances: keys read are those written, expired,
/// empty, and [lost](Losses::dropped_keys).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CommandsOutcome {
    /// Keys in the source.
    pub read: u64,
    /// Keys that became commands.
    pub written: u64,
    /// Keys past their expiry, left out where a server cannot be told when that was: `RESTORE` before
    /// Redis 5.0.
    pub expired: u64,
    /// Collections without elements, which are no keys to a server.
    pub empty: u64,
    /// Function libraries loaded.
    pub functions: u64,
    /// Function libraries that were not asked for.
    pub functions_left_out: u64,
    /// Commands.
    pub commands: u64,
    /// Bytes.
    pub bytes: u64,
    /// What has no command for that server. Idle times, frequencies and the times of consumers are
    /// counted here but never make it fail: a server forgets them too when it rewrites its log.
    pub losses: Losses,
}

/// The outcome on its way, and the policy for losses.
pub(super) struct Account {
    pub(super) outcome: CommandsOutcome,
    on_loss: OnLoss,
    /// Losses that make it fail.
    fatal: Losses,
    /// Kinds that the current key was counted for.
    of_key: u32,
}

impl Account {
    pub(super) fn new(on_loss: OnLoss) -> Account {
        Account {
            outcome: CommandsOutcome::default(),
            on_loss,
            fatal: Losses::default(),
            of_key: 0,
        }
    }

    pub(super) fn begin_key(&mut self) {
        self.outcome.read += 1;
        self.of_key = 0;
    }

    /// Something of the current key has no command.
    #[cold]
    pub(super) fn lose(&mut self, loss: Loss, count: u64, out: &mut Out) {
        let keys = self.keys(loss, count);
        self.add(loss, count, keys, out);
    }

    /// Something that belongs to no key has none.
    #[cold]
    pub(super) fn lose_record(&mut self, loss: Loss, out: &mut Out) {
        self.add(loss, 1, 0, out);
    }

    /// Something of the current key has none that no server writes either.
    #[cold]
    pub(super) fn forget(&mut self, loss: Loss, count: u64) {
        let keys = self.keys(loss, count);
        self.outcome.losses.add(loss, count, keys);
    }

    fn add(&mut self, loss: Loss, count: u64, keys: u64, out: &mut Out) {
        self.outcome.losses.add(loss, count, keys);
        if self.on_loss == OnLoss::Fail && count > 0 {
            self.fatal.add(loss, count, keys);
            out.mute();
        }
    }

    /// 1 where the current key loses so for the first time.
    fn keys(&mut self, loss: Loss, count: u64) -> u64 {
        let bit = 1 << loss as u32;
        let first = count > 0 && self.of_key & bit == 0;
        self.of_key |= if first { bit } else { 0 };
        u64::from(first)
    }

    /// Whether something was lost that must not be.
    #[cfg(feature = "live")]
    pub(super) fn fails(&self) -> bool {
        !self.fatal.is_empty()
    }

    pub(super) fn finish(mut self, out: &Out) -> Result<CommandsOutcome> {
        (self.outcome.bytes, self.outcome.commands) = out.counts();
        let CommandsOutcome { read, written, expired, empty, losses, .. } = &self.outcome;
        if *read != written + expired + empty + losses.dropped_keys() {
            let detail = "the account does not balance";
            return Err(Error::from_fault(Fault::Internal).with_detail(detail));
        }
        if !self.fatal.is_empty() {
            let detail = format!("{}; nothing was written from the first of them on", self.fatal);
            return Err(Error::from_fault(Fault::Loss).with_detail(detail));
        }
        Ok(self.outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_loss_has_a_bit() {
        assert!(Loss::ALL.iter().all(|loss| (*loss as u32) < 32));
    }

    #[test]
    fn a_key_is_counted_once_for_each_kind_of_loss() {
        let (mut account, mut out) = (Account::new(OnLoss::Drop), Out::new(10));
        for _ in 0..2 {
            account.begin_key();
            account.outcome.written += 1;
            account.lose(Loss::FieldExpiry, 0, &mut out);
            account.lose(Loss::FieldExpiry, 2, &mut out);
            account.lose(Loss::FieldExpiry, 3, &mut out);
        }
        let outcome = account.finish(&out).unwrap();
        let lost = outcome.losses.get(Loss::FieldExpiry);
        assert_eq!((lost.count, lost.keys), (10, 2));
    }

    #[test]
    fn all_kinds_are_named_at_the_end_and_what_servers_forget_is_no_failure() {
        let (mut account, mut out) = (Account::new(OnLoss::Fail), Out::new(10));
        account.begin_key();
        account.forget(Loss::EvictionHint, 1);
        account.lose(Loss::Array, 1, &mut out);
        account.lose_record(Loss::Function, &mut out);
        let error = account.finish(&out).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::Loss));
        let text = error.to_string();
        assert!(text.contains("arrays: 1, function libraries: 1"), "{text}");
        let mut account = Account::new(OnLoss::Fail);
        account.begin_key();
        account.outcome.written += 1;
        account.forget(Loss::EvictionHint, 1);
        assert_eq!(account.finish(&out).unwrap().losses.get(Loss::EvictionHint).count, 1);
    }
}
