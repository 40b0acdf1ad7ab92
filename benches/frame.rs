//! The walk from record to record, values not looked into, the checksum computed.

mod data;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::Error;
use redkeep::rdb::{EventKind, SliceReader, StreamReader};

fn main() {
    divan::main();
}

#[divan::bench(args = data::NAMES)]
fn slice(bencher: Bencher<'_, '_>, name: &str) {
    let dump = data::dump(name);
    bencher.counter(BytesCount::of_slice(dump)).bench_local(|| {
        let mut bytes = 0;
        for event in SliceReader::new(black_box(dump)) {
            if let EventKind::Entry(entry) = event?.kind() {
                bytes += entry.value().len();
            }
        }
        Ok::<_, Error>(bytes)
    });
}

#[divan::bench(args = data::NAMES)]
fn stream(bencher: Bencher<'_, '_>, name: &str) {
    let dump = data::dump(name);
    bencher.counter(BytesCount::of_slice(dump)).bench_local(|| {
        let mut bytes = 0;
        let mut reader = StreamReader::new(black_box(dump));
        while let Some(event) = reader.next()? {
            match event.kind() {
                EventKind::Entry(entry) => bytes += entry.value().len(),
                EventKind::Run(_) | EventKind::Piece(_) => bytes += event.raw().len(),
                _ => {}
            }
        }
        Ok::<_, Error>(bytes)
    });
}
