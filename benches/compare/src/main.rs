//! Compares redkeep with other readers of RDB files: the same files, the same jobs, CPU time.
//!
//! ```text
//! cargo run --release -- [--runs N] [--job NAME] [--only TEXT] FILE...
//! ```
//!
//! Every measurement is a process of its own, so user and system time, and the peak of its memory,
//! are what the kernel counted for exactly that work. The contenders take turns (A B C, A B C, ...),
//! so a slow moment of the machine meets all of them; shown is the median. Wall time is not shown.
//!
//! `compare one JOB CONTENDER FILE` does one job in this process and prints what was delivered: for
//! a profiler, or for counting instructions with callgrind.

mod child;
mod contenders;
mod librdb_jobs;
mod rdb_jobs;
mod redkeep_jobs;
mod table;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::child::Measured;
use crate::contenders::{CONTENDERS, Contender, Work};

const USAGE: &str = "usage: compare [--runs N] [--job NAME] [--only TEXT] FILE...
       compare one JOB CONTENDER FILE
       compare list";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["one", job, name, file] => one(job, name, Path::new(file)),
        ["list"] => {
            for c in CONTENDERS {
                println!("{:<7} {:<22} {}", c.job, c.name, c.what);
            }
            Ok(())
        }
        [] | ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        words => compare(words),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does one job here and reports on standard error: standard output may be a job's sink.
fn one(job: &str, name: &str, file: &Path) -> Result<(), Box<dyn Error>> {
    let contender = CONTENDERS
        .iter()
        .find(|c| c.job == job && c.name == name)
        .ok_or("no such job and contender; see `compare list`")?;
    let Work::Call(work) = contender.work else {
        return Err("this contender is a program of its own".into());
    };
    eprintln!("{}", work(file)?);
    Ok(())
}

struct Choice {
    runs: usize,
    job: Option<String>,
    only: Option<String>,
    files: Vec<PathBuf>,
}

impl Choice {
    fn parse(words: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut choice = Self { runs: 3, job: None, only: None, files: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value\n{USAGE}"));
            match *word {
                "--runs" => choice.runs = value()?.parse()?,
                "--job" => choice.job = Some(value()?.to_string()),
                "--only" => choice.only = Some(value()?.to_string()),
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}\n{USAGE}").into());
                }
                file => choice.files.push(file.into()),
            }
        }
        if choice.files.is_empty() || choice.runs == 0 {
            return Err(USAGE.into());
        }
        Ok(choice)
    }

    /// redkeep always runs: everything else is measured against it.
    fn wants(&self, c: &Contender) -> bool {
        self.job.as_ref().is_none_or(|job| job == c.job)
            && (c.is_redkeep() || self.only.as_ref().is_none_or(|text| c.name.contains(text)))
    }
}

fn compare(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let choice = Choice::parse(words)?;
    for file in &choice.files {
        // Brings the file into the page cache, so that the first contender doesn't pay for it.
        let bytes = std::io::copy(&mut std::fs::File::open(file)?, &mut std::io::sink())?;
        let shown = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        println!("## {shown}, {:.1} MB, median of {}\n", bytes as f64 / 1e6, choice.runs);
        for job in contenders::JOBS {
            let chosen: Vec<&Contender> =
                CONTENDERS.iter().filter(|c| c.job == job.name && choice.wants(c)).collect();
            if chosen.is_empty() {
                continue;
            }
            println!("### {}: {}\n", job.name, job.what);
            print!("{}", table::render(&chosen, &rounds(&chosen, file, choice.runs), bytes));
            println!();
        }
    }
    Ok(())
}

/// What each contender did in each round, or why it could not.
type Results = BTreeMap<&'static str, Result<Vec<Measured>, String>>;

fn rounds(chosen: &[&Contender], file: &Path, runs: usize) -> Results {
    let mut results: Results = chosen.iter().map(|c| (c.name, Ok(Vec::new()))).collect();
    for _ in 0..runs {
        for contender in chosen {
            let Some(Ok(measured)) = results.get_mut(contender.name) else {
                continue; // it failed in an earlier round
            };
            match child::measure(contender, file) {
                Ok(m) => measured.push(m),
                Err(error) => {
                    results.insert(contender.name, Err(error.to_string()));
                }
            }
        }
    }
    results
}
