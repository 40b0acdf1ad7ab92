//! Loading data into a server with its log turned off, and the log turned on again.
//!
//! A server that logs every command writes what is loaded twice: at once, and again when it rewrites
//! the log. With `appendonly no` for the time of the load it writes it once. But `CONFIG SET appendonly
//! yes` is answered before anything is durable: a child has to write the new log first, and until it
//! is done a crash brings back what was there before the load, acknowledged writes since then lost. So
//! the pause is over only when the server says that the rewrite went well.
//!
//! | step | what is asked | a crash of the server now leaves |
//! |---|---|---|
//! | looking | `INFO`, `CONFIG GET appendonly` | the old data |
//! | turning off | `CONFIG SET appendonly no` | the old data, as far as they were logged |
//! | loading | whatever the caller does | the same |
//! | turning on | `CONFIG SET appendonly yes` | the same |
//! | rewriting | `INFO persistence`, until no rewrite runs or is to run, and the last went well | the same |
//! | confirming | `CONFIG GET appendonly` | the new data |
//!
//! Seen with Redis 6.2, 7.0 and 8.0 and Valkey 9.1: a rewrite whose child is killed is begun again by
//! the server itself. A server that is restarted in the midst has the setting of its `redis.conf`.

use crate::error::{Error, ErrorKind, Fault, Result};
use crate::live::clock::Clock;
use crate::live::info::Info;
use crate::live::persistence::Persistence;
use crate::live::reply::{ask, list, text};
use crate::live::settings::Settings;
use redis::{ConnectionLike, Value};
use std::fmt;
use std::time::Duration;

/// How long a server that is busy may be out of reach.
const SILENCE: Duration = Duration::from_secs(30);

/// How long the log's rewrite is waited for.
///
/// ```
/// use redkeep::live::LogPauseOptions;
/// use std::time::Duration;
/// let options = LogPauseOptions::default().deadline(Duration::from_secs(600));
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogPauseOptions {
    /// How long the log may take to be on again, its rewrite included; the load is not counted.
    /// Default one hour.
    pub deadline: Duration,
    /// How often the server is asked whether it is done. Default 100 ms.
    pub poll: Duration,
}

impl Default for LogPauseOptions {
    fn default() -> Self {
        LogPauseOptions { deadline: Duration::from_secs(3600), poll: Duration::from_millis(100) }
    }
}

impl LogPauseOptions {
    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn deadline(mut self, most: Duration) -> Self {
        self.deadline = most;
        self
    }

    /// Sets [`poll`](Self::poll).
    #[must_use]
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }
}

/// How far a pause came.
///
/// ```
/// use redkeep::live::LogPauseStep;
/// assert!(LogPauseStep::Loading < LogPauseStep::Rewriting);
/// assert_eq!(LogPauseStep::TurningOn.to_string(), "turning the log on");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LogPauseStep {
    /// Finding out whether there is a log and whether its setting may be changed.
    Looking,
    /// `CONFIG SET appendonly no`.
    TurningOff,
    /// What the caller does.
    Loading,
    /// `CONFIG SET appendonly yes`.
    TurningOn,
    /// The server writes its new log.
    Rewriting,
    /// The setting is looked at once more.
    Confirming,
}

impl fmt::Display for LogPauseStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogPauseStep::Looking => "looking at the log",
            LogPauseStep::TurningOff => "turning the log off",
            LogPauseStep::Loading => "loading",
            LogPauseStep::TurningOn => "turning the log on",
            LogPauseStep::Rewriting => "waiting for the log's rewrite",
            LogPauseStep::Confirming => "confirming that the log is on",
        })
    }
}

/// In which state a server's log was left.
///
/// ```
/// use redkeep::live::LogState;
/// assert!(LogState::Off.to_string().contains("CONFIG SET appendonly yes"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LogState {
    /// On as before, and it holds what the server holds.
    On,
    /// On, but until its rewrite is done a crash brings back what was there before.
    NotRewritten,
    /// Off: a crash brings back what was there before, or the dump.
    Off,
    /// The server was not reached, or is another run.
    Unknown,
}

impl fmt::Display for LogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogState::On => "the log is on",
            LogState::NotRewritten => {
                "the log is on, but its rewrite is not known to be done: until it is, a crash brings \
                 back what was there before"
            }
            LogState::Off => {
                "the log is off: CONFIG SET appendonly yes turns it on, and until it was rewritten a \
                 crash brings back what was there before"
            }
            LogState::Unknown => "whether the log is on is not known: look at CONFIG GET appendonly",
        })
    }
}

/// A pause that ended with the log as it was. See [`pause_log`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogPauseOutcome {
    /// Whether there was a log to turn off. Without one the load is all that was done.
    pub was_on: bool,
    /// The last step that was taken; all of them where the log was on.
    pub step: LogPauseStep,
    /// Whether a rewrite failed on the way, and the server began it again.
    pub rewrite_failed: bool,
    /// How often the server began to rewrite its log since it was turned off (from Redis 7.0 on).
    pub rewrites: Option<u64>,
    /// The server's `redis.conf`, where it has one. Whether it has the same setting is not known: if
    /// not, `CONFIG REWRITE` is up to the operator.
    pub config_file: Option<String>,
}

/// A pause that did not end as it should: where, why, and how the log was left. See [`pause_log`].
#[derive(Debug)]
#[non_exhaustive]
pub struct LogPauseError {
    /// The step that failed.
    pub step: LogPauseStep,
    /// The log as it was left, after an attempt to turn it on again.
    pub log: LogState,
    /// Why the step failed.
    pub error: Error,
    /// Why the log could not be turned on again, where that was tried afterwards.
    pub not_restored: Option<Error>,
}

impl fmt::Display for LogPauseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.step, self.error, self.log)?;
        match &self.not_restored {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LogPauseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Turns the server's log off, has the caller load its data, turns the log on again and waits until it
/// was rewritten. Where the server has no log, only loads.
///
/// Whatever fails on the way, the log is turned on again if the server can be reached, and the error
/// says whether that succeeded. (A load that panics leaves it off.) What the load wrote before it
/// failed stays.
///
/// # Errors
/// The step and its cause: `Server` where the setting may not be looked at or changed, where the server
/// cannot turn its log on (as with a full disk), was restarted or is not done before the deadline; `Io`
/// where the way to it fails; and whatever the load returns.
///
/// ```no_run
/// use redkeep::live::{Clock, ConnectOptions, Connection, LogPauseOptions, pause_log};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let load = |server: &mut Connection| -> redkeep::Result<u64> {
///     // restore what there is to restore
///     Ok(0)
/// };
/// match pause_log(&mut server, &System, &LogPauseOptions::default(), load) {
///     Ok((keys, outcome)) => assert!(keys == 0 && !outcome.rewrite_failed),
///     Err(error) => eprintln!("{error}"),
/// }
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn pause_log<C: ConnectionLike + ?Sized, T>(
    connection: &mut C,
    clock: &impl Clock,
    options: &LogPauseOptions,
    load: impl FnOnce(&mut C) -> Result<T>,
) -> std::result::Result<(T, LogPauseOutcome), LogPauseError> {
    let mut pause = Pause { connection, clock, options, deadline: Duration::ZERO };
    pause.deadline_from_now();
    let failed = |step, log| move |error| LogPauseError { step, log, error, not_restored: None };
    let before = pause.look().map_err(failed(LogPauseStep::Looking, LogState::On))?;
    let mut outcome = LogPauseOutcome {
        was_on: before.facts.log,
        step: LogPauseStep::Loading,
        rewrite_failed: false,
        rewrites: None,
        config_file: before.config_file.clone(),
    };
    if !before.facts.log {
        let loaded = load(pause.connection);
        return match loaded {
            Ok(loaded) => Ok((loaded, outcome)),
            Err(error) => Err(failed(LogPauseStep::Loading, LogState::Off)(error)),
        };
    }
    if let Err(error) = pause.turn_off(&before) {
        return Err(pause.put_back(&before, LogPauseStep::TurningOff, error));
    }
    let loaded = match load(pause.connection) {
        Ok(loaded) => loaded,
        Err(error) => return Err(pause.put_back(&before, LogPauseStep::Loading, error)),
    };
    pause.deadline_from_now();
    match pause.turn_on(&before) {
        Ok(end) => {
            outcome.step = LogPauseStep::Confirming;
            outcome.rewrite_failed = end.failed;
            outcome.rewrites =
                before.rewrites.zip(end.rewrites).map(|(first, last)| last.saturating_sub(first));
            Ok((loaded, outcome))
        }
        Err((step, error)) => {
            let log = pause.state_of(&before);
            Err(LogPauseError { step, log, error, not_restored: None })
        }
    }
}

/// What the server says of its log, all of it at one moment.
struct Seen {
    run_id: String,
    facts: Persistence,
    /// Attempts to rewrite, since Redis 7.0.
    rewrites: Option<u64>,
    config_file: Option<String>,
}

/// How the rewrite ended.
struct End {
    failed: bool,
    rewrites: Option<u64>,
}

struct Pause<'a, C: ?Sized, T> {
    connection: &'a mut C,
    clock: &'a T,
    options: &'a LogPauseOptions,
    deadline: Duration,
}

impl<C: ConnectionLike + ?Sized, T: Clock> Pause<'_, C, T> {
    fn deadline_from_now(&mut self) {
        self.deadline = self.clock.elapsed().saturating_add(self.options.deadline);
    }

    /// Whether there is a log that can be turned off and on.
    fn look(&mut self) -> Result<Seen> {
        let seen = self.patiently(Self::see)?;
        if !seen.facts.log {
            return Ok(seen);
        }
        self.setting()?;
        if seen.facts.log_write_ok == Some(false) {
            let why = "it cannot write to its log as it is (aof_last_write_status), and could not turn it on again";
            return Err(Error::from_fault(Fault::ServerRefused).with_detail(why));
        }
        Ok(seen)
    }

    fn turn_off(&mut self, before: &Seen) -> Result<()> {
        self.set("no")?;
        let seen = self.patiently(Self::see)?;
        same_run(before, &seen)?;
        match seen.facts.log {
            false => Ok(()),
            true => Err(Error::from_fault(Fault::ServerReply).with_detail("the log is on still")),
        }
    }

    /// Turns the log on, and waits until it holds what the server holds.
    fn turn_on(&mut self, before: &Seen) -> std::result::Result<End, (LogPauseStep, Error)> {
        let on = LogPauseStep::TurningOn;
        let seen = self.patiently(Self::see).map_err(|error| (on, error))?;
        // Another run holds what it found in its files: there is nothing to make durable.
        same_run(before, &seen).map_err(|error| (on, error))?;
        self.set("yes").map_err(|error| (on, error))?;
        let end = self.rewritten(&seen).map_err(|error| (LogPauseStep::Rewriting, error))?;
        let confirming = LogPauseStep::Confirming;
        match self.setting().map_err(|error| (confirming, error))? {
            true => Ok(end),
            false => Err((
                confirming,
                Error::from_fault(Fault::ServerReply).with_detail("appendonly is no"),
            )),
        }
    }

    fn rewritten(&mut self, before: &Seen) -> Result<End> {
        let mut failed = false;
        loop {
            let seen = self.patiently(Self::see)?;
            same_run(before, &seen)?;
            let facts = &seen.facts;
            if !facts.log {
                let why = "the log was turned off by somebody else";
                return Err(Error::from_fault(Fault::ServerRefused).with_detail(why));
            }
            failed |= facts.log_rewrite_ok == Some(false);
            // Where attempts are counted there has to be one.
            let begun = match before.rewrites.zip(seen.rewrites) {
                Some((first, now)) => now > first,
                None => true,
            };
            let good = facts.log_rewrite_ok != Some(false) && facts.log_write_ok != Some(false);
            if begun && good && !facts.log_rewrite_running {
                return Ok(End { failed, rewrites: seen.rewrites });
            }
            self.wait(if failed {
                "a rewrite of the log failed, and the next is not done"
            } else {
                "the log is not rewritten yet"
            })?;
        }
    }

    /// After a failure: the log as it was, if the server lets us.
    fn put_back(&mut self, before: &Seen, step: LogPauseStep, error: Error) -> LogPauseError {
        self.deadline_from_now();
        // Where it never came to be off there is nothing to wait for.
        let still_on = step == LogPauseStep::TurningOff
            && self.see().is_ok_and(|seen| seen.facts.log && seen.run_id == before.run_id);
        if still_on {
            return LogPauseError { step, log: LogState::On, error, not_restored: None };
        }
        match self.turn_on(before) {
            Ok(_) => LogPauseError { step, log: LogState::On, error, not_restored: None },
            Err((_, why)) => {
                let log = self.state_of(before);
                LogPauseError { step, log, error, not_restored: Some(why) }
            }
        }
    }

    /// The state in which the log is left.
    fn state_of(&mut self, before: &Seen) -> LogState {
        match self.see() {
            Ok(seen) if seen.run_id != before.run_id => LogState::Unknown,
            Ok(seen) if seen.facts.log => LogState::NotRewritten,
            Ok(_) => LogState::Off,
            Err(_) => LogState::Unknown,
        }
    }

    fn see(&mut self) -> Result<Seen> {
        let info = Info::ask(self.connection)?;
        Ok(Seen {
            run_id: info.get("run_id").unwrap_or_default().to_owned(),
            facts: Persistence::of(&info, &Settings::default()),
            rewrites: info.number("aof_rewrites"),
            config_file: info.text("config_file"),
        })
    }

    /// The setting as the server has it.
    fn setting(&mut self) -> Result<bool> {
        let answer = self.config(&["CONFIG", "GET", "appendonly"])?;
        let value = list(answer).unwrap_or_default().get(1).and_then(text);
        value.map(|value| value == "yes").ok_or_else(|| {
            Error::from_fault(Fault::ServerReply).with_detail("CONFIG GET appendonly")
        })
    }

    fn set(&mut self, value: &str) -> Result<()> {
        self.config(&["CONFIG", "SET", "appendonly", value]).map(drop)
    }

    /// Setting the same twice is no harm, and so what is lost on the way is asked again.
    fn config(&mut self, words: &[&str]) -> Result<Value> {
        self.patiently(|pause| {
            let answer = ask(pause.connection, words)?;
            answer.map_err(|refusal| {
                let name = words.join(" ");
                match refusal.is_unknown_command() {
                    true => Error::from_fault(Fault::ServerLacks).with_detail(name),
                    false => refusal.into_error(&name),
                }
            })
        })
    }

    /// Tries again while the server is out of reach for a moment, or busy.
    fn patiently<R>(&mut self, mut what: impl FnMut(&mut Self) -> Result<R>) -> Result<R> {
        let begun = self.clock.elapsed();
        loop {
            match what(self) {
                Err(error) if error.is_io() || error.fault() == Some(Fault::ServerBusy) => {
                    let lost = error.kind() == ErrorKind::Io;
                    if lost && self.clock.elapsed().saturating_sub(begun) >= SILENCE {
                        return Err(error);
                    }
                    if self.clock.elapsed() >= self.deadline {
                        return Err(error);
                    }
                    self.clock.sleep(self.options.poll);
                }
                done => return done,
            }
        }
    }

    fn wait(&mut self, what: &str) -> Result<()> {
        if self.clock.elapsed() >= self.deadline {
            return Err(Error::from_fault(Fault::Deadline).with_detail(what));
        }
        self.clock.sleep(self.options.poll);
        Ok(())
    }
}

fn same_run(before: &Seen, now: &Seen) -> Result<()> {
    match before.run_id == now.run_id {
        true => Ok(()),
        false => Err(Error::from_fault(Fault::ServerRestarted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::fake::{self, Time, lose, refuse};
    use redis::RedisResult;
    use std::io;

    /// What goes wrong.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fate {
        Good,
        NoConfig,
        MayNotTurnOff,
        CannotTurnOn,
        FirstRewriteFails,
        NeverRewritten,
        RestartedWhileLoading,
        RestartedWhileRewriting,
        LostForAMoment,
        GoneForGood,
    }

    /// A server as far as its log goes.
    struct Fake {
        fate: Fate,
        on: bool,
        run: u32,
        /// Answers to INFO until the rewrite ends.
        rewriting: Option<u32>,
        rewrite_ok: bool,
        rewrites: u64,
        counts: bool,
        lost: u32,
        asked: Vec<String>,
    }

    impl Fake {
        fn new(fate: Fate) -> Fake {
            Fake {
                fate,
                on: true,
                run: 1,
                rewriting: None,
                rewrite_ok: true,
                rewrites: 7,
                counts: true,
                lost: 0,
                asked: Vec::new(),
            }
        }

        fn info(&mut self) -> String {
            if let Some(left) = self.rewriting {
                self.rewriting = match (left, self.fate) {
                    (_, Fate::NeverRewritten) => Some(left),
                    (0, Fate::FirstRewriteFails) if self.rewrite_ok => {
                        (self.rewrite_ok, self.rewrites) = (false, self.rewrites + 1);
                        Some(3)
                    }
                    (0, Fate::RestartedWhileRewriting) => {
                        self.run += 1;
                        None
                    }
                    (0, _) => {
                        self.rewrite_ok = true;
                        None
                    }
                    (left, _) => Some(left - 1),
                };
            }
            let count = if self.counts {
                format!("aof_rewrites:{}\r\n", self.rewrites)
            } else {
                String::new()
            };
            format!(
                "run_id:run{}\r\naof_enabled:{}\r\naof_rewrite_in_progress:{}\r\naof_rewrite_scheduled:0\r\n\
                 aof_last_bgrewrite_status:{}\r\naof_last_write_status:ok\r\nconfig_file:/etc/x.conf\r\n{count}",
                self.run,
                u8::from(self.on),
                u8::from(self.rewriting.is_some()),
                if self.rewrite_ok { "ok" } else { "err" },
            )
        }

        fn answer(&mut self, line: &str) -> RedisResult<Value> {
            if self.lost > 0 || self.fate == Fate::GoneForGood && !self.on {
                self.lost = self.lost.saturating_sub(1);
                return lose(io::ErrorKind::ConnectionReset);
            }
            self.asked.push(line.to_owned());
            match line {
                "INFO" => Ok(Value::BulkString(self.info().into_bytes())),
                _ if self.fate == Fate::NoConfig => refuse("ERR", "unknown command 'CONFIG'"),
                "CONFIG GET appendonly" => {
                    let value = if self.on { "yes" } else { "no" };
                    let words = ["appendonly", value].map(|word| Value::BulkString(word.into()));
                    Ok(Value::Array(words.into()))
                }
                "CONFIG SET appendonly no" if self.fate == Fate::MayNotTurnOff => {
                    refuse("NOPERM", "no")
                }
                "CONFIG SET appendonly no" => {
                    self.on = false;
                    Ok(Value::Okay)
                }
                "CONFIG SET appendonly yes" if self.fate == Fate::CannotTurnOn => {
                    refuse("ERR", "CONFIG SET failed - Unable to turn on AOF")
                }
                "CONFIG SET appendonly yes" => {
                    (self.on, self.rewriting, self.rewrites) = (true, Some(2), self.rewrites + 1);
                    Ok(Value::Okay)
                }
                other => panic!("{other}"),
            }
        }
    }

    fake::connection!(Fake);

    type Done = std::result::Result<(u32, LogPauseOutcome), LogPauseError>;

    fn run(fake: &mut Fake, load: impl FnOnce(&mut Fake) -> Result<u32>) -> Done {
        let options = LogPauseOptions::default().deadline(Duration::from_secs(60));
        pause_log(fake, &Time::default(), &options, load)
    }

    fn run_fate(fate: Fate) -> (Done, Fake) {
        let mut fake = Fake::new(fate);
        let done = run(&mut fake, |fake| {
            assert!(!fake.on);
            match fate {
                Fate::RestartedWhileLoading => (fake.run, fake.on) = (2, true),
                Fate::LostForAMoment => fake.lost = 3,
                _ => {}
            }
            Ok(5)
        });
        (done, fake)
    }

    #[test]
    fn the_log_is_off_for_the_load_and_rewritten_afterwards() {
        for counts in [true, false] {
            let mut fake = Fake { counts, ..Fake::new(Fate::Good) };
            let (loaded, outcome) = run(&mut fake, |fake| {
                assert!(!fake.on);
                Ok(5)
            })
            .unwrap();
            assert_eq!((loaded, outcome.was_on, outcome.step), (5, true, LogPauseStep::Confirming));
            assert_eq!((outcome.rewrites, outcome.rewrite_failed), (counts.then_some(1), false));
            assert_eq!(outcome.config_file.as_deref(), Some("/etc/x.conf"));
            assert!(fake.on && fake.rewriting.is_none());
            assert_eq!(fake.asked.last().unwrap(), "CONFIG GET appendonly");
        }
    }

    #[test]
    fn without_a_log_nothing_is_set() {
        let mut fake = Fake { on: false, ..Fake::new(Fate::NoConfig) };
        let (loaded, outcome) = run(&mut fake, |_| Ok(5)).unwrap();
        assert_eq!((loaded, outcome.was_on, outcome.step), (5, false, LogPauseStep::Loading));
        assert_eq!(fake.asked, ["INFO"]);
    }

    #[test]
    fn each_failure_says_where_it_stopped_and_how_the_log_was_left() {
        use LogPauseStep::{Looking, Rewriting, TurningOff, TurningOn};
        for (fate, step, log, fault) in [
            (Fate::NoConfig, Looking, LogState::On, Some(Fault::ServerLacks)),
            (Fate::MayNotTurnOff, TurningOff, LogState::On, Some(Fault::ServerDenied)),
            (Fate::CannotTurnOn, TurningOn, LogState::Off, Some(Fault::ServerRefused)),
            (Fate::NeverRewritten, Rewriting, LogState::NotRewritten, Some(Fault::Deadline)),
            (
                Fate::RestartedWhileLoading,
                TurningOn,
                LogState::Unknown,
                Some(Fault::ServerRestarted),
            ),
            (
                Fate::RestartedWhileRewriting,
                Rewriting,
                LogState::Unknown,
                Some(Fault::ServerRestarted),
            ),
            (Fate::GoneForGood, TurningOff, LogState::Unknown, None),
        ] {
            let error = run_fate(fate).0.unwrap_err();
            let found = (error.step, error.log, error.error.fault());
            assert_eq!(found, (step, log, fault), "{fate:?}: {error}");
            let words = error.to_string();
            assert!(words.contains(&step.to_string()) && words.contains(&log.to_string()));
        }
    }

    #[test]
    fn what_the_server_retries_is_waited_for() {
        let (done, _) = run_fate(Fate::FirstRewriteFails);
        let outcome = done.unwrap().1;
        assert_eq!((outcome.rewrite_failed, outcome.rewrites), (true, Some(2)));
        assert!(run_fate(Fate::LostForAMoment).0.is_ok());
    }

    #[test]
    fn a_load_that_fails_has_the_log_turned_on_again_all_the_same() {
        let failing = |_: &mut Fake| Err(Error::usage("no"));
        let mut fake = Fake::new(Fate::Good);
        let error = run(&mut fake, failing).unwrap_err();
        assert_eq!((error.step, error.log), (LogPauseStep::Loading, LogState::On), "{error}");
        assert!(fake.on && fake.rewriting.is_none() && error.not_restored.is_none());
        let mut fake = Fake::new(Fate::CannotTurnOn);
        let error = run(&mut fake, failing).unwrap_err();
        assert_eq!((error.step, error.log), (LogPauseStep::Loading, LogState::Off), "{error}");
        assert!(
            error.not_restored.is_some() && error.to_string().contains("Unable to turn on AOF")
        );
    }
}
