//! Records of a log as JSON lines.

use super::text::Text;
use crate::aof::{Record, RecordKind, Transaction};
use crate::error::{Error, Result};
use crate::rdb::Header;
use std::io::Write;

/// Bytes that are gathered before they are written out.
const FLUSH: usize = 256 << 10;

/// Writes the records of a log as JSON lines.
///
/// A byte string is a JSON string where it is valid UTF-8, and `{"b64": "..."}` where it is not.
///
/// | field | meaning |
/// |---|---|
/// | `file` | the file's name |
/// | `offset`, `record` | the offset of its first byte, and its number in the file, from 0 |
/// | `db` | the database that a command works on; of a SELECT the one it chooses |
/// | `ts` | seconds since 1970 as last noted in the log, or null |
/// | `tx` | in a transaction `begin`, `inside` or `commit`; `stray_exec`, `nested_multi`; or null |
/// | `args` | the command: byte strings, its name first |
/// | `annotation` | in place of `db` and `args`: a line that servers skip, without `#` |
/// | `rdb` | in place of all but `file`: what the file begins with, by `header`, `bytes` and `keys` |
///
/// Lines wait in a buffer until [`flush`](RecordLines::flush).
///
/// ```
/// use redkeep::aof::SliceReader;
/// use redkeep::export::RecordLines;
/// let mut out = Vec::new();
/// let mut lines = RecordLines::new(&mut out);
/// for record in SliceReader::new(b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n") {
///     lines.record("a.aof", &record?, None)?;
/// }
/// lines.flush()?;
/// assert_eq!(
///     String::from_utf8(out).unwrap(),
///     r#"{"file":"a.aof","offset":0,"record":0,"db":0,"ts":null,"tx":null,"args":["DEL","k"]}
/// "#
/// );
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct RecordLines<W> {
    out: W,
    text: Text,
    lines: u64,
}

impl<W: Write> RecordLines<W> {
    /// Lines that go here, in blocks: it needs no buffer of its own.
    pub fn new(out: W) -> RecordLines<W> {
        RecordLines { out, text: Text::new(), lines: 0 }
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Writes a command or an annotation of this file. `time` is its second since 1970, where that is
    /// known: see [`RecordFilter::matches`](crate::select::RecordFilter::matches).
    ///
    /// # Errors
    /// `Io` where `out` fails; `Usage` for a part of an RDB.
    pub fn record(&mut self, file: &str, record: &Record<'_>, time: Option<i64>) -> Result<()> {
        let args = match record.kind {
            RecordKind::Command(command) => Ok(command.args()),
            RecordKind::Annotation(line) => Err(line.text()),
            RecordKind::Rdb(_) => return Err(Error::usage("a part of an RDB is no record")),
        };
        self.begin(file);
        let text = &mut self.text;
        text.put(b",\"offset\":");
        text.unsigned(record.offset);
        text.put(b",\"record\":");
        text.unsigned(record.number);
        if args.is_ok() {
            text.put(b",\"db\":");
            text.unsigned(record.db);
        }
        text.put(b",\"ts\":");
        match time {
            Some(seconds) => text.signed(seconds),
            None => text.put(b"null"),
        }
        text.put(b",\"tx\":");
        text.put(transaction(record.transaction));
        match args {
            Ok(args) => {
                text.put(b",\"args\":");
                let mut before: u8 = b'[';
                for arg in args {
                    self.text.push(before);
                    self.text.string(arg);
                    before = b',';
                    self.drain(FLUSH)?;
                }
                self.text.push(b']');
            }
            Err(line) => {
                text.put(b",\"annotation\":");
                text.string(line);
            }
        }
        self.end()
    }

    /// Writes the line that stands for the RDB that a file begins with.
    ///
    /// # Errors
    /// `Io` where `out` fails.
    pub fn rdb(&mut self, file: &str, header: Header, bytes: u64, keys: u64) -> Result<()> {
        self.begin(file);
        self.text.put(b",\"rdb\":{\"header\":");
        self.text.string(header.to_string().as_bytes());
        self.text.put(b",\"bytes\":");
        self.text.unsigned(bytes);
        self.text.put(b",\"keys\":");
        self.text.unsigned(keys);
        self.text.push(b'}');
        self.end()
    }

    /// Writes out all that waits.
    ///
    /// # Errors
    /// `Io` where `out` fails.
    pub fn flush(&mut self) -> Result<()> {
        self.drain(0)?;
        Ok(self.out.flush()?)
    }

    /// What the lines go to, for something else to be written between them.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), which it does.
    pub(crate) fn between(&mut self) -> Result<&mut W> {
        self.drain(0)?;
        Ok(&mut self.out)
    }

    fn begin(&mut self, file: &str) {
        self.text.put(b"{\"file\":");
        self.text.string(file.as_bytes());
    }

    fn end(&mut self) -> Result<()> {
        self.text.put(b"}\n");
        self.lines += 1;
        self.drain(FLUSH)
    }

    /// Writes out what waits where that is more than so many bytes.
    fn drain(&mut self, most: usize) -> Result<()> {
        if self.text.len() > most {
            let written = self.out.write_all(self.text.bytes());
            self.text.truncate(0);
            written?;
        }
        Ok(())
    }
}

fn transaction(transaction: Transaction) -> &'static [u8] {
    match transaction {
        Transaction::Outside => b"null",
        Transaction::Begin => b"\"begin\"",
        Transaction::Inside => b"\"inside\"",
        Transaction::Commit => b"\"commit\"",
        Transaction::StrayExec => b"\"stray_exec\"",
        Transaction::NestedMulti => b"\"nested_multi\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::{SliceReader, write_command};
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn lines(log: &[u8]) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        let mut lines = RecordLines::new(&mut out);
        for record in SliceReader::new(log) {
            let record = record.unwrap();
            lines.record("x \"y\"", &record, record.timestamp).unwrap();
        }
        let count = lines.lines();
        lines.flush().unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.lines().count() as u64, count);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_says_where_the_record_is_and_what_it_belongs_to() {
        let mut log = b"#TS:5\r\n".to_vec();
        for words in [&["select", "3"][..], &["MULTI"], &["DEL", "k"], &["EXEC"], &["EXEC"]] {
            write_command(words, &mut log).unwrap();
        }
        let lines = lines(&log);
        assert_eq!(lines[0]["annotation"], "TS:5");
        assert!(lines[0].get("db").is_none() && lines[0]["file"] == "x \"y\"");
        assert_eq!(lines[3]["args"], serde_json::json!(["DEL", "k"]));
        assert_eq!((&lines[3]["db"], &lines[3]["ts"]), (&3.into(), &5.into()));
        let tx: Vec<_> = lines.iter().map(|line| line["tx"].as_str()).collect();
        let in_one = [Some("begin"), Some("inside"), Some("commit"), Some("stray_exec")];
        assert_eq!(tx, [&[None, None], &in_one[..]].concat());
        assert_eq!((&lines[1]["offset"], &lines[2]["record"]), (&7.into(), &2.into()));
    }

    proptest! {
        #[test]
        fn arguments_come_back_as_they_were(args in vec(vec(any::<u8>(), 0..40), 1..8)) {
            use base64::Engine;
            let mut log = Vec::new();
            write_command(&args, &mut log).unwrap();
            let line = &lines(&log)[0];
            let read: Vec<Vec<u8>> = line["args"].as_array().unwrap().iter().map(|arg| {
                match arg.as_str() {
                    Some(text) => text.as_bytes().to_vec(),
                    None => {
                        let b64 = arg["b64"].as_str().unwrap();
                        base64::engine::general_purpose::STANDARD.decode(b64).unwrap()
                    }
                }
            }).collect();
            prop_assert_eq!(read, args);
        }
    }
}
