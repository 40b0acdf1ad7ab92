//! A dump copied while it is checked.

use crate::error::{Error, Result};
use crate::rdb::check::{CheckOptions, Report, Verdict, check_stream};
use std::io::{self, Read, Write};

/// Copies a dump and checks it on the way, in one pass: what the report says, it says of the bytes
/// that were written.
///
/// A dump that is [damaged](Verdict::Damaged) or [unreadable](Verdict::Unreadable) is copied only as
/// far as it was read: the target must then be thrown away.
///
/// # Errors
/// `Io` where source or target fails. What is wrong with the dump is no error but in the report.
///
/// ```
/// use redkeep::rdb::check::{CheckOptions, Verdict};
/// use redkeep::task::copy_checked;
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let mut copy = Vec::new();
/// let report = copy_checked(dump, &mut copy, &CheckOptions::default())?;
/// assert_eq!((report.verdict, report.keys), (Verdict::Sound, 1));
/// assert_eq!(copy, dump);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn copy_checked(
    source: impl Read,
    mut target: impl Write,
    options: &CheckOptions,
) -> Result<Report> {
    let mut tee = Tee { source, target: &mut target, copied: 0, failed: None };
    let report = check_stream(&mut tee, options);
    let (copied, failed) = (tee.copied, tee.failed);
    if let Some(error) = failed {
        return Err(Error::from(error));
    }
    let report = report?;
    let whole = report.bytes.saturating_add(report.trailing_bytes);
    if matches!(report.verdict, Verdict::Sound | Verdict::Findings) && copied != whole {
        let kind = io::ErrorKind::UnexpectedEof;
        return Err(Error::from(io::Error::new(kind, "the copy is not as long as the dump")));
    }
    target.flush()?;
    Ok(report)
}

/// Writes what is read.
struct Tee<'a, R, W> {
    source: R,
    target: &'a mut W,
    copied: u64,
    failed: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        if let Err(error) = self.target.write_all(into.get(..read).unwrap_or_default()) {
            // Kept apart, since the reader would call it a failure of the source.
            let told = io::Error::from(error.kind());
            self.failed = Some(error);
            return Err(told);
        }
        self.copied += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";

    #[test]
    fn what_follows_the_end_is_copied_too() {
        let long = [DUMP, b"tail"].concat();
        let mut copy = Vec::new();
        let report = copy_checked(&long[..], &mut copy, &CheckOptions::default()).unwrap();
        assert_eq!((report.verdict, copy), (Verdict::Findings, long));
    }

    #[test]
    fn a_cut_dump_is_reported_as_damaged() {
        for cut in 0..DUMP.len() {
            let part = &DUMP[..cut];
            let report = copy_checked(part, io::sink(), &CheckOptions::default()).unwrap();
            assert_eq!(report.verdict, Verdict::Damaged, "cut to {cut}");
        }
    }

    #[test]
    fn a_target_that_fails_is_an_error() {
        let mut full = [0; 4];
        let error = copy_checked(DUMP, &mut full[..], &CheckOptions::default()).unwrap_err();
        assert!(error.is_io());
    }
}
