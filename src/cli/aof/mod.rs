//! `redkeep aof`: what can be done with append-only logs.

mod cat;

use crate::aof::{Fileset, FilesetOptions};
use crate::cli::{Exit, complain};
use crate::rdb::ServerVersion;
use clap::{Args, Subcommand};
use std::path::Path;

/// Look into an append-only log
#[derive(Debug, Args)]
pub(crate) struct AofArguments {
    #[command(subcommand)]
    command: AofCommand,
}

#[derive(Debug, Subcommand)]
enum AofCommand {
    Cat(cat::CatArguments),
}

pub(crate) fn run(arguments: AofArguments) -> Exit {
    match arguments.command {
        AofCommand::Cat(arguments) => cat::run(arguments),
    }
}

/// The files of the log at a path: a file, a manifest, the folder of it or the server's.
pub(crate) fn find(path: &Path, name: &str) -> Result<Fileset, Exit> {
    // The newest knows folders; where there is none, it goes by the single file as all do.
    let options = FilesetOptions::new(ServerVersion::NEWEST_REDIS).file_name(name);
    Fileset::find(path, &options).map_err(|error| {
        complain(error);
        Exit::Failed
    })
}
