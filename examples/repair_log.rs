//! A repaired copy of an append-only log: `repair_log appendonlydir repaired`

#![allow(clippy::print_stdout)] // what a program is for

use redkeep::aof::repair::{RepairOptions, plan};
use redkeep::task::{RepairPlace, repair};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [log, folder] = &arguments[..] else { return Err("LOG FOLDER".into()) };
    // Nothing is changed by a plan: it says what would go, and on what evidence.
    let plan = plan(log.as_ref(), &RepairOptions::default())?;
    println!("{plan}");
    let outcome = repair(&plan, &RepairPlace::Folder(folder.into()))?;
    println!("{folder}: {} bytes lost", outcome.lost.bytes);
    Ok(())
}
