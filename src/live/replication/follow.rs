//! The commands after the dump.

use crate::aof::Command;
use crate::error::{Error, Fault, Result};
use crate::live::clock::Timer;
use crate::live::replication::link::{Got, Link, cut};
use crate::live::replication::transfer::Received;
use crate::wire::cursor::part;
use crate::wire::number::parse_integer;
use std::io::{Read, Write};

/// Bytes of one read.
const BLOCK: usize = 64 << 10;
/// Bytes of the longest line with a count or a length.
const LONGEST_HEAD: usize = 32;

/// What a server executes after the dump, command by command, and how far that is in its history.
///
/// Every byte counts but the bare line ends between commands, which are keep-alives. `PING` and
/// `REPLCONF GETACK` are commands of the stream too: they count, and are no writes. A server drops
/// a listener that sends no [`ack`](Self::ack) for its `repl-timeout`; and after a dump from memory it
/// begins only when it has had one, which it may overlook: so call it about once a second, and
/// when `REPLCONF GETACK` comes. What is acknowledged counts for `WAIT` on the server: call it when the
/// commands are stored.
///
/// ```
/// # use std::io::{self, Read, Write};
/// # struct Script(&'static [u8]);
/// # impl Read for Script {
/// #     fn read(&mut self, into: &mut [u8]) -> io::Result<usize> { self.0.read(into) }
/// # }
/// # impl Write for Script {
/// #     fn write(&mut self, from: &[u8]) -> io::Result<usize> { Ok(from.len()) }
/// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
/// # }
/// use redkeep::live::replication::{ReplicationOptions, Transfer};
/// use std::time::Instant;
/// # let connection = Script(b"+OK\r\n+OK\r\n\
/// #     +FULLRESYNC 0123456789abcdef0123456789abcdef01234567 42\r\n$10\r\nREDIS0003\xff\
/// #     *1\r\n$4\r\nping\r\n\n");
/// let options = ReplicationOptions::default().follow(true);
/// let mut transfer = Transfer::start(connection, Instant::now, &options)?;
/// let mut dump = Vec::new();
/// transfer.read_to_end(&mut dump)?;
/// let mut commands = transfer.into_stream()?;
/// commands.ack()?;
/// if let Some(command) = commands.next()? {
///     assert!(command.is("PING")); // to be stored: command.raw()
/// }
/// assert_eq!(commands.offset(), 42 + 14);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct CommandStream<S, C: Timer> {
    link: Link<S, C>,
    received: Received,
    offset: u64,
    /// Bytes that one command may have.
    most: u64,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    walk: Walk,
    failed: bool,
}

/// How far the command at the front of the buffer is framed.
#[derive(Default)]
struct Walk {
    at: usize,
    /// Arguments still to come; `None` before the count was read.
    left: Option<u64>,
}

impl<S: Read + Write, C: Timer> CommandStream<S, C> {
    pub(super) fn new(link: Link<S, C>, received: Received, offset: u64, most: u64) -> Self {
        let (buf, walk) = (vec![0; BLOCK], Walk::default());
        CommandStream { link, received, offset, most, buf, start: 0, end: 0, walk, failed: false }
    }

    /// The dump that these commands come after.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// How far in the server's history the last command given ends.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Tells the server that everything up to [`offset`](Self::offset) is here.
    ///
    /// # Errors
    /// `TransferCut` where the connection is closed, `Io` where it fails or takes too long.
    pub fn ack(&mut self) -> Result<()> {
        let offset = self.offset.to_string();
        self.link.send(&[b"REPLCONF", b"ACK", offset.as_bytes()])
    }

    /// The next command, lent until the next call; `None` where nothing came within the stream's read
    /// timeout.
    ///
    /// # Errors
    /// `TransferCut` where the connection is closed, `Io` where it fails or is silent for too long,
    /// `Corrupt` where what comes is no command, `Limit` for one that is bigger than 512 MiB. After
    /// an error it gives that there is nothing to go on with.
    #[allow(clippy::should_implement_trait)] // it lends its buffer, which no Iterator can
    pub fn next(&mut self) -> Result<Option<Command<'_>>> {
        if self.failed {
            return Err(Error::from_fault(Fault::PastTheEnd));
        }
        match self.frame() {
            Ok(Some(len)) => {
                let from = self.start;
                self.start += len;
                self.offset += len as u64;
                self.walk = Walk::default();
                Command::parse(part(&self.buf, from, from + len)).map(Some)
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.failed = true;
                Err(error.or_at(self.offset))
            }
        }
    }

    /// The length of the command at the front, once all of it is here.
    fn frame(&mut self) -> Result<Option<usize>> {
        loop {
            if self.walk.at == 0 {
                let ready = part(&self.buf, self.start, self.end);
                let blank = ready.iter().take_while(|byte| **byte == b'\n').count();
                self.start += blank;
            }
            if self.walk.run(part(&self.buf, self.start, self.end))? {
                return Ok(Some(self.walk.at));
            }
            if (self.end - self.start) as u64 > self.most {
                return Err(Error::from_fault(Fault::Held)
                    .with_detail(format!("a command of more than {} bytes", self.most)));
            }
            match self.fill()? {
                Got::Bytes(_) => {}
                Got::Nothing => return Ok(None),
                Got::Closed => return Err(cut("while commands were awaited")),
            }
        }
    }

    fn fill(&mut self) -> Result<Got> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buf.len() - self.end < BLOCK / 2 {
            // Twice what is here: a declared length alone takes no memory.
            self.buf.resize(self.buf.len() * 2, 0);
        }
        let got = self.link.read(self.buf.get_mut(self.end..).unwrap_or_default())?;
        if let Got::Bytes(n) = got {
            self.end += n;
        }
        Ok(got)
    }
}

impl Walk {
    /// Whether the whole command is here.
    fn run(&mut self, input: &[u8]) -> Result<bool> {
        loop {
            let rest = part(input, self.at, input.len());
            match self.left {
                Some(0) => return Ok(true),
                None => {
                    let Some((count, used)) = head(rest, b'*', Fault::LogPrefix, Fault::LogCount)?
                    else {
                        return Ok(false);
                    };
                    if count == 0 {
                        return Err(Error::from_fault(Fault::LogCount));
                    }
                    (self.left, self.at) = (Some(count), used);
                }
                Some(left) => {
                    let Some((len, used)) = head(rest, b'$', Fault::LogArgument, Fault::LogLength)?
                    else {
                        return Ok(false);
                    };
                    let end = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(used);
                    match rest.get(end..).and_then(|rest| rest.first_chunk::<2>()) {
                        None => return Ok(false),
                        Some(b"\r\n") => {}
                        Some(_) => return Err(Error::from_fault(Fault::LogTerminator)),
                    }
                    (self.left, self.at) = (Some(left - 1), self.at + end + 2);
                }
            }
        }
    }
}

/// A mark, a number, CR LF: the number and all their bytes; `None` where more are needed.
fn head(rest: &[u8], mark: u8, other: Fault, wrong: Fault) -> Result<Option<(u64, usize)>> {
    match rest.first() {
        None => return Ok(None),
        Some(first) if *first != mark => return Err(Error::from_fault(other)),
        Some(_) => {}
    }
    let line = part(rest, 0, rest.len().min(LONGEST_HEAD));
    let Some(end) = line.iter().position(|byte| *byte == b'\n') else {
        return match line.len() {
            LONGEST_HEAD => Err(Error::from_fault(wrong)),
            _ => Ok(None),
        };
    };
    let digits = part(line, 1, end).strip_suffix(b"\r");
    let number = digits.and_then(parse_integer).and_then(|number| u64::try_from(number).ok());
    match number {
        Some(number) => Ok(Some((number, end + 1))),
        None => Err(Error::from_fault(wrong)),
    }
}
