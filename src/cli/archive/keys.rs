//! Keys: whom a backup is encrypted for, and who may open one. `redkeep keygen` makes a pair.

use crate::cli::output::Output;
use crate::cli::{Exit, complain, failed, print};
use crate::error::Result;
use crate::repo::seal::{Identities, KeyPair, OpenOptions, Passphrase, Recipients};
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};

const RECIPIENT: &str = "REDKEEP_RECIPIENT";
const IDENTITY: &str = "REDKEEP_IDENTITY";
const PASSPHRASE: &str = "REDKEEP_PASSPHRASE";

/// Whom a backup is encrypted for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encryption")]
pub(crate) struct RecipientArguments {
    /// A public key (age1...) that can open it; may be repeated [default: the environment's
    /// REDKEEP_RECIPIENT]
    #[arg(long, value_name = "KEY")]
    recipient: Vec<String>,
    /// A file of public keys, one a line
    #[arg(long, value_name = "FILE")]
    recipients_file: Vec<PathBuf>,
    /// Encrypt nothing: whoever can read the archive can read all data
    #[arg(long, conflicts_with_all = ["recipient", "recipients_file"])]
    in_clear: bool,
}

impl RecipientArguments {
    /// `None` where it was said that nothing is to be encrypted.
    pub(crate) fn recipients(&self) -> Result<Option<Recipients>, Exit> {
        if self.in_clear {
            return Ok(None);
        }
        let mut text = self.recipient.join("\n");
        for path in &self.recipients_file {
            let file = std::fs::read_to_string(path).map_err(|error| cannot_read(path, &error))?;
            text = text + "\n" + &file;
        }
        if text.is_empty() {
            text = std::env::var(RECIPIENT).unwrap_or_default();
        }
        if text.trim().is_empty() {
            complain(
                "for whom? say --recipient KEY (redkeep keygen makes one), or --in-clear to encrypt nothing",
            );
            return Err(Exit::Usage);
        }
        Recipients::parse(&text).map(Some).map_err(failed)
    }
}

/// Who opens a backup.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encryption")]
pub(crate) struct IdentityArguments {
    /// A file of secret keys [default: the environment's REDKEEP_IDENTITY]. One that a passphrase protects
    /// is opened with REDKEEP_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl IdentityArguments {
    pub(crate) fn open_options(&self) -> Result<OpenOptions, Exit> {
        let path = self.identity.clone().or_else(|| std::env::var_os(IDENTITY).map(PathBuf::from));
        let Some(path) = path else { return Ok(OpenOptions::default()) };
        let file = std::fs::File::open(&path).map_err(|error| cannot_read(&path, &error))?;
        let passphrase = || std::env::var(PASSPHRASE).ok().map(Passphrase::from);
        let identities = Identities::read(file, passphrase)
            .map_err(|error| failed(error.in_file(path.to_string_lossy())))?;
        Ok(OpenOptions::default().identities(identities))
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Exit {
    complain(format_args!("{}: {error}", path.display()));
    Exit::Failed
}

/// Make a pair of keys: a secret one in a file, and the public one on standard output
///
/// Backups are encrypted for the public key, and only the secret one opens them: keep it where the backups
/// are not, and more than once. The file is as age-keygen writes it.
#[derive(Debug, Args)]
pub(crate) struct KeygenArguments {
    /// The file of the secret key, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &KeygenArguments) -> Exit {
    let pair = KeyPair::made_up();
    let written = Output::create(&arguments.output, false).and_then(|mut output| {
        output.keep_secret()?;
        output.write_all(pair.to_file().as_bytes())?;
        output.commit()
    });
    match written {
        Ok(()) => print(format!("{}\n", pair.public()).as_bytes()).err().unwrap_or(Exit::Done),
        Err(error) => failed(error),
    }
}
