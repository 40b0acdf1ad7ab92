//! The laws, tried on dumps of every layout after chance or a cut went over them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // that is how a test fails

#[path = "common/dumps.rs"]
mod dumps;
#[path = "common/laws.rs"]
mod laws;
#[path = "common/writing_laws.rs"]
mod writing_laws;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use std::path::Path;

/// The laws that a property test can afford for every input.
fn obeys(dump: &[u8], window: usize, step: usize) {
    laws::slice_reader(dump);
    laws::chunked_as(dump, window, step);
    laws::window_is_no_matter(dump, window);
    laws::check_as(dump, window, step);
    let target = TARGETS[step % TARGETS.len()].parse().unwrap();
    writing_laws::convert_as(dump, target, window);
}

const TARGETS: [&str; 5] = ["redis-2.4", "redis-6.2", "redis-7.0", "redis-8.0", "valkey-9.1"];

/// Files of real servers that lie beside the tests, the small ones.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rdb") {
                let bytes = std::fs::read(&path).unwrap();
                if bytes.len() <= 2000 {
                    found.push((path.display().to_string(), bytes));
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn dumps_of_every_layout_are_sound_and_obey() {
    for (name, dump) in dumps::each() {
        println!("{name}"); // shown only where it fails
        let report = check_slice(&dump, &CheckOptions::default());
        assert_eq!(report.verdict, Verdict::Sound, "{:?}", report.findings);
        assert_eq!(report.bytes, dump.len() as u64);
        for (window, step) in [(64, 1), (64, 7), (4096, 1), (1 << 20, 1 << 20)] {
            obeys(&dump, window, step);
        }
    }
}

#[test]
fn what_is_cut_off_anywhere_is_missed() {
    let cuts = |name: &str, dump: &[u8], stride: usize| {
        println!("{name}"); // shown only where it fails
        let whole = check_slice(dump, &CheckOptions::default());
        for cut in (0..dump.len()).step_by(stride) {
            obeys(&dump[..cut], 64, 1 + cut % 5);
            let report = check_slice(&dump[..cut], &CheckOptions::default());
            assert_eq!(report.verdict, Verdict::Damaged, "cut to {cut}");
            assert!(report.keys <= whole.keys && report.bytes <= cut as u64);
        }
    };
    for (name, dump) in dumps::each() {
        cuts(name, &dump, 1);
    }
    for (name, dump) in fixtures() {
        // Damaged ones among them may end long before their last byte.
        if check_slice(&dump, &CheckOptions::default()).verdict == Verdict::Sound {
            cuts(&name, &dump, 1 + dump.len() / 40);
        }
    }
}

#[test]
fn big_values_obey_at_every_window() {
    let texts: Vec<_> = (0..200).map(|n| dumps::text(format!("{n:020}"))).collect();
    let giant = dumps::text("x".repeat(10_000));
    let members = [&texts[..50], std::slice::from_ref(&giant), &texts[50..]].concat();
    let pairs: Vec<_> = members.iter().map(|text| [text.clone(), giant.clone()].concat()).collect();
    let records = [
        dumps::key(0, "string", &giant),
        dumps::key(1, "list", &dumps::counted(&members)),
        dumps::key(4, "hash", &dumps::counted(&pairs)),
        dumps::key(2, "set", &dumps::counted(&texts)),
    ];
    let dump = dumps::dump("REDIS0011", &records);
    for (window, step) in [(64, 1), (64, 1000), (1000, 7), (4096, 4096), (16 << 10, 1 << 20)] {
        laws::chunked_as(&dump, window, step);
        laws::window_is_no_matter(&dump, window);
    }
}

/// One accident to a file.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

impl Change {
    fn apply(&self, dump: &mut Vec<u8>) {
        if dump.is_empty() {
            return;
        }
        let (Change::Flip(at, _)
        | Change::Set(at, _)
        | Change::Insert(at, _)
        | Change::Delete(at, _)
        | Change::Repeat(at, _)
        | Change::Cut(at)) = self;
        let at = at.index(dump.len());
        let until = |n: usize| at..dump.len().min(at + n);
        match self {
            Change::Flip(_, bit) => dump[at] ^= 1 << bit,
            Change::Set(_, byte) => dump[at] = *byte,
            Change::Insert(_, bytes) => _ = dump.splice(at..at, bytes.clone()),
            Change::Delete(_, n) => _ = dump.drain(until(*n)),
            Change::Repeat(_, n) => {
                let range = dump[until(*n)].to_vec();
                dump.splice(at..at, range);
            }
            Change::Cut(_) => dump.truncate(at),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        // Lengths, opcodes and limits of forms do more harm than chance.
        3 => (any::<Index>(), select(vec![0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xfe, 0xff]))
            .prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (any::<Index>(), vec(any::<u8>(), 1..12)).prop_map(|(at, b)| Change::Insert(at, b)),
        1 => (any::<Index>(), 1usize..20).prop_map(|(at, n)| Change::Delete(at, n)),
        1 => (any::<Index>(), 1usize..60).prop_map(|(at, n)| Change::Repeat(at, n)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn mutated_dumps_obey(
        (_name, mut dump) in select(dumps::each()),
        changes in vec(change(), 1..5),
        window in select(vec![64usize, 100, 4096]),
        step in 1usize..200,
    ) {
        for change in &changes {
            change.apply(&mut dump);
        }
        obeys(&dump, window, step);
    }

    #[test]
    fn joined_dumps_obey(
        picks in vec(select(dumps::values()), 1..6),
        changes in vec(change(), 0..3),
        window in select(vec![64usize, 100]),
        step in 1usize..200,
    ) {
        let records: Vec<_> = (picks.iter().enumerate())
            .map(|(n, (_, _, kind, value))| dumps::key(*kind, &format!("k{}", n / 2 * 2), value))
            .collect();
        let mut dump = dumps::dump("REDIS0015", &records);
        for change in &changes {
            change.apply(&mut dump);
        }
        obeys(&dump, window, step);
    }

    #[test]
    fn any_bytes_obey(bytes in vec(any::<u8>(), 0..200), kind in any::<u8>()) {
        laws::slice_reader(&bytes);
        laws::chunked(&bytes);
        laws::check(&[&[kind % 5], &bytes[..]].concat());
        laws::encodings(&[&[kind], &bytes[..]].concat());
        laws::lzf(&bytes);
    }
}
