//! The dataset digest of a server, computed from a dump.

use crate::digest::feed::{Feed, Head, Long, Take, each_event};
use crate::digest::hex::Digest20;
use crate::digest::options::{DigestOptions, ScoreText};
use crate::digest::sha::{Pieces, State, sha1};
use crate::digest::sum::ServerSum;
use crate::digest::vectorset::VectorSet;
use crate::error::{Error, Fault, Result};
use crate::pipe::EntrySink;
use crate::rdb::encoding::Scalar;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{
    DataType, Element, Event, Function, ModuleField, Score, StrBuf, StreamId, ValueType, Visit,
};
use crate::time::UnixMillis;
use crate::wire::number::{Digits, write_double_17, write_double_digest};
use std::fmt;
use std::io::{Read, Write as _};

/// Computes the digest that `DEBUG DIGEST` gives on a server which has loaded the dump; fed with
/// the events of either reader.
///
/// The file is taken to be one that the server loads: whether it would is what
/// [`check`](crate::rdb::check) says. Of the server's version only the types count, not which
/// encodings it reads, since the digest does not depend on those.
///
/// What has no digest that can be known gets none, never a wrong number: values of modules but
/// those of Redis' own vector sets (and of its example modules), KeyDB's scheduled scripts, types
/// that the server does not have, arrays longer than
/// [`array_slots`](DigestOptions::array_slots).
///
/// # Memory
///
/// Bounded, whatever the size of a value: each element goes into the digest as it comes. A plain
/// string that comes in pieces does so too; held is one item of another kind that is bigger than the
/// window (a pair, a packed node, a compressed string), up to
/// [`Limits::held`](crate::Limits::held).
///
/// ```
/// use redkeep::digest::{DigestOptions, ServerDigest};
/// use redkeep::rdb::SliceReader;
/// let options = DigestOptions::new("redis-7.2".parse().unwrap());
/// let mut digest = ServerDigest::new(options);
/// for event in SliceReader::new(b"REDIS0003\xfe\x00\x00\x01k\x01v\xff") {
///     digest.event(&event?)?;
/// }
/// assert_eq!(digest.notes().keys, 1);
/// assert_eq!(digest.finish()?.to_string(), "264ccf65edec66bccfa7cc659414ccca432057d2");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct ServerDigest<'k> {
    feed: Feed,
    run: Run<'k>,
}

impl<'k> ServerDigest<'k> {
    /// The digest of an empty dataset, so far.
    #[must_use]
    pub fn new(options: DigestOptions) -> Self {
        ServerDigest { feed: Feed::new(&options.limits), run: Run::new(options) }
    }

    /// Shows each key's own digest, what `DEBUG DIGEST-VALUE` gives, to `see`: database, name, and
    /// the digest or `None` where it cannot be known. To be called before the first event.
    ///
    /// Strings, lists, streams and arrays take half as long again.
    ///
    /// ```
    /// use redkeep::digest::{DigestOptions, ServerDigest};
    /// use redkeep::rdb::SliceReader;
    /// let mut values = Vec::new();
    /// let options = DigestOptions::new("redis-7.2".parse().unwrap());
    /// let mut digest = ServerDigest::new(options)
    ///     .digest_values(|db, key, digest| values.push((db, key.to_vec(), digest)));
    /// for event in SliceReader::new(b"REDIS0003\xfe\x00\x00\x01k\x01v\xff") {
    ///     digest.event(&event?)?;
    /// }
    /// digest.finish()?;
    /// let known = "d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f".parse().unwrap();
    /// assert_eq!(values, [(0, b"k".to_vec(), Some(known))]);
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    #[must_use]
    pub fn digest_values(mut self, see: impl FnMut(u64, &[u8], Option<Digest20>) + 'k) -> Self {
        self.run.see = Some(Box::new(see));
        self
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Corrupt` or `Limit` when something in the key cannot be read; what follows may still be
    /// fed, for the digests of single keys. A key without a known digest is no error here.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        self.feed.event(event, &mut self.run)
    }

    /// What was counted, and what loading changes, so far.
    #[must_use]
    pub fn notes(&self) -> LoadNotes {
        self.run.notes
    }

    /// The digest of the dataset.
    ///
    /// # Errors
    /// `Unsupported` where a key has no digest that can be known, `Limit` where that is because of a
    /// limit; the error names the first such key. `Truncated` or `Corrupt` where a key could not be
    /// read.
    pub fn finish(self) -> Result<Digest20> {
        Ok(self.into_sum()?.digest())
    }

    /// What the digest is made from, to be joined with that of other parts of a dataset.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn into_sum(mut self) -> Result<ServerSum> {
        if self.feed.is_open() {
            self.run.give_up(0);
        }
        self.run.into_sum()
    }
}

impl EntrySink for ServerDigest<'_> {
    #[inline]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        ServerDigest::event(self, event)
    }
}

impl fmt::Debug for ServerDigest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerDigest").field("notes", &self.run.notes).finish_non_exhaustive()
    }
}

/// Computes the digest that `DEBUG DIGEST` gives on a server which has loaded this dump.
///
/// ```
/// use redkeep::digest::{DigestOptions, server_digest};
/// let dump = b"REDIS0003\xfe\x00\x00\x01k\x01v\xfe\x01\x00\x01k\x01v\xff";
/// let options = DigestOptions::new("valkey-8.1".parse().unwrap());
/// let digest = server_digest(&dump[..], options)?;
/// assert_eq!(digest.to_string(), "794cf907ddc694cc1d15645a71582e3d0a57d2a0");
/// # Ok::<(), redkeep::Error>(())
/// ```
///
/// # Errors
/// The first that the reader meets, and as [`ServerDigest::event`] and [`ServerDigest::finish`].
pub fn server_digest(source: impl Read, options: DigestOptions) -> Result<Digest20> {
    let limits = options.limits;
    let mut digest = ServerDigest::new(options);
    each_event(source, &limits, |event| digest.event(event))?;
    digest.finish()
}

/// What went into a server's digest, and what loading changed.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::digest::{DigestOptions, ServerDigest};
/// use redkeep::rdb::SliceReader;
/// let now = UnixMillis::from_seconds(1_800_000_000);
/// let mut digest = ServerDigest::new(DigestOptions::new("redis-7.2".parse().unwrap()).now(now));
/// for event in SliceReader::new(b"REDIS0003\xfd\x01\0\0\0\x00\x01k\x01v\xff") {
///     digest.event(&event?)?;
/// }
/// assert_eq!((digest.notes().keys, digest.notes().expired_keys), (0, 1));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LoadNotes {
    /// Keys in the digest.
    pub keys: u64,
    /// Keys left out since they have expired.
    pub expired_keys: u64,
    /// Fields left out since they have expired.
    pub expired_fields: u64,
    /// Keys left out since nothing is in them.
    pub empty_keys: u64,
    /// Sorted sets with a score of -0 whose digest depends on the server's settings for small ones:
    /// with [`zset_entries`](DigestOptions::zset_entries) and
    /// [`zset_value`](DigestOptions::zset_value) guessed wrong, the digest is another.
    pub depends_on_settings: u64,
}

type See<'k> = Box<dyn FnMut(u64, &[u8], Option<Digest20>) + 'k>;

struct Run<'k> {
    options: DigestOptions,
    constants: Constants,
    see: Option<See<'k>>,
    notes: LoadNotes,
    sum: ServerSum,
    /// The first key without a digest.
    unknown: Option<Unknown>,
    value: Value,
    /// The key, where somebody wants to see it or it is in trouble.
    key: Vec<u8>,
    digits: Digits,
    text: Vec<u8>,
}

struct Unknown {
    fault: Fault,
    offset: u64,
    detail: String,
    /// Database and name.
    key: Option<(u64, Vec<u8>)>,
}

/// Hashes that come again and again.
struct Constants {
    types: [State; 8],
    expire: State,
    field_mark: State,
    null: State,
}

impl Constants {
    fn new() -> Constants {
        let mut types = [State::ZERO; 8];
        for (number, hash) in (0u32..).zip(&mut types) {
            *hash = sha1(&number.to_be_bytes());
        }
        Constants {
            types,
            expire: sha1(b"!!expire!!"),
            field_mark: sha1(b"!!hexpire!!"),
            null: sha1(b"(null)"),
        }
    }
}

/// A value in the making.
struct Value {
    db: u64,
    offset: u64,
    kind: ValueType,
    /// Elements are a set's members, not a list's elements.
    is_set: bool,
    expires: bool,
    /// What is fed in order: of the record, and of the value by itself.
    chain: State,
    own: State,
    /// The sum of what has no order.
    sum: State,
    elements: u64,
    /// Of a sorted set: its longest member, and what changes when -0 is 0.
    longest: usize,
    minus_zero: Option<State>,
    /// Of an array: the slot after the last.
    next: u64,
    module: Module,
    long: Option<Pieces>,
    known: bool,
}

enum Module {
    /// None, or one whose values feed nothing.
    Silent,
    /// It feeds, but never ends its sequence.
    Endless,
    Vectors(VectorSet),
    /// Integers, which it keeps ascending; their number comes first.
    Hello(Option<Vec<i64>>),
}

impl<'k> Run<'k> {
    fn new(options: DigestOptions) -> Run<'k> {
        Run {
            options,
            constants: Constants::new(),
            see: None,
            notes: LoadNotes::default(),
            sum: ServerSum::default(),
            unknown: None,
            value: Value {
                db: 0,
                offset: 0,
                kind: ValueType::String,
                is_set: false,
                expires: false,
                chain: State::ZERO,
                own: State::ZERO,
                sum: State::ZERO,
                elements: 0,
                longest: 0,
                minus_zero: None,
                next: 0,
                module: Module::Silent,
                long: None,
                known: true,
            },
            key: Vec::new(),
            digits: Digits::new(),
            text: Vec::new(),
        }
    }

    fn into_sum(self) -> Result<ServerSum> {
        let Some(Unknown { fault, offset, detail, key }) = self.unknown else {
            return Ok(self.sum);
        };
        let error = Error::at(fault, offset).with_detail(detail);
        Err(match key {
            Some((db, key)) => error.in_key(db, &key),
            None => error,
        })
    }

    /// The value's digest cannot be known.
    #[cold]
    fn unknown(&mut self, fault: Fault, detail: String) {
        if std::mem::replace(&mut self.value.known, false) && self.unknown.is_none() {
            let (offset, key) = (self.value.offset, Some((self.value.db, self.key.clone())));
            self.unknown = Some(Unknown { fault, offset, detail, key });
        }
    }

    #[cold]
    fn no_type(&mut self, what: &str) {
        let server = self.options.server;
        self.unknown(Fault::Vendor, format!("{what} has no digest known for {server}"));
    }

    /// The next in an order.
    #[inline(always)]
    fn next(&mut self, hash: State) {
        self.value.chain = self.value.chain.mix(hash);
        if self.see.is_some() {
            self.value.own = self.value.own.mix(hash);
        }
    }

    /// One of those without an order.
    #[inline(always)]
    fn add(&mut self, hash: State) {
        self.value.sum = self.value.sum.xor(hash);
    }

    #[inline(always)]
    fn hash(&mut self, text: Scalar<'_>) -> State {
        sha1(text.bytes(&mut self.digits))
    }

    #[inline(always)]
    fn hash_of_score(&mut self, score: f64) -> State {
        if let Some(n) = self.short_whole(score) {
            return sha1(self.digits.format(n));
        }
        self.text.clear();
        match self.options.scores {
            ScoreText::Digits17 => write_double_17(score, &mut self.text),
            ScoreText::Shortened => write_double_digest(score, &mut self.text),
        }
        sha1(&self.text)
    }

    /// A score whose text is that of an integer, whichever the text.
    #[inline(always)]
    fn short_whole(&self, score: f64) -> Option<i64> {
        // From 2^53 on neighbours are whole numbers apart; eight zeros at the end are an exponent.
        if score == 0.0 || score.abs() >= 9e15 {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)] // in range, and compared
        let n = score as i64;
        #[allow(clippy::cast_precision_loss)] // below 2^53: exact
        let whole = n as f64 == score;
        let exponent = self.options.scores == ScoreText::Shortened
            && n.unsigned_abs().is_multiple_of(100_000_000);
        (whole && !exponent).then_some(n)
    }

    fn at(&mut self, index: u64, hash: State) {
        let (next, slots) = (self.value.next, self.options.array_slots);
        if !self.value.known {
            return;
        }
        if index < next {
            return self.unknown(Fault::ArrayTag, "an array's indexes do not ascend".to_owned());
        }
        if index >= slots {
            let detail = format!("an array's digest covers its {index} slots, holes included");
            return self.unknown(Fault::Held, detail);
        }
        let null = self.constants.null;
        for _ in next..index {
            self.next(null);
        }
        self.next(hash);
        self.value.next = index + 1;
    }

    fn module_field(&mut self, field: ModuleField<'_>) {
        let understood = match &mut self.value.module {
            Module::Silent | Module::Endless => true,
            Module::Vectors(set) => set.field(field),
            Module::Hello(numbers) => {
                // It writes all of them as unsigned.
                match (numbers.as_mut(), field) {
                    (None, ModuleField::Unsigned(_)) => *numbers = Some(Vec::new()),
                    (Some(numbers), ModuleField::Unsigned(n)) => numbers.push(n.cast_signed()),
                    _ => {}
                }
                matches!(field, ModuleField::Unsigned(_) | ModuleField::End)
            }
        };
        if !understood {
            self.no_type("a module value of another layout");
        }
    }

    /// What a module's own callback adds to the value's digest.
    fn module_sum(&mut self) -> State {
        match std::mem::replace(&mut self.value.module, Module::Silent) {
            Module::Silent => State::ZERO,
            Module::Endless => State::ZERO.sha1(),
            Module::Vectors(set) => set.sum().sha1(),
            Module::Hello(numbers) => {
                let mut numbers = numbers.unwrap_or_default();
                numbers.sort_unstable();
                let digits = &mut self.digits;
                let all = numbers
                    .iter()
                    .fold(State::ZERO, |sequence, n| sequence.mix(sha1(digits.format(*n))));
                all.sha1().sha1()
            }
        }
    }

    fn module(&mut self, module: Option<ModuleId>) {
        let Some(module) = module else { return self.no_type("a module value without a name") };
        self.value.module = match (module.name().as_str(), module.version()) {
            ("vectorset", 0) => Module::Vectors(VectorSet::new()),
            ("hellotype", _) => Module::Hello(None),
            ("mem_alloc", _) => Module::Endless,
            ("test__rdb" | "test___dt", _) => Module::Silent,
            (name, _) => return self.no_type(&format!("module type {name}")),
        };
        let built_in = !self.options.server.is_valkey() && self.options.server.at_least(8, 0);
        if matches!(self.value.module, Module::Vectors(_)) && !built_in {
            self.no_type("module type vectorset");
        }
    }
}

/// The number a server has for a type, where it has the type.
fn type_number(data: DataType, options: &DigestOptions) -> Option<usize> {
    let (server, redis) = (options.server, !options.server.is_valkey());
    match data {
        DataType::String => Some(0),
        DataType::List => Some(1),
        DataType::Set => Some(2),
        DataType::SortedSet => Some(3),
        DataType::Hash => Some(4),
        DataType::Module => (!redis || server.at_least(4, 0)).then_some(5),
        DataType::Stream => (!redis || server.at_least(5, 0)).then_some(6),
        DataType::Array => (redis && server.at_least(8, 8)).then_some(7),
        _ => None,
    }
}

impl Take for Run<'_> {
    #[inline(always)]
    fn begin(&mut self, head: Head<'_>) -> Result<bool> {
        if head.expires.is_some() && self.options.drops_key(head.expires) {
            self.notes.expired_keys += 1;
            return Ok(false);
        }
        let data = head.kind.data_type();
        let value = &mut self.value;
        (value.db, value.offset, value.kind) = (head.db, head.offset, head.kind);
        (value.is_set, value.expires) = (data == DataType::Set, head.expires.is_some());
        (value.sum, value.elements, value.known) = (State::ZERO, 0, true);
        if data == DataType::SortedSet {
            (value.longest, value.minus_zero) = (0, None);
        }
        self.key.clear();
        self.key.extend_from_slice(head.key);
        let number = type_number(data, &self.options);
        let Some(hash) = number.and_then(|number| self.constants.types.get(number)).copied() else {
            self.no_type(&format!("type {data}"));
            self.end()?;
            return Ok(false);
        };
        self.value.chain = State::ZERO.mix(sha1(head.key)).mix(hash);
        if self.see.is_some() {
            self.value.own = State::ZERO.mix(hash);
        }
        match data {
            DataType::Array => self.value.next = 0,
            DataType::Module => self.module(head.module),
            _ => {}
        }
        Ok(true)
    }

    fn long(&mut self, part: Long<'_>) -> Result<()> {
        match part {
            Long::Begins(len) => self.value.long = Some(Pieces::new(len)),
            Long::Piece(piece) => {
                self.value.long.iter_mut().for_each(|long| long.feed(piece));
            }
            Long::Ends => {
                if let Some(long) = self.value.long.take() {
                    let hash = long.end();
                    self.value.elements += 1;
                    if self.value.is_set { self.add(hash) } else { self.next(hash) }
                }
            }
        }
        Ok(())
    }

    fn arguments(&mut self) {}

    #[inline(always)]
    fn end(&mut self) -> Result<()> {
        use DataType as D;
        let value = &self.value;
        let collection = match value.kind.data_type() {
            D::List | D::Set | D::Hash | D::Array => true,
            D::SortedSet => {
                if let Some(change) = value.minus_zero {
                    self.notes.depends_on_settings += 1;
                    if value.elements <= self.options.zset_entries
                        && value.longest <= self.options.zset_value
                    {
                        self.add(change);
                    }
                }
                true
            }
            D::Module => {
                let sum = self.module_sum();
                self.add(sum);
                false
            }
            _ => false,
        };
        if !self.value.known {
            if let Some(see) = &mut self.see {
                see(self.value.db, &self.key, None);
            }
            return Ok(());
        }
        if collection && self.value.elements == 0 {
            self.notes.empty_keys += 1;
            return Ok(());
        }
        self.notes.keys += 1;
        if self.value.expires {
            self.add(self.constants.expire);
        }
        let record = self.value.chain.xor(self.value.sum).sha1();
        self.sum.add_key(self.value.db, record);
        if let Some(see) = &mut self.see {
            let digest = self.value.own.xor(self.value.sum).digest();
            see(self.value.db, &self.key, Some(digest));
        }
        Ok(())
    }

    #[cold]
    fn give_up(&mut self, offset: u64) {
        if self.unknown.is_none() {
            let detail = "a key could not be read to its end".to_owned();
            let offset = offset.max(self.value.offset);
            self.unknown = Some(Unknown { fault: Fault::EndsInside, offset, detail, key: None });
        }
    }

    fn module_aux(&mut self, _: ModuleId, _: u64) -> bool {
        false
    }

    fn function(&mut self, _: &Function<'_>, _: &mut StrBuf) -> Result<()> {
        Ok(())
    }
}

impl Visit for Run<'_> {
    #[inline(always)]
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        let hash = self.hash(text);
        self.next(hash);
        Ok(())
    }

    #[inline(always)]
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        let hash = self.hash(member);
        self.value.elements += 1;
        if self.value.is_set {
            self.add(hash)
        } else {
            self.next(hash)
        }
        Ok(())
    }

    #[inline(always)]
    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        let member = member.bytes(&mut self.digits);
        self.value.elements += 1;
        self.value.longest = self.value.longest.max(member.len());
        let member = State::ZERO.mix(sha1(member));
        let score = score.value().ok_or_else(|| Error::from_fault(Fault::TextNumber))?;
        let score_hash = self.hash_of_score(score);
        let element = member.mix(score_hash).sha1();
        self.add(element);
        if score == 0.0 && score.is_sign_negative() {
            let unpacked = matches!(self.value.kind, ValueType::ZSet | ValueType::ZSet2);
            if unpacked && self.options.loses_minus_zero {
                let change = self.value.minus_zero.unwrap_or_default();
                let plain = member.mix(sha1(b"0")).sha1();
                self.value.minus_zero = Some(change.xor(element).xor(plain));
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        if let Some(at) = expires
            && self.options.drops_field(at)
        {
            self.notes.expired_fields += 1;
            return Ok(());
        }
        self.value.elements += 1;
        let (field, value) = (self.hash(field), self.hash(value));
        let mut element = State::ZERO.mix(field).mix(value);
        if expires.is_some() && self.options.field_mark {
            element = element.xor(self.constants.field_mark);
        }
        self.add(element.sha1());
        Ok(())
    }

    #[inline(always)]
    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        let (field, value) = (self.hash(field), self.hash(value));
        self.next(field);
        self.next(value);
        Ok(())
    }

    #[inline(always)]
    fn other(&mut self, element: Element<'_>) -> Result<()> {
        match element {
            Element::StreamEntry { id, deleted: false, .. } => {
                let hash = hash_of_id(id, &mut self.text);
                self.next(hash);
            }
            Element::Module(field) => self.module_field(field),
            Element::At(index, element) => {
                self.value.elements += 1;
                let hash = self.hash(element);
                self.at(index, hash);
            }
            Element::FloatAt(index, element) => {
                self.value.elements += 1;
                array_float(element, &mut self.text);
                let hash = sha1(&self.text);
                self.at(index, hash);
            }
            // Groups, counters and scheduled scripts are no part of a server's digest.
            _ => {}
        }
        Ok(())
    }
}

fn hash_of_id(id: StreamId, text: &mut Vec<u8>) -> State {
    text.clear();
    for (number, stop) in [(id.ms, &b"."[..]), (id.seq, b"")] {
        match i64::try_from(number) {
            Ok(n) => text.extend_from_slice(Digits::new().format(n)),
            // Writing to memory cannot fail.
            Err(_) => _ = write!(text, "{number}"),
        }
        text.extend_from_slice(stop);
    }
    sha1(text)
}

/// The text of an array's floating-point element: the one that was set (Redis 8.8).
pub(super) fn array_float(value: f64, text: &mut Vec<u8>) {
    text.clear();
    crate::wire::number::write_array_float(value, text);
}
