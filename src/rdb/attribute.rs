//! What stands between the start of a key's record and its type byte.
//!
//! Attributes belong to the next key and to no other. Servers let them survive AUX fields, database
//! selection and size hints in between, so those are passed here too and stay part of the record.

use crate::error::Fault;
use crate::rdb::encoding::module::ModuleOp;
use crate::rdb::len::write_length;
use crate::rdb::opcode::{Opcode, Token, byte, token};
use crate::rdb::string::Str;
use crate::rdb::value_type::ValueType;
use crate::rdb::version::Lineage;
use crate::time::UnixMillis;
use crate::wire::cursor::{Cursor, Res};

/// Name of the AUX field that KeyDB's active replicas put in front of a key.
pub(crate) const MVCC: &[u8] = b"mvcc-tstamp";

/// Name of the AUX field by which Valkey 8 and later announce a slot.
pub(crate) const SLOT_INFO: &[u8] = b"slot-info";

/// One record of a head.
pub(crate) enum Attribute<'a> {
    Expires(i64),
    Idle(u64),
    Frequency(u8),
    /// Key metadata, without its opcode.
    Metadata(&'a [u8]),
    Aux(Str<'a>, Str<'a>),
    SelectDb(u64),
    Slot(Option<u16>),
    Hint,
    Type(ValueType),
}

impl<'a> Attribute<'a> {
    pub(crate) fn read(c: &mut Cursor<'a>, lineage: Lineage) -> Res<Attribute<'a>> {
        let before = *c;
        Ok(match token(lineage, c.byte()?) {
            Token::Value(kind) => Attribute::Type(kind),
            Token::Opcode(Opcode::ExpireMs) => Attribute::Expires(c.i64_le()?),
            Token::Opcode(Opcode::ExpireSeconds) => {
                let seconds = i64::from(i32::from_le_bytes(c.array()?));
                Attribute::Expires(UnixMillis::from_seconds(seconds).get())
            }
            Token::Opcode(Opcode::Idle) => Attribute::Idle(c.length()?),
            Token::Opcode(Opcode::Freq) => Attribute::Frequency(c.byte()?),
            Token::Opcode(Opcode::KeyMeta) => Attribute::Metadata(metadata(c)?),
            Token::Opcode(Opcode::Aux) => {
                let (name, value) = (c.string()?, c.string()?);
                match name {
                    Str::Plain(name) if name == SLOT_INFO => Attribute::Slot(slot_of(value)),
                    _ => Attribute::Aux(name, value),
                }
            }
            Token::Opcode(Opcode::SelectDb) => Attribute::SelectDb(c.length()?),
            Token::Opcode(Opcode::ResizeDb) => {
                c.length()?;
                c.length()?;
                Attribute::Hint
            }
            Token::Opcode(Opcode::EnterpriseSkip) => {
                c.length()?;
                Attribute::Hint
            }
            Token::Opcode(Opcode::SlotInfo) => {
                let slot = c.length()?;
                c.length()?;
                c.length()?;
                Attribute::Slot(u16::try_from(slot).ok())
            }
            Token::Opcode(_) => return Err(before.bad(Fault::LooseAttributes)),
            Token::Vendor(_) => return Err(before.bad(Fault::Vendor)),
            Token::Unknown => return Err(before.bad(Fault::Opcode)),
        })
    }
}

/// The metadata classes of a key (Redis 8.6), passed by their structure.
fn metadata<'a>(c: &mut Cursor<'a>) -> Res<&'a [u8]> {
    let before = *c;
    let classes = c.length()?;
    for _ in 0..classes {
        c.array::<4>()?;
        ModuleOp::pass_all(c)?;
    }
    Ok(before.clip(before.left() - c.left()).rest())
}

/// The slot in Valkey's `slot,keys,expires` text.
pub(crate) fn slot_of(value: Str<'_>) -> Option<u16> {
    let Str::Plain(text) = value else { return None };
    std::str::from_utf8(text).ok()?.split(',').next()?.parse().ok()
}

/// What a record says of its key besides the value.
///
/// ```
/// # use redkeep::rdb::{EventKind, SliceReader};
/// # let dump = b"REDIS0009\xf9\x05\xf8\x0a\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
/// for event in SliceReader::new(dump) {
///     if let EventKind::Entry(entry) = event?.kind() {
///         let attributes = entry.attributes();
///         assert_eq!(attributes.frequency, Some(5));
///         assert_eq!(attributes.idle_seconds, Some(10));
///         assert_eq!(attributes.expires, None);
///     }
/// }
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Attributes<'a> {
    /// When the key expires; the last of several wins, and a stored -1 means never.
    pub expires: Option<UnixMillis>,
    /// Seconds since the key was last used (LRU policies).
    pub idle_seconds: Option<u64>,
    /// The access counter, 0 to 255 (LFU policies).
    pub frequency: Option<u8>,
    /// Key metadata of modules (Redis 8.6): the count of classes and their data, as stored.
    pub metadata: Option<&'a [u8]>,
    /// KeyDB's version stamp of the key.
    pub mvcc: Option<Str<'a>>,
}

impl<'a> Attributes<'a> {
    /// Sets [`expires`](Self::expires).
    #[must_use]
    pub fn expires(mut self, at: UnixMillis) -> Self {
        self.expires = Some(at);
        self
    }

    #[inline(never)]
    pub(crate) fn read(raw: &'a [u8]) -> Attributes<'a> {
        let mut all = Attributes::default();
        if raw.is_empty() {
            return all;
        }
        let mut c = Cursor::new(raw);
        // Framed before, so it reads to its end; only Redis' lineage has metadata there.
        while let Ok(attribute) = Attribute::read(&mut c, Lineage::Redis) {
            match attribute {
                Attribute::Expires(at) => {
                    all.expires = (at != -1).then_some(UnixMillis::new(at));
                }
                Attribute::Idle(seconds) => all.idle_seconds = Some(seconds),
                Attribute::Frequency(count) => all.frequency = Some(count),
                Attribute::Metadata(raw) => all.metadata = Some(raw),
                Attribute::Aux(Str::Plain(MVCC), stamp) => all.mvcc = Some(stamp),
                _ => {}
            }
        }
        all
    }

    /// Whether a database is selected among them.
    pub(crate) fn select_db(raw: &[u8]) -> bool {
        let mut c = Cursor::new(raw);
        std::iter::from_fn(|| Attribute::read(&mut c, Lineage::Redis).ok())
            .any(|attribute| matches!(attribute, Attribute::SelectDb(_)))
    }

    /// Appends them as records in front of a type byte, in the order of the servers. KeyDB's stamp
    /// is left out: it means nothing once anything was changed.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if let Some(at) = self.expires {
            out.push(byte::EXPIRE_MS);
            out.extend_from_slice(&at.get().to_le_bytes());
        }
        if let Some(seconds) = self.idle_seconds {
            out.push(byte::IDLE);
            write_length(seconds, out);
        }
        if let Some(count) = self.frequency {
            out.extend_from_slice(&[byte::FREQ, count]);
        }
        if let Some(metadata) = self.metadata {
            out.push(byte::KEY_META);
            out.extend_from_slice(metadata);
        }
    }
}
