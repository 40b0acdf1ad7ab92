//! A server made of bytes, and laws that hold whatever those are: for the tests and the fuzz target.

#![allow(dead_code)] // each of them needs only some
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use redkeep::live::replication::{
    Form, Portion, Received, ReplicationOptions, Transfer, snapshot_into,
};
use redkeep::rdb::check::{CheckOptions, check_slice};
use redkeep::{Error, Fault};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const MARK: &[u8; 40] = b"fedcba9876543210fedcba9876543210fedcba98";

const SECRET: &str = "secret-of-ours";

/// What comes from the server next.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Says(Vec<u8>),
    /// Nothing for so long.
    Silent(Duration),
    Breaks(io::ErrorKind),
}

/// A connection to a server that follows a script and then closes.
pub(crate) struct Script {
    acts: VecDeque<Act>,
    /// The most that one read gives.
    step: usize,
    pub(crate) heard: Rc<RefCell<Vec<u8>>>,
    time: Rc<Cell<Duration>>,
}

impl Script {
    pub(crate) fn new(says: impl Into<Vec<u8>>) -> Script {
        Script::of([Act::Says(says.into())])
    }

    pub(crate) fn of(acts: impl IntoIterator<Item = Act>) -> Script {
        let (heard, time) = (Rc::default(), Rc::default());
        Script { acts: acts.into_iter().collect(), step: usize::MAX, heard, time }
    }

    pub(crate) fn step(mut self, most: usize) -> Script {
        self.step = most;
        self
    }

    /// The clock that its silence moves.
    pub(crate) fn clock(&self) -> impl FnMut() -> Instant + use<> {
        let (time, start) = (Rc::clone(&self.time), Instant::now());
        move || start + time.get()
    }
}

impl Read for Script {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.acts.pop_front() {
            None => Ok(0),
            Some(Act::Says(mut bytes)) => {
                let n = bytes.len().min(into.len()).min(self.step);
                into[..n].copy_from_slice(&bytes[..n]);
                if n < bytes.len() {
                    self.acts.push_front(Act::Says(bytes.split_off(n)));
                }
                if n == 0 && !into.is_empty() { self.read(into) } else { Ok(n) }
            }
            Some(Act::Silent(time)) => {
                self.time.set(self.time.get() + time);
                Err(io::ErrorKind::WouldBlock.into())
            }
            Some(Act::Breaks(kind)) => Err(kind.into()),
        }
    }
}

impl Write for Script {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let n = from.len().min(self.step);
        self.heard.borrow_mut().extend_from_slice(&from[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A dump with these records, and its checksum.
pub(crate) fn dump(records: &[u8]) -> Vec<u8> {
    let mut dump = [b"REDIS0011\xfe\x00", records, b"\xff"].concat();
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&dump);
    dump.extend(crc.to_le_bytes());
    dump
}

/// What a server says that grants everything, up to the line that announces the dump.
pub(crate) fn granted(follow: bool) -> String {
    let oks = if follow { "+OK\r\n+OK\r\n" } else { "+OK\r\n+OK\r\n+OK\r\n" };
    format!("{oks}\n\n+FULLRESYNC {ID} 42\r\n\n\n")
}

pub(crate) fn by_mark(dump: &[u8]) -> Vec<u8> {
    [b"$EOF:", &MARK[..], b"\r\n", dump, MARK].concat()
}

pub(crate) fn by_length(dump: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", dump.len()).as_bytes(), dump].concat()
}

/// The dump as a caller with a buffer of this size gets it, and how that ended.
pub(crate) fn received(
    script: Script,
    options: &ReplicationOptions,
    buffer: usize,
) -> (Vec<u8>, Result<Received, Error>) {
    let clock = script.clock();
    let mut transfer = match Transfer::start(script, clock, options) {
        Ok(transfer) => transfer,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let (mut dump, mut buf) = (Vec::new(), vec![0; buffer]);
    loop {
        match transfer.read(&mut buf) {
            Ok(0) => break,
            Ok(n) => dump.extend_from_slice(&buf[..n]),
            Err(_) => {
                assert!(transfer.read(&mut buf).is_err(), "an error stays one");
                break;
            }
        }
    }
    assert_eq!(transfer.received(), dump.len() as u64);
    (dump, transfer.finish())
}

/// A first byte below the number of these stands for one of them.
fn head(byte: u8) -> Option<Vec<u8>> {
    let granted = granted(byte & 1 != 0).into_bytes();
    match byte {
        0 | 1 => Some(granted),
        2 | 3 => Some([&granted[..], b"$EOF:", MARK, b"\r\n"].concat()),
        4 | 5 => Some([granted, by_mark(&dump(b"\0\x01k\x01v"))].concat()),
        6 | 7 => Some([granted, by_length(&dump(b"\0\x01k\x01v"))].concat()),
        _ => None,
    }
}

/// Whatever a server says: no panic; the same however it arrives, as far as servers keep to the
/// protocol; complete only where the dump is; and sound only where its check says so.
pub(crate) fn replication(input: &[u8]) {
    let [flags, step, rest @ ..] = input else { return };
    let said = match rest.first().and_then(|byte| head(*byte)) {
        Some(head) => [&head[..], &rest[1..]].concat(),
        None => rest.to_vec(),
    };
    let mut options = ReplicationOptions::default().follow(flags & 1 != 0).diskless(flags & 2 == 0);
    if flags & 4 != 0 {
        options = options.portion(Portion::Functions);
    }
    if flags & 8 != 0 {
        options = options.password(SECRET);
    }
    let (whole, end) = received(waiting(&said), &options, 1 << 16);
    let step = usize::from(*step) + 1;
    let (pieces, other) = received(waiting(&said).step(step), &options, 5000 - step * 17);
    match (&end, &other) {
        // More came after a mark with a dump's end before it, which no server does: what is an end
        // for whom it comes in pieces is none for the others.
        (Ok(_), Ok(other)) if whole.len() != pieces.len() => {
            assert!(other.facts.form == Form::EndMark && whole.starts_with(&pieces));
            complete(&said, &pieces, other);
        }
        (Err(_), Ok(other)) => {
            assert_eq!(other.facts.form, Form::EndMark);
            complete(&said, &pieces, other);
        }
        _ => {
            assert_eq!(format!("{end:?}"), format!("{other:?}"));
            assert_eq!(whole, pieces);
        }
    }
    match &end {
        Ok(received) => complete(&said, &whole, received),
        Err(error) => {
            let repeated = said.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(repeated || !error.to_string().contains(SECRET));
            assert_ne!(error.fault(), Some(Fault::Internal), "{error}");
        }
    }
    let (script, mut sink) = (waiting(&said), Vec::new());
    let (clock, check) = (script.clock(), CheckOptions::default());
    match snapshot_into(script, clock, &options, &check, &mut sink) {
        Ok(outcome) => {
            assert!(end.is_ok());
            assert_eq!((&sink, outcome.bytes), (&whole, whole.len() as u64));
            assert_eq!(outcome.report.verdict, check_slice(&whole, &check).verdict);
        }
        Err(error) => assert_eq!(error.fault(), end.unwrap_err().fault()),
    }
    commands(&said, &options, step);
}

/// Waits after the mark as servers do, and then goes on.
fn waiting(said: &[u8]) -> Script {
    let mark = said.windows(MARK.len()).rposition(|window| window == MARK);
    let (dump, rest) = said.split_at(mark.map_or(said.len(), |at| at + MARK.len()));
    Script::of([dump, rest].map(|part| Act::Says(part.to_vec())))
}

fn complete(said: &[u8], dump: &[u8], received: &Received) {
    match received.facts.form {
        Form::Length(length) => {
            let head = format!("${length}\r\n");
            let (head, sent) = (head.as_bytes(), received.bytes);
            // Lines may end without a CR, and lengths have no other form.
            let bare = [&head[..head.len() - 2], b"\n"].concat();
            let begins = |head: &[u8]| {
                let whole = [head, dump].concat();
                said.windows(whole.len()).any(|window| window == whole)
            };
            assert!(length == sent && (begins(head) || begins(&bare)));
        }
        Form::EndMark => {
            let at = said.windows(5).position(|window| window == b"$EOF:").unwrap();
            let mark = &said[at + 5..at + 45];
            let whole = [dump, mark].concat();
            assert!(said.windows(whole.len()).any(|window| window == whole));
            let (body, stored) = dump.split_last_chunk::<8>().unwrap();
            let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(body);
            assert!(body.ends_with(b"\xff") && [0, crc].contains(&u64::from_le_bytes(*stored)));
        }
        _ => unreachable!(),
    }
}

/// Every byte of the commands is counted, and however they arrive they are the same.
fn commands(said: &[u8], options: &ReplicationOptions, step: usize) {
    let listened = |step| {
        let script = waiting(said).step(step);
        let clock = script.clock();
        let mut transfer = Transfer::start(script, clock, options).ok()?;
        io::copy(&mut transfer, &mut io::sink()).ok()?;
        let mut stream = transfer.into_stream().ok()?;
        let (from, mut bytes, mut names) = (stream.offset(), 0, Vec::new());
        let error = loop {
            match stream.next() {
                Ok(Some(command)) => {
                    bytes += command.raw().len() as u64;
                    names.push(command.name().to_vec());
                }
                Ok(None) => {}
                Err(error) => break error,
            }
            assert_eq!(stream.offset(), from + bytes);
        };
        assert!(stream.next().is_err());
        Some((names, format!("{error:?}"), stream.received().bytes))
    };
    // See above for what may differ.
    if let (Some(whole), Some(pieces)) = (listened(usize::MAX), listened(step)) {
        let same_dump = whole.2 == pieces.2;
        assert!(!same_dump || whole == pieces);
    }
}
