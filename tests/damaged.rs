//! Files that real servers were given broken. The check must not call sound what its server refused
//! to start with, and must not blame what is sound.
//!
//! `tests/data/damaged/cases.tsv` lists the small ones that are kept here:
//!
//! ```text
//! server  file  started|refused  verdict  verdict for that server  what it is
//! ```
//!
//! A file lies in `<server>/`, or in `any/` where it is the same for several servers.

#![allow(clippy::unwrap_used)] // that is how a test fails

use redkeep::rdb::ServerVersion;
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// A whole and healthy file of another lineage: only the server that has to load it can object.
const ONLY_FOREIGN: [(&str, &str); 1] = [("redis-2.8.24", "rdb-magic-other")];

const SLOW: Duration = Duration::from_secs(10);

struct Case<'a> {
    server: &'a str,
    id: &'a str,
    what: &'a str,
    started: bool,
    dump: Vec<u8>,
}

impl Case<'_> {
    /// The release that the corpus folder is named for.
    fn release(&self) -> ServerVersion {
        let release = match self.server {
            "redis-unstable-202606" => "redis-8.8",
            server => server.rsplit_once('.').unwrap().0,
        };
        release.parse().unwrap()
    }

    /// The verdict on its own and the verdict for the server, or what is wrong with them.
    fn verdicts(&self) -> Result<[Verdict; 2], String> {
        let Case { server, id, what, started, dump } = self;
        let fail = |text: String| Err(format!("{server}/{id} ({what}): {text}"));
        let begun = Instant::now();
        let alone = check_slice(dump, &CheckOptions::default());
        let there = check_slice(dump, &CheckOptions::default().target(self.release()));
        if begun.elapsed() > SLOW {
            return fail(format!("took {:?}", begun.elapsed()));
        }
        let verdicts = [alone.verdict, there.verdict];
        let loads = there.target.is_some_and(|target| target.loads);
        if loads && !started {
            return fail(format!("{verdicts:?}, and said to load, but the server refused it"));
        }
        // Bytes behind the end are a finding, and no server looks at them.
        if !loads && (id.starts_with("rdb-tail-") || *id == "rdb-twice") {
            return fail(format!("{verdicts:?}, and said not to load: {:?}", there.findings));
        }
        let sound = *id == "rdb-intact" || (id.contains("craft") && what.contains("sound"));
        let foreign = ONLY_FOREIGN.contains(&(server, id));
        match verdicts {
            [Verdict::Sound, Verdict::Findings] if foreign => Ok(verdicts),
            _ if sound && verdicts != [Verdict::Sound; 2] => {
                fail(format!("{verdicts:?}: {:?}", there.findings))
            }
            [a, b] if !started && (a == Verdict::Sound || b == Verdict::Sound) => {
                fail(format!("{verdicts:?}, but the server refused it"))
            }
            [a, b] if a > b => fail(format!("{verdicts:?}: kinder with a target")),
            _ => Ok(verdicts),
        }
    }
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus"]
fn what_its_server_refused_is_never_called_sound() {
    let Some(corpus) = std::env::var_os("REDKEEP_CORPUS") else {
        println!("nothing was checked: REDKEEP_CORPUS is not set");
        return;
    };
    let (mut all, mut wrong) = (0, Vec::new());
    for folder in Path::new(&corpus).join("damaged").read_dir().unwrap() {
        let folder = folder.unwrap().path();
        let server = folder.file_name().unwrap().to_str().unwrap();
        for line in std::fs::read_to_string(folder.join("cases.jsonl")).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            if case["kind"] != "rdb" {
                continue;
            }
            let id = case["id"].as_str().unwrap();
            let (file, _) = case["files"].as_object().unwrap().iter().next().unwrap();
            let case = Case {
                server,
                id,
                what: case["what"].as_str().unwrap(),
                started: case["load"]["started"].as_bool().unwrap(),
                dump: std::fs::read(folder.join(id).join(file)).unwrap(),
            };
            all += 1;
            wrong.extend(case.verdicts().err());
        }
    }
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(all > 600, "only {all} cases");
}

#[test]
fn the_cases_kept_here_get_the_verdicts_they_are_listed_with() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/damaged");
    let table = std::fs::read_to_string(folder.join("cases.tsv")).unwrap();
    let mut wrong = Vec::new();
    for line in table.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let &[server, file, started, alone, there, what] = &columns[..] else {
            panic!("not six columns: {line}");
        };
        let id = Path::new(file).file_stem().unwrap().to_str().unwrap();
        let dump = std::fs::read(folder.join(file)).unwrap();
        let case = Case { server, id, what, started: started == "started", dump };
        match case.verdicts() {
            Ok([a, b]) if a.to_string() == alone && b.to_string() == there => {}
            Ok(verdicts) => wrong.push(format!("{verdicts:?}: {line}")),
            Err(text) => wrong.push(text),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
