//! A check's report on a log for a tired operator: the verdict first, what to do last.

use crate::aof::Layout;
use crate::aof::check::{FileReport, Finding, Outcome, Report, Verdict};
use crate::cli::human::{ago, count, date, several, size, visible};
use crate::cli::report::{list, message, row, weight};
use crate::time::UnixMillis;
use std::cmp::Reverse;
use std::fmt::{self, Display, Formatter};

/// Lines of one kind that a person still reads; `--json` has them all.
const MOST_FILES: usize = 20;
const MOST_DBS: usize = 20;
const MOST_FINDINGS: usize = 20;

/// A report, laid out for a terminal.
pub(crate) struct LogPrintout<'a> {
    pub(crate) report: &'a Report,
    /// Of what was checked.
    pub(crate) name: &'a str,
    pub(crate) now: UnixMillis,
}

impl Display for LogPrintout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.verdict(f)?;
        writeln!(f)?;
        self.content(f)?;
        self.files(f)?;
        self.findings(f)?;
        let advice = self.advice();
        if !advice.is_empty() {
            writeln!(f, "\nWhat to do")?;
        }
        advice.iter().try_for_each(|line| writeln!(f, "  - {line}"))
    }
}

impl LogPrintout<'_> {
    fn verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let LogPrintout { report, name, .. } = self;
        let found: u64 = report.counts.values().sum();
        let verdict = report.verdict.to_string().to_uppercase();
        write!(f, "{verdict}  {name}: ")?;
        match report.verdict {
            Verdict::Sound if found == 0 => f.write_str("nothing found")?,
            Verdict::Sound => write!(f, "{} worth knowing", several(found, "thing", "things"))?,
            Verdict::Findings => write!(
                f,
                "all of it can be read, but {} not as it should be",
                several(found, "thing is", "things are")
            )?,
            Verdict::TornTail => f.write_str("it ends inside a record, as after a crash")?,
            Verdict::OpenMulti => f.write_str("it ends inside a transaction")?,
            Verdict::ZeroTail => f.write_str("it ends in zeros, as after a power failure")?,
            Verdict::Unreadable => f.write_str("it holds what cannot be read here")?,
            Verdict::Corrupt => f.write_str("bytes are wrong that no crash explains")?,
            Verdict::BrokenBase => f.write_str("an RDB in it is cut or damaged")?,
            _ => f.write_str("its files do not make up a log that servers load")?,
        }
        let Some(target) = report.target else { return writeln!(f, " (level {})", report.level) };
        let server = target.server;
        match target.outcome {
            Outcome::Loads => writeln!(f, ", {server} would load it"),
            Outcome::LoadsInPart => writeln!(f, ", {server} would not load all of it"),
            Outcome::CutsTail => writeln!(f, ", {server} would cut it and start"),
            Outcome::StartsEmpty => writeln!(f, ", {server} would start empty"),
            Outcome::Refuses => writeln!(f, ", {server} would not start"),
        }
    }

    fn content(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let LogPrintout { report, now, .. } = self;
        let layout = match report.layout {
            Layout::Absent => "no log".to_owned(),
            Layout::Single => "a single file".to_owned(),
            Layout::Upgrade => format!("a single file, which {} makes its base", report.server),
            Layout::Parts => several(report.files.len() as u64, "file", "files") + " in a manifest",
        };
        row(f, "log", layout)?;
        row(f, "size", size(report.bytes))?;
        if report.files.iter().any(|file| file.rdb.is_some()) {
            row(f, "RDB", several(report.rdb_keys, "key", "keys"))?;
        }
        let transactions = match report.transactions {
            0 => String::new(),
            n => format!("; {}", several(n, "transaction", "transactions")),
        };
        row(f, "commands", format_args!("{}{transactions}", count(report.commands)))?;
        let digits = report.dbs.iter().map(|db| count(db.commands).len()).max().unwrap_or_default();
        for db in report.dbs.iter().take(MOST_DBS) {
            let label = format!("  db {}", db.db);
            row(f, &label, format_args!("{:>digits$}", count(db.commands)))?;
        }
        if let Some(more) = report.dbs.len().checked_sub(MOST_DBS + 1) {
            row(f, "", format_args!("and {} more databases", more + 1))?;
        }
        let mut names: Vec<_> = report.names.iter().collect();
        names.sort_by_key(|(_, n)| Reverse(**n));
        list(
            f,
            "names",
            names.iter().map(|(name, n)| format!("{} {}", visible(name), count(**n))),
        )?;
        if let Some(times) = report.times {
            let last = ago(times.last, *now);
            row(f, "times", format_args!("{} to {}, {last}", date(times.first), date(times.last)))?;
        }
        Ok(())
    }

    fn files(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let files = &self.report.files;
        if files.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nFiles")?;
        for file in files.iter().take(MOST_FILES) {
            let FileReport { name, kind, verdict, commands, .. } = file;
            write!(
                f,
                "  {:<9}  {}  {verdict}, {}",
                kind.to_string(),
                visible(name),
                size(file.bytes)
            )?;
            if let Some(rdb) = &file.rdb {
                let header = rdb.header.as_deref().unwrap_or("RDB");
                write!(f, ", {} with {}", visible(header), several(rdb.keys, "key", "keys"))?;
            }
            if *commands > 0 || file.rdb.is_none() {
                write!(f, ", {}", several(*commands, "command", "commands"))?;
            }
            if let Some(cut) = file.cut {
                write!(f, "; good up to byte {}, command {}", cut.at, count(cut.commands))?;
            }
            writeln!(f)?;
        }
        match files.len().checked_sub(MOST_FILES + 1) {
            Some(more) => writeln!(f, "  and {} more", count(more as u64 + 1)),
            None => Ok(()),
        }
    }

    fn findings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let all: u64 = report.counts.values().sum();
        if all == 0 {
            return Ok(());
        }
        writeln!(f, "\nFound")?;
        for finding in report.findings.iter().take(MOST_FINDINGS) {
            write!(f, "  {:<8}{}{}", weight(finding.severity), finding.code, Place(finding))?;
            writeln!(f, "\n          {}", message(&finding.message, finding.offset))?;
        }
        let shown = report.findings.len().min(MOST_FINDINGS) as u64;
        if all > shown {
            let codes = report.counts.iter().map(|(code, n)| format!("{code} {}", count(*n)));
            let codes = codes.collect::<Vec<_>>().join(", ");
            writeln!(f, "  and {} more; in all: {codes}", count(all - shown))?;
        }
        Ok(())
    }

    /// What to do next, the gravest first.
    fn advice(&self) -> Vec<String> {
        let report = self.report;
        let found = |code: &str| report.counts.contains_key(code);
        let cuts = report.files.iter().filter_map(cut_advice);
        let mut all: Vec<String> = cuts.take(MOST_FILES).collect();
        let more = [
            (
                report.verdict >= Verdict::TornTail,
                "Copy all files before a server starts on them: it may cut or overwrite some.",
            ),
            (
                found("goes_on"),
                "A cut drops the good commands behind the wrong bytes: mend those by hand if they \
                 matter.",
            ),
            (
                report.verdict == Verdict::BrokenBase,
                "No cut mends an RDB: take the base from a backup. `redkeep export` prints the keys up \
                 to the damage.",
            ),
            (
                found("missing") || found("manifest_missing") || found("manifest_refused"),
                "`redkeep repair` plans a manifest of the files that are there.",
            ),
            (
                found("unknown_command") || found("target_command"),
                "A server that knows these commands, or has the module, can load it.",
            ),
            (
                found("target_annotation"),
                "Annotations can be left out without loss; a server from Redis 7.0 on reads them.",
            ),
            (
                found("select_index") || found("db_index"),
                "If the server has more databases (`databases`), say so with --databases.",
            ),
            (
                found("dump_ignored") && report.files.is_empty(),
                "To load the dump, start with `appendonly no`, and turn it on at runtime.",
            ),
        ];
        all.extend(
            more.into_iter().filter(|(applies, _)| *applies).map(|(_, line)| line.to_owned()),
        );
        all
    }
}

fn cut_advice(file: &FileReport) -> Option<String> {
    let cut = file.cut?;
    let least = if cut.searched { "" } else { "at least " };
    Some(format!(
        "A cut of {} at byte {} loses {} and {least}{}; `redkeep repair` plans it.",
        visible(&file.name),
        cut.at,
        several(cut.lost_bytes, "byte", "bytes"),
        several(cut.lost_commands, "whole command", "whole commands"),
    ))
}

/// Where a finding is.
struct Place<'a>(&'a Finding);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Finding { file, offset, command, key, .. } = self.0;
        if let Some(file) = file {
            write!(f, "  {}", visible(file))?;
        }
        if let Some(offset) = offset {
            write!(f, "  at byte {offset}")?;
        }
        if let Some(command) = command {
            write!(f, "  command {}", count(*command))?;
        }
        match key {
            Some(key) => write!(f, "  key \"{}\"", visible(key)),
            None => Ok(()),
        }
    }
}
