//! The pass over one file of a log.

use crate::aof::check::findings::Findings;
use crate::aof::check::options::AofCheckOptions;
use crate::aof::check::report::{Cut, DbCommands, FileReport, Finding, TimeRange, Verdict};
use crate::aof::check::tail::{self, Tail};
use crate::aof::check::tally::{Name, Names};
use crate::aof::commands::CommandSpec;
use crate::aof::manifest::FileKind;
use crate::aof::record::{End, EndKind, Record, RecordKind, Transaction};
use crate::aof::resp::{Annotation, Command};
use crate::aof::stream::StreamReader;
use crate::error::{Error, Fault, Result, printable};
use crate::rdb;
use crate::rdb::ChecksumMode;
use crate::rdb::check::{Checker, Level, Severity};
use crate::wire::number::parse_integer;
use std::collections::BTreeMap;
use std::io::Read;

/// Databases that are counted apart.
const MOST_DBS: usize = 65_536;
/// What all further ones are counted as.
const OTHER_DBS: u64 = u64::MAX;

/// What is counted over all files of a set.
pub(crate) struct Totals {
    pub(crate) names: Names,
    dbs: BTreeMap<u64, u64>,
    pub(crate) times: Option<TimeRange>,
    pub(crate) findings: Findings,
}

impl Totals {
    pub(crate) fn new(options: &AofCheckOptions) -> Totals {
        Totals {
            names: Names::new(options.rules.target),
            dbs: BTreeMap::new(),
            times: None,
            findings: Findings::new(options.rules.max_findings),
        }
    }

    pub(crate) fn dbs(&self) -> Vec<DbCommands> {
        self.dbs.iter().map(|(&db, &commands)| DbCommands { db, commands }).collect()
    }

    fn in_db(&mut self, db: u64, commands: u64) {
        if commands == 0 {
            return;
        }
        // A log of some megabytes can name millions of databases.
        let known = self.dbs.len() < MOST_DBS || self.dbs.contains_key(&db);
        *self.dbs.entry(if known { db } else { OTHER_DBS }).or_default() += commands;
    }
}

/// Reads one file to its end and adds it to the totals. `again` opens it a second time, to name keys
/// that an RDB in front has twice.
pub(crate) fn check<R: Read, S: Read>(
    source: R,
    name: &str,
    kind: FileKind,
    options: &AofCheckOptions,
    totals: &mut Totals,
    again: impl FnOnce() -> Result<Option<S>>,
) -> Result<FileReport> {
    let mut reader =
        StreamReader::with_limits(source, &options.rules.limits).checksum(ChecksumMode::Report);
    let mut pass = Pass::new(name, options, totals);
    let error = loop {
        match reader.next() {
            Ok(Some(Record { kind: RecordKind::Rdb(event), .. })) => pass.checker().event(event),
            Ok(Some(record)) => match record.kind {
                RecordKind::Command(command) => pass.command(&record, command),
                RecordKind::Annotation(line) => pass.annotation(&record, line),
                RecordKind::Rdb(_) => {}
            },
            Ok(None) => break None,
            Err(error) if error.is_io() => return Err(error),
            Err(error) => break Some(error),
        }
    };
    let end = reader.end().copied();
    let read = reader.offset();
    let (rest, source) = reader.into_rest();
    let window = options.rules.limits.window;
    let tail = match (&error, source) {
        (None, _) => Tail::default(),
        (Some(_), Some(source)) => tail::scan(rest.chain(source), window)?,
        (Some(_), None) => tail::scan(&rest[..], window)?,
    };
    let end = end.ok_or_else(|| Error::at(Fault::Internal, read))?;
    pass.finish(kind, &Ending { end, error, read, tail }, again)
}

/// How the reading ended, and what stands behind.
struct Ending {
    end: End,
    error: Option<Error>,
    /// Bytes that were read well.
    read: u64,
    tail: Tail,
}

struct Pass<'a> {
    name: &'a str,
    options: &'a AofCheckOptions,
    totals: &'a mut Totals,
    /// Names, arguments and databases are looked at.
    semantics: bool,
    rdb: Option<Box<Checker<'a>>>,
    /// Where the log begins.
    log_at: Option<u64>,
    commands: u64,
    annotations: u64,
    transactions: u64,
    /// Commands before the MULTI that was last.
    before_multi: u64,
    db: u64,
    in_db: u64,
    times: Option<TimeRange>,
}

impl<'a> Pass<'a> {
    fn new(name: &'a str, options: &'a AofCheckOptions, totals: &'a mut Totals) -> Pass<'a> {
        Pass {
            name,
            options,
            totals,
            semantics: options.rules.level >= Level::Semantics,
            rdb: None,
            log_at: None,
            commands: 0,
            annotations: 0,
            transactions: 0,
            before_multi: 0,
            db: 0,
            in_db: 0,
            times: None,
        }
    }

    fn checker(&mut self) -> &mut Checker<'a> {
        let options = self.options;
        self.rdb.get_or_insert_with(|| Box::new(Checker::new(&options.rules)))
    }

    #[inline(always)]
    fn command(&mut self, record: &Record<'_>, command: Command<'_>) {
        self.log_at.get_or_insert(record.offset);
        self.commands += 1;
        if record.db != self.db {
            self.switch_db(record.db);
        }
        self.in_db += 1;
        let Some(&Name { spec, known, select, .. }) = self.totals.names.count(command) else {
            return;
        };
        if !matches!(record.transaction, Transaction::Outside | Transaction::Inside) {
            self.transaction(record);
        } else if !known || !spec.is_some_and(|spec| spec.arity().allows(command.len())) {
            self.odd(record, command, spec, known);
        } else if select {
            self.select(record, command);
        }
    }

    #[inline(never)]
    fn switch_db(&mut self, db: u64) {
        self.totals.in_db(self.db, self.in_db);
        (self.db, self.in_db) = (db, 0);
    }

    #[inline(never)]
    fn transaction(&mut self, record: &Record<'_>) {
        self.in_db -= 1;
        match record.transaction {
            Transaction::Begin => self.before_multi = self.commands - 1,
            Transaction::Commit => self.transactions += 1,
            Transaction::StrayExec => self.problem("exec_without_multi", record, || {
                "EXEC without a MULTI: servers pass over it, and their checker stops here"
                    .to_owned()
            }),
            Transaction::NestedMulti => self.problem("nested_multi", record, || {
                "MULTI inside a transaction: servers pass over it, and their checker stops here"
                    .to_owned()
            }),
            Transaction::Outside | Transaction::Inside => {}
        }
    }

    #[inline(never)]
    fn select(&mut self, record: &Record<'_>, command: Command<'_>) {
        self.in_db -= 1;
        let databases = self.options.rules.databases;
        let index = command.get(1).and_then(parse_integer);
        match index.and_then(|index| u64::try_from(index).ok()) {
            Some(db) if db < databases => {}
            Some(db) => self.problem("select_index", record, || {
                format!(
                    "database {db} is selected; a server with {databases} of them stays in the one \
                     before, and what follows ends up there"
                )
            }),
            None => self.problem("select_failed", record, || {
                "SELECT of what is no number from 0 up: what follows ends up in the database before"
                    .to_owned()
            }),
        }
    }

    /// A command that a server would not take, or not as it is.
    #[cold]
    #[inline(never)]
    fn odd(
        &mut self,
        record: &Record<'_>,
        command: Command<'_>,
        spec: Option<&'static CommandSpec>,
        known: bool,
    ) {
        let target = self.options.rules.target;
        match (spec, target) {
            (None, _) => self.problem("unknown_command", record, || {
                format!(
                    "{} is no command that servers log: it is a module's, or a byte of it is wrong; \
                     a server that does not know it refuses the whole log",
                    printable(command.name())
                )
            }),
            (Some(spec), Some(target)) if !known => self.problem("target_command", record, || {
                format!("{target} does not know {}, and refuses the whole log for it", spec.name())
            }),
            (Some(spec), _) => self.problem("wrong_arity", record, || {
                let arity = spec.arity().get();
                let least = if arity < 0 { "at least " } else { "" };
                format!(
                    "{} with {} arguments, its name counted, takes {least}{}: servers crash on it, \
                     refuse the log or pass over it",
                    spec.name(),
                    command.len(),
                    arity.unsigned_abs()
                )
            }),
        }
    }

    #[cold]
    fn problem(
        &mut self,
        code: &'static str,
        record: &Record<'_>,
        message: impl FnOnce() -> String,
    ) {
        if !self.semantics {
            return;
        }
        let (name, commands) = (self.name, self.commands);
        self.totals.findings.add(code, Severity::Problem, || Finding {
            offset: Some(record.offset),
            command: record.command().and_then(|_| commands.checked_sub(1)),
            db: Some(record.db),
            ..Finding::new(code, Severity::Problem, Some(name), message())
        });
    }

    fn annotation(&mut self, record: &Record<'_>, line: Annotation<'_>) {
        self.log_at.get_or_insert(record.offset);
        self.annotations += 1;
        // They came with logs of several parts.
        if let Some(target) = self.options.rules.target.filter(|target| !target.has_log_parts()) {
            self.problem("target_annotation", record, || {
                format!("{target} does not know annotations, and refuses the whole log for one")
            });
        }
        let Some(time) = line.timestamp() else { return };
        let back = self.totals.times.is_some_and(|times| time < times.last);
        for times in [&mut self.times, &mut self.totals.times] {
            times.get_or_insert(TimeRange { first: time, last: time }).last = time;
        }
        if back {
            let name = self.name;
            self.totals.findings.add("time_backwards", Severity::Note, || Finding {
                offset: Some(record.offset),
                ..Finding::new(
                    "time_backwards",
                    Severity::Note,
                    Some(name),
                    format!(
                        "{time} is before the time of the annotation before: a clock was set back"
                    ),
                )
            });
        }
    }

    fn finish<S: Read>(
        mut self,
        kind: FileKind,
        ending: &Ending,
        again: impl FnOnce() -> Result<Option<S>>,
    ) -> Result<FileReport> {
        let Ending { end, error, read, tail } = ending;
        let bytes = read + tail.bytes;
        // A log behind it was never reached.
        let in_rdb = end.kind == EndKind::Preamble
            || (end.kind == EndKind::Stopped && self.rdb.is_some() && end.records_up_to == 0);
        if in_rdb && let Some(error) = error {
            self.checker().damage(error);
        }
        let rdb = match self.rdb.take() {
            Some(mut checker) => {
                checker.bytes(self.log_at.unwrap_or(*read), 0);
                Some(checker.finish_again(again)?)
            }
            None => None,
        };
        let mut verdict = if in_rdb { Verdict::Sound } else { self.judge(ending) };
        if let Some(rdb) = &rdb {
            self.totals.findings.add_rdb(self.name, rdb);
            verdict = verdict.max(match rdb.verdict {
                rdb::check::Verdict::Sound => Verdict::Sound,
                rdb::check::Verdict::Findings => Verdict::Findings,
                rdb::check::Verdict::Unreadable => Verdict::Unreadable,
                rdb::check::Verdict::Damaged => Verdict::BrokenBase,
            });
        }
        self.totals.in_db(self.db, self.in_db);
        let bad = error.is_some() && !in_rdb;
        Ok(FileReport {
            name: self.name.to_owned(),
            kind,
            verdict,
            bytes,
            rdb,
            valid_up_to: end.valid_up_to,
            cut: bad.then(|| self.cut(ending, bytes)).filter(|_| verdict != Verdict::Unreadable),
            goes_on_at: tail.goes_on_at.filter(|_| bad).map(|at| read + at),
            zeros: tail.zeros,
            commands: self.commands,
            annotations: self.annotations,
            transactions: self.transactions,
            times: self.times,
        })
    }

    fn cut(&self, ending: &Ending, bytes: u64) -> Cut {
        let Ending { end, tail, .. } = ending;
        let commands = if end.open_multi.is_some() { self.before_multi } else { self.commands };
        Cut {
            at: end.valid_up_to,
            commands,
            lost_bytes: bytes - end.valid_up_to,
            lost_commands: self.commands - commands + tail.commands,
            searched: !tail.given_up,
        }
    }

    /// What the end of the log comes to, and the findings that say so.
    fn judge(&mut self, ending: &Ending) -> Verdict {
        let Ending { end, error, read, tail } = ending;
        let Some(error) = error else { return Verdict::Sound };
        // The first wrong byte may be the CR that the last good record ends in.
        let zeros_at = read + tail.bytes - tail.zeros;
        let all_zero = error.offset().is_some_and(|at| zeros_at <= at + 1) && tail.zeros > 0;
        let verdict = match end.kind {
            EndKind::OpenMulti => Verdict::OpenMulti,
            EndKind::Corrupt if all_zero => Verdict::ZeroTail,
            _ if tail.goes_on_at.is_some() => Verdict::Corrupt,
            EndKind::Torn => Verdict::TornTail,
            EndKind::Stopped => Verdict::Unreadable,
            _ => Verdict::Corrupt,
        };
        let (name, findings) = (self.name, &mut self.totals.findings);
        let mut add = |finding: Finding| findings.add(finding.code, finding.severity, || finding);
        let damage = |code: &'static str, offset: u64, message: String| Finding {
            offset: Some(offset),
            ..Finding::new(code, Severity::Damage, Some(name), message)
        };
        if verdict == Verdict::ZeroTail {
            let message = format!(
                "{} zeros up to the end: the file had grown, and its data never came to the disk; \
                 servers refuse it",
                tail.zeros
            );
            add(damage("zero_tail", zeros_at, message));
            return verdict;
        }
        add(Finding::of_error(error, name));
        if let Some(at) = tail.goes_on_at {
            let servers = match end.kind {
                EndKind::Torn => "; servers cut off all of it as if it were torn",
                _ => "",
            };
            let message = format!(
                "whole commands follow, {} of them: no crash leaves that, so bytes before are wrong, \
                 unless a value holds commands{servers}",
                tail.commands
            );
            add(damage("goes_on", read + at, message));
        }
        if end.kind == EndKind::Torn && end.commands_up_to == 0 && end.valid_up_to > 0 {
            let message = "the first command behind the RDB is torn: a Redis that starts on this \
                           cuts the file to nothing, RDB and all"
                .to_owned();
            add(damage("preamble_lost", end.valid_up_to, message));
        }
        verdict
    }
}
