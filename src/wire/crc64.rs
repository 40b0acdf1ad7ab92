//! The checksum at the end of every RDB file and every DUMP payload.

use crc_fast::{CrcAlgorithm, Digest};

/// CRC-64 as Redis means it (Jones): polynomial `ad93d23594c935a9`, reflected, starting from 0 and
/// with nothing added at the end, so `123456789` gives `e9c6d914c4b8d9ca`.
///
/// Not CRC-64/XZ, whose value no arithmetic turns into this one. Feed it what was read in blocks,
/// best of 16 KiB and more and never field by field: a call for a few bytes costs as much as one
/// for a KiB.
#[derive(Debug)]
pub(crate) struct Crc64(Digest);

impl Crc64 {
    /// The checksum of nothing, which is 0.
    pub(crate) fn new() -> Self {
        Crc64(Digest::new(CrcAlgorithm::Crc64Redis))
    }

    /// Goes on over the next bytes.
    pub(crate) fn update(&mut self, block: &[u8]) {
        self.0.update(block);
    }

    /// The checksum of everything fed so far; feeding may go on afterwards.
    pub(crate) fn value(&self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(block: &[u8]) -> u64 {
        let mut crc = Crc64::new();
        crc.update(block);
        crc.value()
    }

    #[test]
    fn the_check_value_is_that_of_redis() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(checksum(b""), 0);
        assert_eq!(Crc64::new().value(), 0);
    }

    #[test]
    fn every_length_and_every_split_agree_with_the_crc_crate() {
        let reference = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);
        let bytes: Vec<u8> =
            (0..18_000u32).flat_map(|i| (i * i).to_be_bytes()).chain(0..=255).collect();
        for len in (0..600).chain([4095, 16_384, 16_385, 65_536, 70_000]) {
            let block = &bytes[..len];
            let want = reference.checksum(block);
            assert_eq!(checksum(block), want, "{len} bytes");
            for cut in [0, 1, len / 3, len.saturating_sub(1)] {
                let (one, two) = block.split_at(cut.min(len));
                let mut crc = Crc64::new();
                crc.update(one);
                let _ = crc.value();
                crc.update(two);
                assert_eq!(crc.value(), want, "{len} bytes cut at {cut}");
            }
        }
    }
}
