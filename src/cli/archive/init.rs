//! `redkeep init`: an archive where there is none.

use crate::cli::archive::place::PlaceArguments;
use crate::cli::{Exit, print};
use clap::Args;

/// Make an archive of a folder or a bucket
///
/// A folder has to be there: one that was made here might hide a disk that is not mounted.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    #[command(flatten)]
    place: PlaceArguments,
}

pub(crate) fn run(arguments: &InitArguments) -> Exit {
    let made = arguments.place.create().and_then(|archive| {
        print(format!("archive {} in {}\n", archive.id(), arguments.place.name()?).as_bytes())
    });
    made.err().unwrap_or(Exit::Done)
}
