//! The stage that changes keys on their way.

use crate::error::{Error, Result, printable};
use crate::pipe::{EntrySink, Stage};
use crate::rdb::{Entry, Event, EventKind, Record, Str, StrBuf, StrWriter};
use crate::select::sieve::SUB_EXPIRY;
use crate::select::slot::slot;
use crate::select::transform::expiry::later;
use crate::select::transform::names::{Names, Origin};
use crate::select::transform::{ExpiryChange, TransformOptions};
use crate::time::UnixMillis;

/// Renames and moves keys and changes their expiries, as a [`Stage`]. Values pass as they are.
///
/// A key to which nothing applies passes untouched. Of a key that is dropped, what follows it (runs
/// of its value, KeyDB's expiries of members) is dropped too. Records that would not be true any
/// more are left out and counted: database selections where keys move, hints of sizes where keys
/// may be dropped or moved or change whether they expire, hints of slots where any of these or a
/// name changes. A [`Writer`](crate::rdb::Writer) selects databases by itself.
///
/// ```
/// use redkeep::pipe::{Staged, pump};
/// use redkeep::rdb::{SliceReader, Writer};
/// use redkeep::select::{Rename, Transform, TransformOptions};
/// # let dump = b"REDIS0003\xfe\x00\x00\x03a:1\x01x\x00\x03b:1\x01y\xff";
/// let options = TransformOptions::default().rename(Rename::prefix("a:", "c:"));
/// let mut staged = Staged { stage: Transform::new(options), to: Writer::new(Vec::new()) };
/// pump(&mut SliceReader::new(dump), &mut staged)?;
/// assert_eq!(staged.stage.counts().renamed, 1);
/// assert_eq!(staged.to.finish()?, b"REDIS0003\xfe\x00\x00\x03c:1\x01x\x00\x03b:1\x01y\xff");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct Transform {
    options: TransformOptions,
    /// What is taken to be the time of the dump.
    taken: Option<UnixMillis>,
    names: Option<Names>,
    buf: StrBuf,
    attributes: Vec<u8>,
    raw_key: Vec<u8>,
    plain: StrWriter,
    packed: StrWriter,
    record: Record,
    /// Whether the key seen last was passed on.
    passes: bool,
    counts: TransformCounts,
}

/// What a [`Transform`] did.
///
/// With feature `json` it is `{"keys":3,"renamed":1,"moved":0,...}`.
///
/// ```
/// use redkeep::select::TransformCounts;
/// assert_eq!(TransformCounts::default().renamed, 0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TransformCounts {
    /// Keys that came.
    pub keys: u64,
    /// Keys that got another name.
    pub renamed: u64,
    /// Keys that got into another database.
    pub moved: u64,
    /// Keys that expire at another time than before, or do and did not, or the other way round.
    pub expiries_changed: u64,
    /// Keys left out because they had expired.
    pub expired: u64,
    /// Records left out that would not be true any more.
    pub records_dropped: u64,
}

/// What becomes of a key.
struct Fate {
    db: u64,
    name: Option<Vec<u8>>,
    expires: Option<UnixMillis>,
}

impl Transform {
    /// A transform that has seen nothing yet.
    #[must_use]
    pub fn new(options: TransformOptions) -> Transform {
        let taken = match options.expiry {
            ExpiryChange::AsOf { taken, .. } => taken,
            _ => None,
        };
        Transform {
            taken,
            names: options.can_collide().then(|| Names::new(options.names_budget)),
            buf: StrBuf::new().inflated_limit(options.inflated),
            options,
            attributes: Vec::new(),
            raw_key: Vec::new(),
            plain: StrWriter::new(false),
            packed: StrWriter::new(true),
            record: Record::default(),
            passes: true,
            counts: TransformCounts::default(),
        }
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> &TransformCounts {
        &self.counts
    }

    fn key<S: EntrySink>(
        &mut self,
        event: &Event<'_>,
        entry: &Entry<'_>,
        to: &mut S,
    ) -> Result<()> {
        self.counts.keys += 1;
        let fate = self.fate(entry).map_err(|error| {
            error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message())
        })?;
        self.passes = fate.is_some();
        let Some(Fate { db, name, expires }) = fate else {
            self.counts.expired += 1;
            return Ok(());
        };
        let timed = expires != entry.expires();
        if name.is_none() && db == entry.db() && !timed {
            return to.event(event);
        }
        self.counts.renamed += u64::from(name.is_some());
        self.counts.moved += u64::from(db != entry.db());
        self.counts.expiries_changed += u64::from(timed);
        self.attributes.clear();
        if timed || entry.selects_db() {
            let mut attributes = entry.attributes();
            attributes.expires = expires;
            attributes.write(&mut self.attributes);
        } else {
            self.attributes.extend_from_slice(entry.raw_attributes());
        }
        self.raw_key.clear();
        match &name {
            None => self.raw_key.extend_from_slice(entry.raw_key()),
            // Packed where it was packed before.
            Some(name) if entry.key().is_compressed() => {
                self.packed.write_bytes(name, &mut self.raw_key);
            }
            Some(name) => self.plain.write_bytes(name, &mut self.raw_key),
        }
        let kind = entry.value_type();
        self.record.begin(&self.attributes, kind, &self.raw_key);
        self.record.value().extend_from_slice(entry.value().bytes());
        let mut made = match event.entry() {
            Some(_) => self.record.entry(kind, db, entry),
            None => self.record.open(kind, db, entry),
        };
        if let Some(name) = &name {
            made.place.slot = entry.slot().map(|_| slot(name));
        }
        to.event(&made)
    }

    /// What becomes of a key; `None` where it has expired.
    fn fate(&mut self, entry: &Entry<'_>) -> Result<Option<Fate>> {
        let shift = match (self.options.expiry, self.taken) {
            (ExpiryChange::Shift(by), _) => by,
            (ExpiryChange::AsOf { now, .. }, Some(taken)) => now.get().saturating_sub(taken.get()),
            (ExpiryChange::AsOf { .. }, None) if entry.expires().is_some() => {
                return Err(Error::usage(
                    "the dump does not say when it was taken (ctime): the time has to be given",
                ));
            }
            _ => 0,
        };
        let expires = match entry.expires() {
            Some(at) if shift != 0 => Some(later(at, shift)),
            expires => expires,
        };
        if let (Some(at), Some(now)) = (expires, self.options.drop_expired)
            && at < now
        {
            return Ok(None);
        }
        let expires = match self.options.expiry {
            ExpiryChange::Drop => None,
            ExpiryChange::Set(at) => Some(at),
            _ => expires,
        };
        let db = self.options.db(entry.db());
        if self.options.renames.is_empty() && self.names.is_none() {
            return Ok(Some(Fate { db, name: None, expires }));
        }
        let key = entry.key().bytes(&mut self.buf)?;
        let name = self.options.renames.iter().find_map(|rule| rule.apply(key));
        let name = name.filter(|name| name != key);
        if let Some(names) = &mut self.names {
            let given = name.as_deref().unwrap_or(key);
            let same = name.is_none() && db == entry.db();
            let taken = names.take(db, given, Origin::new(entry.offset(), same));
            if let Some(before) = taken.map_err(Error::from_fault)? {
                return Err(collision(db, given, before));
            }
        }
        Ok(Some(Fate { db, name, expires }))
    }

    fn rare<S: EntrySink>(&mut self, event: Event<'_>, to: &mut S) -> Result<()> {
        let passes = match event.kind() {
            EventKind::Open(entry) => return self.key(&event, &entry, to),
            EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => self.passes,
            EventKind::Aux(aux) => match aux.name {
                Str::Plain(name) if name.starts_with(SUB_EXPIRY) => self.passes,
                Str::Plain(b"slot-info") => self.tells(self.slots_stay()),
                Str::Plain(b"ctime") => {
                    self.note_time(aux.value);
                    true
                }
                _ => true,
            },
            EventKind::SelectDb(_) => self.tells(!self.options.moves()),
            EventKind::ResizeDb { .. } => self.tells(self.sizes_stay()),
            EventKind::SlotInfo { .. } => self.tells(self.slots_stay()),
            // Module data in runs: what follows is its own, up to its end.
            EventKind::ModuleAux(aux) => {
                self.passes |= !aux.whole;
                true
            }
            _ => true,
        };
        if passes { to.event(&event) } else { Ok(()) }
    }

    /// Counts a record that is not true any more.
    fn tells(&mut self, stays_true: bool) -> bool {
        self.counts.records_dropped += u64::from(!stays_true);
        stays_true
    }

    fn sizes_stay(&self) -> bool {
        let options = &self.options;
        !options.moves() && options.drop_expired.is_none() && options.expiry.keeps_their_number()
    }

    fn slots_stay(&self) -> bool {
        self.sizes_stay() && self.options.renames.is_empty()
    }

    /// Takes the dump's own time, where none was given.
    fn note_time(&mut self, ctime: Str<'_>) {
        if let ExpiryChange::AsOf { taken: None, .. } = self.options.expiry {
            let text = ctime.bytes(&mut self.buf).unwrap_or_default();
            let seconds = crate::wire::number::parse_integer(text);
            self.taken = seconds.map(UnixMillis::from_seconds).or(self.taken);
        }
    }
}

/// The key at hand is named further up.
#[cold]
fn collision(db: u64, name: &[u8], before: Origin) -> Error {
    let other = if before.is_same() { "the key of that name" } else { "the one" };
    Error::usage(format!(
        "two keys would become \"{}\" in db {db}, and no server loads that: this one, and {other} at \
         byte {}",
        printable(name),
        before.offset()
    ))
}

impl Stage for Transform {
    #[inline]
    fn event<S: EntrySink>(&mut self, event: &Event<'_>, to: &mut S) -> Result<()> {
        match event.entry() {
            Some(entry) => self.key(event, &entry, to),
            None => self.rare(*event, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::pipe::{Staged, pump};
    use crate::rdb::{SliceReader, StreamReader, Writer};
    use crate::select::Rename;

    /// Facts and hints; `a:1` that expires at 1000; `a:{t}2` of a slot; in db 3 a compressed key of
    /// 30 times `e`, a list of 200 members, and KeyDB's expiry of a member of it.
    fn dump() -> Vec<u8> {
        [
            &b"REDIS0004\xfa\x05ctime\x03100\xfe\x00\xfb\x02\x01\xfc\xe8\x03\0\0\0\0\0\0\xf9\x05"
                [..],
            b"\x00\x03a:1\x01x\xf4\x07\x01\x00\x00\x06a:{t}2\x01y\xfe\x03",
            b"\x00\xc3\x09\x1e\x01ee\xe0\x11\x00\x01ee\x01v",
            b"\xfc\xd0\x07\0\0\0\0\0\0\x01\x03big\x40\xc8",
            &b"\x03abc".repeat(200),
            b"\xfa\x13keydb-subexpire-key\x03abc\xff",
        ]
        .concat()
    }

    fn changed(options: &TransformOptions, window: usize) -> Result<(TransformCounts, Vec<u8>)> {
        let mut staged =
            Staged { stage: Transform::new(options.clone()), to: Writer::new(Vec::new()) };
        let dump = dump();
        let limits = Limits::default().window(window);
        pump(&mut StreamReader::with_limits(&dump[..], &limits), &mut staged)?;
        Ok((staged.stage.counts().clone(), staged.to.finish()?))
    }

    type Key = (u64, String, Option<i64>, Option<u16>);

    /// What comes out, which has to be the same whatever the window.
    fn keys(options: &TransformOptions) -> (TransformCounts, Vec<Key>) {
        let (counts, part) = changed(options, 1 << 20).unwrap();
        assert_eq!(changed(options, 64).unwrap(), (counts.clone(), part.clone()));
        let mut buf = StrBuf::new();
        let keys = SliceReader::new(&part).filter_map(|event| event.unwrap().entry());
        let seen = keys.map(|entry| {
            let name = String::from_utf8(entry.key().bytes(&mut buf).unwrap().to_vec()).unwrap();
            (entry.db(), name, entry.expires().map(UnixMillis::get), entry.slot())
        });
        (counts, seen.collect())
    }

    fn key(db: u64, name: &str, expires: Option<i64>, slot: Option<u16>) -> Key {
        (db, name.to_owned(), expires, slot)
    }

    fn options() -> TransformOptions {
        TransformOptions::default()
    }

    #[test]
    fn a_transform_of_nothing_changes_nothing() {
        for window in [64, 1 << 20] {
            let (counts, part) = changed(&options(), window).unwrap();
            assert_eq!(part, dump());
            assert_eq!(counts, TransformCounts { keys: 4, ..TransformCounts::default() });
        }
    }

    #[test]
    fn a_renamed_key_keeps_its_attributes_and_tells_its_new_slot() {
        let e30 = "e".repeat(30);
        let (counts, seen) = keys(&options().rename(Rename::prefix("a:", "b:{x}")));
        // Hints of slots are gone from the file, so no key has one when it is read again.
        assert_eq!(seen[0], key(0, "b:{x}1", Some(1000), None));
        assert_eq!(seen[2], key(3, &e30, None, None));
        assert_eq!((counts.renamed, counts.records_dropped), (2, 1));
        let (_, part) = changed(&options().rename(Rename::prefix("e", "f")), 64).unwrap();
        let entry = SliceReader::new(&part).filter_map(|event| event.unwrap().entry()).nth(2);
        assert!(entry.unwrap().key().is_compressed(), "packed as it was packed before");
    }

    #[test]
    fn the_slot_of_an_event_is_that_of_its_new_name() {
        struct Slots(Vec<Option<u16>>);
        impl EntrySink for Slots {
            fn event(&mut self, event: &Event<'_>) -> Result<()> {
                self.0.extend(event.entry().map(|entry| entry.slot()));
                Ok(())
            }
        }
        let stage = Transform::new(options().rename(Rename::prefix("a:", "b:")));
        let mut same = Staged { stage, to: Slots(Vec::new()) };
        pump(&mut SliceReader::new(&dump()), &mut same).unwrap();
        assert_eq!(same.to.0, [None, Some(slot(b"{t}")), None, None]);
    }

    #[test]
    fn moved_keys_are_in_their_new_database_and_no_other() {
        let e30 = "e".repeat(30);
        let (counts, seen) = keys(&options().move_db(3, 9));
        let dbs: Vec<_> = seen.iter().map(|key| key.0).collect();
        assert_eq!((dbs, counts.moved), (vec![0, 0, 9, 9], 2));
        let (counts, seen) = keys(&options().move_all(1).move_db(0, 0));
        assert_eq!(seen[2], key(1, &e30, None, None));
        // Two selections, one hint of sizes and one of a slot.
        assert_eq!((counts.moved, counts.records_dropped), (2, 4));
    }

    #[test]
    fn expiries_are_dropped_set_and_shifted() {
        let at = UnixMillis::new;
        let [a, b] = [100_000, 500_000].map(at);
        for (change, expected, counted) in [
            (ExpiryChange::Keep, [Some(1000), None, None, Some(2000)], 0),
            (ExpiryChange::Drop, [None; 4], 2),
            (ExpiryChange::Set(at(7)), [Some(7); 4], 4),
            (ExpiryChange::Set(at(2000)), [Some(2000); 4], 3),
            (ExpiryChange::remaining(at(7), 3), [Some(10); 4], 4),
            (ExpiryChange::Shift(-1500), [Some(-500), None, None, Some(500)], 2),
            (ExpiryChange::Shift(-1001), [Some(-2), None, None, Some(999)], 2),
            (
                ExpiryChange::AsOf { taken: Some(at(500)), now: b },
                [Some(500_500), None, None, Some(501_500)],
                2,
            ),
            // As its field `ctime` says: 100 s.
            (ExpiryChange::AsOf { taken: None, now: a }, [Some(1000), None, None, Some(2000)], 0),
            (
                ExpiryChange::AsOf { taken: None, now: b },
                [Some(401_000), None, None, Some(402_000)],
                2,
            ),
        ] {
            let (counts, seen) = keys(&options().expiry(change));
            let expires: Vec<_> = seen.iter().map(|key| key.2).collect();
            assert_eq!(expires, expected, "{change:?}");
            assert_eq!(counts.expiries_changed, counted, "{change:?}");
        }
    }

    #[test]
    fn what_has_expired_is_dropped_with_all_that_follows_it() {
        let late = UnixMillis::new(2001);
        let (counts, seen) = keys(&options().drop_expired(late));
        assert_eq!((counts.expired, seen.len(), counts.records_dropped), (2, 2, 2));
        let (_, part) = changed(&options().drop_expired(late), 64).unwrap();
        assert!(!part.windows(5).any(|window| window == b"keydb"));
        // Dropped and set expiries are compared before, shifted ones afterwards.
        for change in [ExpiryChange::Drop, ExpiryChange::Set(UnixMillis::new(9000))] {
            assert_eq!(keys(&options().expiry(change).drop_expired(late)).0.expired, 2);
        }
        let as_of = ExpiryChange::AsOf { taken: Some(UnixMillis::new(1500)), now: late };
        assert_eq!(keys(&options().expiry(as_of).drop_expired(late)).0.expired, 1);
    }

    #[test]
    fn two_keys_of_one_name_are_an_error_that_names_both() {
        let error = changed(&options().rename(Rename::prefix("a:{t}2", "a:1")), 64).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"a:1\" in db 0") && text.contains("of that name at byte 25"));
        assert_eq!((error.key(), error.db()), (Some("a:{t}2"), Some(0)));
        let both = options().rename(Rename::glob("a:*", "b").unwrap());
        assert!(changed(&both, 64).unwrap_err().to_string().contains("the one at byte 25"));
        let merged = options().rename(Rename::glob("big", "a:1").unwrap());
        assert!(changed(&merged, 64).is_ok(), "in another database");
        assert_eq!(changed(&merged.move_all(0), 64).unwrap_err().key(), Some("big"));
    }

    #[test]
    fn without_a_time_of_its_own_a_dump_cannot_be_taken_as_of_it() {
        let change = ExpiryChange::AsOf { taken: None, now: UnixMillis::new(1) };
        let stage = Transform::new(options().expiry(change));
        let dump = b"REDIS0003\xfc\xe8\x03\0\0\0\0\0\0\x00\x01a\x01x\xff";
        let mut staged = Staged { stage, to: Writer::new(Vec::new()) };
        let error = pump(&mut SliceReader::new(dump), &mut staged).unwrap_err();
        assert!(error.to_string().contains("ctime"), "{error}");
    }
}
