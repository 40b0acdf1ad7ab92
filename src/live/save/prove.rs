//! Asking for a save until one is proven.

use crate::error::{Error, Fault, Result};
use crate::live::clock::Clock;
use crate::live::drivers::Driver;
use crate::live::save::file::SavedFile;
use crate::live::save::options::SaveOptions;
use crate::live::save::round::{Round, Save};
use crate::live::settings::Settings;
use redis::ConnectionLike;
use std::path::PathBuf;

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
/// use redkeep::live::{SaveOptions, Clock, ConnectOptions, Connection, bgsave};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let mut file = bgsave(&mut server, &System, &SaveOptions::default())?;
/// let mut copy = std::fs::File::create("copy.rdb")?;
/// std::io::copy(&mut file, &mut copy)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn bgsave(
    connection: &mut (impl ConnectionLike + ?Sized),
    clock: &(impl Clock + ?Sized),
    options: &SaveOptions,
) -> Result<SavedFile> {
    prove(connection, clock, Driver::Bgsave, options)
}

/// Has the server save by `SAVE`, and opens the file that this save wrote, with the same proof as
/// [`bgsave`]. Unlike that it works beside a rewrite of the log.
///
/// The server answers nobody else until it is done, the connection that asks included: give that a
/// [`timeout`](crate::live::ConnectOptions::timeout) longer than the save takes. If it is over
/// earlier the save still goes on; it is proven where the server answers again within 30 seconds.
///
/// # Errors
/// As [`bgsave`].
///
/// ```no_run
/// use redkeep::live::{Clock, ConnectOptions, Connection, SaveOptions, save};
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let patient = ConnectOptions::new("redis://127.0.0.1")
///     .timeout(std::time::Duration::from_secs(3600));
/// let file = save(&mut Connection::open(patient)?, &System, &SaveOptions::default())?;
/// # drop(file);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn save(
    connection: &mut (impl ConnectionLike + ?Sized),
    clock: &(impl Clock + ?Sized),
    options: &SaveOptions,
) -> Result<SavedFile> {
    prove(connection, clock, Driver::Save, options)
}

fn prove(
    connection: &mut (impl ConnectionLike + ?Sized),
    clock: &(impl Clock + ?Sized),
    method: Driver,
    options: &SaveOptions,
) -> Result<SavedFile> {
    let path = match &options.file {
        Some(path) => path.clone(),
        None => dump_path(connection)?,
    };
    let deadline = clock.elapsed().saturating_add(options.deadline);
    let mut save = Save { connection, clock, method, path, deadline, poll: options.poll };
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
