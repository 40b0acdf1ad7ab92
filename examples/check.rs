//! Lets a dump pass only if it is sound and a given server would load it.
//!
//!     cargo run --example check -- dump.rdb redis-7.2

use redkeep::rdb::check::{CheckOptions, Verdict, check_file};
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (path, server) =
        arguments.next().zip(arguments.next()).ok_or("usage: check DUMP SERVER")?;
    let options = CheckOptions::default().target(server.parse()?);
    let report = check_file(File::open(path)?, &options)?;
    if report.verdict == Verdict::Sound {
        return Ok(());
    }
    let found = report.findings.iter().map(|found| format!("{}: {}", found.code, found.message));
    Err(found.collect::<Vec<_>>().join("; ").into())
}
