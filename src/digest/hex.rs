//! A digest, and its text.

use std::fmt;
use std::str::FromStr;

/// A digest of `N` bytes; its text is lower-case hexadecimal.
///
/// ```
/// use redkeep::digest::Digest20;
/// // As a server answered it:
/// let digest: Digest20 = "264ccf65edec66bccfa7cc659414ccca432057d2".parse().unwrap();
/// assert_eq!(digest.to_string(), "264ccf65edec66bccfa7cc659414ccca432057d2");
/// assert_eq!(digest.bytes()[0], 0x26);
/// assert!("264ccf65".parse::<Digest20>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest<const N: usize>([u8; N]);

/// What servers answer.
pub type Digest20 = Digest<20>;

/// Our own.
pub type Digest32 = Digest<32>;

impl<const N: usize> Digest<N> {
    /// A digest from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Digest(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Digest<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Digest<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is no digest: another length, or another character than a hexadecimal digit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a digest of {bytes} bytes in hexadecimal")]
pub struct NotADigest {
    bytes: usize,
}

impl<const N: usize> FromStr for Digest<N> {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let wrong = || NotADigest { bytes: N };
        let mut bytes = [0; N];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(wrong()) };
        if pairs.len() != N {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16).ok_or_else(wrong)?;
                *byte = *byte << 4 | u8::try_from(digit).unwrap_or_default();
            }
        }
        Ok(Digest(bytes))
    }
}

#[cfg(feature = "json")]
impl<const N: usize> serde::Serialize for Digest<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "json")]
impl<'de, const N: usize> serde::Deserialize<'de> for Digest<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_of_the_right_length_is_a_digest() {
        assert_eq!("0aFF".parse(), Ok(Digest::<2>::new([0x0a, 0xff])));
        for bad in ["", "0a", "0aff0", "0aff00", "0agg", "+aff", "0a\u{e9}"] {
            assert!(bad.parse::<Digest<2>>().is_err(), "{bad}");
        }
    }
}
