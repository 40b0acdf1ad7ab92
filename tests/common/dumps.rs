//! Small dumps, one for each layout and each record, made by builders.

#![allow(dead_code)] // not every user needs all of it
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // builders of known sizes

use redkeep::wire::lzf::Compressor;

/// A length, in the shortest form.
pub(crate) fn len(n: u64) -> Vec<u8> {
    match n {
        0..64 => vec![n as u8],
        64..16_384 => vec![0x40 | (n >> 8) as u8, n as u8],
        _ => match u32::try_from(n) {
            Ok(n) => [&[0x80], &n.to_be_bytes()[..]].concat(),
            Err(_) => [&[0x81], &n.to_be_bytes()[..]].concat(),
        },
    }
}

/// A plain string.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&len(bytes.as_ref().len() as u64), bytes.as_ref()].concat()
}

/// A compressed string.
pub(crate) fn packed(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let packed = Compressor::new().compress(raw, &mut out).unwrap();
    [&[0xc3], &len(packed.len() as u64)[..], &len(raw.len() as u64), packed].concat()
}

/// Any number of things, counted.
pub(crate) fn counted(things: &[Vec<u8>]) -> Vec<u8> {
    [len(things.len() as u64), things.concat()].concat()
}

/// An entry of a packed list.
#[derive(Clone, Copy)]
pub(crate) enum In<'a> {
    S(&'a str),
    N(i64),
}

/// A listpack; strings up to 63 bytes.
pub(crate) fn listpack(entries: &[In<'_>]) -> Vec<u8> {
    let body: Vec<Vec<u8>> = entries.iter().map(|entry| listpack_entry(*entry)).collect();
    let body = body.concat();
    let total = (body.len() as u32 + 7).to_le_bytes();
    [&total, &(entries.len() as u16).to_le_bytes()[..], &body, &[0xff]].concat()
}

fn listpack_entry(entry: In<'_>) -> Vec<u8> {
    let mut bytes = match entry {
        In::S(text) => [&[0x80 | text.len() as u8], text.as_bytes()].concat(),
        In::N(n @ 0..128) => vec![n as u8],
        In::N(n) => [&[0xf4], &n.to_le_bytes()[..]].concat(),
    };
    bytes.push(bytes.len() as u8);
    bytes
}

/// A ziplist; strings up to 63 bytes.
pub(crate) fn ziplist(entries: &[In<'_>]) -> Vec<u8> {
    let (mut body, mut before, mut last) = (Vec::new(), 0, 0);
    for entry in entries {
        last = body.len();
        body.push(before as u8);
        match entry {
            In::S(text) => body.extend([&[text.len() as u8], text.as_bytes()].concat()),
            In::N(n) => body.extend([&[0xe0], &n.to_le_bytes()[..]].concat()),
        }
        before = body.len() - last;
    }
    let total = (body.len() as u32 + 11).to_le_bytes();
    let num = (entries.len() as u16).to_le_bytes();
    [&total, &(last as u32 + 10).to_le_bytes()[..], &num, &body, &[0xff]].concat()
}

pub(crate) fn intset(integers: &[i32]) -> Vec<u8> {
    let mut blob = [4, integers.len() as u32].map(u32::to_le_bytes).concat();
    blob.extend(integers.iter().flat_map(|n| n.to_le_bytes()));
    blob
}

pub(crate) fn id(ms: u64, seq: u64) -> Vec<u8> {
    [ms.to_be_bytes(), seq.to_be_bytes()].concat()
}

/// A stream of three entries, one deleted, with a group that has entries pending; layout 1 to 5.
pub(crate) fn stream(layout: u8) -> Vec<u8> {
    use In::{N, S};
    let master = [N(2), N(1), N(1), S("f"), N(0)];
    let entries = [
        [N(2), N(0), N(0), S("one"), N(4)].as_slice(),
        &[N(3), N(1), N(0), S("gone"), N(4)],
        &[N(0), N(2), N(5), N(2), S("f"), S("two"), S("g"), N(-70_000), N(8)],
    ];
    let node = listpack(&[&master, &entries.concat()[..]].concat());
    let mut out = [counted(&[[text(id(5, 1)), text(node)].concat()]), len(2), len(7), len(6)];
    if layout > 1 {
        // First live entry, highest deleted entry, entries added.
        out[3].extend([len(5), len(1), len(6), len(1), len(3)].concat());
    }
    let mut out = out.concat();
    out.extend([len(1), text("group"), len(7), len(6)].concat());
    if layout > 1 {
        out.extend(len(2));
    }
    let delivered = 1_700_000_000_000u64.to_le_bytes().to_vec();
    let pending = |ms, seq| [id(ms, seq), delivered.clone(), len(1)].concat();
    let nacked = if layout == 5 { vec![id(7, 6)] } else { Vec::new() };
    let mut pel = vec![pending(5, 1)];
    pel.extend(nacked.iter().map(|_| pending(7, 6)));
    out.extend(counted(&pel));
    let mut consumer = [text("consumer"), delivered.clone()].concat();
    if layout > 2 {
        consumer.extend(&delivered);
    }
    consumer.extend(counted(&[id(5, 1)]));
    out.extend(counted(&[consumer]));
    if layout == 5 {
        out.extend(counted(&nacked));
    }
    if layout > 3 {
        out.extend([len(100), len(100)].concat());
        let used = [text("used"), len(7), len(6)].concat();
        out.extend(counted(&[[text("producer"), counted(&[used])].concat()]));
        out.extend([len(1), len(0)].concat());
    }
    out
}

/// A key of a type.
pub(crate) fn key(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], &text(name)[..], value].concat()
}

/// A whole dump: head, records, end, and the checksum where the version has one.
pub(crate) fn dump(head: &str, records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = [head.as_bytes(), &records.concat(), &[0xff]].concat();
    if head.starts_with("VALKEY") || head > "REDIS0004" {
        let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&out);
        out.extend(crc.to_le_bytes());
    }
    out
}

/// Values of every layout: a name, the head of a file that may hold it, its number, its bytes.
pub(crate) fn values() -> Vec<(&'static str, &'static str, u8, Vec<u8>)> {
    use In::{N, S};
    let long = "abcdefgh".repeat(12);
    let double = |n: f64| n.to_le_bytes().to_vec();
    let pairs = [S("f"), S("v"), S("g"), N(-12)];
    let scored = [S("a"), S("-inf"), S("b"), N(1), S("c"), S("2.5")];
    let members = [S("a"), N(1), N(300), S("bb")];
    let at = 1_900_000_000_000i64;
    let timed = [S("g"), S("w"), N(at), S("f"), S("v"), N(0)];
    let module = len(0xbde7_2da2_bb1e_b400);
    let fields = [
        [&[1], &len(u64::MAX)[..]].concat(),
        [&[2], &len(300)[..]].concat(),
        [&[3], &1.5f32.to_le_bytes()[..]].concat(),
        [&[4], &double(2.5)[..]].concat(),
        [&[5], &text("some text")[..]].concat(),
        vec![0],
    ];
    let array = [
        [len(0), len(3), text("x")].concat(),
        [len(5), len(1), 42i64.to_le_bytes().to_vec()].concat(),
        [len(7), len(0), text(&long)].concat(),
        [len(1_000_000), len(2), double(3.5)].concat(),
    ];
    let node = |container: u64, bytes: Vec<u8>| [len(container), bytes].concat();
    let now = "REDIS0011";
    vec![
        ("string", now, 0, text("value")),
        ("string_empty", now, 0, text("")),
        ("string_int", now, 0, vec![0xc1, 0x39, 0x30]),
        ("string_lzf", now, 0, packed(long.as_bytes())),
        ("list", "REDIS0003", 1, counted(&[text("a"), text("b"), text(&long), vec![0xc0, 5]])),
        ("set", now, 2, counted(&[text("a"), text("b"), vec![0xc0, 5]])),
        (
            "zset_text",
            "REDIS0007",
            3,
            counted(&[
                [text("a"), text("1.5")].concat(),
                [text("b"), vec![254]].concat(),
                [text("c"), vec![255]].concat(),
            ]),
        ),
        (
            "hash",
            now,
            4,
            counted(&[
                [text("f"), text("v")].concat(),
                [text("g"), packed(long.as_bytes())].concat(),
            ]),
        ),
        (
            "zset",
            now,
            5,
            counted(&[[text("a"), double(1.5)].concat(), [text("b"), double(-0.0)].concat()]),
        ),
        ("module", now, 7, [module.clone(), fields.concat()].concat()),
        ("zipmap", "REDIS0002", 9, text(b"\x02\x01f\x06\x02abcdefgh\x01g\x01\x001\xff")),
        ("list_ziplist", "REDIS0006", 10, text(ziplist(&members))),
        ("intset", now, 11, text(intset(&[-70_000, 1, 70_000]))),
        ("zset_ziplist", "REDIS0006", 12, text(ziplist(&scored))),
        ("hash_ziplist", "REDIS0006", 13, text(ziplist(&pairs))),
        ("quicklist", "REDIS0007", 14, counted(&[text(ziplist(&members)), text(ziplist(&pairs))])),
        ("stream", "REDIS0009", 15, stream(1)),
        ("hash_listpack", now, 16, text(listpack(&pairs))),
        ("zset_listpack", now, 17, text(listpack(&scored))),
        (
            "quicklist2",
            now,
            18,
            counted(&[
                node(2, text(listpack(&members))),
                node(1, text(&long)),
                node(2, packed(&listpack(&[S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]))),
            ]),
        ),
        ("stream2", "REDIS0010", 19, stream(2)),
        ("set_listpack", now, 20, text(listpack(&members))),
        ("stream3", now, 21, stream(3)),
        (
            "hash_ttl_pre_ga",
            "REDIS0012",
            22,
            counted(&[
                [len(at as u64), text("f"), text("v")].concat(),
                [len(0), text("g"), text("w")].concat(),
            ]),
        ),
        ("hash_listpack_ttl_pre_ga", "REDIS0012", 23, text(listpack(&timed))),
        (
            "hash_ttl",
            "REDIS0012",
            24,
            [
                at.to_le_bytes().to_vec(),
                counted(&[
                    [len(1), text("f"), text("v")].concat(),
                    [len(501), text("g"), text("w")].concat(),
                    [len(0), text("h"), text("x")].concat(),
                ]),
            ]
            .concat(),
        ),
        (
            "hash_listpack_ttl",
            "REDIS0012",
            25,
            [at.to_le_bytes().to_vec(), text(listpack(&timed))].concat(),
        ),
        ("stream4", "REDIS0013", 26, stream(4)),
        ("stream5", "REDIS0014", 27, stream(5)),
        ("array", "REDIS0014", 28, [len(4), len(1), len(1_000_000), array.concat()].concat()),
        (
            "hash_template_listpack",
            "REDIS0015",
            29,
            [vec![0], text(listpack(&[S("f"), S("g")])), text(listpack(&[N(0), S("v"), S("w")]))]
                .concat(),
        ),
        (
            "hash_template_array",
            "REDIS0015",
            31,
            [vec![1], counted(&[text("f"), text("g")]), text("v"), text("w")].concat(),
        ),
        (
            "cron",
            "REDIS0009",
            64,
            [
                text("return 1"),
                at.to_le_bytes().to_vec(),
                60_000i64.to_le_bytes().to_vec(),
                counted(&[text("k")]),
                counted(&[text("a"), text("b")]),
            ]
            .concat(),
        ),
        (
            "valkey_hash",
            "VALKEY080",
            22,
            counted(&[
                [text("f"), text("v"), (-1i64).to_le_bytes().to_vec()].concat(),
                [text("g"), text("w"), at.to_le_bytes().to_vec()].concat(),
            ]),
        ),
    ]
}

/// A dump for each layout, and some of everything that is no value.
pub(crate) fn each() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<_> = (values().into_iter())
        .map(|(name, head, kind, value)| {
            (name, dump(head, &[vec![0xfe, 0], key(kind, "key", &value)]))
        })
        .collect();
    let op = |code: u8, parts: &[Vec<u8>]| [vec![code], parts.concat()].concat();
    let module_aux = op(
        0xf7,
        &[len(0xbde7_2da2_bb1e_b400), len(2), len(1), vec![5], text("data"), vec![2, 7, 0]],
    );
    let class = [0x19, 0xf6, 0xc4, 0x28, 5, 2, b'h', b'i', 2, 1, 0].to_vec();
    let plain = |name| key(0, name, &text("v"));
    all.push((
        "records",
        dump(
            "REDIS0011",
            &[
                op(0xfa, &[text("redis-ver"), text("7.2.6")]),
                op(0xfa, &[text("ctime"), vec![0xc2, 1, 2, 3, 4]]),
                op(0xf5, &[text("#!lua name=lib\nreturn 1")]),
                op(0xf6, &[text("old"), text("lua"), len(1), text("about"), text("return 1")]),
                module_aux,
                op(0xfe, &[len(3)]),
                op(0xfb, &[len(5), len(2)]),
                op(0xfc, &[1_900_000_000_000i64.to_le_bytes().to_vec(), plain("ms")]),
                op(0xfd, &[1_900_000_000i32.to_le_bytes().to_vec(), plain("s")]),
                op(0xf8, &[len(900), plain("idle")]),
                op(0xf9, &[vec![200], plain("freq")]),
                op(0xfa, &[text("mvcc-tstamp"), text("12345"), plain("mvcc")]),
            ],
        ),
    ));
    all.push((
        "slots_and_metadata",
        dump(
            "REDIS0014",
            &[
                op(0xf4, &[len(15_495), len(1), len(0)]),
                op(0xf3, &[len(1), class, plain("meta")]),
                op(0x6b, &[len(9)]),
                plain("k"),
            ],
        ),
    ));
    let template = op(0xf2, &[len(7), counted(&[text("f"), text("g")])]);
    all.push((
        "templates",
        dump(
            "REDIS0015",
            &[
                template,
                key(30, "listpack", &text(listpack(&[In::N(7), In::S("v"), In::S("w")]))),
                key(32, "array", &[len(7), text("v"), text("w")].concat()),
            ],
        ),
    ));
    all.push((
        "valkey_slots",
        dump(
            "VALKEY080",
            &[
                op(0xfa, &[text("valkey-ver"), text("9.1.2")]),
                op(
                    0xf3,
                    &[text("0123456789".repeat(4)), len(2), len(0), len(4000), len(9), len(9)],
                ),
                op(0xfa, &[text("slot-info"), text("15495,1,0")]),
                plain("a"),
            ],
        ),
    ));
    all
}
