//! See `seal_laws::seal_open`.
#![no_main]

#[path = "../../tests/common/seal_laws.rs"]
mod seal_laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| seal_laws::seal_open(input));
