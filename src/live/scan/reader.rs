//! A scan as a source of bytes: each page is asked for when the ones before it were read.

use crate::error::{Error, Fault, Result};
use crate::live::commands::tells_expiries;
use crate::live::drivers::Driver;
use crate::live::facts::{Database, ServerFacts};
use crate::live::info::{Info, part};
use crate::live::probe::server_seconds;
use crate::live::reply::{ask, bytes};
use crate::live::scan::options::ScanOptions;
use crate::live::scan::outcome::ScanOutcome;
use crate::live::scan::pages::{Counts, FIRST, Pages};
use crate::live::snapshot::Snapshot;
use crate::rdb::Writer;
use redis::ConnectionLike;
use std::io::{self, Read, Write};

/// Writes a dump of the keys of a server, one page of them after the other.
///
/// The connection is left in its own database, with `CLIENT NO-TOUCH` off.
///
/// Expiries are those that the server gives; values are checked and written as `DUMP` gives them. The
/// keys' idle times and frequencies are asked for on request only. On a node of a cluster these are the keys of
/// that node.
///
/// # Errors
/// `Server` where it refuses `INFO`, `SCAN`, `DUMP` or the expiry, also of a single key, or was restarted meanwhile;
/// `Corrupt` and such for a value that is none; `Io` where the target or the way to the server fails, or
/// the folder for names ([`temp_dir`](ScanOptions::temp_dir)) cannot take a file. What was written until
/// then has no end and must be thrown away.
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
    mut target: W,
    options: &ScanOptions,
) -> Result<ScanOutcome> {
    let mut reader = ScanReader::start(connection, options)?;
    let copied = io::copy(&mut reader, &mut target).and_then(|_| target.flush());
    reader.finish(copied.map_err(Error::from))
}

/// A dump that is put together while it is read.
pub(crate) struct ScanReader<'a, C: ConnectionLike + ?Sized> {
    /// `None` at the end.
    pages: Option<Pages<'a, C>>,
    before: Info,
    empties: Option<u64>,
    asked_at: Option<u64>,
    libraries: Option<u64>,
    own_db: i64,
    /// Made and not read yet.
    ready: Vec<u8>,
    ready_at: usize,
    bytes: u64,
    end: Option<Result<ScanOutcome>>,
}

impl<'a, C: ConnectionLike + ?Sized> ScanReader<'a, C> {
    /// Looks at the server, and takes its function libraries.
    pub(crate) fn start(
        connection: &'a mut C,
        options: &'a ScanOptions,
    ) -> Result<ScanReader<'a, C>> {
        let before = Info::ask(connection)?;
        let empties = empties(connection)?;
        let asked_at = server_seconds(connection)?;
        let server = ServerFacts::of(&before);
        let mut dbs = match &options.dbs {
            Some(dbs) => dbs.clone(),
            None => Database::all(&before).iter().map(|database| database.db).collect(),
        };
        dbs.reverse();
        let functions = ask(connection, &["FUNCTION", "DUMP"])?.ok();
        let functions = functions.as_ref().and_then(bytes);
        let exact = tells_expiries(connection)?;
        let own_db = connection.get_db();
        let mut pages = Pages {
            connection,
            writer: Writer::new(Vec::new()),
            header: server.release().map(|release| release.header()),
            begun: false,
            cluster: server.mode == "cluster",
            exact,
            options,
            counts: Counts::default(),
            dbs,
            at: None,
            most: FIRST.min(usize::try_from(options.count).unwrap_or(FIRST)).max(1),
        };
        let libraries = functions.map(|dump| pages.functions(dump)).transpose()?;
        Ok(ScanReader {
            pages: Some(pages),
            before,
            empties,
            asked_at,
            libraries,
            own_db,
            ready: Vec::new(),
            ready_at: 0,
            bytes: 0,
            end: None,
        })
    }

    /// What was taken, where all of it was read, and `read` says how that went. The connection is the
    /// caller's: it is left as it was found, in its database.
    pub(crate) fn finish(mut self, read: Result<()>) -> Result<ScanOutcome> {
        if let Some(pages) = self.pages.take() {
            leave(pages.connection, self.own_db)?;
        }
        match (self.end, read) {
            // The scan knows better than its reader why there were no more bytes.
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(outcome)), Ok(())) => Ok(outcome),
            (None, Ok(())) => Err(Error::usage("the scan was not read to its end")),
        }
    }

    /// Asks for more until there is something to read, or nothing left.
    fn fill(&mut self) -> Result<()> {
        self.ready.clear();
        self.ready_at = 0;
        while let Some(pages) = &mut self.pages {
            if pages.step()? {
                std::mem::swap(pages.writer.target_mut(), &mut self.ready);
                if !self.ready.is_empty() {
                    return Ok(());
                }
                continue;
            }
            pages.begin(None)?;
            let Some(Pages { connection, writer, counts, .. }) = self.pages.take() else {
                continue;
            };
            let left = leave(connection, self.own_db);
            self.ready = writer.finish()?;
            left?;
            self.end = Some(Ok(self.outcome(connection, counts)?));
        }
        Ok(())
    }

    fn outcome(&self, connection: &mut C, counts: Counts) -> Result<ScanOutcome> {
        let after = Info::ask(connection)?;
        if after.get("run_id") != self.before.get("run_id") {
            return Err(Error::from_fault(Fault::ServerRestarted));
        }
        let emptied = self.empties.zip(empties(connection)?).map(|(first, last)| first != last);
        let mut snapshot = Snapshot::between(Driver::Scan, &self.before, &after);
        snapshot.asked_at = self.asked_at;
        snapshot.done_at = server_seconds(connection)?;
        snapshot.writes_meanwhile = writes(&self.before, &after);
        snapshot.bytes = Some(self.bytes + self.ready.len() as u64);
        let Counts { keys, vanished, repeated } = counts;
        let function_libraries = self.libraries;
        Ok(ScanOutcome { snapshot, keys, vanished, repeated, function_libraries, emptied })
    }
}

impl<C: ConnectionLike + ?Sized> Read for ScanReader<'_, C> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(Err(error)) = &self.end {
            return Err(told(error));
        }
        if self.ready_at == self.ready.len()
            && let Err(error) = self.fill()
        {
            let short = told(&error);
            self.end = Some(Err(error));
            return Err(short);
        }
        let mut left = self.ready.get(self.ready_at..).unwrap_or_default();
        let read = left.read(into)?;
        self.ready_at += read;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// What a reader is told: the error itself stays here, for [`ScanReader::finish`].
fn told(error: &Error) -> io::Error {
    io::Error::other(error.to_string())
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
