//! What should be looked at before a backup of this server is relied on.

use crate::live::commands::Access;
use crate::live::drivers::Driver;
use crate::live::facts::Role;
use crate::live::probe::Probe;
use crate::live::settings::Settings;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It may keep a snapshot from working, or cost the server more than expected.
    Warning,
    /// Something fails now, or data would be lost.
    Problem,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// Its stable name.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
}

/// What the facts say without any further right; the worst first.
pub(crate) fn preflight(probe: &Probe, settings: &Settings) -> Vec<Finding> {
    let mut found = Found(Vec::new());
    failures(probe, &mut found);
    place(probe, &mut found);
    cost(probe, settings, &mut found);
    found.0.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.0
}

struct Found(Vec<Finding>);

impl Found {
    fn add(&mut self, severity: Severity, code: &'static str, message: impl Into<String>) {
        self.0.push(Finding { code, severity, message: message.into() });
    }
}

fn failures(probe: &Probe, found: &mut Found) {
    let facts = &probe.persistence;
    if facts.loading {
        found.add(Severity::Problem, "loading", "it is loading its data: little else is answered");
    }
    if facts.last_save_ok == Some(false) {
        let message =
            "the last save failed; why is in the server's log, often a full or unwritable disk";
        found.add(Severity::Problem, "last_save_failed", message);
    }
    if facts.log && facts.log_write_ok == Some(false) {
        found.add(Severity::Problem, "log_write_failed", "writing to the append-only file fails");
    }
    if facts.log && facts.log_rewrite_ok == Some(false) {
        found.add(Severity::Warning, "log_rewrite_failed", "the last rewrite of the log failed");
    }
    let never = facts.save_rules.as_ref().is_some_and(Vec::is_empty) && !facts.log;
    if never && probe.replication.role == Role::Master {
        let message = "nothing is kept on disk by itself: no save points, and no log";
        found.add(Severity::Warning, "not_persistent", message);
    }
    if probe.files.dir.is_none() && probe.files.source == crate::live::SettingsSource::Server {
        let message = "its data directory was removed while it runs: no save can work";
        found.add(Severity::Problem, "no_directory", message);
    }
    if !probe.drivers.iter().any(|driver| driver.possible) {
        found.add(Severity::Problem, "no_driver", "no way to a snapshot is open");
    }
}

fn place(probe: &Probe, found: &mut Found) {
    let place = &probe.replication;
    if place.role == Role::Replica {
        if place.link_up == Some(false) {
            let message = "it has lost its master: its data are those of that moment";
            found.add(Severity::Problem, "link_down", message);
        }
        if place.sync_in_progress == Some(true) {
            let message = "it is getting all data anew, and its dump file is about to be replaced";
            found.add(Severity::Problem, "sync_in_progress", message);
        }
    }
    if probe.server.mode == "cluster" {
        let message = "a node of a cluster: a snapshot has the keys of this node only";
        found.add(Severity::Warning, "cluster", message);
    }
    if !probe.modules.is_empty() {
        let names: Vec<_> = probe.modules.iter().map(|module| module.name.as_str()).collect();
        let message = format!("a restore needs these modules: {}", names.join(", "));
        found.add(Severity::Note, "modules", message);
    }
    let replaced = |command| {
        probe
            .commands
            .iter()
            .any(|found| found.command == command && found.access == Access::Absent)
    };
    if replaced("BGSAVE") || replaced("CONFIG") {
        let message = "commands were renamed or removed: this may be a managed service";
        found.add(Severity::Note, "commands_missing", message);
    }
}

fn cost(probe: &Probe, settings: &Settings, found: &mut Found) {
    let memory = &probe.memory;
    let possible = |driver| probe.driver(driver).is_some_and(|report| report.possible);
    if let Some(used) = memory.used.filter(|_| possible(Driver::Bgsave)) {
        let message = format!(
            "a save needs up to {} MiB on the server's disk beside the old file, and up to as much \
             memory again for what is written meanwhile",
            used.div_ceil(1 << 20)
        );
        found.add(Severity::Note, "save_cost", message);
    }
    // Seen: 28 to 43 ms per GiB of resident memory.
    if let Some(pause) =
        memory.resident.map(|bytes| (bytes >> 20) * 43 / 1024).filter(|ms| *ms >= 100)
    {
        let message = format!("a fork may stop the server for {pause} ms and more");
        found.add(Severity::Warning, "fork_pause", message);
    }
    let evicts = memory.policy.as_deref().is_some_and(|policy| policy != "noeviction");
    if evicts && memory.limit.is_some_and(|limit| limit > 0) {
        let policy = memory.policy.as_deref().unwrap_or_default();
        let message = format!("it removes keys by itself when memory is short ({policy})");
        found.add(Severity::Note, "evicts", message);
    }
    if settings.is_yes("rdbchecksum") == Some(false) {
        let message = "its dumps have no checksum (rdbchecksum no): damage can pass unseen";
        found.add(Severity::Warning, "no_checksum", message);
    }
    let saving = probe.persistence.save_rules.as_ref().is_some_and(|rules| !rules.is_empty());
    if probe.persistence.last_save_ok == Some(false)
        && saving
        && settings.is_yes("stop-writes-on-bgsave-error") == Some(true)
    {
        let message = "it refuses writes until a save succeeds (stop-writes-on-bgsave-error)";
        found.add(Severity::Problem, "writes_refused", message);
    }
    if let Some(limit) = settings.get("client-output-buffer-limit").and_then(replica_limit)
        && memory.used.is_some_and(|used| used > limit)
    {
        let message = format!(
            "a snapshot by replication must be read as fast as it is written: more than {} MiB \
             behind, the server hangs up",
            limit >> 20
        );
        found.add(Severity::Note, "replica_buffer", message);
    }
}

/// The hard limit for replicas, where there is one.
fn replica_limit(value: &str) -> Option<u64> {
    let mut words = value.split_ascii_whitespace();
    words.find(|word| matches!(*word, "slave" | "replica"))?;
    words.next()?.parse().ok().filter(|limit| *limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_replicas_stands_behind_their_name() {
        let value = "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3";
        assert_eq!(replica_limit(value), Some(268_435_456));
        assert_eq!(replica_limit("replica 0 0 0"), None);
        assert_eq!(replica_limit("normal 1 2 3"), None);
    }
}
