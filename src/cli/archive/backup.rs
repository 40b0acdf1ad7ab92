//! `redkeep backup`: of a server, a cluster, a data directory or a dump, into an archive.

use crate::cli::archive::keys::RecipientArguments;
use crate::cli::archive::place::PlaceArguments;
use crate::cli::archive::show::Words;
use crate::cli::progress::{Bar, KeyCount};
use crate::cli::server::{LoginArguments, Monotonic, Url};
use crate::cli::snapshot::how::HowToTake;
use crate::cli::{Exit, Opened, Source, as_json, complain, failed, now, print, stop};
use crate::error::Error;
use crate::live::cluster::ClusterNodes;
use crate::rdb::check::Level;
use crate::repo::{Archive, LockOptions};
use crate::task::{
    BackupOptions, BackupOutcome, BackupProgress, SealChoice, SnapshotOptions, backup_cluster,
    backup_files, backup_server, backup_watched,
};
use clap::Args;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

/// Back up a server, a cluster, a data directory or a dump into an archive
///
/// What comes is checked, compressed, encrypted and stored in one pass, and is a backup only when all of it
/// is there. What cannot be read to its end is not stored. A server is asked as by `redkeep snapshot`.
#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// A running server, as redis://host:6379; the data directory of a stopped one; a dump, or `-` for
    /// standard input
    source: OsString,
    /// The archive; the same as --repo
    #[arg(long, value_name = "PLACE", conflicts_with = "repo")]
    to: Option<String>,
    #[command(flatten)]
    place: PlaceArguments,
    /// Make the archive if there is none
    #[arg(long)]
    init: bool,
    /// A word for whoever looks for it, and for retention; may be repeated
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
    /// How far to check what comes: framing, structure, elements or semantics
    #[arg(long, value_name = "LEVEL", default_value_t = Level::Semantics)]
    check: Level,
    /// Store also what cannot be read to its end, and mark it
    #[arg(long)]
    keep_damaged: bool,
    /// How hard to compress: 1 is twice as fast as 3, and 6 pays for text
    #[arg(long, value_name = "LEVEL", default_value_t = 3, allow_negative_numbers = true)]
    level: i32,
    /// Threads that compress
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// Bytes of an object, at most
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    volume: u64,
    /// Do not look whether there is as much room as the backup before took
    #[arg(long)]
    no_room_check: bool,
    /// Shards of a cluster that are taken at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    parallel: usize,
    /// Who it is that locks the stream, for others to read [default: redkeep and its version]
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// How long the stream stays locked without a sign of life
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    lease: u64,
    #[command(flatten)]
    recipients: RecipientArguments,
    #[command(flatten)]
    how: HowToTake,
    #[command(flatten)]
    login: LoginArguments,
    /// Print what was done and found as one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &BackupArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl BackupArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let options = self.options()?;
        let place = self.place.or_to(self.to.as_ref());
        let archive = if self.init { place.open_or_create()? } else { place.open()? };
        let outcome = self.take(&archive, &options)?;
        for warning in &outcome.manifest.warnings {
            complain(warning);
        }
        let text = match self.json {
            true => as_json(&outcome)?,
            false => Words(&outcome.manifest).to_string(),
        };
        print(text.as_bytes())?;
        if !outcome.kept {
            complain(
                "nothing was stored: what came cannot be read to its end; --keep-damaged stores it",
            );
        }
        if outcome.manifest.source_change.state.is_strange() {
            complain("this is another server than that of the backup before in this stream");
        }
        Ok(if outcome.is_sound() { Exit::Done } else { Exit::Findings })
    }

    fn options(&self) -> Result<BackupOptions, Exit> {
        let mut seal =
            SealChoice::default().level(self.level).threads(self.threads).volume(self.volume);
        seal.recipients = self.recipients.recipients()?;
        let mut lock = LockOptions::default().lease(Duration::from_secs(self.lease));
        if let Some(owner) = &self.owner {
            lock = lock.owner(owner);
        }
        let mut options = BackupOptions::default()
            .stream(self.place.stream.clone())
            .seal(seal)
            .keep_damaged(self.keep_damaged)
            .check_room(!self.no_room_check)
            .lock(lock)
            .parallel(self.parallel);
        options.tags.extend(self.tag.iter().cloned());
        options.check = options.check.now(now()).level(self.check);
        Ok(options)
    }

    fn take(&self, archive: &Archive, options: &BackupOptions) -> Result<BackupOutcome, Exit> {
        let url = Url::from(self.source.to_string_lossy().into_owned());
        let mut shown = Shown(BTreeMap::new());
        let mut watch = |progress: &BackupProgress| {
            shown.show(progress);
            stop::or_go_on()
        };
        let clock = Monotonic::start();
        let nothing = |error: Error| {
            let exit = failed(error);
            complain("nothing was stored");
            exit
        };
        if !url.is_url() && url.folder().is_none() {
            let source = Source::from(self.source.clone());
            let done = match source.open("storing", false)? {
                Opened::File(file, len) => {
                    backup_watched(archive, file, Some(len), &now, options, &mut watch)
                }
                Opened::Stream(stream) => {
                    backup_watched(archive, stream, None, &now, options, &mut watch)
                }
            };
            return done.map_err(nothing);
        }
        let mut how: SnapshotOptions = self.how.options(url.folder()).map_err(failed)?;
        if url.folder().is_some() {
            return backup_files(archive, &clock, &how, &now, options, &mut watch).map_err(nothing);
        }
        let mut server = self.how.open(&self.login, &url)?;
        how.replication.stall = server.options().timeout;
        let done = match self.how.cluster {
            true => ClusterNodes::look(&[server.options().clone()]).and_then(|look| {
                backup_cluster(archive, &look, &clock, &how, &now, options, &mut watch)
            }),
            false => backup_server(archive, &mut server, &clock, &how, &now, options, &mut watch)
                .map_err(|error| error.in_file(server.address())),
        };
        done.map_err(nothing)
    }
}

/// A bar for each shard that is coming.
struct Shown(BTreeMap<usize, (Bar, KeyCount, u64)>);

impl Shown {
    fn show(&mut self, progress: &BackupProgress) {
        let BackupProgress { shard, bytes, keys, len, .. } = *progress;
        let again = self.0.get(&shard).is_some_and(|(.., shown)| *shown > bytes);
        if again {
            self.0.remove(&shard);
        }
        let (bar, count, shown) = self.0.entry(shard).or_insert_with(|| {
            let bar = Bar::new("storing", len);
            let count = bar.key_count("storing");
            (bar, count, 0)
        });
        count.tell(keys);
        bar.read(bytes.saturating_sub(*shown));
        *shown = bytes;
    }
}
