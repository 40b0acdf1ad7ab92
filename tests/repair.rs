//! Repair: the laws, logs of real servers cut and damaged, and sets of files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/aof_laws.rs"]
mod aof_laws;
#[path = "repair/damaged.rs"]
mod damaged;
#[path = "common/laws.rs"]
mod laws;
#[path = "repair/live.rs"]
mod live;
#[path = "common/random.rs"]
mod random;
#[path = "common/servers.rs"]
mod servers;
#[path = "repair/sets.rs"]
mod sets;

use proptest::collection::vec;
use proptest::prelude::*;
use redkeep::Limits;
use redkeep::aof::repair::{CutAt, LossCause, RepairOptions, plan_log};
use redkeep::aof::{RecordKind, SliceReader, Transaction, write_command};
use std::path::Path;

/// The logs that real servers wrote and that are kept here, with their names.
pub(crate) fn logs() -> Vec<(String, Vec<u8>)> {
    logs_in(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")))
}

/// The logs below a folder that are sound.
pub(crate) fn logs_in(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut logs = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            let sound = !name.contains("damaged") && !name.contains("regressions");
            if path.is_dir() && sound {
                folders.push(path);
            } else if name.ends_with(".aof") && sound {
                let bytes = std::fs::read(&path).unwrap();
                let whole = SliceReader::new(&bytes).all(|record| record.is_ok());
                if whole && !bytes.is_empty() {
                    logs.push((name, bytes));
                }
            }
        }
    }
    logs.sort();
    logs
}

/// A log that is kept for the damage done to it.
pub(crate) fn case(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/damaged-logs");
    std::fs::read(folder.join(name)).unwrap()
}

/// Options with a small window, which is quick to make.
pub(crate) fn cut_only() -> RepairOptions {
    RepairOptions::default().limits(Limits::default().window(4096))
}

pub(crate) fn salvage() -> RepairOptions {
    cut_only().salvage(true)
}

/// The places where a log can be cut, the beginning included.
pub(crate) fn boundaries(log: &[u8]) -> Vec<usize> {
    let mut boundaries = vec![0];
    let mut at = 0;
    for record in SliceReader::new(log).map_while(Result::ok) {
        at += record.raw().len();
        match record.kind {
            RecordKind::Rdb(_) => boundaries[0] = at,
            _ if matches!(
                record.transaction,
                Transaction::Outside | Transaction::Commit | Transaction::StrayExec
            ) =>
            {
                boundaries.push(at);
            }
            _ => {}
        }
    }
    boundaries
}

#[test]
fn what_is_left_of_a_cut_log_is_exactly_what_was_before_the_cut() {
    let (mut prefixes, mut wrong) = (0, 0);
    let mut all = logs();
    all.push(("ts-in-multi".to_owned(), case("ts-in-multi.aof")));
    all.push(("ts-intact".to_owned(), case("ts-intact.aof")));
    for (name, log) in all {
        let boundaries = boundaries(&log);
        // Every prefix of small logs, and of the others those around the first boundaries.
        let step = if log.len() < 3000 { 1 } else { log.len() / 997 };
        for cut in (boundaries[0]..=log.len()).step_by(step.max(1)) {
            let good = boundaries.iter().filter(|end| **end <= cut).max().unwrap();
            for options in [cut_only(), salvage()] {
                let (_, out) = aof_laws::repair_as(&log[..cut], &options).unwrap();
                // A value may hold a log, which salvage takes for one.
                if out != log[..*good] {
                    wrong += 1;
                    println!("{name}: cut to {cut}, {} is not {good}", out.len());
                }
            }
            prefixes += 1;
        }
    }
    println!("{prefixes} prefixes");
    assert!(prefixes > 5000 && wrong == 0, "{wrong} of {prefixes}");
}

#[test]
fn a_byte_in_a_command_costs_that_command_and_not_those_behind_it() {
    let mut log = Vec::new();
    for n in 0..1000 {
        write_command(&["RPUSH", &format!("list:{n}"), "value"], &mut log).unwrap();
    }
    let eleventh = boundaries(&log)[10];
    for (at, kept) in [(1, 999), (5, 999), (9, 999), (0, 1000)] {
        let mut bad = log.clone();
        bad[eleventh + at] = if at == 9 { b'x' } else { b'7' };
        let plan = plan_log(&bad, &salvage()).unwrap();
        assert_eq!(plan.kept.commands, kept, "{at}: {plan}");
        let cut = plan_log(&bad, &cut_only()).unwrap();
        assert!(cut.kept.commands <= 10 || at == 9, "{at}");
        assert!(cut.kept.commands + cut.lost.commands >= kept, "{cut}");
    }
    let mut bad = log.clone();
    bad[eleventh + 5] = b'7';
    let plan = plan_log(&bad, &salvage()).unwrap();
    let loss = &plan.losses[0];
    assert_eq!((loss.from, loss.commands), (eleventh as u64, 1));
    assert_eq!(loss.suspicious.map(|mend| (mend.was, mend.now)), Some((b'7', b'5')));
    assert_eq!(loss.after.as_ref().unwrap().name, "RPUSH");
    let plan = plan_log(&bad, &salvage().suspicious(true)).unwrap();
    let mut out = Vec::new();
    plan.write(std::io::Cursor::new(&bad), &mut out).unwrap();
    assert!(out == log);
}

#[test]
fn a_sound_command_is_not_blamed_for_what_stands_behind_it() {
    let log = case("aof-intact.aof");
    let commands = |log: &[u8]| plan_log(log, &salvage()).unwrap().kept.commands;
    let all = commands(&log);
    for end in boundaries(&log) {
        for rubbish in [&b"\r\n"[..], b"\n", b"\0\0\0\0", b"x\r\n", b"0123456789\r\n"] {
            let bad = [&log[..end], rubbish, &log[end..]].concat();
            assert_eq!(commands(&bad), all, "{} at {end}", rubbish.escape_ascii());
        }
    }
}

#[test]
fn a_command_that_swallowed_others_gives_them_back() {
    let mut log = Vec::new();
    write_command(&["SET", "k", "hello, world"], &mut log).unwrap();
    let bad = log.len() - 18;
    assert_eq!(log[bad], b'1');
    for _ in 0..5 {
        write_command(&["DEL", "abc"], &mut log).unwrap();
    }
    // 12 bytes become 42, whose end happens to be that of a line.
    log[bad] = b'4';
    let plan = plan_log(&log, &salvage()).unwrap();
    assert_eq!((plan.kept.commands, plan.lost.commands), (5, 1), "{plan}");
}

#[test]
fn a_log_ends_where_it_is_told_to_and_never_inside_a_transaction() {
    let log = case("ts-in-multi.aof");
    let boundaries = boundaries(&log);
    for offset in 0..=log.len() {
        let cut = CutAt::Offset { file: None, offset: offset as u64 };
        let plan = plan_log(&log, &cut_only().cut(cut)).unwrap();
        let good = boundaries.iter().filter(|end| **end <= offset).max().unwrap();
        assert_eq!(plan.kept.bytes, *good as u64, "{offset}");
        assert!(plan.losses.iter().all(|loss| loss.cause == LossCause::Cut));
    }
    let records: Vec<_> = SliceReader::new(&log).map(Result::unwrap).collect();
    let all = records.iter().filter(|record| record.command().is_some()).count() as u64;
    for number in 0..=all + 2 {
        let cut = CutAt::Command(number);
        let (plan, _) = aof_laws::repair_as(&log, &cut_only().cut(cut)).unwrap();
        assert!(plan.kept.commands <= number);
        assert_eq!(plan.kept.commands + plan.lost.commands, all);
        let in_multi = records
            .iter()
            .filter(|record| record.command().is_some())
            .nth(usize::try_from(number).unwrap());
        let inside = in_multi.is_some_and(|record| {
            matches!(record.transaction, Transaction::Inside | Transaction::Commit)
        });
        assert_eq!(plan.kept.commands < number.min(all), inside, "{number}");
    }
}

/// Commands as logs have them, and such as have commands in their values.
fn any_log() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => prop::sample::select(vec!["k", "1", "3", "value", "", "*1\r\n$5\r\nMULTI\r\n", "\r\n$1\r\n"]),
        1 => prop::sample::select(vec!["*3\r\n$3\r\nDEL\r\n$1\r\na\r\n$1\r\nb\r\n", "#TS:1\r\n"]),
    ];
    let name = prop::sample::select(vec![
        "SET", "set", "MULTI", "MULTI", "EXEC", "EXEC", "SELECT", "DEL", "RPUSH", "NOPE",
        "JSON.SET",
    ]);
    let command = (name, vec(word, 0..4)).prop_map(|(name, mut words)| {
        match name {
            "MULTI" | "EXEC" => words.clear(),
            "SELECT" => words = vec!["3"],
            _ => {}
        }
        words.insert(0, name);
        let mut out = Vec::new();
        write_command(&words, &mut out).unwrap();
        out
    });
    let other =
        prop::sample::select(vec![&b"#TS:7\r\n"[..], b"\0\0\0", b"!", b"*3\r\n", b"$1\r\na\r\n"]);
    let record = prop_oneof![12 => command, 1 => other.prop_map(<[u8]>::to_vec)];
    vec(record, 0..20).prop_map(|records| records.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_comes_out_is_whole_and_needs_no_repair(
        mut log in any_log(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        if let Some(cut) = cut && !log.is_empty() {
            log.truncate(cut.index(log.len()));
        }
        for (at, byte) in flips {
            if !log.is_empty() {
                let at = at.index(log.len());
                log[at] = byte;
            }
        }
        aof_laws::repair(&log);
    }
}
