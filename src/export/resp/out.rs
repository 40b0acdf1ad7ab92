//! Commands on their way out: each is held until it is complete, and then written with others.

use crate::aof::frame;
use crate::error::{Error, Fault, Result};
use crate::rdb::StreamId;
use crate::wire::number::Digits;
use std::io::{self, Write};

/// Complete commands are written out when they come to this many bytes.
const FLUSH: usize = 256 << 10;
/// A part of a command that is as big as this is written from where it lies.
const BIG: usize = 256 << 10;
/// The room that is kept when it was more.
const KEPT: usize = 4 << 20;

/// What an argument over the limit is told.
const TOO_BIG: &str = "an argument of a command is bigger than servers take (proto-max-bulk-len)";

pub(super) struct Out {
    block: Vec<u8>,
    /// Where the command being written begins.
    start: usize,
    /// Biggest argument that is allowed.
    limit: u64,
    too_big: bool,
    /// Nothing more is to come out.
    muted: bool,
    /// Whether all of it stays in the block, which whoever lent it takes back.
    lent: bool,
    written: u64,
    commands: u64,
    broken: Option<io::ErrorKind>,
}

impl Out {
    pub(super) fn new(limit: u64) -> Out {
        Out {
            block: Vec::new(),
            start: 0,
            limit,
            too_big: false,
            muted: false,
            lent: false,
            written: 0,
            commands: 0,
            broken: None,
        }
    }

    /// From now on commands are thrown away.
    pub(super) fn mute(&mut self) {
        self.muted = true;
    }

    /// Lends a buffer, behind whose bytes everything is written; asked again, gives it back.
    #[cfg(feature = "live")]
    #[inline]
    pub(super) fn lend(&mut self, block: &mut Vec<u8>) {
        std::mem::swap(&mut self.block, block);
        self.lent = !self.lent;
        self.start = self.block.len();
    }

    /// Begins a command of so many arguments, its name counted.
    #[inline]
    pub(super) fn begin(&mut self, arguments: usize, name: &str) {
        self.start = self.block.len();
        frame::array(arguments, &mut self.block);
        frame::bulk(name.as_bytes(), &mut self.block);
    }

    #[inline]
    pub(super) fn word(&mut self, bytes: &[u8]) {
        self.too_big |= bytes.len() as u64 > self.limit;
        frame::bulk(bytes, &mut self.block);
    }

    /// The head of an argument whose bytes [end](Self::end_with) the command or begin its end.
    #[inline]
    pub(super) fn word_head(&mut self, len: u64) {
        self.too_big |= len > self.limit;
        frame::bulk_head(len, &mut self.block);
    }

    /// An argument, or several, framed already.
    #[inline]
    pub(super) fn framed(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
    }

    /// An argument that is made where it stands.
    #[inline]
    pub(super) fn word_by(&mut self, len: u64, make: impl FnOnce(&mut Vec<u8>)) {
        self.word_head(len);
        make(&mut self.block);
        self.block.extend_from_slice(b"\r\n");
    }

    #[inline]
    pub(super) fn number(&mut self, n: i64) {
        match n {
            0 => self.block.extend_from_slice(b"$1\r\n0\r\n"),
            n => frame::bulk(Digits::new().format(n), &mut self.block),
        }
    }

    pub(super) fn unsigned(&mut self, n: u64) {
        let mut text = Vec::with_capacity(20);
        frame::decimal(n, &mut text);
        frame::bulk(&text, &mut self.block);
    }

    pub(super) fn id(&mut self, id: StreamId) {
        frame::bulk(id.to_string().as_bytes(), &mut self.block);
    }

    /// Whether an argument of this length may be sent.
    pub(super) fn check(&self, len: u64) -> Result<()> {
        if len > self.limit { Err(too_big()) } else { Ok(()) }
    }

    /// Ends the command.
    #[inline]
    pub(super) fn end(&mut self, to: &mut dyn Write) -> Result<()> {
        if self.muted || self.too_big {
            self.block.truncate(self.start);
            return if std::mem::take(&mut self.too_big) { Err(too_big()) } else { Ok(()) };
        }
        self.commands += 1;
        self.start = self.block.len();
        if self.start >= FLUSH && !self.lent { self.flush(to) } else { Ok(()) }
    }

    /// Whether a value that is no longer needed is best [taken over](Self::take_over).
    pub(super) fn takes_over(&self) -> bool {
        self.lent && !self.muted && !self.too_big
    }

    /// A part of a command that is not copied: what stands before it moves in front of its bytes.
    pub(super) fn take_over(&mut self, mut bytes: Vec<u8>) {
        // As much as usually follows; a buffer that grew would be twice its size.
        bytes.reserve_exact(self.block.len() + 128);
        bytes.splice(..0, self.block.drain(..));
        self.block = bytes;
    }

    /// Takes back a command that was begun.
    #[cfg(feature = "live")]
    pub(super) fn abandon(&mut self) {
        self.block.truncate(self.start);
        self.too_big = false;
    }

    /// Parts of the command, framed already; big ones are not copied.
    pub(super) fn parts(&mut self, parts: &[&[u8]], to: &mut dyn Write) -> Result<()> {
        for part in parts {
            if part.len() < BIG {
                self.block.extend_from_slice(part);
            } else if self.muted || self.too_big {
                continue;
            } else if self.lent {
                self.block.extend_from_slice(part);
            } else {
                self.flush(to)?;
                self.put(part, to)?;
            }
        }
        Ok(())
    }

    /// Ends the command with such parts.
    pub(super) fn end_with(&mut self, parts: &[&[u8]], to: &mut dyn Write) -> Result<()> {
        self.parts(parts, to)?;
        self.end(to)
    }

    #[inline(never)]
    pub(super) fn flush(&mut self, to: &mut dyn Write) -> Result<()> {
        let mut block = std::mem::take(&mut self.block);
        let done = self.put(&block, to);
        if block.capacity() <= KEPT {
            block.clear();
            self.block = block;
        }
        self.start = 0;
        done
    }

    fn put(&mut self, bytes: &[u8], to: &mut dyn Write) -> Result<()> {
        let done = match self.broken {
            // Once some bytes may be lost, none may follow.
            Some(kind) => Err(kind.into()),
            None => to.write_all(bytes),
        };
        match done {
            Ok(()) => self.written += bytes.len() as u64,
            Err(error) => {
                self.broken = Some(error.kind());
                return Err(Error::from(error));
            }
        }
        Ok(())
    }

    /// Bytes written out, and commands completed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.written, self.commands)
    }
}

#[cold]
fn too_big() -> Error {
    Error::from_fault(Fault::Held).with_detail(TOO_BIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_part_goes_out_behind_what_stands_before_it() {
        for size in [10, BIG, 3 * BIG] {
            let (mut out, mut to) = (Out::new(u64::MAX), Vec::new());
            let value = vec![b'v'; size];
            for _ in 0..2 {
                out.begin(2, "ECHO");
                out.word_head(size as u64);
                out.end_with(&[&value, b"\r\n"], &mut to).unwrap();
            }
            out.flush(&mut to).unwrap();
            let mut one = format!("*2\r\n$4\r\nECHO\r\n${size}\r\n").into_bytes();
            one.extend([&value[..], b"\r\n"].concat());
            assert_eq!(to, one.repeat(2));
            assert_eq!(out.counts(), (to.len() as u64, 2));
        }
    }

    #[test]
    fn an_argument_over_the_limit_leaves_no_command() {
        let (mut out, mut to) = (Out::new(3), Vec::new());
        out.begin(2, "ECHO");
        out.word(b"four");
        assert_eq!(out.end(&mut to).unwrap_err().fault(), Some(Fault::Held));
        out.begin(2, "ECHO");
        out.word(b"one");
        out.end(&mut to).unwrap();
        out.mute();
        out.begin(1, "PING");
        out.end(&mut to).unwrap();
        out.flush(&mut to).unwrap();
        assert_eq!(to, b"*2\r\n$4\r\nECHO\r\n$3\r\none\r\n");
        assert_eq!(out.counts().1, 1);
    }
}
