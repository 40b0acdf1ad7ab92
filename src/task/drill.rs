//! A restore that is only tried: whether it would work, and how long it would take.

use crate::aof;
use crate::error::{Error, Fault, Result};
use crate::file::folder::FolderPlace;
use crate::live::restore::{CompareOutcome, CompareSink, RestoreOptions, Sample};
use crate::live::{Clock, ConnectOptions, Connection};
use crate::repo::seal::OpenOptions;
use crate::repo::{Archive, BackupId, Certificate, Shard, StoredBackup, StreamName, made_up};
use crate::task::{
    FetchOptions, RestoreChoice, StoredDump, VerifyOptions, compare, fetch_shard, verify,
};
use crate::time::UnixMillis;
use redis::Cmd;
use serde::Serialize;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How a restore is tried.
///
/// ```
/// use redkeep::task::DrillOptions;
/// let options = DrillOptions::default().server("/usr/bin/redis-server");
/// assert_eq!(options.deadline.as_secs(), 3600);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DrillOptions {
    /// How it is verified first, with its keys.
    pub verify: VerifyOptions,
    /// The program of a server that is started on it, on a socket of its own in a folder of its own, and
    /// stopped. Default none: then it is read in this process only.
    pub server: Option<PathBuf>,
    /// Settings that the server needs on its command line: `--loadmodule` and a path, say. Default none.
    pub settings: Vec<String>,
    /// Where that folder is made, which takes as much room as the files in the backup. Default the system's
    /// for temporary files.
    pub folder: PathBuf,
    /// How long the server may take to load it. Default an hour.
    pub deadline: Duration,
}

impl Default for DrillOptions {
    fn default() -> Self {
        DrillOptions {
            verify: VerifyOptions::default(),
            server: None,
            settings: Vec::new(),
            folder: std::env::temp_dir(),
            deadline: Duration::from_secs(3600),
        }
    }
}

impl DrillOptions {
    /// Sets [`verify`](Self::verify).
    #[must_use]
    pub fn verify(mut self, options: VerifyOptions) -> Self {
        self.verify = options;
        self
    }

    /// Sets [`server`](Self::server).
    #[must_use]
    pub fn server(mut self, program: impl Into<PathBuf>) -> Self {
        self.server = Some(program.into());
        self
    }

    /// Adds one of the [`settings`](Self::settings).
    #[must_use]
    pub fn setting(mut self, word: impl Into<String>) -> Self {
        self.settings.push(word.into());
        self
    }

    /// Sets [`folder`](Self::folder).
    #[must_use]
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = path.into();
        self
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }
}

/// What trying a restore came to.
///
/// See [`drill`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DrillOutcome {
    /// What reading all of it again found, as from [`verify`](crate::task::verify()).
    pub certificate: Certificate,
    /// Milliseconds that this took: as long as restoring it into a file takes, without writing that.
    pub read_ms: u64,
    /// What a server made of each shard, where one was started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerDrill>,
}

/// What a real server made of a shard.
///
/// See [`drill`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerDrill {
    /// The shard.
    pub shard: String,
    /// What the server says that it is, as `7.0.15`.
    pub version: String,
    /// Milliseconds from the archive to the files.
    pub fetched_ms: u64,
    /// Milliseconds from the start of the server until it answered with all data loaded.
    pub loaded_ms: u64,
    /// Keys that it had then.
    pub keys: u64,
    /// Of a dump: every key and value that it has, compared with those in the backup. Of a log it is only
    /// known that the server loaded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<CompareOutcome>,
}

impl DrillOutcome {
    /// Whether a restore would have worked, and what was restored is what was stored.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let same =
            |server: &ServerDrill| server.compared.as_ref().is_none_or(CompareOutcome::is_same);
        self.certificate.passed() && self.servers.iter().all(same)
    }

    /// Milliseconds that a restore takes at least, shard after shard: to files, and with a server until that has
    /// loaded them (RTO).
    #[must_use]
    pub fn restore_ms(&self) -> u64 {
        match self.servers.is_empty() {
            true => self.read_ms,
            false => self.servers.iter().map(|server| server.fetched_ms + server.loaded_ms).sum(),
        }
    }
}

/// Tries a restore: verifies the backup by its meaning, then has a server load it where one is given, and
/// compares all that this one has with it. Nothing of it is left behind but the certificate.
///
/// `now` says what time it is, and `clock` how long things take. `watch` is told how many bytes of how many were
/// read, in all passes over them, and may stop it.
///
/// # Errors
/// Those of [`verify`](crate::task::verify()) and [`fetch`](crate::task::fetch); `Server`: `DrillFailed` where
/// the server does not load it, with the last that it said; `Io` where it cannot be started.
///
/// ```no_run
/// use redkeep::UnixMillis;
/// use redkeep::live::Clock;
/// use redkeep::repo::{Archive, Pick, StreamName, store::LocalStore};
/// use redkeep::task::{DrillOptions, drill};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// # fn now() -> UnixMillis { UnixMillis::new(0) }
/// let archive = Archive::open(LocalStore::open("/backup")?)?;
/// let main = StreamName::default();
/// let newest = archive.find(&main, &Pick::Latest)?;
/// let options = DrillOptions::default().server("/usr/bin/redis-server");
/// let on = &mut |_, _| std::ops::ControlFlow::Continue(());
/// let outcome = drill(&archive, &main, newest, &System, &now, &options, on)?;
/// assert!(outcome.is_proven(), "{:?}", outcome.certificate.problems);
/// println!("a restore takes {} ms", outcome.restore_ms());
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn drill(
    archive: &Archive,
    stream: &StreamName,
    id: BackupId,
    clock: &(impl Clock + ?Sized),
    now: &dyn Fn() -> UnixMillis,
    options: &DrillOptions,
    watch: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<DrillOutcome> {
    let before = clock.elapsed();
    let stored = archive.backup(stream, id)?;
    let shards = &stored.manifest().shards;
    let twice = |shard: &Shard| {
        let parts = shard.parts.iter().map(|part| part.sealed.stored_len());
        parts.fold(0u64, u64::saturating_add).saturating_mul(2)
    };
    // With a server the files are read twice more: to fetch them, and to compare.
    let again = shards.iter().filter(|_| options.server.is_some()).map(twice);
    let len = again.fold(stored.manifest().stored_bytes(), u64::saturating_add);
    let mut told = |read: u64, _| watch(read, len);
    let certificate = verify(archive, stream, id, now, &options.verify, &mut told)?;
    let read_ms = ms(clock.elapsed().saturating_sub(before));
    let mut servers = Vec::new();
    if let (Some(program), true) = (&options.server, certificate.passed()) {
        let mut read = stored.manifest().stored_bytes();
        for shard in shards {
            servers.push(Drill { stored: &stored, shard, clock, options }.run(program)?);
            read = read.saturating_add(twice(shard));
            if watch(read, len).is_break() {
                return Err(Error::from_fault(Fault::Cancelled));
            }
        }
    }
    Ok(DrillOutcome { certificate, read_ms, servers })
}

struct Drill<'a, T: ?Sized> {
    stored: &'a StoredBackup,
    shard: &'a Shard,
    clock: &'a T,
    options: &'a DrillOptions,
}

impl<T: Clock + ?Sized> Drill<'_, T> {
    fn open(&self) -> &OpenOptions {
        &self.options.verify.open
    }

    fn run(&self, program: &Path) -> Result<ServerDrill> {
        let name = format!("redkeep-drill-{:016x}", made_up());
        // It never gets its place: with all that is in it, it goes when this ends.
        let folder = FolderPlace::create(&self.options.folder.join(name), false)?;
        let dir = folder.temporary();
        let begun = self.clock.elapsed();
        fetch_shard(
            self.stored,
            self.shard,
            &dir.join(self.file()),
            &FetchOptions::default().open(self.open().clone()),
        )?;
        let fetched = self.clock.elapsed();
        let mut server = self.start(program, dir)?;
        let mut connection = self.loaded(&mut server, dir)?;
        let loaded = self.clock.elapsed();
        let info: String = ask(&mut connection, "INFO")?;
        let line =
            |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let version = line("valkey_version").or_else(|| line("redis_version")).unwrap_or_default();
        let keys = info.lines().filter_map(|line| {
            let (_, counts) = line.strip_prefix("db")?.split_once(":keys=")?;
            counts.split(',').next()?.parse::<u64>().ok()
        });
        let compared = self.compare(&mut connection)?;
        Ok(ServerDrill {
            shard: self.shard.name.clone(),
            version: version.to_owned(),
            fetched_ms: ms(fetched.saturating_sub(begun)),
            loaded_ms: ms(loaded.saturating_sub(fetched)),
            keys: keys.sum(),
            compared,
        })
    }

    /// Where a server looks for it in its directory.
    fn file(&self) -> &'static str {
        match &self.shard.log {
            None => "dump.rdb",
            Some(form) if form.layout == aof::Layout::Parts => "appendonlydir",
            Some(_) => "appendonly.aof",
        }
    }

    fn start(&self, program: &Path, dir: &Path) -> Result<Running> {
        let log = File::create(dir.join("log"))?;
        let dbs = self.shard.content.dbs.iter().map(|db| db.db.saturating_add(1)).max();
        let on = if self.shard.log.is_some() { "yes" } else { "no" };
        let mut command = Command::new(program);
        command.args(["--port", "0", "--unixsocket", "socket", "--unixsocketperm", "700"]);
        command.args(["--daemonize", "no", "--save", "", "--logfile", "", "--appendonly", on]);
        command.args(["--databases", &dbs.unwrap_or(16).clamp(16, 1 << 16).to_string()]);
        if let Some(form) = &self.shard.log {
            command.args(["--appendfilename", &form.name, "--aof-load-truncated", "no"]);
        }
        command.args(&self.options.settings).current_dir(dir).stdin(Stdio::null());
        let process = command.stdout(log.try_clone()?).stderr(log).spawn();
        let process =
            process.map_err(|error| Error::from(error).in_file(program.to_string_lossy()))?;
        Ok(Running(process))
    }

    /// Waits until it answers with all data loaded.
    fn loaded(&self, server: &mut Running, dir: &Path) -> Result<Connection> {
        let begun = self.clock.elapsed();
        let url = format!("unix://{}", dir.join("socket").to_string_lossy());
        loop {
            let ended = server.0.try_wait()?;
            let opened = Connection::open(ConnectOptions::new(url.clone()));
            let answer = opened.and_then(|mut connection| {
                // Any other command is refused while it loads.
                ask::<u64>(&mut connection, "DBSIZE").map(|_| connection)
            });
            let late = self.clock.elapsed().saturating_sub(begun) > self.options.deadline;
            match answer {
                Ok(connection) => return Ok(connection),
                Err(_) if ended.is_none() && !late => {}
                Err(_) => {
                    let said = std::fs::read(dir.join("log")).unwrap_or_default();
                    let said = String::from_utf8_lossy(&said).into_owned();
                    let last: Vec<_> = said.lines().rev().take(3).collect();
                    let last = last.into_iter().rev().collect::<Vec<_>>().join("; ");
                    let why = if ended.is_some() { "it ended" } else { "it took too long" };
                    return Err(Error::from_fault(Fault::DrillFailed)
                        .with_detail(format!("{why}; the last it said: {last}"))
                        .in_file(self.shard.name.as_str()));
                }
            }
            self.clock.sleep(Duration::from_millis(5));
        }
    }

    fn compare(&self, server: &mut Connection) -> Result<Option<CompareOutcome>> {
        let Some(part) = self.shard.parts.first().filter(|_| self.shard.log.is_none()) else {
            return Ok(None);
        };
        let mut source = StoredDump::open(self.stored, part, self.open())?;
        let sink = CompareSink::new(server, &RestoreOptions::default(), Sample::All)?;
        let compared = compare(&mut source, &RestoreChoice::default(), sink);
        source.finish()?;
        Ok(Some(compared))
    }
}

fn ask<T: redis::FromRedisValue>(server: &mut Connection, command: &str) -> Result<T> {
    let answer = Cmd::new().arg(command).query(server);
    answer.map_err(|error| Error::from_fault(Fault::ServerRefused).with_detail(error.to_string()))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A server that ends with this, and saves nothing.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
