//! One dump as several, in one pass.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::rdb::{Entry, Event, EventKind, OwnedEvent, Str, StrBuf, StreamReader, Writer};
use crate::select::{SLOTS, slot};
use crate::task::extract::stays_true;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::ops::RangeInclusive;

/// Which keys go into which part.
///
/// ```
/// use redkeep::task::SplitBy;
/// let shards = SplitBy::slots([vec![0..=8191], vec![8192..=16_383]])?;
/// assert_eq!(shards, SplitBy::shards(2)?);
/// assert!(SplitBy::slots([vec![0..=8191], vec![8000..=16_383]]).is_err());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitBy {
    /// By the slots of a cluster, as each of its shards serves them; parts are called `from-slot-` and the
    /// first of their slots in five digits. A key in a slot of nobody is an error.
    Slots(Vec<Vec<RangeInclusive<u16>>>),
    /// By database; parts are called `db-` and its index.
    Db,
    /// By what their names begin with: the first of these that fits; parts are called `part-` and the number of
    /// the prefix, from 1 on, and `rest`.
    Prefixes(Vec<Vec<u8>>),
}

impl SplitBy {
    /// By slots, each part with some ranges of them.
    ///
    /// # Errors
    /// `Usage` where a slot is in two parts, or there is no such slot, or a part has none.
    pub fn slots(parts: impl IntoIterator<Item = Vec<RangeInclusive<u16>>>) -> Result<SplitBy> {
        let parts: Vec<_> = parts.into_iter().collect();
        let by = SplitBy::Slots(parts);
        by.table().map(|_| by)
    }

    /// By slots, so many parts with as many slots each as can be: how a new cluster of so many masters has
    /// them.
    ///
    /// # Errors
    /// `Usage` for none, and for more than there are slots.
    pub fn shards(count: u16) -> Result<SplitBy> {
        if count == 0 || count > SLOTS {
            return Err(Error::usage("a cluster has 1 to 16384 shards"));
        }
        let border = |n: u16| {
            let first = (u32::from(SLOTS) * u32::from(n) + u32::from(count) / 2) / u32::from(count);
            u16::try_from(first).unwrap_or(SLOTS)
        };
        SplitBy::slots((0..count).map(|n| vec![border(n)..=border(n + 1) - 1]))
    }

    /// By slots, as the masters in a `nodes.conf` have them, or in the answer to `CLUSTER NODES`.
    ///
    /// ```
    /// use redkeep::task::SplitBy;
    /// let text = "07c3 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-8191\n\
    ///             9a1f 127.0.0.1:7001@17001 master - 0 0 2 connected 8192-16383\n\
    ///             vars currentEpoch 2 lastVoteEpoch 0\n";
    /// assert_eq!(SplitBy::nodes(text)?, SplitBy::shards(2)?);
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` where it is none, or no master in it has slots.
    pub fn nodes(text: &str) -> Result<SplitBy> {
        let wrong = |line: &str| Error::usage(format!("not a line of CLUSTER NODES: {line:?}"));
        let mut parts: Vec<Vec<RangeInclusive<u16>>> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with("vars ") {
                continue;
            }
            let words: Vec<_> = line.split_whitespace().collect();
            let (Some(flags), true) = (words.get(2), words.len() >= 8) else {
                return Err(wrong(line));
            };
            if !flags.split(',').any(|flag| flag == "master") {
                continue;
            }
            // Slots on their way stand in brackets, and are where they come from until they arrive.
            let slots = words.iter().skip(8).filter(|word| !word.starts_with('['));
            let ranges: Option<Vec<_>> = slots.map(|word| range(word)).collect();
            let ranges = ranges.ok_or_else(|| wrong(line))?;
            if !ranges.is_empty() {
                parts.push(ranges);
            }
        }
        if parts.is_empty() {
            return Err(Error::usage("no master in it has slots"));
        }
        parts.sort_by_key(|ranges| ranges.iter().map(|range| *range.start()).min());
        SplitBy::slots(parts)
    }

    /// For each slot its part.
    fn table(&self) -> Result<Vec<Option<usize>>> {
        let SplitBy::Slots(parts) = self else { return Ok(Vec::new()) };
        let mut table = vec![None; usize::from(SLOTS)];
        for (part, ranges) in parts.iter().enumerate() {
            if ranges.is_empty() {
                return Err(Error::usage("a part without slots"));
            }
            for range in ranges {
                let (first, last) = (usize::from(*range.start()), usize::from(*range.end()));
                let slots = table.get_mut(first..=last).filter(|slots| !slots.is_empty());
                let slots = slots.ok_or_else(|| Error::usage("slots are 0 to 16383"))?;
                if slots.iter().any(Option::is_some) {
                    return Err(Error::usage("a slot is in two parts"));
                }
                slots.fill(Some(part));
            }
        }
        Ok(table)
    }
}

fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// A dump that was split off.
///
/// See [`split`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SplitPart {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub keys: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// What a split came to.
///
/// See [`split`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SplitOutcome {
    /// Keys of the dump; those of the parts add up to it.
    pub keys: u64,
    /// The parts, in the order in which they were begun.
    pub parts: Vec<SplitPart>,
}

/// How a dump is split.
///
/// ```
/// use redkeep::task::SplitOptions;
/// assert_eq!(SplitOptions::default().most, 1024);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SplitOptions {
    /// How many parts there may be: each is written at the same time. Default 1024.
    pub most: usize,
    /// Ceilings on memory while reading.
    pub limits: Limits,
}

impl Default for SplitOptions {
    fn default() -> Self {
        SplitOptions { most: 1024, limits: Limits::default() }
    }
}

impl SplitOptions {
    /// Sets [`most`](Self::most).
    #[must_use]
    pub fn most(mut self, parts: usize) -> Self {
        self.most = parts;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Splits a dump: each key goes into one part, byte for byte, in one pass and bounded memory. `open` is asked
/// for the target of a part when that is begun: by slots for all of them, else with its first key.
///
/// Function libraries, and what modules keep outside of keys, go into every part, as every shard of a
/// cluster has them.
///
/// # Errors
/// `Corrupt` and such where the dump is damaged; `Usage` for a key in a slot of nobody, and for more
/// parts than are allowed; `Io` where source or targets fail. The targets then hold no whole dumps.
///
/// ```
/// use redkeep::task::{SplitBy, SplitOptions, split};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xfe\x02\x00\x01b\x01y\xff";
/// let (outcome, files) = split(dump, &SplitBy::Db, &SplitOptions::default(), |_| Ok(Vec::new()))?;
/// assert_eq!((outcome.keys, outcome.parts[1].name.as_str()), (2, "db-2"));
/// assert_eq!(files[1], b"REDIS0003\xfe\x02\x00\x01b\x01y\xff");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn split<W: Write>(
    source: impl Read,
    by: &SplitBy,
    options: &SplitOptions,
    open: impl FnMut(&str) -> Result<W>,
) -> Result<(SplitOutcome, Vec<W>)> {
    let mut reader = StreamReader::with_limits(source, &options.limits);
    let table = by.table()?;
    let mut work = Work {
        by,
        options,
        open,
        table,
        parts: Vec::new(),
        by_db: HashMap::new(),
        by_prefix: HashMap::new(),
        shared: Vec::new(),
        current: Current::All,
        buf: StrBuf::new(),
    };
    if let SplitBy::Slots(slots) = by {
        for ranges in slots {
            let first = ranges.iter().map(|range| *range.start()).min().unwrap_or_default();
            work.begin(format!("from-slot-{first:05}"))?;
        }
    }
    let mut keys = 0;
    while let Some(event) = reader.next()? {
        keys += u64::from(event.begins_key());
        work.event(&event)?;
    }
    work.end(keys)
}

/// Whom the pieces of a value go to.
#[derive(Clone, Copy)]
enum Current {
    All,
    One(usize),
}

struct Part<W> {
    name: String,
    keys: u64,
    writer: Writer<W>,
}

struct Work<'a, W: Write, O> {
    by: &'a SplitBy,
    options: &'a SplitOptions,
    open: O,
    /// For each slot its part.
    table: Vec<Option<usize>>,
    parts: Vec<Part<W>>,
    by_db: HashMap<u64, usize>,
    by_prefix: HashMap<usize, usize>,
    /// What goes into every part, for those that are begun later.
    shared: Vec<OwnedEvent>,
    current: Current,
    buf: StrBuf,
}

impl<W: Write, O: FnMut(&str) -> Result<W>> Work<'_, W, O> {
    fn begin(&mut self, name: String) -> Result<usize> {
        if self.parts.len() >= self.options.most {
            let most = self.options.most;
            return Err(Error::usage(format!("there would be more than {most} parts")));
        }
        let mut writer = Writer::new((self.open)(&name)?);
        for event in &self.shared {
            writer.event(&event.event())?;
        }
        self.parts.push(Part { name, keys: 0, writer });
        Ok(self.parts.len() - 1)
    }

    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        match event.kind() {
            EventKind::Entry(entry) => {
                let part = self.part_of(&entry)?;
                self.give(part, event, true)
            }
            EventKind::Open(entry) => {
                let part = self.part_of(&entry)?;
                self.current = Current::One(part);
                self.give(part, event, true)
            }
            EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => match self.current {
                Current::One(part) => self.give(part, event, false),
                Current::All => self.share(event),
            },
            // They tell of a whole server, or of keys as they were together.
            EventKind::SelectDb(_)
            | EventKind::ResizeDb { .. }
            | EventKind::SlotInfo { .. }
            | EventKind::SlotImport(_)
            | EventKind::EnterpriseSkip => Ok(()),
            EventKind::Aux(aux) if !matches!(aux.name, Str::Plain(name) if stays_true(name)) => {
                Ok(())
            }
            _ => {
                self.current = Current::All;
                self.share(event)
            }
        }
    }

    /// Into every part, also those that are to come; the end of the dump is the end of all.
    fn share(&mut self, event: &Event<'_>) -> Result<()> {
        if !matches!(event.kind(), EventKind::Eof | EventKind::Footer(_)) {
            // By slots all parts are there from the beginning.
            if !matches!(self.by, SplitBy::Slots(_)) {
                self.shared.push(event.into_owned());
            }
        } else if self.parts.is_empty() {
            // A dump without keys is one part without keys.
            self.begin("rest".to_owned())?;
        }
        self.parts.iter_mut().try_for_each(|part| part.writer.event(event))
    }

    fn give(&mut self, part: usize, event: &Event<'_>, is_key: bool) -> Result<()> {
        let Some(part) = self.parts.get_mut(part) else { return Ok(()) };
        part.keys += u64::from(is_key);
        if let Some(entry) = event.entry() {
            part.writer.select_db(entry.db())?;
        } else if let EventKind::Open(entry) = event.kind() {
            part.writer.select_db(entry.db())?;
        }
        part.writer.event(event)
    }

    fn part_of(&mut self, entry: &Entry<'_>) -> Result<usize> {
        match self.by {
            SplitBy::Slots(_) => {
                let slot = slot(entry.key().bytes(&mut self.buf)?);
                let part = self.table.get(usize::from(slot)).copied().flatten();
                part.ok_or_else(|| {
                    Error::usage(format!("no part has slot {slot}")).or_at(entry.offset())
                })
            }
            SplitBy::Db => match self.by_db.get(&entry.db()) {
                Some(part) => Ok(*part),
                None => {
                    let part = self.begin(format!("db-{}", entry.db()))?;
                    self.by_db.insert(entry.db(), part);
                    Ok(part)
                }
            },
            SplitBy::Prefixes(prefixes) => {
                let name = entry.key().bytes(&mut self.buf)?;
                let fits = prefixes.iter().position(|prefix| name.starts_with(prefix));
                let number = fits.unwrap_or(prefixes.len());
                if let Some(part) = self.by_prefix.get(&number) {
                    return Ok(*part);
                }
                let part = self.begin(match fits {
                    Some(number) => format!("part-{}", number + 1),
                    None => "rest".to_owned(),
                })?;
                self.by_prefix.insert(number, part);
                Ok(part)
            }
        }
    }

    fn end(self, keys: u64) -> Result<(SplitOutcome, Vec<W>)> {
        let (mut parts, mut targets) = (Vec::new(), Vec::new());
        for Part { name, keys, writer } in self.parts {
            parts.push(SplitPart { name, keys, bytes: writer.ended_len() });
            targets.push(writer.finish()?);
        }
        if parts.iter().map(|part| part.keys).sum::<u64>() != keys {
            return Err(
                Error::from_fault(Fault::Internal).with_detail("the account does not balance")
            );
        }
        Ok((SplitOutcome { keys, parts }, targets))
    }
}
