//! Key patterns and slots are what live servers say they are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/random.rs"]
mod random;
#[path = "common/servers.rs"]
mod servers;

use random::Random;
use redis::{Connection, cmd, pipe};
use redkeep::select::{Glob, slot};
use servers::{ALL, Server};
use std::collections::BTreeSet;

impl Random {
    /// Up to `most` bytes of the alphabet.
    fn bytes(&mut self, alphabet: &[u8], most: usize) -> Vec<u8> {
        let len = self.index(most + 1);
        (0..len).map(|_| alphabet[self.index(alphabet.len())]).collect()
    }
}

/// What patterns are made of: every special byte, and letters from both halves of the bytes.
const PATTERN: &[u8] = b"aabbc**??[[]]^^--\\\\{}!\0\x7f\x80\x80\x9f\xff\xff";
const KEY: &[u8] = b"aaabbbc*?[]^-\\{}!\0\x7f\x80\x80\x9f\xff\xff";

/// 200 keys, the empty one among them, and some of the patterns' own bytes.
fn keys(random: &mut Random) -> Vec<Vec<u8>> {
    let mut keys: BTreeSet<Vec<u8>> =
        [&b""[..], b"a", b"*", b"[", b"\\", b"]", b"\xff", b"\x80"].map(<[u8]>::to_vec).into();
    while keys.len() < 200 {
        keys.insert(random.bytes(KEY, 6));
    }
    keys.into_iter().collect()
}

fn patterns(random: &mut Random, count: usize) -> Vec<Vec<u8>> {
    // Most random bytes match nothing: half of the patterns begin or end in `*`, or are a set.
    let patterns = (0..count).map(|n| match n % 4 {
        0 => random.bytes(PATTERN, 9),
        1 => [random.bytes(PATTERN, 5), b"*".to_vec()].concat(),
        2 => [b"*".to_vec(), random.bytes(PATTERN, 5)].concat(),
        _ => [random.bytes(b"a*?", 2), b"[".to_vec(), random.bytes(PATTERN, 7)].concat(),
    });
    [&b""[..], b"*", b"**", b"***", b"?*", b"*?"]
        .map(<[u8]>::to_vec)
        .into_iter()
        .chain(patterns)
        .collect()
}

/// The answers of a server to many commands, a thousand at a time.
fn answers<T: redis::FromRedisValue>(
    connection: &mut Connection,
    name: &[&str],
    arguments: &[Vec<u8>],
) -> Vec<T> {
    let mut all = Vec::with_capacity(arguments.len());
    for batch in arguments.chunks(1000) {
        let mut pipe = pipe();
        for argument in batch {
            let mut command = cmd(name[0]);
            name[1..].iter().for_each(|word| _ = command.arg(word));
            pipe.add_command(command.arg(argument).to_owned());
        }
        all.extend(pipe.query::<Vec<T>>(connection).unwrap());
    }
    all
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_pattern_matches_the_keys_that_a_server_lists() {
    // A longer hunt: REDKEEP_PATTERNS=200000.
    let count = std::env::var("REDKEEP_PATTERNS").map_or(10_000, |count| count.parse().unwrap());
    for (seed, name) in ALL.into_iter().enumerate() {
        let mut random = Random(11 + seed as u64);
        let keys = keys(&mut random);
        let patterns = patterns(&mut random, count);
        let server = Server::start(name, None).unwrap();
        let mut connection = server.connect().unwrap();
        let mut fill = pipe();
        keys.iter().for_each(|key| _ = fill.set(key, "").ignore());
        fill.exec(&mut connection).unwrap();

        let listed: Vec<BTreeSet<Vec<u8>>> = answers(&mut connection, &["KEYS"], &patterns);
        assert_eq!(listed.len(), patterns.len());
        let (mut matched, mut differences) = (0, Vec::new());
        for (pattern, listed) in patterns.iter().zip(&listed) {
            let glob = Glob::new(pattern);
            let ours: BTreeSet<Vec<u8>> =
                keys.iter().filter(|key| glob.matches(key)).cloned().collect();
            matched += ours.len();
            if ours != *listed {
                let keys = ours.symmetric_difference(listed).map(|key| key.escape_ascii());
                differences.push(format!("{glob}: {:?}", keys.collect::<Vec<_>>()));
            }
        }
        let some = listed.iter().filter(|listed| !listed.is_empty()).count();
        println!(
            "{name}: {} patterns, {some} that match, {matched} matches, {} differences",
            patterns.len(),
            differences.len()
        );
        assert!(some * 4 > patterns.len(), "{name}: only {some} match anything");
        assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_key_has_the_slot_that_a_server_says() {
    const KEYS: &[u8] = b"{{{}}}abc:12\xff\0";
    for (seed, name) in ALL.into_iter().enumerate() {
        let mut random = Random(77 + seed as u64);
        let mut keys: Vec<Vec<u8>> = (0..5000).map(|_| random.bytes(KEYS, 14)).collect();
        keys.extend(
            [&b"123456789"[..], b"foo", b"foo{bar}{zap}", b"{}x", b"foo{{bar}}zap", b""]
                .map(<[u8]>::to_vec),
        );
        let server = cluster::start(name);
        let slots: Vec<u16> = answers(&mut server.connect(), &["CLUSTER", "KEYSLOT"], &keys);
        for (key, theirs) in keys.iter().zip(slots) {
            assert_eq!(slot(key), theirs, "{name} {}", key.escape_ascii());
        }
    }
}

/// `CLUSTER` answers in cluster mode only, which the common servers are not started in.
mod cluster {
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    pub(super) struct Server {
        process: Child,
        port: u16,
        _folder: tempfile::TempDir,
    }

    pub(super) fn start(name: &str) -> Server {
        let servers = std::env::var_os("REDKEEP_SERVERS")
            .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target/servers").into());
        let folder = tempfile::tempdir().unwrap();
        // The port of the cluster's bus is 10000 above, and has to be a port too.
        let port = loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if port < 55_535 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
                break port;
            }
        };
        let process = Command::new(Path::new(&servers).join(name).join("server"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--dir", folder.path().to_str().unwrap(), "--cluster-enabled", "yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { process, port, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while server.try_connect().is_err() {
            assert!(Instant::now() < deadline, "{name} does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    impl Server {
        fn try_connect(&self) -> redis::RedisResult<redis::Connection> {
            redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?.get_connection()
        }

        pub(super) fn connect(&self) -> redis::Connection {
            self.try_connect().unwrap()
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
