//! Fingerprints in order, in a file that has no name.

use crate::file::leftovers::PREFIX;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of one.
pub(super) const FINGERPRINT: usize = size_of::<u128>();

/// How many are read at once.
const BLOCK: u64 = 256;

pub(super) struct Run {
    file: File,
    len: u64,
    /// How often what is in it was merged.
    pub(super) level: u32,
    block: Vec<u8>,
}

impl Run {
    /// A run of what is sorted.
    pub(super) fn write(folder: &Path, sorted: &[u128]) -> io::Result<Run> {
        let mut to = BufWriter::new(nameless(folder)?);
        sorted.iter().try_for_each(|fingerprint| to.write_all(&fingerprint.to_le_bytes()))?;
        Run::of(to, sorted.len() as u64, 0)
    }

    /// One run of several, each of which has others.
    pub(super) fn merge(folder: &Path, runs: &mut [Run]) -> io::Result<Run> {
        let mut to = BufWriter::new(nameless(folder)?);
        let (mut len, mut level) = (0, 0);
        let mut sources = Vec::new();
        for run in runs {
            len += run.len;
            level = level.max(run.level + 1);
            run.file.rewind()?;
            let mut source = BufReader::new((&run.file).take(run.len * FINGERPRINT as u64));
            let first = next(&mut source)?;
            sources.push((first, source));
        }
        while let Some((smallest, source)) =
            sources.iter_mut().filter(|(first, _)| first.is_some()).min_by_key(|(first, _)| *first)
        {
            to.write_all(&smallest.unwrap_or_default().to_le_bytes())?;
            *smallest = next(source)?;
        }
        drop(sources);
        Run::of(to, len, level)
    }

    fn of(to: BufWriter<File>, len: u64, level: u32) -> io::Result<Run> {
        let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Run { file, len, level, block: Vec::new() })
    }

    pub(super) fn holds(&mut self, fingerprint: u128) -> io::Result<bool> {
        // Where it can be, and between which values.
        let (mut from, mut to) = (0, self.len);
        let (mut above, mut below) = (0, u128::MAX);
        while from < to {
            let guess = from + share(fingerprint, above, below, to - from);
            let start = guess.saturating_sub(BLOCK / 2).min(to.saturating_sub(BLOCK)).max(from);
            let end = (start + BLOCK).min(to);
            self.read(start, end)?;
            let block = self.block.as_chunks::<FINGERPRINT>().0;
            let value = |bytes: &[u8; FINGERPRINT]| u128::from_le_bytes(*bytes);
            let (Some(first), Some(last)) = (block.first().map(value), block.last().map(value))
            else {
                break;
            };
            if fingerprint < first {
                (to, below) = (start, first);
            } else if fingerprint > last {
                (from, above) = (end, last);
            } else {
                return Ok(block.binary_search_by_key(&fingerprint, value).is_ok());
            }
        }
        Ok(false)
    }

    fn read(&mut self, start: u64, end: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(start * FINGERPRINT as u64))?;
        self.block.clear();
        let bytes = (end - start) * FINGERPRINT as u64;
        match (&self.file).take(bytes).read_to_end(&mut self.block)? as u64 == bytes {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// As much of `len` as the value is on its way from one to the other.
fn share(value: u128, above: u128, below: u128, len: u64) -> u64 {
    // Of 64 bits no product overflows, and they are exact enough.
    let span = below - above;
    let shift = (u128::BITS - span.leading_zeros()).saturating_sub(64);
    let part = ((value - above) >> shift) * u128::from(len) / ((span >> shift) + 1);
    u64::try_from(part).unwrap_or(len).min(len)
}

fn next(source: &mut impl Read) -> io::Result<Option<u128>> {
    let mut bytes = [0; FINGERPRINT];
    match source.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(u128::from_le_bytes(bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file that goes when it is closed, however this process ends.
fn nameless(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    loop {
        // Should this process be killed here, whoever writes a file in that folder removes it.
        let any = RandomState::new().hash_one(0);
        let path = folder.join(format!("{PREFIX}{}-{any}", std::process::id()));
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            file => {
                let file = file?;
                // Or just did.
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => return Ok(file),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_found_and_nothing_else_however_it_is_spread() {
        let folder = tempfile::tempdir().unwrap();
        let evenly = |n: u128| n * (u128::MAX / 5000);
        let steep = |n: u128| n.pow(9);
        let at_the_end = |n: u128| u128::MAX - 30_000 + n * 3;
        for spread in [&evenly as &dyn Fn(u128) -> u128, &steep, &at_the_end] {
            let values = (1..5000).map(spread).collect::<Vec<_>>();
            let mut run = Run::write(folder.path(), &values).unwrap();
            for value in values {
                assert!(run.holds(value).unwrap(), "{value}");
                assert!(!run.holds(value - 1).unwrap(), "{value}");
            }
            assert!(!run.holds(0).unwrap() && !run.holds(u128::MAX).unwrap());
        }
    }

    #[test]
    fn runs_of_any_length_merge_into_one() {
        let folder = tempfile::tempdir().unwrap();
        let part = |n: u128| (0..n * 700).map(|k| k * 8 + n).collect::<Vec<_>>();
        let mut runs = [0, 1, 2, 3].map(|n| Run::write(folder.path(), &part(n)).unwrap());
        let mut merged = Run::merge(folder.path(), &mut runs).unwrap();
        assert_eq!((merged.len, merged.level), (4200, 1));
        let mut all = Vec::new();
        merged.file.rewind().unwrap();
        merged.file.read_to_end(&mut all).unwrap();
        let all = all.as_chunks().0.iter().map(|bytes| u128::from_le_bytes(*bytes));
        let all = all.collect::<Vec<_>>();
        assert!(all.is_sorted());
        assert_eq!(all.len(), 4200);
        assert!((0..=3).flat_map(part).all(|value| merged.holds(value).unwrap()));
    }
}
