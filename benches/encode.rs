//! From contents to dumps and back: datasets made up by seed, for one server of each family of
//! encodings. What is counted are the bytes of the dump.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::Error;
use redkeep::rdb::{Content, Decoder, Encoder, EventKind, ServerVersion, SliceReader};
use redkeep::synth::{Dataset, Mix, SynthOptions, SynthSize, write_dump};

fn main() {
    divan::main();
}

const CASES: [(&str, &str); 4] = [
    ("mixed", "redis-6.2"),
    ("mixed", "redis-7.2"),
    ("strings", "redis-7.2"),
    ("json", "redis-7.2"),
];

/// A dump of about 8 MiB.
fn dump(mix: &str, server: &str) -> (Vec<u8>, u64) {
    let options = options(mix, server).size(SynthSize::Bytes(8 << 20));
    let mut dump = Vec::new();
    let keys = write_dump(&mut dump, &options).map_or(0, |outcome| outcome.keys);
    (dump, keys)
}

fn options(mix: &str, server: &str) -> SynthOptions {
    let server: ServerVersion = server.parse().unwrap_or_else(|error| unreachable!("{error}"));
    SynthOptions::new(server).mix(mix.parse().unwrap_or(Mix::Mixed))
}

/// Making keys up, which the others do not count.
#[divan::bench(args = CASES)]
fn make_up(bencher: Bencher<'_, '_>, (mix, server): (&str, &str)) {
    let (dump, keys) = dump(mix, server);
    let keys = usize::try_from(keys).unwrap_or_default();
    let options = options(mix, server);
    bencher.counter(BytesCount::of_slice(&dump)).bench_local(|| {
        Dataset::new(options.mix, options.seed)
            .take(keys)
            .map(|key| key.content.count())
            .sum::<usize>()
    });
}

#[divan::bench(args = CASES)]
fn encode(bencher: Bencher<'_, '_>, (mix, server): (&str, &str)) {
    encode_with(bencher, mix, server, true);
}

#[divan::bench(args = CASES)]
fn encode_without_compression(bencher: Bencher<'_, '_>, (mix, server): (&str, &str)) {
    encode_with(bencher, mix, server, false);
}

fn encode_with(bencher: Bencher<'_, '_>, mix: &str, server: &str, compress: bool) {
    let (dump, keys) = dump(mix, server);
    let keys = usize::try_from(keys).unwrap_or_default();
    let options = options(mix, server);
    let contents: Vec<Content> =
        Dataset::new(options.mix, options.seed).take(keys).map(|key| key.content).collect();
    let mut encoder = Encoder::new(options.target).compress(compress);
    bencher.counter(BytesCount::of_slice(&dump)).bench_local(|| {
        let mut bytes = 0;
        for content in &contents {
            bytes += encoder.encode(black_box(content))?.value().len();
        }
        Ok::<_, Error>(bytes)
    });
}

#[divan::bench(args = CASES)]
fn read(bencher: Bencher<'_, '_>, (mix, server): (&str, &str)) {
    let (dump, _) = dump(mix, server);
    bencher.counter(BytesCount::of_slice(&dump)).bench_local(|| {
        let (mut decoder, mut elements) = (Decoder::new(), 0);
        for event in SliceReader::new(black_box(&dump)) {
            if let EventKind::Entry(entry) = event?.kind() {
                elements += Content::read(entry.value(), &mut decoder)?.count();
            }
        }
        Ok::<_, Error>(elements)
    });
}
