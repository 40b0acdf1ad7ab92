//! Real servers load what was repaired, and hold what they do after a cut of their own.

use super::damaged::{cases, copy};
use super::servers::Server;
use super::sets::Dir;
use super::{boundaries, case, cut_only, logs, salvage};
use redis::cmd;
use redkeep::aof::repair::plan;
use redkeep::aof::write_command;
use redkeep::task::{RepairPlace, repair};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = "file appendonly.aof.1.incr.aof seq 1 type i\n";

/// Starts a server on a folder, if it starts.
fn start(name: &str, folder: tempfile::TempDir) -> Option<Server> {
    let mut settings = vec!["--appendonly", "yes"];
    if name != "redis-6.2" {
        settings.extend(["--enable-debug-command", "yes"]);
    }
    Server::start_in(name, folder, &settings)
}

fn digest(server: &Server) -> String {
    cmd("DEBUG").arg("DIGEST").query(&mut server.connect().unwrap()).unwrap()
}

/// A log as that server keeps it.
fn dir(name: &str, log: &[u8]) -> Dir {
    match name {
        "redis-6.2" => Dir::of(&[("appendonly.aof", log)]),
        _ => Dir::of(&[
            ("appendonlydir/appendonly.aof.manifest", MANIFEST.as_bytes()),
            ("appendonlydir/appendonly.aof.1.incr.aof", log),
        ]),
    }
}

/// A log of these commands.
fn commands(all: &[&str]) -> Vec<u8> {
    let mut log = Vec::new();
    for words in all {
        write_command(&words.split(' ').collect::<Vec<_>>(), &mut log).unwrap();
    }
    log
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_cut_log_holds_what_the_server_keeps_of_it() {
    let mut compared = 0;
    for name in ["redis-6.2", "redis-7.0", "valkey-9.1"] {
        // A log in which nothing runs out of time, and one of a whole command stream.
        let stream = logs().into_iter().find(|(path, _)| {
            path.contains("redis-7.0.15/aof-timestamps") && path.ends_with("incr.aof")
        });
        let mut all = vec![case("aof-intact.aof")];
        // Annotations came with 7.0.
        if name != "redis-6.2" {
            all.extend([case("ts-in-multi.aof"), stream.unwrap().1]);
        }
        let small = ["SET a 1", "MULTI", "INCR a", "EXEC", "DEL a", "RPUSH l x"];
        all.push(commands(&small));
        for log in all {
            let boundaries = boundaries(&log);
            // Of the smallest every prefix.
            let step = match log.len() {
                0..200 => 1,
                200..1000 => 37,
                len => len / 13,
            };
            for cut in (step..=log.len()).step_by(step) {
                let prefix = &log[..cut];
                let own = start(name, dir(name, prefix).0)
                    .unwrap_or_else(|| panic!("{name} refuses {cut} of {}", log.len()));
                let ours = dir(name, prefix);
                let options = cut_only().server(name.parse().unwrap());
                let plan = plan(ours.path(), &options).unwrap();
                assert!(plan.target.as_ref().unwrap().loads, "{plan}");
                assert_eq!(plan.is_empty(), boundaries.contains(&cut));
                repair(&plan, &RepairPlace::InPlace { stamp: "1".to_owned() }).unwrap();
                let ours = start(name, ours.0).expect("it loads what was repaired");
                assert_eq!(digest(&ours), digest(&own), "{name}, cut to {cut} of {}", log.len());
                compared += 1;
            }
        }
    }
    println!("{compared} compared");
    assert!(compared >= 400);
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_was_broken_loads_after_its_repair() {
    // On top of the base its keys are there twice, which no plan looks for.
    const TWICE: [&str; 1] = ["mp-incr-rdb"];
    let (mut started, mut refused) = (BTreeMap::new(), Vec::new());
    for (corpus, folder, case) in cases() {
        let name = match &corpus[..] {
            "redis-6.2.16" => "redis-6.2",
            "redis-7.0.15" => "redis-7.0",
            "valkey-9.1.2" => "valkey-9.1",
            _ => continue,
        };
        let id = case["id"].as_str().unwrap();
        if case.get("truncate_to_timestamp").is_some() || TWICE.contains(&id) {
            continue;
        }
        let options = salvage().server(name.parse().unwrap());
        let Ok(plan) = plan(&folder, &options) else { continue };
        let loads = plan.target.as_ref().unwrap().loads;
        if !loads {
            continue;
        }
        let copied = tempfile::tempdir().unwrap();
        copy(&folder, copied.path());
        let plan = redkeep::aof::repair::plan(copied.path(), &options).unwrap();
        repair(&plan, &RepairPlace::InPlace { stamp: "1".to_owned() }).unwrap();
        if name == "redis-7.0" {
            checked(copied.path(), id);
        }
        match start(name, copied) {
            Some(_) => *started.entry(name).or_insert(0) += 1,
            None => refused.push(format!("{corpus}/{id}: {plan}")),
        }
    }
    println!("{started:?}");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(std::env::var_os("REDKEEP_CORPUS").is_none() || started.values().sum::<u32>() > 200);
}

/// The servers' own checker finds nothing in it, unless it is one of the things it is wrong about.
fn checked(dir: &Path, id: &str) {
    let manifest = dir.join("appendonlydir/appendonly.aof.manifest");
    if ["aof-exec-alone", "aof-nested-multi", "aof-trunc-0000"].contains(&id) || !manifest.is_file()
    {
        return;
    }
    let folder = std::env::var_os("REDKEEP_SERVERS")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target/servers").into());
    let program = Path::new(&folder).join("redis-7.0/check-aof");
    let output = Command::new(program).arg(manifest).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{id}: {text}");
}
