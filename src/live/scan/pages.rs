//! The requests of a scan, one after the other.

use crate::aof::frame;
use crate::error::Result;
use crate::live::reply::{broken, bytes, list, millis, number, settle, unexpected};
use crate::live::scan::options::ScanOptions;
use crate::live::scan::seen::Seen;
use crate::rdb::{Attributes, Header, Payload, StrBuf, Writer, parse_functions};
use crate::time::UnixMillis;
use redis::{ConnectionLike, Value};

/// Bytes of values that are well held at once.
const HELD: usize = 4 << 20;

/// So many values are asked for at first, before it is known how big they are.
pub(super) const FIRST: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) keys: u64,
    pub(super) vanished: u64,
    pub(super) repeated: u64,
}

/// What is asked of the server, and the dump that is made of its answers.
pub(super) struct Pages<'a, C: ?Sized> {
    pub(super) connection: &'a mut C,
    /// What it wrote and nobody took yet is in its target.
    pub(super) writer: Writer<Vec<u8>>,
    /// How the file begins; where the release is not known, as the first payload says.
    pub(super) header: Option<Header>,
    pub(super) begun: bool,
    pub(super) cluster: bool,
    /// Whether expiries are asked for as times, and not as what is left.
    pub(super) exact: bool,
    pub(super) options: &'a ScanOptions,
    pub(super) counts: Counts,
    /// The databases to come, the next one last.
    pub(super) dbs: Vec<u64>,
    pub(super) at: Option<Place>,
    /// So many values are asked for at once.
    pub(super) most: usize,
}

/// Where in a database a scan is.
pub(super) struct Place {
    db: u64,
    /// `None` once all names were given.
    cursor: Option<Vec<u8>>,
    seen: Seen,
    /// Names whose values are to be asked for, the next ones last.
    names: Vec<Vec<u8>>,
}

impl<C: ConnectionLike + ?Sized> Pages<'_, C> {
    /// Goes on by one request; whether there is more to ask for.
    pub(super) fn step(&mut self) -> Result<bool> {
        let Some(mut at) = self.at.take() else {
            let Some(db) = self.dbs.pop() else { return Ok(false) };
            self.at = Some(Place {
                db,
                cursor: Some(b"0".to_vec()),
                seen: Seen::new(self.options.memory, self.options.temp_dir.clone()),
                names: Vec::new(),
            });
            return Ok(true);
        };
        if !at.names.is_empty() {
            self.values(&mut at)?;
        } else if at.cursor.is_some() {
            let mut request = self.request(at.db);
            let ahead = request.count;
            self.ask_for_names(&at, &mut request);
            let answer = self.send(&request, ahead)?.next();
            self.names(&mut at, answer)?;
        } else {
            return Ok(true);
        }
        self.at = Some(at);
        Ok(true)
    }

    /// Writes the head of the file, once.
    pub(super) fn begin(&mut self, payload: Option<u16>) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let stated = payload.map(Header::of_version);
        let oldest = Header::of_version(6);
        self.writer.header(self.header.or(stated).unwrap_or(oldest))
    }

    pub(super) fn functions(&mut self, dump: &[u8]) -> Result<u64> {
        let mut written = 0;
        let mut buf = StrBuf::new();
        for library in parse_functions(dump)? {
            self.begin(None)?;
            self.writer.function(library.code.bytes(&mut buf)?)?;
            written += 1;
        }
        Ok(written)
    }

    /// The request for more names, as long as there are any.
    fn ask_for_names(&self, at: &Place, to: &mut Request) -> bool {
        let Some(cursor) = &at.cursor else { return false };
        let count = self.options.count.to_string();
        let mut words = vec![&b"SCAN"[..], cursor];
        if let Some(pattern) = &self.options.pattern {
            words.extend([&b"MATCH"[..], pattern]);
        }
        words.extend([&b"COUNT"[..], count.as_bytes()]);
        if let Some(name) = &self.options.data_type {
            words.extend([&b"TYPE"[..], name.as_bytes()]);
        }
        to.add(&words);
        true
    }

    /// One page of names, those that were not seen before.
    fn names(&mut self, at: &mut Place, answer: Option<Value>) -> Result<()> {
        let answer = answer.ok_or_else(|| unexpected("SCAN"))?;
        let answer = settle(Ok(answer))?.map_err(|refusal| refusal.into_error("SCAN"))?;
        let mut parts = list(answer).ok_or_else(|| unexpected("SCAN"))?.into_iter();
        let next = parts.next().and_then(own);
        let (Some(next), Some(names)) = (next, parts.next().and_then(list)) else {
            return Err(unexpected("SCAN"));
        };
        for name in names.into_iter().filter_map(own) {
            if at.seen.insert(&name)? {
                at.names.push(name);
            } else {
                self.counts.repeated += 1;
            }
        }
        at.cursor = Some(next).filter(|next| next != b"0");
        Ok(())
    }

    /// The values of the next keys, written. With the last ones of a page the next one is asked for:
    /// the server is never without work for longer than it takes to write them.
    fn values(&mut self, at: &mut Place) -> Result<()> {
        let db = at.db;
        // The server may name many more at a time than it was asked for.
        let names = at.names.split_off(at.names.len().saturating_sub(self.most));
        let mut request = self.request(db);
        let ahead = request.count;
        // Since Redis 7.2; without it a scan makes all keys look as if they had just been used.
        request.add(&[b"CLIENT", b"NO-TOUCH", b"ON"]);
        request.add(&[b"TIME"]);
        let ttl = if self.exact { "PEXPIRETIME" } else { "PTTL" };
        for name in &names {
            request.add(&[ttl.as_bytes(), name]);
            // Before DUMP, which is a use of its own.
            if self.options.idle {
                request.add(&[b"OBJECT", b"IDLETIME", name]);
            }
            if self.options.frequency {
                request.add(&[b"OBJECT", b"FREQ", name]);
            }
            request.add(&[b"DUMP", name]);
        }
        let goes_on = at.names.is_empty() && self.ask_for_names(at, &mut request);
        let mut answers = self.send(&request, ahead)?.skip(1);
        let now = answers.next().and_then(|answer| settle(Ok(answer)).ok()?.ok());
        let now = now.as_ref().and_then(millis);
        let mut held = 0;
        for name in &names {
            let mut next = |command: &str| {
                let answer = answers.next().ok_or_else(|| unexpected(command))?;
                settle(Ok(answer))?.map_err(|refusal| refusal.into_error(command).in_key(db, name))
            };
            let left = number(&next(ttl)?).ok_or_else(|| unexpected(ttl))?;
            let mut usage = |asked: bool, command| match asked {
                true => next(command).map(|answer| number(&answer)),
                false => Ok(None),
            };
            let idle = usage(self.options.idle, "OBJECT IDLETIME")?;
            let frequency = usage(self.options.frequency, "OBJECT FREQ")?;
            let dump = next("DUMP")?;
            let Some(dump) = bytes(&dump).filter(|_| left != -2) else {
                self.counts.vanished += 1;
                continue;
            };
            held += dump.len();
            let expires = match left {
                ..0 => None,
                at if self.exact => Some(at),
                left => Some(now.ok_or_else(|| unexpected("TIME"))?.saturating_add(left)),
            };
            let payload = Payload::parse(dump).map_err(|error| error.in_key(db, name))?;
            self.begin(Some(payload.version()))?;
            let attributes = Attributes {
                expires: expires.map(UnixMillis::new),
                idle_seconds: idle.and_then(|seconds| u64::try_from(seconds).ok()),
                frequency: frequency.and_then(|count| u8::try_from(count).ok()),
                ..Attributes::default()
            };
            self.writer
                .payload(db, name, &attributes, &payload)
                .map_err(|error| error.in_key(db, name))?;
            self.counts.keys += 1;
        }
        if goes_on {
            self.names(at, answers.next())?;
        }
        self.pace(held);
        Ok(())
    }

    /// Asks for more values at once while they are small, and for fewer where they are not.
    fn pace(&mut self, held: usize) {
        let count = usize::try_from(self.options.count).unwrap_or(usize::MAX).max(1);
        self.most = match held {
            ..=HELD => self.most.saturating_mul(2).min(count),
            more => (self.most / (1 + more / HELD)).max(1),
        };
    }

    /// A request that begins by selecting its database: a connection may have been renewed.
    fn request(&self, db: u64) -> Request {
        let mut request = Request::default();
        if !self.cluster || db > 0 {
            request.add(&[b"SELECT", db.to_string().as_bytes()]);
        }
        request
    }

    /// The answers to a request, but not to so many commands in front, which have to succeed.
    fn send(
        &mut self,
        request: &Request,
        ahead: usize,
    ) -> Result<impl Iterator<Item = Value> + use<C>> {
        let Request { bytes, count } = request;
        let answers = self.connection.req_packed_commands(bytes, 0, *count);
        let mut answers = answers.map_err(|error| broken(&error))?.into_iter();
        for answer in answers.by_ref().take(ahead) {
            settle(Ok(answer))?.map_err(|refusal| refusal.into_error("SELECT"))?;
        }
        Ok(answers)
    }
}

/// Commands that are sent together.
#[derive(Default)]
struct Request {
    bytes: Vec<u8>,
    count: usize,
}

impl Request {
    fn add(&mut self, words: &[&[u8]]) {
        frame::command(words, &mut self.bytes);
        self.count += 1;
    }
}

/// A string's bytes.
fn own(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        other => bytes(&other).map(<[u8]>::to_vec),
    }
}
