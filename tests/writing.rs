//! What is written is what was read: copies byte for byte, payloads as servers make them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use base64::{Engine, engine::general_purpose::STANDARD};
use redkeep::rdb::check::{CheckOptions, check_slice};
use redkeep::rdb::{Payload, SliceReader, StreamReader, Writer};
use redkeep::{Fault, Limits, Result};
use std::path::{Path, PathBuf};

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("damaged") {
            files(&path, ending, found);
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
}

/// The files kept here, and the wide corpus where it is.
fn corpus(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")), ending, &mut found);
    if let Some(wide) = std::env::var_os("REDKEEP_CORPUS") {
        files(Path::new(&wide), ending, &mut found);
    }
    found
}

fn copy(dump: &[u8], window: usize) -> Result<Vec<u8>> {
    let limits = Limits::default().window(window);
    let mut reader = StreamReader::with_limits(dump, &limits);
    let mut writer = Writer::new(Vec::new());
    while let Some(event) = reader.next()? {
        writer.event(&event)?;
    }
    writer.finish()
}

#[test]
fn an_untouched_copy_of_any_servers_dump_is_the_same_file() {
    let files = corpus(".rdb");
    assert!(files.len() > 20);
    for path in files {
        let dump = std::fs::read(&path).unwrap();
        for window in [64, 4096, 1 << 20] {
            match copy(&dump, window) {
                Ok(copied) => assert!(copied == dump, "{} at {window}", path.display()),
                Err(error) => {
                    assert_eq!(error.fault(), Some(Fault::ModulePreGa), "{}", path.display());
                }
            }
        }
    }
}

#[test]
fn payloads_of_every_server_are_read_and_made_again() {
    let mut payloads = 0;
    for path in corpus("expected.jsonl") {
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(dump) = line["dump"].as_str() else { continue };
            let dump = STANDARD.decode(dump).unwrap();
            let payload = match Payload::parse(&dump) {
                Ok(payload) => payload,
                Err(error) => {
                    let place = format!("{}: {}: {error}", path.display(), line["key"]);
                    assert_eq!(error.fault(), Some(Fault::ModulePreGa), "{place}");
                    continue;
                }
            };
            let made = Payload::encode(payload.value(), payload.metadata(), payload.version());
            assert_eq!(made, dump, "{}: {}", path.display(), line["key"]);
            for item in payload.value().items().unwrap() {
                item.unwrap();
            }
            payloads += 1;
        }
    }
    assert!(payloads > 100, "only {payloads}");
}

#[test]
fn what_was_salvaged_says_so_for_ever() {
    let mut writer = Writer::new(Vec::new());
    for event in SliceReader::new(b"REDIS0009\x00\x01a\x01x\x00\x01b").map_while(Result::ok) {
        writer.event(&event).unwrap();
    }
    let dump = writer.finish_salvaged().unwrap();
    let report = check_slice(&dump, &CheckOptions::default());
    assert_eq!((report.keys, report.findings[0].code), (1, "salvaged"));
    assert_eq!(copy(&dump, 1 << 20).unwrap(), dump);
}
