//! Rewrites of the log held off, and let go again whatever happens.

use crate::error::{Error, Result};
use crate::live::reply::{ask, demand, list, text, unexpected};
use redis::ConnectionLike;

const SETTING: &str = "auto-aof-rewrite-percentage";

/// A connection through which rewrites are held off until this is dropped.
pub(super) struct Held<'a, C: ConnectionLike + ?Sized> {
    pub(super) connection: &'a mut C,
    /// The setting as it was; `None` where it was left alone or put back.
    was: Option<String>,
}

impl<'a, C: ConnectionLike + ?Sized> Held<'a, C> {
    pub(super) fn begin(connection: &'a mut C, hold: bool) -> Result<Held<'a, C>> {
        let mut held = Held { connection, was: None };
        if hold {
            let answer = demand(held.connection, &["CONFIG", "GET", SETTING])?;
            let was = list(answer).unwrap_or_default().get(1).and_then(text);
            // Before the change: it may be made and its answer be lost.
            held.was = Some(was.ok_or_else(|| unexpected("CONFIG GET"))?);
            demand(held.connection, &["CONFIG", "SET", SETTING, "0"])?;
        }
        Ok(held)
    }

    /// Puts the setting back.
    pub(super) fn end(mut self) -> Result<()> {
        self.put_back()
    }

    fn put_back(&mut self) -> Result<()> {
        let Some(was) = self.was.take() else { return Ok(()) };
        let words = ["CONFIG", "SET", SETTING, &was];
        // A connection that was lost is a new one the second time.
        let answer = ask(self.connection, &words).or_else(|_| ask(self.connection, &words));
        let told = |why: String| Error::usage(format!("{SETTING} is 0 and has to be {was}: {why}"));
        match answer {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(refusal)) => Err(told(refusal.words())),
            Err(error) => Err(told(error.to_string())),
        }
    }
}

impl<C: ConnectionLike + ?Sized> Drop for Held<'_, C> {
    fn drop(&mut self) {
        // Something failed before, and is what is told.
        let _ = self.put_back();
    }
}
