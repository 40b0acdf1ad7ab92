//! A floor never imports a floor above it; this reads every path that begins at the crate and
//! fails on a breach.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a panic is how a test fails

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from the ground up, by the first name of a path inside the crate.
const FLOORS: [&[&str]; 7] = [
    &["error", "file", "limits", "time"],
    &["wire"],
    &["rdb", "aof"],
    &["pipe", "select", "export", "keyspace", "digest", "synth"],
    &["live", "repo"],
    &["task"],
    &["cli", "bin", "guide"],
];

/// What `lib.rs` gives out at the top from the ground floor.
const GIVEN_OUT: [&str; 6] = ["Error", "ErrorKind", "Fault", "Limits", "Result", "UnixMillis"];

/// Who may use the modules of the top floor.
const USERS: [(&str, &[&str]); 3] = [("cli", &["bin"]), ("bin", &[]), ("guide", &[])];

/// Modules whose `check` stands above the rest of them.
const FORMATS: [&str; 2] = ["rdb", "aof"];

fn floor(name: &str) -> Option<usize> {
    if GIVEN_OUT.contains(&name) {
        return Some(0);
    }
    FLOORS.iter().position(|names| names.contains(&name))
}

/// What is wrong with a source file, `file` being its path below `src/`.
fn breaches(file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(own) = module.first() else { return Vec::new() }; // lib.rs stands above all floors
    if floor(own).is_none() {
        return vec![format!("{file}: on which floor is `{own}`? Say it in tests/layering.rs")];
    }
    let paths = crate_paths(source, &module);
    let found: BTreeSet<String> = paths
        .iter()
        .filter_map(|path| {
            Some(format!("{file}: {}: {}", path.join("::"), breach(file, own, path)?))
        })
        .collect();
    found.into_iter().collect()
}

/// What is wrong with one path, seen from a file of the module `own`.
fn breach(file: &str, own: &str, path: &[String]) -> Option<&'static str> {
    let target = path.first().filter(|name| *name != "*")?;
    if target == own {
        let check = FORMATS.contains(&own) && path.get(1).is_some_and(|name| name == "check");
        let above = file.starts_with(&format!("{own}/check/")) || file == format!("{own}/mod.rs");
        return (check && !above).then_some("the rest of its module is below it");
    }
    let Some(target_floor) = floor(target) else {
        return Some("is on no floor that tests/layering.rs knows");
    };
    let users = USERS.iter().find(|(name, _)| name == target).map(|(_, users)| *users);
    if floor(own).is_some_and(|own| own < target_floor) {
        Some("is on a floor above")
    } else if ["live", "repo"].contains(&own) && ["live", "repo"].contains(&target.as_str()) {
        Some("`live` and `repo` know nothing of each other")
    } else if users.is_some_and(|users| !users.contains(&own)) {
        Some("is not for others to use")
    } else {
        None
    }
}

/// `rdb/check/mod.rs` is the module `rdb::check`; the root is the empty path.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').filter(|part| *part != "lib").map(str::to_owned).collect()
}

/// Every path in the code that begins with `crate`, `super` or `redkeep` (how the program names the
/// crate), as names from the crate's root; groups in braces are spread out.
fn crate_paths(source: &str, module: &[String]) -> Vec<Vec<String>> {
    let tokens = tokens(source);
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut here = module.to_vec(); // and the modules in the file that we are inside of
    let mut opened = Vec::new(); // at which depth each of those began
    let (mut paths, mut depth, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        let inside = at > 0 && token(at - 1) == "::";
        match token(at) {
            "mod" if token(at + 2) == "{" => {
                here.push(token(at + 1).to_owned());
                opened.push(depth);
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if opened.pop_if(|begun| *begun == depth).is_some() {
                    here.pop();
                }
            }
            "crate" | "redkeep" if !inside && token(at + 1) == "::" => {
                tree(&tokens, at + 2, Vec::new(), &mut paths);
            }
            "super" if !inside && token(at + 1) == "::" => {
                let mut out = 1;
                while token(at + 2) == "super" {
                    (out, at) = (out + 1, at + 2);
                }
                let base = here[..here.len().saturating_sub(out)].to_vec();
                tree(&tokens, at + 2, base, &mut paths);
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

/// Reads what may stand after `::`, and returns where it ended.
fn tree(
    tokens: &[String],
    mut at: usize,
    mut path: Vec<String>,
    paths: &mut Vec<Vec<String>>,
) -> usize {
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    if token(at) != "{" {
        path.push(token(at).to_owned());
        if token(at + 1) == "::" {
            return tree(tokens, at + 2, path, paths);
        }
        paths.push(path);
        return at + 1;
    }
    while at < tokens.len() && token(at) != "}" {
        at += 1; // past the brace or the comma
        if token(at) != "}" {
            at = tree(tokens, at, path.clone(), paths);
            while !matches!(token(at), "," | "}" | "") {
                at += 1; // `as name`
            }
        }
    }
    at + 1
}

/// Names, `::` and single signs of a source file, without comments, strings and characters.
fn tokens(source: &str) -> Vec<String> {
    let bytes = source.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &source[at..];
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if let Some(hashes) = raw_string(rest) {
            let open = rest.find('"').unwrap() + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            at += open + rest[open..].find(&close).unwrap_or(rest.len() - open) + close.len();
        } else if rest.starts_with('"') {
            let mut end = 1;
            while end < rest.len() && rest.as_bytes()[end] != b'"' {
                end += 1 + usize::from(rest.as_bytes()[end] == b'\\');
            }
            at += end + 1;
        } else if let Some(len) = character(rest) {
            at += len;
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            at += word;
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            let sign = rest.chars().next().unwrap();
            if !sign.is_whitespace() {
                tokens.push(sign.to_string());
            }
            at += sign.len_utf8();
        }
    }
    tokens
}

/// How many `#` a raw string that begins here has.
fn raw_string(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a character that begins here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    if first == '\\' {
        return Some(3 + inner[2..].find('\'')?);
    }
    inner[first.len_utf8()..].starts_with('\'').then_some(2 + first.len_utf8())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_floor_imports_a_floor_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "only {} files found", files.len());
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        found.extend(breaches(&file, &fs::read_to_string(&path).unwrap()));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_kind_of_breach_is_seen() {
    let refused = [
        ("wire/cursor.rs", "use crate::rdb::Entry;"),
        ("rdb/entry.rs", "use crate::export::JsonLines;"),
        ("rdb/entry.rs", "fn f() -> crate::select::Glob { todo!() }"),
        ("rdb/entry.rs", "use crate::{error::Error, export::{JsonLines, JsonOutcome as Outcome}};"),
        ("rdb/entry.rs", "use super::super::export;"),
        ("rdb/entry.rs", "mod tests { use super::super::super::export::JsonLines; }"),
        ("error.rs", "use super::rdb::Entry;"),
        ("rdb/entry.rs", "use crate::rdb::check::Report;"),
        ("rdb/entry.rs", "use super::check::Report;"),
        ("rdb/encoding/mod.rs", "use crate::rdb::{check, item::Item};"),
        ("aof/record.rs", "use crate::aof::check::Report;"),
        ("aof/record.rs", "use super::check::Report;"),
        ("live/sync.rs", "use crate::repo::Store;"),
        ("repo/store.rs", "use crate::live::Sync;"),
        ("repo/store.rs", "use crate::task::Plan;"),
        ("task/verify.rs", "use crate::cli::main;"),
        ("cli/mod.rs", "use crate::guide;"),
        ("guide/mod.rs", "pub use crate::cli;"),
        ("rdb/entry.rs", "use crate::unheard_of::Thing;"),
        ("unheard_of/mod.rs", ""),
        ("rdb/entry.rs", "const A: u8 = b'\"'; use crate::export::JsonLines; const B: u8 = b'\"';"),
        ("rdb/entry.rs", "const A: &str = \"\\\"\"; use crate::export::JsonLines;"),
        ("rdb/entry.rs", "const A: &[u8] = br#\"\"\"#; use crate::export::JsonLines;"),
        ("rdb/entry.rs", "fn f<'a>(a: &'a u8) -> &'a u8 { crate::export::f(a) }"),
    ];
    for (file, source) in refused {
        assert_ne!(breaches(file, source), [""; 0], "{file}: {source}");
    }
    let accepted = [
        ("lib.rs", "pub use crate::rdb; pub mod cli;"),
        ("wire/cursor.rs", "use crate::error::Fault; use crate::Limits;"),
        ("rdb/mod.rs", "pub mod check; use check::Report;"),
        ("aof/check/set.rs", "use crate::aof::check::report::Report; use crate::rdb::check;"),
        ("rdb/check/mod.rs", "use crate::rdb::check::report::Report; use super::Entry;"),
        ("rdb/entry.rs", "use super::{value::Value, string}; mod tests { use super::*; }"),
        ("error.rs", "mod tests { use super::Error; mod more { use super::super::Error; } }"),
        ("rdb/entry.rs", "/// See [`crate::export`].\n// crate::export\n/* crate::export */"),
        ("rdb/entry.rs", "const A: &str = \"crate::export\"; const B: char = '\\'';"),
        ("aof/reader.rs", "use crate::rdb::{self, check::Report};"),
        ("export/json.rs", "use crate::rdb::check::Report; use crate::select::Glob;"),
        ("task/verify.rs", "use crate::{live::Sync, repo::Store};"),
        ("cli/check.rs", "use crate::cli::{Exit, Source}; use crate::task::verify;"),
        ("bin/redkeep.rs", "fn main() { redkeep::cli::main() }"),
    ];
    for (file, source) in accepted {
        assert_eq!(breaches(file, source), [""; 0], "{file}: {source}");
    }
}
