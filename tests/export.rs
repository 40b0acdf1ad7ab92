//! JSON lines of dumps made by hand: the shape of each layout, damage, expiries of KeyDB, and
//! writers that fail.
#![cfg(feature = "json")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a panic is how a test fails

#[path = "common/dumps.rs"]
mod dumps;

use dumps::{counted, dump, each, key, len, text};
use redkeep::export::{JsonLines, JsonOutcome, export_json};
use redkeep::rdb::{ChecksumMode, SliceReader};
use redkeep::{Error, ErrorKind, Limits};
use std::io::{self, Write};

/// Exports as far as it goes, after errors too.
fn export(dump: &[u8], window: usize) -> (String, JsonOutcome, Vec<Error>) {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let mut lines = JsonLines::new(&mut out);
    let limits = Limits::default().window(window);
    for event in SliceReader::windowed(dump, &limits).checksum(ChecksumMode::Skip) {
        match event.and_then(|event| lines.event(&event)) {
            Ok(()) => {}
            Err(error) => errors.push(error),
        }
    }
    let outcome = lines.finish().unwrap();
    (String::from_utf8(out).unwrap(), outcome, errors)
}

/// Keys of the lines that are JSON, and the number of those that are not.
fn keys(lines: &str) -> (Vec<String>, usize) {
    let parsed = lines.lines().map(serde_json::from_str::<serde_json::Value>);
    let (sound, broken): (Vec<_>, Vec<_>) = parsed.partition(Result::is_ok);
    let keys = sound.into_iter().map(|line| line.unwrap()["key"].as_str().unwrap().to_owned());
    (keys.collect(), broken.len())
}

#[test]
fn each_layout_and_record_has_the_lines_that_are_written_down() {
    let mut got = String::new();
    for (name, dump) in each() {
        let mut out = Vec::new();
        export_json(&dump[..], &mut out, true).unwrap();
        let lines = String::from_utf8(out).unwrap();
        // The header is the same for many, and so says nothing here.
        let lines = lines.lines().filter(|line| !line.contains("\"fact\":\"header\""));
        got.push_str(&format!("# {name}\n"));
        lines.for_each(|line| got.push_str(&format!("{line}\n")));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/lines-of-each-layout.txt");
    if std::env::var_os("REDKEEP_BLESS").is_some() {
        std::fs::write(path, &got).unwrap();
    }
    assert_eq!(got, std::fs::read_to_string(path).unwrap(), "REDKEEP_BLESS=1 rewrites it");
}

#[test]
fn a_damaged_key_has_no_line_and_those_about_it_have() {
    let bad = b"\x0a\x00\x00\x00\x02\x00\x81a\x02\x81b\x03\xff"; // the last size is one too many
    let dump = dump(
        "REDIS0003",
        &[
            key(0, "before", &text("1")),
            key(20, "damaged", &text(bad)),
            key(0, "behind", &text("2")),
        ],
    );
    let (lines, outcome, errors) = export(&dump, 1 << 20);
    assert_eq!(keys(&lines), (vec!["before".to_owned(), "behind".to_owned()], 0));
    assert_eq!((outcome.keys, outcome.given_up), (2, 1));
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some("damaged")));
}

/// A set in three parts: sound members, a compressed one that is damaged, sound members.
fn damaged_in_the_middle(members: usize) -> Vec<u8> {
    let mut all: Vec<Vec<u8>> = (0..members).map(|n| text(format!("member {n:08}"))).collect();
    all.push(b"\xc3\x02\x09\x01\x61".to_vec());
    all.push(text("last"));
    dump(
        "REDIS0003",
        &[
            key(0, "before", &text("1")),
            key(2, "damaged", &counted(&all)),
            key(0, "behind", &text("2")),
        ],
    )
}

#[test]
fn a_damaged_value_in_runs_is_taken_back_while_its_line_is_held() {
    let (lines, outcome, errors) = export(&damaged_in_the_middle(1000), 4096);
    assert_eq!(keys(&lines), (vec!["before".to_owned(), "behind".to_owned()], 0));
    assert_eq!((outcome.given_up, errors.len()), (1, 1));
    assert_eq!(errors[0].key(), Some("damaged"));
}

#[test]
fn a_line_that_was_partly_out_when_damage_came_is_no_json() {
    for window in [4096, usize::MAX] {
        let (lines, outcome, errors) = export(&damaged_in_the_middle(200_000), window);
        assert_eq!(keys(&lines), (vec!["before".to_owned(), "behind".to_owned()], 1));
        assert_eq!((outcome.keys, outcome.lines, outcome.given_up), (2, 2, 1));
        assert_eq!((outcome.bytes, errors.len()), (lines.len() as u64, 1));
        let cut = lines.lines().nth(1).unwrap();
        assert!(cut.starts_with(r#"{"db":0,"key":"damaged","type":"set""#), "{}", &cut[..80]);
    }
}

#[test]
fn a_file_that_ends_inside_a_value_leaves_no_complete_line_of_it() {
    for members in [1000, 200_000] {
        let mut dump = damaged_in_the_middle(members);
        dump.truncate(dump.len() / 2);
        let (lines, outcome, errors) = export(&dump, 4096);
        assert_eq!(keys(&lines).0, ["before"]);
        assert_eq!((outcome.keys, outcome.given_up), (1, 1));
        assert!(errors[0].is_truncated());
    }
}

#[test]
fn a_string_bigger_than_any_window_is_whole_whatever_it_holds() {
    let texts: [Vec<u8>; 4] = [
        "x".repeat(3_000_000).into_bytes(),
        "\"\u{1}€".repeat(500_000).into_bytes(),
        vec![0xff; 1_000_001],
        ["y".repeat(2_000_000).into_bytes(), vec![0xff]].concat(),
    ];
    for bytes in texts {
        let records = [key(0, "big", &text(&bytes)), key(2, "s", &counted(&[text(&bytes)]))];
        let dump = dump("REDIS0003", &records);
        let whole = export(&dump, usize::MAX);
        assert_eq!(export(&dump, 4096).0, whole.0);
        for line in whole.0.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let value = if line["key"] == "s" { &line["value"][0] } else { &line["value"] };
            match (value.as_str(), std::str::from_utf8(&bytes)) {
                (Some(shown), Ok(text)) => assert!(shown == text),
                (None, Err(_)) => {
                    use base64::Engine;
                    let digits = value["b64"].as_str().unwrap();
                    let engine = base64::engine::general_purpose::STANDARD;
                    assert!(engine.decode(digits).unwrap() == bytes);
                }
                _ => panic!("text is not shown as text, or other bytes are"),
            }
        }
    }
}

#[test]
fn expiries_that_keydb_keeps_behind_a_key_are_lines_of_their_own() {
    let fact = |name: &str, value: &str| [vec![0xfa], text(name), text(value)].concat();
    let dump = dump(
        "REDIS0009",
        &[
            [vec![0xfe], len(3), key(2, "set", &counted(&[text("a"), text("b")]))].concat(),
            fact("keydb-subexpire-key", "a"),
            fact("keydb-subexpire-when", "1900000000000"),
            fact("keydb-subexpire-key", "b"),
            fact("keydb-subexpire-when", "never"),
            fact("keydb-subexpire-key", "c"),
            key(0, "next", &text("v")),
        ],
    );
    let mut out = Vec::new();
    let outcome = export_json(&dump[..], &mut out, false).unwrap();
    let lines = String::from_utf8(out).unwrap();
    assert_eq!(
        lines.lines().filter(|line| line.contains("of_key")).collect::<Vec<_>>(),
        [
            r#"{"db":3,"of_key":"set","subkey":"a","expire_at_ms":1900000000000}"#,
            r#"{"db":3,"of_key":"set","subkey":"b","expire_at_ms":"never"}"#,
            r#"{"db":3,"of_key":"set","subkey":"c","expire_at_ms":null}"#,
        ]
    );
    assert_eq!((outcome.keys, outcome.sub_expiries, outcome.lines), (2, 3, 5));
}

/// Takes so many bytes, and then is closed.
struct Pipe(usize);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.len().min(self.0) {
            0 => Err(io::ErrorKind::BrokenPipe.into()),
            n => {
                self.0 -= n;
                Ok(n)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_ends_the_export_and_is_not_written_to_again() {
    let records: Vec<_> = (0..20_000).map(|n| key(0, &format!("key {n}"), &text("v"))).collect();
    let dump = dump("REDIS0003", &records);
    let error = export_json(&dump[..], Pipe(1000), false).unwrap_err();
    assert_eq!((error.is_io(), error.io_kind()), (true, Some(io::ErrorKind::BrokenPipe)));

    let mut pipe = Pipe(1000);
    let mut lines = JsonLines::new(&mut pipe);
    let failed = SliceReader::new(&dump).find_map(|event| lines.event(&event.unwrap()).err());
    assert_eq!(failed.unwrap().io_kind(), Some(io::ErrorKind::BrokenPipe));
    assert_eq!(lines.finish().unwrap_err().io_kind(), Some(io::ErrorKind::BrokenPipe));
}

#[test]
fn what_was_sound_is_written_out_before_an_error_is_given() {
    let mut dump = dump("REDIS0009", &[key(0, "k", &text("v"))]);
    *dump.last_mut().unwrap() ^= 1;
    let mut out = Vec::new();
    let error = export_json(&dump[..], &mut out, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checksum);
    assert_eq!(keys(&String::from_utf8(out).unwrap()), (vec!["k".to_owned()], 0));
}
