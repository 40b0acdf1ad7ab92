//! Laws that hold for any bytes at all. The fuzz targets look for input that breaks one, the
//! property tests try mutated dumps, and `tests/regressions.rs` replays what once broke one.

#![allow(dead_code)] // each of them needs only some
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // that is how laws fail

use redkeep::pipe::{EntrySource, Stage, Staged, pump};
use redkeep::rdb::check::{
    CheckOptions, Level, Report, Verdict, check_file, check_slice, check_stream,
};
use redkeep::rdb::encoding::intset::Intset;
use redkeep::rdb::encoding::listpack::Listpack;
use redkeep::rdb::encoding::stream::StreamNode;
use redkeep::rdb::encoding::ziplist::Ziplist;
use redkeep::rdb::encoding::zipmap::Zipmap;
use redkeep::rdb::encoding::{Origin, Scalar};
use redkeep::rdb::{
    ChecksumMode, Decoder, Element, Event, EventKind, Items, ModuleField, Score, SliceReader,
    StrBuf, StreamId, StreamReader, Value, Visit, Writer,
};
use redkeep::select::{
    ExpiryChange, Glob, KeyPattern, MemberCondition, MemberCounts, MemberFilter, MemberOptions,
    Rename, Transform, TransformOptions,
};
use redkeep::wire::{lzf, number::Digits};
use redkeep::{Error, Fault, Limits, Result, UnixMillis};
use std::borrow::Cow;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Cursor, ErrorKind, Read};
use std::ops::RangeInclusive;

/// Inflating is bounded here so that no input is slow.
const INFLATED: u64 = 1 << 20;

/// A first byte below the number of these stands for one of them, so that a fuzzer need not find
/// them and mutation spends itself on what follows. No real dump begins with such a byte.
const HEADS: [&[u8]; 5] =
    [b"REDIS0003", b"REDIS0011", b"VALKEY080", b"REDIS0015", b"REDIS0009\xfa\x06df-ver\x03v1."];

/// The dump that an input stands for.
pub(crate) fn dump(input: &[u8]) -> Cow<'_, [u8]> {
    let head = input.first().and_then(|first| HEADS.get(usize::from(*first)));
    head.map_or(Cow::Borrowed(input), |head| [head, &input[1..]].concat().into())
}

/// A slice reader gives every byte once and in order, then an end or one error; pulling elements
/// and being shown them comes to the same, and every error lies in what it is about.
pub(crate) fn slice_reader(input: &[u8]) {
    let dump = dump(input);
    let mut reader = SliceReader::new(&dump).checksum(ChecksumMode::Skip);
    let (mut pulled, mut shown) = (decoder(), decoder());
    let (mut at, mut ended) = (0, false);
    for event in reader.by_ref() {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                blames(&error, at as u64..=dump.len() as u64);
                ended = true;
                break;
            }
        };
        let raw = event.raw();
        assert_eq!((event.offset(), raw), (at as u64, &dump[at..at + raw.len()]));
        at += raw.len();
        let owned = event.into_owned();
        assert_eq!((owned.event().raw(), format!("{owned:?}")), (raw, format!("{event:?}")));
        ended = match event.kind() {
            EventKind::Entry(entry) => {
                let value = entry.value();
                let pull = pull(value, &mut pulled);
                let push = push(value, &mut shown);
                assert_eq!(pull, push, "{event:?}");
                let _ = (entry.key().bytes(&mut buf()), entry.attributes());
                let owned = entry.into_owned();
                assert_eq!(owned.bytes(), raw);
                assert_eq!(owned.entry().raw_key(), entry.raw_key());
                false
            }
            EventKind::Open(_) | EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => {
                panic!("{event:?} without a window");
            }
            EventKind::HashTemplate(template) => {
                let learned = [pulled.learn(&template), shown.learn(&template)];
                let [a, b] = learned.map(|result| result.map_err(|error| error.to_string()));
                assert_eq!(a, b);
                false
            }
            EventKind::SlotImport(import) => {
                assert_eq!(import.ranges().count() as u64, import.ranges);
                assert!(import.ranges().all(|(first, last)| first <= last && last < 16_384));
                false
            }
            EventKind::ModuleAux(aux) => {
                assert!(aux.whole);
                for item in aux.items() {
                    let _ = pulled.elements(item.unwrap()).map(Iterator::count);
                }
                false
            }
            EventKind::Eof => {
                assert_eq!(raw, [0xff]);
                true
            }
            EventKind::Footer(_) => true,
            _ => false,
        };
    }
    assert!(ended, "neither an end nor an error");
    assert!(reader.next().is_none() && reader.next().is_none());
    assert_eq!(reader.offset(), at as u64);
}

/// However the bytes arrive, a stream reader gives the events and the error that a slice reader
/// with the same window gives; and a window changes neither values nor errors.
pub(crate) fn chunked(input: &[u8]) {
    let [rest @ .., window, step] = input else { return };
    let dump = dump(rest);
    chunked_as(&dump, if window & 1 == 0 { 64 } else { 4096 }, usize::from(*step) + 1);
    window_is_no_matter(&dump, if window & 1 == 0 { 64 } else { 4096 });
}

pub(crate) fn chunked_as(dump: &[u8], window: usize, step: usize) {
    let limits = Limits::default().window(window);
    let mut slice = SliceReader::windowed(dump, &limits).checksum(ChecksumMode::Report);
    let source = Chunks { rest: dump, step, interrupt: step.is_multiple_of(2) };
    let mut stream = StreamReader::with_limits(source, &limits).checksum(ChecksumMode::Report);
    let mut at = 0;
    loop {
        match (slice.next(), stream.next()) {
            (Some(Ok(one)), Ok(Some(other))) => {
                assert_eq!(format!("{one:?}"), format!("{other:?}"));
                assert_eq!((one.raw(), one.offset()), (other.raw(), at as u64));
                assert_eq!(one.raw(), &dump[at..at + one.raw().len()]);
                at += one.raw().len();
            }
            (Some(Err(one)), Err(other)) => {
                assert_eq!(format!("{one:?} {one}"), format!("{other:?} {other}"));
                blames(&one, at as u64..=dump.len() as u64);
                break;
            }
            (None, Ok(None)) => break,
            (one, other) => panic!("{one:?} is not {other:?}, at {at}"),
        }
    }
    assert!(slice.next().is_none() && matches!(stream.next(), Ok(None)));
    assert_eq!((slice.offset(), stream.offset()), (at as u64, at as u64));
    let (mut rest, mut source) = stream.into_rest();
    source.interrupt = false;
    source.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, dump[at..]);
}

/// Values that come in runs and pieces have the elements that they have when whole.
pub(crate) fn window_is_no_matter(dump: &[u8], window: usize) {
    let whole = Values::read(SliceReader::new(dump));
    let limits = Limits::default().window(window).held(u64::MAX);
    let windowed = Values::read(SliceReader::windowed(dump, &limits));
    assert_eq!(whole.closed, windowed.closed);
    assert_eq!(whole.end, windowed.end);
}

/// The packed encodings end, give no more entries than they have bytes, at most one error, and
/// nothing after it.
pub(crate) fn encodings(input: &[u8]) {
    let Some((&kind, blob)) = input.split_first() else { return };
    let sealed = seal(kind, blob);
    let (blob, most) = (&sealed[..], sealed.len());
    let origin = match kind & 0x80 {
        0 => Origin::plain(1000),
        _ => Origin::inflated(1000),
    };
    match kind % 5 {
        0 => ends(Listpack::new(blob, origin), most),
        1 => ends(Ziplist::new(blob, origin), most),
        2 => ends(Intset::new(blob, origin).map(|set| set.map(Ok::<i64, Error>)), most),
        3 => ends(Zipmap::new(blob, origin), most),
        _ => ends(StreamNode::new(StreamId::new(1, u64::MAX), blob, origin), most),
    }
}

/// Bits of `kind` ask for headers that fit, so that a fuzzer gets past them.
fn seal(kind: u8, blob: &[u8]) -> Vec<u8> {
    let mut blob = blob.to_vec();
    let (total, len) = (u32::try_from(blob.len()).unwrap().to_le_bytes(), blob.len());
    if kind & 0x40 == 0 || len < 12 {
        return blob;
    }
    match kind % 5 {
        2 => {
            blob[..4].copy_from_slice(&[[2, 0, 0, 0], [4, 0, 0, 0], [8, 0, 0, 0]][len % 3]);
            let count = u32::try_from((len - 8) / usize::from(blob[0])).unwrap();
            blob[4..8].copy_from_slice(&count.to_le_bytes());
        }
        3 => blob[len - 1] = 0xff,
        _ => {
            blob[..4].copy_from_slice(&total);
            blob[len - 1] = 0xff;
        }
    }
    blob
}

fn ends<T>(entries: Result<impl Iterator<Item = Result<T>> + Clone>, most: usize) {
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return blames(&error, 1000..=1000 + most as u64),
    };
    let again = entries.clone();
    let (mut good, mut all) = (0, 0);
    for entry in entries.by_ref() {
        all += 1;
        match entry {
            Ok(_) => good += 1,
            Err(error) => {
                blames(&error, 1000..=1000 + most as u64);
                break;
            }
        }
        assert!(good <= most, "more entries than bytes");
    }
    assert!(entries.next().is_none() && entries.next().is_none());
    assert_eq!(again.count(), all);
}

/// Inflating agrees with a decoder that goes byte by byte and with the crate `lzf`, and what was
/// compressed inflates again, for us and for them.
pub(crate) fn lzf(input: &[u8]) {
    let Some(([low, high], rest)) = input.split_first_chunk() else { return };
    let claimed = usize::from(u16::from_le_bytes([*low, *high]));
    let natural = inflate(rest).map_or(claimed, |raw| raw.len());
    let mut out = Vec::new();
    for len in [claimed, natural] {
        let ours = lzf::decompress(rest, len as u64, INFLATED, &mut out);
        let slow = inflate(rest).filter(|raw| raw.len() == len && !rest.is_empty());
        match &slow {
            Some(raw) => assert_eq!(ours, Ok(&raw[..])),
            None => assert!(ours.is_err() || (rest.is_empty() && len == 0)),
        }
        if len > 0
            && let Ok(theirs) = ::lzf::decompress(rest, len)
            && theirs.len() == len
        {
            assert_eq!(slow, Some(theirs));
        }
    }
    let mut compressor = lzf::Compressor::new();
    let mut packed = Vec::new();
    let first = compressor.compress(rest, &mut packed).map(<[u8]>::to_vec);
    let second = compressor.compress(rest, &mut packed).map(<[u8]>::to_vec);
    assert_eq!(first, second, "what was compressed before shows");
    if let Some(packed) = first {
        assert!(packed.len() + 4 <= rest.len());
        assert_eq!(lzf::decompress(&packed, rest.len() as u64, INFLATED, &mut out), Ok(rest));
        assert_eq!(::lzf::decompress(&packed, rest.len()).unwrap(), rest);
    }
}

/// LZF as plainly as it can be said; `None` where it is none.
fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let (mut src, mut out) = (packed.iter().copied(), Vec::new());
    while let Some(head) = src.next() {
        let head = usize::from(head);
        if head < 32 {
            for _ in 0..=head {
                out.push(src.next()?);
            }
            continue;
        }
        let more = if head >> 5 == 7 { usize::from(src.next()?) } else { 0 };
        let back = ((head & 31) << 8 | usize::from(src.next()?)) + 1;
        for _ in 0..(head >> 5) + 2 + more {
            out.push(*out.get(out.len().checked_sub(back)?)?);
        }
    }
    Some(out)
}

/// A pattern and a text, a length byte in front of each, some switches, and a dump: whatever the
/// pattern, matching ends soon and agrees with what the stars stand for; whatever is left out of the
/// dump or changed in it, the rest can be read, and comes out the same in runs as whole.
pub(crate) fn select(input: &[u8]) {
    let Some((pattern, rest)) = counted(input) else { return };
    let Some((text, rest)) = counted(rest) else { return };
    let [switches, rest @ ..] = rest else { return };
    glob(pattern, text);
    let dump = without_sum(&dump(rest));
    let by_members = select_members(pattern, text, *switches);
    let filtered = both_ways(&dump, || MemberFilter::new(by_members.clone()));
    if let Some((part, _)) = &filtered {
        let (again, stage) = both_ways(part, || MemberFilter::new(by_members.clone())).unwrap();
        assert!(again == *part && *stage.counts() == MemberCounts::default());
    }
    let changed = select_change(pattern, text, *switches);
    both_ways(&dump, || Transform::new(changed.clone()));
}

fn counted(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = input.split_first()?;
    rest.split_at_checked(usize::from(*count))
}

fn glob(pattern: &[u8], text: &[u8]) {
    let glob = Glob::new(pattern);
    let matches = glob.matches(text);
    assert!(!matches || text.starts_with(glob.prefix()));
    let stars = pattern.iter().filter(|byte| **byte == b'*').count();
    let joined = Rename::glob(pattern, b"*".repeat(stars)).or_else(|_| Rename::glob(pattern, ""));
    let name = joined.unwrap().apply(text);
    assert_eq!(name.is_some(), matches);
    assert!(name.is_none_or(|name| name.len() <= text.len()));
    // A time that grows faster than pattern by text would show here.
    let _ = (glob.matches(&text.repeat(256)), Glob::new(pattern.repeat(64)).matches(text));
}

/// The dump with the mark that no checksum was kept, so that any bytes can be proven.
fn without_sum(dump: &[u8]) -> Vec<u8> {
    let mut unkept = dump.to_vec();
    let events = SliceReader::new(dump).checksum(ChecksumMode::Skip).map_while(Result::ok);
    for event in events.filter(|event| matches!(event.kind(), EventKind::Footer(_))) {
        let at = usize::try_from(event.offset()).unwrap();
        unkept[at..at + 8].fill(0);
    }
    unkept
}

fn select_members(pattern: &[u8], text: &[u8], switches: u8) -> MemberOptions {
    let names = || [KeyPattern::glob(pattern), KeyPattern::prefix(text)];
    let number = |at: usize| f64::from(*text.get(at).unwrap_or(&0)) - 64.0;
    let id = |at: usize| StreamId::new(u64::from(*text.get(at).unwrap_or(&9)), 0);
    let conditions = [
        MemberCondition::fields(names()),
        MemberCondition::members(names()),
        MemberCondition::elements(names()),
        MemberCondition::scores([number(0)..number(1)]),
        MemberCondition::ids([id(0)..=id(1)]),
    ];
    let limits = Limits::default().inflated(INFLATED);
    let options = MemberOptions::default().limits(limits);
    conditions.into_iter().enumerate().fold(options, |options, (at, condition)| {
        match switches >> at & 1 {
            0 => options.exclude(condition),
            _ => options.include(condition),
        }
    })
}

fn select_change(pattern: &[u8], text: &[u8], switches: u8) -> TransformOptions {
    let at = |place: usize| u64::from(*text.get(place).unwrap_or(&3));
    let when = UnixMillis::new(i64::from(*text.first().unwrap_or(&1)) << 33);
    let options = TransformOptions::default().inflated(INFLATED).drop_expired(when);
    let options = match switches & 3 {
        0 => options.rename(Rename::prefix("", text)),
        1 => options.rename(Rename::prefix(pattern, text)),
        2 => match Rename::glob(pattern, text) {
            Ok(rule) => options.rename(rule),
            Err(_) => options,
        },
        _ => options.move_db(at(0), at(1)).move_db(at(1), at(0)),
    };
    options.expiry(match switches >> 2 & 7 {
        0 => ExpiryChange::Drop,
        1 => ExpiryChange::Set(when),
        2 => ExpiryChange::Shift(i64::MIN),
        3 => ExpiryChange::Shift(-when.get()),
        4 => ExpiryChange::AsOf { taken: None, now: when },
        5 => ExpiryChange::AsOf { taken: Some(UnixMillis::new(i64::MIN)), now: when },
        _ => ExpiryChange::Keep,
    })
}

fn through<T: Stage>(mut source: impl EntrySource, stage: T) -> Result<(Vec<u8>, T)> {
    let mut staged = Staged { stage, to: Writer::new(Vec::new()) };
    pump(&mut source, &mut staged)?;
    Ok((staged.to.finish()?, staged.stage))
}

/// What a stage makes of a dump, whole and in runs; it can be read, and it is the same. `None` where
/// either fails, which both have to.
fn both_ways<T: Stage>(dump: &[u8], stage: impl Fn() -> T) -> Option<(Vec<u8>, T)> {
    let limits = Limits::default().window(64).inflated(INFLATED);
    let whole = through(SliceReader::new(dump), stage());
    let runs = through(StreamReader::with_limits(dump, &limits), stage());
    assert_eq!(whole.is_err(), runs.is_err());
    let ((part, stage), (same, _)) = (whole.ok()?, runs.ok()?);
    assert!(part == same, "in runs as whole");
    let end = SliceReader::new(&part).find_map(Result::err);
    assert!(end.is_none(), "{end:?}");
    Some((part, stage))
}

/// A check never calls sound what a reader cannot read or whose checksum differs, nor whole what a
/// decoder cannot decode; a higher level never judges more kindly; and all three ways in agree.
pub(crate) fn check(input: &[u8]) {
    let [rest @ .., window, step] = input else { return };
    let window = [64, 4096, 1 << 20][usize::from(window % 3)];
    check_as(&dump(rest), window, usize::from(*step) + 1);
}

pub(crate) fn check_as(dump: &[u8], window: usize, step: usize) {
    let limits = Limits::default().window(window).inflated(INFLATED);
    let framed = SliceReader::windowed(dump, &limits).find_map(Result::err);
    let decoded = Values::read(SliceReader::new(dump).checksum(ChecksumMode::Skip));
    let mut before = Verdict::Sound;
    for level in
        [Level::Framing, Level::Structure, Level::Elements, Level::Semantics, Level::Loadable]
    {
        let options = CheckOptions::default().level(level).limits(limits);
        let report = check_slice(dump, &options);
        let sound = report.verdict == Verdict::Sound;
        if let Some(error) = &framed {
            assert!(report.verdict >= Verdict::Unreadable, "{level}: {error}");
        }
        if level >= Level::Elements && report.verdict < Verdict::Unreadable {
            let bad = decoded.closed.iter().find(|(_, sum)| sum.error.is_some());
            assert!(bad.is_none(), "{level}: {:?}, but {bad:?}", report.verdict);
        }
        if framed.is_none() {
            assert_eq!(report.keys, decoded.keys, "{level}");
        }
        assert!(report.verdict >= before, "{level} is kinder than the level below");
        assert!(sound || !report.findings.is_empty());
        before = report.verdict;
        let source = Chunks { rest: dump, step, interrupt: false };
        let stream = check_stream(source, &options).unwrap();
        agree(&report, &stream);
        agree(&report, &check_file(Cursor::new(dump), &options).unwrap());
    }
}

fn agree(one: &Report, other: &Report) {
    assert_eq!((one.verdict, &one.header), (other.verdict, &other.header));
    assert_eq!((one.keys, &one.dbs), (other.keys, &other.dbs));
    assert_eq!((one.elements, &one.layouts), (other.elements, &other.layouts));
    assert_eq!((one.bytes, one.trailing_bytes), (other.bytes, other.trailing_bytes));
    assert_eq!((one.checksum, one.duplicates), (other.checksum, other.duplicates));
    assert_eq!((&one.facts, &one.modules), (&other.facts, &other.modules));
    assert_eq!(&one.functions, &other.functions);
    // A stream cannot be read again: it counts keys that repeat, not their repetitions.
    let counts = |report: &Report| {
        let mut counts = report.counts.clone();
        (counts.remove("duplicate_key").is_some(), counts)
    };
    assert_eq!(counts(one), counts(other));
}

/// Exported lines are JSON, as many as is said, and the same however values come.
#[cfg(feature = "json")]
pub(crate) fn json(input: &[u8]) {
    let [rest @ .., window, facts] = input else { return };
    json_as(&dump(rest), [64, 100, 4096][usize::from(window % 3)], facts & 1 == 1);
}

#[cfg(feature = "json")]
pub(crate) fn json_as(dump: &[u8], window: usize, facts: bool) {
    let limits = Limits::default().window(window).held(u64::MAX);
    let whole = lines(SliceReader::new(dump), facts);
    assert_eq!(whole, lines(SliceReader::windowed(dump, &limits), facts));
    for line in whole.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line.is_object());
    }
}

#[cfg(feature = "json")]
fn lines<'a>(reader: impl Iterator<Item = Result<Event<'a>>>, facts: bool) -> String {
    let mut out = Vec::new();
    let mut export =
        redkeep::export::JsonLines::new(&mut out).facts(facts).inflated_limit(INFLATED);
    for event in reader.map_while(Result::ok) {
        let _ = export.event(&event);
    }
    let outcome = export.finish().unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!((outcome.bytes, outcome.lines), (out.len() as u64, out.lines().count() as u64));
    assert_eq!(outcome.keys, outcome.types.values().sum::<u64>());
    out
}

/// An error has a place, within `about`, and is no contradiction of our own making.
pub(crate) fn blames(error: &Error, about: RangeInclusive<u64>) {
    let place = error.offset().unwrap_or_else(|| panic!("nowhere: {error}"));
    assert!(about.contains(&place), "{error}: not in {about:?}");
    assert!(!matches!(error.fault(), Some(Fault::Internal | Fault::PastTheEnd)), "{error}");
}

fn decoder() -> Decoder {
    Decoder::new().inflated_limit(INFLATED)
}

fn buf() -> StrBuf {
    StrBuf::new().inflated_limit(INFLATED)
}

/// A source that gives at most `step` bytes at a time, and between two reads may be interrupted.
pub(crate) struct Chunks<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) step: usize,
    pub(crate) interrupt: bool,
}

impl Read for Chunks<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.interrupt && self.rest.len() % 3 == 1 {
            self.interrupt = false;
            return Err(ErrorKind::Interrupted.into());
        }
        self.interrupt = self.step.is_multiple_of(2);
        let n = self.step.min(buf.len()).min(self.rest.len());
        let (now, rest) = self.rest.split_at(n);
        buf[..n].copy_from_slice(now);
        self.rest = rest;
        Ok(n)
    }
}

/// Elements, content and all, as a number to compare; and the error that ended them.
#[derive(Default, Clone)]
pub(crate) struct Sum {
    count: u64,
    hash: DefaultHasher,
    error: Option<String>,
}

impl Sum {
    /// All but what the error was.
    pub(crate) fn found(&self) -> (u64, u64, bool) {
        (self.count, self.hash.finish(), self.error.is_some())
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Sum) -> bool {
        let parts = |sum: &Sum| (sum.count, sum.hash.finish(), sum.error.clone());
        parts(self) == parts(other)
    }
}

impl std::fmt::Debug for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} elements {:x}, {:?}", self.count, self.hash.finish(), self.error)
    }
}

impl Write for Sum {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.hash.write(text.as_bytes());
        Ok(())
    }
}

impl Sum {
    fn scalar(&mut self, scalar: Scalar<'_>) {
        self.hash.write_u8(u8::from(scalar.int().is_some()));
        self.hash.write(scalar.bytes(&mut Digits::new()));
    }

    /// `Debug` of an element says all but contents.
    fn element(&mut self, element: Element<'_>) {
        self.count += 1;
        write!(self, "{element:?}").unwrap();
        match element {
            Element::Text(one)
            | Element::Member(one)
            | Element::At(_, one)
            | Element::Group { name: one, .. }
            | Element::Consumer { name: one, .. }
            | Element::Producer { id: one, .. }
            | Element::Remembered(one, _)
            | Element::Module(ModuleField::Text(one))
            | Element::Cron { script: one, .. } => self.scalar(one),
            Element::Field { field: one, value: other, .. } | Element::StreamField(one, other) => {
                self.scalar(one);
                self.scalar(other);
            }
            Element::Scored(member, score) => {
                self.scalar(member);
                let bits = score.value().map(|value| match value.is_nan() {
                    true => 1,
                    false => value.to_bits(),
                });
                let form = match score {
                    Score::Text(text) => text,
                    _ => b"",
                };
                write!(self, "{bits:?} {form:?}").unwrap();
            }
            _ => {}
        }
    }

    fn end(&mut self, result: Result<()>, about: RangeInclusive<u64>) {
        if let Err(error) = result {
            blames(&error, about);
            self.error = Some(format!("{error:?} {error}"));
        }
    }
}

impl Visit for Sum {
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        self.other(Element::Text(text))
    }
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        self.other(Element::Member(member))
    }
    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        self.other(Element::Scored(member, score))
    }
    fn field(&mut self, f: Scalar<'_>, v: Scalar<'_>, expires: Option<UnixMillis>) -> Result<()> {
        self.other(Element::Field { field: f, value: v, expires })
    }
    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        self.other(Element::StreamField(field, value))
    }
    fn other(&mut self, element: Element<'_>) -> Result<()> {
        self.element(element);
        Ok(())
    }
}

fn place(value: Value<'_>) -> RangeInclusive<u64> {
    value.offset()..=value.offset() + value.len() as u64
}

fn push(value: Value<'_>, decoder: &mut Decoder) -> Sum {
    let mut sum = Sum::default();
    let result = decoder.visit_value(value, &mut sum);
    sum.end(result, place(value));
    sum
}

fn pull(value: Value<'_>, decoder: &mut Decoder) -> Sum {
    let mut sum = Sum::default();
    let result = value.items().and_then(|mut items| {
        for item in items.by_ref() {
            let mut elements = decoder.elements(item?)?;
            for element in elements.by_ref() {
                match element {
                    Ok(element) => sum.element(element),
                    Err(error) => {
                        assert!(elements.next().is_none());
                        return Err(error);
                    }
                }
            }
            assert!(elements.next().is_none());
        }
        assert!(items.next().is_none());
        Ok(())
    });
    sum.end(result, place(value));
    sum
}

/// What a reader gives, whether values come whole or not.
pub(crate) struct Values {
    pub(crate) keys: u64,
    pub(crate) closed: Vec<(Vec<u8>, Sum)>,
    open: Option<(Vec<u8>, Sum)>,
    held: Vec<u8>,
    decoder: Decoder,
    end: Option<(Option<Fault>, Option<u64>)>,
}

impl Values {
    pub(crate) fn new() -> Values {
        Values {
            keys: 0,
            closed: Vec::new(),
            open: None,
            held: Vec::new(),
            decoder: decoder(),
            end: None,
        }
    }

    pub(crate) fn read<'a>(reader: impl Iterator<Item = Result<Event<'a>>>) -> Values {
        let mut values = Values::new();
        for event in reader {
            match event {
                Ok(event) => values.event(&event),
                Err(error) => values.end = Some((error.fault(), error.offset())),
            }
        }
        values
    }

    pub(crate) fn event(&mut self, event: &Event<'_>) {
        match event.kind() {
            EventKind::Entry(entry) => {
                self.keys += 1;
                let sum = push(entry.value(), &mut self.decoder);
                self.closed.push((name(entry.db(), entry.raw_key()), sum));
            }
            EventKind::Open(entry) => {
                self.keys += 1;
                self.open = Some((name(entry.db(), entry.raw_key()), Sum::default()));
            }
            EventKind::ModuleAux(aux) => {
                self.open = Some((b"module".to_vec(), Sum::default()));
                self.items(aux.items());
                if aux.whole {
                    self.closed.extend(self.open.take());
                }
            }
            EventKind::Run(run) => {
                assert!(!run.is_empty());
                assert_eq!(run.len(), run.items().count() as u64);
                self.items(run.items());
            }
            EventKind::Piece(piece) => {
                self.held.extend_from_slice(piece.raw());
                if piece.ends {
                    assert_eq!(piece.following, 0);
                    let held = std::mem::take(&mut self.held);
                    assert_eq!(piece.join(&held).count(), 1);
                    self.items(piece.join(&held));
                }
            }
            EventKind::Close => {
                assert!(self.held.is_empty() && self.open.is_some());
                self.closed.extend(self.open.take());
            }
            EventKind::HashTemplate(template) => {
                let _ = self.decoder.learn(&template);
            }
            _ => {}
        }
    }

    fn items(&mut self, items: Items<'_>) {
        let (_, sum) = self.open.as_mut().unwrap();
        for item in items {
            if sum.error.is_some() {
                return;
            }
            let result = item.and_then(|item| self.decoder.visit(item, sum));
            sum.end(result, 0..=u64::MAX);
        }
    }
}

fn name(db: u64, key: &[u8]) -> Vec<u8> {
    [&db.to_le_bytes(), key].concat()
}
