//! `redkeep verify`: whether backups are still what was stored.

use crate::cli::archive::keys::IdentityArguments;
use crate::cli::archive::place::{PlaceArguments, Which};
use crate::cli::human::{several, size, visible};
use crate::cli::progress::Bar;
use crate::cli::{Exit, as_json, complain, failed, now, print, stop};
use crate::error::Result;
use crate::rdb::ServerVersion;
use crate::repo::{Archive, BackupId, Certificate, VerifyLevel};
use crate::task::{VerifyOptions, verify};
use clap::Args;

/// Verify backups: that they are there, byte for byte what was stored, and mean what is recorded
///
/// A certificate of what was found is kept beside each. Exit code 3: something is wrong with one.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// `latest`, a time in UTC (the newest before it), or an id
    #[arg(default_value = "latest")]
    which: Which,
    /// All backups of the stream
    #[arg(long, conflicts_with_all = ["which", "sample"])]
    all: bool,
    /// A share of them, as 10%: those that were not verified for longest, one at least
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "which")]
    sample: Option<u8>,
    #[command(flatten)]
    place: PlaceArguments,
    /// How far: exists, bytes or meaning
    #[arg(long, value_name = "LEVEL", default_value_t)]
    level: VerifyLevel,
    /// The server that has to load it, as redis-7.2
    #[arg(long = "for", value_name = "SERVER")]
    target: Option<ServerVersion>,
    /// Keep no certificate
    #[arg(long)]
    no_certificate: bool,
    #[command(flatten)]
    identity: IdentityArguments,
    /// Print the certificates as one JSON document
    #[arg(long)]
    json: bool,
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    number.filter(|share| (1..=100).contains(share)).ok_or_else(|| "not 1% to 100%".to_owned())
}

pub(crate) fn run(arguments: &VerifyArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl VerifyArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let archive = self.place.open()?;
        let mut options = VerifyOptions::default()
            .level(self.level)
            .open(self.identity.open_options()?)
            .keep(!self.no_certificate);
        if let Some(target) = self.target {
            options.check = options.check.target(target);
        }
        let mut certificates = Vec::new();
        let mut exit = Exit::Done;
        for id in self.ids(&archive)? {
            let certificate = self.one(&archive, id, &options);
            match certificate {
                Ok(certificate) => {
                    if !certificate.passed() || certificate.loads == Some(false) {
                        exit = Exit::Findings;
                    }
                    if !self.json {
                        print(in_words(&certificate).as_bytes())?;
                    }
                    certificates.push(certificate);
                }
                Err(error) if error.is_corrupt() || error.fault().is_some_and(says_broken) => {
                    complain(error.in_file(id.to_string()));
                    exit = Exit::Findings;
                }
                Err(error) => {
                    let no_key = error.fault() == Some(crate::Fault::SealNoKey);
                    let exit = failed(error);
                    if no_key {
                        complain("--identity says where the key is; --level bytes needs none");
                    }
                    return Err(exit);
                }
            }
        }
        if self.json {
            print(as_json(&certificates)?.as_bytes())?;
        }
        Ok(exit)
    }

    fn ids(&self, archive: &Archive) -> Result<Vec<BackupId>, Exit> {
        let stream = &self.place.stream;
        if !self.all && self.sample.is_none() {
            return Ok(vec![self.which.find(archive, stream)?]);
        }
        let mut backups = archive.backups(stream).map_err(failed)?;
        if backups.is_empty() {
            complain(format_args!("there is no backup in stream {stream}"));
            return Err(Exit::Failed);
        }
        if let Some(share) = self.sample {
            // The names of certificates tell when they were made, and sort by it.
            backups.sort_by_key(|listed| (listed.certificates.last().cloned(), listed.id));
            let most = (backups.len() * usize::from(share)).div_ceil(100).max(1);
            backups.truncate(most);
        }
        Ok(backups.into_iter().map(|listed| listed.id).collect())
    }

    fn one(&self, archive: &Archive, id: BackupId, options: &VerifyOptions) -> Result<Certificate> {
        let mut bar = None;
        let mut shown = 0;
        verify(archive, &self.place.stream, id, &now, options, &mut |read, len| {
            bar.get_or_insert_with(|| Bar::new("verifying", Some(len)))
                .read(read.saturating_sub(shown));
            shown = shown.max(read);
            stop::or_go_on()
        })
    }
}

/// Faults of a manifest, which say that the backup cannot be relied on.
fn says_broken(fault: crate::Fault) -> bool {
    use crate::Fault::{BackupDigest, BackupOther, BackupRecord, SealRecord};
    matches!(fault, BackupDigest | BackupOther | BackupRecord | SealRecord)
}

fn in_words(certificate: &Certificate) -> String {
    let Certificate { backup, level, plain, bytes, problems, .. } = certificate;
    let read = match (level, plain) {
        (VerifyLevel::Exists, _) => "its objects were looked for".to_owned(),
        (_, true) => format!("{} were read and opened", size(*bytes)),
        (_, false) => format!("{} were read; without a key what is in them was not", size(*bytes)),
    };
    if problems.is_empty() {
        let target = certificate.target.as_deref().unwrap_or_default();
        let loads = match certificate.loads {
            Some(true) => format!("; {target} would load it"),
            Some(false) => format!("; {target} WOULD NOT load it, or not all of it"),
            None => String::new(),
        };
        return format!("OK  {backup}: level {level}, {read}{loads}\n");
    }
    let mut text =
        format!("FAILED  {backup}: {}\n", several(problems.len() as u64, "problem", "problems"));
    for problem in problems {
        text += &format!("  {}: {}\n", visible(&problem.place), visible(&problem.message));
    }
    text
}
