//! Carrying out a plan for a directory.

use crate::aof::repair::Stamp;
use crate::aof::{Fileset, FilesetOptions, Startup};
use crate::error::{Error, Result};
use crate::file::place::{
    Looks, Place, folder_of, keep_as, named, not_given, rename_to_new, sync_folder,
};
use crate::live::Clock;
use crate::task::data_dir::plan::DataDirPlan;
use crate::task::data_dir::stage::{DataDirContent, DataDirSource, Staged, StagedLog};
use crate::task::data_dir::steps::{DataDirAction, DataDirForm, DataDirStep};
use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What was done. See [`DataDirPlan::apply`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DataDirOutcome {
    /// The new files, by the names that the server looks for.
    pub written: Vec<PathBuf>,
    /// Where the old files are now.
    pub aside: Vec<PathBuf>,
    /// What is in the new ones.
    pub content: DataDirContent,
}

impl DataDirPlan {
    /// Carries the plan out. Nothing is deleted and nothing overwritten: what was there stays, aside.
    ///
    /// The new data are written and read back first; then it is looked once more whether a server is
    /// alive and whether the directory is still as planned for.
    ///
    /// # Errors
    /// `Usage` where the plan has obstacles or what was there has changed since, or where no key would
    /// be restored; those of [`extract`](crate::task::extract) and [`aof_from_aof`](crate::task::aof_from_aof)
    /// for the source; `Unsupported` where the server would refuse what was written (`would_refuse`), or
    /// for a log that can only be put into another form (`needs_replay`); `Io` where reading or writing
    /// fails, or the owner of the directory cannot be given the files. The old data are then in effect
    /// still, unless the error says that the new ones are.
    ///
    /// ```
    /// use redkeep::task::data_dir::{AppendOnly, DataDirOptions, DataDirSource, plan_data_dir};
    /// # use std::time::Duration;
    /// # struct Still;
    /// # impl redkeep::live::Clock for Still {
    /// #     fn elapsed(&self) -> Duration { Duration::ZERO }
    /// #     fn sleep(&self, _: Duration) {}
    /// # }
    /// # let dir = std::env::temp_dir().join(format!("redkeep-doc-apply-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let dump: &[u8] = b"REDIS0009\xfe\x00\x00\x01a\x01x\xff\0\0\0\0\0\0\0\0";
    /// let options = DataDirOptions::new("redis-7.2".parse().unwrap()).append_only(AppendOnly::Yes);
    /// let plan = plan_data_dir(&dir, &options, &Still)?;
    /// let outcome = plan.apply(DataDirSource::Dump(dump), &Still)?;
    /// assert_eq!(outcome.content.keys, 1);
    /// assert!(dir.join("appendonlydir/appendonly.aof.manifest").exists());
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    pub fn apply(
        &self,
        source: DataDirSource<'_, impl Read>,
        clock: &impl Clock,
    ) -> Result<DataDirOutcome> {
        self.apply_watched(source, clock, &mut |_| ControlFlow::Continue(()))
    }

    /// As [`apply`](Self::apply); `watch` is told of every step before it is taken, and may stop there.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and `Usage` where it was stopped.
    pub fn apply_watched(
        &self,
        source: DataDirSource<'_, impl Read>,
        clock: &impl Clock,
        watch: &mut dyn FnMut(&DataDirStep) -> ControlFlow<()>,
    ) -> Result<DataDirOutcome> {
        if let Some(obstacle) = self.obstacles.first() {
            return Err(Error::usage(format!("the plan cannot be carried out: {obstacle}")));
        }
        let (outcome, staged) = (DataDirOutcome::default(), Staged::default());
        let mut work = Work {
            plan: self,
            watch,
            outcome,
            staged,
            in_effect: Vec::new(),
            made: None,
            placed: Vec::new(),
            sizes: Vec::new(),
        };
        let done = work.run(source, clock);
        let Work { outcome, in_effect, made, placed, staged, .. } = work;
        drop(staged);
        let Err(error) = done else { return Ok(outcome) };
        // Ours, and named by nothing; a folder goes only where there is nothing in it.
        placed.iter().for_each(|path| drop(fs::remove_file(path)));
        let _ = made.map(fs::remove_dir);
        if in_effect.is_empty() {
            return Err(error);
        }
        let names: Vec<_> = in_effect.iter().map(|path| path.display().to_string()).collect();
        let new = format!("in effect already: {}", names.join(" and "));
        Err(match error.is_io() {
            true => error.with_detail(new),
            false => Error::usage(format!("{error} ({new})")),
        })
    }
}

struct Work<'a> {
    plan: &'a DataDirPlan,
    watch: &'a mut dyn FnMut(&DataDirStep) -> ControlFlow<()>,
    outcome: DataDirOutcome,
    staged: Staged,
    /// New forms that have taken effect.
    in_effect: Vec<PathBuf>,
    /// New files of a log that no manifest names yet.
    placed: Vec<PathBuf>,
    /// The folder of logs, where there was none.
    made: Option<PathBuf>,
    /// The new files and how long they have to be.
    sizes: Vec<(PathBuf, u64)>,
}

impl Work<'_> {
    fn run(&mut self, source: DataDirSource<'_, impl Read>, clock: &impl Clock) -> Result<()> {
        let plan = self.plan;
        self.is_unchanged()?;
        let mut source = Some(source);
        for step in &plan.steps {
            let writing = step.action == DataDirAction::Write
                || (step.action == DataDirAction::MakeFolder
                    && step.path == plan.path_of(DataDirForm::LogFolder));
            // All that is new is written before anything old is touched.
            if !writing && let Some(source) = source.take() {
                self.staged = plan.stage(source)?;
                self.outcome.content = self.staged.content.clone();
                if let Some(obstacle) = plan.signs(clock)?.alive.first() {
                    return Err(Error::usage(format!("since the plan was made: {obstacle}")));
                }
                self.is_unchanged()?;
            }
            self.announce(step)?;
            match step.action {
                DataDirAction::Write | DataDirAction::Place => {}
                DataDirAction::MakeFolder => self.make_folder(&step.path)?,
                DataDirAction::Keep => self.keep(step)?,
                DataDirAction::Commit => {
                    self.commit(&step.path)?;
                    self.in_effect.push(step.path.clone());
                }
                DataDirAction::MoveAside => self.move_aside(step)?,
            }
        }
        self.confirm()
    }

    fn announce(&mut self, step: &DataDirStep) -> Result<()> {
        match (self.watch)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                Err(Error::usage(format!("stopped before {}", step.path.display())))
            }
        }
    }

    /// All files are still those that were planned for.
    fn is_unchanged(&self) -> Result<()> {
        for (path, then) in &self.plan.seen {
            let now = match path.symlink_metadata() {
                Ok(_) => Some(Stamp::of(path)?),
                Err(_) => None,
            };
            if now != *then {
                let at = path.display();
                let why = format!("{at} has changed since the plan was made: make a new one");
                return Err(Error::usage(why));
            }
        }
        Ok(())
    }

    fn make_folder(&mut self, path: &Path) -> Result<()> {
        let plan = self.plan;
        let logs = plan.path_of(DataDirForm::LogFolder);
        let looks = match logs.metadata() {
            Ok(facts) => Looks::of(&facts),
            Err(_) => plan.looks()?,
        };
        fs::create_dir(path).map_err(|error| named(error, path))?;
        if path == logs {
            self.made = Some(logs);
        }
        looks.give_folder(path).map_err(|error| not_given(error, path))?;
        sync_folder(folder_of(path)).map_err(|error| named(error, path))
    }

    /// Gives a file that will be replaced a second name, or a copy where there are no links.
    fn keep(&mut self, step: &DataDirStep) -> Result<()> {
        let Some(to) = &step.to else { return Ok(()) };
        keep_as(&step.path, to)?;
        self.outcome.aside.push(to.clone());
        Ok(())
    }

    fn move_aside(&mut self, step: &DataDirStep) -> Result<()> {
        let Some(to) = &step.to else { return Ok(()) };
        let aside = || {
            rename_to_new(&step.path, to)?;
            sync_folder(folder_of(to))?;
            sync_folder(folder_of(&step.path))
        };
        aside().map_err(|error| named(error, to))?;
        self.outcome.aside.push(to.clone());
        Ok(())
    }

    fn commit(&mut self, path: &Path) -> Result<()> {
        if *path == self.plan.path_of(DataDirForm::Dump) {
            let Some(dump) = self.staged.dump.take() else { return Ok(()) };
            return self.commit_file(dump, path);
        }
        match self.staged.log.take() {
            Some(StagedLog::File(file)) => self.commit_file(file.into_inner(), path),
            Some(StagedLog::Folder(folder)) => {
                let (from, names) = folder.staged()?;
                self.commit_folder(&from, &names, path)
            }
            None => Ok(()),
        }
    }

    fn commit_file(&mut self, file: Place, path: &Path) -> Result<()> {
        let len = size(file.temporary())?;
        file.commit()?;
        self.sizes.push((path.to_owned(), len));
        self.outcome.written.push(path.to_owned());
        Ok(())
    }

    /// The files first, which the manifest does not name yet, and then the manifest.
    fn commit_folder(&mut self, from: &Path, names: &[String], manifest: &Path) -> Result<()> {
        let folder = folder_of(manifest);
        for name in names {
            let (from, to) = (from.join(name), folder.join(name));
            let why = "the manifest does not name it yet";
            self.announce(&DataDirStep::new(DataDirAction::Place, to.clone(), why))?;
            self.sizes.push((to.clone(), size(&from)?));
            rename_to_new(&from, &to).map_err(|error| named(error, &to))?;
            self.placed.push(to);
        }
        sync_folder(folder).map_err(|error| named(error, folder))?;
        self.is_unchanged()?;
        let new = from.join(manifest.file_name().unwrap_or_default());
        let why = "it names the new files and nothing else";
        self.announce(&DataDirStep::new(DataDirAction::Place, manifest.to_owned(), why))?;
        let commit = || {
            fs::rename(&new, manifest)?;
            sync_folder(folder)
        };
        commit().map_err(|error| named(error, manifest))?;
        self.outcome.written.append(&mut self.placed);
        self.outcome.written.push(manifest.to_owned());
        Ok(())
    }

    /// What a server that starts now would load is what was written, and all of it.
    fn confirm(&self) -> Result<()> {
        let plan = self.plan;
        for (path, len) in &self.sizes {
            if size(path)? != *len {
                return Err(named(io::ErrorKind::InvalidData.into(), path));
            }
        }
        if plan.log_form().is_none() {
            return Ok(());
        }
        let options = FilesetOptions::new(plan.server)
            .file_name(&*plan.names.log)
            .folder_name(&*plan.names.folder)
            .dump_name(&*plan.names.dump);
        let found = Fileset::find(&plan.dir, &options)?;
        let ours =
            found.files.iter().all(|file| self.sizes.contains(&(file.path.clone(), file.size)));
        let whole = found.files.iter().map(|file| file.size).sum::<u64>() == self.log_sizes();
        if found.startup == Startup::Refuses || !ours || !whole {
            let why = "a server that starts now would not load what was written";
            return Err(Error::usage(why).in_file(plan.dir.display().to_string()));
        }
        Ok(())
    }

    fn log_sizes(&self) -> u64 {
        let dump = self.plan.path_of(DataDirForm::Dump);
        self.sizes.iter().filter(|(path, _)| *path != dump).map(|(_, len)| len).sum()
    }
}

fn size(path: &Path) -> Result<u64> {
    path.metadata().map(|facts| facts.len()).map_err(|error| named(error, path))
}
