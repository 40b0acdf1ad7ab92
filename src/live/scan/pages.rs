//! The requests of a scan, one after the other.

use crate::error::{Error, Fault, Result};
use crate::live::reply::{
    Refusal, broken, bytes, command, list, millis, number, settle, unexpected,
};
use crate::live::scan::options::ScanOptions;
use crate::rdb::{Attributes, Header, Payload, StrBuf, Writer, parse_functions};
use crate::time::UnixMillis;
use redis::{Cmd, ConnectionLike, Pipeline, Value};
use std::collections::HashSet;

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
}

/// Where in a database a scan is.
pub(super) struct Place {
    db: u64,
    /// `None` once all names were given.
    cursor: Option<Vec<u8>>,
    seen: HashSet<Vec<u8>>,
    /// Bytes of [`seen`](Self::seen), with what each name costs besides.
    remembered: u64,
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
                seen: HashSet::new(),
                remembered: 0,
                names: Vec::new(),
            });
            return Ok(true);
        };
        if !at.names.is_empty() {
            // The server may name many more at a time than it was asked for.
            let most = usize::try_from(self.options.count).unwrap_or(usize::MAX).max(1);
            let names = at.names.split_off(at.names.len().saturating_sub(most));
            self.values(at.db, &names)?;
        } else if let Some(cursor) = at.cursor.take() {
            self.names(&mut at, &cursor)?;
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

    /// One page of names, those that were not seen before.
    fn names(&mut self, at: &mut Place, cursor: &[u8]) -> Result<()> {
        let (next, names) = self.page(at.db, cursor)?;
        for name in names {
            if at.seen.contains(&name) {
                self.counts.repeated += 1;
                continue;
            }
            at.remembered = at.remembered.saturating_add(name.len() as u64 + 48);
            if at.remembered > self.options.names {
                return Err(Error::from_fault(Fault::Names));
            }
            at.seen.insert(name.clone());
            at.names.push(name);
        }
        at.cursor = Some(next).filter(|next| next != b"0");
        Ok(())
    }

    /// One page of names. Each batch selects its database: a connection may have been renewed.
    fn page(&mut self, db: u64, cursor: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor);
        if let Some(pattern) = &self.options.pattern {
            scan.arg("MATCH").arg(&pattern[..]);
        }
        scan.arg("COUNT").arg(self.options.count);
        if let Some(name) = &self.options.data_type {
            scan.arg("TYPE").arg(name);
        }
        let answer = self.batch(db, vec![scan])?.pop().ok_or_else(|| unexpected("SCAN"))?;
        let answer = answer.map_err(|refusal| refusal.into_error("SCAN"))?;
        let mut parts = list(answer).ok_or_else(|| unexpected("SCAN"))?.into_iter();
        let next = parts.next().as_ref().and_then(bytes).map(<[u8]>::to_vec);
        let names = parts.next().and_then(list);
        let (Some(next), Some(names)) = (next, names) else { return Err(unexpected("SCAN")) };
        let names = names.iter().filter_map(bytes).map(<[u8]>::to_vec).collect();
        Ok((next, names))
    }

    /// The values of these keys, written.
    fn values(&mut self, db: u64, names: &[Vec<u8>]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let ttl = if self.exact { "PEXPIRETIME" } else { "PTTL" };
        // Since Redis 7.2; without it a scan makes all keys look as if they had just been used.
        let mut batch = vec![no_touch(), redis::cmd("TIME")];
        let of = |words: &[&str], name: &[u8]| {
            let mut command = command(words);
            command.arg(name);
            command
        };
        for name in names {
            batch.push(of(&[ttl], name));
            // Before DUMP, which is a use of its own.
            if self.options.idle {
                batch.push(of(&["OBJECT", "IDLETIME"], name));
            }
            if self.options.frequency {
                batch.push(of(&["OBJECT", "FREQ"], name));
            }
            batch.push(of(&["DUMP"], name));
        }
        let mut answers = self.batch(db, batch)?.into_iter().skip(1);
        let now = answers.next().and_then(std::result::Result::ok).as_ref().and_then(millis);
        for name in names {
            let mut next = |command: &str| {
                let answer = answers.next().ok_or_else(|| unexpected(command))?;
                answer.map_err(|refusal| refusal.into_error(command).in_key(db, name))
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
        Ok(())
    }

    /// Sends commands together, in their database.
    fn batch(
        &mut self,
        db: u64,
        commands: Vec<Cmd>,
    ) -> Result<Vec<std::result::Result<Value, Refusal>>> {
        let mut pipe = Pipeline::new();
        let selects = !self.cluster || db > 0;
        if selects {
            pipe.cmd("SELECT").arg(db);
        }
        let count = commands.len() + usize::from(selects);
        commands.into_iter().for_each(|command| {
            pipe.add_command(command);
        });
        let packed = pipe.get_packed_pipeline();
        let answers = self.connection.req_packed_commands(&packed, 0, count);
        let answers = answers.map_err(|error| broken(&error))?;
        let mut answers = answers.into_iter().map(|answer| settle(Ok(answer)));
        if selects && let Some(answer) = answers.next() {
            answer?.map_err(|refusal| refusal.into_error("SELECT"))?;
        }
        answers.collect()
    }
}

fn no_touch() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg("NO-TOUCH").arg("ON");
    command
}
