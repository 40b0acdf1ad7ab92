//! Our own digest of what a dump holds.

use crate::digest::feed::{Feed, Take as _, each_event};
use crate::digest::hex::Digest32;
use crate::digest::record::Run;
use crate::digest::sum::ContentSum;
use crate::error::Result;
use crate::limits::Limits;
use crate::pipe::EntrySink;
use crate::rdb::Event;
use std::fmt;
use std::io::Read;

/// What a [`ContentDigest`] covers, and what it may cost.
///
/// ```
/// use redkeep::Limits;
/// use redkeep::digest::ContentOptions;
/// let options = ContentOptions::default().stream_state(true).limits(Limits::default());
/// # drop(options);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ContentOptions {
    /// Whether IDs, counters, consumer groups and producers of streams are covered, and not their
    /// entries only. Default: no, since servers change them when they load and save: counters come
    /// with Redis 7.0, times of consumers with 7.2. Digests with and without never are the same.
    pub stream_state: bool,
    /// What reading may cost; `held` is for one element that is no plain string, or compressed.
    pub limits: Limits,
}

impl ContentOptions {
    /// Sets [`stream_state`](Self::stream_state).
    #[must_use]
    pub fn stream_state(mut self, covered: bool) -> Self {
        self.stream_state = covered;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Computes our own digest of a dump's content; fed with the events of either reader.
///
/// Equal for equal content: however values are encoded or compressed, in whatever order the file has
/// its keys and its databases, whichever server or version wrote it.
///
/// # What is covered
///
/// Database, name, type and expiry of each key, and its elements: of lists, streams and arrays in
/// their order, of sets, sorted sets and hashes sorted by their bytes. Integers are their decimal
/// text; a score is its number, -0 being 0; fields count with their expiry. Module values are taken
/// as the row of numbers and strings that they are in the file, and so are data of modules outside
/// keys. Function libraries count. With [`stream_state`](ContentOptions::stream_state) also groups,
/// consumers, pending entries and producers.
///
/// Expired keys and fields count, since no clock is asked; empty collections do not, since servers
/// have none. Not covered: what is no content (AUX fields, hints of size, idle times, frequencies,
/// slots), the key metadata of modules, the insert cursor of arrays, and the expiries of members
/// that KeyDB keeps behind the key.
///
/// # Memory
///
/// Bounded, whatever the size of a value and however many keys there are. What is in order is hashed
/// as it comes. The elements of one set, sorted set or hash are held and sorted up to 16 MiB or
/// 262,144 of them, in some 60 MiB of memory; of a bigger one each is hashed by itself and summed, at
/// several times the cost. What is held of single elements is said at
/// [`ServerDigest`](crate::digest::ServerDigest), and is the same here.
///
/// # What can be relied on
///
/// Two datasets with one digest that are not the same are not to be found, by whoever may choose
/// keys and values, with less than some 2^127 steps: records are hashed by BLAKE3, and sums over
/// their hashes are 4096 bits wide. That wants each key to be there once, and each member of a big
/// value: as servers have it. The reasoning is in the source, in `digest/wide.rs`.
///
/// ```
/// use redkeep::digest::ContentDigest;
/// use redkeep::rdb::SliceReader;
/// let of = |dump: &[u8]| {
///     let mut digest = ContentDigest::default();
///     for event in SliceReader::new(dump) {
///         digest.event(&event?)?;
///     }
///     digest.finish()
/// };
/// // A set of 1 and 2: as strings, as integers, and packed.
/// let strings = of(b"REDIS0003\x02\x01s\x02\x011\x012\xff")?;
/// let integers = of(b"REDIS0003\x02\x01s\x02\xc0\x02\xc0\x01\xff")?;
/// let packed = of(b"REDIS0003\x0b\x01s\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0\xff")?;
/// assert!(strings == integers && integers == packed);
/// // The same in a list is another thing.
/// assert_ne!(strings, of(b"REDIS0003\x01\x01s\x02\x011\x012\xff")?);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct ContentDigest<'k> {
    feed: Feed,
    run: Run<'k>,
}

impl Default for ContentDigest<'_> {
    fn default() -> Self {
        Self::new(ContentOptions::default())
    }
}

impl<'k> ContentDigest<'k> {
    /// The digest of nothing, so far.
    #[must_use]
    pub fn new(options: ContentOptions) -> Self {
        ContentDigest { feed: Feed::new(&options.limits), run: Run::new(options.stream_state) }
    }

    /// Shows each key's own digest to `see`, with its database and name, which are part of it. To be
    /// called before the first event. An example is at
    /// [`differing_keys`](crate::digest::differing_keys).
    #[must_use]
    pub fn digest_keys(mut self, see: impl FnMut(u64, &[u8], Digest32) + 'k) -> Self {
        self.run.see = Some(Box::new(see));
        self
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Corrupt` or `Limit` when something in the key cannot be read; `Limit` where there are more than
    /// 65,536 function libraries and data of modules.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        self.feed.event(event, &mut self.run)
    }

    /// How many keys are in the digest so far.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.run.keys()
    }

    /// The digest of all that came.
    ///
    /// # Errors
    /// `Truncated` where a key was not read to its end, or gave an error.
    pub fn finish(self) -> Result<Digest32> {
        Ok(self.into_sum()?.digest())
    }

    /// What the digest is made from, to be joined with that of other parts of a dataset.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn into_sum(mut self) -> Result<ContentSum> {
        if self.feed.is_open() {
            self.run.give_up(0);
        }
        self.run.into_sum()
    }
}

impl EntrySink for ContentDigest<'_> {
    #[inline]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        ContentDigest::event(self, event)
    }
}

impl fmt::Debug for ContentDigest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentDigest").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

/// Computes our own digest of a dump's content, whichever source it comes from.
///
/// ```
/// use redkeep::digest::{ContentOptions, content_digest};
/// let dump = b"REDIS0003\x00\x01a\x011\x00\x01b\x012\xff";
/// let again = b"REDIS0006\x00\x01b\xc0\x02\x00\x01a\xc0\x01\xff\0\0\0\0\0\0\0\0";
/// let options = ContentOptions::default();
/// assert_eq!(content_digest(&dump[..], options)?, content_digest(&again[..], options)?);
/// # Ok::<(), redkeep::Error>(())
/// ```
///
/// # Errors
/// The first that the reader meets, and as [`ContentDigest::event`].
pub fn content_digest(source: impl Read, options: ContentOptions) -> Result<Digest32> {
    let mut digest = ContentDigest::new(options);
    each_event(source, &options.limits, |event| digest.event(event))?;
    digest.finish()
}
