//! What a snapshot would cost the server, and whether it can afford that.

use crate::live::drivers::Driver;
use crate::live::facts::Memory;
use crate::live::host::{Host, Overcommit};
use crate::live::preflight::finding::{Found, mib};
use crate::live::probe::Probe;
use crate::live::settings::Settings;

pub(super) fn cost(probe: &Probe, settings: &Settings, found: &mut Found) {
    let memory = &probe.memory;
    let possible = |driver| probe.driver(driver).is_some_and(|report| report.possible);
    if let Some(used) = memory.used.filter(|_| possible(Driver::Bgsave)) {
        let message = format!(
            "a save needs up to {} MiB on the server's disk beside the old file, and up to as much \
             memory again for what is written meanwhile",
            mib(used)
        );
        found.note("save_cost", message);
    }
    // Seen: 28 to 43 ms per GiB of resident memory.
    if let Some(pause) =
        memory.resident.map(|bytes| (bytes >> 20) * 43 / 1024).filter(|ms| *ms >= 100)
    {
        found.warning("fork_pause", format!("a fork may stop the server for {pause} ms and more"));
    }
    fork(memory, probe.host.as_ref(), found);
    limit(memory, found);
    if settings.is_yes("rdbchecksum") == Some(false) {
        let message = "its dumps have no checksum (rdbchecksum no): damage can pass unseen";
        found.warning("no_checksum", message);
    }
    let saving = probe.persistence.save_rules.as_ref().is_some_and(|rules| !rules.is_empty());
    if probe.persistence.last_save_ok == Some(false)
        && saving
        && settings.is_yes("stop-writes-on-bgsave-error") == Some(true)
    {
        let message = "it refuses writes until a save succeeds (stop-writes-on-bgsave-error)";
        found.problem("writes_refused", message);
    }
    if let Some(limits) = settings.get("client-output-buffer-limit").and_then(Limits::of) {
        limits.compare(memory.used.unwrap_or(0), found);
    }
}

/// Whether a fork has the memory that it may need.
fn fork(memory: &Memory, host: Option<&Host>, found: &mut Found) {
    let Some(resident) = memory.resident else { return };
    let available = host.and_then(|host| host.memory_available);
    // What others on a machine that is not this one have taken, is not known.
    let others = memory.system.map(|all| all.saturating_sub(resident));
    let room = available.or(others);
    if let Some(room) = room.filter(|room| resident > *room) {
        let last = match memory.last_save_copied {
            Some(copied) if copied > 0 => format!("; the last one took {} MiB", mib(copied)),
            _ => String::new(),
        };
        let message = format!(
            "a save takes up to {} MiB of memory if much is written meanwhile, and {} MiB are \
             there{last}",
            mib(resident),
            mib(room)
        );
        found.warning("fork_memory", message);
    }
    match host.and_then(|host| host.overcommit) {
        Some(Overcommit::Heuristic) if available.is_some_and(|room| resident > room) => {
            let message = "a fork may be refused while memory is short (vm.overcommit_memory is 0)";
            found.warning("overcommit", message);
        }
        Some(Overcommit::Never) => {
            let left = host.and_then(|host| host.commit_left);
            if let Some(left) = left.filter(|left| resident > *left) {
                let message = format!(
                    "a fork will be refused: {} MiB can still be promised, and it takes {} MiB \
                     (vm.overcommit_memory is 2)",
                    mib(left),
                    mib(resident)
                );
                found.problem("overcommit", message);
            }
        }
        _ => {}
    }
}

/// What happens at `maxmemory`, and how near that is.
fn limit(memory: &Memory, found: &mut Found) {
    let Some(limit) = memory.limit.filter(|limit| *limit > 0) else { return };
    let policy = memory.policy.as_deref().unwrap_or_default();
    let evicts = !matches!(policy, "" | "noeviction");
    if evicts {
        let message = format!("it removes keys by itself when memory is short ({policy})");
        found.note("evicts", message);
    }
    if memory.used.is_some_and(|used| used > limit / 10 * 9) {
        let next = if evicts { "keys are or will be removed" } else { "writes will be refused" };
        let used = mib(memory.used.unwrap_or(0));
        let message = format!("it uses {used} of the {} MiB of maxmemory: {next}", mib(limit));
        found.warning("near_limit", message);
    }
    if memory.system.is_some_and(|system| limit > system) {
        let message = "maxmemory is more than its machine has: it would be killed before it stops";
        found.warning("limit_over_memory", message);
    }
}

/// `client-output-buffer-limit` for replicas; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    /// At so many bytes the server hangs up at once.
    hard: u64,
    /// At so many, after some seconds.
    soft: u64,
    seconds: u64,
}

impl Limits {
    /// Those that stand behind the name, where there are any.
    fn of(value: &str) -> Option<Limits> {
        let mut words = value.split_ascii_whitespace();
        words.find(|word| matches!(*word, "slave" | "replica"))?;
        let mut number = || words.next()?.parse().ok();
        let limits = Limits { hard: number()?, soft: number()?, seconds: number()? };
        (limits.hard > 0 || limits.soft > 0).then_some(limits)
    }

    /// The bound is how much can be written while all of that is sent: as much again, say.
    fn compare(self, used: u64, found: &mut Found) {
        let Limits { hard, soft, seconds } = self;
        let mut words = Vec::new();
        if hard > 0 && used > hard {
            words.push(format!("{} MiB", mib(hard)));
        }
        if soft > 0 && used > soft {
            words.push(format!("{} MiB for {seconds} s", mib(soft)));
        }
        if !words.is_empty() {
            let message = format!(
                "a snapshot by replication must be read as fast as it is written: more than {} \
                 behind, the server hangs up",
                words.join(", or more than ")
            );
            found.note("replica_buffer", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn memory(resident: u64, system: u64) -> Memory {
        Memory { resident: Some(resident), system: Some(system), ..Memory::default() }
    }

    fn forks(memory: &Memory, host: Option<Host>) -> Vec<&'static str> {
        let mut found = Found::default();
        fork(memory, host.as_ref(), &mut found);
        found.codes()
    }

    #[test]
    fn a_fork_that_may_not_have_the_memory_is_found() {
        assert!(forks(&memory(GIB, 4 * GIB), None).is_empty());
        assert_eq!(forks(&memory(3 * GIB, 4 * GIB), None), ["fork_memory"]);
        let host = |available, overcommit, commit_left| Host {
            memory_available: Some(available),
            overcommit: Some(overcommit),
            commit_left: Some(commit_left),
        };
        // What is known of the machine itself beats what the server knows of it.
        let small = memory(GIB, 4 * GIB);
        let short = host(GIB / 2, Overcommit::Always, 0);
        assert_eq!(forks(&small, Some(short)), ["fork_memory"]);
        let short = host(GIB / 2, Overcommit::Heuristic, 0);
        assert_eq!(forks(&small, Some(short)), ["fork_memory", "overcommit"]);
        let bound = host(4 * GIB, Overcommit::Never, GIB / 2);
        assert_eq!(forks(&small, Some(bound)), ["overcommit"]);
        assert!(forks(&small, Some(host(4 * GIB, Overcommit::Never, 2 * GIB))).is_empty());
        assert!(forks(&small, Some(host(4 * GIB, Overcommit::Heuristic, 0))).is_empty());
    }

    #[test]
    fn how_near_the_limit_is_and_what_then_is_found() {
        let codes = |used, most, policy: &str, system| {
            let memory = Memory {
                used: Some(used),
                limit: Some(most),
                policy: Some(policy.to_owned()),
                ..memory(used, system)
            };
            let mut found = Found::default();
            limit(&memory, &mut found);
            found.codes()
        };
        assert!(codes(GIB, 0, "allkeys-lru", GIB).is_empty());
        assert!(codes(GIB, 2 * GIB, "noeviction", 4 * GIB).is_empty());
        assert_eq!(codes(GIB, 2 * GIB, "allkeys-lru", 4 * GIB), ["evicts"]);
        assert_eq!(codes(GIB, GIB, "noeviction", 4 * GIB), ["near_limit"]);
        assert_eq!(codes(GIB, 8 * GIB, "noeviction", 4 * GIB), ["limit_over_memory"]);
    }

    #[test]
    fn the_limits_of_replicas_stand_behind_their_name() {
        let value = "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3";
        let limits = Limits { hard: 268_435_456, soft: 67_108_864, seconds: 60 };
        assert_eq!(Limits::of(value), Some(limits));
        assert_eq!(Limits::of("replica 0 0 0"), None);
        assert_eq!(Limits::of("replica 0 7 9").map(|limits| limits.soft), Some(7));
        assert_eq!(Limits::of("normal 1 2 3"), None);
        let finds = |used| {
            let mut found = Found::default();
            limits.compare(used, &mut found);
            !found.codes().is_empty()
        };
        assert!(finds(GIB) && finds(100 << 20) && !finds(1 << 20));
    }
}
