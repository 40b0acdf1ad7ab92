//! `redkeep digest`, run as a user would.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // how a test fails

#[path = "common/program.rs"]
mod program;

use program::*;
use serde_json::Value;
use std::process::Output;

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
