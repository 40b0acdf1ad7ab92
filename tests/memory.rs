//! What reading costs in memory, measured by an allocator that counts: a small constant plus what
//! the input really holds, whatever it claims.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // that is how a test fails

#[path = "common/dumps.rs"]
mod dumps;

use dumps::{counted, dump, key, len, text};
use redkeep::aof::check::{AofCheckOptions, Verdict as LogVerdict, check_log};
use redkeep::aof::{self, CommandSpec, EndKind, write_command};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice, check_stream};
use redkeep::rdb::{Decoder, EventKind, Items, SliceReader, StrBuf, StreamReader};
use redkeep::{Fault, Limits};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const MIB: usize = 1 << 20;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// How often memory was asked for.
static CALLS: AtomicUsize = AtomicUsize::new(0);

fn more(bytes: usize) {
    CALLS.fetch_add(1, Relaxed);
    PEAK.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came; the rest is counting.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Counted as a move: for a moment both are there.
        more(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One measurement at a time, and no test allocates beside it.
static ALONE: Mutex<()> = Mutex::new(());

/// The peak above what is held already.
fn peak(work: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}

/// Members end to end, made while they are read.
struct BigSet {
    members: u64,
    next: u64,
    rest: Vec<u8>,
}

impl Read for BigSet {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() && self.next <= self.members {
            self.rest = match self.next {
                n if n == self.members => vec![0xff],
                n => text(format!("member {n:010}")),
            };
            self.next += 1;
        }
        let n = out.len().min(self.rest.len());
        out[..n].copy_from_slice(&self.rest[..n]);
        self.rest.drain(..n);
        Ok(n)
    }
}

#[test]
fn a_value_of_any_size_becomes_plain_commands_in_a_few_mib() {
    use redkeep::export::{CommandsOptions, export_commands};
    let _alone = ALONE.lock().unwrap();
    let members = 2_000_000;
    let head = [b"REDIS0003".to_vec(), vec![2], text("set"), len(members)].concat();
    let source = head.chain(BigSet { members, next: 0, rest: Vec::new() });
    let options = CommandsOptions::plain("redis-7.0".parse().unwrap());
    let used = peak(|| {
        let outcome = export_commands(source, std::io::sink(), options).unwrap();
        assert_eq!((outcome.written, outcome.commands), (1, 1 + members.div_ceil(64)));
        assert!(outcome.bytes > 40 << 20);
    });
    assert!(used < 6 * MIB, "{used}");
}

#[test]
fn a_giant_is_restored_at_the_cost_of_itself() {
    use redkeep::export::{CommandsOptions, export_commands};
    let _alone = ALONE.lock().unwrap();
    let dump = dump("REDIS0003", &[key(0, "giant", &text(vec![b'x'; 64 * MIB]))]);
    for options in [
        CommandsOptions::restore("redis-7.0".parse().unwrap()),
        CommandsOptions::plain("redis-7.0".parse().unwrap()),
    ] {
        let used = peak(|| {
            export_commands(&dump[..], std::io::sink(), options.clone()).unwrap();
        });
        // A buffer that grows is there twice for a moment.
        assert!(used < 200 * MIB, "{used}");
    }
}

/// Everything that a reader of values does, by both readers; errors are fine.
fn read_all(dump: &[u8]) {
    let mut decoder = Decoder::new();
    for event in SliceReader::new(dump).map_while(Result::ok) {
        decode(&event.kind(), &mut decoder);
    }
    let mut reader = StreamReader::new(dump);
    while let Ok(Some(event)) = reader.next() {
        decode(&event.kind(), &mut decoder);
    }
}

fn decode(event: &EventKind<'_>, decoder: &mut Decoder) -> u64 {
    match event {
        EventKind::Entry(entry) => {
            let _ = entry.key().bytes(&mut StrBuf::new());
            entry.value().items().map_or(0, |items| drain(items, decoder))
        }
        EventKind::Run(run) => drain(run.items(), decoder),
        EventKind::ModuleAux(aux) => drain(aux.items(), decoder),
        EventKind::HashTemplate(template) => decoder.learn(template).map_or(0, |()| 1),
        EventKind::Function(function) => {
            function.code.bytes(&mut StrBuf::new()).map_or(0, |code| code.len() as u64)
        }
        EventKind::Aux(aux) => {
            aux.value.bytes(&mut StrBuf::new()).map_or(0, |value| value.len() as u64)
        }
        _ => 0,
    }
}

fn drain(items: Items<'_>, decoder: &mut Decoder) -> u64 {
    let mut count = 0;
    for item in items.map_while(Result::ok) {
        if let Ok(elements) = decoder.elements(item) {
            count += elements.map_while(Result::ok).count() as u64;
        }
    }
    count
}

/// Small files that claim much.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let huge = len(1 << 40);
    let lzf = |packed: &[u8], claim: u64| {
        [&[0xc3], &len(packed.len() as u64)[..], &len(claim), packed].concat()
    };
    let bomb: Vec<u8> = [0, b'x'].into_iter().chain([0xe0, 0xff, 0].repeat(25)).collect();
    let of = |kind: u8, value: &[u8]| dump("REDIS0015", &[key(kind, "k", value)]);
    let record = |bytes: &[&[u8]]| dump("REDIS0015", &[bytes.concat()]);
    let listpack =
        |total: u32| [&total.to_le_bytes(), &[0xff, 0xff, 0x01, 0x01, 0xff][..]].concat();
    let mut all = vec![
        ("a string of 2^40 bytes", of(0, &huge)),
        ("a string of 2^64-1 bytes", of(0, &len(u64::MAX))),
        ("a key of 2^40 bytes", record(&[&[0], &huge])),
        ("lzf that claims 2^38 bytes", of(0, &lzf(b"\x02abc\xe0\x0f\x02", 1 << 38))),
        ("lzf of 2^40 bytes", of(0, &[&[0xc3], &huge[..], &len(9)].concat())),
        ("lzf that does inflate, 88 times", of(0, &lzf(&bomb, 1 + 25 * 264))),
        ("a packed list from lzf that claims 2^38 bytes", of(16, &lzf(b"\x02abc", 1 << 38))),
        ("a listpack of 4 GiB", of(16, &text(listpack(u32::MAX)))),
        ("an intset of 2^32-1 integers", of(11, &text(b"\x08\0\0\0\xff\xff\xff\xff"))),
        ("a hash with expiries, 2^40 fields", of(24, &[&[0; 8], &huge[..]].concat())),
        ("an array of 2^40 elements", of(28, &[&huge[..], &[0]].concat())),
        ("a module value that never ends", of(7, &[&len(9)[..], &[2, 1].repeat(40)].concat())),
        ("a template of 2^40 fields", record(&[&[0xf2, 0], &huge])),
        ("a function of 2^40 bytes", record(&[&[0xf5], &huge])),
        ("key metadata of 2^40 classes", record(&[&[0xf3], &huge, &[0; 30]])),
        ("2^40 keys announced", record(&[&[0xfb], &huge, &huge, &key(0, "k", b"\x01v")])),
        ("a value named twice", record(&[&key(0, "k", b"\x01v"), &key(0, "k", b"\x01w")])),
        ("version 13", dump("REDIS0013", &[key(0, "k", b"\x01v")])),
        ("valkey", dump("VALKEY080", &[key(0, "k", b"\x01v")])),
        ("valkey importing 2^40 slots", dump("VALKEY080", &[[&[0xf3, 0], &huge[..]].concat()])),
        ("a list of 2^36 elements", of(1, &[&len(1 << 36)[..], &text("one")].concat())),
        ("a hash by template", {
            let template = [&[0xf2, 0][..], &counted(&[text("f")])].concat();
            dump("REDIS0015", &[template, key(32, "k", &[&[0][..], &huge].concat())])
        }),
    ];
    for kind in [1, 2, 3, 4, 5, 14, 15, 18, 19, 21, 22, 26, 27, 31] {
        all.push(("2^40 things", of(kind, &[&huge[..], &[0; 20]].concat())));
    }
    // A stream without nodes, and with too many groups, pending entries or consumers.
    let info = [0; 9];
    all.push(("2^40 groups", of(21, &[&info[..], &huge].concat())));
    let group = [&info[..], &len(1), &text("g"), &[0, 0, 0]].concat();
    all.push(("2^40 pending entries", of(21, &[&group[..], &huge].concat())));
    all.push(("2^40 consumers", of(21, &[&group[..], &[0], &huge].concat())));
    all
}

#[test]
fn a_small_file_costs_little_whatever_it_claims() {
    let _alone = ALONE.lock().unwrap();
    for (name, dump) in hostile() {
        assert!(dump.len() < 130, "{name}: {} bytes", dump.len());
        for cut in [dump.len(), dump.len() - 8, dump.len() - 9] {
            let dump = &dump[..cut];
            let work = [
                ("reading", peak(|| read_all(dump))),
                ("checking a slice", peak(|| _ = check_slice(dump, &CheckOptions::default()))),
                (
                    "checking a stream",
                    peak(|| _ = check_stream(dump, &CheckOptions::default()).unwrap()),
                ),
            ];
            for (what, bytes) in work {
                assert!(bytes < 8 * MIB, "{what}: {name}, {cut} bytes, took {bytes}");
            }
        }
    }
}

/// Gives a head, then a record over and over, then a tail.
struct Repeated {
    head: Vec<u8>,
    record: Vec<u8>,
    times: usize,
    tail: Vec<u8>,
    at: usize,
}

impl Repeated {
    fn len(&self) -> usize {
        self.head.len() + self.record.len() * self.times + self.tail.len()
    }
}

impl Read for Repeated {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let (head, body) = (self.head.len(), self.record.len() * self.times);
            let part = match self.at {
                at if at < head => &self.head[at..],
                at if at < head + body => &self.record[(at - head) % self.record.len()..],
                at => &self.tail[(at - head - body).min(self.tail.len())..],
            };
            if part.is_empty() {
                break;
            }
            let n = part.len().min(buf.len() - done);
            buf[done..done + n].copy_from_slice(&part[..n]);
            done += n;
            self.at += n;
        }
        Ok(done)
    }
}

/// A dump of one value of 40 MiB, made while it is read.
fn giant(kind: u8, lead: &[u8], record: Vec<u8>) -> Repeated {
    let times = 40 * MIB / record.len();
    let head = [
        &b"REDIS0011\xfe\x00"[..],
        &[kind],
        &text("giant"),
        lead,
        &if lead.is_empty() { len(times as u64) } else { Vec::new() },
    ]
    .concat();
    // A checksum of 0 says that none was kept.
    Repeated { head, record, times, tail: b"\xff\0\0\0\0\0\0\0\0".to_vec(), at: 0 }
}

fn giants() -> Vec<(&'static str, u64, Repeated)> {
    let kib = "x".repeat(1 << 10);
    let list = giant(1, &[], text(&kib));
    let set = giant(2, &[], text("x".repeat(200)));
    let hash = giant(4, &[], [text("some field"), text(&kib)].concat());
    let scored = giant(5, &[], [text(&kib), 1.5f64.to_le_bytes().to_vec()].concat());
    let members: Vec<_> = (0..100).map(|_| dumps::In::S("a member of some size")).collect();
    let node = [len(2), text(dumps::listpack(&members))].concat();
    let nodes = giant(18, &[], node);
    let module = giant(7, &len(9), [&[5][..], &text(&kib)].concat());
    let mut string = giant(0, &len(40 << 20), vec![b'x'; 1 << 20]);
    string.times = 40;
    let [lists, hashes] = [list.times as u64, hash.times as u64];
    let [sets, scoreds, all] =
        [set.times as u64, scored.times as u64, nodes.times as u64 * members.len() as u64];
    let fields = module.times as u64 + 1;
    let mut module = module;
    module.tail.insert(0, 0);
    vec![
        ("list", lists, list),
        ("set", sets, set),
        ("hash", hashes, hash),
        ("sorted set", scoreds, scored),
        ("list of nodes", all, nodes),
        ("module", fields, module),
        ("string", 0, string),
    ]
}

#[test]
fn a_giant_value_streams_in_a_window() {
    let _alone = ALONE.lock().unwrap();
    for (name, expected, mut source) in giants() {
        let size = source.len() as u64;
        let (mut elements, mut decoder) = (0, Decoder::new());
        let bytes = peak(|| {
            let mut reader = StreamReader::new(&mut source);
            while let Some(event) = reader.next().unwrap() {
                elements += decode(&event.kind(), &mut decoder);
            }
            assert_eq!(reader.offset(), size);
        });
        assert_eq!(elements, expected, "{name}");
        assert!(bytes < 16 * MIB, "{name}: {bytes} bytes");
    }
}

#[test]
#[cfg(feature = "digest")]
fn a_giant_value_is_digested_in_a_window_and_what_is_sorted() {
    use redkeep::digest::{ContentOptions, DigestOptions, content_digest, server_digest};
    let _alone = ALONE.lock().unwrap();
    for (name, _, source) in giants() {
        let bytes = peak(|| _ = content_digest(source, ContentOptions::default()).unwrap());
        // 16 MiB of elements, in a buffer that doubles: for a moment three times that.
        let most = if ["set", "hash", "sorted set"].contains(&name) { 60 } else { 16 };
        assert!(bytes < most * MIB, "{name}: {bytes} bytes");
    }
    for (name, _, source) in giants().into_iter().filter(|(name, ..)| *name != "module") {
        let options = DigestOptions::new("redis-7.2".parse().unwrap());
        let bytes = peak(|| _ = server_digest(source, options).unwrap());
        assert!(bytes < 16 * MIB, "{name}: {bytes} bytes");
    }
}

#[test]
fn a_giant_value_is_checked_in_a_window_and_a_budget() {
    let _alone = ALONE.lock().unwrap();
    let options = CheckOptions::default().duplicate_budget(4 << 20).limits(Limits::default());
    for (name, expected, source) in giants() {
        let mut report = None;
        let bytes = peak(|| report = Some(check_stream(source, &options).unwrap()));
        let report = report.unwrap();
        assert_ne!(report.verdict, Verdict::Damaged, "{name}: {:?}", report.findings);
        assert_eq!(report.elements, expected.max(1), "{name}");
        assert!(bytes < 16 * MIB, "{name}: {bytes} bytes");
    }
}

/// Reads a log to its end, by all that can be asked of a command.
fn read_log(source: impl Read, limits: &Limits) -> (u64, aof::End, Option<Fault>) {
    let mut reader = aof::StreamReader::with_limits(source, limits);
    let (mut keys, mut fault) = (0, None);
    loop {
        match reader.next() {
            Ok(Some(record)) => {
                let command = record.command().unwrap();
                let spec = CommandSpec::of(&command).unwrap();
                assert!(spec.arity().allows(command.args().count()));
                keys += spec.keys(command).count() as u64;
            }
            Ok(None) => break,
            Err(error) => fault = error.fault(),
        }
    }
    (keys, *reader.end().unwrap(), fault)
}

#[test]
fn a_log_that_claims_much_costs_little() {
    let _alone = ALONE.lock().unwrap();
    let many = b"*1000000000000\r\n$3\r\nDEL\r\n$1\r\na\r\n";
    let big = b"*2\r\n$3\r\nDEL\r\n$18446744073709551615\r\nabc";
    for log in [&many[..], big] {
        let bytes = peak(|| {
            let (_, end, fault) = read_log(log, &Limits::default());
            assert_eq!((end.kind, fault), (EndKind::Torn, Some(Fault::EndsInside)));
        });
        assert!(bytes < 3 * MIB / 2, "{bytes} bytes");
        let bytes = peak(|| assert!(aof::SliceReader::new(log).last().unwrap().is_err()));
        assert!(bytes < 10_000, "{bytes} bytes");
    }
}

#[test]
fn a_log_streams_in_a_window_without_memory_for_each_command() {
    let _alone = ALONE.lock().unwrap();
    let mut record = Vec::new();
    write_command(&["SET", "a key", "some value"], &mut record).unwrap();
    write_command(&["hmset", "a key", "f", "v", "f", "v", "f", "v", "f", "v"], &mut record)
        .unwrap();
    write_command(&["XGROUP", "CREATE", "st", "g", "$"], &mut record).unwrap();
    let times = 100_000;
    let tail = Vec::new();
    let source = Repeated { head: Vec::new(), record, times, tail, at: 0 };
    let before = CALLS.load(Relaxed);
    let bytes = peak(|| {
        let (keys, end, _) = read_log(source, &Limits::default());
        assert_eq!((keys, end.kind), (3 * times as u64, EndKind::Clean));
    });
    assert!(bytes < 3 * MIB / 2, "{bytes} bytes");
    // The threads of other tests ask for some, too.
    assert!(CALLS.load(Relaxed) - before < times / 100);
}

#[test]
fn a_giant_command_is_held_whole_and_not_beyond_the_limit() {
    let _alone = ALONE.lock().unwrap();
    let source = || Repeated {
        head: b"*2\r\n$3\r\nDEL\r\n$41943040\r\n".to_vec(),
        record: vec![b'x'; 1 << 20],
        times: 40,
        tail: b"\r\n".to_vec(),
        at: 0,
    };
    let bytes = peak(|| assert_eq!(read_log(source(), &Limits::default()).0, 1));
    assert!(bytes < 130 * MIB, "{bytes} bytes");
    let limits = Limits::default().held(8 << 20);
    let bytes = peak(|| {
        let (_, end, fault) = read_log(source(), &limits);
        assert_eq!((end.kind, fault), (EndKind::Stopped, Some(Fault::Held)));
    });
    assert!(bytes < 30 * MIB, "{bytes} bytes");
}

/// Logs of 12 MiB that cost a careless reader much, made while they are read.
fn heavy_logs() -> Vec<(&'static str, LogVerdict, Repeated)> {
    let of = |head: &[u8], record: &[u8]| Repeated {
        head: head.to_vec(),
        record: record.to_vec(),
        times: 12 * MIB / record.len(),
        tail: Vec::new(),
        at: 0,
    };
    let set = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n";
    vec![
        ("commands", LogVerdict::Sound, of(b"", set)),
        ("an open transaction", LogVerdict::OpenMulti, of(b"*1\r\n$5\r\nMULTI\r\n", set)),
        ("zeros", LogVerdict::ZeroTail, of(set, &[0; 1000])),
        ("noise", LogVerdict::Corrupt, of(b"*0\r\n", b"noise\r\n*1\r\n$9\r\nnot")),
        ("commands behind a wrong byte", LogVerdict::Corrupt, of(b"*0\r\n", set)),
        ("findings", LogVerdict::Findings, of(b"", b"*2\r\n$4\r\nFROB\r\n$1\r\na\r\n")),
        // Every line might begin a command of a million arguments, which are the lines behind it.
        ("lines of lines", LogVerdict::Corrupt, of(b"*0\r\n", b"$10\r\n\r\n*1000000\r\n")),
        // The same, with a whole command in each of the arguments.
        (
            "lines with commands",
            LogVerdict::Corrupt,
            of(b"*0\r\n", b"$21\r\n\r\n*1\r\n$1\r\nx\r\n*1000000\r\n"),
        ),
    ]
}

#[test]
fn a_log_is_checked_in_windows_whatever_is_in_it() {
    let _alone = ALONE.lock().unwrap();
    for (name, verdict, source) in heavy_logs() {
        let (size, begun) = (source.len() as u64, std::time::Instant::now());
        let mut report = None;
        let bytes = peak(|| {
            report = Some(check_log(source, "a.aof", &AofCheckOptions::default()).unwrap());
        });
        let report = report.unwrap();
        assert_eq!((report.verdict, report.bytes), (verdict, size), "{name}");
        assert!(bytes < 8 * MIB, "{name}: {bytes} bytes");
        let cut = report.files[0].cut;
        assert_eq!(cut.is_some_and(|cut| !cut.searched), name.starts_with("lines"), "{name}");
        if name.starts_with("commands behind") {
            assert_eq!(cut.unwrap().lost_commands, 12 * MIB as u64 / 27);
        }
        assert!(begun.elapsed().as_secs() < 60, "{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_small_log_costs_little_whatever_it_claims() {
    let _alone = ALONE.lock().unwrap();
    for log in [
        &b"*2000000000\r\n$1\r\na\r\n"[..],
        b"*1\r\n$1000000000000\r\na\r\n",
        b"*1\r\n$18446744073709551615\r\na\r\n",
        b"REDIS0009\xfb\x81\0\0\0\xff\0\0\0\0\0",
    ] {
        let bytes = peak(|| {
            let report = check_log(log, "a.aof", &AofCheckOptions::default()).unwrap();
            assert!(report.verdict > LogVerdict::Findings);
        });
        assert!(bytes < 8 * MIB, "{}: {bytes} bytes", log.escape_ascii());
    }
}

#[cfg(feature = "repo")]
#[test]
fn sealing_and_opening_hold_frames_and_not_parts() {
    use redkeep::repo::seal::{
        OpenOptions, RangeReader, SealOptions, SealedReader, Sealer, VolumeTarget,
    };
    use std::collections::BTreeMap;
    use std::io;

    struct Nowhere;

    impl VolumeTarget for Nowhere {
        type Volume = io::Sink;

        fn create(&mut self, _: &str) -> redkeep::Result<io::Sink> {
            Ok(io::sink())
        }

        fn complete(&mut self, _: &str, _: io::Sink) -> redkeep::Result<()> {
            Ok(())
        }
    }

    let _alone = ALONE.lock().unwrap();
    let mebibyte = vec![7; MIB];
    for (threads, most) in [(1, 8 * MIB), (2, 16 * MIB)] {
        let spent = peak(|| {
            let options = SealOptions::new("part").threads(threads).volume(100_000);
            let mut sealer = Sealer::new(options, Nowhere).unwrap();
            for _ in 0..64 {
                sealer.add(&mebibyte).unwrap();
            }
            assert_eq!(sealer.finish().unwrap().part.frames, 64);
        });
        assert!(spent < most, "{threads} threads: {spent}");
    }

    let mut map = BTreeMap::new();
    let mut sealer = Sealer::new(SealOptions::new("part"), &mut map).unwrap();
    (0..64).for_each(|_| sealer.add(&mebibyte).unwrap());
    let part = sealer.finish().unwrap().part;
    let spent = peak(|| {
        let reader = SealedReader::open(&map, &part, &OpenOptions::default()).unwrap();
        assert_eq!(reader.finish().unwrap().plain_len, 64 * MIB as u64);
    });
    assert!(spent < MIB, "{spent}");
    let spent = peak(|| {
        let mut reader = RangeReader::open(&map, &part, &OpenOptions::default()).unwrap();
        reader.read_exact_at(50_000_000, &mut [0; 100]).unwrap();
    });
    assert!(spent < 2 * MIB, "{spent}");
}
