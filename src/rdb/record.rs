//! Records made anew: events that no file holds, for whoever changes what flows past.

use crate::error::{Error, Fault, Result};
use crate::rdb::entry::Entry;
use crate::rdb::event::{Event, Mark, Place, What};
use crate::rdb::value_type::ValueType;
use crate::rdb::walk::Part;

/// The bytes of one record at a time, and the event that stands for them.
///
/// The pieces are put in order: attributes, type, key, value. To whoever gets the event it is one
/// like any other; its offset is that of the record it was made from.
#[derive(Debug, Default)]
pub(crate) struct Record {
    raw: Vec<u8>,
    kind_at: usize,
    value_at: usize,
}

impl Record {
    /// Begins a key's record. Both the attributes and the key are as a file holds them, the key with
    /// its length.
    pub(crate) fn begin(&mut self, attributes: &[u8], kind: ValueType, raw_key: &[u8]) {
        self.raw.clear();
        self.raw.extend_from_slice(attributes);
        self.kind_at = self.raw.len();
        self.raw.push(kind.byte());
        self.raw.extend_from_slice(raw_key);
        self.value_at = self.raw.len();
    }

    /// Where the value's bytes are appended.
    pub(crate) fn value(&mut self) -> &mut Vec<u8> {
        &mut self.raw
    }

    /// Changes the layout that was announced.
    pub(crate) fn retype(&mut self, kind: ValueType) {
        if let Some(byte) = self.raw.get_mut(self.kind_at) {
            *byte = kind.byte();
        }
    }

    /// The key with all of its value, in a database and otherwise at the place of its original.
    pub(crate) fn entry(&self, kind: ValueType, db: u64, original: &Entry<'_>) -> Event<'_> {
        self.key(What::Entry, kind, db, original)
    }

    /// The key alone; runs follow until `Close`.
    pub(crate) fn open(&self, kind: ValueType, db: u64, original: &Entry<'_>) -> Event<'_> {
        self.key(What::Open, kind, db, original)
    }

    fn key(&self, what: What, kind: ValueType, db: u64, original: &Entry<'_>) -> Event<'_> {
        let mark = Mark::key(what, kind, self.kind_at, self.value_at);
        Event { raw: &self.raw, mark, place: Place { db, ..original.place() } }
    }
}

/// Capacity that is kept for the next value.
const SPARE: usize = 16 << 20;

/// A value that comes in runs, put together again: then it is an entry like any other.
#[derive(Debug, Default)]
pub(crate) struct Held {
    raw: Vec<u8>,
    head: Option<(Mark, Place)>,
}

impl Held {
    /// Whether a value was begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.head.is_some()
    }

    /// Begins with an open entry.
    pub(crate) fn begin(&mut self, open: &Event<'_>) {
        self.raw.extend_from_slice(open.raw);
        let mut mark = open.mark;
        mark.what = What::Entry;
        self.head = Some((mark, open.place));
    }

    /// Adds a run or a piece, unless it is then more than `limit` bytes.
    pub(crate) fn push(&mut self, event: &Event<'_>, limit: u64) -> Result<()> {
        let bytes = (self.raw.len() as u64).saturating_add(event.raw.len() as u64);
        if bytes > limit {
            let error = Error::from_fault(Fault::Held)
                .with_detail("a value that has to be held whole to look at all of it");
            return Err(match self.event().and_then(|whole| whole.entry()) {
                Some(entry) => {
                    error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message())
                }
                None => error,
            });
        }
        self.raw.extend_from_slice(event.raw);
        Ok(())
    }

    /// The entry, once it has ended.
    pub(crate) fn event(&self) -> Option<Event<'_>> {
        let (mark, place) = self.head?;
        Some(Event { raw: &self.raw, mark, place })
    }

    /// Makes room for the next.
    pub(crate) fn clear(&mut self) {
        self.head = None;
        self.raw.clear();
        if self.raw.capacity() > SPARE {
            self.raw = Vec::new();
        }
    }
}

/// A run of whole items made anew, in the place of a run of the source. They refer to nothing: where
/// a layout counts from a smallest expiry, that is 1.
pub(crate) fn remade_run<'a>(
    raw: &'a [u8],
    kind: ValueType,
    part: Part,
    count: u64,
    left: u64,
    place: Place,
) -> Event<'a> {
    Event { raw, mark: Mark::run(kind, part, count, left), place: Place { base: 0, ..place } }
}

/// A record that is no key, or the header.
pub(crate) fn remade_record(raw: &[u8], header: bool, place: Place) -> Event<'_> {
    let what = if header { What::Header } else { What::Record };
    Event { raw, mark: Mark::of(what), place }
}

/// The end of an open value.
pub(crate) fn remade_close(place: Place) -> Event<'static> {
    Event { raw: &[], mark: Mark::of(What::Close), place }
}
