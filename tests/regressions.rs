//! Replays what the fuzz targets start from (`fuzz/seeds/<target>/`) and inputs that once broke a
//! law (`tests/data/regressions/<target>/`).

#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/aof_laws.rs"]
mod aof_laws;
#[cfg(feature = "repo")]
#[path = "common/archive_laws.rs"]
mod archive_laws;
#[cfg(feature = "synth")]
#[path = "common/kept.rs"]
mod kept;
#[path = "common/laws.rs"]
mod laws;
#[cfg(feature = "live")]
#[path = "common/replication_laws.rs"]
mod replication_laws;
#[cfg(feature = "repo")]
#[path = "common/seal_laws.rs"]
mod seal_laws;
#[path = "common/writing_laws.rs"]
mod writing_laws;

use std::path::Path;

type Law = fn(&[u8]);

const TARGETS: &[(&str, Law)] = &[
    ("slice_reader", laws::slice_reader),
    ("chunked", laws::chunked),
    ("encodings", laws::encodings),
    ("lzf", laws::lzf),
    ("check", laws::check),
    ("convert", writing_laws::convert),
    ("payload", writing_laws::payload),
    ("select", laws::select),
    ("aof_check", aof_laws::check),
    ("aof_resp", aof_laws::resp),
    ("aof_manifest", aof_laws::manifest),
    ("aof_fileset", aof_laws::fileset),
    ("aof_repair", aof_laws::repair),
    #[cfg(feature = "live")]
    ("replication", replication_laws::replication),
    #[cfg(feature = "repo")]
    ("archive", archive_laws::archive),
    #[cfg(feature = "repo")]
    ("seal_open", seal_laws::seal_open),
    #[cfg(feature = "json")]
    ("json", laws::json),
    #[cfg(feature = "synth")]
    ("rewrite", rewrite),
];

/// As the target of this name takes its input.
#[cfg(feature = "synth")]
fn rewrite(input: &[u8]) {
    use arbitrary::{Arbitrary, Unstructured};
    use redkeep::rdb::{Content, ServerVersion};
    let made = <(ServerVersion, Content)>::arbitrary_take_rest(Unstructured::new(input));
    if let Ok((target, content)) = made {
        content.validate().unwrap();
        kept::rewrites(&content, target);
    }
}

#[test]
fn seeds_and_what_once_broke_a_law_break_none() {
    for folder in ["tests/data/regressions", "fuzz/seeds"] {
        for &(target, law) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
            for file in folder.read_dir().into_iter().flatten() {
                let path = file.unwrap().path();
                println!("{}", path.display()); // shown only where the law breaks
                law(&std::fs::read(&path).unwrap());
            }
        }
    }
}
