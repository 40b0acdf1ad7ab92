//! What this crate brings along is part of what it promises: an addition is a change made here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a panic is how a test fails

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// All crates behind the default features, on any platform.
const DEFAULT: [&str; 15] = [
    "bytes",
    "crc-fast",
    "crypto-common",
    "digest",
    "foldhash",
    "generic-array",
    "redkeep",
    "spin",
    "thiserror",
    "typenum",
    // While compiling only, behind thiserror's derive macro:
    "proc-macro2",
    "quote",
    "syn",
    "thiserror-impl",
    "unicode-ident",
];

/// Which features bring which optional crate.
const OPTIONAL: [(&str, &[&str]); 24] = [
    ("age", &["repo"]),
    ("arbitrary", &["synth"]),
    ("base64", &["json"]),
    ("blake3", &["digest"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("jiff", &["repo"]),
    ("memmap2", &["mmap"]),
    ("opendal", &["opendal"]),
    ("opendal-http-transport-reqwest", &["opendal-http"]),
    ("redis", &["live"]),
    ("regex", &["regex"]),
    ("reqwest", &["opendal-http"]),
    ("russh-sftp", &["sftp"]),
    ("rustix", &["live", "repo"]),
    ("rustls", &["live-tls", "opendal-http"]),
    ("rustls-native-certs", &["live-tls", "opendal-http"]),
    ("serde", &["json"]),
    ("serde_json", &["json"]),
    ("sha1", &["digest"]),
    ("sha2", &["repo"]),
    ("signal-hook", &["cli"]),
    ("tokio", &["opendal", "sftp"]),
    ("zstd", &["repo"]),
];

#[test]
fn the_default_features_bring_exactly_these_crates() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| env!("CARGO").to_owned());
    let arguments = "tree --edges normal --prefix none --target all --locked --offline";
    let run = Command::new(&cargo)
        .args(arguments.split(' '))
        .args(["--manifest-path".as_ref(), Path::new(ROOT).join("Cargo.toml").as_os_str()])
        .output();
    let output = run.unwrap_or_else(|error| panic!("{cargo} could not be started: {error}"));
    assert!(
        output.status.success(),
        "`cargo {arguments}` failed, so the dependencies could not be listed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let listed = String::from_utf8(output.stdout).unwrap();
    let got: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    let want = BTreeSet::from(DEFAULT);
    let new: Vec<_> = got.difference(&want).collect();
    let gone: Vec<_> = want.difference(&got).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "the default features now bring {new:?} and no longer {gone:?}; if that is meant, say so \
         in tests/dependencies.rs and in README.md"
    );
    for (name, _) in OPTIONAL {
        assert!(!got.contains(name), "{name} comes without the feature that is to bring it");
    }
}

#[test]
fn each_optional_crate_comes_with_its_own_feature_only() {
    let manifest = manifest();
    let mut brought: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (feature, _, value) in section(&manifest, "[features]") {
        for crate_name in value.split('"').filter_map(|part| part.strip_prefix("dep:")) {
            brought.entry(crate_name.to_owned()).or_default().push(feature.clone());
        }
    }
    let want: BTreeMap<String, Vec<String>> = OPTIONAL
        .iter()
        .map(|(name, features)| {
            ((*name).to_owned(), features.iter().map(|f| (*f).to_owned()).collect())
        })
        .collect();
    assert_eq!(brought, want);
    for (name, _, value) in section(&manifest, "[dependencies]") {
        assert_eq!(value.contains("optional = true"), want.contains_key(&name), "{name}");
    }
}

#[test]
fn each_feature_says_what_it_is_for() {
    let manifest = manifest();
    let features = section(&manifest, "[features]");
    assert!(features.len() > 1);
    for (name, above, _) in features.iter().filter(|(name, ..)| name != "default") {
        assert!(above.starts_with("## "), "feature {name} has no `##` line above it");
    }
    // And the README's table has them all.
    let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    for (name, ..) in features.iter().filter(|(name, ..)| name != "default") {
        assert!(readme.contains(&format!("| `{name}` |")), "README.md has no row for {name}");
    }
}

fn manifest() -> String {
    std::fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap()
}

/// The entries of one section of the manifest: name, the line above, value.
fn section(manifest: &str, title: &str) -> Vec<(String, String, String)> {
    let lines: Vec<&str> = manifest.lines().skip_while(|line| *line != title).collect();
    let until = lines.iter().skip(1).position(|line| line.starts_with('[')).unwrap_or(lines.len());
    let pairs = lines.windows(2).take(until);
    pairs
        .filter_map(|pair| {
            let (name, value) = pair[1].split_once(" = ").filter(|_| !pair[1].starts_with('#'))?;
            Some((name.to_owned(), pair[0].to_owned(), value.to_owned()))
        })
        .collect()
}
