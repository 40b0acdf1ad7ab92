//! From a source to a sink, through stages: how everything above the formats is put together.
//!
//! ```text
//! EntrySource  ->  Stage  ->  Stage  ->  EntrySink
//! a reader         a filter, a change     a file, JSON lines, commands, a digest
//! ```
//!
//! What flows are [`Event`]s: a stage passes them on, leaves some out, or makes others of them, and
//! the next one cannot tell. Nothing is skipped in silence: none of these has a do-nothing default,
//! and a stage counts what it does not pass on.
//!
//! The end and the footer of a source have to reach the sink too: to a [`Writer`] they prove the
//! records before them.

use crate::error::Result;
use crate::rdb::convert::Converter;
use crate::rdb::{Event, RoleMarker, SliceReader, StreamReader, Writer};
use std::io::{Read, Write};

/// Something that events come from, in the order of a file.
///
/// ```
/// use redkeep::pipe::{EntrySource, pump};
/// use redkeep::rdb::{SliceReader, Writer};
/// # let dump = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let mut writer = Writer::new(Vec::new());
/// pump(&mut SliceReader::new(dump), &mut writer)?;
/// assert_eq!(writer.finish()?, dump);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait EntrySource {
    /// The next event, lent until the one after it; `None` at the end.
    ///
    /// # Errors
    /// As the source has them; after an error it is at its end.
    fn next_event(&mut self) -> Result<Option<Event<'_>>>;
}

/// Something that takes events, in the order of a file.
///
/// ```
/// use redkeep::pipe::{EntrySink, pump};
/// use redkeep::rdb::{Event, SliceReader};
/// struct Keys(u64);
/// impl EntrySink for Keys {
///     fn event(&mut self, event: &Event<'_>) -> redkeep::Result<()> {
///         self.0 += u64::from(event.begins_key());
///         Ok(())
///     }
/// }
/// # let dump = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let mut keys = Keys(0);
/// pump(&mut SliceReader::new(dump), &mut keys)?;
/// assert_eq!(keys.0, 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait EntrySink {
    /// Takes one event.
    ///
    /// # Errors
    /// Whatever keeps it from being taken; the sink is of no use afterwards.
    fn event(&mut self, event: &Event<'_>) -> Result<()>;
}

/// Something between source and sink.
///
/// ```
/// use redkeep::pipe::{EntrySink, Stage, Staged, pump};
/// use redkeep::rdb::{Event, SliceReader, Writer};
/// /// Leaves out every second key.
/// struct Half(bool);
/// impl Stage for Half {
///     fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> redkeep::Result<()> {
///         self.0 ^= event.begins_key();
///         if event.begins_key() && !self.0 { Ok(()) } else { to.event(event) }
///     }
/// }
/// # let dump = b"REDIS0003\xfe\x00\x00\x01a\x01x\x00\x01b\x01y\xff";
/// let mut half = Staged { stage: Half(false), to: Writer::new(Vec::new()) };
/// pump(&mut SliceReader::new(dump), &mut half)?;
/// assert_eq!(half.to.finish()?, b"REDIS0003\xfe\x00\x00\x01a\x01x\xff");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait Stage {
    /// Takes one event and gives the next one any number.
    ///
    /// # Errors
    /// Its own, and those of what comes after it.
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()>;
}

/// A stage and what comes after it, which together are a sink.
#[derive(Debug)]
pub struct Staged<T, S> {
    /// The stage.
    pub stage: T,
    /// What comes after it.
    pub to: S,
}

impl<T: Stage, S: EntrySink> EntrySink for Staged<T, S> {
    #[inline(always)]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        self.stage.event(event, &mut self.to)
    }
}

/// Brings everything from a source to a sink.
///
/// # Errors
/// Those of either.
pub fn pump(source: &mut impl EntrySource, sink: &mut impl EntrySink) -> Result<()> {
    while let Some(event) = source.next_event()? {
        sink.event(&event)?;
    }
    Ok(())
}

impl<R: Read> EntrySource for StreamReader<R> {
    #[inline(always)]
    fn next_event(&mut self) -> Result<Option<Event<'_>>> {
        self.next()
    }
}

impl EntrySource for SliceReader<'_> {
    #[inline(always)]
    fn next_event(&mut self) -> Result<Option<Event<'_>>> {
        self.next().transpose()
    }
}

impl<T: EntrySource> EntrySource for &mut T {
    #[inline(always)]
    fn next_event(&mut self) -> Result<Option<Event<'_>>> {
        (**self).next_event()
    }
}

impl<T: Stage> Stage for &mut T {
    #[inline(always)]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        (**self).event(event, to)
    }
}

impl<T: EntrySink> EntrySink for &mut T {
    #[inline(always)]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        (**self).event(event)
    }
}

impl<W: Write> EntrySink for Writer<W> {
    #[inline(always)]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        Writer::event(self, event)
    }
}

/// A stage that may not be wanted: without it events go straight on.
impl<T: Stage> Stage for Option<T> {
    #[inline(always)]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        match self {
            Some(stage) => stage.event(event, to),
            None => to.event(event),
        }
    }
}

impl Stage for Converter {
    #[inline(always)]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        Converter::event(self, event, &mut |event| to.event(event))
    }
}

impl Stage for RoleMarker {
    #[inline(always)]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        RoleMarker::event(self, event, &mut |event| to.event(event))
    }
}
