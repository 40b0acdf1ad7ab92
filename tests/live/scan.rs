//! Snapshots key by key.

use crate::between::{Between, Moment};
use crate::servers::{ALL, Server};
use crate::{keys, open, run, start};
use redis::{ConnectionLike, Value};
use redkeep::live::{ConnectOptions, Connection, ScanOptions, ScanOutcome, scan};
use redkeep::rdb::{EventKind, SliceReader, StrBuf};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// Runs a command on another connection before the first values are asked for.
fn meddled(server: &Server, line: &'static str) -> impl ConnectionLike {
    let (mut other, mut line) = (server.connect().unwrap(), Some(line));
    let act = move |moment: Moment<'_>| {
        if let Moment::Sending(commands) = moment
            && commands.windows(4).any(|word| word == b"DUMP")
            && let Some(line) = line.take()
        {
            run(&mut other, line);
        }
    };
    Between { inner: open(server), act }
}

fn take(connection: &mut impl ConnectionLike, options: &ScanOptions) -> (Vec<u8>, ScanOutcome) {
    let mut dump = Vec::new();
    let outcome = scan(connection, &mut dump, options).unwrap();
    (dump, outcome)
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn keys_that_are_named_again_are_written_once_however_little_is_remembered() {
    for name in ALL {
        let server = start(name, &[]);
        let mut admin = open(&server);
        (0..3000).for_each(|number| run(&mut admin, &format!("SET key:{number} x")));
        // The names of each page come once more with the next one.
        let last = RefCell::new(Vec::new());
        let act = |moment: Moment<'_>| {
            // Names come in an array beside where to go on.
            if let Moment::Answered(answers) = moment
                && let Some(Value::Array(page)) = answers.last_mut()
                && let [_, Value::Array(names)] = &mut page[..]
            {
                let before = last.replace(names.clone());
                names.extend(before);
            }
        };
        let mut repeating = Between { inner: open(&server), act };
        let folder = tempfile::tempdir().unwrap();
        let options = ScanOptions::default().count(100).memory(0).temp_dir(folder.path());
        let (dump, outcome) = take(&mut repeating, &options);
        // Of the last page nothing is said again.
        let last = last.borrow().len() as u64;
        assert_eq!((outcome.keys, outcome.repeated + last), (3000, 3000), "{name}: {outcome:?}");
        assert_eq!(keys(&dump).len(), 3000, "{name}");
        let nowhere = options.temp_dir(folder.path().join("nowhere"));
        let error = scan(&mut admin, Vec::new(), &nowhere).unwrap_err();
        assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound), "{name}: {error}");
        assert!(error.to_string().contains("nowhere"), "{name}: {error}");
    }
}

/// Digests of all databases, as the server has them.
fn digest(server: &Server) -> String {
    let mut connection = server.connect().unwrap();
    redis::cmd("DEBUG").arg("DIGEST").query(&mut connection).unwrap()
}

fn expiries(dump: &[u8]) -> BTreeMap<(u64, Vec<u8>), Option<i64>> {
    let mut buf = StrBuf::new();
    let mut found = BTreeMap::new();
    for event in SliceReader::new(dump) {
        if let EventKind::Entry(entry) = event.unwrap().kind() {
            let key = entry.key().bytes(&mut buf).unwrap().to_vec();
            found.insert((entry.db(), key), entry.expires().map(|at| at.get()));
        }
    }
    found
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn all_keys_of_a_quiet_server_come_with_values_and_expiries() {
    for name in ALL {
        let of = if name == "redis-6.2" { "redis-5.0.14/lfu" } else { "redis-7.0.15/default" };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(of);
        let given = std::fs::read(path.join("dump.rdb")).unwrap();
        let server = Server::start(name, Some(&given)).unwrap();
        let later = redis::cmd("SET").arg(&["later", "1", "PX", "100000"]).to_owned();
        later.exec(&mut server.connect().unwrap()).unwrap();
        let (dump, outcome) = take(&mut open(&server), &ScanOptions::default());
        assert_eq!(outcome.keys, keys(&dump).len() as u64, "{name}");
        assert!(outcome.keys > 90 && outcome.vanished == 0, "{name}: {outcome:?}");
        assert_eq!(outcome.emptied, Some(false));
        assert!(!outcome.snapshot.point_in_time);
        let again = Server::start(name, Some(&dump)).unwrap();
        assert_eq!(digest(&again), digest(&server), "{name}");
        // Before 7.0 an expiry is the server's clock plus what is left: some milliseconds off.
        let slack = if name == "redis-6.2" { 1000 } else { 0 };
        let (got, want) = (expiries(&dump), expiries(&server.save()));
        assert!(want.values().flatten().count() > 3, "{name}");
        for (key, want) in want {
            match (got[&key], want) {
                (Some(got), Some(want)) => assert!((got - want).abs() <= slack, "{name}: {key:?}"),
                (got, want) => assert_eq!(got, want, "{name}: {key:?}"),
            }
        }
        let libraries = (name != "redis-6.2").then_some(2);
        assert_eq!(outcome.function_libraries, libraries, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_part_is_chosen_by_pattern_type_and_database() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = open(&server);
        for line in ["SET a:1 x", "SET b:1 x", "RPUSH a:2 x", "SELECT 5", "SET a:3 x", "SELECT 0"] {
            run(&mut connection, line);
        }
        let mut found = |options: ScanOptions| {
            let mut found = keys(&take(&mut connection, &options).0);
            found.sort();
            found
        };
        let all = ScanOptions::default;
        assert_eq!(found(all()), ["a:1", "a:2", "a:3", "b:1"], "{name}");
        assert_eq!(found(all().pattern("a:*")), ["a:1", "a:2", "a:3"], "{name}");
        assert_eq!(found(all().pattern("a:*").data_type("string")), ["a:1", "a:3"], "{name}");
        assert_eq!(found(all().dbs([5])), ["a:3"], "{name}");
        assert_eq!(found(all().dbs([7])), [""; 0], "{name}");
        // The connection is where it was.
        run(&mut connection, "SET here 1");
        assert_eq!(take(&mut connection, &all().dbs([0]).pattern("here")).1.keys, 1, "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_goes_meanwhile_is_counted() {
    for name in ALL {
        let server = start(name, &[]);
        let mut admin = open(&server);
        (0..3000).for_each(|number| run(&mut admin, &format!("SET key:{number} x")));
        // Asked for all at once, so that the key's name was seen for sure.
        let all = ScanOptions::default().count(10_000);
        let (dump, outcome) = take(&mut meddled(&server, "DEL key:7"), &all);
        assert_eq!((outcome.keys, outcome.vanished), (2999, 1), "{name}");
        assert_eq!(keys(&dump).len(), 2999, "{name}");
        assert_eq!(outcome.snapshot.writes_meanwhile, Some(1), "{name}: {outcome:?}");
        assert_eq!(outcome.emptied, Some(false), "{name}");
        let (dump, outcome) = take(&mut meddled(&server, "FLUSHDB"), &ScanOptions::default());
        assert_eq!(outcome.emptied, Some(true), "{name}: {outcome:?}");
        assert!(keys(&dump).is_empty(), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_user_who_may_scan_and_dump_needs_no_other_right() {
    for name in ALL {
        let server = start(name, &[]);
        let mut admin = open(&server);
        run(&mut admin, "SET a 1 EX 1000");
        run(&mut admin, "ACL SETUSER bk on >s3cret -@all +info +scan +dump +pttl +time +select ~*");
        let url = format!("redis://bk:s3cret@127.0.0.1:{}", server.port());
        let mut connection = Connection::open(ConnectOptions::new(url)).unwrap();
        let (dump, outcome) = take(&mut connection, &ScanOptions::default());
        assert_eq!(keys(&dump), ["a"], "{name}");
        assert_eq!(outcome.function_libraries, None, "{name}");
        assert!(expiries(&dump).into_values().all(|at| at.is_some()), "{name}");
    }
}

/// Seed: a script that copies by `GET key | SET -x key`.
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn get_and_set_lose_ttl_and_types_ours_does_not() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = open(&server);
        for line in ["SET plain v PX 100000", "RPUSH list a b", "HSET hash f 1", "ZADD zset 1.5 m"]
        {
            run(&mut connection, line);
        }
        let by_script = start(name, &[]);
        let mut other = by_script.connect().unwrap();
        for key in ["plain", "list", "hash", "zset"] {
            let got = redis::cmd("GET").arg(key).query::<String>(&mut connection);
            let value = got.unwrap_or_else(|error| error.to_string()) + "\n";
            redis::cmd("SET").arg(key).arg(value).exec(&mut other).unwrap();
        }
        assert_ne!(digest(&by_script), digest(&server), "{name}");
        let (dump, outcome) = take(&mut connection, &ScanOptions::default());
        assert_eq!(outcome.keys, 4, "{name}");
        let ours = Server::start(name, Some(&dump)).unwrap();
        assert_eq!(digest(&ours), digest(&server), "{name}");
        let ttl: i64 = redis::cmd("PTTL").arg("plain").query(&mut ours.connect().unwrap()).unwrap();
        assert!((50_000..=100_000).contains(&ttl), "{name}: {ttl}");
    }
}

/// The idle times and frequencies of a dump's keys.
fn usage(dump: &[u8]) -> Vec<(Option<u64>, Option<u8>)> {
    let entries = SliceReader::new(dump).map(Result::unwrap);
    let entries = entries.filter_map(|event| match event.kind() {
        EventKind::Entry(entry) => Some(entry.attributes()),
        _ => None,
    });
    entries.map(|attributes| (attributes.idle_seconds, attributes.frequency)).collect()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn idle_times_and_frequencies_come_along_as_they_were_before_the_scan() {
    for name in ALL {
        let server = start(name, &[]);
        let mut connection = open(&server);
        run(&mut connection, "SET key value");
        std::thread::sleep(std::time::Duration::from_millis(2100));
        let (dump, _) = take(&mut connection, &ScanOptions::default().idle(true));
        let [(Some(idle), None)] = usage(&dump)[..] else { panic!("{name}") };
        assert!((2..=10).contains(&idle), "{name}: {idle}");
        let (dump, _) = take(&mut connection, &ScanOptions::default());
        assert_eq!(usage(&dump), [(None, None)], "{name}");
        // Each is refused under the other's policy, and that is not passed over.
        let often = ScanOptions::default().frequency(true);
        let error = scan(&mut connection, Vec::new(), &often).unwrap_err();
        assert_eq!(error.fault(), Some(redkeep::Fault::ServerRefused), "{name}: {error}");
        run(&mut connection, "CONFIG SET maxmemory-policy allkeys-lfu");
        run(&mut connection, "SET often value");
        let (dump, _) = take(&mut connection, &often.pattern("often"));
        let [(None, Some(count))] = usage(&dump)[..] else { panic!("{name}") };
        assert_eq!(count, 5, "{name}"); // what a new key begins with
    }
}
