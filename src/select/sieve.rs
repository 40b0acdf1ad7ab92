//! A filter over a row of events: what follows a key shares its fate.

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::pipe::{EntrySink, Stage};
use crate::rdb::{Event, EventKind, Held, Str, StrBuf};
use crate::select::{Decision, Filter, Rejections};

/// What the names of KeyDB's facts about members begin with: they belong to the key before them.
pub(crate) const SUB_EXPIRY: &[u8] = b"keydb-subexpire-";

/// Says of each event of a reader whether it is to be kept, and counts what it decides.
///
/// A value that comes in runs and pieces is kept or left out as its key was, and so are the expiries
/// of members that KeyDB writes after a key. Records that belong to no key are none of its business:
/// those it keeps.
///
/// As a [`Stage`] it passes on what it keeps. There, a value that comes in runs and can't be judged by
/// its beginning (by its size, or by how many elements a list of nodes has) is held whole, up to
/// [`Limits::held`], and goes on as one entry.
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
    /// A value that is not decided yet.
    held: Held,
    limits: Limits,
}

impl Sieve {
    /// A sieve that nothing has passed yet.
    #[must_use]
    pub fn new(filter: Filter) -> Sieve {
        Sieve {
            filter,
            buf: StrBuf::new(),
            kept: true,
            counts: Rejections::default(),
            held: Held::default(),
            limits: Limits::default(),
        }
    }

    /// Sets how many bytes a compressed key may inflate to.
    #[must_use]
    pub fn inflated_limit(mut self, bytes: u64) -> Sieve {
        self.buf = StrBuf::new().inflated_limit(bytes);
        self
    }

    /// Sets ceilings on memory: on inflated keys, and on values that have to be held.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Sieve {
        self.limits = limits;
        self.inflated_limit(limits.inflated)
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
                Str::Plain(name) if name.starts_with(SUB_EXPIRY) => Ok(self.kept),
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

impl Stage for Sieve {
    #[inline(always)]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        if event.entry().is_none() && (event.begins_key() || self.held.is_open()) {
            return self.hold(*event, to);
        }
        if self.keeps(event)? { to.event(event) } else { Ok(()) }
    }
}

impl Sieve {
    /// Holds a value that is not decided by its beginning, until all of it is there.
    #[inline(never)]
    fn hold<S: EntrySink>(&mut self, event: Event<'_>, to: &mut S) -> Result<()> {
        match event.kind() {
            EventKind::Open(entry) => {
                let decision = self.filter.matches_open(&entry, &mut self.buf)?;
                match decision {
                    Decision::Undecided(_) => self.held.begin(&event),
                    decision if self.decide(decision) => return to.event(&event),
                    _ => {}
                }
                Ok(())
            }
            EventKind::Run(_) | EventKind::Piece(_) => self.held.push(&event, self.limits.held),
            _ => {
                let mut held = std::mem::take(&mut self.held);
                if let Some(whole) = held.event()
                    && self.keeps(&whole)?
                {
                    to.event(&whole)?;
                }
                held.clear();
                self.held = held;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::pipe::{Staged, pump};
    use crate::rdb::{StreamReader, Writer};
    use crate::select::{Condition, FilterOptions};

    /// A list of 20 nodes of one element each, more than a window of 64 bytes.
    fn passed(elements: u64, held: u64) -> Result<(u64, Vec<u8>)> {
        let node = b"\x02\x0b\x0b\0\0\0\x01\0\x82ab\x03\xff";
        let dump =
            [b"REDIS0004\x12\x01k\x14", &node.repeat(20)[..], b"\x00\x01s\x01v\xff"].concat();
        let limits = Limits::default().window(64).held(held);
        let filter = FilterOptions::default().include(Condition::elements([elements..]));
        let stage = Sieve::new(Filter::new(filter)).limits(limits);
        let mut staged = Staged { stage, to: Writer::new(Vec::new()) };
        pump(&mut StreamReader::with_limits(&dump[..], &limits), &mut staged)?;
        Ok((staged.stage.counts().rejected(), staged.to.finish()?))
    }

    #[test]
    fn a_value_that_its_beginning_does_not_decide_is_held_until_it_is_decided() {
        let (rejected, part) = passed(20, 1 << 20).unwrap();
        assert_eq!((rejected, part.len()), (1, 9 + 4 + 20 * 13 + 1));
        assert_eq!(passed(21, 1 << 20).unwrap(), (2, b"REDIS0004\xff".to_vec()));
        let error = passed(21, 100).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Limit, Some("k")));
    }
}
