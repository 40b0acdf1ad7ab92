//! Commands key by key, for who sends them and hears what becomes of each.

use super::events::{Export, Way};
use super::options::CommandsOptions;
use super::outcome::CommandsOutcome;
use crate::error::{Error, Fault, Result};
use crate::rdb::{Event, EventKind};
use std::io;

/// As [`Commands`](super::Commands), but that it selects no databases, and a key with something too
/// big for a command fails alone.
pub(crate) struct KeyCommands {
    export: Export,
    /// Keys that became no command, by why.
    none: [u64; 3],
}

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
        Ok(KeyCommands { export, none: [0; 3] })
    }

    /// Appends the commands that an event becomes. A giant value may bring its own buffer.
    ///
    /// # Errors
    /// As [`Commands::event`](super::Commands::event), but not for what is too big.
    pub(crate) fn event(&mut self, event: &Event<'_>, to: &mut Vec<u8>) -> Result<Made> {
        let (written, commands) = (self.export.account.outcome.written, self.export.out.counts().1);
        self.export.out.lend(to);
        // All of it stays in the buffer lent.
        let done = self.export.event(event, &mut io::sink());
        let fate = match done {
            Err(error) if error.fault() == Some(Fault::Held) => {
                self.export.drop_key();
                Ok(Fate::Refused(error))
            }
            Err(error) => Err(error),
            Ok(()) if self.export.account.outcome.written > written => Ok(self.way()),
            Ok(()) => Ok(self.fate(event)),
        };
        self.export.out.lend(to);
        let commands = self.export.out.counts().1 - commands;
        Ok(Made { commands, ends: !self.export.open, fate: fate? })
    }

    fn way(&self) -> Fate {
        match self.export.way {
            Way::None => Fate::None,
            Way::Restore => Fate::Restore,
            Way::Plain => Fate::Plain,
        }
    }

    /// What becomes of a key by an event that did not complete it.
    #[cold]
    fn fate(&mut self, event: &Event<'_>) -> Fate {
        let CommandsOutcome { empty, expired, losses, .. } = &self.export.account.outcome;
        let now = [*empty, *expired, losses.dropped_keys()];
        let before = std::mem::replace(&mut self.none, now);
        match now {
            [empty, ..] if empty > before[0] => Fate::Empty,
            [_, expired, _] if expired > before[1] => Fate::Expired,
            [.., lost] if lost > before[2] => Fate::Lost,
            _ => match event.kind() {
                EventKind::Entry(_)
                | EventKind::Open(_)
                | EventKind::Run(_)
                | EventKind::Piece(_)
                | EventKind::Close => self.way(),
                _ => Fate::None,
            },
        }
    }

    /// Leaves the last key; no more of its events may come.
    pub(crate) fn drop_key(&mut self) {
        self.export.drop_key();
    }

    /// Whether something was lost that must not be: no commands are made any more.
    pub(crate) fn fails(&self) -> bool {
        self.export.account.fails()
    }

    /// What was made so far, and what was lost.
    pub(crate) fn outcome(&self) -> &CommandsOutcome {
        &self.export.account.outcome
    }
}
