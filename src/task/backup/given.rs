//! A backup of a dump that somebody gives.

use crate::error::Result;
use crate::repo::{Archive, Content, Part};
use crate::task::backup::intake::{Intake, Now, Stored, Watch, as_value, stated};
use crate::task::backup::options::BackupOptions;
use crate::task::backup::outcome::BackupOutcome;
use crate::task::backup::store::store_dump;
use std::io::Read;
use std::ops::ControlFlow;

/// Makes a backup of a dump: a file, or whatever comes through a pipe. `len` is how many bytes will come,
/// where that is known; `now` says what time it is.
///
/// It is read once, and checked, compressed, encrypted and stored meanwhile, in bounded memory. It is in
/// the archive when its manifest is, which is written last; until then nobody sees it. What cannot be read to
/// its end is not stored, unless [asked for](BackupOptions::keep_damaged), and the outcome says so.
///
/// # Errors
/// `Store`: `LockHeld` where somebody else writes to the stream, `LockLost`, `StoreFull`, those of the store;
/// `Io` where the source fails. Nothing is in the archive then.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, Pick, store::MemoryStore};
/// use redkeep::task::{BackupOptions, backup};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let archive = Archive::create(MemoryStore::new())?;
/// let options = BackupOptions::default();
/// let outcome = backup(&archive, dump, Some(17), &|| UnixMillis::new(1_795_140_000_000), &options)?;
/// assert!(outcome.is_sound());
/// assert_eq!(archive.find(&options.stream, &Pick::Latest)?, outcome.manifest.backup);
///
/// let half = backup(&archive, &dump[..14], None, &|| UnixMillis::new(0), &options)?;
/// assert!(!half.kept && archive.backups(&options.stream)?.len() == 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn backup(
    archive: &Archive,
    source: impl Read,
    len: Option<u64>,
    now: Now<'_>,
    options: &BackupOptions,
) -> Result<BackupOutcome> {
    backup_watched(archive, source, len, now, options, &mut |_| ControlFlow::Continue(()))
}

/// As [`backup`]; `watch` is told how far it is whenever bytes came, and may stop it there.
///
/// # Errors
/// As [`backup`], and `Cancelled` where it was stopped.
///
/// See [`backup`] for an example.
pub fn backup_watched(
    archive: &Archive,
    source: impl Read,
    len: Option<u64>,
    now: Now<'_>,
    options: &BackupOptions,
    watch: Watch<'_>,
) -> Result<BackupOutcome> {
    let mut intake = Intake::begin(archive, options, now, watch, len)?;
    let (stored, source) = intake.dump(0, "main", source, len)?;
    intake.add("main".to_owned(), Vec::new(), source, stored);
    intake.finish()
}

impl Intake<'_> {
    /// Stores a dump, and says what it says of itself.
    pub(super) fn dump(
        &self,
        at: usize,
        shard: &str,
        source: impl Read,
        len: Option<u64>,
    ) -> Result<(Stored, crate::repo::Source)> {
        let seen = self.options.check.seen.clone().unwrap_or_default();
        let check = self.options.check.clone().seen(seen.clone());
        let all = self.options.keep_damaged;
        let sealer = self.sealer(&format!("{shard}.rdb"))?;
        let (report, sealed) =
            store_dump(self.watched(at, source, len, 0, Some(seen)), sealer, &check, all)?;
        let part = Part::new("dump.rdb", sealed.part.clone());
        let stated = stated(&report.facts);
        let mut content = Content::from(&report);
        content.bytes = sealed.part.plain_len;
        let report = as_value(&report)?;
        Ok((Stored { parts: vec![(part, sealed)], content, report, log: None }, stated))
    }
}
