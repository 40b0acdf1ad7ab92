//! Logical elements: what a client would see, whatever the encoding.

use crate::error::Result;
use crate::rdb::encoding::Scalar;
use crate::rdb::encoding::module::ModuleOp;
use crate::time::UnixMillis;
use crate::wire::number;
use std::fmt;

/// One logical element of a value. All encodings of a data type give the same elements.
///
/// A stream gives, node by node, [`StreamNode`](Element::StreamNode), then for each entry
/// [`StreamEntry`](Element::StreamEntry) and its [`StreamField`](Element::StreamField)s (none for a
/// deleted entry); then [`StreamInfo`](Element::StreamInfo), and group by group the group, its
/// pending entries, and its consumers with the entries they own.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Element<'a> {
    /// The string of a string value.
    Text(Scalar<'a>),
    /// An element of a list, or a member of a set.
    Member(Scalar<'a>),
    /// A member of a sorted set.
    Scored(Scalar<'a>, Score<'a>),
    /// A field of a hash.
    Field {
        /// Its name.
        field: Scalar<'a>,
        /// Its value.
        value: Scalar<'a>,
        /// When it expires.
        expires: Option<UnixMillis>,
    },
    /// An element of a sparse array, at this index.
    At(u64, Scalar<'a>),
    /// A floating-point element of a sparse array, at this index.
    FloatAt(u64, f64),
    /// The beginning of a stream node.
    StreamNode {
        /// The ID that entries count from.
        master: StreamId,
        /// Live entries, as the node says.
        live: u64,
        /// Deleted entries still in it, as the node says.
        deleted: u64,
    },
    /// An entry of a stream.
    StreamEntry {
        /// Its ID.
        id: StreamId,
        /// Deleted: no client sees it.
        deleted: bool,
        /// How many fields it has.
        fields: u64,
    },
    /// A field of the stream entry before it.
    StreamField(Scalar<'a>, Scalar<'a>),
    /// A stream's IDs and counters.
    StreamInfo(StreamInfo),
    /// A consumer group.
    Group {
        /// Its name.
        name: Scalar<'a>,
        /// The last ID it delivered.
        last_delivered: StreamId,
        /// How many entries it has read; `None` where unknown or not kept.
        entries_read: Option<u64>,
        /// How many pending entries follow.
        pending: u64,
    },
    /// A pending entry of the group.
    Pending {
        /// Its ID.
        id: StreamId,
        /// When it was last delivered.
        delivered: UnixMillis,
        /// How often it was delivered.
        deliveries: u64,
    },
    /// A consumer of the group.
    Consumer {
        /// Its name.
        name: Scalar<'a>,
        /// When it was last seen.
        seen: UnixMillis,
        /// When it last read something; `None` where it never did or that is not kept.
        active: Option<UnixMillis>,
        /// How many IDs follow.
        pending: u64,
    },
    /// The ID of a pending entry that the consumer owns.
    Owned(StreamId),
    /// The ID of an entry that was negatively acknowledged.
    Nacked(StreamId),
    /// Settings of idempotent adding.
    Idempotence {
        /// How long an ID is remembered, in seconds.
        duration: u64,
        /// How many IDs are remembered per producer.
        max: u64,
    },
    /// A producer.
    Producer {
        /// Its ID.
        id: Scalar<'a>,
        /// How many remembered IDs follow.
        entries: u64,
    },
    /// An ID that the producer used, and the entry it made.
    Remembered(Scalar<'a>, StreamId),
    /// Counters of idempotent adding: IDs added, and additions that were duplicates.
    IdempotenceTail {
        /// IDs added.
        added: u64,
        /// Additions that were duplicates.
        duplicates: u64,
    },
    /// A field of a module's value.
    Module(ModuleField<'a>),
    /// A scheduled script of KeyDB.
    Cron {
        /// The script.
        script: Scalar<'a>,
        /// When it starts.
        start: UnixMillis,
        /// Milliseconds between runs.
        interval: i64,
    },
}

/// The latest expiry of a hash field, in ms, that every server takes that has them.
pub(crate) const LATEST_FIELD_EXPIRY: i64 = (1 << 48) - 1;

/// Something that elements are shown to: see [`Decoder::visit`](crate::rdb::Decoder::visit).
///
/// There are no do-nothing defaults: what a visitor does not carry it has to drop in so many words.
///
/// ```
/// use redkeep::rdb::{Decoder, Element, EventKind, Score, SliceReader, Visit};
/// use redkeep::rdb::encoding::Scalar;
/// use redkeep::{Result, UnixMillis};
/// struct Count(u64);
/// impl Visit for Count {
///     fn text(&mut self, _: Scalar<'_>) -> Result<()> { self.0 += 1; Ok(()) }
///     fn member(&mut self, _: Scalar<'_>) -> Result<()> { self.0 += 1; Ok(()) }
///     fn scored(&mut self, _: Scalar<'_>, _: Score<'_>) -> Result<()> { self.0 += 1; Ok(()) }
///     fn field(&mut self, _: Scalar<'_>, _: Scalar<'_>, _: Option<UnixMillis>) -> Result<()> {
///         self.0 += 1;
///         Ok(())
///     }
///     fn stream_field(&mut self, _: Scalar<'_>, _: Scalar<'_>) -> Result<()> { Ok(()) }
///     fn other(&mut self, _: Element<'_>) -> Result<()> { self.0 += 1; Ok(()) }
/// }
/// # let dump = b"REDIS0003\x02\x01s\x02\x01a\xc0\x07\xff";
/// let (mut decoder, mut count) = (Decoder::new(), Count(0));
/// for event in SliceReader::new(dump) {
///     if let EventKind::Entry(entry) = event?.kind() {
///         decoder.visit_value(entry.value(), &mut count)?;
///     }
/// }
/// assert_eq!(count.0, 2);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait Visit {
    /// The string of a string value.
    ///
    /// # Errors
    /// Whatever ends the visit; so for all methods.
    fn text(&mut self, text: Scalar<'_>) -> Result<()>;
    /// An element of a list, or a member of a set.
    ///
    /// # Errors
    /// Whatever ends the visit.
    fn member(&mut self, member: Scalar<'_>) -> Result<()>;
    /// A member of a sorted set.
    ///
    /// # Errors
    /// Whatever ends the visit.
    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()>;
    /// A field of a hash.
    ///
    /// # Errors
    /// Whatever ends the visit.
    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()>;
    /// A field of the stream entry shown last.
    ///
    /// # Errors
    /// Whatever ends the visit.
    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()>;
    /// Anything else.
    ///
    /// # Errors
    /// Whatever ends the visit.
    fn other(&mut self, element: Element<'_>) -> Result<()>;
}

/// A member's score, as stored.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Score<'a> {
    /// Eight bytes of binary64.
    Double(f64),
    /// An integer in a packed encoding.
    Int(i64),
    /// The text of a number.
    Text(&'a [u8]),
}

/// Shows no content: values are never logged.
impl fmt::Debug for Score<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Score")
    }
}

impl<'a> Score<'a> {
    /// The score in a packed entry.
    #[inline(always)]
    pub(crate) fn of(entry: Scalar<'a>) -> Score<'a> {
        match entry {
            Scalar::Int(n) => Score::Int(n),
            Scalar::Bytes(text) => Score::Text(text),
        }
    }

    /// Its number; `None` where text is none. Read as servers do: a valid beginning is enough.
    ///
    /// ```
    /// use redkeep::rdb::Score;
    /// assert_eq!(Score::Text(b"2.5").value(), Some(2.5));
    /// assert_eq!(Score::Text(b"two").value(), None);
    /// ```
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Score::Double(value) => Some(value),
            Score::Int(n) => {
                // Beyond 2^53 it rounds, as it does in the servers.
                #[allow(clippy::cast_precision_loss)]
                let value = n as f64;
                Some(value)
            }
            Score::Text(text) => number::parse_double_prefix(text),
        }
    }
}

/// A field of a module's value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ModuleField<'a> {
    /// A signed number.
    Signed(i64),
    /// An unsigned number.
    Unsigned(u64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// A string.
    Text(Scalar<'a>),
    /// The end of the value.
    End,
}

impl<'a> ModuleField<'a> {
    pub(crate) fn of(op: ModuleOp<'_>, text: Scalar<'a>) -> ModuleField<'a> {
        match op {
            ModuleOp::End => ModuleField::End,
            ModuleOp::Signed(n) => ModuleField::Signed(n),
            ModuleOp::Unsigned(n) => ModuleField::Unsigned(n),
            ModuleOp::Float(n) => ModuleField::Float(n),
            ModuleOp::Double(n) => ModuleField::Double(n),
            ModuleOp::Text(_) => ModuleField::Text(text),
        }
    }
}

/// The ID of a stream entry: milliseconds and a sequence number.
///
/// ```
/// use redkeep::rdb::StreamId;
/// assert_eq!(StreamId::new(5, 1).to_string(), "5-1");
/// assert!(StreamId::new(5, 1) < StreamId::new(6, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId {
    /// Milliseconds.
    pub ms: u64,
    /// Sequence number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// An ID from its two halves.
    #[must_use]
    pub const fn new(ms: u64, seq: u64) -> Self {
        StreamId { ms, seq }
    }

    /// An ID from 16 bytes, big-endian, as node keys and pending lists hold it.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        let [ms, seq] = [both >> 64, both & u128::from(u64::MAX)];
        StreamId { ms: u64::try_from(ms).unwrap_or(0), seq: u64::try_from(seq).unwrap_or(0) }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// A stream's IDs and counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Live entries.
    pub length: u64,
    /// The last ID that was added.
    pub last_id: StreamId,
    /// What Redis 7.0 added; `None` in older layouts.
    pub counters: Option<StreamCounters>,
    /// How many consumer groups follow.
    pub groups: u64,
}

/// What streams keep since Redis 7.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamCounters {
    /// The ID of the first live entry.
    pub first_id: StreamId,
    /// The highest ID that was deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
}

impl StreamCounters {
    /// Counters of a stream that is made by hand.
    #[must_use]
    pub const fn new(first_id: StreamId, max_deleted_id: StreamId, entries_added: u64) -> Self {
        StreamCounters { first_id, max_deleted_id, entries_added }
    }
}
