//! What the digests of a whole dataset are made from; the sums of its parts give its own.

use crate::digest::hex::{Digest20, Digest32};
use crate::digest::sha::{State, sha1};
use crate::digest::wide::{BYTES, Wide};
use crate::error::{Error, Fault, Result};
use std::collections::BTreeMap;
use std::fmt;

// Each is the name of what is hashed, and says which version of this format it is.
const DATASET: &str = "redkeep 2026-11 content digest v1, dataset";
const DATASET_WITH_STATE: &str = "redkeep 2026-11 content digest v1, dataset with stream state";

/// Records that are no keys, at most: no server has nearly so many.
const MOST_OTHERS: usize = 1 << 16;

/// What our own digest of a dataset is made from: 512 bytes, which those of other parts can be added
/// to.
///
/// The sum of parts that share no key gives the digest of the whole: shards of a cluster, databases,
/// files that together are one dataset. A function library, and data of a module outside keys, that
/// several parts have count once, as every shard of a cluster has them.
///
/// ```
/// use redkeep::digest::{ContentDigest, ContentOptions, ContentSum, content_digest};
/// use redkeep::rdb::SliceReader;
/// fn sum(dump: &[u8]) -> redkeep::Result<ContentSum> {
///     let mut digest = ContentDigest::default();
///     for event in SliceReader::new(dump) {
///         digest.event(&event?)?;
///     }
///     digest.into_sum()
/// }
/// let mut all = sum(b"REDIS0003\x00\x01a\x011\xff")?;
/// all.join(&sum(b"REDIS0003\x00\x01b\x012\xff")?)?;
/// let whole = b"REDIS0003\x00\x01a\x011\x00\x01b\x012\xff";
/// assert_eq!(all.keys(), 2);
/// assert_eq!(all.digest(), content_digest(&whole[..], ContentOptions::default())?);
/// // Kept somewhere, and read again:
/// assert_eq!(ContentSum::from_bytes(&all.to_bytes())?, all);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ContentSum {
    stream_state: bool,
    keys: u64,
    total: Box<Wide>,
    /// Hashes of records that are no keys, and how often each came.
    others: BTreeMap<[u8; 32], u64>,
}

impl ContentSum {
    pub(super) fn new(stream_state: bool) -> ContentSum {
        ContentSum { stream_state, keys: 0, total: Box::new(Wide::ZERO), others: BTreeMap::new() }
    }

    /// Adds a key, and gives its own digest.
    #[inline(always)]
    pub(super) fn add_key(&mut self, leaf: &blake3::Hasher) -> [u8; 32] {
        self.keys = self.keys.wrapping_add(1);
        self.total.add(leaf)
    }

    pub(super) fn add_other(&mut self, leaf: [u8; 32]) -> Result<()> {
        let times = self.others.entry(leaf).or_default();
        *times = times.saturating_add(1);
        self.few_others()
    }

    fn few_others(&self) -> Result<()> {
        if self.others.len() > MOST_OTHERS {
            let detail = "more than 65,536 function libraries and data of modules";
            return Err(Error::from_fault(Fault::Held).with_detail(detail));
        }
        Ok(())
    }

    /// How many keys are in it.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Adds the sum of another part, which has none of these keys.
    ///
    /// # Errors
    /// `Usage` where one covers the [state of streams](crate::digest::ContentOptions::stream_state)
    /// and the other does not; `Limit` where both together have more than 65,536 function libraries
    /// and data of modules. Nothing can be said of the whole then.
    pub fn join(&mut self, other: &ContentSum) -> Result<()> {
        if self.stream_state != other.stream_state {
            return Err(Error::usage("only one of the sums covers the state of streams"));
        }
        self.keys = self.keys.wrapping_add(other.keys);
        self.total.join(&other.total);
        for (leaf, times) in &other.others {
            let ours = self.others.entry(*leaf).or_default();
            *ours = (*ours).max(*times);
            self.few_others()?;
        }
        Ok(())
    }

    /// The digest of all that is in it.
    #[must_use]
    pub fn digest(&self) -> Digest32 {
        let context = if self.stream_state { DATASET_WITH_STATE } else { DATASET };
        let mut all = blake3::Hasher::new_derive_key(context);
        all.update(&self.keys.to_le_bytes()).update(&self.total.bytes());
        for (leaf, times) in &self.others {
            all.update(leaf).update(&times.to_le_bytes());
        }
        Digest32::new(*all.finalize().as_bytes())
    }

    /// The sum as bytes, to be kept or sent: 528, and 40 for each function library and data of a
    /// module.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + BYTES + OTHER * self.others.len());
        bytes.extend_from_slice(MAGIC);
        bytes.push(u8::from(self.stream_state));
        bytes.extend_from_slice(&self.keys.to_le_bytes());
        bytes.extend_from_slice(&self.total.bytes());
        for (leaf, times) in &self.others {
            bytes.extend_from_slice(leaf);
            bytes.extend_from_slice(&times.to_le_bytes());
        }
        bytes
    }

    /// A sum from its bytes.
    ///
    /// # Errors
    /// `Usage` where they are not those of a sum.
    pub fn from_bytes(bytes: &[u8]) -> Result<ContentSum> {
        ContentSum::parse(bytes).ok_or_else(|| Error::usage("not the bytes of a content sum"))
    }

    fn parse(bytes: &[u8]) -> Option<ContentSum> {
        let (flag, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
        let (keys, rest) = rest.split_first_chunk()?;
        let (total, rest) = rest.split_first_chunk()?;
        let mut sum = ContentSum::new(match flag {
            0 => false,
            1 => true,
            _ => return None,
        });
        (sum.keys, *sum.total) = (u64::from_le_bytes(*keys), Wide::from_bytes(total));
        let (others, []) = rest.as_chunks::<OTHER>() else { return None };
        for other in others {
            let (leaf, times) = other.split_first_chunk::<32>()?;
            let times = u64::from_le_bytes(*times.first_chunk()?);
            // Ascending, each once: one sum has one form.
            let last = sum.others.last_key_value();
            if times == 0 || last.is_some_and(|(last, _)| last >= leaf) {
                return None;
            }
            sum.others.insert(*leaf, times);
        }
        sum.few_others().is_ok().then_some(sum)
    }
}

/// The beginning of a sum's bytes, with the version of this format.
const MAGIC: &[u8; 7] = b"rksum1\n";

/// Bytes before the sum itself, and of each record that is no key.
const HEAD: usize = MAGIC.len() + 1 + 8;
const OTHER: usize = 32 + 8;

impl fmt::Debug for ContentSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContentSum { stream_state, keys, .. } = self;
        f.debug_struct("ContentSum")
            .field("stream_state", stream_state)
            .field("keys", keys)
            .finish_non_exhaustive()
    }
}

/// What a server's digest of a dataset is made from: 20 bytes for each database, which those of other
/// parts can be added to.
///
/// The sum of parts that share no key gives the digest of the server that would hold them all.
///
/// ```
/// use redkeep::digest::{DigestOptions, ServerDigest, ServerSum};
/// use redkeep::rdb::SliceReader;
/// fn sum(dump: &[u8]) -> redkeep::Result<ServerSum> {
///     let mut digest = ServerDigest::new(DigestOptions::new("redis-7.2".parse().unwrap()));
///     for event in SliceReader::new(dump) {
///         digest.event(&event?)?;
///     }
///     digest.into_sum()
/// }
/// let mut all = sum(b"REDIS0003\xfe\x00\x00\x01k\x01v\xff")?;
/// all.join(&sum(b"REDIS0003\xfe\x01\x00\x01k\x01v\xff")?);
/// assert_eq!(all.digest().to_string(), "794cf907ddc694cc1d15645a71582e3d0a57d2a0");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerSum {
    dbs: BTreeMap<u64, State>,
}

impl ServerSum {
    #[inline(always)]
    pub(super) fn add_key(&mut self, db: u64, record: State) {
        let sum = self.dbs.entry(db).or_default();
        *sum = sum.xor(record);
    }

    /// Adds the sum of another part, which has none of these keys.
    pub fn join(&mut self, other: &ServerSum) {
        other.dbs.iter().for_each(|(db, sum)| self.add_key(*db, *sum));
    }

    /// The digest of all that is in it.
    #[must_use]
    pub fn digest(&self) -> Digest20 {
        self.dbs.iter().fold(State::ZERO, |all, (db, sum)| begin(all, *db).xor(*sum)).digest()
    }
}

/// The state before a database's keys.
fn begin(all: State, db: u64) -> State {
    // The servers' own number is 32 bits wide.
    let [_, _, _, _, be32 @ ..] = db.to_be_bytes();
    all.mix(sha1(&be32))
}

/// The digest that one server would give for all keys of a cluster, from what its shards answer to
/// `DEBUG DIGEST`, or from their dumps' own.
///
/// Shards have database 0 only; an empty one answers with zeros. For parts with other databases there
/// is [`ServerSum`].
///
/// ```
/// use redkeep::digest::{DigestOptions, digest_of_shards, server_digest};
/// let of = |dump: &[u8]| {
///     server_digest(dump, DigestOptions::new("redis-7.2".parse().unwrap()))
/// };
/// let shards = [
///     of(b"REDIS0003\x00\x01a\x011\xff")?,
///     of(b"REDIS0003\x00\x01b\x012\xff")?,
///     of(b"REDIS0003\xff")?,
/// ];
/// let whole = of(b"REDIS0003\x00\x01a\x011\x00\x01b\x012\xff")?;
/// assert_eq!(digest_of_shards(shards), whole);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[must_use]
pub fn digest_of_shards(shards: impl IntoIterator<Item = Digest20>) -> Digest20 {
    let empty = begin(State::ZERO, 0);
    let shards = shards.into_iter().map(State::of).filter(|shard| *shard != State::ZERO);
    // Each has the beginning in it, the whole has it once.
    let whole = shards.fold(None, |whole: Option<State>, shard| {
        Some(whole.unwrap_or(empty).xor(shard).xor(empty))
    });
    whole.unwrap_or(State::ZERO).digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_that_are_empty_do_not_count() {
        let digest = |text: &str| text.parse::<Digest20>().unwrap();
        let (zeros, one) = ("0".repeat(40), "264ccf65edec66bccfa7cc659414ccca432057d2");
        assert_eq!(digest_of_shards([]), digest(&zeros));
        assert_eq!(digest_of_shards([digest(&zeros), digest(&zeros)]), digest(&zeros));
        assert_eq!(digest_of_shards([digest(&zeros), digest(one)]), digest(one));
        assert_eq!(ServerSum::default().digest(), digest(&zeros));
    }

    fn with(others: &[u8]) -> ContentSum {
        let mut sum = ContentSum::new(false);
        others.iter().for_each(|n| sum.add_other([*n; 32]).unwrap());
        sum
    }

    #[test]
    fn what_every_part_has_counts_once_in_whichever_order_they_are_joined() {
        let joined = |parts: &[&ContentSum]| {
            let mut all = ContentSum::new(false);
            parts.iter().for_each(|part| all.join(part).unwrap());
            all.digest()
        };
        let parts = [with(&[1, 2]), with(&[2]), with(&[3, 3])];
        let [a, b, c] = &parts;
        assert_eq!(joined(&[a, b, c]), with(&[1, 2, 3, 3]).digest());
        assert_eq!(joined(&[c, b, a]), joined(&[a, b, c]));
        assert_ne!(with(&[3]).digest(), with(&[3, 3]).digest());
        assert!(with(&[]).join(&ContentSum::new(true)).is_err());
    }

    #[test]
    fn a_sum_has_one_form_in_bytes_and_no_other_is_taken() {
        let mut sum = with(&[1, 2]);
        sum.add_key(blake3::Hasher::new().update(b"a"));
        let bytes = sum.to_bytes();
        assert_eq!(bytes.len(), 528 + 2 * 40);
        assert_eq!(ContentSum::from_bytes(&bytes).unwrap(), sum);
        for len in (0..bytes.len()).filter(|len| ![528, 568].contains(len)) {
            assert!(ContentSum::from_bytes(&bytes[..len]).is_err(), "{len}");
        }
        let [head, first, second] = [&bytes[..528], &bytes[528..568], &bytes[568..]];
        for wrong in [[head, second, first], [head, first, first]] {
            assert!(ContentSum::from_bytes(&wrong.concat()).is_err());
        }
        let mut flag = bytes.clone();
        flag[7] = 2;
        assert!(ContentSum::from_bytes(&flag).is_err());
    }

    #[test]
    fn records_that_are_no_keys_are_limited() {
        let mut sum = ContentSum::new(false);
        let leaf = |n: u32| {
            let mut leaf = [0; 32];
            leaf[..4].copy_from_slice(&n.to_be_bytes());
            leaf
        };
        let failed = (0..70_000).find(|n| sum.add_other(leaf(*n)).is_err());
        assert_eq!(failed, Some(65_536));
    }
}
