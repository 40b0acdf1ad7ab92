//! Backups in an archive: the commands that need one.

mod backup;
mod drill;
#[cfg(any(feature = "opendal-http", feature = "sftp"))]
mod far;
mod init;
pub(crate) mod keys;
mod list;
mod mirror;
pub(crate) mod place;
mod prune;
mod show;
mod status;
mod verify;

use crate::cli::Exit;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    Init(init::InitArguments),
    Keygen(keys::KeygenArguments),
    Backup(Box<backup::BackupArguments>),
    List(list::ListArguments),
    Show(show::ShowArguments),
    Verify(verify::VerifyArguments),
    Drill(drill::DrillArguments),
    Prune(prune::PruneArguments),
    Status(status::StatusArguments),
    Mirror(mirror::MirrorArguments),
}

impl ArchiveCommand {
    pub(crate) fn run(&self) -> Exit {
        match self {
            ArchiveCommand::Init(arguments) => init::run(arguments),
            ArchiveCommand::Keygen(arguments) => keys::run(arguments),
            ArchiveCommand::Backup(arguments) => backup::run(arguments),
            ArchiveCommand::List(arguments) => list::run(arguments),
            ArchiveCommand::Show(arguments) => show::run(arguments),
            ArchiveCommand::Verify(arguments) => verify::run(arguments),
            ArchiveCommand::Drill(arguments) => drill::run(arguments),
            ArchiveCommand::Prune(arguments) => prune::run(arguments),
            ArchiveCommand::Status(arguments) => status::run(arguments),
            ArchiveCommand::Mirror(arguments) => mirror::run(arguments),
        }
    }
}
