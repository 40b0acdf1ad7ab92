//! Whether a backup is still what was stored.

use crate::aof;
use crate::aof::check::{AofCheckOptions, StreamedSet, check_log};
use crate::error::{Error, Fault, Result};
use crate::rdb::ServerVersion;
use crate::rdb::check::{CheckOptions, check_stream};
use crate::repo::seal::OpenOptions;
use crate::repo::{
    Archive, BackupId, Certificate, Content, Details, FORMAT, Part, Problem, Shard, StoredBackup,
    StreamName, VerifyLevel, tool,
};
use crate::time::UnixMillis;
use std::io::{self, Read};
use std::ops::ControlFlow;

/// How a backup is verified.
///
/// ```
/// use redkeep::repo::VerifyLevel;
/// use redkeep::task::VerifyOptions;
/// let options = VerifyOptions::default().level(VerifyLevel::Bytes);
/// assert!(options.keep);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// How far. Default [`VerifyLevel::Meaning`].
    pub level: VerifyLevel,
    /// Keys, and limits of memory.
    pub open: OpenOptions,
    /// How content is checked again; a target in it is asked whether it would load it. Default as when
    /// backups are made.
    pub check: CheckOptions,
    /// Whether the certificate is kept beside the backup. Default: yes.
    pub keep: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        VerifyOptions {
            level: VerifyLevel::default(),
            open: OpenOptions::default(),
            check: crate::task::BackupOptions::default().check,
            keep: true,
        }
    }
}

impl VerifyOptions {
    /// Sets [`level`](Self::level).
    #[must_use]
    pub fn level(mut self, level: VerifyLevel) -> Self {
        self.level = level;
        self
    }

    /// Sets [`open`](Self::open).
    #[must_use]
    pub fn open(mut self, options: OpenOptions) -> Self {
        self.open = options;
        self
    }

    /// Sets [`check`](Self::check).
    #[must_use]
    pub fn check(mut self, options: CheckOptions) -> Self {
        self.check = options;
        self
    }

    /// Sets [`keep`](Self::keep).
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }
}

/// Verifies a backup, and keeps the certificate beside it. `now` says what time it is; `watch` is told how
/// many stored bytes of how many were read, and may stop it.
///
/// What is wrong with the backup is in the certificate and no error.
///
/// # Errors
/// `Store`: `BackupNone` where there is none of this id; those of the store that say nothing of the backup: that
/// it cannot be reached, or does not allow it. `Usage` where the level needs a key that is not given
/// (`SealNoKey`), and where it was stopped (`Cancelled`).
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, store::MemoryStore};
/// use redkeep::task::{BackupOptions, VerifyOptions, backup, verify};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let (archive, now) = (Archive::create(MemoryStore::new())?, || UnixMillis::new(0));
/// let made = backup(&archive, dump, None, &now, &BackupOptions::default())?.manifest;
/// let options = VerifyOptions::default();
/// let certificate = verify(&archive, &made.stream, made.backup, &now, &options, &mut |_, _| {
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert!(certificate.passed(), "{:?}", certificate.problems);
/// assert_eq!(archive.backup(&made.stream, made.backup)?.certificates()?, [certificate]);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn verify(
    archive: &Archive,
    stream: &StreamName,
    id: BackupId,
    now: &dyn Fn() -> UnixMillis,
    options: &VerifyOptions,
    watch: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Certificate> {
    let started_at = now();
    let stored = archive.backup(stream, id)?;
    let manifest = stored.manifest();
    let len = manifest.stored_bytes();
    let mut pass =
        Pass { stored: &stored, options, watch, read: 0, len, problems: Vec::new(), loads: None };
    pass.exists()?;
    let plain = !manifest.is_encrypted() || options.open.identities.is_some();
    if pass.problems.is_empty() && options.level >= VerifyLevel::Bytes {
        if options.level == VerifyLevel::Meaning && !plain {
            return Err(Error::from_fault(Fault::SealNoKey).in_file(stored.folder().as_str()));
        }
        if plain { pass.opened()? } else { pass.sealed()? }
    }
    let Pass { read, problems, loads, .. } = pass;
    let certificate = Certificate {
        format: FORMAT,
        archive: archive.id(),
        stream: stream.clone(),
        backup: id,
        manifest_sha256: stored.manifest_sha256(),
        tool: tool(),
        started_at,
        finished_at: now(),
        level: options.level,
        plain: plain && options.level >= VerifyLevel::Bytes,
        target: options.check.target.as_ref().map(ServerVersion::to_string),
        loads,
        bytes: read,
        problems,
        unknown: serde_json::Map::new(),
    };
    if options.keep {
        certificate.keep(archive, BackupId::at(certificate.finished_at)?)?;
    }
    Ok(certificate)
}

struct Pass<'a> {
    stored: &'a StoredBackup,
    options: &'a VerifyOptions,
    watch: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    /// Stored bytes that were read, of parts that are done.
    read: u64,
    len: u64,
    problems: Vec<Problem>,
    loads: Option<bool>,
}

impl Pass<'_> {
    /// Takes down what is wrong with the backup; what says nothing of it is an error.
    fn note(&mut self, place: &str, error: Error) -> Result<()> {
        let of_store = matches!(
            error.fault(),
            Some(Fault::StoreUnavailable | Fault::StoreDenied | Fault::StoreFailed)
        );
        let of_us = matches!(error.fault(), Some(Fault::Cancelled | Fault::SealNoKey));
        if of_store || of_us || error.is_retryable() {
            return Err(error);
        }
        self.problems.push(Problem::of(place, &error));
        Ok(())
    }

    fn differs(&mut self, place: &str, what: impl Into<String>) {
        let (code, message) = (Fault::BackupContent.code().to_owned(), what.into());
        self.problems.push(Problem { place: place.to_owned(), code, message });
    }

    /// Every object is there, and as long as recorded.
    fn exists(&mut self) -> Result<()> {
        let stored = self.stored;
        for volume in stored.manifest().parts().flat_map(|part| &part.sealed.volumes) {
            let name = stored.folder().join(&volume.name)?;
            let error = match stored.store().stat(&name) {
                Ok(Some(len)) if len == volume.len => continue,
                Ok(Some(len)) if len < volume.len => Error::at(Fault::VolumeShort, len),
                Ok(Some(_)) => Error::at(Fault::VolumeLong, volume.len),
                Ok(None) => Error::from_fault(Fault::ObjectMissing),
                Err(error) => error,
            };
            self.note(&volume.name, error.in_file(name.as_str()))?;
        }
        Ok(())
    }

    /// Every stored byte, without a key.
    fn sealed(&mut self) -> Result<()> {
        let stored = self.stored;
        for part in stored.manifest().parts() {
            let mut source = self.told(stored.stored(part), part, 0);
            let read = io::copy(&mut source, &mut io::sink());
            self.read += part.sealed.stored_len();
            if let Err(error) = read {
                self.note(part.name(), error.into())?;
            }
        }
        Ok(())
    }

    /// Every plain byte too, and what they mean where that was asked for.
    fn opened(&mut self) -> Result<()> {
        let stored = self.stored;
        let part = &stored.manifest().details;
        let details = stored.details(&self.options.open);
        self.read += part.sealed.stored_len();
        let details = match details {
            Ok(details) => Some(details),
            Err(error) => {
                self.note(part.name(), error)?;
                None
            }
        };
        for shard in &stored.manifest().shards {
            let done = match (self.options.level, &shard.log) {
                (VerifyLevel::Meaning, None) => self.dump(shard, details.as_ref()),
                (VerifyLevel::Meaning, Some(form)) => {
                    self.log(shard, form.layout, &form.name, details.as_ref())
                }
                _ => shard.parts.iter().try_for_each(|part| {
                    self.part(part, details.as_ref(), |source| {
                        Ok(io::copy(source, &mut io::sink()).map(drop)?)
                    })
                }),
            };
            if let Err(error) = done {
                self.note(&shard.name, error)?;
            }
        }
        Ok(())
    }

    /// Reads a part to its very end, and compares its plain bytes.
    fn part(
        &mut self,
        part: &Part,
        details: Option<&Details>,
        read: impl FnOnce(&mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let stored = self.stored;
        let done = stored.whole(part, details, &self.options.open, |source| {
            read(&mut self.told(source, part, part.sealed.plain_len))
        });
        self.read += part.sealed.stored_len();
        done
    }

    fn dump(&mut self, shard: &Shard, details: Option<&Details>) -> Result<()> {
        let Some(part) = shard.parts.first() else { return Ok(()) };
        let mut report = None;
        let check = &self.options.check;
        self.part(part, details, |source| {
            report = Some(check_stream(source, check)?);
            Ok(())
        })?;
        let Some(report) = report else { return Ok(()) };
        self.would_load(report.target.as_ref().map(|target| target.loads));
        let mut content = Content::from(&report);
        content.bytes = part.sealed.plain_len;
        self.compare(shard, &content);
        Ok(())
    }

    fn log(
        &mut self,
        shard: &Shard,
        layout: aof::Layout,
        name: &str,
        details: Option<&Details>,
    ) -> Result<()> {
        let rules = AofCheckOptions::new(self.options.check.clone()).file_name(name);
        let (mut set, mut single) = (StreamedSet::new(&rules), None);
        for (at, part) in shard.parts.iter().enumerate() {
            let last = at + 1 == shard.parts.len();
            let kind = part.kind.unwrap_or(aof::FileKind::Base);
            let begins = part.begins_with.unwrap_or(aof::Content::Log);
            self.part(part, details, |source| {
                match layout {
                    aof::Layout::Parts => {
                        set.file(&mut *source, (&part.file, kind, begins), last)?
                    }
                    _ => single = Some(check_log(&mut *source, name, &rules)?),
                }
                Ok(io::copy(source, &mut io::sink()).map(drop)?)
            })?;
        }
        let server = self.options.check.target.unwrap_or(ServerVersion::NEWEST_REDIS);
        let report = single.unwrap_or_else(|| set.report(server));
        let loads = |target: &aof::check::Target| target.outcome == aof::check::Outcome::Loads;
        self.would_load(report.target.as_ref().map(loads));
        self.compare(shard, &Content::from(&report));
        Ok(())
    }

    fn would_load(&mut self, shard: Option<bool>) {
        self.loads = shard.map(|loads| loads && self.loads.unwrap_or(true)).or(self.loads);
    }

    fn compare(&mut self, shard: &Shard, content: &Content) {
        if let Some(what) = content.difference(&shard.content) {
            self.differs(&shard.name, what);
        } else if content.soundness > shard.content.soundness && self.options.check.target.is_none()
        {
            self.differs(
                &shard.name,
                format!("it is {} now, and was {}", content.soundness, shard.content.soundness),
            );
        }
    }

    /// Tells of what is read of a part; `plain` bytes, or 0 where they are read as stored.
    fn told<R>(&mut self, source: R, part: &Part, plain: u64) -> Told<'_, R> {
        let stored = part.sealed.stored_len();
        Told { source, read: 0, plain, stored, before: self.read, len: self.len, watch: self.watch }
    }
}

/// Tells of what is read.
struct Told<'w, R> {
    source: R,
    read: u64,
    plain: u64,
    stored: u64,
    /// Stored bytes of other parts.
    before: u64,
    len: u64,
    watch: &'w mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.read += read as u64;
        let stored = match self.plain {
            0 => self.read,
            plain => {
                u64::try_from(u128::from(self.read) * u128::from(self.stored) / u128::from(plain))
                    .unwrap_or(u64::MAX)
            }
        };
        match (self.watch)(self.before.saturating_add(stored.min(self.stored)), self.len) {
            ControlFlow::Continue(()) => Ok(read),
            ControlFlow::Break(()) => Err(io::Error::other(Error::from_fault(Fault::Cancelled))),
        }
    }
}
