//! One byte changed anywhere, and what real servers were given broken.

use super::random::Random;
use super::{cut_only, logs, logs_in, salvage};
use redkeep::UnixMillis;
use redkeep::aof::repair::{CutAt, Loss, LossCause, plan, plan_log};
use redkeep::aof::{RecordKind, SliceReader};
use redkeep::task::{RepairPlace, repair};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};

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
    damage(&logs(), 6000, 7);
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn one_changed_byte_costs_no_more_in_the_wide_corpus() {
    let Some(corpus) = std::env::var_os("REDKEEP_CORPUS").map(PathBuf::from) else { return };
    damage(&logs_in(&corpus), 20_000, 77);
}

/// So many times a random byte of one of the logs is changed, and what salvage keeps is looked at.
#[allow(clippy::print_stdout)] // the counts are the point
fn damage(logs: &[(String, Vec<u8>)], trials: usize, seed: u64) {
    let logs: Vec<_> = logs.iter().filter(|(_, log)| log.len() < 200_000).collect();
    let whole: Vec<_> = logs.iter().map(|(_, log)| commands(log)).collect();
    let mut random = Random(seed);
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let mut worst = Vec::new();
    for trial in 0..trials {
        let which = trial % logs.len();
        let (name, log) = logs[which];
        let Some(first) = whole[which].first() else { continue };
        let from = usize::try_from(first.start).unwrap();
        let at = from + random.index(log.len() - from);
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
        if !matches!(
            kind,
            "mended exactly"
                | "not seen (inside an argument)"
                | "only the command itself lost"
                | "the rest of its transaction lost with it"
        ) {
            worst.push(format!(
                "{kind}: {name} byte {at}: {:?} for {:?}, {lost} lost\n{plan}",
                bad[at] as char, log[at] as char
            ));
        }
    }
    println!("{} logs: {kinds:#?}", logs.len());
    assert!(kinds.values().sum::<u32>() >= 5000);
    assert!(worst.is_empty(), "{kinds:#?}\n{}", worst.join("\n"));
}

#[test]
fn a_hole_costs_the_commands_it_touches_and_those_of_their_transactions() {
    let logs: Vec<_> = logs().into_iter().filter(|(_, log)| commands(log).len() > 100).collect();
    let mut random = Random(11);
    let (mut lost_beside, mut out_of_step, mut trials) = (0, 0, 0);
    for trial in 0..1500 {
        let (_, log) = &logs[trial % logs.len()];
        let whole = commands(log);
        let from = usize::try_from(whole[0].start).unwrap();
        let size = [2, 16, 512][trial % 3];
        let at = from + random.index((log.len() - from).saturating_sub(size).max(1));
        let mut bad = log.clone();
        for byte in &mut bad[at..at + size] {
            *byte = u8::try_from(random.below(256)).unwrap();
        }
        let hole = at as u64..(at + size) as u64;
        let plan = plan_log(&bad, &salvage()).unwrap();
        let stays = |range: &Range<u64>| {
            plan.pieces.iter().any(|piece| piece.from <= range.start && range.end <= piece.to)
        };
        let dropped = |range: &Range<u64>| {
            let whole = [LossCause::HalfTransaction, LossCause::OpenMulti];
            let in_it = |loss: &Loss| loss.from <= range.start && range.end <= loss.to;
            plan.losses.iter().any(|loss| whole.contains(&loss.cause) && in_it(loss))
        };
        let touched = |range: &&Range<u64>| range.start < hole.end && hole.start < range.end;
        let beside = whole.iter().filter(|range| !touched(range));
        lost_beside += beside.filter(|range| !stays(range) && !dropped(range)).count();
        let begins = |at: u64| {
            whole.iter().any(|range| range.start == at) || log[usize::try_from(at).unwrap()] == b'#'
        };
        out_of_step += plan.pieces.iter().skip(1).filter(|piece| !begins(piece.from)).count();
        trials += whole.len();
    }
    // Behind a long hole the first of fewer than three commands before another may not be found.
    assert!(lost_beside <= 3 && out_of_step == 0, "{lost_beside} lost, {out_of_step} of {trials}");
}

/// The files of a case in a folder of their own, that may be written to.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => fs::write(&target, fs::read(&path).unwrap()).unwrap(),
        }
    }
}

/// The cases of the wide corpus that are logs: the server, the folder, and what is known of it.
#[allow(clippy::print_stdout)] // said by the test that calls it
pub(crate) fn cases() -> Vec<(String, PathBuf, Json)> {
    let Some(corpus) = std::env::var_os("REDKEEP_CORPUS").map(PathBuf::from) else {
        println!("nothing was checked: REDKEEP_CORPUS is not set");
        return Vec::new();
    };
    let mut cases = Vec::new();
    for folder in corpus.join("damaged").read_dir().unwrap() {
        let folder = folder.unwrap().path();
        let server = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(folder.join("cases.jsonl")).unwrap();
        for line in text.lines() {
            let case: Json = serde_json::from_str(line).unwrap();
            let dir = folder.join(case["id"].as_str().unwrap());
            if case["kind"] != "rdb" && dir.is_dir() {
                cases.push((server.clone(), dir, case));
            }
        }
    }
    cases
}

/// How many commands the servers' checker leaves in the files of a case.
fn left_by_the_checker(dir: &Path, case: &Json) -> Option<u64> {
    let fix = &case["fix"];
    if fix["exit"] != 0 || fix["load"]["started"] != true {
        return None;
    }
    let mut left = 0;
    for (name, file) in fix["files_after"].as_object()? {
        let bytes = fs::read(dir.join(name))
            .or_else(|_| fs::read(dir.join("appendonlydir").join(name)))
            .ok()?;
        let size = usize::try_from(file["bytes"].as_u64()?).unwrap();
        if name.ends_with(".aof") {
            let kept = &bytes[..size.min(bytes.len())];
            let records = SliceReader::new(kept).map_while(Result::ok);
            left += records.filter(|record| record.command().is_some()).count() as u64;
        }
    }
    Some(left)
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn what_servers_were_given_broken_is_repaired_and_holds_what_their_checker_leaves() {
    let (mut repaired, mut compared, mut in_the_way) = (0, 0, BTreeMap::new());
    for (server, dir, case) in cases() {
        let id = case["id"].as_str().unwrap();
        let shown = |text: &str| format!("{server}/{id} ({}): {text}", case["what"]);
        if case.get("truncate_to_timestamp").is_some() {
            continue;
        }
        for options in [cut_only(), salvage()] {
            let old = matches!(&server[..], "redis-2.8.24" | "redis-5.0.14" | "redis-6.2.16");
            let version = if old { "redis-6.2" } else { "redis-7.0" };
            let options = options.server(version.parse().unwrap());
            let plan = match plan(&dir, &options) {
                Ok(plan) => plan,
                Err(error) => {
                    assert!(
                        error.to_string().contains("no append-only log"),
                        "{}",
                        shown(&error.to_string())
                    );
                    continue;
                }
            };
            if !plan.obstacles.is_empty() {
                *in_the_way.entry(id.to_owned()).or_insert(0) += 1;
                continue;
            }
            let out = tempfile::tempdir().unwrap();
            repair(&plan, &RepairPlace::Folder(out.path().to_owned())).unwrap();
            let again = redkeep::aof::repair::plan(out.path(), &options).unwrap();
            assert!(again.is_empty(), "{}", shown(&again.to_string()));
            assert_eq!(again.kept().commands, plan.kept().commands);
            repaired += 1;
            let listed = plan
                .files
                .iter()
                .all(|file| file.name.ends_with(".aof") || file.kept.commands == 0);
            // A set that the checker passes may leave files out which its manifest does not name.
            if let Some(left) = left_by_the_checker(&dir, &case).filter(|_| {
                listed && !id.starts_with("man-") && id != "mp-strays" && id != "mp-old-beside"
            }) {
                // To leave out what no server does is no loss.
                let odd = plan.files.iter().flat_map(|file| &file.losses);
                let odd = odd.filter(|loss| loss.cause == LossCause::NoCommand).count() as u64;
                let kept = plan.kept().commands + odd;
                assert!(kept >= left, "{}", shown(&format!("{left} left\n{plan}")));
                compared += 1;
            }
            // In place as well, on a copy.
            let copied = tempfile::tempdir().unwrap();
            copy(&dir, copied.path());
            let plan = redkeep::aof::repair::plan(copied.path(), &options).unwrap();
            repair(&plan, &RepairPlace::InPlace { stamp: "1".to_owned() }).unwrap();
            assert!(redkeep::aof::repair::plan(copied.path(), &options).unwrap().is_empty());
        }
    }
    println!("{repaired} repaired, {compared} compared; in the way: {in_the_way:?}");
    assert!(std::env::var_os("REDKEEP_CORPUS").is_none() || (repaired > 500 && compared > 300));
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn a_cut_at_a_time_is_the_one_of_the_servers_checker() {
    let mut compared = 0;
    for (server, dir, case) in cases() {
        let Some(time) = case["truncate_to_timestamp"].as_i64() else { continue };
        let version = if server.starts_with("redis-2")
            || server.starts_with("redis-5")
            || server.starts_with("redis-6")
        {
            "redis-6.2"
        } else {
            "redis-7.0"
        };
        let options = cut_only().server(version.parse().unwrap());
        let plan = plan(&dir, &options.cut(CutAt::Time(UnixMillis::from_seconds(time)))).unwrap();
        if server == "valkey-9.1.2" {
            // Its checker does not know the head of its own bases.
            continue;
        }
        let file = plan.files.last().unwrap();
        let result = &case["result"];
        let after = result["files_after"].as_object().unwrap();
        let size =
            after.iter().find(|(name, _)| name.ends_with(&file.name)).unwrap().1["bytes"].as_u64();
        // The checker gives up where nothing of the file is from before; the base is, to us.
        let expected = if result["exit"] == 0 { size } else { Some(0) };
        assert_eq!(Some(file.kept.bytes), expected, "{server} {time}: {plan}");
        compared += 1;
    }
    println!("{compared} compared");
    assert!(std::env::var_os("REDKEEP_CORPUS").is_none() || compared >= 12);
}
