//! What cannot come along to a server that has no place for it, by name and count.

use std::collections::BTreeMap;
use std::fmt;

macro_rules! losses {
    ($($(#[$attr:meta])* $name:ident $code:literal $text:literal,)*) => {
        /// Something that a server has no place for.
        ///
        /// Some take the whole key with them ([`drops_key`](Loss::drops_key)); after the others the
        /// key is still there with less.
        ///
        /// ```
        /// use redkeep::rdb::Loss;
        /// assert_eq!(Loss::FieldExpiry.code(), "field_expiry");
        /// assert!(Loss::Array.drops_key() && !Loss::FieldExpiry.drops_key());
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
        #[non_exhaustive]
        pub enum Loss { $($(#[$attr])* $name,)* }

        impl Loss {
            /// Every loss there can be.
            pub const ALL: &'static [Loss] = &[$(Loss::$name,)*];

            /// Its stable name in reports.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Loss::$name => $code,)* }
            }

            /// What it is in words, for many.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Loss::$name => $text,)* }
            }
        }
    };
}

losses! {
    /// An array (before Redis 8.8, and Valkey): the key.
    Array "array" "arrays",
    /// A value of a module that the server cannot have: the key.
    Module "module" "values of modules",
    /// A stream (before Redis 5.0): the key.
    Stream "stream" "streams",
    /// A scheduled script of KeyDB (any other server): the key.
    Cron "cron" "scheduled scripts",
    /// The expiry of a hash field (before Redis 7.4, and Valkey before 9).
    FieldExpiry "field_expiry" "expiries of hash fields",
    /// The expiry of a member that KeyDB keeps beside the key (any other server).
    MemberExpiry "member_expiry" "expiries of members",
    /// First and deleted IDs and counts of a stream and its groups (before Redis 7.0).
    StreamCounters "stream_counters" "counters of streams",
    /// When a consumer was last active (before Redis 7.2).
    StreamActiveTime "stream_active_time" "active times of consumers",
    /// The memory of idempotent adding to a stream (before Redis 8.6, and Valkey).
    StreamIdempotence "stream_idempotence" "remembered IDs of producers",
    /// An entry of a stream that a consumer gave back (before Redis 8.8, and Valkey): it is no longer
    /// pending.
    StreamNack "stream_nack" "negatively acknowledged entries",
    /// A pending entry that the stream itself no longer holds (as commands): nobody can claim it.
    StreamPending "stream_pending" "pending entries that were deleted",
    /// A consumer without pending entries (as commands, before Redis 6.2).
    StreamConsumer "stream_consumer" "idle consumers",
    /// Metadata that modules keep with a key (before Redis 8.6, and Valkey).
    KeyMetadata "key_metadata" "metadata of keys",
    /// How long or how often a key was used (before Redis 5.0).
    EvictionHint "eviction_hint" "idle times and frequencies",
    /// The milliseconds of an expiry (before Redis 2.6): it is rounded up to the second.
    ExpiryPrecision "expiry_precision" "milliseconds of expiries",
    /// A function library (before Redis 7.0).
    Function "function" "function libraries",
    /// Data of a module outside any key (before Redis 5.0).
    ModuleAux "module_aux" "data of modules outside keys",
}

impl Loss {
    /// Whether the key goes with it.
    #[must_use]
    pub fn drops_key(self) -> bool {
        matches!(self, Loss::Array | Loss::Module | Loss::Stream | Loss::Cron)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What becomes of output from which something would be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnLoss {
    /// It does not come out whole: the end is an error that names every loss.
    #[default]
    Fail,
    /// It comes out without what has no equivalent.
    Drop,
}

/// How much of one kind was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Lost {
    /// How many things.
    pub count: u64,
    /// Of how many keys; 0 for what belongs to none.
    pub keys: u64,
}

/// Everything that was lost, by name.
///
/// With feature `json` it is `{"field_expiry":{"count":7,"keys":2}}`.
///
/// ```
/// use redkeep::rdb::{Loss, Losses};
/// let mut losses = Losses::default();
/// losses.add(Loss::FieldExpiry, 7, 1);
/// losses.add(Loss::FieldExpiry, 2, 1);
/// assert_eq!(losses.get(Loss::FieldExpiry).count, 9);
/// assert_eq!(losses.to_string(), "expiries of hash fields: 9 in 2 keys");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(transparent))]
pub struct Losses(BTreeMap<Loss, Lost>);

impl Losses {
    /// Adds so many things of so many keys. Nothing is added where there are none.
    pub fn add(&mut self, loss: Loss, count: u64, keys: u64) {
        if count > 0 {
            let lost = self.0.entry(loss).or_default();
            lost.count += count;
            lost.keys += keys;
        }
    }

    /// How much of this kind.
    #[must_use]
    pub fn get(&self, loss: Loss) -> Lost {
        self.0.get(&loss).copied().unwrap_or_default()
    }

    /// Whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each kind that there is, and how much of it.
    pub fn iter(&self) -> impl Iterator<Item = (Loss, Lost)> + '_ {
        self.0.iter().map(|(loss, lost)| (*loss, *lost))
    }

    /// Keys that are gone.
    #[must_use]
    pub fn dropped_keys(&self) -> u64 {
        self.iter().filter(|(loss, _)| loss.drops_key()).map(|(_, lost)| lost.keys).sum()
    }

    /// Adds all of another account.
    pub fn merge(&mut self, other: &Losses) {
        for (loss, lost) in other.iter() {
            self.add(loss, lost.count, lost.keys);
        }
    }
}

/// One line, as a part of a sentence.
impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (loss, Lost { count, keys })) in self.iter().enumerate() {
            let and = if n > 0 { ", " } else { "" };
            write!(f, "{and}{}: {count}", loss.text())?;
            if keys > 0 && !loss.drops_key() {
                write!(f, " in {keys} {}", if keys == 1 { "key" } else { "keys" })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_said_in_one_line() {
        let mut losses = Losses::default();
        assert!(losses.is_empty());
        losses.add(Loss::Function, 1, 0);
        losses.add(Loss::Array, 2, 2);
        losses.add(Loss::StreamCounters, 1, 1);
        losses.add(Loss::Cron, 0, 0);
        let line = "arrays: 2, counters of streams: 1 in 1 key, function libraries: 1";
        assert_eq!(losses.to_string(), line);
        assert_eq!(losses.dropped_keys(), 2);
        let mut twice = losses.clone();
        twice.merge(&losses);
        assert_eq!(twice.get(Loss::Array), Lost { count: 4, keys: 4 });
    }

    #[test]
    fn every_code_is_what_json_has() {
        for loss in Loss::ALL {
            assert!(loss.code().bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()));
            #[cfg(feature = "json")]
            assert_eq!(serde_json::to_string(loss).unwrap(), format!("\"{loss}\""));
        }
    }
}
