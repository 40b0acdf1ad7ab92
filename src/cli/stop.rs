//! Ctrl-C: what is being done is ended in order, so that nothing of it is half there.

#[cfg(feature = "live")]
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on the first Ctrl-C, or SIGTERM, asks to stop, and the second one stops at once.
pub(crate) fn listen() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM] {
        // In this order: the one that asks does not stop yet. Where it cannot be had, the signal kills as ever.
        let at_once =
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&ASKED));
        if at_once.is_ok() {
            let _ = signal_hook::flag::register(signal, Arc::clone(&ASKED));
        }
    }
}

pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// What whoever tells how far it is, is answered.
#[cfg(feature = "live")]
pub(crate) fn or_go_on() -> ControlFlow<()> {
    if is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
