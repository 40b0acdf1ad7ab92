//! One file from end to end: what of it stays.

use crate::aof::commands::CommandSpec;
use crate::aof::reader::SliceReader;
use crate::aof::record::{EndKind, Record, RecordKind, Transaction};
use crate::aof::repair::chain::{Edge, Fuel, is_of_module};
use crate::aof::repair::evidence;
use crate::aof::repair::ledger::{Ledger, Role};
use crate::aof::repair::mend::{Fix, Mended, mend};
use crate::aof::repair::options::RepairOptions;
use crate::aof::repair::plan::{Loss, LossCause, Mend, Piece, Tally};
use crate::aof::repair::window;
use crate::aof::stream::StreamReader;
use crate::error::{Error, Result, printable};
use crate::rdb::{EventKind, ServerVersion, Str};
use crate::wire::cursor::part;
use crate::wire::number::parse_integer;
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

/// Where the log is to end, as far as one file is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Never,
    /// Milliseconds since 1970.
    Time(i64),
    Offset(u64),
    /// So many commands of this file.
    Commands(u64),
}

/// What was found in a file.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) kept: Tally,
    pub(crate) losses: Vec<Loss>,
    pub(crate) mends: Vec<Mend>,
    pub(crate) facts: Facts,
}

/// What else is worth knowing of it.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The log ends here as was asked.
    pub(crate) is_cut: bool,
    /// The RDB in front cannot be read.
    pub(crate) preamble: Option<Error>,
    /// Bytes of it.
    pub(crate) preamble_len: u64,
    /// When it was written, in seconds since 1970.
    pub(crate) written: Option<i64>,
    /// The first timestamp of the log.
    pub(crate) first_time: Option<i64>,
    /// Commands that a server would refuse, and why.
    pub(crate) refused: BTreeSet<String>,
    /// Names of commands that only a module can know.
    pub(crate) of_modules: BTreeSet<String>,
    /// Commands behind the place where the log is cut, that salvage would keep.
    pub(crate) salvageable: u64,
    /// The search for more was given up.
    pub(crate) gave_up: bool,
}

/// Scans a file of `len` bytes; `behind_loss` says that the end of the one before is lost.
pub(crate) fn scan(
    source: &mut (impl Read + Seek),
    len: u64,
    stop: Stop,
    behind_loss: bool,
    options: &RepairOptions,
) -> Result<Scan> {
    let ledger = Ledger::new();
    let mut scanner = Scanner {
        options,
        len,
        stop,
        ledger: if behind_loss { ledger.behind_loss() } else { ledger },
        mends: Vec::new(),
        facts: Facts::default(),
        fuel: Fuel::for_bytes(len),
        commands: 0,
        back: None,
        begun: false,
    };
    let mut at = 0;
    let tail = loop {
        match scanner.segment(source, at)? {
            Left::Nothing => break None,
            Left::Tail(loss) => break Some(loss),
            Left::From(next) => at = next,
        }
    };
    if let Some(loss) = &tail
        && !options.salvage
        && matches!(loss.cause, LossCause::Damage | LossCause::Torn | LossCause::NoCommand)
    {
        // What a cut would lose is only known by trying to keep it.
        let other = options.clone().salvage(true);
        let salvaged = scan(source, len, stop, behind_loss, &other)?;
        scanner.facts.salvageable = salvaged.kept.commands;
    }
    let Scanner { ledger, mut mends, mut facts, .. } = scanner;
    let (pieces, kept, mut losses) = ledger.finish(tail);
    for loss in losses.iter_mut().filter(|loss| loss.names.is_empty()) {
        let size = (loss.to - loss.from).min(evidence::READ as u64);
        evidence::name(loss, &window::bytes(source, loss.from, size)?);
    }
    // What was mended may have gone with its transaction.
    mends.retain(|mend| {
        let next = pieces.partition_point(|piece| piece.to <= mend.at);
        pieces.get(next).is_some_and(|piece| piece.from <= mend.at)
    });
    facts.salvageable = facts.salvageable.saturating_sub(kept.commands);
    if let Some(tail) = losses.last_mut() {
        // Only the beginning of it was read for its names.
        tail.commands = tail.commands.max(facts.salvageable);
    }
    Ok(Scan { pieces, kept, losses, mends, facts })
}

struct Scanner<'a> {
    options: &'a RepairOptions,
    len: u64,
    stop: Stop,
    ledger: Ledger,
    mends: Vec<Mend>,
    facts: Facts,
    fuel: Fuel,
    /// Commands read, be they kept or not.
    commands: u64,
    /// The last sound command, not yet entered: what follows may say that it is too short.
    back: Option<Back>,
    /// The RDB in front is entered.
    begun: bool,
}

struct Back {
    role: Role,
    from: u64,
    to: u64,
    name: [u8; 24],
    len: usize,
}

/// How it goes on behind a segment.
enum Left {
    Nothing,
    Tail(Loss),
    From(u64),
}

/// Why a segment ended.
enum Break {
    Clean,
    /// Here the log is to end.
    Cut(u64),
    /// A whole command that no server takes.
    Odd {
        from: u64,
        to: u64,
    },
    Bad {
        at: u64,
        kind: EndKind,
        goes_on: bool,
        error: Error,
    },
}

impl Scanner<'_> {
    /// Reads sound records from a place up to what is not, and deals with that.
    fn segment(&mut self, source: &mut (impl Read + Seek), at: u64) -> Result<Left> {
        let broken = self.records(source, at)?;
        match broken {
            Break::Clean => {
                self.enter_back();
                Ok(Left::Nothing)
            }
            Break::Cut(from) => self.cut(source, from),
            Break::Odd { from, to } => {
                self.enter_back();
                let mut loss = Loss::new(from, to, LossCause::NoCommand);
                self.describe(source, &mut loss, true)?;
                loss.commands = 1;
                self.ledger.gap(loss);
                Ok(Left::From(to))
            }
            Break::Bad { kind: EndKind::Preamble, error, .. } => {
                self.facts.preamble = Some(error);
                self.ledger.record(Role::Silent, 0, self.len, b"");
                Ok(Left::Nothing)
            }
            Break::Bad { kind: EndKind::Stopped, error, .. } => Err(error),
            Break::Bad { kind: EndKind::OpenMulti, .. } => {
                self.enter_back();
                Ok(Left::Nothing)
            }
            Break::Bad { at, kind, goes_on, error } => {
                let torn = kind == EndKind::Torn && !goes_on;
                if !torn
                    && self.options.salvage
                    && let Some(left) = self.salvage(source, at)?
                {
                    return Ok(left);
                }
                self.enter_back();
                let bad = error.offset().unwrap_or(at);
                let cause = match kind {
                    EndKind::Torn => LossCause::Torn,
                    _ if window::is_zeros(source, bad, self.len)? => LossCause::Zeros,
                    _ => LossCause::Damage,
                };
                let mut loss = Loss::new(at, self.len, cause);
                self.describe(source, &mut loss, false)?;
                Ok(Left::Tail(loss))
            }
        }
    }

    /// Reads and enters records up to the first that is not as it should be.
    fn records(&mut self, source: &mut (impl Read + Seek), at: u64) -> Result<Break> {
        source.seek(SeekFrom::Start(at)).map_err(|error| Error::io(error, Some(at)))?;
        // There may be many gaps, and a window for each.
        let limits = self.options.limits;
        let small = limits.window(limits.window.min(1 << 16));
        let mut reader = match at {
            0 => StreamReader::with_limits(&mut *source, &limits),
            _ => StreamReader::in_the_midst(&mut *source, &small),
        };
        loop {
            match reader.next() {
                Ok(Some(record)) => {
                    if let RecordKind::Rdb(event) = record.kind {
                        self.facts.preamble_len = event.offset() + event.raw().len() as u64;
                        if let EventKind::Aux(aux) = event.kind()
                            && let Str::Plain(b"ctime") = aux.name
                        {
                            self.facts.written = match aux.value {
                                Str::Plain(text) => parse_integer(text),
                                Str::Int(seconds) => Some(seconds.into()),
                                _ => None,
                            };
                        }
                        continue;
                    }
                    if let Some(broken) = self.record(&record, at + record.offset) {
                        return Ok(broken);
                    }
                }
                Ok(None) => {
                    self.enter_preamble();
                    return Ok(Break::Clean);
                }
                Err(error) => {
                    let Some(end) = reader.end().copied() else { return Err(error) };
                    if end.kind != EndKind::Preamble {
                        self.enter_preamble();
                    }
                    let goes_on = end.goes_on_at.is_some();
                    let error = error.shifted(at);
                    return Ok(Break::Bad {
                        at: at + end.records_up_to,
                        kind: end.kind,
                        goes_on,
                        error,
                    });
                }
            }
        }
    }

    /// The RDB in front, once it is known to be whole.
    fn enter_preamble(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.ledger.record(Role::Silent, 0, self.facts.preamble_len, b"");
        }
    }

    fn record(&mut self, record: &Record<'_>, from: u64) -> Option<Break> {
        let to = from + record.raw().len() as u64;
        self.enter_preamble();
        let ends = match self.stop {
            Stop::Never => false,
            Stop::Offset(offset) => to > offset,
            Stop::Commands(all) => record.command().is_some() && self.commands >= all,
            Stop::Time(ms) => match record.kind {
                RecordKind::Annotation(line) => {
                    line.timestamp().is_some_and(|seconds| seconds.saturating_mul(1000) > ms)
                }
                _ => false,
            },
        };
        if let RecordKind::Annotation(line) = record.kind {
            self.facts.first_time = self.facts.first_time.or(line.timestamp());
        }
        if ends {
            return Some(Break::Cut(from));
        }
        let Some(command) = record.command() else {
            // They came with Redis 7.0, as did logs of several parts.
            if self.options.server.is_some_and(|server| !server.has_log_parts()) {
                self.facts
                    .refused
                    .insert("a line that begins with # is not known to it".to_owned());
            }
            self.enter_back();
            self.ledger.record(Role::Silent, from, to, b"");
            return None;
        };
        let spec = CommandSpec::of(&command);
        let odd = match spec {
            Some(spec) => !spec.arity().allows(command.len()),
            None => !is_of_module(command.name()),
        };
        if odd && self.options.salvage {
            return Some(Break::Odd { from, to });
        }
        self.judge(spec, command.name(), odd);
        self.enter_back();
        let role = match record.transaction {
            Transaction::Begin | Transaction::NestedMulti => Role::Multi,
            Transaction::Commit | Transaction::StrayExec => Role::Exec,
            _ if command.is("SELECT") => Role::Select,
            _ => Role::Other,
        };
        let (mut name, given) = ([0; 24], command.name());
        let len = given.len().min(name.len());
        if let (Some(into), Some(from)) = (name.get_mut(..len), given.get(..len)) {
            into.copy_from_slice(from);
        }
        self.commands += 1;
        self.back = Some(Back { role, from, to, name, len });
        None
    }

    /// Whether the server that is asked about takes such a command.
    fn judge(&mut self, spec: Option<&'static CommandSpec>, name: &[u8], odd: bool) {
        const MOST: usize = 20;
        let server = self.options.server;
        let checks_arity = |server: ServerVersion| server.at_least(7, 0);
        let why = match (spec, server) {
            (None, _) if is_of_module(name) => {
                if self.facts.of_modules.len() < MOST {
                    self.facts.of_modules.insert(printable(name));
                }
                return;
            }
            (None, _) => format!("{} is no command of any server", printable(name)),
            (Some(spec), Some(server)) if !spec.known_to(server) => {
                format!("{} is not known to it", spec.name())
            }
            (Some(spec), server) if odd && server.is_none_or(checks_arity) => {
                format!("{} with a number of arguments that it does not take", spec.name())
            }
            _ => return,
        };
        if self.facts.refused.len() < MOST {
            self.facts.refused.insert(why);
        }
    }

    fn enter_back(&mut self) {
        if let Some(Back { role, from, to, name, len }) = self.back.take() {
            self.ledger.record(role, from, to, part(&name, 0, len));
        }
    }

    /// Finds a way past damage at this place. Without one nothing is entered.
    fn salvage(&mut self, source: &mut (impl Read + Seek), at: u64) -> Result<Option<Left>> {
        let here = self.mended(source, at)?;
        let wanted = |fix: &Fix| fix.visible || self.options.suspicious;
        let first = window::bytes(source, at, 1)?;
        let back =
            self.back.as_ref().filter(|back| back.to == at && first != b"*" && first != b"#");
        let (start, found) = match (here, back.map(|back| back.from)) {
            (Some((fix, bytes)), _) if wanted(&fix) => (at, Some((fix, bytes))),
            (here, None) => (at, here),
            (here, Some(from)) => {
                let before = self.mended(source, from)?;
                // The command before says too few arguments, and is not to be believed; or it has
                // swallowed what is behind it, up to a line end that happens to fit.
                let shorter = |(fix, _): &(Fix, Vec<u8>)| from + (fix.end as u64) < at;
                if first == b"$" || (here.is_none() && before.as_ref().is_some_and(shorter)) {
                    self.back = None;
                    self.commands -= 1;
                    (from, before)
                } else {
                    (at, here)
                }
            }
        };
        let Some((fix, bytes)) = found else { return self.skip(source, start, at) };
        self.enter_back();
        let Fix { at: place, was, now, end, visible } = fix;
        let mend = Mend { at: start + place as u64, was, now, visible, command: start };
        let end = start + end as u64;
        if !visible && !self.options.suspicious {
            let mut loss = Loss::new(start, end, LossCause::Damage);
            evidence::read(&mut loss, &bytes, true);
            (loss.commands, loss.suspicious) = (1, Some(mend));
            self.ledger.gap(loss);
            return Ok(Some(Left::From(end)));
        }
        let mut mended = bytes;
        if let Some(byte) = mended.get_mut(place) {
            *byte = now;
        }
        for record in SliceReader::new(&mended).map_while(Result::ok) {
            if let Some(Break::Cut(from)) = self.record(&record, start) {
                return self.cut(source, from).map(Some);
            }
        }
        self.mends.push(mend);
        Ok(Some(Left::From(end)))
    }

    /// The byte by which a command at this place is whole, and the bytes of the command as they are.
    fn mended(
        &mut self,
        source: &mut (impl Read + Seek),
        at: u64,
    ) -> Result<Option<(Fix, Vec<u8>)>> {
        let (limits, fuel) = (&self.options.limits, &mut self.fuel);
        let answer = window::ask(source, at, self.len, limits, |bytes, edge| {
            match mend(bytes, edge, fuel) {
                Mended::By(fix) => Some(Some((fix, part(bytes, 0, fix.end).to_vec()))),
                Mended::More if edge == Edge::Open => None,
                Mended::Not | Mended::More => Some(None),
            }
        })?;
        Ok(answer.flatten())
    }

    /// Goes on where more commands are found.
    fn skip(
        &mut self,
        source: &mut (impl Read + Seek),
        start: u64,
        at: u64,
    ) -> Result<Option<Left>> {
        let from = if start < at { at } else { start + 1 };
        let limits = &self.options.limits;
        let next = window::resume(source, from, self.len, limits, &mut self.fuel)?;
        self.facts.gave_up |= self.fuel.is_out();
        let Some(next) = next else {
            if start < at {
                let mut loss = Loss::new(start, at, LossCause::Damage);
                self.describe(source, &mut loss, false)?;
                self.ledger.gap(loss);
            }
            return Ok(None);
        };
        self.enter_back();
        let mut loss = Loss::new(start, next, LossCause::Damage);
        self.describe(source, &mut loss, false)?;
        self.ledger.gap(loss);
        Ok(Some(Left::From(next)))
    }

    fn describe(
        &self,
        source: &mut (impl Read + Seek),
        loss: &mut Loss,
        whole: bool,
    ) -> Result<()> {
        let size = (loss.to - loss.from).min(evidence::READ as u64);
        let bytes = window::bytes(source, loss.from, size)?;
        evidence::read(loss, &bytes, whole);
        Ok(())
    }

    /// Ends the log here, as was asked.
    fn cut(&mut self, source: &mut (impl Read + Seek), from: u64) -> Result<Left> {
        self.enter_back();
        self.facts.is_cut = true;
        source.seek(SeekFrom::Start(from)).map_err(|error| Error::io(error, Some(from)))?;
        let mut reader = StreamReader::in_the_midst(source, &self.options.limits);
        let mut loss = Loss::new(from, self.len, LossCause::Cut);
        while let Ok(Some(record)) = reader.next() {
            loss.commands += u64::from(record.command().is_some());
        }
        Ok(Left::Tail(loss))
    }
}
