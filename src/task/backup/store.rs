//! One file on its way into the archive: read once, checked and sealed.

use crate::error::{Error, Result};
use crate::rdb::check::{CheckOptions, Report, Verdict, check_stream_cut};
use crate::repo::StoredVolumes;
use crate::repo::seal::{Sealed, Sealer};
use std::cell::RefCell;
use std::io::{self, Read};

/// Plain bytes between two borders that the sealer is told of, at least.
const APART: u64 = 1 << 20;
/// Bytes that may wait for a border.
const WAITING: usize = 4 << 20;

/// What was read and is not sealed yet: a check sees the borders in it only later.
struct Waiting<'s> {
    sealer: &'s mut Sealer<StoredVolumes>,
    bytes: Vec<u8>,
    /// Where in the file they begin.
    from: u64,
    failed: Option<Error>,
}

impl Waiting<'_> {
    fn seal_all(&mut self) -> Result<()> {
        self.sealer.add(&self.bytes)?;
        self.from += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    /// Seals what is before a border, and says so.
    fn border(&mut self, at: u64) -> Result<()> {
        let before = at.checked_sub(self.from).and_then(|len| usize::try_from(len).ok());
        // One that was sealed already is past.
        let Some(before) = before.filter(|len| *len <= self.bytes.len()) else { return Ok(()) };
        let (head, tail) = self.bytes.split_at_checked(before).unwrap_or((&self.bytes, &[]));
        self.sealer.add(head)?;
        self.sealer.border()?;
        let left = tail.len();
        self.bytes.copy_within(before.., 0);
        self.bytes.truncate(left);
        self.from = at;
        Ok(())
    }

    fn keep(&mut self, result: Result<()>) -> io::Result<()> {
        result.map_err(|error| {
            // Kept apart, since the reader would call it a failure of the source.
            self.failed.get_or_insert(error);
            io::Error::other("it could not be stored")
        })
    }
}

struct Tee<'w, 's, R> {
    source: R,
    waiting: &'w RefCell<Waiting<'s>>,
}

impl<R: Read> Read for Tee<'_, '_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        let mut waiting = self.waiting.borrow_mut();
        if waiting.failed.is_some() {
            return Err(io::Error::other("it could not be stored"));
        }
        waiting.bytes.extend_from_slice(into.get(..read).unwrap_or_default());
        if waiting.bytes.len() > WAITING {
            let sealed = waiting.seal_all();
            waiting.keep(sealed)?;
        }
        Ok(read)
    }
}

/// Seals a dump while it is checked; frames end where keys do. Of one that is damaged only what was read is
/// sealed, unless `all` of it is to be.
pub(super) fn store_dump(
    mut source: impl Read,
    mut sealer: Sealer<StoredVolumes>,
    options: &CheckOptions,
    all: bool,
) -> Result<(Report, Sealed)> {
    // Borders will be told: no frame is cut blindly before the first one.
    sealer.border()?;
    let waiting =
        RefCell::new(Waiting { sealer: &mut sealer, bytes: Vec::new(), from: 0, failed: None });
    let cut = |at: u64| {
        let mut waiting = waiting.borrow_mut();
        let told = waiting.border(at);
        // The next read says so.
        let _ = waiting.keep(told);
        at.saturating_add(APART)
    };
    let tee = Tee { source: &mut source, waiting: &waiting };
    let report = check_stream_cut(tee, options, APART, cut);
    let mut waiting = waiting.into_inner();
    if let Some(error) = waiting.failed {
        return Err(error);
    }
    let report = report?;
    waiting.seal_all()?;
    let readable = matches!(report.verdict, Verdict::Sound | Verdict::Findings);
    if all && !readable {
        io::copy(&mut source, &mut sealer)?;
    }
    let sealed = sealer.finish()?;
    let whole = report.bytes.saturating_add(report.trailing_bytes);
    if readable && sealed.part.plain_len != whole {
        let kind = io::ErrorKind::UnexpectedEof;
        return Err(Error::from(io::Error::new(
            kind,
            "what was stored is not as long as the dump",
        )));
    }
    Ok((report, sealed))
}

/// Seals what is read by somebody else.
#[cfg(feature = "live")]
pub(super) struct Sealing<'s, R> {
    pub(super) source: R,
    pub(super) sealer: &'s mut Sealer<StoredVolumes>,
    pub(super) failed: Option<Error>,
}

#[cfg(feature = "live")]
impl<R: Read> Read for Sealing<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        match self.sealer.add(into.get(..read).unwrap_or_default()) {
            Ok(()) => Ok(read),
            Err(error) => {
                self.failed.get_or_insert(error);
                Err(io::Error::other("it could not be stored"))
            }
        }
    }
}
