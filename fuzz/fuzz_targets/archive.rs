//! See `archive_laws::archive`.
#![no_main]

#[path = "../../tests/common/archive_laws.rs"]
mod archive_laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| archive_laws::archive(input));
