//! A nightly job: back up, verify, delete what no rule keeps, and say how it all is.
//! `nightly redis://127.0.0.1 /backup age1... KEYFILE`

#![allow(clippy::print_stdout)] // what a program is for

use redkeep::UnixMillis;
use redkeep::live::{Clock, ConnectOptions, Connection};
use redkeep::repo::retention::RetentionOptions;
use redkeep::repo::seal::{Identities, OpenOptions, Recipients};
use redkeep::repo::{Archive, store::LocalStore};
use redkeep::task::{
    BackupOptions, PruneOptions, SealChoice, SnapshotOptions, StatusOptions, VerifyOptions,
    backup_server, prune, status, verify,
};
use std::fs::File;
use std::ops::ControlFlow::Continue;
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
    let [url, folder, public, key] = &arguments[..] else {
        return Err("URL FOLDER KEY FILE".into());
    };
    let archive = Archive::open_or_create(LocalStore::open(folder)?)?;
    let seal = SealChoice::default().recipients(Recipients::parse(public)?);
    let options = BackupOptions::default().seal(seal);
    let (mut server, how) =
        (Connection::open(ConnectOptions::new(url))?, SnapshotOptions::default());
    let clock = System(Instant::now());
    let on = &mut |_: &_| Continue(());
    let made = backup_server(&archive, &mut server, &clock, &how, &now, &options, on)?;
    let keys = Identities::read(File::open(key)?, || None)?;
    let check = VerifyOptions::default().open(OpenOptions::default().identities(keys));
    let id = made.manifest.backup;
    let found = verify(&archive, &options.stream, id, &now, &check, &mut |_, _| Continue(()))?;
    let rules = RetentionOptions::default().daily(7).weekly(5).monthly(12);
    let pruned = prune(&archive, &now, &PruneOptions::new(rules), &mut |_| Continue(()))?;
    let all = StatusOptions::default().max_verified_age(Duration::from_secs(48 * 3600));
    let status = status(&archive, &now, &all, &mut |_, _| Continue(()))?;
    println!(
        "{id}: passed {}, {} deleted, {}",
        found.passed(),
        pruned.deleted.len(),
        status.verdict
    );
    if made.is_sound() && found.passed() { Ok(()) } else { Err("look at it".into()) }
}
