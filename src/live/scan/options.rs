//! Which keys a scan takes, and what of them.

use std::path::PathBuf;

/// Which keys a scan takes, and how many at a time.
///
/// ```
/// use redkeep::live::ScanOptions;
/// let options = ScanOptions::default().pattern("user:*").data_type("hash").dbs([0]);
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScanOptions {
    /// Keys of this pattern, as of `KEYS`. Default: all.
    pub pattern: Option<Vec<u8>>,
    /// Keys of this type, as of `TYPE`; since Redis 6.0. Default: all.
    pub data_type: Option<String>,
    /// These databases. Default: all that are not empty.
    pub dbs: Option<Vec<u64>>,
    /// How many keys to ask for at a time, and the most whose values are held at once: fewer where they
    /// are big. Default 1000.
    pub count: u32,
    /// Bytes of memory to remember which keys were written, so that none is written twice, however many
    /// there are: of more than fit in, 16 bytes per key go into a file, and for a moment twice that.
    /// Default 32 MiB, which is enough for 786 432 keys of a database without a file.
    pub memory: u64,
    /// The folder of that file, which has no name and goes with the scan. Default:
    /// [`temp_dir`](std::env::temp_dir).
    pub temp_dir: Option<PathBuf>,
    /// Whether to take the seconds since each key was last used (`OBJECT IDLETIME`). Servers refuse
    /// that under a policy that counts uses (LFU); of small integers, which keys share, they say
    /// nonsense (seen with Redis 7.2 to 8.0 and Valkey 7.2 and 8.0). Default: no.
    pub idle: bool,
    /// Whether to take how often each key is used (`OBJECT FREQ`, since Redis 4.0). Servers refuse
    /// that unless under a policy that counts uses (LFU). Default: no.
    pub frequency: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        ScanOptions {
            pattern: None,
            data_type: None,
            dbs: None,
            count: 1000,
            memory: 32 << 20,
            temp_dir: None,
            idle: false,
            frequency: false,
        }
    }
}

impl ScanOptions {
    /// Sets [`pattern`](Self::pattern).
    #[must_use]
    pub fn pattern(mut self, pattern: impl Into<Vec<u8>>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Sets [`data_type`](Self::data_type).
    #[must_use]
    pub fn data_type(mut self, name: impl Into<String>) -> Self {
        self.data_type = Some(name.into());
        self
    }

    /// Sets [`dbs`](Self::dbs).
    #[must_use]
    pub fn dbs(mut self, dbs: impl IntoIterator<Item = u64>) -> Self {
        self.dbs = Some(dbs.into_iter().collect());
        self
    }

    /// Sets [`count`](Self::count), at least one.
    #[must_use]
    pub fn count(mut self, keys: u32) -> Self {
        self.count = keys.max(1);
        self
    }

    /// Sets [`memory`](Self::memory).
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets [`temp_dir`](Self::temp_dir).
    #[must_use]
    pub fn temp_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.temp_dir = Some(folder.into());
        self
    }

    /// Sets [`idle`](Self::idle).
    #[must_use]
    pub fn idle(mut self, take: bool) -> Self {
        self.idle = take;
        self
    }

    /// Sets [`frequency`](Self::frequency).
    #[must_use]
    pub fn frequency(mut self, take: bool) -> Self {
        self.frequency = take;
        self
    }
}
