//! Logs that are written here: they read as they were written, and servers load them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/answers.rs"]
mod answers;
#[allow(dead_code)] // more than is needed here
#[path = "aof/common.rs"]
mod common;
#[path = "common/servers.rs"]
mod servers;

use answers::answers;
use common::release;
use redis::cmd;
use redkeep::aof::{
    Content, Fileset, FilesetOptions, Layout, Manifest, RecordKind, SliceReader, Startup,
    write_command,
};
use redkeep::export::CommandsOptions;
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::convert::ConvertOptions;
use redkeep::rdb::{EventKind, OnLoss, Role};
use redkeep::select::{Condition, Expiry, FilterOptions};
use redkeep::task::{
    AofOptions, AofOutcome, ExtractOptions, LogFolder, SingleLog, aof_from_aof, aof_from_dump,
    dump_from_aof, extract,
};
use redkeep::{ErrorKind, Fault, Result, UnixMillis};
use servers::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn find(path: &Path) -> Fileset {
    Fileset::find(path, &FilesetOptions::new("redis-8.8".parse().unwrap())).unwrap()
}

/// What a log holds: the records of its files byte for byte, SELECT 0 where a file begins, and of
/// RDBs all but what says what they are for and the checksum over that.
fn content(fileset: &Fileset) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for file in &fileset.files {
        for record in SliceReader::new(&fs::read(&file.path).unwrap()) {
            let record = record.unwrap();
            if let RecordKind::Rdb(event) = record.kind
                && (Role::of(&event).is_some() || matches!(event.kind(), EventKind::Footer(_)))
            {
                continue;
            }
            all.push(record.raw().to_vec());
        }
    }
    all
}

fn to_folder(source: &Path, path: &Path) -> Result<(AofOutcome, Fileset)> {
    let mut folder = LogFolder::create(path, "appendonly.aof", false)?;
    let outcome = aof_from_aof(&find(source), &mut folder, &AofOptions::default())?;
    folder.commit()?;
    Ok((outcome, find(path)))
}

fn to_file(source: &Path, path: &Path) -> Result<(AofOutcome, Fileset)> {
    let mut log = SingleLog::new(Vec::new());
    let outcome = aof_from_aof(&find(source), &mut log, &AofOptions::default())?;
    let bytes = log.into_inner();
    assert_eq!(bytes.len() as u64, outcome.bytes);
    fs::write(path, bytes).unwrap();
    Ok((outcome, find(path)))
}

/// The folders `<server>/<case>` below these.
fn cases(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for folder in folders {
        for server in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            let name = server.file_name().unwrap().to_str().unwrap();
            if server.is_dir() && (name.starts_with("redis") || name.starts_with("valkey")) {
                cases.extend(server.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
    cases.retain(|case| case.is_dir());
    cases.sort();
    cases
}

#[allow(clippy::print_stdout)] // said by the test that calls it
fn corpus() -> Vec<PathBuf> {
    let wide = std::env::var_os("REDKEEP_CORPUS").map(PathBuf::from);
    if wide.is_none() {
        println!("only the files kept here: REDKEEP_CORPUS is not set");
    }
    [Some(PathBuf::from(HERE)), wide].into_iter().flatten().collect()
}

#[test]
fn single_files_become_folders_and_single_files_again_with_every_record_as_it_was() {
    let (mut same_file, mut joined, mut records, mut selects) = (0, 0, 0, 0);
    for case in cases(&corpus()) {
        if !case.file_name().unwrap().to_str().unwrap().starts_with("aof-") {
            continue;
        }
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (place.path().join("one"), place.path().join("two"));
        let source = Fileset::find(&case, &{
            let server = case.parent().unwrap().file_name().unwrap().to_str().unwrap();
            FilesetOptions::new(release(server))
        })
        .unwrap();
        let shown = case.display();
        if source.layout == Layout::Single {
            let path = &source.files[0].path;
            let (outcome, folder) = to_folder(path, &one).unwrap();
            assert_eq!((folder.layout, folder.startup), (Layout::Parts, Startup::Loads), "{shown}");
            assert!(folder.traps.is_empty(), "{shown}: {:?}", folder.traps);
            let sizes: u64 = folder.files.iter().map(|file| file.size).sum();
            assert_eq!((content(&folder), sizes), (content(&source), outcome.bytes), "{shown}");
            to_file(&one, &two).unwrap();
            assert!(fs::read(&two).unwrap() == fs::read(path).unwrap(), "{shown} is another file");
            same_file += 1;
            records += outcome.records;
        } else {
            let (outcome, file) = to_file(&case, &two).unwrap();
            let (_, folder) = to_folder(&two, &one).unwrap();
            assert_eq!(content(&folder), content(&file), "{shown}");
            let mut lacking = content(&source).into_iter().peekable();
            let mut added = 0;
            for record in content(&file) {
                match lacking.next_if_eq(&record) {
                    Some(_) => {}
                    None => {
                        assert_eq!(record, b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "{shown}");
                        added += 1;
                    }
                }
            }
            assert!(lacking.next().is_none() && added == outcome.selects, "{shown}");
            joined += 1;
            selects += added;
            records += outcome.records;
            // And a folder of a folder is the same files, but for those that only waited.
            let (_, again) = to_folder(&case, &place.path().join("three")).unwrap();
            assert_eq!(content(&again), content(&source), "{shown}");
        }
    }
    println!("{same_file} files, {joined} folders, {records} records, {selects} SELECTs added");
    assert!(same_file >= 2 && joined >= 5 && records > 1000);
}

#[test]
fn dumps_become_logs_and_the_same_dumps_again() {
    let (mut same, mut others) = (0, 0);
    for case in cases(&corpus()) {
        let Ok(dump) = fs::read(case.join("dump.rdb")) else { continue };
        if check_slice(&dump, &CheckOptions::default()).verdict == Verdict::Unreadable {
            continue;
        }
        let shown = case.display();
        let role = |bytes: &[u8]| {
            let mut events = SliceReader::new(bytes).map_while(|record| match record.ok()?.kind {
                RecordKind::Rdb(event) => Some(Role::of(&event)),
                _ => None,
            });
            events.find_map(|role| role)
        };
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("appendonlydir");
        let mut folder = LogFolder::create(&path, "appendonly.aof", false).unwrap();
        let options = AofOptions::default();
        let outcome = match aof_from_dump(&dump[..], &mut folder, &options) {
            Ok(outcome) => outcome,
            Err(error) => panic!("{shown}: {error}"),
        };
        folder.commit().unwrap();
        let log = find(&path);
        assert_eq!(log.files[0].size, outcome.bytes);
        let base = fs::read(&log.files[0].path).unwrap();
        let mut back = Vec::new();
        assert_eq!(dump_from_aof(&log, &mut back, &options).unwrap().keys, outcome.keys);
        let mut single = SingleLog::new(Vec::new());
        aof_from_dump(&dump[..], &mut single, &options).unwrap();
        let single = single.into_inner();
        let file = place.path().join("single.aof");
        fs::write(&file, &single).unwrap();
        let mut again = Vec::new();
        dump_from_aof(&find(&file), &mut again, &options).unwrap();
        let version: u16 = std::str::from_utf8(&dump[6..9]).unwrap().parse().unwrap();
        if version >= 7 {
            let roles = (role(&base), role(&single));
            assert_eq!(roles, (Some(Role::Base), Some(Role::Preamble)), "{shown}");
        } else {
            assert!(base == dump && single == dump, "{shown}");
        }
        // Of the two fields every dump has at most one, and comes back by the log that has it too.
        match role(&dump) {
            None if version >= 7 => others += 1,
            _ => {
                assert!(back == dump || again == dump, "{shown} is another file");
                same += 1;
            }
        }
    }
    println!("{same} dumps came back byte for byte, {others} got a field that they had not");
    assert!(same > 5);
}

/// What is printed of every log in the corpus is what is in it.
#[cfg(feature = "json")]
#[test]
fn all_that_is_in_a_log_is_printed() {
    use redkeep::task::{CatFormat, CatOptions, cat_aof};
    let (mut logs, mut printed) = (0, 0);
    for case in cases(&corpus()) {
        if !case.file_name().unwrap().to_str().unwrap().starts_with("aof-") {
            continue;
        }
        let (fileset, shown) = (find(&case), case.display());
        let (mut lines, mut commands) = (Vec::new(), Vec::new());
        let outcome = cat_aof(&fileset, &mut lines, &CatOptions::default()).unwrap();
        assert!(outcome.damage.is_none() && outcome.read == outcome.printed, "{shown}");
        let options = CatOptions::default().format(CatFormat::Resp);
        cat_aof(&fileset, &mut commands, &options).unwrap();
        let lines: Vec<serde_json::Value> = std::str::from_utf8(&lines)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let mut lines = lines.iter();
        let mut raw = Vec::new();
        for file in &fileset.files {
            let mut keys = 0;
            for record in SliceReader::new(&fs::read(&file.path).unwrap()) {
                let record = record.unwrap();
                match record.kind {
                    RecordKind::Rdb(event) => {
                        keys += u64::from(event.begins_key());
                        if matches!(event.kind(), EventKind::Footer(_)) {
                            let line = lines.next().unwrap();
                            assert_eq!(line["rdb"]["keys"], keys, "{shown}");
                            assert_eq!(line["rdb"]["bytes"], record.offset + 8, "{shown}");
                        }
                        continue;
                    }
                    RecordKind::Command(_) => raw.extend_from_slice(record.raw()),
                    _ => {}
                }
                let line = lines.next().unwrap();
                assert_eq!(line["file"], file.name, "{shown}");
                assert_eq!(
                    (line["offset"].as_u64(), line["record"].as_u64()),
                    (Some(record.offset), Some(record.number)),
                    "{shown}"
                );
                let args = record.command().map(|command| command.args().count());
                assert_eq!(line["args"].as_array().map(Vec::len), args, "{shown}");
            }
        }
        assert!(lines.next().is_none() && commands == raw, "{shown}");
        logs += 1;
        printed += outcome.printed;
    }
    println!("{logs} logs, {printed} records printed");
    assert!(logs >= 8 && printed > 1000);
}

fn log(commands: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for command in commands {
        write_command(&command.split(' ').collect::<Vec<_>>(), &mut out).unwrap();
    }
    out
}

const RDB: &[u8] = b"REDIS0010\xfa\x08aof-base\xc0\x01\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";

/// A folder of a log with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = String::new();
    for (n, (end, bytes)) in files.iter().enumerate() {
        fs::write(folder.path().join(format!("appendonly.aof.{n}.{end}")), bytes).unwrap();
        let kind = if end.starts_with("base") { "b" } else { "i" };
        manifest += &format!("file appendonly.aof.{n}.{end} seq {} type {kind}\n", n + 1);
    }
    fs::write(folder.path().join("appendonly.aof.manifest"), manifest).unwrap();
    folder
}

#[test]
fn a_log_with_commands_is_no_dump_and_says_which_comes_first() {
    let select = log(&["SELECT 3"]);
    let empty = folder(&[("base.rdb", RDB), ("incr.aof", &[b"#TS:1\r\n", &select[..]].concat())]);
    let mut dump = Vec::new();
    let outcome = dump_from_aof(&find(empty.path()), &mut dump, &AofOptions::default()).unwrap();
    assert_eq!((outcome.keys, outcome.annotations_dropped, outcome.files), (1, 1, 2));
    let set = log(&["SELECT 3", "SET a 1"]);
    for files in [
        vec![("base.rdb", RDB), ("incr.aof", &set[..])],
        vec![("base.rdb", RDB), ("incr.aof", RDB)],
        vec![("base.aof", &select[..])],
    ] {
        let folder = folder(&files);
        let error = dump_from_aof(&find(folder.path()), &mut Vec::new(), &AofOptions::default());
        assert_eq!(error.unwrap_err().fault(), Some(Fault::NeedsReplay), "{files:?}");
    }
}

#[test]
fn what_is_damaged_or_cannot_be_put_in_a_form_gives_no_log() {
    let set = log(&["SET a 1"]);
    let place = tempfile::tempdir().unwrap();
    let torn = folder(&[("base.rdb", RDB), ("incr.aof", &set[..set.len() - 1])]);
    assert!(to_folder(torn.path(), &place.path().join("a")).unwrap_err().is_truncated());
    let twice = folder(&[("base.aof", &set), ("incr.aof", RDB)]);
    let error = to_file(twice.path(), &place.path().join("b")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let (_, copy) = to_folder(twice.path(), &place.path().join("c")).unwrap();
    assert_eq!(copy.files[1].content, Content::Rdb);
    fs::remove_file(twice.path().join("appendonly.aof.1.incr.aof")).unwrap();
    let error = to_file(twice.path(), &place.path().join("d")).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::LogRefused));
    assert!(error.to_string().contains("appendonly.aof.1.incr.aof is not there"), "{error}");
    let error = to_file(place.path(), &place.path().join("e")).unwrap_err();
    assert!(error.to_string().contains("there is none"), "{error}");
    let left: Vec<_> = place.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["c"]);
}

#[test]
fn for_another_server_bases_are_converted_and_commands_it_does_not_know_named() {
    let options = |server: &str| {
        let convert = ConvertOptions::new(server.parse().unwrap());
        AofOptions::default().convert(convert.on_loss(OnLoss::Drop))
    };
    let convert = |fileset: &Fileset, server: &str| {
        let mut log = SingleLog::new(Vec::new());
        let outcome = aof_from_aof(fileset, &mut log, &options(server));
        outcome.map(|_| log.into_inner())
    };
    let sound = folder(&[("base.rdb", RDB), ("incr.aof", &log(&["SET a 1"]))]);
    let old = convert(&find(sound.path()), "redis-6.2").unwrap();
    assert!(old.starts_with(b"REDIS0009\xfa\x0caof-preamble\xc0\x01"));
    assert!(old.ends_with(&log(&["SET a 1"])));
    assert_eq!(convert(&find(sound.path()), "redis-3.2").unwrap_err().kind(), ErrorKind::Usage);
    let mut parts = LogFolder::create(&sound.path().join("x"), "a", false).unwrap();
    let error = aof_from_aof(&find(sound.path()), &mut parts, &options("redis-6.2")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);

    let restore = |version: u8| {
        let payload = [b"\x00\x01v".as_slice(), &[version, 0], &[0; 8]].concat();
        let mut out = Vec::new();
        write_command(&[b"RESTORE", &b"k"[..], b"0", &payload], &mut out).unwrap();
        out
    };
    for (commands, server, loads) in [
        (log(&["HSETEX k KEEPTTL FIELDS 1 f v"]), "redis-7.4", false),
        (log(&["HSETEX k KEEPTTL FIELDS 1 f v"]), "redis-8.0", true),
        (log(&["JSON.SET k . 1"]), "redis-8.0", false),
        (restore(10), "redis-6.2", false),
        (restore(9), "redis-6.2", true),
        (restore(80), "redis-8.0", false),
        (restore(80), "valkey-9.1", true),
    ] {
        let folder = folder(&[("base.aof", &commands)]);
        match convert(&find(folder.path()), server) {
            Ok(copy) => assert!(loads && copy == commands, "{server}"),
            Err(error) => assert!(!loads && error.fault() == Some(Fault::Loss), "{error}"),
        }
    }
}

fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis::new(now.as_millis().try_into().unwrap())
}

/// The dump without the keys that are past their time, which a server drops from a dump and keeps
/// in a log.
fn without_expired(dump: &[u8]) -> Result<Vec<u8>> {
    let gone = Condition::expiry([Expiry::ExpiredAt(now())]);
    let filter = FilterOptions::default().exclude(gone);
    let mut rest = Vec::new();
    let options = ExtractOptions::default().filter(filter).functions(true);
    let outcome = extract(dump, &mut rest, &options)?;
    Ok(if outcome.read == outcome.written { dump.to_vec() } else { rest })
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_load_logs_made_of_dumps_as_they_load_the_dumps() {
    for name in servers::ALL {
        let (mut loaded, mut refused) = (0, 0);
        for case in cases(&corpus()) {
            let Ok(dump) = fs::read(case.join("dump.rdb")) else { continue };
            let Ok(dump) = without_expired(&dump) else { continue };
            let shown = format!("{} on {name}", case.display());
            let Some(server) = Server::start(name, Some(&dump)) else {
                refused += 1;
                continue;
            };
            let before = answers(&server);
            drop(server);
            let data = tempfile::tempdir().unwrap();
            let options = AofOptions::default();
            if name == "redis-6.2" {
                let mut log = SingleLog::new(Vec::new());
                aof_from_dump(&dump[..], &mut log, &options).unwrap();
                fs::write(data.path().join("appendonly.aof"), log.into_inner()).unwrap();
            } else {
                let path = data.path().join("appendonlydir");
                let mut folder = LogFolder::create(&path, "appendonly.aof", false).unwrap();
                aof_from_dump(&dump[..], &mut folder, &options).unwrap();
                folder.commit().unwrap();
            }
            let server = Server::start_in(name, data, &["--appendonly", "yes"]).expect(&shown);
            assert_eq!(answers(&server), before, "{shown}");
            let mut connection = server.connect().unwrap();
            cmd("SET").arg("written later").arg(1).exec(&mut connection).unwrap();
            loaded += 1;
            if name != "redis-6.2" {
                // It goes on in our increment, and its manifest is still the one we wrote.
                let path = server.folder().join("appendonlydir");
                let manifest = fs::read(path.join("appendonly.aof.manifest")).unwrap();
                let manifest = Manifest::parse(&manifest).unwrap();
                assert_eq!(manifest.increments.len(), 1, "{shown}");
                let increment = fs::read(path.join("appendonly.aof.1.incr.aof")).unwrap();
                assert!(increment.windows(13).any(|bytes| bytes == b"written later"), "{shown}");
            }
        }
        println!("{name}: {loaded} dumps loaded alike, {refused} refused as a dump already");
        assert!(loaded >= 2);
    }
}

/// As servers rewrite a log with `aof-use-rdb-preamble no`.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_load_logs_of_plain_commands_as_they_load_the_dumps() {
    let written_by =
        |server: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(server);
    for name in servers::ALL {
        let from = if name == "redis-6.2" { "redis-6.2.16/lru" } else { "redis-7.0.15/default" };
        let dump = fs::read(written_by(from).join("dump.rdb")).unwrap();
        let dump = without_expired(&dump).unwrap();
        let before = answers(&Server::start(name, Some(&dump)).expect(name));
        let data = tempfile::tempdir().unwrap();
        let commands = CommandsOptions::plain(name.parse().unwrap());
        let commands = commands.functions(true).on_loss(OnLoss::Drop);
        let options = AofOptions::default().commands(commands);
        let outcome = if name == "redis-6.2" {
            let mut log = SingleLog::new(Vec::new());
            let outcome = aof_from_dump(&dump[..], &mut log, &options).unwrap();
            fs::write(data.path().join("appendonly.aof"), log.into_inner()).unwrap();
            outcome
        } else {
            let path = data.path().join("appendonlydir");
            let mut folder = LogFolder::create(&path, "appendonly.aof", false).unwrap();
            let outcome = aof_from_dump(&dump[..], &mut folder, &options).unwrap();
            folder.commit().unwrap();
            assert!(path.join("appendonly.aof.1.base.aof").exists());
            outcome
        };
        let commands = outcome.commands.unwrap();
        assert_eq!((commands.read, commands.losses.dropped_keys()), (outcome.keys, 0), "{name}");
        let server = Server::start_in(name, data, &["--appendonly", "yes"]).expect(name);
        assert_eq!(answers(&server), before, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_load_logs_that_were_put_in_the_other_form_as_they_load_the_logs() {
    for (name, forms) in [
        ("redis-6.2", "file"),
        ("redis-7.0", "both"),
        ("redis-8.0", "both"),
        ("valkey-9.1", "both"),
    ] {
        let (mut loaded, mut refused) = (0, 0);
        for case in cases(&corpus()) {
            let server = case.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
            let own =
                server.starts_with(name) || (forms == "both" && server.starts_with("redis-6.2"));
            let is_log = case.file_name().unwrap().to_str().unwrap().starts_with("aof-");
            if !own || !is_log {
                continue;
            }
            let shown = format!("{} on {name}", case.display());
            let start = |make: &dyn Fn(&Path)| {
                let data = tempfile::tempdir().unwrap();
                make(data.path());
                let server = Server::start_in(name, data, &["--appendonly", "yes"])?;
                Some(answers(&server))
            };
            let copy_file = |data: &Path| {
                to_file(&case, &data.join("appendonly.aof")).unwrap();
            };
            let copy_folder = |data: &Path| {
                to_folder(&case, &data.join("appendonlydir")).unwrap();
            };
            let as_it_is = |data: &Path| copy_all(&case, data);
            // Redis 8.0.2 does not load the vector sets of 8.0.6.
            let before = start(&as_it_is);
            refused += u64::from(before.is_none());
            assert_eq!(start(&copy_file), before, "{shown}");
            if forms == "both" {
                assert_eq!(start(&copy_folder), before, "{shown}");
            }
            loaded += u64::from(before.is_some());
        }
        println!("{name}: {loaded} logs loaded alike, {refused} refused alike");
        assert!(loaded > 0, "{name}");
    }
}

/// What no server writes and all load: an increment without SELECT, and a base with nothing in it.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_are_in_the_same_databases_at_seams_that_they_do_not_make() {
    let seam = [("base.aof", &log(&["SELECT 2", "SET a 1"])[..]), ("incr.aof", &log(&["SET b 1"]))];
    let empty = [("base.aof", &b""[..])];
    for (files, keys) in [(&seam[..], vec!["db0:keys=1", "db2:keys=1"]), (&empty, vec![])] {
        let source = folder(files);
        for name in ["redis-7.0", "redis-8.0", "valkey-9.1"] {
            let answer = |make: &dyn Fn(&Path)| {
                let data = tempfile::tempdir().unwrap();
                make(data.path());
                answers(&Server::start_in(name, data, &["--appendonly", "yes"]).unwrap()).1
            };
            let as_file = answer(&|data| {
                to_file(source.path(), &data.join("appendonly.aof")).unwrap();
            });
            let as_folder = answer(&|data| {
                to_folder(source.path(), &data.join("appendonlydir")).unwrap();
            });
            assert_eq!((as_file, as_folder), (keys_of(&keys), keys_of(&keys)), "{name}");
        }
    }
}

fn keys_of(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn copy_all(from: &Path, to: &Path) {
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            fs::create_dir(to.join(name)).unwrap();
            copy_all(&path, &to.join(name));
        } else if name.to_str().unwrap().contains("appendonly.aof") {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
