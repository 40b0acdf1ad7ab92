//! Commands key by key, for who sends them and hears what becomes of each.

use super::events::{Export, Way};
use super::options::CommandsOptions;
use super::outcome::CommandsOutcome;
use crate::error::{Error, Fault, Result};
use crate::rdb::{Event, EventKind};

/// As [`Commands`](super::Commands), but that it selects no databases, and a key with something too
/// big for a command fails alone.
pub(crate) struct KeyCommands(Export);

/// What one event became.
#[derive(Debug)]
pub(crate) struct Made {
    /// So many commands.
    pub(crate) commands: u64,
    /// Whether a key is now complete, or there is none.
    pub(crate) ends: bool,
    /// What became of the key, as far as it has come.
    pub(crate) fate: Fate,
}

/// What becomes of a key.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is no key.
    None,
    /// One RESTORE.
    Restore,
    /// Plain commands, which are of use only all together.
    Plain,
    /// A collection without elements.
    Empty,
    /// The server has no place for it.
    Lost,
    /// It had its time.
    Expired,
    /// Something of it is too big. What was made of it before is of no use, and no more of its events may
    /// come.
    Refused(Error),
}

impl KeyCommands {
    /// # Errors
    /// As [`Commands::new`](super::Commands::new).
    pub(crate) fn new(options: CommandsOptions) -> Result<KeyCommands> {
        let mut export = Export::new(options)?;
        export.selects = false;
        Ok(KeyCommands(export))
    }

    /// Appends the commands that an event becomes.
    ///
    /// # Errors
    /// As [`Commands::event`](super::Commands::event), but not for what is too big.
    pub(crate) fn event(&mut self, event: &Event<'_>, to: &mut Vec<u8>) -> Result<Made> {
        let Export { account, out, .. } = &self.0;
        let (before, commands) = (counts(&account.outcome), out.counts().1);
        let refused = match self.0.event(event, to) {
            Err(error) if error.fault() == Some(Fault::Held) => {
                self.0.drop_key();
                Some(error)
            }
            done => done.map(|()| None)?,
        };
        self.0.out.flush(to)?;
        let Export { account, out, open, way, .. } = &self.0;
        let [empty, expired, lost] = counts(&account.outcome);
        let fate = match (refused, event.kind()) {
            (Some(error), _) => Fate::Refused(error),
            _ if empty > before[0] => Fate::Empty,
            _ if expired > before[1] => Fate::Expired,
            _ if lost > before[2] => Fate::Lost,
            (
                None,
                EventKind::Entry(_)
                | EventKind::Open(_)
                | EventKind::Run(_)
                | EventKind::Piece(_)
                | EventKind::Close,
            ) => match way {
                Way::None => Fate::None,
                Way::Restore => Fate::Restore,
                Way::Plain => Fate::Plain,
            },
            _ => Fate::None,
        };
        Ok(Made { commands: out.counts().1 - commands, ends: !open, fate })
    }

    /// Leaves the last key; no more of its events may come.
    pub(crate) fn drop_key(&mut self) {
        self.0.drop_key();
    }

    /// Whether something was lost that must not be: no commands are made any more.
    pub(crate) fn fails(&self) -> bool {
        self.0.account.fails()
    }

    /// What was made so far, and what was lost.
    pub(crate) fn outcome(&self) -> &CommandsOutcome {
        &self.0.account.outcome
    }
}

/// Keys that became no command, by why.
fn counts(outcome: &CommandsOutcome) -> [u64; 3] {
    [outcome.empty, outcome.expired, outcome.losses.dropped_keys()]
}
