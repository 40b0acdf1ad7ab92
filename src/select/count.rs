//! How many elements a value has, from its counts and the heads of its packed blobs.

use crate::error::{Error, Result};
use crate::rdb::encoding::Origin;
use crate::rdb::encoding::intset::Intset;
use crate::rdb::encoding::listpack::Listpack;
use crate::rdb::encoding::ziplist::Ziplist;
use crate::rdb::encoding::zipmap::Zipmap;
use crate::rdb::{Item, Located, Str, StrBuf, Value, ValueType};
use crate::wire::cursor::Cursor;

/// A number of elements, or what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Exact(u64),
    /// The rest of the value may hold more.
    Unknown,
    /// Such values have no elements that could be counted.
    Never,
}

/// Counts the elements of a value; of one that is not whole, only what its beginning says.
pub(crate) fn count(value: Value<'_>, whole: bool, buf: &mut StrBuf) -> Result<Count> {
    use ValueType as T;
    match value.value_type() {
        T::String => Ok(Count::Exact(1)),
        T::List
        | T::Set
        | T::ZSet
        | T::Hash
        | T::ZSet2
        | T::HashMetadataPreGa
        | T::HashMetadata
        | T::ValkeyHash2
        | T::Array => Ok(Count::Exact(value.items()?.declared())),
        T::ModulePreGa | T::Module2 | T::KeyDbCron => Ok(Count::Never),
        _ if !whole => Ok(Count::Unknown),
        T::StreamListpacks
        | T::StreamListpacks2
        | T::StreamListpacks3
        | T::StreamListpacks4
        | T::StreamListpacks5 => stream(value).map(Count::Exact),
        _ => summed(value, buf).map(Count::Exact),
    }
}

/// The length of a stream stands behind its nodes, which are passed unread.
fn stream(value: Value<'_>) -> Result<u64> {
    for item in value.items()? {
        if let Item::StreamInfo { raw, .. } = item?.item {
            return Ok(Cursor::new(raw).length().unwrap_or_default());
        }
    }
    Ok(0)
}

/// The sum over all items: one packed blob, the nodes of a list, the values of a template hash.
fn summed(value: Value<'_>, buf: &mut StrBuf) -> Result<u64> {
    let mut count: u64 = 0;
    for located in value.items()? {
        let located = located?;
        count = count.saturating_add(match located.item {
            Item::Packed(blob) | Item::ZiplistNode(blob) | Item::Node(2, blob) => {
                packed(located, blob, buf)?
            }
            Item::Node(..) | Item::TemplateValue { .. } => 1,
            _ => 0,
        });
    }
    Ok(count)
}

/// What the head of a blob says; where it does not say, its entries are counted.
fn packed(located: Located<'_>, blob: Str<'_>, buf: &mut StrBuf) -> Result<u64> {
    use ValueType as T;
    let start = |len: usize| located.end.saturating_sub(len as u64);
    let origin = match blob {
        Str::Plain(bytes) => Origin::plain(start(bytes.len())),
        Str::Lzf { packed, .. } => Origin::inflated(start(packed.len())),
        Str::Int(_) => Origin::plain(located.end),
    };
    let bytes = blob.bytes(buf).map_err(|error| error.or_at(start(0)))?;
    Ok(match located.kind {
        T::SetIntset => Intset::new(bytes, origin)?.len() as u64,
        T::HashZipmap => {
            let pairs = Zipmap::new(bytes, origin)?;
            counted(pairs.declared(), pairs)?
        }
        T::ListZiplist | T::ListQuicklist => ziplist(bytes, origin)?,
        T::ZSetZiplist | T::HashZiplist => ziplist(bytes, origin)? / 2,
        T::HashListpack | T::ZSetListpack => listpack(bytes, origin)? / 2,
        T::HashListpackEx | T::HashListpackExPreGa => listpack(bytes, origin)? / 3,
        // The template's number stands in front of the values.
        T::HashTmplLp | T::HashTmplLpRef => listpack(bytes, origin)?.saturating_sub(1),
        _ => listpack(bytes, origin)?,
    })
}

fn ziplist(bytes: &[u8], origin: Origin) -> Result<u64> {
    let entries = Ziplist::new(bytes, origin)?;
    counted(entries.declared(), entries)
}

fn listpack(bytes: &[u8], origin: Origin) -> Result<u64> {
    let entries = Listpack::new(bytes, origin)?;
    counted(entries.declared(), entries)
}

fn counted<T>(
    declared: Option<impl Into<u64>>,
    mut entries: impl Iterator<Item = Result<T, Error>>,
) -> Result<u64> {
    match declared {
        Some(count) => Ok(count.into()),
        None => entries.try_fold(0, |count, entry| entry.map(|_| count + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{EventKind, SliceReader};

    fn count_of(record: &[u8]) -> Result<Count> {
        let dump = [b"REDIS0013", record, b"\xff\0\0\0\0\0\0\0\0"].concat();
        for event in SliceReader::new(&dump) {
            if let EventKind::Entry(entry) = event.unwrap().kind() {
                return count(entry.value(), true, &mut StrBuf::new());
            }
        }
        unreachable!()
    }

    #[test]
    fn each_kind_of_layout_says_how_many() {
        let cases: [(&[u8], Count); 12] = [
            (b"\x00\x01k\x03abc", Count::Exact(1)),
            (b"\x01\x01k\x02\x01a\x01b", Count::Exact(2)),
            (b"\x04\x01k\x01\x01f\x01v", Count::Exact(1)),
            // Packed: intset, zipmap, listpacks of pairs and of triples, a compressed listpack.
            (b"\x0b\x01k\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0", Count::Exact(2)),
            (b"\x09\x01k\x07\x01\x01f\x01\x00v\xff", Count::Exact(1)),
            (b"\x10\x01k\x0d\x0d\0\0\0\x02\0\x81a\x02\x81b\x02\xff", Count::Exact(1)),
            (b"\x14\x01k\x0d\x0d\0\0\0\x02\0\x81a\x02\x81b\x02\xff", Count::Exact(2)),
            (b"\x14\x01k\xc3\x0e\x0d\x0c\x0d\0\0\0\x02\0\x81a\x02\x81b\x02\xff", Count::Exact(2)),
            // A head that does not say: its entries are counted.
            (b"\x14\x01k\x0d\x0d\0\0\0\xff\xff\x81a\x02\x81b\x02\xff", Count::Exact(2)),
            // A quicklist of a plain node and a packed one.
            (
                b"\x12\x01k\x02\x01\x03abc\x02\x0d\x0d\0\0\0\x02\0\x81a\x02\x81b\x02\xff",
                Count::Exact(3),
            ),
            // A stream of no node, and its length of 5.
            (b"\x0f\x01k\x00\x05\x01\x02\x00", Count::Exact(5)),
            // A module's value.
            (b"\x07\x01k\x81\0\0\0\0\0\0\0\x01\x00", Count::Never),
        ];
        for (record, expected) in cases {
            assert_eq!(count_of(record).unwrap(), expected, "{}", record.escape_ascii());
        }
    }

    #[test]
    fn a_blob_that_is_none_is_an_error_with_its_place() {
        // Blob at 9 + 1 + 2 + 1; its header claims another size.
        let error = count_of(b"\x14\x01k\x07\x08\0\0\0\0\0\xff").unwrap_err();
        assert_eq!(error.offset(), Some(13));
    }
}
