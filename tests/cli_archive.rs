//! The program and archives: dumps backed up, listed, verified and restored, without any server.

#![cfg(all(feature = "cli", feature = "repo", feature = "live"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a panic is how a test fails

#[path = "common/program.rs"]
mod program;

use program::{code, stderr, stdout};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with an archive, keys, and a dump.
struct Place {
    folder: tempfile::TempDir,
    public: String,
}

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("archive")).unwrap();
        std::fs::copy(data("redis-7.0.15/default/dump.rdb"), folder.path().join("dump.rdb"))
            .unwrap();
        let mut place = Place { folder, public: String::new() };
        let made = place.run("keygen -o key");
        assert_eq!(code(&made), 0, "{}", stderr(&made));
        place.public = stdout(&made).trim().to_owned();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs it in this folder, with the archive and the keys in the environment.
    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redkeep"));
        command.args(arguments.split(' ')).current_dir(self.folder.path());
        command.env("REDKEEP_REPO", "archive").env("REDKEEP_IDENTITY", "key");
        command.env("REDKEEP_RECIPIENT", &self.public).stdin(Stdio::null());
        command
    }

    fn well(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert_eq!(code(&output), 0, "{arguments}: {}", stderr(&output));
        stdout(&output).to_owned()
    }

    fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.well(arguments)).unwrap()
    }
}

#[test]
fn a_dump_goes_into_an_archive_and_comes_back() {
    let place = Place::new();
    let none = place.run("backup dump.rdb");
    assert_eq!(code(&none), 1);
    assert!(stderr(&none).contains("redkeep init"), "{}", stderr(&none));
    assert!(place.well("init").starts_with("archive "));
    assert_eq!(code(&place.run("init")), 1);

    let made = place.json("backup dump.rdb --tag nightly --json");
    assert_eq!((&made["kept"], &made["manifest"]["soundness"]), (&true.into(), &"sound".into()));
    let id = made["manifest"]["backup"].as_str().unwrap().to_owned();
    assert!(place.well("list").contains("not verified  [nightly]"));
    assert!(place.well("verify").starts_with(&format!("OK  {id}: level meaning")));
    let line: Value = serde_json::from_str(&place.well("list --json")).unwrap();
    assert_eq!(
        (&line["id"], &line["last_verified"]["problems"]),
        (&id.as_str().into(), &serde_json::json!([]))
    );
    assert_eq!(place.well("list --tag other"), "");
    let shown = place.well(&format!("show {id}"));
    assert!(shown.contains("REDIS0010, 255 keys") && shown.contains("encrypted"), "{shown}");
    assert_eq!(place.json("show --json")["certificates"].as_array().unwrap().len(), 1);

    place.well("backup dump.rdb --stream quick --check framing --no-room-check");
    assert!(place.well("show --stream quick").contains("level framing"));
    place.well("restore latest --to out.rdb");
    let dump = std::fs::read(place.path("dump.rdb")).unwrap();
    assert!(std::fs::read(place.path("out.rdb")).unwrap() == dump);
    let again = place.run("restore latest out.rdb");
    assert!(code(&again) == 1 && stderr(&again).contains("--force"), "{}", stderr(&again));
    place.well(&format!("restore {id} out.rdb --force"));
    // Some of it, for another server.
    place.well("restore latest part.rdb --key list* --for redis-6.2 --on-loss drop");
    assert!(place.well("check --for redis-6.2 part.rdb").starts_with("SOUND"));
    // And where a stopped server has its data.
    std::fs::create_dir(place.path("data")).unwrap();
    place.well("restore latest data --for redis-7.0 --appendonly no");
    assert!(place.well("check data/dump.rdb").starts_with("SOUND"));
}

#[test]
fn nothing_is_in_clear_unless_that_is_said() {
    let place = Place::new();
    place.well("init");
    let output = place.command("backup dump.rdb").env_remove("REDKEEP_RECIPIENT").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--in-clear"), "{}", stderr(&output));
    place.well("backup dump.rdb --in-clear");
    assert!(place.well("show").contains("in clear"));
    let output = place.command("verify").env_remove("REDKEEP_IDENTITY").output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    place.well("backup dump.rdb");
    let output =
        place.command("restore latest x.rdb").env_remove("REDKEEP_IDENTITY").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(!place.path("x.rdb").exists());
    let output = place.command("verify").env_remove("REDKEEP_IDENTITY").output().unwrap();
    assert!(code(&output) == 2 && stderr(&output).contains("--level bytes"), "{}", stderr(&output));
    let output =
        place.command("verify --level bytes").env_remove("REDKEEP_IDENTITY").output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // The secret key is nobody else's to read.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let rights = std::fs::metadata(place.path("key")).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o600);
    }
    assert_eq!(code(&place.run("keygen -o key")), 1, "and is not written over");
}

#[test]
fn damage_is_found_and_not_restored() {
    let place = Place::new();
    place.well("init");
    let made = place.json("backup dump.rdb --json");
    let id = made["manifest"]["backup"].as_str().unwrap();
    let volume = place.path(&format!("archive/main/{id}/main.rdb.zst.age.000000"));
    let good = std::fs::read(&volume).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    std::fs::write(&volume, &bad).unwrap();
    assert_eq!(code(&place.run("verify --level exists")), 0);
    let found = place.run("verify --level bytes");
    assert_eq!(code(&found), 3);
    assert!(stdout(&found).starts_with("FAILED"), "{}", stdout(&found));
    assert!(place.well("list").contains("FAILED"));
    let restored = place.run("restore latest out.rdb");
    assert_eq!(code(&restored), 1, "{}", stderr(&restored));
    assert!(!place.path("out.rdb").exists());
    std::fs::create_dir(place.path("data")).unwrap();
    let restored = place.run("restore latest data --for redis-7.0");
    assert_ne!(code(&restored), 0);
    assert_eq!(std::fs::read_dir(place.path("data")).unwrap().count(), 0, "nothing was changed");
    std::fs::write(&volume, &good).unwrap();
    assert_eq!(code(&place.run("verify")), 0);
    // A manifest that was changed is no backup to rely on, and is listed as such.
    let manifest = place.path(&format!("archive/main/{id}/manifest.json"));
    let text =
        std::fs::read_to_string(&manifest).unwrap().replace("\"keys\": 255", "\"keys\": 256");
    std::fs::write(&manifest, text).unwrap();
    let listed = place.run("list");
    assert!(code(&listed) == 3 && stdout(&listed).contains("NOT READABLE"), "{}", stdout(&listed));
    assert_eq!(code(&place.run("verify")), 3);
}

#[test]
fn half_a_dump_is_no_backup() {
    let place = Place::new();
    place.well("init");
    let dump = std::fs::read(place.path("dump.rdb")).unwrap();
    std::fs::write(place.path("half.rdb"), &dump[..dump.len() / 2]).unwrap();
    let half = place.run("backup half.rdb");
    assert_eq!(code(&half), 3);
    assert!(stderr(&half).contains("nothing was stored"), "{}", stderr(&half));
    assert_eq!(place.well("list"), "");
    assert_eq!(code(&place.run("backup half.rdb --keep-damaged")), 3);
    assert!(place.well("list").contains("damaged"));
    let missing = place.run("backup nowhere.rdb");
    assert_eq!(code(&missing), 1);
    // Through a pipe.
    let mut child = place
        .command("backup - --stream piped")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &dump).unwrap();
    assert_eq!(code(&child.wait_with_output().unwrap()), 0);
    assert_eq!(place.well("list --all-streams").lines().count(), 2);
    assert!(place.well("list --all-streams").contains("piped  2"));
}

#[test]
fn of_many_backups_a_share_is_verified_and_it_is_those_that_waited_longest() {
    let place = Place::new();
    place.well("init");
    for _ in 0..5 {
        place.well("backup dump.rdb");
    }
    let mut verified = std::collections::BTreeSet::new();
    for round in 1..=5 {
        let text = place.well("verify --sample 20%");
        assert_eq!(text.lines().count(), 1);
        verified.insert(text.split(' ').nth(2).unwrap().to_owned());
        assert_eq!(verified.len(), round, "another one each time");
    }
    assert_eq!(place.well("verify --all --level exists").lines().count(), 5);
    let loads = place.run("verify --for redis-6.2");
    assert!(code(&loads) == 3 && stdout(&loads).contains("WOULD NOT"), "{}", stdout(&loads));
    assert!(!place.well("list").contains("FAILED"), "that is no fault of the backup");
}

#[test]
fn the_names_of_files_stay_names_of_files() {
    let place = Place::new();
    place.well("init");
    place.well("backup dump.rdb");
    std::fs::create_dir(place.path("data")).unwrap();
    // An archive is in the environment, and this is a file all the same.
    place.well("restore dump.rdb data --for redis-7.0");
    std::fs::copy(place.path("dump.rdb"), place.path("latest")).unwrap();
    let both = place.run("restore latest other.rdb");
    assert_ne!(code(&both), 0, "a file of that name goes first, and into no file");
    place.well("restore latest other.rdb --repo archive");
    let wrong = place.run("restore dump.rdb other2.rdb --repo archive");
    assert!(code(&wrong) == 2 && stderr(&wrong).contains("latest"), "{}", stderr(&wrong));
    assert_eq!(code(&place.run("list --repo s4://x")), 2);
    assert_eq!(code(&place.run("list --repo nowhere")), 1);
}

/// A process that is killed at any point leaves what was there, and nothing that is listed beside it.
#[test]
fn a_backup_that_is_killed_is_none() {
    let place = Place::new();
    place.well("init");
    place.well("backup dump.rdb");
    place.well("synth --bytes 3000000 --mix mixed --seed 1 -o big.rdb");
    let dump = std::fs::read(place.path("big.rdb")).unwrap();
    let mut remains = 0;
    for round in 0..10 {
        // Small volumes, so that some of them are stored already.
        let stream = format!("s{round}");
        let line = format!("backup - --stream {stream} --volume 50000 --lease 1 --threads 1");
        let mut child =
            place.command(&line).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let upto = dump.len() * round / 10;
        std::io::Write::write_all(&mut input, &dump[..upto]).unwrap();
        std::io::Write::flush(&mut input).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(place.well(&format!("list --stream {stream}")), "", "round {round}");
        let folder = place.path(&format!("archive/{stream}"));
        let ids = folder.read_dir().into_iter().flatten().map(|entry| entry.unwrap().path());
        remains += usize::from(ids.filter(|path| !path.ends_with("lock")).count() > 0);
    }
    assert!(remains > 3, "{remains} left volumes behind");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    // Whoever comes after the lease is over is not kept from it.
    for round in [1, 5, 9] {
        place.well(&format!("backup dump.rdb --stream s{round}"));
        place.well(&format!("verify --stream s{round}"));
    }
    place.well("verify");
}

#[test]
fn what_no_rule_keeps_goes_and_status_tells() {
    let place = Place::new();
    place.well("init");
    let none = place.run("status --all-streams");
    assert_eq!(code(&none), 3, "an archive without backups: {}", stdout(&none));
    let ids: Vec<_> = (0..3)
        .map(|_| {
            place.json("backup dump.rdb --json")["manifest"]["backup"].as_str().unwrap().to_owned()
        })
        .collect();
    place.well(&format!("verify {}", ids[0]));
    let status = place.run("status --max-age 1h --json");
    let status: Value = serde_json::from_str(stdout(&status)).unwrap();
    assert_eq!(status["streams"][0]["backups"]["verified"], 1);
    assert_eq!(status["streams"][0]["newest"]["id"], ids[2].as_str());
    let old = place.run("status --max-age 0s");
    assert!(code(&old) == 3 && stdout(&old).starts_with("CRITICAL"), "{}", stdout(&old));
    let metrics = place.run("status --prometheus");
    assert!(stdout(&metrics).contains("# TYPE redkeep_"), "{}", stdout(&metrics));

    let dry = place.well("prune --keep-last 1 --dry-run");
    assert!(dry.contains("would be deleted"), "{dry}");
    assert_eq!(place.well("list").lines().count(), 3);
    place.well("prune --keep-last 1");
    let left = place.well("list");
    // The only verified one, and the newest.
    assert!(
        left.contains(&ids[0]) && left.contains(&ids[2]) && left.lines().count() == 2,
        "{left}"
    );
    let again = place.json("prune --keep-last 1 --json");
    assert_eq!(again["deleted"], serde_json::json!([]));
    assert_eq!(place.well("prune").lines().count(), 3, "without a rule everything is kept");
    assert_eq!(code(&place.run("prune --zone nowhere")), 2);
}

#[test]
fn a_second_place_has_what_the_first_one_has() {
    let place = Place::new();
    place.well("init");
    std::fs::create_dir(place.path("far")).unwrap();
    place.well("backup dump.rdb");
    place.well("backup dump.rdb");
    // No key is needed.
    let output = place.command("mirror --to far").env_remove("REDKEEP_IDENTITY").output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("2 backups copied"), "{}", stdout(&output));
    assert!(place.well("mirror --to far").starts_with("0 backups copied"));
    assert!(place.well("mirror latest --to far").contains("there already"));
    assert_eq!(place.well("list --repo far").lines().count(), 2);
    place.well("verify --all --repo far");
    place.well("restore latest out.rdb --repo far");
    assert!(
        std::fs::read(place.path("out.rdb")).unwrap()
            == std::fs::read(place.path("dump.rdb")).unwrap()
    );
    // An archive of its own takes none of another's.
    std::fs::create_dir(place.path("own")).unwrap();
    place.well("init --repo own");
    let refused = place.run("mirror --to own");
    assert_eq!(code(&refused), 2, "{}", stderr(&refused));
}

/// Ctrl-C ends in order what a kill would leave to be found.
#[test]
#[cfg(unix)]
fn a_backup_that_is_stopped_leaves_nothing() {
    let place = Place::new();
    place.well("init");
    place.well("synth --bytes 3000000 --mix mixed --seed 1 -o big.rdb");
    let dump = std::fs::read(place.path("big.rdb")).unwrap();
    let mut child = place
        .command("backup - --volume 50000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &dump[..dump.len() / 2]).unwrap();
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // It looks up when the next bytes come; it may have left by then.
    let _ = std::io::Write::write_all(&mut input, &dump[dump.len() / 2..]);
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("cancelled"), "{}", stderr(&output));
    let left: Vec<_> =
        place.path("archive").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["redkeep.json"], "neither volumes nor the lock");
    place.well("backup big.rdb");
}
