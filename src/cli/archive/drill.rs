//! `redkeep drill`: a restore that is only tried.

use crate::cli::archive::keys::IdentityArguments;
use crate::cli::archive::place::{PlaceArguments, Which};
use crate::cli::human::{count, several, visible};
use crate::cli::progress::Bar;
use crate::cli::server::Monotonic;
use crate::cli::{Exit, as_json, complain, failed, now, print, stop};
use crate::repo::StoredBackup;
use crate::task::{DrillOptions, DrillOutcome, VerifyOptions, drill};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Try a restore: verify a backup, load it into a server that is started for that, and compare everything
///
/// The server listens on a socket in a temporary folder only, is stopped afterwards, and nothing of it stays.
/// It is the first valkey-server or redis-server in the PATH, as the backup was made by, if none is given;
/// where there is none, the backup is read in this process only, and that is said.
#[derive(Debug, Args)]
pub(crate) struct DrillArguments {
    /// `latest`, a time in UTC (the newest before it), or an id
    #[arg(default_value = "latest")]
    which: Which,
    #[command(flatten)]
    place: PlaceArguments,
    /// The program of the server
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    /// Start no server
    #[arg(long, conflicts_with = "server")]
    no_server: bool,
    /// A word for the server's command line, as --loadmodule; may be repeated
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    setting: Vec<String>,
    /// Where the temporary folder is made [default: the system's]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// How long the server may take to load it
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    deadline: u64,
    #[command(flatten)]
    identity: IdentityArguments,
    /// Print the outcome as one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &DrillArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl DrillArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let archive = self.place.open()?;
        let stored = self.which.open(&archive, &self.place.stream)?;
        let verify = VerifyOptions::default().open(self.identity.open_options()?);
        let deadline = Duration::from_secs(self.deadline);
        let mut options = DrillOptions::default().verify(verify).deadline(deadline);
        options.settings.clone_from(&self.setting);
        options.server = match &self.server {
            None if self.no_server => None,
            None => found(&stored),
            given => given.clone(),
        };
        if options.server.is_none() && !self.no_server {
            complain("no server was found to load it: it is read in this process only");
        }
        if let Some(folder) = &self.folder {
            options = options.folder(folder);
        }
        let id = stored.manifest().backup;
        let (stream, clock) = (&self.place.stream, Monotonic::start());
        let (mut bar, mut shown) = (None, 0);
        let outcome = drill(&archive, stream, id, &clock, &now, &options, &mut |read, len| {
            let bar = bar.get_or_insert_with(|| Bar::new("trying", Some(len)));
            bar.read(read.saturating_sub(shown));
            shown = shown.max(read);
            stop::or_go_on()
        });
        drop(bar);
        let outcome = outcome.map_err(|error| match error.fault() {
            Some(crate::Fault::DrillFailed) => {
                complain(visible(&error.to_string()));
                Exit::Findings
            }
            _ => failed(error),
        })?;
        let text = if self.json { as_json(&outcome)? } else { in_words(&outcome) };
        print(text.as_bytes())?;
        Ok(if outcome.is_proven() { Exit::Done } else { Exit::Findings })
    }
}

/// The server in the PATH that the backup is of.
fn found(stored: &StoredBackup) -> Option<PathBuf> {
    let content = &stored.manifest().shards.first()?.content;
    let valkey = content.header.as_ref().is_some_and(|header| header.starts_with("VALKEY"));
    let names =
        if valkey { ["valkey-server", "redis-server"] } else { ["redis-server", "valkey-server"] };
    let path = std::env::var_os("PATH")?;
    let there = |name: &&str| {
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    names.iter().find_map(there)
}

fn in_words(outcome: &DrillOutcome) -> String {
    let proven = if outcome.is_proven() { "PROVEN" } else { "FAILED" };
    let mut text = format!("{proven}  {}\n\n", outcome.certificate.backup);
    for problem in &outcome.certificate.problems {
        text += &format!("  {}: {}\n", visible(&problem.place), visible(&problem.message));
    }
    text += &format!("  read        all of it in {} ms\n", count(outcome.read_ms));
    for server in &outcome.servers {
        text += &format!(
            "  loaded      {} by {} in {} ms, after {} ms to fetch it: {}\n",
            visible(&server.shard),
            visible(&server.version),
            count(server.loaded_ms),
            count(server.fetched_ms),
            several(server.keys, "key", "keys"),
        );
        match &server.compared {
            None => text += "  compared    nothing: it is a log, of which only loading is tried\n",
            Some(compared) => {
                let differ = match compared.differing() {
                    0 => "the same".to_owned(),
                    keys => format!("{} DIFFER", several(keys, "key", "keys")),
                };
                text +=
                    &format!("  compared    {}: {differ}", several(compared.keys, "key", "keys"));
                if compared.expired > 0 {
                    text += &format!("; {} had expired", count(compared.expired));
                }
                text += "\n";
                for key in &compared.first {
                    text += &format!("  differs     db {} {}\n", key.db, visible(&key.key));
                }
            }
        }
    }
    text += &format!("  to restore  {} ms\n", count(outcome.restore_ms()));
    text
}
