//! The check of logs: what servers wrote is sound, what they refuse never is.

use super::common::{Json, corpus, lines, release};
use super::damaged::{BY_TRANSACTION, LENIENT};
use super::random::Random;
use super::servers::{ALL, Server};
use redis::{Connection, cmd};
use redkeep::aof::check::{AofCheckOptions, Outcome, Report, Verdict, check_fileset, check_log};
use redkeep::aof::{EndKind, SliceReader, write_command};
use redkeep::rdb::ServerVersion;
use redkeep::rdb::check::CheckOptions;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SLOW: Duration = Duration::from_secs(10);

fn options(target: Option<ServerVersion>) -> AofCheckOptions {
    let rules = CheckOptions::default();
    AofCheckOptions::new(match target {
        Some(server) => rules.target(server),
        None => rules,
    })
}

fn check(log: &[u8]) -> Report {
    check_log(log, "a.aof", &options(None)).unwrap()
}

fn log(commands: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for command in commands {
        write_command(&command.split(' ').collect::<Vec<_>>(), &mut out).unwrap();
    }
    out
}

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let all = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = all.filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

/// What is wrong with the cases of a folder, and how many logs were sound.
fn all_sound(folder: &Path) -> (usize, Vec<String>) {
    let (mut logs, mut wrong) = (0, Vec::new());
    for server in folders(folder) {
        let name = server.file_name().unwrap().to_str().unwrap().to_owned();
        for case in folders(&server) {
            let shown = case.file_name().unwrap().to_str().unwrap();
            if !shown.starts_with("aof-") || name == "damaged" {
                continue;
            }
            let target = release(&name);
            for options in [options(None), options(Some(target))] {
                let report = check_fileset(&case, &options).unwrap();
                let fits = report.target.is_none_or(|target| target.outcome == Outcome::Loads);
                if report.verdict != Verdict::Sound || !fits {
                    let findings = &report.findings;
                    wrong.push(format!("{name}/{shown}: {:?} {findings:?}", report.target));
                }
            }
            let parts = case.join("appendonlydir");
            let parts = if parts.is_dir() { parts } else { case.clone() };
            for file in parts.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
                if file.extension().is_some_and(|extension| extension == "aof") {
                    logs += 1;
                    let report = check(&fs::read(&file).unwrap());
                    if report.verdict != Verdict::Sound || report.files[0].cut.is_some() {
                        wrong.push(format!("{}: {:?}", file.display(), report.findings));
                    }
                }
            }
        }
    }
    (logs, wrong)
}

#[test]
fn logs_of_real_servers_are_sound_and_load_where_they_were_written() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (logs, wrong) = all_sound(&here);
    assert!(wrong.is_empty() && logs >= 13, "{logs}:\n{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn every_log_of_the_wide_corpus_is_sound() {
    let Some(corpus) = corpus() else { return };
    let (logs, wrong) = all_sound(&corpus);
    println!("{logs} logs");
    assert!(wrong.is_empty() && logs >= 226, "{logs}:\n{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn what_its_server_refused_is_never_sound() {
    let Some(corpus) = corpus() else { return };
    let (mut all, mut compared, mut wrong) = (0, 0, Vec::new());
    for folder in folders(&corpus.join("damaged")) {
        let server = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for case in lines(&folder.join("cases.jsonl")) {
            if case["kind"] == "rdb" || case.get("truncate_to_timestamp").is_some() {
                continue;
            }
            all += 1;
            let begun = Instant::now();
            match judge(&folder, &server, &case) {
                Ok(as_the_checker) => compared += u32::from(as_the_checker),
                Err(text) => wrong.push(format!("{server}/{}: {text}", case["id"])),
            }
            assert!(begun.elapsed() < SLOW, "{server}/{}", case["id"]);
        }
    }
    println!("{all} cases, {compared} boundaries compared with the checker's");
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(all > 500 && compared > 300);
}

/// Whether a boundary was compared, or what is wrong.
fn judge(folder: &Path, server: &str, case: &Json) -> Result<bool, String> {
    let id = case["id"].as_str().unwrap();
    let started = case["load"]["started"].as_bool().unwrap();
    let strictly = case["load_truncated_no"]["started"].as_bool().unwrap_or(started);
    let keys = case["load"]["dbsize"].as_object().map_or(0, serde_json::Map::len);
    let empty = tempfile::tempdir().unwrap(); // a case without any file has no folder
    let dir = folder.join(id);
    let dir = if dir.is_dir() { dir } else { empty.path().to_path_buf() };
    let alone = check_fileset(&dir, &options(None)).map_err(|error| error.to_string())?;
    let there = check_fileset(&dir, &options(Some(release(server)))).unwrap();
    let shown = format!("{:?} {:?} {:?}", there.verdict, there.target, there.findings);
    for report in [&alone, &there] {
        if (!started || !strictly) && report.verdict == Verdict::Sound {
            return Err(format!("refused, and called sound: {shown}"));
        }
    }
    match there.target.unwrap().outcome {
        Outcome::Loads | Outcome::LoadsInPart if !strictly => {
            Err(format!("said to load: {shown}"))?
        }
        Outcome::StartsEmpty if !started || keys > 0 => Err(format!("said to be empty: {shown}"))?,
        Outcome::CutsTail if strictly && id != "ts-end-cut" => {
            Err(format!("said to cut: {shown}"))?
        }
        Outcome::Refuses if strictly && !id.starts_with("aof-flip") && id != "aof-wrong-arity" => {
            Err(format!("said to be refused: {shown}"))?;
        }
        _ => {}
    }
    let intact = id.ends_with("-intact") || case["what"].as_str().unwrap().contains("sound:");
    if intact && there.verdict != Verdict::Sound {
        return Err(format!("sound, and not called so: {shown}"));
    }
    as_the_checker(case, id, server, &there)
}

/// The checker's last `ok_up_to` is our boundary in the file it was said of.
fn as_the_checker(case: &Json, id: &str, server: &str, report: &Report) -> Result<bool, String> {
    let output = case["check"]["output"].as_str().unwrap_or_default();
    let number = |name: &str| {
        let text = output.rsplit_once(name)?.1.split([',', '\n']).next()?;
        text.parse::<u64>().ok()
    };
    let (Some(ok), Some(size)) = (number("ok_up_to="), number("size=")) else { return Ok(false) };
    let wrong = server.starts_with("valkey") || output.contains("format error");
    if wrong || BY_TRANSACTION.contains(&id) || LENIENT.contains(&id) {
        return Ok(false);
    }
    match report.files.iter().any(|file| (file.valid_up_to, file.bytes) == (ok, size)) {
        true => Ok(true),
        false => Err(format!("ok up to {ok} of {size} to the checker: {:?}", report.files)),
    }
}

#[test]
fn what_the_servers_checker_gets_wrong_is_right() {
    let good = log(&["SELECT 1", "SET a b"]);
    let end = good.len() as u64;
    let with = |behind: &[u8]| check(&[&good[..], behind].concat());

    let zeros = with(&[0; 100]);
    assert_eq!((zeros.verdict, zeros.files[0].zeros), (Verdict::ZeroTail, 100));
    assert_eq!(zeros.files[0].cut.unwrap().at, end);
    assert_eq!(codes(&zeros), ["zero_tail"]);
    let torn = [&log(&["SET c 0123456789"])[..20], &[0; 50]].concat();
    assert_eq!(with(&torn).verdict, Verdict::ZeroTail);
    assert_eq!(with(b"*3\r\0\0\0").verdict, Verdict::ZeroTail);

    let count = with(&[b"*0\r\n", &log(&["DEL a", "DEL b"])[..]].concat());
    assert_eq!((count.verdict, codes(&count)), (Verdict::Corrupt, vec!["log_count", "goes_on"]));
    assert_eq!(count.files[0].goes_on_at, Some(end + 4));
    let cut = count.files[0].cut.unwrap();
    assert_eq!((cut.at, cut.commands, cut.lost_commands, cut.searched), (end, 2, 2, true));

    for (command, code) in [
        ("FROBNICATE a", "unknown_command"),
        ("SET a", "wrong_arity"),
        ("SELECT 16", "select_index"),
        ("SELECT x", "select_failed"),
        ("EXEC", "exec_without_multi"),
    ] {
        let report = with(&log(&[command, "DEL a"]));
        assert_eq!((report.verdict, codes(&report)), (Verdict::Findings, vec![code]));
        assert_eq!(report.findings[0].command, Some(2));
        assert_eq!(report.findings[0].offset, Some(end));
    }
    let old = options(Some("redis-6.2".parse().unwrap()));
    let report = check_log(&b"#x\n"[..], "a.aof", &old).unwrap();
    assert_eq!((codes(&report), report.findings[0].offset), (vec!["target_annotation"], Some(0)));
    let nested = with(&log(&["MULTI", "MULTI", "DEL a", "EXEC"]));
    assert_eq!((codes(&nested), nested.transactions), (vec!["nested_multi"], 1));

    let value = log(&["SET a \nfile", "SET b x\nfile\r\n"]);
    assert_eq!(with(&value).verdict, Verdict::Sound);

    let open = with(&log(&["MULTI", "SET c d"]));
    let cut = open.files[0].cut.unwrap();
    assert_eq!((open.verdict, cut.at, cut.commands), (Verdict::OpenMulti, end, 2));
    assert_eq!((cut.lost_bytes, cut.lost_commands), (open.bytes - end, 2));
    // Corruption inside a transaction: the boundary is before it, and its commands count as lost.
    let inside = with(&[&log(&["MULTI", "SET c d"])[..], b"\n\n"].concat());
    let cut = inside.files[0].cut.unwrap();
    assert_eq!((inside.verdict, cut.at, cut.lost_commands), (Verdict::Corrupt, end, 2));
}

#[test]
fn a_wrong_length_that_swallows_the_rest_is_no_torn_tail() {
    let swallowed = [&log(&["SET a b"])[..], b"*2\r\n$3\r\nDEL\r\n$1000\r\na\r\n"].concat();
    let rest = log(&["MULTI", "SET c d", "EXEC"]);
    let report = check(&[&swallowed[..], &rest, b"#TS:5\r\n*1\r\n$8\r\nFLUSHALL\r\n*2"].concat());
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Corrupt, vec!["ends_inside", "goes_on"])
    );
    assert_eq!(report.files[0].goes_on_at, Some(swallowed.len() as u64));
    assert_eq!(report.files[0].cut.unwrap().lost_commands, 4);
    // Nothing behind: a crash.
    assert_eq!(check(&swallowed).verdict, Verdict::TornTail);
}

#[test]
fn times_databases_and_names_are_counted() {
    let text = [b"#TS:20\r\n", &log(&["SELECT 3", "set a b", "SeT a b"])[..], b"#TS:10\r\n#x\n"];
    let report = check(&text.concat());
    assert_eq!((report.verdict, codes(&report)), (Verdict::Sound, vec!["time_backwards"]));
    assert_eq!((report.names["SET"], report.names["SELECT"]), (2, 1));
    assert_eq!((report.dbs.len(), report.dbs[0].db, report.dbs[0].commands), (1, 3, 2));
    let times = report.times.unwrap();
    assert_eq!((times.first, times.last, report.files[0].annotations), (20, 10, 3));
}

const RDB: &[u8] = b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";

#[test]
fn an_rdb_in_front_is_judged_and_no_cut_is_offered_for_it() {
    let commands = log(&["DEL a"]);
    let report = check(&[RDB, &commands].concat());
    assert_eq!((report.verdict, report.rdb_keys, report.commands), (Verdict::Sound, 1, 1));
    let mut wrong = [RDB, &commands].concat();
    wrong[RDB.len() - 1] = 1;
    let report = check(&wrong);
    assert_eq!((report.verdict, codes(&report)), (Verdict::BrokenBase, vec!["checksum_mismatch"]));
    assert!(report.files[0].cut.is_none());
    for cut in 1..RDB.len() {
        let report = check(&RDB[..cut]);
        assert_eq!(report.verdict, Verdict::BrokenBase, "{cut}");
        assert_eq!((report.bytes, report.files[0].cut), (cut as u64, None));
    }
    // A server before 4.0 takes it for commands.
    let old = [&b"REDIS0003\xff"[..], &commands].concat();
    for (server, outcome) in [("redis-3.2", Outcome::Refuses), ("redis-4.0", Outcome::Loads)] {
        let options = options(Some(server.parse().unwrap()));
        let report = check_log(&old[..], "a.aof", &options).unwrap();
        assert_eq!(report.target.unwrap().outcome, outcome);
        assert_eq!(report.verdict == Verdict::Sound, outcome == Outcome::Loads);
    }
    // Redis drops the RDB with the torn command.
    let report = check(&[RDB, &commands[..7]].concat());
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::TornTail, vec!["ends_inside", "preamble_lost"])
    );
    // A key twice in it is named only where the file can be read again.
    let twice = b"REDIS0003\xfe\x00\x00\x01k\x01v\x00\x01k\x01w\xff";
    assert_eq!(check(twice).findings[0].key, None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.aof");
    fs::write(&path, twice).unwrap();
    let report = check_fileset(&path, &options(None)).unwrap();
    assert_eq!(report.findings[0].key.as_deref(), Some("k"));
}

/// A folder of parts, checked for a server.
fn parts(files: &[(&str, &[u8])], server: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("appendonlydir");
    fs::create_dir(&dir).unwrap();
    let mut manifest = String::new();
    for (n, (name, bytes)) in files.iter().enumerate() {
        fs::write(dir.join(name), bytes).unwrap();
        let kind = if name.contains(".base.") { 'b' } else { 'i' };
        manifest += &format!("file {name} seq {} type {kind}\n", n + 1);
    }
    fs::write(dir.join("appendonly.aof.manifest"), manifest).unwrap();
    let options = options(Some(server.parse().unwrap()));
    let report = check_fileset(folder.path(), &options).unwrap();
    // The same by any of its names.
    for path in [dir.clone(), dir.join("appendonly.aof.manifest")] {
        assert_eq!(check_fileset(&path, &options).unwrap(), report);
    }
    report
}

#[test]
fn a_file_is_judged_by_where_it_stands() {
    let (base, first, last) =
        ("appendonly.aof.1.base.rdb", "appendonly.aof.2.incr.aof", "appendonly.aof.3.incr.aof");
    let whole = log(&["SET a b"]);
    let torn = &whole[..12];
    let outcome = |report: &Report| report.target.unwrap().outcome;

    let report = parts(&[(base, RDB), (first, &whole), (last, &whole)], "redis-7.0");
    assert_eq!((report.verdict, outcome(&report)), (Verdict::Sound, Outcome::Loads));
    let report = parts(&[(base, RDB), (first, &whole), (last, torn)], "redis-7.0");
    assert_eq!((report.verdict, outcome(&report)), (Verdict::TornTail, Outcome::CutsTail));
    let report = parts(&[(base, RDB), (first, torn), (last, b"")], "redis-7.0");
    assert_eq!((report.verdict, outcome(&report)), (Verdict::BrokenSet, Outcome::Refuses));
    assert_eq!(codes(&report), ["ends_inside", "torn_not_last"]);
    assert_eq!(report.files[1].verdict, Verdict::TornTail);
    let report = parts(&[(base, RDB), (first, RDB)], "redis-7.0");
    assert_eq!((report.verdict, outcome(&report)), (Verdict::Findings, Outcome::Refuses));
    assert_eq!(codes(&report), ["rdb_on_top", "rdb_increment"]);
    let report = parts(&[(base, b""), (first, &whole)], "redis-7.0");
    assert_eq!((codes(&report), outcome(&report)), (vec!["base_empty"], Outcome::LoadsInPart));

    let valkey = [(base, &b"VALKEY080\xff\0\0\0\0\0\0\0\0"[..]), (first, &whole)];
    assert_eq!(parts(&valkey, "valkey-9.1").verdict, Verdict::Sound);
    let report = parts(&valkey, "redis-8.0");
    assert_eq!((report.verdict, outcome(&report)), (Verdict::Findings, Outcome::Refuses));
    let new = log(&["HSETEX h FIELDS 1 a b"]);
    let report = parts(&[(base, RDB), (first, &new)], "redis-7.2");
    assert_eq!((codes(&report), outcome(&report)), (vec!["target_command"], Outcome::Refuses));
    assert_eq!(outcome(&parts(&[(base, RDB), (first, &new)], "redis-8.0")), Outcome::Loads);
}

#[test]
fn a_set_that_servers_refuse_or_pass_by_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let check = |server: Option<&str>| {
        let server = server.map(|server| server.parse().unwrap());
        check_fileset(folder.path(), &options(server)).unwrap()
    };
    assert_eq!((check(None).verdict, codes(&check(None))), (Verdict::Findings, vec!["no_log"]));
    let dir = folder.path().join("appendonlydir");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("appendonly.aof.1.base.rdb"), RDB).unwrap();
    let gone = check(Some("redis-7.0"));
    assert_eq!(gone.verdict, Verdict::BrokenSet);
    assert_eq!(gone.target.unwrap().outcome, Outcome::StartsEmpty);
    assert_eq!(codes(&gone), ["manifest_missing", "base_overwritten"]);
    let manifest = dir.join("appendonly.aof.manifest");
    fs::write(&manifest, b"").unwrap();
    for path in [folder.path(), &dir, &manifest] {
        let report = check_fileset(path, &options(Some("redis-7.0".parse().unwrap()))).unwrap();
        assert_eq!(
            (report.verdict, codes(&report)),
            (Verdict::BrokenSet, vec!["manifest_refused"])
        );
        assert_eq!(report.target.unwrap().outcome, Outcome::Refuses);
    }
    fs::write(&manifest, b"file appendonly.aof.7.incr.aof seq 7 type i\n").unwrap();
    assert_eq!(codes(&check(None)), ["missing", "stray"]);
    // A dump beside a log that loads is worth a note, and nothing loaded but it a problem.
    fs::write(&manifest, b"file appendonly.aof.1.base.rdb seq 1 type b\n").unwrap();
    fs::write(folder.path().join("dump.rdb"), RDB).unwrap();
    assert_eq!((check(None).verdict, codes(&check(None))), (Verdict::Sound, vec!["dump_ignored"]));
    let old = check(Some("redis-6.2"));
    assert_eq!(old.target.unwrap().outcome, Outcome::StartsEmpty);
    assert!(old.verdict == Verdict::Findings && codes(&old).contains(&"folder_ignored"));
    assert!(check_fileset(&folder.path().join("nowhere"), &options(None)).unwrap_err().is_io());
}

/// Commands of many kinds: transactions, scripts, expiries, several databases.
fn work(connection: &mut Connection, round: usize) {
    let mut run = |words: &str| {
        let mut words = words.split(' ');
        let mut command = cmd(words.next().unwrap());
        words.for_each(|word| {
            command.arg(word);
        });
        command.exec(connection).unwrap_or_else(|error| panic!("{error}"));
    };
    for n in 0..12 {
        let key = format!("{round}:{n}");
        run(&format!("SELECT {}", n % 3));
        run(&format!("SET s:{key} {}", "v".repeat(n * n)));
        run(&format!("SET e:{key} x PX 90000000"));
        run(&format!("RPUSH l:{key} a b c"));
        run(&format!("LPOP l:{key}"));
        run(&format!("SADD t:{key} 1 2 3"));
        run(&format!("SPOP t:{key}"));
        run(&format!("ZADD z:{key} 1 a 2 b"));
        run(&format!("HSET h:{key} f v g w"));
        run(&format!("INCRBYFLOAT i:{key} 1.5"));
        run(&format!("XADD x:{key} * f v"));
        run(&format!("EXPIRE s:{key} 100000"));
        run(&format!("SET g:{key} x PX 1"));
        run("MULTI");
        run(&format!("SET m:{key} 1"));
        run("SELECT 5");
        run(&format!("DEL s:{key}"));
        run(&format!("INCR m:{key}"));
        run("EXEC");
        let script = "redis.call('set',KEYS[1],ARGV[1])redis.call('incr',KEYS[1])";
        run(&format!("EVAL {script} 1 lua:{key} {n}"));
    }
}

/// The files of a log that a server wrote, by their paths below its folder.
fn written(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    let server = Server::start_in(name, folder, &settings).unwrap();
    let mut connection = server.connect().unwrap();
    work(&mut connection, 0);
    cmd("BGREWRITEAOF").exec(&mut connection).unwrap();
    loop {
        let info: String = cmd("INFO").arg("persistence").query(&mut connection).unwrap();
        if info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    work(&mut connection, 1);
    let report = check_fileset(server.folder(), &options(Some(release(name)))).unwrap();
    assert_eq!(report.verdict, Verdict::Sound, "{name}: {:?}", report.findings);
    assert_eq!(report.target.unwrap().outcome, Outcome::Loads, "{name}");
    assert!(report.rdb_keys > 50 && report.commands > 150 && report.transactions > 10, "{name}");
    let dir = match server.folder().join("appendonlydir") {
        dir if dir.is_dir() => dir,
        _ => server.folder().to_path_buf(),
    };
    let files = dir.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let parts = files.filter(|path| path.to_string_lossy().contains("appendonly.aof"));
    let below = |path: PathBuf| path.strip_prefix(server.folder()).unwrap().to_path_buf();
    parts.map(|path| (below(path.clone()), fs::read(path).unwrap())).collect()
}

/// Damages a log, and says how.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let at = random.index(bytes.len());
    match random.below(6) {
        0 | 1 => {
            bytes[at] ^= 1 << random.below(8);
            format!("a bit of byte {at}")
        }
        2 => {
            bytes.truncate(at);
            format!("cut to {at}")
        }
        3 => {
            bytes.remove(at);
            format!("byte {at} gone")
        }
        4 => {
            let to = (at + 1 + random.index(200)).min(bytes.len());
            bytes[at..to].fill(0);
            format!("zeros at {at}..{to}")
        }
        _ => {
            let lines: [&[u8]; 5] =
                [b"*0\r\n", b"\r\n", b"*1\r\n$4\r\nFROB\r\n", b"*1\r\n$3\r\nSET\r\n", b"#x\n"];
            let mut reader = SliceReader::new(bytes);
            let ends: Vec<_> = reader.by_ref().map(|record| record.unwrap().offset).collect();
            assert_eq!(reader.end().unwrap().kind, EndKind::Clean);
            let at = usize::try_from(ends[random.index(ends.len())]).unwrap();
            let line = lines[random.index(lines.len())];
            bytes.splice(at..at, line.iter().copied());
            format!("{} at {at}", line.escape_ascii())
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn logs_of_live_servers_are_sound_and_what_they_refuse_never_is() {
    let (mut refused, mut loaded, mut stricter) = (0, 0, 0);
    for name in ALL {
        let files = written(name);
        let mut random = Random(7);
        for trial in 0..80 {
            let folder = tempfile::tempdir().unwrap();
            let mut files = files.clone();
            // Mostly the increment; the base and the manifest, too.
            let logs: Vec<usize> = (0..files.len())
                .filter(|n| files[*n].0.extension().is_some_and(|kind| kind != "manifest"))
                .filter(|n| !files[*n].1.is_empty())
                .collect();
            let which = logs[random.index(logs.len())];
            let how = damage(&mut files[which].1, &mut random);
            for (path, bytes) in &files {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            let report = check_fileset(folder.path(), &options(Some(release(name)))).unwrap();
            let outcome = report.target.unwrap().outcome;
            let settings = ["--appendonly", "yes", "--aof-load-truncated", "no"];
            let started = Server::start_in(name, folder, &settings).is_some();
            let shown = format!(
                "{name}, trial {trial}, {}: {how}: {:?} {outcome:?} {:?}",
                files[which].0.display(),
                report.verdict,
                report.findings
            );
            match started {
                false => {
                    refused += 1;
                    assert_ne!(report.verdict, Verdict::Sound, "{shown}");
                    assert!(outcome > Outcome::LoadsInPart, "{shown}");
                }
                true => {
                    loaded += 1;
                    // A server looks at none of the bytes that should be CR LF.
                    if outcome > Outcome::LoadsInPart {
                        stricter += 1;
                        let lines = ["log_terminator", "log_length", "log_count"];
                        assert!(lines.contains(&codes(&report)[0]), "{shown}");
                    }
                }
            }
        }
    }
    println!("{refused} refused, {loaded} loaded, {stricter} of those with a wrong line end");
    assert!(refused > 100 && loaded > 20, "{refused} {loaded}");
}
