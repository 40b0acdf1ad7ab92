//! The stage that leaves out parts of values.

use crate::error::{Error, Result};
use crate::pipe::{EntrySink, Stage};
use crate::rdb::{DataType, Entry, Event, EventKind, Held, Record, Retain, Str, StrBuf};
use crate::select::members::MemberOptions;
use crate::select::sieve::SUB_EXPIRY;

/// Keeps some fields, members, elements and stream entries of values and leaves out the others, as
/// a [`Stage`].
///
/// - A value of which nothing goes passes untouched, byte for byte. Any other is written anew in the
///   layout it had (only a hash by template becomes a plain one), so it loads where it did before.
/// - A key of which nothing is left is left out, with the facts that follow it; but a stream stays,
///   as it does in a server.
/// - A stream keeps its groups, and IDs pending in them, as after `XDEL`; its last ID and its number
///   of entries ever added stay, its first ID and highest deleted ID become what they are then.
/// - A value that comes in runs is held whole, up to [`Limits::held`](crate::Limits::held), if
///   something of its type can go: how many elements there are stands in front of them.
/// - Hints of sizes pass as they are, and may then count keys that are gone: servers only make room
///   by them.
///
/// What is decided by the key comes first: put a [`Sieve`](crate::select::Sieve) in front.
///
/// ```
/// use redkeep::pipe::{Staged, pump};
/// use redkeep::rdb::{SliceReader, Writer};
/// use redkeep::select::{KeyPattern, MemberCondition, MemberFilter, MemberOptions};
/// # let dump = b"REDIS0003\xfe\x00\x02\x01s\x02\x02a1\x02b1\x02\x01t\x01\x02b2\xff";
/// let kept = MemberCondition::members([KeyPattern::glob("a*")]);
/// let filter = MemberFilter::new(MemberOptions::default().include(kept));
/// let mut staged = Staged { stage: filter, to: Writer::new(Vec::new()) };
/// pump(&mut SliceReader::new(dump), &mut staged)?;
/// let counts = staged.stage.counts();
/// assert_eq!((counts.elements_removed, counts.keys_emptied), (2, 1));
/// assert_eq!(staged.to.finish()?, b"REDIS0003\xfe\x00\x02\x01s\x01\x02a1\xff");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct MemberFilter {
    options: MemberOptions,
    retain: Retain,
    held: Held,
    record: Record,
    buf: StrBuf,
    /// What became of the key seen last.
    fate: Fate,
    counts: MemberCounts,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// All of it was passed on.
    Same,
    /// Some of it: what is said of a member stays if the member does.
    Changed(DataType),
    /// Of the member named last, nothing is to be said.
    Silent(DataType),
    Emptied,
}

/// What a [`MemberFilter`] did.
///
/// ```
/// use redkeep::select::MemberCounts;
/// assert_eq!(MemberCounts::default().values_changed, 0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MemberCounts {
    /// Keys whose values have fewer elements than before, but for those left out.
    pub values_changed: u64,
    /// Fields, members, elements and entries left out, those of emptied keys among them.
    pub elements_removed: u64,
    /// Keys left out because nothing of their value was left.
    pub keys_emptied: u64,
}

impl MemberFilter {
    /// A filter that has seen nothing yet.
    #[must_use]
    pub fn new(options: MemberOptions) -> MemberFilter {
        let inflated = options.limits.inflated;
        MemberFilter {
            options,
            retain: Retain::new(inflated),
            held: Held::default(),
            record: Record::default(),
            buf: StrBuf::new().inflated_limit(inflated),
            fate: Fate::Same,
            counts: MemberCounts::default(),
        }
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> &MemberCounts {
        &self.counts
    }

    /// A whole value of a type of which something may go.
    fn value<S: EntrySink>(
        &mut self,
        event: &Event<'_>,
        entry: &Entry<'_>,
        to: &mut S,
    ) -> Result<()> {
        let in_key = |error: Error| error.in_key(entry.db(), &entry.key_for_message());
        let (value, data) = (entry.value(), entry.value_type().data_type());
        let retained = self.retain.count(value, &self.options).map_err(in_key)?;
        if retained.removed == 0 {
            self.fate = Fate::Same;
            return to.event(event);
        }
        self.counts.elements_removed += retained.removed;
        if retained.left == 0 && data != DataType::Stream {
            self.fate = Fate::Emptied;
            self.counts.keys_emptied += 1;
            return Ok(());
        }
        self.fate = Fate::Changed(data);
        self.counts.values_changed += 1;
        let kind = Retain::layout(entry.value_type());
        self.record.begin(entry.raw_attributes(), kind, entry.raw_key());
        let out = self.record.value();
        self.retain.write(value, &self.options, retained.left, out).map_err(in_key)?;
        to.event(&self.record.entry(kind, entry.db(), entry))
    }

    fn concern(&self, entry: &Entry<'_>) -> bool {
        self.options.concern(entry.value_type().data_type())
    }

    fn rare<S: EntrySink>(&mut self, event: Event<'_>, to: &mut S) -> Result<()> {
        let passes = match event.kind() {
            EventKind::Open(entry) if self.concern(&entry) => {
                self.held.begin(&event);
                return Ok(());
            }
            EventKind::Open(_) => {
                self.fate = Fate::Same;
                true
            }
            EventKind::Run(_) | EventKind::Piece(_) if self.held.is_open() => {
                return self.held.push(&event, self.options.limits.held);
            }
            EventKind::Close if self.held.is_open() => return self.release(to),
            EventKind::HashTemplate(template) => {
                self.retain.learn(&template)?;
                true
            }
            EventKind::Aux(aux) => match aux.name {
                Str::Plain(name) if name.starts_with(SUB_EXPIRY) => {
                    self.says(name.ends_with(b"key"), aux.value)?
                }
                _ => true,
            },
            _ => true,
        };
        if passes { to.event(&event) } else { Ok(()) }
    }

    /// A value that was held is there.
    fn release<S: EntrySink>(&mut self, to: &mut S) -> Result<()> {
        let mut held = std::mem::take(&mut self.held);
        if let Some(event) = held.event()
            && let Some(entry) = event.entry()
        {
            self.value(&event, &entry, to)?;
        }
        held.clear();
        self.held = held;
        Ok(())
    }

    /// Whether a fact about a member stays: in pairs, first the member's name, then its expiry.
    fn says(&mut self, is_name: bool, value: Str<'_>) -> Result<bool> {
        let (Fate::Changed(data) | Fate::Silent(data)) = self.fate else {
            return Ok(self.fate == Fate::Same);
        };
        if is_name {
            let stays = self.options.keeps_name(data, value.bytes(&mut self.buf)?);
            self.fate = if stays { Fate::Changed(data) } else { Fate::Silent(data) };
        }
        Ok(matches!(self.fate, Fate::Changed(_)))
    }
}

impl Stage for MemberFilter {
    #[inline]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        match event.entry() {
            Some(entry) if self.concern(&entry) => self.value(event, &entry, to),
            Some(_) => {
                self.fate = Fate::Same;
                to.event(event)
            }
            None => self.rare(*event, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::limits::Limits;
    use crate::pipe::{Staged, pump};
    use crate::rdb::{SliceReader, StreamReader, ValueType, Writer};
    use crate::select::{KeyPattern, MemberCondition};

    fn without(patterns: &[&str]) -> MemberOptions {
        let patterns = || patterns.iter().map(KeyPattern::glob);
        MemberOptions::default()
            .exclude(MemberCondition::members(patterns()))
            .exclude(MemberCondition::fields(patterns()))
    }

    fn filtered(dump: &[u8], options: MemberOptions) -> (MemberCounts, Vec<u8>) {
        let mut staged = Staged { stage: MemberFilter::new(options), to: Writer::new(Vec::new()) };
        pump(&mut SliceReader::new(dump), &mut staged).unwrap();
        (staged.stage.counts().clone(), staged.to.finish().unwrap())
    }

    #[test]
    fn facts_about_members_stay_with_their_members() {
        let fact = |name: &str, value: &str| {
            let text =
                |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            [vec![0xfa], text(name), text(value)].concat()
        };
        let expiry = |member| {
            [fact("keydb-subexpire-key", member), fact("keydb-subexpire-when", "77")].concat()
        };
        let set = |key: &str, members: &[&str]| {
            let count = u8::try_from(members.len()).unwrap();
            let members: Vec<u8> =
                members.iter().flat_map(|member| [b"\x01", member.as_bytes()].concat()).collect();
            [b"\x02\x01", key.as_bytes(), &[count], &members].concat()
        };
        let dump = |parts: &[Vec<u8>]| [b"REDIS0004", &parts.concat()[..], b"\xff"].concat();
        let whole = dump(&[
            set("s", &["a", "b"]),
            expiry("a"),
            expiry("b"),
            set("t", &["a"]),
            expiry("a"),
            set("u", &["b"]),
            expiry("b"),
        ]);
        let (counts, part) = filtered(&whole, without(&["a"]));
        let left = [set("s", &["b"]), expiry("b"), set("u", &["b"]), expiry("b")];
        assert_eq!(part, dump(&left));
        assert_eq!((counts.values_changed, counts.keys_emptied), (1, 1));
    }

    #[test]
    fn a_hash_by_template_becomes_a_plain_one() {
        // Template 7 of the fields f and g; a hash that refers to it.
        let dump = b"REDIS0004\xf2\x07\x02\x01f\x01g\x20\x01k\x07\x01v\xc0\x05\xff";
        let (counts, part) = filtered(dump, without(&["f"]));
        assert_eq!(part, b"REDIS0004\xf2\x07\x02\x01f\x01g\x04\x01k\x01\x01g\xc0\x05\xff");
        assert_eq!(counts.elements_removed, 1);
        assert_eq!(Retain::layout(ValueType::HashTmplArrayRef), ValueType::Hash);
    }

    #[test]
    fn a_value_too_big_to_be_held_is_a_limit_and_others_are_not_held() {
        let members = [b"\x40\xc8", &b"\x03abc".repeat(200)[..]].concat();
        let dump = [b"REDIS0004\x02\x03big", &members[..], b"\xff"].concat();
        let through = |options: MemberOptions, held| {
            let limits = Limits::default().window(64).held(held);
            let stage = MemberFilter::new(options.limits(limits));
            let mut staged = Staged { stage, to: Writer::new(Vec::new()) };
            pump(&mut StreamReader::with_limits(&dump[..], &limits), &mut staged)?;
            Ok::<_, Error>(staged.stage.counts().clone())
        };
        let error = through(without(&["abc"]), 500).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Limit, Some(9)));
        assert_eq!(error.key(), Some("big"));
        assert_eq!(through(without(&["abc"]), 1000).unwrap().keys_emptied, 1);
        let fields = MemberCondition::fields([KeyPattern::glob("*")]);
        assert!(through(MemberOptions::default().exclude(fields), 500).is_ok());
    }
}
