//! See `laws::select`.
#![no_main]

#[path = "../../tests/common/laws.rs"]
mod laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| laws::select(input));
