//! A thread that stores while others compress: stores may be slow.

use crate::error::{Error, Fault, Result};
use crate::repo::store::ObjectWriter;
use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes handed over at once.
const BLOCK: usize = 1 << 20;
/// Blocks that may wait: where a store is slower than all else, no more is made for it.
const WAITING: usize = 4;

/// An object on its way into a store. Dropped before it is committed, it never was.
pub(crate) struct Posted {
    block: Vec<u8>,
    /// `None` once it is over.
    thread: Option<(SyncSender<Vec<u8>>, JoinHandle<Stored>)>,
}

type Stored = io::Result<Box<dyn ObjectWriter>>;

impl Posted {
    pub(super) fn begin(mut writer: Box<dyn ObjectWriter>) -> Result<Posted> {
        let (sender, blocks) = sync_channel::<Vec<u8>>(WAITING);
        let store = move || {
            for block in blocks {
                writer.write_all(&block)?;
            }
            Ok(writer)
        };
        let thread = std::thread::Builder::new().name("redkeep-store".to_owned()).spawn(store)?;
        Ok(Posted { block: Vec::new(), thread: Some((sender, thread)) })
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        let sent = self.thread.as_ref().is_some_and(|(sender, _)| sender.send(block).is_ok());
        match sent {
            true => Ok(()),
            // It ended before its time, and says why.
            false => match self.end() {
                Err(error) => Err(error),
                Ok(_) => Err(io::Error::other(Error::from_fault(Fault::PastTheEnd))),
            },
        }
    }

    /// Waits for all that was handed over.
    fn end(&mut self) -> Stored {
        let Some((sender, thread)) = self.thread.take() else {
            return Err(io::Error::other(Error::from_fault(Fault::PastTheEnd)));
        };
        drop(sender);
        thread.join().unwrap_or_else(|_| Err(io::Error::other(Error::from_fault(Fault::Internal))))
    }

    /// Puts it in its place.
    pub(super) fn commit(mut self) -> Result<()> {
        if !self.block.is_empty() {
            self.hand_over()?;
        }
        self.end()?.commit()
    }
}

impl Write for Posted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        // Whoever cleans up after it finds it gone.
        drop(self.end());
    }
}
