//! DUMP and RESTORE payloads, and those of FUNCTION DUMP.
//!
//! ```text
//! DUMP            [f3 key metadata]  type u8  value        version u16le  crc64 u64le
//! FUNCTION DUMP   { f5 source str }*                       version u16le  crc64 u64le
//! ```
//!
//! The checksum covers all before it, the version too. Neither key nor expiry is in it: those are
//! arguments of RESTORE. Servers do not check that the value ends where the footer begins; here it
//! must, to the byte.

use crate::error::{Error, Fault, Result};
use crate::rdb::attribute::{Attribute, Attributes};
use crate::rdb::event::{EventKind, Function, read_record};
use crate::rdb::opcode::byte;
use crate::rdb::template::TemplateSizes;
use crate::rdb::value::Value;
use crate::rdb::value_type::ValueType;
use crate::rdb::version::Header;
use crate::rdb::walk::{pass, settle_stop};
use crate::wire::crc64::Crc64;
use crate::wire::cursor::Cursor;

/// Version and checksum.
const FOOTER: usize = 10;

/// A DUMP payload: a value, ready for RESTORE.
///
/// ```
/// use redkeep::rdb::Payload;
/// // DUMP of `SET a 12`, Redis 7.0.
/// let bytes = b"\x00\xc0\x0c\x0a\x00\x3c\x2a\xf8\x51\x5c\x04\xbc\xd5";
/// let payload = Payload::parse(bytes)?;
/// assert_eq!(payload.version(), 10);
/// assert_eq!(Payload::encode(payload.value(), None, 10), bytes);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    version: u16,
    metadata: Option<&'a [u8]>,
    value: Value<'a>,
}

impl<'a> Payload<'a> {
    /// Reads what DUMP answered: checksum, version, and a value that ends where it has to.
    ///
    /// # Errors
    /// `Truncated` for fewer than ten bytes, `Checksum` when the sum does not fit (a stored 0 means
    /// that none was kept, as Redis 8.8 has it), `Corrupt` or `Unsupported` when the value cannot be
    /// framed or is followed by more bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Payload<'a>> {
        let (body, version) = unseal(bytes)?;
        let lineage = Header::of_version(version).lineage;
        let mut c = Cursor::new(body);
        let bad = |stop| settle_stop(stop, 0, body.len());
        let mut attributes = Attributes::default();
        let before = c;
        let kind = match Attribute::read(&mut c, lineage).map_err(bad)? {
            Attribute::Type(kind) => kind,
            Attribute::Metadata(raw) => {
                attributes.metadata = Some(raw);
                let before = c;
                match Attribute::read(&mut c, lineage).map_err(bad)? {
                    Attribute::Type(kind) => kind,
                    _ => return Err(bad(before.bad(Fault::LooseAttributes))),
                }
            }
            // Expiries are arguments of RESTORE and have no place here.
            _ => return Err(bad(before.bad(Fault::LooseAttributes))),
        };
        if matches!(kind, ValueType::HashTmplLpRef | ValueType::HashTmplArrayRef) {
            return Err(bad(before.bad(Fault::TemplateUnknown)));
        }
        let offset = (body.len() - c.left()) as u64;
        let value = Value { kind, bytes: c.rest(), offset };
        pass(kind, &mut c, &TemplateSizes::default()).map_err(bad)?;
        if !c.is_empty() {
            return Err(bad(c.bad(Fault::PayloadTail)));
        }
        Ok(Payload { version, metadata: attributes.metadata, value })
    }

    /// The RDB version it was made under.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        self.value
    }

    /// Key metadata of modules (Redis 8.6), as stored.
    #[must_use]
    pub fn metadata(&self) -> Option<&'a [u8]> {
        self.metadata
    }

    /// Makes a payload of a value as it stands in a file, for a server of that RDB version.
    ///
    /// The value's bytes are not looked at: whether the server knows its type is
    /// [`ServerVersion::reads`](crate::rdb::ServerVersion::reads).
    #[must_use]
    pub fn encode(value: Value<'_>, metadata: Option<&[u8]>, version: u16) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(value.len() + FOOTER + 1);
        Payload::encode_into(value, metadata, version, &mut bytes);
        bytes
    }

    /// How long the payload of a value is.
    pub(crate) fn encoded_len(value: Value<'_>, metadata: Option<&[u8]>) -> usize {
        metadata.map_or(0, |metadata| 1 + metadata.len()) + 1 + value.len() + FOOTER
    }

    /// Appends the payload.
    pub(crate) fn encode_into(
        value: Value<'_>,
        metadata: Option<&[u8]>,
        version: u16,
        bytes: &mut Vec<u8>,
    ) {
        let start = bytes.len();
        write_head(value, metadata, bytes);
        bytes.extend_from_slice(value.bytes());
        seal(bytes, start, version);
    }

    /// What stands in front of the value and behind it, for a value too big to be copied.
    pub(crate) fn encode_around(
        value: Value<'_>,
        metadata: Option<&[u8]>,
        version: u16,
    ) -> (Vec<u8>, Vec<u8>) {
        let (mut head, mut crc) = (Vec::new(), Crc64::new());
        write_head(value, metadata, &mut head);
        let mut foot = version.to_le_bytes().to_vec();
        [&head[..], value.bytes(), &foot].iter().for_each(|part| crc.update(part));
        foot.extend_from_slice(&crc.value().to_le_bytes());
        (head, foot)
    }
}

/// Metadata and type.
fn write_head(value: Value<'_>, metadata: Option<&[u8]>, bytes: &mut Vec<u8>) {
    if let Some(metadata) = metadata {
        bytes.push(byte::KEY_META);
        bytes.extend_from_slice(metadata);
    }
    bytes.push(value.value_type().byte());
}

/// Reads what FUNCTION DUMP answered: the libraries in it.
///
/// # Errors
/// As [`Payload::parse`].
///
/// ```
/// use redkeep::rdb::{encode_functions, parse_functions, StrBuf};
/// let bytes = encode_functions([&b"#!lua name=a\nreturn 1"[..]], 11);
/// let libraries = parse_functions(&bytes)?;
/// assert_eq!(libraries[0].code.bytes(&mut StrBuf::new())?, b"#!lua name=a\nreturn 1");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn parse_functions(bytes: &[u8]) -> Result<Vec<Function<'_>>> {
    let (body, _) = unseal(bytes)?;
    let mut c = Cursor::new(body);
    let mut libraries = Vec::new();
    while !c.is_empty() {
        let before = c;
        let bad = |stop| settle_stop(stop, 0, body.len());
        match c.peek().and_then(|_| read_record(&mut c, 0)).map_err(bad)? {
            EventKind::Function(function) => libraries.push(function),
            _ => return Err(bad(before.bad(Fault::Opcode))),
        }
    }
    Ok(libraries)
}

/// Makes a FUNCTION DUMP payload of libraries' sources, for a server of that RDB version.
#[must_use]
pub fn encode_functions<'a>(sources: impl IntoIterator<Item = &'a [u8]>, version: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for source in sources {
        bytes.push(byte::FUNCTION2);
        crate::rdb::len::write_length(source.len() as u64, &mut bytes);
        bytes.extend_from_slice(source);
    }
    seal(&mut bytes, 0, version);
    bytes
}

/// The body and the version of a payload whose checksum fits.
fn unseal(bytes: &[u8]) -> Result<(&[u8], u16)> {
    let short = || Error::at(Fault::EndsInside, bytes.len() as u64);
    let (summed, stored) = bytes.split_last_chunk::<8>().ok_or_else(short)?;
    let (body, version) = summed.split_last_chunk::<2>().ok_or_else(short)?;
    let stored = u64::from_le_bytes(*stored);
    let mut crc = Crc64::new();
    crc.update(summed);
    if stored != 0 && stored != crc.value() {
        return Err(Error::at(Fault::ChecksumMismatch, summed.len() as u64)
            .with_detail(format!("{stored:016x} is stored, {:016x} was computed", crc.value())));
    }
    Ok((body, u16::from_le_bytes(*version)))
}

/// Ends the payload that begins there.
fn seal(bytes: &mut Vec<u8>, start: usize, version: u16) {
    bytes.extend_from_slice(&version.to_le_bytes());
    let mut crc = Crc64::new();
    crc.update(bytes.get(start..).unwrap_or_default());
    bytes.extend_from_slice(&crc.value().to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SET a 12`, DUMP, as three servers answered.
    const SEEN: [&[u8]; 3] = [
        b"\x00\xc0\x0c\x06\x00\xaa\xc7\x90\xd1\xa9\x51\x80\x46",
        b"\x00\xc0\x0c\x0a\x00\x3c\x2a\xf8\x51\x5c\x04\xbc\xd5",
        b"\x00\xc0\x0c\x50\x00\xf3\x00\x31\xc0\xc2\x56\xdb\x21",
    ];

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = body.to_vec();
        seal(&mut bytes, 0, 11);
        bytes
    }

    #[test]
    fn what_servers_dump_is_read_and_made_byte_for_byte() {
        for (bytes, version) in SEEN.into_iter().zip([6, 10, 80]) {
            let payload = Payload::parse(bytes).unwrap();
            assert_eq!(payload.version(), version);
            assert_eq!(Payload::encode(payload.value(), payload.metadata(), version), bytes);
            let (head, foot) = Payload::encode_around(payload.value(), None, version);
            assert_eq!([&head, payload.value().bytes(), &foot].concat(), bytes);
        }
    }

    #[test]
    fn a_value_has_to_end_where_the_footer_begins() {
        for body in
            [&b"\x00\x05a"[..], b"\x00\x01ab", b"", b"\x00", b"\xfc\0\0\0\0\0\0\0\0\x00\x01a"]
        {
            assert!(Payload::parse(&sealed(body)).is_err(), "{body:x?}");
        }
        assert!(Payload::parse(&sealed(b"\x00\x01a")).is_ok());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for at in 0..SEEN[1].len() * 8 {
            let mut bytes = SEEN[1].to_vec();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(Payload::parse(&bytes).is_err(), "bit {at}");
        }
        for cut in 0..SEEN[1].len() {
            assert!(Payload::parse(&SEEN[1][..cut]).is_err(), "cut to {cut}");
        }
    }

    #[test]
    fn metadata_stands_in_front_of_the_type() {
        let meta = b"\x01\x19\xf6\xc4\x28\x02\x01\x00";
        let value = Payload::parse(SEEN[1]).unwrap().value();
        let bytes = Payload::encode(value, Some(meta), 13);
        let payload = Payload::parse(&bytes).unwrap();
        assert_eq!(payload.metadata(), Some(&meta[..]));
        assert_eq!(payload.value().bytes(), b"\xc0\x0c");
    }
}
