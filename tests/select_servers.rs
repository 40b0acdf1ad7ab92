//! A part taken out of a dump is, to a server, what it would have been after deleting the rest; keys
//! that were changed are where they should be, and live as long.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/random.rs"]
mod random;
#[path = "common/servers.rs"]
mod servers;

use random::Random;
use redis::{Cmd, Connection, Value, cmd};
use redkeep::rdb::StreamId;
use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
use redkeep::select::{
    ExpiryChange, KeyPattern, MemberCondition, MemberOptions, Rename, TransformOptions,
};
use redkeep::task::{ExtractOptions, ExtractOutcome, extract};
use redkeep::{Limits, UnixMillis};
use servers::{ALL, Server};

impl Random {
    /// Numbers, short and long text, and bytes that are no text.
    fn name(&mut self) -> Vec<u8> {
        match self.below(4) {
            0 => self.below(5000).to_string().into_bytes(),
            1 => format!("{:x}", self.below(u64::MAX)).into_bytes(),
            2 => format!("{:08x}", self.below(u64::MAX)).repeat(12).into_bytes(),
            _ => self.below(u64::MAX).to_le_bytes().to_vec(),
        }
    }
}

fn run(connection: &mut Connection, command: &Cmd) -> Value {
    command.query(connection).unwrap_or_else(|error| {
        panic!("{error}: {:?}", command.get_packed_command().escape_ascii().to_string())
    })
}

/// Collections of every type, small and big, of integers and of text.
fn fill(connection: &mut Connection, random: &mut Random) {
    for n in 0..150u64 {
        let count = if n % 5 == 0 { 400 } else { 1 + random.below(9) };
        let key = format!("key:{n}");
        let integers = random.below(3) == 0;
        for item in 0..count {
            let name = if integers { random.below(900).to_string().into() } else { random.name() };
            let command = match n % 5 {
                0 => cmd("RPUSH").arg(&key).arg(&name).to_owned(),
                1 => cmd("SADD").arg(&key).arg(&name).to_owned(),
                2 => {
                    let score = random.below(4000) as f64 / 64.0;
                    cmd("ZADD").arg(&key).arg(score).arg(&name).to_owned()
                }
                3 => cmd("HSET").arg(&key).arg(&name).arg(random.name()).to_owned(),
                _ => {
                    let id = format!("{}-{}", 1000 + item, random.below(5));
                    let field = if item % 9 == 0 { "other" } else { "field" };
                    cmd("XADD").arg(&key).arg(id).arg(field).arg(&name).to_owned()
                }
            };
            run(connection, &command);
        }
        match n % 5 {
            // Too big for the sets and hashes above to stay packed.
            1..=3 if n % 4 == 0 => grow(connection, &key, n % 5, random),
            3 => {
                // Only late servers know it. One of them stays, one goes.
                for field in ["zero", "even"] {
                    run(connection, cmd("HSET").arg(&key).arg(field).arg(n));
                    let mut expire = cmd("HPEXPIREAT");
                    expire.arg(&key).arg(4_000_000_000_000 + n).arg("FIELDS").arg(1).arg(field);
                    let _ = expire.query::<Value>(connection);
                }
            }
            4 => grow_stream(connection, &key, n),
            _ => {}
        }
        if n % 3 == 0 {
            run(connection, cmd("PEXPIREAT").arg(&key).arg(4_000_000_000_000 + n));
        }
    }
}

fn grow(connection: &mut Connection, key: &str, kind: u64, random: &mut Random) {
    for score in 0..600 {
        let name = random.name();
        run(
            connection,
            &match kind {
                1 => cmd("SADD").arg(key).arg(name).to_owned(),
                2 => cmd("ZADD").arg(key).arg(score).arg(name).to_owned(),
                _ => cmd("HSET").arg(key).arg(name).arg(score).to_owned(),
            },
        );
    }
}

/// Groups with entries pending and read, and some entries deleted.
fn grow_stream(connection: &mut Connection, key: &str, n: u64) {
    for item in 0..(n % 4) * 120 {
        let id = format!("{}-0", 5000 + item);
        run(connection, cmd("XADD").arg(key).arg(id).arg("field").arg(item));
    }
    run(connection, cmd("XGROUP").arg(&["CREATE", key, "group", "0"]));
    let read = &["GROUP", "group", "consumer", "COUNT", "6", "STREAMS", key, ">"];
    run(connection, cmd("XREADGROUP").arg(read));
    let gone: Vec<(String, Value)> =
        cmd("XRANGE").arg(&[key, "-", "+", "COUNT", "2"]).query(connection).unwrap();
    run(connection, cmd("XDEL").arg(key).arg(&gone[gone.len() - 1].0));
}

/// What goes: names that end in an even byte, scores from 10 to 20, IDs from 1003 to 5100.
fn part() -> MemberOptions {
    let even: Vec<u8> = (0..=255).step_by(2).flat_map(|byte| [b'\\', byte]).collect();
    let names = || [KeyPattern::glob([b"*[", &even[..], b"]"].concat())];
    MemberOptions::default()
        .exclude(MemberCondition::members(names()))
        .exclude(MemberCondition::fields(names()))
        .exclude(MemberCondition::elements(names()))
        .exclude(MemberCondition::scores([10.0..=20.0]))
        .exclude(MemberCondition::ids([StreamId::new(1003, 0)..=StreamId::new(5100, u64::MAX)]))
}

/// The same, as a client does it; how many elements went.
fn delete(connection: &mut Connection, key: &str) -> u64 {
    let goes = |name: &Vec<u8>| name.last().is_some_and(|byte| byte % 2 == 0);
    let kind: String = cmd("TYPE").arg(key).query(connection).unwrap();
    let list = |connection: &mut Connection, command: &[&str]| -> Vec<Vec<u8>> {
        let mut all = cmd(command[0]);
        all.arg(&command[1..]).query(connection).unwrap()
    };
    let mut gone = 0;
    match kind.as_str() {
        "list" => {
            for name in list(connection, &["LRANGE", key, "0", "-1"]).iter().filter(|n| goes(n)) {
                let removed: u64 = cmd("LREM").arg(key).arg(0).arg(name).query(connection).unwrap();
                gone += removed;
            }
        }
        "set" => {
            for name in list(connection, &["SMEMBERS", key]).iter().filter(|name| goes(name)) {
                run(connection, cmd("SREM").arg(key).arg(name));
                gone += 1;
            }
        }
        "hash" => {
            for name in list(connection, &["HKEYS", key]).iter().filter(|name| goes(name)) {
                run(connection, cmd("HDEL").arg(key).arg(name));
                gone += 1;
            }
        }
        "zset" => {
            let removed: u64 =
                cmd("ZREMRANGEBYSCORE").arg(key).arg(10).arg(20).query(connection).unwrap();
            gone += removed;
            for name in list(connection, &["ZRANGE", key, "0", "-1"]).iter().filter(|n| goes(n)) {
                run(connection, cmd("ZREM").arg(key).arg(name));
                gone += 1;
            }
        }
        _ => {
            let entries: Vec<(String, Value)> =
                cmd("XRANGE").arg(&[key, "1003", "5100"]).query(connection).unwrap();
            for (id, _) in entries {
                run(connection, cmd("XDEL").arg(key).arg(id));
                gone += 1;
            }
        }
    }
    gone
}

/// All that a server says of a key.
fn asked(connection: &mut Connection, key: &str) -> Vec<String> {
    let kind: String = cmd("TYPE").arg(key).query(connection).unwrap();
    let mut said = vec![kind.clone()];
    let mut ask = |command: &[&str], sorted: bool| {
        let mut all = cmd(command[0]);
        let Ok(answer) = all.arg(&command[1..]).query::<Value>(connection) else { return };
        match answer {
            Value::Array(parts) if sorted => {
                let mut parts: Vec<_> = parts.iter().map(|part| format!("{part:?}")).collect();
                parts.sort();
                said.push(format!("{parts:?}"));
            }
            other => said.push(format!("{other:?}")),
        }
    };
    match kind.as_str() {
        "list" => ask(&["LRANGE", key, "0", "-1"], false),
        "set" => ask(&["SMEMBERS", key], true),
        "zset" => ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"], false),
        "hash" => {
            ask(&["HGETALL", key], true);
            ask(&["HLEN", key], false);
        }
        "stream" => {
            ask(&["XRANGE", key, "-", "+"], false);
            ask(&["XREVRANGE", key, "+", "-"], false);
            ask(&["XPENDING", key, "group"], false);
        }
        _ => {}
    }
    // Refused by later servers, unless they are told to allow it.
    ask(&["DEBUG", "DIGEST-VALUE", key], false);
    if kind == "stream" {
        let full: Value =
            cmd("XINFO").arg(&["STREAM", key, "FULL", "COUNT", "0"]).query(connection).unwrap();
        let Value::Array(facts) = full else { panic!("{full:?}") };
        for fact in facts.chunks(2) {
            // How entries are spread over nodes is nobody's business.
            let text = format!("{fact:?}");
            if !text.contains("radix-tree") {
                said.push(text);
            }
        }
    }
    if kind == "hash" {
        let mut times = cmd("HPEXPIRETIME");
        times.arg(key).arg("FIELDS").arg(1).arg("zero");
        said.extend(times.query::<Vec<i64>>(connection).map(|times| format!("{times:?}")));
    }
    said
}

fn extracted(dump: &[u8], name: &str, options: &ExtractOptions) -> (ExtractOutcome, Vec<u8>) {
    let mut part = Vec::new();
    let outcome = extract(dump, &mut part, options).unwrap();
    let report = check_slice(&part, &CheckOptions::default().target(name.parse().unwrap()));
    assert_eq!(report.verdict, Verdict::Sound, "{name}: {:?}", report.findings);
    (outcome, part)
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_part_is_what_deleting_the_rest_leaves() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let mut whole = server.connect().unwrap();
        fill(&mut whole, &mut Random(7));
        let dump = server.save();
        let options = ExtractOptions::default().members(part());
        let (outcome, small) =
            extracted(&dump, name, &options.clone().limits(Limits::default().window(512)));
        assert!(extracted(&dump, name, &options).1 == small, "whatever the window");
        let loaded = Server::start(name, Some(&small)).expect("it loads");
        let mut loaded = loaded.connect().unwrap();
        let keys: Vec<String> = cmd("KEYS").arg("*").query(&mut whole).unwrap();
        let gone: u64 = keys.iter().map(|key| delete(&mut whole, key)).sum();
        assert_eq!(gone, outcome.members.elements_removed);
        assert!(gone > 5000, "{gone}");
        let left: u64 = cmd("DBSIZE").query(&mut whole).unwrap();
        let ours: u64 = cmd("DBSIZE").query(&mut loaded).unwrap();
        assert_eq!((left, ours), (outcome.written, outcome.written));
        assert!(outcome.members.keys_emptied > 0);
        let mut answers = 0;
        for key in &keys {
            let (theirs, ours) = (asked(&mut whole, key), asked(&mut loaded, key));
            assert_eq!(ours, theirs, "{name} {key}");
            answers += ours.len();
            let expiry = |connection: &mut Connection| -> i64 {
                cmd("PTTL").arg(key).query(connection).unwrap()
            };
            let apart = expiry(&mut whole) - expiry(&mut loaded);
            assert!(apart.abs() < 5000, "{name} {key}");
        }
        println!(
            "{name}: {gone} elements gone, {} keys emptied, {answers} answers the same",
            outcome.members.keys_emptied
        );
    }
}

fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis::new(i64::try_from(since.as_millis()).unwrap())
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn changed_keys_are_where_they_should_be_and_live_as_long() {
    const MONTH: i64 = 30 * 86_400_000;
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let mut connection = server.connect().unwrap();
        fill(&mut connection, &mut Random(8));
        let taken = now();
        // An hour and some to live for a third of the keys.
        for n in (0..150).step_by(3) {
            let at = taken.get() + 3_600_000 + n;
            run(&mut connection, cmd("PEXPIREAT").arg(format!("key:{n}")).arg(at));
        }
        let before: Vec<Vec<String>> =
            (0..150).map(|n| asked(&mut connection, &format!("key:{n}"))).collect();
        let dump = server.save();
        // A month ago, so to say: to a server all those have expired.
        let aged = TransformOptions::default().expiry(ExpiryChange::Shift(-MONTH));
        let options = ExtractOptions::default();
        let (_, old) = extracted(&dump, name, &options.clone().transform(aged));
        let dead = Server::start(name, Some(&old)).unwrap();
        let left: u64 = cmd("DBSIZE").query(&mut dead.connect().unwrap()).unwrap();
        assert_eq!(left, 100, "{name}");
        let taken = UnixMillis::new(taken.get() - MONTH);
        let change = TransformOptions::default()
            .rename(Rename::prefix("key:1", "one:{1}"))
            .rename(Rename::glob("*:*", "*/*").unwrap())
            .move_db(0, 9)
            .drop_expired(now())
            .expiry(ExpiryChange::AsOf { taken: Some(taken), now: now() });
        let window = Limits::default().window(512);
        let options = options.transform(change);
        let (outcome, new) = extracted(&old, name, &options.clone().limits(window));
        assert!(outcome.transform.renamed == 150 && outcome.transform.moved == 150);
        assert_eq!((outcome.transform.expiries_changed, outcome.transform.expired), (50, 0));
        let server = Server::start(name, Some(&new)).unwrap();
        let mut connection = server.connect().unwrap();
        let empty: u64 = cmd("DBSIZE").query(&mut connection).unwrap();
        assert_eq!(empty, 0);
        run(&mut connection, cmd("SELECT").arg(9));
        for (n, before) in before.iter().enumerate() {
            let old = format!("key:{n}");
            let key = match old.strip_prefix("key:1") {
                Some(rest) => format!("one:{{1}}{rest}"),
                None => old.replace(':', "/"),
            };
            assert_eq!(&asked(&mut connection, &key), before, "{name} {key}");
            let left: i64 = cmd("PTTL").arg(&key).query(&mut connection).unwrap();
            let want = if n % 3 == 0 { 3_600_000 } else { -1 };
            assert!((left - want).abs() < 30_000, "{name} {key}: {left}");
            // To the millisecond, where the server says it.
            let at = cmd("PEXPIRETIME").arg(&key).query::<i64>(&mut connection);
            if let (Ok(at), 0) = (at, n % 3) {
                let second = asked_expiry(&new, &key);
                assert_eq!(at, second, "{name} {key}");
            }
        }
    }
}

fn asked_expiry(dump: &[u8], key: &str) -> i64 {
    use redkeep::rdb::{SliceReader, StrBuf};
    let mut buf = StrBuf::new();
    let mut entries = SliceReader::new(dump).filter_map(|event| event.unwrap().entry());
    let found = entries.find(|entry| entry.key().bytes(&mut buf).unwrap() == key.as_bytes());
    found.unwrap().expires().unwrap().get()
}
