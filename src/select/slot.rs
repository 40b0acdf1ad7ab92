//! Cluster slots: which of the 16384 a key belongs to.

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// The cluster slot of a key, 0 to 16383: CRC-16 of its [hash tag](hash_tag), or of all of it.
///
/// ```
/// use redkeep::select::slot;
/// assert_eq!(slot(b"123456789"), 12_739);
/// assert_eq!(slot(b"{user1000}.following"), slot(b"{user1000}.followers"));
/// ```
#[must_use]
pub fn slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

/// What alone decides the slot: the bytes between the first `{` and the first `}` behind it, unless
/// there are none.
///
/// ```
/// use redkeep::select::hash_tag;
/// assert_eq!(hash_tag(b"foo{bar}{zap}"), Some(&b"bar"[..]));
/// assert_eq!(hash_tag(b"foo{}{bar}"), None);
/// ```
#[must_use]
pub fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let opened = key.iter().position(|byte| *byte == b'{')?;
    let inside = key.get(opened + 1..)?;
    let closed = inside.iter().position(|byte| *byte == b'}')?;
    inside.get(..closed).filter(|tag| !tag.is_empty())
}

/// CRC-16/XMODEM: polynomial 1021, high bit first, from 0, nothing added at the end.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        let [high, _] = crc.to_be_bytes();
        crc << 8 ^ TABLE.get(usize::from(high ^ byte)).copied().unwrap_or_default()
    })
}

static TABLE: [u16; 256] = table();

#[allow(clippy::indexing_slicing)] // while compiling, where a panic is an error
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tag_is_between_the_first_brace_and_the_first_behind_it() {
        let cases: [(&[u8], Option<&[u8]>); 13] = [
            (b"", None),
            (b"foo", None),
            (b"foo{bar}{zap}", Some(b"bar")),
            (b"foo{}{bar}", None),
            (b"{}x", None),
            (b"foo{{bar}}zap", Some(b"{bar")),
            (b"{user1000}.following", Some(b"user1000")),
            (b"}{a}", Some(b"a")),
            (b"a}b{c", None),
            (b"{", None),
            (b"{a", None),
            (b"{a}", Some(b"a")),
            (b"{\xff\0}", Some(b"\xff\0")),
        ];
        for (key, tag) in cases {
            assert_eq!(hash_tag(key), tag, "{}", key.escape_ascii());
            assert_eq!(slot(key), crc16(tag.unwrap_or(key)) & 0x3fff);
        }
    }

    #[test]
    fn slots_are_those_that_servers_answer() {
        // Also asked of live servers, in tests/glob.rs.
        let cases: [(&[u8], u16); 4] =
            [(b"123456789", 12_739), (b"foo", 12_182), (b"", 0), (b"foo{bar}{zap}", 5061)];
        for (key, expected) in cases {
            assert_eq!(slot(key), expected, "{}", key.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn the_checksum_is_xmodem(bytes: Vec<u8>) {
            let oracle = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);
            prop_assert_eq!(crc16(&bytes), oracle.checksum(&bytes));
        }
    }
}
