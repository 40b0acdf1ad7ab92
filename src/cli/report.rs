//! A check's report for a tired operator: the verdict first, what to do last.

use crate::cli::human::{ago, count, date, several, size, visible};
use crate::rdb::check::{
    ChecksumState, DbReport, DuplicateSearch, Finding, Report, Severity, Verdict,
};
use crate::time::UnixMillis;
use std::cmp::Reverse;
use std::fmt::{self, Display, Formatter};

/// Lines of one kind that a person still reads; `--json` has them all.
const MOST_DBS: usize = 20;
const MOST_NAMES: usize = 20;
const MOST_FINDINGS: usize = 20;

/// A report, laid out for a terminal.
pub(crate) struct Printout<'a> {
    pub(crate) report: &'a Report,
    /// Of the dump.
    pub(crate) name: &'a str,
    /// Of the file, where it is one.
    pub(crate) len: Option<u64>,
    pub(crate) now: UnixMillis,
}

impl Display for Printout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.verdict(f)?;
        writeln!(f)?;
        self.origin(f)?;
        self.content(f)?;
        self.proof(f)?;
        self.findings(f)?;
        let advice = advice(self.report);
        if !advice.is_empty() {
            writeln!(f, "\nWhat to do")?;
        }
        advice.iter().try_for_each(|line| writeln!(f, "  - {line}"))
    }
}

pub(crate) fn row(f: &mut Formatter<'_>, label: &str, text: impl Display) -> fmt::Result {
    writeln!(f, "  {label:<11} {text}")
}

impl Printout<'_> {
    fn verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Printout { report, name, len, .. } = self;
        let found: u64 = report.counts.values().sum();
        match report.verdict {
            Verdict::Sound if found == 0 => write!(f, "SOUND  {name}: nothing found")?,
            Verdict::Sound => {
                write!(f, "SOUND  {name}: {} worth knowing", several(found, "thing", "things"))?;
            }
            Verdict::Findings => write!(
                f,
                "FINDINGS  {name}: all of it can be read, but {} not as it should be",
                several(found, "thing is", "things are")
            )?,
            Verdict::Unreadable | Verdict::Damaged => {
                match report.verdict {
                    Verdict::Damaged => write!(f, "DAMAGED  {name}: bytes are missing or wrong")?,
                    _ => write!(f, "UNREADABLE  {name}: it holds what cannot be read here")?,
                }
                if let Some(len) = len.filter(|len| report.bytes < *len) {
                    write!(f, "; read up to byte {} of {len}", report.bytes)?;
                }
            }
        }
        match &report.target {
            Some(target) if target.loads => writeln!(f, ", {} would load it", target.server),
            Some(target) => writeln!(f, ", {} would not load all of it", target.server),
            None => writeln!(f, " (level {})", report.level),
        }
    }

    /// Who wrote it, and when.
    fn origin(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Printout { report, now, .. } = self;
        row(f, "format", report.header.as_deref().unwrap_or("not an RDB header"))?;
        let fact = |name: &str| report.facts.get(name).map(|value| visible(value));
        let product = [("valkey-ver", "Valkey"), ("df-ver", "Dragonfly"), ("redis-ver", "Redis")];
        let server = product.into_iter().find_map(|(name, product)| Some((product, fact(name)?)));
        if let Some((product, version)) = server {
            let bits = fact("redis-bits").map(|bits| format!(", {bits}-bit")).unwrap_or_default();
            row(f, "written by", format_args!("{product} {version}{bits}"))?;
        }
        if let Some(ctime) = fact("ctime") {
            match ctime.parse::<i64>() {
                Ok(at) => row(f, "saved", format_args!("{}, {}", date(at), ago(at, *now)))?,
                Err(_) => row(f, "saved", ctime)?,
            }
        }
        let shown = ["valkey-ver", "df-ver", "redis-ver", "redis-bits", "ctime"];
        let others = report.facts.iter().filter(|(name, _)| !shown.contains(&name.as_str()));
        let others = others.map(|(name, value)| visible(&format!("{name}={value}")));
        list(f, "also says", others)?;
        row(f, "size", size(self.len.unwrap_or(report.bytes + report.trailing_bytes)))
    }

    fn content(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        row(f, "keys", format_args!("{}{}", count(report.keys), summary(&report.dbs)))?;
        let digits = report.dbs.iter().map(|db| count(db.keys).len()).max().unwrap_or_default();
        for db in report.dbs.iter().take(MOST_DBS) {
            let types = db.types.iter().map(|(name, keys)| format!("{name} {}", count(*keys)));
            let types = types.collect::<Vec<_>>().join(", ");
            let label = format!("  db {}", db.db);
            row(f, &label, format_args!("{:>digits$}  {types}", count(db.keys)))?;
        }
        if let Some(more) = report.dbs.len().checked_sub(MOST_DBS + 1) {
            row(f, "", format_args!("and {} more databases", more + 1))?;
        }
        if report.elements > 0 {
            row(f, "elements", count(report.elements))?;
        }
        let layouts = report.layouts.iter().map(|(name, keys)| format!("{name} {}", count(*keys)));
        list(f, "layouts", layouts)?;
        let functions = report.functions.iter();
        let functions = functions
            .map(|function| format!("{} ({} bytes)", visible(&function.name), function.bytes));
        list(f, "functions", functions)?;
        let modules = report.modules.iter().map(|module| {
            let aux = if module.aux > 0 { ", data of its own" } else { "" };
            format!("{} ({}{aux})", module.name, several(module.keys, "key", "keys"))
        });
        list(f, "modules", modules)
    }

    /// What the verdict rests on.
    fn proof(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let checksum = match report.checksum {
            ChecksumState::Ok => "fits".to_owned(),
            ChecksumState::Absent => "none kept (rdbchecksum no)".to_owned(),
            ChecksumState::BeforeItsTime => "none: this format has none yet".to_owned(),
            ChecksumState::Mismatch { .. } => "DOES NOT FIT".to_owned(),
            ChecksumState::NotReached => "not reached".to_owned(),
        };
        row(f, "checksum", checksum)?;
        let Some(DuplicateSearch { compared, one_in, .. }) = report.duplicates else {
            return row(f, "duplicates", "not looked for");
        };
        let found = report.counts.get("duplicate_key").copied().unwrap_or_default();
        let found = if found > 0 { count(found) } else { "none".to_owned() };
        match one_in {
            1 => row(f, "duplicates", format_args!("{found}; all keys compared")),
            n => row(
                f,
                "duplicates",
                format_args!("{found} among {} keys, one in {n}", count(compared)),
            ),
        }
    }

    fn findings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let all: u64 = report.counts.values().sum();
        if all == 0 {
            return Ok(());
        }
        writeln!(f, "\nFound")?;
        let mut worst_first: Vec<&Finding> = report.findings.iter().collect();
        worst_first.sort_by_key(|finding| Reverse(finding.severity));
        for finding in worst_first.into_iter().take(MOST_FINDINGS) {
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
}

/// A row of names, if there are any; not all of thousands.
pub(crate) fn list(
    f: &mut Formatter<'_>,
    label: &str,
    names: impl Iterator<Item = String>,
) -> fmt::Result {
    let mut names: Vec<String> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    let all = names.len();
    names.truncate(MOST_NAMES);
    let more = match all - names.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    row(f, label, format_args!("{}{more}", names.join(", ")))
}

/// In how many databases, and what expires.
fn summary(dbs: &[DbReport]) -> String {
    let mut text = match dbs.len() {
        0 | 1 => String::new(),
        dbs => format!(" in {dbs} databases"),
    };
    let expiring: u64 = dbs.iter().map(|db| db.expiring).sum();
    let expired: u64 = dbs.iter().map(|db| db.expired).sum();
    if expiring > 0 {
        text += &format!("; {} an expiry", several(expiring, "has", "have"));
    }
    if expired > 0 {
        text += &format!(", past by now for {}", count(expired));
    }
    text
}

pub(crate) fn weight(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Problem => "problem",
        Severity::Unreadable => "unreadable",
        Severity::Damage => "DAMAGE",
    }
}

/// Where a finding is.
struct Place<'a>(&'a Finding);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Finding { offset, db, key, .. } = self.0;
        if let Some(offset) = offset {
            write!(f, "  at byte {offset}")?;
        }
        if let Some(db) = db {
            write!(f, "  db {db}")?;
        }
        match key {
            Some(key) => write!(f, "  key \"{}\"", visible(key)),
            None => Ok(()),
        }
    }
}

/// What a finding says, without the place, which stands in the line above.
pub(crate) fn message(message: &str, offset: Option<u64>) -> String {
    let message = match offset {
        Some(offset) => {
            let place = format!(", at byte {offset}");
            message.rsplit_once(&place).map_or(message, |(before, _)| before)
        }
        None => message,
    };
    visible(message)
}

/// What to do next, by what was found: a few lines, the gravest first.
fn advice(report: &Report) -> Vec<&'static str> {
    let found = |code: &str| report.counts.contains_key(code);
    let strange = report.verdict == Verdict::Unreadable;
    let damaged = report.verdict == Verdict::Damaged;
    let all = [
        (
            found("magic") || found("version"),
            "This may be no RDB at all, or one with something in front of it: look at its first \
             bytes.",
        ),
        (found("compressed_envelope"), "Decompress the file first, or save it uncompressed."),
        (strange, "The file may be sound: only a server that knows this form can tell."),
        (
            found("ends_inside"),
            "The end is missing: copy the file again from where it came, after the server has \
             finished saving it.",
        ),
        (
            found("checksum_mismatch"),
            "Copy the file again: if the copy differs, it was the transfer; if not, the disk or \
             the server's memory.",
        ),
        (damaged, "Do not overwrite older backups with it, and keep this file as it is."),
        (
            (damaged || strange) && report.keys > 0,
            "`redkeep export` prints the keys up to there; they are not proven by a checksum.",
        ),
        (found("duplicate_key"), "Servers abort on a key that comes twice: save it anew."),
        (
            found("db_index"),
            "If the server has more databases (`databases`), say so with --databases.",
        ),
        (
            found("target_version") || found("target_type") || found("target_function"),
            "A newer server, or the one that wrote it, can load it.",
        ),
        (found("target_module"), "If the server has the module, say so with --module."),
        (
            found("trailing_bytes"),
            "Something follows the dump: was a shorter one written over a longer one?",
        ),
        (
            report.checksum == ChecksumState::Absent,
            "Without a checksum a changed byte inside a value passes unseen: set `rdbchecksum yes`.",
        ),
    ];
    all.into_iter().filter(|(applies, _)| *applies).map(|(_, line)| line).collect()
}
