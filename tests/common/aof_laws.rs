//! Laws of logs and manifests that hold for any bytes at all, for the property tests, the fuzz
//! targets and `tests/regressions.rs`. The module `laws` stands beside this one.

#![allow(dead_code)] // each of them needs only some
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use super::laws::{Chunks, blames};
use redkeep::aof::check::{AofCheckOptions, Outcome, Verdict, check_log};
use redkeep::aof::repair::{Fate, FilePlan, RepairOptions, plan_log};
use redkeep::aof::{
    Command, End, EndKind, Fileset, FilesetOptions, Manifest, Record, RecordKind, SliceReader,
    StreamReader, write_command,
};
use redkeep::rdb::ChecksumMode;
use redkeep::rdb::check::{CheckOptions, Severity};
use redkeep::{Error, Fault, Limits};
use std::borrow::Cow;
use std::io::Cursor;

/// A first byte below the number of these stands for one of them, as in `laws`.
const HEADS: [&[u8]; 4] = [
    b"REDIS0003\xfe\x00\x00\x01k\x01v\xff",
    b"*1\r\n$5\r\nMULTI\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$",
    b"#TS:1795159679\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n",
];

/// The log that an input stands for.
fn log(input: &[u8]) -> Cow<'_, [u8]> {
    let head = input.first().and_then(|first| HEADS.get(usize::from(*first)));
    head.map_or(Cow::Borrowed(input), |head| [head, &input[1..]].concat().into())
}

/// However the bytes arrive, a stream reader gives the records, the error and the end that a slice
/// reader gives; and what is said of the end is so.
pub(crate) fn resp(input: &[u8]) {
    let [rest @ .., window, step] = input else { return };
    let window = [64, 100, 4096, 1 << 20][usize::from(window % 4)];
    let (log, step) = (log(rest), usize::from(*step) + 1);
    resp_as(&log, window, step, u64::MAX);
    // The readers of RDB do not look at this limit where a key is small enough for the window.
    if !matches!(log.first(), Some(b'R' | b'V')) {
        resp_as(&log, window, step, 128);
    }
}

pub(crate) fn resp_as(log: &[u8], window: usize, step: usize, held: u64) {
    let limits = Limits::default().window(window).held(held);
    let mut slice = SliceReader::windowed(log, &limits).checksum(ChecksumMode::Report);
    let source = Chunks { rest: log, step, interrupt: step.is_multiple_of(2) };
    let mut stream = StreamReader::with_limits(source, &limits).checksum(ChecksumMode::Report);
    let mut at = 0;
    let mut failed = None;
    loop {
        match (slice.next(), stream.next()) {
            (Some(Ok(one)), Ok(Some(other))) => {
                assert_eq!(format!("{one:?}"), format!("{other:?}"));
                assert_eq!((one.raw(), one.offset), (other.raw(), at as u64));
                assert_eq!(one.raw(), &log[at..at + one.raw().len()]);
                at += one.raw().len();
                record(&one);
            }
            (Some(Err(one)), Err(other)) => {
                assert_eq!(format!("{one:?} {one}"), format!("{other:?} {other}"));
                blames(&one, at as u64..=log.len() as u64);
                failed = Some(one);
                break;
            }
            (None, Ok(None)) => break,
            (one, other) => panic!("{one:?} is not {other:?}, at {at}"),
        }
    }
    assert!(slice.next().is_none() && matches!(stream.next(), Ok(None)));
    assert_eq!((slice.offset(), stream.offset()), (at as u64, at as u64));
    let end = *slice.end().unwrap();
    assert_eq!(Some(&end), stream.end());
    ends(log, at, failed.as_ref(), &end);
    whole(log, failed.as_ref(), &end);
}

/// A command has the arguments it was made of.
fn record(record: &Record<'_>) {
    let RecordKind::Command(command) = record.kind else { return };
    assert_eq!(Command::parse(command.raw()).unwrap(), command);
    let args: Vec<_> = command.args().collect();
    assert_eq!((args.len(), args[0]), (command.len(), command.name()));
    let mut written = Vec::new();
    write_command(&args, &mut written).unwrap();
    assert!(Command::parse(&written).unwrap().args().eq(args));
    assert!(written.len() <= command.raw().len());
}

fn ends(log: &[u8], at: usize, error: Option<&Error>, end: &End) {
    let kind = match error {
        None => EndKind::Clean,
        Some(_) if matches!(end.kind, EndKind::Preamble) => EndKind::Preamble,
        Some(error) if error.fault() == Some(Fault::LogOpenMulti) => EndKind::OpenMulti,
        Some(error) if error.is_truncated() => EndKind::Torn,
        Some(error) if error.is_corrupt() => EndKind::Corrupt,
        Some(_) => EndKind::Stopped,
    };
    assert_eq!(end.kind, kind, "{error:?}");
    if kind == EndKind::Preamble {
        return assert_eq!((end.valid_up_to, end.records), (0, 0));
    }
    assert!(end.valid_up_to <= end.records_up_to && end.commands_up_to <= end.records_up_to);
    assert!(end.open_multi.is_none_or(|multi| multi <= end.valid_up_to));
    assert_eq!(end.open_multi.is_none(), end.valid_up_to == end.records_up_to);
    match kind {
        EndKind::Stopped => {}
        _ => assert_eq!(end.records_up_to, at as u64),
    }
    if let Some(place) = end.goes_on_at {
        let place = usize::try_from(place).unwrap();
        assert!(kind == EndKind::Torn && place > at);
        assert!(SliceReader::new(&log[place..]).next().unwrap().is_ok());
    }
    // What the boundary promises: cut there, it is a whole log.
    if kind != EndKind::Stopped {
        let cut = &log[..usize::try_from(end.valid_up_to).unwrap()];
        let mut reader = SliceReader::new(cut).checksum(ChecksumMode::Skip);
        assert!(reader.by_ref().all(|record| record.is_ok()));
        assert_eq!(reader.end().unwrap().kind, EndKind::Clean);
    }
}

/// Without a limit in the way, the window does not matter.
fn whole(log: &[u8], error: Option<&Error>, end: &End) {
    let mut reader = SliceReader::new(log).checksum(ChecksumMode::Report);
    let failed = reader.by_ref().find_map(Result::err);
    if end.kind == EndKind::Stopped {
        return;
    }
    assert_eq!(reader.end(), Some(end));
    // Within a preamble a value over the window is described otherwise than a whole one.
    if end.kind != EndKind::Preamble {
        assert_eq!(failed.map(|error| error.to_string()), error.map(ToString::to_string));
    }
}

/// A check finds the same however the bytes arrive; it calls sound only what the reader ends well,
/// and what it says of places and counts is so.
pub(crate) fn check(input: &[u8]) {
    let [rest @ .., window, step] = input else { return };
    let window = [64, 100, 4096, 1 << 20][usize::from(window % 4)];
    check_as(&log(rest), window, usize::from(*step) + 1);
}

pub(crate) fn check_as(log: &[u8], window: usize, step: usize) {
    let rules = CheckOptions::default()
        .target("redis-8.0".parse().unwrap())
        .limits(Limits::default().window(window))
        .duplicate_budget(1 << 20);
    let options = AofCheckOptions::new(rules);
    let whole = check_log(log, "a.aof", &options).unwrap();
    let chunks = Chunks { rest: log, step, interrupt: step.is_multiple_of(2) };
    assert_eq!(check_log(chunks, "a.aof", &options).unwrap(), whole);
    let file = &whole.files[0];
    assert_eq!((file.bytes, whole.bytes), (log.len() as u64, log.len() as u64));
    let mut reader = SliceReader::new(log).checksum(ChecksumMode::Report);
    let read: Vec<_> = reader.by_ref().map_while(Result::ok).collect();
    let end = reader.end().unwrap();
    let commands = read.iter().filter(|record| record.command().is_some()).count() as u64;
    assert_eq!((file.commands, file.valid_up_to), (commands, end.valid_up_to));
    assert_eq!(whole.names.values().sum::<u64>(), commands);
    let outcome = whole.target.unwrap().outcome;
    if file.verdict <= Verdict::Findings {
        assert_eq!(end.kind, EndKind::Clean);
    }
    match end.kind {
        EndKind::Clean => assert!(file.cut.is_none() && file.goes_on_at.is_none()),
        EndKind::Preamble => assert!(file.cut.is_none() && outcome == Outcome::Refuses),
        EndKind::Stopped => assert!(whole.verdict >= Verdict::Unreadable && file.cut.is_none()),
        _ => {
            assert!(whole.verdict > Verdict::Findings && outcome > Outcome::LoadsInPart);
            let cut = file.cut.unwrap();
            assert_eq!((cut.at, cut.lost_bytes), (end.valid_up_to, file.bytes - cut.at));
            assert!(cut.commands <= commands && cut.lost_commands >= commands - cut.commands);
        }
    }
    if let Some(at) = file.goes_on_at {
        let behind = &log[usize::try_from(at).unwrap()..];
        assert!(at > end.records_up_to && SliceReader::new(behind).next().unwrap().is_ok());
        assert_eq!(file.verdict.max(Verdict::ZeroTail), file.verdict);
    }
    let found = whole.counts.values().sum::<u64>();
    assert!(whole.findings.len() as u64 <= found && (found == 0) == whole.findings.is_empty());
    let worst = whole.findings.iter().map(|finding| finding.severity).max();
    assert_eq!(whole.verdict == Verdict::Sound, worst.is_none_or(|worst| worst == Severity::Note));
}

/// What comes out of a repair is a whole log, made of the ranges that the plan names, and needs no
/// repair.
pub(crate) fn repair(input: &[u8]) {
    let log = log(input);
    let cut = RepairOptions::default().limits(Limits::default().window(4096));
    let salvage = cut.clone().salvage(true);
    for options in [cut, salvage.clone(), salvage.suspicious(true)] {
        repair_as(&log, &options);
    }
}

/// The plan and what comes out of it; none where an RDB in front cannot be read.
pub(crate) fn repair_as(log: &[u8], options: &RepairOptions) -> Option<(FilePlan, Vec<u8>)> {
    let plan = match plan_log(log, options) {
        Ok(plan) => plan,
        Err(error) => {
            let mut reader = SliceReader::new(log);
            assert!(reader.by_ref().any(|record| record.is_err()), "{error}");
            assert_eq!(reader.end().unwrap().kind, EndKind::Preamble, "{error}");
            return None;
        }
    };
    let mut out = Vec::new();
    let written = plan.write(Cursor::new(log), &mut out).unwrap();
    assert_eq!((written, out.len() as u64), (plan.kept.bytes, plan.kept.bytes));
    let mut reader = SliceReader::new(&out);
    let shown = || format!("{}\n{plan}{}", log.escape_ascii(), out.escape_ascii());
    let is_command = |record: Result<Record<'_>, Error>| match record {
        Ok(record) => u64::from(record.command().is_some()),
        Err(error) => panic!("{error}\n{}", shown()),
    };
    let commands = reader.by_ref().map(is_command).sum();
    assert_eq!((plan.kept.commands, reader.end().unwrap().kind), (commands, EndKind::Clean));
    // All bytes are accounted for, once.
    let kept = plan.pieces.iter().map(|piece| (piece.from, piece.to));
    let lost = plan.losses.iter().map(|loss| (loss.from, loss.to));
    let mut ranges: Vec<_> = kept.chain(lost).collect();
    ranges.sort_unstable();
    let mut at = 0;
    for (from, to) in ranges {
        assert!(from == at && to > from, "{from} to {to} behind {at}");
        at = to;
    }
    assert_eq!(at, log.len() as u64);
    assert_eq!(plan.kept.bytes + plan.lost.bytes, at);
    if !options.salvage {
        assert!(log.starts_with(&out) && plan.mends.is_empty());
    }
    let again = plan_log(&out, options).unwrap();
    assert_eq!((again.fate, again.lost.bytes), (Fate::Unchanged, 0), "{}\n{again}", shown());
    assert!(!plan.to_string().is_empty());
    Some((plan, out))
}

/// A manifest that can be read is written so that it reads the same, and an error has its place.
pub(crate) fn manifest(input: &[u8]) {
    let manifest = match Manifest::parse(input) {
        Ok(manifest) => manifest,
        Err(error) => return blames(&error, 0..=input.len() as u64),
    };
    let sorted = manifest.increments.is_sorted_by(|a, b| a.seq < b.seq);
    assert!(sorted && manifest.loaded().all(|entry| entry.seq > 0));
    match manifest.to_bytes() {
        Ok(written) => assert_eq!(Manifest::parse(&written).unwrap(), manifest),
        // Quoting makes lines longer, perhaps too long.
        Err(_) => assert!(input.len() > 250, "{manifest:?}"),
    }
}

/// Files of one server's folder, cut from an input at each 0xFE and named by the byte behind that:
/// whatever they hold, looking at them gives a plan or an error, twice the same, and changes nothing.
pub(crate) fn fileset(input: &[u8]) {
    const NAMES: [&str; 9] = [
        "appendonlydir/appendonly.aof.manifest",
        "appendonlydir/appendonly.aof.1.base.rdb",
        "appendonlydir/appendonly.aof.1.base.aof",
        "appendonlydir/appendonly.aof.1.incr.aof",
        "appendonlydir/appendonly.aof.2.incr.aof",
        "appendonlydir/temp-appendonly.aof.incr",
        "appendonly.aof",
        "dump.rdb",
        "appendonlydir/appendonly.aof",
    ];
    let folder = std::env::temp_dir().join(format!("redkeep-fileset-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("appendonlydir")).unwrap();
    for part in input.split(|byte| *byte == 0xfe) {
        if let [name, content @ ..] = part {
            std::fs::write(folder.join(NAMES[usize::from(*name) % 9]), content).unwrap();
        }
    }
    for server in ["redis-6.2", "redis-7.0", "redis-8.0", "valkey-9.1"] {
        let options = FilesetOptions::new(server.parse().unwrap());
        let found = || format!("{:?}", Fileset::find(&folder, &options).map_err(|e| e.to_string()));
        assert_eq!(found(), found());
        let check = AofCheckOptions::default();
        let report = redkeep::aof::check::check_fileset(&folder, &check).unwrap();
        assert!(report.verdict == Verdict::Sound || !report.findings.is_empty());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
