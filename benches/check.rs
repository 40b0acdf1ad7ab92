//! The check, level by level.

mod data;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::rdb::check::{CheckOptions, Level, Report, check_slice, check_stream};

fn main() {
    divan::main();
}

fn run(bencher: Bencher<'_, '_>, name: &str, level: Level) {
    let (dump, options) = (data::dump(name), CheckOptions::default().level(level));
    bencher
        .counter(BytesCount::of_slice(dump))
        .bench_local(|| -> Report { check_slice(black_box(dump), &options) });
}

#[divan::bench(args = data::NAMES)]
fn framing(bencher: Bencher<'_, '_>, name: &str) {
    run(bencher, name, Level::Framing);
}

#[divan::bench(args = data::NAMES)]
fn structure(bencher: Bencher<'_, '_>, name: &str) {
    run(bencher, name, Level::Structure);
}

#[divan::bench(args = data::NAMES)]
fn elements(bencher: Bencher<'_, '_>, name: &str) {
    run(bencher, name, Level::Elements);
}

#[divan::bench(args = data::NAMES)]
fn semantics(bencher: Bencher<'_, '_>, name: &str) {
    run(bencher, name, Level::Semantics);
}

#[divan::bench(args = data::NAMES)]
fn semantics_of_a_stream(bencher: Bencher<'_, '_>, name: &str) {
    let (dump, options) = (data::dump(name), CheckOptions::default());
    bencher
        .counter(BytesCount::of_slice(dump))
        .bench_local(|| check_stream(black_box(dump), &options));
}
