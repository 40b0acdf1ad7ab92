//! A dataset as a log of commands.

use crate::error::Result;
use crate::export::{Commands, CommandsOptions};
use crate::rdb::{Attributes, Encoder, OnLoss, SliceReader, ValueType, Writer};
use crate::synth::dataset::{Dataset, SynthKey};
use crate::synth::dump::{SynthOptions, SynthOutcome, SynthSize};
use std::cell::Cell;
use std::io::{self, Write};

/// Keys that are encoded before their commands are written.
const BATCH: usize = 256;

/// Writes a dataset as the plain commands of an append-only file that a server loads. The same
/// options give the same bytes.
///
/// [`SynthSize::Bytes`] is passed by a batch of 256 keys at most.
///
/// # Errors
/// `Io` where the target fails.
///
/// ```
/// use redkeep::aof::{EndKind, SliceReader};
/// use redkeep::synth::{write_log, SynthOptions, SynthSize};
/// let mut log = Vec::new();
/// let options = SynthOptions::new("redis-7.0".parse().unwrap()).size(SynthSize::Keys(50));
/// assert_eq!(write_log(&mut log, &options)?.keys, 50);
/// let mut reader = SliceReader::new(&log);
/// assert!(reader.by_ref().all(|record| record.is_ok()));
/// assert_eq!(reader.end().map(|end| end.kind), Some(EndKind::Clean));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn write_log(target: impl Write, options: &SynthOptions) -> Result<SynthOutcome> {
    let SynthOptions { target: server, mix, seed, size, compress: _ } = *options;
    let mut encoder = Encoder::new(server).compress(false);
    let written = Cell::new(0);
    let plain = CommandsOptions::plain(server).on_loss(OnLoss::Drop);
    let mut commands = Commands::new(Counted { target, written: &written }, plain)?;
    let mut outcome = SynthOutcome::default();
    let mut keys = Dataset::new(mix, seed).streams(server.reads(ValueType::StreamListpacks));
    loop {
        let left = match size {
            SynthSize::Keys(keys) => keys - outcome.keys,
            SynthSize::Bytes(bytes) if written.get() < bytes => BATCH as u64,
            SynthSize::Bytes(_) => 0,
        };
        if left == 0 {
            break;
        }
        let mut writer = Writer::new(Vec::new());
        writer.header(server.header())?;
        let batch = BATCH.min(usize::try_from(left).unwrap_or(BATCH));
        for SynthKey { key, content, expires } in keys.by_ref().take(batch) {
            let attributes = Attributes { expires, ..Attributes::default() };
            let encoded = encoder.encode(&content)?;
            outcome.losses.merge(&writer.content(0, &key, &attributes, &encoded)?);
            outcome.keys += 1;
            outcome.expiring += u64::from(expires.is_some());
        }
        for event in SliceReader::new(&writer.finish()?) {
            let event = event?;
            if event.entry().is_some() {
                commands.event(&event)?;
            }
        }
    }
    let commands = commands.finish()?;
    outcome.losses.merge(&commands.losses);
    outcome.bytes = commands.bytes;
    Ok(outcome)
}

/// The target, and how much it was given.
struct Counted<'c, W> {
    target: W,
    written: &'c Cell<u64>,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.target.write(bytes)?;
        self.written.set(self.written.get() + n as u64);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof;
    use crate::synth::Mix;

    #[test]
    fn every_mix_becomes_a_log_that_ends_clean_and_is_the_same_again() {
        for mix in [Mix::Strings, Mix::Mixed, Mix::Json] {
            let options = SynthOptions::new("redis-7.2".parse().unwrap()).mix(mix);
            let options = options.size(SynthSize::Bytes(300_000));
            let (mut log, mut again) = (Vec::new(), Vec::new());
            let outcome = write_log(&mut log, &options).unwrap();
            assert_eq!(write_log(&mut again, &options).unwrap(), outcome);
            assert!(log == again && log.len() >= 300_000 && outcome.bytes == log.len() as u64);
            let mut reader = aof::SliceReader::new(&log);
            let commands = reader.by_ref().filter(|record| record.is_ok()).count();
            assert!(commands as u64 > outcome.keys);
            assert_eq!(reader.end().unwrap().kind, aof::EndKind::Clean);
        }
    }
}
