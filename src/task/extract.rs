//! Some keys of a dump as a dump of their own.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::pipe::{EntrySink, Staged};
use crate::rdb::convert::{ConvertCounts, ConvertOptions, Converter};
use crate::rdb::{Event, EventKind, SALVAGED, Str, StreamReader, Writer};
use crate::select::{Filter, FilterOptions, Rejections, Sieve};
use std::io::{Read, Write};

/// What goes into the new dump.
///
/// ```
/// use redkeep::select::{Condition, FilterOptions, KeyPattern};
/// use redkeep::task::ExtractOptions;
/// let users = FilterOptions::default().include(Condition::keys([KeyPattern::prefix("user:")]));
/// let options = ExtractOptions::default().filter(users).functions(true);
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExtractOptions {
    /// Which keys. Default: all, and then the copy is the same file byte for byte.
    pub filter: FilterOptions,
    /// Whether function libraries come along. Default: no, for a part of the keys.
    pub functions: bool,
    /// Another server that has to load it. Default: none, and values stay as they are.
    pub convert: Option<ConvertOptions>,
    /// Ceilings on memory while reading.
    pub limits: Limits,
}

impl ExtractOptions {
    /// Sets [`filter`](Self::filter).
    #[must_use]
    pub fn filter(mut self, filter: FilterOptions) -> Self {
        self.filter = filter;
        self
    }

    /// Sets [`functions`](Self::functions).
    #[must_use]
    pub fn functions(mut self, keep: bool) -> Self {
        self.functions = keep;
        self
    }

    /// Sets [`convert`](Self::convert).
    #[must_use]
    pub fn convert(mut self, options: ConvertOptions) -> Self {
        self.convert = Some(options);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What became of everything in the source. It balances: keys read are those written, those rejected
/// and those lost in conversion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExtractOutcome {
    /// Keys in the source.
    pub read: u64,
    /// Keys in the new dump.
    pub written: u64,
    /// Keys left out, by what rejected them.
    pub keys: Rejections,
    /// Function libraries left out.
    pub functions_dropped: u64,
    /// Other records left out: replication state, size and slot hints, slot imports. They tell of a
    /// whole server, not of some of its keys.
    pub records_dropped: u64,
    /// What the conversion did, where there was one.
    pub converted: Option<ConvertCounts>,
    /// Bytes of the new dump.
    pub bytes: u64,
}

/// Copies the keys that a filter keeps into a dump of their own, in one pass and bounded memory.
///
/// Values are copied as they stand and never decoded, so the new dump loads where the old one did.
/// Without a filter the copy is the same file, byte for byte.
///
/// # Errors
/// As [`StreamReader`]: a source that is damaged or whose checksum does not fit gives no dump, and
/// what was written to `target` until then has no end and must be thrown away. `Io` where the
/// source or the target fails.
///
/// ```
/// use redkeep::rdb::check::{check_slice, CheckOptions};
/// use redkeep::select::{Condition, FilterOptions, KeyPattern};
/// use redkeep::task::{extract, ExtractOptions};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x06user:1\x01a\x00\x06cart:1\x01b\xff";
/// let users = FilterOptions::default().include(Condition::keys([KeyPattern::glob("user:*")]));
/// let mut part = Vec::new();
/// let outcome = extract(dump, &mut part, &ExtractOptions::default().filter(users))?;
/// assert_eq!((outcome.read, outcome.written), (2, 1));
/// assert_eq!(check_slice(&part, &CheckOptions::default()).keys, 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn extract(
    source: impl Read,
    target: impl Write,
    options: &ExtractOptions,
) -> Result<ExtractOutcome> {
    let mut reader = StreamReader::with_limits(source, &options.limits);
    let sieve = Sieve::new(Filter::new(options.filter.clone()));
    let mut sieve = sieve.inflated_limit(options.limits.inflated);
    let stage = options.convert.clone().map(Converter::new);
    let mut pipe = Staged { stage, to: Writer::new(target) };
    let mut outcome = ExtractOutcome::default();
    while let Some(event) = reader.next()? {
        let kept = sieve.keeps(&event)?;
        let is_key = event.begins_key();
        outcome.read += u64::from(is_key);
        if kept && (is_key || sieve.keeps_all() || outcome.carries(&event, options.functions)) {
            pipe.event(&event)?;
        }
    }
    let Staged { stage, to: writer } = pipe;
    outcome.bytes = writer.ended_len();
    writer.finish()?;
    outcome.keys = sieve.counts().clone();
    outcome.converted = stage.map(|converter| converter.counts().clone());
    outcome.settle()
}

impl ExtractOutcome {
    /// Counts what was written, and proves that nothing is missing.
    fn settle(mut self) -> Result<ExtractOutcome> {
        let (written, dropped) = match &self.converted {
            Some(counts) => (counts.copied + counts.converted, counts.dropped()),
            None => (self.keys.kept, 0),
        };
        self.written = written;
        if self.read != written + dropped + self.keys.rejected() {
            return Err(
                Error::from_fault(Fault::Internal).with_detail("the account does not balance")
            );
        }
        Ok(self)
    }

    /// Whether a record that is no key comes along with a part of the keys; counts where not.
    fn carries(&mut self, event: &Event<'_>, functions: bool) -> bool {
        match event.kind() {
            EventKind::Function(_) if !functions => {
                self.functions_dropped += 1;
                false
            }
            // Written anew where a key needs it.
            EventKind::SelectDb(_) => false,
            EventKind::Aux(aux) => {
                let stays = matches!(aux.name, Str::Plain(name) if stays_true(name));
                self.records_dropped += u64::from(!stays);
                stays
            }
            EventKind::ResizeDb { .. }
            | EventKind::SlotInfo { .. }
            | EventKind::SlotImport(_)
            | EventKind::EnterpriseSkip => {
                self.records_dropped += 1;
                false
            }
            _ => true,
        }
    }
}

/// AUX fields that are as true of some keys as of all; the others tell of a whole server, as where
/// its replication stood, which must not be believed of a part.
fn stays_true(name: &[u8]) -> bool {
    let facts: [&[u8]; 6] =
        [b"redis-ver", b"valkey-ver", b"redis-bits", b"ctime", b"used-mem", b"aof-base"];
    facts.contains(&name) || name.starts_with(b"keydb-subexpire-") || name == SALVAGED.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::SliceReader;
    use crate::rdb::check::{CheckOptions, Verdict, check_slice};
    use crate::select::{Condition, KeyPattern};

    fn only(pattern: &str) -> ExtractOptions {
        let keys = Condition::keys([KeyPattern::glob(pattern)]);
        ExtractOptions::default().filter(FilterOptions::default().include(keys))
    }

    /// Two databases, a library, facts, an expiry, and a value of 20,000 bytes.
    fn dump() -> Vec<u8> {
        let mut body = b"REDIS0010".to_vec();
        for record in [
            &b"\xfa\x09redis-ver\x057.0.1\xfa\x07repl-id\x01x"[..],
            b"\xf5\x11#!lua name=f\nx=1;",
            b"\xfe\x00\xfb\x02\x01\xfc\x00\xe8\x76\x48\x17\0\0\0\x00\x01a\x01x",
            b"\x00\x03big\x80\x00\x00\x4e\x20",
            &[b'v'; 20_000],
            b"\xfe\x05\x00\x01b\xc0\x07\xff",
        ] {
            body.extend_from_slice(record);
        }
        let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&body);
        body.extend_from_slice(&crc.to_le_bytes());
        body
    }

    fn extracted(options: &ExtractOptions) -> (ExtractOutcome, Vec<u8>) {
        let mut part = Vec::new();
        let outcome = extract(&dump()[..], &mut part, options).unwrap();
        assert_eq!(outcome.bytes, part.len() as u64);
        let report = check_slice(&part, &CheckOptions::default());
        assert_eq!(report.verdict, Verdict::Sound, "{:?}", report.findings);
        assert_eq!(report.keys, outcome.written);
        (outcome, part)
    }

    #[test]
    fn without_a_filter_the_copy_is_the_same_file() {
        for window in [64, 1 << 20] {
            let limits = Limits::default().window(window);
            let (outcome, part) = extracted(&ExtractOptions::default().limits(limits));
            assert_eq!(part, dump());
            assert_eq!((outcome.read, outcome.written, outcome.records_dropped), (3, 3, 0));
        }
    }

    #[test]
    fn kept_keys_stay_in_their_database_with_their_expiry() {
        for window in [64, 1 << 20] {
            for (pattern, want) in
                [("a", vec![(0, true)]), ("b", vec![(5, false)]), ("big", vec![(0, false)])]
            {
                let options = only(pattern).limits(Limits::default().window(window));
                let (outcome, part) = extracted(&options);
                let keys: Vec<_> = SliceReader::new(&part)
                    .filter_map(|event| event.unwrap().entry())
                    .map(|entry| (entry.db(), entry.expires().is_some()))
                    .collect();
                assert_eq!(keys, want, "{pattern}");
                assert_eq!((outcome.read, outcome.keys.rejected()), (3, 2));
            }
        }
    }

    #[test]
    fn what_tells_of_the_whole_server_stays_behind_and_is_counted() {
        let (outcome, part) = extracted(&only("a"));
        assert_eq!((outcome.functions_dropped, outcome.records_dropped), (1, 2));
        assert!(!part.windows(7).any(|window| window == b"repl-id"));
        let (outcome, part) = extracted(&only("a").functions(true));
        assert_eq!(outcome.functions_dropped, 0);
        assert!(part.windows(12).any(|window| window == b"#!lua name=f"));
    }

    #[test]
    fn a_damaged_source_gives_no_dump() {
        let mut bytes = dump();
        bytes[60] ^= 1;
        let mut part = Vec::new();
        assert!(extract(&bytes[..], &mut part, &only("*")).is_err());
        let report = check_slice(&part, &CheckOptions::default());
        assert_eq!(report.verdict, Verdict::Damaged);
    }
}
