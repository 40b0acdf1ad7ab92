//! Prints every key of a dump with its database, its type and the bytes its value takes in the
//! file, in bounded memory whatever the sizes.
//!
//!     cargo run --example keys -- dump.rdb

use redkeep::rdb::{Entry, EventKind, StrBuf, StreamReader};
use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: keys DUMP")?;
    let mut reader = StreamReader::new(File::open(path)?);
    let mut out = BufWriter::new(io::stdout().lock());
    // A value bigger than the reader's window: its key, and its bytes so far.
    let (mut open, mut bytes) = (None, 0);
    while let Some(event) = reader.next()? {
        match event.kind() {
            EventKind::Entry(entry) => {
                writeln!(out, "{} {}", describe(&entry)?, entry.value().len())?;
            }
            EventKind::Open(entry) => {
                (open, bytes) = (Some(describe(&entry)?), entry.value().len());
            }
            EventKind::Run(_) | EventKind::Piece(_) => bytes += event.raw().len(),
            EventKind::Close => {
                if let Some(key) = open.take() {
                    writeln!(out, "{key} {bytes}")?;
                }
            }
            _ => {}
        }
    }
    Ok(out.flush()?)
}

fn describe(entry: &Entry<'_>) -> Result<String, redkeep::Error> {
    let mut buf = StrBuf::new();
    let key = entry.key().bytes(&mut buf)?.escape_ascii();
    Ok(format!("{} {key} {}", entry.db(), entry.value_type().data_type()))
}
