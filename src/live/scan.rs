//! A snapshot key by key, by `SCAN` and `DUMP`: where a server leaves nothing else open.
//!
//! It is not from one moment. A key that is there all the time is in it once; one that comes or goes
//! meanwhile may or may not be. What went between its name and its value is counted. `FLUSHDB` ends a
//! scan as if all had been seen, so the server's own counts of such commands are compared.

use crate::error::{Error, Fault, Result};
use crate::live::commands::{Access, NO_KEY, denial};
use crate::live::drivers::Driver;
use crate::live::facts::{Database, Replication, ServerFacts};
use crate::live::info::{Info, part};
use crate::live::probe::server_seconds;
use crate::live::reply::{Refusal, ask, broken, bytes, list, number, settle, unexpected};
use crate::live::snapshot::Snapshot;
use crate::rdb::{Attributes, Header, Payload, StrBuf, Writer, parse_functions};
use crate::time::UnixMillis;
use redis::{Cmd, ConnectionLike, Pipeline, Value};
use std::collections::HashSet;
use std::io::Write;

/// Which keys a scan takes, and how many at a time.
///
/// ```
/// use redkeep::live::ScanOptions;
/// let options = ScanOptions::default().pattern("user:*").data_type("hash").dbs([0]);
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScanOptions {
    /// Keys of this pattern, as of `KEYS`. Default: all.
    pub pattern: Option<Vec<u8>>,
    /// Keys of this type, as of `TYPE`; since Redis 6.0. Default: all.
    pub data_type: Option<String>,
    /// These databases. Default: all that are not empty.
    pub dbs: Option<Vec<u64>>,
    /// How many keys to ask for at a time; their values are held at once. Default 200.
    pub count: u32,
    /// Bytes of names that may be remembered, so that none is written twice. Default 1 GiB.
    pub names: u64,
}

impl Default for ScanOptions {
    fn default() -> Self {
        ScanOptions { pattern: None, data_type: None, dbs: None, count: 200, names: 1 << 30 }
    }
}

impl ScanOptions {
    /// Sets [`pattern`](Self::pattern).
    #[must_use]
    pub fn pattern(mut self, pattern: impl Into<Vec<u8>>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Sets [`data_type`](Self::data_type).
    #[must_use]
    pub fn data_type(mut self, name: impl Into<String>) -> Self {
        self.data_type = Some(name.into());
        self
    }

    /// Sets [`dbs`](Self::dbs).
    #[must_use]
    pub fn dbs(mut self, dbs: impl IntoIterator<Item = u64>) -> Self {
        self.dbs = Some(dbs.into_iter().collect());
        self
    }

    /// Sets [`count`](Self::count), at least one.
    #[must_use]
    pub fn count(mut self, keys: u32) -> Self {
        self.count = keys.max(1);
        self
    }

    /// Sets [`names`](Self::names).
    #[must_use]
    pub fn names(mut self, bytes: u64) -> Self {
        self.names = bytes;
        self
    }
}

/// What a scan took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScanOutcome {
    /// When and how.
    pub snapshot: Snapshot,
    /// Keys that were written.
    pub keys: u64,
    /// Keys that were gone, or had expired, when their value was asked for.
    pub vanished: u64,
    /// Keys that the scan named once more; each was written once.
    pub repeated: u64,
    /// Function libraries that were written; `None` where the server would not give them.
    pub function_libraries: Option<u64>,
    /// Whether databases were emptied or swapped meanwhile: then much may be missing. `None` where the
    /// server does not say.
    pub emptied: Option<bool>,
}

/// Writes a dump of the keys of a server, one page of them after the other.
///
/// The connection is left in its own database, with `CLIENT NO-TOUCH` off.
///
/// Expiries are those that the server gives; values are checked and written as `DUMP` gives them. The
/// keys' idle times and frequencies are not asked for. On a node of a cluster these are the keys of
/// that node.
///
/// # Errors
/// `Server` where it refuses `INFO`, `SCAN`, `DUMP` or the expiry, also of a single key, or was restarted meanwhile;
/// `Corrupt` and such for a value that is none; `Limit` where there are more names than may be
/// remembered; `Io` where the target or the way to the server fails. What was written until then
/// has no end and must be thrown away.
///
/// ```no_run
/// use redkeep::live::{ConnectOptions, Connection, ScanOptions, scan};
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let file = std::fs::File::create("part.rdb")?;
/// let outcome = scan(&mut server, file, &ScanOptions::default().pattern("user:*"))?;
/// assert!(!outcome.snapshot.point_in_time);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn scan<C: ConnectionLike + ?Sized, W: Write>(
    connection: &mut C,
    target: W,
    options: &ScanOptions,
) -> Result<ScanOutcome> {
    let before = Info::ask(connection)?;
    let emptied = empties(connection)?;
    let asked_at = server_seconds(connection)?.unwrap_or(0);
    let server = ServerFacts::of(&before);
    let dbs = match &options.dbs {
        Some(dbs) => dbs.clone(),
        None => Database::all(&before).iter().map(|database| database.db).collect(),
    };
    let functions = ask(connection, &["FUNCTION", "DUMP"])?.ok();
    let functions = functions.as_ref().and_then(bytes);
    let exact = match ask(connection, &["PEXPIRETIME", NO_KEY])? {
        Ok(_) => true,
        // The right to that key is missing, and not the one to the command.
        Err(refusal) => refusal.code == "NOPERM" && denial(&refusal.text) == Access::SomeKeys,
    };
    let mut scan = Scan {
        connection,
        writer: Writer::new(target),
        header: server.release().map(|release| release.header()),
        begun: false,
        cluster: server.mode == "cluster",
        exact,
        options,
        remembered: 0,
        counts: Counts::default(),
    };
    let libraries = functions.map(|dump| scan.functions(dump)).transpose()?;
    let own_db = scan.connection.get_db();
    let taken = dbs.into_iter().try_for_each(|db| scan.db(db));
    // The connection is the caller's: it is left as it was found, in its database.
    let left = leave(scan.connection, own_db);
    taken.and(left)?;
    scan.begin(None)?;
    let Scan { connection, writer, counts, .. } = scan;
    writer.finish()?;
    let after = Info::ask(connection)?;
    if after.get("run_id") != before.get("run_id") {
        return Err(Error::from_fault(Fault::ServerRestarted));
    }
    let emptied = emptied.zip(empties(connection)?).map(|(first, last)| first != last);
    let (first, last) = (Replication::of(&before), Replication::of(&after));
    let snapshot = Snapshot {
        driver: Driver::Scan,
        point_in_time: false,
        server: format!("{} {}", server.product, server.version),
        run_id: server.run_id,
        role: last.role,
        asked_at,
        done_at: server_seconds(connection)?,
        stated_at: None,
        replication_id: last.id,
        offset_before: first.offset,
        offset_after: last.offset,
        writes_meanwhile: writes(&before, &after),
        rounds: 1,
        file: None,
        bytes: None,
    };
    let Counts { keys, vanished, repeated } = counts;
    let function_libraries = libraries;
    Ok(ScanOutcome { snapshot, keys, vanished, repeated, function_libraries, emptied })
}

/// Brings the connection back to its database, and has keys look used again when it uses them.
fn leave(connection: &mut (impl ConnectionLike + ?Sized), db: i64) -> Result<()> {
    // A refusal is no harm: nothing was changed then either.
    let _refused = ask(connection, &["SELECT", &db.to_string()])?;
    let _refused = ask(connection, &["CLIENT", "NO-TOUCH", "OFF"])?;
    Ok(())
}

/// Writes between two answers, unless the server saved in between.
fn writes(before: &Info, after: &Info) -> Option<u64> {
    if before.get("rdb_last_save_time") != after.get("rdb_last_save_time") {
        return None;
    }
    let count = |info: &Info| info.number::<u64>("rdb_changes_since_last_save");
    count(after)?.checked_sub(count(before)?)
}

/// How often databases were emptied or swapped so far.
fn empties(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<Option<u64>> {
    if ask(connection, &["INFO", "commandstats"])?.is_err() {
        return Ok(None);
    }
    let info = Info::section(connection, "commandstats")?;
    let calls = ["flushall", "flushdb", "swapdb"].iter().filter_map(|name| {
        part(info.get(&format!("cmdstat_{name}"))?, "calls")?.parse::<u64>().ok()
    });
    Ok(Some(calls.sum()))
}

#[derive(Debug, Default)]
struct Counts {
    keys: u64,
    vanished: u64,
    repeated: u64,
}

struct Scan<'a, C: ?Sized, W: Write> {
    connection: &'a mut C,
    writer: Writer<W>,
    /// How the file begins; where the release is not known, as the first payload says.
    header: Option<Header>,
    begun: bool,
    cluster: bool,
    /// Whether expiries are asked for as times, and not as what is left.
    exact: bool,
    options: &'a ScanOptions,
    remembered: u64,
    counts: Counts,
}

impl<C: ConnectionLike + ?Sized, W: Write> Scan<'_, C, W> {
    /// Writes the head of the file, once.
    fn begin(&mut self, payload: Option<u16>) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let stated = payload.map(Header::of_version);
        let oldest = Header::of_version(6);
        self.writer.header(self.header.or(stated).unwrap_or(oldest))
    }

    fn functions(&mut self, dump: &[u8]) -> Result<u64> {
        let mut written = 0;
        let mut buf = StrBuf::new();
        for library in parse_functions(dump)? {
            self.begin(None)?;
            self.writer.function(library.code.bytes(&mut buf)?)?;
            written += 1;
        }
        Ok(written)
    }

    fn db(&mut self, db: u64) -> Result<()> {
        let mut seen = HashSet::new();
        self.remembered = 0;
        let mut cursor = b"0".to_vec();
        loop {
            let (next, names) = self.page(db, &cursor)?;
            let mut new = Vec::with_capacity(names.len());
            for name in names {
                if seen.contains(&name) {
                    self.counts.repeated += 1;
                    continue;
                }
                self.remembered = self.remembered.saturating_add(name.len() as u64 + 48);
                if self.remembered > self.options.names {
                    return Err(Error::from_fault(Fault::Names));
                }
                seen.insert(name.clone());
                new.push(name);
            }
            // The server may name many more at a time than it was asked for.
            let most = usize::try_from(self.options.count).unwrap_or(usize::MAX).max(1);
            new.chunks(most).try_for_each(|names| self.values(db, names))?;
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
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
        for name in names {
            for command in [ttl, "DUMP"] {
                let mut command = redis::cmd(command);
                command.arg(&name[..]);
                batch.push(command);
            }
        }
        let mut answers = self.batch(db, batch)?.into_iter().skip(1);
        let now = answers.next().and_then(std::result::Result::ok).as_ref().and_then(millis);
        for name in names {
            let (Some(left), Some(dump)) = (answers.next(), answers.next()) else {
                return Err(unexpected("DUMP"));
            };
            let left = left.map_err(|refusal| refusal.into_error(ttl).in_key(db, name))?;
            let left = number(&left).ok_or_else(|| unexpected(ttl))?;
            let dump = dump.map_err(|refusal| refusal.into_error("DUMP").in_key(db, name))?;
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
            let attributes =
                Attributes { expires: expires.map(UnixMillis::new), ..Attributes::default() };
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

/// An answer to TIME, in milliseconds.
fn millis(answer: &Value) -> Option<i64> {
    let Value::Array(parts) = answer else { return None };
    let mut parts = parts.iter().map(number);
    let (seconds, micros) = (parts.next()??, parts.next()??);
    Some(seconds.saturating_mul(1000).saturating_add(micros / 1000))
}
