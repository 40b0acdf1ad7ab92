//! What arrives is what was in the dump.

use crate::differing::differing;
use crate::servers::{ALL, Server};
use crate::{put, run};
use redkeep::UnixMillis;
use redkeep::digest::{ContentOptions, content_digest};
use redkeep::export::CommandForm;
use redkeep::live::restore::{Conflict, RestoreOptions};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::convert::ConvertOptions;
use redkeep::rdb::{Loss, OnLoss};
use redkeep::task::{ExtractOptions, extract};
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
        let restored = put(&dump, &target, options);
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
