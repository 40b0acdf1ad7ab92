//! A manifest made anew from the files that are there, and from what of the old one can be read.

use crate::aof::manifest::{FileKind, Manifest, ManifestEntry};
use std::collections::BTreeMap;

/// What was made, and what to know of it.
#[derive(Debug)]
pub(crate) struct Rebuilt {
    pub(crate) manifest: Manifest,
    pub(crate) warnings: Vec<String>,
    pub(crate) obstacles: Vec<String>,
}

/// Makes a manifest of a log called `prefix`, from the old one's text and the names of the files.
///
/// A line that can be read is believed. A base of number n came about with at least n - 1 increments
/// behind it, so those of lower numbers are older than it. Of others nothing tells that.
pub(crate) fn rebuild(prefix: &str, text: &[u8], names: &[String]) -> Rebuilt {
    let mut rebuilt =
        Rebuilt { manifest: Manifest::default(), warnings: Vec::new(), obstacles: Vec::new() };
    let there = |file: &[u8]| names.iter().any(|name| name.as_bytes() == file);
    let (mut bases, mut increments) = (BTreeMap::new(), BTreeMap::new());
    let mut old = Vec::new();
    for entry in text.split_inclusive(|byte| *byte == b'\n').filter_map(readable) {
        match entry.kind {
            FileKind::History => old.push(entry),
            _ if !there(&entry.file) => {
                let file = String::from_utf8_lossy(&entry.file);
                rebuilt.warnings.push(format!("{file} stands in the manifest and is not there"));
            }
            FileKind::Base => {
                bases.insert(entry.seq, entry);
            }
            FileKind::Increment => {
                increments.insert(entry.seq, entry);
            }
        }
    }
    let listed = !bases.is_empty();
    for name in names {
        let is_old = old.iter().any(|entry| entry.file == name.as_bytes());
        match part_of(prefix, name) {
            Some((FileKind::Base, seq)) if !is_old && !listed => {
                let other =
                    bases.insert(seq, ManifestEntry::new(name.as_str(), seq, FileKind::Base));
                if let Some(other) = other.filter(|other| other.file != name.as_bytes()) {
                    rebuilt.obstacles.push(format!(
                        "{} and {name} could both be the base: move one of them away",
                        String::from_utf8_lossy(&other.file)
                    ));
                }
            }
            Some((FileKind::Increment, seq)) if !is_old => {
                increments
                    .entry(seq)
                    .or_insert_with(|| ManifestEntry::new(name.as_str(), seq, FileKind::Increment));
            }
            _ => {}
        }
    }
    let base = bases.pop_last().map(|(_, base)| base);
    for (_, entry) in bases {
        let file = String::from_utf8_lossy(&entry.file);
        rebuilt.warnings.push(format!("{file} is left out: there is a newer base"));
    }
    let newest = base.as_ref().map_or(0, |base| base.seq);
    for (seq, entry) in increments {
        let file = String::from_utf8_lossy(&entry.file);
        if seq < newest {
            rebuilt.warnings.push(format!("{file} is left out: it is older than the base"));
            continue;
        }
        if newest > 1 && entry.start_offset.is_none() {
            rebuilt.warnings.push(format!(
                "{file} may be older than the base, and then what it says would be done twice"
            ));
        }
        rebuilt.manifest.increments.push(entry);
    }
    if base.is_none() {
        rebuilt.warnings.push("there is no base: the log begins with its increments".to_owned());
    }
    rebuilt.manifest.base = base;
    rebuilt
}

/// The entry that a line holds, where the line alone is a manifest.
fn readable(line: &[u8]) -> Option<ManifestEntry> {
    let mut manifest = Manifest::parse(&[line.trim_ascii(), b"\n"].concat()).ok()?;
    let whole = line.ends_with(b"\n");
    let (increment, history) = (manifest.increments.pop(), manifest.history.pop());
    let entry = manifest.base.or(increment).or(history)?;
    // The last number of a line without its end may go on.
    Some(if whole { entry } else { ManifestEntry::new(entry.file, entry.seq, entry.kind) })
}

/// What a file is by its name.
fn part_of(prefix: &str, name: &str) -> Option<(FileKind, i64)> {
    let rest = name.strip_prefix(prefix)?;
    if rest.is_empty() {
        // An old single log, which became the first base.
        return Some((FileKind::Base, 1));
    }
    let (seq, end) = rest.strip_prefix('.')?.split_once('.')?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
    // In front of the kind a repair notes its time.
    let mut words = end.rsplit('.');
    let kind = match (words.next(), words.next()) {
        (Some("rdb" | "aof"), Some("base")) => FileKind::Base,
        (Some("aof"), Some("incr")) => FileKind::Increment,
        _ => return None,
    };
    Some((kind, seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, names: &[&str]) -> (String, usize, usize) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let Rebuilt { manifest, warnings, obstacles } = rebuild("a", text.as_bytes(), &names);
        let bytes = manifest.to_bytes().unwrap_or_default();
        (String::from_utf8(bytes).unwrap(), warnings.len(), obstacles.len())
    }

    const SET: [&str; 3] = ["a.1.base.rdb", "a.1.incr.aof", "a.2.incr.aof"];
    const WHOLE: &str = "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n\
                         file a.2.incr.aof seq 2 type i\n";

    #[test]
    fn names_are_enough() {
        assert_eq!(made("", &SET), (WHOLE.to_owned(), 0, 0));
        let odd = ["a.manifest", "temp-a.manifest", "a.x.incr.aof", "b.1.base.rdb", "a.0.incr.aof"];
        assert_eq!(made("", &[&SET[..], &odd].concat()), (WHOLE.to_owned(), 0, 0));
    }

    #[test]
    fn whatever_is_wrong_with_the_old_one_the_rest_of_it_is_believed() {
        for cut in 0..WHOLE.len() {
            assert_eq!(made(&WHOLE[..cut], &SET), (WHOLE.to_owned(), 0, 0), "{cut}");
        }
        let extra = "file a.1.incr.aof seq 1 type i startoffset 7\n\nfile ../x seq 3 type i\n";
        let (text, ..) = made(extra, &SET);
        assert!(text.contains("seq 1 type i startoffset 7\n") && text.lines().count() == 3);
        let (text, ..) = made("file a.1.incr.aof seq 1 type h\n", &SET);
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn what_is_older_than_the_base_is_left_out_and_doubt_is_said() {
        let names = ["a", "a.2.base.rdb", "a.1.incr.aof", "a.2.incr.aof"];
        let (text, warnings, _) = made("", &names);
        assert_eq!(text, "file a.2.base.rdb seq 2 type b\nfile a.2.incr.aof seq 2 type i\n");
        assert_eq!(warnings, 3);
        assert_eq!(made("", &["a", "a.1.base.rdb"]).2, 1);
        assert_eq!(made("", &["a.1.incr.aof"]).1, 1);
    }
}
