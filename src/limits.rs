//! What untrusted input may cost.

/// Ceilings on memory while reading, with defaults that are safe for files of unknown origin.
///
/// No length in a file is believed: a buffer grows only with bytes that really came. These limits
/// bound what a file that *does* hold that much may cost.
///
/// ```
/// use redkeep::Limits;
/// let small = Limits::default().window(64 << 10).inflated(16 << 20);
/// assert_eq!(small.window, 65_536);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the biggest value a stream hands out whole, and of the biggest run of items of a
    /// bigger one. Default 1 MiB: larger windows gained nothing when measured.
    pub window: usize,
    /// Bytes of the biggest thing that cannot be cut and must be held at once: a key with its
    /// attributes, a function library, a consumer's name. Default 512 MiB, the servers' own
    /// `proto-max-bulk-len`.
    pub held: u64,
    /// Bytes that one compressed string may inflate to. Default 512 MiB.
    pub inflated: u64,
    /// Hash templates (Redis 8.10) that a file may declare. Default 2^21.
    pub templates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { window: 1 << 20, held: 512 << 20, inflated: 512 << 20, templates: 1 << 21 }
    }
}

impl Limits {
    /// Sets [`window`](Self::window), at least 64 bytes: less could not hold any single number.
    #[must_use]
    pub fn window(mut self, bytes: usize) -> Self {
        self.window = bytes.max(64);
        self
    }

    /// Sets [`held`](Self::held).
    #[must_use]
    pub fn held(mut self, bytes: u64) -> Self {
        self.held = bytes;
        self
    }

    /// Sets [`inflated`](Self::inflated).
    #[must_use]
    pub fn inflated(mut self, bytes: u64) -> Self {
        self.inflated = bytes;
        self
    }
}
