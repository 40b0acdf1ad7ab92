//! Replays what the fuzz targets start from (`fuzz/seeds/<target>/`) and inputs that once broke a
//! law (`tests/data/regressions/<target>/`).

#[path = "common/aof_laws.rs"]
mod aof_laws;
#[path = "common/laws.rs"]
mod laws;

use std::path::Path;

type Law = fn(&[u8]);

const TARGETS: &[(&str, Law)] = &[
    ("slice_reader", laws::slice_reader),
    ("chunked", laws::chunked),
    ("encodings", laws::encodings),
    ("lzf", laws::lzf),
    ("check", laws::check),
    ("aof_resp", aof_laws::resp),
    ("aof_manifest", aof_laws::manifest),
    ("aof_repair", aof_laws::repair),
    #[cfg(feature = "json")]
    ("json", laws::json),
];

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
