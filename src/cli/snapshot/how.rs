//! How a snapshot is taken: what `snapshot` and `backup` share.

use crate::cli::server::{LoginArguments, Url};
use crate::cli::{Exit, failed, now};
use crate::error::{Error, Result};
use crate::live::replication::{Portion, ReplicationOptions};
use crate::live::{Connection, Driver, FilesOptions, ProbeOptions, SaveOptions, ScanOptions};
use crate::rdb::ServerVersion;
use crate::rdb::check::CheckOptions;
use crate::task::{ReplicaOptions, SnapshotOptions};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct HowToTake {
    /// How to take it
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    pub(crate) driver: Way,
    /// The server's dump file as seen from here, where the server does not say or is elsewhere
    #[arg(long, value_name = "FILE")]
    dump_file: Option<PathBuf>,
    /// How long the server may take to save, or to send all of it
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    deadline: u64,
    /// Function libraries and no keys, by replication; Redis 7.0 on
    #[arg(long)]
    functions_only: bool,
    /// Take one of every master of the cluster, into a folder: one dump for each shard
    #[arg(long, conflicts_with = "dump_file")]
    pub(crate) cluster: bool,
    /// Take it from a replica where one is online, reachable with the same login and near enough
    #[arg(long)]
    prefer_replica: bool,
    /// Bytes of history that a replica may lack
    #[arg(long, value_name = "BYTES", requires = "prefer_replica",
        default_value_t = ReplicaOptions::default().most_behind)]
    replica_lag: u64,
    /// Fail where no replica will do, instead of asking the master
    #[arg(long, requires = "prefer_replica")]
    replica_only: bool,
    #[command(flatten)]
    scan: ScanArguments,
    #[command(flatten)]
    files: FilesArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "With --driver scan")]
struct ScanArguments {
    /// Keys of this pattern, as of KEYS
    #[arg(long, value_name = "GLOB")]
    pattern: Option<String>,
    /// Keys of this type, as of TYPE; Redis 6.0 on
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Option<String>,
    /// Keys of this database; may be repeated [default: all]
    #[arg(long, value_name = "N")]
    db: Vec<u64>,
    /// Take along how long each key was not used
    #[arg(long)]
    idle: bool,
    /// Take along how often each key is used; under an LFU policy
    #[arg(long)]
    freq: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "With --driver files")]
struct FilesArguments {
    /// The server's data directory as seen from here [default: what the server says]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// The server's redis.conf, where no server says what its files are called
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Whether the server keeps a log, and so loads that and no dump [default: what the server or its
    /// redis.conf says, else which of both is there]
    #[arg(long, value_enum)]
    appendonly: Option<YesNo>,
    /// Which server the files are of, as redis-6.2, where none is asked and that makes a difference
    #[arg(long = "for", value_name = "SERVER")]
    target: Option<ServerVersion>,
    /// Keep the server from rewriting its log while that is pinned
    #[arg(long)]
    hold_rewrites: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// By bgsave where that is open, else by replication, else by scan
    Auto,
    /// BGSAVE, and the file that it writes
    Bgsave,
    /// SAVE, and the file that it writes: nobody else is answered meanwhile
    Save,
    /// As a replica gets it: over the connection, from one moment
    Replication,
    /// SCAN and DUMP, key by key: not from one moment
    Scan,
    /// The files as they lie there: the log where the server keeps one, else the dump, however old
    Files,
}

impl Way {
    pub(crate) fn driver(self) -> Option<Driver> {
        match self {
            Way::Auto => None,
            Way::Bgsave => Some(Driver::Bgsave),
            Way::Save => Some(Driver::Save),
            Way::Replication => Some(Driver::Replication),
            Way::Scan => Some(Driver::Scan),
            Way::Files => Some(Driver::Files),
        }
    }
}

impl HowToTake {
    /// Connects. SAVE is answered when it is done.
    pub(crate) fn open(&self, login: &LoginArguments, url: &Url) -> Result<Connection, Exit> {
        let server = login.open(url)?;
        if self.driver != Way::Save {
            return Ok(server);
        }
        let options = server.options().clone();
        let patience = options.timeout.max(Duration::from_secs(self.deadline));
        Connection::open(options.timeout(patience)).map_err(failed)
    }

    /// How it is taken; of the files in a folder, where one was given in place of a server.
    pub(crate) fn options(&self, folder: Option<&Path>) -> Result<SnapshotOptions> {
        let deadline = Duration::from_secs(self.deadline);
        let mut save = SaveOptions::default().deadline(deadline);
        save.file.clone_from(&self.dump_file);
        let mut probe = ProbeOptions::default();
        probe.dump_file.clone_from(&self.dump_file);
        probe.config_file.clone_from(&self.files.config);
        let mut replication = ReplicationOptions::default().deadline(deadline);
        let mut driver = self.driver.driver();
        if self.functions_only {
            replication = replication.portion(Portion::Functions);
            if driver.is_some_and(|driver| driver != Driver::Replication) {
                return Err(Error::usage("functions alone come by replication only"));
            }
            driver = Some(Driver::Replication);
        }
        let scan = self.scan.options();
        if scan.is_some() && driver.is_none_or(|driver| driver != Driver::Scan) {
            return Err(Error::usage("keys are chosen with --driver scan only"));
        }
        let files = self.files.options(folder)?;
        if folder.is_some() {
            if driver.is_some_and(|driver| driver != Driver::Files) {
                return Err(Error::usage("a folder is no server: its files can be taken"));
            }
            driver = Some(Driver::Files);
        }
        let mut options = SnapshotOptions::default()
            .probe(probe)
            .save(save)
            .replication(replication)
            .scan(scan.unwrap_or_default())
            .files(files)
            .check(CheckOptions::default().now(now()));
        options.driver = driver;
        if self.prefer_replica {
            let replica = ReplicaOptions::default().most_behind(self.replica_lag);
            options = options.replica(replica.required(self.replica_only));
        }
        Ok(options)
    }
}

impl ScanArguments {
    /// `None` where nothing was asked for.
    fn options(&self) -> Option<ScanOptions> {
        let ScanArguments { pattern, data_type, db, idle, freq } = self;
        let plain = pattern.is_none() && data_type.is_none() && db.is_empty() && !idle && !freq;
        let mut options = ScanOptions::default().idle(*idle).frequency(*freq);
        options.pattern = pattern.as_ref().map(|pattern| pattern.clone().into_bytes());
        options.data_type.clone_from(data_type);
        options.dbs = Some(db.clone()).filter(|dbs| !dbs.is_empty());
        (!plain).then_some(options)
    }
}

impl FilesArguments {
    fn options(&self, folder: Option<&Path>) -> Result<FilesOptions> {
        if folder.is_some() && self.dir.is_some() {
            return Err(Error::usage("two data directories"));
        }
        let mut options = FilesOptions::default().hold_rewrites(self.hold_rewrites).now(now());
        options.dir = self.dir.clone().or_else(|| folder.map(PathBuf::from));
        options.config_file.clone_from(&self.config);
        options.server = self.target;
        options.log = self.appendonly.map(|answer| answer == YesNo::Yes);
        Ok(options)
    }
}
