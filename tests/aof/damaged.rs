//! Logs that real servers were given broken: never sound where framing made a server refuse, and
//! good up to where the servers' own checker says.

use super::common::{Json, corpus, lines, release};
use redkeep::aof::{End, EndKind, Fileset, FilesetOptions, Manifest, SliceReader, Startup, Trap};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SLOW: Duration = Duration::from_secs(5);

/// Refused for what is in a record, not for its framing.
const BY_CONTENT: [&str; 5] = [
    "aof-unknown-command",
    "aof-unknown-in-multi",
    "aof-wrong-arity",
    "aof-flip-00",
    "mp-incr-rdb",
];

/// Where the checker stops for an EXEC or MULTI out of place; a server does not, nor do we.
pub(crate) const BY_TRANSACTION: [&str; 2] = ["aof-exec-alone", "aof-nested-multi"];

/// Whole to the checker, for which a count may be below one, and torn annotations are none.
pub(crate) const LENIENT: [&str; 3] = ["aof-neg-count", "aof-zero-count", "ts-end-cut"];

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn what_its_server_refused_for_its_framing_is_never_sound() {
    let Some(corpus) = corpus() else { return };
    let (mut all, mut compared, mut wrong) = (0, 0, Vec::new());
    for folder in corpus.join("damaged").read_dir().unwrap() {
        let folder = folder.unwrap().path();
        let server = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for case in lines(&folder.join("cases.jsonl")) {
            if case["kind"] == "rdb" || case.get("truncate_to_timestamp").is_some() {
                continue;
            }
            all += 1;
            let begun = Instant::now();
            match judge(&folder, &server, &case) {
                Ok(as_the_checker) => compared += u32::from(as_the_checker),
                Err(text) => {
                    wrong.push(format!("{server}/{}: {text} ({})", case["id"], case["what"]));
                }
            }
            assert!(begun.elapsed() < SLOW, "{server}/{}", case["id"]);
        }
    }
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{all} cases, {compared} boundaries compared with the checker's");
    assert!(all > 500 && compared > 300);
}

/// Whether a boundary was compared, or what is wrong.
fn judge(folder: &Path, server: &str, case: &Json) -> Result<bool, String> {
    let id = case["id"].as_str().unwrap();
    let started = case["load"]["started"].as_bool().unwrap();
    let keys = case["load"]["dbsize"].as_object().map_or(0, serde_json::Map::len);
    let dir = folder.join(id);
    // A case without any file has no folder.
    let empty = tempfile::tempdir().unwrap();
    let dir = if dir.is_dir() { dir } else { empty.path().to_path_buf() };
    let options = FilesetOptions::new(release(server));
    let fileset = Fileset::find(&dir, &options).map_err(|error| error.to_string())?;
    match fileset.startup {
        Startup::Refuses if started => return Err(format!("said to be refused: {fileset:?}")),
        Startup::Empty if !started || keys > 0 => {
            return Err(format!("said to start empty: {fileset:?}"));
        }
        Startup::Loads if started && keys == 0 && !id.contains("trunc-0000") => {
            let nothing = fileset.files.iter().all(|file| read(&file.path).valid_up_to == 0);
            if !nothing {
                return Err(format!("said to load something: {fileset:?}"));
            }
        }
        _ => {}
    }
    let ends: Vec<_> = fileset.files.iter().map(|file| read(&file.path)).collect();
    let sound = ends.iter().all(|end| end.kind == EndKind::Clean);
    let strictly = case["load_truncated_no"]["started"].as_bool().unwrap_or(started);
    let refused = fileset.startup == Startup::Refuses;
    if !strictly && sound && !refused && !BY_CONTENT.contains(&id) {
        return Err(format!("sound, and yet refused: {ends:?}"));
    }
    if started && ends.iter().any(|end| end.kind == EndKind::Preamble) {
        return Err(format!("a preamble that servers read: {ends:?}"));
    }
    after_start(case, &fileset, &ends)?;
    as_the_checker(case, id, server, &ends)
}

fn read(file: &Path) -> End {
    let bytes = fs::read(file).unwrap();
    let mut reader = SliceReader::new(&bytes);
    let failed = reader.by_ref().any(|record| record.is_err());
    let end = *reader.end().unwrap();
    assert_eq!(failed, end.kind != EndKind::Clean, "{}", file.display());
    end
}

/// A server that starts on a torn log cuts it where we say it does.
fn after_start(case: &Json, fileset: &Fileset, ends: &[End]) -> Result<(), String> {
    let (Some(file), Some(end)) = (fileset.files.last(), ends.last()) else { return Ok(()) };
    let sizes = case["load"]["sizes_after"].as_object();
    let after = sizes.and_then(|sizes| {
        let of =
            |(name, _): &(&String, &Json)| Path::new(name).file_name() == file.path.file_name();
        sizes.iter().find(of)?.1.as_u64()
    });
    let Some(after) = after else { return Ok(()) };
    // 2.8 takes the end of the file for the place to cut at.
    let server = case["server"].as_str().unwrap();
    let expected = match end.kind {
        EndKind::Torn if case["id"] == "ts-end-cut" => file.size,
        EndKind::Torn if server.starts_with("valkey") => end.valid_up_to,
        EndKind::Torn => end.commands_up_to,
        EndKind::OpenMulti if server.starts_with("redis-2.8") => end.records_up_to,
        EndKind::OpenMulti => end.valid_up_to,
        _ => file.size,
    };
    match after == expected {
        true => Ok(()),
        false => Err(format!("{after} bytes after the start, not {expected}: {end:?}")),
    }
}

/// The checker's last `ok_up_to` is our boundary in the file it was said of.
fn as_the_checker(case: &Json, id: &str, server: &str, ends: &[End]) -> Result<bool, String> {
    let output = case["check"]["output"].as_str().unwrap_or_default();
    let number = |name: &str| {
        let text = output.rsplit_once(name)?.1.split([',', '\n']).next()?;
        text.parse::<u64>().ok()
    };
    let (Some(ok), Some(size)) = (number("ok_up_to="), number("size=")) else { return Ok(false) };
    // Valkey's checker knows nothing of Valkey's own RDB.
    if server.starts_with("valkey") || output.contains("format error") {
        return Ok(false);
    }
    let skipped = BY_TRANSACTION.contains(&id) || LENIENT.contains(&id);
    let found = ends.iter().any(|end| end.valid_up_to == ok);
    if !found && !skipped {
        return Err(format!("ok up to {ok} of {size} to the checker, not so here: {ends:?}"));
    }
    Ok(!skipped)
}

#[test]
fn the_damaged_logs_kept_here_end_as_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/damaged-logs");
    let table = fs::read_to_string(folder.join("cases.tsv")).unwrap();
    let mut rows = 0;
    for row in table.lines() {
        let columns: Vec<_> = row.split('\t').collect();
        let &[file, kind, boundary, _what] = &columns[..] else { panic!("{row}") };
        rows += 1;
        let path = folder.join(file);
        let (found, place) = match file.ends_with(".manifest") {
            true => match Manifest::parse(&fs::read(&path).unwrap()) {
                Ok(_) => ("Clean".to_owned(), "-".to_owned()),
                Err(error) => {
                    let fault = error.fault().unwrap().code().to_owned();
                    (fault, error.offset().unwrap().to_string())
                }
            },
            false => {
                let end = read(&path);
                (format!("{:?}", end.kind), end.valid_up_to.to_string())
            }
        };
        assert_eq!((&found[..], &place[..]), (kind, boundary), "{row}");
    }
    assert!(rows > 60, "{rows}");
}

/// What a manifest that servers refuse comes to.
#[test]
fn a_refused_manifest_is_a_trap() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("appendonlydir")).unwrap();
    fs::write(folder.path().join("appendonlydir/appendonly.aof.manifest"), b"").unwrap();
    let options = FilesetOptions::new("redis-7.0".parse().unwrap());
    let fileset = Fileset::find(folder.path(), &options).unwrap();
    assert_eq!(fileset.startup, Startup::Refuses);
    assert!(matches!(&fileset.traps[..], [Trap::ManifestRefused { .. }]));
}
