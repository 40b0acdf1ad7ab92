//! Records that few servers write: attributes in odd places, vendors, templates, module data.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use redkeep::rdb::encoding::module::ModuleId;
use redkeep::rdb::{Decoder, Element, Entry, EventKind, SliceReader, StrBuf, StreamReader};
use redkeep::wire::number::Digits;
use redkeep::{Error, Fault, Limits};

/// Bytes of a file under a header, without a footer where the version has none.
fn file(header: &[u8], body: &[&[u8]]) -> Vec<u8> {
    let mut bytes = header.to_vec();
    bytes.extend(body.concat());
    bytes.push(0xff);
    bytes
}

/// Redis' lineage without a checksum.
fn redis(body: &[&[u8]]) -> Vec<u8> {
    file(b"REDIS0004", body)
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&(length | 0x4000).to_be_bytes()[..], bytes].concat()
}

fn entries<T>(file: &[u8], mut see: impl FnMut(Entry<'_>) -> T) -> Vec<T> {
    let mut seen = Vec::new();
    for event in SliceReader::new(file) {
        if let EventKind::Entry(entry) = event.unwrap().kind() {
            seen.push(see(entry));
        }
    }
    seen
}

fn error(file: &[u8]) -> Error {
    let by_slice = SliceReader::new(file).find_map(Result::err).expect("an error");
    let mut reader = StreamReader::new(file);
    let by_stream = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error from the stream"),
            Err(error) => break error,
        }
    };
    assert_eq!(by_slice.to_string(), by_stream.to_string());
    by_slice
}

/// All fields of all hashes, through both ways of decoding and both readers.
fn fields(file: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pulled = |items: redkeep::rdb::Items<'_>, decoder: &mut Decoder| {
        let (mut a, mut b) = (Digits::new(), Digits::new());
        let mut fields = Vec::new();
        for item in items {
            for element in decoder.elements(item.unwrap()).unwrap() {
                if let Element::Field { field, value, .. } = element.unwrap() {
                    fields.push((field.bytes(&mut a).to_vec(), value.bytes(&mut b).to_vec()));
                }
            }
        }
        fields
    };
    let (mut decoder, mut whole) = (Decoder::new(), Vec::new());
    for event in SliceReader::new(file) {
        match event.unwrap().kind() {
            EventKind::HashTemplate(template) => decoder.learn(&template).unwrap(),
            EventKind::Entry(entry) => {
                whole.extend(pulled(entry.value().items().unwrap(), &mut decoder));
            }
            _ => {}
        }
    }
    let (mut decoder, mut runs) = (Decoder::new(), Vec::new());
    let mut held = Vec::new();
    let mut reader = StreamReader::with_limits(file, &Limits::default().window(64));
    while let Some(event) = reader.next().unwrap() {
        match event.kind() {
            EventKind::HashTemplate(template) => decoder.learn(&template).unwrap(),
            EventKind::Entry(entry) => {
                runs.extend(pulled(entry.value().items().unwrap(), &mut decoder));
            }
            EventKind::Run(run) => runs.extend(pulled(run.items(), &mut decoder)),
            EventKind::Piece(piece) => {
                held.extend_from_slice(piece.raw());
                if piece.ends {
                    runs.extend(pulled(piece.join(&held), &mut decoder));
                    held.clear();
                }
            }
            _ => {}
        }
    }
    assert_eq!(whole, runs, "in runs as in one");
    whole
}

const EXPIRY: &[u8] = b"\xfc\x00\xe8\x76\x48\x17\x00\x00\x00";

#[test]
fn attributes_belong_to_the_next_key_and_to_no_other() {
    let file = redis(&[EXPIRY, b"\xf9\x07\xf8\x09", b"\x00\x01a\x01x", b"\x00\x01b\x01y"]);
    let seen = entries(&file, |entry| {
        let all = entry.attributes();
        (all.expires.map(|at| at.get()), all.frequency, all.idle_seconds)
    });
    assert_eq!(seen, [(Some(100_000_000_000), Some(7), Some(9)), (None, None, None)]);
}

#[test]
fn attributes_survive_what_servers_let_them_survive() {
    let between: &[u8] = b"\xfa\x01n\x01v\xfe\x03\xfb\x01\x00\xf4\x05\x01\x00";
    let file = redis(&[EXPIRY, between, b"\x00\x01a\x01x", b"\x00\x01b\x01y"]);
    let seen = entries(&file, |e| (e.db(), e.slot(), e.expires().is_some()));
    assert_eq!(seen, [(3, Some(5), true), (3, Some(5), false)]);
}

#[test]
fn the_last_expiry_wins_and_minus_one_is_none() {
    let never: &[u8] = b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff";
    let seconds: &[u8] = b"\xfd\x01\x00\x00\x00";
    let file = redis(&[EXPIRY, seconds, b"\x00\x01a\x01x", EXPIRY, never, b"\x00\x01b\x01y"]);
    let seen = entries(&file, |e| e.expires().map(|at| at.get()));
    assert_eq!(seen, [Some(1000), None]);
}

#[test]
fn attributes_without_a_key_are_an_error() {
    let found = error(&redis(&[EXPIRY]));
    assert_eq!((found.fault(), found.offset()), (Some(Fault::LooseAttributes), Some(18)));
    let found = error(&redis(&[EXPIRY, b"\xf5\x01x"]));
    assert_eq!(found.fault(), Some(Fault::LooseAttributes));
}

#[test]
fn keydb_stamps_stay_with_their_key() {
    let stamp = [b"\xfa".to_vec(), text(b"mvcc-tstamp"), text(b"42")].concat();
    let file = redis(&[&stamp, b"\x00\x01a\x01x", b"\x00\x01b\x01y"]);
    let seen = entries(&file, |entry| {
        let stamp = entry.attributes().mvcc;
        stamp.map(|stamp| stamp.bytes(&mut StrBuf::new()).unwrap().to_vec())
    });
    assert_eq!(seen, [Some(b"42".to_vec()), None]);
}

#[test]
fn key_metadata_is_carried_raw() {
    let meta: &[u8] = b"\xf3\x01\x19\xf6\xc4\x28\x05\x02hi\x02\x01\x03\x00\x00\xc0\x3f\x00";
    let file = redis(&[EXPIRY, meta, b"\x00\x01a\x01x", b"\x00\x01b\x01y"]);
    let seen = entries(&file, |entry| entry.attributes().metadata.map(<[u8]>::to_vec));
    assert_eq!(seen, [Some(meta[1..].to_vec()), None]);
}

#[test]
fn unknown_bytes_are_named_with_their_offset() {
    let dragonfly: &[u8] = b"\xfa\x06df-ver\x031.0";
    for (file, fault, words) in [
        (redis(&[b"\x50"]), Fault::Opcode, "byte 80 after Redis"),
        (redis(&[b"\xc8"]), Fault::Vendor, "Dragonfly FULLSYNC_END"),
        (redis(&[dragonfly, b"\x1e\x01k"]), Fault::Vendor, "Dragonfly JSON"),
        (redis(&[b"\x66"]), Fault::Vendor, "Redis Enterprise"),
        (file(b"VALKEY080", &[b"\x18\x01k"]), Fault::Opcode, "byte 24 after Valkey"),
        (file(b"VALKEY080", &[b"\xf2\x01"]), Fault::Opcode, "byte 242 after Valkey"),
        (b"VCS\x01\x01\x00\x01\x04\x22".to_vec(), Fault::CompressedEnvelope, "decompress it first"),
        (b"PK\x03\x04rest".to_vec(), Fault::Magic, "\"PK\\x03\\x04rest\""),
        (b"$EOF:0123456789".to_vec(), Fault::Magic, "\"$EOF:0123\""),
        (b"REDIS00x1\xff".to_vec(), Fault::Version, "REDIS00x1"),
        (b"REDIS0000\xff".to_vec(), Fault::Version, "REDIS0000"),
    ] {
        let found = error(&file);
        assert_eq!(found.fault(), Some(fault), "{found}");
        assert!(found.to_string().contains(words), "{found}");
        assert!(found.offset().unwrap() <= file.len() as u64);
    }
}

#[test]
fn a_module_value_without_framing_names_its_module() {
    let id = b"\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\x00";
    let found = error(&redis(&[b"\x06\x01k", id, b"whatever"]));
    assert_eq!(found.fault(), Some(Fault::ModulePreGa));
    assert!(found.to_string().contains("module vectorset, encoding version 0"), "{found}");
    assert_eq!((found.offset(), found.key()), (Some(12), Some("k")));
}

#[test]
fn redis_enterprise_records_are_passed() {
    let file = redis(&[b"\x6b\x40\x99", b"\x00\x01a\x01x", EXPIRY, b"\x79\x05", b"\x00\x01b\x01y"]);
    assert_eq!(entries(&file, |e| e.expires().is_some()), [false, true]);
}

#[test]
fn keydb_cron_values_are_framed() {
    let cron = [
        b"\x40\x04cron\x06return\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec(),
        b"\x02\x01a\x01b\x01\x01c".to_vec(),
    ];
    let file = redis(&[&cron.concat(), b"\x00\x01k\x01v"]);
    let mut decoder = Decoder::new();
    let seen = entries(&file, |entry| {
        let mut seen = Vec::new();
        for item in entry.value().items().unwrap() {
            for element in decoder.elements(item.unwrap()).unwrap() {
                seen.push(format!("{:?}", element.unwrap()));
            }
        }
        seen.len()
    });
    assert_eq!(seen, [4, 1], "script, two keys, one argument; then a string");
}

fn listpack(entries: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let length = u8::try_from(entry.len()).unwrap();
        assert!(length < 64);
        body.push(0x80 | length);
        body.extend_from_slice(entry);
        body.push(length + 1);
    }
    wrap(&body, entries.len())
}

fn wrap(body: &[u8], count: usize) -> Vec<u8> {
    let total = u32::try_from(body.len() + 7).unwrap();
    let count = u16::try_from(count).unwrap();
    [&total.to_le_bytes()[..], &count.to_le_bytes(), body, b"\xff"].concat()
}

/// A listpack that begins with a small integer.
fn listpack_of(id: u8, entries: &[&[u8]]) -> Vec<u8> {
    let strings = listpack(entries);
    wrap(&[&[id, 1], &strings[6..strings.len() - 1]].concat(), entries.len() + 1)
}

fn pair(field: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (field.to_vec(), value.to_vec())
}

#[test]
fn hashes_refer_to_templates() {
    let template: &[u8] = b"\xf2\x05\x02\x01f\x02gg";
    let by_listpack = [b"\x1e\x01a".to_vec(), text(&listpack_of(5, &[b"1st", b"2nd"]))].concat();
    let long = text(&[b'v'; 300]);
    let by_array = [&b"\x20\x01b\x05"[..], &text(b"one"), &long].concat();
    let file = file(b"REDIS0004", &[template, &by_listpack, &by_array, b"\x00\x01k\x01v"]);
    assert_eq!(
        fields(&file),
        [pair(b"f", b"1st"), pair(b"gg", b"2nd"), pair(b"f", b"one"), pair(b"gg", &[b'v'; 300])]
    );
}

#[test]
fn hashes_carry_their_template() {
    let names = text(&listpack(&[b"f", b"gg"]));
    let values = text(&listpack_of(0, &[b"1st", b"2nd"]));
    let strings: &[u8] = b"\x03one\x03two";
    let file = redis(&[
        &[&b"\x1d\x01a\x00"[..], &names, &values].concat(),
        &[&b"\x1d\x01b\x01\x02\x01f\x02gg"[..], &values].concat(),
        &[&b"\x1f\x01c\x00"[..], &names, strings].concat(),
        &[&b"\x1f\x01d\x01\x02\x01f\x02gg"[..], strings].concat(),
    ]);
    let packed = [pair(b"f", b"1st"), pair(b"gg", b"2nd")];
    let plain = [pair(b"f", b"one"), pair(b"gg", b"two")];
    assert_eq!(fields(&file), [&packed[..], &packed, &plain, &plain].concat());
}

#[test]
fn templates_that_make_no_sense_are_errors() {
    let template: &[u8] = b"\xf2\x05\x02\x01f\x02gg";
    let unknown = error(&redis(&[b"\x20\x01b\x07\x01x"]));
    assert_eq!(unknown.fault(), Some(Fault::TemplateUnknown));
    let twice = error(&redis(&[template, template]));
    assert_eq!(twice.fault(), Some(Fault::TemplateTwice));
    let empty = error(&redis(&[b"\xf2\x05\x00"]));
    assert_eq!(empty.fault(), Some(Fault::TemplateFields));
    // Framed well, but one value short: only decoding can tell.
    let short = [b"\x1e\x01a".to_vec(), text(&listpack_of(5, &[b"1st"]))].concat();
    let file = redis(&[template, &short]);
    let report = redkeep::rdb::check::check_slice(&file, &Default::default());
    assert_eq!(report.findings[0].code, "template_fields");
}

#[test]
fn module_data_streams_field_by_field() {
    let long = text(&[b'm'; 500]);
    let aux =
        [&b"\xf7\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\x00\x02\x01\x02\x07\x05"[..], &long, b"\x00"];
    let value = [&b"\x07\x01k\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\x00\x02\x07\x05"[..], &long, b"\x00"];
    let file = redis(&[&aux.concat(), &value.concat(), b"\x00\x01z\x01v"]);
    let name = ModuleId::new(0xbde7_2da2_bb1e_b400).name();
    let mut reader = StreamReader::with_limits(&file[..], &Limits::default().window(64));
    let mut raw = Vec::new();
    let mut kinds = Vec::new();
    while let Some(event) = reader.next().unwrap() {
        raw.extend_from_slice(event.raw());
        match event.kind() {
            EventKind::ModuleAux(aux) => {
                assert!(!aux.whole && aux.module.name() == name && aux.when == 1);
                kinds.push("aux");
            }
            EventKind::Open(entry) => {
                assert_eq!(entry.value().module().map(|id| id.name()), Some(name.clone()));
                kinds.push("open");
            }
            EventKind::Close => kinds.push("close"),
            EventKind::Entry(_) => kinds.push("entry"),
            _ => {}
        }
    }
    assert_eq!(raw, file);
    assert_eq!(kinds, ["aux", "close", "open", "close", "entry"]);
    let report = redkeep::rdb::check::check_slice(&file, &Default::default());
    assert_eq!((report.modules[0].keys, report.modules[0].aux), (1, 1));
}

#[test]
fn a_field_expiry_out_of_range_is_not_taken_for_none() {
    // Type 24: smallest expiry 0 and ttl 2^64-1 would sum up to -2, 2^64-1 and 1 to -1.
    for (smallest, ttl) in [(0u64, u64::MAX), (u64::MAX, 1)] {
        let hash = [
            &b"\x18\x01h"[..],
            &smallest.to_le_bytes(),
            b"\x01\x81",
            &ttl.to_be_bytes(),
            b"\x01f\x01v",
        ];
        let report =
            redkeep::rdb::check::check_slice(&redis(&[&hash.concat()]), &Default::default());
        assert_eq!(report.findings[0].code, "field_expiry", "{smallest} {ttl}");
    }
}

#[test]
fn a_million_databases_cost_no_more_than_they_are_worth() {
    let mut body = Vec::new();
    for db in 0..70_000u32 {
        body.extend_from_slice(b"\xfe\x80");
        body.extend_from_slice(&db.to_be_bytes());
        body.extend_from_slice(b"\x00\x01k\x01v");
    }
    let report = redkeep::rdb::check::check_slice(&redis(&[&body]), &Default::default());
    assert_eq!(report.keys, 70_000);
    assert_eq!(report.dbs.len(), 65_536 + 1);
    assert_eq!(report.dbs.last().map(|db| (db.db, db.keys)), Some((u64::MAX, 70_000 - 65_536)));
}

#[test]
fn valkey_slot_imports_are_read() {
    let import = [&b"\xf3"[..], &text(&[b'j'; 40]), b"\x02\x00\x4f\xa0\x50\x00\x50\x01"].concat();
    let file = file(b"VALKEY080", &[&import, b"\x00\x01k\x01v"]);
    let mut seen = Vec::new();
    for event in SliceReader::new(&file).map_while(Result::ok) {
        if let EventKind::SlotImport(import) = event.kind() {
            seen.extend(import.ranges());
        }
    }
    assert_eq!(seen, [(0, 4000), (4096, 4097)]);
    let bad = [&b"\xf3"[..], &text(&[b'j'; 40]), b"\x01\x05\x04"].concat();
    let found = error(&[b"VALKEY080".to_vec(), bad].concat());
    assert_eq!(found.fault(), Some(Fault::SlotRange));
}

#[test]
fn a_dump_that_ends_too_early_says_in_what() {
    let found = error(b"REDIS0011\xfe\x02\x00\x03key\x0ashort");
    assert!(found.is_truncated());
    assert_eq!((found.offset(), found.db(), found.key()), (Some(22), Some(2), Some("key")));
    assert!(found.to_string().contains("5 bytes are missing in a value of type STRING"), "{found}");
    assert!(error(b"REDIS0011").to_string().contains("no end opcode"));
    assert!(error(b"REDIS0011\xff\x00").to_string().contains("the checksum"));
}

#[test]
fn what_cannot_be_cut_is_held_only_up_to_the_limit() {
    let file = redis(&[&[b"\xf5".to_vec(), text(&[b'f'; 5000])].concat()]);
    let limits = Limits::default().window(64).held(1000);
    let mut reader = StreamReader::with_limits(&file[..], &limits);
    let found = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it fits no limit"),
            Err(error) => break error,
        }
    };
    assert_eq!(found.fault(), Some(Fault::Held));
}
