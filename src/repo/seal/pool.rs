//! Threads that compress frames, whose order stays.

use crate::error::{Error, Result};
use crate::repo::seal::frame;
use crate::repo::seal::table::Row;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// A frame that was made, and the buffer its bytes came in.
pub(super) struct Made {
    pub(super) frame: Vec<u8>,
    pub(super) row: Row,
    pub(super) plain: Vec<u8>,
}

/// Frames go to the threads in turn and come back in the same turn.
pub(super) struct Pool {
    workers: Vec<Worker>,
    given: usize,
    taken: usize,
}

struct Worker {
    jobs: Option<SyncSender<Vec<u8>>>,
    made: Receiver<Result<Made>>,
    thread: Option<JoinHandle<()>>,
}

impl Pool {
    pub(super) fn start(threads: usize, level: i32) -> Result<Pool> {
        let workers = (0..threads).map(|_| Worker::start(level)).collect::<Result<_>>()?;
        Ok(Pool { workers, given: 0, taken: 0 })
    }

    /// Whether each thread makes a frame and has the next.
    pub(super) fn is_full(&self) -> bool {
        self.given - self.taken >= 2 * self.workers.len()
    }

    pub(super) fn give(&mut self, plain: Vec<u8>) -> Result<()> {
        let worker = self.workers.get(self.given % self.workers.len().max(1));
        let jobs = worker.and_then(|worker| worker.jobs.as_ref()).ok_or_else(gone)?;
        jobs.send(plain).map_err(|_| gone())?;
        self.given += 1;
        Ok(())
    }

    /// The frame that was given first of those not yet taken, if there is one.
    pub(super) fn take(&mut self) -> Result<Option<Made>> {
        if self.taken == self.given {
            return Ok(None);
        }
        let worker = self.workers.get(self.taken % self.workers.len().max(1)).ok_or_else(gone)?;
        let made = worker.made.recv().map_err(|_| gone())??;
        self.taken += 1;
        Ok(Some(made))
    }
}

impl Worker {
    fn start(level: i32) -> Result<Worker> {
        let mut compressor = frame::new_compressor(level)?;
        // One frame waits while one is made.
        let (jobs, todo) = sync_channel::<Vec<u8>>(1);
        let (done, made) = sync_channel(2);
        let work = move || {
            for plain in todo {
                let mut frame = Vec::new();
                let row = frame::compress(&mut compressor, &plain, &mut frame);
                if done.send(row.map(|row| Made { frame, row, plain })).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("seal".to_owned()).spawn(work)?;
        Ok(Worker { jobs: Some(jobs), made, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        // What is made still fits its channel, so the thread ends.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cold]
fn gone() -> Error {
    io::Error::other("a thread that compresses has ended").into()
}
