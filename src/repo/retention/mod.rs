//! Which backups of a stream to keep, and which may go: decided from facts alone.
//!
//! [`retain`] is a function of what is known of the backups, the time, and the [`RetentionOptions`]. It
//! deletes nothing and asks nobody. What comes out is a [`RetentionPlan`]: for each backup keep or
//! forget, with every reason, to be shown, tested, or carried out.
//!
//! The rules:
//!
//! - [`last`](RetentionOptions::last) keeps the newest ones. `hourly`, `daily`, `weekly`, `monthly` and
//!   `yearly` keep the newest one of each hour, day, ISO week, month or year: of so many of those in
//!   which there is a backup at all, so that a pause costs nothing. The calendar is that of a [`Zone`].
//! - [`within`](RetentionOptions::within) keeps all that is no older than this, seen from now, and
//!   [`tags`](RetentionOptions::tags) all that has one of them.
//! - A backup is kept that one rule keeps. Without any rule all are.
//!
//! What is kept whatever the rules say:
//!
//! - The newest verified backup.
//! - All that a kept backup needs, and what that needs in turn.
//! - What was taken after now: one of the clocks is wrong. It counts in no rule, so that it does not
//!   hold the place of another.
//!
//! Rules that count do so for verified backups first ([`BackupState`]). Those that nobody verified yet
//! are counted apart, and only those newer than every verified one; those that failed apart again, and
//! only those newer than every other one. So what may be worth nothing pushes out nothing, yet what was
//! just taken stays until it is verified, and the newest of each of these always does. A backup is
//! held to be no better than the worst that it needs; what it needs and is not there counts as failed.
//!
//! ```
//! use redkeep::UnixMillis;
//! use redkeep::repo::retention::{BackupFacts, BackupState, RetentionOptions, Zone, retain};
//!
//! let day = |n: i64| UnixMillis::new(1_790_000_000_000 + n * 86_400_000);
//! let backups: Vec<_> = (0..30)
//!     .map(|n| BackupFacts::new(format!("b{n:02}"), day(n), BackupState::Verified))
//!     .collect();
//! let options = RetentionOptions::default().daily(7).zone("Europe/Berlin".parse::<Zone>()?);
//! let plan = retain(&backups, day(30), &options)?;
//! assert_eq!(plan.forgotten().count(), 23);
//! assert_eq!(
//!     plan.backups[1].to_string(),
//!     "b28: keep: newest of the day 2026-10-19 (2 of 7)"
//! );
//! # Ok::<(), redkeep::Error>(())
//! ```

mod calendar;
mod decide;
mod facts;
mod options;
mod plan;
mod span;

pub use calendar::{Period, Zone};
pub use decide::retain;
pub use facts::{BackupFacts, BackupState};
pub use options::RetentionOptions;
pub use plan::{Decision, ForgetReason, KeepReason, Missing, RetentionPlan, Verdict};
