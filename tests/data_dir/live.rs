//! Real servers on directories that were restored into: they hold what a server holds that loaded
//! the dump itself.

use crate::answers::answers;
use crate::servers::{ALL, Server};
use crate::{System, all, crash, directory, keeps, options, plan, restore, set, settings, states};
use redis::Value;
use redkeep::UnixMillis;
use redkeep::aof::{Fileset, FilesetOptions};
use redkeep::select::{Condition, Expiry, FilterOptions};
use redkeep::task::data_dir::{AppendOnly, DataDirSource};
use redkeep::task::{ExtractOptions, extract};
use std::io::Empty;
use std::path::Path;
use std::time::SystemTime;

/// A dump that this server loads, without the keys that expired: from a log they would be loaded.
fn source(name: &str) -> Vec<u8> {
    let from = match name {
        "redis-6.2" => "redis-6.2.16/lru",
        _ => "redis-7.0.15/default",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(from).join("dump.rdb");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = UnixMillis::new(now.as_millis().try_into().unwrap());
    let filter = FilterOptions::default().exclude(Condition::expiry([Expiry::ExpiredAt(now)]));
    let mut rest = Vec::new();
    let options = ExtractOptions::default().filter(filter).functions(true);
    extract(&std::fs::read(path).unwrap()[..], &mut rest, &options).unwrap();
    rest
}

/// Starts a server on a directory; `None` where it refuses.
fn start(name: &str, dir: &Path, setting: AppendOnly) -> Option<Server> {
    let (dir, setting) = (dir.to_str().unwrap(), setting.to_string());
    let settings = ["--dir", dir, "--appendonly", &setting];
    Server::start_in(name, tempfile::tempdir().unwrap(), &settings)
}

fn run(server: &Server, line: &str) -> Value {
    let mut command = redis::Cmd::new();
    line.split(' ').for_each(|word| {
        command.arg(word);
    });
    command.query(&mut server.connect().unwrap()).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_starts_there_holds_what_the_dump_holds() {
    let mut starts = 0;
    for name in ALL {
        let dump = source(name);
        let want = answers(&Server::start(name, Some(&dump)).unwrap());
        assert!(want.1.len() > 1, "{want:?}");
        for setting in [AppendOnly::Yes, AppendOnly::No, AppendOnly::Unknown] {
            for (state, files) in states() {
                for view in settings(setting) {
                    let shown = format!("{state}, {name}, {setting} as {view}");
                    let dir = directory(&files);
                    let before = all(dir.path());
                    restore(dir.path(), &options(name, setting), &dump).unwrap();
                    let server = start(name, dir.path(), *view).expect(&shown);
                    assert_eq!(answers(&server), want, "{shown}");
                    // It goes on from there, and comes back with it.
                    run(&server, "CONFIG SET appendfsync always");
                    run(&server, "SET written later");
                    if *view == AppendOnly::No {
                        run(&server, "SAVE");
                    }
                    let after = answers(&server);
                    drop(server);
                    let server = start(name, dir.path(), *view).expect(&shown);
                    assert_eq!(answers(&server), after, "{shown}");
                    drop(server);
                    // What had been there is never loaded, whatever somebody sets later.
                    let flipped =
                        if *view == AppendOnly::No { AppendOnly::Yes } else { AppendOnly::No };
                    if let Some(server) = start(name, dir.path(), flipped) {
                        assert_eq!(run(&server, "EXISTS stale"), Value::Int(0), "{shown}");
                    }
                    assert!(keeps(dir.path(), &before), "{shown}");
                    starts += 3;
                }
            }
        }
    }
    println!("{starts} starts");
}

/// The same with `redis.conf`, as a server of the distribution starts.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn names_from_the_settings_are_those_that_the_server_looks_for() {
    use redkeep::task::data_dir::DataDirOptions;
    for name in ALL {
        let dump = source(name);
        let want = answers(&Server::start(name, Some(&dump)).unwrap());
        for appendonly in ["yes", "no"] {
            let dir = directory(&[]);
            let mut text = format!(
                "dir {}\nport 0\nappendonly {appendonly}\ndbfilename \"a cache.rdb\"\nappendfilename cache.aof\n",
                dir.path().display()
            );
            if name != "redis-6.2" {
                text += "appenddirname \"cache logs\"\n";
            }
            let conf = dir.path().join("server.conf");
            std::fs::write(&conf, &text).unwrap();
            restore(dir.path(), &DataDirOptions::new(name.parse().unwrap()).conf(&conf), &dump)
                .unwrap();
            // The port comes behind the file, and wins.
            let path = dir.path().to_str().unwrap().to_owned();
            let mut settings = vec!["--dir", &path, "--appendonly", appendonly];
            settings.extend(["--dbfilename", "a cache.rdb", "--appendfilename", "cache.aof"]);
            if name != "redis-6.2" {
                settings.extend(["--appenddirname", "cache logs"]);
            }
            let server = Server::start_in(name, tempfile::tempdir().unwrap(), &settings).unwrap();
            assert_eq!(answers(&server), want, "{name}, {appendonly}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_start_on_what_a_crash_left_with_the_old_data_or_the_new() {
    for name in ALL {
        // One with a folder of logs, and one where a folder appears beside an old log.
        for (state, view) in
            [(6, AppendOnly::Yes), (6, AppendOnly::No), (2, AppendOnly::Yes), (3, AppendOnly::Yes)]
        {
            let files = states().swap_remove(state).1;
            let mut seen = Vec::new();
            for stop in 0.. {
                let dir = directory(&files);
                let through = crash::cut(dir.path(), name, AppendOnly::Unknown, stop);
                let server = start(name, dir.path(), view).unwrap();
                let has = |key: &str| run(&server, &format!("EXISTS {key}")) == Value::Int(1);
                seen.push((has("stale"), has("new")));
                if through {
                    break;
                }
            }
            let (old, new) = ((true, false), (false, true));
            let turn = seen.iter().position(|found| *found == new).unwrap();
            let (before, after) = seen.split_at(turn);
            assert!(
                !before.is_empty() && before.iter().all(|found| *found == old),
                "{name}: {seen:?}"
            );
            assert!(after.iter().all(|found| *found == new), "{name}: {seen:?}");
        }
    }
}

/// New increments lie beside the old log before the manifest names them: a server that starts then
/// must not append to them, since it would load both the next time.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_a_crash_left_of_a_log_is_never_mixed_with_the_data_of_a_server_that_starts_then() {
    let mixed = [crate::dump("base", "1"), set("new")].concat();
    let source = directory(&[("new.aof", mixed)]);
    let log = source.path().join("new.aof");
    for name in ALL {
        for state in [0, 2] {
            let files = states().swap_remove(state).1;
            for stop in 0.. {
                let dir = directory(&files);
                let through =
                    crash::cut_of(dir.path(), name, AppendOnly::Yes, stop, log.to_str().unwrap());
                let mut seen = Vec::new();
                for round in 0..3 {
                    let server = start(name, dir.path(), AppendOnly::Yes).unwrap();
                    let has = |key: &str| run(&server, &format!("EXISTS {key}")) == Value::Int(1);
                    seen.push((has("stale"), has("new")));
                    run(&server, "CONFIG SET appendfsync always");
                    run(&server, &format!("SET later:{round} 1"));
                    if round == 1 {
                        run(&server, "BGREWRITEAOF");
                        wait_for_log(&server);
                    }
                }
                assert!(!seen.contains(&(true, true)), "{name}, {state}, {stop}: {seen:?}");
                assert!(
                    seen.iter().all(|found| *found == seen[0]),
                    "{name}, {state}, {stop}: {seen:?}"
                );
                if through {
                    assert_eq!(seen[0], (false, true), "{name}, {state}");
                    break;
                }
            }
        }
    }
}

/// Waits until the log is rewritten.
fn wait_for_log(server: &Server) {
    loop {
        let Value::BulkString(info) = run(server, "INFO persistence") else { panic!("no INFO") };
        let info = String::from_utf8(info).unwrap();
        if info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_log_of_a_real_server_is_restored_into_the_log_of_another_directory() {
    for name in ALL {
        let dump = source(name);
        let from = directory(&[("dump.rdb", dump)]);
        // With the log turned on in the running server, as one should.
        let server = start(name, from.path(), AppendOnly::No).unwrap();
        run(&server, "CONFIG SET appendonly yes");
        wait_for_log(&server);
        run(&server, "CONFIG SET appendfsync always");
        run(&server, "SELECT 3");
        run(&server, "HSET later a 1 b 2");
        let want = answers(&server);
        drop(server);
        let log = Fileset::find(from.path(), &FilesetOptions::new(name.parse().unwrap())).unwrap();
        let to = directory(&states().swap_remove(6).1);
        let plan = plan(to.path(), &options(name, AppendOnly::Yes));
        let outcome = plan.apply(DataDirSource::<Empty>::Log(&log), &System::start()).unwrap();
        assert!(outcome.content.records > 0, "{outcome:?}");
        let server = start(name, to.path(), AppendOnly::Yes).unwrap();
        assert_eq!(answers(&server), want, "{name}");
    }
}
