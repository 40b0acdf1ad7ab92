//! `redkeep snapshot`: a dump of a running server, checked while it is written.

use crate::cli::human::several;
use crate::cli::output::Output;
use crate::cli::progress::{Bar, Watched};
use crate::cli::report::Printout;
use crate::cli::server::{Monotonic, ServerArguments};
use crate::cli::{Exit, as_json, complain, now, print};
use crate::error::{Error, ErrorKind, Result};
use crate::live::replication::{SnapshotOutcome, TransferFacts, dial, snapshot_into};
use crate::live::{
    Connection, Driver, ProbeOptions, SaveOptions, ScanOptions, ScanOutcome, Snapshot, bgsave,
    probe, scan,
};
use crate::rdb::check::{CheckOptions, Report, Verdict};
use crate::task::copy_checked;
use crate::time::UnixMillis;
use clap::{Args, ValueEnum};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Take a snapshot of a running server, and check it while it is written
///
/// The server is asked to save (BGSAVE), and the file of that very save is copied, never one that was
/// there before; it has to be readable from here. Where that is not open the server sends what a replica
/// gets, and where that is not open either the keys are fetched one by one, which is not from one
/// moment.
#[derive(Debug, Args)]
pub(crate) struct SnapshotArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The dump to write: it appears whole and sound, or not at all
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the output if it exists
    #[arg(long)]
    force: bool,
    /// How to take it
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    driver: Way,
    /// The server's dump file as seen from here, where the server does not say or is elsewhere
    #[arg(long, value_name = "FILE")]
    dump_file: Option<PathBuf>,
    /// How long the server may take to save
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    deadline: u64,
    /// Print what was done and found as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// By bgsave where that is open, else by replication, else by scan
    Auto,
    /// BGSAVE, and the file that it writes
    Bgsave,
    /// As a replica gets it: over the connection, from one moment (not over TLS)
    Replication,
    /// SCAN and DUMP, key by key: not from one moment
    Scan,
}

/// What was taken and what is in it.
#[derive(serde::Serialize)]
struct Taken {
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Snapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication: Option<Replicated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<Scanned>,
    report: Report,
}

/// Where in the server's history a dump stands that came as replicas get it.
#[derive(serde::Serialize)]
struct Replicated {
    bytes: u64,
    facts: TransferFacts,
}

/// What only a scan has to tell.
#[derive(serde::Serialize)]
struct Scanned {
    vanished: u64,
    repeated: u64,
    function_libraries: Option<u64>,
    emptied: Option<bool>,
}

pub(crate) fn run(arguments: &SnapshotArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

fn failed(error: Error) -> Exit {
    let exit = if error.kind() == ErrorKind::Usage { Exit::Usage } else { Exit::Failed };
    complain(error);
    exit
}

impl SnapshotArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let at = now();
        let mut output = Output::create(&self.output, self.force).map_err(failed)?;
        let mut server = self.server.open()?;
        let taken = match self.way(&mut server) {
            Ok(Way::Scan) => scanned(&mut server, &mut output, at),
            Ok(Way::Replication) => self.replicated(&mut output, at),
            Ok(Way::Auto | Way::Bgsave) => self.saved(&mut server, &mut output, at),
            Err(error) => Err(error),
        };
        let taken = taken.map_err(|error| {
            let exit = failed(error.in_file(server.address()));
            complain("nothing was written");
            exit
        })?;
        let kept = matches!(taken.report.verdict, Verdict::Sound | Verdict::Findings);
        if kept {
            output.commit().map_err(failed)?;
        }
        print(self.text(&taken)?.as_bytes())?;
        if !kept {
            complain("nothing was written: what the server gave cannot be read to its end");
        }
        let partial = taken.scan.as_ref().is_some_and(|scan| scan.emptied == Some(true));
        if partial {
            complain("databases were emptied or swapped meanwhile: much may be missing");
        }
        let sound = taken.report.verdict == Verdict::Sound && !partial;
        Ok(if sound { Exit::Done } else { Exit::Findings })
    }

    /// The way to take, and on stderr why it is not the better one.
    fn way(&self, server: &mut Connection) -> Result<Way> {
        if self.driver != Way::Auto {
            return Ok(self.driver);
        }
        let mut options = ProbeOptions::default();
        options.dump_file.clone_from(&self.dump_file);
        let probe = probe(server, &options)?;
        let closed = |driver| {
            let report = probe.driver(driver).filter(|report| !report.possible)?;
            Some(format!("{driver} is not open: {}", report.obstacles.join("; ")))
        };
        let Some(why) = closed(Driver::Bgsave) else { return Ok(Way::Bgsave) };
        complain(why);
        let closed = match self.server.is_tls() {
            true => Some("replication is not open over TLS".to_owned()),
            false => closed(Driver::Replication),
        };
        let Some(why) = closed else { return Ok(Way::Replication) };
        complain(format_args!("{why}; taking it key by key"));
        Ok(Way::Scan)
    }

    fn replicated(&self, output: &mut Output, at: UnixMillis) -> Result<Taken> {
        let options = self.server.options().map_err(|_| Error::usage("no way to log in"))?;
        let (wire, options) = dial(&options)?;
        let options = options.deadline(Duration::from_secs(self.deadline));
        let check = CheckOptions::default().now(at);
        let SnapshotOutcome { facts, bytes, report, .. } =
            snapshot_into(wire, Instant::now, &options, &check, output)?;
        let replication = Some(Replicated { bytes, facts });
        Ok(Taken { snapshot: None, replication, scan: None, report })
    }

    fn saved(&self, server: &mut Connection, output: &mut Output, at: UnixMillis) -> Result<Taken> {
        let mut options = SaveOptions::default().deadline(Duration::from_secs(self.deadline));
        options.file.clone_from(&self.dump_file);
        let (file, snapshot) = bgsave(server, &Monotonic::start(), &options)?.into_parts();
        let file = Watched::new(file, Some(Bar::new("copying", snapshot.bytes)));
        let report = copy_checked(file, output, &CheckOptions::default().now(at))?;
        Ok(Taken { snapshot: Some(snapshot), replication: None, scan: None, report })
    }

    fn text(&self, taken: &Taken) -> Result<String, Exit> {
        if self.json {
            return as_json(taken);
        }
        let name = self.output.display().to_string();
        let len = match (&taken.snapshot, &taken.replication) {
            (Some(snapshot), _) => snapshot.bytes,
            (None, replication) => replication.as_ref().map(|replication| replication.bytes),
        };
        let report = Printout { report: &taken.report, name: &name, len, now: now() };
        Ok(format!("{report}{}", in_words(taken)))
    }
}

/// Checked at the other end of a pipe, while it is put together.
fn scanned(server: &mut Connection, output: &mut Output, at: UnixMillis) -> Result<Taken> {
    let (reader, writer) = std::io::pipe()?;
    let (outcome, report) = std::thread::scope(|scope| {
        let scan = scope.spawn(|| scan(server, writer, &ScanOptions::default()));
        let reader = Watched::new(reader, Some(Bar::new("scanning", None)));
        let report = copy_checked(reader, output, &CheckOptions::default().now(at));
        (scan.join(), report)
    });
    let outcome = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    // A scan that failed leaves a cut dump; a target that failed, a pipe that nobody reads.
    let (outcome, report) = match (outcome, report) {
        (Err(error), Err(target)) if error.is_io() => return Err(target),
        (Err(error), Ok(report)) if error.io_kind() == Some(io::ErrorKind::BrokenPipe) => {
            // The check gave up first, and why is in what it found.
            report.findings.iter().take(1).for_each(|found| complain(&found.message));
            return Err(error);
        }
        (outcome, report) => (outcome?, report?),
    };
    let ScanOutcome { snapshot, vanished, repeated, function_libraries, emptied, .. } = outcome;
    let scan = Some(Scanned { vanished, repeated, function_libraries, emptied });
    Ok(Taken { snapshot: Some(snapshot), replication: None, scan, report })
}

fn in_words(taken: &Taken) -> String {
    if let Some(Replicated { facts, .. }) = &taken.replication {
        let place = match (&facts.replid, facts.offset) {
            (Some(replid), Some(offset)) => format!("; up to offset {offset} of {replid}"),
            _ => String::new(),
        };
        return format!("  taken by    replication{place}\n");
    }
    let Some(snapshot) = &taken.snapshot else { return String::new() };
    if let Some(scan) = &taken.scan {
        let functions = match scan.function_libraries {
            Some(_) => "",
            None => "; without function libraries, which it did not give",
        };
        let vanished = several(scan.vanished, "key", "keys");
        return format!(
            "  taken by    scan, so not from one moment; {vanished} vanished meanwhile{functions}\n"
        );
    }
    let rounds = match snapshot.rounds {
        1 => String::new(),
        rounds => format!(", asked for {rounds} times"),
    };
    let writes = several(snapshot.writes_meanwhile.unwrap_or(0), "write", "writes");
    format!("  taken by    {}{rounds}; {writes} came too late for it\n", snapshot.driver)
}
