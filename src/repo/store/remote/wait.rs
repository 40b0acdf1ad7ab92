//! Waiting for what a runtime does, from a thread that is none of its own.

use crate::error::{Error, Fault, Result};
use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use tokio::runtime::Handle;

/// The caller's runtime.
#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) handle: Handle,
    /// How long the runtime may take to begin.
    pub(super) patience: Duration,
}

impl Waiter {
    /// Lets the runtime do something and waits for what comes of it. How long that may take is for
    /// the timeouts of the requests to say; but a runtime that does not even begin never will.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = sync_channel(2);
        // `Handle::block_on` would panic in a thread of the runtime.
        let task = self.handle.spawn(async move {
            let _ = sender.send(None);
            let _ = sender.send(Some(future.await));
        });
        match receiver.recv_timeout(self.patience) {
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                Err(Error::from_fault(Fault::StoreFailed).with_detail(
                    "the runtime does not begin: call this from `spawn_blocking`, or a thread of \
                     your own, while it runs",
                ))
            }
            Err(RecvTimeoutError::Disconnected) => Err(over()),
            Ok(Some(done)) => Ok(done),
            Ok(None) => receiver.recv().ok().flatten().ok_or_else(over),
        }
    }
}

fn over() -> Error {
    Error::from_fault(Fault::StoreFailed).with_detail("the runtime was shut down")
}
