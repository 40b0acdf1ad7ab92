//! The options of `redkeep export --format resp`: which commands, and for which server.

use crate::cli::now;
use crate::cli::target::Policy;
use crate::export::{CommandsOptions, CommandsOutcome};
use crate::rdb::{ServerVersion, UnknownServer};
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "With --format resp")]
pub(crate) struct CommandsArguments {
    /// The server that will get the commands, as redis-6.2 or valkey-9.1; without it they are plain
    /// commands for redis-7.0 and whatever is newer
    #[arg(long = "for", value_name = "SERVER")]
    target: Option<ServerVersion>,
    /// Send each value as the commands that build it: also good as an append-only file
    #[arg(long, conflicts_with = "restore")]
    plain: bool,
    /// Send each value as one RESTORE; needs --for, which makes it the default
    #[arg(long, requires = "target")]
    restore: bool,
    /// Replace keys that are there already
    #[arg(long)]
    replace: bool,
    /// Load the function libraries too
    #[arg(long)]
    functions: bool,
    /// Elements in one plain command, at most [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500_000))]
    batch: Option<u32>,
    /// What to do about content that has no command for that server [default: fail]
    #[arg(long, value_enum, value_name = "WHAT")]
    on_loss: Option<Policy>,
}

impl CommandsArguments {
    /// The first option that was given, by name: none of them means anything to other formats.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.target.is_some(), "--for"),
            (self.plain, "--plain"),
            (self.restore, "--restore"),
            (self.replace, "--replace"),
            (self.functions, "--functions"),
            (self.batch.is_some(), "--batch"),
            (self.on_loss.is_some(), "--on-loss"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }

    pub(crate) fn options(&self) -> Result<CommandsOptions, UnknownServer> {
        let options = match self.target {
            None => CommandsOptions::plain(ServerVersion::COMMON),
            Some(target) if self.plain || !self.restore && !has_restore(target) => {
                CommandsOptions::plain(target)
            }
            Some(target) => CommandsOptions::restore(target).now(now()),
        };
        let options = options.replace(self.replace).functions(self.functions);
        let options = match self.batch {
            Some(batch) => options.batch(usize::try_from(batch).unwrap_or(usize::MAX)),
            None => options,
        };
        Ok(options.on_loss(self.on_loss.unwrap_or_default().into()))
    }
}

fn has_restore(target: ServerVersion) -> bool {
    target.is_valkey() || target.at_least(2, 6)
}

/// What is worth saying about what was left out; `None` where nothing was.
pub(crate) fn remarks(outcome: &CommandsOutcome) -> Option<String> {
    let mut remarks = Vec::new();
    if !outcome.losses.is_empty() {
        remarks.push(format!("left out, for want of a command: {}", outcome.losses));
    }
    if outcome.functions_left_out > 0 {
        let count = outcome.functions_left_out;
        remarks.push(format!("function libraries left out: {count}; --functions loads them"));
    }
    if outcome.expired > 0 {
        remarks.push(format!("keys past their expiry left out: {}", outcome.expired));
    }
    if outcome.empty > 0 {
        remarks.push(format!("empty collections left out: {}", outcome.empty));
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}
