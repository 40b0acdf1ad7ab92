//! The program, run as a user would: what it prints where, and its exit codes.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // how a test fails

#[path = "common/program.rs"]
mod program;

use program::*;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

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

#[test]
fn a_dump_is_split_into_a_folder_that_appears_whole() {
    let folder = tempfile::tempdir().unwrap();
    let dump =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/redis-7.0.15/default/dump.rdb");
    let split = |arguments: &str| {
        let mut command = redkeep("split");
        command.arg(&dump).args(arguments.split(' ')).current_dir(folder.path());
        command.output().unwrap()
    };
    let done = split("--shards 3 -o parts");
    assert_eq!(code(&done), 0, "{}", stderr(&done));
    assert!(
        stdout(&done).contains("from-slot-10923.rdb")
            && stdout(&done).ends_with("255 keys in all\n")
    );
    assert_eq!(folder.path().join("parts").read_dir().unwrap().count(), 3);
    assert_eq!(code(&split("--dbs -o parts")), 1, "it is there already");
    let done = split("--dbs -o parts --force --json");
    let outcome: Value = serde_json::from_str(stdout(&done)).unwrap();
    assert_eq!(outcome["parts"].as_array().unwrap().len(), 4);
    assert_eq!(folder.path().join("parts.old-1").read_dir().unwrap().count(), 3);
    for wrong in ["-o x", "--shards 0 -o x", "--dbs --shards 2 -o x"] {
        assert_eq!(code(&split(wrong)), 2, "{wrong}");
    }
    assert!(!folder.path().join("x").exists());
    let cut = folder.path().join("cut.rdb");
    let bytes = std::fs::read(&dump).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = redkeep("split")
        .arg(&cut)
        .args(["--dbs", "-o"])
        .arg(folder.path().join("x"))
        .output()
        .unwrap();
    assert_eq!(code(&damaged), 3, "{}", stderr(&damaged));
    assert!(!folder.path().join("x").exists());
}
