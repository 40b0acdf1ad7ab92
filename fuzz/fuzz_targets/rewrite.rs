//! See `kept::rewrites`.
#![no_main]

#[path = "../../tests/common/kept.rs"]
mod kept;

use libfuzzer_sys::fuzz_target;
use redkeep::rdb::{Content, ServerVersion};

fuzz_target!(|input: (ServerVersion, Content)| {
    let (target, content) = input;
    content.validate().unwrap();
    kept::rewrites(&content, target);
});
