//! Time, given by the caller: the library reads no clock of its own.

use std::time::{Duration, Instant};

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

impl<T: Clock + ?Sized> Clock for &T {
    fn elapsed(&self) -> Duration {
        (**self).elapsed()
    }

    fn sleep(&self, time: Duration) {
        (**self).sleep(time);
    }
}

/// What deadlines are counted by where nothing is slept through: [`Instant::now`], or a [`Clock`] by
/// [`Ticking`].
///
/// ```
/// use redkeep::live::Timer;
/// use std::time::{Duration, Instant};
/// let mut timer = Instant::now;
/// let begin = timer.moment();
/// assert!(timer.since(begin) < Duration::from_secs(60));
/// ```
pub trait Timer {
    /// A point in time.
    type Moment: Copy;

    /// The one that it is now.
    fn moment(&mut self) -> Self::Moment;

    /// How much time went by since then.
    fn since(&mut self, then: Self::Moment) -> Duration;
}

impl<F: FnMut() -> Instant> Timer for F {
    type Moment = Instant;

    fn moment(&mut self) -> Instant {
        self()
    }

    fn since(&mut self, then: Instant) -> Duration {
        self().saturating_duration_since(then)
    }
}

/// A clock as a [`Timer`].
///
/// ```
/// use redkeep::live::{Clock, Ticking, Timer};
/// # struct Stopped;
/// # impl Clock for Stopped {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, _: std::time::Duration) {}
/// # }
/// assert!(Ticking(&Stopped).moment().is_zero());
/// ```
#[derive(Debug)]
pub struct Ticking<'c, T: ?Sized>(pub &'c T);

impl<T: Clock + ?Sized> Timer for Ticking<'_, T> {
    type Moment = Duration;

    fn moment(&mut self) -> Duration {
        self.0.elapsed()
    }

    fn since(&mut self, then: Duration) -> Duration {
        self.0.elapsed().saturating_sub(then)
    }
}
