//! Lineages, header versions and servers: who writes what, who reads it.

use crate::rdb::value_type::ValueType;
use std::{fmt, str::FromStr};

/// Which family's tables of types and opcodes a file follows.
///
/// The magic decides between Redis and Valkey; Dragonfly uses Redis' magic and is told by its AUX
/// field `df-ver`. KeyDB and Redis Enterprise add to Redis' table without colliding.
///
/// ```
/// use redkeep::rdb::Lineage;
/// assert_eq!(Lineage::Valkey.to_string(), "Valkey");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Lineage {
    /// Magic `REDIS`: Redis, Valkey before 9, KeyDB, Redis Enterprise.
    #[default]
    Redis,
    /// Magic `VALKEY`: Valkey 9 and later.
    Valkey,
    /// Dragonfly, under Redis' magic.
    Dragonfly,
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lineage::Redis => "Redis",
            Lineage::Valkey => "Valkey",
            Lineage::Dragonfly => "Dragonfly",
        })
    }
}

/// The first nine bytes of a file.
///
/// ```
/// use redkeep::rdb::{Header, Lineage};
/// let header = Header::parse(b"VALKEY080").unwrap();
/// assert_eq!((header.lineage, header.version), (Lineage::Valkey, 80));
/// assert_eq!(header.to_string(), "VALKEY080");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The family the magic names.
    pub lineage: Lineage,
    /// The RDB version: 1 to 15 in Redis files so far, 80 in Valkey's.
    pub version: u16,
}

impl Header {
    /// Newest version of Redis' numbering whose types and opcodes are known here (Redis 8.10).
    pub const NEWEST_REDIS: u16 = 15;
    /// Newest version of Valkey's numbering whose types and opcodes are known here (Valkey 9).
    pub const NEWEST_VALKEY: u16 = 80;

    /// Reads magic and version digits; `None` when the magic or a digit is not one.
    #[must_use]
    pub fn parse(bytes: &[u8; 9]) -> Option<Header> {
        let (lineage, digits) = if let Some(digits) = bytes.strip_prefix(b"REDIS") {
            (Lineage::Redis, digits)
        } else {
            (Lineage::Valkey, bytes.strip_prefix(b"VALKEY")?)
        };
        let mut version = 0;
        for digit in digits {
            version = version * 10 + u16::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
        }
        Some(Header { lineage, version })
    }

    /// The header of a version of RDB: those from 80 on are Valkey's.
    pub(crate) fn of_version(version: u16) -> Header {
        let lineage = if version >= 80 { Lineage::Valkey } else { Lineage::Redis };
        Header { lineage, version }
    }

    /// Whether eight bytes of checksum follow the end opcode.
    #[must_use]
    pub fn has_footer(self) -> bool {
        self.version >= 5
    }

    /// Whether the version is one whose writers are known; an unknown one is still read.
    #[must_use]
    pub fn is_known(self) -> bool {
        match self.lineage {
            Lineage::Valkey => self.version == Self::NEWEST_VALKEY,
            _ => (1..=Self::NEWEST_REDIS).contains(&self.version),
        }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lineage {
            Lineage::Valkey => write!(f, "VALKEY{:03}", self.version),
            _ => write!(f, "REDIS{:04}", self.version),
        }
    }
}

/// A server that a dump may have to load into, as `redis-7.2` or `valkey-9.1`.
///
/// What it reads was seen by loading the corpus into eight servers; releases between those follow
/// their published sources.
///
/// ```
/// use redkeep::rdb::{Header, ServerVersion};
/// let old: ServerVersion = "redis-6.2".parse().unwrap();
/// assert_eq!(old.rdb_version(), 9);
/// assert!(!old.reads_header(Header::parse(b"REDIS0010").unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerVersion {
    valkey: bool,
    major: u16,
    minor: u16,
}

/// A server name that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a server version: {0:?} (expected redis-MAJOR.MINOR from 2.4, or valkey-MAJOR.MINOR from 7.2)"
)]
pub struct UnknownServer(String);

impl FromStr for ServerVersion {
    type Err = UnknownServer;

    fn from_str(text: &str) -> Result<Self, UnknownServer> {
        let parse = || {
            let (product, version) = text.split_once('-')?;
            let (major, rest) = version.split_once('.').unwrap_or((version, "0"));
            let minor = rest.split('.').next()?;
            let valkey = match product.to_ascii_lowercase().as_str() {
                "redis" => false,
                "valkey" => true,
                _ => return None,
            };
            let oldest = if valkey { (7, 2) } else { (2, 4) };
            let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
            ((major, minor) >= oldest).then_some(ServerVersion { valkey, major, minor })
        };
        parse().ok_or_else(|| UnknownServer(text.to_owned()))
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = if self.valkey { "valkey" } else { "redis" };
        write!(f, "{product}-{}.{}", self.major, self.minor)
    }
}

impl ServerVersion {
    /// A server whose plain commands every newer one understands, Valkey too.
    #[cfg(feature = "cli")]
    pub(crate) const COMMON: ServerVersion = ServerVersion::redis(7, 0);
    /// Releases that stand for all, Redis before Valkey and each oldest first: what is known here of
    /// a server's dumps is what is known of the newest of these that is no newer than it.
    ///
    /// ```
    /// use redkeep::rdb::{ServerVersion, ValueType};
    /// let streams = |server: &&ServerVersion| server.reads(ValueType::StreamListpacks);
    /// let first = ServerVersion::MILESTONES.iter().find(streams).unwrap();
    /// assert_eq!(first.to_string(), "redis-5.0");
    /// ```
    pub const MILESTONES: &'static [ServerVersion] = &[
        ServerVersion::redis(2, 4),
        ServerVersion::redis(2, 6),
        ServerVersion::redis(2, 8),
        ServerVersion::redis(3, 0),
        ServerVersion::redis(3, 2),
        ServerVersion::redis(4, 0),
        ServerVersion::redis(5, 0),
        ServerVersion::redis(6, 2),
        ServerVersion::redis(7, 0),
        ServerVersion::redis(7, 2),
        ServerVersion::redis(7, 4),
        ServerVersion::redis(8, 0),
        ServerVersion::redis(8, 6),
        ServerVersion::redis(8, 8),
        ServerVersion::redis(8, 10),
        ServerVersion::valkey(7, 2),
        ServerVersion::valkey(8, 1),
        ServerVersion::valkey(9, 0),
        ServerVersion::valkey(9, 1),
    ];
    /// The newest Redis that is known here.
    pub const NEWEST_REDIS: ServerVersion = ServerVersion::redis(8, 10);
    /// The newest Valkey that is known here.
    pub const NEWEST_VALKEY: ServerVersion = ServerVersion::valkey(9, 1);

    const fn redis(major: u16, minor: u16) -> ServerVersion {
        ServerVersion { valkey: false, major, minor }
    }

    const fn valkey(major: u16, minor: u16) -> ServerVersion {
        ServerVersion { valkey: true, major, minor }
    }

    /// Whether it is a Valkey.
    #[must_use]
    pub fn is_valkey(self) -> bool {
        self.valkey
    }

    /// Whether it is at least this release of its own product.
    #[must_use]
    pub fn at_least(self, major: u16, minor: u16) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// The RDB version it writes by default, and with Redis the highest it reads.
    #[must_use]
    pub fn rdb_version(self) -> u16 {
        if self.valkey {
            return if self.major >= 9 { 80 } else { 11 };
        }
        match (self.major, self.minor) {
            (0..=2, 0..=5) => 2,
            (0..=2, _) | (3, 0 | 1) => 6,
            (3, _) => 7,
            (4, _) => 8,
            (5..=6, _) => 9,
            (7, 0 | 1) => 10,
            (7, 2 | 3) => 11,
            (7, _) | (8, 0..=5) => 12,
            (8, 6 | 7) => 13,
            (8, 8 | 9) => 14,
            _ => 15,
        }
    }

    /// How the files begin that it writes.
    ///
    /// ```
    /// use redkeep::rdb::ServerVersion;
    /// let server: ServerVersion = "valkey-9.1".parse().unwrap();
    /// assert_eq!(server.header().to_string(), "VALKEY080");
    /// ```
    #[must_use]
    pub fn header(self) -> Header {
        Header::of_version(self.rdb_version())
    }

    /// Whether it accepts a file that begins so, with default settings.
    #[must_use]
    pub fn reads_header(self, header: Header) -> bool {
        match header.lineage {
            Lineage::Valkey => self.valkey && self.major >= 9 && header.version == 80,
            _ if self.valkey => (1..=11).contains(&header.version),
            _ => (1..=self.rdb_version()).contains(&header.version),
        }
    }

    /// Whether it can load a value of this layout, whatever the header says; for a module value,
    /// whether it can with the module.
    #[must_use]
    pub fn reads(self, kind: ValueType) -> bool {
        use ValueType as T;
        let redis = |major, minor| !self.valkey && self.at_least(major, minor);
        let both = |major, minor| self.valkey || self.at_least(major, minor);
        match kind {
            T::String | T::List | T::Set | T::ZSet | T::Hash => true,
            T::HashZipmap | T::ListZiplist | T::SetIntset | T::ZSetZiplist => true,
            T::HashZiplist => both(2, 6),
            T::ListQuicklist => both(3, 2),
            T::ZSet2 | T::Module2 => both(4, 0),
            T::ModulePreGa => !self.valkey && self.at_least(4, 0) && !self.at_least(7, 2),
            T::StreamListpacks => both(5, 0),
            T::HashListpack | T::ZSetListpack | T::ListQuicklist2 | T::StreamListpacks2 => {
                both(7, 0)
            }
            T::SetListpack | T::StreamListpacks3 => both(7, 2),
            T::HashMetadataPreGa | T::HashListpackExPreGa => redis(7, 4),
            T::HashMetadata | T::HashListpackEx => redis(7, 4),
            T::StreamListpacks4 => redis(8, 6),
            T::StreamListpacks5 | T::Array => redis(8, 8),
            T::HashTmplLp | T::HashTmplLpRef | T::HashTmplArray | T::HashTmplArrayRef => {
                redis(8, 10)
            }
            T::ValkeyHash2 => self.valkey && self.major >= 9,
            T::KeyDbCron => false,
        }
    }

    /// Whether it keeps its append-only log as several files in a folder of its own.
    #[must_use]
    pub fn has_log_parts(self) -> bool {
        self.valkey || self.at_least(7, 0)
    }

    /// Whether it loads a log that begins with an RDB with this header, with default settings.
    #[must_use]
    pub fn reads_preamble(self, header: Header) -> bool {
        (self.valkey || self.at_least(4, 0)) && self.reads_header(header)
    }

    /// Whether it has function libraries (opcode 245).
    #[must_use]
    pub fn has_functions(self) -> bool {
        self.valkey || self.at_least(7, 0)
    }

    /// Whether it has the functions of the 7.0 release candidates (opcode 246).
    #[must_use]
    pub fn reads_pre_ga_functions(self) -> bool {
        !self.valkey && self.at_least(7, 0) && !self.at_least(7, 2)
    }

    /// Whether an empty collection makes it refuse the file. Since Redis 6.2 it is dropped.
    #[must_use]
    pub fn refuses_empty_collections(self) -> bool {
        !self.valkey && !self.at_least(6, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_digit_by_digit() {
        let parse = |s: &[u8; 9]| Header::parse(s).map(|h| (h.lineage, h.version));
        assert_eq!(parse(b"REDIS0011"), Some((Lineage::Redis, 11)));
        assert_eq!(parse(b"REDIS9999"), Some((Lineage::Redis, 9999)));
        assert_eq!(parse(b"VALKEY080"), Some((Lineage::Valkey, 80)));
        for bad in [b"REDIS00 1", b"redis0011", b"REDIS-001", b"VALKEY 80", b"VALKEY8\xff0"] {
            assert_eq!(parse(bad), None);
        }
    }

    #[test]
    fn who_reads_which_header_is_as_seen_by_loading() {
        let reads = |server: &str, header: &[u8; 9]| {
            let server: ServerVersion = server.parse().unwrap();
            server.reads_header(Header::parse(header).unwrap())
        };
        assert!(reads("redis-7.2", b"REDIS0011"));
        assert!(!reads("redis-7.2", b"REDIS0012"));
        assert!(!reads("redis-8.0", b"VALKEY080"));
        assert!(reads("valkey-9.1", b"VALKEY080"));
        assert!(reads("valkey-9.1", b"REDIS0003"));
        assert!(!reads("valkey-9.1", b"REDIS0012"));
        assert!(!reads("valkey-8.1", b"VALKEY080"));
        assert!("redis-1.2".parse::<ServerVersion>().is_err());
        assert!("dragonfly-1.2".parse::<ServerVersion>().is_err());
    }

    #[test]
    fn every_release_is_as_the_milestone_before_it() {
        let facts = |server: ServerVersion| {
            let kinds: Vec<_> = ValueType::ALL.iter().map(|kind| server.reads(*kind)).collect();
            let functions = (server.has_functions(), server.reads_pre_ga_functions());
            (kinds, server.header(), functions, server.refuses_empty_collections())
        };
        for minors in 0..200 {
            let (major, minor) = (2 + minors / 20, minors % 20);
            for server in [ServerVersion::redis(major, minor), ServerVersion::valkey(major, minor)]
            {
                let before = |milestone: &&ServerVersion| {
                    milestone.valkey == server.valkey
                        && server.at_least(milestone.major, milestone.minor)
                };
                if let Some(milestone) = ServerVersion::MILESTONES.iter().rfind(before) {
                    assert_eq!(facts(server), facts(*milestone), "{server}");
                }
            }
        }
    }
}
