//! Frames one after the other, inflated as they come, and the table held against them.

use crate::error::{Error, Fault, Result};
use crate::repo::seal::crypt::payload_error;
use crate::repo::seal::frame::{self, Header};
use crate::repo::seal::table::{self, Row};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

/// What is read from below at once.
const BUFFER: usize = 128 << 10;

/// What has to hold beyond what zstd asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Frames as they are written here, and the table behind them, and nothing else.
    pub(super) own: bool,
    /// The largest window, as a power of two.
    pub(super) window_log: u32,
}

enum State {
    Between,
    Frame { content: Option<u64>, from: u64, plain: u64, tail: [u8; 4] },
    Skip { left: u64 },
    Table,
    End,
}

/// Reads the stream of frames, or says where it is wrong; its end is that of the source.
pub(super) struct Inflater<R> {
    source: R,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
    context: DCtx<'static>,
    rules: Rules,
    state: State,
    seen: Seen,
}

/// What came so far. Rows are hashed and not kept: a stream may have any number of frames.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// Bytes of frames and table.
    pub(super) framed: u64,
    pub(super) plain: u64,
    pub(super) frames: u64,
    /// Bytes of the table, where one came.
    pub(super) table: Option<u64>,
    /// SHA-256 of the table.
    pub(super) table_sha256: Option<[u8; 32]>,
    rows: Sha256,
    /// Some frame has no row of the form that is written here.
    no_rows: bool,
}

impl<R: Read> Inflater<R> {
    pub(super) fn new(source: R, rules: Rules) -> Result<Self> {
        let failed = |code| Error::from_fault(frame::fault(code));
        let mut context = DCtx::try_create()
            .ok_or_else(|| Error::from(io::Error::from(io::ErrorKind::OutOfMemory)))?;
        context.init().map_err(failed)?;
        context.set_parameter(DParameter::WindowLogMax(rules.window_log)).map_err(failed)?;
        Ok(Inflater {
            source,
            buffer: vec![0; BUFFER],
            from: 0,
            to: 0,
            ended: false,
            context,
            rules,
            state: State::Between,
            seen: Seen::default(),
        })
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Gives plain bytes; none only at the sound end of everything.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state {
                State::Between => self.begin()?,
                State::Frame { .. } => {
                    let n = self.inflate(out)?;
                    if n > 0 {
                        return Ok(n);
                    }
                }
                State::Skip { left } => {
                    let n = self.fill(1)?.len();
                    let n = n.min(usize::try_from(left).unwrap_or(usize::MAX));
                    if n == 0 && left > 0 {
                        return Err(self.cut());
                    }
                    self.consume(n);
                    self.state = match left - n as u64 {
                        0 => State::Between,
                        left => State::Skip { left },
                    };
                }
                State::Table => self.table()?,
                State::End => return Ok(0),
            }
        }
    }

    /// At least so many bytes that come next, or all that are left.
    fn fill(&mut self, want: usize) -> Result<&[u8]> {
        if self.to - self.from < want && !self.ended {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            while self.to < want && !self.ended {
                let room = self.buffer.get_mut(self.to..).unwrap_or_default();
                match self.source.read(room) {
                    Ok(0) => self.ended = true,
                    Ok(n) => self.to = (self.to + n).min(self.buffer.len()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(payload_error(error).or_at(self.seen.framed)),
                }
            }
        }
        Ok(self.buffer.get(self.from..self.to).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.from = (self.from + n).min(self.to);
        self.seen.framed += n as u64;
    }

    #[cold]
    fn cut(&self) -> Error {
        Error::at(Fault::SealCut, self.seen.framed)
    }

    #[cold]
    fn wrong(&self, fault: Fault) -> Error {
        let error = Error::at(fault, self.seen.framed);
        error.with_detail(format!("frame {}", self.seen.frames))
    }

    /// Looks at what comes next: a frame, a table, one to skip, or the end.
    fn begin(&mut self) -> Result<()> {
        let seen_table = self.seen.table.is_some();
        let own = self.rules.own;
        let bytes = self.fill(frame::MOST_HEADER)?;
        if bytes.is_empty() {
            // A stream without any frame is one that was cut, too.
            if (own && !seen_table) || self.seen.framed == 0 {
                return Err(self.cut());
            }
            self.state = State::End;
            return Ok(());
        }
        if own && seen_table {
            return Err(self
                .wrong(Fault::SealTable)
                .with_detail("something follows the seek table"));
        }
        let Some((&magic, rest)) = bytes.split_first_chunk::<4>() else { return Err(self.cut()) };
        if frame::is_frame(magic) {
            let Some(header) = Header::parse(bytes) else { return Err(self.cut()) };
            return self.begin_frame(header);
        }
        if !frame::is_skippable(magic) {
            let first = self.seen.framed == 0;
            return Err(self.wrong(if first { Fault::SealForm } else { Fault::SealFrame }));
        }
        let Some(&len) = rest.first_chunk::<4>() else { return Err(self.cut()) };
        let len = u64::from(u32::from_le_bytes(len));
        let is_table = magic == table::SKIP && len + 8 == table::len(self.seen.frames);
        if is_table && !(self.seen.no_rows || seen_table) {
            self.state = State::Table;
            return Ok(());
        }
        if own {
            return Err(self.wrong(Fault::SealTable));
        }
        // Another's table, or another's data: nothing is said of it.
        self.consume(8);
        self.seen.frames += 1;
        self.seen.no_rows = true;
        self.state = State::Skip { left: len };
        Ok(())
    }

    fn begin_frame(&mut self, header: Header) -> Result<()> {
        if self.rules.own {
            header.own_content().map_err(|_| self.wrong(Fault::SealFrameForm))?;
        }
        if header.dictionary {
            return Err(self.wrong(Fault::SealFrameForm));
        }
        if header.window > 1u64 << self.rules.window_log {
            return Err(self.wrong(Fault::SealWindow));
        }
        self.seen.no_rows |= header.own_content().is_err();
        let from = self.seen.framed;
        self.state = State::Frame { content: header.content, from, plain: 0, tail: [0; 4] };
        Ok(())
    }

    fn inflate(&mut self, out: &mut [u8]) -> Result<usize> {
        let at_end = self.fill(1)?.is_empty();
        let bytes = self.buffer.get(self.from..self.to).unwrap_or_default();
        let (mut input, mut output) = (InBuffer::around(bytes), OutBuffer::around(out));
        let step = self.context.decompress_stream(&mut output, &mut input);
        let (used, made) = (input.pos(), output.pos());
        let left = step.map_err(|code| self.wrong(frame::fault(code)))?;
        let State::Frame { content, from, ref mut plain, ref mut tail } = self.state else {
            return Ok(0);
        };
        *plain += made as u64;
        let used_bytes = bytes.get(..used).unwrap_or_default();
        *tail = last_four(*tail, used_bytes);
        let (plain, tail) = (*plain, *tail);
        self.consume(used);
        self.seen.plain += made as u64;
        if left == 0 {
            if content.is_some_and(|content| content != plain) {
                return Err(self.wrong(Fault::SealFrame));
            }
            self.end_frame(from, plain, tail)?;
        } else if at_end && made == 0 {
            return Err(self.cut());
        }
        Ok(made)
    }

    fn end_frame(&mut self, from: u64, plain: u64, checksum: [u8; 4]) -> Result<()> {
        let compressed = u32::try_from(self.seen.framed - from);
        match (compressed, u32::try_from(plain)) {
            (Ok(compressed), Ok(plain)) => {
                self.seen.rows.update(Row { compressed, plain, checksum }.bytes());
            }
            _ if self.rules.own => return Err(self.wrong(Fault::SealFrameLimit)),
            _ => self.seen.no_rows = true,
        }
        self.seen.frames += 1;
        self.state = State::Between;
        Ok(())
    }

    /// The whole table in one go, piece by piece: first its rows, then its end.
    fn table(&mut self) -> Result<()> {
        let (begun, rows) = (self.seen.framed, self.seen.frames);
        let mut all = Sha256::new();
        let (mut rows_seen, mut left) = (Sha256::new(), rows);
        let head = self.fill(8)?.get(..8).unwrap_or_default();
        all.update(head);
        self.consume(8);
        while left > 0 {
            let bytes = self.fill(12)?;
            let whole = (bytes.len() / 12).min(usize::try_from(left).unwrap_or(usize::MAX));
            let Some(bytes) = bytes.get(..whole * 12).filter(|bytes| !bytes.is_empty()) else {
                return Err(self.cut());
            };
            all.update(bytes);
            rows_seen.update(bytes);
            self.consume(whole * 12);
            left -= whole as u64;
        }
        let Some(&end) = self.fill(9)?.first_chunk::<9>() else { return Err(self.cut()) };
        all.update(end);
        let wrong = |what: &str| Err(Error::at(Fault::SealTable, begun).with_detail(what));
        let Some((count, descriptor)) = table::footer(end) else {
            return wrong("it does not end as one");
        };
        if !table::has_checksums(descriptor) || table::is_reserved(descriptor) {
            return wrong("it is of a form that is not written here");
        }
        let same = rows_seen.finalize() == self.seen.rows.clone().finalize();
        if u64::from(count) != rows || !same {
            return wrong("a row says another length or checksum than the frame has");
        }
        self.consume(9);
        self.seen.table = Some(self.seen.framed - begun);
        self.seen.table_sha256 = Some(all.finalize().into());
        // To others it is one more frame.
        self.seen.no_rows |= !self.rules.own;
        self.state = State::Between;
        Ok(())
    }
}

/// The last four bytes of all that came, these being the newest.
fn last_four(old: [u8; 4], bytes: &[u8]) -> [u8; 4] {
    if let Some(last) = bytes.last_chunk::<4>() {
        return *last;
    }
    let mut four = old;
    for byte in bytes {
        let [_, b, c, d] = four;
        four = [b, c, d, *byte];
    }
    four
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_bytes_are_kept_through_pieces() {
        assert_eq!(last_four([1, 2, 3, 4], &[5, 6]), [3, 4, 5, 6]);
        assert_eq!(last_four([1, 2, 3, 4], &[5, 6, 7, 8, 9]), [6, 7, 8, 9]);
        assert_eq!(last_four([1, 2, 3, 4], &[]), [1, 2, 3, 4]);
    }
}
