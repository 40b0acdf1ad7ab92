//! One stream of bytes in objects of a set size: writing them, and reading them back verified.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::seal::part::{SealedPart, Volume};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// Where volumes are written to.
///
/// Here it is a map in memory:
///
/// ```
/// use redkeep::repo::seal::VolumeTarget;
/// use std::collections::BTreeMap;
/// use std::io::Write;
///
/// let mut map = BTreeMap::new();
/// let mut volume = map.create("a.000000")?;
/// volume.write_all(b"bytes")?;
/// map.complete("a.000000", volume)?;
/// assert_eq!(map["a.000000"], b"bytes");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait VolumeTarget {
    /// What the bytes of one volume are written to.
    type Volume: Write;

    /// Begins a volume of this name, which is a bare one.
    ///
    /// # Errors
    ///
    /// What keeps it from being written.
    fn create(&mut self, name: &str) -> Result<Self::Volume>;

    /// All bytes are written: now the volume has to be there under its name, and to stay. One that
    /// is dropped without this is not wanted.
    ///
    /// # Errors
    ///
    /// What kept it from being stored.
    fn complete(&mut self, name: &str, volume: Self::Volume) -> Result<()>;
}

impl VolumeTarget for BTreeMap<String, Vec<u8>> {
    type Volume = Vec<u8>;

    fn create(&mut self, _: &str) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn complete(&mut self, name: &str, volume: Vec<u8>) -> Result<()> {
        self.insert(name.to_owned(), volume);
        Ok(())
    }
}

impl<T: VolumeTarget> VolumeTarget for &mut T {
    type Volume = T::Volume;

    fn create(&mut self, name: &str) -> Result<T::Volume> {
        (**self).create(name)
    }

    fn complete(&mut self, name: &str, volume: T::Volume) -> Result<()> {
        (**self).complete(name, volume)
    }
}

/// Where volumes are read from, one after the other and each from its beginning to its end.
///
/// A map in memory is one, by reference; and here it is a folder:
///
/// ```
/// use redkeep::Result;
/// use redkeep::repo::seal::VolumeSource;
/// use std::fs::File;
/// use std::path::PathBuf;
///
/// struct Folder(PathBuf);
///
/// impl VolumeSource for Folder {
///     type Volume = File;
///
///     fn open(&mut self, name: &str) -> Result<File> {
///         Ok(File::open(self.0.join(name))?)
///     }
/// }
/// # assert!(Folder("/nowhere".into()).open("a.000000").is_err());
/// ```
pub trait VolumeSource {
    /// What the bytes of one volume come from.
    type Volume: Read;

    /// Opens the volume of this name.
    ///
    /// # Errors
    ///
    /// What keeps it from being read, or that there is none.
    fn open(&mut self, name: &str) -> Result<Self::Volume>;
}

impl<'a> VolumeSource for &'a BTreeMap<String, Vec<u8>> {
    type Volume = &'a [u8];

    fn open(&mut self, name: &str) -> Result<&'a [u8]> {
        in_map(self, name)
    }
}

/// Where ranges of volumes are read from, in any order.
///
/// A map in memory is one, by reference:
///
/// ```
/// use redkeep::repo::seal::RangeSource;
/// use std::collections::BTreeMap;
///
/// let map = BTreeMap::from([("a.000000".to_owned(), b"0123456789".to_vec())]);
/// let mut some = [0; 3];
/// (&map).read_exact_at("a.000000", 4, &mut some)?;
/// assert_eq!(&some, b"456");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait RangeSource {
    /// Fills `buf` with the bytes of a volume from `offset` on. Only ranges are asked for that the
    /// volume has, as recorded.
    ///
    /// # Errors
    ///
    /// What keeps them from being read; [`io::ErrorKind::UnexpectedEof`] where the volume has not so
    /// many bytes.
    fn read_exact_at(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<()>;
}

impl RangeSource for &BTreeMap<String, Vec<u8>> {
    fn read_exact_at(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<()> {
        let bytes = in_map(self, name)?;
        let from = usize::try_from(offset).ok();
        let range = from.and_then(|from| bytes.get(from..from.checked_add(buf.len())?));
        buf.copy_from_slice(
            range.ok_or_else(|| Error::from(io::Error::from(io::ErrorKind::UnexpectedEof)))?,
        );
        Ok(())
    }
}

fn in_map<'a>(map: &'a BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8]> {
    let missing = || Error::from(io::Error::from(io::ErrorKind::NotFound)).in_file(name);
    map.get(name).map(Vec::as_slice).ok_or_else(missing)
}

/// More have no number of six digits, and the names would no longer sort.
const MOST_VOLUMES: usize = 1_000_000;

/// Cuts what is written into volumes.
pub(super) struct VolumeWriter<T: VolumeTarget> {
    target: T,
    part: String,
    size: u64,
    open: Option<OpenVolume<T::Volume>>,
    done: Vec<Volume>,
}

struct OpenVolume<V> {
    name: String,
    len: u64,
    sha256: Sha256,
    volume: V,
}

impl<T: VolumeTarget> VolumeWriter<T> {
    pub(super) fn new(target: T, part: String, size: u64) -> Self {
        VolumeWriter { target, part, size, open: None, done: Vec::new() }
    }

    fn add(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.open.is_none() {
            let number = self.done.len();
            if number >= MOST_VOLUMES {
                return Err(Error::usage("more than a million volumes: make them bigger"));
            }
            let name = format!("{}.{number:06}", self.part);
            let volume = self.target.create(&name).map_err(|error| error.in_file(&*name))?;
            self.open = Some(OpenVolume { name, len: 0, sha256: Sha256::new(), volume });
        }
        let Some(open) = &mut self.open else { return Ok(0) };
        let room = usize::try_from(self.size - open.len).unwrap_or(usize::MAX);
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let written = open.volume.write_all(bytes);
        written.map_err(|error| Error::from(error).in_file(&*open.name))?;
        open.sha256.update(bytes);
        open.len += bytes.len() as u64;
        if open.len == self.size {
            self.complete()?;
        }
        Ok(bytes.len())
    }

    fn complete(&mut self) -> Result<()> {
        let Some(OpenVolume { name, len, sha256, mut volume }) = self.open.take() else {
            return Ok(());
        };
        let flushed = volume.flush().map_err(Error::from);
        let done = flushed.and_then(|()| self.target.complete(&name, volume));
        done.map_err(|error| error.in_file(&*name))?;
        let sha256 = Digest32::new(sha256.finalize().into());
        self.done.push(Volume { name, len, sha256 });
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<Volume>> {
        self.complete()?;
        Ok(self.done)
    }
}

impl<T: VolumeTarget> Write for VolumeWriter<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.add(buf).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.volume.flush())
    }
}

/// The bytes of all volumes, one after the other. The last bytes of each come only once its length
/// and SHA-256 are those recorded.
///
/// It is what a [`SealedReader`](crate::repo::seal::SealedReader) of a part reads from:
///
/// ```
/// use redkeep::repo::seal::{SealedReader, Volumes};
/// use std::collections::BTreeMap;
/// type InMemory<'a> = SealedReader<Volumes<&'a BTreeMap<String, Vec<u8>>>>;
/// # fn position(reader: &InMemory<'_>) -> u64 { reader.position() }
/// # let _ = position;
/// ```
pub struct Volumes<S: VolumeSource> {
    source: S,
    left: std::vec::IntoIter<Volume>,
    open: Option<(Volume, u64, Sha256, S::Volume)>,
    failed: bool,
}

impl<S: VolumeSource> Volumes<S> {
    pub(in crate::repo) fn new(source: S, part: &SealedPart) -> Self {
        let left = part.volumes.clone().into_iter();
        Volumes { source, left, open: None, failed: false }
    }

    fn step(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.open.is_none() {
            let Some(volume) = self.left.next() else { return Ok(0) };
            let bytes = self.source.open(&volume.name);
            let bytes = bytes.map_err(|error| error.in_file(&*volume.name))?;
            self.open = Some((volume, 0, Sha256::new(), bytes));
        }
        let Some((volume, at, sha256, bytes)) = &mut self.open else { return Ok(0) };
        let name = || volume.name.clone();
        let room = usize::try_from(volume.len - *at).unwrap_or(usize::MAX).min(buf.len());
        let Some(room) = buf.get_mut(..room) else { return Ok(0) };
        let n =
            read_some(bytes, room).map_err(|error| Error::io(error, Some(*at)).in_file(name()))?;
        if n == 0 {
            return Err(Error::at(Fault::VolumeShort, *at).in_file(name()));
        }
        sha256.update(room.get(..n).unwrap_or_default());
        *at += n as u64;
        if *at == volume.len {
            let more = read_some(bytes, &mut [0]);
            if more.map_err(|error| Error::io(error, Some(*at)).in_file(name()))? > 0 {
                return Err(Error::at(Fault::VolumeLong, *at).in_file(name()));
            }
            let digest = Digest32::new(std::mem::take(sha256).finalize().into());
            if digest != volume.sha256 {
                return Err(Error::from_fault(Fault::VolumeDigest).in_file(name()));
            }
            self.open = None;
        }
        Ok(n)
    }
}

fn read_some(source: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map(|n| n.min(buf.len())),
        }
    }
}

impl<S: VolumeSource> Read for Volumes<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other(Error::from_fault(Fault::PastTheEnd)));
        }
        if buf.is_empty() {
            return Ok(0);
        }
        let read = self.step(buf);
        self.failed = read.is_err();
        read.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Map = BTreeMap<String, Vec<u8>>;

    fn written(bytes: &[u8], size: u64) -> (Map, Vec<Volume>) {
        let mut map = Map::new();
        let mut writer = VolumeWriter::new(&mut map, "p".to_owned(), size);
        bytes.chunks(3).for_each(|piece| writer.write_all(piece).unwrap());
        let volumes = writer.finish().unwrap();
        (map, volumes)
    }

    fn read(map: &Map, volumes: Vec<Volume>) -> Result<Vec<u8>> {
        let mut part = SealedPart::new(0, 0, 0, Digest32::new([0; 32]));
        part.volumes = volumes;
        let mut got = Vec::new();
        Volumes::new(map, &part).read_to_end(&mut got)?;
        Ok(got)
    }

    #[test]
    fn volumes_are_full_but_the_last_and_none_is_empty() {
        for (bytes, lens) in [(10, vec![4, 4, 2]), (8, vec![4, 4]), (3, vec![3]), (0, vec![])] {
            let bytes = vec![7; bytes];
            let (map, volumes) = written(&bytes, 4);
            assert_eq!(volumes.iter().map(|v| v.len).collect::<Vec<_>>(), lens);
            assert_eq!(map.len(), lens.len());
            assert_eq!(read(&map, volumes).unwrap(), bytes);
        }
        assert_eq!(written(b"12345", 4).1[1].name, "p.000001");
    }

    #[test]
    fn the_last_bytes_of_a_volume_come_only_when_all_are_right() {
        let (map, volumes) = written(b"0123456789", 4);
        let fault = |change: fn(&mut Map)| {
            let mut map = map.clone();
            change(&mut map);
            let mut part = SealedPart::new(0, 0, 0, Digest32::new([0; 32]));
            part.volumes = volumes.clone();
            let mut got = Vec::new();
            let error = Volumes::new(&map, &part).read_to_end(&mut got).unwrap_err();
            assert!(got.len() < 8, "{got:?}");
            Error::from(error).fault()
        };
        assert_eq!(
            fault(|map| map.get_mut("p.000001").unwrap()[0] ^= 1),
            Some(Fault::VolumeDigest)
        );
        assert_eq!(fault(|map| map.get_mut("p.000001").unwrap().push(0)), Some(Fault::VolumeLong));
        assert_eq!(
            fault(|map| map.get_mut("p.000001").unwrap().truncate(3)),
            Some(Fault::VolumeShort)
        );
        assert_eq!(fault(|map| drop(map.remove("p.000001"))), None);
        let swapped = |map: &mut Map| {
            let first = map.insert("p.000001".to_owned(), b"0123".to_vec()).unwrap();
            map.insert("p.000000".to_owned(), first);
        };
        assert_eq!(fault(swapped), Some(Fault::VolumeDigest));
    }
}
