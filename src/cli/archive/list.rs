//! `redkeep list`: which backups there are.

use crate::cli::archive::place::PlaceArguments;
use crate::cli::archive::show::last_verified;
use crate::cli::human::{count, date, size, visible};
use crate::cli::{Exit, complain, failed, now, print};
use crate::error::Result;
use crate::repo::{Archive, Certificate, Listed, Manifest, StreamName};
use clap::Args;
use serde::Serialize;

/// List the backups of a stream, the oldest first
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Those of all streams
    #[arg(long, conflicts_with = "stream")]
    all_streams: bool,
    /// Only those with this tag
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// Print one JSON document a line
    #[arg(long)]
    json: bool,
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    stream: &'a StreamName,
    #[serde(flatten)]
    listed: &'a Listed,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<&'a Manifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_verified: Option<&'a Certificate>,
    /// Why its manifest cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(arguments: &ListArguments) -> Exit {
    arguments.run().unwrap_or_else(|exit| exit)
}

impl ListArguments {
    fn run(&self) -> Result<Exit, Exit> {
        let archive = self.place.open()?;
        let streams = match self.all_streams {
            true => archive.streams().map_err(failed)?,
            false => vec![self.place.stream.clone()],
        };
        let mut exit = Exit::Done;
        for stream in &streams {
            for listed in archive.backups(stream).map_err(failed)? {
                let text = self.line(&archive, stream, &listed, &mut exit)?;
                print(text.as_bytes())?;
            }
        }
        Ok(exit)
    }

    fn line(
        &self,
        archive: &Archive,
        stream: &StreamName,
        listed: &Listed,
        exit: &mut Exit,
    ) -> Result<String, Exit> {
        let read = archive.backup(stream, listed.id).and_then(|stored| {
            let names = listed.certificates.iter().map(String::as_str);
            let last = stored.certificates_called(names)?.pop();
            Ok((stored.manifest().clone(), last))
        });
        let (manifest, last, error) = match &read {
            Ok((manifest, last)) => (Some(manifest), last.as_ref(), None),
            Err(error) if error.is_retryable() => {
                complain(error);
                return Err(Exit::Failed);
            }
            Err(error) => {
                *exit = Exit::Findings;
                (None, None, Some(error.to_string()))
            }
        };
        let tagged =
            |manifest: &Manifest| self.tag.as_ref().is_none_or(|tag| manifest.tags.contains(tag));
        if !manifest.is_none_or(tagged) {
            return Ok(String::new());
        }
        if self.json {
            let line = Line { stream, listed, manifest, last_verified: last, error };
            return serde_json::to_string(&line).map(|json| json + "\n").map_err(|error| {
                complain(error);
                Exit::Failed
            });
        }
        let begin = if self.all_streams { format!("{stream}  ") } else { String::new() };
        let begun = date(listed.id.time().get().div_euclid(1000));
        let Some(manifest) = manifest else {
            let error = visible(&error.unwrap_or_default());
            return Ok(format!("{begin}{}  {begun}  NOT READABLE: {error}\n", listed.id));
        };
        let verified =
            last.map_or_else(|| "not verified".to_owned(), |last| last_verified(last, now()));
        let mut text = format!(
            "{begin}{}  {begun}  {}  {} keys  {}  {verified}",
            listed.id,
            manifest.soundness,
            count(manifest.keys()),
            size(listed.bytes),
        );
        if !manifest.tags.is_empty() {
            let tags: Vec<_> = manifest.tags.iter().map(|tag| visible(tag)).collect();
            text += &format!("  [{}]", tags.join(", "));
        }
        Ok(text + "\n")
    }
}
