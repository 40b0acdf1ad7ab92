//! What is recorded of a sealed part, and what it says of where its bytes lie.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use crate::repo::seal::crypt::{CHUNK, CHUNK_STORED, TAG};
use crate::repo::seal::table;
use std::collections::HashSet;

/// One stored object: a piece of a sealed part.
///
/// ```
/// use redkeep::repo::seal::Volume;
/// let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".parse().unwrap();
/// assert_eq!(Volume::new("part.000000", 5, sha256).len, 5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Volume {
    /// Its name: that of the part, and behind a dot its number in six digits, from 000000 on.
    pub name: String,
    /// Its bytes; all but the last volume of a part have equally many.
    pub len: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest32,
}

impl Volume {
    /// A volume as recorded somewhere.
    #[must_use]
    pub fn new(name: impl Into<String>, len: u64, sha256: Digest32) -> Self {
        Volume { name: name.into(), len, sha256 }
    }
}

/// What is to be recorded of a sealed part, and is needed to read and verify it.
///
/// Nothing in it depends on the plain bytes but their number, unless the part is in clear: it may stand
/// where others can read it. With feature `json` it can be written and read by serde. What is read
/// from a record is believed only after [`check`](SealedPart::check), which every reader does.
///
/// ```
/// use redkeep::Fault;
/// use redkeep::repo::seal::{SealedPart, Volume};
/// let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".parse().unwrap();
/// let part = SealedPart::new(1000, 0, 1, digest).volume(Volume::new("part.000000", 300, digest));
/// part.check()?;
/// let more = SealedPart::new(1000, 0, 100, digest).volume(Volume::new("part.000000", 300, digest));
/// assert_eq!(more.check().unwrap_err().fault(), Some(Fault::SealRecord));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SealedPart {
    /// Whether age is around the frames.
    pub encrypted: bool,
    /// Plain bytes in all frames.
    pub plain_len: u64,
    /// Stored bytes before the first encrypted chunk: header and nonce. 0 where it is in clear.
    pub header_len: u64,
    /// Bytes of the seek table: 12 a frame, and 17.
    pub seek_table_len: u64,
    /// zstd frames.
    pub frames: u64,
    /// SHA-256 of the stored bytes that tell this part from any other: the first
    /// [`header_len`](Self::header_len) where it is encrypted, else the seek table. So a reader of
    /// ranges notices that another object has this name, without reading all of it.
    pub anchor: Digest32,
    /// The objects it is stored in, in order.
    pub volumes: Vec<Volume>,
}

impl SealedPart {
    /// A record without volumes, for those who keep records in a form of their own.
    #[must_use]
    pub fn new(plain_len: u64, header_len: u64, frames: u64, anchor: Digest32) -> Self {
        SealedPart {
            encrypted: header_len > 0,
            plain_len,
            header_len,
            seek_table_len: table::len(frames),
            frames,
            anchor,
            volumes: Vec::new(),
        }
    }

    /// Adds a volume at its end.
    #[must_use]
    pub fn volume(mut self, volume: Volume) -> Self {
        self.volumes.push(volume);
        self
    }

    /// Stored bytes in all volumes.
    #[must_use]
    pub fn stored_len(&self) -> u64 {
        self.volumes.iter().fold(0, |sum, volume| sum.saturating_add(volume.len))
    }

    /// Whether all of it can be true at once, and no volume has a name that leads elsewhere.
    ///
    /// # Errors
    ///
    /// [`Fault::SealRecord`], with what contradicts what.
    pub fn check(&self) -> Result<()> {
        self.framed_len().map(|_| ())
    }

    /// Bytes of frames and table, after the same check.
    pub(super) fn framed_len(&self) -> Result<u64> {
        let wrong = |what: &str| Err(Error::from_fault(Fault::SealRecord).with_detail(what));
        let mut names = HashSet::new();
        let mut stored = 0u64;
        for Volume { name, len, .. } in &self.volumes {
            let leads_away = name.contains(['/', '\\', '\0']) || [".", "..", ""].contains(&&**name);
            if leads_away {
                return wrong("a volume's name is no bare name");
            }
            if !names.insert(name) {
                return wrong("two volumes have one name");
            }
            match stored.checked_add(*len).filter(|_| *len > 0) {
                Some(sum) => stored = sum,
                None => return wrong("a volume cannot be so long"),
            }
        }
        if self.volumes.is_empty() {
            return wrong("it has no volume");
        }
        if self.frames > table::MOST_FRAMES || self.seek_table_len != table::len(self.frames) {
            return wrong("the seek table cannot be so long");
        }
        if self.encrypted == (self.header_len == 0) {
            return wrong("the header's length does not fit whether it is encrypted");
        }
        let most = self.frames.saturating_mul(u32::MAX.into());
        if self.plain_len > most || (self.plain_len == 0) != (self.frames == 0) {
            return wrong("so many bytes are not in so many frames");
        }
        let payload = stored.checked_sub(self.header_len);
        let framed = payload.and_then(|len| if self.encrypted { inside(len) } else { Some(len) });
        match framed.filter(|len| *len >= self.seek_table_len) {
            Some(len) => Ok(len),
            None => wrong("the volumes are too short for what is in them"),
        }
    }
}

/// How many bytes so many encrypted ones hold, which are chunks of 64 KiB and their tags.
fn inside(encrypted: u64) -> Option<u64> {
    let chunks = encrypted.div_ceil(CHUNK_STORED);
    let len = encrypted.checked_sub(chunks.checked_mul(TAG)?)?;
    // The last chunk is never empty.
    (len > chunks.checked_sub(1)?.checked_mul(CHUNK)?).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> SealedPart {
        let digest = Digest32::new([7; 32]);
        SealedPart::new(100, 0, 1, digest).volume(Volume::new("a.000000", 60, digest))
    }

    #[test]
    fn a_record_that_contradicts_itself_is_refused() {
        part().check().unwrap();
        let changes: [fn(&mut SealedPart); 13] = [
            |part| part.volumes.clear(),
            |part| part.volumes[0].name = "../a".to_owned(),
            |part| part.volumes[0].name = "..".to_owned(),
            |part| part.volumes[0].len = 28,
            |part| part.volumes[0].len = 0,
            |part| part.volumes.push(part.volumes[0].clone()),
            |part| {
                part.volumes.push(Volume {
                    name: "b".into(),
                    len: u64::MAX,
                    ..part.volumes[0].clone()
                })
            },
            |part| part.seek_table_len += 1,
            |part| part.frames = u64::MAX / 4,
            |part| part.encrypted = true,
            |part| part.header_len = 20,
            |part| part.plain_len = 0,
            |part| part.plain_len = 1 << 33,
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut part = part();
            change(&mut part);
            let error = part.check().unwrap_err();
            assert_eq!(error.fault(), Some(Fault::SealRecord), "change {at}");
        }
    }

    #[test]
    fn chunks_hold_what_they_hold() {
        assert_eq!(inside(0), None);
        assert_eq!(inside(16), None);
        assert_eq!(inside(17), Some(1));
        assert_eq!(inside(65_552), Some(65_536));
        assert_eq!(inside(65_552 + 16), None);
        assert_eq!(inside(65_552 + 17), Some(65_537));
    }
}
