//! A backup of a running server, now: `backup_now redis://127.0.0.1 /backup age1...`

#![allow(clippy::print_stdout)] // what a program is for

use redkeep::UnixMillis;
use redkeep::live::{Clock, ConnectOptions, Connection};
use redkeep::repo::{Archive, seal::Recipients, store::LocalStore};
use redkeep::task::{BackupOptions, SealChoice, SnapshotOptions, backup_server};
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

struct System(Instant);

impl Clock for System {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, folder, key] = &arguments[..] else { return Err("URL FOLDER KEY".into()) };
    let archive = Archive::open_or_create(LocalStore::open(folder)?)?;
    let mut server = Connection::open(ConnectOptions::new(url))?;
    let seal = SealChoice::default().recipients(Recipients::parse(key)?);
    let options = BackupOptions::default().seal(seal);
    let how = SnapshotOptions::default(); // BGSAVE, else as a replica, else key by key
    let clock = System(Instant::now());
    let outcome = backup_server(&archive, &mut server, &clock, &how, &now, &options, &mut |_| {
        ControlFlow::Continue(())
    })?;
    let manifest = &outcome.manifest;
    println!("{}: {}, {} keys", manifest.backup, manifest.soundness, manifest.keys());
    if outcome.is_sound() { Ok(()) } else { Err("look at what was found".into()) }
}
