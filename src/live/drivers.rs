//! The ways to a snapshot, and which of them a server and a user leave open.

use crate::live::commands::Access;
use crate::live::facts::Role;
use crate::live::probe::Probe;
use std::fmt;
use std::fs::File;
use std::path::Path;

/// A way to a snapshot.
///
/// ```
/// use redkeep::live::Driver;
/// assert!(Driver::Bgsave.is_point_in_time() && !Driver::Scan.is_point_in_time());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Driver {
    /// `BGSAVE`, and the file that it writes.
    Bgsave,
    /// `SAVE`, and the file that it writes; nobody else is answered meanwhile.
    Save,
    /// As a replica would: the data come over the connection.
    Replication,
    /// `SCAN` and `DUMP`, key by key.
    Scan,
    /// The files as they lie there.
    Files,
}

impl Driver {
    /// Whether all of it is from one moment.
    #[must_use]
    pub fn is_point_in_time(self) -> bool {
        self != Driver::Scan
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::Bgsave => "bgsave",
            Driver::Save => "save",
            Driver::Replication => "replication",
            Driver::Scan => "scan",
            Driver::Files => "files",
        })
    }
}

/// Whether a way to a snapshot is open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DriverReport {
    /// Which way.
    pub driver: Driver,
    /// Whether it can work: nothing is known that keeps it from working.
    pub possible: bool,
    /// What keeps it from working.
    pub obstacles: Vec<String>,
    /// What it would cost, or cannot be known before trying.
    pub remarks: Vec<String>,
}

impl DriverReport {
    /// One that turned out to be closed.
    pub(crate) fn closed(driver: Driver, why: String) -> DriverReport {
        DriverReport { driver, possible: false, obstacles: vec![why], remarks: Vec::new() }
    }
}

pub(crate) fn drivers(probe: &Probe) -> Vec<DriverReport> {
    let mut all = vec![
        report(probe, Driver::Bgsave, &["BGSAVE"]),
        report(probe, Driver::Save, &["SAVE"]),
        report(probe, Driver::Replication, &["PSYNC", "REPLCONF"]),
        report(probe, Driver::Scan, &["SCAN", "DUMP", "PTTL"]),
        report(probe, Driver::Files, &[]),
    ];
    for driver in &mut all {
        driver.possible = driver.obstacles.is_empty();
    }
    all
}

fn report(probe: &Probe, driver: Driver, commands: &[&'static str]) -> DriverReport {
    let (mut obstacles, mut remarks) = (Vec::new(), Vec::new());
    for found in probe.commands.iter().filter(|found| commands.contains(&found.command)) {
        let name = found.command;
        match found.access {
            Access::Allowed => {}
            Access::SomeKeys => remarks.push(format!("{name} is allowed for some keys only")),
            Access::Exists => {
                remarks.push(format!("whether this user may run {name} shows only when it is run"));
            }
            Access::Denied => obstacles.push(format!("this user may not run {name}")),
            Access::Absent => obstacles.push(format!("there is no {name}: renamed or removed")),
        }
    }
    if probe.replication.role == Role::Sentinel {
        obstacles.push("a sentinel has no data".to_owned());
    }
    if probe.persistence.loading && driver != Driver::Files {
        obstacles.push("it is loading its data".to_owned());
    }
    match driver {
        Driver::Bgsave | Driver::Save => match &probe.files.dump {
            None => obstacles.push(match &probe.files.why_unknown {
                Some(why) => format!("where its dump file is, is not known: {why}"),
                None => "where its dump file is, is not known".to_owned(),
            }),
            Some(dump) => obstacles.extend(unreadable(dump)),
        },
        Driver::Files => match &probe.files.dir {
            None => obstacles.push("where its files are, is not known".to_owned()),
            Some(dir) => {
                if let Err(error) = dir.read_dir() {
                    obstacles.push(format!("{}: {error}", dir.display()));
                }
            }
        },
        Driver::Replication | Driver::Scan => {}
    }
    match driver {
        Driver::Save => remarks.push("nobody else is answered while it saves".to_owned()),
        Driver::Scan => {
            remarks.push("not from one moment: keys change while it goes on".to_owned())
        }
        Driver::Replication => remarks.push("a fork and a buffer, as for any replica".to_owned()),
        Driver::Bgsave | Driver::Files => {}
    }
    DriverReport { driver, possible: false, obstacles, remarks }
}

/// Why the file could not be read from here; that it is not there yet is no reason, its folder is.
fn unreadable(dump: &Path) -> Option<String> {
    let error = match File::open(dump) {
        Ok(_) => return None,
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => error,
        Err(_) => dump.parent().map(Path::read_dir)?.err()?,
    };
    Some(format!("{}: {error}", dump.display()))
}
