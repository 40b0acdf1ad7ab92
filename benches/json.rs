//! JSON lines into a sink: bytes a second of RDB.

mod data;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::export::export_json;

fn main() {
    divan::main();
}

#[divan::bench(args = data::NAMES)]
fn lines(bencher: Bencher<'_, '_>, name: &str) {
    let dump = data::dump(name);
    bencher
        .counter(BytesCount::of_slice(dump))
        .bench_local(|| export_json(black_box(dump), std::io::sink(), false));
}
