//! See `writing_laws::payload`.
#![no_main]

#[path = "../../tests/common/laws.rs"]
mod laws;
#[path = "../../tests/common/writing_laws.rs"]
mod writing_laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| writing_laws::payload(input));
