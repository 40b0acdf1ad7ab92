//! A dump in an archive, read as often as it takes.

use crate::error::Result;
use crate::repo::seal::{OpenOptions, SealedReader, Volumes};
use crate::repo::{Part, StoredBackup, StoredSource};
use std::io::{self, Read, Seek, SeekFrom};

/// The dump of a backup as a source that can be read again from its beginning.
///
/// A reader of dumps stops where the dump says that it ends, and so would never see the end of what is
/// sealed. Here its last bytes come only once that was reached, and all of it is what was stored. Going back
/// to the beginning and [`finish`](Self::finish) read on to there as well.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::repo::{Archive, seal::OpenOptions, store::MemoryStore};
/// use redkeep::task::{BackupOptions, ExtractOptions, StoredDump, backup, extract};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x01a\x01x\xff";
/// let archive = Archive::create(MemoryStore::new())?;
/// let made = backup(&archive, dump, None, &|| UnixMillis::new(0), &BackupOptions::default())?.manifest;
/// let stored = archive.backup(&made.stream, made.backup)?;
/// let part = &stored.manifest().shards[0].parts[0];
/// let mut source = StoredDump::open(&stored, part, &OpenOptions::default())?;
/// let outcome = extract(&mut source, std::io::sink(), &ExtractOptions::default())?;
/// source.finish()?;
/// assert_eq!(outcome.written, 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct StoredDump<'a> {
    stored: &'a StoredBackup,
    part: Part,
    options: OpenOptions,
    reader: Option<SealedReader<Volumes<StoredSource>>>,
    /// What is given out, and up to where it was.
    ready: Vec<u8>,
    given: usize,
    /// What is given out once there is more behind it, or the very end.
    held: Vec<u8>,
}

/// Bytes that are held back at most.
const PIECE: usize = 64 << 10;

impl<'a> StoredDump<'a> {
    /// Opens it at its beginning.
    ///
    /// # Errors
    /// `SealNoKey` and such: those of [`StoredBackup::open`].
    pub fn open(
        stored: &'a StoredBackup,
        part: &Part,
        options: &OpenOptions,
    ) -> Result<StoredDump<'a>> {
        let reader = Some(stored.open(part, options)?);
        let (ready, held, given) = (Vec::new(), Vec::new(), 0);
        let (part, options) = (part.clone(), options.clone());
        Ok(StoredDump { stored, part, options, reader, ready, given, held })
    }

    /// Reads on to the very end, and says whether all of it is what was stored.
    ///
    /// # Errors
    /// Those of [`SealedReader::finish`].
    pub fn finish(&mut self) -> Result<()> {
        self.ready.clear();
        self.held.clear();
        self.given = 0;
        match self.reader.take() {
            Some(reader) => reader.finish().map(drop),
            None => Ok(()),
        }
    }

    /// Reads on until there is something to give out, or nothing left.
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.given = 0;
        while let (Some(reader), true) = (&mut self.reader, self.ready.is_empty()) {
            std::mem::swap(&mut self.ready, &mut self.held);
            self.held.resize(PIECE, 0);
            let read = reader.read(&mut self.held)?;
            self.held.truncate(read);
            if read == 0 {
                self.reader = None;
            }
        }
        Ok(())
    }
}

impl Read for StoredDump<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready.len() {
            self.fill()?;
        }
        let mut left = self.ready.get(self.given..).unwrap_or_default();
        let read = left.read(into)?;
        self.given += read;
        Ok(read)
    }
}

/// Back to the beginning, and nowhere else.
impl Seek for StoredDump<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if to != SeekFrom::Start(0) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.finish()?;
        self.reader = Some(self.stored.open(&self.part, &self.options)?);
        Ok(0)
    }
}
