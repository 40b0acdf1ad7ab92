//! Logs: framing alone, and with every argument looked at.

mod data;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::Error;
use redkeep::aof::check::{AofCheckOptions, Report, check_log};
use redkeep::aof::{CommandSpec, SliceReader, StreamReader, write_timestamp};
use redkeep::synth::write_log;
use std::sync::LazyLock;

fn main() {
    divan::main();
}

/// The commands of a mixed dataset, and one timestamp.
static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut log = Vec::new();
    write_timestamp(1_795_000_000, &mut log);
    let _ = write_log(&mut log, &data::options("mixed"));
    log
});

#[divan::bench]
fn slice(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_slice(&LOG[..])).bench_local(|| {
        let mut commands = 0u64;
        for record in SliceReader::new(black_box(&LOG)) {
            commands += u64::from(record?.command().is_some());
        }
        Ok::<_, Error>(commands)
    });
}

#[divan::bench]
fn stream(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_slice(&LOG[..])).bench_local(|| {
        let mut commands = 0u64;
        let mut reader = StreamReader::new(black_box(&LOG[..]));
        while let Some(record) = reader.next()? {
            commands += u64::from(record.command().is_some());
        }
        Ok::<_, Error>(commands)
    });
}

#[divan::bench]
fn arguments(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_slice(&LOG[..])).bench_local(|| {
        let mut bytes = 0;
        for record in SliceReader::new(black_box(&LOG)) {
            let command = record?.command();
            bytes +=
                command.iter().flat_map(|command| command.args()).map(<[u8]>::len).sum::<usize>();
        }
        Ok::<_, Error>(bytes)
    });
}

#[divan::bench]
fn keys(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_slice(&LOG[..])).bench_local(|| {
        let mut bytes = 0;
        for record in SliceReader::new(black_box(&LOG)) {
            let Some(command) = record?.command() else { continue };
            let spec = CommandSpec::of(&command);
            bytes +=
                spec.iter().flat_map(|spec| spec.keys(command)).map(<[u8]>::len).sum::<usize>();
        }
        Ok::<_, Error>(bytes)
    });
}

#[divan::bench]
fn check(bencher: Bencher<'_, '_>) {
    let options = AofCheckOptions::default();
    bencher.counter(BytesCount::of_slice(&LOG[..])).bench_local(|| -> Result<Report, Error> {
        check_log(black_box(&LOG[..]), "a.aof", &options)
    });
}
