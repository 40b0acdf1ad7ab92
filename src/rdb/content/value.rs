//! The value itself, and what equal means.

use crate::rdb::content::parts::{ArrayContent, HashField, ModuleContent};
use crate::rdb::content::stream::StreamContent;
use crate::rdb::value_type::DataType;
use bytes::Bytes;
use std::cmp::Ordering;
use std::fmt;

/// A value as clients know it, whatever its encoding; owned.
///
/// Two contents are equal when clients could not tell them apart: the order of members, fields,
/// groups and consumers does not matter, that of list elements and stream entries does, and a score
/// of -0 is 0. Comparing is linear where the order is the same, and sorts references otherwise.
///
/// Anything can be put into one; [`validate`](Content::validate) says whether servers would take it,
/// and is asked before one is written.
///
/// ```
/// use redkeep::rdb::{Content, Decoder, EventKind, SliceReader};
/// // A set, as an intset and as strings.
/// let dump = b"REDIS0006\x0b\x01a\x0c\x02\0\0\0\x02\0\0\0\x01\0\x07\0\x02\x01b\x02\x017\xc0\x01\xff\0\0\0\0\0\0\0\0";
/// let mut decoder = Decoder::new();
/// for event in SliceReader::new(dump) {
///     if let EventKind::Entry(entry) = event?.kind() {
///         let content = Content::read(entry.value(), &mut decoder)?;
///         assert_eq!(content, Content::set(["1", "7"]));
///     }
/// }
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Content {
    /// A string.
    String(Bytes),
    /// The elements of a list, first to last.
    List(Vec<Bytes>),
    /// The members of a set.
    Set(Vec<Bytes>),
    /// The members of a sorted set and their scores.
    SortedSet(Vec<(Bytes, f64)>),
    /// The fields of a hash.
    Hash(Vec<HashField>),
    /// A stream.
    Stream(StreamContent),
    /// A sparse array (Redis 8.8).
    Array(ArrayContent),
    /// A module's value.
    Module(ModuleContent),
}

impl Content {
    /// A string.
    #[must_use]
    pub fn string(text: impl Into<Bytes>) -> Content {
        Content::String(text.into())
    }

    /// A list of these elements.
    ///
    /// ```
    /// use redkeep::rdb::Content;
    /// assert_ne!(Content::list(["a", "b"]), Content::list(["b", "a"]));
    /// ```
    #[must_use]
    pub fn list<T: Into<Bytes>>(elements: impl IntoIterator<Item = T>) -> Content {
        Content::List(elements.into_iter().map(Into::into).collect())
    }

    /// A set of these members.
    ///
    /// ```
    /// use redkeep::rdb::Content;
    /// assert_eq!(Content::set(["a", "b"]), Content::set(["b", "a"]));
    /// ```
    #[must_use]
    pub fn set<T: Into<Bytes>>(members: impl IntoIterator<Item = T>) -> Content {
        Content::Set(members.into_iter().map(Into::into).collect())
    }

    /// A sorted set of these members and scores.
    #[must_use]
    pub fn sorted_set<T: Into<Bytes>>(members: impl IntoIterator<Item = (T, f64)>) -> Content {
        Content::SortedSet(members.into_iter().map(|(m, score)| (m.into(), score)).collect())
    }

    /// A hash of these fields and values, none of which expires.
    ///
    /// ```
    /// use redkeep::rdb::{Content, DataType};
    /// assert_eq!(Content::hash([("name", "Ada")]).data_type(), DataType::Hash);
    /// ```
    #[must_use]
    pub fn hash<F: Into<Bytes>, V: Into<Bytes>>(
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Content {
        Content::Hash(fields.into_iter().map(|(f, v)| HashField::new(f, v)).collect())
    }

    /// What a client calls it.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        match self {
            Content::String(_) => DataType::String,
            Content::List(_) => DataType::List,
            Content::Set(_) => DataType::Set,
            Content::SortedSet(_) => DataType::SortedSet,
            Content::Hash(_) => DataType::Hash,
            Content::Stream(_) => DataType::Stream,
            Content::Array(_) => DataType::Array,
            Content::Module(_) => DataType::Module,
        }
    }

    /// How many elements it has: list elements, members, fields, stream entries, fields of a module's
    /// value; a string is one.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Content::String(_) => 1,
            Content::List(rows) | Content::Set(rows) => rows.len(),
            Content::SortedSet(members) => members.len(),
            Content::Hash(fields) => fields.len(),
            Content::Stream(stream) => stream.entries.len(),
            Content::Array(array) => array.elements.len(),
            Content::Module(module) => module.fields.len(),
        }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        match (self, other) {
            (Content::String(a), Content::String(b)) => a == b,
            (Content::List(a), Content::List(b)) => a == b,
            (Content::Set(a), Content::Set(b)) => same_in_any_order(a, b, Bytes::cmp),
            (Content::SortedSet(a), Content::SortedSet(b)) => {
                same_in_any_order(a, b, |(a, x), (b, y)| a.cmp(b).then(x.total_cmp(y)))
            }
            (Content::Hash(a), Content::Hash(b)) => {
                same_in_any_order(a, b, |a, b| a.field.cmp(&b.field))
            }
            (Content::Stream(a), Content::Stream(b)) => a == b,
            (Content::Array(a), Content::Array(b)) => a == b,
            (Content::Module(a), Content::Module(b)) => a == b,
            _ => false,
        }
    }
}

/// Whether two rows hold the same things, in whatever order each.
pub(super) fn same_in_any_order<T: PartialEq>(
    a: &[T],
    b: &[T],
    order: impl Fn(&T, &T) -> Ordering,
) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a == b {
        return true;
    }
    let sorted = |row: &'_ [T]| {
        let mut places: Vec<usize> = (0..row.len()).collect();
        places.sort_by(|x, y| match (row.get(*x), row.get(*y)) {
            (Some(x), Some(y)) => order(x, y),
            _ => Ordering::Equal,
        });
        places
    };
    sorted(a).into_iter().zip(sorted(b)).all(|(x, y)| a.get(x) == b.get(y))
}

/// Shows no content: values are never logged.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::String(text) => write!(f, "String({} bytes)", text.len()),
            Content::List(elements) => write!(f, "List({})", elements.len()),
            Content::Set(members) => write!(f, "Set({})", members.len()),
            Content::SortedSet(members) => write!(f, "SortedSet({})", members.len()),
            Content::Hash(fields) => {
                let expiring = fields.iter().filter(|field| field.expires.is_some()).count();
                write!(f, "Hash({}, {expiring} expiring)", fields.len())
            }
            Content::Stream(stream) => stream.fmt(f),
            Content::Array(array) => array.fmt(f),
            Content::Module(module) => module.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{ArrayValue, StreamId};

    #[test]
    fn order_matters_only_where_clients_see_it() {
        let zset = Content::sorted_set([("a", 0.0), ("b", 1.0)]);
        assert_eq!(zset, Content::sorted_set([("b", 1.0), ("a", -0.0)]));
        assert_ne!(zset, Content::sorted_set([("a", 1.0), ("b", 0.0)]));
        let hash = Content::hash([("f", "1"), ("g", "2")]);
        assert_eq!(hash, Content::hash([("g", "2"), ("f", "1")]));
        assert_ne!(hash, Content::hash([("g", "1"), ("f", "2")]));
        assert_ne!(Content::set(["a"]), Content::list(["a"]));
        assert_ne!(Content::set(["a", "b"]), Content::set(["a", "a"]));
    }

    #[test]
    fn debug_shows_sizes_and_never_content() {
        let hidden = "SECRET";
        let mut stream = StreamContent::new(StreamId::new(5, 1));
        stream.entries.push(crate::rdb::StreamEntry::new(StreamId::new(5, 1), [(hidden, hidden)]));
        stream.groups.push(crate::rdb::StreamGroup::new(hidden, StreamId::default()));
        let mut array = ArrayContent::default();
        array.elements.push((3, ArrayValue::Text(hidden.into())));
        let module = ModuleContent::new(0, [crate::rdb::ModuleValue::Text(hidden.into())]);
        for content in [
            Content::string(hidden),
            Content::list([hidden]),
            Content::set([hidden]),
            Content::sorted_set([(hidden, 1.0)]),
            Content::hash([(hidden, hidden)]),
            Content::Stream(stream.clone()),
            Content::Array(array.clone()),
            Content::Module(module.clone()),
        ] {
            assert!(!format!("{content:?} {content:#?}").contains(hidden), "{content:?}");
        }
        let parts = format!("{:?} {:?}", stream.entries, stream.groups);
        assert!(!parts.contains(hidden), "{parts}");
        let parts = format!("{:?} {:?}", array.elements, module.fields);
        assert!(!parts.contains(hidden), "{parts}");
        assert_eq!(format!("{:?}", Content::string("abc")), "String(3 bytes)");
    }
}
