//! The program, run as a user would: what it prints where, and its exit codes.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a panic is how a test fails

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A key of type string; names and values up to 63 bytes.
fn string(key: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(key), text(value)].concat()
}

/// A dump with its checksum.
fn dump(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = [b"REDIS0009\xfe\x00".to_vec(), records.concat(), vec![0xff]].concat();
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

fn two_keys() -> Vec<u8> {
    dump(&[string("one", "1st"), string("two", "2nd")])
}

/// A folder with one dump in it.
struct Dump {
    _folder: TempDir,
    path: PathBuf,
}

impl Dump {
    fn of(bytes: &[u8]) -> Dump {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        std::fs::write(&path, bytes).unwrap();
        Dump { _folder: folder, path }
    }

    /// Runs the program on it; `arguments` up to the path.
    fn run(&self, arguments: &str) -> Output {
        redkeep(arguments).arg(&self.path).output().unwrap()
    }
}

fn redkeep(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkeep"));
    command.args(arguments.split_whitespace());
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Runs the program with something on its standard input.
fn fed(arguments: &str, input: &[u8]) -> Output {
    let mut child = piped(arguments);
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn piped(arguments: &str) -> Child {
    redkeep(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_sound_dump_is_0_and_the_verdict_stands_first() {
    let output = Dump::of(&two_keys()).run("check");
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).starts_with("SOUND  "), "{}", stdout(&output));
    assert!(stdout(&output).contains("db 0      2  string 2"), "{}", stdout(&output));
    assert!(stdout(&output).contains("checksum    fits"), "{}", stdout(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn findings_are_3_and_say_where() {
    let twice = Dump::of(&dump(&[string("k", "1"), string("k", "2")]));
    let output = twice.run("check");
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("FINDINGS  "), "{text}");
    assert!(text.contains("duplicate_key  at byte 16  db 0  key \"k\""), "{text}");
    assert!(text.contains("What to do"), "{text}");
}

#[test]
fn damage_is_3_and_says_how_far_it_could_be_read() {
    let whole = two_keys();
    let output = Dump::of(&whole[..24]).run("check");
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("DAMAGED  "), "{text}");
    assert!(text.contains("read up to byte 20 of 24"), "{text}");
    assert!(text.contains("DAMAGE  ends_inside  at byte 24"), "{text}");

    let mut flipped = whole;
    flipped[17] ^= 1; // in a value
    let output = Dump::of(&flipped).run("check");
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("checksum_mismatch"), "{}", stdout(&output));
}

#[test]
fn a_form_that_cannot_be_read_is_not_called_damage() {
    let pre_ga_module = [b"\x06\x01m\x81".to_vec(), vec![0; 9]].concat();
    let output = Dump::of(&dump(&[string("k", "v"), pre_ga_module])).run("check");
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("UNREADABLE  "), "{text}");
    assert!(!text.contains("missing or wrong"), "{text}");
}

#[test]
fn what_cannot_be_read_is_1() {
    for verb in ["check", "export"] {
        let output = redkeep(verb).arg("/no/such/dump.rdb").output().unwrap();
        assert_eq!(code(&output), 1, "{verb}");
        assert!(stderr(&output).contains("/no/such/dump.rdb"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
        let folder = tempfile::tempdir().unwrap();
        let output = redkeep(verb).arg(folder.path()).output().unwrap();
        assert_eq!(code(&output), 1, "{verb}");
        assert!(stderr(&output).contains("directory"), "{}", stderr(&output));
    }
}

#[test]
fn arguments_that_make_no_sense_are_2() {
    let wrong = [
        "",
        "frobnicate x",
        "check",
        "check --for dragonfly-1.0 x",
        "check --level deepest x",
        "check --level loadable x",
        "check --level elements --for redis-6.2 x",
        "check --module bf x",
        "export --format xml x",
    ];
    for arguments in wrong {
        let output = redkeep(arguments).output().unwrap();
        assert_eq!(code(&output), 2, "{arguments}");
        assert_eq!(stdout(&output), "", "{arguments}");
        assert!(!output.stderr.is_empty(), "{arguments}");
    }
    for arguments in ["--help", "check --help", "--version"] {
        let output = redkeep(arguments).output().unwrap();
        assert_eq!(code(&output), 0, "{arguments}");
        assert_eq!(stderr(&output), "", "{arguments}");
    }
}

#[test]
fn the_report_is_one_json_document() {
    let output = Dump::of(&dump(&[string("k", "1"), string("k", "2")])).run("check --json");
    assert_eq!(code(&output), 3);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "findings");
    assert_eq!(report["keys"], 2);
    assert_eq!(report["checksum"]["state"], "ok");
    assert_eq!(report["findings"][0]["code"], "duplicate_key");
    assert_eq!(report["findings"][0]["offset"], 16);

    let output = Dump::of(b"REDIS0009").run("check --json");
    assert_eq!(code(&output), 3);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "damaged");
}

#[test]
fn a_server_can_be_asked_about() {
    // A hash in a listpack, as servers write it since 7.0: field 1, value 2.
    let hash = b"\x10\x01h\x0b\x0b\x00\x00\x00\x02\x00\x01\x01\x02\x01\xff".to_vec();
    let dump = Dump::of(&dump(&[hash]));
    let new = dump.run("check --for redis-7.0");
    assert_eq!(code(&new), 0, "{}", stdout(&new));
    assert!(stdout(&new).contains("redis-7.0 would load it"), "{}", stdout(&new));
    let old = dump.run("check --for redis-6.2");
    assert_eq!(code(&old), 3);
    assert!(stdout(&old).contains("target_type"), "{}", stdout(&old));
}

#[test]
fn the_number_of_databases_can_be_said() {
    let dump = Dump::of(b"REDIS0003\xfe\x14\x00\x01k\x01v\xff");
    assert_eq!(code(&dump.run("check")), 3);
    assert_eq!(code(&dump.run("check --databases 21")), 0);
}

#[test]
fn an_expired_key_is_counted_by_this_machine_s_clock() {
    let past = [vec![0xfd, 0, 0, 0, 1], string("k", "v")].concat();
    let output = Dump::of(&dump(&[past])).run("check --json");
    assert_eq!(code(&output), 0);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["dbs"][0]["expired"], 1);
}

#[test]
fn a_dump_cannot_steer_the_terminal() {
    let escape = "\x1b[2J\x07";
    let fact = [vec![0xfa, 3], b"foo".to_vec(), vec![5], escape.into()].concat();
    let twice = string(escape, "v");
    let output = Dump::of(&dump(&[fact, twice.clone(), twice])).run("check");
    assert_eq!(code(&output), 3);
    assert!(!output.stdout.contains(&0x1b), "{}", stdout(&output));
}

#[test]
fn every_key_is_a_line() {
    let output = Dump::of(&two_keys()).run("export");
    assert_eq!(code(&output), 0);
    assert_eq!(stderr(&output), "");
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["key"], &lines[0]["value"]), (&"one".into(), &"1st".into()));
    assert_eq!((&lines[1]["key"], &lines[1]["value"]), (&"two".into(), &"2nd".into()));

    let with_facts = Dump::of(&two_keys()).run("export --facts --format jsonl");
    assert_eq!(stdout(&with_facts).lines().count(), 3);
    assert!(stdout(&with_facts).starts_with("{\"fact\":\"header\""), "{}", stdout(&with_facts));
}

#[test]
fn a_cut_dump_is_exported_up_to_the_cut_and_then_fails() {
    let whole = two_keys();
    let output = Dump::of(&whole[..24]).run("export");
    assert_eq!(code(&output), 3);
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["key"], "one");
    assert!(stderr(&output).contains("truncated"), "{}", stderr(&output));
    assert!(stderr(&output).contains("at byte 24"), "{}", stderr(&output));
    assert!(stderr(&output).contains("1 key before that printed"), "{}", stderr(&output));
}

#[test]
fn lines_of_a_dump_whose_checksum_is_wrong_do_not_leave_with_a_clean_face() {
    let mut flipped = two_keys();
    flipped[17] ^= 1; // in a value
    let output = Dump::of(&flipped).run("export");
    assert_eq!(code(&output), 3);
    assert_eq!(stdout(&output).lines().count(), 2);
    assert!(stderr(&output).contains("checksum"), "{}", stderr(&output));
}

#[test]
fn standard_input_will_do() {
    let output = fed("check -", &two_keys());
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).starts_with("SOUND  standard input"), "{}", stdout(&output));
    assert_eq!(code(&fed("check -", b"REDIS0009")), 3);
    let output = fed("export -", &two_keys());
    assert_eq!(code(&output), 0);
    assert_eq!(stdout(&output).lines().count(), 2);
}

/// Many more lines than any pipe holds.
fn many_keys() -> Vec<u8> {
    dump(&(0..100_000).map(|n| string(&format!("key:{n}"), "value")).collect::<Vec<_>>())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let dump = Dump::of(&many_keys());
    let mut child = redkeep("export")
        .arg(&dump.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::with_capacity(100, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("key:0"), "{first}");
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_1_and_no_fault_of_the_dump() {
    let dump = Dump::of(&two_keys());
    for verb in ["check", "check --json", "export"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = redkeep(verb).arg(&dump.path).stdout(full).output().unwrap();
        assert_eq!(code(&output), 1, "{verb}");
        assert!(stderr(&output).contains("writing to standard output"), "{}", stderr(&output));
    }
}

#[test]
#[cfg(unix)]
fn a_named_pipe_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = redkeep("check").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    std::fs::write(&pipe, two_keys()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

/// Names in the folder of a dump.
fn beside(dump: &Dump) -> Vec<String> {
    let entries = dump.path.parent().unwrap().read_dir().unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn extract(dump: &Dump, arguments: &str) -> Output {
    let part = dump.path.with_file_name("part.rdb");
    redkeep("extract")
        .arg(&dump.path)
        .arg("-o")
        .arg(part)
        .args(arguments.split(' '))
        .output()
        .unwrap()
}

#[test]
fn keys_are_extracted_into_a_dump_that_is_sound() {
    let dump =
        Dump::of(&dump(&[string("user:1", "a"), string("cart", "b"), string("user:2", "c")]));
    let output = extract(&dump, "--key user:* --not-key *2 --json");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&outcome["read"], &outcome["written"]), (&3.into(), &1.into()));
    let part = dump.path.with_file_name("part.rdb");
    let shown = redkeep("export").arg(&part).output().unwrap();
    let lines: Vec<&str> = stdout(&shown).lines().collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(r#""key":"user:1""#));
    assert_eq!(code(&redkeep("check").arg(&part).output().unwrap()), 0);
    let some = dump.run("export --prefix user:");
    assert_eq!(stdout(&some).lines().count(), 2);
}

#[test]
fn an_extract_appears_whole_or_not_at_all() {
    let sound = Dump::of(&two_keys());
    assert_eq!(code(&extract(&sound, "--dry-run")), 0);
    assert_eq!(beside(&sound), ["dump.rdb"]);
    let mut bytes = two_keys();
    bytes[15] ^= 1;
    let damaged = Dump::of(&bytes);
    let output = extract(&damaged, "--key *");
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("nothing was written"), "{}", stderr(&output));
    assert_eq!(beside(&damaged), ["dump.rdb"]);
}

#[test]
fn a_file_that_is_there_is_kept() {
    let dump = Dump::of(&two_keys());
    let part = dump.path.with_file_name("part.rdb");
    std::fs::write(&part, "precious").unwrap();
    assert_eq!(code(&extract(&dump, "--key one")), 1);
    assert_eq!(std::fs::read(&part).unwrap(), b"precious");
    assert_eq!(code(&extract(&dump, "--key one --force")), 0);
    assert_eq!(code(&redkeep("check").arg(&part).output().unwrap()), 0);
    let itself = redkeep("extract --force -o").arg(&dump.path).arg(&dump.path).output().unwrap();
    assert_eq!(code(&itself), 2);
    assert_eq!(std::fs::read(&dump.path).unwrap(), two_keys());
    assert_eq!(beside(&dump), ["dump.rdb", "part.rdb"]);
}

/// The commands that the README tells people to try do what it says.
#[test]
fn the_readme_is_right() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("cargo run --release --features cli -- "))
        .collect();
    assert_eq!(commands.len(), 3);
    for arguments in commands {
        let output = redkeep(arguments).current_dir(root).output().unwrap();
        let want = if arguments.contains("--for") { 3 } else { 0 };
        assert_eq!(code(&output), want, "{arguments}: {}", stderr(&output));
        // What it shows of a report is what comes, but for how long ago that was.
        if arguments.starts_with("check tests") {
            let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
            let steady = |text: &str| -> Vec<String> {
                let lines = text.lines();
                lines.filter(|line| !line.starts_with("  saved ")).map(str::to_owned).collect()
            };
            assert_eq!(steady(stdout(&output)), steady(shown));
        }
    }
}

/// A folder with one log in it that ends inside a command.
fn torn_log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    std::fs::write(&path, b"*1\r\n$8\r\nFLUSHALL\r\n*2\r\n$3\r\nDE").unwrap();
    (folder, path)
}

fn repair(arguments: &str, path: &std::path::Path) -> Output {
    redkeep("repair").arg(path).args(arguments.split_whitespace()).output().unwrap()
}

#[test]
fn a_repair_is_a_plan_until_it_is_told_to_apply_it() {
    let (folder, path) = torn_log();
    let before = std::fs::read(&path).unwrap();
    let output = repair("--in-place --for redis-7.0", &path);
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("PLAN  1 command (18 bytes) kept"), "{text}");
    assert!(text.contains("bytes 18 to 28 go: the file ends inside a record"), "{text}");
    assert!(text.contains("redis-7.0 would load the result"), "{text}");
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let output = repair("--apply --in-place", &path);
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("kept aside: "), "{}", stdout(&output));
    assert_eq!(std::fs::read(&path).unwrap(), before[..18]);
    let names = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let aside = names.filter(|name| *name != path).collect::<Vec<_>>();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(&aside[0]).unwrap(), before);

    let output = repair("--apply --in-place", &path);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).starts_with("NOTHING TO REPAIR"), "{}", stdout(&output));
}

#[test]
fn a_repair_into_a_folder_leaves_the_log_alone_and_speaks_json() {
    let (folder, path) = torn_log();
    let before = std::fs::read(&path).unwrap();
    let out = folder.path().join("new");
    let output = repair(&format!("--apply --json -o {}", out.display()), &path);
    assert_eq!(code(&output), 3);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["plan"]["files"][0]["losses"][0]["cause"], "torn");
    assert_eq!(json["outcome"]["kept"]["commands"], 1);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read(out.join("appendonly.aof")).unwrap(), before[..18]);
    let again = repair(&format!("--apply -o {}", out.display()), &path);
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("is not empty"), "{}", stderr(&again));
}

#[test]
fn a_repair_that_makes_no_sense_is_2_and_one_that_cannot_be_is_1() {
    let (folder, path) = torn_log();
    for arguments in [
        "--apply",
        "--salvage --to-command 1",
        "--to-time tomorrow",
        "--to-offset x",
        "--suspicious",
        "--in-place -o there",
        "--to-time 5",
        "--to-offset other.aof:1",
    ] {
        assert_eq!(code(&repair(arguments, &path)), 2, "{arguments}");
    }
    assert_eq!(code(&repair("", &folder.path().join("nothing.aof"))), 1);
    let rdb = folder.path().join("rdb.aof");
    std::fs::write(&rdb, b"REDIS0009\xfe").unwrap();
    let output = repair("--apply --in-place", &rdb);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("in the way: rdb.aof"), "{}", stdout(&output));
    assert_eq!(code(&repair("--to-command 0", &path)), 3);
    assert_eq!(code(&repair("--to-offset 18", &path)), 3);
}
