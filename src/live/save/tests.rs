use super::{SaveOptions, SavedFile, bgsave, save};
use crate::error::{Fault, Result};
use crate::live::clock::Clock;
use crate::live::drivers::Driver;
use crate::live::fake::{self, Time, lose, refuse};
use crate::live::file::stated_time;
use crate::rdb::{Header, Writer};
use redis::{RedisResult, Value};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

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
    /// The request never came to the server.
    Never,
    Denied,
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
                return lose(io::ErrorKind::ConnectionReset);
            }
            match left {
                0 => self.end(fate),
                _ => self.child = Some((left - 1, fate)),
            }
        }
        let saves = self.saves.map(|saves| format!("rdb_saves:{saves}\r\n")).unwrap_or_default();
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

    fn save(&mut self) -> RedisResult<Value> {
        self.requests += 1;
        match self.fates.pop_front().unwrap() {
            Fate::Busy => {
                self.child = Some((3, Fate::Cancelled));
                refuse("ERR", "Background save already in progress")
            }
            // Unlike a child that fails, this leaves the status as it was.
            Fate::Failed => {
                self.saves = self.saves.map(|saves| saves + 1);
                refuse("ERR", "")
            }
            Fate::Lost => {
                self.end(Fate::Good);
                lose(io::ErrorKind::TimedOut)
            }
            Fate::Never => lose(io::ErrorKind::ConnectionReset),
            fate => {
                self.end(fate);
                Ok(Value::Okay)
            }
        }
    }

    fn answer(&mut self, line: &str) -> RedisResult<Value> {
        match line.split(' ').next().unwrap() {
            "INFO" => self.info(),
            "BGSAVE" => self.bgsave(),
            "SAVE" => self.save(),
            "TIME" => Ok(Value::Array(vec![
                Value::BulkString(self.now().to_string().into_bytes()),
                Value::BulkString(b"0".to_vec()),
            ])),
            other => panic!("{other}"),
        }
    }

    fn bgsave(&mut self) -> RedisResult<Value> {
        self.requests += 1;
        match self.fates.pop_front().unwrap() {
            Fate::Busy => {
                self.child = Some((3, Fate::Cancelled));
                refuse("ERR", "Background save already in progress")
            }
            Fate::NoFork => {
                self.ok = false;
                refuse("ERR", "")
            }
            Fate::Denied => refuse("NOPERM", ""),
            fate => {
                self.child = Some((3, fate));
                Ok(Value::SimpleString("Background saving started".to_owned()))
            }
        }
    }
}

fake::connection!(Fake);

/// Runs these fates against an old file that is there.
fn run(counted: bool, fates: &[Fate]) -> (Result<SavedFile>, Fake, tempfile::TempDir) {
    run_with(Driver::Bgsave, counted, true, fates)
}

/// The same by SAVE.
fn run_save(counted: bool, fates: &[Fate]) -> (Result<SavedFile>, Fake, tempfile::TempDir) {
    run_with(Driver::Save, counted, true, fates)
}

fn run_with(
    method: Driver,
    counted: bool,
    states: bool,
    fates: &[Fate],
) -> (Result<SavedFile>, Fake, tempfile::TempDir) {
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
    let options = SaveOptions::default().file(path).rounds(rounds);
    let taken = match method {
        Driver::Save => save(&mut fake, &time, &options),
        _ => bgsave(&mut fake, &time, &options),
    };
    (taken, fake, folder)
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
    let waited =
        |counted| run(counted, &[Fate::Good]).0.unwrap().snapshot().asked_at.unwrap() - START;
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
        assert!(run_with(Driver::Bgsave, counted, false, &[Fate::Good]).0.is_ok());
        let error = run_with(Driver::Bgsave, counted, false, &[Fate::Cancelled]).0.unwrap_err();
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
    let options = SaveOptions::default().file(&fake.path).deadline(Duration::from_secs(5));
    let error = bgsave(&mut fake, &time, &options).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Deadline));
    assert!(time.elapsed() < Duration::from_secs(6) && fake.requests == 1);
}

#[test]
fn a_file_of_save_is_proven_as_that_of_bgsave_is() {
    for counted in [true, false] {
        let (file, fake, _folder) = run_save(counted, &[Fate::Good]);
        let snapshot = file.unwrap().snapshot().clone();
        assert_eq!((snapshot.driver, snapshot.rounds, fake.requests), (Driver::Save, 1, 1));
        let (file, ..) = run_save(counted, &[Fate::Busy, Fate::Good]);
        assert_eq!(file.unwrap().snapshot().rounds, 2);
        let fault = |fate| run_save(counted, &[fate]).0.unwrap_err().fault();
        assert_eq!(fault(Fate::Failed), Some(Fault::SaveFailed));
        assert_eq!(fault(Fate::OldTime), Some(Fault::SaveUnproven));
        assert_eq!(fault(Fate::Restarted), Some(Fault::ServerRestarted));
    }
    assert_eq!(run_save(true, &[Fate::Foreign]).0.unwrap_err().fault(), Some(Fault::SaveUnproven));
}

#[test]
fn an_answer_to_save_that_never_came_is_made_up_for_by_the_proof() {
    for counted in [true, false] {
        assert!(run_save(counted, &[Fate::Lost]).0.is_ok());
        let error = run_save(counted, &[Fate::Never]).0.unwrap_err();
        assert_eq!(error.fault(), Some(Fault::SaveUnproven), "{error}");
        assert_eq!(run_save(counted, &[Fate::Never, Fate::Good]).0.unwrap().snapshot().rounds, 2);
    }
}
