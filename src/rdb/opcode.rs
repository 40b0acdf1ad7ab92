//! What each of the 256 first bytes of a record means, by lineage.

use crate::rdb::value_type::ValueType;
use crate::rdb::version::Lineage;

/// The bytes of opcodes that are written.
pub(crate) mod byte {
    pub(crate) const KEY_META: u8 = 243;
    pub(crate) const FUNCTION2: u8 = 245;
    pub(crate) const IDLE: u8 = 248;
    pub(crate) const FREQ: u8 = 249;
    pub(crate) const AUX: u8 = 250;
    pub(crate) const RESIZE_DB: u8 = 251;
    pub(crate) const EXPIRE_MS: u8 = 252;
    pub(crate) const EXPIRE_SECONDS: u8 = 253;
    pub(crate) const SELECT_DB: u8 = 254;
    pub(crate) const EOF: u8 = 255;
}

/// An opcode: a record that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// Redis Enterprise 107 and 121: one length, of no use to others.
    EnterpriseSkip,
    HashTemplate,
    KeyMeta,
    SlotImport,
    SlotInfo,
    Function2,
    FunctionPreGa,
    ModuleAux,
    Idle,
    Freq,
    Aux,
    ResizeDb,
    ExpireMs,
    ExpireSeconds,
    SelectDb,
    Eof,
}

impl Opcode {
    /// Whether it belongs to the key that follows.
    pub(crate) fn is_key_scoped(self) -> bool {
        use Opcode::{ExpireMs, ExpireSeconds, Freq, Idle, KeyMeta};
        matches!(self, KeyMeta | Idle | Freq | ExpireMs | ExpireSeconds)
    }
}

/// The policy for one byte at the start of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// A key of this layout.
    Value(ValueType),
    /// A record that is understood.
    Opcode(Opcode),
    /// Recognised as another product's, which cannot be passed: refused by this name.
    Vendor(&'static str),
    /// Nothing known has this byte: refused by number.
    Unknown,
}

/// The policy for `byte`; every byte of every lineage has one.
pub(crate) fn token(lineage: Lineage, byte: u8) -> Token {
    if let Some(kind) = ValueType::from_byte(lineage, byte) {
        return Token::Value(kind);
    }
    if let Some(name) = vendor(lineage, byte) {
        return Token::Vendor(name);
    }
    Token::Opcode(match (lineage, byte) {
        (Lineage::Redis, 107 | 121) => Opcode::EnterpriseSkip,
        (Lineage::Redis, 242) => Opcode::HashTemplate,
        (Lineage::Redis, 243) => Opcode::KeyMeta,
        (Lineage::Valkey, 243) => Opcode::SlotImport,
        (_, 244) => Opcode::SlotInfo,
        (_, 245) => Opcode::Function2,
        (_, 246) => Opcode::FunctionPreGa,
        (_, 247) => Opcode::ModuleAux,
        (_, 248) => Opcode::Idle,
        (_, 249) => Opcode::Freq,
        (_, 250) => Opcode::Aux,
        (_, 251) => Opcode::ResizeDb,
        (_, 252) => Opcode::ExpireMs,
        (_, 253) => Opcode::ExpireSeconds,
        (_, 254) => Opcode::SelectDb,
        (_, 255) => Opcode::Eof,
        _ => return Token::Unknown,
    })
}

/// Types and opcodes of other products (Dragonfly as of August 2026, Redis Enterprise by librdb).
fn vendor(lineage: Lineage, byte: u8) -> Option<&'static str> {
    Some(match (lineage, byte) {
        (Lineage::Dragonfly, 20) => "Dragonfly JSON (old form)",
        (Lineage::Dragonfly, 30) => "Dragonfly JSON",
        (Lineage::Dragonfly, 31) => "Dragonfly hash with expiry",
        (Lineage::Dragonfly, 32) => "Dragonfly set with expiry",
        (Lineage::Dragonfly, 33 | 34) => "Dragonfly bloom filter",
        (Lineage::Dragonfly, 35) => "Dragonfly count-min sketch",
        (Lineage::Dragonfly, 36) => "Dragonfly top-k",
        (Lineage::Dragonfly, 37) => "Dragonfly cuckoo filter",
        (Lineage::Redis, 33) => "GCRA, never part of a Redis release",
        (Lineage::Redis, 101 | 102) => "an opcode of old Redis Enterprise",
        (Lineage::Redis | Lineage::Dragonfly, 200) => "Dragonfly FULLSYNC_END",
        (Lineage::Redis | Lineage::Dragonfly, 201) => "Dragonfly zstd blob",
        (Lineage::Redis | Lineage::Dragonfly, 202) => "Dragonfly LZ4 blob",
        (Lineage::Redis | Lineage::Dragonfly, 203) => "Dragonfly end of blob",
        (Lineage::Redis | Lineage::Dragonfly, 210) => "Dragonfly journal blob",
        (Lineage::Redis | Lineage::Dragonfly, 211) => "Dragonfly journal offset",
        (Lineage::Redis | Lineage::Dragonfly, 220) => "Dragonfly key mask",
        (Lineage::Redis | Lineage::Dragonfly, 222 | 223) => "Dragonfly search index data",
        (Lineage::Redis | Lineage::Dragonfly, 224) => "Dragonfly tagged chunk",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of this table sees the policy for all 256 bytes; a change to one is a change here.
    #[test]
    fn every_byte_of_every_lineage_has_a_stated_policy() {
        let listing = |lineage| {
            let mut lines: Vec<String> = Vec::new();
            for byte in 0..=255u8 {
                let policy = format!("{:?}", token(lineage, byte));
                match lines.last_mut() {
                    Some(last) if last.ends_with(&format!(" {policy}")) => {
                        let first = last.split(['-', ' ']).next().unwrap_or("").to_owned();
                        *last = format!("{first}-{byte} {policy}");
                    }
                    _ => lines.push(format!("{byte} {policy}")),
                }
            }
            lines.join("\n")
        };
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/byte-policies.txt");
        let got = [Lineage::Redis, Lineage::Valkey, Lineage::Dragonfly]
            .map(|lineage| format!("# {lineage}\n{}\n", listing(lineage)))
            .join("\n");
        if std::env::var_os("REDKEEP_BLESS").is_some() {
            std::fs::write(path, &got).unwrap();
        }
        assert_eq!(got, std::fs::read_to_string(path).unwrap(), "REDKEEP_BLESS=1 rewrites it");
    }

    #[test]
    fn the_colliding_bytes_differ_by_lineage() {
        use Token::{Opcode as Op, Unknown, Value, Vendor};
        assert_eq!(token(Lineage::Redis, 22), Value(ValueType::HashMetadataPreGa));
        assert_eq!(token(Lineage::Valkey, 22), Value(ValueType::ValkeyHash2));
        assert_eq!(token(Lineage::Dragonfly, 22), Unknown);
        assert_eq!(token(Lineage::Redis, 243), Op(Opcode::KeyMeta));
        assert_eq!(token(Lineage::Valkey, 243), Op(Opcode::SlotImport));
        assert_eq!(token(Lineage::Redis, 30), Value(ValueType::HashTmplLpRef));
        assert_eq!(token(Lineage::Valkey, 30), Unknown);
        assert_eq!(token(Lineage::Dragonfly, 30), Vendor("Dragonfly JSON"));
    }
}
