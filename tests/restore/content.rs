//! What arrives is what was in the dump.

use crate::differing::differing;
use crate::servers::{ALL, Server};
use crate::{open, put, run};
use redkeep::UnixMillis;
use redkeep::digest::{ContentOptions, content_digest};
use redkeep::export::CommandForm;
use redkeep::live::restore::{CompareSink, Conflict, Differs, RestoreOptions, Sample};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::convert::ConvertOptions;
use redkeep::rdb::{Loss, OnLoss};
use redkeep::task::{ExtractOptions, RestoreChoice, extract};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn dumps_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("damaged") {
            dumps_in(&path, found);
        } else if path.extension().is_some_and(|end| end == "rdb") {
            found.push(path);
        }
    }
    found.sort();
}

fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis::new(i64::try_from(since.as_millis()).unwrap())
}

fn digest(server: &Server) -> String {
    run(server, "DEBUG DIGEST")
}

#[derive(Debug, Default)]
struct Done {
    same: usize,
    keys: u64,
    converted: u64,
    modules: u64,
    compared: u64,
    refused: usize,
}

/// A server loads what the conversion made of each dump; another gets its keys one by one.
fn compare(name: &str, paths: &[PathBuf], form: CommandForm) -> Done {
    let target = Server::start(name, None).unwrap();
    let (mut done, mut wrong) = (Done::default(), Vec::new());
    for path in paths {
        let dump = std::fs::read(path).unwrap();
        if check_slice(&dump, &CheckOptions::default()).verdict > Verdict::Findings {
            continue;
        }
        let mut loaded = Vec::new();
        let convert =
            ConvertOptions::new(name.parse().unwrap()).on_loss(OnLoss::Drop).expired_at(now());
        let options = ExtractOptions::default().convert(convert);
        let source = match extract(&dump[..], &mut loaded, &options) {
            Ok(_) => Server::start(name, Some(&loaded)),
            Err(_) => None,
        };
        let Some(source) = source else {
            done.refused += 1;
            continue;
        };
        run(&target, "FLUSHALL");
        if name != "redis-6.2" {
            run(&target, "FUNCTION FLUSH");
        }
        let options = RestoreOptions::default()
            .form(form)
            .functions(Conflict::Fail)
            .on_loss(OnLoss::Drop)
            .batch_keys(7);
        let restored = put(&dump, &target, options.clone());
        let keys = &restored.keys;
        // Values of modules: the conversion leaves them out, a server is asked.
        let modules = path.components().any(|part| part.as_os_str() == "modules");
        let refused = keys.failures.get("ERR").map_or(0, |failure| failure.keys);
        if keys.stopped.is_some() || keys.failed > if modules { refused } else { 0 } {
            wrong.push(format!("{}: {:?} {:?}", path.display(), keys.stopped, keys.failures));
            continue;
        }
        done.modules += keys.failed;
        done.keys += keys.restored;
        done.converted += restored.converted;
        // Fields of hashes that have expired go one by one.
        let until = Instant::now() + Duration::from_secs(20);
        let mut connections = [&source, &target].map(|server| server.connect().unwrap());
        let differ = loop {
            let differ = match digest(&source) == digest(&target) {
                true => Vec::new(),
                false => differing(&mut connections.each_mut()),
            };
            if differ.is_empty() || Instant::now() > until {
                break differ;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        // A server of 7.0 still loads the functions of its release candidates.
        let functions = keys.losses.get(Loss::Function).count > 0;
        let lossy = functions || form == CommandForm::Plain && !keys.losses.is_empty();
        let content = ContentOptions::default().stream_state(form == CommandForm::Restore);
        let [a, b] =
            [&source, &target].map(|server| content_digest(&server.save()[..], content).unwrap());
        if !differ.is_empty() || !lossy && a != b {
            wrong.push(format!("{}: {differ:?}, {:?}", path.display(), keys.losses));
            continue;
        }
        let choice = RestoreChoice::default();
        let sink = CompareSink::new(open(&target), &options, Sample::All).unwrap();
        let compared = redkeep::task::compare(&dump[..], &choice, sink);
        // The server itself turns a -0 of an old layout into 0.
        let zeroes = digest(&source) != digest(&target);
        let excused = lossy || zeroes || keys.failed > 0;
        if !(compared.is_same() || excused) {
            wrong.push(format!("{}: {compared:?}", path.display()));
            continue;
        }
        done.compared += compared.values;
        done.same += 1;
    }
    assert!(wrong.is_empty(), "{name}, {form:?}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
    done
}

fn compare_all(folder: &Path) -> Vec<Done> {
    let mut paths = Vec::new();
    dumps_in(folder, &mut paths);
    let forms = [CommandForm::Restore, CommandForm::Plain];
    std::thread::scope(|scope| {
        let each = ALL.iter().flat_map(|name| forms.map(|form| (*name, form)));
        let all: Vec<_> = each
            .map(|(name, form)| {
                scope.spawn({
                    let paths = &paths;
                    move || compare(name, paths, form)
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_differs_from_the_dump_is_found_key_by_key() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let lines = ["SET a 1", "SET b 2 PX 100000000", "RPUSH c x y", "SET d 4", "SET gone 5"];
        lines.iter().for_each(|line| drop(run(&server, line)));
        let dump = server.save();
        let same = |sample| {
            let sink = CompareSink::new(open(&server), &RestoreOptions::default(), sample).unwrap();
            redkeep::task::compare(&dump[..], &RestoreChoice::default(), sink)
        };
        let outcome = same(Sample::All);
        assert!(outcome.is_same() && (outcome.keys, outcome.values) == (5, 5), "{outcome:?}");
        for line in ["SET a 2", "PERSIST b", "RPUSH c z", "DEL d", "SADD d x", "DEL gone"] {
            run(&server, line);
        }
        let outcome = same(Sample::All);
        let mut found: Vec<_> =
            outcome.first.iter().map(|one| (one.key.as_str(), one.how)).collect();
        found.sort_by_key(|one| one.0);
        let expected = [
            ("a", Differs::Value),
            ("b", Differs::Expiry),
            ("c", Differs::Value),
            ("d", Differs::Type),
            ("gone", Differs::Missing),
        ];
        assert_eq!(found, expected, "{name}");
        assert_eq!(outcome.differing(), 5);
        // Without values those that only have another one are the same.
        assert_eq!(same(Sample::None).differing(), 3, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_restored_dump_is_the_one_that_was_loaded() {
    let done = compare_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"));
    println!("{done:?}");
    assert!(done.iter().all(|done| done.same > 20 && done.keys > 500), "{done:?}");
    assert!(done.iter().map(|done| done.converted).sum::<u64>() > 500, "{done:?}");
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn every_corpus_dump_restored_is_the_one_that_was_loaded() {
    let Some(corpus) = std::env::var_os("REDKEEP_CORPUS") else { return };
    let done = compare_all(Path::new(&corpus));
    println!("{done:?}");
    assert!(done.iter().all(|done| done.same > 300), "{done:?}");
}
