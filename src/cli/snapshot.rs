//! `redkeep snapshot`: a dump of a running server, checked while it is written.

use crate::cli::human::several;
use crate::cli::output::Output;
use crate::cli::progress::{Bar, Watched};
use crate::cli::report::Printout;
use crate::cli::server::{Monotonic, ServerArguments};
use crate::cli::{Exit, complain, now, print};
use crate::error::{ErrorKind, Fault};
use crate::live::{BgsaveOptions, Snapshot, bgsave};
use crate::rdb::check::{CheckOptions, Report, Verdict};
use crate::task::copy_checked;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Take a snapshot of a running server, and check it while it is written
///
/// The server is asked to save (BGSAVE), and the file of that very save is copied, never one that was
/// there before. It has to be readable from here.
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
    /// The best that is open; so far there is one
    Auto,
    /// BGSAVE, and the file that it writes
    Bgsave,
}

/// What was taken and what is in it.
#[derive(serde::Serialize)]
struct Taken<'a> {
    snapshot: &'a Snapshot,
    report: &'a Report,
}

pub(crate) fn run(arguments: &SnapshotArguments) -> Exit {
    take(arguments).unwrap_or_else(|exit| exit)
}

fn take(arguments: &SnapshotArguments) -> Result<Exit, Exit> {
    let failed = |error: crate::Error| {
        let exit = if error.kind() == ErrorKind::Usage { Exit::Usage } else { Exit::Failed };
        complain(error);
        exit
    };
    let mut output = Output::create(&arguments.output, arguments.force).map_err(failed)?;
    let mut server = arguments.server.open()?;
    let mut options = BgsaveOptions::default().deadline(Duration::from_secs(arguments.deadline));
    options.file.clone_from(&arguments.dump_file);
    let (Way::Auto | Way::Bgsave) = arguments.driver;
    let taken = bgsave(&mut server, &Monotonic::start(), &options).map_err(|error| {
        let named = error.fault() == Some(Fault::SaveUnproven);
        let exit = failed(error.in_file(server.address()));
        complain("nothing was written");
        if named && arguments.dump_file.is_some() {
            complain("is --dump-file the file that this server writes?");
        }
        exit
    })?;
    let (file, snapshot) = taken.into_parts();
    let file = Watched::new(file, Some(Bar::new("copying", snapshot.bytes)));
    let at = now();
    let report =
        copy_checked(file, &mut output, &CheckOptions::default().now(at)).map_err(failed)?;
    let kept = matches!(report.verdict, Verdict::Sound | Verdict::Findings);
    if kept {
        output.commit().map_err(failed)?;
    }
    let name = arguments.output.display().to_string();
    let text = match arguments.json {
        true => {
            let taken = Taken { snapshot: &snapshot, report: &report };
            serde_json::to_string_pretty(&taken).map(|json| json + "\n").map_err(|error| {
                complain(format_args!("the outcome cannot be written as JSON: {error}"));
                Exit::Failed
            })?
        }
        false => {
            let len = snapshot.bytes;
            let report = Printout { report: &report, name: &name, len, now: at };
            format!("{report}{}", in_words(&snapshot))
        }
    };
    print(text.as_bytes())?;
    if !kept {
        complain("nothing was written: the server's file cannot be read to its end");
    }
    Ok(if report.verdict == Verdict::Sound { Exit::Done } else { Exit::Findings })
}

fn in_words(snapshot: &Snapshot) -> String {
    let rounds = match snapshot.rounds {
        1 => String::new(),
        rounds => format!(", asked for {rounds} times"),
    };
    let writes = snapshot.writes_meanwhile.unwrap_or(0);
    let writes = several(writes, "write", "writes");
    format!("  taken by    {}{rounds}; {writes} came too late for it\n", snapshot.driver)
}
