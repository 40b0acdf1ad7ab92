//! What somebody should look at.

use crate::repo::BackupId;
use serde::Serialize;
use std::fmt;

/// How urgent something is, from the best up.
///
/// ```
/// use redkeep::task::StatusLevel;
/// assert!(StatusLevel::Ok < StatusLevel::Critical);
/// assert_eq!(StatusLevel::Warning.to_string(), "warning");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusLevel {
    /// As it should be.
    #[default]
    Ok,
    /// Somebody should look at it.
    Warning,
    /// The data may not be safe.
    Critical,
}

impl fmt::Display for StatusLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StatusLevel::Ok => "ok",
            StatusLevel::Warning => "warning",
            StatusLevel::Critical => "critical",
        })
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $code:literal $level:ident,)*) => {
        /// What somebody should look at.
        ///
        /// ```
        /// use redkeep::task::{StatusCode, StatusLevel};
        /// assert_eq!(StatusCode::TooOld.to_string(), "too_old");
        /// assert_eq!(StatusCode::TooOld.level(), StatusLevel::Critical);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum StatusCode {
            $($(#[$doc])* $name,)*
        }

        impl StatusCode {
            /// All of them.
            pub const ALL: &'static [StatusCode] = &[$(StatusCode::$name),*];

            /// Its name in reports, which stays.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(StatusCode::$name => $code,)*
                }
            }

            /// How urgent it is.
            #[must_use]
            pub fn level(self) -> StatusLevel {
                match self {
                    $(StatusCode::$name => StatusLevel::$level,)*
                }
            }
        }
    };
}

codes! {
    /// The stream has no backup.
    NoBackup "no_backup" Critical,
    /// The newest backup is older than allowed.
    TooOld "too_old" Critical,
    /// The newest verified backup is older than allowed, or there is none.
    VerifiedTooOld "verified_too_old" Critical,
    /// The newest backup failed a check, or its manifest cannot be read.
    NewestFailed "newest_failed" Critical,
    /// Backups before the newest failed a check.
    Failed "failed" Warning,
    /// Manifests of backups before the newest cannot be read.
    Unreadable "unreadable" Warning,
    /// The newest backup has less in it than those before.
    Shrank "shrank" Warning,
    /// The newest backup has more in it than those before.
    Grew "grew" Warning,
    /// The newest backup is of another server than the one before.
    OtherSource "other_source" Warning,
    /// A backup was taken after now: a clock is wrong.
    Future "future" Warning,
    /// What a killed writer left takes room.
    Remains "remains" Warning,
    /// Whoever had the stream last did not give it back, and its lease is over: it was killed.
    LockOver "lock_over" Warning,
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for StatusCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.code())
    }
}

/// One thing that somebody should look at.
///
/// See [`status`](crate::task::status()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusFinding {
    /// How urgent it is.
    pub level: StatusLevel,
    /// What it is.
    pub code: StatusCode,
    /// The backup that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// One sentence.
    pub message: String,
}

impl StatusFinding {
    pub(super) fn new(
        code: StatusCode,
        backup: Option<BackupId>,
        message: impl Into<String>,
    ) -> StatusFinding {
        StatusFinding { level: code.level(), code, backup, message: message.into() }
    }
}

impl fmt::Display for StatusFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level, self.message)
    }
}
