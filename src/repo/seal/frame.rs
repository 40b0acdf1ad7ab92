//! One zstd frame: made whole, its header read, inflated whole.

use crate::error::{Error, Fault, Result};
use crate::repo::seal::table::Row;
use std::io;
use zstd::bulk::Compressor;
use zstd::zstd_safe;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// No header is longer.
pub(super) const MOST_HEADER: usize = 18;

/// Whether a data frame begins so.
pub(super) fn is_frame(magic: [u8; 4]) -> bool {
    magic == MAGIC
}

/// Whether a frame to skip begins so.
pub(super) fn is_skippable(magic: [u8; 4]) -> bool {
    let [low, rest @ ..] = magic;
    low & 0xf0 == 0x50 && rest == [0x2a, 0x4d, 0x18]
}

/// What the header of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// How much has to be remembered to inflate it.
    pub(super) window: u64,
    /// Bytes in it, where it says so.
    pub(super) content: Option<u64>,
    pub(super) checksum: bool,
    pub(super) dictionary: bool,
}

impl Header {
    /// Reads a header from its magic on; `None` where the bytes end inside it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        let (_, rest) = bytes.split_first_chunk::<4>()?;
        let (&descriptor, mut rest) = rest.split_first()?;
        let single = descriptor & 0x20 != 0;
        let mut window = None;
        if !single {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            let base = 1u64 << (10 + u32::from(byte >> 3));
            window = Some(base + base / 8 * u64::from(byte & 7));
        }
        let dictionary_len = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?;
        let (dictionary, rest) = rest.split_at_checked(dictionary_len)?;
        let content = match descriptor >> 6 {
            0 if !single => None,
            0 => rest.first().map(|byte| u64::from(*byte)).map(Some)?,
            1 => Some(u64::from(u16::from_le_bytes(*rest.first_chunk()?)) + 256),
            2 => Some(u64::from(u32::from_le_bytes(*rest.first_chunk()?))),
            _ => Some(u64::from_le_bytes(*rest.first_chunk()?)),
        };
        Some(Header {
            window: window.or(content)?,
            content,
            checksum: descriptor & 4 != 0,
            dictionary: dictionary.iter().any(|byte| *byte != 0),
        })
    }

    /// The content of a frame as they are written here; anything else is another form.
    pub(super) fn own_content(self) -> Result<u64> {
        match self.content {
            Some(content) if self.checksum && !self.dictionary => Ok(content),
            _ => Err(Error::from_fault(Fault::SealFrameForm)),
        }
    }
}

/// What libzstd says, in our words. The numbers are stable by its own promise.
pub(super) fn fault(code: usize) -> Fault {
    match 0usize.wrapping_sub(code) {
        16 => Fault::SealWindow,
        22 => Fault::SealFrameChecksum,
        32 => Fault::SealFrameForm,
        _ => Fault::SealFrame,
    }
}

pub(super) fn new_compressor(level: i32) -> Result<Compressor<'static>> {
    let made = || {
        let mut compressor = Compressor::new(level)?;
        compressor.set_parameter(zstd_safe::CParameter::ChecksumFlag(true))?;
        compressor.set_parameter(zstd_safe::CParameter::ContentSizeFlag(true))?;
        io::Result::Ok(compressor)
    };
    made().map_err(Error::from)
}

/// Makes a frame of some bytes, and the row that the table has for it.
pub(super) fn compress(
    compressor: &mut Compressor<'static>,
    plain: &[u8],
    out: &mut Vec<u8>,
) -> Result<Row> {
    out.clear();
    out.reserve(zstd_safe::compress_bound(plain.len()));
    compressor.compress_to_buffer(plain, out)?;
    let sizes = (u32::try_from(out.len()), u32::try_from(plain.len()), out.last_chunk::<4>());
    let (Ok(compressed), Ok(plain), Some(checksum)) = sizes else {
        return Err(Error::from_fault(Fault::SealFrameLimit));
    };
    Ok(Row { compressed, plain, checksum: *checksum })
}

/// Inflates a frame that lies in memory whole, and has to be what the table says of it.
pub(super) fn inflate(
    context: &mut zstd_safe::DCtx<'static>,
    frame: &[u8],
    row: Row,
    out: &mut Vec<u8>,
) -> Result<()> {
    let header = Header::parse(frame).filter(|_| frame.starts_with(&MAGIC));
    let header = header.ok_or_else(|| Error::from_fault(Fault::SealFrame))?;
    let sizes_fit = header.own_content()? == u64::from(row.plain)
        && zstd_safe::find_frame_compressed_size(frame) == Ok(frame.len());
    if !sizes_fit || frame.last_chunk() != Some(&row.checksum) {
        return Err(Error::from_fault(Fault::SealTable));
    }
    let plain = usize::try_from(row.plain).unwrap_or(usize::MAX);
    out.clear();
    out.try_reserve_exact(plain).map_err(|_| Error::from_fault(Fault::SealFrameLimit))?;
    let n = context.decompress(out, frame).map_err(|code| Error::from_fault(fault(code)))?;
    match n == plain && out.len() == plain {
        true => Ok(()),
        false => Err(Error::from_fault(Fault::SealFrame)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_libzstd_put_there() {
        for len in [0usize, 1, 255, 256, 65_791, 65_792, 1 << 20] {
            let plain = vec![b'a'; len];
            let mut out = Vec::new();
            let row = compress(&mut new_compressor(3).unwrap(), &plain, &mut out).unwrap();
            let header = Header::parse(&out).unwrap();
            assert_eq!(header.own_content().unwrap(), len as u64);
            assert!(header.window >= len as u64);
            let mut back = Vec::new();
            let mut context = zstd_safe::DCtx::create();
            inflate(&mut context, &out, row, &mut back).unwrap();
            assert_eq!(back, plain);
            let cut =
                (0..out.len().min(MOST_HEADER)).filter(|n| Header::parse(&out[..*n]).is_none());
            assert!(cut.count() >= 6);
        }
    }

    #[test]
    fn windows_are_those_of_the_specification() {
        let window = |byte| Header::parse(&[0x28, 0xb5, 0x2f, 0xfd, 0, byte]).unwrap().window;
        assert_eq!(window(0), 1024);
        assert_eq!(window(0b1_001), 2048 + 256);
        assert_eq!(window(0xff), (1 << 41) + (7 << 38));
    }
}
