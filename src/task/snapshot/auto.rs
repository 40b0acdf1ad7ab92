//! Which way, and on to the next one where it turns out to be closed.

use crate::error::{Error, ErrorKind, Fault, Result};
use crate::live::{
    Bgsaving, Clock, Connection, CopyingFiles, Driver, DriverReport, Replicating, Saving, Scanning,
    SnapshotDriver, SnapshotReceiver, Taken, probe,
};
use crate::task::snapshot::options::SnapshotOptions;

/// Whoever receives what one of several ways gives.
pub(in crate::task) trait Receives: SnapshotReceiver {
    /// This way is gone now.
    fn goes(&mut self, way: Driver);

    /// Whether something was given: no other way can be gone then.
    fn has_begun(&self) -> bool;
}

/// Whoever can do without what was given, and receive another.
pub(in crate::task) trait StartsOver: Receives {
    /// What was given is not wanted, and nothing was given now.
    fn start_over(&mut self);
}

/// In this order.
const WAYS: [Driver; 3] = [Driver::Bgsave, Driver::Replication, Driver::Scan];

/// By the way that was asked for, or the first that is open; and why not by the ones before it.
pub(in crate::task) fn taken(
    server: &mut Connection,
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    receiver: &mut impl Receives,
) -> Result<(Taken, Vec<DriverReport>)> {
    if let Some(driver) = options.driver {
        return Ok((by(driver, server, clock, options, receiver)?, Vec::new()));
    }
    let probe = probe(server, &options.probe)?;
    let mut why_not = Vec::new();
    for driver in WAYS {
        if let Some(report) = probe.driver(driver).filter(|report| !report.possible) {
            why_not.push(report.clone());
            continue;
        }
        match by(driver, server, clock, options, receiver) {
            Ok(taken) => return Ok((taken, why_not)),
            Err(error) if !receiver.has_begun() && is_closed(driver, &error) => {
                why_not.push(DriverReport::closed(driver, error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    let why =
        why_not.iter().map(|report| format!("{}: {}", report.driver, report.obstacles.join(", ")));
    Err(Error::from_fault(Fault::NoDriver).with_detail(why.collect::<Vec<_>>().join("; ")))
}

fn by(
    driver: Driver,
    server: &mut Connection,
    clock: &(impl Clock + ?Sized),
    options: &SnapshotOptions,
    receiver: &mut impl Receives,
) -> Result<Taken> {
    receiver.goes(driver);
    match driver {
        Driver::Bgsave => Bgsaving { server, clock, options: &options.save }.take(receiver),
        Driver::Save => Saving { server, clock, options: &options.save }.take(receiver),
        Driver::Replication => {
            // Whoever receives it finds out whether it is whole, by the same checksum.
            let options = &options.replication.clone().proves_end(false);
            Replicating { server, clock, options }.take(receiver)
        }
        Driver::Scan => Scanning { server, options: &options.scan }.take(receiver),
        Driver::Files => {
            CopyingFiles { server: Some(server), clock, options: &options.files }.take(receiver)
        }
    }
}

/// Whether it was this way that failed, and another one may do.
fn is_closed(driver: Driver, error: &Error) -> bool {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    match error.kind() {
        // That a server cannot save is for its operator to know, and not to be passed over.
        ErrorKind::Server => !matches!(
            error.fault(),
            Some(Fault::SaveFailed | Fault::Deadline | Fault::ServerRestarted)
        ),
        // Where the file is, is not known, or cannot be gone that way.
        ErrorKind::Usage => true,
        ErrorKind::Io if driver == Driver::Bgsave => {
            matches!(error.io_kind(), Some(NotFound | PermissionDenied))
        }
        // It has a connection of its own, which whatever stands between may close.
        ErrorKind::Io | ErrorKind::Truncated => driver == Driver::Replication,
        _ => false,
    }
}
