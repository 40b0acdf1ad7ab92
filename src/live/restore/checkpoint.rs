//! How far a restore has come, to go on from there.

use crate::error::Error;
use crate::wire::crc64::Crc64;
use std::fmt;
use std::str::FromStr;

/// So many keys of the source are settled: restored, skipped, or failed for good.
///
/// It goes with one source and one choice of keys; that it is the same is seen from the last of the
/// keys. As text, it is their number and a checksum of that key, as `1200-89abcdef01234567`.
///
/// ```
/// use redkeep::live::restore::Checkpoint;
/// let checkpoint: Checkpoint = "1200-89abcdef01234567".parse()?;
/// assert_eq!(checkpoint.keys(), 1200);
/// assert_eq!(checkpoint.to_string(), "1200-89abcdef01234567");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    keys: u64,
    last: u64,
}

impl Checkpoint {
    /// After so many keys, of which this was the last.
    pub(super) fn after(keys: u64, db: u64, name: &[u8]) -> Checkpoint {
        let mut crc = Crc64::new();
        crc.update(&db.to_le_bytes());
        crc.update(name);
        Checkpoint { keys, last: crc.value() }
    }

    /// How many keys are settled.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.keys, self.last)
    }
}

impl FromStr for Checkpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (keys, last) = text.trim().split_once('-')?;
            let last = u64::from_str_radix(last, 16).ok()?;
            Some(Checkpoint { keys: keys.parse().ok()?, last })
        };
        parse().ok_or_else(|| Error::usage("not a checkpoint: a number, `-` and a checksum"))
    }
}

#[cfg(feature = "json")]
impl serde::Serialize for Checkpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_knows_its_last_key() {
        let checkpoint = Checkpoint::after(3, 0, b"k");
        assert_eq!(checkpoint.to_string().parse::<Checkpoint>().unwrap(), checkpoint);
        assert_ne!(Checkpoint::after(3, 1, b"k"), checkpoint);
        assert_ne!(Checkpoint::after(3, 0, b"l"), checkpoint);
        for bad in ["", "3", "3-", "3-x", "-5-1"] {
            assert!(bad.parse::<Checkpoint>().is_err(), "{bad}");
        }
    }
}
