//! Files of real servers, read whole: every record, command and key of them accounted for.

use super::common::{Json, corpus, lines, release};
use redkeep::aof::{
    CommandSpec, EndKind, Fileset, FilesetOptions, Manifest, Record, RecordKind, SliceReader,
    Startup, StreamReader, Transaction, Trap,
};
use redkeep::rdb::{EventKind, StrBuf};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

#[derive(Debug, Default)]
struct Done {
    cases: usize,
    logs: usize,
    manifests: usize,
    commands: u64,
    annotations: u64,
    checkpoints: usize,
    of_a_former_log: usize,
    keys: usize,
    names: BTreeSet<&'static str>,
}

#[test]
fn logs_of_real_servers_are_read_to_the_last_byte() {
    let done = read_all(Path::new(HERE));
    println!("{done:?}");
    assert!(done.cases >= 8 && done.logs >= 13 && done.checkpoints > 50, "{done:?}");
    assert!(done.names.len() > 80 && done.manifests >= 5 && done.annotations > 0, "{done:?}");
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn every_log_of_the_wide_corpus_is_read_to_the_last_byte() {
    let Some(folder) = corpus() else { return };
    let done = read_all(&folder);
    println!("{done:?}");
    assert!(done.logs >= 226 && done.checkpoints + done.of_a_former_log >= 1452, "{done:?}");
}

fn read_all(folder: &Path) -> Done {
    let (mut done, mut wrong) = (Done::default(), Vec::new());
    for server in folders(folder) {
        for case in folders(&server) {
            let name = case.file_name().unwrap().to_str().unwrap();
            let server = server.file_name().unwrap().to_str().unwrap();
            if name.starts_with("aof-") && server != "damaged" {
                done.cases += 1;
                let shown = format!("{server}/{name}");
                wrong.extend(read_case(&case, server, &mut done).map(|text| shown + ": " + &text));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    done
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let all = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = all.filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

/// What is wrong with a case, if anything.
fn read_case(case: &Path, server: &str, done: &mut Done) -> Option<String> {
    let release = release(server);
    let fileset = Fileset::find(case, &FilesetOptions::new(release)).unwrap();
    if fileset.startup != Startup::Loads {
        return Some(format!("{fileset:?}"));
    }
    // History is no surprise where it was asked for, and an old log becomes a base elsewhere.
    let odd = |trap: &&Trap| !matches!(trap, Trap::HistoryDeleted { .. });
    if let Some(trap) = fileset.traps.iter().find(odd) {
        return Some(trap.to_string());
    }
    let mut seen = Seen::default();
    for file in &fileset.files {
        let bytes = fs::read(&file.path).unwrap();
        assert_eq!(bytes.len() as u64, file.size);
        let boundaries = read_file(&bytes, &mut seen);
        for checkpoint in lines(&case.join("checkpoints.jsonl")) {
            let size = checkpoint["size"].as_u64().unwrap();
            if case.join(checkpoint["file"].as_str().unwrap()) != file.path {
                continue;
            }
            // This one was rewritten after most of them, and became shorter.
            if case.ends_with("aof-preamble") && size > file.size {
                done.of_a_former_log += 1;
            } else if boundaries.contains(&size) {
                done.checkpoints += 1;
            } else {
                return Some(format!("no boundary at {checkpoint}"));
            }
        }
    }
    done.commands += seen.commands;
    done.annotations += seen.annotations;
    for (name, command) in &seen.specs {
        match command {
            Some(spec) if spec.known_to(release) => done.names.insert(spec.name()),
            _ => return Some(format!("{name} is not known to {release}")),
        };
    }
    if let Some(text) = seen.odd.first() {
        return Some(text.clone());
    }
    // Not only what is loaded.
    for entry in case.join("appendonlydir").read_dir().unwrap_or_else(|_| case.read_dir().unwrap())
    {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("aof") => {
                done.logs += 1;
                read_file(&bytes, &mut Seen::default());
            }
            Some("manifest") => {
                done.manifests += 1;
                let manifest = Manifest::parse(&bytes).unwrap();
                assert_eq!(manifest.to_bytes().unwrap(), bytes, "{}", path.display());
            }
            _ => {}
        }
    }
    let missing = missing_keys(case, &seen.keys, done);
    missing.map(|key| format!("no command has the key {key}"))
}

/// What the files of a case hold.
#[derive(Default)]
struct Seen {
    commands: u64,
    annotations: u64,
    specs: BTreeMap<String, Option<&'static CommandSpec>>,
    keys: BTreeSet<Vec<u8>>,
    odd: Vec<String>,
}

impl Seen {
    fn record(&mut self, record: &Record<'_>) {
        match record.kind {
            RecordKind::Command(command) => {
                self.commands += 1;
                let spec = CommandSpec::of(&command);
                let name = command.name().escape_ascii().to_string().to_uppercase();
                let name = spec.map_or(name, |spec| spec.name().to_owned());
                self.specs.entry(name).or_insert(spec);
                let fits = spec.is_some_and(|spec| spec.arity().allows(command.len()));
                if !fits {
                    self.odd.push(format!("{command:?} at {} has the wrong arity", record.offset));
                }
                let keys = spec.into_iter().flat_map(|spec| spec.keys(command));
                self.keys.extend(keys.map(<[u8]>::to_vec));
            }
            RecordKind::Annotation(line) => {
                self.annotations += 1;
                if line.timestamp().is_none() {
                    self.odd.push(format!("{line:?} at {}", record.offset));
                }
            }
            RecordKind::Rdb(event) => {
                if let EventKind::Entry(entry) = event.kind() {
                    self.keys.insert(entry.key().bytes(&mut StrBuf::new()).unwrap().to_vec());
                }
            }
            _ => panic!("{record:?}"),
        }
        if matches!(record.transaction, Transaction::StrayExec | Transaction::NestedMulti) {
            self.odd.push(format!("{record:?}"));
        }
    }
}

/// Reads a file by both readers, and gives all places between records outside transactions.
fn read_file(bytes: &[u8], seen: &mut Seen) -> BTreeSet<u64> {
    let (mut boundaries, mut at) = (BTreeSet::new(), 0);
    let mut stream = StreamReader::new(bytes);
    let mut reader = SliceReader::new(bytes);
    for record in reader.by_ref() {
        let record = record.unwrap();
        let same = stream.next().unwrap().unwrap();
        assert_eq!((same.offset, same.raw()), (record.offset, record.raw()));
        assert_eq!(record.offset, at);
        at += record.raw().len() as u64;
        if matches!(record.transaction, Transaction::Outside | Transaction::Commit) {
            boundaries.insert(at);
        }
        seen.record(&record);
    }
    assert!(stream.next().unwrap().is_none());
    let end = reader.end().unwrap();
    assert_eq!((stream.end(), end.kind, at), (Some(end), EndKind::Clean, bytes.len() as u64));
    assert_eq!((end.valid_up_to, end.open_multi), (at, None));
    boundaries
}

/// A key the server had after loading, and that is a key of no command and no record.
fn missing_keys(case: &Path, seen: &BTreeSet<Vec<u8>>, done: &mut Done) -> Option<String> {
    let expected = lines(&case.join("expected.jsonl"));
    let keys: Vec<_> = expected.iter().filter_map(|line| line["key"].as_str()).collect();
    done.keys += keys.len();
    keys.iter().find(|key| !seen.contains(key.as_bytes())).map(|key| Json::from(*key).to_string())
}
