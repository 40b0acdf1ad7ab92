//! The manifest: which files make up a log of several parts, and in which order.

use crate::aof::words::{self, is_blank};
use crate::error::{Error, Fault, Result, printable};
use crate::wire::cursor::Cursor;
use std::fmt;

/// Bytes of the longest line that servers read, its LF counted.
const MAX_LINE: usize = 1024;

/// What an `appendonly.aof.manifest` says.
///
/// ```
/// use redkeep::aof::Manifest;
/// let text = b"file a.2.base.rdb seq 2 type b\nfile a.5.incr.aof seq 5 type i\n";
/// let manifest = Manifest::parse(text)?;
/// assert_eq!(manifest.base.as_ref().unwrap().file, b"a.2.base.rdb");
/// assert_eq!(manifest.increments[0].seq, 5);
/// assert_eq!(manifest.to_bytes()?, text);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Manifest {
    /// Lines that begin with `#`, without it and without their end. Servers drop them at the next
    /// change of the manifest.
    pub comments: Vec<Vec<u8>>,
    /// What everything else comes on top of; at most one.
    pub base: Option<ManifestEntry>,
    /// What was replaced and may be deleted, in the order of the file.
    pub history: Vec<ManifestEntry>,
    /// The increments, their numbers ascending.
    pub increments: Vec<ManifestEntry>,
}

/// One line of a manifest.
///
/// ```
/// use redkeep::aof::{FileKind, Manifest};
/// let manifest = Manifest::parse(b"file \"my log.1.incr.aof\" seq 1 type i startoffset 0\n")?;
/// let entry = &manifest.increments[0];
/// assert_eq!((&entry.file[..], entry.kind), (&b"my log.1.incr.aof"[..], FileKind::Increment));
/// assert_eq!((entry.start_offset, entry.end_offset), (Some(0), None));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ManifestEntry {
    /// The file's name, with no folder in it.
    pub file: Vec<u8>,
    /// Its number, from 1 up; bases and increments are counted apart.
    pub seq: i64,
    /// What it is.
    pub kind: FileKind,
    /// The replication offset at which it begins (Redis from 8.0).
    pub start_offset: Option<i64>,
    /// The replication offset at which it ends, written at a clean shutdown (Redis from 8.0).
    pub end_offset: Option<i64>,
    /// Keys that are not known here and their values, in order.
    pub others: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The types of files that a manifest knows.
///
/// ```
/// use redkeep::aof::FileKind;
/// assert_eq!(FileKind::History.to_string(), "history");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FileKind {
    /// What the increments come on top of.
    Base,
    /// Replaced; not loaded.
    History,
    /// Commands since the base, or since the increment before.
    Increment,
}

impl FileKind {
    const LETTERS: [(u8, FileKind); 3] =
        [(b'b', FileKind::Base), (b'h', FileKind::History), (b'i', FileKind::Increment)];

    fn from_letter(letter: u8) -> Option<FileKind> {
        Self::LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, kind)| *kind)
    }

    fn letter(self) -> u8 {
        Self::LETTERS.iter().find(|(_, kind)| *kind == self).map_or(b'?', |(letter, _)| *letter)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Base => "base",
            FileKind::History => "history",
            FileKind::Increment => "increment",
        })
    }
}

impl ManifestEntry {
    /// An entry with nothing but what every server knows.
    ///
    /// ```
    /// use redkeep::aof::{FileKind, Manifest, ManifestEntry};
    /// let mut manifest = Manifest::default();
    /// manifest.base = Some(ManifestEntry::new("a.1.base.rdb", 1, FileKind::Base));
    /// assert_eq!(manifest.to_bytes()?, b"file a.1.base.rdb seq 1 type b\n");
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    #[must_use]
    pub fn new(file: impl Into<Vec<u8>>, seq: i64, kind: FileKind) -> ManifestEntry {
        let (file, others) = (file.into(), Vec::new());
        ManifestEntry { file, seq, kind, start_offset: None, end_offset: None, others }
    }

    /// Reads the words of a line.
    fn parse(words: &[Vec<u8>]) -> std::result::Result<ManifestEntry, Fault> {
        if words.len() < 6 || !words.len().is_multiple_of(2) {
            return Err(Fault::ManifestLine);
        }
        let (mut file, mut seq, mut letter) = (None, 0, None);
        let mut entry = ManifestEntry::new("", 0, FileKind::Base);
        for pair in words.chunks_exact(2) {
            let [key, value] = pair else { return Err(Fault::Internal) };
            let known = |name: &str| key.eq_ignore_ascii_case(name.as_bytes());
            if known("file") {
                if value.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
                    return Err(Fault::ManifestPath);
                }
                file = Some(value);
            } else if known("seq") {
                seq = leading_integer(value);
            } else if known("type") {
                letter = value.first().copied();
            } else if known("startoffset") {
                entry.start_offset = Some(leading_integer(value));
            } else if known("endoffset") {
                entry.end_offset = Some(leading_integer(value));
            } else {
                entry.others.push((key.clone(), value.clone()));
            }
        }
        let (Some(file), Some(letter)) = (file, letter) else { return Err(Fault::ManifestLine) };
        if seq <= 0 {
            return Err(Fault::ManifestSeq);
        }
        entry.kind = FileKind::from_letter(letter).ok_or(Fault::ManifestType)?;
        (entry.file, entry.seq) = (file.clone(), seq);
        Ok(entry)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut pair = |key: &[u8], value: &[u8]| {
            words::write(key, out);
            out.push(b' ');
            words::write(value, out);
            out.push(b' ');
        };
        pair(b"file", &self.file);
        pair(b"seq", self.seq.to_string().as_bytes());
        pair(b"type", &[self.kind.letter()]);
        let offsets = [("startoffset", self.start_offset), ("endoffset", self.end_offset)];
        for (key, offset) in offsets {
            if let Some(offset) = offset {
                pair(key.as_bytes(), offset.to_string().as_bytes());
            }
        }
        for (key, value) in &self.others {
            pair(key, value);
        }
        out.pop();
        out.push(b'\n');
    }
}

impl Manifest {
    /// Reads a manifest, as strict as servers.
    ///
    /// # Errors
    /// `Corrupt` with the number of the line and the offset of its first byte, for all that makes
    /// a server exit: no line at all, a line that is blank, not ended, too long, not in pairs, or
    /// without file, number or type; a path; two bases; increments that do not ascend. (A negative
    /// number is an error too, which servers let pass for bases and history.)
    pub fn parse(text: &[u8]) -> Result<Manifest> {
        let mut manifest = Manifest::default();
        let (mut rest, mut number) = (text, 0u64);
        if text.is_empty() {
            return Err(Error::at(Fault::ManifestEmpty, 0));
        }
        while !rest.is_empty() {
            number += 1;
            let begun = (text.len() - rest.len()) as u64;
            // Servers read so many bytes at once, and take the rest for another line.
            let seen = rest.get(..MAX_LINE).unwrap_or(rest);
            let end = seen.iter().position(|&byte| byte == b'\n');
            let (line, behind) = rest.split_at(end.map_or(seen.len(), |end| end + 1));
            rest = behind;
            manifest.line(line).map_err(|fault| {
                let shown = printable(line.trim_ascii_end());
                Error::at(fault, begun).with_detail(format!("line {number}: \"{shown}\""))
            })?;
        }
        Ok(manifest)
    }

    fn line(&mut self, line: &[u8]) -> std::result::Result<(), Fault> {
        if let Some(comment) = line.strip_prefix(b"#") {
            self.comments.push(comment.strip_suffix(b"\n").unwrap_or(comment).to_vec());
            return Ok(());
        }
        // To a server a line ends with a zero byte, too, and then lacks its LF.
        if !line.ends_with(b"\n") || line.contains(&0) {
            return Err(Fault::ManifestLong);
        }
        let trimmed = trim(line);
        if trimmed.is_empty() {
            return Err(Fault::ManifestLine);
        }
        let words = words::split(trimmed).ok_or(Fault::ManifestLine)?;
        self.add(ManifestEntry::parse(&words)?)
    }

    fn add(&mut self, entry: ManifestEntry) -> std::result::Result<(), Fault> {
        match entry.kind {
            FileKind::Base if self.base.is_some() => return Err(Fault::ManifestTwoBases),
            FileKind::Base => self.base = Some(entry),
            FileKind::History => self.history.push(entry),
            FileKind::Increment => {
                if self.increments.last().is_some_and(|last| last.seq >= entry.seq) {
                    return Err(Fault::ManifestOrder);
                }
                self.increments.push(entry);
            }
        }
        Ok(())
    }

    /// What is loaded, in order: the base, then the increments.
    pub fn loaded(&self) -> impl Iterator<Item = &ManifestEntry> {
        self.base.iter().chain(&self.increments)
    }

    /// The manifest as servers write it: comments, base, history, increments.
    ///
    /// # Errors
    /// `Usage` where no server could read it back.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for comment in &self.comments {
            out.push(b'#');
            out.extend_from_slice(comment);
            out.push(b'\n');
        }
        for entry in self.base.iter().chain(&self.history).chain(&self.increments) {
            entry.write(&mut out);
        }
        match Manifest::parse(&out) {
            Ok(read) if read == *self => Ok(out),
            Ok(_) => Err(Error::usage("a manifest that would not read back the same")),
            Err(error) => Err(Error::usage(format!("not a manifest: {error}"))),
        }
    }
}

/// What servers trim off a line before they split it.
fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let before = line.iter().take_while(blank).count();
    let line = line.get(before..).unwrap_or_default();
    let behind = line.iter().rev().take_while(blank).count();
    line.get(..line.len() - behind).unwrap_or_default()
}

/// The integer a text begins with, as C's `atoll` reads it: 0 where there is none, saturated where
/// it does not fit.
fn leading_integer(text: &[u8]) -> i64 {
    let mut c = Cursor::new(text);
    while c.peek().is_ok_and(is_blank) {
        let _ = c.byte();
    }
    let negative = c.peek() == Ok(b'-');
    if matches!(c.peek(), Ok(b'-' | b'+')) {
        let _ = c.byte();
    }
    let mut number = 0i64;
    while let Ok(byte @ b'0'..=b'9') = c.byte() {
        let digit = i64::from(byte - b'0');
        number = number.saturating_mul(10);
        number = if negative { number.saturating_sub(digit) } else { number.saturating_add(digit) };
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn refused(text: &str) -> (Fault, u64, String) {
        let error = Manifest::parse(text.as_bytes()).unwrap_err();
        let line = error.to_string().split(": line ").nth(1).unwrap_or("0:").to_owned();
        let line = line.split(':').next().unwrap().to_owned();
        (error.fault().unwrap(), error.offset().unwrap(), line)
    }

    const BASE: &str = "file a.1.base.rdb seq 1 type b\n";

    #[test]
    fn what_makes_a_server_exit_is_an_error_with_its_line() {
        let of = |fault, line: &str| (fault, 31, line.to_owned());
        let after = |line: &str| refused(&format!("{BASE}{line}"));
        assert_eq!(refused("").0, Fault::ManifestEmpty);
        assert_eq!(after("\n"), of(Fault::ManifestLine, "2"));
        assert_eq!(after(" \t\r\n"), of(Fault::ManifestLine, "2"));
        assert_eq!(after("file a seq 1 type i"), of(Fault::ManifestLong, "2"));
        assert_eq!(after("file a\0 seq 1 type i\n"), of(Fault::ManifestLong, "2"));
        assert_eq!(after("file a seq 1\n"), of(Fault::ManifestLine, "2"));
        assert_eq!(after("file a seq 1 type i x\n"), of(Fault::ManifestLine, "2"));
        assert_eq!(after("file \"a seq 1 type i\n"), of(Fault::ManifestLine, "2"));
        assert_eq!(after("a a b b c c\n"), of(Fault::ManifestLine, "2"));
        assert_eq!(after("file a seq 0 type i\n"), of(Fault::ManifestSeq, "2"));
        assert_eq!(after("file a seq x type i\n"), of(Fault::ManifestSeq, "2"));
        assert_eq!(after("file a seq 1 type x\n"), of(Fault::ManifestType, "2"));
        assert_eq!(after("file a seq 1 type \"\"\n"), of(Fault::ManifestLine, "2"));
        assert_eq!(after("file ../a seq 1 type i\n"), of(Fault::ManifestPath, "2"));
        assert_eq!(after(BASE), of(Fault::ManifestTwoBases, "2"));
        let twice = "file a seq 2 type i\nfile b seq 2 type i\n";
        assert_eq!(after(twice), (Fault::ManifestOrder, 51, "3".to_owned()));
        let long = format!("{} {}\n", BASE.trim_end(), "x ".repeat(500));
        assert_eq!(refused(&long), (Fault::ManifestLong, 0, "1".to_owned()));
    }

    #[test]
    fn what_servers_let_pass_is_read() {
        let text = "TYPE history FILE 'a b' Seq 07x colour blue\r\n#last";
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let entry = &manifest.history[0];
        assert_eq!((&entry.file[..], entry.seq), (&b"a b"[..], 7));
        assert_eq!(entry.others, [(b"colour".to_vec(), b"blue".to_vec())]);
        assert_eq!(manifest.comments, [b"last"]);
        let written = manifest.to_bytes().unwrap();
        assert_eq!(written, b"#last\nfile \"a b\" seq 7 type h colour blue\n");
        assert_eq!(Manifest::parse(&written).unwrap(), manifest);
        let line = format!("{} x {}\n", BASE.trim_end(), "y".repeat(1024 - 34));
        assert_eq!(line.len(), 1024);
        assert!(Manifest::parse(line.as_bytes()).is_ok());
    }

    #[test]
    fn a_manifest_that_no_server_could_read_is_not_written() {
        let mut manifest = Manifest::default();
        assert!(manifest.to_bytes().is_err());
        manifest.base = Some(ManifestEntry::new("a/b", 1, FileKind::Base));
        assert!(manifest.to_bytes().is_err());
        manifest.base = Some(ManifestEntry::new("a", 1, FileKind::Increment));
        assert!(manifest.to_bytes().is_err());
        manifest.base = None;
        manifest.comments = vec![b"two\nlines".to_vec()];
        assert!(manifest.to_bytes().is_err());
        assert_eq!(leading_integer(b" +99999999999999999999"), i64::MAX);
        assert_eq!(leading_integer(b"-12x"), -12);
    }

    fn entries(kind: FileKind, most: usize) -> impl Strategy<Value = Vec<ManifestEntry>> {
        let name = vec(any::<u8>().prop_filter("a bare name", |b| !b"/\\".contains(b)), 0..20);
        let others = vec((vec(any::<u8>(), 8..12), vec(any::<u8>(), 0..9)), 0..3);
        let seq = 1..1000i64;
        vec((name, seq, option::of(any::<i64>()), option::of(any::<i64>()), others), 0..most)
            .prop_map(move |mut all| {
                all.sort_by_key(|entry| entry.1);
                all.dedup_by_key(|entry| entry.1);
                let entry = |(file, seq, start_offset, end_offset, others)| ManifestEntry {
                    file,
                    seq,
                    kind,
                    start_offset,
                    end_offset,
                    others,
                };
                all.into_iter().map(entry).collect()
            })
    }

    proptest! {
        #[test]
        fn what_was_written_reads_the_same(
            base in entries(FileKind::Base, 2),
            history in entries(FileKind::History, 4),
            increments in entries(FileKind::Increment, 5),
            comments in vec("[ -~]{0,30}".prop_map(String::into_bytes), 0..3),
        ) {
            let base = base.into_iter().next();
            let manifest = Manifest { comments, base, history, increments };
            prop_assume!(manifest != Manifest::default());
            let written = manifest.to_bytes().unwrap();
            prop_assert_eq!(Manifest::parse(&written).unwrap(), manifest);
        }
    }
}
