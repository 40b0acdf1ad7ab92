//! Backups within a service of tokio: all calls of this crate block, so they go to `spawn_blocking`.
//! `tokio_service dump.rdb /backup`

#![allow(clippy::print_stdout)] // what a program is for

use redkeep::UnixMillis;
use redkeep::repo::{Archive, store::LocalStore};
use redkeep::task::{BackupOptions, BackupOutcome, backup_watched};
use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What the service shares with its backup: how far it is, and whether it is to stop.
#[derive(Default)]
struct Shared {
    bytes: AtomicU64,
    stop: AtomicBool,
}

fn back_up(path: &str, folder: &str, shared: &Shared) -> redkeep::Result<BackupOutcome> {
    let archive = Archive::open_or_create(LocalStore::open(folder)?)?;
    let file = File::open(path)?;
    let (len, options) = (file.metadata()?.len(), BackupOptions::default());
    backup_watched(&archive, file, Some(len), &now, &options, &mut |at| {
        shared.bytes.store(at.bytes, Ordering::Relaxed);
        match shared.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()), // nothing of it stays
            false => ControlFlow::Continue(()),
        }
    })
}

async fn serve(path: String, folder: String) -> Result<(), Box<dyn std::error::Error>> {
    let shared = Arc::new(Shared::default());
    let theirs = Arc::clone(&shared);
    let mut work = tokio::task::spawn_blocking(move || back_up(&path, &folder, &theirs));
    let outcome = loop {
        match tokio::time::timeout(Duration::from_millis(200), &mut work).await {
            Ok(done) => break done??,
            Err(_) => println!("{} bytes so far", shared.bytes.load(Ordering::Relaxed)),
        }
    };
    println!("{}: {}", outcome.manifest.backup, outcome.manifest.soundness);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [path, folder] = &arguments[..] else { return Err("DUMP FOLDER".into()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(path.clone(), folder.clone()))
}
