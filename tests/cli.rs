//! The program, run as a user would: what it prints where, and its exit codes.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // how a test fails

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
    for verb in ["check", "digest", "export"] {
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
        "digest",
        "digest --server dragonfly-1.0 x",
        "digest x y z",
        "digest - -",
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
    for verb in ["export", "digest --keys"] {
        let mut child = redkeep(verb)
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
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_1_and_no_fault_of_the_dump() {
    let dump = Dump::of(&two_keys());
    for verb in ["check", "check --json", "digest", "digest --keys --json", "export"] {
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

/// A hash in a listpack, as Redis 7.0 has it, and an array, which no server before 8.8 has.
fn newer() -> Dump {
    let hash = b"\x10\x01h\x0d\x0d\0\0\0\x02\0\x81f\x02\x81v\x02\xff".to_vec();
    let array = b"\x1c\x01a\x01\x00\x00\x03\x01x".to_vec();
    Dump::of(&dump(&[hash, array]))
}

#[test]
fn a_dump_is_converted_unless_something_would_be_lost() {
    let dump = newer();
    let old = dump.path.with_file_name("old.rdb");
    let convert =
        |arguments: &str| redkeep(arguments).arg(&dump.path).arg("-o").arg(&old).output().unwrap();
    let refused = convert("convert --for redis-6.2");
    assert_eq!(code(&refused), 1);
    assert!(stderr(&refused).contains("redis-6.2 would lose arrays: 1"), "{}", stderr(&refused));
    assert_eq!(beside(&dump), ["dump.rdb"]);
    let told = convert("convert --for redis-6.2 --dry-run --json");
    assert_eq!(code(&told), 3);
    let outcome: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(outcome["converted"]["losses"]["array"]["count"], 1);
    let written = convert("convert --for redis-6.2 --on-loss drop");
    assert_eq!(code(&written), 0, "{}", stderr(&written));
    assert!(stdout(&written).ends_with("lost: arrays: 1\n"), "{}", stdout(&written));
    assert_eq!(code(&redkeep("check --for redis-6.2").arg(&old).output().unwrap()), 0);
    let part = convert("extract --for redis-6.2 --type hash --force");
    assert_eq!(code(&part), 0, "{}", stderr(&part));
    assert_eq!(code(&redkeep("check --for redis-6.2").arg(&old).output().unwrap()), 0);
}

fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_dump_s_digest_is_one_line_and_keys_stand_before_it() {
    let dump = Dump::of(&two_keys());
    let own = dump.run("digest");
    assert_eq!((code(&own), stderr(&own)), (0, ""));
    let (digest, rest) = stdout(&own).split_once("  ").unwrap();
    assert_eq!((digest.len(), rest), (64, &*format!("{}\n", dump.path.display())));
    assert_eq!(stdout(&fed("digest -", &two_keys())), format!("{digest}  standard input\n"));
    // The same keys, packed by nobody, in another order.
    let turned = Dump::of(&self::dump(&[string("two", "2nd"), string("one", "1st")])).run("digest");
    assert!(stdout(&turned).starts_with(digest));

    let output = dump.run("digest --keys --json");
    let [one, two, whole] = &lines(&output)[..] else { panic!("{}", stdout(&output)) };
    assert_eq!((&one["db"], &one["key"]), (&0.into(), &"one".into()));
    assert_eq!((&two["key"], two["digest"].as_str().unwrap().len()), (&"two".into(), 64));
    assert_eq!((&whole["digest"], &whole["keys"]), (&digest.into(), &2.into()));
    assert_eq!(whole["server"], Value::Null);
}

#[test]
fn a_server_s_digest_is_that_of_its_debug_digest() {
    let dump = Dump::of(&self::dump(&[string("k", "v")]));
    let output = dump.run("digest --keys --server redis-7.0");
    let want = format!(
        "d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f  db 0  \"k\"\n\
         264ccf65edec66bccfa7cc659414ccca432057d2  {}\n",
        dump.path.display()
    );
    assert_eq!((code(&output), stdout(&output), stderr(&output)), (0, &*want, ""));

    // What loading changes is said, and not part of the digest.
    let past = [vec![0xfd, 0, 0, 0, 1], string("gone", "v")].concat();
    let dump = Dump::of(&self::dump(&[string("k", "v"), past]));
    let output = dump.run("digest --server redis-7.0");
    assert!(stdout(&output).starts_with("264ccf65edec66bccfa7cc659414ccca432057d2  "));
    assert!(stderr(&output).contains("1 key that has expired left out"), "{}", stderr(&output));
    let output = dump.run("digest --server redis-7.0 --json");
    let [whole] = &lines(&output)[..] else { panic!("{}", stdout(&output)) };
    assert_eq!((&whole["server"], &whole["keys"]), (&"redis-7.0".into(), &1.into()));
    assert_eq!(whole["notes"]["expired_keys"], 1);
}

#[test]
fn what_has_no_digest_gets_no_number() {
    // A module's value: a type by name, and nothing in it.
    let module = [&b"\x07\x01m\x81"[..], &[0; 9]].concat();
    let dump = Dump::of(&self::dump(&[string("k", "v"), module]));
    let output = dump.run("digest --keys --server redis-7.0");
    assert_eq!(code(&output), 3);
    assert_eq!(stdout(&output).lines().count(), 2, "{}", stdout(&output));
    assert!(stdout(&output).contains("unknown  "), "{}", stdout(&output));
    assert!(stderr(&output).contains("module type"), "{}", stderr(&output));
    assert_eq!(code(&dump.run("digest")), 0);

    let mut flipped = two_keys();
    flipped[17] ^= 1; // in a value
    for bytes in [&flipped[..], &two_keys()[..24], b"REDIS0009"] {
        for arguments in ["digest", "digest --json", "digest --server valkey-9.1"] {
            let output = Dump::of(bytes).run(arguments);
            assert_eq!((code(&output), stdout(&output)), (3, ""), "{arguments}");
            assert!(stderr(&output).contains("no digest"), "{}", stderr(&output));
        }
    }
}

/// Runs the comparison of two dumps.
fn compare(arguments: &str, first: &Dump, second: &Dump) -> Output {
    redkeep(arguments).args([&first.path, &second.path]).output().unwrap()
}

#[test]
fn two_dumps_are_the_same_or_their_keys_say_why_not() {
    let first = Dump::of(&two_keys());
    let turned = Dump::of(&dump(&[string("two", "2nd"), string("one", "1st")]));
    for arguments in ["digest", "digest --keys", "digest --server redis-7.0"] {
        let output = compare(arguments, &first, &turned);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).starts_with("SAME  "), "{}", stdout(&output));
    }
    let second = Dump::of(&dump(&[string("two", "3rd"), string("\u{1b}\"", "4th")]));
    for server in ["", " --server valkey-8.1"] {
        let output = compare(&format!("digest --keys{server}"), &first, &second);
        assert_eq!(code(&output), 3);
        let text = stdout(&output);
        assert!(text.starts_with("DIFFERENT  "), "{text}");
        let named: Vec<_> = text.lines().filter(|line| line.contains("  db 0  ")).collect();
        let want = [
            "  only in the second  db 0  \"\\x1b\\\"\"",
            "  only in the first   db 0  \"one\"",
            "  changed             db 0  \"two\"",
        ];
        assert_eq!(named, want);
        let output = compare(&format!("digest --json --keys{server}"), &first, &second);
        let [added, lost, changed, whole] = &lines(&output)[..] else { panic!("{text}") };
        assert_eq!((&added["key"], &added["how"]), (&"\u{1b}\"".into(), &"only_second".into()));
        assert_eq!((&lost["key"], &lost["how"]), (&"one".into(), &"only_first".into()));
        assert_eq!((&changed["key"], &changed["how"]), (&"two".into(), &"changed".into()));
        assert_eq!((&whole["same"], &whole["second"]["keys"]), (&false.into(), &2.into()));
        assert_ne!(whole["first"]["digest"], whole["second"]["digest"]);
    }
    let output = compare("digest", &first, &second);
    assert_eq!((code(&output), stdout(&output).lines().count()), (3, 4), "{}", stdout(&output));
}

#[test]
fn a_comparison_with_a_damaged_dump_says_which_it_is() {
    let (sound, cut) = (Dump::of(&two_keys()), Dump::of(&two_keys()[..24]));
    for (first, second) in [(&sound, &cut), (&cut, &sound)] {
        let output = compare("digest --keys", first, second);
        assert_eq!((code(&output), stdout(&output)), (3, ""));
        assert!(stderr(&output).contains(cut.path.to_str().unwrap()), "{}", stderr(&output));
    }
    let output = redkeep("digest").arg(&sound.path).arg("/no/such/dump.rdb").output().unwrap();
    assert_eq!((code(&output), stdout(&output)), (1, ""));
}

#[test]
fn keys_that_are_no_text_stay_apart() {
    let key = |byte: u8| [&[0, 1, byte][..], b"\x01v"].concat();
    let dump = Dump::of(&self::dump(&[key(0xfe), key(0xff), string("\\xff", "v")]));
    let output = dump.run("digest --keys");
    let names: Vec<_> = stdout(&output).lines().take(3).map(|line| &line[66..]).collect();
    assert_eq!(names, ["db 0  \"\\xfe\"", "db 0  \"\\xff\"", "db 0  \"\\\\xff\""]);
    let keys = lines(&dump.run("digest --keys --json"));
    assert_eq!((&keys[0]["key"]["b64"], &keys[1]["key"]["b64"]), (&"/g==".into(), &"/w==".into()));
    assert_eq!(keys[2]["key"], "\\xff");
}

/// A set; key and members up to 63 bytes.
fn set(key: &str, members: &[&str]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let count = u8::try_from(members.len()).unwrap();
    let members: Vec<u8> = members.iter().flat_map(|member| text(member)).collect();
    [vec![2], text(key), vec![count], members].concat()
}

fn exported(dump: &Dump, name: &str) -> Vec<Value> {
    let output = redkeep("export").arg(dump.path.with_file_name(name)).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_extract_leaves_out_parts_and_changes_keys_on_request() {
    let expiring =
        |at: i64, key: &str| [vec![0xfc], at.to_le_bytes().to_vec(), string(key, "v")].concat();
    let dump = Dump::of(&dump(&[
        set("tags", &["red", "blue", "grey"]),
        set("one", &["red"]),
        expiring(1_000, "old:gone"),
        expiring(4_000_000_000_000, "old:here"),
    ]));
    let output = extract(
        &dump,
        "--not-member red --rename-prefix old:=new: --db-map 0=3 --drop-expired --ttl-drop",
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for line in [
        "2 keys of 4 written",
        "2 elements left out of 1 value; 1 key emptied",
        "1 key had expired: left out",
        "1 key renamed",
        "2 keys moved to another database",
        "1 key with another expiry",
    ] {
        assert!(stdout(&output).contains(line), "{line}: {}", stdout(&output));
    }
    let seen = exported(&dump, "part.rdb");
    let names: Vec<_> = seen.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(names, ["tags", "new:here"]);
    assert!(seen.iter().all(|line| line["db"] == 3 && line["expire_at_ms"].is_null()));
    let some = dump.run("export --member *e? --max-elements 3 --min-elements 3");
    assert_eq!(stdout(&some).lines().count(), 1, "{}", stdout(&some));
    assert!(stdout(&some).contains("red") && !stdout(&some).contains("blue"));
}

#[test]
fn a_change_that_makes_no_sense_is_2_and_writes_nothing() {
    let dump = Dump::of(&two_keys());
    for (arguments, says) in [
        ("--rename-prefix two=one", "two keys would become \"one\" in db 0"),
        ("--rename-prefix two", "no `=`"),
        ("--rename *=**", "more stars"),
        ("--db-map 0-1", "not two databases"),
        ("--ttl-set soon", "neither milliseconds"),
        ("--ttl-drop --ttl-set 5m", "cannot be used with"),
        ("--ttl-as-of 2026-02-30", "neither milliseconds since 1970"),
        ("--min-score nan", "not a score"),
        ("--from-id x", "not the ID"),
    ] {
        let output = extract(&dump, arguments);
        assert_eq!(code(&output), 2, "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments}: {}", stderr(&output));
        assert_eq!(beside(&dump), ["dump.rdb"]);
    }
    let other = extract(&dump, "--rename-prefix two=one --to-db 4 --key two");
    assert_eq!(code(&other), 0, "what is not extracted is in nobody's way: {}", stderr(&other));
}

/// Bytes of a command.
fn command(words: &str) -> Vec<u8> {
    let words: Vec<_> = words.split(' ').collect();
    let mut out = Vec::new();
    redkeep::aof::write_command(&words, &mut out).unwrap();
    out
}

/// A folder with these files in it.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

#[test]
fn a_log_is_told_by_its_content_and_what_a_cut_would_lose_is_said() {
    let log = [command("SELECT 3"), command("SET a b"), b"*2\r\n$3\r\nDEL\r\n$1".to_vec()].concat();
    let torn = Dump::of(&log); // in a file called dump.rdb
    let output = torn.run("check");
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("TORN TAIL  "), "{text}");
    assert!(text.contains("DAMAGE  ends_inside  dump.rdb  at byte 65"), "{text}");
    assert!(text.contains("good up to byte 50, command 2"), "{text}");
    assert!(
        text.contains("A cut of dump.rdb at byte 50 loses 15 bytes and 0 whole commands"),
        "{text}"
    );
    let output = torn.run("check --for redis-7.0");
    assert!(stdout(&output).contains("redis-7.0 would cut it and start"), "{}", stdout(&output));

    let output = fed("check -", &log[..50]);
    assert_eq!((code(&output), stderr(&output)), (0, ""));
    let text = stdout(&output);
    assert!(text.starts_with("SOUND  standard input: nothing found"), "{text}");
    assert!(text.contains("names       SELECT 1, SET 1"), "{text}");
}

#[test]
fn a_log_with_an_rdb_in_front_is_a_log_and_a_dump_is_none() {
    let preamble = |flag: u8| {
        let mut bytes = b"REDIS0009\xfa\x0caof-preamble\xc0".to_vec();
        bytes.extend([flag, 0xfe, 0]);
        bytes.extend([string("one", "1st"), vec![0xff]].concat());
        let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&bytes);
        [bytes, crc.to_le_bytes().to_vec(), command("DEL one")].concat()
    };
    let output = fed("check -", &preamble(1));
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("REDIS0009 with 1 key, 1 command"), "{}", stdout(&output));
    let output = fed("check -", &preamble(0));
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("trailing_bytes"), "{}", stdout(&output));
}

#[test]
fn folders_and_manifests_are_checked_as_a_server_would_load_them() {
    let (base, increment) = (two_keys(), command("SET a b"));
    let manifest = b"file appendonly.aof.1.base.rdb seq 1 type b\n\
                     file appendonly.aof.1.incr.aof seq 1 type i\n";
    let mut files: Vec<(&str, &[u8])> = vec![
        ("appendonlydir/appendonly.aof.1.base.rdb", &base),
        ("appendonlydir/appendonly.aof.1.incr.aof", &increment),
        ("appendonlydir/appendonly.aof.manifest", manifest),
        ("dump.rdb", &base),
    ];
    let sound = folder(&files);
    for path in ["", "appendonlydir", "appendonlydir/appendonly.aof.manifest"] {
        let output = redkeep("check --json").arg(sound.path().join(path)).output().unwrap();
        assert_eq!((code(&output), stderr(&output)), (0, ""), "{path}");
        let report: Value = serde_json::from_str(stdout(&output)).unwrap();
        assert_eq!((&report["verdict"], &report["layout"]), (&"sound".into(), &"parts".into()));
        assert_eq!(report["server"], "redis-8.10");
        assert_eq!(report["files"][0]["rdb"]["keys"], 2);
        assert_eq!(report["names"]["SET"], 1);
    }
    let output = redkeep("check --for redis-6.2").arg(sound.path()).output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(stdout(&output).contains("redis-6.2 would start empty"), "{}", stdout(&output));

    files.remove(1);
    let output = redkeep("check").arg(folder(&files).path()).output().unwrap();
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    assert!(text.starts_with("BROKEN SET  "), "{text}");
    assert!(text.contains("appendonly.aof.1.incr.aof is not there"), "{text}");

    let output = redkeep("check").arg(folder(&[("dump.rdb", &base)]).path()).output().unwrap();
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("dump.rdb: nothing found"), "{}", stdout(&output));
    assert!(stderr(&output).contains("starts empty"), "{}", stderr(&output));
    let output = redkeep("check").arg(folder(&[]).path()).output().unwrap();
    assert_eq!(code(&output), 1);
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

#[test]
fn the_readme_shows_what_a_comparison_prints() {
    let folder = tempfile::tempdir().unwrap();
    for (name, cart) in [("old.rdb", "cart:17"), ("new.rdb", "cart:18")] {
        let bytes = dump(&[string("user:1", "Ann"), string(cart, "tea"), string("visits", cart)]);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut parts = readme.split("redkeep digest old.rdb new.rdb --keys\n").skip(1);
    let shown = parts.next().unwrap().split("```text\n").nth(1).unwrap().split("```").next();
    let output = redkeep("digest old.rdb new.rdb --keys").current_dir(&folder).output().unwrap();
    assert_eq!((code(&output), stdout(&output)), (3, shown.unwrap()));
}

#[test]
fn a_dump_becomes_commands_for_a_server() {
    let dump = Dump::of(&two_keys());
    let plain = dump.run("export --format resp");
    assert_eq!((code(&plain), stderr(&plain)), (0, ""));
    assert!(stdout(&plain).contains("*3\r\n$3\r\nSET\r\n$3\r\none\r\n$3\r\n1st\r\n"));
    let one = dump.run("export --format resp --plain --for valkey-9.1 --replace --key two");
    assert_eq!(
        stdout(&one),
        "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*2\r\n$3\r\nDEL\r\n$3\r\ntwo\r\n\
         *3\r\n$3\r\nSET\r\n$3\r\ntwo\r\n$3\r\n2nd\r\n"
    );
    for (server, restores) in [("redis-7.0", true), ("redis-4.0", true), ("redis-2.4", false)] {
        let output = dump.run(&format!("export --format resp --for {server}"));
        let has = output.stdout.windows(7).any(|window| window == b"RESTORE");
        assert_eq!((code(&output), has), (0, restores), "{server}");
    }
    for wrong in ["--plain", "--for redis-7.0", "--on-loss drop", "--format resp --facts"] {
        assert_eq!(code(&dump.run(&format!("export {wrong}"))), 2, "{wrong}");
    }
    for wrong in ["--restore", "--batch 0", "--plain --restore --for redis-7.0"] {
        assert_eq!(code(&dump.run(&format!("export --format resp {wrong}"))), 2, "{wrong}");
    }
}

#[test]
fn what_has_no_command_fails_or_is_left_out_as_told() {
    let library = [vec![0xf5, 15], b"#!lua name=f\nx=".to_vec()].concat();
    let cron = [b"\x40\x01c\x01x".to_vec(), vec![0; 18]].concat();
    let dump = Dump::of(&dump(&[library, string("k", "v"), cron]));
    let failed = dump.run("export --format resp --for redis-7.0");
    assert_eq!(code(&failed), 3);
    assert!(stderr(&failed).contains("scheduled scripts: 1"), "{}", stderr(&failed));
    let file = dump.path.with_file_name("commands");
    let run = |more: &str| {
        let arguments =
            format!("export --format resp --for redis-7.0 -o {} {more}", file.display());
        dump.run(&arguments)
    };
    assert_eq!(code(&run("")), 3);
    assert!(!file.exists());
    let dropped = run("--on-loss drop");
    assert_eq!(code(&dropped), 0);
    let said = stderr(&dropped);
    assert!(said.contains("scheduled scripts: 1; function libraries left out: 1"), "{said}");
    assert!(std::fs::read(&file).unwrap().starts_with(b"*2\r\n$6\r\nSELECT"));
    assert_eq!(code(&run("--on-loss drop")), 1, "it exists");
    assert_eq!(code(&run("--on-loss drop --force --functions")), 0);
    assert!(std::fs::read(&file).unwrap().starts_with(b"*3\r\n$8\r\nFUNCTION"));
}

#[test]
fn what_is_made_up_is_sound_and_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let synth = |name: &str, arguments: &str| {
        let path = folder.path().join(name);
        let mut command = redkeep(&format!("synth {arguments}"));
        (command.arg("-o").arg(&path).output().unwrap(), path)
    };
    let (done, first) = synth("first.rdb", "--keys 200 --seed 7 --for valkey-9.0");
    assert_eq!(code(&done), 0);
    assert!(stdout(&done).starts_with("200 keys written, "), "{}", stdout(&done));
    let checked = redkeep("check --for valkey-9.0").arg(&first).output().unwrap();
    assert_eq!(code(&checked), 0, "{}", stdout(&checked));
    let (_, second) = synth("second.rdb", "--keys 200 --seed 7 --for valkey-9.0");
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());

    let (refused, _) = synth("first.rdb", "--keys 1");
    assert_eq!(code(&refused), 1, "it exists");
    let (done, path) = synth("json.rdb", "--bytes 100000 --mix json --json");
    let outcome: Value = serde_json::from_str(stdout(&done)).unwrap();
    assert_eq!(outcome["bytes"], std::fs::metadata(path).unwrap().len());
    for wrong in ["", "--keys 1 --bytes 1", "--keys 1 --mix salad", "--keys 1 --for redis-1.0"] {
        let (refused, path) = synth("wrong.rdb", wrong);
        assert_eq!((code(&refused), path.exists()), (2, false), "{wrong}");
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
