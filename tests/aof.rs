//! Logs: the laws, and what real servers wrote, in whole and damaged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/aof_laws.rs"]
mod aof_laws;
#[path = "aof/check.rs"]
mod check;
#[path = "aof/commands.rs"]
mod commands;
#[path = "aof/common.rs"]
mod common;
#[path = "aof/damaged.rs"]
mod damaged;
#[path = "aof/files.rs"]
mod files;
#[path = "aof/fileset.rs"]
mod fileset;
#[path = "common/laws.rs"]
mod laws;
#[path = "common/random.rs"]
mod random;
#[path = "common/servers.rs"]
mod servers;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use redkeep::aof::write_command;

/// Commands as logs have them, and annotations, and some that no server writes.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        3 => prop::sample::select(vec!["SET", "multi", "EXEC", "SELECT", "3", "DEL", "#", "*"])
            .prop_map(|word| word.as_bytes().to_vec()),
        2 => vec(any::<u8>(), 0..20),
        1 => vec(prop::sample::select(b"*$\r\n019".to_vec()), 0..200),
    ];
    let command = vec(word, 1..6).prop_map(|args| {
        let mut out = Vec::new();
        write_command(&args, &mut out).unwrap();
        out
    });
    let line = prop::sample::select(vec!["#TS:1795159679\r\n", "#TS:x\r\n", "#\n", "# other \r\n"]);
    prop_oneof![
        8 => command,
        1 => line.prop_map(|line| line.as_bytes().to_vec()),
    ]
}

fn any_preamble() -> impl Strategy<Value = &'static [u8]> {
    let preambles: [&[u8]; 4] =
        [b"", b"", b"REDIS0003\xfe\x00\x00\x01k\x01v\xff", b"REDIS0009\xff12345678"];
    prop::sample::select(preambles.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn however_a_log_arrives_it_is_read_alike(
        preamble in any_preamble(),
        records in vec(any_record(), 0..12),
        cut in proptest::option::of(any::<Index>()),
        flips in vec((any::<Index>(), 0u8..8), 0..2),
        (window, step) in (prop::sample::select(vec![64usize, 65, 100, 1 << 20]), 1usize..100),
        held in prop::sample::select(vec![64u64, 200, u64::MAX]),
    ) {
        let mut log = [preamble, &records.concat()].concat();
        if let Some(cut) = cut && !log.is_empty() {
            log.truncate(cut.index(log.len()));
        }
        for (at, bit) in flips {
            if !log.is_empty() {
                let at = at.index(log.len());
                log[at] ^= 1 << bit;
            }
        }
        aof_laws::resp_as(&log, window, step, held);
        aof_laws::check_as(&log, window, step);
    }

    #[test]
    fn any_bytes_are_read_alike(bytes in vec(any::<u8>(), 0..200)) {
        aof_laws::resp(&bytes);
        aof_laws::check(&bytes);
    }

    #[test]
    fn any_line_is_a_manifest_that_reads_the_same_or_an_error(
        words in vec(prop_oneof![
            prop::sample::select(vec![
                "file", "a.1.base.rdb", "seq", "1", "2", "type", "b", "i", "h", "#", "\n", "\r\n",
                "file a seq 1 type i\n", "'", "\"", "\\x41", "startoffset", "\0", "x/y",
            ]).prop_map(str::to_owned),
            "\\PC{0,4}",
        ], 0..40),
    ) {
        aof_laws::manifest(words.join(" ").replace("\n ", "\n").as_bytes());
    }
}

#[test]
fn a_log_that_arrives_byte_by_byte_is_read_as_the_whole_at_every_window() {
    let giant = "x".repeat(5000);
    let mut log = b"REDIS0003\xfe\x00\x00\x01k\x01v\xff#TS:1\r\n".to_vec();
    for _ in 0..3 {
        write_command(&["SET", "key", &giant], &mut log).unwrap();
        write_command(&vec!["MSET"; 500], &mut log).unwrap();
        write_command(&["SELECT", "2"], &mut log).unwrap();
    }
    for window in [64, 65, 66, 100, 127, 128, 1000, 4096, 1 << 20] {
        for step in [1, 7, 1 << 20] {
            aof_laws::resp_as(&log, window, step, u64::MAX);
            aof_laws::resp_as(&log, window, step, 1000);
            aof_laws::resp_as(&log[..log.len() - 3], window, step, u64::MAX);
        }
    }
}
