//! All files of a log, and what they come to together.

use crate::aof::check::file::{self, Totals};
use crate::aof::check::options::AofCheckOptions;
use crate::aof::check::report::{FileReport, Finding, Outcome, Report, Target, Verdict};
use crate::aof::fileset::{Content, Fileset, Layout, LogFile, Startup};
use crate::aof::manifest::FileKind;
use crate::aof::traps::{Risk, Trap};
use crate::error::{Error, Result};
use crate::rdb::check::Severity;
use crate::rdb::{Header, ServerVersion};
use std::fs::File;
use std::io::{Empty, Read};
use std::path::Path;

/// Findings for which a server does not start.
const REFUSED: [&str; 6] = [
    "unknown_command",
    "target_command",
    "target_annotation",
    "wrong_arity",
    "rdb_on_top",
    "torn_not_last",
];
/// Those after which it has less than is there, or has it in another place.
const IN_PART: [&str; 3] = ["select_index", "select_failed", "base_empty"];

/// Checks a log of one file, in bounded memory and in one pass: of keys that an RDB in front has
/// twice only the hash is known. Reads to the end of the source. `name` is what findings call it.
///
/// # Errors
/// Only `Io`: whatever is wrong with the content is in the report.
///
/// # Examples
/// See [the module](crate::aof::check).
pub fn check_log(source: impl Read, name: &str, options: &AofCheckOptions) -> Result<Report> {
    let mut set = Set::new(options);
    let again = || Ok(None::<Empty>);
    let file = file::check(source, name, FileKind::Base, options, &mut set.totals, again)?;
    let mut startup = if file.bytes > 0 { Startup::Loads } else { Startup::Empty };
    let header = file.rdb.as_ref().and_then(|rdb| rdb.header.clone()).unwrap_or_default();
    let server = options.rules.target.unwrap_or(match header.starts_with("VALKEY") {
        true => ServerVersion::NEWEST_VALKEY,
        false => ServerVersion::NEWEST_REDIS,
    });
    let parsed = header.as_bytes().first_chunk().and_then(Header::parse);
    if options.rules.target.is_some() && parsed.is_some_and(|rdb| !server.reads_preamble(rdb)) {
        startup = Startup::Refuses;
        set.trap(&Trap::RdbUnreadable { file: name.to_owned(), header }, startup);
    }
    set.files.push(file);
    Ok(set.report(Layout::Single, startup, server))
}

/// Checks what a server would load from here: its `dir`, its folder of logs, a manifest, or a
/// single file. Each file is read once, in bounded memory; a second time only to name keys that an
/// RDB has twice. Nothing is changed.
///
/// # Errors
/// Only `Io`, where a folder or file cannot be read: a file that is missing and a manifest that is
/// refused are in the report.
///
/// ```no_run
/// use redkeep::aof::check::{AofCheckOptions, Verdict, check_fileset};
/// let report = check_fileset("/var/lib/redis".as_ref(), &AofCheckOptions::default())?;
/// assert_eq!(report.verdict, Verdict::Sound);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn check_fileset(path: &Path, options: &AofCheckOptions) -> Result<Report> {
    let (fileset, server) = find(path, options)?;
    let mut set = Set::new(options);
    for (at, log) in fileset.files.iter().enumerate() {
        let file = set.file(log)?;
        set.among((&log.name, log.kind, log.content), &file, at + 1 == fileset.files.len());
        set.files.push(file);
    }
    for trap in &fileset.traps {
        set.trap(trap, fileset.startup);
    }
    Ok(set.report(fileset.layout, fileset.startup, server))
}

/// A log of several files whose bytes come from somewhere else than their paths.
#[cfg(feature = "repo")]
pub(crate) struct StreamedSet<'o>(Set<'o>);

#[cfg(feature = "repo")]
impl<'o> StreamedSet<'o> {
    pub(crate) fn new(options: &'o AofCheckOptions) -> StreamedSet<'o> {
        StreamedSet(Set::new(options))
    }

    /// Reads the next file, to its end.
    pub(crate) fn file(
        &mut self,
        source: impl Read,
        (name, kind, content): (&str, FileKind, Content),
        last: bool,
    ) -> Result<()> {
        let set = &mut self.0;
        let again = || Ok(None::<Empty>);
        let file = file::check(source, name, kind, set.options, &mut set.totals, again)?;
        set.among((name, kind, content), &file, last);
        set.files.push(file);
        Ok(())
    }

    /// What they come to.
    pub(crate) fn report(self, server: ServerVersion) -> Report {
        let empty = self.0.files.iter().all(|file| file.bytes == 0);
        let startup = if empty { Startup::Empty } else { Startup::Loads };
        self.0.report(Layout::Parts, startup, server)
    }
}

/// The files as the target finds them; where there is none, as the newest server that reads them.
fn find(path: &Path, options: &AofCheckOptions) -> Result<(Fileset, ServerVersion)> {
    if let Some(target) = options.rules.target {
        return Ok((Fileset::find(path, &options.fileset(target))?, target));
    }
    let redis = ServerVersion::NEWEST_REDIS;
    let fileset = Fileset::find(path, &options.fileset(redis))?;
    let foreign = |trap: &Trap| match trap {
        Trap::RdbUnreadable { header, .. } => header.starts_with("VALKEY"),
        _ => false,
    };
    if fileset.traps.iter().any(foreign) {
        let valkey = ServerVersion::NEWEST_VALKEY;
        return Ok((Fileset::find(path, &options.fileset(valkey))?, valkey));
    }
    Ok((fileset, redis))
}

struct Set<'o> {
    options: &'o AofCheckOptions,
    totals: Totals,
    files: Vec<FileReport>,
    /// Of the set, beside those of its files.
    verdict: Verdict,
}

impl<'o> Set<'o> {
    fn new(options: &'o AofCheckOptions) -> Set<'o> {
        let totals = Totals::new(options);
        Set { options, totals, files: Vec::new(), verdict: Verdict::Sound }
    }

    fn file(&mut self, log: &LogFile) -> Result<FileReport> {
        let named = |error: Error| error.in_file(log.path.display().to_string());
        let open = || File::open(&log.path).map_err(|error| named(error.into()));
        let again = || Ok(Some(open()?));
        file::check(open()?, &log.name, log.kind, self.options, &mut self.totals, again)
            .map_err(named)
    }

    fn find(&mut self, code: &'static str, severity: Severity, file: &str, message: String) {
        self.totals
            .findings
            .add(code, severity, || Finding::new(code, severity, Some(file), message));
    }

    /// What a file means where it stands: those before it are in `files`.
    fn among(
        &mut self,
        (name, kind, content): (&str, FileKind, Content),
        file: &FileReport,
        last: bool,
    ) {
        if !last && matches!(file.verdict, Verdict::TornTail | Verdict::OpenMulti) {
            self.verdict = Verdict::BrokenSet;
            let message =
                "it is not the last file: servers cut it on disk first and refuse to start \
                           then; a second start succeeds, and what was cut off is lost"
                    .to_owned();
            self.find("torn_not_last", Severity::Damage, name, message);
        }
        if kind == FileKind::Base && content == Content::Empty && name.ends_with(".rdb") {
            let message =
                "the base is empty: servers start without what was in it, and none writes \
                           an RDB of no bytes"
                    .to_owned();
            self.find("base_empty", Severity::Problem, name, message);
        }
        let keys = |file: &FileReport| file.rdb.as_ref().map_or(0, |rdb| rdb.keys);
        let before = self.files.iter().any(|file| keys(file) > 0 || file.commands > 0);
        if before && keys(file) > 0 {
            let message =
                "an increment that begins with an RDB: servers abort on a key of it that is \
                           there already"
                    .to_owned();
            self.find("rdb_on_top", Severity::Problem, name, message);
        }
    }

    fn trap(&mut self, trap: &Trap, startup: Startup) {
        // What a dump or the old folder has is what one asked for only where no log is loaded.
        let empty = startup == Startup::Empty;
        let severity = match (trap, trap.risk()) {
            (Trap::DumpIgnored { .. }, _) if !empty => Severity::Note,
            (
                Trap::ManifestRefused { .. } | Trap::Missing { .. } | Trap::ManifestMissing { .. },
                _,
            ) => {
                self.verdict = Verdict::BrokenSet;
                Severity::Damage
            }
            (_, Risk::Note) => Severity::Note,
            _ => Severity::Problem,
        };
        let file = match trap {
            Trap::ManifestMissing { .. } | Trap::ManifestRefused { .. } => None,
            Trap::DumpIgnored { file }
            | Trap::Missing { file }
            | Trap::BaseOverwritten { file }
            | Trap::IncrementReopened { file }
            | Trap::Stray { file }
            | Trap::HistoryDeleted { file }
            | Trap::OldFileIgnored { file }
            | Trap::FolderIgnored { folder: file }
            | Trap::Moved { file }
            | Trap::RdbIncrement { file }
            | Trap::RdbUnreadable { file, .. } => Some(&file[..]),
        };
        let code = trap.code();
        self.totals
            .findings
            .add(code, severity, || Finding::new(code, severity, file, trap.to_string()));
    }

    fn report(mut self, layout: Layout, startup: Startup, server: ServerVersion) -> Report {
        if layout == Layout::Absent && self.verdict == Verdict::Sound {
            let message =
                "there is no log here: a server with `appendonly yes` starts empty".to_owned();
            let severity = Severity::Problem;
            let finding = Finding::new("no_log", severity, None, message);
            self.totals.findings.add("no_log", severity, || finding);
        }
        let worst = self.files.iter().map(|file| file.verdict).max();
        let verdict = self.verdict.max(worst.unwrap_or(Verdict::Sound));
        let verdict = verdict.max(self.totals.findings.verdict());
        let target = self.options.rules.target;
        let target = target.map(|server| Target { server, outcome: self.outcome(startup, server) });
        let Set { options, totals, files, .. } = self;
        let sum = |of: fn(&FileReport) -> u64| files.iter().map(of).sum();
        let dbs = totals.dbs();
        let Totals { names, times, findings, .. } = totals;
        let (findings, counts) = findings.into_parts();
        Report {
            verdict,
            level: options.rules.level,
            layout,
            server,
            bytes: sum(|file| file.bytes),
            rdb_keys: sum(|file| file.rdb.as_ref().map_or(0, |rdb| rdb.keys)),
            commands: sum(|file| file.commands),
            transactions: sum(|file| file.transactions),
            files,
            names: names.into_counts(),
            dbs,
            times,
            target,
            findings,
            counts,
        }
    }

    /// What the target would do, by its first reason to do other than load.
    fn outcome(&self, startup: Startup, server: ServerVersion) -> Outcome {
        let found = |codes: &[&str]| codes.iter().any(|code| self.totals.findings.found(code));
        let torn =
            |file: &FileReport| matches!(file.verdict, Verdict::TornTail | Verdict::OpenMulti);
        // Before 2.8.22 there was no `aof-load-truncated`.
        let cuts = server.is_valkey() || server.at_least(2, 8);
        let refused = |file: &FileReport| {
            let target = file.rdb.as_ref().and_then(|rdb| rdb.target.as_ref());
            let rdb = target.is_some_and(|target| !target.loads);
            rdb || (file.verdict >= Verdict::TornTail && !(torn(file) && cuts))
        };
        match startup {
            Startup::Refuses => Outcome::Refuses,
            _ if self.files.iter().any(refused) || found(&REFUSED) => Outcome::Refuses,
            Startup::Empty => Outcome::StartsEmpty,
            _ if self.files.iter().any(torn) => Outcome::CutsTail,
            _ if found(&IN_PART) => Outcome::LoadsInPart,
            Startup::Loads => Outcome::Loads,
        }
    }
}
