//! Logs: framing alone, and with every argument looked at.

mod data;

use data::Random;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use redkeep::Error;
use redkeep::aof::check::{AofCheckOptions, Report, check_log};
use redkeep::aof::{CommandSpec, SliceReader, StreamReader, write_command, write_timestamp};
use std::sync::LazyLock;

/// About this many bytes.
const SIZE: usize = 16 << 20;

/// Commands as services have them logged, most of them short, and a timestamp now and then.
static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (mut random, mut out) = (Random::new(), Vec::new());
    let mut n = 0i64;
    while out.len() < SIZE {
        if n % 5000 == 0 {
            write_timestamp(1_795_000_000 + n / 5000, &mut out);
        }
        n += 1;
        let id = random.below(8_000_000).to_string();
        let value = |random: &mut Random, most| {
            data::json(10 + usize::try_from(random.below(most)).unwrap_or(0), random)
        };
        let args: Vec<Vec<u8>> = match random.below(10) {
            0..=3 => vec![b"SET".into(), format!("user:{id}").into(), value(&mut random, 120)],
            4 | 5 => {
                let field = format!("field:{}", random.below(40));
                vec![
                    b"HSET".into(),
                    format!("h:{id}").into(),
                    field.into(),
                    value(&mut random, 200),
                ]
            }
            6 => {
                let score = format!("{}.5", random.below(100_000));
                vec![b"ZADD".into(), b"rank".into(), score.into(), format!("member:{id}").into()]
            }
            7 => vec![b"RPUSH".into(), b"queue".into(), value(&mut random, 400)],
            8 => vec![b"PEXPIREAT".into(), format!("user:{id}").into(), b"1795000000000".into()],
            _ => vec![b"INCR".into(), format!("counter:{id}").into()],
        };
        let _ = write_command(&args, &mut out);
    }
    out
});

fn main() {
    divan::main();
}

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
