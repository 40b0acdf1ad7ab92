//! Reading ranges of a sealed part: only the frames and chunks that they lie in.

use crate::error::{Error, Fault, Result};
use crate::repo::seal::crypt::{self, CHUNK, CHUNK_STORED};
use crate::repo::seal::frame;
use crate::repo::seal::keys;
use crate::repo::seal::part::{SealedPart, Volume};
use crate::repo::seal::reader::OpenOptions;
use crate::repo::seal::table::Table;
use crate::repo::seal::volumes::RangeSource;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zstd::zstd_safe::DCtx;

/// Reads ranges of a sealed part's plain bytes.
///
/// Opening reads the header and the end, which proves the key, the length of what is encrypted and the
/// seek table, and that this is the part that was recorded; the middle is not looked at. Then each
/// frame that a range lies in is fetched whole, in one range of a volume (two where it lies in two),
/// and none of its bytes is given before all of it was verified: authenticated where it is
/// encrypted, and against length and checksum. The frame that was read last is kept.
///
/// In clear the checksum of a frame (32 bits of XXH64) is one against accidents. Only
/// [`SealedReader`](crate::repo::seal::SealedReader) holds everything against the SHA-256 of volumes.
///
/// ```
/// use redkeep::repo::seal::{OpenOptions, RangeReader, SealOptions, Sealer};
/// use std::collections::BTreeMap;
///
/// let mut map = BTreeMap::new();
/// let mut sealer = Sealer::new(SealOptions::new("digits.zst").frame(4), &mut map)?;
/// sealer.add(b"0123456789")?;
/// let part = sealer.finish()?.part;
///
/// let mut reader = RangeReader::open(&map, &part, &OpenOptions::default())?;
/// let mut some = [0; 3];
/// reader.read_exact_at(5, &mut some)?;
/// assert_eq!(&some, b"567");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct RangeReader<S: RangeSource> {
    framed: Framed<S>,
    table: Table,
    plain_len: u64,
    most_frame: u64,
    context: DCtx<'static>,
    packed: Vec<u8>,
    /// The frame that was inflated last.
    frame: Option<usize>,
    plain: Vec<u8>,
}

impl<S: RangeSource> RangeReader<S> {
    /// Opens a part of which is known what was stored.
    ///
    /// # Errors
    ///
    /// [`Fault::SealRecord`] where what is known contradicts itself; [`Fault::SealOther`] where the
    /// object is another one; [`Fault::SealNoKey`], [`Fault::SealHead`], [`Fault::SealAuth`] and
    /// [`Fault::SealTable`] for what is wrong in header and end; [`Fault::SealTableLimit`]; what the source
    /// fails with.
    pub fn open(source: S, part: &SealedPart, options: &OpenOptions) -> Result<Self> {
        let framed_len = part.framed_len()?;
        if part.seek_table_len > options.table {
            return Err(Error::from_fault(Fault::SealTableLimit));
        }
        let frames_len = framed_len - part.seek_table_len;
        let mut framed = Framed::open(source, part, options)?;
        let mut table = Vec::new();
        framed.read(frames_len, part.seek_table_len, &mut table)?;
        if !part.encrypted && crypt::sha256(&table) != part.anchor {
            return Err(Error::at(Fault::SealOther, frames_len));
        }
        let table = Table::parse(&table, frames_len, part.plain_len)?;
        if table.places().len() as u64 != part.frames {
            return Err(Error::at(Fault::SealTable, frames_len));
        }
        let context = DCtx::try_create()
            .ok_or_else(|| Error::from(io::Error::from(io::ErrorKind::OutOfMemory)))?;
        Ok(RangeReader {
            framed,
            table,
            plain_len: part.plain_len,
            most_frame: options.frame,
            context,
            packed: Vec::new(),
            frame: None,
            plain: Vec::new(),
        })
    }

    /// Plain bytes of the part.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// How many frames it has.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.table.places().len()
    }

    /// Fills `buf` with the plain bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) where the part has not so many; [`Fault::SealAuth`],
    /// [`Fault::SealFrame`], [`Fault::SealFrameChecksum`] and [`Fault::SealTable`] where a frame is
    /// damaged, with its offset among all frames; [`Fault::SealFrameLimit`]; what the source fails
    /// with. After an error inside an encrypted part the reader is of no more use, and says so.
    pub fn read_exact_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.plain_len);
        if end.is_none() {
            return Err(Error::usage("the part has fewer bytes than the range").or_at(offset));
        }
        let mut done = 0;
        while let Some(room) = buf.get_mut(done..).filter(|room| !room.is_empty()) {
            let at = offset + done as u64;
            let start = self.load(self.table.holding(at))?;
            let inside = usize::try_from(at - start).unwrap_or(usize::MAX);
            let some = self.plain.get(inside..).unwrap_or_default();
            let n = some.len().min(room.len());
            if n == 0 {
                return Err(Error::from_fault(Fault::Internal));
            }
            room.iter_mut().zip(some).for_each(|(to, from)| *to = *from);
            done += n;
        }
        Ok(())
    }

    /// Inflates a frame unless it is there, and says where its plain bytes begin.
    fn load(&mut self, number: usize) -> Result<u64> {
        let place = self.table.places().get(number);
        let place = *place.ok_or_else(|| Error::from_fault(Fault::Internal))?;
        if self.frame == Some(number) {
            return Ok(place.plain_at);
        }
        let sizes = [place.row.plain, place.row.compressed].map(u64::from);
        if sizes.iter().any(|size| *size > self.most_frame) {
            return Err(Error::at(Fault::SealFrameLimit, place.at));
        }
        self.frame = None;
        self.framed.read(place.at, place.row.compressed.into(), &mut self.packed)?;
        frame::inflate(&mut self.context, &self.packed, place.row, &mut self.plain)
            .map_err(|error| error.or_at(place.at).with_detail(format!("frame {number}")))?;
        self.frame = Some(number);
        Ok(place.plain_at)
    }
}

/// Frames and table, as they are below age.
struct Framed<S: RangeSource> {
    stored: Shared<S>,
    age: Option<age::stream::StreamReader<Cached<S>>>,
    encrypted: bool,
    header_len: u64,
}

impl<S: RangeSource> Framed<S> {
    fn open(source: S, part: &SealedPart, options: &OpenOptions) -> Result<Self> {
        let stored = Shared(Arc::new(Mutex::new(Stored::new(source, part))));
        let (encrypted, header_len) = (part.encrypted, part.header_len);
        let mut framed = Framed { stored, age: None, encrypted, header_len };
        if !encrypted {
            return Ok(framed);
        }
        let identities = keys::needed(options.identities.as_ref())?;
        if header_len > crypt::MOST_HEAD as u64 {
            return Err(Error::at(Fault::SealHead, 0).with_detail("it is too long"));
        }
        framed.stored.lock().prefetch(0, header_len)?;
        let head = framed.stored.lock().cache.clone();
        if crypt::sha256(&head) != part.anchor || crypt::head_len(&head) != Some(head.len()) {
            return Err(Error::at(Fault::SealOther, 0));
        }
        let cached = Cached { stored: framed.stored.clone(), at: 0 };
        let mut age = crypt::opened(cached, identities.list())?;
        // The end, from the chunk that the table begins in.
        let total = framed.stored.lock().len;
        let table_at = part.framed_len()? - part.seek_table_len;
        let from = framed.chunk_at(table_at);
        framed.stored.lock().prefetch(from, total - from)?;
        // Only this proves the length: a seek from the start would not notice that it was cut.
        let len = age.seek(SeekFrom::End(0)).map_err(crypt::payload_error)?;
        if len != part.framed_len()? {
            return Err(Error::at(Fault::SealOther, 0));
        }
        framed.age = Some(age);
        Ok(framed)
    }

    /// Where the chunk is stored that holds this byte.
    fn chunk_at(&self, at: u64) -> u64 {
        self.header_len + at / CHUNK * CHUNK_STORED
    }

    fn read(&mut self, at: u64, len: u64, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        if len == 0 {
            return Ok(());
        }
        if !self.encrypted {
            return self.stored.lock().fetch(at, len, out);
        }
        // Whatever fails leaves it in a state that nothing is known of.
        let mut age = self.age.take().ok_or_else(|| Error::from_fault(Fault::PastTheEnd))?;
        {
            let mut stored = self.stored.lock();
            let from = self.chunk_at(at);
            let to = self.chunk_at(at + len - 1).saturating_add(CHUNK_STORED).min(stored.len);
            if !stored.has(from, to) {
                stored.prefetch(from, to - from)?;
            }
        }
        let read =
            age.seek(SeekFrom::Start(at)).and_then(|_| (&mut age).take(len).read_to_end(out));
        let n = read.map_err(|error| crypt::payload_error(error).or_at(at))?;
        if n as u64 != len {
            return Err(Error::at(Fault::SealCut, at));
        }
        self.age = Some(age);
        Ok(())
    }
}

/// The most that is asked for at once, so that memory grows with what comes.
const PIECE: usize = 8 << 20;

/// All volumes as one range of bytes, of which a piece is held.
struct Stored<S> {
    source: S,
    volumes: Vec<(u64, Volume)>,
    len: u64,
    cache_at: u64,
    cache: Vec<u8>,
}

impl<S: RangeSource> Stored<S> {
    fn new(source: S, part: &SealedPart) -> Self {
        let mut len = 0;
        let mut volumes = Vec::with_capacity(part.volumes.len());
        for volume in &part.volumes {
            volumes.push((len, volume.clone()));
            len += volume.len;
        }
        Stored { source, volumes, len, cache_at: 0, cache: Vec::new() }
    }

    fn has(&self, from: u64, to: u64) -> bool {
        from >= self.cache_at && to <= self.cache_at + self.cache.len() as u64
    }

    /// Holds this piece, and no longer the one before.
    fn prefetch(&mut self, at: u64, len: u64) -> Result<()> {
        let mut cache = std::mem::take(&mut self.cache);
        cache.clear();
        self.fetch(at, len, &mut cache)?;
        (self.cache_at, self.cache) = (at, cache);
        Ok(())
    }

    /// Asks the volumes for this piece: one range of each that it lies in, if it is no huge one.
    fn fetch(&mut self, mut at: u64, len: u64, out: &mut Vec<u8>) -> Result<()> {
        let mut left =
            usize::try_from(len).map_err(|_| Error::from_fault(Fault::SealFrameLimit))?;
        while left > 0 {
            let number = self.volumes.partition_point(|(start, _)| *start <= at).saturating_sub(1);
            let Some((start, volume)) = self.volumes.get(number) else {
                return Err(Error::from_fault(Fault::SealRecord));
            };
            let offset = at - start;
            let room = usize::try_from(volume.len.saturating_sub(offset)).unwrap_or(usize::MAX);
            let n = room.min(left).min(PIECE);
            if n == 0 {
                return Err(Error::from_fault(Fault::SealRecord));
            }
            let from = out.len();
            out.resize(from + n, 0);
            let buf = out.get_mut(from..).unwrap_or_default();
            let read = self.source.read_exact_at(&volume.name, offset, buf);
            read.map_err(|error| short(error, offset).in_file(&*volume.name))?;
            (at, left) = (at + n as u64, left - n);
        }
        Ok(())
    }
}

/// A volume that ends early is one that was cut, and no failure of the source.
fn short(error: Error, offset: u64) -> Error {
    match error.io_kind() {
        Some(io::ErrorKind::UnexpectedEof) => Error::at(Fault::VolumeShort, offset),
        _ => error,
    }
}

/// age holds its source and gives no way to it, so that is shared.
struct Shared<S>(Arc<Mutex<Stored<S>>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, Stored<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What age reads from: the piece that is held, or else the source.
struct Cached<S> {
    stored: Shared<S>,
    at: u64,
}

impl<S: RangeSource> Read for Cached<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut stored = self.stored.lock();
        let left = stored.len.saturating_sub(self.at);
        if left == 0 || buf.is_empty() {
            return Ok(0);
        }
        if !stored.has(self.at, self.at + 1) {
            let piece = left.min(CHUNK_STORED);
            stored.prefetch(self.at, piece).map_err(io::Error::other)?;
        }
        let inside = usize::try_from(self.at - stored.cache_at).unwrap_or(usize::MAX);
        let held = stored.cache.get(inside..).unwrap_or_default();
        let n = held.len().min(buf.len());
        buf.iter_mut().zip(held).for_each(|(to, from)| *to = *from);
        self.at += n as u64;
        Ok(n)
    }
}

impl<S: RangeSource> Seek for Cached<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.stored.lock().len.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
