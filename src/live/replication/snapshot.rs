//! A dump checked while it comes, and stored.

use crate::error::{Error, Result};
use crate::live::clock::Timer;
use crate::live::replication::handshake::TransferFacts;
use crate::live::replication::options::ReplicationOptions;
use crate::live::replication::transfer::Transfer;
use crate::rdb::check::{CheckOptions, Report, Verdict, check_stream};
use std::io::{self, Read, Write};

/// A dump that came completely, and what its check found.
///
/// See [the module](super) for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SnapshotOutcome {
    /// What the server said: where in its history the dump stands, and how it was sent.
    pub facts: TransferFacts,
    /// Bytes of the dump, all of which were given to the sink.
    pub bytes: u64,
    /// What is in it, and what is wrong with it.
    pub report: Report,
}

impl SnapshotOutcome {
    /// Whether it may be kept as a backup: it came completely and nothing is wrong with it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.report.verdict == Verdict::Sound && self.report.bytes == self.bytes
    }
}

/// Takes a snapshot: asks for a dump, gives its bytes to `sink`, and checks them on their way, in one
/// pass and bounded memory. The sink is flushed; making a file durable is the caller's.
///
/// # Errors
/// As [`Transfer::start`], and `TransferCut` or `Io` where the dump did not come completely or the sink
/// fails; what the sink has got by then must be thrown away. What is wrong with a dump that did come
/// is no error but the verdict of [`report`](SnapshotOutcome::report): ask
/// [`is_sound`](SnapshotOutcome::is_sound).
///
/// # Examples
/// See [the module](super).
pub fn snapshot_into<S: Read + Write, C: Timer>(
    stream: S,
    clock: C,
    options: &ReplicationOptions,
    check: &CheckOptions,
    mut sink: impl Write,
) -> Result<SnapshotOutcome> {
    let mut transfer = Transfer::start(stream, clock, options)?;
    let mut refused = None;
    let tee = Tee { source: &mut transfer, sink: &mut sink, refused: &mut refused };
    let report = check_stream(tee, check);
    if let Some(error) = refused {
        return Err(Error::io(error, None).with_detail("the dump could not be stored"));
    }
    // The transfer knows better than the check why there were no more bytes.
    let report = match (report, transfer.finish()) {
        (_, Err(error)) | (Err(error), Ok(_)) => return Err(error),
        (Ok(report), Ok(received)) => {
            SnapshotOutcome { facts: received.facts, bytes: received.bytes, report }
        }
    };
    sink.flush()?;
    Ok(report)
}

/// Gives everything that is read to a sink first.
struct Tee<'t, R, W> {
    source: R,
    sink: W,
    /// Why the sink took no more: readers of the tee cannot tell its errors from the source's.
    refused: &'t mut Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(into)?;
        if let Err(error) = self.sink.write_all(into.get(..n).unwrap_or_default()) {
            let told = io::Error::from(error.kind());
            *self.refused = Some(error);
            return Err(told);
        }
        Ok(n)
    }
}
