//! See `replication_laws::replication`.
#![no_main]

#[path = "../../tests/common/replication_laws.rs"]
mod replication_laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| replication_laws::replication(input));
