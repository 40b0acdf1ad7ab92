//! Out of an archive: into a file, the directory of a stopped server, or a running one.

use crate::cli::archive::keys::IdentityArguments;
use crate::cli::archive::place::{PlaceArguments, Which};
use crate::cli::human::{size, visible};
use crate::cli::output::Output;
use crate::cli::progress::{Bar, Watched};
use crate::cli::restore::{RestoreArguments, directory, server};
use crate::cli::{Exit, as_json, complain, extract, failed, print, stop};
use crate::error::Error;
use crate::repo::StoredBackup;
use crate::repo::seal::OpenOptions;
use crate::repo::{Part, Shard};
use crate::task::data_dir::DataDirSource;
use crate::task::{ExtractOptions, FetchOptions, StoredDump, extract as extract_dump, fetch};
use clap::Args;
use std::io;
use std::path::{Path, PathBuf};

/// What only goes with a backup in an archive.
#[derive(Debug, Args)]
#[command(next_help_heading = "A backup in an archive")]
pub(crate) struct BackupSource {
    #[command(flatten)]
    pub(super) place: PlaceArguments,
    /// One shard of a cluster's backup, by its name
    #[arg(long, value_name = "NAME")]
    shard: Option<String>,
    /// Replace the file that it goes to; a folder is moved aside
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    identity: IdentityArguments,
}

impl RestoreArguments {
    /// The backup that is meant; none where it is a file. An archive in the environment alone does not make
    /// a backup of the name of a file.
    pub(super) fn which(&self) -> Result<Option<Which>, Exit> {
        let place = &self.backup.place;
        let which = self.file.to_str().map(str::parse::<Which>);
        match which {
            Some(Ok(which)) if place.is_said() => Ok(Some(which)),
            Some(Err(why)) if place.is_said() => {
                complain(why);
                Err(Exit::Usage)
            }
            None if place.is_said() => Err(Exit::Usage),
            Some(Ok(which)) if place.is_named() && !Path::new(&self.file).exists() => {
                Ok(Some(which))
            }
            _ => Ok(None),
        }
    }
}

pub(super) fn run(arguments: &RestoreArguments, which: Which) -> Result<Exit, Exit> {
    let BackupSource { place, identity, .. } = &arguments.backup;
    let stored = which.open(&place.open()?, &place.stream)?;
    let open = identity.open_options()?;
    let from = From { arguments, stored: &stored, open };
    match arguments.target()? {
        target if target.is_url() => from.to_server(),
        target if target.path().is_dir() => from.to_directory(target.path()),
        target => from.to_file(target.path()),
    }
}

struct From<'a> {
    arguments: &'a RestoreArguments,
    stored: &'a StoredBackup,
    open: OpenOptions,
}

impl From<'_> {
    /// The shards that are meant.
    fn shards(&self) -> Result<Vec<&Shard>, Exit> {
        let all = self.stored.manifest().shards.iter();
        let Some(name) = &self.arguments.backup.shard else { return Ok(all.collect()) };
        let found: Vec<_> = all.filter(|shard| shard.name == *name).collect();
        if found.is_empty() {
            let names = self.stored.manifest().shards.iter().map(|shard| visible(&shard.name));
            complain(format_args!(
                "no such shard; there are {}",
                names.collect::<Vec<_>>().join(", ")
            ));
            return Err(Exit::Usage);
        }
        Ok(found)
    }

    fn one_shard(&self) -> Result<&Shard, Exit> {
        match self.shards()?[..] {
            [shard] => Ok(shard),
            _ => {
                complain("it has several shards: say which with --shard");
                Err(Exit::Usage)
            }
        }
    }

    fn dump<'s>(&'s self, shard: &Shard) -> Result<StoredDump<'s>, Exit> {
        let part: Option<&Part> = shard.parts.first().filter(|_| shard.log.is_none());
        let Some(part) = part else {
            complain(
                "it is a log: restore it to a folder of its own, or into the directory of a server",
            );
            return Err(Exit::Usage);
        };
        StoredDump::open(self.stored, part, &self.open).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: Error) -> Exit {
        failed(error.in_file(self.stored.folder().as_str()))
    }

    fn name(&self) -> String {
        self.stored.folder().to_string()
    }

    /// Shard by shard; the first one that is not restored whole ends it.
    fn to_server(&self) -> Result<Exit, Exit> {
        for shard in self.shards()? {
            let mut dump = self.dump(shard)?;
            let exit =
                server::feed(self.arguments, &self.name(), &mut dump, Some(shard.content.bytes))?;
            dump.finish().map_err(|error| self.failed(error))?;
            if exit != Exit::Done {
                return Ok(exit);
            }
        }
        Ok(Exit::Done)
    }

    fn to_directory(&self, dir: &Path) -> Result<Exit, Exit> {
        let shard = self.one_shard()?;
        let Some(form) = &shard.log else {
            let mut dump = self.dump(shard)?;
            let bar = Some(Bar::new("restoring", Some(shard.content.bytes)));
            let source = DataDirSource::Dump(Watched::new(&mut dump, bar));
            return directory::bring_all(self.arguments, dir, &self.name(), source);
        };
        // The whole of a log has to be there before it is known what it comes to.
        let staged =
            Staged(std::env::temp_dir().join(format!("redkeep-{}.aof", std::process::id())));
        self.fetch(&staged.0)?;
        let log = crate::cli::aof::find(&staged.0, &form.name)?;
        directory::bring_all(
            self.arguments,
            dir,
            &self.name(),
            DataDirSource::<io::Empty>::Log(&log),
        )
    }

    /// The whole of it as it went in, or what was chosen of a dump.
    fn to_file(&self, path: &Path) -> Result<Exit, Exit> {
        let mut options = self.arguments.choice.extract()?;
        if let Some(server) = self.arguments.directory.server {
            options.convert = Some(self.arguments.loss.options(server, self.arguments.dry_run));
        }
        let all = self.arguments.choice.is_all()? && options.convert.is_none();
        if all && self.arguments.backup.shard.is_none() && !self.arguments.dry_run {
            let fetched = self.fetch(path)?;
            let text = match self.arguments.json {
                true => as_json(&fetched)?,
                false => format!("{}, as they were\n", size(fetched.bytes)),
            };
            print(text.as_bytes())?;
            return Ok(Exit::Done);
        }
        if all {
            options = options.functions(true);
        }
        self.part_into_file(path, &options)
    }

    fn part_into_file(&self, path: &Path, options: &ExtractOptions) -> Result<Exit, Exit> {
        let shard = self.one_shard()?;
        let mut dump = self.dump(shard)?;
        let bar = Some(Bar::new("restoring", Some(shard.content.bytes)));
        let dry_run = self.arguments.dry_run;
        let work = || {
            let source = Watched::new(&mut dump, bar);
            if dry_run {
                let outcome = extract_dump(source, io::sink(), options)?;
                dump.finish()?;
                return Ok(outcome);
            }
            let mut output = Output::create(path, self.arguments.backup.force)?;
            let outcome = extract_dump(source, &mut output, options)?;
            // Only what was read to its very end is good.
            dump.finish()?;
            output.commit()?;
            Ok(outcome)
        };
        let outcome = work().map_err(|error: Error| {
            let exit = self.failed(error);
            complain("nothing was written");
            exit
        })?;
        let text = match self.arguments.json {
            true => as_json(&outcome)?,
            false => extract::in_words(&outcome, dry_run),
        };
        print(text.as_bytes())?;
        Ok(Exit::Done)
    }

    fn fetch(&self, path: &Path) -> Result<crate::task::Fetched, Exit> {
        let options =
            FetchOptions::default().open(self.open.clone()).replace(self.arguments.backup.force);
        let mut bar = None;
        let mut shown = 0;
        let fetched = fetch(self.stored, path, &options, &mut |bytes, len| {
            bar.get_or_insert_with(|| Bar::new("restoring", Some(len))).read(bytes - shown);
            shown = bytes;
            stop::or_go_on()
        });
        fetched.map_err(|error| {
            let there = error.io_kind() == Some(io::ErrorKind::AlreadyExists);
            let exit = self.failed(error);
            if there {
                complain("it exists already, and --force was not given");
            }
            complain("nothing was written");
            exit
        })
    }
}

/// A log that is there only until it is in the directory.
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = if self.0.is_dir() {
            std::fs::remove_dir_all(&self.0)
        } else {
            std::fs::remove_file(&self.0)
        };
    }
}
