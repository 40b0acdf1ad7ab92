//! Entries: a key with its attributes and its value, the unit of everything above.

use crate::rdb::attribute::{Attribute, Attributes};
use crate::rdb::event::Place;
use crate::rdb::string::Str;
use crate::rdb::value::Value;
use crate::rdb::value_type::ValueType;
use crate::time::UnixMillis;
use crate::wire::cursor::Cursor;
use bytes::Bytes;
use std::fmt;

/// A key with its attributes and its value, borrowed: nothing is decoded until asked for.
///
/// ```
/// use redkeep::rdb::{EventKind, SliceReader, StrBuf};
/// # let dump = b"REDIS0003\xfe\x02\xfc\x00\xe8\x76\x48\x17\x00\x00\x00\x00\x01k\x01v\xff";
/// for event in SliceReader::new(dump) {
///     if let EventKind::Entry(entry) = event?.kind() {
///         assert_eq!(entry.key().bytes(&mut StrBuf::new())?, b"k");
///         assert_eq!(entry.db(), 2);
///         assert_eq!(entry.expires().map(|at| at.get()), Some(100_000_000_000));
///         let kept = entry.into_owned();
///         assert_eq!(kept.entry().value().len(), 2);
///     }
/// }
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    kind: ValueType,
    place: Place,
    attributes: &'a [u8],
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Attributes are `..kind_at`, then comes the type byte, the key up to `value_at`, the value.
    #[inline(always)]
    pub(crate) fn new(
        raw: &'a [u8],
        kind: ValueType,
        kind_at: usize,
        value_at: usize,
        place: Place,
    ) -> Entry<'a> {
        let (head, value) = raw.split_at_checked(value_at).unwrap_or_default();
        let (attributes, key) = head.split_at_checked(kind_at).unwrap_or_default();
        Entry { kind, place, attributes, key: key.get(1..).unwrap_or_default(), value }
    }

    /// The key, as the file holds it.
    #[inline(always)]
    #[must_use]
    pub fn key(&self) -> Str<'a> {
        Cursor::new(self.key).string().unwrap_or(Str::Plain(&[]))
    }

    /// The database's index; 0 before any is selected.
    #[inline(always)]
    #[must_use]
    pub fn db(&self) -> u64 {
        self.place.db
    }

    /// The cluster slot, where the file says it (Redis 7.4 and Valkey 8 in cluster mode).
    #[must_use]
    pub fn slot(&self) -> Option<u16> {
        self.place.slot
    }

    /// The absolute offset of the record's first byte: its first attribute, or its type.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.place.offset
    }

    /// How the value is laid out.
    #[inline(always)]
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.kind
    }

    /// The value: an opaque window until its items are asked for. In an
    /// [`Open`](crate::rdb::EventKind::Open) event only its beginning.
    #[inline(always)]
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        let head = self.attributes.len() + 1 + self.key.len();
        Value { kind: self.kind, bytes: self.value, offset: self.place.offset + head as u64 }
    }

    /// When the key expires. The stored -1 means never.
    #[inline(always)]
    #[must_use]
    pub fn expires(&self) -> Option<UnixMillis> {
        if self.attributes.is_empty() { None } else { Attributes::read(self.attributes).expires }
    }

    /// Expiry, idle time, frequency and metadata together.
    #[must_use]
    #[inline(always)]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::read(self.attributes)
    }

    /// Whether a database is selected between its attributes and its key.
    #[cold]
    pub(crate) fn selects_db(&self) -> bool {
        Attributes::select_db(self.attributes)
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The bytes in front of the type byte, as they stand in the file.
    #[must_use]
    pub fn raw_attributes(&self) -> &'a [u8] {
        self.attributes
    }

    /// The key's string as it stands in the file, length and all.
    #[must_use]
    pub fn raw_key(&self) -> &'a [u8] {
        self.key
    }

    /// A copy that borrows from nothing, in one allocation.
    #[must_use]
    pub fn into_owned(self) -> OwnedEntry {
        let mut raw =
            Vec::with_capacity(self.attributes.len() + 1 + self.key.len() + self.value.len());
        raw.extend_from_slice(self.attributes);
        raw.push(self.kind.byte());
        raw.extend_from_slice(self.key);
        let (kind_at, value_at) = (self.attributes.len(), raw.len());
        raw.extend_from_slice(self.value);
        OwnedEntry { raw: raw.into(), kind: self.kind, kind_at, value_at, place: self.place }
    }

    /// The key's bytes for a message, whatever state they are in.
    #[cold]
    pub(crate) fn key_for_message(self) -> Vec<u8> {
        let mut buf = crate::rdb::string::StrBuf::new().inflated_limit(4096);
        self.key().unpack(&mut buf).map(<[u8]>::to_vec).unwrap_or_default()
    }
}

/// Shows no content: keys and values are never logged.
impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("kind", &self.kind)
            .field("place", &self.place)
            .field("attributes", &self.attributes.len())
            .field("key", &self.key.len())
            .field("value", &self.value.len())
            .finish()
    }
}

/// An entry that owns its bytes: it outlives the reader and crosses threads. Cloning is cheap.
///
/// ```
/// # use redkeep::rdb::{EventKind, SliceReader};
/// # let dump = b"REDIS0003\x00\x01k\x01v\xff";
/// let owned: Vec<_> = SliceReader::new(dump)
///     .filter_map(|event| match event.ok()?.kind() {
///         EventKind::Entry(entry) => Some(entry.into_owned()),
///         _ => None,
///     })
///     .collect();
/// assert_eq!(owned[0].entry().offset(), 9);
/// assert_eq!(owned[0].bytes().len(), 5);
/// ```
#[derive(Clone)]
pub struct OwnedEntry {
    raw: Bytes,
    kind: ValueType,
    kind_at: usize,
    value_at: usize,
    place: Place,
}

impl OwnedEntry {
    /// The entry, borrowed from this copy.
    #[must_use]
    pub fn entry(&self) -> Entry<'_> {
        Entry::new(&self.raw, self.kind, self.kind_at, self.value_at, self.place)
    }

    /// The record's bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.raw
    }
}

impl fmt::Debug for OwnedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry().fmt(f)
    }
}

/// Reads a key's attributes up to and including its type byte and key.
pub(crate) struct Head {
    pub(crate) kind: ValueType,
    pub(crate) kind_at: usize,
    /// A database selected between the attributes and the key.
    pub(crate) db: Option<u64>,
    /// A slot announced there.
    pub(crate) slot: Option<u16>,
}

impl Head {
    /// The usual attributes only; anything else is for [`Head::read`].
    #[inline(always)]
    pub(crate) fn read_usual(
        c: &mut Cursor<'_>,
        lineage: crate::rdb::version::Lineage,
    ) -> Option<(usize, ValueType)> {
        let total = c.left();
        loop {
            match c.byte().ok()? {
                byte @ 0..=0x7f => {
                    let kind_at = total - c.left() - 1;
                    let kind = ValueType::from_byte(lineage, byte)?;
                    c.string().ok()?;
                    return Some((kind_at, kind));
                }
                0xfc => {
                    c.array::<8>().ok()?;
                }
                0xfd => {
                    c.array::<4>().ok()?;
                }
                0xf9 => {
                    c.byte().ok()?;
                }
                0xf8 => {
                    c.length().ok()?;
                }
                _ => return None,
            }
        }
    }

    pub(crate) fn read(
        c: &mut Cursor<'_>,
        lineage: crate::rdb::version::Lineage,
    ) -> crate::wire::cursor::Res<Head> {
        let total = c.left();
        let (mut db, mut slot) = (None, None);
        loop {
            let kind_at = total - c.left();
            match Attribute::read(c, lineage)? {
                Attribute::Type(kind) => {
                    c.string()?;
                    return Ok(Head { kind, kind_at, db, slot });
                }
                Attribute::SelectDb(index) => (db, slot) = (Some(index), None),
                Attribute::Slot(announced) => slot = announced,
                _ => {}
            }
        }
    }
}
