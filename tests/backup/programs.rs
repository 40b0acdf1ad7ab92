//! Backups against the programs that they are to be opened with when this one is gone.

use crate::program::{place, url, well};
use crate::servers::Server;
use crate::{digest, given};
use std::process::Command;

/// How to get at the data when this program is gone; then a server loads it.
#[test]
#[ignore = "needs real servers, zstd and age, which tests/run gets"]
fn a_backup_is_opened_by_hand_and_loads() {
    let server = Server::start("redis-7.0", Some(&given("redis-7.0"))).unwrap();
    let (folder, public) = place();
    let made = well(
        folder.path(),
        &public,
        &format!("backup {} --init --json --volume 20000", url(&server)),
    );
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let id = made["manifest"]["backup"].as_str().unwrap();
    let line = format!(
        "set -o pipefail; cd archive/main/{id} && sha256sum -c manifest.json.sha256 >&2 \
         && cat main.rdb.zst.age.* | age -d -i ../../../key | zstd -d"
    );
    let output =
        Command::new("bash").args(["-c", &line]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = Server::start("redis-7.0", Some(&output.stdout)).unwrap();
    assert_eq!(digest(&again), digest(&server));
}
