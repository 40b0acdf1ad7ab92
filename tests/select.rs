//! Parts of values left out and keys changed: whatever the layout, what comes out reads as what went
//! in, less what was to go.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]
#![allow(clippy::print_stdout)] // what is shown only where it fails

#[path = "common/dumps.rs"]
mod dumps;
#[path = "common/laws.rs"]
mod laws;

use proptest::prelude::*;
use redkeep::pipe::{Stage, Staged, pump};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::encoding::Scalar;
use redkeep::rdb::{
    DataType, Decoder, Element, EventKind, SliceReader, StrBuf, StreamId, StreamReader, Writer,
};
use redkeep::select::{
    ExpiryChange, KeyPattern, MemberCondition, MemberCounts, MemberFilter, MemberOptions, Rename,
    Transform, TransformOptions,
};
use redkeep::wire::number::Digits;
use redkeep::{Limits, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Sends a dump through a stage, whole values or in runs of at most `window` bytes.
fn through<T: Stage>(dump: &[u8], stage: T, window: Option<usize>) -> Result<(T, Vec<u8>)> {
    let mut staged = Staged { stage, to: Writer::new(Vec::new()) };
    match window {
        None => pump(&mut SliceReader::new(dump), &mut staged)?,
        Some(window) => {
            let limits = Limits::default().window(window);
            pump(&mut StreamReader::with_limits(dump, &limits), &mut staged)?;
        }
    }
    Ok((staged.stage, staged.to.finish()?))
}

fn filtered(
    dump: &[u8],
    options: &MemberOptions,
    window: Option<usize>,
) -> (MemberCounts, Vec<u8>) {
    let (stage, part) = through(dump, MemberFilter::new(options.clone()), window).unwrap();
    (stage.counts().clone(), part)
}

/// What can go, and what stays with its key.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// Of a sorted set's member the score, if that is a number.
    Element {
        name: Vec<u8>,
        score: Option<Option<f64>>,
        rest: String,
    },
    Entry {
        id: StreamId,
        fields: Vec<[Vec<u8>; 2]>,
    },
    /// Neither counts nor IDs of a stream, which change with its entries.
    Other(String),
}

#[derive(Debug, Clone, PartialEq)]
struct Key {
    db: u64,
    name: Vec<u8>,
    expires: Option<i64>,
    data: DataType,
    parts: Vec<Part>,
}

fn owned(scalar: Scalar<'_>) -> Vec<u8> {
    scalar.bytes(&mut Digits::new()).to_vec()
}

fn read(dump: &[u8]) -> Vec<Key> {
    let (mut decoder, mut buf, mut keys) = (Decoder::new(), StrBuf::new(), Vec::new());
    for event in SliceReader::new(dump) {
        let event = event.unwrap();
        if let EventKind::HashTemplate(template) = event.kind() {
            decoder.learn(&template).unwrap();
        }
        let Some(entry) = event.entry() else { continue };
        let mut parts = Vec::new();
        for item in entry.value().items().unwrap() {
            for element in decoder.elements(item.unwrap()).unwrap() {
                add(element.unwrap(), &mut parts);
            }
        }
        keys.push(Key {
            db: entry.db(),
            name: entry.key().bytes(&mut buf).unwrap().to_vec(),
            expires: entry.expires().map(|at| at.get()),
            data: entry.value_type().data_type(),
            parts,
        });
    }
    keys
}

fn add(element: Element<'_>, parts: &mut Vec<Part>) {
    let element = match element {
        Element::Member(member) => {
            Part::Element { name: owned(member), score: None, rest: String::new() }
        }
        Element::Scored(member, score) => {
            let score = score.value().filter(|score| !score.is_nan());
            Part::Element { name: owned(member), score: Some(score), rest: String::new() }
        }
        Element::Field { field, value, expires } => Part::Element {
            name: owned(field),
            score: None,
            rest: format!("{} {expires:?}", owned(value).escape_ascii()),
        },
        Element::StreamEntry { deleted: true, .. } | Element::StreamNode { .. } => return,
        Element::StreamEntry { id, .. } => Part::Entry { id, fields: Vec::new() },
        Element::StreamField(field, value) => {
            let Some(Part::Entry { fields, .. }) = parts.last_mut() else { panic!("no entry") };
            return fields.push([owned(field), owned(value)]);
        }
        Element::StreamInfo(info) => {
            let counters = info.counters.map(|counters| counters.entries_added);
            Part::Other(format!("{} {counters:?} {}", info.last_id, info.groups))
        }
        Element::Group { name, last_delivered, entries_read, pending } => Part::Other(format!(
            "{} {last_delivered} {entries_read:?} {pending}",
            owned(name).escape_ascii()
        )),
        other => Part::Other(format!("{other:?}")),
    };
    parts.push(element);
}

/// A choice by chance: names by their last byte, scores and IDs by ranges.
#[derive(Debug, Clone)]
struct Choice {
    last: [bool; 256],
    scores: (f64, f64),
    ids: (StreamId, StreamId),
    exclude: bool,
}

impl Choice {
    fn half(exclude: bool) -> Choice {
        let mut last = [false; 256];
        (0..256).step_by(2).for_each(|byte| last[byte] = true);
        let ids = (StreamId::new(0, 0), StreamId::new(1_000_500, 0));
        Choice { last, scores: (f64::NEG_INFINITY, 50.0), ids, exclude }
    }

    fn options(&self) -> MemberOptions {
        let set = (0..=255u8).filter(|byte| self.last[usize::from(*byte)]);
        let set: Vec<u8> = set.flat_map(|byte| [b'\\', byte]).collect();
        let names = || {
            let pattern = [b"*[", &set[..], b"]"].concat();
            (!set.is_empty()).then(|| KeyPattern::glob(pattern))
        };
        let conditions = [
            MemberCondition::fields(names()),
            MemberCondition::members(names()),
            MemberCondition::elements(names()),
            MemberCondition::scores([self.scores.0..=self.scores.1]),
            MemberCondition::ids([self.ids.0..=self.ids.1]),
        ];
        conditions.into_iter().fold(MemberOptions::default(), |options, condition| {
            match self.exclude {
                true => options.exclude(condition),
                false => options.include(condition),
            }
        })
    }

    /// The same, said of what was read.
    fn keeps(&self, part: &Part) -> bool {
        let named = |name: &[u8]| name.last().is_some_and(|byte| self.last[usize::from(*byte)]);
        let in_range = |score: &Option<f64>| {
            score.is_some_and(|score| self.scores.0 <= score && score <= self.scores.1)
        };
        let holds = match part {
            Part::Element { name, score, .. } => {
                let conditions = [Some(named(name)), score.as_ref().map(in_range)];
                let mut conditions = conditions.into_iter().flatten();
                if self.exclude { conditions.any(|c| c) } else { conditions.all(|c| c) }
            }
            Part::Entry { id, .. } => self.ids.0 <= *id && *id <= self.ids.1,
            Part::Other(_) => return true,
        };
        holds != self.exclude
    }

    /// What reading the filtered dump has to come to.
    fn applied(&self, keys: Vec<Key>) -> Vec<Key> {
        let concerned = |data| !matches!(data, DataType::Array | DataType::Module | DataType::Cron);
        let mut kept = Vec::new();
        for mut key in keys {
            let before = key.parts.len();
            if concerned(key.data) {
                key.parts.retain(|part| self.keeps(part));
            }
            let emptied = key.parts.is_empty() && before > 0;
            if !emptied {
                kept.push(key);
            }
        }
        kept
    }
}

/// Filtering and then reading is reading and then filtering, and what comes out is sound if what
/// went in was.
fn obeys(dump: &[u8], choice: &Choice) {
    let options = choice.options();
    let (counts, part) = filtered(dump, &options, None);
    let before = read(dump);
    let (keys, after) = (before.len() as u64, read(&part));
    let want = choice.applied(before.clone());
    for (ours, theirs) in after.iter().zip(&want) {
        assert_eq!(ours, theirs);
    }
    assert_eq!((after.len(), keys), (want.len(), after.len() as u64 + counts.keys_emptied));
    let count = |keys: &[Key]| -> usize {
        let parts = keys.iter().flat_map(|key| &key.parts);
        parts.filter(|part| !matches!(part, Part::Other(_))).count()
    };
    assert_eq!((count(&before) - count(&after)) as u64, counts.elements_removed);
    if counts.elements_removed == 0 {
        assert!(part == dump, "nothing went, so it is the same file");
    }
    for window in [64, 4096] {
        assert!(filtered(dump, &options, Some(window)) == (counts.clone(), part.clone()));
    }
    // What is left has nothing more to give.
    let (counts, again) = filtered(&part, &options, None);
    assert!(again == part && counts == MemberCounts::default());
    if check_slice(dump, &CheckOptions::default()).verdict == Verdict::Sound {
        let report = check_slice(&part, &CheckOptions::default());
        assert_eq!(report.verdict, Verdict::Sound, "{:?}", report.findings);
    }
}

fn rdb_files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rdb") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Keeps everything that has a name or an ID.
fn everything() -> MemberOptions {
    let all = || [KeyPattern::glob("*")];
    MemberOptions::default()
        .include(MemberCondition::fields(all()))
        .include(MemberCondition::members(all()))
        .include(MemberCondition::elements(all()))
        .include(MemberCondition::ids([StreamId::default()..]))
}

/// All readable files of a folder, through filters that keep all and some.
fn whole_folder(folder: &Path) -> (usize, u64) {
    let (mut files, mut removed) = (0, 0);
    for path in rdb_files(folder) {
        println!("{}", path.display()); // shown only where it fails
        let dump = fs::read(&path).unwrap();
        let report = check_slice(&dump, &CheckOptions::default());
        if !matches!(report.verdict, Verdict::Sound | Verdict::Findings) {
            continue;
        }
        // Bytes behind the end are no part of the dump.
        let dump = &dump[..usize::try_from(report.bytes).unwrap()];
        files += 1;
        let (counts, same) = filtered(dump, &everything(), Some(4096));
        assert!(same == dump && counts == MemberCounts::default());
        for exclude in [false, true] {
            let choice = Choice::half(exclude);
            removed += filtered(dump, &choice.options(), None).0.elements_removed;
            obeys(dump, &choice);
        }
    }
    (files, removed)
}

#[test]
fn files_of_real_servers_lose_what_is_to_go_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (files, removed) = whole_folder(&folder);
    assert!(files >= 30 && removed > 10_000, "{files} files, {removed} removed");
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn every_file_of_the_wide_corpus_loses_what_is_to_go_and_nothing_else() {
    let Some(folder) = std::env::var_os("REDKEEP_CORPUS") else {
        println!("nothing filtered: REDKEEP_CORPUS does not name the folder of the wide corpus");
        return;
    };
    println!("{:?}", whole_folder(Path::new(&folder)));
}

#[test]
fn every_layout_loses_each_element_by_its_name() {
    for (name, dump) in dumps::each() {
        println!("{name}"); // shown only where it fails
        let (counts, same) = filtered(&dump, &everything(), None);
        assert!(same == dump && counts == MemberCounts::default());
        for key in read(&dump) {
            for part in &key.parts {
                let Part::Element { name, .. } = part else { continue };
                let mut last = [true; 256];
                last[usize::from(*name.last().unwrap())] = false;
                let all = (f64::NEG_INFINITY, f64::INFINITY);
                let ids = (StreamId::default(), StreamId::new(u64::MAX, u64::MAX));
                obeys(&dump, &Choice { last, scores: all, ids, exclude: false });
            }
        }
    }
}

#[test]
fn a_stream_ends_up_as_after_xdel() {
    use redkeep::rdb::Element;
    for layout in 1..=5u8 {
        let kind = [15, 19, 21, 26, 27][usize::from(layout - 1)];
        let dump = dumps::dump("REDIS0014", &[dumps::key(kind, "s", &dumps::stream(layout))]);
        // Live are 5-1 and 7-6; 6-1 is deleted.
        for (gone, first, highest) in [("5-1", (7, 6), (6, 1)), ("7-6", (5, 1), (7, 6))] {
            let id = if gone == "5-1" { StreamId::new(5, 1) } else { StreamId::new(7, 6) };
            let options = MemberOptions::default().exclude(MemberCondition::ids([id..=id]));
            let (_, part) = filtered(&dump, &options, None);
            let mut decoder = Decoder::new();
            let entry = SliceReader::new(&part).find_map(|event| event.unwrap().entry()).unwrap();
            let mut seen = false;
            for item in entry.value().items().unwrap() {
                for element in decoder.elements(item.unwrap()).unwrap() {
                    if let Element::StreamInfo(info) = element.unwrap() {
                        seen = true;
                        assert_eq!((info.length, info.last_id), (1, StreamId::new(7, 6)));
                        if let Some(counters) = info.counters {
                            assert_eq!(counters.first_id, StreamId::new(first.0, first.1));
                            assert_eq!(
                                counters.max_deleted_id,
                                StreamId::new(highest.0, highest.1)
                            );
                            assert_eq!(counters.entries_added, 3);
                        }
                    }
                }
            }
            assert!(seen);
        }
        let none = MemberOptions::default().exclude(MemberCondition::ids([StreamId::default()..]));
        let (counts, part) = filtered(&dump, &none, None);
        assert_eq!((counts.values_changed, counts.keys_emptied), (1, 0), "it stays, empty");
        let report = check_slice(&part, &CheckOptions::default());
        assert_eq!(report.verdict, Verdict::Sound, "{:?}", report.findings);
        assert!(!part.windows(4).any(|bytes| bytes == b"gone"), "of deleted entries too");
    }
}

fn choices() -> impl Strategy<Value = Choice> {
    let id = (0u64..10, 0u64..8).prop_map(|(ms, seq)| StreamId::new(ms, seq));
    let score = prop_oneof![Just(f64::NEG_INFINITY), Just(f64::INFINITY), -3.0..3.0f64];
    (any::<[[bool; 16]; 16]>(), (score.clone(), score), (id.clone(), id), any::<bool>()).prop_map(
        |(bits, scores, ids, exclude)| {
            let mut last = [false; 256];
            bits.as_flattened().iter().zip(&mut last).for_each(|(bit, place)| *place = *bit);
            Choice { last, scores, ids, exclude }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn filtering_then_reading_is_reading_then_filtering(choice in choices()) {
        for (_, dump) in dumps::each() {
            obeys(&dump, &choice);
        }
    }

    #[test]
    fn a_change_and_its_opposite_come_to_nothing(
        prefix in "[a-z:]{1,30}",
        shift in -1_000_000i64..1_000_000,
        window in prop_oneof![Just(None), Just(Some(64)), Just(Some(4096))],
    ) {
        let there = TransformOptions::default()
            .rename(Rename::prefix("", &prefix))
            .move_db(0, 5)
            .move_db(5, 0)
            .expiry(ExpiryChange::Shift(shift));
        let back = TransformOptions::default()
            .rename(Rename::prefix(&prefix, ""))
            .move_db(0, 5)
            .move_db(5, 0)
            .expiry(ExpiryChange::Shift(-shift));
        for (name, dump) in dumps::each() {
            let (stage, changed) = through(&dump, Transform::new(there.clone()), window).unwrap();
            let counts = stage.counts();
            prop_assert_eq!(counts.renamed, counts.keys);
            let (_, again) = through(&changed, Transform::new(back.clone()), window).unwrap();
            prop_assert_eq!(read(&again), read(&dump), "{}", name);
        }
    }

    #[test]
    fn damaged_dumps_give_what_can_be_read_or_an_error(
        pattern in "[a-g*?\\\\\\[\\]^-]{0,12}",
        text in prop::collection::vec(any::<u8>(), 0..6),
        switches: u8,
        dump in prop::sample::select(dumps::each()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut dump = dump.1;
        for (at, byte) in flips {
            let at = at.index(dump.len());
            dump[at] = byte;
        }
        let counted = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let front = [counted(pattern.as_bytes()), counted(&text), vec![switches]].concat();
        laws::select(&[front, dump].concat());
    }
}
