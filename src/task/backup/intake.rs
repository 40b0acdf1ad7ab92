//! A backup from its lock to its manifest, whatever its bytes come from.

use crate::error::{Error, Fault, Result};
use crate::repo::seal::{Sealed, Sealer};
use crate::repo::{
    Archive, BackupId, Content, Details, FORMAT, Lock, Manifest, NewBackup, Part, Pick, Shard,
    Source, SourceChange, StoredVolumes, tool,
};
use crate::task::backup::options::BackupOptions;
use crate::task::backup::outcome::{BackupOutcome, BackupProgress};
use crate::time::UnixMillis;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Who is told how far it is, and may stop it.
pub(super) type Watch<'w> = &'w mut (dyn FnMut(&BackupProgress) -> ControlFlow<()> + Send);

/// What time it is.
pub(super) type Now<'n> = &'n (dyn Fn() -> UnixMillis + Sync);

pub(super) struct Intake<'a> {
    pub(super) archive: &'a Archive,
    pub(super) options: &'a BackupOptions,
    pub(super) now: Now<'a>,
    guard: Mutex<Guard<'a>>,
    stopped: AtomicBool,
    new: NewBackup,
    previous: Option<Manifest>,
    started_at: UnixMillis,
    shards: Vec<Shard>,
    details: Details,
    pub(super) warnings: Vec<String>,
    pub(super) skew_ms: Option<u64>,
}

/// What shards that come side by side share.
struct Guard<'a> {
    watch: Watch<'a>,
    lock: Lock,
}

/// What was stored of one server, before it is known all that is to be recorded of it.
pub(super) struct Stored {
    pub(super) parts: Vec<(Part, Sealed)>,
    pub(super) content: Content,
    pub(super) report: serde_json::Value,
    pub(super) log: Option<crate::repo::LogForm>,
}

impl<'a> Intake<'a> {
    /// Takes the lock, looks what is there, and begins. `len` is how many bytes will come, where that is known.
    pub(super) fn begin(
        archive: &'a Archive,
        options: &'a BackupOptions,
        now: Now<'a>,
        watch: Watch<'a>,
        len: Option<u64>,
    ) -> Result<Intake<'a>> {
        let stream = &options.stream;
        let started_at = now();
        // That it can be taken says that this store can be written to.
        let lock = Lock::take(archive, stream, &options.lock, started_at)?;
        let mut warnings = Vec::new();
        let previous = match archive.find(stream, &Pick::Latest) {
            Ok(id) => match archive.backup(stream, id) {
                Ok(stored) => Some(stored.manifest().clone()),
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    warnings.push(format!("the backup before cannot be read: {error}"));
                    None
                }
            },
            Err(error) if error.fault() == Some(Fault::BackupNone) => None,
            Err(error) => return Err(error),
        };
        let before = previous.as_ref().map(Manifest::stored_bytes);
        let needed = before.into_iter().chain(len).min().filter(|_| options.check_room);
        if let Some(needed) = needed
            && let Some(free) = archive.store().free()?
            && free < needed
        {
            let detail = format!("{free} bytes are free, and it may take {needed}");
            return Err(Error::from_fault(Fault::StoreFull).with_detail(detail));
        }
        let id = BackupId::at(started_at)?;
        if let Some(previous) = &previous
            && previous.backup > id
        {
            warnings.push(format!(
                "the clock is behind: the newest backup of this stream is {}, and this is not it",
                previous.backup
            ));
        }
        let new = NewBackup::begin(archive, stream, id)?;
        Ok(Intake {
            archive,
            options,
            now,
            guard: Mutex::new(Guard { watch, lock }),
            stopped: AtomicBool::new(false),
            new,
            previous,
            started_at,
            shards: Vec::new(),
            details: Details::default(),
            warnings,
            skew_ms: None,
        })
    }

    /// Begins a part of this name.
    pub(super) fn sealer(&self, name: &str) -> Result<Sealer<StoredVolumes>> {
        let largest = self.archive.store().largest_object();
        Sealer::new(self.options.seal.options(name, largest), self.new.volumes())
    }

    /// Tells of what is read, and keeps the lock alive.
    pub(super) fn watched<R: Read>(
        &self,
        shard: usize,
        source: R,
        len: Option<u64>,
        bytes: u64,
        seen: Option<Arc<AtomicU64>>,
    ) -> Watched<'_, 'a, R> {
        let progress = BackupProgress { shard, bytes, keys: 0, len };
        Watched {
            source,
            progress,
            seen,
            guard: &self.guard,
            stopped: &self.stopped,
            now: self.now,
        }
    }

    /// Has all that is read end with an error.
    #[cfg(feature = "live")]
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Adds a shard that is stored.
    pub(super) fn add(
        &mut self,
        name: String,
        slots: Vec<(u16, u16)>,
        source: Source,
        stored: Stored,
    ) {
        let Stored { parts, content, report, log } = stored;
        let in_clear = self.options.seal.recipients.is_none();
        let mut kept = Vec::new();
        for (mut part, sealed) in parts {
            self.details.plain_sha256.insert(part.name().to_owned(), sealed.plain_sha256);
            part.plain_sha256 = in_clear.then_some(sealed.plain_sha256);
            kept.push(part);
        }
        self.details.reports.insert(name.clone(), report);
        self.shards.push(Shard::new(name, slots, source, log, content, kept));
    }

    /// Writes down what it is, which makes it a backup; or not, where what came cannot be read.
    pub(super) fn finish(self) -> Result<BackupOutcome> {
        let soundness = self.shards.iter().map(|shard| shard.content.soundness).max();
        let Some(soundness) = soundness else {
            return Err(Error::from_fault(Fault::Internal).with_detail("a backup of nothing"));
        };
        let mut sealer = self.sealer("details.json")?;
        sealer.add(&as_json(&self.details)?)?;
        let sealed = sealer.finish()?;
        let sources: Vec<&Source> = self.shards.iter().map(|shard| &shard.source).collect();
        let source_change = SourceChange::since(self.previous.as_ref(), &sources);
        let manifest = Manifest {
            format: FORMAT,
            archive: self.archive.id(),
            stream: self.options.stream.clone(),
            backup: self.new.id(),
            tool: tool(),
            started_at: self.started_at,
            finished_at: (self.now)(),
            tags: self.options.tags.clone(),
            needs: std::collections::BTreeSet::new(),
            soundness,
            level: self.options.check.level,
            source_change,
            shards: self.shards,
            skew_ms: self.skew_ms,
            warnings: self.warnings,
            details: Part::new("details.json", sealed.part),
            unknown: serde_json::Map::new(),
        };
        let Guard { lock, .. } = self.guard.into_inner().unwrap_or_else(PoisonError::into_inner);
        let kept = soundness.is_readable() || self.options.keep_damaged;
        if kept {
            // Whoever took the stream over may have cleaned up already.
            lock.look()?;
            self.new.commit(&manifest)?;
        }
        let reports = self.details.reports;
        // It is there whatever becomes of the lock, which ends by itself.
        let _ = lock.release();
        Ok(BackupOutcome { manifest, kept, reports })
    }

    /// Forgets the shard that was begun last.
    #[cfg(feature = "live")]
    pub(super) fn discard(&self, parts: &[(Part, Sealed)]) {
        for (part, _) in parts {
            for volume in &part.sealed.volumes {
                self.new.discard(&volume.name);
            }
        }
    }
}

pub(super) fn as_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::from(io::Error::from(error)))
}

pub(super) fn as_value(value: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| Error::from(io::Error::from(error)))
}

/// The facts that a dump gives of itself.
pub(super) fn stated(facts: &BTreeMap<String, String>) -> Source {
    let server = facts.get("valkey-ver").map(|version| format!("valkey {version}"));
    let server =
        server.or_else(|| facts.get("redis-ver").map(|version| format!("redis {version}")));
    Source::given(server, facts.get("ctime").and_then(|time| time.parse().ok()))
}

pub(super) struct Watched<'w, 'a, R> {
    source: R,
    progress: BackupProgress,
    /// Keys so far.
    seen: Option<Arc<AtomicU64>>,
    guard: &'w Mutex<Guard<'a>>,
    stopped: &'w AtomicBool,
    now: Now<'a>,
}

impl<R: Read> Read for Watched<'_, '_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.progress.bytes += read as u64;
        self.progress.keys = self.seen.as_ref().map_or(0, |seen| seen.load(Ordering::Relaxed));
        if self.stopped.load(Ordering::Relaxed) {
            return Err(io::Error::other(Error::from_fault(Fault::Cancelled)));
        }
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        guard.lock.keep((self.now)()).map_err(io::Error::other)?;
        match (guard.watch)(&self.progress) {
            ControlFlow::Continue(()) => Ok(read),
            ControlFlow::Break(()) => Err(io::Error::other(Error::from_fault(Fault::Cancelled))),
        }
    }
}
