//! Which keys, which parts of them and what is changed: what `extract`, `restore` and `copy` share.

use crate::cli::Exit;
use crate::cli::change::ChangeArguments;
use crate::cli::filter::FilterArguments;
use crate::cli::members::MemberArguments;
use crate::task::ExtractOptions;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ChoiceArguments {
    /// Bring function libraries along with a part of the keys
    #[arg(long)]
    functions: bool,
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    members: MemberArguments,
    #[command(flatten)]
    change: ChangeArguments,
}

impl ChoiceArguments {
    /// For a new dump.
    pub(crate) fn extract(&self) -> Result<ExtractOptions, Exit> {
        Ok(ExtractOptions::default()
            .filter(self.filter.options()?)
            .members(self.members.options())
            .transform(self.change.options()?)
            .functions(self.functions))
    }

    /// Whether nothing is left out and nothing changed.
    #[cfg(all(feature = "repo", feature = "live"))]
    pub(crate) fn is_all(&self) -> Result<bool, Exit> {
        let filter = crate::select::Filter::new(self.filter.options()?);
        let (members, change) = (self.members.options(), self.change.options()?);
        Ok(filter.is_empty() && members.is_empty() && change.is_empty())
    }

    /// For a running server; also whether function libraries come along.
    #[cfg(feature = "live")]
    pub(crate) fn restore(&self) -> Result<(crate::task::RestoreChoice, bool), Exit> {
        let filter = self.filter.options()?;
        let all = crate::select::Filter::new(filter.clone()).is_empty();
        let choice = crate::task::RestoreChoice::default()
            .filter(filter)
            .members(self.members.options())
            .transform(self.change.options()?);
        Ok((choice, all || self.functions))
    }
}
