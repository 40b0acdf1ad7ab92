//! redkeep itself. Each function is one job as a user would write it.

use std::path::Path;

use crate::contenders::Outcome;

/// Every key and its value as stored, from an `io::Read`, checksum verified.
pub fn walk_stream(_file: &Path) -> Outcome {
    Err("not written yet".into())
}

/// The same over a slice, with the file read whole first.
pub fn walk_slice(_file: &Path) -> Outcome {
    Err("not written yet".into())
}

/// Every element of every value, from an `io::Read`, checksum verified.
pub fn decode_stream(_file: &Path) -> Outcome {
    Err("not written yet".into())
}

/// The same over a slice, with the file read whole first.
pub fn decode_slice(_file: &Path) -> Outcome {
    Err("not written yet".into())
}

/// The highest rung of the check: every rule about the inside of every value.
pub fn check(_file: &Path) -> Outcome {
    Err("not written yet".into())
}

/// JSON lines into a sink.
pub fn json(_file: &Path) -> Outcome {
    Err("not written yet".into())
}
