//! The rules.

use crate::error::{Error, Result, printable};
use crate::repo::retention::{
    BackupFacts, BackupState, Decision, ForgetReason, KeepReason, Missing, RetentionOptions,
    RetentionPlan, Verdict,
};
use crate::time::UnixMillis;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// Says what becomes of each backup, by the rules of the [module](crate::repo::retention). The order
/// they come in does not matter.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::retention::{BackupFacts, BackupState, RetentionOptions, retain};
/// let day = |n: i64| UnixMillis::new(n * 86_400_000);
/// let backups = [
///     BackupFacts::new("b1", day(1), BackupState::Verified),
///     BackupFacts::new("b2", day(2), BackupState::Verified).need("b1"),
///     BackupFacts::new("b3", day(3), BackupState::Failed),
///     BackupFacts::new("b4", day(4), BackupState::Verified),
/// ];
/// let plan = retain(&backups, day(5), &RetentionOptions::default().last(2))?;
/// assert_eq!(plan.to_string(), "\
/// b4: keep: newest verified backup; newest 1 of 2
/// b3: forget: no rule keeps it; failed, and a better one is newer
/// b2: keep: newest 2 of 2
/// b1: keep: needed by b2
/// ");
/// # Ok::<(), redkeep::Error>(())
/// ```
///
/// # Errors
/// `Usage` when two backups have one id.
pub fn retain(
    backups: &[BackupFacts],
    now: UnixMillis,
    options: &RetentionOptions,
) -> Result<RetentionPlan> {
    let mut newest_first: Vec<&BackupFacts> = backups.iter().collect();
    newest_first.sort_by_key(|backup| Reverse((backup.time, backup.id.as_str())));
    let mut ids = HashSet::new();
    if let Some(twice) = newest_first.iter().find(|backup| !ids.insert(backup.id.as_str())) {
        let id = printable(twice.id.as_bytes());
        return Err(Error::usage(format!("two backups have the id \"{id}\"")));
    }
    let states = states(backups, &ids);
    let mut decider = Decider { reasons: HashMap::new(), outdone: HashSet::new() };
    decider.count(&newest_first, &states, now, options);
    decider.look(&newest_first, now, options);
    decider.follow(&newest_first);
    Ok(RetentionPlan {
        backups: newest_first.iter().map(|backup| decider.decision(backup, &states)).collect(),
        missing: missing(backups, &ids),
    })
}

type States<'a> = HashMap<&'a str, BackupState>;

/// How far each can be trusted with all that it needs.
fn states<'a>(backups: &'a [BackupFacts], ids: &HashSet<&str>) -> States<'a> {
    let mut needed_by: HashMap<&str, Vec<&str>> = HashMap::new();
    for backup in backups {
        for id in &backup.needs {
            needed_by.entry(id).or_default().push(&backup.id);
        }
    }
    let own = |backup: &BackupFacts| {
        let whole = backup.needs.iter().all(|id| ids.contains(id.as_str()));
        if whole { backup.state } else { BackupState::Failed }
    };
    let mut states = States::new();
    // The worst first: who was reached once needs not be looked at again.
    for state in [BackupState::Failed, BackupState::Unverified, BackupState::Verified] {
        let begin = backups.iter().filter(|backup| own(backup) == state);
        let mut reached: Vec<&str> = begin.map(|backup| backup.id.as_str()).collect();
        while let Some(id) = reached.pop() {
            if !states.contains_key(id) {
                states.insert(id, state);
                reached.extend(needed_by.get(id).into_iter().flatten());
            }
        }
    }
    states
}

fn missing(backups: &[BackupFacts], ids: &HashSet<&str>) -> Vec<Missing> {
    let mut missing = Vec::new();
    for backup in backups {
        for id in backup.needs.iter().filter(|id| !ids.contains(id.as_str())) {
            missing.push(Missing { backup: backup.id.clone(), needs: id.clone() });
        }
    }
    missing.sort();
    missing.dedup();
    missing
}

struct Decider<'a> {
    reasons: HashMap<&'a str, Vec<KeepReason>>,
    /// Those that rules which count leave out.
    outdone: HashSet<&'a str>,
}

impl<'a> Decider<'a> {
    fn keep(&mut self, backup: &'a BackupFacts, reason: KeepReason) {
        self.reasons.entry(&backup.id).or_default().push(reason);
    }

    /// The newest ones, and the rules with numbers.
    fn count(
        &mut self,
        newest_first: &[&'a BackupFacts],
        states: &States<'_>,
        now: UnixMillis,
        options: &RetentionOptions,
    ) {
        let past = newest_first.iter().filter(|backup| backup.time <= now);
        let mut counted: HashMap<BackupState, Vec<&BackupFacts>> = HashMap::new();
        let mut best = BackupState::Failed;
        for backup in past {
            let state = states.get(backup.id.as_str()).copied().unwrap_or(BackupState::Failed);
            best = best.min(state);
            if state == best {
                counted.entry(state).or_default().push(backup);
            } else {
                self.outdone.insert(&backup.id);
            }
        }
        for (state, backups) in counted {
            if let Some(newest) = backups.first() {
                self.keep(newest, KeepReason::Newest { state });
            }
            let of = options.last;
            for (backup, number) in backups.iter().zip(1..=of) {
                self.keep(backup, KeepReason::Last { number, of });
            }
            for (period, of) in options.periods().into_iter().filter(|(_, of)| *of > 0) {
                // Clocks that are set back over midnight make days that come again.
                let mut seen = HashSet::new();
                let named = backups.iter().map(|b| (b, period.name(b.time, &options.zone)));
                let newest = named.filter(|(_, name)| seen.insert(name.clone()));
                for ((backup, name), number) in newest.zip(1..=of) {
                    self.keep(backup, KeepReason::Slot { period, name, number, of });
                }
            }
        }
    }

    /// The rules that look at each one by itself.
    fn look(
        &mut self,
        newest_first: &[&'a BackupFacts],
        now: UnixMillis,
        options: &RetentionOptions,
    ) {
        let oldest = options.within.map(|age| {
            let ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            UnixMillis::new(now.get().saturating_sub(ms))
        });
        for backup in newest_first {
            if options.is_empty() {
                self.keep(backup, KeepReason::NoRules);
            }
            if backup.time > now {
                self.keep(backup, KeepReason::Future);
            } else if oldest.is_some_and(|oldest| backup.time >= oldest) {
                self.keep(backup, KeepReason::Within);
            }
            let tags: HashSet<&String> = options.tags.iter().collect();
            let mut said = HashSet::new();
            for tag in backup.tags.iter().filter(|tag| tags.contains(tag) && said.insert(*tag)) {
                self.keep(backup, KeepReason::Tag { tag: tag.clone() });
            }
        }
    }

    /// All that kept ones need.
    fn follow(&mut self, newest_first: &[&'a BackupFacts]) {
        let by_id: HashMap<&str, &'a BackupFacts> =
            newest_first.iter().map(|backup| (backup.id.as_str(), *backup)).collect();
        let kept = newest_first.iter().filter(|backup| self.reasons.contains_key(&backup.id[..]));
        let mut reached: Vec<&BackupFacts> = kept.copied().collect();
        let mut followed = HashSet::new();
        while let Some(backup) = reached.pop() {
            if !followed.insert(backup.id.as_str()) {
                continue;
            }
            let needs: HashSet<&String> =
                backup.needs.iter().filter(|id| **id != backup.id).collect();
            for needed in needs.iter().filter_map(|id| by_id.get(id.as_str())) {
                self.keep(needed, KeepReason::NeededBy { id: backup.id.clone() });
                reached.push(needed);
            }
        }
    }

    fn decision(&mut self, backup: &BackupFacts, states: &States<'_>) -> Decision {
        let id = backup.id.as_str();
        let state = states.get(id).copied().unwrap_or(BackupState::Failed);
        let verdict = match self.reasons.remove(id) {
            Some(mut reasons) => {
                // Whatever order the search for them had, one plan is always the same.
                reasons.sort_by(|a, b| needer(a).cmp(&needer(b)));
                Verdict::Keep(reasons)
            }
            None => {
                let outdone = self.outdone.contains(id);
                let outdone = outdone.then_some(ForgetReason::Outdone { state });
                Verdict::Forget([ForgetReason::NoRule].into_iter().chain(outdone).collect())
            }
        };
        Decision { id: id.to_owned(), time: backup.time, state, verdict }
    }
}

/// What orders those reasons of which there can be many; the others stay in front as they are.
fn needer(reason: &KeepReason) -> Option<&str> {
    match reason {
        KeepReason::NeededBy { id } => Some(id),
        _ => None,
    }
}
