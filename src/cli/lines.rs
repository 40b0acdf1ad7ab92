//! The lines of `redkeep digest`, for people or as JSON.

use crate::cli::digest::{Dataset, Number};
use crate::cli::human::several;
use crate::cli::{Exit, Source, complain};
use crate::digest::{Differing, How, KeyComparison};
use crate::rdb::ServerVersion;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use std::io::{self, BufWriter, StdoutLock, Write};

/// Standard output, which remembers that it failed.
pub(crate) struct Lines {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    server: Option<ServerVersion>,
    failed: Option<io::Error>,
}

impl Lines {
    pub(crate) fn new(json: bool, server: Option<ServerVersion>) -> Lines {
        let out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
        Lines { out, json, server, failed: None }
    }

    /// Whether nothing more can be written.
    pub(crate) fn failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Writes what is left. A reader that has seen enough and left is no failure.
    pub(crate) fn finish(mut self) -> Result<Exit, Exit> {
        self.write(|out| out.flush());
        match self.failed {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                complain(format_args!("writing to standard output: {error}"));
                Err(Exit::Failed)
            }
            Some(_) => Err(Exit::Done),
            None => Ok(Exit::Done),
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.out).err();
        }
    }

    fn json(&mut self, line: &impl Serialize) {
        self.write(|out| {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")
        });
    }

    pub(crate) fn key(&mut self, db: u64, key: &[u8], digest: Option<Number>) {
        if self.json {
            return self.json(&KeyLine { db, key: Name(key), digest });
        }
        let key = key.escape_ascii();
        self.write(|out| match digest {
            Some(digest) => writeln!(out, "{digest}  db {db}  \"{key}\""),
            // As wide as a server's digest.
            None => writeln!(out, "{:<40}  db {db}  \"{key}\"", "unknown"),
        });
    }

    pub(crate) fn dataset(&mut self, dataset: &Dataset, path: &Source) {
        if self.json {
            let server = self.server.map(|server| server.to_string());
            return self.json(&DatasetLine { server, dataset });
        }
        self.write(|out| writeln!(out, "{}  {path}", dataset.digest));
    }

    /// Whether two dumps hold the same, and in which keys they differ, where that is asked for.
    pub(crate) fn compared(
        &mut self,
        [first, second]: [&Dataset; 2],
        [one, other]: [&Source; 2],
        keys: Option<&KeyComparison<Number>>,
    ) {
        let same = first.digest == second.digest;
        if self.json {
            for Differing { db, key, how, .. } in
                keys.into_iter().flat_map(KeyComparison::differing)
            {
                self.json(&DifferingLine { db, key: Name(key), how });
            }
            let server = self.server.map(|server| server.to_string());
            return self.json(&ComparedLine { same, server, first, second });
        }
        let verdict = if same { "SAME" } else { "DIFFERENT" };
        let by = match self.server {
            Some(server) => format!(", by what DEBUG DIGEST of {server} covers"),
            None => String::new(),
        };
        self.write(|out| {
            writeln!(out, "{verdict}  {one} and {other}{by}\n")?;
            for (dataset, path) in [(first, one), (second, other)] {
                let keys = several(dataset.keys, "key", "keys");
                writeln!(out, "  {}  {path}, {keys}", dataset.digest)?;
            }
            let Some(keys) = keys else { return Ok(()) };
            writeln!(out)?;
            let mut none = true;
            for Differing { db, key, how, .. } in keys.differing() {
                none = false;
                let how = match how {
                    How::Changed => "changed",
                    How::OnlyFirst => "only in the first",
                    How::OnlySecond => "only in the second",
                };
                writeln!(out, "  {how:<18}  db {db}  \"{}\"", key.escape_ascii())?;
            }
            match none {
                true => writeln!(out, "  no key differs, but functions or data of modules do"),
                false => Ok(()),
            }
        });
    }
}

/// A key's name as the export has it: text, or base64 where it is none.
struct Name<'a>(&'a [u8]);

impl Serialize for Name<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_map([("b64", STANDARD.encode(self.0))]),
        }
    }
}

#[derive(Serialize)]
struct KeyLine<'a> {
    db: u64,
    key: Name<'a>,
    digest: Option<Number>,
}

#[derive(Serialize)]
struct DatasetLine<'a> {
    /// Our own digest where there is none.
    server: Option<String>,
    #[serde(flatten)]
    dataset: &'a Dataset,
}

#[derive(Serialize)]
struct DifferingLine<'a> {
    db: u64,
    key: Name<'a>,
    how: How,
}

#[derive(Serialize)]
struct ComparedLine<'a> {
    same: bool,
    server: Option<String>,
    first: &'a Dataset,
    second: &'a Dataset,
}
