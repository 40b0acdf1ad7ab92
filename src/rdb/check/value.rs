//! One value's rules: structure, elements, and what servers rely on without looking.

use crate::error::Result;
use crate::rdb::check::distinct::Distinct;
use crate::rdb::check::report::Level;
use crate::rdb::check::stream::StreamCheck;
use crate::rdb::decode::Decoder;
use crate::rdb::element::{Element, LATEST_FIELD_EXPIRY, Score, Visit};
use crate::rdb::encoding::Scalar;
use crate::rdb::item::Item;
use crate::rdb::value::Items;
use crate::rdb::value_type::{DataType, ValueType};
use crate::time::UnixMillis;
use crate::wire::number::Digits;

/// What is wrong with a value that can nevertheless be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flaw {
    DuplicateField,
    DuplicateMember,
    Empty,
    NanScore,
    ScoreNoNumber,
    ScoresUnsorted,
    IntsetUnsorted,
    FieldExpiryRange,
    FieldExpiryOrder,
    ArrayOrder,
    ArrayIndex,
    StreamLength,
    StreamDeleted,
    StreamOrder,
    StreamNodeTwice,
    StreamLastId,
    StreamAdded,
    GroupTwice,
    GroupRead,
    ConsumerTwice,
    PendingTwice,
    PendingForeign,
    PendingOwnerless,
    IdempotenceRange,
    TooMany,
}

impl Flaw {
    pub(crate) fn code(self) -> &'static str {
        self.texts().0
    }

    pub(crate) fn message(self) -> &'static str {
        self.texts().1
    }

    /// Whether it only says that something was not looked at.
    pub(crate) fn is_note(self) -> bool {
        self == Flaw::TooMany
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Flaw::DuplicateField => {
                ("duplicate_field", "a hash has a field twice; servers refuse it or crash later")
            }
            Flaw::DuplicateMember => {
                ("duplicate_member", "a set has a member twice; servers refuse it")
            }
            Flaw::Empty => {
                ("empty_collection", "a collection has no elements; servers drop or refuse it")
            }
            Flaw::NanScore => {
                ("nan_score", "a score is not a number; servers refuse it, Redis 6.2 crashes")
            }
            Flaw::ScoreNoNumber => ("score_text", "the text of a score is no number"),
            Flaw::ScoresUnsorted => {
                ("scores_unsorted", "a packed sorted set is not in order; no server checks it")
            }
            Flaw::IntsetUnsorted => ("intset_unsorted", "an intset is not strictly ascending"),
            Flaw::FieldExpiryRange => {
                ("field_expiry_range", "a field's expiry is past what servers accept (2^48-1 ms)")
            }
            Flaw::FieldExpiryOrder => {
                ("field_expiry_order", "a packed hash is not in the order of its fields' expiries")
            }
            Flaw::ArrayOrder => ("array_order", "an array's indexes do not ascend"),
            Flaw::ArrayIndex => ("array_index", "an array has the forbidden index 2^64-1"),
            Flaw::StreamLength => {
                ("stream_length", "a stream's length is not the number of its live entries")
            }
            Flaw::StreamDeleted => {
                ("stream_deleted", "a stream node counts its live or deleted entries wrong")
            }
            Flaw::StreamOrder => ("stream_order", "a stream's IDs do not ascend"),
            Flaw::StreamNodeTwice => ("stream_node_order", "a stream's nodes do not ascend"),
            Flaw::StreamLastId => {
                ("stream_last_id", "a stream's last ID is before that of an entry")
            }
            Flaw::StreamAdded => ("stream_added", "a stream has more entries than were ever added"),
            Flaw::GroupTwice => ("group_twice", "a stream has a consumer group twice"),
            Flaw::GroupRead => ("group_read", "a group has read more entries than were ever added"),
            Flaw::ConsumerTwice => ("consumer_twice", "a group has a consumer twice"),
            Flaw::PendingTwice => ("pending_twice", "a group has an entry pending twice"),
            Flaw::PendingForeign => {
                ("pending_foreign", "a consumer owns an entry that its group does not hold pending")
            }
            Flaw::PendingOwnerless => ("pending_ownerless", "a pending entry has no owner, or two"),
            Flaw::IdempotenceRange => {
                ("idempotence_range", "settings of idempotent adding are out of range")
            }
            Flaw::TooMany => {
                ("not_compared", "too many elements for the memory allowed: not all were compared")
            }
        }
    }
}

/// Checks one value after the other; `begin`, then `item` for each, then `end`.
pub(crate) struct ValueCheck {
    level: Level,
    distinct: Distinct,
    stream: StreamCheck,
    digits: Digits,
    kind: ValueType,
    data: DataType,
    elements: u64,
    /// Whether the value is one packed blob, whose order means something.
    packed: bool,
    /// The last score, integer, index or expiry of something that has to ascend.
    last_score: f64,
    last_int: Option<i64>,
    last_index: Option<u64>,
    pub(crate) flaws: Vec<Flaw>,
}

impl ValueCheck {
    pub(crate) fn new(level: Level, budget: u64) -> ValueCheck {
        ValueCheck {
            level,
            distinct: Distinct::new(budget),
            stream: StreamCheck::new(budget),
            digits: Digits::new(),
            kind: ValueType::String,
            data: DataType::String,
            elements: 0,
            packed: false,
            last_score: f64::NEG_INFINITY,
            last_int: None,
            last_index: None,
            flaws: Vec::new(),
        }
    }

    /// A value of this layout begins.
    #[inline]
    pub(crate) fn begin(&mut self, kind: ValueType, expected: u64) {
        (self.kind, self.data, self.elements) = (kind, kind.data_type(), 0);
        self.flaws.clear();
        if self.level >= Level::Semantics && kind != ValueType::String {
            self.last_score = f64::NEG_INFINITY;
            (self.last_int, self.last_index) = (None, None);
            self.packed = kind.is_packed();
            self.distinct.clear(expected);
            if self.data == DataType::Stream {
                self.stream.begin();
            }
        }
    }

    fn flaw(&mut self, flaw: Flaw) {
        if !self.flaws.contains(&flaw) {
            self.flaws.push(flaw);
        }
    }

    /// Containers only: strings that stand alone are not looked into.
    pub(crate) fn structure(&mut self, items: Items<'_>, decoder: &mut Decoder) -> Result<()> {
        for located in items {
            let located = located?;
            match located.item {
                Item::Packed(_)
                | Item::Node(..)
                | Item::ZiplistNode(_)
                | Item::StreamNode(..)
                | Item::TemplateNames(_)
                | Item::TemplateName { .. } => decoder.visit(located, self)?,
                Item::Consumers(_) | Item::Nacks(_) | Item::CronArguments(_) => {}
                _ => self.elements += 1,
            }
        }
        Ok(())
    }

    /// An item too big to be held went by: a plain string, which nothing can be wrong with.
    pub(crate) fn passed_whole(&mut self) {
        self.elements += 1;
    }

    #[inline]
    fn distinct(&mut self, scalar: Scalar<'_>, flaw: Flaw) {
        if !self.distinct.insert_bytes(scalar.bytes(&mut self.digits)) {
            self.flaw(flaw);
        }
    }

    #[inline]
    fn score(&mut self, score: Score<'_>) {
        match score.value() {
            None => self.flaw(Flaw::ScoreNoNumber),
            Some(value) if value.is_nan() => self.flaw(Flaw::NanScore),
            Some(value) => {
                if self.packed && value < self.last_score {
                    self.flaw(Flaw::ScoresUnsorted);
                }
                self.last_score = value;
            }
        }
    }

    /// Packed hashes are ordered by expiry, fields without one last.
    fn field_expiry(&mut self, expires: i64) {
        if !(0..=LATEST_FIELD_EXPIRY).contains(&expires) {
            self.flaw(Flaw::FieldExpiryRange);
        }
        let rank = if expires == 0 { i64::MAX } else { expires };
        if self.packed && self.last_int.is_some_and(|last| last > rank) {
            self.flaw(Flaw::FieldExpiryOrder);
        }
        self.last_int = Some(rank);
    }

    fn index(&mut self, index: u64) {
        if index == u64::MAX {
            self.flaw(Flaw::ArrayIndex);
        }
        if self.last_index.is_some_and(|last| last >= index) {
            self.flaw(Flaw::ArrayOrder);
        }
        self.last_index = Some(index);
    }

    /// The value is complete: how many elements it had.
    #[inline]
    pub(crate) fn end(&mut self) -> u64 {
        if self.level >= Level::Structure && self.elements == 0 {
            use DataType::{Array, Hash, List, Set, SortedSet};
            if matches!(self.data, List | Set | SortedSet | Hash | Array) {
                self.flaw(Flaw::Empty);
            }
        }
        if self.level >= Level::Semantics && self.kind != ValueType::String {
            if self.distinct.is_full() {
                self.flaw(Flaw::TooMany);
            }
            if self.data == DataType::Stream {
                for flaw in self.stream.end() {
                    self.flaw(flaw);
                }
            }
        }
        self.elements
    }
}

impl Visit for ValueCheck {
    #[inline(always)]
    fn text(&mut self, _: Scalar<'_>) -> Result<()> {
        self.elements += 1;
        Ok(())
    }

    #[inline(always)]
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        self.elements += 1;
        if self.level < Level::Semantics {
            return Ok(());
        }
        match member {
            Scalar::Int(n) if self.kind == ValueType::SetIntset => {
                if self.last_int.is_some_and(|last| last >= n) {
                    self.flaw(Flaw::IntsetUnsorted);
                }
                self.last_int = Some(n);
            }
            member if self.data == DataType::Set => {
                self.distinct(member, Flaw::DuplicateMember);
            }
            _ => {}
        }
        Ok(())
    }

    #[inline(always)]
    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        self.elements += 1;
        if self.level >= Level::Semantics {
            self.distinct(member, Flaw::DuplicateMember);
            self.score(score);
        }
        Ok(())
    }

    #[inline(always)]
    fn field(
        &mut self,
        field: Scalar<'_>,
        _: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        self.elements += 1;
        if self.level >= Level::Semantics {
            self.distinct(field, Flaw::DuplicateField);
            if self.kind.has_field_expiries() {
                self.field_expiry(expires.map_or(0, UnixMillis::get));
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn stream_field(&mut self, _: Scalar<'_>, _: Scalar<'_>) -> Result<()> {
        Ok(())
    }

    fn other(&mut self, element: Element<'_>) -> Result<()> {
        self.elements += 1;
        if self.level < Level::Semantics {
            return Ok(());
        }
        match element {
            Element::At(index, _) | Element::FloatAt(index, _) => self.index(index),
            Element::Module(_) | Element::Cron { .. } => {}
            stream => {
                if let Some(flaw) = self.stream.element(stream, &mut self.distinct) {
                    self.flaw(flaw);
                }
            }
        }
        Ok(())
    }
}
