//! One value into another layout.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::rdb::build::{PackedBuilder, StrWriter, build_intset};
use crate::rdb::decode::Decoder;
use crate::rdb::element::{Element, LATEST_FIELD_EXPIRY, Score, Visit};
use crate::rdb::encoding::Scalar;
use crate::rdb::len::write_length;
use crate::rdb::template::HashTemplate;
use crate::rdb::value::{Items, Value};
use crate::rdb::value_type::ValueType;
use crate::time::UnixMillis;
use crate::wire::number::write_double;

/// The most integers that servers keep in an intset.
const INTSET: usize = 512;

/// Writes values in other layouts; keeps its buffers from one to the next.
#[derive(Debug)]
pub(super) struct ValueConverter {
    decoder: Decoder,
    strings: StrWriter,
    listpack: PackedBuilder,
    ziplist: PackedBuilder,
    rows: Vec<u8>,
    text: Vec<u8>,
    expired_at: Option<UnixMillis>,
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Rows written.
    pub(super) rows: u64,
    /// Expiries of fields that have no place.
    pub(super) expiries: u64,
    /// Fields left out because they had expired.
    pub(super) expired: u64,
}

/// Whether a value that comes in runs can be written run by run: where as many rows go out as come
/// in, and the count in front of them does not wait for the last.
pub(super) fn streams(from: ValueType, to: ValueType, expired_at: Option<UnixMillis>) -> bool {
    use ValueType as T;
    match (from, to) {
        (T::ListQuicklist2, T::ListQuicklist) | (T::ZSet2, T::ZSet) => true,
        (T::HashMetadata | T::HashMetadataPreGa, T::ValkeyHash2)
        | (T::ValkeyHash2, T::HashMetadata)
        | (T::HashTmplArrayRef, T::Hash) => true,
        (T::HashMetadata | T::HashMetadataPreGa | T::ValkeyHash2, T::Hash) => expired_at.is_none(),
        _ => false,
    }
}

impl ValueConverter {
    pub(super) fn new(
        compress: bool,
        expired_at: Option<UnixMillis>,
        limits: &Limits,
    ) -> ValueConverter {
        ValueConverter {
            decoder: Decoder::new().inflated_limit(limits.inflated),
            strings: StrWriter::new(compress),
            listpack: PackedBuilder::listpack(),
            ziplist: PackedBuilder::ziplist(),
            rows: Vec::new(),
            text: Vec::new(),
            expired_at,
        }
    }

    pub(super) fn learn(&mut self, template: &HashTemplate<'_>) -> Result<()> {
        self.decoder.learn(template)
    }

    /// Appends all of a value, for any layout but a stream's. Of a set in a listpack the members may
    /// turn out to be integers: the layout that was written is returned.
    pub(super) fn whole(
        &mut self,
        value: Value<'_>,
        to: ValueType,
        out: &mut Vec<u8>,
    ) -> Result<(ValueType, Found)> {
        use ValueType as T;
        match to {
            T::HashListpack | T::HashZiplist | T::ZSetZiplist => self.packed(value, to, out),
            T::Set if value.kind == T::SetListpack => self.set(value, out),
            T::HashMetadata => {
                let least = self.least_expiry(value)?;
                out.extend_from_slice(&least.to_le_bytes());
                self.counted(value.items()?, to, least - 1, out)
            }
            _ => self.counted(value.items()?, to, 0, out),
        }
    }

    /// What stands in front of the rows of a value that comes in runs, of which `count` follow.
    pub(super) fn head(to: ValueType, count: u64, out: &mut Vec<u8>) {
        if to == ValueType::HashMetadata {
            // Expiries count from it, and the smallest is not known yet.
            out.extend_from_slice(&1i64.to_le_bytes());
        }
        write_length(count, out);
    }

    /// Appends the rows of one run.
    pub(super) fn run(
        &mut self,
        items: Items<'_>,
        to: ValueType,
        out: &mut Vec<u8>,
    ) -> Result<Found> {
        self.rows_of(items, to, 0, out)
    }

    /// The count, and the rows behind it.
    fn counted(
        &mut self,
        items: Items<'_>,
        to: ValueType,
        base: i64,
        out: &mut Vec<u8>,
    ) -> Result<(ValueType, Found)> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        let found = self.rows_of(items, to, base, &mut rows);
        if let Ok(found) = &found {
            write_length(found.rows, out);
            out.extend_from_slice(&rows);
        }
        self.rows = rows;
        Ok((to, found?))
    }

    fn rows_of(
        &mut self,
        items: Items<'_>,
        to: ValueType,
        base: i64,
        out: &mut Vec<u8>,
    ) -> Result<Found> {
        let ValueConverter { decoder, strings, ziplist, text, expired_at, .. } = self;
        if to == ValueType::ListQuicklist {
            let mut found = Found::default();
            for node in items {
                ziplist.clear();
                let mut flat = Flat { list: ziplist, text, entries: 0 };
                decoder.visit(node?, &mut flat)?;
                if flat.entries > 0 {
                    strings.write_blob(ziplist.finish(), out);
                    found.rows += 1;
                }
            }
            return Ok(found);
        }
        let expired_at = *expired_at;
        let mut rows = Rows { to, base, strings, text, out, expired_at, found: Found::default() };
        decoder.visit_items(items, &mut rows)?;
        Ok(rows.found)
    }

    fn packed(
        &mut self,
        value: Value<'_>,
        to: ValueType,
        out: &mut Vec<u8>,
    ) -> Result<(ValueType, Found)> {
        let ValueConverter { decoder, strings, listpack, ziplist, text, .. } = self;
        let list = if to == ValueType::HashListpack { listpack } else { ziplist };
        list.clear();
        let mut flat = Flat { list, text, entries: 0 };
        decoder.visit_items(value.items()?, &mut flat)?;
        let found = Found { rows: flat.entries, ..Found::default() };
        strings.write_blob(list.finish(), out);
        Ok((to, found))
    }

    /// An intset where all members are integers, and few.
    fn set(&mut self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(ValueType, Found)> {
        let Some(mut integers) = self.integers(value)? else {
            return self.counted(value.items()?, ValueType::Set, 0, out);
        };
        integers.sort_unstable();
        self.rows.clear();
        build_intset(&integers, &mut self.rows);
        self.strings.write_blob(&self.rows, out);
        let rows = integers.len() as u64;
        Ok((ValueType::SetIntset, Found { rows, ..Found::default() }))
    }

    fn integers(&mut self, value: Value<'_>) -> Result<Option<Vec<i64>>> {
        let mut integers = Vec::new();
        for located in value.items()? {
            for element in self.decoder.elements(located?)? {
                match element? {
                    Element::Member(Scalar::Int(n)) if integers.len() < INTSET => integers.push(n),
                    _ => return Ok(None),
                }
            }
        }
        Ok(Some(integers).filter(|all| !all.is_empty()))
    }

    /// The smallest expiry that will be written; 1 where there is none.
    fn least_expiry(&mut self, value: Value<'_>) -> Result<i64> {
        let mut least = None;
        for located in value.items()? {
            for element in self.decoder.elements(located?)? {
                if let Element::Field { expires: Some(at), .. } = element?
                    && at.get() <= LATEST_FIELD_EXPIRY
                {
                    least = Some(least.map_or(at.get(), |least: i64| least.min(at.get())));
                }
            }
        }
        Ok(least.unwrap_or(1).max(1))
    }
}

#[cold]
fn unexpected() -> Error {
    Error::from_fault(Fault::Internal).with_detail("an element that this layout has no place for")
}

/// Rows of strings, each with what belongs to it.
struct Rows<'a> {
    to: ValueType,
    /// What is taken off an expiry.
    base: i64,
    strings: &'a mut StrWriter,
    text: &'a mut Vec<u8>,
    out: &'a mut Vec<u8>,
    expired_at: Option<UnixMillis>,
    found: Found,
}

impl Visit for Rows<'_> {
    fn text(&mut self, _: Scalar<'_>) -> Result<()> {
        Err(unexpected())
    }

    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        self.found.rows += 1;
        self.strings.write(member, self.out);
        Ok(())
    }

    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        self.found.rows += 1;
        self.strings.write(member, self.out);
        let score = score.value().ok_or_else(|| Error::from_fault(Fault::TextNumber))?;
        match score {
            f64::INFINITY => self.out.push(254),
            f64::NEG_INFINITY => self.out.push(255),
            score if score.is_nan() => self.out.push(253),
            score => {
                self.text.clear();
                write_double(score, self.text);
                self.out.push(u8::try_from(self.text.len()).unwrap_or(0));
                self.out.extend_from_slice(self.text);
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        let at = expires.map(UnixMillis::get);
        match (self.to, at) {
            (ValueType::HashMetadata, Some(at)) if at <= LATEST_FIELD_EXPIRY => {
                // What lies before 1970 has expired as surely one millisecond after it.
                write_length((at.max(1) - self.base).cast_unsigned(), self.out);
            }
            (ValueType::HashMetadata, at) => {
                self.found.expiries += u64::from(at.is_some());
                write_length(0, self.out);
            }
            (ValueType::Hash, Some(at)) => {
                if self.expired_at.is_some_and(|now| at <= now.get()) {
                    self.found.expired += 1;
                    return Ok(());
                }
                self.found.expiries += 1;
            }
            _ => {}
        }
        self.found.rows += 1;
        self.strings.write(field, self.out);
        self.strings.write(value, self.out);
        if self.to == ValueType::ValkeyHash2 {
            self.out.extend_from_slice(&at.map_or(-1, |at| at.max(0)).to_le_bytes());
        }
        Ok(())
    }

    fn stream_field(&mut self, _: Scalar<'_>, _: Scalar<'_>) -> Result<()> {
        Err(unexpected())
    }

    fn other(&mut self, _: Element<'_>) -> Result<()> {
        Err(unexpected())
    }
}

/// One packed list of everything.
struct Flat<'a> {
    list: &'a mut PackedBuilder,
    text: &'a mut Vec<u8>,
    /// Members, pairs or fields so far.
    entries: u64,
}

impl Visit for Flat<'_> {
    fn text(&mut self, _: Scalar<'_>) -> Result<()> {
        Err(unexpected())
    }

    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        self.entries += 1;
        self.list.push(member)
    }

    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        self.entries += 1;
        self.list.push(member)?;
        match score {
            Score::Int(n) => self.list.push(Scalar::Int(n)),
            Score::Text(text) => self.list.push(Scalar::Bytes(text)),
            Score::Double(score) => {
                let mut text = std::mem::take(self.text);
                text.clear();
                write_double(score, &mut text);
                let pushed = self.list.push(Scalar::Bytes(&text));
                *self.text = text;
                pushed
            }
        }
    }

    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        if expires.is_some() {
            return Err(unexpected());
        }
        self.entries += 1;
        self.list.push(field)?;
        self.list.push(value)
    }

    fn stream_field(&mut self, _: Scalar<'_>, _: Scalar<'_>) -> Result<()> {
        Err(unexpected())
    }

    fn other(&mut self, _: Element<'_>) -> Result<()> {
        Err(unexpected())
    }
}
