//! Some keys of a dump as a dump of their own.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::pipe::{EntrySink, Stage, Staged};
use crate::rdb::convert::{ConvertCounts, ConvertOptions, Converter};
use crate::rdb::{Event, EventKind, Role, RoleMarker, SALVAGED, Str, StreamReader, Writer};
use crate::select::{
    Filter, FilterOptions, MemberCounts, MemberFilter, MemberOptions, Rejections, Sieve, Transform,
    TransformCounts, TransformOptions,
};
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
    /// Which keys. Default: all; if nothing is changed either, the copy is the same file byte for
    /// byte.
    pub filter: FilterOptions,
    /// Which parts of their values. Default: all.
    pub members: MemberOptions,
    /// What is changed about them: names, databases, expiries. Default: nothing.
    pub transform: TransformOptions,
    /// Whether function libraries come along with a part of the keys. Default: no; with all keys they
    /// always do.
    pub functions: bool,
    /// Another server that has to load the new dump. Default: none, and values stay as they are.
    pub convert: Option<ConvertOptions>,
    /// What the new dump says that it is for, as the base of a log does. Default: what the source says.
    pub role: Option<Role>,
    /// Ceilings on memory; those of [`members`](Self::members) and [`transform`](Self::transform) are
    /// not looked at.
    pub limits: Limits,
}

impl ExtractOptions {
    /// Sets [`filter`](Self::filter).
    #[must_use]
    pub fn filter(mut self, filter: FilterOptions) -> Self {
        self.filter = filter;
        self
    }

    /// Sets [`members`](Self::members).
    #[must_use]
    pub fn members(mut self, members: MemberOptions) -> Self {
        self.members = members;
        self
    }

    /// Sets [`transform`](Self::transform).
    #[must_use]
    pub fn transform(mut self, transform: TransformOptions) -> Self {
        self.transform = transform;
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

    /// Sets [`role`](Self::role).
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What became of everything in the source. It balances: keys read are those written, those rejected,
/// those emptied, those expired, and those that the conversion dropped.
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
    /// What was left out of values.
    pub members: MemberCounts,
    /// What was changed about keys.
    pub transform: TransformCounts,
    /// What the conversion did, where there was one.
    pub converted: Option<ConvertCounts>,
    /// Function libraries left out.
    pub functions_dropped: u64,
    /// Other records left out: replication state, size and slot hints, slot imports. They tell of a
    /// whole server, not of some of its keys.
    pub records_dropped: u64,
    /// Bytes of the new dump.
    pub bytes: u64,
}

/// Copies the keys that a filter keeps into a dump of their own, in one pass and bounded memory.
///
/// Values are copied as they stand and never decoded, so the new dump loads where the old one did.
/// Without a filter the copy is the same file, byte for byte. Parts of values can be left out (see
/// [`MemberFilter`]), and then names, databases and expiries changed (see [`Transform`]); what these
/// do not touch is copied as it stands.
///
/// # Errors
/// As [`StreamReader`]: a source that is damaged or whose checksum does not fit gives no dump, and
/// what was written to `target` until then has no end and must be thrown away. `Io` where the
/// source or the target fails, `Usage` where two keys would come to one name, `Limit` where a value
/// that has to be held is too big.
///
/// ```
/// use redkeep::rdb::check::{check_slice, CheckOptions};
/// use redkeep::select::{Condition, FilterOptions, KeyPattern, Rename, TransformOptions};
/// use redkeep::task::{extract, ExtractOptions};
/// # let dump: &[u8] = b"REDIS0003\xfe\x00\x00\x06user:1\x01a\x00\x06cart:1\x01b\xff";
/// let users = FilterOptions::default().include(Condition::keys([KeyPattern::glob("user:*")]));
/// let renamed = TransformOptions::default().rename(Rename::prefix("user:", "old:"));
/// let mut part = Vec::new();
/// let options = ExtractOptions::default().filter(users).transform(renamed);
/// let outcome = extract(dump, &mut part, &options)?;
/// assert_eq!((outcome.read, outcome.written, outcome.transform.renamed), (2, 1, 1));
/// assert_eq!(check_slice(&part, &CheckOptions::default()).keys, 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn extract(
    source: impl Read,
    target: impl Write,
    options: &ExtractOptions,
) -> Result<ExtractOutcome> {
    let limits = options.limits;
    let mut reader = StreamReader::with_limits(source, &limits);
    let mut sieve = Sieve::new(Filter::new(options.filter.clone())).limits(limits);
    let mut members = MemberFilter::new(options.members.clone().limits(limits));
    let mut transform = Transform::new(options.transform.clone().inflated(limits.inflated));
    let changes = !options.members.is_empty() || !options.transform.is_empty();
    let whole = sieve.keeps_all() && !changes;
    let functions = options.functions || sieve.keeps_all();
    let mut carry = Carry { whole, functions, functions_dropped: 0, records_dropped: 0 };
    let mut target = Target { writer: Writer::new(target), whole, keys: 0 };
    let mut converter = options.convert.clone().map(Converter::new);
    let mut marker = options.role.map(RoleMarker::new);
    let marked = Staged { stage: &mut marker, to: &mut target };
    let converted = Staged { stage: &mut converter, to: marked };
    let read = match changes {
        false => {
            let to = Staged { stage: &mut carry, to: converted };
            count_through(&mut reader, Staged { stage: &mut sieve, to })?
        }
        true => {
            let to = Staged { stage: &mut transform, to: converted };
            let to = Staged { stage: &mut members, to };
            let to = Staged { stage: &mut carry, to };
            count_through(&mut reader, Staged { stage: &mut sieve, to })?
        }
    };
    let bytes = target.writer.ended_len();
    target.writer.finish()?;
    let outcome = ExtractOutcome {
        read,
        written: target.keys,
        keys: sieve.counts().clone(),
        members: members.counts().clone(),
        transform: transform.counts().clone(),
        converted: converter.map(|converter| converter.counts().clone()),
        functions_dropped: carry.functions_dropped,
        records_dropped: carry.records_dropped + transform.counts().records_dropped,
        bytes,
    };
    let left_out = outcome.keys.rejected()
        + outcome.members.keys_emptied
        + outcome.transform.expired
        + outcome.converted.as_ref().map_or(0, ConvertCounts::dropped);
    if outcome.read != outcome.written + left_out {
        return Err(Error::from_fault(Fault::Internal).with_detail("the account does not balance"));
    }
    Ok(outcome)
}

/// Brings everything to the sink; how many keys there were.
fn count_through(reader: &mut StreamReader<impl Read>, mut sink: impl EntrySink) -> Result<u64> {
    let mut keys = 0;
    while let Some(event) = reader.next()? {
        keys += u64::from(event.begins_key());
        sink.event(&event)?;
    }
    Ok(keys)
}

/// Which records that are no keys come along.
struct Carry {
    whole: bool,
    functions: bool,
    functions_dropped: u64,
    records_dropped: u64,
}

impl Stage for Carry {
    #[inline(always)]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        if self.whole || event.entry().is_some() || self.carries(*event) {
            return to.event(event);
        }
        Ok(())
    }
}

impl Carry {
    /// Whether a record that is no key comes along with a part of the keys; counts where not.
    #[inline(never)]
    fn carries(&mut self, event: Event<'_>) -> bool {
        match event.kind() {
            EventKind::Function(_) if !self.functions => {
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

/// The new dump, at the end of the row.
struct Target<W> {
    writer: Writer<W>,
    whole: bool,
    keys: u64,
}

impl<W: Write> EntrySink for Target<W> {
    #[inline(always)]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        self.keys += u64::from(event.begins_key());
        if self.whole {
            return self.writer.event(event);
        }
        match event.entry() {
            Some(entry) => self.writer.select_db(entry.db())?,
            None => self.select_rare(*event)?,
        }
        self.writer.event(event)
    }
}

impl<W: Write> Target<W> {
    #[inline(never)]
    fn select_rare(&mut self, event: Event<'_>) -> Result<()> {
        match event.kind() {
            EventKind::Open(entry) => self.writer.select_db(entry.db()),
            _ => Ok(()),
        }
    }
}

/// AUX fields that are as true of some keys as of all; the others tell of a whole server, as where
/// its replication stood, which must not be believed of a part.
pub(super) fn stays_true(name: &[u8]) -> bool {
    let facts: [&[u8]; 6] =
        [b"redis-ver", b"valkey-ver", b"redis-bits", b"ctime", b"used-mem", b"aof-base"];
    facts.contains(&name) || name.starts_with(b"keydb-subexpire-") || name == SALVAGED.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::SliceReader;
    use crate::rdb::check::{CheckOptions, Verdict, check_slice};
    use crate::select::{Condition, ExpiryChange, KeyPattern, MemberCondition, Rename};
    use crate::time::UnixMillis;

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
    fn what_is_changed_is_accounted_for_and_functions_come_along_with_all_keys() {
        for window in [64, 1 << 20] {
            let transform = TransformOptions::default()
                .rename(Rename::prefix("", "x:"))
                .move_db(5, 0)
                .drop_expired(UnixMillis::new(i64::MAX))
                .expiry(ExpiryChange::Set(UnixMillis::new(9)));
            let options = ExtractOptions::default()
                .transform(transform)
                .limits(Limits::default().window(window));
            let (outcome, part) = extracted(&options);
            assert_eq!((outcome.read, outcome.written, outcome.transform.expired), (3, 2, 1));
            assert_eq!((outcome.transform.renamed, outcome.transform.moved), (2, 1));
            assert_eq!((outcome.functions_dropped, outcome.records_dropped), (0, 2));
            let keys: Vec<_> = SliceReader::new(&part)
                .filter_map(|event| event.unwrap().entry())
                .map(|entry| (entry.db(), entry.key(), entry.expires().map(UnixMillis::get)))
                .collect();
            let key = |name: &'static [u8]| (0, Str::Plain(name), Some(9));
            assert_eq!(keys, [key(b"x:big"), key(b"x:b")]);
        }
    }

    #[test]
    fn parts_of_values_are_left_out_of_those_keys_that_are_kept() {
        let dump =
            b"REDIS0003\xfe\x00\x02\x01a\x02\x01x\x01y\x02\x01b\x01\x01x\x02\x01c\x01\x01x\xff";
        let members = MemberCondition::members([KeyPattern::exact("x")]);
        let options = only("[ab]").members(MemberOptions::default().exclude(members));
        let mut part = Vec::new();
        let outcome = extract(&dump[..], &mut part, &options).unwrap();
        assert_eq!(part, b"REDIS0003\xfe\x00\x02\x01a\x01\x01y\xff");
        assert_eq!((outcome.read, outcome.written, outcome.keys.rejected()), (3, 1, 1));
        assert_eq!((outcome.members.elements_removed, outcome.members.keys_emptied), (2, 1));
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
