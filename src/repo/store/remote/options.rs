//! How patient a remote store is, and how greedy.

use std::time::Duration;

/// How a remote store deals with a service that is slow or fails.
///
/// ```
/// use redkeep::repo::store::RemoteOptions;
/// let options = RemoteOptions::default().retries(8).concurrency(4);
/// assert_eq!(options.part, 8 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteOptions {
    /// How long one try of a small request may take, and how long the runtime may take to begin.
    /// Default 60 s.
    pub timeout: Duration,
    /// How long one try to send or to receive one part may take. Default 60 s: 8 MiB at 140 KB/s.
    pub part_timeout: Duration,
    /// How often a request that failed in a passing way is tried again. Default 4.
    pub retries: usize,
    /// The pause before the first of these; each later one is twice as long, up to 30 s, and varied.
    /// Default 500 ms.
    pub pause: Duration,
    /// HTTP requests at once, of one store and its clones. What waits for its turn spends its timeout.
    /// Default 16.
    pub requests: usize,
    /// Parts of one object that are sent at once. Default 2. A writer takes as much memory as these and
    /// two to four parts more: 43 MiB were seen with the defaults.
    pub concurrency: usize,
    /// Bytes of a part. Default 8 MiB; S3 takes no less than 5 MiB and 10,000 of them.
    pub part: usize,
    /// Bytes of the biggest object, where each is to be sent in one request: it is held in memory until
    /// its commit. None: in parts. Default none, and 64 MiB for Swift, of which opendal leaves the parts
    /// behind when it deletes an object.
    pub one_request: Option<usize>,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        RemoteOptions {
            timeout: Duration::from_secs(60),
            part_timeout: Duration::from_secs(60),
            retries: 4,
            pause: Duration::from_millis(500),
            requests: 16,
            concurrency: 2,
            part: 8 << 20,
            one_request: None,
        }
    }
}

impl RemoteOptions {
    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Sets [`part_timeout`](Self::part_timeout).
    #[must_use]
    pub fn part_timeout(mut self, time: Duration) -> Self {
        self.part_timeout = time;
        self
    }

    /// Sets [`retries`](Self::retries).
    #[must_use]
    pub fn retries(mut self, times: usize) -> Self {
        self.retries = times;
        self
    }

    /// Sets [`pause`](Self::pause).
    #[must_use]
    pub fn pause(mut self, time: Duration) -> Self {
        self.pause = time;
        self
    }

    /// Sets [`requests`](Self::requests), at least one.
    #[must_use]
    pub fn requests(mut self, requests: usize) -> Self {
        self.requests = requests.max(1);
        self
    }

    /// Sets [`concurrency`](Self::concurrency), at least one.
    #[must_use]
    pub fn concurrency(mut self, parts: usize) -> Self {
        self.concurrency = parts.max(1);
        self
    }

    /// Sets [`part`](Self::part), at least one byte.
    #[must_use]
    pub fn part(mut self, bytes: usize) -> Self {
        self.part = bytes.max(1);
        self
    }

    /// Sets [`one_request`](Self::one_request).
    #[must_use]
    pub fn one_request(mut self, bytes: usize) -> Self {
        self.one_request = Some(bytes);
        self
    }
}
