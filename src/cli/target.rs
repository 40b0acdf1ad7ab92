//! What to do about losses: the options that `extract`, `convert` and `export` share.

use crate::cli::now;
use crate::export::CommandsOptions;
use crate::rdb::convert::ConvertOptions;
use crate::rdb::{OnLoss, ServerVersion};
use clap::{Args, ValueEnum};

/// What to do with what a server has no place for.
#[derive(Debug, Args)]
#[command(next_help_heading = "What the server has no place for")]
pub(crate) struct LossArguments {
    /// Whether to write nothing then, or a dump without it
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Policy::Fail)]
    on_loss: Policy,
    /// A module type that this server has, by the name `check` gives it; may be repeated
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Policy {
    /// Write nothing, and say what would be lost
    #[default]
    Fail,
    /// Leave it out, and say so
    Drop,
}

impl From<Policy> for OnLoss {
    fn from(policy: Policy) -> OnLoss {
        match policy {
            Policy::Fail => OnLoss::Fail,
            Policy::Drop => OnLoss::Drop,
        }
    }
}

impl LossArguments {
    /// A conversion for this server; one that only tells what it would do loses whatever it must.
    pub(crate) fn options(&self, target: ServerVersion, only_told: bool) -> ConvertOptions {
        let policy = if only_told { Policy::Drop } else { self.on_loss };
        ConvertOptions::new(target)
            .on_loss(policy.into())
            .target_modules(self.modules.clone())
            .expired_at(now())
    }

    /// Plain commands for this server, or for one whose commands every newer one understands.
    pub(crate) fn commands(
        &self,
        target: Option<ServerVersion>,
        only_told: bool,
    ) -> CommandsOptions {
        let policy = if only_told { Policy::Drop } else { self.on_loss };
        let target = target.unwrap_or(ServerVersion::COMMON);
        CommandsOptions::plain(target).functions(true).on_loss(policy.into())
    }

    /// What becomes of what is lost.
    #[cfg(feature = "live")]
    pub(crate) fn policy(&self) -> OnLoss {
        self.on_loss.into()
    }

    /// Whether a loss keeps the dump from being written.
    pub(crate) fn fails(&self) -> bool {
        self.on_loss == Policy::Fail
    }
}
