//! The keys of a dataset, one after the other.

use crate::rdb::Content;
use crate::synth::mix::Mix;
use crate::synth::random::Random;
use crate::time::UnixMillis;
use bytes::Bytes;

/// Expiries begin in May 2033, which is within the 32-bit seconds of Redis 2.4, and are whole seconds.
const FIRST_EXPIRY: i64 = 2_000_000_000;

/// A key that was made up.
///
/// ```
/// use redkeep::synth::{Dataset, Mix};
/// let key = Dataset::new(Mix::Json, 1).next().unwrap();
/// assert_eq!(key.key, "doc:000000000");
/// assert!(key.expires.is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SynthKey {
    /// Its name.
    pub key: Bytes,
    /// Its value, which servers take.
    pub content: Content,
    /// When it expires: in 2033 or later.
    pub expires: Option<UnixMillis>,
}

/// The keys of a dataset, without end.
///
/// ```
/// use redkeep::synth::{Dataset, Mix};
/// let some: Vec<_> = Dataset::new(Mix::Mixed, 7).take(20).collect();
/// let more: Vec<_> = Dataset::new(Mix::Mixed, 7).take(50).collect();
/// assert_eq!(some[..], more[..20]);
/// assert_ne!(some[0], Dataset::new(Mix::Mixed, 8).next().unwrap());
/// ```
#[derive(Debug, Clone)]
pub struct Dataset {
    mix: Mix,
    seed: u64,
    streams: bool,
    next: u64,
}

impl Dataset {
    /// The dataset of a mix and a seed.
    #[must_use]
    pub fn new(mix: Mix, seed: u64) -> Dataset {
        Dataset { mix, seed, streams: true, next: 0 }
    }

    /// Whether there are streams in it. Default: yes, where the mix has them; without them, blobs
    /// take their place.
    #[must_use]
    pub fn streams(mut self, streams: bool) -> Dataset {
        self.streams = streams;
        self
    }
}

impl Iterator for Dataset {
    type Item = SynthKey;

    fn next(&mut self) -> Option<SynthKey> {
        let mut random = Random::of(self.seed, self.next);
        let (key, content) = self.mix.key(self.next, self.streams, &mut random);
        let expires = (self.mix == Mix::Mixed && random.below(10) < 3).then(|| {
            let after = i64::try_from(random.below(1 << 26)).unwrap_or_default();
            UnixMillis::from_seconds(FIRST_EXPIRY + after)
        });
        self.next += 1;
        Some(SynthKey { key: key.into(), content, expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::DataType;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_is_another_and_servers_take_it() {
        for (mix, n) in [(Mix::Strings, 500), (Mix::Mixed, 3000), (Mix::Big, 5), (Mix::Json, 50)] {
            let mut names = BTreeSet::new();
            for key in Dataset::new(mix, 3).take(n) {
                key.content.validate().unwrap();
                assert!(names.insert(key.key));
            }
        }
    }

    #[test]
    fn the_mix_has_every_type_in_its_share() {
        let keys: Vec<_> = Dataset::new(Mix::Mixed, 1).take(4000).collect();
        let of = |kind| keys.iter().filter(|key| key.content.data_type() == kind).count();
        for (kind, per_mille) in [
            (DataType::String, 575),
            (DataType::Hash, 158),
            (DataType::List, 74),
            (DataType::Set, 78),
            (DataType::SortedSet, 88),
            (DataType::Stream, 27),
        ] {
            let (found, want) = (of(kind), 4 * per_mille);
            assert!(found.abs_diff(want) < 30 + want / 10, "{kind}: {found} of {want}");
        }
        let expiring = keys.iter().filter(|key| key.expires.is_some()).count();
        assert!(expiring.abs_diff(1200) < 100, "{expiring}");
    }
}
