//! What may go wrong between the files of a log and a server that starts on them.

use std::fmt;

/// Something that a server does at its start and people do not expect.
///
/// ```
/// use redkeep::aof::{Risk, Trap};
/// let trap = Trap::IncrementReopened { file: "appendonly.aof.1.incr.aof".to_owned() };
/// assert_eq!((trap.code(), trap.risk()), ("increment_reopened", Risk::Loss));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[cfg_attr(feature = "json", serde(tag = "code", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Trap {
    /// A dump lies beside the log, and is not read: with `appendonly yes` only the log counts,
    /// even where there is none.
    DumpIgnored {
        /// Its name.
        file: String,
    },
    /// There are files of a log and no manifest: the server starts empty beside them.
    ManifestMissing {
        /// Their names.
        files: Vec<String>,
    },
    /// The server exits at the manifest.
    ManifestRefused {
        /// Why.
        error: String,
    },
    /// The manifest names a file that is not there: the server exits.
    Missing {
        /// Its name.
        file: String,
    },
    /// The server writes a new base over this file, which it did not load.
    BaseOverwritten {
        /// Its name.
        file: String,
    },
    /// The server appends to this file, which it did not load: what was in it comes back at the
    /// next start, mixed with what was written since.
    IncrementReopened {
        /// Its name.
        file: String,
    },
    /// A part of this log that the manifest does not name: it is not loaded.
    Stray {
        /// Its name.
        file: String,
    },
    /// The manifest calls it history: it is not loaded, and deleted after the start.
    HistoryDeleted {
        /// Its name.
        file: String,
    },
    /// An old single log that is not read, since there is a folder with a manifest.
    OldFileIgnored {
        /// Its name.
        file: String,
    },
    /// A folder with logs that is not looked into: a server before 7.0 knows single files only.
    FolderIgnored {
        /// Its name.
        folder: String,
    },
    /// The server moves the single log into a folder of its own: an older server no longer finds
    /// it then.
    Moved {
        /// Its name.
        file: String,
    },
    /// An increment that begins with an RDB, which is loaded on top of what is there already: a
    /// key that is in both ends the start.
    RdbIncrement {
        /// Its name.
        file: String,
    },
    /// A file begins with an RDB that this server cannot read: it exits.
    RdbUnreadable {
        /// Its name.
        file: String,
        /// The first bytes of the file.
        header: String,
    },
}

/// What is at stake with a [`Trap`].
///
/// ```
/// use redkeep::aof::Risk;
/// assert!(Risk::Note < Risk::Loss);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Risk {
    /// Good to know.
    Note,
    /// Data that one may take for part of the set is left out.
    LeftOut,
    /// The server does not start.
    Refusal,
    /// A start would change or delete files that it did not load.
    Loss,
}

impl Trap {
    /// Its name in reports.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Trap::DumpIgnored { .. } => "dump_ignored",
            Trap::ManifestMissing { .. } => "manifest_missing",
            Trap::ManifestRefused { .. } => "manifest_refused",
            Trap::Missing { .. } => "missing",
            Trap::BaseOverwritten { .. } => "base_overwritten",
            Trap::IncrementReopened { .. } => "increment_reopened",
            Trap::Stray { .. } => "stray",
            Trap::HistoryDeleted { .. } => "history_deleted",
            Trap::OldFileIgnored { .. } => "old_file_ignored",
            Trap::FolderIgnored { .. } => "folder_ignored",
            Trap::Moved { .. } => "moved",
            Trap::RdbIncrement { .. } => "rdb_increment",
            Trap::RdbUnreadable { .. } => "rdb_unreadable",
        }
    }

    /// What is at stake.
    #[must_use]
    pub fn risk(&self) -> Risk {
        match self {
            Trap::HistoryDeleted { .. } | Trap::Moved { .. } | Trap::RdbIncrement { .. } => {
                Risk::Note
            }
            Trap::DumpIgnored { .. }
            | Trap::ManifestMissing { .. }
            | Trap::Stray { .. }
            | Trap::OldFileIgnored { .. }
            | Trap::FolderIgnored { .. } => Risk::LeftOut,
            Trap::ManifestRefused { .. } | Trap::Missing { .. } | Trap::RdbUnreadable { .. } => {
                Risk::Refusal
            }
            Trap::BaseOverwritten { .. } | Trap::IncrementReopened { .. } => Risk::Loss,
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trap::DumpIgnored { file } => write!(f, "{file} is not read: only the log counts"),
            Trap::ManifestMissing { files } => {
                write!(f, "no manifest: the server starts empty beside {}", files.join(", "))
            }
            Trap::ManifestRefused { error } => write!(f, "the server exits: {error}"),
            Trap::Missing { file } => write!(f, "the server exits: {file} is not there"),
            Trap::BaseOverwritten { file } => {
                write!(f, "{file} is not loaded, and a new base is written over it")
            }
            Trap::IncrementReopened { file } => {
                write!(f, "{file} is not loaded, and new commands are appended to it")
            }
            Trap::Stray { file } => write!(f, "{file} is not in the manifest and not loaded"),
            Trap::HistoryDeleted { file } => write!(f, "{file} is history, and will be deleted"),
            Trap::OldFileIgnored { file } => {
                write!(f, "{file} is not read: there is a folder with a manifest")
            }
            Trap::FolderIgnored { folder } => {
                write!(f, "{folder} is not looked into: this server knows single files only")
            }
            Trap::Moved { file } => {
                write!(
                    f,
                    "{file} is moved into the folder of logs, where older servers do not look"
                )
            }
            Trap::RdbIncrement { file } => {
                write!(f, "{file} is an increment and begins with an RDB, which is loaded as well")
            }
            Trap::RdbUnreadable { file, header } => {
                write!(f, "the server exits: {file} begins with \"{header}\", which it cannot read")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_says_in_one_line_what_happens_to_which_file() {
        let file = || "x.aof".to_owned();
        let traps = [
            Trap::DumpIgnored { file: file() },
            Trap::ManifestMissing { files: vec![file()] },
            Trap::ManifestRefused { error: file() },
            Trap::Missing { file: file() },
            Trap::BaseOverwritten { file: file() },
            Trap::IncrementReopened { file: file() },
            Trap::Stray { file: file() },
            Trap::HistoryDeleted { file: file() },
            Trap::OldFileIgnored { file: file() },
            Trap::FolderIgnored { folder: file() },
            Trap::Moved { file: file() },
            Trap::RdbIncrement { file: file() },
            Trap::RdbUnreadable { file: file(), header: "VALKEY080".to_owned() },
        ];
        let codes: std::collections::BTreeSet<_> = traps.iter().map(Trap::code).collect();
        assert_eq!(codes.len(), traps.len());
        for trap in &traps {
            let text = trap.to_string();
            assert!(text.contains("x.aof") && !text.contains('\n'), "{text}");
        }
        assert_eq!(traps.iter().map(Trap::risk).max(), Some(Risk::Loss));
    }

    #[cfg(feature = "json")]
    #[test]
    fn a_serialised_trap_has_its_code() {
        for trap in [
            Trap::DumpIgnored { file: String::new() },
            Trap::RdbUnreadable { file: String::new(), header: String::new() },
        ] {
            let json = serde_json::to_value(&trap).unwrap();
            assert_eq!(json["code"], trap.code());
        }
    }
}
