//! One record for each key: what our own digest is made of.

use crate::digest::feed::{Head, Long, Take};
use crate::digest::hex::Digest32;
use crate::digest::rows::{Rows, len_with_string, put_len};
use crate::digest::server::array_float;
use crate::digest::sum::ContentSum;
use crate::digest::wide::Wide;
use crate::error::{Error, Fault, Result};
use crate::rdb::encoding::Scalar;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{
    DataType, Element, Function, ModuleField, Score, StrBuf, StreamId, StreamInfo, Visit,
};
use crate::time::UnixMillis;
use crate::wire::number::Digits;

// Each is the name of what is hashed, and says which version of this format it is.
const LEAF: &str = "redkeep 2026-11 content digest v1, leaf";
const LEAF_WITH_STATE: &str = "redkeep 2026-11 content digest v1, leaf with stream state";

// Classes of records.
const KEY: u8 = 0;
const FUNCTION: u8 = 1;
const MODULE_AUX: u8 = 2;

/// Bytes that are gathered before they are hashed.
const GATHERED: usize = 64 << 10;

type See<'k> = Box<dyn FnMut(u64, &[u8], Digest32) + 'k>;

/// What turns values into records, and records into a sum.
pub(super) struct Run<'k> {
    stream_state: bool,
    pub(super) see: Option<See<'k>>,
    sum: ContentSum,
    /// Offset of what could not be read.
    failed: Option<u64>,
    leaf: blake3::Hasher,
    /// Beginning or next part of the record.
    record: Vec<u8>,
    rows: Rows,
    what: What,
    db: u64,
    key: Vec<u8>,
    elements: u64,
    /// Producer or group and consumer of the rows that follow.
    owner: Vec<u8>,
    sub_owner: Vec<u8>,
    digits: Digits,
    text: Vec<u8>,
}

/// What the record that is being written is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Key(DataType),
    ModuleAux,
}

impl<'k> Run<'k> {
    pub(super) fn new(stream_state: bool) -> Run<'k> {
        let context = if stream_state { LEAF_WITH_STATE } else { LEAF };
        Run {
            stream_state,
            see: None,
            sum: ContentSum::new(stream_state),
            failed: None,
            leaf: blake3::Hasher::new_derive_key(context),
            record: Vec::with_capacity(2 * GATHERED),
            rows: Rows::new(),
            what: What::ModuleAux,
            db: 0,
            key: Vec::new(),
            elements: 0,
            owner: Vec::new(),
            sub_owner: Vec::new(),
            digits: Digits::new(),
            text: Vec::new(),
        }
    }

    /// How many keys are in the sum so far.
    pub(super) fn keys(&self) -> u64 {
        self.sum.keys()
    }

    pub(super) fn into_sum(self) -> Result<ContentSum> {
        match self.failed {
            None => Ok(self.sum),
            Some(offset) => {
                let detail = "a key could not be read to its end";
                Err(Error::at(Fault::EndsInside, offset).with_detail(detail))
            }
        }
    }

    /// Writes into the record.
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.record.extend_from_slice(bytes);
        if self.record.len() >= GATHERED {
            self.leaf.update(&self.record);
            self.record.clear();
        }
    }

    #[inline(always)]
    fn put_number(&mut self, n: u64) {
        self.put(&n.to_le_bytes());
    }

    /// A string with its length in front.
    #[inline(always)]
    fn put_string(&mut self, bytes: &[u8]) {
        put_len(bytes.len() as u64, &mut self.record);
        // A big one needs no second copy.
        if bytes.len() >= GATHERED {
            self.leaf.update(&self.record).update(bytes);
            self.record.clear();
        } else {
            self.put(bytes);
        }
    }

    #[inline(always)]
    fn put_scalar(&mut self, text: Scalar<'_>) {
        match text {
            Scalar::Bytes(bytes) => self.put_string(bytes),
            Scalar::Int(n) => {
                let mut digits = std::mem::take(&mut self.digits);
                self.put_string(digits.format(n));
            }
        }
    }

    /// Begins a row with the text it is sorted by.
    #[inline(always)]
    fn row(&mut self, text: Scalar<'_>) {
        let text = text.bytes(&mut self.digits);
        self.rows.begin(text.len() as u64);
        self.rows.put(text);
        self.rows.end_key();
    }

    #[inline(always)]
    fn end_row(&mut self) {
        self.elements += 1;
        self.rows.end();
    }

    /// A row about a stream's state: its kind, whose it is, and what it is sorted by; then the rest.
    fn state_row(&mut self, kind: u8, by: &[u8], rest: &[&[u8]]) {
        let strings = [&self.owner[..], &self.sub_owner, by];
        let len: u64 = strings.iter().map(|text| len_with_string(text)).sum();
        self.rows.begin(1 + len);
        self.rows.put(&[kind]);
        strings.iter().for_each(|text| self.rows.put_string(text));
        self.rows.end_key();
        rest.iter().for_each(|bytes| self.rows.put(bytes));
        self.rows.end();
    }

    fn begin_record(&mut self, class: u8, db: u64, key: &[u8]) {
        self.leaf.reset();
        self.record.clear();
        self.rows.clear();
        (self.elements, self.db) = (0, db);
        self.put(&[class]);
        self.put_number(db);
        self.put_string(key);
    }

    /// Adds the leaf of the record to those of keys.
    #[inline(always)]
    fn end_key(&mut self) {
        self.leaf.update(&self.record);
        let own = self.sum.add_key(&self.leaf);
        if let Some(see) = &mut self.see {
            see(self.db, &self.key, Digest32::new(own));
        }
    }

    /// Adds the leaf of a record that is no key.
    fn end_other(&mut self) -> Result<()> {
        self.leaf.update(&self.record);
        self.sum.add_other(*self.leaf.finalize().as_bytes())
    }

    /// Ends the record with what is in no order, and with what could not be known before.
    #[inline(always)]
    fn end_elements(&mut self) {
        let rows = self.rows.len();
        if rows > 0 {
            let Run { rows, leaf, record, .. } = self;
            rows.sorted(|row| {
                record.extend_from_slice(row);
                if record.len() >= GATHERED {
                    leaf.update(record);
                    record.clear();
                }
            });
        }
        let sum = self.rows.sum().map(Wide::bytes);
        if let Some(bytes) = sum {
            self.put(&bytes);
        }
        self.put_number(self.elements);
        self.put_number(rows);
        if sum.is_some() {
            // Rows that are summed, not sorted: a number of rows that there cannot be.
            self.put_number(u64::MAX);
        }
    }

    fn stream_state(&mut self, element: Element<'_>) {
        let mut digits = Digits::new();
        match element {
            Element::StreamInfo(info) => {
                self.owner.clear();
                self.sub_owner.clear();
                self.state_row(b'i', b"", &[&info_bytes(&info)])
            }
            Element::Group { name, last_delivered, entries_read, .. } => {
                replace(&mut self.owner, name.bytes(&mut digits));
                self.sub_owner.clear();
                let read = optional(entries_read);
                self.state_row(b'g', b"", &[&id_bytes(last_delivered), &read])
            }
            Element::Pending { id, delivered, deliveries } => {
                let times = [delivered.get().to_le_bytes(), deliveries.to_le_bytes()];
                self.state_row(b'p', &id_bytes(id), &[times.as_flattened()])
            }
            Element::Nacked(id) => {
                self.sub_owner.clear();
                self.state_row(b'n', &id_bytes(id), &[])
            }
            Element::Consumer { name, seen, active, .. } => {
                replace(&mut self.sub_owner, name.bytes(&mut digits));
                let active = optional(active.map(|at| at.get().cast_unsigned()));
                self.state_row(b'c', b"", &[&seen.get().to_le_bytes(), &active])
            }
            Element::Owned(id) => self.state_row(b'o', &id_bytes(id), &[]),
            Element::Idempotence { duration, max } => {
                self.owner.clear();
                self.sub_owner.clear();
                self.state_row(b'd', b"", &[&duration.to_le_bytes(), &max.to_le_bytes()])
            }
            Element::Producer { id, .. } => {
                replace(&mut self.owner, id.bytes(&mut digits));
                self.state_row(b'r', b"", &[])
            }
            Element::Remembered(iid, id) => {
                self.state_row(b'm', iid.bytes(&mut digits), &[&id_bytes(id)])
            }
            Element::IdempotenceTail { added, duplicates } => {
                self.owner.clear();
                self.state_row(b't', b"", &[&added.to_le_bytes(), &duplicates.to_le_bytes()])
            }
            _ => {}
        }
    }

    fn module_field(&mut self, field: ModuleField<'_>) {
        match field {
            ModuleField::End => return,
            ModuleField::Signed(n) => {
                self.put(b"s");
                self.put_number(n.cast_unsigned());
            }
            ModuleField::Unsigned(n) => {
                self.put(b"u");
                self.put_number(n);
            }
            ModuleField::Float(n) => {
                self.put(b"f");
                self.put(&n.to_le_bytes());
            }
            ModuleField::Double(n) => {
                self.put(b"d");
                self.put(&n.to_le_bytes());
            }
            ModuleField::Text(text) => {
                self.put(b"t");
                self.put_scalar(text);
            }
        }
        self.elements += 1;
    }
}

fn replace(to: &mut Vec<u8>, by: &[u8]) {
    to.clear();
    to.extend_from_slice(by);
}

/// Big-endian, so that they sort as numbers.
fn id_bytes(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

/// A number, or that there is none.
fn optional(n: Option<u64>) -> [u8; 9] {
    let mut bytes = [0; 9];
    if let (Some(n), [there, number @ ..]) = (n, &mut bytes) {
        *there = 1;
        *number = n.to_le_bytes();
    }
    bytes
}

fn info_bytes(info: &StreamInfo) -> Vec<u8> {
    let mut bytes = id_bytes(info.last_id).to_vec();
    bytes.extend_from_slice(&info.length.to_le_bytes());
    if let Some(counters) = info.counters {
        bytes.extend_from_slice(&id_bytes(counters.first_id));
        bytes.extend_from_slice(&id_bytes(counters.max_deleted_id));
        bytes.extend_from_slice(&counters.entries_added.to_le_bytes());
    }
    bytes
}

/// The number of a type in a record: never to be changed.
fn type_number(data: DataType) -> u8 {
    match data {
        DataType::String => 0,
        DataType::List => 1,
        DataType::Set => 2,
        DataType::SortedSet => 3,
        DataType::Hash => 4,
        DataType::Module => 5,
        DataType::Stream => 6,
        DataType::Array => 7,
        DataType::Cron => 8,
    }
}

impl Take for Run<'_> {
    #[inline(always)]
    fn begin(&mut self, head: Head<'_>) -> Result<bool> {
        let data = head.kind.data_type();
        self.begin_record(KEY, head.db, head.key);
        self.what = What::Key(data);
        if self.see.is_some() {
            replace(&mut self.key, head.key);
        }
        self.put(&[type_number(data)]);
        let expires = head.expires.map(|at| at.get().cast_unsigned());
        self.put(&optional(expires));
        if let Some(module) = head.module {
            self.put_number(module.get());
        }
        Ok(true)
    }

    fn long(&mut self, part: Long<'_>) -> Result<()> {
        if self.what == What::Key(DataType::Set) {
            match part {
                Long::Begins(len) => self.rows.begin(len),
                Long::Piece(piece) => self.rows.put_piece(piece),
                Long::Ends => {
                    self.rows.end_key();
                    self.end_row();
                }
            }
            return Ok(());
        }
        match part {
            Long::Begins(len) => put_len(len, &mut self.record),
            Long::Piece(piece) => self.put(piece),
            Long::Ends => self.elements += 1,
        }
        Ok(())
    }

    fn arguments(&mut self) {
        // Keys end and arguments begin: a length that no string has.
        put_len(u64::MAX, &mut self.record);
    }

    #[inline(always)]
    fn end(&mut self) -> Result<()> {
        use DataType as D;
        let What::Key(data) = self.what else {
            self.end_elements();
            return self.end_other();
        };
        let collection = matches!(data, D::List | D::Set | D::SortedSet | D::Hash | D::Array);
        if !collection || self.elements > 0 {
            self.end_elements();
            self.end_key();
        }
        Ok(())
    }

    #[cold]
    fn give_up(&mut self, offset: u64) {
        self.failed.get_or_insert(offset);
    }

    fn module_aux(&mut self, module: ModuleId, when: u64) -> bool {
        self.begin_record(MODULE_AUX, 0, &[]);
        self.what = What::ModuleAux;
        self.put_number(module.get());
        self.put_number(when);
        true
    }

    fn function(&mut self, function: &Function<'_>, buf: &mut StrBuf) -> Result<()> {
        self.begin_record(FUNCTION, 0, &[]);
        if let Some((name, engine)) = function.pre_ga {
            for text in [name, engine] {
                self.put_string(text.bytes(buf)?);
            }
        }
        self.put_string(function.code.bytes(buf)?);
        self.put_number(if function.pre_ga.is_some() { 3 } else { 1 });
        self.end_other()
    }
}

impl Visit for Run<'_> {
    #[inline(always)]
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        self.put_scalar(text);
        self.elements += 1;
        Ok(())
    }

    #[inline(always)]
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        if self.what == What::Key(DataType::Set) {
            self.row(member);
            self.end_row();
            return Ok(());
        }
        self.text(member)
    }

    #[inline(always)]
    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        let score = score.value().ok_or_else(|| Error::from_fault(Fault::TextNumber))?;
        // One zero, and one NaN.
        let score = if score.is_nan() { f64::NAN } else { score + 0.0 };
        self.row(member);
        self.rows.put(&score.to_le_bytes());
        self.end_row();
        Ok(())
    }

    #[inline(always)]
    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        self.row(field);
        self.rows.put_string(value.bytes(&mut self.digits));
        match expires {
            None => self.rows.put(&[0]),
            Some(at) => self.rows.put(&optional(Some(at.get().cast_unsigned()))),
        }
        self.end_row();
        Ok(())
    }

    #[inline(always)]
    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        self.put_scalar(field);
        self.put_scalar(value);
        Ok(())
    }

    #[inline(always)]
    fn other(&mut self, element: Element<'_>) -> Result<()> {
        match element {
            Element::StreamEntry { id, deleted: false, fields } => {
                self.put(&id_bytes(id));
                self.put_number(fields);
                self.elements += 1;
            }
            Element::StreamEntry { .. } | Element::StreamNode { .. } => {}
            Element::Module(field) => self.module_field(field),
            Element::At(index, element) => {
                self.put_number(index);
                self.put_scalar(element);
                self.elements += 1;
            }
            Element::FloatAt(index, element) => {
                self.put_number(index);
                let mut text = std::mem::take(&mut self.text);
                array_float(element, &mut text);
                self.put_string(&text);
                self.text = text;
                self.elements += 1;
            }
            Element::Cron { script, start, interval } => {
                self.put_scalar(script);
                self.put_number(start.get().cast_unsigned());
                self.put_number(interval.cast_unsigned());
                self.elements += 1;
            }
            Element::Text(text) => return self.text(text),
            Element::Member(member) => return self.member(member),
            Element::Scored(member, score) => return self.scored(member, score),
            Element::Field { field, value, expires } => return self.field(field, value, expires),
            Element::StreamField(field, value) => return self.stream_field(field, value),
            state if self.stream_state => self.stream_state(state),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::{ContentOptions, content_digest};

    fn n(n: u64) -> [u8; 8] {
        n.to_le_bytes()
    }

    fn text(text: &str) -> Vec<u8> {
        [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    }

    /// The digest of a dataset with one key, by what the module's lesson says of it.
    fn of_one_key(record: &[u8]) -> String {
        let mut leaf = [0; 512];
        let name = "redkeep 2026-11 content digest v1, leaf";
        blake3::Hasher::new_derive_key(name).update(record).finalize_xof().fill(&mut leaf);
        let name = "redkeep 2026-11 content digest v1, dataset";
        let mut dataset = blake3::Hasher::new_derive_key(name);
        dataset.update(&n(1)).update(&leaf).finalize().to_hex().to_string()
    }

    fn digest(dump: &[u8]) -> String {
        content_digest(dump, ContentOptions::default()).unwrap().to_string()
    }

    #[test]
    fn records_are_what_the_lesson_says() {
        let string = [&[0][..], &n(0), &text("k"), &[0], &[0; 9], &text("v"), &n(1), &n(0)];
        assert_eq!(digest(b"REDIS0003\x00\x01k\x01v\xff"), of_one_key(&string.concat()));
        // In database 3, with an expiry, its members sorted.
        let (key, at) = (text("s"), n(1000));
        let set = [&[0][..], &n(3), &key, &[2, 1], &at, &text("1"), &text("2"), &n(2), &n(2)];
        let dump = b"REDIS0003\xfe\x03\xfd\x01\0\0\0\x02\x01s\x02\x012\xc0\x01\xff";
        assert_eq!(digest(dump), of_one_key(&set.concat()));
    }

    #[test]
    fn the_record_of_a_big_value_has_the_sum_of_its_elements() {
        let (one, many) = ("m", 262_145);
        let mut row = [0; 512];
        let name = "redkeep 2026-11 content digest v1, element of a big value";
        blake3::Hasher::new_derive_key(name).update(&text(one)).finalize_xof().fill(&mut row);
        // As many times the same, so that the sum is a product.
        let sum: Vec<u8> = row
            .chunks(8)
            .flat_map(|lane| n(u64::from_le_bytes(lane.try_into().unwrap()).wrapping_mul(many)))
            .collect();
        let (key, end) = (text("s"), [n(many), n(many), n(u64::MAX)].concat());
        let record = [&[0][..], &n(0), &key, &[2], &[0; 9], &sum, &end].concat();
        let dump = [&b"REDIS0003\x02\x01s\x80\0\x04\0\x01"[..], &b"\x01m".repeat(262_145), b"\xff"];
        assert_eq!(digest(&dump.concat()), of_one_key(&record));
    }
}
