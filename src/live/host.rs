//! The machine of a server, where that is this one.

use crate::live::facts::{Files, ServerFacts};
use std::fs;
use std::path::Path;

/// What Linux does when more memory is asked for than there is (`vm.overcommit_memory`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Overcommit {
    /// 0: it refuses what looks hopeless, which a fork may when memory is short.
    Heuristic,
    /// 1: it promises everything, as servers want it.
    Always,
    /// 2: it promises no more than a limit.
    Never,
}

/// The memory of the machine that a server runs on, where that is this one and has a `/proc`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Host {
    /// Bytes that programs can get without others being swapped out.
    pub memory_available: Option<u64>,
    /// What is done when more is asked for.
    pub overcommit: Option<Overcommit>,
    /// Bytes that can be promised until the limit; it counts for [`Overcommit::Never`].
    pub commit_left: Option<u64>,
}

impl Host {
    /// `None` where the server runs elsewhere, or nobody knows: its process is looked for here, and has to
    /// be in the server's data directory, as servers are.
    pub(crate) fn of(server: &ServerFacts, files: &Files) -> Option<Host> {
        let dir = files.dir.as_ref()?.canonicalize().ok()?;
        let place = fs::read_link(format!("/proc/{}/cwd", server.process_id?)).ok()?;
        if place != dir {
            return None;
        }
        Some(Host::read(Path::new("/proc")))
    }

    fn read(proc: &Path) -> Host {
        let text = |name: &str| fs::read_to_string(proc.join(name)).unwrap_or_default();
        let memory = text("meminfo");
        let bytes = |name: &str| {
            let line =
                memory.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
        };
        let promised = bytes("CommitLimit").zip(bytes("Committed_AS"));
        Host {
            memory_available: bytes("MemAvailable"),
            overcommit: match text("sys/vm/overcommit_memory").trim() {
                "0" => Some(Overcommit::Heuristic),
                "1" => Some(Overcommit::Always),
                "2" => Some(Overcommit::Never),
                _ => None,
            },
            commit_left: promised.map(|(limit, gone)| limit.saturating_sub(gone)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_of_memory_is_read() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(Host::read(proc.path()), Host::default());
        fs::create_dir_all(proc.path().join("sys/vm")).unwrap();
        fs::write(proc.path().join("sys/vm/overcommit_memory"), "2\n").unwrap();
        let text = "MemFree: 1 kB\nMemAvailable:   2 kB\nCommitLimit: 10 kB\nCommitted_AS: 12 kB\n";
        fs::write(proc.path().join("meminfo"), text).unwrap();
        let host = Host::read(proc.path());
        assert_eq!((host.memory_available, host.commit_left), (Some(2048), Some(0)));
        assert_eq!(host.overcommit, Some(Overcommit::Never));
    }

    #[test]
    fn a_server_that_runs_elsewhere_is_not_of_this_machine() {
        let own = u64::from(std::process::id());
        let here = ServerFacts { process_id: Some(own), ..ServerFacts::default() };
        let files = |dir: &Path| Files { dir: Some(dir.to_owned()), ..Files::default() };
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Host::of(&here, &files(folder.path())), None);
        assert_eq!(Host::of(&ServerFacts::default(), &files(folder.path())), None);
        assert_eq!(Host::of(&here, &Files::default()), None);
    }
}
