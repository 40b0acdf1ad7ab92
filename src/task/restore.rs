//! Keys of a dump into a running server.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
#[cfg(feature = "digest")]
use crate::live::restore::{CompareOutcome, CompareSink};
use crate::live::restore::{RestoreOutcome, RestoreSink, Target};
use crate::pipe::{EntrySink, Staged};
use crate::rdb::convert::{ConvertOptions, Converter};
use crate::rdb::{Loss, OnLoss, ServerVersion, StreamReader};
use crate::select::{
    Filter, FilterOptions, MemberCounts, MemberFilter, MemberOptions, Rejections, Sieve, Transform,
    TransformCounts, TransformOptions,
};
use std::io::Read;

/// Which keys of a dump are restored, and what is changed about them.
///
/// ```
/// use redkeep::select::{Condition, FilterOptions, KeyPattern, Rename, TransformOptions};
/// use redkeep::task::RestoreChoice;
/// let users = FilterOptions::default().include(Condition::keys([KeyPattern::glob("user:*")]));
/// let renamed = TransformOptions::default().rename(Rename::prefix("user:", "old:"));
/// let choice = RestoreChoice::default().filter(users).transform(renamed);
/// # drop(choice);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RestoreChoice {
    /// Which keys. Default: all.
    pub filter: FilterOptions,
    /// Which parts of their values. Default: all.
    pub members: MemberOptions,
    /// What is changed about the keys. Default: nothing.
    pub transform: TransformOptions,
    /// Ceilings on memory while the source is read.
    pub limits: Limits,
}

impl RestoreChoice {
    /// Sets [`filter`](Self::filter).
    #[must_use]
    pub fn filter(mut self, filter: FilterOptions) -> Self {
        self.filter = filter;
        self
    }

    /// Sets [`members`](Self::members).
    #[must_use]
    pub fn members(mut self, members: MemberOptions) -> Self {
        self.members = members;
        self
    }

    /// Sets [`transform`](Self::transform).
    #[must_use]
    pub fn transform(mut self, transform: TransformOptions) -> Self {
        self.transform = transform;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What became of the keys of the source. It balances: keys of the source are those that were left
/// out and those that [`keys`](Self::keys) tells of.
#[must_use = "a restore that stopped early is no error but an outcome that says so"]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Restored {
    /// Keys that were left out, by what rejected them.
    pub rejected: Rejections,
    /// What was left out of values.
    pub members: MemberCounts,
    /// What was changed about keys.
    pub transform: TransformCounts,
    /// Keys that were written anew in a layout that the target reads.
    pub converted: u64,
    /// What became of the others.
    pub keys: RestoreOutcome,
}

/// Puts the keys of a dump into a running server, in one pass: chosen, changed, and written anew where
/// the target needs another layout.
///
/// A checksum stands at the end of a dump, and whether it fits is known when all keys have been sent.
/// Check the dump before, or make a pass with [`dry_run`](crate::live::restore::RestoreOptions::dry_run),
/// which finds that out too.
///
/// # Errors
/// `Usage` (`internal`) where the account does not balance. What stops a restore half-way is no error
/// but [told](RestoreOutcome::stopped) in the outcome.
///
/// ```no_run
/// use redkeep::live::{Clock, ConnectOptions, Connection};
/// use redkeep::live::restore::{Conflict, RestoreOptions, RestoreSink};
/// use redkeep::task::{RestoreChoice, restore};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let options = RestoreOptions::default().conflict(Conflict::Skip);
/// let sink = RestoreSink::new(&mut server, &System, options)?;
/// let restored = restore(std::fs::File::open("dump.rdb")?, &RestoreChoice::default(), sink)?;
/// println!("{} keys restored, {} failed", restored.keys.restored, restored.keys.failed);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn restore(
    source: impl Read,
    choice: &RestoreChoice,
    sink: RestoreSink<'_>,
) -> Result<Restored> {
    restore_from(source, choice, sink).map(|(restored, _)| restored)
}

/// As [`restore`]; also whether it was the source that failed.
pub(super) fn restore_from(
    source: impl Read,
    choice: &RestoreChoice,
    mut sink: RestoreSink<'_>,
) -> Result<(Restored, bool)> {
    let target = sink.target().clone();
    let fails = sink.on_loss() == OnLoss::Fail;
    let mut way = Way::new(choice, &target, fails);
    let done = way.bring(source, &mut sink);
    let cut = way.cut;
    let mut keys = sink.finish(done)?;
    let counts = way.converter.counts();
    keys.read += counts.dropped();
    keys.skipped.lost += counts.losses.dropped_keys();
    keys.skipped.empty += counts.emptied;
    let functions = counts.losses.get(Loss::Function).count;
    keys.functions.read += functions;
    keys.functions.lost += functions;
    keys.losses.merge(&counts.losses);
    let restored = Restored {
        rejected: way.sieve.counts().clone(),
        members: way.members.counts().clone(),
        transform: way.transform.counts().clone(),
        converted: counts.converted,
        keys,
    };
    Ok((restored, cut))
}

/// All that stands between a dump and a running server.
struct Way {
    limits: Limits,
    sieve: Sieve,
    members: MemberFilter,
    transform: Transform,
    /// Whether values or keys are changed at all.
    changes: bool,
    converter: Converter,
    target: ServerVersion,
    /// Whether the first loss is the end.
    fails: bool,
    /// Whether the source failed.
    cut: bool,
}

impl Way {
    fn new(choice: &RestoreChoice, target: &Target, fails: bool) -> Way {
        let limits = choice.limits;
        let convert = ConvertOptions::new(target.version)
            .on_loss(OnLoss::Drop)
            .any_module(true)
            .compress(false)
            .expired_at(target.now)
            .limits(limits);
        Way {
            limits,
            sieve: Sieve::new(Filter::new(choice.filter.clone())).limits(limits),
            members: MemberFilter::new(choice.members.clone().limits(limits)),
            transform: Transform::new(choice.transform.clone().inflated(limits.inflated)),
            changes: !choice.members.is_empty() || !choice.transform.is_empty(),
            converter: Converter::new(convert),
            target: target.version,
            fails,
            cut: false,
        }
    }

    fn bring(&mut self, source: impl Read, sink: &mut impl EntrySink) -> Result<()> {
        let mut reader = StreamReader::with_limits(source, &self.limits);
        let Way { sieve, members, transform, changes, converter, .. } = self;
        loop {
            let event = match reader.next() {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.cut = true;
                    return Err(error);
                }
            };
            let to = Staged { stage: &mut *converter, to: &mut *sink };
            if *changes {
                let to = Staged { stage: &mut *transform, to };
                let to = Staged { stage: &mut *members, to };
                Staged { stage: &mut *sieve, to }.event(&event)?;
            } else {
                Staged { stage: &mut *sieve, to }.event(&event)?;
            }
            let losses = &converter.counts().losses;
            if self.fails && !losses.is_empty() {
                let detail = format!("{} would lose {losses}", self.target);
                return Err(Error::from_fault(Fault::Loss).with_detail(detail));
            }
        }
    }
}

/// Reads back what a running server has of the keys of a dump: chosen, changed and converted as
/// [`restore`] would, and compared with what is there.
///
/// ```no_run
/// use redkeep::live::{ConnectOptions, Connection};
/// use redkeep::live::restore::{CompareSink, RestoreOptions, Sample};
/// use redkeep::task::{RestoreChoice, compare};
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let sink = CompareSink::new(&mut server, &RestoreOptions::default(), Sample::All)?;
/// let outcome = compare(std::fs::File::open("dump.rdb")?, &RestoreChoice::default(), sink);
/// assert!(outcome.is_same(), "{:?}", outcome.first);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[cfg(feature = "digest")]
pub fn compare(
    source: impl Read,
    choice: &RestoreChoice,
    mut sink: CompareSink<'_>,
) -> CompareOutcome {
    let target = sink.target().clone();
    let done = Way::new(choice, &target, false).bring(source, &mut sink);
    sink.finish(done)
}
