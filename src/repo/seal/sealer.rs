//! Sealing: plain bytes in, volumes out.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::seal::crypt::{self, HeadWriter};
use crate::repo::seal::frame;
use crate::repo::seal::keys::Recipients;
use crate::repo::seal::part::SealedPart;
use crate::repo::seal::pool::Pool;
use crate::repo::seal::table::{Row, Rows};
use crate::repo::seal::volumes::{VolumeTarget, VolumeWriter};
use age::stream::StreamWriter;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use zstd::bulk::Compressor;

/// How a part is sealed.
///
/// ```
/// use redkeep::repo::seal::{Recipients, SealOptions};
/// let keys = Recipients::parse("age1jjc9k3926rd7qwrhat72gaapma05e628kpn7kaxlfnue8esasggs4wa3j6")?;
/// let options = SealOptions::new("main.rdb.zst.age").recipients(keys).volume(256 << 20).threads(2);
/// assert_eq!((options.level, options.frame), (3, 1 << 20));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SealOptions {
    /// Name of the part, a bare one; volumes are called by it, and their number.
    pub name: String,
    /// Whom it is encrypted for. Default nobody: it is in clear.
    pub recipients: Option<Recipients>,
    /// zstd's level, from its lowest (faster) to 22. Default 3; 1 takes half the time and is up to 8 %
    /// bigger, 6 pays for text such as JSON only.
    pub level: i32,
    /// Threads that compress. With 1, the default, the caller's does it; else each holds two frames.
    pub threads: usize,
    /// Plain bytes of a frame, at least: it ends at the next [border](Sealer::border), or where
    /// none comes after four times as many. 1 byte to 32 MiB; default 1 MiB.
    pub frame: usize,
    /// Bytes of a volume, from 1 to 5,000,000,000. Default 1 GiB.
    pub volume: u64,
}

impl SealOptions {
    /// The defaults for a part of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        SealOptions {
            name: name.into(),
            recipients: None,
            level: 3,
            threads: 1,
            frame: 1 << 20,
            volume: 1 << 30,
        }
    }

    /// Sets [`recipients`](Self::recipients).
    #[must_use]
    pub fn recipients(mut self, recipients: Recipients) -> Self {
        self.recipients = Some(recipients);
        self
    }

    /// Sets [`level`](Self::level).
    #[must_use]
    pub fn level(mut self, level: i32) -> Self {
        self.level = level;
        self
    }

    /// Sets [`threads`](Self::threads).
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets [`frame`](Self::frame).
    #[must_use]
    pub fn frame(mut self, bytes: usize) -> Self {
        self.frame = bytes;
        self
    }

    /// Sets [`volume`](Self::volume).
    #[must_use]
    pub fn volume(mut self, bytes: u64) -> Self {
        self.volume = bytes;
        self
    }

    fn check(&self) -> Result<()> {
        let bare =
            !self.name.contains(['/', '\\', '\0']) && ![".", "..", ""].contains(&&*self.name);
        let wrong = if !bare {
            "a part needs a bare name"
        } else if !zstd::compression_level_range().contains(&self.level) {
            "zstd has no such level"
        } else if !(1..=1024).contains(&self.threads) {
            "there are 1 to 1024 threads"
        } else if !(1..=32 << 20).contains(&self.frame) {
            "frames are 1 byte to 32 MiB"
        } else if !(1..=5_000_000_000).contains(&self.volume) {
            "volumes are 1 to 5,000,000,000 bytes"
        } else if self.recipients.as_ref().is_some_and(Recipients::is_empty) {
            "it is to be encrypted, but for nobody"
        } else {
            return Ok(());
        };
        Err(Error::usage(wrong))
    }
}

/// A part that was sealed whole; see [`Sealer`].
///
/// ```
/// use redkeep::repo::seal::{SealOptions, Sealer};
/// use std::collections::BTreeMap;
/// let mut sealer = Sealer::new(SealOptions::new("part"), BTreeMap::new())?;
/// sealer.add(b"hello")?;
/// let sealed = sealer.finish()?;
/// assert_eq!(sealed.part.plain_len, 5);
/// assert!(sealed.plain_sha256.to_string().starts_with("2cf24dba"));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Sealed {
    /// What is to be recorded.
    pub part: SealedPart,
    /// SHA-256 of the plain bytes. Of an encrypted part it must not stand in clear anywhere: who guesses
    /// the content of a small dataset could confirm the guess by it.
    pub plain_sha256: Digest32,
}

/// Seals plain bytes, as they come, into volumes.
///
/// Nothing is sealed before [`finish`](Self::finish) has said so. Where it is dropped before, or after an
/// error, volumes that were completed are left behind, belonging to nothing.
///
/// ```
/// use redkeep::repo::seal::{SealOptions, Sealer};
/// use std::collections::BTreeMap;
///
/// let mut map = BTreeMap::new();
/// let mut sealer = Sealer::new(SealOptions::new("dump.rdb.zst").volume(20), &mut map)?;
/// for entry in ["REDIS0011", "some entry", "another"] {
///     sealer.add(entry.as_bytes())?;
///     sealer.border()?; // a frame may end here
/// }
/// let part = sealer.finish()?.part;
/// assert_eq!((part.plain_len, part.frames), (26, 1));
/// assert_eq!(part.volumes[0].name, "dump.rdb.zst.000000");
/// assert_eq!(map.len(), 4);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct Sealer<T: VolumeTarget> {
    below: Option<Below<T>>,
    maker: Maker,
    frame: usize,
    plain: Vec<u8>,
    spare: Vec<Vec<u8>>,
    /// Borders are told: then frames end there.
    told: bool,
    rows: Rows,
    sha256: Sha256,
    plain_len: u64,
}

enum Maker {
    Here { compressor: Compressor<'static>, frame: Vec<u8> },
    Threads(Pool),
}

/// What frames are written to.
enum Below<T: VolumeTarget> {
    Clear(VolumeWriter<T>),
    Encrypted(StreamWriter<HeadWriter<VolumeWriter<T>>>),
}

impl<T: VolumeTarget> Below<T> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Below::Clear(volumes) => volumes.write_all(bytes)?,
            Below::Encrypted(age) => age.write_all(bytes)?,
        }
        Ok(())
    }
}

impl<T: VolumeTarget> Sealer<T> {
    /// Begins a part. An encrypted one begins with its header, so the first volume is created now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for options outside their ranges and recipients that
    /// cannot be used; what the target fails with.
    pub fn new(options: SealOptions, target: T) -> Result<Self> {
        options.check()?;
        let volumes = VolumeWriter::new(target, options.name, options.volume);
        let below = match &options.recipients {
            None => Below::Clear(volumes),
            Some(recipients) => {
                let encryptor = recipients.encryptor()?;
                Below::Encrypted(encryptor.wrap_output(HeadWriter::new(volumes))?)
            }
        };
        let maker = match options.threads {
            1 => {
                Maker::Here { compressor: frame::new_compressor(options.level)?, frame: Vec::new() }
            }
            threads => Maker::Threads(Pool::start(threads, options.level)?),
        };
        Ok(Sealer {
            below: Some(below),
            maker,
            frame: options.frame,
            plain: Vec::new(),
            spare: Vec::new(),
            told: false,
            rows: Rows::default(),
            sha256: Sha256::new(),
            plain_len: 0,
        })
    }

    /// Adds plain bytes.
    ///
    /// # Errors
    ///
    /// What the target fails with; from then on every call fails.
    pub fn add(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.alive()?;
        self.sha256.update(bytes);
        self.plain_len += bytes.len() as u64;
        while !bytes.is_empty() {
            let most = if self.told { 4 * self.frame } else { self.frame };
            let room = most.saturating_sub(self.plain.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.plain.extend_from_slice(now);
            bytes = later;
            if self.plain.len() >= most {
                self.end_frame()?;
            }
        }
        Ok(())
    }

    /// Says that here something ends that is read as a whole. A frame ends with it where it is big
    /// enough. Who says so once is expected to say so always; without it, frames are cut blindly.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add).
    pub fn border(&mut self) -> Result<()> {
        self.told = true;
        if self.plain.len() >= self.frame { self.end_frame() } else { self.alive().map(|_| ()) }
    }

    /// Plain bytes added so far.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// Ends the part: last frame, seek table, last volume.
    ///
    /// # Errors
    ///
    /// What the target fails with, or failed with before.
    pub fn finish(mut self) -> Result<Sealed> {
        if !self.plain.is_empty() {
            self.end_frame()?;
        }
        while self.take_one()? {}
        self.alive()?;
        let frames = self.rows.frames();
        let table = std::mem::take(&mut self.rows).table();
        let Some(mut below) = self.below.take() else { return Err(ended()) };
        below.write(&table)?;
        let (volumes, header_len, anchor) = match below {
            Below::Clear(volumes) => (volumes, 0, crypt::sha256(&table)),
            Below::Encrypted(age) => age.finish()?.into_parts().ok_or_else(ended)?,
        };
        let mut part = SealedPart::new(self.plain_len, header_len, frames, anchor);
        part.volumes = volumes.finish()?;
        // What would not be opened again is not called sealed.
        part.check()?;
        Ok(Sealed { part, plain_sha256: Digest32::new(self.sha256.finalize().into()) })
    }

    fn alive(&mut self) -> Result<&mut Below<T>> {
        self.below.as_mut().ok_or_else(ended)
    }

    fn end_frame(&mut self) -> Result<()> {
        self.alive()?;
        match &mut self.maker {
            Maker::Here { compressor, frame } => {
                let row = frame::compress(compressor, &self.plain, frame)?;
                self.plain.clear();
                let frame = std::mem::take(frame);
                self.store(&frame, row)?;
                if let Maker::Here { frame: old, .. } = &mut self.maker {
                    *old = frame;
                }
            }
            Maker::Threads(pool) => {
                let full = pool.is_full();
                let plain =
                    std::mem::replace(&mut self.plain, self.spare.pop().unwrap_or_default());
                if full {
                    self.take_one()?;
                }
                if let Maker::Threads(pool) = &mut self.maker {
                    pool.give(plain)?;
                }
            }
        }
        Ok(())
    }

    /// Stores the next frame that threads make, if one is to come.
    fn take_one(&mut self) -> Result<bool> {
        let Maker::Threads(pool) = &mut self.maker else { return Ok(false) };
        let made = match pool.take() {
            Ok(Some(made)) => made,
            Ok(None) => return Ok(false),
            Err(error) => {
                self.below = None;
                return Err(error);
            }
        };
        self.store(&made.frame, made.row)?;
        let mut plain = made.plain;
        plain.clear();
        self.spare.push(plain);
        Ok(true)
    }

    fn store(&mut self, frame: &[u8], row: Row) -> Result<()> {
        // What fails once stays failed: half a frame may lie in the volume.
        let mut below = self.below.take().ok_or_else(ended)?;
        self.rows.push(row)?;
        below.write(frame)?;
        self.below = Some(below);
        Ok(())
    }
}

#[cold]
fn ended() -> Error {
    Error::from_fault(Fault::PastTheEnd).with_detail("sealing failed before")
}

/// The same as [`add`](Sealer::add), for those who write.
impl<T: VolumeTarget> Write for Sealer<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.add(buf).map_err(io::Error::other)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
