//! Lines on their way out: what is done when one is complete, too long to be held, or given up.

use super::text::Text;
use crate::error::{Error, Result};
use std::io::{self, Write};
use std::ops::Range;

/// Complete lines are written out when they come to this many bytes: few calls, and it all stays
/// in the second-level cache.
const FLUSH: usize = 256 << 10;
/// A line is written out unfinished when this many bytes wait.
const SPILL: usize = 1 << 20;

/// The line being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Current {
    None,
    /// All of it is in the buffer, from here on.
    Held(usize),
    /// A part of it has been written out.
    Partly,
}

pub(super) struct Lines {
    pub(super) text: Text,
    current: Current,
    /// The last key as JSON: in the buffer, or saved when that was emptied.
    pub(super) key_at: Range<usize>,
    key: Vec<u8>,
    written: u64,
    count: u64,
    broken: Option<io::ErrorKind>,
}

impl Lines {
    pub(super) fn new() -> Lines {
        Lines {
            text: Text::new(),
            current: Current::None,
            key_at: 0..0,
            key: Vec::new(),
            written: 0,
            count: 0,
            broken: None,
        }
    }

    #[inline(always)]
    pub(super) fn begin(&mut self) {
        if self.current != Current::None {
            self.cut();
        }
        self.current = Current::Held(self.text.len());
    }

    #[inline(always)]
    pub(super) fn end(&mut self, sink: &mut dyn Write) -> Result<()> {
        self.text.push(b'\n');
        self.current = Current::None;
        self.count += 1;
        if self.text.len() >= FLUSH {
            return self.flush(sink);
        }
        Ok(())
    }

    /// Gives the current line up: takes it back, or leaves what is out of it unfinished.
    #[cold]
    pub(super) fn cut(&mut self) {
        self.save_key();
        match self.current {
            Current::None => {}
            Current::Held(start) => self.text.truncate(start),
            Current::Partly => self.text.push(b'\n'),
        }
        self.current = Current::None;
    }

    /// Bounds what an unfinished line holds.
    #[inline(always)]
    pub(super) fn spill(&mut self, sink: &mut dyn Write) -> Result<()> {
        if self.text.len() >= SPILL {
            return self.spill_now(sink);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn spill_now(&mut self, sink: &mut dyn Write) -> Result<()> {
        if self.current != Current::None {
            self.current = Current::Partly;
        }
        self.flush(sink)
    }

    #[inline(never)]
    pub(super) fn flush(&mut self, sink: &mut dyn Write) -> Result<()> {
        self.save_key();
        let bytes = self.text.bytes();
        let done = match self.broken {
            // Once some bytes may be lost, none may follow.
            Some(kind) => Err(kind.into()),
            None => sink.write_all(bytes),
        };
        if done.is_ok() {
            self.written += bytes.len() as u64;
        }
        self.text.truncate(0);
        done.map_err(|error| {
            self.broken = Some(error.kind());
            Error::from(error)
        })
    }

    fn save_key(&mut self) {
        if let Some(key) = self.text.bytes().get(self.key_at.clone())
            && !key.is_empty()
        {
            self.key.clear();
            self.key.extend_from_slice(key);
        }
        self.key_at = 0..0;
    }

    /// The last key's JSON; `None` before the first, and where it could not be read.
    pub(super) fn last_key(&mut self) -> Option<&[u8]> {
        self.save_key();
        (!self.key.is_empty()).then_some(&self.key)
    }

    #[cold]
    pub(super) fn forget_key(&mut self) {
        self.key_at = 0..0;
        self.key.clear();
    }

    /// Bytes written out, and lines completed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.written, self.count)
    }
}
