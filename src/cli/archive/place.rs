//! Which archive, and which backup in it: the arguments that all of these commands share.

#[cfg(any(feature = "opendal-http", feature = "sftp"))]
use crate::cli::archive::far;
use crate::cli::human::visible;
use crate::cli::{Exit, complain, failed, when};
use crate::error::{Error, Result};
use crate::repo::store::{LocalStore, Store};
use crate::repo::{Archive, BackupId, Pick, StoredBackup, StreamName};
use crate::time::UnixMillis;
use clap::Args;

/// Where the archive is, for those who do not want to say it each time.
const REPO: &str = "REDKEEP_REPO";

#[derive(Debug, Args)]
#[command(next_help_heading = "Archive")]
pub(crate) struct PlaceArguments {
    /// The archive: a folder, s3://BUCKET/FOLDER, azblob://CONTAINER/FOLDER, swift://CONTAINER/FOLDER,
    /// gcs://BUCKET/FOLDER or sftp://USER@HOST/FOLDER, as built [default: the environment's REDKEEP_REPO]
    #[arg(long, value_name = "PLACE")]
    repo: Option<String>,
    /// The stream: your name for one logical database
    #[arg(long, value_name = "NAME", default_value_t)]
    pub(crate) stream: StreamName,
}

impl PlaceArguments {
    pub(crate) fn open(&self) -> Result<Archive, Exit> {
        Archive::open(self.store()?).map_err(|error| {
            let none = error.fault() == Some(crate::Fault::ArchiveNone);
            let exit = self.complain(error);
            if none {
                complain("redkeep init makes an archive of a place");
            }
            exit
        })
    }

    /// Opens the archive, or makes one.
    pub(crate) fn open_or_create(&self) -> Result<Archive, Exit> {
        Archive::open_or_create(self.store()?).map_err(|error| self.complain(error))
    }

    pub(crate) fn create(&self) -> Result<Archive, Exit> {
        Archive::create(self.store()?).map_err(|error| self.complain(error))
    }

    /// The same in another archive, where one is named.
    pub(crate) fn or_to(&self, to: Option<&String>) -> PlaceArguments {
        PlaceArguments { repo: to.or(self.repo.as_ref()).cloned(), stream: self.stream.clone() }
    }

    /// How it is called.
    pub(crate) fn name(&self) -> Result<String, Exit> {
        let named = self.repo.clone().or_else(|| std::env::var(REPO).ok());
        named.ok_or_else(|| {
            complain("which archive? say --repo, or set REDKEEP_REPO in the environment");
            Exit::Usage
        })
    }

    /// Whether one was named, here or in the environment.
    pub(crate) fn is_named(&self) -> bool {
        self.repo.is_some() || std::env::var_os(REPO).is_some()
    }

    /// Whether one was named here.
    pub(crate) fn is_said(&self) -> bool {
        self.repo.is_some()
    }

    fn store(&self) -> Result<Box<dyn Store>, Exit> {
        store_at(&self.name()?).map_err(failed)
    }

    fn complain(&self, error: Error) -> Exit {
        let exit = Exit::after(&error);
        match self.name() {
            Ok(name) => {
                complain(format_args!("{}: {}", visible(&name), visible(&error.to_string())))
            }
            Err(_) => complain(error),
        }
        exit
    }
}

/// What a redkeep can be built for.
const FAR: [&str; 5] = ["s3", "azblob", "swift", "gcs", "sftp"];

/// Opens the store at a place as people write it.
pub(crate) fn store_at(place: &str) -> Result<Box<dyn Store>> {
    let (scheme, rest) = place.split_once("://").unwrap_or(("file", place));
    match scheme {
        "file" => Ok(Box::new(LocalStore::open(rest)?)),
        #[cfg(feature = "s3")]
        "s3" => far::s3(rest),
        #[cfg(feature = "azblob")]
        "azblob" => far::azblob(rest),
        #[cfg(feature = "swift")]
        "swift" => far::swift(rest),
        #[cfg(feature = "gcs")]
        "gcs" => far::gcs(rest),
        #[cfg(feature = "sftp")]
        "sftp" => far::sftp(rest),
        _ if FAR.contains(&scheme) => {
            Err(Error::usage(format!("this redkeep was built without the feature {scheme}")))
        }
        _ => Err(Error::usage(format!("no kind of place: {scheme}://"))),
    }
}

/// Which backup: `latest`, a time (the newest before it), or an id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which(pub(crate) Pick);

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Which, String> {
        if let Ok(pick) = text.parse() {
            return Ok(Which(pick));
        }
        let at = when::time(text).map_err(|_| {
            "neither latest, an id, nor a date in UTC as 2026-11-20T07:42:01Z".to_owned()
        })?;
        Ok(Which(Pick::At(UnixMillis::new(at))))
    }
}

impl Which {
    /// Finds it in a stream.
    pub(crate) fn find(self, archive: &Archive, stream: &StreamName) -> Result<BackupId, Exit> {
        archive.find(stream, &self.0).map_err(failed)
    }

    pub(crate) fn open(self, archive: &Archive, stream: &StreamName) -> Result<StoredBackup, Exit> {
        archive.backup(stream, self.find(archive, stream)?).map_err(failed)
    }
}
