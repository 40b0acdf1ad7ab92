//! The dump as a plain source of bytes.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::live::clock::Timer;
use crate::live::replication::ending::{Ending, Found, HELD};
use crate::live::replication::follow::CommandStream;
use crate::live::replication::handshake::{Ends, TransferFacts, shake};
use crate::live::replication::link::{Link, cut};
use crate::live::replication::options::ReplicationOptions;
use crate::wire::cursor::part;
use std::io::{self, Read, Write};

/// Callers' buffers below this size are served from one of our own.
const SMALL: usize = 4096;

/// Bytes read at once where they are summed: what has just been copied is still in the cache then.
const BLOCK: usize = 64 << 10;

/// A dump on its way: [`Read`] gives exactly its bytes.
///
/// It ends (`Ok(0)`) only where the dump is complete: so many bytes as announced, or up to the mark
/// that ends it, as far as [`proves_end`](ReplicationOptions::proves_end) is left on. Whatever else happens is an error, and stays one. Read in big blocks, best of 64 KiB
/// and more.
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
/// # let connection = Script(b"+OK\r\n+OK\r\n+OK\r\n\
/// #     +FULLRESYNC 0123456789abcdef0123456789abcdef01234567 42\r\n$10\r\nREDIS0003\xff");
/// let mut transfer = Transfer::start(connection, Instant::now, &ReplicationOptions::default())?;
/// let mut dump = Vec::new();
/// transfer.read_to_end(&mut dump)?;
/// assert_eq!(transfer.finish()?.bytes, dump.len() as u64);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct Transfer<S, C: Timer> {
    link: Link<S, C>,
    facts: TransferFacts,
    follow: bool,
    body: Body,
    state: State,
    /// Bytes handed on.
    bytes: u64,
    /// For small buffers: read and not handed on.
    spare: Vec<u8>,
    spare_at: usize,
}

enum Body {
    Length(u64),
    Marked(Box<Marked>),
}

struct Marked {
    ending: Ending,
    held: [u8; HELD],
    len: usize,
}

enum State {
    Open,
    Complete,
    Failed(Error),
}

/// A dump that came completely. Whether it is sound is another question, see
/// [`check`](crate::rdb::check).
///
/// See [`Transfer`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Received {
    /// What the server said.
    pub facts: TransferFacts,
    /// Bytes of the dump.
    pub bytes: u64,
}

impl<S: Read + Write, C: Timer> Transfer<S, C> {
    /// Asks for a dump, and waits until the server is about to send it: seconds where it collects
    /// replicas first (`repl-diskless-sync-delay`), longer where it writes to its disk first.
    ///
    /// `clock` says what time it is; [`Instant::now`](std::time::Instant::now) for one. It is looked at whenever the stream
    /// gives bytes or its own read timeout is over.
    ///
    /// # Errors
    /// `Server` with the server's words, for an answer of another protocol, and past the deadline;
    /// `TransferCut` where the connection ends, `Io` where it fails or is silent for too long, `Usage`
    /// for options that contradict each other. See [the table](super#when-it-breaks).
    pub fn start(stream: S, clock: C, options: &ReplicationOptions) -> Result<Self> {
        let mut link = Link::new(stream, clock, options);
        let agreed = shake(&mut link, options)?;
        let (body, state) = match agreed.ends {
            Ends::After(0) => (Body::Length(0), State::Complete),
            Ends::After(length) => (Body::Length(length), State::Open),
            Ends::With(mark) => {
                // What follows would otherwise be taken for commands.
                let ending = Ending::new(mark, options.proves_end || options.follow);
                let marked = Marked { ending, held: [0; HELD], len: 0 };
                (Body::Marked(Box::new(marked)), State::Open)
            }
        };
        Ok(Transfer {
            link,
            facts: agreed.facts,
            follow: options.follow,
            body,
            state,
            bytes: 0,
            spare: Vec::new(),
            spare_at: 0,
        })
    }

    /// What the server said before the dump.
    pub fn facts(&self) -> &TransferFacts {
        &self.facts
    }

    /// Bytes of the dump handed on so far.
    pub fn received(&self) -> u64 {
        self.bytes
    }

    /// Says that the dump was read to its end and came completely; closes the connection, where the
    /// stream does when dropped.
    ///
    /// # Errors
    /// Why it did not: that of the last read, in full. `Usage` where it was not read to its end.
    pub fn finish(self) -> Result<Received> {
        let (received, _) = self.close()?;
        Ok(received)
    }

    /// Goes on with the commands that the server executes after the dump, which
    /// [`follow`](ReplicationOptions::follow) has to have asked for.
    ///
    /// # Errors
    /// As [`finish`](Self::finish); `Usage` where no commands were asked for, `Unsupported` with
    /// servers that do not say where in their history the dump stands (before Redis 2.8).
    pub fn into_stream(self) -> Result<CommandStream<S, C>> {
        if !self.follow {
            return Err(Error::usage("commands come only where `follow` asked for them"));
        }
        let limits = Limits::default();
        let (received, mut link) = self.close()?;
        let Some(offset) = received.facts.offset else {
            return Err(Error::from_fault(Fault::NoPlace)
                .with_detail("it sends no offset, so nothing that follows could be told apart"));
        };
        link.lift_deadline();
        Ok(CommandStream::new(link, received, offset, limits.held))
    }

    fn close(self) -> Result<(Received, Link<S, C>)> {
        match self.state {
            State::Complete if self.spare_at == self.spare.len() => {
                Ok((Received { facts: self.facts, bytes: self.bytes }, self.link))
            }
            State::Complete | State::Open => Err(Error::usage(format!(
                "the transfer was not read to its end, only {} bytes of it",
                self.bytes
            ))),
            State::Failed(error) => Err(error),
        }
    }

    /// Reads into a buffer of at least [`SMALL`] bytes; 0 at the end.
    fn receive(&mut self, into: &mut [u8]) -> Result<usize> {
        match &mut self.body {
            Body::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(into.len());
                let n = self.link.wait(into.get_mut(..most).unwrap_or_default())?;
                if n == 0 {
                    return Err(cut(&format!("{left} of the bytes announced were to come")));
                }
                *left = left.saturating_sub(n as u64);
                if *left == 0 {
                    self.state = State::Complete;
                }
                Ok(n)
            }
            Body::Marked(marked) => {
                let (n, complete) = marked.receive(&mut self.link, into)?;
                if complete {
                    self.state = State::Complete;
                }
                Ok(n)
            }
        }
    }

    fn step(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &self.state {
            State::Open => {}
            State::Complete => return Ok(0),
            State::Failed(error) => return Err(told(error)),
        }
        self.receive(into).map_err(|error| {
            let error = error.or_at(self.bytes);
            let short = told(&error);
            self.state = State::Failed(error);
            short
        })
    }
}

impl Marked {
    /// So many bytes of the dump, and whether it ends there.
    fn receive<S: Read + Write, C: Timer>(
        &mut self,
        link: &mut Link<S, C>,
        into: &mut [u8],
    ) -> Result<(usize, bool)> {
        let most = if self.ending.proves() { into.len().min(BLOCK) } else { into.len() };
        let into = into.get_mut(..most).unwrap_or_default();
        loop {
            let Some((front, room)) = into.split_at_mut_checked(self.len) else {
                return Err(Error::from_fault(Fault::Internal).with_detail("a buffer too small"));
            };
            front.copy_from_slice(part(&self.held, 0, self.len));
            let n = link.wait(room)?;
            if n == 0 {
                return Err(self.cut());
            }
            let window = part(into, 0, self.len + n);
            match self.ending.scan(window) {
                Found::End(at) => return Ok((at, true)),
                Found::Body(body) => {
                    let rest = part(window, body, window.len());
                    self.len = rest.len();
                    for (to, from) in self.held.iter_mut().zip(rest) {
                        *to = *from;
                    }
                    if body > 0 {
                        return Ok((body, false));
                    }
                }
            }
        }
    }

    fn cut(&self) -> Error {
        if self.ending.is_at_end_of(part(&self.held, 0, self.len)) {
            cut("what stands before the mark is not the end of a dump whose checksum fits")
        } else {
            cut("the mark at its end did not come")
        }
    }
}

/// What a reader is told: the error itself stays here, for [`Transfer::finish`].
fn told(error: &Error) -> io::Error {
    let kind = match error.fault() {
        Some(Fault::TransferCut) => io::ErrorKind::UnexpectedEof,
        Some(Fault::Deadline) => io::ErrorKind::TimedOut,
        Some(_) => io::ErrorKind::InvalidData,
        None => error.io_kind().unwrap_or(io::ErrorKind::Other),
    };
    io::Error::new(kind, error.to_string())
}

impl<S: Read + Write, C: Timer> Read for Transfer<S, C> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let n = if self.spare_at == self.spare.len() && into.len() >= SMALL {
            self.step(into)?
        } else {
            if self.spare_at == self.spare.len() {
                let mut spare = std::mem::take(&mut self.spare);
                self.spare_at = 0;
                spare.resize(SMALL, 0);
                let n = self.step(&mut spare)?;
                spare.truncate(n);
                self.spare = spare;
            }
            let n = part(&self.spare, self.spare_at, self.spare.len()).read(into)?;
            self.spare_at += n;
            n
        };
        self.bytes += n as u64;
        Ok(n)
    }
}
