//! The clock of this machine, for what waits.

use redkeep::live::Clock;
use std::time::{Duration, Instant};

pub(crate) struct System(Instant);

impl System {
    pub(crate) fn start() -> System {
        System(Instant::now())
    }
}

impl Clock for System {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
