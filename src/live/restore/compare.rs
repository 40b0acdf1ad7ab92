//! What a server holds against what a source says: the proof of a restore.

use crate::digest::{ContentDigest, ContentOptions, Digest32};
use crate::error::{Error, Result, printable};
use crate::export::CommandForm;
use crate::live::cluster::Look;
use crate::live::commands::tells_expiries;
use crate::live::reply::{bytes, number, settle, text, unexpected};
use crate::live::restore::link::Link;
use crate::live::restore::nodes::Nodes;
use crate::live::restore::options::RestoreOptions;
use crate::live::restore::outcome::Stopped;
use crate::live::restore::target::Target;
use crate::pipe::EntrySink;
use crate::rdb::encoding::Scalar;
use crate::rdb::{
    Attributes, DataType, Decoder, Element, Entry, Event, EventKind, Items, Payload, Score,
    SliceReader, StrBuf, ValueType, Visit, Writer,
};
use crate::time::UnixMillis;
use redis::{Cmd, Pipeline, Value};
use std::cell::Cell;
use std::rc::Rc;

/// How many keys are asked for at a time, and how many bytes their values may have in the source.
const BATCH: (usize, usize) = (200, 1 << 20);
/// How many keys that differ are named.
const NAMED: usize = 20;
/// Milliseconds that an expiry may be off where a server only tells what is left.
const SLACK: i64 = 1000;

/// Which values are compared; that keys are there, their types and their expiries are looked at always.
///
/// ```
/// use redkeep::live::restore::Sample;
/// assert_eq!(Sample::default(), Sample::OneIn(100));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sample {
    /// None.
    None,
    /// One in so many keys, chosen by their names: the same in every run.
    OneIn(u64),
    /// All.
    All,
}

impl Default for Sample {
    fn default() -> Self {
        Sample::OneIn(100)
    }
}

impl Sample {
    fn takes(self, name: &[u8]) -> bool {
        match self {
            Sample::None => false,
            Sample::All => true,
            Sample::OneIn(n) => {
                let mut crc = crate::wire::crc64::Crc64::new();
                crc.update(name);
                // Its low bits alone would follow the last letters of a name.
                (crc.value() >> 20).is_multiple_of(n.max(1))
            }
        }
    }
}

/// How a key differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Differs {
    /// The server does not have it.
    Missing,
    /// It is of another type.
    Type,
    /// It expires at another time, or not at all.
    Expiry,
    /// It has another value.
    Value,
}

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DifferingKey {
    /// Its database.
    pub db: u64,
    /// Its name, escaped and shortened to what fits a line.
    pub key: String,
    /// How.
    pub how: Differs,
}

/// What a comparison found.
#[must_use = "that keys differ is no error but an outcome that says so"]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CompareOutcome {
    /// Keys of the source.
    pub keys: u64,
    /// Of these, keys whose values were compared.
    pub values: u64,
    /// Keys that are not there, nor should they: their time has come.
    pub expired: u64,
    /// Hashes with less in them, or gone: the time of fields of theirs has come.
    pub expired_fields: u64,
    /// Keys that the server does not have.
    pub missing: u64,
    /// Keys of another type.
    pub other_type: u64,
    /// Keys that expire at another time.
    pub other_expiry: u64,
    /// Keys with another value.
    pub other_value: u64,
    /// The first of all that differ, at most twenty.
    pub first: Vec<DifferingKey>,
    /// Why it stopped before the end.
    pub stopped: Option<Stopped>,
}

impl CompareOutcome {
    /// Whether all was looked at and nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.stopped.is_none() && self.differing() == 0
    }

    /// Keys that differ; each is counted once, by the first thing that is wrong with it.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.missing + self.other_type + self.other_expiry + self.other_value
    }

    fn add(&mut self, asked: &Asked, how: Differs) {
        *match how {
            Differs::Missing => &mut self.missing,
            Differs::Type => &mut self.other_type,
            Differs::Expiry => &mut self.other_expiry,
            Differs::Value => &mut self.other_value,
        } += 1;
        if self.first.len() < NAMED {
            self.first.push(DifferingKey { db: asked.db, key: printable(&asked.name), how });
        }
    }
}

/// A key of the source.
struct Asked {
    db: u64,
    name: Vec<u8>,
    data: DataType,
    expires: Option<UnixMillis>,
    /// Of its value, where that is compared.
    digest: Option<Digest32>,
    /// Whether all that is kept with a stream is compared, or only its entries.
    full: bool,
    /// Whether it is a hash whose fields may expire, and when the first one does.
    times: bool,
    first_field: Option<UnixMillis>,
}

/// When the first field of a hash expires.
#[derive(Default)]
struct FirstField(Option<UnixMillis>);

impl Visit for FirstField {
    fn text(&mut self, _: Scalar<'_>) -> Result<()> {
        Ok(())
    }

    fn member(&mut self, _: Scalar<'_>) -> Result<()> {
        Ok(())
    }

    fn scored(&mut self, _: Scalar<'_>, _: Score<'_>) -> Result<()> {
        Ok(())
    }

    fn field(&mut self, _: Scalar<'_>, _: Scalar<'_>, expires: Option<UnixMillis>) -> Result<()> {
        self.0 = [self.0, expires].into_iter().flatten().min();
        Ok(())
    }

    fn stream_field(&mut self, _: Scalar<'_>, _: Scalar<'_>) -> Result<()> {
        Ok(())
    }

    fn other(&mut self, _: Element<'_>) -> Result<()> {
        Ok(())
    }
}

/// Compares keys with what a running server has, many at a time; nothing is changed there.
///
/// It is fed with events, as [`RestoreSink`](super::RestoreSink) is, after the same stages. Values are
/// compared as clients see them, whatever their layout; of streams that were made by an older server, or
/// restored by plain commands, only the entries, and of values of modules nothing. What changes on the server meanwhile differs.
///
/// See [`task::compare`](crate::task::compare) for an example.
pub struct CompareSink<'s> {
    nodes: Nodes<'s>,
    target: Target,
    sample: Sample,
    /// Whether it tells expiries as times, and not as what is left (since Redis 7.0).
    exact: bool,
    /// With all that is kept with streams, and without.
    digests: [ContentDigest<'static>; 2],
    decoder: Decoder,
    /// The digest of the key that ended last.
    seen: Rc<Cell<Option<Digest32>>>,
    buf: StrBuf,
    /// The key whose value comes, if that is compared.
    open: bool,
    waiting: Vec<Asked>,
    bytes: usize,
    outcome: CompareOutcome,
    stopped: Option<Stopped>,
}

impl<'s> CompareSink<'s> {
    /// A comparison with one server.
    ///
    /// # Errors
    /// As [`Target::ask`], though a replica may be compared with; `Usage` for a node of a cluster.
    pub fn new(
        connection: impl Into<Link<'s>>,
        options: &RestoreOptions,
        sample: Sample,
    ) -> Result<CompareSink<'s>> {
        let mut connection = connection.into();
        let target = Target::ask_for_reading(&mut connection, options)?;
        if target.cluster {
            return Err(Error::usage("a node of a cluster: compare with the cluster as a whole"));
        }
        let nodes = Nodes::one(connection, target.run_id.clone());
        Self::with(nodes, target, sample)
    }

    fn with(mut nodes: Nodes<'s>, target: Target, sample: Sample) -> Result<CompareSink<'s>> {
        let exact = tells_expiries(&mut nodes.get(0)?.connection)?;
        let seen = Rc::new(Cell::new(None));
        let digests = [true, false].map(|full| digest_into(full, &seen));
        Ok(CompareSink {
            nodes,
            target,
            sample,
            exact,
            digests,
            decoder: Decoder::new(),
            seen,
            buf: StrBuf::new(),
            open: false,
            waiting: Vec::new(),
            bytes: 0,
            outcome: CompareOutcome::default(),
            stopped: None,
        })
    }

    /// The server as it was when it was asked.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Server` or `Io` where the server does not answer as it has to, and those of a value that cannot
    /// be read. [`finish`](Self::finish) still says what was found.
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        if self.stopped.is_some() {
            return Err(Error::usage("the comparison has stopped before"));
        }
        let done = self.take(event);
        if let Err(error) = &done {
            self.stopped = Some(Stopped::by(error));
        }
        done
    }

    fn take(&mut self, event: &Event<'_>) -> Result<()> {
        match event.kind() {
            EventKind::Entry(entry) => {
                self.begin(&entry, true)?;
                self.value(event, true)
            }
            EventKind::Open(entry) => {
                self.begin(&entry, false)?;
                self.value(event, false)
            }
            EventKind::Run(run) => {
                self.fields(run.items())?;
                self.value(event, false)
            }
            EventKind::Piece(_) => self.value(event, false),
            EventKind::Close => self.value(event, true),
            EventKind::HashTemplate(template) => {
                self.decoder.learn(&template)?;
                self.digests.iter_mut().try_for_each(|digest| digest.event(event))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, entry: &Entry<'_>, whole: bool) -> Result<()> {
        let other_db = self.waiting.last().is_some_and(|last| last.db != entry.db());
        if other_db || self.waiting.len() >= BATCH.0 || self.bytes >= BATCH.1 {
            self.ask()?;
        }
        let name = entry.key().bytes(&mut self.buf)?.to_vec();
        self.outcome.keys += 1;
        self.open = self.sample.takes(&name);
        let (db, kind, expires) = (entry.db(), entry.value_type(), entry.expires());
        let (digest, full) = (None, self.keeps_all_of(kind));
        let data = kind.data_type();
        // A module may write one and the same value in many ways.
        self.open &= data != DataType::Module;
        let times = matches!(
            kind,
            ValueType::HashMetadata
                | ValueType::HashMetadataPreGa
                | ValueType::HashListpackEx
                | ValueType::HashListpackExPreGa
                | ValueType::ValkeyHash2
        );
        let first_field = None;
        self.waiting.push(Asked { db, name, data, expires, digest, full, times, first_field });
        if times && whole { self.fields(entry.value().items()?) } else { Ok(()) }
    }

    /// Whether a server that gets this layout has nothing to work out by itself: what older ones lack
    /// for streams, and what is forgotten by those that are told by commands.
    fn keeps_all_of(&self, kind: ValueType) -> bool {
        use ValueType as T;
        let newer = match kind {
            T::StreamListpacks => T::StreamListpacks2,
            T::StreamListpacks2 => T::StreamListpacks3,
            T::StreamListpacks3 => T::StreamListpacks4,
            T::StreamListpacks4 => T::StreamListpacks5,
            _ => return true,
        };
        self.target.form == CommandForm::Restore && !self.target.version.reads(newer)
    }

    /// Looks for fields that expire: none of them has to be there when it is asked for.
    fn fields(&mut self, items: Items<'_>) -> Result<()> {
        let Some(last) = self.waiting.last_mut() else { return Ok(()) };
        if !self.open || !last.times {
            return Ok(());
        }
        let mut first = FirstField(last.first_field);
        self.decoder.visit_items(items, &mut first)?;
        last.first_field = first.0;
        Ok(())
    }

    /// A part of the last key's value, or all of it.
    fn value(&mut self, event: &Event<'_>, ends: bool) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        self.bytes += event.raw().len();
        let full = self.waiting.last().is_some_and(|asked| asked.full);
        let [with, without] = &mut self.digests;
        if full { with } else { without }.event(event)?;
        if ends {
            self.open = false;
            if let Some(asked) = self.waiting.last_mut() {
                asked.digest = self.seen.take();
            }
        }
        Ok(())
    }

    /// Asks for the keys that wait.
    fn ask(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        for node in 0..self.nodes.count() {
            let here = |asked: &&Asked| self.nodes.of_key(&asked.name) == node;
            let here: Vec<&Asked> = waiting.iter().filter(here).collect();
            if !here.is_empty() {
                self.ask_node(node, &here)?;
            }
        }
        Ok(())
    }

    fn ask_node(&mut self, node: usize, keys: &[&Asked]) -> Result<()> {
        let db = keys.first().map_or(0, |asked| asked.db);
        let ttl = if self.exact { "PEXPIRETIME" } else { "PTTL" };
        let mut pipe = Pipeline::new();
        let selects = self.nodes.selects(db);
        if selects {
            pipe.cmd("SELECT").arg(db);
        }
        pipe.cmd("TIME");
        for asked in keys {
            let mut add = |name: &str| {
                let mut command = Cmd::new();
                command.arg(name).arg(&asked.name[..]);
                pipe.add_command(command);
            };
            add("TYPE");
            add(ttl);
            if asked.digest.is_some() {
                add("DUMP");
            }
        }
        let count = pipe.len();
        let answers = self.nodes.get(node)?.exchange(&pipe.get_packed_pipeline(), count)?;
        let mut answers = answers.into_iter();
        let mut next = |command: &str| -> Result<Value> {
            let answer = answers.next().ok_or_else(|| unexpected(command))?;
            settle(Ok(answer))?.map_err(|refusal| refusal.into_error(command))
        };
        if selects {
            next("SELECT")?;
        }
        let now = crate::live::reply::millis(&next("TIME")?).ok_or_else(|| unexpected("TIME"))?;
        let mut told = Vec::with_capacity(keys.len());
        for asked in keys {
            let kind = text(&next("TYPE")?).ok_or_else(|| unexpected("TYPE"))?;
            let expires = number(&next(ttl)?).ok_or_else(|| unexpected(ttl))?;
            let dump = asked.digest.map(|_| next("DUMP")).transpose()?;
            told.push((kind, expires, dump));
        }
        let digests = self.digests(keys, &told)?;
        for ((asked, (kind, expires, _)), digest) in keys.iter().zip(&told).zip(digests) {
            self.outcome.values += u64::from(digest.is_some());
            let gone = asked.expires.is_some_and(|at| at.get() <= now);
            // A module's type has a name of its own.
            let same_type = asked.data == DataType::Module || *kind == asked.data.to_string();
            let fields = asked.first_field.is_some_and(|at| at.get() <= now);
            if kind == "none" {
                match gone {
                    true => self.outcome.expired += 1,
                    false if fields => self.outcome.expired_fields += 1,
                    false => self.outcome.add(asked, Differs::Missing),
                }
            } else if !same_type {
                self.outcome.add(asked, Differs::Type);
            } else if !self.same_expiry(asked.expires, *expires, now) {
                self.outcome.add(asked, Differs::Expiry);
            } else if asked.digest.is_some() && digest != asked.digest {
                match fields {
                    true => self.outcome.expired_fields += 1,
                    false => self.outcome.add(asked, Differs::Value),
                }
            }
        }
        Ok(())
    }

    fn same_expiry(&self, expected: Option<UnixMillis>, told: i64, now: i64) -> bool {
        match (expected.map(UnixMillis::get), told) {
            (None, told) => told == -1,
            (Some(_), ..0) => false,
            (Some(at), told) if self.exact => at == told,
            (Some(at), left) => (at - now.saturating_add(left)).abs() <= SLACK,
        }
    }

    /// The digests of what the server dumped, made of it as of the source.
    fn digests(
        &self,
        keys: &[&Asked],
        told: &[(String, i64, Option<Value>)],
    ) -> Result<Vec<Option<Digest32>>> {
        let mut digests = vec![None; keys.len()];
        for ((asked, (_, _, dump)), digest) in keys.iter().zip(told).zip(&mut digests) {
            let Some(dump) = dump.as_ref().and_then(bytes) else { continue };
            let in_key = |error: Error| error.in_key(asked.db, &asked.name);
            let payload = Payload::parse(dump).map_err(in_key)?;
            let attributes = Attributes { expires: asked.expires, ..Attributes::default() };
            let mut writer = Writer::new(Vec::new());
            writer.header(self.target.version.header())?;
            writer.payload(asked.db, &asked.name, &attributes, &payload)?;
            let file = writer.finish()?;
            let seen = Rc::new(Cell::new(None));
            let mut of = digest_into(asked.full, &seen);
            for event in SliceReader::new(&file) {
                of.event(&event?).map_err(in_key)?;
            }
            *digest = seen.take();
        }
        Ok(digests)
    }

    /// Asks for what still waits, and says what was found; `done` is how the source came to its end.
    pub fn finish(mut self, done: Result<()>) -> CompareOutcome {
        if self.stopped.is_none() {
            self.stopped = done.and_then(|()| self.ask()).err().map(|error| Stopped::by(&error));
        }
        self.outcome.stopped = self.stopped;
        self.outcome
    }
}

/// A digest that puts that of each key into `seen`.
fn digest_into(stream_state: bool, seen: &Rc<Cell<Option<Digest32>>>) -> ContentDigest<'static> {
    let last = seen.clone();
    ContentDigest::new(ContentOptions::default().stream_state(stream_state))
        .digest_keys(move |_, _, digest| last.set(Some(digest)))
}

impl<'s> CompareSink<'s> {
    /// A comparison with all masters of a cluster, whose slots must not be on their way.
    ///
    /// # Errors
    /// As [`RestoreSink::cluster`](super::RestoreSink::cluster).
    pub fn cluster(
        look: &Look,
        options: &RestoreOptions,
        sample: Sample,
    ) -> Result<CompareSink<'s>> {
        let mut nodes = Nodes::cluster(look)?;
        let target = Target::ask_for_reading(&mut nodes.get(0)?.connection, options)?;
        Self::with(nodes, target, sample)
    }
}

impl EntrySink for CompareSink<'_> {
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        CompareSink::event(self, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_names_that_are_alike() {
        let taken = (0..10_000).filter(|n| Sample::OneIn(100).takes(format!("key:{n}").as_bytes()));
        assert!((60..150).contains(&taken.count()));
        assert!(Sample::All.takes(b"a") && !Sample::None.takes(b"a"));
    }
}
