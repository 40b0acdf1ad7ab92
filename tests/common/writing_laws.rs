//! Laws of what is written, for any bytes at all. See `laws` for those of reading.

#![allow(dead_code)] // each user needs only some
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // that is how laws fail

use crate::laws::{Values, dump};
use redkeep::rdb::OnLoss;
use redkeep::rdb::convert::{ConvertOptions, Converter};
use redkeep::rdb::{ChecksumMode, Event, Payload, ServerVersion, SliceReader, Writer};
use redkeep::{Limits, Result};

/// What is converted can be read, holds as many keys as was said, and comes out the same however
/// values come in.
pub(crate) fn convert(input: &[u8]) {
    let [rest @ .., target, window] = input else { return };
    let dump = dump(rest);
    let targets = ServerVersion::MILESTONES;
    let target = targets[usize::from(*target) % targets.len()];
    convert_as(&dump, target, [64, 100, 4096][usize::from(window % 3)]);
}

pub(crate) fn convert_as(dump: &[u8], target: ServerVersion, window: usize) {
    let limits = Limits::default().window(window).held(u64::MAX);
    let whole = converted(SliceReader::new(dump), target);
    let windowed = converted(SliceReader::windowed(dump, &limits), target);
    assert_eq!(whole.error, windowed.error, "for {target}");
    // What cannot be read ends a conversion, within a value too where that comes in runs.
    let closed = whole.values.closed.len();
    for (one, other) in whole.values.closed.iter().zip(&windowed.values.closed[..closed]) {
        // Records made anew have no bytes in the source: where an error in one lies is no law.
        assert_eq!((&one.0, one.1.found()), (&other.0, other.1.found()), "for {target}");
    }
    assert!(whole.error || whole.file.is_some(), "for {target}");
    if let Some(file) = whole.file {
        let written = SliceReader::new(&file).checksum(ChecksumMode::Report);
        let keys = written.filter(|event| event.as_ref().unwrap().begins_key()).count();
        assert_eq!((keys as u64, whole.keys), (whole.values.keys, whole.values.keys));
    }
}

struct Converted {
    values: Values,
    /// Keys that the converter says it wrote.
    keys: u64,
    /// None where it ended within a value.
    file: Option<Vec<u8>>,
    error: bool,
}

fn converted<'a>(reader: SliceReader<'a>, target: ServerVersion) -> Converted {
    let options = ConvertOptions::new(target)
        .on_loss(OnLoss::Drop)
        .limits(Limits::default().inflated(1 << 20));
    let mut converter = Converter::new(options);
    let mut writer = Writer::new(Vec::new());
    let mut values = Values::new();
    let mut error = false;
    for event in reader.checksum(ChecksumMode::Skip) {
        let done: Result<()> = event.and_then(|event: Event<'_>| {
            converter.event(&event, &mut |event: &Event<'_>| {
                values.event(event);
                // No sum was computed, so the end is not shown to the writer.
                let kind = event.kind();
                match kind {
                    redkeep::rdb::EventKind::Footer(_) | redkeep::rdb::EventKind::Eof => Ok(()),
                    _ => writer.event(event),
                }
            })
        });
        if done.is_err() {
            error = true;
            break;
        }
    }
    let counts = converter.counts();
    let keys = counts.copied + counts.converted;
    let file = writer.finish_salvaged().ok();
    Converted { values, keys, file, error }
}

/// A payload is read or refused, and what was read is made again to the byte.
pub(crate) fn payload(input: &[u8]) {
    if let Ok(payload) = Payload::parse(input) {
        remade(&payload, input);
    }
    // The same bytes as a body under a checksum that fits.
    let [body @ .., version] = input else { return };
    let mut sealed = [body, &[*version, 0]].concat();
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&sealed);
    sealed.extend_from_slice(&crc.to_le_bytes());
    if let Ok(payload) = Payload::parse(&sealed) {
        remade(&payload, &sealed);
        let items = payload.value().items().unwrap();
        assert!(items.into_iter().all(|item| item.is_ok()));
    }
}

fn remade(payload: &Payload<'_>, bytes: &[u8]) {
    let made = Payload::encode(payload.value(), payload.metadata(), payload.version());
    let sum = bytes.len() - 8;
    assert_eq!(made[..sum], bytes[..sum]);
    // A sum of 0 says that none was kept.
    assert!(made[sum..] == bytes[sum..] || bytes[sum..] == [0; 8]);
}
