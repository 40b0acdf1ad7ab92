//! What real servers write is read as they answer for it, and what they refuse is never sound.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/random.rs"]
mod random;
#[path = "common/servers.rs"]
mod servers;

use random::Random;
use redis::{Connection, Value, cmd};
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::rdb::{
    Decoder, Element, EventKind, Payload, Score, ServerVersion, SliceReader, StrBuf, Writer,
};
use redkeep::wire::number::{Digits, parse_double};
use servers::{ALL, Server};
use std::collections::BTreeMap;

impl Random {
    /// Small numbers, numbers of every width, short and long text, and bytes that are no text.
    fn value(&mut self) -> Vec<u8> {
        match self.below(6) {
            0 => self.below(300).to_string().into_bytes(),
            1 => (self.next().cast_signed() >> self.below(64)).to_string().into_bytes(),
            2 => vec![b'a'; self.index(200)],
            3 => format!("{:08x}", self.next()).repeat(12).into_bytes(),
            4 => self.next().to_le_bytes().to_vec(),
            _ => b"-0".to_vec(),
        }
    }
}

fn fill(connection: &mut Connection, random: &mut Random, keys: u64) {
    for n in 0..keys {
        let count = if n % 7 == 0 { 300 } else { 1 + random.below(12) };
        let key = format!("key:{n}:{}", random.below(1000));
        for item in 0..count {
            let (name, value) = (random.value(), random.value());
            let command = match n % 6 {
                0 => cmd("SET").arg(&key).arg(&value).to_owned(),
                1 => cmd("RPUSH").arg(&key).arg(&value).to_owned(),
                2 => cmd("SADD").arg(&key).arg(&value).to_owned(),
                3 => {
                    let score = random.below(1 << 40) as f64 / 64.0;
                    cmd("ZADD").arg(&key).arg(score).arg(&value).to_owned()
                }
                4 => cmd("HSET").arg(&key).arg(&name).arg(&value).to_owned(),
                _ => {
                    let id = format!("{}-{}", 1000 + item, random.below(5));
                    cmd("XADD").arg(&key).arg(id).arg(&name).arg(&value).to_owned()
                }
            };
            command.exec(connection).unwrap();
        }
        if n % 3 == 0 {
            cmd("PEXPIREAT").arg(&key).arg(4_000_000_000_000 + n).exec(connection).unwrap();
        }
    }
}

/// Everything as strings: elements in order for lists and streams, sorted for the rest.
type Content = BTreeMap<Vec<u8>, (i64, Vec<Vec<u8>>)>;

fn bytes_of(value: Value, into: &mut Vec<Vec<u8>>) {
    match value {
        Value::BulkString(bytes) => into.push(bytes),
        Value::SimpleString(text) => into.push(text.into_bytes()),
        Value::Int(n) => into.push(n.to_string().into_bytes()),
        Value::Array(values) => values.into_iter().for_each(|value| bytes_of(value, into)),
        other => panic!("{other:?}"),
    }
}

fn asked(connection: &mut Connection, now_ms: i64) -> Content {
    let keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query(connection).unwrap();
    let mut content = Content::new();
    for key in keys {
        let kind: String = cmd("TYPE").arg(&key).query(connection).unwrap();
        let command = match kind.as_str() {
            "string" => cmd("GET").arg(&key).to_owned(),
            "list" => cmd("LRANGE").arg(&key).arg(0).arg(-1).to_owned(),
            "set" => cmd("SMEMBERS").arg(&key).to_owned(),
            "zset" => cmd("ZRANGE").arg(&key).arg(0).arg(-1).arg("WITHSCORES").to_owned(),
            "hash" => cmd("HGETALL").arg(&key).to_owned(),
            _ => cmd("XRANGE").arg(&key).arg("-").arg("+").to_owned(),
        };
        let mut values = Vec::new();
        bytes_of(command.query(connection).unwrap(), &mut values);
        arrange(&kind, &mut values);
        let ttl: i64 = cmd("PTTL").arg(&key).query(connection).unwrap();
        let expires = if ttl < 0 { -1 } else { (now_ms + ttl) / 10_000 };
        content.insert(key, (expires, values));
    }
    content
}

/// Scores as numbers, pairs in a canonical order.
fn arrange(kind: &str, values: &mut Vec<Vec<u8>>) {
    match kind {
        "set" => values.sort(),
        "zset" | "hash" => {
            let mut pairs: Vec<[Vec<u8>; 2]> =
                values.chunks_exact(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
            if kind == "zset" {
                for pair in &mut pairs {
                    pair[1] = parse_double(&pair[1]).unwrap().to_bits().to_be_bytes().to_vec();
                }
            }
            pairs.sort();
            *values = pairs.into_iter().flatten().collect();
        }
        _ => {}
    }
}

fn read(dump: &[u8]) -> Content {
    let (mut decoder, mut content) = (Decoder::new(), Content::new());
    let (mut a, mut b) = (Digits::new(), Digits::new());
    for event in SliceReader::new(dump) {
        let EventKind::Entry(entry) = event.unwrap().kind() else { continue };
        let mut values = Vec::new();
        for item in entry.value().items().unwrap() {
            for element in decoder.elements(item.unwrap()).unwrap() {
                match element.unwrap() {
                    Element::Text(text) | Element::Member(text) => {
                        values.push(text.bytes(&mut a).to_vec());
                    }
                    Element::Field { field, value, .. } => {
                        values.extend([field.bytes(&mut a).to_vec(), value.bytes(&mut b).to_vec()]);
                    }
                    Element::StreamField(field, value) => {
                        values.extend([field.bytes(&mut a).to_vec(), value.bytes(&mut b).to_vec()]);
                    }
                    Element::Scored(member, score) => {
                        let score: Score<'_> = score;
                        let text = format!("{}", score.value().unwrap()).into_bytes();
                        values.extend([member.bytes(&mut a).to_vec(), text]);
                    }
                    Element::StreamEntry { id, deleted: false, .. } => {
                        values.push(id.to_string().into_bytes());
                    }
                    _ => {}
                }
            }
        }
        arrange(entry.value_type().data_type().name(), &mut values);
        let key = entry.key().bytes(&mut StrBuf::new()).unwrap().to_vec();
        let expires = entry.expires().map_or(-1, |at| at.get() / 10_000);
        content.insert(key, (expires, values));
    }
    content
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_fresh_dump_is_sound_and_reads_as_the_server_answers() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let mut connection = server.connect().unwrap();
        fill(&mut connection, &mut Random(1), 400);
        let dump = server.save();
        let options = CheckOptions::default().target(name.parse().unwrap());
        let report = check_slice(&dump, &options);
        assert_eq!(report.verdict, Verdict::Sound, "{name}: {:?}", report.findings);
        assert_eq!(report.keys, 400);
        let (ours, theirs) = (read(&dump), asked(&mut connection, now_ms()));
        assert_eq!(ours.len(), theirs.len());
        for (key, (expires, values)) in &theirs {
            let (our_expires, our_values) = &ours[key];
            assert_eq!(our_values, values, "{name} {}", key.escape_ascii());
            // PTTL counts from when it was asked: within one step of ten seconds.
            assert!((our_expires - expires).abs() <= 1, "{name} {}", key.escape_ascii());
        }
    }
}

#[test]
#[cfg(feature = "digest")]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_and_shards_answer_the_digests_of_their_dumps() {
    use redkeep::digest::{
        ContentOptions, Digest20, DigestOptions, content_digest, digest_of_shards, server_digest,
    };
    use redkeep::select::{Condition, FilterOptions};
    use redkeep::task::{ExtractOptions, extract};
    let answer = |server: &Server| -> Digest20 {
        let mut connection = server.connect().unwrap();
        cmd("DEBUG").arg("DIGEST").query::<String>(&mut connection).unwrap().parse().unwrap()
    };
    let mut contents = Vec::new();
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        fill(&mut server.connect().unwrap(), &mut Random(7), 400);
        let (whole, dump) = (answer(&server), server.save());
        let of =
            |dump: &[u8]| server_digest(dump, DigestOptions::new(name.parse().unwrap())).unwrap();
        assert_eq!(of(&dump), whole, "{name}");
        let shards = [0..=5460, 5461..=10_922, 10_923..=16_383].map(|slots| {
            let filter = FilterOptions::default().include(Condition::slots([slots]));
            let mut part = Vec::new();
            let options = ExtractOptions::default().filter(filter);
            assert!(extract(&dump[..], &mut part, &options).unwrap().written > 50);
            let shard = answer(&Server::start(name, Some(&part)).unwrap());
            assert_eq!(of(&part), shard, "{name}");
            shard
        });
        assert_eq!(digest_of_shards(shards), whole, "{name}");
        contents.push(content_digest(&dump[..], ContentOptions::default()).unwrap());
    }
    // They were given the same, and have it in encodings and orders of their own.
    assert!(contents.iter().all(|content| *content == contents[0]), "{contents:?}");
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn payloads_made_of_a_dump_restore_and_written_files_load() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let mut connection = server.connect().unwrap();
        fill(&mut connection, &mut Random(4), 200);
        let dump = server.save();
        let version = name.parse::<ServerVersion>().unwrap().rdb_version();
        let empty = Server::start(name, None).unwrap();
        let mut restored = empty.connect().unwrap();
        // Every other key, into a file of its own.
        let (mut writer, mut kept) = (Writer::new(Vec::new()), 0);
        let mut buf = StrBuf::new();
        for event in SliceReader::new(&dump) {
            let event = event.unwrap();
            let Some(entry) = event.entry() else {
                writer.event(&event).unwrap();
                continue;
            };
            let key = entry.key().bytes(&mut buf).unwrap();
            let payload = Payload::encode(entry.value(), None, version);
            let at = entry.expires().map_or(0, |at| at.get());
            let mut restore = cmd("RESTORE");
            restore.arg(key).arg(at).arg(&payload[..]).arg("ABSTTL").exec(&mut restored).unwrap();
            if kept % 2 == 0 {
                writer.entry(&entry).unwrap();
            }
            kept += 1;
        }
        let original = asked(&mut connection, now_ms());
        assert_eq!(asked(&mut restored, now_ms()).len(), original.len());
        for (key, (_, values)) in asked(&mut restored, now_ms()) {
            assert_eq!(values, original[&key].1, "{name} {}", key.escape_ascii());
        }
        let half = writer.finish().unwrap();
        let report = check_slice(&half, &CheckOptions::default().target(name.parse().unwrap()));
        assert_eq!((report.verdict, report.keys), (Verdict::Sound, 100), "{:?}", report.findings);
        let loaded = Server::start(name, Some(&half)).expect("it loads what was written");
        let loaded = asked(&mut loaded.connect().unwrap(), now_ms());
        assert_eq!(loaded.len(), 100);
        for (key, (_, values)) in loaded {
            assert_eq!(values, original[&key].1, "{name} {}", key.escape_ascii());
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_a_server_refuses_is_never_called_sound() {
    // A longer hunt: REDKEEP_FLIPS=2000.
    let flips = std::env::var("REDKEEP_FLIPS").map_or(120, |flips| flips.parse().unwrap());
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        fill(&mut server.connect().unwrap(), &mut Random(2), 24);
        let dump = server.save();
        drop(server);
        let options = CheckOptions::default().target(name.parse().unwrap());
        let mut random = Random(3 + flips);
        let (mut refused, mut missed) = (0, Vec::new());
        for _ in 0..flips {
            let mut bytes = dump.clone();
            let at = random.index(dump.len() - 8);
            bytes[at] ^= 1 << random.below(8);
            let body = bytes.len() - 8;
            let sum = crc.checksum(&bytes[..body]).to_le_bytes();
            bytes[body..].copy_from_slice(&sum);
            if Server::start(name, Some(&bytes)).is_none() {
                refused += 1;
                if check_slice(&bytes, &options).verdict == Verdict::Sound {
                    missed.push(at);
                }
            }
        }
        assert!(refused > 10, "{name} refused only {refused}");
        assert!(missed.is_empty(), "{name} refuses flips at {missed:?}, called sound");
    }
}
