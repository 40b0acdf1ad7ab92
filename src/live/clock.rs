//! Time, given by the caller: the library reads no clock of its own.

use std::time::Duration;

/// A clock to wait by.
///
/// ```
/// use redkeep::live::Clock;
/// use std::time::{Duration, Instant};
///
/// struct System(Instant);
/// impl Clock for System {
///     fn elapsed(&self) -> Duration {
///         self.0.elapsed()
///     }
///     fn sleep(&self, time: Duration) {
///         std::thread::sleep(time);
///     }
/// }
/// assert!(System(Instant::now()).elapsed() < Duration::from_secs(60));
/// ```
pub trait Clock {
    /// How much time went by since a moment that does not change.
    fn elapsed(&self) -> Duration;

    /// Returns after about this time. A wait is given up once [`elapsed`](Self::elapsed) runs past its
    /// deadline, which a caller that wants to stop can bring about.
    fn sleep(&self, time: Duration);
}
