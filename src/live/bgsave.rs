//! A snapshot by `BGSAVE`: the file that this very request, or one after it, had written.
//!
//! That a save ended and the server says `ok` proves nothing: a save that was killed quietly leaves
//! both, and the old file. `LASTSAVE` has whole seconds, and the name of the file may come to stand
//! for another at any time. What is proven here is that *the opened file was written by a save that
//! began no earlier than the request*:
//!
//! 1. wait until nothing saves, so that any later save is newer than the request;
//! 2. remember the file under the name by device, inode, both times and size, and the server's clock;
//! 3. `BGSAVE`, and wait until no save runs;
//! 4. the server must be the same run and say `ok`; the file under the name, once opened, must be
//!    another than before; `LASTSAVE` must have moved and not lie before the request; and so must the
//!    time that the file itself states.
//!
//! Whatever does not fit is tried again, and never answered with the file that is there.

use crate::error::{Error, Fault, Result};
use crate::live::clock::Clock;
use crate::live::drivers::Driver;
use crate::live::facts::{Replication, ServerFacts};
use crate::live::file::{Identity, stated_time};
use crate::live::info::Info;
use crate::live::probe::server_seconds;
use crate::live::reply::{Refusal, ask, bytes};
use crate::live::settings::Settings;
use crate::live::snapshot::Snapshot;
use redis::ConnectionLike;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

/// How long a server that is saving may be out of reach.
const SILENCE: Duration = Duration::from_secs(30);

/// How a save is asked for and waited for.
///
/// ```
/// use redkeep::live::BgsaveOptions;
/// use std::time::Duration;
/// let options = BgsaveOptions::default().file("/mnt/redis/dump.rdb").deadline(Duration::from_secs(600));
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BgsaveOptions {
    /// The server's dump file as seen from here. Default: what `CONFIG GET` says.
    pub file: Option<PathBuf>,
    /// How long all of it may take. Default one hour.
    pub deadline: Duration,
    /// How often the server is asked whether it is done. Default 100 ms.
    pub poll: Duration,
    /// How often a save is asked for, where others save at the same time or a save leaves no
    /// file. Default 5.
    pub rounds: u32,
}

impl Default for BgsaveOptions {
    fn default() -> Self {
        BgsaveOptions {
            file: None,
            deadline: Duration::from_secs(3600),
            poll: Duration::from_millis(100),
            rounds: 5,
        }
    }
}

impl BgsaveOptions {
    /// Sets [`file`](Self::file).
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

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

    /// Sets [`rounds`](Self::rounds), at least one.
    #[must_use]
    pub fn rounds(mut self, most: u32) -> Self {
        self.rounds = most.max(1);
        self
    }
}

/// The opened file of a proven save. Whatever comes to stand under its name later is no matter.
#[derive(Debug)]
pub struct BgsaveFile {
    file: File,
    snapshot: Snapshot,
}

impl BgsaveFile {
    /// When and how it was taken.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The file, positioned where reading has come to, and the report.
    #[must_use]
    pub fn into_parts(self) -> (File, Snapshot) {
        (self.file, self.snapshot)
    }
}

impl Read for BgsaveFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

/// Has the server save, and opens the file that this save wrote.
///
/// The file is complete, as far as the server says; whether its bytes are sound is for
/// [`rdb::check`](crate::rdb::check) to tell while they are read.
///
/// # Errors
/// `Server` where the server may not or cannot save (`save_failed`), was restarted, or no save could
/// be proven in so many rounds (`save_unproven`); `Usage` where it does not say where its file is and
/// none was named; `Io` where that file cannot be opened or the way to the server fails. No error
/// leaves the old file in the caller's hands.
///
/// ```no_run
/// use redkeep::live::{BgsaveOptions, Clock, ConnectOptions, Connection, bgsave};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let mut file = bgsave(&mut server, &System, &BgsaveOptions::default())?;
/// let mut copy = std::fs::File::create("copy.rdb")?;
/// std::io::copy(&mut file, &mut copy)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn bgsave(
    connection: &mut (impl ConnectionLike + ?Sized),
    clock: &impl Clock,
    options: &BgsaveOptions,
) -> Result<BgsaveFile> {
    let path = match &options.file {
        Some(path) => path.clone(),
        None => dump_path(connection)?,
    };
    let deadline = clock.elapsed().saturating_add(options.deadline);
    let mut save = Save { connection, clock, path, deadline, poll: options.poll };
    let mut why = "no round was allowed".to_owned();
    for round in 1..=options.rounds {
        match save.round(round)? {
            Round::Proven(file) => return Ok(*file),
            Round::Again(reason) => why = reason,
        }
    }
    let rounds = options.rounds;
    Err(Error::from_fault(Fault::SaveUnproven).with_detail(format!("{why} ({rounds} rounds)")))
}

fn dump_path(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<PathBuf> {
    let settings = Settings::learn(connection, None, (0, 0))?;
    settings.dump().ok_or_else(|| {
        let why = settings.refusal.map(|refusal| format!(" ({})", refusal.words()));
        let why = why.unwrap_or_default();
        Error::usage(format!("the server does not say where its dump file is{why}: name the file"))
    })
}

/// What INFO says of saving, all of it at one moment.
struct State {
    info: Info,
    run_id: String,
    /// A child writes a file, or feeds a replica.
    saving: bool,
    /// The log is rewritten or is about to be, and no save begins meanwhile.
    rewriting: bool,
    /// A replica is getting its data anew, and will replace the file.
    syncing: bool,
    last_save: u64,
    ok: bool,
    /// Attempts, since Redis 7.0.
    saves: Option<u64>,
}

impl State {
    fn of(info: Info) -> State {
        State {
            run_id: info.get("run_id").unwrap_or_default().to_owned(),
            saving: info.is_set("rdb_bgsave_in_progress"),
            rewriting: info.is_set("aof_rewrite_in_progress")
                || info.is_set("aof_rewrite_scheduled"),
            syncing: info.is_set("master_sync_in_progress"),
            last_save: info.number("rdb_last_save_time").unwrap_or(0),
            ok: info.get("rdb_last_bgsave_status") == Some("ok"),
            saves: info.number("rdb_saves"),
            info,
        }
    }

    fn busy(&self) -> bool {
        self.saving || self.rewriting || self.syncing
    }
}

enum Round {
    Proven(Box<BgsaveFile>),
    Again(String),
}

fn again(why: &str) -> Result<Round> {
    Ok(Round::Again(why.to_owned()))
}

/// One attempt after the other; the steps are those of the lesson above.
struct Save<'a, C: ?Sized, T> {
    connection: &'a mut C,
    clock: &'a T,
    path: PathBuf,
    deadline: Duration,
    poll: Duration,
}

impl<C: ConnectionLike + ?Sized, T: Clock> Save<'_, C, T> {
    fn round(&mut self, round: u32) -> Result<Round> {
        let Some(before) = self.quiet()? else { return again("others were saving") };
        let old = Identity::under(&self.path)?;
        let asked_at = self.seconds()?;
        let scheduled = match ask(self.connection, &["BGSAVE"])? {
            Ok(answer) => bytes(&answer).is_some_and(|text| contains(text, "scheduled")),
            Err(refusal) => return self.refused(refusal, &before),
        };
        let after = self.ended(&before, scheduled)?;
        if after.run_id != before.run_id {
            return Err(Error::from_fault(Fault::ServerRestarted));
        }
        if !after.ok {
            return Err(failed("its child failed; why is in the server's log"));
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
        Ok(Round::Proven(Box::new(BgsaveFile { file, snapshot })))
    }

    /// Waits until nothing saves; on servers that do not count their saves also until a good save
    /// from now on has another second. `None` where others saved meanwhile.
    fn quiet(&mut self) -> Result<Option<State>> {
        let state = loop {
            let state = self.state()?;
            if !state.busy() {
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
        Ok((same && !now.busy()).then_some(now))
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
            return Err(refusal.into_error("BGSAVE"));
        }
        let now = self.state()?;
        let other = contains(refusal.text.as_bytes(), "in progress")
            || contains(refusal.text.as_bytes(), "can't bgsave");
        if other || now.busy() {
            return again("others were saving");
        }
        // All versions answer a fork that failed with an error of no words.
        if refusal.text.is_empty() || (!now.ok && now.saves != before.saves) {
            return Err(failed(
                "it could not begin, which is the memory or the limit of processes",
            ));
        }
        Err(refusal.into_error("BGSAVE"))
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
        let server = ServerFacts::of(&after.info);
        let (first, last) = (Replication::of(&before.info), Replication::of(&after.info));
        Snapshot {
            driver: Driver::Bgsave,
            point_in_time: true,
            server: format!("{} {}", server.product, server.version),
            run_id: server.run_id,
            role: last.role,
            asked_at,
            done_at: Some(after.last_save),
            stated_at,
            replication_id: last.id,
            offset_before: first.offset,
            offset_after: last.offset,
            writes_meanwhile: after.info.number("rdb_changes_since_last_save"),
            rounds,
            file: Some(self.shown()),
            bytes: Some(bytes),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{Header, Writer};
    use redis::{RedisResult, Value};
    use std::cell::Cell;
    use std::collections::VecDeque;
    use std::rc::Rc;

    /// What becomes of one BGSAVE.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fate {
        Good,
        Failed,
        /// SIGUSR1: the status stays `ok`, and there is no new file.
        Cancelled,
        Busy,
        NoFork,
        Restarted,
        /// Another save ended in the second of the request, and the file is its.
        OldTime,
        /// Somebody tries to save at the same time.
        Foreign,
        Lost,
        Denied,
    }

    #[derive(Clone, Default)]
    struct Time(Rc<Cell<Duration>>);

    impl Clock for Time {
        fn elapsed(&self) -> Duration {
            self.0.get()
        }

        fn sleep(&self, time: Duration) {
            self.0.set(self.0.get() + time);
        }
    }

    const START: u64 = 1_700_000_000;

    /// A server as far as saving goes.
    struct Fake {
        time: Time,
        path: PathBuf,
        fates: VecDeque<Fate>,
        run: u32,
        saves: Option<u64>,
        last_save: u64,
        ok: bool,
        /// Answers to INFO until the child is gone, and what then becomes of it.
        child: Option<(u32, Fate)>,
        requests: u32,
        /// Whether its files say when they were made.
        states: bool,
    }

    impl Fake {
        fn now(&self) -> u64 {
            START + self.time.elapsed().as_secs()
        }

        /// Puts a file in its place, as made at some time.
        fn write(&self, at: u64) {
            let mut writer = Writer::new(Vec::new());
            writer.header(Header::parse(b"REDIS0009").unwrap()).unwrap();
            if self.states {
                writer.aux(b"ctime", at.to_string().as_bytes()).unwrap();
            }
            let temporary = self.path.with_extension("tmp");
            std::fs::write(&temporary, writer.finish().unwrap()).unwrap();
            std::fs::rename(&temporary, &self.path).unwrap();
        }

        fn end(&mut self, fate: Fate) {
            self.saves = self.saves.map(|saves| saves + 1);
            match fate {
                Fate::Good | Fate::Foreign => {
                    self.write(self.now());
                    (self.last_save, self.ok) = (self.now(), true);
                    if fate == Fate::Foreign {
                        self.saves = self.saves.map(|saves| saves + 1);
                    }
                }
                Fate::Failed => self.ok = false,
                Fate::OldTime => {
                    self.write(START - 100);
                    self.last_save = self.now();
                }
                Fate::Restarted => self.run += 1,
                _ => {}
            }
        }

        fn info(&mut self) -> RedisResult<Value> {
            if let Some((left, fate)) = self.child.take() {
                if fate == Fate::Lost {
                    self.child = Some((left, Fate::Good));
                    return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
                }
                match left {
                    0 => self.end(fate),
                    _ => self.child = Some((left - 1, fate)),
                }
            }
            let saves =
                self.saves.map(|saves| format!("rdb_saves:{saves}\r\n")).unwrap_or_default();
            let info = format!(
                "redis_version:7.0.15\r\nrun_id:{}\r\nrdb_bgsave_in_progress:{}\r\n\
                 rdb_last_save_time:{}\r\nrdb_last_bgsave_status:{}\r\nrole:master\r\n{saves}",
                self.run,
                u32::from(self.child.is_some()),
                self.last_save,
                if self.ok { "ok" } else { "err" },
            );
            Ok(Value::BulkString(info.into_bytes()))
        }

        fn bgsave(&mut self) -> RedisResult<Value> {
            self.requests += 1;
            let refuse = |text: &str| {
                let error = redis::make_extension_error("ERR".to_owned(), Some(text.to_owned()));
                Ok(Value::ServerError(error.try_into().unwrap()))
            };
            match self.fates.pop_front().unwrap() {
                Fate::Busy => {
                    self.child = Some((3, Fate::Cancelled));
                    refuse("Background save already in progress")
                }
                Fate::NoFork => {
                    self.ok = false;
                    refuse("")
                }
                Fate::Denied => {
                    let error = redis::make_extension_error("NOPERM".to_owned(), None);
                    Ok(Value::ServerError(error.try_into().unwrap()))
                }
                fate => {
                    self.child = Some((3, fate));
                    Ok(Value::SimpleString("Background saving started".to_owned()))
                }
            }
        }
    }

    impl ConnectionLike for Fake {
        fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
            let text = String::from_utf8_lossy(command).into_owned();
            match text.split("\r\n").nth(2).unwrap() {
                "INFO" => self.info(),
                "BGSAVE" => self.bgsave(),
                "TIME" => Ok(Value::Array(vec![
                    Value::BulkString(self.now().to_string().into_bytes()),
                    Value::BulkString(b"0".to_vec()),
                ])),
                other => panic!("{other}"),
            }
        }

        fn req_packed_commands(&mut self, _: &[u8], _: usize, _: usize) -> RedisResult<Vec<Value>> {
            panic!("nothing here is pipelined")
        }

        fn get_db(&self) -> i64 {
            0
        }

        fn check_connection(&mut self) -> bool {
            true
        }

        fn is_open(&self) -> bool {
            true
        }
    }

    /// Runs these fates against an old file that is there.
    fn run(counted: bool, fates: &[Fate]) -> (Result<BgsaveFile>, Fake, tempfile::TempDir) {
        run_with(counted, true, fates)
    }

    fn run_with(
        counted: bool,
        states: bool,
        fates: &[Fate],
    ) -> (Result<BgsaveFile>, Fake, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        let time = Time::default();
        let mut fake = Fake {
            time: time.clone(),
            path: path.clone(),
            fates: fates.iter().copied().collect(),
            run: 1,
            saves: counted.then_some(5),
            last_save: START,
            ok: true,
            child: None,
            requests: 0,
            states,
        };
        fake.write(START - 1000);
        let rounds = u32::try_from(fates.len()).unwrap();
        let options = BgsaveOptions::default().file(path).rounds(rounds);
        (bgsave(&mut fake, &time, &options), fake, folder)
    }

    fn fault(fates: &[Fate]) -> Option<Fault> {
        let of = |counted| run(counted, fates).0.unwrap_err().fault();
        assert_eq!(of(true), of(false));
        of(true)
    }

    #[test]
    fn a_good_save_is_proven_with_and_without_a_count_of_saves() {
        for counted in [true, false] {
            let (file, fake, _folder) = run(counted, &[Fate::Good]);
            let snapshot = file.unwrap().snapshot().clone();
            assert_eq!((snapshot.rounds, fake.requests), (1, 1));
            assert!(snapshot.stated_at.unwrap() >= START, "{snapshot:?}");
        }
    }

    #[test]
    fn without_a_count_the_request_waits_for_another_second() {
        let waited = |counted| run(counted, &[Fate::Good]).0.unwrap().snapshot().asked_at - START;
        assert_eq!((waited(true), waited(false)), (0, 1));
    }

    #[test]
    fn no_failed_or_cancelled_save_gives_the_old_file() {
        assert_eq!(fault(&[Fate::Failed]), Some(Fault::SaveFailed));
        assert_eq!(fault(&[Fate::NoFork]), Some(Fault::SaveFailed));
        assert_eq!(fault(&[Fate::Cancelled]), Some(Fault::SaveUnproven));
        assert_eq!(fault(&[Fate::OldTime]), Some(Fault::SaveUnproven));
        assert_eq!(fault(&[Fate::Denied]), Some(Fault::ServerDenied));
    }

    #[test]
    fn a_file_that_does_not_say_its_age_is_told_by_its_identity() {
        for counted in [true, false] {
            assert!(run_with(counted, false, &[Fate::Good]).0.is_ok());
            let error = run_with(counted, false, &[Fate::Cancelled]).0.unwrap_err();
            assert!(error.to_string().contains("still the old one"), "{error}");
        }
    }

    #[test]
    fn a_server_that_was_restarted_proves_nothing() {
        assert_eq!(fault(&[Fate::Restarted]), Some(Fault::ServerRestarted));
    }

    #[test]
    fn a_second_round_proves_what_the_first_could_not() {
        for first in [Fate::Cancelled, Fate::Busy, Fate::OldTime] {
            let (file, fake, _folder) = run(true, &[first, Fate::Good]);
            assert_eq!(file.unwrap().snapshot().rounds, 2, "{first:?}");
            assert_eq!(fake.requests, 2);
        }
    }

    #[test]
    fn a_save_of_others_in_the_same_second_is_not_taken_for_ours() {
        let folder = run(true, &[Fate::Foreign]).0.unwrap_err();
        assert_eq!(folder.fault(), Some(Fault::SaveUnproven));
        assert!(folder.to_string().contains("others saved"), "{folder}");
    }

    #[test]
    fn a_lost_connection_is_no_lost_save() {
        assert!(run(true, &[Fate::Lost]).0.is_ok());
    }

    #[test]
    fn a_file_that_is_replaced_later_stays_as_it_was_opened() {
        let (file, fake, _folder) = run(true, &[Fate::Good]);
        fake.write(7);
        let mut file = file.unwrap();
        let (mut opened, stated) = (Vec::new(), file.snapshot().stated_at);
        file.read_to_end(&mut opened).unwrap();
        assert_ne!(opened, std::fs::read(&fake.path).unwrap());
        assert_eq!(opened.len() as u64, file.snapshot().bytes.unwrap());
        assert_eq!(stated_time(&File::open(&fake.path).unwrap()).unwrap(), Some(7));
        assert!(stated >= Some(START));
    }

    #[test]
    fn the_deadline_ends_a_save_that_does_not() {
        let time = Time::default();
        let (_, mut fake, _folder) = run(true, &[Fate::Good]);
        fake.time = time.clone();
        fake.fates = [Fate::Good].into();
        fake.child = Some((u32::MAX, Fate::Good));
        let options = BgsaveOptions::default().file(&fake.path).deadline(Duration::from_secs(5));
        let error = bgsave(&mut fake, &time, &options).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::Deadline));
        assert!(time.elapsed() < Duration::from_secs(6) && fake.requests == 1);
    }
}
