//! Our own digest of what a dump holds.

use crate::digest::feed::{Feed, Head, Long, Take, each_event};
use crate::digest::hex::Digest32;
use crate::digest::rows::Rows;
use crate::digest::server::array_float;
use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::rdb::encoding::Scalar;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{
    DataType, Element, Event, Function, ModuleField, Score, StrBuf, StreamId, StreamInfo, Visit,
};
use crate::time::UnixMillis;
use crate::wire::number::Digits;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

/// What a [`ContentDigest`] covers, and what it may cost.
///
/// ```
/// use redkeep::Limits;
/// use redkeep::digest::ContentOptions;
/// let options = ContentOptions::default().stream_state(true).limits(Limits::default());
/// # drop(options);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ContentOptions {
    /// Whether IDs, counters, consumer groups and producers of streams are covered, and not their
    /// entries only. Default: no, since servers change them when they load and save: counters come
    /// with Redis 7.0, times of consumers with 7.2. Digests with and without never are the same.
    pub stream_state: bool,
    /// What reading may cost. `held` is also for the elements of one set, sorted set or hash, which
    /// are sorted in memory; more than 4 GiB cannot be sorted.
    pub limits: Limits,
}

impl ContentOptions {
    /// Sets [`stream_state`](Self::stream_state).
    #[must_use]
    pub fn stream_state(mut self, covered: bool) -> Self {
        self.stream_state = covered;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Computes our own digest of a dump's content; fed with the events of either reader.
///
/// Equal for equal content: however values are encoded or compressed, in whatever order the file has
/// its keys and its databases, whichever server or version wrote it.
///
/// # What is covered
///
/// Database, name, type and expiry of each key, and its elements: of lists, streams and arrays in
/// their order, of sets, sorted sets and hashes sorted by their bytes. Integers are their decimal
/// text; a score is its number, -0 being 0; fields count with their expiry. Module values are taken
/// as the row of numbers and strings that they are in the file, and so are data of modules outside
/// keys. Function libraries count. With [`stream_state`](ContentOptions::stream_state) also groups,
/// consumers, pending entries and producers.
///
/// Expired keys and fields count, since no clock is asked; empty collections do not, since servers
/// have none. Not covered: what is no content (AUX fields, hints of size, idle times, frequencies,
/// slots), the key metadata of modules, the insert cursor of arrays, and the expiries of members
/// that KeyDB keeps behind the key.
///
/// # Memory
///
/// What is in order is hashed as it comes. The elements of one set, sorted set or hash are held and
/// sorted: their bytes, and 32 for each, up to [`Limits::held`]. The rest is 512 bytes a
/// database.
///
/// ```
/// use redkeep::digest::ContentDigest;
/// use redkeep::rdb::SliceReader;
/// let of = |dump: &[u8]| {
///     let mut digest = ContentDigest::default();
///     for event in SliceReader::new(dump) {
///         digest.event(&event?)?;
///     }
///     digest.finish()
/// };
/// // A set of 1 and 2: as strings, as integers, and packed.
/// let strings = of(b"REDIS0003\x02\x01s\x02\x011\x012\xff")?;
/// let integers = of(b"REDIS0003\x02\x01s\x02\xc0\x02\xc0\x01\xff")?;
/// let packed = of(b"REDIS0003\x0b\x01s\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0\xff")?;
/// assert!(strings == integers && integers == packed);
/// // The same in a list is another thing.
/// assert_ne!(strings, of(b"REDIS0003\x01\x01s\x02\x011\x012\xff")?);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct ContentDigest<'k> {
    feed: Feed,
    run: Run<'k>,
}

impl Default for ContentDigest<'_> {
    fn default() -> Self {
        Self::new(ContentOptions::default())
    }
}

impl<'k> ContentDigest<'k> {
    /// The digest of nothing, so far.
    #[must_use]
    pub fn new(options: ContentOptions) -> Self {
        ContentDigest { feed: Feed::new(&options.limits), run: Run::new(options) }
    }

    /// Shows each key's own digest to `see`, with its database and name, which are part of it. To be
    /// called before the first event. An example is at
    /// [`differing_keys`](crate::digest::differing_keys).
    #[must_use]
    pub fn digest_keys(mut self, see: impl FnMut(u64, &[u8], Digest32) + 'k) -> Self {
        self.run.see = Some(Box::new(see));
        self
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Corrupt` when something in the key cannot be read, `Limit` where its elements cannot be held.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        self.feed.event(event, &mut self.run)
    }

    /// How many keys are in the digest so far.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.run.sums.iter().filter(|((class, _), _)| *class == KEY).map(|(_, sum)| sum.count).sum()
    }

    /// The digest of all that came.
    ///
    /// # Errors
    /// `Truncated` where a key was not read to its end, or gave an error.
    pub fn finish(mut self) -> Result<Digest32> {
        if self.feed.is_open() {
            self.run.give_up(0);
        }
        self.run.finish()
    }
}

impl fmt::Debug for ContentDigest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentDigest").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

/// Computes our own digest of a dump's content, whichever source it comes from.
///
/// ```
/// use redkeep::digest::{ContentOptions, content_digest};
/// let dump = b"REDIS0003\x00\x01a\x011\x00\x01b\x012\xff";
/// let again = b"REDIS0006\x00\x01b\xc0\x02\x00\x01a\xc0\x01\xff\0\0\0\0\0\0\0\0";
/// let options = ContentOptions::default();
/// assert_eq!(content_digest(&dump[..], options)?, content_digest(&again[..], options)?);
/// # Ok::<(), redkeep::Error>(())
/// ```
///
/// # Errors
/// The first that the reader meets, and as [`ContentDigest::event`].
pub fn content_digest(source: impl Read, options: ContentOptions) -> Result<Digest32> {
    let mut digest = ContentDigest::new(options);
    each_event(source, &options.limits, |event| digest.event(event))?;
    digest.finish()
}

/// Numbers that a leaf is expanded to: 4096 bits, so that a sum cannot be steered.
const LANES: usize = 64;

// Each is the name of one thing that is hashed, and says which version of this format it is.
const LEAF: &str = "redkeep 2026-11 content digest v1, leaf";
const DATASET: &str = "redkeep 2026-11 content digest v1, dataset";
const LEAF_WITH_STATE: &str = "redkeep 2026-11 content digest v1, leaf with stream state";
const DATASET_WITH_STATE: &str = "redkeep 2026-11 content digest v1, dataset with stream state";

// Classes of records.
const KEY: u8 = 0;
const FUNCTION: u8 = 1;
const MODULE_AUX: u8 = 2;

/// Bytes that are gathered before they are hashed.
const GATHERED: usize = 64 << 10;

type See<'k> = Box<dyn FnMut(u64, &[u8], Digest32) + 'k>;

struct Run<'k> {
    options: ContentOptions,
    see: Option<See<'k>>,
    /// By class of record and by database.
    sums: BTreeMap<(u8, u64), Sum>,
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

/// A sum over leaves.
struct Sum {
    count: u64,
    lanes: Box<[u64; LANES]>,
}

impl<'k> Run<'k> {
    fn new(options: ContentOptions) -> Run<'k> {
        let context = if options.stream_state { LEAF_WITH_STATE } else { LEAF };
        Run {
            options,
            see: None,
            sums: BTreeMap::new(),
            failed: None,
            leaf: blake3::Hasher::new_derive_key(context),
            record: Vec::with_capacity(2 * GATHERED),
            rows: Rows::default(),
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

    fn finish(self) -> Result<Digest32> {
        if let Some(offset) = self.failed {
            let detail = "a key could not be read to its end";
            return Err(Error::at(Fault::EndsInside, offset).with_detail(detail));
        }
        let context = if self.options.stream_state { DATASET_WITH_STATE } else { DATASET };
        let mut all = blake3::Hasher::new_derive_key(context);
        for ((class, db), sum) in self.sums {
            all.update(&[class]).update(&db.to_le_bytes()).update(&sum.count.to_le_bytes());
            for lane in *sum.lanes {
                all.update(&lane.to_le_bytes());
            }
        }
        Ok(Digest32::new(*all.finalize().as_bytes()))
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
        self.put_number(bytes.len() as u64);
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
    fn end_row(&mut self) -> Result<()> {
        self.elements += 1;
        self.rows.end(self.options.limits.held)
    }

    /// A row about a stream's state: its kind, whose it is, and what it is sorted by; then the rest.
    fn state_row(&mut self, kind: u8, by: &[u8], rest: &[&[u8]]) -> Result<()> {
        let strings = [&self.owner[..], &self.sub_owner, by];
        let len: usize = strings.iter().map(|text| 8 + text.len()).sum();
        self.rows.begin(1 + len as u64);
        self.rows.put(&[kind]);
        strings.iter().for_each(|text| self.rows.put_string(text));
        self.rows.end_key();
        rest.iter().for_each(|bytes| self.rows.put(bytes));
        self.rows.end(self.options.limits.held)
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

    /// Adds the leaf of the record to the sum of its class and database.
    #[inline(always)]
    fn end_record(&mut self, class: u8) {
        self.leaf.update(&self.record);
        let mut leaf = [0; 8 * LANES];
        self.leaf.finalize_xof().fill(&mut leaf);
        let sum = self
            .sums
            .entry((class, self.db))
            .or_insert_with(|| Sum { count: 0, lanes: Box::new([0; LANES]) });
        sum.count += 1;
        let (lanes, _) = leaf.as_chunks::<8>();
        for (total, lane) in sum.lanes.iter_mut().zip(lanes) {
            *total = total.wrapping_add(u64::from_le_bytes(*lane));
        }
        if class == KEY
            && let Some(see) = &mut self.see
        {
            let own = leaf.first_chunk::<32>().copied().unwrap_or_default();
            see(self.db, &self.key, Digest32::new(own));
        }
    }

    fn stream_state(&mut self, element: Element<'_>) -> Result<()> {
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
            _ => Ok(()),
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
                Long::Piece(piece) => {
                    // A member alone may be too much.
                    self.rows.put_within(piece, self.options.limits.held)?;
                }
                Long::Ends => {
                    self.rows.end_key();
                    self.end_row()?;
                }
            }
            return Ok(());
        }
        match part {
            Long::Begins(len) => self.put_number(len),
            Long::Piece(piece) => self.put(piece),
            Long::Ends => self.elements += 1,
        }
        Ok(())
    }

    fn arguments(&mut self) {
        // Keys end and arguments begin: a length that no string has.
        self.put_number(u64::MAX);
    }

    #[inline(always)]
    fn end(&mut self) {
        use DataType as D;
        let class = match self.what {
            What::Key(_) => KEY,
            What::ModuleAux => MODULE_AUX,
        };
        let collection =
            matches!(self.what, What::Key(D::List | D::Set | D::SortedSet | D::Hash | D::Array));
        if collection && self.elements == 0 {
            return;
        }
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
        // At the end, since only then they are known of a value that came in runs.
        self.put_number(self.elements);
        self.put_number(rows);
        self.end_record(class);
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
        self.end_record(FUNCTION);
        Ok(())
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
            return self.end_row();
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
        self.end_row()
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
        self.end_row()
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
            state if self.options.stream_state => return self.stream_state(state),
            _ => {}
        }
        Ok(())
    }
}
