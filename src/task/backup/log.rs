//! A log on its way into the archive, file by file.

use crate::aof::check::{AofCheckOptions, StreamedSet, check_log};
use crate::aof::{FileKind, Layout};
use crate::error::{Error, Fault, Result};
use crate::live::{PinnedFile, PinnedLog};
use crate::rdb::ServerVersion;
use crate::repo::{Content, LogForm, Part};
use crate::task::backup::intake::{Intake, Stored, as_value};
use crate::task::backup::store::Sealing;
use crate::task::snapshot::ends;
use std::io::{self, Read};

impl Intake<'_> {
    /// Stores the files of a log, up to where they are good.
    pub(super) fn log(&self, at: usize, shard: &str, log: &PinnedLog) -> Result<Stored> {
        let rules = AofCheckOptions::new(self.options.check.clone()).file_name(log.name());
        let ends = ends(log)?;
        let (len, mut done) = (ends.iter().sum(), 0);
        let cut_bytes = log.bytes().saturating_sub(len);
        let (mut parts, mut set, mut single) = (Vec::new(), StreamedSet::new(&rules), None);
        for (number, (file, upto)) in log.files().iter().zip(ends).enumerate() {
            let name = format!("{shard}.{number:05}.{}", ending(file));
            let mut sealer = self.sealer(&name)?;
            let source = self.watched(at, file.reader()?.take(upto), Some(len), done, None);
            let mut source = Sealing { source, sealer: &mut sealer, failed: None };
            let last = number + 1 == log.files().len();
            let checked = match log.layout() {
                Layout::Parts => {
                    let what = (file.name(), file.kind(), file.content());
                    set.file(&mut source, what, last)
                }
                _ => check_log(&mut source, log.name(), &rules).map(|report| single = Some(report)),
            };
            // A check that is done with a file may leave some of it.
            let rest = io::copy(&mut source, &mut io::sink());
            if let Some(error) = source.failed.take() {
                return Err(error);
            }
            checked?;
            rest?;
            let sealed = sealer.finish()?;
            if sealed.part.plain_len != upto {
                // A server that comes back after a crash cuts its log on disk.
                return Err(Error::from_fault(Fault::ChangedMeanwhile).in_file(file.name()));
            }
            let mut part = Part::new(file.name(), sealed.part.clone());
            (part.kind, part.begins_with) = (Some(file.kind()), Some(file.content()));
            parts.push((part, sealed));
            done += upto;
        }
        let server = self.options.check.target.unwrap_or(ServerVersion::NEWEST_REDIS);
        let report = single.unwrap_or_else(|| set.report(server));
        let form = LogForm { name: log.name().to_owned(), layout: log.layout(), cut_bytes };
        let content = Content::from(&report);
        Ok(Stored { parts, content, report: as_value(&report)?, log: Some(form) })
    }
}

fn ending(file: &PinnedFile) -> &'static str {
    match (file.kind(), file.name().ends_with(".rdb")) {
        (FileKind::Base, true) => "base.rdb",
        (FileKind::Base, false) => "base.aof",
        (_, true) => "incr.rdb",
        (_, false) => "incr.aof",
    }
}
