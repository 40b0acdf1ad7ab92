//! For which server, and how it loads.

use crate::limits::Limits;
use crate::rdb::ServerVersion;
use crate::time::UnixMillis;

/// Whether the server drops expired keys while it loads a dump.
///
/// ```
/// use redkeep::digest::Role;
/// assert_eq!(Role::default(), Role::Master);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Role {
    /// It does: a master that loads its dump.
    #[default]
    Master,
    /// It keeps them: a replica, or whoever loads the base of an append-only directory. They count
    /// in its digest, except with Redis up to 2.4, which skips them.
    Replica,
}

/// How scores are written before they are hashed.
///
/// ```
/// use redkeep::digest::{DigestOptions, ScoreText};
/// let [old, new] = ["redis-7.0", "redis-7.2"].map(|name| DigestOptions::new(name.parse().unwrap()));
/// assert_eq!((old.scores, new.scores), (ScoreText::Digits17, ScoreText::Shortened));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScoreText {
    /// C's `%.17g`, as Redis up to 7.0 has it.
    Digits17,
    /// The digits that read back, as Redis since 7.2 and every Valkey have it: see
    /// [`write_double_digest`](crate::wire::number::write_double_digest).
    Shortened,
}

/// For which server a [`ServerDigest`](crate::digest::ServerDigest) is computed, and what that
/// server does when it loads the file.
///
/// The digest is that of the server that *answers*, after loading, not of the one that wrote the
/// file. For data without field expiries and without a score of -0, and with scores that are whole
/// numbers without a run of zeros at their end, it is the same for all.
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::digest::{DigestOptions, Role, ScoreText};
/// let now = UnixMillis::from_seconds(1_800_000_000);
/// let options = DigestOptions::new("redis-7.4".parse().unwrap()).now(now).role(Role::Replica);
/// assert_eq!(options.scores, ScoreText::Shortened);
/// assert!(options.field_mark);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestOptions {
    /// The server that answers. It decides which types there are.
    pub server: ServerVersion,
    /// How scores are written. Default by the server: changed with Redis 7.2-rc1.
    pub scores: ScoreText,
    /// Whether fields with an expiry are marked as such. Default by the server: Redis since
    /// 7.4-rc1, never Valkey.
    pub field_mark: bool,
    /// Whether a score of -0 becomes 0 when a small sorted set that is not packed in the file (types
    /// 3 and 5) is packed after loading. Default by the server: Redis since 7.0.0, every Valkey; but
    /// not yet the release candidates of 7.0.
    pub loses_minus_zero: bool,
    /// The time at which the server loads the file. Default `None`: nothing has expired by then.
    pub now: Option<UnixMillis>,
    /// Whether expired keys are dropped. Default: they are.
    pub role: Role,
    /// Whether expired fields of hashes count. Default: no. Redis since 7.4 counts them until its
    /// background job has removed them: on a master a moment after loading, on a replica when the
    /// master says so, and therefore always with [`Role::Replica`]. Valkey 9 never counts them:
    /// there this has no effect.
    pub expired_fields: bool,
    /// The server's `zset-max-listpack-entries`, which matters for scores of -0 only. Default 128,
    /// as the servers'.
    pub zset_entries: u64,
    /// The server's `zset-max-listpack-value`, in bytes. Default 64, as the servers'.
    pub zset_value: usize,
    /// The longest array whose digest is computed. The cost is by the highest index, holes included.
    /// Default 2^28: some ten seconds.
    pub array_slots: u64,
    /// What reading may cost; `held` is for one element that is no plain string, or compressed.
    pub limits: Limits,
}

impl DigestOptions {
    /// The options for the server that answers, with its default settings.
    #[must_use]
    pub fn new(server: ServerVersion) -> Self {
        let since = |major, minor| server.is_valkey() || server.at_least(major, minor);
        DigestOptions {
            server,
            scores: if since(7, 2) { ScoreText::Shortened } else { ScoreText::Digits17 },
            field_mark: !server.is_valkey() && server.at_least(7, 4),
            loses_minus_zero: since(7, 0),
            now: None,
            role: Role::Master,
            expired_fields: false,
            zset_entries: 128,
            zset_value: 64,
            array_slots: 1 << 28,
            limits: Limits::default(),
        }
    }

    /// Sets [`now`](Self::now).
    #[must_use]
    pub fn now(mut self, now: UnixMillis) -> Self {
        self.now = Some(now);
        self
    }

    /// Sets [`role`](Self::role).
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Sets [`loses_minus_zero`](Self::loses_minus_zero): `false` for the candidates of 7.0.
    #[must_use]
    pub fn loses_minus_zero(mut self, loses: bool) -> Self {
        self.loses_minus_zero = loses;
        self
    }

    /// Sets [`expired_fields`](Self::expired_fields).
    #[must_use]
    pub fn expired_fields(mut self, count: bool) -> Self {
        self.expired_fields = count;
        self
    }

    /// Sets [`zset_entries`](Self::zset_entries) and [`zset_value`](Self::zset_value).
    #[must_use]
    pub fn zset_listpack(mut self, entries: u64, value: usize) -> Self {
        (self.zset_entries, self.zset_value) = (entries, value);
        self
    }

    /// Sets [`array_slots`](Self::array_slots).
    #[must_use]
    pub fn array_slots(mut self, slots: u64) -> Self {
        self.array_slots = slots;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn past(&self, at: Option<UnixMillis>) -> bool {
        matches!((at, self.now), (Some(at), Some(now)) if at < now)
    }

    /// Whether a key with this expiry is none.
    pub(super) fn drops_key(&self, expires: Option<UnixMillis>) -> bool {
        let skips = !self.server.is_valkey() && !self.server.at_least(2, 6);
        self.past(expires) && (self.role == Role::Master || skips)
    }

    /// Whether a field with this expiry is none.
    #[inline(always)]
    pub(super) fn drops_field(&self, expires: UnixMillis) -> bool {
        let keeps = self.expired_fields || self.role == Role::Replica;
        self.past(Some(expires)) && (self.server.is_valkey() || !keeps)
    }
}
