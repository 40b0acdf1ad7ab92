//! How keys go into a running server, whatever they come from: what `restore` and `copy` share.

use crate::cli::target::LossArguments;
use crate::export::CommandForm;
use crate::live::restore::{Conflict, RestoreOptions};
use clap::{Args, ValueEnum};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Into a running server")]
pub(crate) struct HowArguments {
    /// What to do about keys and libraries that the server has already
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnConflict::Fail)]
    on_conflict: OnConflict,
    /// Send values as plain commands, even where RESTORE would serve
    #[arg(long)]
    plain: bool,
    /// Leave function libraries out
    #[arg(long, conflicts_with = "functions")]
    no_functions: bool,
    /// How long the server may be out of reach or busy
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnConflict {
    /// Restore nothing, or stop there
    Fail,
    /// Keep the server's
    Skip,
    /// Replace the server's
    Replace,
}

impl From<OnConflict> for Conflict {
    fn from(what: OnConflict) -> Conflict {
        match what {
            OnConflict::Fail => Conflict::Fail,
            OnConflict::Skip => Conflict::Skip,
            OnConflict::Replace => Conflict::Replace,
        }
    }
}

impl HowArguments {
    /// `functions` says whether libraries would come along.
    pub(crate) fn options(&self, loss: &LossArguments, functions: bool) -> RestoreOptions {
        let conflict = self.on_conflict.into();
        let options = RestoreOptions::default()
            .conflict(conflict)
            .on_loss(loss.policy())
            .patience(Duration::from_secs(self.patience));
        let mut options = match functions && !self.no_functions {
            true => options.functions(conflict),
            false => options,
        };
        options.form = self.plain.then_some(CommandForm::Plain);
        options
    }
}
