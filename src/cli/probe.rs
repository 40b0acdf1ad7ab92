//! `redkeep probe`: what a server is and would lose, and how a snapshot of it could be taken.

use crate::cli::human::{ago, count, several, size, visible};
use crate::cli::server::ServerArguments;
use crate::cli::{Exit, as_json, complain, now, print};
use crate::live::{Probe, ProbeOptions, Role, Severity, probe};
use crate::time::UnixMillis;
use clap::Args;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// Ask a running server what it holds, what a crash would lose, and how a snapshot could be taken
///
/// Nothing is changed on the server. Exit code 3 where something fails there or no way is open.
#[derive(Debug, Args)]
pub(crate) struct ProbeArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Print all of it as one JSON document
    #[arg(long)]
    json: bool,
    /// The server's redis.conf, to be read where the server does not tell its settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ProbeArguments) -> Exit {
    let asked = arguments.server.open().and_then(|mut server| {
        let mut options = ProbeOptions::default().now(now());
        options.config_file.clone_from(&arguments.config);
        probe(&mut server, &options).map(|probe| (server.address().to_owned(), probe)).map_err(
            |error| {
                complain(error.in_file(server.address()));
                Exit::Failed
            },
        )
    });
    let printed = asked.and_then(|(address, probe)| {
        let text = match arguments.json {
            true => as_json(&probe)?,
            false => Printout { probe: &probe, address: &address, now: now() }.to_string(),
        };
        print(text.as_bytes())?;
        let problem = probe.findings.iter().any(|found| found.severity == Severity::Problem);
        Ok(if problem { Exit::Findings } else { Exit::Done })
    });
    printed.unwrap_or_else(|exit| exit)
}

struct Printout<'a> {
    probe: &'a Probe,
    address: &'a str,
    now: UnixMillis,
}

fn row(f: &mut Formatter<'_>, label: &str, text: impl Display) -> fmt::Result {
    writeln!(f, "  {label:<11} {}", visible(&text.to_string()))
}

impl Display for Printout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Printout { probe, address, .. } = self;
        let server = &probe.server;
        let title = format!("{} {} at {address}", server.product, server.version);
        writeln!(f, "{}\n", visible(&title))?;
        let role = match probe.replication.role {
            Role::Master => several(probe.replication.replicas.len() as u64, "replica", "replicas"),
            Role::Replica => "itself a replica".to_owned(),
            Role::Sentinel => "a sentinel".to_owned(),
        };
        row(f, "role", format_args!("{}, {role}", server.mode))?;
        row(f, "keys", count(probe.dbs.iter().map(|db| db.keys).sum()))?;
        for db in &probe.dbs {
            let expiring = count(db.expiring);
            row(
                f,
                &format!("  db {}", db.db),
                format_args!("{}; {expiring} with an expiry", count(db.keys)),
            )?;
        }
        if let Some(used) = probe.memory.used {
            row(f, "memory", size(used))?;
        }
        if !probe.modules.is_empty() {
            let names = probe.modules.iter().map(|module| module.name.as_str());
            row(f, "modules", names.collect::<Vec<_>>().join(", "))?;
        }
        self.persistence(f)?;
        writeln!(f, "\nWays to a snapshot")?;
        for report in &probe.drivers {
            let (verdict, why) = match report.possible {
                true => ("open", &report.remarks),
                false => ("closed", &report.obstacles),
            };
            let label = report.driver.to_string();
            row(f, &label, format_args!("{verdict:<7} {}", why.join("; ")).to_string().trim_end())?;
        }
        if !probe.findings.is_empty() {
            writeln!(f, "\nWorth looking at")?;
        }
        probe.findings.iter().try_for_each(|found| {
            let label = match found.severity {
                Severity::Problem => "PROBLEM",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            row(f, label, &found.message)
        })
    }
}

impl Printout<'_> {
    fn persistence(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let facts = &self.probe.persistence;
        if let Some(at) = facts.last_save.and_then(|at| i64::try_from(at).ok()) {
            let failed =
                if facts.last_save_ok == Some(false) { "; the last one failed" } else { "" };
            let when = ago(at, self.now);
            match facts.saves {
                Some(0) => row(f, "last save", format_args!("none since the start {when}"))?,
                _ => row(f, "last save", format_args!("{when}{failed}"))?,
            }
        }
        let rules = facts.save_rules.as_ref().map(|rules| {
            let rules = rules.iter().map(|rule| {
                format!("{} after {} s", several(rule.writes, "write", "writes"), rule.seconds)
            });
            rules.collect::<Vec<_>>().join(", ")
        });
        match rules.as_deref() {
            Some("") => row(f, "saves", "none by itself")?,
            Some(rules) => row(f, "saves", rules)?,
            None => row(f, "saves", "when, is not known")?,
        }
        match (facts.log, &facts.log_fsync) {
            (true, Some(fsync)) => row(f, "log", format_args!("flushed: {fsync}"))?,
            (true, None) => row(f, "log", "yes; when it is flushed, is not known")?,
            (false, _) => row(f, "log", "none")?,
        }
        if let Some(dump) = &self.probe.files.dump {
            row(f, "dump", dump.display())?;
        }
        row(f, "a crash now", format_args!("would lose {}", self.probe.at_risk.words))
    }
}
