//! All that is asked of a server before anything is done with it.

use crate::error::Result;
use crate::file::space;
use crate::live::commands::{CommandAccess, find_out};
use crate::live::drivers::{DriverReport, drivers};
use crate::live::facts::{Database, Files, Memory, Module, Replication, ServerFacts};
use crate::live::host::Host;
use crate::live::info::Info;
use crate::live::persistence::{CrashLoss, Persistence};
use crate::live::preflight::{Finding, Skew, preflight};
use crate::live::reply::{ask, list, number};
use crate::live::settings::{Settings, SettingsSource};
use crate::time::UnixMillis;
use redis::ConnectionLike;
use std::path::PathBuf;

/// How a server is asked.
///
/// ```
/// use redkeep::live::ProbeOptions;
/// let options = ProbeOptions::default().config_file("/etc/redis/redis.conf");
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProbeOptions {
    /// The server's `redis.conf`, to be read where it does not answer `CONFIG GET`. Default: none.
    pub config_file: Option<PathBuf>,
    /// The server's dump file as seen from here, where that is elsewhere than the server says (in a
    /// container, say). Default: none.
    pub dump_file: Option<PathBuf>,
    /// What time it is right before the call, to be compared with the server's clock. Default: not known,
    /// and the clocks are not compared.
    pub now: Option<UnixMillis>,
    /// How many bytes of its master's history a replica may lack without that being a finding. Default
    /// 1 MiB.
    pub most_behind: u64,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        ProbeOptions { config_file: None, dump_file: None, now: None, most_behind: 1 << 20 }
    }
}

impl ProbeOptions {
    /// Sets [`config_file`](Self::config_file).
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Sets [`dump_file`](Self::dump_file).
    #[must_use]
    pub fn dump_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.dump_file = Some(path.into());
        self
    }

    /// Sets [`now`](Self::now).
    #[must_use]
    pub fn now(mut self, now: UnixMillis) -> Self {
        self.now = Some(now);
        self
    }

    /// Sets [`most_behind`](Self::most_behind).
    #[must_use]
    pub fn most_behind(mut self, bytes: u64) -> Self {
        self.most_behind = bytes;
        self
    }
}

/// What a server is, holds and would lose, and which ways there are to a snapshot of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Probe {
    /// Which server it is.
    pub server: ServerFacts,
    /// Its place among others.
    pub replication: Replication,
    /// What it keeps on disk.
    pub persistence: Persistence,
    /// What a crash of its machine right now would lose.
    pub at_risk: CrashLoss,
    /// Where its files are.
    pub files: Files,
    /// Its modules.
    pub modules: Vec<Module>,
    /// How many function libraries it has; `None` where that may not be asked, or there are none yet.
    pub function_libraries: Option<u64>,
    /// How many databases it is configured for.
    pub databases: Option<u64>,
    /// The databases that are not empty.
    pub dbs: Vec<Database>,
    /// Its memory.
    pub memory: Memory,
    /// Its machine, where that is this one.
    pub host: Option<Host>,
    /// How its clock goes, where [`ProbeOptions::now`] was given and `TIME` may be asked.
    pub clock: Option<Skew>,
    /// The commands a snapshot may need, and whether they can be used.
    pub commands: Vec<CommandAccess>,
    /// The ways to a snapshot: which can work, and why the others cannot.
    pub drivers: Vec<DriverReport>,
    /// What should be looked at before relying on any of it; the worst first.
    pub findings: Vec<Finding>,
}

impl Probe {
    /// What is known of a way to a snapshot.
    #[must_use]
    pub fn driver(&self, driver: crate::live::Driver) -> Option<&DriverReport> {
        self.drivers.iter().find(|report| report.driver == driver)
    }
}

/// Asks a server what it is, what it would lose, and which ways there are to a snapshot of it.
///
/// Nothing is changed, and no key's name or value is read.
///
/// # Errors
/// `Server` where INFO may not be asked: nothing works without it. `Io` where the way to the server,
/// or the configuration file that was named, fails.
///
/// ```no_run
/// use redkeep::live::{Connection, ConnectOptions, Driver, ProbeOptions, probe};
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let probe = probe(&mut server, &ProbeOptions::default())?;
/// let lost = &probe.at_risk.words;
/// let possible = probe.driver(Driver::Bgsave).is_some_and(|driver| driver.possible);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn probe(
    connection: &mut (impl ConnectionLike + ?Sized),
    options: &ProbeOptions,
) -> Result<Probe> {
    // First of all, since it is of right before the call.
    let clock = match options.now {
        Some(now) => Skew::ask(connection, now)?,
        None => None,
    };
    let info = Info::ask(connection)?;
    let server = ServerFacts::of(&info);
    let config_file = options.config_file.as_deref();
    let settings = Settings::learn(connection, config_file, server.numbers())?;
    let now = server_seconds(connection)?;
    let persistence = Persistence::of(&info, &settings);
    let commands = find_out(connection)?;
    let mut files = Files::of(&settings);
    files.dump = options.dump_file.clone().or(files.dump);
    if files.source == SettingsSource::Unknown {
        files.why_unknown = settings.refusal.as_ref().map(|refusal| refusal.words());
    }
    // Another machine may have a folder of the same name.
    let host = Host::of(&server, &files);
    let folder = match (&host, &options.dump_file) {
        (_, Some(dump)) => dump.parent(),
        (Some(_), None) => files.dir.as_deref(),
        (None, None) => None,
    };
    files.free_bytes = folder.and_then(space::free);
    let mut probe = Probe {
        at_risk: CrashLoss::of(&persistence, now),
        replication: Replication::of(&info),
        modules: info.modules().iter().map(|line| Module::of(line)).collect(),
        function_libraries: function_libraries(connection)?,
        databases: settings.get("databases").and_then(|count| count.parse().ok()),
        dbs: Database::all(&info),
        memory: Memory::of(&info),
        host,
        clock,
        drivers: Vec::new(),
        findings: Vec::new(),
        server,
        persistence,
        files,
        commands,
    };
    probe.drivers = drivers(&probe);
    probe.findings = preflight(&probe, &settings, options);
    Ok(probe)
}

/// The server's clock, in seconds; `None` where it does not say.
pub(crate) fn server_seconds(
    connection: &mut (impl ConnectionLike + ?Sized),
) -> Result<Option<u64>> {
    if let Ok(answer) = ask(connection, &["TIME"])? {
        let seconds = list(answer).as_deref().and_then(<[_]>::first).and_then(number);
        return Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()));
    }
    // Whoever may not ask for it finds it in INFO, since Redis 7.0.
    let info = Info::section(connection, "server")?;
    Ok(info.number::<u64>("server_time_usec").map(|micros| micros / 1_000_000))
}

/// Their sources are not asked for.
fn function_libraries(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<Option<u64>> {
    let answer = ask(connection, &["FUNCTION", "LIST"])?;
    Ok(answer.ok().and_then(list).and_then(|libraries| u64::try_from(libraries.len()).ok()))
}
