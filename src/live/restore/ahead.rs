//! A connection on which commands go out while the answers to others are still to come.
//!
//! Of what restores a key the answer is one line, and nearly always `OK`. Reading it here costs a
//! hundredth of what a parser for all answers does, which was a third of the whole restore.

use crate::aof::frame;
use crate::error::{Error, Fault, Result};
use crate::live::connect::ConnectOptions;
use crate::live::info::Info;
use crate::live::replication::{LOOK, Wire, dial};
use crate::live::reply::unexpected;
use redis::Value;
use std::io::{self, Read, Write};
use std::time::Duration;

/// How an answer that says only that all is well looks.
const OK: &[u8] = b"+OK\r\n";

/// Bytes read at once.
const BLOCK: usize = 16 << 10;

/// The longest answer: no server words an error at such length.
const LONGEST: usize = 1 << 20;

/// Answers in their order.
pub(super) struct Answers {
    /// So many `OK` come first.
    pub(super) fine: usize,
    pub(super) rest: Vec<Value>,
}

impl Answers {
    pub(super) fn none() -> Answers {
        Answers { fine: 0, rest: Vec::new() }
    }

    pub(super) fn push(&mut self, answer: Value) {
        match answer {
            Value::Okay if self.rest.is_empty() => self.fine += 1,
            answer => self.rest.push(answer),
        }
    }
}

/// A connection of its own to the server of another one.
pub(super) struct Ahead<S = Wire> {
    stream: S,
    /// How long a silence may be.
    patience: Duration,
    /// What was read; answers up to [`at`](Self::at) were heard.
    read: Vec<u8>,
    at: usize,
    /// What comes after a failure belongs to nothing any more.
    broken: bool,
}

impl Ahead {
    /// Connects and logs in, to that run of the server and no other.
    pub(super) fn open(options: &ConnectOptions, run_id: &str) -> Result<Ahead> {
        let (stream, _) = dial(options)?;
        stream.set_pipelined(options.timeout)?;
        let mut ahead = Ahead::over(stream, options.timeout);
        let info = options.info()?;
        let login = info.redis_settings();
        if let Some(password) = login.password() {
            let user = login.username().map(str::as_bytes);
            let words: Vec<&[u8]> =
                [b"AUTH"].into_iter().map(|word| &word[..]).chain(user).collect();
            ahead.ask(&[&words[..], &[password.as_bytes()]].concat())?;
            if ahead.hear(1)?.fine != 1 {
                return Err(Error::from_fault(Fault::ServerDenied));
            }
        }
        ahead.ask(&[b"INFO", b"server"])?;
        let same = Info::parse(&ahead.bulk()?).get("run_id").unwrap_or_default() == run_id;
        if same { Ok(ahead) } else { Err(Error::from_fault(Fault::ServerRestarted)) }
    }
}

impl<S: Read + Write> Ahead<S> {
    fn over(stream: S, patience: Duration) -> Ahead<S> {
        Ahead { stream, patience, read: Vec::new(), at: 0, broken: false }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    fn ask(&mut self, words: &[&[u8]]) -> Result<()> {
        let mut command = Vec::new();
        frame::command(words, &mut command);
        self.send(&command)
    }

    pub(super) fn send(&mut self, commands: &[u8]) -> Result<()> {
        let sent = self.stream.write_all(commands).and_then(|()| self.stream.flush());
        sent.map_err(|error| self.fail(error.into()))
    }

    /// The answers to so many commands whose answers are lines.
    pub(super) fn hear(&mut self, count: usize) -> Result<Answers> {
        let mut answers = Answers::none();
        if self.broken {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        for _ in 0..count {
            let answer = if self.left().starts_with(OK) {
                self.at += OK.len();
                Value::Okay
            } else {
                self.line().and_then(|line| answer(&line)).map_err(|error| self.fail(error))?
            };
            answers.push(answer);
        }
        Ok(answers)
    }

    fn left(&self) -> &[u8] {
        self.read.get(self.at..).unwrap_or_default()
    }

    /// A line, with its end.
    fn line(&mut self) -> Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let left = self.left();
            let found = left.iter().skip(searched).position(|byte| *byte == b'\n');
            if let Some(len) = found.map(|at| searched + at + 1) {
                let line = left.get(..len).unwrap_or_default().to_vec();
                self.at += len;
                return Ok(line);
            }
            searched = left.len();
            if searched > LONGEST {
                return Err(unexpected("RESTORE"));
            }
            self.read_more()?;
        }
    }

    /// An answer of any length.
    fn bulk(&mut self) -> Result<Vec<u8>> {
        let head = self.line()?;
        let len = head.strip_prefix(b"$").and_then(|len| std::str::from_utf8(len).ok());
        let len = len.and_then(|len| len.trim_end().parse::<usize>().ok());
        let len = len.filter(|len| *len <= LONGEST).ok_or_else(|| unexpected("INFO"))?;
        while self.left().len() < len + 2 {
            self.read_more()?;
        }
        let bytes = self.left().get(..len).unwrap_or_default().to_vec();
        self.at += len + 2;
        Ok(bytes)
    }

    fn read_more(&mut self) -> Result<()> {
        self.read.drain(..self.at);
        self.at = 0;
        let kept = self.read.len();
        self.read.resize(kept + BLOCK, 0);
        let mut waited = Duration::ZERO;
        let read = loop {
            match self.stream.read(self.read.get_mut(kept..).unwrap_or_default()) {
                Ok(0) => break Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_silence(&error) => {
                    waited += LOOK;
                    if waited >= self.patience {
                        break Err(io::Error::from(io::ErrorKind::TimedOut));
                    }
                }
                read => break read,
            }
        };
        self.read.truncate(kept + read.as_ref().copied().unwrap_or_default());
        Ok(read.map(drop)?)
    }

    fn fail(&mut self, error: Error) -> Error {
        self.broken = true;
        error
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What a line says.
fn answer(line: &[u8]) -> Result<Value> {
    match line.first() {
        Some(b'+' | b'-' | b':') => {
            redis::parse_redis_value(line).map_err(|_| unexpected("RESTORE"))
        }
        _ => Err(unexpected("RESTORE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Gives what it was told to, piece by piece, and then ends.
    struct Script(VecDeque<Vec<u8>>);

    impl Read for Script {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.pop_front() else { return Ok(0) };
            if piece.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            into[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    impl Write for Script {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            Ok(from.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn over(pieces: impl IntoIterator<Item = Vec<u8>>) -> Ahead<Script> {
        Ahead::over(Script(pieces.into_iter().collect()), LOOK * 2)
    }

    #[test]
    fn answers_are_the_same_however_they_are_cut() {
        let all = b"+OK\r\n+OK\r\n-BUSYKEY there\r\n+OK\r\n:1\r\n+QUEUED\r\n+OK\r\n";
        for step in 1..=all.len() {
            let mut ahead = over(all.chunks(step).map(<[u8]>::to_vec));
            let first = ahead.hear(1).unwrap();
            assert_eq!((first.fine, first.rest.len()), (1, 0));
            let Answers { fine, rest } = ahead.hear(6).unwrap();
            assert_eq!((fine, rest.len()), (1, 5), "step {step}");
            assert!(matches!(&rest[0], Value::ServerError(error) if error.code() == "BUSYKEY"));
            let status = Value::SimpleString("QUEUED".to_owned());
            assert_eq!(rest[1..], [Value::Okay, Value::Int(1), status, Value::Okay]);
        }
    }

    #[test]
    fn after_a_failure_nothing_more_is_heard() {
        let mut ahead = over([b"+OK\r\n".to_vec()]);
        assert_eq!(ahead.hear(2).err().unwrap().io_kind(), Some(io::ErrorKind::UnexpectedEof));
        assert!(ahead.is_broken() && ahead.hear(1).is_err());
        let mut ahead = over([b"$1\r\na\r\n+OK\r\n".to_vec()]);
        assert_eq!(ahead.hear(1).err().unwrap().fault(), Some(Fault::ServerReply));
        assert!(ahead.is_broken());
    }

    #[test]
    fn a_silence_is_borne_as_long_as_it_may_be() {
        let mut ahead = over([Vec::new(), b"+OK\r\n".to_vec()]);
        assert_eq!(ahead.hear(1).unwrap().fine, 1);
        let mut ahead = over([Vec::new(), Vec::new(), b"+OK\r\n".to_vec()]);
        assert_eq!(ahead.hear(1).err().unwrap().io_kind(), Some(io::ErrorKind::TimedOut));
    }
}
