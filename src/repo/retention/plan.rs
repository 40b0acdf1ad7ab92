//! What is to be kept, what may go, and why.

use crate::repo::retention::{BackupState, Period};
use crate::time::UnixMillis;
use std::fmt;

/// Why a backup is kept.
///
/// ```
/// use redkeep::repo::retention::KeepReason;
/// assert_eq!(KeepReason::Last { number: 2, of: 3 }.to_string(), "newest 2 of 3");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[cfg_attr(feature = "json", serde(tag = "code", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum KeepReason {
    /// There is no rule.
    NoRules,
    /// It was taken after now.
    Future,
    /// It is the newest of those in its state, and none in a better one is newer.
    Newest {
        /// How far it can be trusted.
        state: BackupState,
    },
    /// It is among the newest.
    Last {
        /// Which of them, from 1 for the newest.
        number: u32,
        /// How many are kept.
        of: u32,
    },
    /// It is the newest of an hour, day, week, month or year.
    Slot {
        /// Of which of these.
        period: Period,
        /// Its name, as in `2026-11-20`, `2026-W47` or `2026-11-20 14h+01:00`.
        name: String,
        /// Which of them, from 1 for the latest.
        number: u32,
        /// How many are kept.
        of: u32,
    },
    /// It is young enough.
    Within,
    /// It has a tag.
    Tag {
        /// The tag.
        tag: String,
    },
    /// A backup that is kept needs it.
    NeededBy {
        /// Which.
        id: String,
    },
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeepReason::NoRules => f.write_str("no rule is given"),
            KeepReason::Future => f.write_str("taken in the future: a clock is wrong"),
            KeepReason::Newest { state } => write!(f, "newest {state} backup"),
            KeepReason::Last { number, of } => write!(f, "newest {number} of {of}"),
            KeepReason::Slot { period, name, number, of } => {
                write!(f, "newest of the {period} {name} ({number} of {of})")
            }
            KeepReason::Within => f.write_str("young enough"),
            KeepReason::Tag { tag } => write!(f, "tag {}", tag.escape_debug()),
            KeepReason::NeededBy { id } => write!(f, "needed by {}", id.escape_debug()),
        }
    }
}

/// Why a backup may go.
///
/// ```
/// use redkeep::repo::retention::ForgetReason;
/// assert_eq!(ForgetReason::NoRule.to_string(), "no rule keeps it");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[cfg_attr(feature = "json", serde(tag = "code", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ForgetReason {
    /// No rule keeps it.
    NoRule,
    /// Rules that count left it out: it is in a worse state than a newer one.
    Outdone {
        /// How far it can be trusted.
        state: BackupState,
    },
}

impl fmt::Display for ForgetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForgetReason::NoRule => f.write_str("no rule keeps it"),
            ForgetReason::Outdone { state } => write!(f, "{state}, and a better one is newer"),
        }
    }
}

/// What becomes of a backup, with every reason for it.
///
/// ```
/// use redkeep::repo::retention::{ForgetReason, Verdict};
/// let verdict = Verdict::Forget(vec![ForgetReason::NoRule]);
/// assert!(!verdict.is_keep());
/// assert_eq!(verdict.to_string(), "forget: no rule keeps it");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[cfg_attr(
    feature = "json",
    serde(tag = "verdict", content = "reasons", rename_all = "snake_case")
)]
pub enum Verdict {
    /// It stays.
    Keep(Vec<KeepReason>),
    /// It may go.
    Forget(Vec<ForgetReason>),
}

impl Verdict {
    /// Whether it stays.
    #[must_use]
    pub fn is_keep(&self) -> bool {
        matches!(self, Verdict::Keep(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Keep(reasons) => write!(f, "keep: {}", joined(reasons)),
            Verdict::Forget(reasons) => write!(f, "forget: {}", joined(reasons)),
        }
    }
}

fn joined<T: ToString>(reasons: &[T]) -> String {
    reasons.iter().map(T::to_string).collect::<Vec<_>>().join("; ")
}

/// One backup of a plan.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::retention::{BackupFacts, BackupState, RetentionOptions, retain};
/// let backup = BackupFacts::new("b1", UnixMillis::new(5), BackupState::Verified);
/// let plan = retain(&[backup], UnixMillis::new(9), &RetentionOptions::default())?;
/// assert_eq!(plan.backups[0].to_string(), "b1: keep: newest verified backup; no rule is given");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decision {
    /// Its id.
    pub id: String,
    /// When it was taken.
    pub time: UnixMillis,
    /// How far it can be trusted, with all that it needs.
    pub state: BackupState,
    /// What becomes of it.
    #[cfg_attr(feature = "json", serde(flatten))]
    pub verdict: Verdict,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id.escape_debug(), self.verdict)
    }
}

/// A backup that another one needs, and that is not there.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::retention::{BackupFacts, BackupState, RetentionOptions, retain};
/// let delta = BackupFacts::new("b2", UnixMillis::new(5), BackupState::Verified).need("b1");
/// let plan = retain(&[delta], UnixMillis::new(9), &RetentionOptions::default())?;
/// assert_eq!(plan.missing[0].to_string(), "b2 needs b1, which is not there");
/// assert_eq!(plan.backups[0].state, BackupState::Failed);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Missing {
    /// The one that needs it.
    pub backup: String,
    /// The one that is not there.
    pub needs: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (backup, needs) = (self.backup.escape_debug(), self.needs.escape_debug());
        write!(f, "{backup} needs {needs}, which is not there")
    }
}

/// What becomes of all backups of a stream. It is a plan: nothing was deleted.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::retention::{BackupFacts, BackupState, RetentionOptions, retain};
/// let backup = |id, ms| BackupFacts::new(id, UnixMillis::new(ms), BackupState::Verified);
/// let backups = [backup("b1", 1), backup("b2", 2)];
/// let plan = retain(&backups, UnixMillis::new(9), &RetentionOptions::default().last(1))?;
/// assert_eq!(plan.kept().map(|backup| &backup.id[..]).collect::<Vec<_>>(), ["b2"]);
/// assert_eq!(plan.forgotten().next().unwrap().id, "b1");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RetentionPlan {
    /// Every backup, from the newest to the oldest.
    pub backups: Vec<Decision>,
    /// What backups need and is not there, in order.
    pub missing: Vec<Missing>,
}

impl RetentionPlan {
    /// Those that stay, from the newest to the oldest.
    pub fn kept(&self) -> impl Iterator<Item = &Decision> {
        self.backups.iter().filter(|backup| backup.verdict.is_keep())
    }

    /// Those that may go, from the newest to the oldest: nothing that stays needs one of them.
    pub fn forgotten(&self) -> impl Iterator<Item = &Decision> {
        self.backups.iter().filter(|backup| !backup.verdict.is_keep())
    }
}

impl fmt::Display for RetentionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.backups.iter().try_for_each(|backup| writeln!(f, "{backup}"))?;
        self.missing.iter().try_for_each(|missing| writeln!(f, "{missing}"))
    }
}
