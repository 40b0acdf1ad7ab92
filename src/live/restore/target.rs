//! What has to be known of a server before anything is sent to it.

use crate::error::{Error, Fault, Result};
use crate::export::CommandForm;
use crate::live::commands::restores;
use crate::live::facts::{Replication, Role, ServerFacts};
use crate::live::info::Info;
use crate::live::probe::server_seconds;
use crate::live::reply::{ask, list, text};
use crate::live::restore::options::RestoreOptions;
use crate::rdb::ServerVersion;
use crate::time::UnixMillis;
use redis::ConnectionLike;

/// What one argument of a command may have, where the server does not say.
const BULK: u64 = 512 << 20;

/// A server that keys are to be restored into, as it was when it was asked.
///
/// ```no_run
/// use redkeep::live::{ConnectOptions, Connection};
/// use redkeep::live::restore::{RestoreOptions, Target};
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let target = Target::ask(&mut server, &RestoreOptions::default())?;
/// println!("{} wants {}", target.server, target.version);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Which server it is, as `valkey 9.1.2`.
    pub server: String,
    /// Its release, for which values have to be made.
    pub version: ServerVersion,
    /// Its clock, in milliseconds.
    pub now: UnixMillis,
    /// Whether it is a node of a cluster.
    pub cluster: bool,
    /// Bytes of the biggest argument that it takes.
    pub most: u64,
    /// How values are sent to it.
    pub form: CommandForm,
    pub(super) run_id: String,
}

impl Target {
    /// Asks a server; nothing is changed.
    ///
    /// # Errors
    /// `Server` where it refuses `INFO`, is loading, or is a replica that takes no writes; `Usage`
    /// where it is another product and the options do not say which server it is
    /// [like](RestoreOptions::like); `Io` where the way to it fails.
    pub fn ask(
        connection: &mut (impl ConnectionLike + ?Sized),
        options: &RestoreOptions,
    ) -> Result<Target> {
        let info = Info::ask(connection)?;
        let replica = Replication::of(&info).role == Role::Replica;
        if replica && info.get("slave_read_only") != Some("0") {
            let detail = "it is a replica, which takes no writes: restore into its master";
            return Err(Error::from_fault(Fault::ServerRefused).with_detail(detail));
        }
        Target::of(connection, &info, options)
    }

    /// As [`ask`](Self::ask), for who will write nothing.
    #[cfg(feature = "digest")]
    pub(super) fn ask_for_reading(
        connection: &mut (impl ConnectionLike + ?Sized),
        options: &RestoreOptions,
    ) -> Result<Target> {
        let info = Info::ask(connection)?;
        Target::of(connection, &info, options)
    }

    fn of(
        connection: &mut (impl ConnectionLike + ?Sized),
        info: &Info,
        options: &RestoreOptions,
    ) -> Result<Target> {
        let facts = ServerFacts::of(info);
        let server = format!("{} {}", facts.product, facts.version);
        if info.is_set("loading") {
            return Err(Error::from_fault(Fault::ServerLoading));
        }
        let version = options.like.or_else(|| facts.release()).ok_or_else(|| {
            Error::usage(format!(
                "{server}: which release of Redis or Valkey it is like has to be given"
            ))
        })?;
        let seconds = server_seconds(connection)?.and_then(|seconds| i64::try_from(seconds).ok());
        let now = seconds.ok_or_else(|| {
            Error::from_fault(Fault::ServerRefused).with_detail("it does not tell its time")
        })?;
        let form = match options.form {
            Some(form) => form,
            None if restores(connection)? => CommandForm::Restore,
            None => CommandForm::Plain,
        };
        Ok(Target {
            most: biggest(connection)?,
            version,
            now: UnixMillis::from_seconds(now),
            cluster: facts.mode == "cluster" || info.is_set("cluster_enabled"),
            form,
            run_id: facts.run_id,
            server,
        })
    }
}

fn biggest(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<u64> {
    let mut most = BULK;
    // One at a time: older servers take no more.
    for (n, name) in ["proto-max-bulk-len", "client-query-buffer-limit"].into_iter().enumerate() {
        let Ok(answer) = ask(connection, &["CONFIG", "GET", name])? else { continue };
        let pair = list(answer).unwrap_or_default();
        let Some(limit) = pair.get(1).and_then(text).and_then(|limit| limit.parse().ok()) else {
            continue;
        };
        // A whole command has to fit into the query buffer, with a little around the value.
        let limit: u64 = limit;
        most = if n == 0 { limit } else { most.min(limit.saturating_sub(64 << 10)) };
    }
    Ok(most)
}
