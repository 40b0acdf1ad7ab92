//! Sealing and opening: plain bytes a second.

mod data;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::repo::seal::{
    Identities, OpenOptions, RangeReader, Recipients, SealOptions, SealedPart, SealedReader, Sealer,
};
use std::collections::BTreeMap;
use std::io;

const SECRET: &str = "AGE-SECRET-KEY-1QTRWTL30YZAHSN085A9RNLDWKNQFYTQTWPKTJD63TJW40F2KNH7QTLV85C";
const PUBLIC: &str = "age1jjc9k3926rd7qwrhat72gaapma05e628kpn7kaxlfnue8esasggs4wa3j6";

fn main() {
    divan::main();
}

type Map = BTreeMap<String, Vec<u8>>;

fn options(encrypted: bool, level: i32, threads: usize) -> SealOptions {
    let options = SealOptions::new("part").level(level).threads(threads);
    match Recipients::parse(PUBLIC) {
        Ok(keys) if encrypted => options.recipients(keys),
        _ => options,
    }
}

fn seal(plain: &[u8], options: SealOptions) -> redkeep::Result<(Map, SealedPart)> {
    let mut map = Map::new();
    let mut sealer = Sealer::new(options, &mut map)?;
    for piece in plain.chunks(64 << 10) {
        sealer.add(piece)?;
    }
    let part = sealer.finish()?.part;
    Ok((map, part))
}

fn sealed(name: &str, encrypted: bool) -> (Map, SealedPart, OpenOptions) {
    let (map, part) = seal(data::dump(name), options(encrypted, 3, 1))
        .unwrap_or_else(|error| unreachable!("{error}"));
    let identities = Identities::read(SECRET.as_bytes(), || None).unwrap_or_default();
    (map, part, OpenOptions::default().identities(identities))
}

fn sealing(bencher: Bencher<'_, '_>, name: &str, options: &SealOptions) {
    let dump = data::dump(name);
    let bencher = bencher.counter(BytesCount::new(dump.len()));
    bencher.bench_local(|| black_box(seal(dump, options.clone()).is_ok()));
}

#[divan::bench(args = data::NAMES)]
fn seal_clear(bencher: Bencher<'_, '_>, name: &str) {
    sealing(bencher, name, &options(false, 3, 1));
}

#[divan::bench(args = data::NAMES)]
fn seal_age(bencher: Bencher<'_, '_>, name: &str) {
    sealing(bencher, name, &options(true, 3, 1));
}

#[divan::bench(args = data::NAMES)]
fn seal_age_level_1(bencher: Bencher<'_, '_>, name: &str) {
    sealing(bencher, name, &options(true, 1, 1));
}

#[divan::bench(args = data::NAMES)]
fn seal_age_two_threads(bencher: Bencher<'_, '_>, name: &str) {
    sealing(bencher, name, &options(true, 3, 2));
}

fn opening(bencher: Bencher<'_, '_>, name: &str, encrypted: bool) {
    let (map, part, options) = sealed(name, encrypted);
    let bencher = bencher.counter(BytesCount::new(part.plain_len));
    bencher.bench_local(|| {
        let reader = SealedReader::open(&map, &part, &options);
        reader.and_then(|mut reader| Ok(io::copy(&mut reader, &mut io::sink())?)).is_ok()
    });
}

#[divan::bench(args = data::NAMES)]
fn open_clear(bencher: Bencher<'_, '_>, name: &str) {
    opening(bencher, name, false);
}

#[divan::bench(args = data::NAMES)]
fn open_age(bencher: Bencher<'_, '_>, name: &str) {
    opening(bencher, name, true);
}

/// Opening and one short range, each time anew.
#[divan::bench(args = data::NAMES)]
fn range_age(bencher: Bencher<'_, '_>, name: &str) {
    let (map, part, options) = sealed(name, true);
    bencher.bench_local(|| {
        let mut some = [0; 100];
        let reader = RangeReader::open(&map, &part, &options);
        reader.and_then(|mut reader| reader.read_exact_at(part.plain_len / 2, &mut some)).is_ok()
    });
}
