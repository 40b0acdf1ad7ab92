//! A dataset as a dump.

use crate::error::Result;
use crate::rdb::{Attributes, Encoder, Losses, ServerVersion, ValueType, Writer};
use crate::synth::dataset::{Dataset, SynthKey};
use crate::synth::mix::Mix;
use std::io::Write;

/// How much of a dataset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SynthSize {
    /// So many keys.
    Keys(u64),
    /// Keys until the dump has so many bytes: it ends with the first key past that.
    Bytes(u64),
}

/// What dump is made.
///
/// ```
/// use redkeep::synth::{Mix, SynthOptions, SynthSize};
/// let options = SynthOptions::new("redis-6.2".parse().unwrap())
///     .mix(Mix::Strings)
///     .seed(7)
///     .size(SynthSize::Bytes(1 << 20));
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SynthOptions {
    /// The server that is to load it.
    pub target: ServerVersion,
    /// What keys it has. Default: [`Mix::Mixed`].
    pub mix: Mix,
    /// What tells it from others of the same mix. Default: 1.
    pub seed: u64,
    /// How much. Default: 1000 keys.
    pub size: SynthSize,
    /// Whether values are compressed, as servers do by default. Default: yes.
    pub compress: bool,
}

impl SynthOptions {
    /// A dump of 1000 mixed keys for a server.
    #[must_use]
    pub fn new(target: ServerVersion) -> SynthOptions {
        let (mix, size) = (Mix::Mixed, SynthSize::Keys(1000));
        SynthOptions { target, mix, seed: 1, size, compress: true }
    }

    /// Sets [`mix`](Self::mix).
    #[must_use]
    pub fn mix(mut self, mix: Mix) -> Self {
        self.mix = mix;
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`size`](Self::size).
    #[must_use]
    pub fn size(mut self, size: SynthSize) -> Self {
        self.size = size;
        self
    }

    /// Sets [`compress`](Self::compress).
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SynthOutcome {
    /// Keys in the dump.
    pub keys: u64,
    /// Those of them that expire.
    pub expiring: u64,
    /// Bytes of the dump.
    pub bytes: u64,
    /// What the server has no place for.
    pub losses: Losses,
}

/// Writes a dataset as a dump that a server loads. The same options give the same bytes.
///
/// A server without streams gets blobs in their place. What is made up says so: since RDB 7 there is
/// an AUX field `redkeep-synth` with mix and seed.
///
/// # Errors
/// `Io` where the target fails.
///
/// ```
/// use redkeep::rdb::check::{check_slice, CheckOptions, Verdict};
/// use redkeep::synth::{write_dump, SynthOptions, SynthSize};
/// let mut dump = Vec::new();
/// let server = "valkey-9.0".parse().unwrap();
/// let outcome = write_dump(&mut dump, &SynthOptions::new(server).size(SynthSize::Keys(50)))?;
/// let report = check_slice(&dump, &CheckOptions::default().target(server));
/// assert_eq!((report.verdict, report.keys), (Verdict::Sound, 50));
/// assert_eq!(outcome.bytes, dump.len() as u64);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn write_dump(target: impl Write, options: &SynthOptions) -> Result<SynthOutcome> {
    let SynthOptions { target: server, mix, seed, size, compress } = *options;
    let mut encoder = Encoder::new(server).compress(compress);
    let mut writer = Writer::new(target);
    let mut outcome = SynthOutcome::default();
    writer.header(server.header())?;
    if server.rdb_version() >= 7 {
        writer.aux(b"redkeep-synth", format!("{mix}, seed {seed}").as_bytes())?;
    }
    let mut keys = Dataset::new(mix, seed).streams(server.reads(ValueType::StreamListpacks));
    loop {
        let complete = match size {
            SynthSize::Keys(keys) => outcome.keys >= keys,
            SynthSize::Bytes(bytes) => writer.ended_len() >= bytes,
        };
        let next = if complete { None } else { keys.next() };
        let Some(SynthKey { key, content, expires }) = next else { break };
        let attributes = Attributes { expires, ..Attributes::default() };
        let encoded = encoder.encode(&content)?;
        outcome.losses.merge(&writer.content(0, &key, &attributes, &encoded)?);
        outcome.keys += 1;
        outcome.expiring += u64::from(expires.is_some());
    }
    outcome.bytes = writer.ended_len();
    writer.finish()?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::check::{CheckOptions, Verdict, check_slice};

    fn dump(options: &SynthOptions) -> (Vec<u8>, SynthOutcome) {
        let mut dump = Vec::new();
        let outcome = write_dump(&mut dump, options).unwrap();
        (dump, outcome)
    }

    #[test]
    fn what_a_seed_gives_never_changes() {
        // Not compressed: how well we compress may change, what is made up may not.
        let mut found = Vec::new();
        for mix in [Mix::Strings, Mix::Mixed, Mix::Json] {
            let options = SynthOptions::new("redis-7.2".parse().unwrap()).compress(false);
            let (dump, _) = dump(&options.mix(mix).seed(7).size(SynthSize::Keys(300)));
            let footer = dump.last_chunk::<8>().unwrap();
            found.push(format!("{mix} {:016x}", u64::from_le_bytes(*footer)));
        }
        let want = ["strings 15bc5874ffe73f35", "mixed 66b01a7a0ea45c3d", "json d55be7faeaabe17b"];
        assert_eq!(found, want);
    }

    #[test]
    fn every_server_gets_a_sound_dump_without_losses() {
        for server in
            ["redis-2.4", "redis-2.6", "redis-4.0", "redis-6.2", "redis-8.8", "valkey-9.0"]
        {
            let server: ServerVersion = server.parse().unwrap();
            for mix in [Mix::Strings, Mix::Mixed, Mix::Json] {
                let options = SynthOptions::new(server).mix(mix).size(SynthSize::Keys(200));
                let (dump, outcome) = dump(&options);
                let report = check_slice(&dump, &CheckOptions::default().target(server));
                assert_eq!(report.verdict, Verdict::Sound, "{server} {mix} {:?}", report.findings);
                assert_eq!((report.keys, outcome.keys), (200, 200));
                let lost: Vec<_> = outcome.losses.iter().collect();
                let old = !server.reads(ValueType::StreamListpacks2);
                assert!(lost.is_empty() || old && mix == Mix::Mixed, "{server} {lost:?}");
            }
        }
    }

    #[test]
    fn a_size_in_bytes_is_passed_by_one_key_only() {
        let options = SynthOptions::new("redis-7.2".parse().unwrap()).mix(Mix::Strings);
        let (dump, outcome) = dump(&options.size(SynthSize::Bytes(100_000)));
        assert!((100_000..100_200).contains(&dump.len()), "{}", dump.len());
        assert_eq!(outcome.bytes, dump.len() as u64);
    }
}
