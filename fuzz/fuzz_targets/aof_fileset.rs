//! See `aof_laws::fileset`.
#![no_main]

#[path = "../../tests/common/aof_laws.rs"]
mod aof_laws;
#[path = "../../tests/common/laws.rs"]
mod laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| aof_laws::fileset(input));
