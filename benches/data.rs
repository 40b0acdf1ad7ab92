//! Dumps to measure with, made in memory and the same in every run.

#![allow(dead_code)] // no bench needs all of it

use redkeep::synth::{Random, SynthOptions, SynthSize, write_dump};
use std::fmt::Write;
use std::sync::LazyLock;

/// About this many bytes each.
pub(crate) const SIZE: u64 = 16 << 20;

/// Names of the dumps that [`dump`] knows: the mixes of the feature `synth`.
pub(crate) const NAMES: [&str; 4] = ["strings", "mixed", "big", "json"];

static DUMPS: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    NAMES.map(|name| {
        let mut dump = Vec::new();
        let _ = write_dump(&mut dump, &options(name));
        dump
    })
});

/// A dataset of this mix, for a server of today.
pub(crate) fn options(mix: &str) -> SynthOptions {
    let server = "redis-7.2".parse().unwrap_or_else(|error| unreachable!("{error}"));
    let options = SynthOptions::new(server).size(SynthSize::Bytes(SIZE));
    options.mix(mix.parse().unwrap_or_default())
}

pub(crate) fn dump(name: &str) -> &'static [u8] {
    let at = NAMES.iter().position(|known| *known == name);
    at.and_then(|at| DUMPS.get(at)).map_or(&[], |dump| dump)
}

/// Text as services keep it: the same field names over and over, other values each time.
pub(crate) fn json(len: usize, random: &mut Random) -> Vec<u8> {
    let mut text = String::from("[");
    while text.len() < len {
        let (id, price) = (random.below(1_000_000), random.below(100_000));
        let name = String::from_utf8(random.text(8)).unwrap_or_default();
        let _ = write!(
            text,
            r#"{{"id":{id},"name":"{name}","price":{price},"tags":["new","sale"],"stock":true}},"#
        );
    }
    text.truncate(len);
    text.into_bytes()
}
