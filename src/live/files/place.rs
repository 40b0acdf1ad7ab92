//! Which files: those that the server loads, by what it says, its configuration, or what is there.

use crate::error::{Error, Fault, Result};
use crate::live::facts::{Files, ServerFacts};
use crate::live::files::options::FilesOptions;
use crate::live::info::Info;
use crate::live::settings::Settings;
use redis::ConnectionLike;
use std::path::PathBuf;

/// Where everything is, and what of it counts.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dump: PathBuf,
    /// The data directory.
    pub(super) dir: PathBuf,
    pub(super) file_name: String,
    pub(super) folder_name: String,
    /// Whether the server keeps a log.
    pub(super) log: bool,
    /// Whether that has parts and a manifest.
    pub(super) parts: bool,
}

impl Place {
    pub(super) fn find<C: ConnectionLike + ?Sized>(
        server: Option<(&mut C, &Info)>,
        options: &FilesOptions,
    ) -> Result<Place> {
        let config = options.config_file.as_deref();
        let (settings, says, parts) = match server {
            Some((connection, info)) => {
                let facts = ServerFacts::of(info);
                let settings = Settings::learn(connection, config, facts.numbers())?;
                let parts = facts.release().map(|release| release.has_log_parts());
                let parts = parts.unwrap_or_else(|| facts.numbers() >= (7, 0));
                (settings, Some(info.is_set("aof_enabled")), Some(parts))
            }
            None => {
                let settings = config.map(|file| Settings::read(file, (7, 0))).transpose()?;
                let parts = options.server.map(|server| server.has_log_parts());
                (settings.unwrap_or_default(), None, parts)
            }
        };
        let says = says.or_else(|| settings.is_yes("appendonly"));
        let files = Files::of(&settings);
        let Some(dir) = options.dir.clone().or(files.dir) else {
            return Err(Error::usage(
                "where the files are is not known: name the data directory, or the configuration",
            ));
        };
        let named = |own: &Option<String>, said: Option<&str>, usual: &str| {
            own.as_deref().or(said).unwrap_or(usual).to_owned()
        };
        let dump = named(&options.dump_name, settings.get("dbfilename"), "dump.rdb");
        let mut place = Place {
            dump: dir.join(dump),
            dir,
            file_name: named(&options.file_name, files.log_name.as_deref(), "appendonly.aof"),
            folder_name: named(&options.folder_name, files.log_dir.as_deref(), "appendonlydir"),
            log: false,
            parts: true,
        };
        place.log = place.keeps_log(says, options.log)?;
        if place.log {
            place.parts = parts.map_or_else(|| place.has_parts(), Ok)?;
        }
        Ok(place)
    }

    /// Whether the log that is there has parts.
    fn has_parts(&self) -> Result<bool> {
        match (self.manifest().is_file(), self.single().is_file()) {
            (true, true) => Err(Error::usage(format!(
                "{}: both a folder of a log and a log of one file are there: which of them counts is \
                 a matter of the server, so say which it is",
                self.dir.display()
            ))),
            (parts, single) => Ok(parts || !single),
        }
    }

    /// The folder of a log's parts.
    pub(super) fn folder(&self) -> PathBuf {
        self.dir.join(&self.folder_name)
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.folder().join(format!("{}.manifest", self.file_name))
    }

    /// A log of one file.
    pub(super) fn single(&self) -> PathBuf {
        self.dir.join(&self.file_name)
    }

    fn keeps_log(&self, says: Option<bool>, asked: Option<bool>) -> Result<bool> {
        let dump = self.dump.display().to_string();
        match (says, asked) {
            (Some(true), Some(false)) => Err(Error::from_fault(Fault::DumpBesideLog).in_file(dump)),
            (Some(false), Some(true)) => Err(Error::usage(
                "the server keeps no log (appendonly no): one that is there is not its data",
            )),
            (Some(log), _) | (None, Some(log)) => Ok(log),
            (None, None) => {
                match (self.manifest().is_file() || self.single().is_file(), self.dump.is_file()) {
                    // A log that nobody writes any more would be as wrong as a dump that nobody loads.
                    (true, true) => Err(Error::usage(format!(
                        "{}: both a log and a dump are there, and which of them the server loads is set by \
                     `appendonly`: say whether that is yes or no",
                        self.dir.display()
                    ))),
                    (false, false) => {
                        let gone = Error::io(std::io::ErrorKind::NotFound.into(), None);
                        let gone = gone.with_detail("neither a log nor a dump is there");
                        Err(gone.in_file(self.dir.display().to_string()))
                    }
                    (log, _) => Ok(log),
                }
            }
        }
    }
}
