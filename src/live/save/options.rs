//! How a save is asked for, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

/// How a save is asked for and waited for, by `BGSAVE` or `SAVE`.
///
/// ```
/// use redkeep::live::SaveOptions;
/// use std::time::Duration;
/// let options = SaveOptions::default().file("/mnt/redis/dump.rdb").deadline(Duration::from_secs(600));
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SaveOptions {
    /// The server's dump file as seen from here. Default: what `CONFIG GET` says.
    pub file: Option<PathBuf>,
    /// How long all of it may take. Default one hour.
    pub deadline: Duration,
    /// How often the server is asked whether it is done. Default 100 ms.
    pub poll: Duration,
    /// How often a save is asked for, where others save at the same time or a save leaves no
    /// file. Default 5.
    pub rounds: u32,
}

impl Default for SaveOptions {
    fn default() -> Self {
        SaveOptions {
            file: None,
            deadline: Duration::from_secs(3600),
            poll: Duration::from_millis(100),
            rounds: 5,
        }
    }
}

impl SaveOptions {
    /// Sets [`file`](Self::file).
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn deadline(mut self, most: Duration) -> Self {
        self.deadline = most;
        self
    }

    /// Sets [`poll`](Self::poll).
    #[must_use]
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// Sets [`rounds`](Self::rounds), at least one.
    #[must_use]
    pub fn rounds(mut self, most: u32) -> Self {
        self.rounds = most.max(1);
        self
    }
}
