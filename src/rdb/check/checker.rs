//! The pass over a file that fills a report.

use crate::error::{Error, Result};
use crate::rdb::SALVAGED;
use crate::rdb::check::distinct::Keys;
use crate::rdb::check::lua;
use crate::rdb::check::options::CheckOptions;
use crate::rdb::check::report::{
    ChecksumState, DbReport, DuplicateSearch, Finding, FunctionReport, Level, LoadReport,
    ModuleReport, Report, Severity, Verdict,
};
use crate::rdb::check::value::{Flaw, ValueCheck};
use crate::rdb::decode::Decoder;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::entry::Entry;
use crate::rdb::event::{Aux, Event, EventKind, Footer, Function, Piece};
use crate::rdb::reader::{ChecksumMode, SliceReader};
use crate::rdb::stream::StreamReader;
use crate::rdb::string::{StrBuf, StrHead};
use crate::rdb::value::Items;
use crate::rdb::value_type::{DataType, ValueType};
use crate::rdb::version::{Header, Lineage};
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::Ordering;

/// AUX fields that are kept as facts; a file may hold millions of others.
const MOST_FACTS: usize = 64;
const LONGEST_FACT: usize = 256;
/// Problems that no server notices on loading.
const UNNOTICED: [&str; 4] = ["trailing_bytes", "scores_unsorted", "magic_mismatch", "salvaged"];
/// Keys that occur more than once and are told apart by name; a hostile file may hold millions.
const MOST_REPEATS: usize = 100_000;
/// Databases that are counted apart.
const MOST_DBS: usize = 65_536;
/// What all further ones are counted as.
const OTHER_DBS: u64 = u64::MAX;
/// Libraries and modules that are listed by name.
const MOST_NAMES: usize = 1000;

/// Checks a whole RDB in memory.
///
/// # Examples
/// See [the module](crate::rdb::check).
#[must_use]
pub fn check_slice(input: &[u8], options: &CheckOptions) -> Report {
    let mut check = Checker::new(options);
    let mut reader = SliceReader::windowed(input, &options.limits).checksum(ChecksumMode::Report);
    for event in reader.by_ref() {
        match event {
            Ok(event) => check.event(event),
            Err(error) => check.damage(&error),
        }
    }
    let read = reader.offset();
    check.bytes(read, (input.len() as u64).saturating_sub(read));
    if let Some(repeated) = check.repeated_keys() {
        let mut search = Repeats::new(repeated);
        let events = SliceReader::windowed(input, &options.limits).checksum(ChecksumMode::Skip);
        for event in events.map_while(Result::ok) {
            search.event(&event, &mut check);
        }
    }
    check.finish()
}

/// Checks an RDB from any source, in bounded memory, in one pass: duplicate keys are then told by
/// their hash alone and not named. Reads to the end of the source.
///
/// # Errors
/// Only `Io`: whatever is wrong with the content is in the report.
pub fn check_stream(source: impl Read, options: &CheckOptions) -> Result<Report> {
    let mut check = Checker::new(options);
    check.read(source, u64::MAX, |_| u64::MAX)?;
    check.finish_again(|| Ok(None::<std::io::Empty>))
}

/// As [`check_stream`]; at the first key's record that begins at `border` or later `cut` is told where it
/// begins, and says from where on it wants to know of the next.
#[cfg(feature = "repo")]
pub(crate) fn check_stream_cut(
    source: impl Read,
    options: &CheckOptions,
    border: u64,
    cut: impl FnMut(u64) -> u64,
) -> Result<Report> {
    let mut check = Checker::new(options);
    check.read(source, border, cut)?;
    check.finish_again(|| Ok(None::<std::io::Empty>))
}

/// Checks an RDB file, in bounded memory; reads it a second time only to name duplicate keys.
///
/// # Errors
/// Only `Io`: whatever is wrong with the content is in the report.
///
/// ```no_run
/// use redkeep::rdb::check::{check_file, CheckOptions, Verdict};
/// let report = check_file(std::fs::File::open("dump.rdb")?, &CheckOptions::default())?;
/// assert_eq!(report.verdict, Verdict::Sound);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn check_file(mut source: impl Read + Seek, options: &CheckOptions) -> Result<Report> {
    let start = source.stream_position()?;
    let mut check = Checker::new(options);
    check.read(&mut source, u64::MAX, |_| u64::MAX)?;
    check.finish_again(|| {
        source.seek(SeekFrom::Start(start))?;
        Ok(Some(source))
    })
}

/// Records between two looks at how far it is.
const BATCH: u32 = 4096;

/// The pass itself: takes the events of an RDB in their order, whoever reads them.
pub(crate) struct Checker<'o> {
    options: &'o CheckOptions,
    decoder: Decoder,
    value: ValueCheck,
    keys: Option<Keys>,
    buf: StrBuf,
    report: Report,
    dbs: BTreeMap<u64, DbCounts>,
    db: DbCounts,
    /// Keys by layout, at the layout's number.
    layouts: [u64; 256],
    modules: BTreeMap<ModuleId, (u64, u64)>,
    header: Option<Header>,
    /// Key of the value that is open, for findings.
    open: Option<OpenKey>,
    /// Pieces of the item that is too big for the window.
    held: Vec<u8>,
    /// The item's bytes are not needed: a plain string.
    passing: bool,
    ended: bool,
    /// Nothing was found that a server would notice.
    loads: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct DbCounts {
    db: u64,
    keys: u64,
    expiring: u64,
    expired: u64,
    kinds: [u64; 9],
}

struct OpenKey {
    db: u64,
    offset: u64,
    key: Vec<u8>,
}

impl<'o> Checker<'o> {
    pub(crate) fn new(options: &'o CheckOptions) -> Self {
        let level = options.level;
        let searches = level >= Level::Semantics && options.duplicate_budget > 0;
        Checker {
            options,
            decoder: Decoder::new().inflated_limit(options.limits.inflated),
            value: ValueCheck::new(level, options.duplicate_budget),
            keys: searches.then(|| Keys::new(options.duplicate_budget)),
            buf: StrBuf::new().inflated_limit(options.limits.inflated),
            report: Report {
                verdict: Verdict::Sound,
                level,
                header: None,
                facts: BTreeMap::new(),
                bytes: 0,
                trailing_bytes: 0,
                checksum: ChecksumState::NotReached,
                keys: 0,
                dbs: Vec::new(),
                layouts: BTreeMap::new(),
                elements: 0,
                functions: Vec::new(),
                modules: Vec::new(),
                duplicates: None,
                target: None,
                findings: Vec::new(),
                counts: BTreeMap::new(),
            },
            dbs: BTreeMap::new(),
            db: DbCounts::default(),
            layouts: [0; 256],
            modules: BTreeMap::new(),
            header: None,
            open: None,
            held: Vec::new(),
            passing: false,
            ended: false,
            loads: true,
        }
    }

    /// Reads a stream to its end and what follows it.
    fn read(
        &mut self,
        source: impl Read,
        mut border: u64,
        mut cut: impl FnMut(u64) -> u64,
    ) -> Result<()> {
        let mut reader =
            StreamReader::with_limits(source, &self.options.limits).checksum(ChecksumMode::Report);
        'all: loop {
            for _ in 0..BATCH {
                match reader.next() {
                    Ok(Some(event)) => {
                        if event.offset() >= border && event.begins_key() {
                            border = cut(event.offset());
                        }
                        self.event(event);
                    }
                    Ok(None) => break 'all,
                    Err(error) if error.is_io() => return Err(error),
                    Err(error) => self.damage(&error),
                }
            }
            self.tell();
        }
        let read = reader.offset();
        let (rest, mut source) = reader.into_rest();
        let behind = std::io::copy(&mut source, &mut std::io::sink())?;
        self.bytes(read, rest.len() as u64 + behind);
        Ok(())
    }

    /// Says how many keys there were so far.
    #[cold]
    fn tell(&self) {
        if let Some(seen) = &self.options.seen {
            let others: u64 = self.dbs.values().map(|db| db.keys).sum();
            seen.store(others + self.db.keys, Ordering::Relaxed);
        }
    }

    // Inlined and by value, all of it that a small key takes: an event handed on by reference is
    // written to memory and read back, and waiting for that costs more than all the rest.
    #[inline(always)]
    pub(crate) fn event(&mut self, event: Event<'_>) {
        let Some(entry) = event.entry() else { return self.rare_event(event) };
        self.key(entry);
        if self.options.level == Level::Framing {
            return;
        }
        match entry.value().text() {
            // Bytes are bytes: only inflating can fail.
            Some(text) => {
                self.report.elements += 1;
                if text.is_compressed() {
                    self.whole_value(entry);
                }
            }
            None => self.whole_value(entry),
        }
    }

    #[inline(never)]
    fn rare_event(&mut self, event: Event<'_>) {
        match event.kind() {
            EventKind::Open(entry) => {
                self.key(entry);
                self.open = Some(OpenKey {
                    db: entry.db(),
                    offset: entry.offset(),
                    key: entry.key_for_message(),
                });
                self.value.begin(entry.value_type(), u64::MAX);
            }
            EventKind::Run(run) => self.items(run.items()),
            EventKind::Piece(piece) => self.piece(&piece),
            EventKind::Close => {
                if let Some(open) = self.open.take() {
                    let elements = self.value.end();
                    self.report.elements += elements;
                    self.flaws(|| (open.db, open.offset, open.key.clone()));
                }
            }
            EventKind::Header(header) => {
                self.header = Some(header);
                self.report.header = Some(header.to_string());
                if !header.is_known() {
                    let message = format!("{header} is newer than any version known here");
                    self.problem("unknown_version", Some(0), message);
                }
            }
            EventKind::Aux(aux) => self.aux(&aux),
            EventKind::SelectDb(db) if db >= self.options.databases => {
                let message = format!(
                    "database {db} is selected; a server needs a `databases` setting above that"
                );
                self.problem("db_index", Some(event.offset()), message);
            }
            EventKind::Function(function) => self.function(&function, event.offset()),
            EventKind::HashTemplate(template) => {
                if let Err(error) = self.decoder.learn(&template) {
                    self.damage(&error);
                }
            }
            EventKind::ModuleAux(aux) => {
                self.modules.entry(aux.module).or_default().1 += 1;
                if self.options.level >= Level::Elements {
                    self.value.begin(ValueType::Module2, 0);
                    self.items(aux.items());
                }
            }
            EventKind::SlotImport(_) => self.find(Finding {
                code: "slot_import",
                severity: Severity::Note,
                offset: Some(event.offset()),
                db: None,
                key: None,
                message:
                    "saved while slots were imported; a Valkey outside cluster mode stops at it"
                        .to_owned(),
            }),
            EventKind::Eof => self.ended = true,
            EventKind::Footer(footer) => self.footer(footer, event.offset()),
            _ => {}
        }
    }

    #[inline(always)]
    fn key(&mut self, entry: Entry<'_>) {
        if entry.db() != self.db.db {
            self.switch_db(entry.db());
        }
        self.db.keys += 1;
        let kind = entry.value_type();
        let data = kind.data_type() as usize;
        if let Some(count) = self.db.kinds.get_mut(data) {
            *count += 1;
        }
        if let Some(count) = self.layouts.get_mut(usize::from(kind as u8)) {
            *count += 1;
        }
        if let Some(at) = entry.expires() {
            self.db.expiring += 1;
            self.db.expired += u64::from(self.options.now.is_some_and(|now| at < now));
        }
        if kind == ValueType::Module2
            && let Some(module) = entry.value().module()
        {
            self.modules.entry(module).or_default().0 += 1;
        }
        match entry.key().unpack(&mut self.buf) {
            Ok(key) => {
                if let Some(keys) = &mut self.keys {
                    keys.add(entry.db(), key);
                }
            }
            Err(fault) => {
                let error = Error::at(fault, entry.offset()).in_key(entry.db(), b"?");
                self.damage(&error);
            }
        }
    }

    #[cold]
    fn switch_db(&mut self, db: u64) {
        // A file of some megabytes can name millions of databases.
        let known = self.dbs.len() + 1 < MOST_DBS || self.dbs.contains_key(&db);
        let db = if known { db } else { OTHER_DBS };
        if db == self.db.db {
            return;
        }
        let left = std::mem::take(&mut self.db);
        self.dbs.insert(left.db, left);
        self.db = self.dbs.remove(&db).unwrap_or(DbCounts { db, ..DbCounts::default() });
    }

    #[inline(never)]
    fn whole_value(&mut self, entry: Entry<'_>) {
        let value = entry.value();
        if self.options.level < Level::Elements && value.value_type() == ValueType::String {
            return;
        }
        self.value.begin(entry.value_type(), value.declared());
        let outcome = match self.options.level {
            Level::Structure => {
                value.items().and_then(|items| self.value.structure(items, &mut self.decoder))
            }
            _ => self.decoder.visit_value(value, &mut self.value),
        };
        if let Err(error) = outcome {
            return self.damage_in(entry, error);
        }
        let elements = self.value.end();
        self.report.elements += elements - u64::from(value.value_type() == ValueType::String);
        if !self.value.flaws.is_empty() {
            self.flaws(|| (entry.db(), entry.offset(), entry.key_for_message()));
        }
    }

    /// Items of a value that is open, or of module data.
    fn items(&mut self, items: Items<'_>) {
        let outcome = match self.options.level {
            Level::Framing => Ok(()),
            Level::Structure => self.value.structure(items, &mut self.decoder),
            _ => self.decoder.visit_items(items, &mut self.value),
        };
        if let Err(error) = outcome {
            let error = match &self.open {
                Some(open) => error.in_key(open.db, &open.key),
                None => error,
            };
            self.damage(&error);
        }
    }

    /// A plain string's bytes need no look; of anything else the pieces are joined.
    fn piece(&mut self, piece: &Piece<'_>) {
        if self.options.level == Level::Framing {
            return;
        }
        if piece.is_plain_item() && matches!(piece.head, Some(StrHead::Plain(_))) {
            self.passing = true;
        }
        if self.passing {
            if piece.ends {
                self.passing = false;
                self.value.passed_whole();
            }
            return;
        }
        self.held.extend_from_slice(piece.raw());
        if piece.ends {
            let held = std::mem::take(&mut self.held);
            self.items(piece.join(&held));
        }
    }

    fn aux(&mut self, aux: &Aux<'_>) {
        let name = aux.name.bytes(&mut self.buf).map(text);
        let value = aux.value.bytes(&mut self.buf).map(text);
        match (name, value) {
            (Ok(name), Ok(value)) => {
                let room = self.report.facts.len() < MOST_FACTS || name == SALVAGED;
                if room && name != "lua" && name != "slot-info" {
                    self.report.facts.insert(name, value);
                }
            }
            (Err(error), _) | (_, Err(error)) => self.damage(&error),
        }
    }

    fn function(&mut self, function: &Function<'_>, offset: u64) {
        let code = match function.code.bytes(&mut self.buf) {
            Ok(code) => code,
            Err(error) => return self.damage(&error.or_at(offset)),
        };
        let name = match function.pre_ga {
            Some((name, _)) => name.bytes(&mut StrBuf::new()).map(text).unwrap_or_default(),
            None => library_name(code),
        };
        let flaw = if function.pre_ga.is_none() { lua::flaw(code) } else { None };
        let bytes = code.len() as u64;
        if self.report.functions.len() < MOST_NAMES {
            self.report.functions.push(FunctionReport { name, bytes });
        }
        if let Some(flaw) = flaw.filter(|_| self.options.level >= Level::Semantics) {
            let message = format!("a function library cannot compile: {flaw}; servers refuse it");
            self.problem("function_code", Some(offset), message);
        }
        let Some(target) = self.options.target else { return };
        let refused = match function.pre_ga {
            Some(_) => !target.reads_pre_ga_functions(),
            None => !target.has_functions(),
        };
        if refused {
            let message = format!("{target} does not read this kind of function library");
            self.problem("target_function", Some(offset), message);
        }
    }

    fn footer(&mut self, footer: Footer, offset: u64) {
        let computed = footer.computed.unwrap_or_default();
        self.report.checksum = match footer.stored {
            0 => ChecksumState::Absent,
            stored if stored == computed => ChecksumState::Ok,
            stored => ChecksumState::Mismatch { stored, computed },
        };
        if let ChecksumState::Mismatch { stored, computed } = self.report.checksum {
            self.find(Finding {
                code: "checksum_mismatch",
                severity: Severity::Damage,
                offset: Some(offset),
                db: None,
                key: None,
                message: format!(
                    "the stored checksum {stored:016x} is not that of the bytes, {computed:016x}: \
                     any of them may be wrong"
                ),
            });
        }
    }

    #[cold]
    fn damage_in(&mut self, entry: Entry<'_>, error: Error) {
        let error = error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message());
        self.damage(&error);
    }

    #[cold]
    pub(crate) fn damage(&mut self, error: &Error) {
        self.find(Finding::of_error(error));
    }

    #[cold]
    fn problem(&mut self, code: &'static str, offset: Option<u64>, message: String) {
        self.find(Finding {
            code,
            severity: Severity::Problem,
            offset,
            db: None,
            key: None,
            message,
        });
    }

    /// What the value check noticed about the value just ended.
    #[cold]
    fn flaws(&mut self, place: impl Fn() -> (u64, u64, Vec<u8>)) {
        for flaw in std::mem::take(&mut self.value.flaws) {
            let (db, offset, key) = place();
            self.find(Finding {
                code: flaw.code(),
                severity: severity(flaw),
                offset: Some(offset),
                db: Some(db),
                key: Some(crate::error::printable(&key)),
                message: flaw.message().to_owned(),
            });
        }
    }

    fn find(&mut self, finding: Finding) {
        *self.report.counts.entry(finding.code).or_default() += 1;
        let verdict = match finding.severity {
            Severity::Note => Verdict::Sound,
            Severity::Problem => Verdict::Findings,
            Severity::Unreadable => Verdict::Unreadable,
            Severity::Damage => Verdict::Damaged,
        };
        self.loads &= verdict == Verdict::Sound || UNNOTICED.contains(&finding.code);
        let worse = verdict > self.report.verdict;
        self.report.verdict = self.report.verdict.max(verdict);
        let findings = &mut self.report.findings;
        if findings.len() >= self.options.max_findings && worse {
            findings.pop();
        }
        if findings.len() < self.options.max_findings {
            findings.push(finding);
        }
    }

    /// How many bytes were read, and how many follow that belong to nobody.
    pub(crate) fn bytes(&mut self, read: u64, behind: u64) {
        self.report.bytes = read;
        if !self.ended {
            return;
        }
        if self.header.is_some_and(|header| !header.has_footer()) {
            self.report.checksum = ChecksumState::BeforeItsTime;
        }
        self.report.trailing_bytes = behind;
        if behind > 0 {
            let message = format!(
                "{behind} bytes follow the end: not looked at by servers, and a sign of a file \
                 that was overwritten or joined"
            );
            self.problem("trailing_bytes", Some(read), message);
        }
    }

    fn repeated_keys(&mut self) -> Option<Repeated> {
        let keys = self.keys.take()?;
        let (compared, one_in) = keys.compared();
        self.report.duplicates =
            Some(DuplicateSearch { budget: self.options.duplicate_budget, compared, one_in });
        let hashes = keys.repeated();
        (!hashes.is_empty()).then_some(Repeated { keys, hashes })
    }

    /// Valkey says so in its files; another server's body under its magic was put together. And what
    /// was salvaged knowingly has to say that for ever.
    fn provenance(&mut self) {
        let valkey = self.header.is_some_and(|header| header.lineage == Lineage::Valkey);
        let says = |name: &str| self.report.facts.contains_key(name);
        let [redis, valkey_ver, salvaged] = ["redis-ver", "valkey-ver", SALVAGED].map(says);
        if valkey && redis && !valkey_ver {
            let message = "the magic is Valkey's, and the file says that Redis wrote it".to_owned();
            self.problem("magic_mismatch", Some(0), message);
        }
        if salvaged {
            let message = "it was put together from a file that failed its check".to_owned();
            self.problem("salvaged", None, message);
        }
    }

    /// What the target makes of the header and the types that were met.
    fn loadable(&mut self) {
        let Some(target) = self.options.target else { return };
        if let Some(header) = self.header.filter(|header| !target.reads_header(*header)) {
            let message = format!("{target} does not accept {header}");
            self.problem("target_version", Some(0), message);
        }
        for (kind, count) in layouts(&self.layouts) {
            if !target.reads(kind) {
                let message = format!("{target} cannot read type {kind}, which {count} keys have");
                self.problem("target_type", None, message);
            }
        }
        let modules: Vec<_> = self.modules.keys().map(|id| id.name()).collect();
        for name in modules {
            // Vector sets are built into Redis since 8.0.
            let built_in = name == "vectorset" && !target.is_valkey() && target.at_least(8, 0);
            if !built_in && !self.options.target_modules.contains(&name) {
                let message = format!("{target} needs the module type {name} to load it");
                self.problem("target_module", None, message);
            }
        }
        self.report.target = Some(LoadReport { server: target, loads: self.loads });
    }

    /// Ends, and reads the same RDB again where keys came twice, to name them. Where that cannot be
    /// done they are told by their hash.
    pub(crate) fn finish_again<R: Read>(
        mut self,
        again: impl FnOnce() -> Result<Option<R>>,
    ) -> Result<Report> {
        let Some(repeated) = self.repeated_keys() else { return Ok(self.finish()) };
        let Some(source) = again()? else {
            for _ in &repeated.hashes {
                let message =
                    "a key occurs twice (told by its hash: the source cannot be read again)";
                self.problem("duplicate_key", None, message.to_owned());
            }
            return Ok(self.finish());
        };
        let mut search = Repeats::new(repeated);
        let mut reader =
            StreamReader::with_limits(source, &self.options.limits).checksum(ChecksumMode::Skip);
        while let Ok(Some(event)) = reader.next() {
            search.event(&event, &mut self);
        }
        Ok(self.finish())
    }

    fn finish(mut self) -> Report {
        self.tell();
        self.dbs.insert(self.db.db, self.db);
        if self.options.level >= Level::Semantics {
            self.provenance();
        }
        if self.options.level == Level::Loadable {
            self.loadable();
        }
        let mut report = self.report;
        report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        report.dbs = self.dbs.into_values().filter(|db| db.keys > 0).map(DbReport::from).collect();
        report.keys = report.dbs.iter().map(|db| db.keys).sum();
        report.layouts =
            layouts(&self.layouts).into_iter().map(|(kind, count)| (kind.code(), count)).collect();
        report.modules = (self.modules.into_iter().take(MOST_NAMES))
            .map(|(id, (keys, aux))| ModuleReport {
                name: id.name(),
                version: id.version(),
                keys,
                aux,
            })
            .collect();
        report
    }
}

/// The layouts that were met, with their counts.
fn layouts(counts: &[u64; 256]) -> Vec<(ValueType, u64)> {
    let count = |kind: ValueType| counts.get(usize::from(kind as u8)).copied().unwrap_or_default();
    let met = ValueType::ALL.iter().map(|&kind| (kind, count(kind)));
    met.filter(|(_, count)| *count > 0).collect()
}

fn severity(flaw: Flaw) -> Severity {
    if flaw.is_note() { Severity::Note } else { Severity::Problem }
}

impl From<DbCounts> for DbReport {
    fn from(counts: DbCounts) -> DbReport {
        let DbCounts { db, keys, expiring, expired, kinds } = counts;
        let types = DataType::ALL.iter().zip(kinds).filter(|(_, count)| *count > 0);
        let types = types.map(|(data, count)| (data.name(), count)).collect();
        DbReport { db, keys, expiring, expired, types }
    }
}

/// Bytes of a fact as text for a report.
fn text(bytes: &[u8]) -> String {
    let shown = bytes.get(..LONGEST_FACT).unwrap_or(bytes);
    match std::str::from_utf8(shown) {
        Ok(text) => text.to_owned(),
        Err(_) => shown.escape_ascii().to_string(),
    }
}

/// The name in a library's first line, `#!lua name=mylib`.
fn library_name(code: &[u8]) -> String {
    let line = code.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let name = line.split_whitespace().find_map(|word| word.strip_prefix("name="));
    text(name.unwrap_or_default().as_bytes())
}

/// Hashes of keys that came more than once, and how they were made.
struct Repeated {
    keys: Keys,
    hashes: Vec<u64>,
}

/// A second pass that compares in full the keys whose hashes were equal.
struct Repeats {
    repeated: Repeated,
    first: HashMap<(u64, Vec<u8>), u64>,
    buf: StrBuf,
}

impl Repeats {
    fn new(repeated: Repeated) -> Repeats {
        Repeats { repeated, first: HashMap::new(), buf: StrBuf::new() }
    }

    fn event(&mut self, event: &Event<'_>, check: &mut Checker<'_>) {
        let (EventKind::Entry(entry) | EventKind::Open(entry)) = event.kind() else { return };
        let Ok(key) = entry.key().unpack(&mut self.buf) else { return };
        let hash = self.repeated.keys.hash(entry.db(), key);
        if self.repeated.hashes.binary_search(&hash).is_err() {
            return;
        }
        let name = (entry.db(), key.to_vec());
        let Some(first) = self.first.get(&name) else {
            if self.first.len() < MOST_REPEATS {
                self.first.insert(name, entry.offset());
            }
            return;
        };
        let message = format!(
            "the key was there before, at byte {first}; servers abort on loading such a file"
        );
        check.find(Finding {
            code: "duplicate_key",
            severity: Severity::Problem,
            offset: Some(entry.offset()),
            db: Some(entry.db()),
            key: Some(crate::error::printable(key)),
            message,
        });
    }
}
