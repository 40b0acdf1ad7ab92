//! Some keys of the newest backup into a running server, those there replaced:
//! `restore_pattern /backup KEYFILE 'user:*' redis://127.0.0.1`

#![allow(clippy::print_stdout)] // what a program is for

use redkeep::live::restore::{Conflict, RestoreOptions, RestoreSink};
use redkeep::live::{Clock, ConnectOptions, Connection};
use redkeep::repo::seal::{Identities, OpenOptions};
use redkeep::repo::{Archive, Pick, StreamName, store::LocalStore};
use redkeep::select::{Condition, FilterOptions, KeyPattern};
use redkeep::task::{RestoreChoice, StoredDump, restore};
use std::fs::File;
use std::time::{Duration, Instant};

struct System(Instant);

impl Clock for System {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [folder, key, pattern, url] = &arguments[..] else {
        return Err("FOLDER KEYFILE PATTERN URL".into());
    };
    let archive = Archive::open(LocalStore::open(folder)?)?;
    let main = StreamName::default();
    let stored = archive.backup(&main, archive.find(&main, &Pick::Latest)?)?;
    let keys = Identities::read(File::open(key)?, || None)?;
    let open = OpenOptions::default().identities(keys);
    let choice = RestoreChoice::default()
        .filter(FilterOptions::default().include(Condition::keys([KeyPattern::glob(pattern)])));
    let clock = System(Instant::now());
    for part in stored.manifest().shards.iter().flat_map(|shard| &shard.parts) {
        let mut server = Connection::open(ConnectOptions::new(url))?;
        let options = RestoreOptions::default().conflict(Conflict::Replace);
        let sink = RestoreSink::new(&mut server, &clock, options)?;
        let mut dump = StoredDump::open(&stored, part, &open)?;
        let restored = restore(&mut dump, &choice, sink)?;
        dump.finish()?;
        println!("{} keys restored, {} failed", restored.keys.restored, restored.keys.failed);
    }
    Ok(())
}
