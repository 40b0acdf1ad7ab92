//! A process that ends between any two steps, as by `kill -9` or a power cut.

use crate::{
    System, all, directory, dump, keeps, loads, options, plan, restore, server, settings, states,
};
use redkeep::aof::{Fileset, FilesetOptions};
use redkeep::task::data_dir::{AppendOnly, DataDirAction, DataDirSource};
use std::io::Empty;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the child is told what to do: directory, server, setting, the step to end before, and the log
/// that is the source, if it is one.
const ORDER: &str = "REDKEEP_TEST_CRASH";

fn setting(word: &str) -> AppendOnly {
    let all = [AppendOnly::Yes, AppendOnly::No, AppendOnly::Unknown];
    all.into_iter().find(|setting| setting.to_string() == word).unwrap()
}

/// No test by itself: the process that is to end.
#[test]
fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let words: Vec<_> = order.split('|').collect();
    let stop: usize = words[3].parse().unwrap();
    let mut taken = 0;
    let plan = plan(Path::new(words[0]), &options(words[1], setting(words[2])));
    let mut watch = |_: &_| {
        if taken == stop {
            // Nothing is cleaned up by this.
            std::process::abort();
        }
        taken += 1;
        ControlFlow::Continue(())
    };
    if words[4].is_empty() {
        let new = dump("new", "1");
        plan.apply_watched(DataDirSource::Dump(&new[..]), &System::start(), &mut watch).unwrap();
    } else {
        let log =
            Fileset::find(Path::new(words[4]), &FilesetOptions::new(server(words[1]))).unwrap();
        let source = DataDirSource::<Empty>::Log(&log);
        plan.apply_watched(source, &System::start(), &mut watch).unwrap();
    }
}

/// Restores in a process that ends before a step; whether it came through.
pub(crate) fn cut(dir: &Path, name: &str, setting: AppendOnly, stop: usize) -> bool {
    cut_of(dir, name, setting, stop, "")
}

/// The same of a log.
pub(crate) fn cut_of(dir: &Path, name: &str, setting: AppendOnly, stop: usize, log: &str) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child", "--exact", "--test-threads=1"])
        .env(ORDER, format!("{}|{name}|{setting}|{stop}|{log}", dir.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.success()
}

#[test]
fn a_crash_between_any_two_steps_leaves_the_old_data_or_the_new_and_loses_nothing() {
    let (mut crashes, mut old_seen, mut new_seen) = (0, 0, 0);
    for name in ["redis-3.2", "redis-6.2", "redis-7.2"] {
        for setting in [AppendOnly::Yes, AppendOnly::No, AppendOnly::Unknown] {
            for (state, files) in states() {
                // Those in which every kind of file is there; the others add nothing but time.
                if !["empty", "folder, log and dump", "folder without manifest and log"]
                    .contains(&state)
                {
                    continue;
                }
                let views = settings(setting);
                let see = |dir: &Path| -> Vec<_> {
                    views.iter().map(|view| loads(dir, server(name), *view)).collect()
                };
                let done = directory(&files);
                restore(done.path(), &options(name, setting), &dump("new", "1")).unwrap();
                let new = see(done.path());
                for stop in 0.. {
                    let dir = directory(&files);
                    let (before, old) = (all(dir.path()), see(dir.path()));
                    let through = cut(dir.path(), name, setting, stop);
                    let shown = format!("{state}, {name}, {setting}, before step {stop}");
                    assert!(keeps(dir.path(), &before), "{shown}");
                    for (at, found) in see(dir.path()).into_iter().enumerate() {
                        assert!(found == old[at] || found == new[at], "{shown}: {found:?}");
                        old_seen += usize::from(found == old[at]);
                        new_seen += usize::from(found == new[at]);
                    }
                    if through {
                        assert!(see(dir.path()) == new, "{shown}");
                        break;
                    }
                    crashes += 1;
                    // What a crash leaves is named, and keeps nobody from trying again.
                    let left = all(dir.path())
                        .into_keys()
                        .any(|path| path.to_string_lossy().contains("/.redkeep-"));
                    let next = plan(dir.path(), &options(name, setting));
                    let named = next.notes.iter().any(|note| note.contains(".redkeep-"));
                    assert_eq!(named, left, "{shown}: {next}");
                    restore(dir.path(), &options(name, setting), &dump("new", "1")).unwrap();
                    let again = see(dir.path());
                    let has = |(_, files): &(_, Vec<Vec<u8>>)| {
                        files.concat().windows(3).any(|part| part == b"new")
                    };
                    assert!(again.iter().all(has) && keeps(dir.path(), &before), "{shown}");
                }
            }
        }
    }
    println!("{crashes} crashes; {old_seen} times the old data, {new_seen} times the new");
    assert!(crashes > 100 && old_seen > 50 && new_seen > 50);
}

#[test]
fn a_restore_that_is_stopped_says_what_took_effect() {
    for setting in [AppendOnly::Yes, AppendOnly::Unknown] {
        let dir = directory(&states()[6].1);
        let plan = plan(dir.path(), &options("redis-7.2", setting));
        let mut watch = |step: &redkeep::task::data_dir::DataDirStep| match step.action {
            DataDirAction::MoveAside => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let source = dump("new", "1");
        let error =
            plan.apply_watched(DataDirSource::Dump(&source[..]), &System::start(), &mut watch);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("in effect already") && error.contains(".manifest"), "{error}");
        let effect = error.split("in effect already").nth(1).unwrap();
        let both = setting == AppendOnly::Unknown;
        assert_eq!(effect.contains("dump.rdb"), both, "{error}");
    }
}
