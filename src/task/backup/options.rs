//! How a backup is made.

use crate::rdb::check::CheckOptions;
use crate::repo::seal::{Recipients, SealOptions};
use crate::repo::{LockOptions, StreamName};
use std::collections::BTreeSet;

/// How a backup is made.
///
/// ```
/// use redkeep::repo::StreamName;
/// use redkeep::repo::seal::Recipients;
/// use redkeep::task::{BackupOptions, SealChoice};
/// let keys = Recipients::parse("age1jjc9k3926rd7qwrhat72gaapma05e628kpn7kaxlfnue8esasggs4wa3j6")?;
/// let options = BackupOptions::default()
///     .stream(StreamName::new("sessions")?)
///     .seal(SealChoice::default().recipients(keys))
///     .tag("before-upgrade");
/// assert!(!options.keep_damaged);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupOptions {
    /// The stream it belongs to. Default `main`.
    pub stream: StreamName,
    /// Words for whoever looks for it, and for retention. Default none.
    pub tags: BTreeSet<String>,
    /// How parts are compressed and encrypted.
    pub seal: SealChoice,
    /// How the bytes are checked. Default as [`CheckOptions`], but with 32 MiB for the search for equal
    /// keys: enough for 4 million of them, beyond which a share is compared.
    pub check: CheckOptions,
    /// Whether what cannot be read to its end is stored as well, and marked. Default: no, and nothing is.
    pub keep_damaged: bool,
    /// Whether it is refused where the store says that it has less room than the backup before took, or the
    /// source has bytes. Default: yes.
    pub check_room: bool,
    /// How the stream is locked meanwhile.
    pub lock: LockOptions,
    /// Shards of a cluster that are taken at once. Each takes some 20 MiB and its own threads. Default 4.
    pub parallel: usize,
}

impl Default for BackupOptions {
    fn default() -> Self {
        BackupOptions {
            stream: StreamName::default(),
            tags: BTreeSet::new(),
            seal: SealChoice::default(),
            check: CheckOptions::default().duplicate_budget(32 << 20),
            keep_damaged: false,
            check_room: true,
            lock: LockOptions::default(),
            parallel: 4,
        }
    }
}

impl BackupOptions {
    /// Sets [`stream`](Self::stream).
    #[must_use]
    pub fn stream(mut self, stream: StreamName) -> Self {
        self.stream = stream;
        self
    }

    /// Adds one of the [`tags`](Self::tags).
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.insert(tag.into());
        self
    }

    /// Sets [`seal`](Self::seal).
    #[must_use]
    pub fn seal(mut self, choice: SealChoice) -> Self {
        self.seal = choice;
        self
    }

    /// Sets [`check`](Self::check).
    #[must_use]
    pub fn check(mut self, options: CheckOptions) -> Self {
        self.check = options;
        self
    }

    /// Sets [`keep_damaged`](Self::keep_damaged).
    #[must_use]
    pub fn keep_damaged(mut self, keep: bool) -> Self {
        self.keep_damaged = keep;
        self
    }

    /// Sets [`check_room`](Self::check_room).
    #[must_use]
    pub fn check_room(mut self, check: bool) -> Self {
        self.check_room = check;
        self
    }

    /// Sets [`lock`](Self::lock).
    #[must_use]
    pub fn lock(mut self, options: LockOptions) -> Self {
        self.lock = options;
        self
    }

    /// Sets [`parallel`](Self::parallel).
    #[must_use]
    pub fn parallel(mut self, shards: usize) -> Self {
        self.parallel = shards;
        self
    }
}

/// How the parts of a backup are compressed, encrypted and cut.
///
/// ```
/// use redkeep::task::SealChoice;
/// let choice = SealChoice::default().level(1).volume(256 << 20);
/// assert_eq!(choice.threads, 2);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SealChoice {
    /// Whom it is encrypted for. Default nobody: it is in clear.
    pub recipients: Option<Recipients>,
    /// zstd's level, from its lowest (faster) to 22. Default 3.
    pub level: i32,
    /// Threads that compress while bytes are taken and checked. Default 2; one more stores.
    pub threads: usize,
    /// Bytes of a volume, at most what the store takes. Default 1 GiB.
    pub volume: u64,
}

impl Default for SealChoice {
    fn default() -> Self {
        let SealOptions { level, volume, .. } = SealOptions::new("part");
        SealChoice { recipients: None, level, threads: 2, volume }
    }
}

impl SealChoice {
    /// Sets [`recipients`](Self::recipients).
    #[must_use]
    pub fn recipients(mut self, recipients: Recipients) -> Self {
        self.recipients = Some(recipients);
        self
    }

    /// Sets [`level`](Self::level).
    #[must_use]
    pub fn level(mut self, level: i32) -> Self {
        self.level = level;
        self
    }

    /// Sets [`threads`](Self::threads).
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets [`volume`](Self::volume).
    #[must_use]
    pub fn volume(mut self, bytes: u64) -> Self {
        self.volume = bytes;
        self
    }

    /// For a part of this name, without the endings that say how it is sealed.
    pub(super) fn options(&self, name: &str, largest: Option<u64>) -> SealOptions {
        let ending = if self.recipients.is_some() { ".zst.age" } else { ".zst" };
        let volume = self.volume.min(largest.unwrap_or(u64::MAX));
        let options = SealOptions::new(format!("{name}{ending}"))
            .level(self.level)
            .threads(self.threads)
            .volume(volume);
        match &self.recipients {
            Some(recipients) => options.recipients(recipients.clone()),
            None => options,
        }
    }
}
