//! The connection: lines, bytes, and how long nothing came.

use crate::error::{Error, Fault, Result};
use crate::live::clock::Timer;
use crate::live::replication::options::ReplicationOptions;
use crate::wire::cursor::part;
use crate::wire::number::Digits;
use std::io::{self, Read, Write};
use std::time::Duration;

/// Bytes of the longest line that is read: those of the protocol have about 70, errors some hundreds.
const LONGEST_LINE: usize = 4096;

/// What one read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Got {
    Bytes(usize),
    /// Nothing within the stream's own timeout.
    Nothing,
    Closed,
}

pub(super) struct Link<S, C: Timer> {
    stream: S,
    clock: C,
    /// Read and not used: what came along with a line.
    buf: Vec<u8>,
    start: usize,
    end: usize,
    stall: Duration,
    began: C::Moment,
    /// Counted from then.
    deadline: Option<Duration>,
    /// Since when a read has been waiting: what the caller does between reads is no stall.
    waiting: Option<C::Moment>,
}

impl<S: Read + Write, C: Timer> Link<S, C> {
    pub(super) fn new(stream: S, mut clock: C, options: &ReplicationOptions) -> Self {
        Link {
            began: clock.moment(),
            stream,
            clock,
            buf: vec![0; LONGEST_LINE],
            start: 0,
            end: 0,
            stall: options.stall,
            deadline: options.deadline,
            waiting: None,
        }
    }

    /// The dump is complete: what follows may go on for ever.
    pub(super) fn lift_deadline(&mut self) {
        self.deadline = None;
    }

    /// Sends one command.
    pub(super) fn send(&mut self, command: &[&[u8]]) -> Result<()> {
        let mut text = Vec::with_capacity(64);
        let mut digits = Digits::new();
        let mut head = |mark: u8, count: usize, text: &mut Vec<u8>| {
            text.push(mark);
            text.extend_from_slice(digits.format(i64::try_from(count).unwrap_or(i64::MAX)));
            text.extend_from_slice(b"\r\n");
        };
        head(b'*', command.len(), &mut text);
        for argument in command {
            head(b'$', argument.len(), &mut text);
            text.extend_from_slice(argument);
            text.extend_from_slice(b"\r\n");
        }
        let mut began = self.clock.moment();
        let mut rest = &text[..];
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => return Err(cut("it takes no more bytes")),
                Ok(n) => {
                    rest = rest.get(n..).unwrap_or_default();
                    began = self.clock.moment();
                }
                Err(error) if is_tick(&error) => self.in_time(began, self.stall)?,
                Err(error) => return Err(failed(error)),
            }
        }
        self.stream.flush().map_err(failed)
    }

    /// The next line that is not empty, without its end: empty ones are keep-alives.
    pub(super) fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let ready = part(&self.buf, self.start, self.end);
            let upto = ready.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(part(ready, 0, upto.unwrap_or(ready.len())));
            self.start += upto.map_or(ready.len(), |at| at + 1);
            if line.len() > LONGEST_LINE {
                return Err(Error::from_fault(Fault::ServerReply)
                    .with_detail(format!("a line of more than {LONGEST_LINE} bytes")));
            }
            if upto.is_none() {
                self.fill()?;
                continue;
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                return Ok(line);
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        let mut buf = std::mem::take(&mut self.buf);
        let got = self.wait(&mut buf);
        self.buf = buf;
        (self.start, self.end) = (0, 0);
        match got? {
            0 => Err(cut("while an answer was awaited")),
            n => {
                self.end = n;
                Ok(())
            }
        }
    }

    /// At least one byte, or 0 where the connection is closed.
    pub(super) fn wait(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.read(into)? {
                Got::Bytes(n) => return Ok(n),
                Got::Closed => return Ok(0),
                Got::Nothing => {}
            }
        }
    }

    /// One read: first of what came along with a line. Errors where time is up.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<Got> {
        let mut ready = part(&self.buf, self.start, self.end);
        if !ready.is_empty() {
            let n = ready.read(into).unwrap_or(0); // a slice does not fail
            self.start += n;
            return Ok(Got::Bytes(n));
        }
        let waiting = match self.waiting {
            Some(since) => since,
            None => *self.waiting.insert(self.clock.moment()),
        };
        match self.stream.read(into) {
            Ok(0) => Ok(Got::Closed),
            Ok(n) => {
                // Slowly but steadily is no stall, and has to end as well.
                self.in_time(waiting, Duration::MAX)?;
                self.waiting = None;
                // A stream that counts wrong is no reason to panic.
                Ok(Got::Bytes(n.min(into.len())))
            }
            Err(error) if is_tick(&error) => {
                self.in_time(waiting, self.stall)?;
                Ok(Got::Nothing)
            }
            Err(error) if is_end(&error) => Ok(Got::Closed),
            Err(error) => Err(Error::io(error, None)),
        }
    }

    /// Whether there is time left, nothing having moved since then.
    fn in_time(&mut self, since: C::Moment, stall: Duration) -> Result<()> {
        if let Some(most) = self.deadline
            && self.clock.since(self.began) >= most
        {
            return Err(Error::from_fault(Fault::Deadline)
                .with_detail(format!("it was to be done within {most:?}")));
        }
        if self.clock.since(since) >= stall {
            let late = Error::io(io::Error::from(io::ErrorKind::TimedOut), None);
            return Err(late.with_detail(format!("the server was silent for {stall:?}")));
        }
        Ok(())
    }
}

/// What a read or write that has a timeout says when it is over; it says no more than that.
fn is_tick(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// The other side is gone, in whatever words.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
    };
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
    )
}

fn failed(error: io::Error) -> Error {
    if is_end(&error) { cut(&error.to_string()) } else { Error::io(error, None) }
}

pub(super) fn cut(when: &str) -> Error {
    Error::from_fault(Fault::TransferCut).with_detail(when)
}
