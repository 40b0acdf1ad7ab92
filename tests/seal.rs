//! Sealed parts: what goes in comes back, and damage of any kind is told and never given as good.

#![cfg(feature = "repo")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a panic is how a test fails

#[path = "common/random.rs"]
mod random;
#[path = "common/seal_laws.rs"]
mod seal_laws;

#[path = "seal/programs.rs"]
mod programs;

use random::Random;
use redkeep::repo::seal::{
    Identities, OpenOptions, RangeReader, RangeSource, Recipients, SealOptions, SealedPart,
    SealedReader, Sealer, VolumeTarget,
};
use redkeep::{Error, ErrorKind, Fault, Result};
use seal_laws::{KEPT, Map, by_ranges, open, options, ours, read_to_end, seal, text};
use std::cell::RefCell;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

/// Small enough to try everything with, with several frames, chunks and volumes.
fn small(encrypted: bool) -> (Map, SealedPart, Vec<u8>) {
    let plain = text(900);
    let (map, sealed) = seal(&plain, options(encrypted).frame(400).volume(150));
    assert!(map.len() > 2 && sealed.part.frames == 3);
    (map, sealed.part, plain)
}

#[test]
fn what_was_sealed_comes_back_whole_and_in_ranges() {
    let mut random = Random(1);
    for len in [0, 1, 999, 1000, 1001, 65_536, 70_000, 300_000] {
        let plain = text(len);
        for encrypted in [false, true] {
            for (threads, frame, volume) in
                [(1, 1000, 700), (3, 40_000, 1 << 30), (1, 1 << 20, 65_552)]
            {
                let options = options(encrypted).threads(threads).frame(frame).volume(volume);
                let (map, sealed) = seal(&plain, options);
                let part = &sealed.part;
                assert_eq!(part.frames, len.div_ceil(frame) as u64);
                assert_eq!(part.encrypted, encrypted);
                let stored: u64 = map.values().map(|volume| volume.len() as u64).sum();
                assert_eq!(part.stored_len(), stored);
                assert!(open(&map, part, &ours()).unwrap() == plain);
                let mut reader = RangeReader::open(&map, part, &ours()).unwrap();
                assert!(by_ranges(&map, part, &ours()).unwrap() == plain);
                for _ in 0..20 {
                    let from = random.index(len + 1);
                    let to = from + random.index(len - from + 1);
                    let mut some = vec![0; to - from];
                    reader.read_exact_at(from as u64, &mut some).unwrap();
                    assert!(some == plain[from..to], "{from}..{to} of {len}");
                }
                assert!(reader.read_exact_at(len as u64, &mut [0]).is_err());
            }
        }
    }
}

#[test]
fn frames_end_at_borders_and_inside_of_what_is_too_big() {
    let sizes = |told: &[usize]| {
        let mut map = Map::new();
        let mut sealer = Sealer::new(options(false).frame(1000), &mut map).unwrap();
        for len in told {
            sealer.add(&text(*len)).unwrap();
            sealer.border().unwrap();
        }
        let part = sealer.finish().unwrap().part;
        let stored = &map["part.000000"];
        let rows = &stored[stored.len() - usize::try_from(part.seek_table_len).unwrap() + 8..];
        let rows = rows[..rows.len() - 9].as_chunks::<12>().0;
        rows.iter().map(|row| u32::from_le_bytes(row[4..8].try_into().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&[400, 400, 400, 10]), [1200, 10]);
    // The first of all comes before any border is told.
    assert_eq!(sizes(&[999, 9000, 1]), [4000, 4000, 1999, 1]);
}

#[test]
fn a_part_that_was_sealed_long_ago_is_still_opened() {
    let (map, part, plain) = &*KEPT;
    assert!(open(map, part, &ours()).unwrap() == *plain);
    assert!(by_ranges(map, part, &ours()).unwrap() == *plain);
}

#[test]
fn every_changed_byte_is_seen() {
    for encrypted in [false, true] {
        let (map, part, plain) = small(encrypted);
        for (name, volume) in &map {
            for at in 0..volume.len() {
                for xor in [1 << (at % 8), 0xff] {
                    let mut map = map.clone();
                    map.get_mut(name).unwrap()[at] ^= xor;
                    let error = open(&map, &part, &ours()).unwrap_err();
                    assert!(error.is_corrupt() || error.fault().is_some(), "{name} {at}: {error}");
                    // A range is right or refused, where nothing tells the bytes but their content.
                    if let Ok(got) = by_ranges(&map, &part, &ours()) {
                        assert!(got == plain && !encrypted, "byte {at} of {name}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_prefix_and_everything_added_is_seen() {
    for encrypted in [false, true] {
        let (map, part, _) = small(encrypted);
        for (name, volume) in &map {
            for len in 0..volume.len() {
                let mut map = map.clone();
                map.get_mut(name).unwrap().truncate(len);
                let error = open(&map, &part, &ours()).unwrap_err();
                assert!(error.is_truncated() || error.is_corrupt(), "{len} of {name}: {error}");
                assert!(by_ranges(&map, &part, &ours()).is_err(), "{len} of {name}");
            }
            for more in [vec![0], volume.clone()] {
                let mut map = map.clone();
                map.get_mut(name).unwrap().extend(more);
                let error = open(&map, &part, &ours()).unwrap_err();
                assert_eq!(error.fault(), Some(Fault::VolumeLong), "{name}: {error}");
            }
            let mut map = map.clone();
            map.remove(name);
            assert_eq!(
                open(&map, &part, &ours()).unwrap_err().io_kind(),
                Some(io::ErrorKind::NotFound)
            );
        }
    }
}

#[test]
fn every_swap_of_volumes_is_seen() {
    for encrypted in [false, true] {
        let (map, part, plain) = small(encrypted);
        let names: Vec<&String> = map.keys().collect();
        for (first, one) in names.iter().enumerate() {
            for other in &names[first + 1..] {
                let mut swapped = map.clone();
                let volume = swapped.insert((*one).clone(), map[*other].clone()).unwrap();
                swapped.insert((*other).clone(), volume);
                assert!(open(&swapped, &part, &ours()).is_err());
                assert!(by_ranges(&swapped, &part, &ours()).is_err());
                // The same in the record, with digests that fit.
                let mut part = part.clone();
                let at = |name: &str| part.volumes.iter().position(|v| v.name == name).unwrap();
                let (one, other) = (at(one), at(other));
                part.volumes.swap(one, other);
                assert!(open(&map, &part, &ours()).is_err());
                assert!(by_ranges(&map, &part, &ours()).is_err());
            }
        }
        assert!(open(&map, &part, &ours()).unwrap() == plain);
    }
}

#[test]
fn an_older_object_of_the_same_size_is_not_taken_for_this_one() {
    for encrypted in [false, true] {
        let (_, part, plain) = small(encrypted);
        let mut old = plain.clone();
        old[500] ^= 1;
        let (older, other) = loop {
            // The header's length varies: until it is the same.
            let (older, other) = seal(&old, options(encrypted).frame(400).volume(150));
            if other.part.header_len == part.header_len {
                break (older, other);
            }
        };
        assert!(open(&older, &other.part, &ours()).unwrap() == old);
        // Where nothing else differs.
        if other.part.stored_len() == part.stored_len() {
            assert_eq!(
                by_ranges(&older, &part, &ours()).unwrap_err().fault(),
                Some(Fault::SealOther)
            );
        }
        let error = open(&older, &part, &ours()).unwrap_err();
        // Whichever comes first, the end of a volume or that of the header.
        let wants = [Some(Fault::VolumeDigest), Some(Fault::SealOther)];
        assert!(wants.contains(&error.fault()), "{error}");
        // And with a record of volumes that fits, only the anchor tells.
        let mut mixed = other.part.clone();
        mixed.anchor = part.anchor;
        assert_eq!(open(&older, &mixed, &ours()).unwrap_err().fault(), Some(Fault::SealOther));
        assert_eq!(by_ranges(&older, &mixed, &ours()).unwrap_err().fault(), Some(Fault::SealOther));
    }
}

#[test]
fn each_damage_is_called_by_its_name() {
    let (map, part, _) = small(true);
    let no_key = |options: &OpenOptions| {
        let faults = (
            open(&map, &part, options).unwrap_err().fault(),
            by_ranges(&map, &part, options).unwrap_err().fault(),
        );
        assert_eq!(faults, (Some(Fault::SealNoKey), Some(Fault::SealNoKey)));
    };
    no_key(&OpenOptions::default());
    let other = "AGE-SECRET-KEY-1QTCVP5M4N9GGE4VPUZDUSL0KS8TH66XVF9TQ2E5L04ZF77AKVSSQ8JHE83";
    no_key(
        &OpenOptions::default().identities(Identities::read(other.as_bytes(), || None).unwrap()),
    );

    // Of a stream, of which no digests are known.
    let (map, sealed) = seal(&text(3000), options(true).frame(1000));
    let stored = &map["part.000000"];
    let head = usize::try_from(sealed.part.header_len).unwrap();
    let fault = |bytes: &[u8]| {
        let mut reader = match SealedReader::stream(bytes, &ours()) {
            Ok(reader) => reader,
            Err(error) => return error.fault(),
        };
        let (plain, end) = read_to_end(&mut reader, 100, usize::MAX);
        assert!(end.is_err() || plain.len() == 3000);
        end.err().and_then(|error| error.fault())
    };
    let flipped = |at: usize| {
        let mut bytes = stored.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert_eq!(fault(stored), None);
    assert_eq!(fault(&flipped(0)), Some(Fault::SealForm));
    assert_eq!(fault(&flipped(head - 20)), Some(Fault::SealHead)); // its MAC
    assert_eq!(fault(&flipped(head - 1)), Some(Fault::SealAuth)); // the nonce
    assert_eq!(fault(&flipped(head + 50)), Some(Fault::SealAuth));
    assert_eq!(fault(&stored[..head - 1]), Some(Fault::SealHead));
    assert_eq!(fault(&stored[..stored.len() - 1]), Some(Fault::SealAuth));
    assert_eq!(fault(&stored[..head]), Some(Fault::SealAuth));

    let (map, sealed) = seal(&text(3000), options(false).frame(1000));
    let stored = &map["part.000000"];
    let table = stored.len() - usize::try_from(sealed.part.seek_table_len).unwrap();
    let flipped = |at: usize| {
        let mut bytes = stored.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert_eq!(fault(&flipped(1)), Some(Fault::SealForm));
    assert_eq!(fault(&flipped(table - 1)), Some(Fault::SealFrameChecksum));
    assert_eq!(fault(&flipped(table + 8)), Some(Fault::SealTable)); // a row
    assert_eq!(fault(&flipped(table + 17)), Some(Fault::SealTable)); // a row's checksum
    assert_eq!(fault(&stored[..table - 1]), Some(Fault::SealCut));
    assert_eq!(fault(&stored[..stored.len() - 1]), Some(Fault::SealCut));
    assert_eq!(fault(b""), Some(Fault::SealCut));
    assert_eq!(fault(b"REDIS0011"), Some(Fault::SealForm));
    assert_eq!(fault(b"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA"), Some(Fault::SealForm));
}

#[test]
fn a_cut_between_frames_is_seen_in_a_part_though_zstd_sees_none() {
    let (map, sealed) = seal(&text(3000), options(false).frame(1000));
    let stored = &map["part.000000"];
    let table_len = usize::try_from(sealed.part.seek_table_len).unwrap();
    let cut = &stored[..stored.len() - table_len];
    // As a stream it is sound, since such streams need no table.
    let opened = SealedReader::stream(cut, &ours()).unwrap().finish().unwrap();
    assert_eq!((opened.plain_len, opened.seek_table), (3000, false));
    assert!(SealedReader::stream(&stored[..], &ours()).unwrap().finish().unwrap().seek_table);
    // As a part it is not, even where the record of its volume fits.
    let (_, mut record) = seal(cut, options(false));
    record.part.volumes[0].sha256 = seal_laws::sha256(cut);
    let mut part = sealed.part;
    part.volumes[0].len = cut.len() as u64;
    part.volumes[0].sha256 = record.plain_sha256;
    let map = Map::from([("part.000000".to_owned(), cut.to_vec())]);
    assert_eq!(open(&map, &part, &ours()).unwrap_err().fault(), Some(Fault::SealCut));
    assert!(by_ranges(&map, &part, &ours()).is_err());
}

#[test]
fn what_is_inside_may_end_before_the_part_does() {
    let plain = text(5000);
    let (mut map, sealed) = seal(&plain, options(true).frame(1000));
    let mut some = vec![0; 4000];
    let mut reader = SealedReader::open(&map, &sealed.part, &ours()).unwrap();
    reader.read_exact(&mut some).unwrap();
    assert_eq!(reader.position(), 4000);
    let opened = reader.finish().unwrap();
    assert_eq!((opened.plain_len, opened.plain_sha256), (5000, sealed.plain_sha256));
    // And damage behind what was read is found by finishing.
    *map.get_mut("part.000000").unwrap().last_mut().unwrap() ^= 1;
    let mut reader = SealedReader::open(&map, &sealed.part, &ours()).unwrap();
    let finished = match reader.read_exact(&mut some) {
        Ok(()) => reader.finish(),
        Err(error) => Err(error.into()),
    };
    assert!(finished.unwrap_err().is_corrupt());
}

#[test]
fn damage_keeps_its_name_through_whoever_reads_from_it() {
    let dump = b"REDIS0003\xfe\x00\x00\x05hello\x05world\xff";
    let (mut map, sealed) = seal(dump, options(true));
    let read = |map: &Map| {
        let reader = SealedReader::open(map, &sealed.part, &ours()).unwrap();
        let mut events = redkeep::rdb::StreamReader::new(reader);
        loop {
            match events.next() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    };
    read(&map).unwrap();
    *map.get_mut("part.000000").unwrap().last_mut().unwrap() ^= 1;
    assert_eq!(read(&map).unwrap_err().fault(), Some(Fault::VolumeDigest));
}

/// Notes which ranges are asked for.
struct Noted<'a>(&'a Map, &'a RefCell<Vec<(String, u64, usize)>>);

impl RangeSource for Noted<'_> {
    fn read_exact_at(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.1.borrow_mut().push((name.to_owned(), offset, buf.len()));
        let mut map = self.0;
        map.read_exact_at(name, offset, buf)
    }
}

#[test]
fn a_range_fetches_the_frames_it_lies_in_and_no_others() {
    let mut random = Random(5);
    let plain: Vec<u8> = (0..1 << 20).map(|_| random.next().to_le_bytes()[0]).collect();
    for encrypted in [false, true] {
        let (map, sealed) = seal(&plain, options(encrypted).frame(100_000).volume(400_000));
        let notes = RefCell::new(Vec::new());
        let mut reader = RangeReader::open(Noted(&map, &notes), &sealed.part, &ours()).unwrap();
        let opening = notes.take();
        let fetched: usize = opening.iter().map(|(.., len)| len).sum();
        assert_eq!(opening.len(), if encrypted { 2 } else { 1 }, "{opening:?}");
        assert!(fetched <= 2 * 65_552 + 4096, "{opening:?}");
        // Frame 5 lies in one volume, frame 3 (or 4) across two.
        let mut some = [0; 1000];
        reader.read_exact_at(520_000, &mut some).unwrap();
        assert!(some == plain[520_000..521_000]);
        reader.read_exact_at(530_000, &mut some).unwrap(); // is there already
        let one = notes.take();
        assert_eq!(one.len(), 1, "{one:?}");
        assert!(one[0].2 <= 100_100 + 2 * 65_552, "{one:?}");
        let mut some = vec![0; 250_000];
        reader.read_exact_at(250_000, &mut some).unwrap();
        assert!(some == plain[250_000..500_000]);
        assert!(notes.take().len() <= 5);
    }
}

#[test]
fn damage_elsewhere_does_not_keep_a_range_from_being_read() {
    for encrypted in [false, true] {
        let mut random = Random(6);
        let plain: Vec<u8> = (0..1 << 19).map(|_| random.next().to_le_bytes()[0]).collect();
        let (mut map, sealed) = seal(&plain, options(encrypted).frame(70_000));
        map.get_mut("part.000000").unwrap()[200_000] ^= 1;
        let mut reader = RangeReader::open(&map, &sealed.part, &ours()).unwrap();
        let mut some = [0; 10];
        reader.read_exact_at(500_000, &mut some).unwrap();
        assert!(some == plain[500_000..500_010]);
        let error = reader.read_exact_at(200_000, &mut some).unwrap_err();
        assert!(error.is_corrupt() && error.offset().is_some(), "{error}");
        assert_eq!(some, plain[500_000..500_010], "bytes of a damaged frame were given");
        // Once age failed it is of no more use; frames in clear are each for themselves.
        assert_eq!(reader.read_exact_at(500_000, &mut some).is_ok(), !encrypted);
        assert_eq!(reader.read_exact_at(10, &mut some).is_ok(), !encrypted);
    }
}

#[test]
fn claims_of_frames_and_tables_cost_nothing() {
    // A frame that claims 2^40 bytes of window.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0xf0, 1, 0, 0];
    let error = SealedReader::stream(&frame[..], &ours()).unwrap().finish().unwrap_err();
    assert_eq!(error.fault(), Some(Fault::SealWindow));
    // One that claims 4 GiB of content and asks for little memory.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x84, 0x00, 0xff, 0xff, 0xff, 0xff, 1, 0, 0];
    let error = SealedReader::stream(&frame[..], &ours()).unwrap().finish().unwrap_err();
    assert!(error.is_truncated() || error.is_corrupt(), "{error}");

    let (map, sealed) = seal(&text(3000), options(false).frame(1000));
    let tight = |options: OpenOptions| by_ranges(&map, &sealed.part, &options).unwrap_err().fault();
    assert_eq!(tight(ours().table(20)), Some(Fault::SealTableLimit));
    assert_eq!(tight(ours().frame(999)), Some(Fault::SealFrameLimit));
    // A record of more frames than any table has, over volumes that would hold it.
    let mut part = SealedPart::new(1, 0, 1 << 28, seal_laws::sha256(b""));
    part.volumes.push(redkeep::repo::seal::Volume::new("a", u64::MAX / 2, seal_laws::sha256(b"")));
    let error = RangeReader::open(&map, &part, &ours()).err().unwrap();
    assert_eq!(error.fault(), Some(Fault::SealTableLimit));
}

/// Fails at the nth call of each kind.
struct Failing {
    creates: usize,
    bytes: usize,
    completes: usize,
}

struct Room(usize);

impl Write for Room {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let n = buf.len().min(self.0);
        self.0 -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl VolumeTarget for Failing {
    type Volume = Room;

    fn create(&mut self, _: &str) -> Result<Room> {
        self.creates = self
            .creates
            .checked_sub(1)
            .ok_or_else(|| Error::from(io::Error::from(io::ErrorKind::PermissionDenied)))?;
        Ok(Room(self.bytes))
    }

    fn complete(&mut self, _: &str, _: Room) -> Result<()> {
        self.completes = self
            .completes
            .checked_sub(1)
            .ok_or_else(|| Error::from(io::Error::from(io::ErrorKind::TimedOut)))?;
        Ok(())
    }
}

#[test]
fn a_target_that_fails_is_never_called_sealed() {
    let cases = [
        (Failing { creates: 1, bytes: 1000, completes: 9 }, io::ErrorKind::PermissionDenied),
        (Failing { creates: 9, bytes: 400, completes: 9 }, io::ErrorKind::StorageFull),
        (Failing { creates: 9, bytes: 1000, completes: 1 }, io::ErrorKind::TimedOut),
    ];
    for encrypted in [false, true] {
        for threads in [1, 2] {
            for (failing, want) in &cases {
                let target = Failing { ..*failing };
                let options = options(encrypted).frame(1000).volume(500).threads(threads);
                let mut random = Random(3);
                let mut sealer = match Sealer::new(options, target) {
                    Ok(sealer) => sealer,
                    Err(error) => panic!("{error}"),
                };
                let mut failed = None;
                for _ in 0..200 {
                    let bytes: Vec<u8> =
                        (0..1000).map(|_| random.next().to_le_bytes()[0]).collect();
                    if let Err(error) = sealer.add(&bytes) {
                        failed = Some(error);
                        break;
                    }
                }
                let error = failed.unwrap();
                assert_eq!(error.io_kind(), Some(*want), "{error}");
                assert!(error.to_string().starts_with("part.00000"), "{error}");
                assert_eq!(sealer.add(b"more").unwrap_err().fault(), Some(Fault::PastTheEnd));
                assert!(sealer.finish().is_err());
            }
        }
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = [
        SealOptions::new(""),
        SealOptions::new("../x"),
        options(false).level(23),
        options(false).threads(0),
        options(false).frame(0),
        options(false).volume(0),
        options(false).volume(5_000_000_001),
        options(false).recipients(Recipients::default()),
    ];
    for options in refused {
        let error = Sealer::new(options, Map::new()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}

#[cfg(feature = "json")]
#[test]
fn a_record_comes_back_from_json() {
    let (map, part, plain) = small(true);
    let text = serde_json::to_string(&part).unwrap();
    let back: SealedPart = serde_json::from_str(&text).unwrap();
    assert_eq!(back, part);
    assert!(open(&map, &back, &ours()).unwrap() == plain);
    assert!(!text.contains("plain_sha256"), "{text}");
}

#[test]
fn laws_hold_for_changed_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/seal_open");
    let seeds: Vec<Vec<u8>> =
        folder.read_dir().unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    let mut random = Random(9);
    for _ in 0..3000 {
        let mut input = seeds[random.index(seeds.len())].clone();
        for _ in 0..=random.below(3) {
            let at = random.index(input.len());
            match random.below(4) {
                0 => input.truncate(at.max(1)),
                1 => input.insert(at, random.next().to_le_bytes()[0]),
                2 => input.push(random.next().to_le_bytes()[0]),
                _ => input[at] ^= 1 << random.below(8),
            }
        }
        seal_laws::seal_open(&input);
    }
}
