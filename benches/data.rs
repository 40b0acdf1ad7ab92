//! Dumps to measure with, made in memory and the same in every run.

#![allow(dead_code)] // no bench needs all of it

use redkeep::wire::lzf::Compressor;
use std::fmt::Write;
use std::sync::LazyLock;

/// About this many bytes each.
const SIZE: usize = 16 << 20;

/// Names of the dumps that [`dump`] knows.
pub(crate) const NAMES: [&str; 4] = ["strings", "mixed", "big_hash", "lzf_json"];

static DUMPS: LazyLock<[Vec<u8>; 4]> =
    LazyLock::new(|| [strings(), mixed(), big_hash(), lzf_json()]);

pub(crate) fn dump(name: &str) -> &'static [u8] {
    let at = NAMES.iter().position(|known| *known == name);
    at.and_then(|at| DUMPS.get(at)).map_or(&[], |dump| dump)
}

/// Xorshift: good enough to keep branches from being learned by heart.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn text(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| b'a' + u8::try_from(self.below(26)).unwrap_or_default()).collect()
    }
}

/// Text as services keep it: the same field names over and over, other values each time.
pub(crate) fn json(len: usize, random: &mut Random) -> Vec<u8> {
    let mut text = String::from("[");
    while text.len() < len {
        let (id, price) = (random.below(1_000_000), random.below(100_000));
        let name = String::from_utf8(random.text(8)).unwrap_or_default();
        let _ = write!(
            text,
            r#"{{"id":{id},"name":"{name}","price":{price},"tags":["new","sale"],"stock":true}},"#
        );
    }
    text.truncate(len);
    text.into_bytes()
}

struct Dump(Vec<u8>);

impl Dump {
    fn new() -> Dump {
        Dump(b"REDIS0011\xfa\x09redis-ver\x057.2.6\xfe\x00".to_vec())
    }

    fn len(&mut self, n: usize) {
        let bytes = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        match bytes {
            [0, 0, 0, n @ 0..64] => self.0.push(n),
            [0, 0, high @ 0..64, low] => self.0.extend([0x40 | high, low]),
            _ => self.0.extend([&[0x80], &bytes[..]].concat()),
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn packed(&mut self, raw: &[u8], compressor: &mut Compressor) {
        let mut out = Vec::new();
        match compressor.compress(raw, &mut out) {
            Some(packed) => {
                self.0.push(0xc3);
                self.len(packed.len());
                self.len(raw.len());
                self.0.extend_from_slice(packed);
            }
            None => self.text(raw),
        }
    }

    fn key(&mut self, kind: u8, n: usize) {
        self.0.push(kind);
        self.text(format!("some:key:{n:09}").as_bytes());
    }

    fn full(&self) -> bool {
        self.0.len() >= SIZE
    }

    /// With a checksum of 0, which is computed all the same and compared with nothing.
    fn end(mut self) -> Vec<u8> {
        self.0.extend(b"\xff\0\0\0\0\0\0\0\0");
        self.0
    }
}

/// A listpack of strings up to 63 bytes and of integers.
fn listpack(entries: usize, random: &mut Random, ints: bool) -> Vec<u8> {
    let mut body = Vec::new();
    for at in 0..entries {
        let from = body.len();
        if ints && at % 2 == 1 {
            let n = i32::try_from(random.below(1 << 30)).unwrap_or_default();
            body.push(0xf3);
            body.extend(n.to_le_bytes());
        } else {
            let len = 4 + random.below(20);
            body.push(0x80 | u8::try_from(len).unwrap_or_default());
            body.extend(random.text(len));
        }
        body.push(u8::try_from(body.len() - from).unwrap_or_default());
    }
    let total = u32::try_from(body.len() + 7).unwrap_or_default().to_le_bytes();
    let num = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
    [&total, &num[..], &body, &[0xff]].concat()
}

fn strings() -> Vec<u8> {
    let (mut dump, mut random) = (Dump::new(), Random::new());
    for n in 0.. {
        if dump.full() {
            break;
        }
        if n % 4 == 0 {
            dump.0.push(0xfc);
            dump.0.extend((1_900_000_000_000 + random.below(1 << 30)).to_le_bytes());
        }
        dump.key(0, n);
        let len = 8 + random.below(100);
        let text = random.text(len);
        dump.text(&text);
    }
    dump.end()
}

fn mixed() -> Vec<u8> {
    let (mut dump, mut random) = (Dump::new(), Random::new());
    for n in 0.. {
        if dump.full() {
            break;
        }
        match n % 6 {
            0 => {
                dump.key(16, n);
                dump.text(&listpack(24, &mut random, true));
            }
            1 => {
                dump.key(2, n);
                dump.len(50);
                for member in 0..50 {
                    dump.text(format!("member:{member}:{}", random.below(1 << 20)).as_bytes());
                }
            }
            2 => {
                dump.key(5, n);
                dump.len(40);
                for member in 0..40u32 {
                    dump.text(format!("member:{member}").as_bytes());
                    dump.0.extend((f64::from(member) * 1.5).to_le_bytes());
                }
            }
            3 => {
                dump.key(18, n);
                dump.len(3);
                for _ in 0..3 {
                    dump.0.push(2);
                    dump.text(&listpack(60, &mut random, false));
                }
            }
            4 => {
                dump.key(11, n);
                let mut blob = [4u32, 100].map(u32::to_le_bytes).concat();
                blob.extend((0..100u32).flat_map(|n| (n * 70_000).to_le_bytes()));
                dump.text(&blob);
            }
            _ => {
                dump.key(4, n);
                dump.len(30);
                for field in 0..30 {
                    dump.text(format!("field:{field}").as_bytes());
                    let len = 5 + random.below(40);
                    let value = random.text(len);
                    dump.text(&value);
                }
            }
        }
    }
    dump.end()
}

fn big_hash() -> Vec<u8> {
    let (mut dump, mut random) = (Dump::new(), Random::new());
    let fields = SIZE / 64;
    dump.key(4, 0);
    dump.len(fields);
    for field in 0..fields {
        dump.text(format!("field:{field:09}").as_bytes());
        let len = 20 + random.below(60);
        let value = random.text(len);
        dump.text(&value);
    }
    dump.end()
}

fn lzf_json() -> Vec<u8> {
    let (mut dump, mut random) = (Dump::new(), Random::new());
    let mut compressor = Compressor::new();
    for n in 0.. {
        if dump.full() {
            break;
        }
        dump.key(0, n);
        let value = json(2048, &mut random);
        dump.packed(&value, &mut compressor);
    }
    dump.end()
}
