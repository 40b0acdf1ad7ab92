//! Reading a sealed part from its beginning to its very end.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::seal::crypt::{self, Decrypting, Marked};
use crate::repo::seal::inflate::{Inflater, Rules};
use crate::repo::seal::keys::{self, Identities};
use crate::repo::seal::part::SealedPart;
use crate::repo::seal::volumes::{VolumeSource, Volumes};
use sha2::{Digest as _, Sha256};
use std::io::{self, Cursor, Read};

/// What opening a part needs and may cost.
///
/// ```
/// use redkeep::repo::seal::OpenOptions;
/// assert_eq!(OpenOptions::default().window_log, 27);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Keys that open encrypted parts. Default none.
    pub identities: Option<Identities>,
    /// The largest window that inflating may need, as a power of two, 10 to 31: so much memory. What
    /// is written here needs 2^22 at most, unless frames are made bigger. Default 27, as of the
    /// `zstd` program.
    pub window_log: u32,
    /// Plain bytes of the biggest frame that a range is read from, and compressed ones: so much
    /// memory, twice. Default 128 MiB.
    pub frame: u64,
    /// Bytes of the longest seek table that ranges are looked up in. Default 64 MiB, which is for
    /// 5.6 million frames, and takes three times as much memory.
    pub table: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions { identities: None, window_log: 27, frame: 128 << 20, table: 64 << 20 }
    }
}

impl OpenOptions {
    /// Sets [`identities`](Self::identities).
    #[must_use]
    pub fn identities(mut self, identities: Identities) -> Self {
        self.identities = Some(identities);
        self
    }

    /// Sets [`window_log`](Self::window_log).
    #[must_use]
    pub fn window_log(mut self, log: u32) -> Self {
        self.window_log = log.clamp(10, 31);
        self
    }

    /// Sets [`frame`](Self::frame).
    #[must_use]
    pub fn frame(mut self, bytes: u64) -> Self {
        self.frame = bytes;
        self
    }

    /// Sets [`table`](Self::table).
    #[must_use]
    pub fn table(mut self, bytes: u64) -> Self {
        self.table = bytes;
        self
    }

    fn rules(&self, own: bool) -> Rules {
        Rules { own, window_log: self.window_log.clamp(10, 31) }
    }
}

/// What was read to its very end, and found to be sound.
///
/// ```
/// use redkeep::repo::seal::{OpenOptions, SealedReader};
/// let stored = b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello"; // of some zstd
/// let opened = SealedReader::stream(&stored[..], &OpenOptions::default())?.finish()?;
/// assert_eq!((opened.plain_len, opened.frames, opened.seek_table), (5, 1, false));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Opened {
    /// Plain bytes.
    pub plain_len: u64,
    /// SHA-256 of the plain bytes.
    pub plain_sha256: Digest32,
    /// Whether it was encrypted.
    pub encrypted: bool,
    /// Frames of zstd, and those to skip but the table.
    pub frames: u64,
    /// Whether there was a seek table, and it fit all frames. Always so for a part.
    pub seek_table: bool,
}

/// The plain bytes of a sealed part, as a [`Read`].
///
/// Everything is verified on the way: length and SHA-256 of each volume, what age authenticates, each
/// frame's length and checksum, the seek table, and the length of all. Only at the end of all that is
/// the end said (`Ok(0)`): *bytes that came before it are not yet good*, so write them to a temporary
/// place. Who stops at the end of what is inside (a dump says itself where it ends) has to call
/// [`finish`](Self::finish).
///
/// ```
/// use redkeep::repo::seal::{OpenOptions, SealOptions, SealedReader, Sealer};
/// use std::collections::BTreeMap;
/// use std::io::Read;
///
/// let mut map = BTreeMap::new();
/// let mut sealer = Sealer::new(SealOptions::new("dump.rdb.zst"), &mut map)?;
/// sealer.add(b"REDIS0011\xff")?;
/// let sealed = sealer.finish()?;
///
/// let mut reader = SealedReader::open(&map, &sealed.part, &OpenOptions::default())?;
/// let mut plain = Vec::new();
/// reader.read_to_end(&mut plain)?;
/// assert_eq!(plain, b"REDIS0011\xff");
/// assert_eq!(reader.finish()?.plain_sha256, sealed.plain_sha256);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct SealedReader<R: Read> {
    inflater: Inflater<Layer<R>>,
    part: Option<SealedPart>,
    encrypted: bool,
    sha256: Sha256,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Reading,
    Sound,
    Failed,
}

/// What is below the frames.
enum Layer<R> {
    Clear(io::Chain<Cursor<Vec<u8>>, Marked<R>>),
    Encrypted(Box<Decrypting<Marked<R>>>),
}

impl<R: Read> Read for Layer<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Layer::Clear(source) => source.read(buf),
            Layer::Encrypted(source) => source.read(buf),
        }
    }
}

impl<S: VolumeSource> SealedReader<Volumes<S>> {
    /// Opens a part of which is known what was stored.
    ///
    /// # Errors
    ///
    /// [`Fault::SealRecord`] where what is known contradicts itself; [`Fault::SealNoKey`] where none
    /// of the keys opens it; [`Fault::SealHead`] and [`Fault::SealOther`] where it begins otherwise
    /// than it was written; what the first volume's source fails with.
    pub fn open(source: S, part: &SealedPart, options: &OpenOptions) -> Result<Self> {
        part.check()?;
        let mut volumes = Marked(Volumes::new(source, part));
        let layer = if part.encrypted {
            let identities = keys::needed(options.identities.as_ref())?;
            let head = crypt::read_head(&mut volumes)?;
            if head.len() as u64 != part.header_len || crypt::sha256(&head) != part.anchor {
                return Err(Error::at(Fault::SealOther, 0));
            }
            Layer::Encrypted(Box::new(crypt::decrypt(head, volumes, identities.list())?))
        } else {
            Layer::Clear(Cursor::new(Vec::new()).chain(volumes))
        };
        Self::over(layer, Some(part.clone()), part.encrypted, options.rules(true))
    }
}

impl<R: Read> SealedReader<R> {
    /// Opens what somebody else may have made, or of which nothing is known: zstd frames, in a binary
    /// age file or not. There need be no seek table, nor checksums; what is there is verified, but for
    /// tables without checksums.
    /// A missing end is seen inside a frame and where it is encrypted, else not, and neither is a
    /// change in a frame without checksum.
    ///
    /// ```
    /// use redkeep::repo::seal::{OpenOptions, SealedReader};
    /// use std::io::Read;
    /// let stored = b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello";
    /// let mut plain = String::new();
    /// SealedReader::stream(&stored[..], &OpenOptions::default())?.read_to_string(&mut plain)?;
    /// assert_eq!(plain, "hello");
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Fault::SealForm`] where neither begins, [`Fault::SealNoKey`] where none of the keys opens
    /// it, [`Fault::SealPassphrase`], [`Fault::SealHead`], and what the source fails with.
    pub fn stream(source: R, options: &OpenOptions) -> Result<Self> {
        let mut source = Marked(source);
        let mut begin = Vec::new();
        source.by_ref().take(crypt::ARMOR.len() as u64).read_to_end(&mut begin)?;
        if begin == crypt::ARMOR {
            let error = Error::at(Fault::SealForm, 0);
            return Err(error.with_detail("this age file is text: decrypt it with the age program"));
        }
        let encrypted = begin.starts_with(crypt::MAGIC);
        let layer = if encrypted {
            let identities = keys::needed(options.identities.as_ref())?;
            let mut source = Cursor::new(begin).chain(source);
            let head = crypt::read_head(&mut source)?;
            // What was looked at is less than the shortest head.
            let (_, source) = source.into_inner();
            Layer::Encrypted(Box::new(crypt::decrypt(head, source, identities.list())?))
        } else {
            Layer::Clear(Cursor::new(begin).chain(source))
        };
        Self::over(layer, None, encrypted, options.rules(false))
    }

    fn over(
        layer: Layer<R>,
        part: Option<SealedPart>,
        encrypted: bool,
        rules: Rules,
    ) -> Result<Self> {
        let inflater = Inflater::new(layer, rules)?;
        Ok(SealedReader { inflater, part, encrypted, sha256: Sha256::new(), state: State::Reading })
    }

    /// Plain bytes given so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.inflater.seen().plain
    }

    /// Reads what is left, if anything, to the very end, and says what was read in all.
    ///
    /// # Errors
    ///
    /// Whatever is wrong up to the end, as from [`Read`]; also where reading failed before.
    pub fn finish(mut self) -> Result<Opened> {
        let mut buf = vec![0; 64 << 10];
        while self.step(&mut buf)? > 0 {}
        let seen = self.inflater.seen();
        Ok(Opened {
            plain_len: seen.plain,
            plain_sha256: Digest32::new(self.sha256.finalize().into()),
            encrypted: self.encrypted,
            frames: seen.frames,
            seek_table: seen.table.is_some(),
        })
    }

    fn step(&mut self, buf: &mut [u8]) -> Result<usize> {
        match self.state {
            State::Failed => return Err(Error::from_fault(Fault::PastTheEnd)),
            State::Sound => return Ok(0),
            State::Reading if buf.is_empty() => return Ok(0),
            State::Reading => {}
        }
        self.state = State::Failed;
        let n = self.inflater.read(buf)?;
        self.sha256.update(buf.get(..n).unwrap_or_default());
        if n == 0 {
            self.compare()?;
        }
        self.state = if n == 0 { State::Sound } else { State::Reading };
        Ok(n)
    }

    /// At the end of everything: is it what was recorded?
    fn compare(&self) -> Result<()> {
        let Some(part) = &self.part else { return Ok(()) };
        let seen = self.inflater.seen();
        let sizes = (seen.plain, seen.frames, seen.table);
        let table = seen.table_sha256.map(Digest32::new);
        let same = sizes == (part.plain_len, part.frames, Some(part.seek_table_len))
            && (part.encrypted || table == Some(part.anchor));
        match same {
            true => Ok(()),
            false => Err(Error::from_fault(Fault::SealOther)),
        }
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.step(buf).map_err(io::Error::other)
    }
}
