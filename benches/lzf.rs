//! LZF on its own: bytes a second of what is not compressed.

mod data;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::wire::lzf::{Compressor, decompress};

const SIZES: [usize; 3] = [100, 2 << 10, 16 << 10];

fn main() {
    divan::main();
}

/// Many texts of a size, so that none stays in the branch predictor.
fn texts(len: usize) -> Vec<Vec<u8>> {
    let mut random = data::Random::new();
    (0..(1 << 20) / len).map(|_| data::json(len, &mut random)).collect()
}

#[divan::bench(args = SIZES)]
fn inflate(bencher: Bencher<'_, '_>, len: usize) {
    let (mut compressor, mut out) = (Compressor::new(), Vec::new());
    let mut packed = Vec::new();
    for text in texts(len) {
        packed.extend(compressor.compress(&text, &mut out).map(<[u8]>::to_vec));
    }
    bencher.counter(BytesCount::new(packed.len() * len)).bench_local(|| {
        for packed in &packed {
            let _ = black_box(decompress(packed, len as u64, u64::MAX, &mut out));
        }
    });
}

#[divan::bench(args = SIZES)]
fn deflate(bencher: Bencher<'_, '_>, len: usize) {
    let (mut compressor, mut out) = (Compressor::new(), Vec::new());
    let texts = texts(len);
    bencher.counter(BytesCount::new(texts.len() * len)).bench_local(|| {
        for text in &texts {
            let _ = black_box(compressor.compress(text, &mut out));
        }
    });
}

/// Names and digests: nothing in them repeats, and all the work is for nothing.
#[divan::bench]
fn deflate_noise(bencher: Bencher<'_, '_>) {
    let (mut compressor, mut out) = (Compressor::new(), Vec::new());
    let mut random = data::Random::new();
    let texts: Vec<String> =
        (0..10_000).map(|_| (0..6).map(|_| format!("{:016x}", random.next())).collect()).collect();
    bencher.counter(BytesCount::new(texts.len() * 96)).bench_local(|| {
        for text in &texts {
            let _ = black_box(compressor.compress(text.as_bytes(), &mut out));
        }
    });
}
