//! One item of a value, at the level of its encoding: strings and packed blobs, not yet decoded.

use crate::rdb::encoding::module::ModuleOp;
use crate::rdb::string::Str;

/// One item of a value as the file holds it; [`Decoder::elements`](crate::rdb::Decoder::elements)
/// makes logical elements of it.
///
/// Fixed-size fields that few ask for (stream times and counters) are left as raw bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// The string of a string value.
    Text(Str<'a>),
    /// An element of a list or a member of a set.
    Member(Str<'a>),
    /// A field and its value.
    Pair(Str<'a>, Str<'a>),
    /// A field, its value, and its expiry in ms since the epoch or -1.
    FieldTtl {
        /// The field's name.
        field: Str<'a>,
        /// Its value.
        value: Str<'a>,
        /// Absolute milliseconds; -1 where the field does not expire.
        expires: i64,
    },
    /// A member and its score.
    Scored(Str<'a>, f64),
    /// A member and the text of its score (to RDB 7): `253` NaN, `254` inf, `255` -inf come as text.
    ScoredText(Str<'a>, &'a [u8]),
    /// A whole packed value: ziplist, listpack, intset or zipmap, by the value's type.
    Packed(Str<'a>),
    /// A ziplist node of a list.
    ZiplistNode(Str<'a>),
    /// A list node: container 1 is one plain element, 2 a listpack.
    Node(u64, Str<'a>),
    /// A stream node: its 16-byte master ID and its listpack.
    StreamNode(Str<'a>, Str<'a>),
    /// Length, IDs and counters of a stream, as stored, with the number of groups.
    StreamInfo {
        /// The stored lengths, not decoded.
        raw: &'a [u8],
        /// Consumer groups that follow.
        groups: u64,
    },
    /// A consumer group.
    Group {
        /// Its name.
        name: Str<'a>,
        /// Last delivered ID and, since version 2, entries read, as stored.
        raw: &'a [u8],
        /// Pending entries that follow.
        pending: u64,
    },
    /// A pending entry of a group: 16 bytes of ID and 8 of delivery time.
    Pending {
        /// ID and delivery time as stored.
        raw: &'a [u8],
        /// How often it was delivered.
        deliveries: u64,
    },
    /// The number of consumers of a group.
    Consumers(u64),
    /// A consumer.
    Consumer {
        /// Its name.
        name: Str<'a>,
        /// Seen time and, since version 3, active time, as stored.
        raw: &'a [u8],
        /// Pending entries that follow.
        pending: u64,
    },
    /// The 16-byte ID of a pending entry of a consumer.
    Owned(&'a [u8]),
    /// The number of negatively acknowledged entries of a group (version 5).
    Nacks(u64),
    /// The 16-byte ID of a negatively acknowledged entry.
    Nacked(&'a [u8]),
    /// Settings of idempotent adding (version 4).
    Idempotence {
        /// How long an ID is remembered, in seconds.
        duration: u64,
        /// How many IDs are remembered per producer.
        max: u64,
        /// Producers that follow.
        producers: u64,
    },
    /// A producer.
    Producer {
        /// Its ID.
        id: Str<'a>,
        /// Remembered IDs that follow.
        entries: u64,
    },
    /// An ID that a producer used, and the entry it made.
    Remembered {
        /// The producer's own ID of the entry.
        id: Str<'a>,
        /// The stream entry, milliseconds part.
        ms: u64,
        /// The stream entry, sequence part.
        seq: u64,
    },
    /// Counters at the end of a version 4 stream.
    IdempotenceTail {
        /// IDs added.
        added: u64,
        /// Additions that were duplicates.
        duplicates: u64,
    },
    /// An element of a sparse array.
    At(u64, ArrayItem<'a>),
    /// One step of a module's value.
    Module(ModuleOp<'a>),
    /// The fields of a template hash, as a listpack (DUMP only).
    TemplateNames(Str<'a>),
    /// One field of a template hash (DUMP only).
    TemplateName {
        /// The field.
        name: Str<'a>,
        /// Its place among the fields, from 0.
        at: u64,
    },
    /// A value of a template hash; its field is the template's at the same place.
    TemplateValue {
        /// The value.
        value: Str<'a>,
        /// Its place among the template's fields, from 0.
        at: u64,
        /// The declared template; `None` where the value carries its fields.
        template: Option<u64>,
    },
    /// A scheduled script of KeyDB.
    Cron {
        /// The script.
        script: Str<'a>,
        /// Start and interval in ms, as stored.
        raw: &'a [u8],
        /// Keys that follow.
        keys: u64,
    },
    /// The number of arguments of a scheduled script, after its keys.
    CronArguments(u64),
}

/// An element of a sparse array (Redis 8.8).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ArrayItem<'a> {
    /// Tags 0 and 3.
    Text(Str<'a>),
    /// Tag 1.
    Int(i64),
    /// Tag 2.
    Float(f64),
}
