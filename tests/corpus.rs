//! Files that real servers wrote: read, exported, and compared in full with what those servers
//! answered when they had loaded them.
//!
//! `tests/data/<server>-<version>/<case>/` is a part of a wider corpus, whose folder is named by
//! `REDKEEP_CORPUS`.
#![cfg(feature = "json")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a panic is how a test fails

#[path = "corpus/answers.rs"]
mod answers;
#[path = "corpus/sha256.rs"]
mod sha256;

use answers::{Origin, Text, bytes, differences, keys};
use redkeep::export::{JsonLines, JsonOutcome};
use redkeep::rdb::{EventKind, Lineage, SliceReader, StreamReader};
use redkeep::{Error, Limits};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

#[test]
fn files_of_real_servers_are_exported_as_those_servers_have_them() {
    let done = compare_all(Path::new(HERE));
    println!("{done:?}");
    assert!(done.files >= 30 && done.compared >= 25, "{done:?}");
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn every_file_of_the_wide_corpus_is_exported_as_its_server_has_it() {
    let Some(folder) = std::env::var_os("REDKEEP_CORPUS") else {
        println!("nothing compared: REDKEEP_CORPUS does not name the folder of the wide corpus");
        return;
    };
    let done = compare_all(Path::new(&folder));
    println!("{done:?}");
    assert!(done.compared > 0, "no files with answers in {folder:?}");
}

#[test]
fn the_committed_files_hold_every_layout_and_record_that_servers_were_seen_to_write() {
    let mut seen = BTreeSet::new();
    for file in rdb_files(Path::new(HERE)) {
        let bytes = fs::read(&file).unwrap();
        let mut lineage = Lineage::Redis;
        // The file with a module value of the release candidates ends in an error there.
        for event in SliceReader::new(&bytes).map_while(Result::ok) {
            match event.kind() {
                EventKind::Header(header) => lineage = header.lineage,
                EventKind::Footer(_) => {}
                EventKind::Entry(entry) => {
                    let attributes = entry.attributes();
                    seen.insert((lineage_of(entry.value_type().byte(), lineage), "type"));
                    let first = entry.raw_attributes().first().copied();
                    let others = [
                        attributes.idle_seconds.map(|_| 248),
                        attributes.frequency.map(|_| 249),
                        attributes.metadata.map(|_| 243),
                    ];
                    for opcode in others.into_iter().chain([first]).flatten() {
                        seen.insert((lineage_of(opcode, lineage), "opcode"));
                    }
                }
                _ => _ = seen.insert((lineage_of(event.raw()[0], lineage), "opcode")),
            }
        }
    }
    let own = |bytes: &mut dyn Iterator<Item = u8>, what| {
        bytes.map(|byte| ((byte, None), what)).collect::<Vec<_>>()
    };
    let mut wanted = own(&mut (0..=28).filter(|byte| ![6, 8, 22].contains(byte)), "type");
    wanted.extend(own(&mut (244..=255), "opcode"));
    for lineage in ["Redis", "Valkey"] {
        wanted.push(((22, Some(lineage)), "type"));
        wanted.push(((243, Some(lineage)), "opcode"));
    }
    let missing: Vec<_> = wanted.iter().filter(|sight| !seen.contains(*sight)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Two bytes mean one thing to Redis and another to Valkey.
fn lineage_of(byte: u8, lineage: Lineage) -> (u8, Option<&'static str>) {
    let name = if lineage == Lineage::Valkey { "Valkey" } else { "Redis" };
    (byte, [22, 243].contains(&byte).then_some(name))
}

/// What a pass over a folder came to.
#[derive(Debug, Default)]
struct Done {
    files: usize,
    /// Files for which there are answers.
    compared: usize,
    keys: usize,
    refused: usize,
}

fn compare_all(folder: &Path) -> Done {
    let mut done = Done::default();
    let mut wrong = Vec::new();
    for file in rdb_files(folder) {
        let shown = file.strip_prefix(folder).unwrap().display().to_string();
        let bytes = fs::read(&file).unwrap();
        done.files += 1;
        let (text, end) = export_in_every_way(&bytes, &shown);
        let outcome = match end {
            Ok(outcome) => outcome,
            Err(error) => {
                done.refused += 1;
                if !is_unframed_module(&error, &shown) {
                    wrong.push(format!("{shown}: {error}"));
                }
                continue;
            }
        };
        let Some(case) = Case::of(&file) else { continue };
        done.compared += 1;
        done.keys += usize::try_from(outcome.keys).unwrap();
        let found = case.differences(&text, &outcome);
        wrong.extend(found.into_iter().map(|what| format!("{shown}: {what}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    done
}

/// The one thing in the corpus that cannot be read: its error names the module.
fn is_unframed_module(error: &Error, file: &str) -> bool {
    let said = error.to_string();
    file.starts_with("redis-4.0-rc1/modules")
        && said.contains("type 6")
        && said.contains("hellotype")
}

/// The export by either reader and by windows of either size, which must not differ in a byte.
fn export_in_every_way(bytes: &[u8], file: &str) -> (String, Result<JsonOutcome, Error>) {
    let whole = by_slice(bytes, SliceReader::new(bytes));
    for window in [64 << 10, 1 << 20] {
        let limits = Limits::default().window(window);
        let others = [
            ("slice", by_slice(bytes, SliceReader::windowed(bytes, &limits))),
            ("stream", by_stream(bytes, &limits)),
        ];
        for (reader, other) in others {
            let same = whole.0 == other.0 && format!("{:?}", whole.1) == format!("{:?}", other.1);
            assert!(same, "{file}: {reader} reader, window {window}");
        }
    }
    whole
}

fn by_slice(bytes: &[u8], mut reader: SliceReader<'_>) -> (String, Result<JsonOutcome, Error>) {
    let mut out = Vec::new();
    let mut lines = JsonLines::new(&mut out).facts(true);
    let end = reader.try_for_each(|event| lines.event(&event?));
    assert!(end.is_err() || reader.offset() == bytes.len() as u64);
    let outcome = lines.finish().unwrap();
    (String::from_utf8(out).unwrap(), end.map(|()| outcome))
}

fn by_stream(bytes: &[u8], limits: &Limits) -> (String, Result<JsonOutcome, Error>) {
    let mut out = Vec::new();
    let mut lines = JsonLines::new(&mut out).facts(true);
    let mut reader = StreamReader::with_limits(bytes, limits);
    let end = loop {
        match reader.next() {
            Ok(Some(event)) => lines.event(&event).unwrap(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let outcome = lines.finish().unwrap();
    (String::from_utf8(out).unwrap(), end.map(|()| outcome))
}

/// A file with answers.
struct Case {
    answers: String,
    origin: Origin,
    meta: Json,
    /// The RDB inside a replica's stream, which was begun before one more key was set.
    is_payload: bool,
}

impl Case {
    /// The bases of append-only directories have none of their own.
    fn of(file: &Path) -> Option<Case> {
        let folder = file.parent()?;
        let at_save = fs::read_to_string(folder.join("expected-at-save.jsonl"));
        let answers =
            at_save.or_else(|_| fs::read_to_string(folder.join("expected.jsonl"))).ok()?;
        let meta = fs::read_to_string(folder.join("expected.meta.json")).unwrap();
        let meta: Json = serde_json::from_str(&meta).unwrap();
        let server = meta["server"].as_str().unwrap();
        let prints_alike = ["valkey", "redis-unstable", "redis-7.2", "redis-7.4", "redis-8"];
        let origin = Origin::Server {
            loses_minus_zero: server.starts_with("redis-2.0"),
            prints_alike: prints_alike.iter().any(|name| server.starts_with(name)),
        };
        Some(Case { answers, origin, meta, is_payload: file.ends_with("payload.rdb") })
    }

    fn differences(&self, text: &str, outcome: &JsonOutcome) -> Vec<String> {
        let ours = keys(text, Origin::Export);
        let mut theirs = keys(&self.answers, self.origin);
        if self.is_payload {
            assert!(theirs.remove(&(0, Text::from(b"after".to_vec()))).is_some());
        }
        let mut found = differences(&ours, &theirs);
        if outcome.keys != ours.len() as u64 || outcome.lines != text.lines().count() as u64 {
            found.push(format!("{outcome:?} is not what was written"));
        }
        let lines: Vec<Json> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        found.extend(self.functions(&lines));
        found.extend(self.metadata(&lines));
        found.extend(lines.iter().filter_map(wrong_slot));
        found
    }

    fn functions(&self, lines: &[Json]) -> Option<String> {
        let functions = lines.iter().filter(|line| line["fact"] == "function");
        let ours: BTreeSet<_> = functions.map(|fact| fact["code"].to_string()).collect();
        let listed = self.meta["functions"].as_array();
        let theirs: BTreeSet<_> =
            listed.into_iter().flatten().map(|library| library["code"].to_string()).collect();
        (ours != theirs).then(|| format!("functions are {ours:?}, not {theirs:?}"))
    }

    /// Key metadata of modules: how many classes for which key, and the name of the first.
    fn metadata(&self, lines: &[Json]) -> Option<String> {
        let ours: BTreeSet<_> = lines
            .iter()
            .filter_map(|line| {
                let raw = bytes(line.get("metadata")?);
                let class = u32::from_le_bytes(raw[1..5].try_into().unwrap());
                Some((line["key"].as_str()?.to_owned(), raw[0], class_name(class)))
            })
            .collect();
        let mut theirs = BTreeMap::new();
        for metadata in self.meta["key_metadata_at_save"].as_array().into_iter().flatten() {
            let [key, class] = ["key", "class"].map(|name| metadata[name].as_str().unwrap());
            theirs.entry(key).or_insert((0, class)).0 += 1;
        }
        let theirs: BTreeSet<_> = theirs
            .into_iter()
            .map(|(key, (classes, first))| (key.to_owned(), classes, first.to_owned()))
            .collect();
        (ours != theirs).then(|| format!("metadata is {ours:?}, not {theirs:?}"))
    }
}

/// Four characters of six bits, above a version and flags.
fn class_name(class: u32) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = |shift: u32| char::from(alphabet[usize::try_from(class >> shift & 63).unwrap()]);
    [26, 20, 14, 8].map(at).iter().collect()
}

/// Says so where a line's slot is not that of its key.
fn wrong_slot(line: &Json) -> Option<String> {
    let slot = line.get("slot")?.as_u64();
    let key = bytes(line.get("key")?);
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        Some(&rest[..rest.iter().position(|&byte| byte == b'}')?]).filter(|tag| !tag.is_empty())
    });
    let crc = tag.unwrap_or(&key).iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| (crc << 1) ^ ((crc >> 15) * 0x1021))
    });
    let right = u64::from(crc % 16_384);
    (slot != Some(right)).then(|| format!("{}: slot is {slot:?}, not {right}", line["key"]))
}

/// All RDB files below a folder but those that were damaged on purpose.
fn rdb_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let left_out = path.ends_with("damaged") || path.ends_with("regressions");
            if path.is_dir() && !left_out {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rdb") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
