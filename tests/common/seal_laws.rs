//! Sealed parts to test with, and laws that hold whatever bytes are opened: for the tests and the
//! fuzz target.

#![allow(dead_code)] // each of them needs only some
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // that is how laws fail

use redkeep::digest::Digest32;
use redkeep::repo::seal::{
    Identities, OpenOptions, RangeReader, Recipients, SealOptions, Sealed, SealedPart,
    SealedReader, Sealer, Volume,
};
use redkeep::{Error, Fault, Result};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::LazyLock;

pub(crate) type Map = BTreeMap<String, Vec<u8>>;

pub(crate) const SECRET: &str =
    "AGE-SECRET-KEY-1QTRWTL30YZAHSN085A9RNLDWKNQFYTQTWPKTJD63TJW40F2KNH7QTLV85C";
pub(crate) const PUBLIC: &str = "age1jjc9k3926rd7qwrhat72gaapma05e628kpn7kaxlfnue8esasggs4wa3j6";

/// Opens what is encrypted for [`PUBLIC`].
pub(crate) fn ours() -> OpenOptions {
    let identities = Identities::read(SECRET.as_bytes(), || None).unwrap();
    OpenOptions::default().identities(identities)
}

pub(crate) fn options(encrypted: bool) -> SealOptions {
    let options = SealOptions::new("part");
    match encrypted {
        true => options.recipients(Recipients::parse(PUBLIC).unwrap()),
        false => options,
    }
}

/// Lines that repeat themselves, but not whole frames.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let lines = (0u64..).flat_map(|n| format!("line {n} of some, {}\n", n * n % 97).into_bytes());
    lines.take(len).collect()
}

pub(crate) fn seal(plain: &[u8], options: SealOptions) -> (Map, Sealed) {
    let mut map = Map::new();
    let mut sealer = Sealer::new(options, &mut map).unwrap();
    plain.chunks(1000).for_each(|piece| sealer.add(piece).unwrap());
    let sealed = sealer.finish().unwrap();
    (map, sealed)
}

/// What came, and how it ended.
pub(crate) fn read_to_end(
    reader: &mut impl Read,
    step: usize,
    most: usize,
) -> (Vec<u8>, Result<()>) {
    let (mut got, mut buf) = (Vec::new(), vec![0; step]);
    loop {
        match reader.read(&mut buf) {
            Ok(0) => return (got, Ok(())),
            Ok(n) => got.extend_from_slice(&buf[..n]),
            Err(error) => return (got, Err(error.into())),
        }
        if got.len() > most {
            return (got, Err(Error::from(std::io::Error::other("enough"))));
        }
    }
}

/// Reads all of a part, to its very end.
pub(crate) fn open(map: &Map, part: &SealedPart, options: &OpenOptions) -> Result<Vec<u8>> {
    let mut reader = SealedReader::open(map, part, options)?;
    let (plain, end) = read_to_end(&mut reader, 5000, usize::MAX);
    end?;
    assert_eq!(reader.finish()?.plain_len, plain.len() as u64);
    Ok(plain)
}

/// Reads all of a part by ranges.
pub(crate) fn by_ranges(map: &Map, part: &SealedPart, options: &OpenOptions) -> Result<Vec<u8>> {
    let mut reader = RangeReader::open(map, part, options)?;
    let mut plain = vec![0; usize::try_from(part.plain_len).unwrap()];
    reader.read_exact_at(0, &mut plain)?;
    Ok(plain)
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest32 {
    // By sealing it: the digest of its only volume's plain bytes.
    seal(bytes, options(false)).1.plain_sha256
}

/// Where the head of an age file ends, nonce and all.
pub(crate) fn head_len(stored: &[u8]) -> usize {
    let mac = stored.windows(4).position(|four| four == b"\n---").unwrap() + 1;
    mac + stored[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1 + 16
}

/// A part that was sealed once and for all, and what is in it.
pub(crate) static KEPT: LazyLock<(Map, SealedPart, Vec<u8>)> = LazyLock::new(|| {
    let volumes: [&[u8]; 3] = [
        include_bytes!("../data/sealed/kept.zst.age.000000"),
        include_bytes!("../data/sealed/kept.zst.age.000001"),
        include_bytes!("../data/sealed/kept.zst.age.000002"),
    ];
    let plain = include_bytes!("../data/sealed/kept.plain").to_vec();
    let head = head_len(volumes[0]);
    let frames = plain.len().div_ceil(400) as u64;
    let mut part =
        SealedPart::new(plain.len() as u64, head as u64, frames, sha256(&volumes[0][..head]));
    let mut map = Map::new();
    for (number, bytes) in volumes.into_iter().enumerate() {
        let name = format!("kept.zst.age.{number:06}");
        part = part.volume(Volume::new(&*name, bytes.len() as u64, sha256(bytes)));
        map.insert(name, bytes.to_vec());
    }
    (map, part, plain)
});

/// No more is read of what inflates to more.
const MOST: usize = 1 << 20;

/// The first byte says as what the others are opened.
pub(crate) fn seal_open(input: &[u8]) {
    match input.split_first() {
        None => {}
        Some((byte, rest)) if byte % 3 == 0 => as_stream(rest),
        Some((byte, rest)) if byte % 3 == 1 => as_part(rest),
        Some((_, rest)) => as_changes(rest),
    }
}

fn small() -> OpenOptions {
    ours().window_log(20).frame(MOST as u64).table(1 << 20)
}

/// Opens bytes of which nothing is known: in whatever steps, they are sound or they are not. What is sound can be
/// sealed and is the same when it comes back.
fn as_stream(stored: &[u8]) {
    let outcome = |step| match SealedReader::stream(stored, &small()) {
        Ok(mut reader) => read_to_end(&mut reader, step, MOST),
        Err(error) => (Vec::new(), Err(error)),
    };
    let (plain, end) = outcome(64 << 10);
    let (again, other) = outcome(7);
    if plain.len().max(again.len()) > MOST {
        return;
    }
    // How libzstd calls damage depends on the room it has: as malformed, or by its checksum.
    assert_eq!(end.is_ok(), other.is_ok(), "{end:?} {other:?}");
    if end.is_ok() {
        assert_eq!(plain, again);
        let (map, sealed) = seal(&plain, options(false).frame(1000).volume(300));
        assert_eq!(open(&map, &sealed.part, &small()).unwrap(), plain);
        assert_eq!(by_ranges(&map, &sealed.part, &small()).unwrap(), plain);
    }
}

/// Opens bytes as a part in clear, with the record that fits them best: what is sound from end to end
/// is the same in ranges.
fn as_part(stored: &[u8]) {
    let Some(count) = stored.len().checked_sub(9).map(|at| &stored[at..at + 4]) else { return };
    let frames = u64::from(u32::from_le_bytes(count.try_into().unwrap()));
    let table_len = usize::try_from(frames * 12 + 17).unwrap();
    let Some(table_at) = stored.len().checked_sub(table_len) else { return };
    let table = &stored[table_at..];
    let rows = table[8..table_len - 9].as_chunks::<12>().0;
    let plain_len: u64 =
        rows.iter().map(|row| u64::from(u32::from_le_bytes(row[4..8].try_into().unwrap()))).sum();
    let part = SealedPart::new(plain_len, 0, frames, sha256(table));
    let part = part.volume(Volume::new("a", stored.len() as u64, sha256(stored)));
    let map = Map::from([("a".to_owned(), stored.to_vec())]);
    let streamed = SealedReader::open(&map, &part, &small())
        .map(|mut reader| read_to_end(&mut reader, 64 << 10, MOST));
    if plain_len > MOST as u64 {
        return;
    }
    let ranges = by_ranges(&map, &part, &small());
    if let Ok((plain, Ok(()))) = streamed {
        assert_eq!(plain, ranges.unwrap());
    }
}

/// Changes some bytes of a part that is known: any change is seen, and no other bytes are ever given
/// for a range.
fn as_changes(changes: &[u8]) {
    let (map, part, plain) = &*KEPT;
    let mut changed = map.clone();
    for [volume, low, high, xor] in changes.as_chunks::<4>().0.iter().take(20) {
        let mut volumes = changed.values_mut();
        let volume = volumes.nth(usize::from(volume % 3)).unwrap();
        let at = usize::from(u16::from_le_bytes([*low, *high]));
        match volume.len() {
            0 => {}
            // One in sixteen is a cut.
            len if xor % 16 == 0 => volume.truncate(at % len),
            len => volume[at % len] ^= xor,
        }
    }
    let opened = open(&changed, part, &small());
    assert_eq!(opened.is_ok(), changed == *map);
    let Ok(mut reader) = RangeReader::open(&changed, part, &small()) else {
        assert_ne!(changed, *map);
        return;
    };
    for at in (0..plain.len() - 10).step_by(300) {
        let mut some = [0; 10];
        match reader.read_exact_at(at as u64, &mut some) {
            Ok(()) => assert_eq!(some, plain[at..at + 10]),
            Err(error) => assert_ne!(error.fault(), Some(Fault::Internal)),
        }
    }
}
