//! The value types: what stands behind each type byte, by lineage.

use crate::rdb::version::Lineage;
use std::fmt;
use std::str::FromStr;

macro_rules! value_types {
    ($($(#[$attr:meta])* $name:ident = $byte:literal $code:literal $data:ident,)*) => {
        /// How a value is laid out in the file: the type byte, told apart by lineage.
        ///
        /// Byte 22 is one layout to Redis and another to Valkey 9, so this is not the byte; that is
        /// [`byte`](ValueType::byte).
        ///
        /// ```
        /// use redkeep::rdb::{DataType, Lineage, ValueType};
        /// let valkey = ValueType::from_byte(Lineage::Valkey, 22).unwrap();
        /// let redis = ValueType::from_byte(Lineage::Redis, 22).unwrap();
        /// assert_ne!(valkey, redis);
        /// assert_eq!(valkey.byte(), redis.byte());
        /// assert_eq!(valkey.data_type(), DataType::Hash);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum ValueType { $($(#[$attr])* $name = $byte,)* }

        impl ValueType {
            /// Every layout this crate can frame, and the one it can only name.
            pub const ALL: &'static [ValueType] = &[$(ValueType::$name,)*];

            /// Its name in reports, as the servers' sources have it.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(ValueType::$name => $code,)* }
            }

            /// What a client calls such a value.
            #[must_use]
            pub fn data_type(self) -> DataType {
                match self { $(ValueType::$name => DataType::$data,)* }
            }

            const fn from_number(number: u8) -> Option<ValueType> {
                match number { $($byte => Some(ValueType::$name),)* _ => None }
            }
        }
    };
}

value_types! {
    /// One string.
    String = 0 "STRING" String,
    /// Strings, one after the other (to Redis 3.0).
    List = 1 "LIST" List,
    /// Strings, one after the other.
    Set = 2 "SET" Set,
    /// Members with scores as text (to Redis 3.2).
    ZSet = 3 "ZSET" SortedSet,
    /// Field and value strings in turn.
    Hash = 4 "HASH" Hash,
    /// Members with binary scores (since Redis 4.0).
    ZSet2 = 5 "ZSET_2" SortedSet,
    /// A module's private bytes of the 4.0 release candidates: no framing, cannot be passed.
    ModulePreGa = 6 "MODULE_PRE_GA" Module,
    /// A module's value in the framed form (since Redis 4.0).
    Module2 = 7 "MODULE_2" Module,
    /// A zipmap (Redis 2.4).
    HashZipmap = 9 "HASH_ZIPMAP" Hash,
    /// One ziplist.
    ListZiplist = 10 "LIST_ZIPLIST" List,
    /// An intset.
    SetIntset = 11 "SET_INTSET" Set,
    /// One ziplist of member and score.
    ZSetZiplist = 12 "ZSET_ZIPLIST" SortedSet,
    /// One ziplist of field and value.
    HashZiplist = 13 "HASH_ZIPLIST" Hash,
    /// Ziplist nodes (Redis 3.2 to 6.2).
    ListQuicklist = 14 "LIST_QUICKLIST" List,
    /// A stream as Redis 5.0 to 6.2 wrote it.
    StreamListpacks = 15 "STREAM_LISTPACKS" Stream,
    /// One listpack of field and value (since Redis 7.0).
    HashListpack = 16 "HASH_LISTPACK" Hash,
    /// One listpack of member and score (since Redis 7.0).
    ZSetListpack = 17 "ZSET_LISTPACK" SortedSet,
    /// Plain and listpack nodes (since Redis 7.0).
    ListQuicklist2 = 18 "LIST_QUICKLIST_2" List,
    /// A stream of Redis 7.0, with counters.
    StreamListpacks2 = 19 "STREAM_LISTPACKS_2" Stream,
    /// One listpack (since Redis 7.2).
    SetListpack = 20 "SET_LISTPACK" Set,
    /// A stream of Redis 7.2 and Valkey, with active times.
    StreamListpacks3 = 21 "STREAM_LISTPACKS_3" Stream,
    /// Hash with field expiries of the 7.4 release candidates.
    HashMetadataPreGa = 22 "HASH_METADATA_PRE_GA" Hash,
    /// Listpack hash with field expiries of the 7.4 release candidates.
    HashListpackExPreGa = 23 "HASH_LISTPACK_EX_PRE_GA" Hash,
    /// Hash with field expiries (since Redis 7.4).
    HashMetadata = 24 "HASH_METADATA" Hash,
    /// Listpack hash with field expiries (since Redis 7.4).
    HashListpackEx = 25 "HASH_LISTPACK_EX" Hash,
    /// A stream of Redis 8.6, with producers.
    StreamListpacks4 = 26 "STREAM_LISTPACKS_4" Stream,
    /// A stream of Redis 8.8, with negative acknowledgements.
    StreamListpacks5 = 27 "STREAM_LISTPACKS_5" Stream,
    /// A sparse array (since Redis 8.8).
    Array = 28 "ARRAY" Array,
    /// A template hash that carries its fields, values in a listpack (8.10, DUMP only).
    HashTmplLp = 29 "HASH_TMPL_LP" Hash,
    /// A template hash by reference, values in a listpack (8.10, files only).
    HashTmplLpRef = 30 "HASH_TMPL_LP_REF" Hash,
    /// A template hash that carries its fields, values one by one (8.10, DUMP only).
    HashTmplArray = 31 "HASH_TMPL_ARRAY" Hash,
    /// A template hash by reference, values one by one (8.10, files only).
    HashTmplArrayRef = 32 "HASH_TMPL_ARRAY_REF" Hash,
    /// KeyDB's scheduled script.
    KeyDbCron = 64 "KEYDB_CRON" Cron,
    /// Valkey 9's hash with field expiries; its byte is 22.
    ValkeyHash2 = 150 "HASH_2" Hash,
}

impl ValueType {
    /// The layout that a type byte means to a lineage; `None` where it has none that we can frame.
    #[must_use]
    #[inline(always)]
    pub const fn from_byte(lineage: Lineage, byte: u8) -> Option<ValueType> {
        match (lineage, byte) {
            (_, 0..=19) | (Lineage::Redis, 20..=64) | (Lineage::Valkey, 20 | 21) => {
                Self::from_number(byte)
            }
            (Lineage::Valkey, 22) => Some(ValueType::ValkeyHash2),
            _ => None,
        }
    }

    /// Whether the value is one packed blob.
    #[must_use]
    pub fn is_packed(self) -> bool {
        self != ValueType::String && crate::rdb::walk::single(self).is_some()
            || self == ValueType::HashListpackEx
    }

    /// Whether its fields can have expiries of their own.
    #[must_use]
    pub fn has_field_expiries(self) -> bool {
        use ValueType as T;
        matches!(
            self,
            T::HashMetadataPreGa
                | T::HashListpackExPreGa
                | T::HashMetadata
                | T::HashListpackEx
                | T::ValkeyHash2
        )
    }

    /// The byte that stands in the file.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            ValueType::ValkeyHash2 => 22,
            other => other as u8,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What a client calls a value, whatever its layout: the answer of `TYPE`.
///
/// ```
/// use redkeep::rdb::DataType;
/// assert_eq!(DataType::SortedSet.to_string(), "zset");
/// assert_eq!("zset".parse(), Ok(DataType::SortedSet));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DataType {
    /// `string`
    String,
    /// `list`
    List,
    /// `set`
    Set,
    /// `zset`
    SortedSet,
    /// `hash`
    Hash,
    /// `stream`
    Stream,
    /// `array` (Redis 8.8)
    Array,
    /// A module's type; the module's name for it is in the value.
    Module,
    /// KeyDB's scheduled script.
    Cron,
}

impl DataType {
    /// Every type.
    pub const ALL: &'static [DataType] = &[
        DataType::String,
        DataType::List,
        DataType::Set,
        DataType::SortedSet,
        DataType::Hash,
        DataType::Stream,
        DataType::Array,
        DataType::Module,
        DataType::Cron,
    ];

    /// The answer of `TYPE`; a module's values go by the module's own name there.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DataType::String => "string",
            DataType::List => "list",
            DataType::Set => "set",
            DataType::SortedSet => "zset",
            DataType::Hash => "hash",
            DataType::Stream => "stream",
            DataType::Array => "array",
            DataType::Module => "module",
            DataType::Cron => "cron",
        }
    }
}

impl FromStr for DataType {
    type Err = UnknownDataType;

    fn from_str(text: &str) -> Result<Self, UnknownDataType> {
        let found = DataType::ALL.iter().find(|data| data.name() == text);
        found.copied().ok_or_else(|| UnknownDataType(text.to_owned()))
    }
}

/// A type's name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a type: {0:?} (string, list, set, zset, hash, stream, array, module or cron)")]
pub struct UnknownDataType(String);

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
