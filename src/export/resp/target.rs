//! What the commands of a server can do, by its version.

use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{DataType, Loss, ServerVersion, ValueType};

/// How a server expires fields of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldExpiry {
    None,
    /// `HPEXPIREAT`, after the field is set.
    Redis,
    /// `HSETEX`, which sets it.
    Valkey,
}

/// The last millisecond that Redis takes for the expiry of a field.
const LAST_FIELD_EXPIRY: i64 = (1 << 46) - 1;

/// The module that Redis has had built in since 8.0.
const VECTORSET: &str = "vectorset";

#[derive(Debug, Clone, Copy)]
pub(super) struct Target(pub(super) ServerVersion);

impl Target {
    fn redis(self, major: u16, minor: u16) -> bool {
        !self.0.is_valkey() && self.0.at_least(major, minor)
    }

    /// Every Valkey, and Redis from that release on: for what is older than Valkey.
    fn since(self, major: u16, minor: u16) -> bool {
        self.0.is_valkey() || self.0.at_least(major, minor)
    }

    pub(super) fn restores(self) -> bool {
        self.since(2, 6)
    }

    /// Whether expiries may be given in milliseconds.
    pub(super) fn has_milliseconds(self) -> bool {
        self.since(2, 6)
    }

    pub(super) fn restores_over(self) -> bool {
        self.since(3, 0)
    }

    /// Whether RESTORE takes absolute expiries, idle times and frequencies.
    pub(super) fn restores_absolute(self) -> bool {
        self.since(5, 0)
    }

    /// Whether HSET takes several fields.
    pub(super) fn sets_many_fields(self) -> bool {
        self.since(4, 0)
    }

    pub(super) fn has_stream_counters(self) -> bool {
        self.since(7, 0)
    }

    pub(super) fn creates_consumers(self) -> bool {
        self.since(6, 2)
    }

    pub(super) fn has_idempotence(self) -> bool {
        self.redis(8, 6)
    }

    pub(super) fn has_nacks(self) -> bool {
        self.redis(8, 8)
    }

    pub(super) fn has_key_metadata(self) -> bool {
        self.redis(8, 6)
    }

    /// What is lost with a value of this type where it has no such values at all. Of most modules
    /// only its administrator knows whether it has them.
    pub(super) fn lacks(self, data: DataType, module: Option<ModuleId>) -> Option<Loss> {
        let vectors = module.is_some_and(|module| module.name() == VECTORSET);
        let (has, loss) = match data {
            DataType::Stream => (self.0.reads(ValueType::StreamListpacks), Loss::Stream),
            DataType::Array => (self.0.reads(ValueType::Array), Loss::Array),
            DataType::Module if vectors => (self.redis(8, 0), Loss::Module),
            DataType::Module => (self.0.reads(ValueType::Module2), Loss::Module),
            DataType::Cron => (false, Loss::Cron),
            _ => return None,
        };
        (!has).then_some(loss)
    }

    /// How it expires a field at this time, in ms.
    pub(super) fn field_expiry(self, at: i64) -> FieldExpiry {
        if self.redis(7, 4) && at <= LAST_FIELD_EXPIRY {
            FieldExpiry::Redis
        } else if self.0.reads(ValueType::ValkeyHash2) {
            FieldExpiry::Valkey
        } else {
            FieldExpiry::None
        }
    }

    /// The version in the footer of a payload. Before 3.0 servers want their very own; Valkey 9 has
    /// one for what it alone has, and takes no Redis version above 11.
    pub(super) fn payload_version(self, kind: ValueType) -> u16 {
        match self.0.rdb_version() {
            80 if kind != ValueType::ValkeyHash2 => 11,
            version => version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(server: &str) -> Target {
        Target(server.parse().unwrap())
    }

    #[test]
    fn payloads_have_a_version_that_the_server_takes() {
        for (server, version) in [("redis-2.6", 6), ("redis-3.2", 7), ("redis-7.4", 12)] {
            assert_eq!(target(server).payload_version(ValueType::String), version);
        }
        for server in ["valkey-7.2", "valkey-9.1"] {
            assert_eq!(target(server).payload_version(ValueType::SetListpack), 11);
        }
        assert_eq!(target("valkey-9.0").payload_version(ValueType::ValkeyHash2), 80);
    }

    #[test]
    fn each_family_has_its_own_way_to_expire_fields() {
        let at = 4_102_444_800_000;
        assert_eq!(target("redis-7.2").field_expiry(at), FieldExpiry::None);
        assert_eq!(target("redis-7.4").field_expiry(at), FieldExpiry::Redis);
        assert_eq!(target("redis-8.0").field_expiry(1 << 46), FieldExpiry::None);
        assert_eq!(target("valkey-8.1").field_expiry(at), FieldExpiry::None);
        assert_eq!(target("valkey-9.0").field_expiry(1 << 46), FieldExpiry::Valkey);
    }

    #[test]
    fn vector_sets_are_for_redis_8_and_other_modules_for_whoever_has_them() {
        let lacks = |server, id| {
            target(server).lacks(DataType::Module, Some(ModuleId::new(id))) == Some(Loss::Module)
        };
        let vectorset = 0xbde7_2da2_bb1e_b400;
        assert!(!lacks("redis-8.0", vectorset) && lacks("redis-7.4", vectorset));
        assert!(lacks("valkey-9.1", vectorset));
        assert!(!lacks("redis-4.0", 0) && lacks("redis-3.2", 0));
    }
}
