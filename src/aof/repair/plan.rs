//! A plan: what stays of each file, what goes, and what is known of that.

use crate::aof::fileset::Layout;
use crate::aof::manifest::{FileKind, Manifest};
use crate::aof::repair::stamp::Stamp;
use crate::aof::traps::Trap;
use crate::error::Result;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// What a repair would do. Nothing was changed to make it, and it can be thrown away.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-plan-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use redkeep::aof::repair::{plan, Fate, RepairOptions};
/// let log = folder.join("appendonly.aof");
/// std::fs::write(&log, b"*1\r\n$8\r\nFLUSHALL\r\n*2\r\n$3\r\nDE")?;
/// let plan = plan(&log, &RepairOptions::default())?;
/// assert_eq!(plan.files[0].fate, Fate::Rewritten);
/// assert_eq!((plan.kept().commands, plan.lost().bytes), (1, 10));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Plan {
    /// What was looked at.
    pub path: PathBuf,
    /// How the files belong together.
    pub layout: Layout,
    /// The folder that they are in.
    pub folder: PathBuf,
    /// The list of the files, for a log of several parts.
    pub manifest: Option<ManifestPlan>,
    /// The files in the order they are loaded, those that leave the set among them.
    pub files: Vec<FilePlan>,
    /// What stands in the way: with any, the plan cannot be applied.
    pub obstacles: Vec<String>,
    /// What to know before one does.
    pub warnings: Vec<String>,
    /// What a server would do besides, with the files as they are now.
    pub traps: Vec<Trap>,
    /// Whether a given server would load what comes out.
    pub target: Option<Target>,
}

impl Plan {
    /// Whether there is nothing to do: all is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.obstacles.is_empty()
            && self.files.iter().all(|file| file.fate == Fate::Unchanged)
            && self.manifest.as_ref().is_none_or(|manifest| manifest.why.is_none())
    }

    /// What stays, of all files.
    #[must_use]
    pub fn kept(&self) -> Tally {
        self.files.iter().map(|file| file.kept).fold(Tally::default(), Tally::and)
    }

    /// What goes, of all files.
    #[must_use]
    pub fn lost(&self) -> Tally {
        self.files.iter().map(|file| file.lost).fold(Tally::default(), Tally::and)
    }
}

/// What becomes of a manifest.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-man-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use redkeep::aof::repair::{plan, RepairOptions};
/// std::fs::write(folder.join("appendonly.aof.manifest"), b"")?;
/// std::fs::write(folder.join("appendonly.aof.1.incr.aof"), b"*1\r\n$8\r\nFLUSHALL\r\n")?;
/// let manifest = plan(&folder, &RepairOptions::default())?.manifest.unwrap();
/// assert_eq!(manifest.after.increments[0].seq, 1);
/// assert!(manifest.why.is_some());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ManifestPlan {
    /// Its bare name.
    pub name: String,
    /// The file as it was seen; `None` where there is none.
    pub stamp: Option<Stamp>,
    /// What it is to say, the files by the names they have now.
    pub after: Manifest,
    /// Why it has to change; `None` where it says that already.
    pub why: Option<String>,
}

/// What becomes of one file.
///
/// ```
/// use redkeep::aof::repair::{plan_log, RepairOptions};
/// let log = b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n";
/// let file = plan_log(log, &RepairOptions::default())?;
/// let mut repaired = Vec::new();
/// file.write(std::io::Cursor::new(log), &mut repaired)?;
/// assert_eq!(repaired, &log[..20]);
/// assert_eq!(file.losses[0].cause.code(), "open_multi");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FilePlan {
    /// Its bare name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Base or increment.
    pub kind: FileKind,
    /// The file as it was seen; `None` for bytes in memory.
    pub stamp: Option<Stamp>,
    /// What becomes of it.
    pub fate: Fate,
    /// The ranges that stay, ascending and apart.
    pub pieces: Vec<Piece>,
    /// Single bytes that are put right, ascending. Those not applied stand in
    /// [`Loss::suspicious`].
    pub mends: Vec<Mend>,
    /// What stays.
    pub kept: Tally,
    /// What goes; commands as far as they can be read.
    pub lost: Tally,
    /// What goes, range by range, ascending.
    pub losses: Vec<Loss>,
}

impl FilePlan {
    /// Copies what stays of `source` to `target`, and returns the number of bytes written.
    ///
    /// # Errors
    /// `Io` where either fails; with `UnexpectedEof` where the source is shorter than it was.
    pub fn write(&self, mut source: impl Read + Seek, mut target: impl Write) -> Result<u64> {
        let mut written = 0;
        let mut mends = self.mends.iter().peekable();
        let mut block = vec![0; 1 << 16];
        for piece in &self.pieces {
            source.seek(SeekFrom::Start(piece.from))?;
            let mut at = piece.from;
            while at < piece.to {
                let want = usize::try_from(piece.to - at).unwrap_or(usize::MAX).min(block.len());
                let bytes = block.get_mut(..want).unwrap_or_default();
                source.read_exact(bytes)?;
                let end = at + want as u64;
                while let Some(mend) = mends.next_if(|mend| mend.at < end) {
                    let place =
                        mend.at.checked_sub(at).and_then(|place| usize::try_from(place).ok());
                    match place.and_then(|place| bytes.get_mut(place)) {
                        Some(byte) if *byte == mend.was => *byte = mend.now,
                        _ => {
                            return Err(io::Error::other(
                                "the file is not the one that was planned for",
                            )
                            .into());
                        }
                    }
                }
                target.write_all(bytes)?;
                (at, written) = (end, written + want as u64);
            }
        }
        Ok(written)
    }
}

/// What becomes of a file.
///
/// ```
/// assert_eq!(redkeep::aof::repair::Fate::Leaves.to_string(), "leaves the set");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Fate {
    /// It stays as it is.
    Unchanged,
    /// A part of it is written anew.
    Rewritten,
    /// It is no longer loaded: the log ends before it.
    Leaves,
}

/// A range of bytes, from the first to behind the last.
///
/// ```
/// use redkeep::aof::repair::{plan_log, RepairOptions};
/// let file = plan_log(b"*1\r\n$8\r\nFLUSHALL\r\n\0\0\0", &RepairOptions::default())?;
/// assert_eq!((file.pieces[0].from, file.pieces[0].to), (0, 18));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Piece {
    /// Offset of the first byte.
    pub from: u64,
    /// Offset behind the last one.
    pub to: u64,
}

/// How much.
///
/// ```
/// use redkeep::aof::repair::Tally;
/// assert_eq!(Tally::default().commands, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Tally {
    /// Bytes, of whatever.
    pub bytes: u64,
    /// Whole commands.
    pub commands: u64,
}

impl Tally {
    pub(crate) fn new(bytes: u64, commands: u64) -> Tally {
        Tally { bytes, commands }
    }

    pub(crate) fn and(self, other: Tally) -> Tally {
        Tally { bytes: self.bytes + other.bytes, commands: self.commands + other.commands }
    }
}

/// A byte of the framing that is put right.
///
/// ```
/// use redkeep::aof::repair::{plan_log, RepairOptions};
/// let log = b"*2\r\n$3\r\nDEL\r\n$?\r\na\r\n*1\r\n$8\r\nFLUSHALL\r\n";
/// let file = plan_log(log, &RepairOptions::default().salvage(true))?;
/// assert_eq!((file.mends[0].at, file.mends[0].was, file.mends[0].now), (14, b'?', b'1'));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Mend {
    /// Its offset.
    pub at: u64,
    /// What it is.
    pub was: u8,
    /// What it is to be.
    pub now: u8,
    /// Whether it was seen to be wrong; else one digit stands for another, which missing bytes
    /// would explain as well.
    pub visible: bool,
    /// Offset of the command that it is a part of.
    pub command: u64,
}

/// A range of bytes that goes.
///
/// ```
/// use redkeep::aof::repair::{plan_log, Doubt, LossCause, RepairOptions};
/// let log = b"*2\r\n$6\r\nSELEcT\r\n$1\r\n3\r\n*!!!\r\n$3\r\nDEL\r\n$3\r\nkey\r\n*1\r\n$8\r\nFLUSHALL\r\n";
/// let file = plan_log(log, &RepairOptions::default().salvage(true))?;
/// let loss = &file.losses[0];
/// assert_eq!((loss.from, loss.to, loss.cause), (23, 47, LossCause::Damage));
/// assert_eq!((loss.select, loss.unsure_db), (Doubt::Possible, 1));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Loss {
    /// Offset of the first byte.
    pub from: u64,
    /// Offset behind the last one.
    pub to: u64,
    /// Why it goes.
    pub cause: LossCause,
    /// How many whole commands are in it, as far as they can be read.
    pub commands: u64,
    /// What stays before it.
    pub before: Option<Neighbour>,
    /// What stays behind it.
    pub after: Option<Neighbour>,
    /// Names of commands that can be read in it, the first ones.
    pub names: Vec<String>,
    /// Keys that can be read in it, escaped and shortened, the first ones: their values behind the
    /// gap are not what they were.
    pub keys: Vec<String>,
    /// Whether a SELECT may be in it: what follows would then go to another database.
    pub select: Doubt,
    /// Whether a MULTI or EXEC may be in it.
    pub transaction: Doubt,
    /// How many commands follow for which the database is in doubt.
    pub unsure_db: u64,
    /// The one digit by which it would be a sound command, which is no proof.
    pub suspicious: Option<Mend>,
}

impl Loss {
    pub(crate) fn new(from: u64, to: u64, cause: LossCause) -> Loss {
        Loss {
            from,
            to,
            cause,
            commands: 0,
            before: None,
            after: None,
            names: Vec::new(),
            keys: Vec::new(),
            select: Doubt::No,
            transaction: Doubt::No,
            unsure_db: 0,
            suspicious: None,
        }
    }
}

/// A command beside a gap.
///
/// ```
/// use redkeep::aof::repair::{plan_log, RepairOptions};
/// let file = plan_log(b"*1\r\n$8\r\nFLUSHALL\r\n*1", &RepairOptions::default())?;
/// assert_eq!(file.losses[0].before.as_ref().unwrap().name, "FLUSHALL");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Neighbour {
    /// Its offset.
    pub offset: u64,
    /// Its name, escaped and shortened.
    pub name: String,
}

/// Whether something may be in bytes that cannot be read.
///
/// ```
/// use redkeep::aof::repair::Doubt;
/// assert!(Doubt::No < Doubt::Possible && Doubt::Possible < Doubt::Seen);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Doubt {
    /// It is not.
    No,
    /// It may.
    Possible,
    /// Its name can be read there.
    Seen,
}

/// Why bytes go.
///
/// ```
/// use redkeep::aof::repair::LossCause;
/// assert_eq!(LossCause::HalfTransaction.code(), "half_transaction");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LossCause {
    /// The file ends inside a record.
    Torn,
    /// A transaction at the end of the file has no EXEC.
    OpenMulti,
    /// The file ends in zeros, as some file systems leave it.
    Zeros,
    /// Bytes that no record has.
    Damage,
    /// What is left of a transaction a part of which is lost.
    HalfTransaction,
    /// A command that no server takes: of an unknown name, or with too many or few arguments.
    NoCommand,
    /// It is beyond the place where the log is to end.
    Cut,
}

impl LossCause {
    /// Its name in reports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            LossCause::Torn => "torn",
            LossCause::OpenMulti => "open_multi",
            LossCause::Zeros => "zeros",
            LossCause::Damage => "damage",
            LossCause::HalfTransaction => "half_transaction",
            LossCause::NoCommand => "no_command",
            LossCause::Cut => "cut",
        }
    }
}

/// Whether a server would load what comes out.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-target-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use redkeep::aof::repair::{plan, RepairOptions};
/// let log = folder.join("appendonly.aof");
/// std::fs::write(&log, b"*3\r\n$4\r\nCOPY\r\n$1\r\na\r\n$1\r\nb\r\n")?;
/// let target = plan(&log, &RepairOptions::default().server("redis-6.0".parse().unwrap()))?.target;
/// assert!(!target.unwrap().loads);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Target {
    /// The server, as it was given.
    pub server: String,
    /// Whether it would, as far as framing, names and numbers of arguments, and the headers of RDBs
    /// tell. What is inside an RDB is not looked at for this.
    pub loads: bool,
    /// Why not.
    pub because: Vec<String>,
}
