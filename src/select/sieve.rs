//! A filter over a row of events: what follows a key shares its fate.

use crate::error::{Error, Result};
use crate::rdb::{Event, EventKind, Str, StrBuf};
use crate::select::{Decision, Filter, Rejections};

/// Says of each event of a reader whether it is to be kept, and counts what it decides.
///
/// A value that comes in runs and pieces is kept or left out as its key was, and so are the expiries
/// of members that KeyDB writes after a key. Records that belong to no key are none of its business:
/// those it keeps.
///
/// ```
/// use redkeep::rdb::SliceReader;
/// use redkeep::select::{Condition, Filter, FilterOptions, KeyPattern, Sieve};
/// # let dump = b"REDIS0003\x00\x06user:1\x01a\x00\x06cart:1\x01b\xff";
/// let users = FilterOptions::default().include(Condition::keys([KeyPattern::glob("user:*")]));
/// let mut sieve = Sieve::new(Filter::new(users));
/// let mut kept = 0;
/// for event in SliceReader::new(dump) {
///     let event = event?;
///     kept += u32::from(sieve.keeps(&event)? && event.entry().is_some());
/// }
/// assert_eq!(kept, 1);
/// assert_eq!(sieve.counts().rejected(), 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct Sieve {
    filter: Filter,
    buf: StrBuf,
    kept: bool,
    counts: Rejections,
}

impl Sieve {
    /// A sieve that nothing has passed yet.
    #[must_use]
    pub fn new(filter: Filter) -> Sieve {
        Sieve { filter, buf: StrBuf::new(), kept: true, counts: Rejections::default() }
    }

    /// Sets how many bytes a compressed key may inflate to.
    #[must_use]
    pub fn inflated_limit(mut self, bytes: u64) -> Sieve {
        self.buf = StrBuf::new().inflated_limit(bytes);
        self
    }

    /// Whether the filter keeps every key.
    #[must_use]
    pub fn keeps_all(&self) -> bool {
        self.filter.is_empty()
    }

    /// How many keys it kept, and how many it rejected by what.
    #[must_use]
    pub fn counts(&self) -> &Rejections {
        &self.counts
    }

    /// Whether this event is to be kept; to be asked of every event, in order.
    ///
    /// # Errors
    /// `Corrupt` when a key cannot be read, `Usage` when a value that is bigger than the window would
    /// have to be counted first.
    #[inline(always)]
    pub fn keeps(&mut self, event: &Event<'_>) -> Result<bool> {
        match event.entry() {
            Some(entry) => {
                let decision = self.filter.matches(&entry, &mut self.buf)?;
                Ok(self.decide(decision))
            }
            None => self.keeps_rare(*event),
        }
    }

    #[inline]
    fn decide(&mut self, decision: Decision) -> bool {
        self.kept = decision.is_keep();
        self.counts.count(decision);
        self.kept
    }

    #[inline(never)]
    fn keeps_rare(&mut self, event: Event<'_>) -> Result<bool> {
        match event.kind() {
            EventKind::Open(entry) => match self.filter.matches_open(&entry, &mut self.buf)? {
                Decision::Undecided(criterion) => Err(Error::usage(format!(
                    "a value bigger than the window cannot be judged by {}: enlarge \
                     Limits::window, or leave that condition out",
                    criterion.code()
                ))),
                decision => Ok(self.decide(decision)),
            },
            EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => Ok(self.kept),
            EventKind::Aux(aux) => match aux.name {
                Str::Plain(name) if name.starts_with(b"keydb-subexpire-") => Ok(self.kept),
                _ => Ok(true),
            },
            // Module data in runs: what follows is its own, up to its end.
            EventKind::ModuleAux(aux) => {
                self.kept |= !aux.whole;
                Ok(true)
            }
            _ => Ok(true),
        }
    }
}
