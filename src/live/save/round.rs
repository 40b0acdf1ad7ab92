//! One request to save, and the proof that its file is the one that was opened.

use crate::error::{Error, Fault, Result};
use crate::live::clock::Clock;
use crate::live::drivers::Driver;
use crate::live::file::{Identity, stated_time};
use crate::live::info::Info;
use crate::live::probe::server_seconds;
use crate::live::reply::{Refusal, ask, bytes};
use crate::live::save::file::SavedFile;
use crate::live::save::state::State;
use crate::live::snapshot::Snapshot;
use redis::ConnectionLike;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server that is saving may be out of reach.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) enum Round {
    Proven(Box<SavedFile>),
    Again(String),
}

fn again(why: &str) -> Result<Round> {
    Ok(Round::Again(why.to_owned()))
}

/// One attempt after the other; the steps are those of the [lesson](super).
pub(super) struct Save<'a, C: ?Sized, T: ?Sized> {
    pub(super) connection: &'a mut C,
    pub(super) clock: &'a T,
    /// `BGSAVE` or `SAVE`.
    pub(super) method: Driver,
    pub(super) path: PathBuf,
    pub(super) deadline: Duration,
    pub(super) poll: Duration,
}

impl<C: ConnectionLike + ?Sized, T: Clock + ?Sized> Save<'_, C, T> {
    pub(super) fn round(&mut self, round: u32) -> Result<Round> {
        let Some(before) = self.quiet()? else { return again("others were saving") };
        let old = Identity::under(&self.path)?;
        let asked_at = self.seconds()?;
        let scheduled = match ask(self.connection, &[self.command()]) {
            Ok(Ok(answer)) => bytes(&answer).is_some_and(|text| contains(text, "scheduled")),
            Ok(Err(refusal)) => return self.refused(refusal, &before),
            // The save goes on without a listener, and is proven by what comes of it.
            Err(error) if error.is_io() && self.method == Driver::Save => false,
            Err(error) => return Err(error),
        };
        let after = self.ended(&before, scheduled)?;
        if after.run_id != before.run_id {
            return Err(Error::from_fault(Fault::ServerRestarted));
        }
        if !after.ok {
            return Err(failed("why is in the server's log"));
        }
        if after.syncing {
            return again("a replica's copy is being replaced");
        }
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return again("there is no such file: the save was cancelled, or writes elsewhere");
            }
            Err(error) => return Err(self.named(error)),
        };
        let new = Identity::of(&file.metadata().map_err(|error| self.named(error))?);
        if old == Some(new) {
            return again(
                "the file is still the old one: the save was cancelled, or writes elsewhere",
            );
        }
        // The server takes this time from a clock that may lag by a tick.
        let slack = asked_at.saturating_sub(1);
        if after.last_save < slack {
            return again("the last good save is older than the request");
        }
        let others = match before.saves.zip(after.saves) {
            Some((first, last)) => {
                first.checked_add(1) != Some(last) && after.last_save <= asked_at
            }
            // Without a count the second has to have moved.
            None => after.last_save <= before.last_save,
        };
        if others {
            return again("others saved at the same time");
        }
        let stated_at = stated_time(&file).map_err(|error| error.in_file(self.shown()))?;
        if stated_at.is_some_and(|time| time < slack) {
            return again("the file says that it is older than the request");
        }
        let snapshot = self.report(&before, &after, asked_at, stated_at, new.len(), round);
        Ok(Round::Proven(Box::new(SavedFile::new(file, snapshot))))
    }

    /// Waits until nothing saves; on servers that do not count their saves also until a good save
    /// from now on has another second. `None` where others saved meanwhile.
    fn quiet(&mut self) -> Result<Option<State>> {
        let state = loop {
            let state = self.state()?;
            if !state.busy(self.method) {
                break state;
            }
            self.wait("a save or a rewrite of the log runs")?;
        };
        if state.saves.is_some() {
            return Ok(Some(state));
        }
        while self.seconds()? <= state.last_save {
            self.wait("the clock of the server stands still")?;
        }
        let now = self.state()?;
        let same = now.last_save == state.last_save && now.run_id == state.run_id;
        Ok((same && !now.busy(self.method)).then_some(now))
    }

    /// Waits for the end of the save; one that was only scheduled has to begin first.
    fn ended(&mut self, before: &State, scheduled: bool) -> Result<State> {
        let mut begun = !scheduled;
        let mut heard = self.clock.elapsed();
        loop {
            match self.state() {
                Ok(state) => {
                    heard = self.clock.elapsed();
                    begun |= state.saving
                        || state.last_save != before.last_save
                        || state.saves != before.saves
                        || state.run_id != before.run_id;
                    if begun && !state.saving {
                        return Ok(state);
                    }
                }
                // The next request may get a new connection, and the run says whose it is.
                Err(error) if error.is_io() || error.fault() == Some(Fault::ServerBusy) => {
                    if self.clock.elapsed().saturating_sub(heard) >= SILENCE {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            self.wait("the save goes on")?;
        }
    }

    /// A refused request: somebody else's save was quicker, the fork failed, or we may not.
    fn refused(&mut self, refusal: Refusal, before: &State) -> Result<Round> {
        if refusal.code != "ERR" || refusal.is_unknown_command() {
            return Err(refusal.into_error(self.command()));
        }
        let now = self.state()?;
        let other = contains(refusal.text.as_bytes(), "in progress")
            || contains(refusal.text.as_bytes(), "can't bgsave");
        if other || now.busy(self.method) {
            return again("others were saving");
        }
        // All versions answer a fork that failed, and any failure of SAVE, with an error of no words.
        if refusal.text.is_empty() || (!now.ok && now.saves != before.saves) {
            return Err(failed(match self.method {
                Driver::Save => "why is in the server's log",
                _ => "it could not begin, which is the memory or the limit of processes",
            }));
        }
        Err(refusal.into_error(self.command()))
    }

    fn command(&self) -> &'static str {
        if self.method == Driver::Save { "SAVE" } else { "BGSAVE" }
    }

    fn state(&mut self) -> Result<State> {
        Info::ask(self.connection).map(State::of)
    }

    fn seconds(&mut self) -> Result<u64> {
        server_seconds(self.connection)?.ok_or_else(|| {
            Error::from_fault(Fault::ServerRefused).with_detail("TIME, which a proof needs")
        })
    }

    fn wait(&mut self, what: &str) -> Result<()> {
        if self.clock.elapsed() >= self.deadline {
            return Err(Error::from_fault(Fault::Deadline).with_detail(what));
        }
        self.clock.sleep(self.poll);
        Ok(())
    }

    fn report(
        &self,
        before: &State,
        after: &State,
        asked_at: u64,
        stated_at: Option<u64>,
        bytes: u64,
        rounds: u32,
    ) -> Snapshot {
        let mut snapshot = Snapshot::between(self.method, &before.info, &after.info);
        snapshot.asked_at = Some(asked_at);
        snapshot.done_at = Some(after.last_save);
        snapshot.stated_at = stated_at;
        snapshot.writes_meanwhile = after.info.number("rdb_changes_since_last_save");
        snapshot.rounds = rounds;
        snapshot.file = Some(self.shown());
        snapshot.bytes = Some(bytes);
        snapshot
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn named(&self, error: io::Error) -> Error {
        Error::from(error).in_file(self.shown())
    }
}

fn failed(why: &str) -> Error {
    Error::from_fault(Fault::SaveFailed).with_detail(why)
}

fn contains(text: &[u8], word: &str) -> bool {
    String::from_utf8_lossy(text).to_ascii_lowercase().contains(word)
}
