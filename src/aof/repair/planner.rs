//! A plan for a whole set of files.

use crate::aof::fileset::{Content, Fileset, FilesetOptions, Layout, LogFile, Startup};
use crate::aof::manifest::{FileKind, Manifest};
use crate::aof::repair::options::{CutAt, RepairOptions};
use crate::aof::repair::plan::{
    Fate, FilePlan, Loss, LossCause, ManifestPlan, Plan, Tally, Target,
};
use crate::aof::repair::rebuild::{Rebuilt, rebuild};
use crate::aof::repair::scan::{Facts, Scan, Stop, scan};
use crate::aof::repair::stamp::Stamp;
use crate::aof::traps::Trap;
use crate::error::{Error, Result};
use crate::rdb::{ServerVersion, UnknownServer};
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

/// Bytes of a manifest that are looked at.
const MAX_MANIFEST: u64 = 1 << 20;

/// Looks at a log and says how to repair it. Nothing is changed.
///
/// `path` is the `dir` of a server, its folder of logs, a manifest, or a single file.
///
/// # Errors
/// `Io` where files cannot be read; `Limit` where a command is bigger than
/// [`Limits::held`](crate::Limits::held); `Usage` where there is no log, and where it cannot be cut
/// as was asked: no such file, no timestamps, nothing before the time. Damage that cannot be
/// repaired is no error but one of the plan's [obstacles](Plan::obstacles).
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("redkeep-doc-repair-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use redkeep::aof::repair::{plan, RepairOptions};
/// let log = folder.join("appendonly.aof");
/// std::fs::write(&log, b"*1\r\n$8\r\nFLUSHALL\r\n\0\0\0\0")?;
/// let plan = plan(&log, &RepairOptions::default())?;
/// assert!(!plan.is_empty());
/// assert_eq!(plan.files[0].losses[0].cause.code(), "zeros");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn plan(path: &Path, options: &RepairOptions) -> Result<Plan> {
    // Without a server, one that knows logs of several parts; its objections are then not told.
    let any = || "redis-7.0".parse().map_err(|name: UnknownServer| Error::usage(name.to_string()));
    let server: ServerVersion = options.server.map_or_else(any, Ok)?;
    let fileset_options = FilesetOptions::new(server)
        .file_name(options.file_name.as_str())
        .folder_name(options.folder_name.as_str());
    let fileset = Fileset::find(path, &fileset_options)?;
    let place = Place::of(path, options);
    let mut planner = Planner::new(options, path, &place, fileset);
    planner.list(&place)?;
    planner.scan_all()?;
    Ok(planner.judge())
}

/// Says how to repair one file that is in memory.
///
/// # Errors
/// `Limit` where a command is bigger than [`Limits::held`](crate::Limits::held); `Usage` as
/// [`plan`]; and the error of an RDB in front that cannot be read.
///
/// ```
/// use redkeep::aof::repair::{plan_log, RepairOptions};
/// let file = plan_log(b"*1\r\n$8\r\nFLUSHALL\r\n*1\r\n", &RepairOptions::default())?;
/// assert_eq!((file.kept.commands, file.lost.bytes), (1, 4));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn plan_log(bytes: &[u8], options: &RepairOptions) -> Result<FilePlan> {
    let len = bytes.len() as u64;
    let stop = match &options.cut {
        None => Stop::Never,
        Some(CutAt::Time(time)) => Stop::Time(time.get()),
        Some(CutAt::Offset { offset, .. }) => Stop::Offset(*offset),
        Some(CutAt::Command(number)) => Stop::Commands(*number),
    };
    let found = scan(&mut Cursor::new(bytes), len, stop, false, options)?;
    if let Some(error) = found.facts.preamble {
        return Err(error);
    }
    Ok(file_plan(String::new(), PathBuf::new(), FileKind::Base, len, found))
}

fn file_plan(name: String, path: PathBuf, kind: FileKind, len: u64, found: Scan) -> FilePlan {
    let Scan { pieces, kept, losses, mends, .. } = found;
    let commands = losses.iter().map(|loss| loss.commands).sum();
    let fate = match losses.is_empty() && mends.is_empty() {
        true => Fate::Unchanged,
        false => Fate::Rewritten,
    };
    let lost = Tally::new(len - kept.bytes, commands);
    FilePlan { name, path, kind, stamp: None, fate, pieces, mends, kept, lost, losses }
}

/// Where the files of a log of several parts are.
struct Place {
    folder: PathBuf,
    /// The name of the manifest, there or not.
    manifest: String,
    /// What all names begin with.
    prefix: String,
}

impl Place {
    fn of(path: &Path, options: &RepairOptions) -> Place {
        let manifest = format!("{}.manifest", options.file_name);
        let prefix = options.file_name.clone();
        let inner = path.join(&options.folder_name);
        if path.is_dir() {
            // As Fileset looks for it; a folder of logs may also have lost its manifest.
            let folder = if inner.is_dir() { inner } else { path.to_owned() };
            return Place { folder, manifest, prefix };
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let manifest = name.unwrap_or_default();
        let prefix = manifest.strip_suffix(".manifest").unwrap_or(&manifest).to_owned();
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        Place { folder: folder.to_owned(), manifest, prefix }
    }

    fn names(&self) -> Result<Vec<String>> {
        let failed =
            |error: io::Error| Error::io(error, None).in_file(self.folder.display().to_string());
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.path().is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn text(&self) -> Result<Vec<u8>> {
        let path = self.folder.join(&self.manifest);
        let mut text = Vec::new();
        if path.is_file() {
            File::open(&path)
                .and_then(|file| file.take(MAX_MANIFEST).read_to_end(&mut text))
                .map_err(|error| Error::io(error, None).in_file(path.display().to_string()))?;
        }
        Ok(text)
    }
}

struct Planner<'a> {
    options: &'a RepairOptions,
    startup: Startup,
    found: Vec<LogFile>,
    because: Vec<String>,
    first_time: Option<i64>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(options: &'a RepairOptions, path: &Path, place: &Place, fileset: Fileset) -> Self {
        let Fileset { layout, startup, files, traps, .. } = fileset;
        let folder = match (layout, files.first().and_then(|file| file.path.parent())) {
            (Layout::Single | Layout::Upgrade, Some(folder)) if folder != Path::new("") => {
                folder.to_owned()
            }
            (Layout::Single | Layout::Upgrade, _) => PathBuf::from("."),
            _ => place.folder.clone(),
        };
        let plan = Plan {
            path: path.to_owned(),
            layout,
            folder,
            manifest: None,
            files: Vec::new(),
            obstacles: Vec::new(),
            warnings: Vec::new(),
            traps,
            target: None,
        };
        Planner { options, startup, found: files, because: Vec::new(), first_time: None, plan }
    }

    /// Settles which files there are, and what the manifest has to say.
    fn list(&mut self, place: &Place) -> Result<()> {
        let gone = self.plan.traps.iter().find_map(|trap| match trap {
            Trap::ManifestMissing { .. } => Some("it is missing".to_owned()),
            Trap::ManifestRefused { error } => Some(error.clone()),
            _ => None,
        });
        // A folder of logs whose manifest is lost does not look like one from inside.
        let lost =
            self.plan.layout == Layout::Absent && gone.is_none() && place.folder == self.plan.path;
        if lost && !place.folder.join(&place.manifest).is_file() {
            let named = |name: &String| name.starts_with(&place.prefix) && name.ends_with(".aof");
            if self.plan.path.is_dir()
                && place.names()?.iter().any(|name| named(name) && *name != place.prefix)
            {
                return self.rebuild(place, "it is missing".to_owned());
            }
        }
        match (gone, self.plan.layout) {
            (Some(why), Layout::Parts | Layout::Absent) => self.rebuild(place, why),
            (_, Layout::Parts) => self.manifest(place),
            (_, Layout::Absent) => {
                let at = self.plan.path.display();
                Err(Error::usage(format!("{at}: there is no append-only log")))
            }
            _ => Ok(()),
        }
    }

    fn rebuild(&mut self, place: &Place, why: String) -> Result<()> {
        let names = place.names()?;
        let Rebuilt { manifest, warnings, obstacles } =
            rebuild(&place.prefix, &place.text()?, &names);
        self.plan.warnings.extend(warnings);
        self.plan.obstacles.extend(obstacles);
        if manifest.loaded().next().is_none() {
            self.plan.obstacles.push("no file of the log is left to make a manifest of".to_owned());
        }
        self.found.clear();
        for entry in manifest.loaded() {
            let name = String::from_utf8_lossy(&entry.file).into_owned();
            let path = place.folder.join(&name);
            let size = Stamp::of(&path)?.size;
            let (kind, seq, start_offset) = (entry.kind, entry.seq, entry.start_offset);
            self.found.push(LogFile {
                name,
                path,
                kind,
                seq,
                size,
                content: Content::Log,
                start_offset,
            });
        }
        self.plan.layout = Layout::Parts;
        self.startup = Startup::Loads;
        let path = place.folder.join(&place.manifest);
        let stamp = if path.is_file() { Some(Stamp::of(&path)?) } else { None };
        let why = Some(why);
        self.plan.manifest =
            Some(ManifestPlan { name: place.manifest.clone(), stamp, after: manifest, why });
        Ok(())
    }

    fn manifest(&mut self, place: &Place) -> Result<()> {
        let mut after = Manifest::parse(&place.text()?)?;
        let mut why = None;
        for trap in &self.plan.traps {
            let Trap::Missing { file } = trap else { continue };
            if self.options.salvage {
                let stays = |entry: &crate::aof::ManifestEntry| entry.file != file.as_bytes();
                after.base = after.base.filter(stays);
                after.increments.retain(stays);
                self.plan.warnings.push(format!("{file} is not there: all that was in it is lost"));
                why = Some("it names files that are not there".to_owned());
            } else {
                self.plan.obstacles.push(format!(
                    "{file} is not there; find it, or leave it out of the set with salvage"
                ));
            }
        }
        let stamp = Some(Stamp::of(&place.folder.join(&place.manifest))?);
        self.plan.manifest = Some(ManifestPlan { name: place.manifest.clone(), stamp, after, why });
        Ok(())
    }

    fn scan_all(&mut self) -> Result<()> {
        let found = std::mem::take(&mut self.found);
        let target = match &self.options.cut {
            Some(CutAt::Offset { file: Some(name), .. }) => {
                let place = found.iter().position(|file| file.name == *name);
                Some(place.ok_or_else(|| Error::usage(format!("{name} is no file of this log")))?)
            }
            Some(CutAt::Offset { file: None, .. }) => found.len().checked_sub(1),
            _ => None,
        };
        let (mut commands, mut is_cut, mut behind_loss) = (0, false, false);
        let last = found.len().saturating_sub(1);
        for (number, file) in found.into_iter().enumerate() {
            let stop = match &self.options.cut {
                Some(CutAt::Time(time)) => Stop::Time(time.get()),
                Some(CutAt::Offset { offset, .. }) if target == Some(number) => {
                    Stop::Offset(*offset)
                }
                Some(CutAt::Command(all)) => Stop::Commands(all.saturating_sub(commands)),
                _ => Stop::Never,
            };
            let stop = if is_cut { Stop::Never } else { stop };
            let stamp = Stamp::of(&file.path)?;
            let name = file.name.clone();
            let in_file = |error: Error| error.in_file(name.clone());
            let mut source = File::open(&file.path).map_err(|error| in_file(error.into()))?;
            let found =
                scan(&mut source, stamp.size, stop, behind_loss, self.options).map_err(in_file)?;
            behind_loss = found.losses.last().is_some_and(|loss| loss.to == stamp.size);
            commands += found.kept.commands;
            if is_cut {
                self.leaves(file, stamp, &found);
                continue;
            }
            // An offset ends the log in its file, also where that ends there anyway.
            is_cut = found.facts.is_cut || target == Some(number);
            self.add(file, stamp, found, number == last || is_cut)?;
        }
        if let Some(CutAt::Time(time)) = self.options.cut {
            let early =
                self.first_time.is_some_and(|first| first.saturating_mul(1000) > time.get());
            if self.first_time.is_none() {
                return Err(Error::usage("the log has no timestamps to cut it by"));
            }
            if early && self.plan.files.iter().all(|file| file.kept.bytes == 0) {
                return Err(Error::usage("nothing in the log is from before that time"));
            }
        }
        Ok(())
    }

    /// Adds a file that no longer belongs to the log.
    fn leaves(&mut self, file: LogFile, stamp: Stamp, found: &Scan) {
        let commands =
            found.kept.commands + found.losses.iter().map(|loss| loss.commands).sum::<u64>();
        let loss = Loss { commands, ..Loss::new(0, stamp.size, LossCause::Cut) };
        if let Some(manifest) = &mut self.plan.manifest {
            manifest.after.increments.retain(|entry| entry.file != file.name.as_bytes());
            manifest.why.get_or_insert_with(|| "the log ends before its last files".to_owned());
        }
        self.plan.files.push(FilePlan {
            name: file.name,
            path: file.path,
            kind: file.kind,
            stamp: Some(stamp),
            fate: Fate::Leaves,
            pieces: Vec::new(),
            mends: Vec::new(),
            kept: Tally::default(),
            lost: Tally::new(stamp.size, commands),
            losses: vec![loss],
        });
    }

    fn add(&mut self, file: LogFile, stamp: Stamp, found: Scan, is_last: bool) -> Result<()> {
        let LogFile { name, path, kind, .. } = file;
        self.tell(&name, &found, is_last)?;
        let mut plan = file_plan(name, path, kind, stamp.size, found);
        plan.stamp = Some(stamp);
        self.plan.files.push(plan);
        Ok(())
    }

    /// What is worth knowing of a file that stays.
    fn tell(&mut self, name: &str, found: &Scan, is_last: bool) -> Result<()> {
        let Facts { is_cut, preamble, written, first_time, preamble_len, .. } = &found.facts;
        let plan = &mut self.plan;
        if let Some(error) = preamble {
            plan.obstacles.push(format!(
                "{name}: the RDB in it cannot be read, and no cut mends it: {error}"
            ));
        }
        if let Some(CutAt::Offset { offset, .. }) = self.options.cut
            && *is_cut
            && offset < *preamble_len
        {
            return Err(Error::usage(format!(
                "{name}: the first {preamble_len} bytes are an RDB, which cannot be cut"
            )));
        }
        if let (Some(CutAt::Time(time)), Some(written)) = (&self.options.cut, written)
            && written.saturating_mul(1000) > time.get()
        {
            plan.warnings
                .push(format!("{name}: the RDB in it is later than the time to go back to"));
        }
        self.first_time = self.first_time.or(*first_time);
        let facts = &found.facts;
        if facts.salvageable > 0 {
            plan.warnings.push(format!(
                "{name}: the cut loses {} more commands than salvage would",
                facts.salvageable
            ));
        }
        if facts.gave_up {
            plan.warnings
                .push(format!("{name}: the search for more was given up, it took too long"));
        }
        let gap = |loss: &&Loss| !matches!(loss.cause, LossCause::Cut | LossCause::OpenMulti);
        let gaps = found.losses.iter().filter(gap).count();
        let tail = found
            .losses
            .last()
            .is_some_and(|loss| found.pieces.iter().all(|piece| piece.to <= loss.from));
        if gaps > usize::from(tail && is_last) {
            plan.warnings.push(format!("{name}: what follows a gap is as of an incomplete log"));
        }
        let unsure: u64 = found.losses.iter().map(|loss| loss.unsure_db).sum();
        if unsure > 0 {
            plan.warnings.push(format!(
                "{name}: a SELECT may be lost: {unsure} commands may go to the wrong database"
            ));
        }
        if found.losses.iter().any(|loss| loss.suspicious.is_some()) {
            plan.warnings.push(format!(
                "{name}: a command would be whole with another digit, which is no proof"
            ));
        }
        for name in &facts.of_modules {
            plan.warnings.push(format!("{name} needs a server that has the module"));
        }
        self.because.extend(facts.refused.iter().map(|why| format!("{name}: {why}")));
        Ok(())
    }

    /// Whether the server that was asked about would load it.
    fn judge(self) -> Plan {
        let Planner { options, mut because, mut plan, startup, .. } = self;
        let Some(server) = options.server else {
            plan.warnings.extend(because);
            plan.traps.retain(|trap| !matches!(trap, Trap::RdbUnreadable { .. }));
            return plan;
        };
        because.extend(plan.obstacles.iter().cloned());
        if startup == Startup::Refuses {
            let unreadable = |trap: &&Trap| matches!(trap, Trap::RdbUnreadable { .. });
            because.extend(plan.traps.iter().filter(unreadable).map(ToString::to_string));
        }
        let (server, loads) = (server.to_string(), because.is_empty());
        plan.target = Some(Target { server, loads, because });
        plan
    }
}
