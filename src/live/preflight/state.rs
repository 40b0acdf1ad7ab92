//! What fails on a server, and its place among others.

use crate::live::commands::Access;
use crate::live::facts::{Replication, Role};
use crate::live::preflight::finding::{Found, mib};
use crate::live::probe::Probe;

pub(super) fn failures(probe: &Probe, found: &mut Found) {
    let facts = &probe.persistence;
    if facts.loading {
        found.problem("loading", "it is loading its data: little else is answered");
    }
    if facts.last_save_ok == Some(false) {
        let message =
            "the last save failed; why is in the server's log, often a full or unwritable disk";
        found.problem("last_save_failed", message);
    }
    if facts.log && facts.log_write_ok == Some(false) {
        found.problem("log_write_failed", "writing to the append-only file fails");
    }
    if facts.save_running {
        found.note("save_running", "a save runs already: another begins only after it");
    } else if facts.log_rewrite_running {
        found.note(
            "log_rewrite_running",
            "its log is being rewritten: a save begins only after that",
        );
    }
    if facts.log {
        let message = "it loads its log when it starts, and no dump (appendonly yes)";
        found.note("log_wins", message);
    }
    if let Some(delays) = facts.log_delayed_flushes.filter(|delays| facts.log && *delays > 0) {
        let message = format!("its disk is slow: {delays} flushes of the log came late");
        found.note("log_delayed", message);
    }
    if facts.log && facts.log_rewrite_ok == Some(false) {
        found.warning("log_rewrite_failed", "the last rewrite of the log failed");
    }
    let never = facts.save_rules.as_ref().is_some_and(Vec::is_empty) && !facts.log;
    if never && probe.replication.role == Role::Master {
        let message = "nothing is kept on disk by itself: no save points, and no log";
        found.warning("not_persistent", message);
    }
    if probe.files.dir.is_none() && probe.files.source == crate::live::SettingsSource::Server {
        let message = "its data directory was removed while it runs: no save can work";
        found.problem("no_directory", message);
    }
    if !probe.drivers.iter().any(|driver| driver.possible) {
        found.problem("no_driver", "no way to a snapshot is open");
    }
}

pub(super) fn place(probe: &Probe, most_behind: u64, found: &mut Found) {
    replication(&probe.replication, most_behind, found);
    if probe.server.mode == "cluster" {
        let message = "a node of a cluster: a snapshot has the keys of this node only";
        found.warning("cluster", message);
    }
    if !probe.modules.is_empty() {
        let names: Vec<_> = probe.modules.iter().map(|module| module.name.as_str()).collect();
        let message = format!("a restore needs these modules: {}", names.join(", "));
        found.note("modules", message);
    }
    let replaced = |command| {
        probe
            .commands
            .iter()
            .any(|found| found.command == command && found.access == Access::Absent)
    };
    if replaced("BGSAVE") || replaced("CONFIG") {
        let message = "commands were renamed or removed: this may be a managed service";
        found.note("commands_missing", message);
    }
}

/// Seconds: a master is heard at least every ten (`repl-ping-replica-period`).
const SILENT: u64 = 20;

fn replication(place: &Replication, most_behind: u64, found: &mut Found) {
    for replica in &place.replicas {
        if let Some(behind) = replica.behind.filter(|behind| *behind > most_behind) {
            let message = format!("the replica {} is {} MiB behind", replica.address, mib(behind));
            found.warning("replica_behind", message);
        }
        if replica.state != "online" {
            let message = format!("the replica {} is getting all data", replica.address);
            found.note("replica_syncing", message);
        }
    }
    if place.role != Role::Replica {
        return;
    }
    if place.link_up == Some(false) {
        let message = "it has lost its master: its data are those of that moment";
        found.problem("link_down", message);
    } else if let Some(seconds) = place.last_heard_seconds.filter(|seconds| *seconds > SILENT) {
        let message =
            format!("it has not heard of its master for {seconds} s: its data may be old");
        found.warning("master_silent", message);
    }
    if place.sync_in_progress == Some(true) {
        let message = "it is getting all data anew, and its dump file is about to be replaced";
        found.problem("sync_in_progress", message);
    }
    if let Some(behind) = place.unapplied.filter(|behind| *behind > most_behind) {
        let message = format!("it has got {} MiB that it has not applied yet", mib(behind));
        found.warning("behind", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::info::Info;

    fn codes(info: &str) -> Vec<&'static str> {
        let mut found = Found::default();
        replication(&Replication::of(&Info::parse(info.as_bytes())), 1 << 20, &mut found);
        found.codes()
    }

    #[test]
    fn a_replica_that_may_be_old_is_found() {
        let up = "role:slave\nmaster_link_status:up\nmaster_last_io_seconds_ago:";
        assert!(codes(&format!("{up}3\n")).is_empty());
        assert_eq!(codes(&format!("{up}30\n")), ["master_silent"]);
        // While the link is down there is no time since.
        assert_eq!(
            codes("role:slave\nmaster_link_status:down\nmaster_last_io_seconds_ago:-1\n"),
            ["link_down"]
        );
        let offsets = "slave_repl_offset:5\nslave_read_repl_offset:9000000\n";
        assert_eq!(codes(&format!("{up}3\n{offsets}")), ["behind"]);
    }

    #[test]
    fn a_master_with_slow_replicas_is_told_so() {
        let master = "role:master\nmaster_repl_offset:9000000\nslave0:ip=h,port=7,";
        assert!(codes(&format!("{master}state=online,offset=8999999,lag=0\n")).is_empty());
        assert_eq!(codes(&format!("{master}state=online,offset=5,lag=9\n")), ["replica_behind"]);
        assert_eq!(
            codes(&format!("{master}state=wait_bgsave,offset=8999999,lag=0\n")),
            ["replica_syncing"]
        );
    }
}
