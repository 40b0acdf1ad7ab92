//! What stands behind the place where a log can no longer be read.
//!
//! A crash leaves nothing there, or zeros. Whole commands are a sign of other damage, and what a cut
//! would lose. They are searched for in windows: a command that is longer than one is not found.

use crate::aof::resp::{Walk, annotation, find_command};
use crate::wire::cursor::part;
use std::io::{self, Read};

/// What is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tail {
    /// All bytes.
    pub(crate) bytes: u64,
    /// Zeros at the end.
    pub(crate) zeros: u64,
    /// Where the first whole command is, from the beginning of the tail.
    pub(crate) goes_on_at: Option<u64>,
    pub(crate) commands: u64,
    /// Not all of it was searched.
    pub(crate) given_up: bool,
}

/// Reads a tail to its end. It begins with the record that could not be read.
pub(crate) fn scan(source: impl Read, window: usize) -> io::Result<Tail> {
    let mut scan = Scan { tail: Tail::default(), buf: Vec::new(), at: 1, framed: false, fuel: 0 };
    let mut source = source;
    let room = window.saturating_mul(2);
    loop {
        let before = scan.buf.len();
        let more = (room - before.min(room)) as u64;
        source.by_ref().take(more).read_to_end(&mut scan.buf)?;
        let new = part(&scan.buf, before, scan.buf.len());
        scan.tail.count(new);
        // As much work as there are bytes: what is read goes through the search about once.
        scan.fuel = scan.fuel.saturating_add(new.len());
        let eof = scan.buf.len() < room;
        scan.search(window, eof);
        if eof {
            return Ok(scan.tail);
        }
        scan.pass(window);
    }
}

struct Scan {
    tail: Tail,
    /// Up to two windows: candidates begin in the first and end in the second.
    buf: Vec<u8>,
    at: usize,
    /// A record ended at `at`, so another may begin there.
    framed: bool,
    fuel: usize,
}

impl Scan {
    fn search(&mut self, window: usize, eof: bool) {
        let until = if eof { self.buf.len() } else { window };
        let done = self.tail.bytes - self.buf.len() as u64;
        while self.at < until {
            if self.tail.given_up {
                self.at = until;
                return;
            }
            if self.framed {
                self.framed = false;
                if let Some(len) = self.record() {
                    self.at += len;
                    self.framed = true;
                    continue;
                }
            }
            match find_command(&self.buf, self.at..until, &mut self.fuel) {
                Some(found) => {
                    self.tail.goes_on_at.get_or_insert(done + found.start as u64);
                    self.tail.commands += 1;
                    (self.at, self.framed) = (found.end, true);
                }
                None => {
                    self.at = until;
                    self.tail.given_up = self.fuel == 0;
                }
            }
        }
    }

    /// The length of the record that begins here, and right behind another one.
    fn record(&mut self) -> Option<usize> {
        let rest = self.buf.get(self.at..)?;
        if rest.first() == Some(&b'#') {
            return annotation(rest).ok();
        }
        let mut walk = Walk::start(rest).ok()?;
        let all = walk.left;
        let end = walk.run(rest);
        // A command that is there was worth the work; only what leads nowhere is rationed.
        if end.is_err() {
            self.fuel = self.fuel.saturating_sub(1 + all - walk.left);
            return None;
        }
        self.tail.commands += 1;
        Some(walk.at)
    }

    /// Lets go of a window, or of more where a command ended behind it.
    fn pass(&mut self, window: usize) {
        let gone = window.max(self.at).min(self.buf.len());
        // What stands before a star is looked at as well.
        let gone = gone.saturating_sub(2);
        self.buf.drain(..gone);
        self.at -= gone;
    }
}

impl Tail {
    fn count(&mut self, new: &[u8]) {
        self.bytes += new.len() as u64;
        match new.iter().rposition(|&byte| byte != 0) {
            Some(last) => self.zeros = (new.len() - last - 1) as u64,
            None => self.zeros += new.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::write_command;

    #[test]
    fn all_commands_behind_are_counted_whatever_the_window() {
        let mut tail = b"*0\r\nnoise\n".to_vec();
        for n in 0..300usize {
            // Noise now and then, after which one begins on a line of its own.
            if n % 7 == 0 {
                tail.extend(b"*7\r\n$x\r\n");
            }
            if n % 5 == 0 {
                tail.extend(b"#TS:1\r\n");
            }
            write_command(&["SET", &"k".repeat(n % 20), "v"], &mut tail).unwrap();
        }
        tail.extend([0; 9]);
        for window in [64, 65, 100, 1000, 1 << 20] {
            let found = scan(&tail[..], window).unwrap();
            assert_eq!((found.commands, found.given_up), (300, false), "{window}");
            assert_eq!((found.bytes, found.zeros), (tail.len() as u64, 9));
            let at = usize::try_from(found.goes_on_at.unwrap()).unwrap();
            assert!(tail[at..].starts_with(b"*3\r\n$3\r\nSET"), "{window}");
        }
    }

    #[test]
    fn a_crash_leaves_nothing_to_find() {
        for tail in [&b""[..], b"*3\r\n$3\r\nSE", b"*1\r\n$99\r\nx*1\r\n$1\r\nx\r", &[0; 300]] {
            let found = scan(tail, 64).unwrap();
            assert_eq!((found.goes_on_at, found.commands), (None, 0), "{}", tail.escape_ascii());
        }
    }
}
