//! `redkeep show`: what is recorded of a backup.

use crate::cli::archive::place::{PlaceArguments, Which};
use crate::cli::human::{ago, count, date, several, size, visible};
use crate::cli::report::row;
use crate::cli::{Exit, as_json, failed, now, print};
use crate::repo::{Certificate, Manifest, Shard, Soundness, SourceState};
use crate::time::UnixMillis;
use clap::Args;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// Say what is recorded of a backup: where it is from, what is in it, and when it was last verified
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// `latest`, a time in UTC (the newest before it), or an id
    #[arg(default_value = "latest")]
    which: Which,
    #[command(flatten)]
    place: PlaceArguments,
    /// Print the manifest and the certificates as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    manifest: &'a Manifest,
    certificates: &'a [Certificate],
}

pub(crate) fn run(arguments: &ShowArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl ShowArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let stored = self.which.open(&self.place.open()?, &self.place.stream)?;
        let certificates = stored.certificates().map_err(failed)?;
        let manifest = stored.manifest();
        let text = match self.json {
            true => as_json(&Shown { manifest, certificates: &certificates })?,
            false => {
                let verified = match certificates.last() {
                    Some(last) => last_verified(last, now()),
                    None => "never".to_owned(),
                };
                format!("{}  verified    {verified}\n", Words(manifest))
            }
        };
        print(text.as_bytes())?;
        Ok(Exit::Done)
    }
}

/// How the last verification ended.
pub(crate) fn last_verified(last: &Certificate, now: UnixMillis) -> String {
    let ended = if last.passed() { "passed" } else { "FAILED" };
    format!("{ended} {}, level {}", ago(last.finished_at.get().div_euclid(1000), now), last.level)
}

/// A manifest, laid out for a terminal.
pub(crate) struct Words<'a>(pub(crate) &'a Manifest);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let manifest = self.0;
        let verdict = match manifest.soundness {
            Soundness::Sound => "SOUND",
            Soundness::Findings => "FINDINGS",
            Soundness::Unreadable => "UNREADABLE",
            _ => "DAMAGED",
        };
        writeln!(f, "{verdict}  {} of stream {}\n", manifest.backup, manifest.stream)?;
        let seconds = |time: UnixMillis| time.get().div_euclid(1000);
        let took = manifest.finished_at.get().saturating_sub(manifest.started_at.get());
        let took = format!("{}.{:01} s", took / 1000, took % 1000 / 100);
        row(f, "begun", format_args!("{}, took {took}", date(seconds(manifest.started_at))))?;
        if !manifest.tags.is_empty() {
            let tags: Vec<_> = manifest.tags.iter().map(|tag| visible(tag)).collect();
            row(f, "tags", tags.join(", "))?;
        }
        for shard in &manifest.shards {
            if manifest.shards.len() > 1 {
                writeln!(f, "  {}", visible(&shard.name))?;
            }
            from(f, shard)?;
            content(f, shard)?;
        }
        if let Some(skew) = manifest.skew_ms {
            row(f, "apart", format_args!("at most {} ms between the shards", count(skew)))?;
        }
        let (plain, stored) = (manifest.plain_bytes(), manifest.stored_bytes());
        row(f, "size", size(plain))?;
        let how = if manifest.is_encrypted() { "encrypted" } else { "in clear" };
        row(f, "stored", format_args!("{}, {how}", size(stored)))?;
        match manifest.source_change.state {
            SourceState::Other => row(f, "note", "another server than that of the backup before")?,
            SourceState::Restarted => {
                row(f, "note", "its data has another history than that of the backup before")?;
            }
            _ => {}
        }
        manifest.warnings.iter().try_for_each(|warning| row(f, "note", visible(warning)))
    }
}

fn from(f: &mut Formatter<'_>, shard: &Shard) -> fmt::Result {
    let source = &shard.source;
    let mut text = match source.driver.as_str() {
        "given" => "given as a file".to_owned(),
        driver => format!("by {}", visible(driver)),
    };
    if let Some(address) = &source.address {
        text += &format!(" from {}", visible(address));
    }
    if let Some(server) = &source.server {
        text += &format!(", {}", visible(server));
    }
    if let (Some(id), Some(offset)) = (&source.replication_id, source.offset) {
        text += &format!(", up to offset {offset} of {}", visible(id));
    }
    row(f, "taken", text)
}

fn content(f: &mut Formatter<'_>, shard: &Shard) -> fmt::Result {
    let content = &shard.content;
    let header = content.header.as_deref().unwrap_or("no RDB");
    let keys = several(content.keys, "key", "keys");
    let mut text = format!("{}, {keys}", visible(header));
    if let Some(commands) = content.commands {
        text += &format!(", {}", several(commands, "command", "commands"));
    }
    if content.functions > 0 {
        text +=
            &format!(", {}", several(content.functions, "function library", "function libraries"));
    }
    row(f, "content", text)?;
    row(f, "checked", format_args!("{}, level {}", content.soundness, content.level))?;
    content.found.iter().try_for_each(|(code, times)| {
        row(f, "found", format_args!("{}: {}", visible(code), count(*times)))
    })
}
