//! One byte changed anywhere, and what real servers were given broken.

use super::{logs, salvage};
use redkeep::aof::repair::{LossCause, plan_log};
use redkeep::aof::{RecordKind, SliceReader};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;

/// splitmix64: the same damage in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }
}

/// The ranges of the commands of a sound log.
fn commands(log: &[u8]) -> Vec<Range<u64>> {
    SliceReader::new(log)
        .map(Result::unwrap)
        .filter(|record| matches!(record.kind, RecordKind::Command(_)))
        .map(|record| record.offset..record.offset + record.raw().len() as u64)
        .collect()
}

#[test]
fn one_changed_byte_costs_no_more_than_the_command_it_is_in() {
    let logs: Vec<_> = logs().into_iter().filter(|(_, log)| log.len() < 200_000).collect();
    let whole: Vec<_> = logs.iter().map(|(_, log)| commands(log)).collect();
    let mut random = Random(7);
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let mut worst = Vec::new();
    for trial in 0..6000 {
        let which = trial % logs.len();
        let (name, log) = &logs[which];
        let Some(first) = whole[which].first() else { continue };
        let from = usize::try_from(first.start).unwrap();
        let at = from + random.below(log.len() - from);
        let mut bad = log.clone();
        bad[at] = bad[at].wrapping_add(u8::try_from(1 + random.below(255)).unwrap());
        let plan = plan_log(&bad, &salvage()).unwrap();
        let mut out = Vec::new();
        plan.write(Cursor::new(&bad), &mut out).unwrap();
        let place = at as u64;
        let stays = |range: &Range<u64>| {
            plan.pieces.iter().any(|piece| piece.from <= range.start && range.end <= piece.to)
        };
        let untouched = whole[which].iter().filter(|range| !range.contains(&place));
        let lost = untouched.clone().filter(|range| !stays(range)).count();
        // What was read behind the damage begins where a command began.
        let framed = plan.pieces.iter().skip(1).all(|piece| {
            whole[which].iter().any(|range| range.start == piece.from)
                || log[usize::try_from(piece.from).unwrap()] == b'#'
        });
        let mended = plan.mends.iter().all(|mend| (mend.at, mend.now) == (place, log[at]));
        let half = plan.losses.iter().any(|loss| loss.cause == LossCause::HalfTransaction);
        let open = plan.losses.iter().any(|loss| loss.cause == LossCause::OpenMulti);
        let kind = match lost {
            _ if !mended => "mended wrongly",
            _ if !framed => "read out of step",
            0 if !plan.mends.is_empty() => "mended exactly",
            0 if plan.losses.is_empty() => "not seen (inside an argument)",
            0 => "only the command itself lost",
            _ if half || open => "the rest of its transaction lost with it",
            _ => "others lost",
        };
        *kinds.entry(kind).or_default() += 1;
        if !matches!(kind, "mended exactly" | "not seen (inside an argument)" | "only the command itself lost" | "the rest of its transaction lost with it") {
            worst.push(format!("{kind}: {name} byte {at}: {:?} for {:?}, {lost} lost\n{plan}", bad[at] as char, log[at] as char));
        }
    }
    println!("{kinds:#?}\n{}", worst.join("\n"));
    assert!(kinds.values().sum::<u32>() >= 5000);
    assert!(worst.len() <= 12, "{kinds:#?}\n{}", worst.join("\n"));
}
