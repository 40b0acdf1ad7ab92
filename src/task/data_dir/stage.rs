//! The new data, written beside the old under names that nothing has, and read back.

use crate::aof::check::{AofCheckOptions, Outcome, check_fileset};
use crate::aof::{self, Content, FileKind, Fileset};
use crate::error::{Error, Fault, Result};
use crate::export::CommandsOptions;
use crate::file::place::{Looks, Place, named};
use crate::rdb::check::{CheckOptions, Severity, Verdict, check_file};
use crate::rdb::{OnLoss, Role};
use crate::task::data_dir::plan::DataDirPlan;
use crate::task::data_dir::steps::DataDirForm;
use crate::task::log_folder::NoLog;
use crate::task::{
    AofOptions, AofOutcome, ExtractOutcome, LogFolder, LogTarget, SingleLog, aof_from_aof,
    aof_from_dump, dump_from_aof, extract,
};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// What is restored.
///
/// ```
/// use redkeep::task::data_dir::DataDirSource;
/// let source = DataDirSource::Dump(&b"REDIS0009\xff\0\0\0\0\0\0\0\0"[..]);
/// # drop(source);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DataDirSource<'a, R> {
    /// A dump.
    Dump(R),
    /// A log. One that is an RDB and nothing else, as after a rewrite, is as good as a dump; one with
    /// commands can be put into the form of a log only, and all of it.
    Log(&'a Fileset),
}

/// What was restored, or would be.
///
/// ```
/// # use std::time::Duration;
/// # struct Still;
/// # impl redkeep::live::Clock for Still {
/// #     fn elapsed(&self) -> Duration { Duration::ZERO }
/// #     fn sleep(&self, _: Duration) {}
/// # }
/// # let dir = std::env::temp_dir().join(format!("redkeep-doc-content-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// use redkeep::task::data_dir::{DataDirOptions, DataDirSource, plan_data_dir};
/// # let dump: &[u8] = b"REDIS0009\xfe\x00\x00\x01a\x01x\xff\0\0\0\0\0\0\0\0";
/// let plan = plan_data_dir(&dir, &DataDirOptions::new("redis-6.2".parse().unwrap()), &Still)?;
/// let content = plan.rehearse(DataDirSource::Dump(dump))?;
/// assert_eq!((content.keys, content.extracted.unwrap().read), (1, 1));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DataDirContent {
    /// Keys in the new RDBs, each counted once.
    pub keys: u64,
    /// Records of a log that came along, behind or in place of an RDB.
    pub records: u64,
    /// What became of the keys of a dump, or of a log that is as good as one.
    pub extracted: Option<ExtractOutcome>,
    /// What became of the log, where one was written or was the source.
    pub log: Option<AofOutcome>,
}

/// New data that are not in effect yet.
#[derive(Default)]
pub(crate) struct Staged {
    pub(crate) dump: Option<Place>,
    pub(crate) log: Option<StagedLog>,
    pub(crate) content: DataDirContent,
}

/// The new log, as a target and then as it is before it takes effect.
pub(crate) enum StagedLog {
    Folder(Box<LogFolder>),
    File(SingleLog<Place>),
}

impl Write for StagedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            StagedLog::Folder(folder) => folder.write(bytes),
            StagedLog::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            StagedLog::Folder(folder) => folder.flush(),
            StagedLog::File(file) => file.flush(),
        }
    }
}

impl LogTarget for StagedLog {
    fn has_parts(&self) -> bool {
        matches!(self, StagedLog::Folder(_))
    }

    fn begin(&mut self, kind: FileKind, content: Content) -> Result<()> {
        match self {
            StagedLog::Folder(folder) => folder.begin(kind, content),
            StagedLog::File(file) => file.begin(kind, content),
        }
    }
}

impl DataDirPlan {
    /// Reads the source as a restore would, and writes nothing.
    ///
    /// # Errors
    /// As [`apply`](DataDirPlan::apply), but for what only writing finds.
    pub fn rehearse(&self, source: DataDirSource<'_, impl Read>) -> Result<DataDirContent> {
        let mut content = DataDirContent::default();
        match source {
            DataDirSource::Dump(source) => {
                let outcome = extract(source, io::sink(), &self.options.extract)?;
                content.extracted(outcome)?;
            }
            DataDirSource::Log(log) => match self.copies(log) {
                Some(form) => {
                    let mut nowhere = NoLog { parts: form == DataDirForm::LogFolder };
                    content.copied(aof_from_aof(log, &mut nowhere, &self.copying())?);
                }
                None => {
                    let outcome = extract(self.rdb_of(log)?, io::sink(), &self.options.extract)?;
                    content.extracted(outcome)?;
                }
            },
        }
        Ok(content)
    }

    /// Writes all forms, and reads them back as the server will.
    pub(crate) fn stage(&self, source: DataDirSource<'_, impl Read>) -> Result<Staged> {
        let mut staged = Staged::default();
        match source {
            DataDirSource::Dump(source) => self.stage_dump(source, &mut staged)?,
            DataDirSource::Log(log) => match self.copies(log) {
                Some(form) => {
                    let mut target = self.target(form)?;
                    let outcome = aof_from_aof(log, &mut target, &self.copying())?;
                    staged.content.copied(outcome);
                    staged.log = Some(target);
                }
                None => self.stage_dump(self.rdb_of(log)?, &mut staged)?,
            },
        }
        self.check(&mut staged)?;
        Ok(staged)
    }

    fn stage_dump(&self, source: impl Read, staged: &mut Staged) -> Result<()> {
        let options = &self.options.extract;
        let log = self.log_form();
        // One pass suffices where the log is an RDB and nothing else is written.
        if let (Some(form), 1) = (log, self.forms.len())
            && form != DataDirForm::LogCommands
        {
            let mut target = self.target(form)?;
            let role = if target.has_parts() { Role::Base } else { Role::Preamble };
            target.begin(FileKind::Base, Content::Rdb)?;
            let outcome = extract(source, &mut target, &options.clone().role(role))?;
            staged.content.extracted(outcome)?;
            if target.has_parts() {
                target.begin(FileKind::Increment, Content::Log)?;
            }
            staged.log = Some(target);
            return Ok(());
        }
        let mut dump = self.place(DataDirForm::Dump)?;
        // A log's RDB says that it is one, which a dump is not.
        let outcome = extract(source, &mut dump, &options.clone().role(Role::Dump))?;
        staged.content.extracted(outcome)?;
        if let Some(form) = log {
            let mut target = self.target(form)?;
            let mut making = AofOptions::default().limits(options.limits);
            if form == DataDirForm::LogCommands {
                let policy =
                    options.convert.as_ref().map_or(OnLoss::Fail, |convert| convert.on_loss);
                let commands = CommandsOptions::plain(self.server).functions(true).on_loss(policy);
                making = making.commands(commands);
            }
            let outcome = aof_from_dump(reopen(&mut dump)?, &mut target, &making)?;
            staged.content.log = Some(outcome);
            staged.log = Some(target);
        }
        staged.dump = Some(dump).filter(|_| self.forms.contains(&DataDirForm::Dump));
        Ok(())
    }

    /// The RDB of a log that is nothing else, as is found out first.
    fn rdb_of(&self, log: &Fileset) -> Result<File> {
        dump_from_aof(log, io::sink(), &self.reading())
            .map_err(|error| self.needs_replay(error))?;
        let rdb = log.files.iter().find(|file| file.content == Content::Rdb);
        let rdb = rdb.ok_or_else(|| Error::from_fault(Fault::NeedsReplay))?;
        File::open(&rdb.path).map_err(|error| named(error, &rdb.path))
    }

    /// The form into which a log is copied as it is; `None` where it has to become a dump.
    fn copies(&self, log: &Fileset) -> Option<DataDirForm> {
        let extract = &self.options.extract;
        let filter = &extract.filter;
        let whole = filter.include.is_empty()
            && filter.exclude.is_empty()
            && extract.members.is_empty()
            && extract.transform.is_empty();
        let [form] = *self.forms.as_slice() else { return None };
        let rdb = log.files.iter().any(|file| file.content == Content::Rdb);
        let fits = match form {
            DataDirForm::Dump => false,
            DataDirForm::LogCommands => !rdb,
            _ => true,
        };
        (fits && whole).then_some(form)
    }

    fn copying(&self) -> AofOptions {
        let options = &self.options.extract;
        AofOptions { convert: options.convert.clone(), ..self.reading() }
    }

    fn reading(&self) -> AofOptions {
        AofOptions::default().limits(self.options.extract.limits)
    }

    /// Says what can be done about a log that is no dump.
    fn needs_replay(&self, error: Error) -> Error {
        if error.fault() != Some(Fault::NeedsReplay) {
            return error;
        }
        let why = match (
            self.forms.as_slice(),
            self.server.has_log_parts() || self.server.at_least(4, 0),
        ) {
            ([DataDirForm::Dump], _) => {
                "they can only be put into a log, which a server with appendonly no does not load"
            }
            ([_, _], _) => {
                "they can only be put into a log: say that appendonly is yes, and no dump is written"
            }
            (_, false) => "this server reads no RDB in front of them",
            (_, true) => "only all of a log can be restored: filters and changes are for dumps",
        };
        error.with_detail(why)
    }

    /// A file beside its place, with its looks.
    fn place(&self, form: DataDirForm) -> Result<Place> {
        let path = self.path_of(form);
        let place = Place::create(&path, true)?;
        place.look(&self.looks_beside(&path)?)?;
        Ok(place)
    }

    fn target(&self, form: DataDirForm) -> Result<StagedLog> {
        if form != DataDirForm::LogFolder {
            return Ok(StagedLog::File(SingleLog::new(self.place(form)?)));
        }
        let folder = self.path_of(form);
        let manifest = folder.join(format!("{}.manifest", self.names.log));
        let looks = self.looks_beside(&manifest)?;
        let folder = LogFolder::within(&folder, &self.names.log, self.number, looks)?;
        Ok(StagedLog::Folder(Box::new(folder)))
    }

    /// The owner of the directory, with the rights that a file of this name has.
    fn looks_beside(&self, path: &Path) -> Result<Looks> {
        Ok(self.looks()?.with_rights_of(path.metadata().ok().as_ref()))
    }

    /// Those of the directory itself.
    pub(crate) fn looks(&self) -> Result<Looks> {
        let facts = self.dir.metadata().map_err(|error| named(error, &self.dir))?;
        Ok(Looks::of(&facts))
    }

    fn rules(&self) -> CheckOptions {
        let options = &self.options.extract;
        let mut rules = CheckOptions::default().target(self.server).limits(options.limits);
        if let Some(count) = self.names.databases {
            rules = rules.databases(count);
        }
        let modules = options.convert.as_ref().map(|convert| convert.target_modules.clone());
        rules.target_modules(modules.unwrap_or_default())
    }

    /// Reads back what was written, by its present names.
    fn check(&self, staged: &mut Staged) -> Result<()> {
        if let Some(dump) = &mut staged.dump {
            let path = self.path_of(DataDirForm::Dump);
            let report = check_file(reopen(dump)?, &self.rules())?;
            let found = report.findings.iter().find(|found| found.severity >= Severity::Problem);
            let seen = ReadBack {
                sound: matches!(report.verdict, Verdict::Sound | Verdict::Findings),
                same: report.keys == staged.content.keys,
                loads: report.target.as_ref().is_some_and(|target| target.loads),
                why: found.map(|found| &*found.message),
            };
            self.judge(&path, &seen)?;
        }
        let rules = AofCheckOptions::new(self.rules()).file_name(&*self.names.log);
        let (path, report) = match &mut staged.log {
            None => return Ok(()),
            Some(StagedLog::File(file)) => {
                let file = file.get_mut();
                file.flush().map_err(|error| named(error, file.temporary()))?;
                (self.path_of(DataDirForm::LogPreamble), check_fileset(file.temporary(), &rules)?)
            }
            Some(StagedLog::Folder(folder)) => {
                let place = folder.complete()?.to_owned();
                let manifest = place.join(format!("{}.manifest", self.names.log));
                (self.path_of(DataDirForm::LogFolder), check_fileset(&manifest, &rules)?)
            }
        };
        let DataDirContent { keys, records, log, .. } = &staged.content;
        let records_read =
            report.commands + report.files.iter().map(|file| file.annotations).sum::<u64>();
        let same = match log {
            Some(log) if log.commands.is_some() => report.bytes == log.bytes,
            log => {
                let selects = log.as_ref().map_or(0, |log| log.selects);
                (report.rdb_keys, records_read) == (*keys, records + selects)
            }
        };
        let outcome = report.target.as_ref().map(|target| target.outcome);
        let empty = report.rdb_keys == 0 && report.commands == 0;
        let found = report.findings.iter().find(|found| found.severity >= Severity::Problem);
        let seen = ReadBack {
            sound: report.verdict <= aof::check::Verdict::Findings,
            same,
            loads: match outcome {
                Some(Outcome::StartsEmpty) => empty,
                outcome => outcome == Some(Outcome::Loads),
            },
            why: found.map(|found| &*found.message),
        };
        self.judge(&path, &seen)
    }

    fn judge(&self, path: &Path, seen: &ReadBack<'_>) -> Result<()> {
        let why = seen.why.unwrap_or("it finds less than there is");
        let error = if !seen.sound {
            Error::from_fault(Fault::DamagedValue).with_detail(why)
        } else if !seen.same {
            Error::usage("what was written does not read as it was meant to")
        } else if !seen.loads && !self.options.accept_findings {
            Error::from_fault(Fault::WouldRefuse).with_detail(why)
        } else {
            return Ok(());
        };
        Err(error.in_file(path.display().to_string()))
    }
}

/// What reading back came to.
struct ReadBack<'r> {
    /// All of it can be read.
    sound: bool,
    /// It holds as much as was written.
    same: bool,
    /// The server would load all of it.
    loads: bool,
    /// The worst that was found.
    why: Option<&'r str>,
}

impl DataDirContent {
    fn extracted(&mut self, outcome: ExtractOutcome) -> Result<()> {
        if outcome.written == 0 && outcome.read > 0 {
            let why =
                "none of the keys would be restored, and the directory would be left with nothing";
            return Err(Error::usage(why));
        }
        self.keys = outcome.written;
        self.extracted = Some(outcome);
        Ok(())
    }

    fn copied(&mut self, outcome: AofOutcome) {
        (self.keys, self.records) = (outcome.keys, outcome.records);
        self.log = Some(outcome);
    }
}

/// What was written so far, to be read.
fn reopen(place: &mut Place) -> Result<File> {
    let path = place.temporary().to_owned();
    place.flush().and_then(|()| File::open(&path)).map_err(|error| named(error, &path))
}
