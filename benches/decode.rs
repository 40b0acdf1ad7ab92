//! Every element of every value, the checksum computed: shown to a visitor, and pulled one by one.

mod data;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::rdb::encoding::Scalar;
use redkeep::rdb::{Decoder, Element, EventKind, Score, SliceReader, StreamReader, Visit};
use redkeep::{Error, Result, UnixMillis};

fn main() {
    divan::main();
}

/// Counts elements and the bytes in them.
#[derive(Default)]
struct Count {
    elements: u64,
    bytes: u64,
}

impl Count {
    #[inline(always)]
    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<()> {
        self.elements += 1;
        self.bytes += match scalar {
            Scalar::Bytes(bytes) => bytes.len() as u64,
            Scalar::Int(_) => 8,
        };
        Ok(())
    }
}

impl Visit for Count {
    #[inline(always)]
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        self.scalar(text)
    }
    #[inline(always)]
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        self.scalar(member)
    }
    #[inline(always)]
    fn scored(&mut self, member: Scalar<'_>, _: Score<'_>) -> Result<()> {
        self.scalar(member)
    }
    #[inline(always)]
    fn field(&mut self, f: Scalar<'_>, v: Scalar<'_>, _: Option<UnixMillis>) -> Result<()> {
        self.scalar(f)?;
        self.scalar(v)
    }
    #[inline(always)]
    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        self.scalar(field)?;
        self.scalar(value)
    }
    fn other(&mut self, _: Element<'_>) -> Result<()> {
        self.elements += 1;
        Ok(())
    }
}

#[divan::bench(args = data::NAMES)]
fn slice(bencher: Bencher<'_, '_>, name: &str) {
    let dump = data::dump(name);
    bencher.counter(BytesCount::of_slice(dump)).bench_local(|| {
        let (mut decoder, mut count) = (Decoder::new(), Count::default());
        for event in SliceReader::new(black_box(dump)) {
            if let EventKind::Entry(entry) = event?.kind() {
                decoder.visit_value(entry.value(), &mut count)?;
            }
        }
        Ok::<_, Error>((count.elements, count.bytes))
    });
}

#[divan::bench(args = data::NAMES)]
fn stream(bencher: Bencher<'_, '_>, name: &str) {
    let dump = data::dump(name);
    bencher.counter(BytesCount::of_slice(dump)).bench_local(|| {
        let (mut decoder, mut count) = (Decoder::new(), Count::default());
        let mut reader = StreamReader::new(black_box(dump));
        while let Some(event) = reader.next()? {
            match event.kind() {
                EventKind::Entry(entry) => decoder.visit_value(entry.value(), &mut count)?,
                EventKind::Run(run) => {
                    for item in run.items() {
                        decoder.visit(item?, &mut count)?;
                    }
                }
                _ => {}
            }
        }
        Ok::<_, Error>((count.elements, count.bytes))
    });
}

#[divan::bench(args = data::NAMES)]
fn pulled(bencher: Bencher<'_, '_>, name: &str) {
    let dump = data::dump(name);
    bencher.counter(BytesCount::of_slice(dump)).bench_local(|| {
        let (mut decoder, mut elements) = (Decoder::new(), 0);
        for event in SliceReader::new(black_box(dump)) {
            if let EventKind::Entry(entry) = event?.kind() {
                for item in entry.value().items()? {
                    for element in decoder.elements(item?)? {
                        black_box(element?);
                        elements += 1;
                    }
                }
            }
        }
        Ok::<_, Error>(elements)
    });
}
