//! The newest backup into a file, byte for byte: `restore_all /backup KEYFILE dump.rdb`

#![allow(clippy::print_stdout)] // what a program is for

use redkeep::repo::seal::{Identities, OpenOptions};
use redkeep::repo::{Archive, Pick, StreamName, store::LocalStore};
use redkeep::task::{FetchOptions, fetch};
use std::fs::File;
use std::ops::ControlFlow;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [folder, key, path] = &arguments[..] else { return Err("FOLDER KEYFILE PATH".into()) };
    let archive = Archive::open(LocalStore::open(folder)?)?;
    let main = StreamName::default();
    let stored = archive.backup(&main, archive.find(&main, &Pick::Latest)?)?;
    let keys = Identities::read(File::open(key)?, || None)?;
    let options = FetchOptions::default().open(OpenOptions::default().identities(keys));
    // It appears there only when every digest was compared.
    let fetched = fetch(&stored, path.as_ref(), &options, &mut |_, _| ControlFlow::Continue(()))?;
    println!("{path}: {} bytes of {}", fetched.bytes, stored.manifest().backup);
    Ok(())
}
