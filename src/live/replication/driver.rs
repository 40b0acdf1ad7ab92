//! A transfer as a way to a snapshot.

use crate::error::{Error, ErrorKind, Result};
use crate::live::clock::{Clock, Ticking};
use crate::live::connect::Connection;
use crate::live::drivers::Driver;
use crate::live::info::Info;
use crate::live::probe::server_seconds;
use crate::live::replication::cause::{cut_cause, explain_cut};
use crate::live::replication::dial::dial;
use crate::live::replication::handshake::Form;
use crate::live::replication::options::ReplicationOptions;
use crate::live::replication::transfer::Transfer;
use crate::live::reply::{ask, text};
use crate::live::snapshot::{Snapshot, SnapshotDriver, SnapshotReceiver, Taken};

/// As a replica gets it, over a connection of its own: as [`dial`] connects it, with the login of the
/// other one. That one says what server it is, where the user may ask (`+info`).
///
/// See [`SnapshotDriver`].
pub struct Replicating<'a, T: ?Sized> {
    /// The server.
    pub server: &'a mut Connection,
    /// What deadlines are counted by.
    pub clock: &'a T,
    /// What is asked for; the login is that of the connection.
    pub options: &'a ReplicationOptions,
}

impl<T: Clock + ?Sized> SnapshotDriver for Replicating<'_, T> {
    fn driver(&self) -> Driver {
        Driver::Replication
    }

    fn take(&mut self, receiver: &mut dyn SnapshotReceiver) -> Result<Taken> {
        let before = self.info()?;
        let asked_at = server_seconds(self.server).ok().flatten();
        let (wire, login) = dial(self.server.options())?;
        let mut options = self.options.clone();
        (options.user, options.password) = (login.user, login.password);
        let mut transfer = Transfer::start(wire, Ticking(self.clock), &options)?;
        let len = match transfer.facts().form {
            Form::Length(len) => Some(len),
            Form::EndMark => None,
        };
        let received = receiver.dump(&mut transfer, len);
        let received = match (received, transfer.finish()) {
            // The transfer knows better than its reader why there were no more bytes.
            (Err(own), Err(error)) if error.kind() == ErrorKind::Usage => return Err(own),
            (_, Err(error)) => return Err(self.explained(error, before.as_deref())),
            (Err(own), Ok(_)) => return Err(own),
            (Ok(()), Ok(received)) => received,
        };
        let mut snapshot = match before {
            Some(before) => {
                // Idle for so long it may have been closed; what is not known then is no loss.
                let after = self.info().or_else(|_| self.info()).ok().flatten();
                let after = Info::parse(after.as_ref().unwrap_or(&before).as_bytes());
                Snapshot::between(Driver::Replication, &Info::parse(before.as_bytes()), &after)
            }
            None => Snapshot::of(Driver::Replication),
        };
        snapshot.asked_at = asked_at;
        snapshot.done_at = server_seconds(self.server).ok().flatten();
        snapshot.replication_id = received.facts.replid.clone().or(snapshot.replication_id);
        snapshot.bytes = Some(received.bytes);
        Ok(Taken { replication: Some(received), ..Taken::of(snapshot) })
    }
}

impl<T: ?Sized> Replicating<'_, T> {
    /// What the server says of itself, where this user may ask.
    fn info(&mut self) -> Result<Option<String>> {
        Ok(ask(self.server, &["INFO"])?.ok().as_ref().and_then(text))
    }

    fn explained(&mut self, error: Error, before: Option<&str>) -> Error {
        let after = self.info().or_else(|_| self.info()).ok().flatten();
        match before.zip(after).and_then(|(before, after)| cut_cause(before, &after)) {
            Some(cause) => explain_cut(error, cause),
            None => error,
        }
    }
}
