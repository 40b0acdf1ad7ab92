//! What is said of an archive, for Prometheus.

use crate::repo::StreamName;
use crate::task::status::finding::{StatusCode, StatusLevel};
use crate::task::status::report::{Status, StatusBackup, StreamStatus};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

impl Status {
    /// The same as metrics in the text form of Prometheus, for its textfile collector or an answer to its
    /// question. All are gauges; what is not known is left out. Findings are counted by their codes.
    ///
    /// See [`status`](crate::task::status()) for an example.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = Text::default();
        let archive = self.archive.to_string();
        text.family("redkeep_archive_info", "Which archive this is.");
        text.sample(&[("archive", &archive)], 1);
        text.family("redkeep_status_timestamp_seconds", "The time that ages are counted from.");
        text.sample(&[], seconds(self.at.get()));
        text.family("redkeep_status", "The worst found: 0 ok, 1 warning, 2 critical.");
        text.sample(&[], self.verdict as u8);
        text.family("redkeep_stored_bytes", "Bytes of all streams in the store.");
        text.sample(&[], self.bytes);
        text.family("redkeep_findings", "What somebody should look at, by its code.");
        let mut findings: BTreeMap<(&str, StatusCode, StatusLevel), u64> = BTreeMap::new();
        for (stream, finding) in self.findings() {
            let stream = stream.map_or("", StreamName::as_str);
            *findings.entry((stream, finding.code, finding.level)).or_default() += 1;
        }
        for ((stream, code, level), count) in findings {
            let level = level.to_string();
            text.sample(&[("stream", stream), ("code", code.code()), ("level", &level)], count);
        }
        self.streams(&mut text);
        self.backups(&mut text);
        text.out
    }

    fn streams(&self, text: &mut Text) {
        self.each(text, "redkeep_stream_status", "The worst found in a stream.", |stream| {
            Some(stream.verdict as u8)
        });
        text.family("redkeep_backups", "Backups, by how far they can be trusted.");
        for stream in &self.streams {
            let counts = &stream.backups;
            for (state, count) in [
                ("verified", counts.verified),
                ("unverified", counts.unverified),
                ("failed", counts.failed),
                ("unreadable", counts.unreadable),
            ] {
                text.sample(&[("stream", stream.stream.as_str()), ("state", state)], count);
            }
        }
        self.each(text, "redkeep_stream_stored_bytes", "Bytes of a stream in the store.", |s| {
            Some(s.bytes)
        });
        let help = "What writers left that is older than the grace.";
        self.each(text, "redkeep_remains", help, |stream| Some(stream.remains.old));
        let help = "Bytes of unfinished backups, old and young.";
        self.each(text, "redkeep_remains_bytes", help, |stream| Some(stream.remains.bytes));
        let help = "Whether somebody has the stream now.";
        self.each(text, "redkeep_locked", help, |stream| {
            Some(u8::from(stream.lock.as_ref().is_some_and(|lock| lock.until > self.at)))
        });
        let help = "Plain bytes of the newest backup, by the median of those before.";
        self.each(text, "redkeep_newest_backup_bytes_ratio", help, |stream| {
            stream.trend?.bytes.ratio().map(thousandths)
        });
        let help = "Keys of the newest backup, by the median of those before.";
        self.each(text, "redkeep_newest_backup_keys_ratio", help, |stream| {
            stream.trend?.keys.ratio().map(thousandths)
        });
    }

    fn backups(&self, text: &mut Text) {
        type Of = fn(&StreamStatus) -> Option<&StatusBackup>;
        let newest: Of = |stream| stream.newest.as_ref();
        let verified: Of = |stream| stream.newest_verified.as_ref();
        for (name, words, of) in [
            ("redkeep_newest_backup", "The newest backup", newest),
            ("redkeep_newest_verified_backup", "The newest verified backup", verified),
        ] {
            let mut one = |unit: &str, help: &str, value: fn(&StatusBackup) -> String| {
                let (name, help) = (format!("{name}_{unit}"), format!("{words}: {help}."));
                self.each(text, &name, &help, |stream| of(stream).map(value));
            };
            one("timestamp_seconds", "when it was begun", |b| seconds(b.time.get()));
            one("age_seconds", "how long ago that is", |b| thousandths(b.age_ms));
            one("duration_seconds", "how long it took", |b| thousandths(b.took_ms));
            one("plain_bytes", "bytes of the files in it", |b| b.plain_bytes.to_string());
            one("stored_bytes", "bytes of its objects", |b| b.stored_bytes.to_string());
            one("keys", "keys in it", |b| b.keys.to_string());
        }
    }

    fn each<V: Display>(
        &self,
        text: &mut Text,
        name: &str,
        help: &str,
        value: impl Fn(&StreamStatus) -> Option<V>,
    ) {
        text.family(name, help);
        for stream in &self.streams {
            if let Some(value) = value(stream) {
                text.sample(&[("stream", stream.stream.as_str())], value);
            }
        }
    }
}

#[derive(Default)]
struct Text {
    out: String,
    name: String,
    help: String,
}

impl Text {
    /// Begins a metric, which is said with its first sample.
    fn family(&mut self, name: &str, help: &str) {
        (self.name, self.help) = (name.to_owned(), help.to_owned());
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let (out, name) = (&mut self.out, &self.name);
        if !self.help.is_empty() {
            let help = std::mem::take(&mut self.help).replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        }
        out.push_str(name);
        for ((label, value), at) in labels.iter().zip(0..) {
            let _ = write!(
                out,
                "{}{label}=\"{}\"",
                if at == 0 { '{' } else { ',' },
                label_value(value)
            );
        }
        let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn label_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Milliseconds as seconds.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}", thousandths(ms.unsigned_abs()))
}

fn thousandths(count: u64) -> String {
    format!("{}.{:03}", count / 1000, count % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_numbers_are_written_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.family("never", "A metric without samples.");
        text.family("some", "A\\B\nC");
        text.sample(&[("a", "x\"y\\z\nw"), ("b", "")], seconds(-1));
        text.sample(&[], thousandths(12_345));
        assert_eq!(
            text.out,
            "# HELP some A\\\\B\\nC\n# TYPE some gauge\n\
             some{a=\"x\\\"y\\\\z\\nw\",b=\"\"} -0.001\nsome 12.345\n"
        );
    }
}
