//! `redkeep mirror`: backups in a second place.

use crate::cli::archive::place::{PlaceArguments, Which, store_at};
use crate::cli::human::{several, size, visible};
use crate::cli::progress::Bar;
use crate::cli::{Exit, as_json, failed, now, print, stop};
use crate::repo::Archive;
use crate::task::{Arrival, CopyBackupOptions, CopyBackupProgress, copy_backup, copy_missing};
use clap::Args;

/// Copy backups to a second place, off-site, and verify that they arrived
///
/// What is copied are the objects as they are: no key is needed, and what can be done with the one archive can be
/// done with the other. What is there already is not sent again.
#[derive(Debug, Args)]
pub(crate) struct MirrorArguments {
    /// The second place, as --repo is said; an archive is made there if there is none
    #[arg(long, value_name = "PLACE")]
    to: String,
    /// One backup: `latest`, a time in UTC or an id [default: all of the stream that are not there]
    which: Option<Which>,
    #[command(flatten)]
    place: PlaceArguments,
    /// Do not read back what was sent, but only ask for its length
    #[arg(long)]
    no_read_back: bool,
    /// Print what was copied as one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &MirrorArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl MirrorArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let source = self.place.open()?;
        let target = store_at(&self.to)
            .and_then(|store| Archive::open_or_create_mirror(store, source.id()))
            .map_err(|error| failed(error.in_file(self.to.clone())))?;
        let arrival = if self.no_read_back { Arrival::Stat } else { Arrival::Read };
        let options = CopyBackupOptions::default().arrival(arrival);
        let mut shown = Shown(None);
        let mut watch = |progress: &CopyBackupProgress| {
            shown.show(progress);
            stop::or_go_on()
        };
        let stream = &self.place.stream;
        let Some(which) = self.which else {
            let copied = copy_missing(&source, &target, stream, &now, &options, &mut watch);
            let copied = copied.map_err(failed)?;
            let text = match self.json {
                true => as_json(&copied)?,
                false => {
                    let mut text = format!(
                        "{} copied, {}; {} there already\n",
                        several(copied.copied.len() as u64, "backup", "backups"),
                        size(copied.bytes),
                        several(copied.there, "was", "were")
                    );
                    for problem in &copied.failures {
                        text += &format!("NOT COPIED  {}\n", visible(&problem.to_string()));
                    }
                    text
                }
            };
            print(text.as_bytes())?;
            return Ok(if copied.is_complete() { Exit::Done } else { Exit::Findings });
        };
        let id = which.find(&source, stream)?;
        let copied = copy_backup(&source, &target, stream, id, &now, &options, &mut watch);
        let copied = copied.map_err(failed)?;
        let text = match self.json {
            true => as_json(&copied)?,
            false if copied.is_new => format!("{id} copied, {}\n", size(copied.bytes)),
            false => format!("{id} was there already\n"),
        };
        print(text.as_bytes())?;
        Ok(Exit::Done)
    }
}

/// A bar for the backup that is on its way.
struct Shown(Option<(u64, u64, Bar)>);

impl Shown {
    fn show(&mut self, progress: &CopyBackupProgress) {
        if self.0.as_ref().is_none_or(|(number, ..)| *number != progress.number) {
            self.0 = Some((progress.number, 0, Bar::new("copying", Some(progress.len))));
        }
        if let Some((_, shown, bar)) = &mut self.0 {
            bar.read(progress.bytes.saturating_sub(*shown));
            *shown = progress.bytes;
        }
    }
}
