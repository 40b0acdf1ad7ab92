//! What becomes of keys that are there already, and of those that the target will not have.

use crate::clock::System;
use crate::servers::{ALL, Server};
use crate::{dump_of, open, put, run};
use redis::cmd;
use redkeep::Fault;
use redkeep::export::CommandForm;
use redkeep::live::restore::{
    CompareSink, Conflict, RestoreOptions, RestoreOutcome, RestoreSink, Sample,
};
use redkeep::live::{ConnectOptions, Connection};
use redkeep::rdb::OnLoss;
use redkeep::task::{RestoreChoice, compare, restore};

/// `a`; `b`, whose time was 1983; in db 2 a list.
fn dump() -> Vec<u8> {
    [
        &b"REDIS0009\xfe\x00\x00\x01a\x01x\xfc\x00\xe8\x76\x48\x5f\x00\x00\x00\x00\x01b\x01y"[..],
        b"\xfe\x02\x01\x01l\x02\x01p\x01q\xff\0\0\0\0\0\0\0\0",
    ]
    .concat()
}

const FORMS: [CommandForm; 2] = [CommandForm::Restore, CommandForm::Plain];

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn keys_that_are_there_are_kept_replaced_or_the_end() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        for form in FORMS {
            let put = |conflict| {
                run(&server, "FLUSHALL");
                run(&server, "SET a old");
                run(&server, "SET b old");
                put(&dump(), &server, RestoreOptions::default().form(form).conflict(conflict)).keys
            };
            let outcome = put(Conflict::Skip);
            assert_eq!((outcome.restored, outcome.skipped.existing), (1, 1), "{name}: {outcome:?}");
            assert_eq!(outcome.skipped.expired, 1, "{name}: {outcome:?}");
            assert_eq!(run(&server, "GET a") + &run(&server, "GET b"), "oldold");
            let outcome = put(Conflict::Replace);
            assert_eq!((outcome.restored, outcome.skipped.all()), (2, 1), "{name}: {outcome:?}");
            assert_eq!((run(&server, "GET a"), run(&server, "EXISTS b")), ("x".into(), "0".into()));
            let outcome = put(Conflict::Fail);
            let stopped = outcome.stopped.clone().unwrap();
            assert_eq!(stopped.code, "key_exists", "{name}: {stopped:?}");
            assert!(stopped.message.contains("\"a\""), "{stopped:?}");
            assert_eq!((outcome.failed, outcome.failures["exists"].keys), (1, 1));
            assert!(!outcome.is_complete());
            assert_eq!(run(&server, "GET a"), "old");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_dry_run_says_what_is_in_the_way_and_changes_nothing() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        run(&server, "SET a old");
        for form in FORMS {
            let options = RestoreOptions::default().dry_run(true).form(form);
            let outcome = put(&dump(), &server, options.clone()).keys;
            assert_eq!((outcome.restored, outcome.failures["exists"].keys), (1, 1), "{outcome:?}");
            assert_eq!((outcome.stopped, outcome.checkpoint, outcome.dry_run), (None, None, true));
            let outcome = put(&dump(), &server, options.conflict(Conflict::Skip)).keys;
            assert_eq!((outcome.restored, outcome.skipped.existing), (1, 1), "{outcome:?}");
            assert_eq!(run(&server, "DBSIZE"), "1");
        }
    }
}

/// Values that one argument of a command cannot hold where it may have 1 MiB.
fn big_values() -> Vec<u8> {
    dump_of("redis-6.2", &|connection| {
        let text = "x".repeat(2000);
        for n in 0..1500 {
            let mut all = redis::pipe();
            all.cmd("RPUSH").arg("list").arg(format!("{n}{text}"));
            all.cmd("HSET").arg("hash").arg(n).arg(&text);
            all.cmd("XADD").arg("stream").arg(format!("1-{}", n + 1)).arg("f").arg(&text);
            all.exec(connection).unwrap();
        }
        cmd("CONFIG").arg(&["SET", "rdbcompression", "no"]).exec(connection).unwrap();
        cmd("SET").arg("string").arg("y".repeat(2 << 20)).exec(connection).unwrap();
        cmd("SET").arg("small").arg("z").exec(connection).unwrap();
        cmd("PEXPIRE").arg("list").arg(100_000_000).exec(connection).unwrap();
    })
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_value_past_the_targets_limit_goes_in_parts_and_a_string_fails_alone() {
    let dump = big_values();
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_in(name, folder, &["--proto-max-bulk-len", "1048576"]).unwrap();
        // Smaller than the limit, bigger than it, and one that the limit cuts in the middle.
        for window in [1 << 16, 1 << 20, 64 << 20] {
            run(&server, "FLUSHALL");
            let (clock, mut connection) = (System::start(), open(&server));
            let sink =
                RestoreSink::new(&mut connection, &clock, RestoreOptions::default()).unwrap();
            let mut choice = RestoreChoice::default();
            choice.limits = choice.limits.window(window);
            let outcome = restore(&dump[..], &choice, sink).unwrap().keys;
            assert_eq!((outcome.restored, outcome.plain), (4, 3), "{name}: {outcome:?}");
            let failed = &outcome.failures["too_big"];
            assert_eq!((failed.keys, failed.first[0].key.as_str()), (1, "string"));
            assert!(outcome.stopped.is_none() && !outcome.is_complete());
            let sizes = ["LLEN list", "HLEN hash", "XLEN stream"].map(|line| run(&server, line));
            assert_eq!(sizes, ["1500", "1500", "1500"], "{name}");
            assert!(run(&server, "LINDEX list 7").starts_with("7x"));
            assert!(run(&server, "PTTL list").parse::<i64>().unwrap() > 1_000_000);
            assert_eq!(run(&server, "GET small") + &run(&server, "EXISTS string"), "z0");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_target_without_memory_stops_it_and_one_that_evicts_is_found_out() {
    let dump = big_values();
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        run(&server, "CONFIG SET maxmemory 1");
        for form in FORMS {
            let outcome = put(&dump, &server, RestoreOptions::default().form(form)).keys;
            assert_eq!(outcome.stopped.as_ref().unwrap().code, "server_refused", "{outcome:?}");
            assert!(outcome.failures["OOM"].keys > 0 && outcome.restored == 0, "{outcome:?}");
            assert_eq!(run(&server, "DBSIZE"), "0", "{name}: no half of a value is left");
        }
        let used: u64 = info(&server, "used_memory");
        run(&server, "CONFIG SET maxmemory-policy allkeys-lru");
        run(&server, &format!("CONFIG SET maxmemory {}", used + (8 << 20)));
        let outcome =
            put(&dump, &server, RestoreOptions::default().conflict(Conflict::Replace)).keys;
        assert!(outcome.evicted.unwrap() > 0 && !outcome.is_complete(), "{name}: {outcome:?}");
    }
}

fn info(server: &Server, field: &str) -> u64 {
    let text: String = cmd("INFO").query(&mut server.connect().unwrap()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap().trim().parse().unwrap()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_replica_is_refused_before_anything_is_sent() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        run(&server, "REPLICAOF 127.0.0.1 1");
        let (clock, mut connection) = (System::start(), open(&server));
        let error = RestoreSink::new(&mut connection, &clock, RestoreOptions::default()).err();
        assert_eq!(error.unwrap().fault(), Some(Fault::ServerRefused), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_database_that_the_target_lacks_fails_its_keys_and_no_others() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_in(name, folder, &["--databases", "2"]).unwrap();
        let outcome = put(&dump(), &server, RestoreOptions::default()).keys;
        assert_eq!((outcome.restored, outcome.failures["database"].keys), (1, 1), "{outcome:?}");
        assert_eq!(run(&server, "DBSIZE"), "1", "{name}: none is in another database");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn without_the_right_to_restore_keys_go_as_plain_commands() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let rights = "ACL SETUSER u on >p +@all -restore ~a*";
        run(&server, rights);
        let url = format!("redis://u:p@127.0.0.1:{}", server.port());
        let mut connection = Connection::open(ConnectOptions::new(url)).unwrap();
        let clock = System::start();
        let put = |connection: &mut Connection| {
            let options = RestoreOptions::default().conflict(Conflict::Replace);
            let sink = RestoreSink::new(connection, &clock, options).unwrap();
            restore(&dump()[..], &RestoreChoice::default(), sink).unwrap().keys
        };
        let outcome: RestoreOutcome = put(&mut connection);
        assert_eq!((outcome.restored, outcome.plain), (1, 1), "{name}: {outcome:?}");
        assert_eq!(outcome.failures["NOPERM"].first[0].key, "l", "{name}: {outcome:?}");
        run(&server, "ACL SETUSER u +restore");
        let outcome = put(&mut connection);
        assert_eq!((outcome.restored, outcome.plain), (1, 0), "{name}: {outcome:?}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_rights_that_the_readme_names_are_enough() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        run(
            &server,
            "ACL SETUSER u on >p ~* +restore +info +time +select +exists +type +pttl +dump",
        );
        let url = format!("redis://u:p@127.0.0.1:{}", server.port());
        let mut connection = Connection::open(ConnectOptions::new(url)).unwrap();
        let clock = System::start();
        for dry_run in [true, false] {
            let options = RestoreOptions::default().dry_run(dry_run);
            let sink = RestoreSink::new(&mut connection, &clock, options).unwrap();
            let outcome = restore(&dump()[..], &RestoreChoice::default(), sink).unwrap().keys;
            assert!(outcome.is_complete(), "{name}: {outcome:?}");
            assert_eq!((outcome.restored, outcome.plain), (2, 0), "{name}: {outcome:?}");
        }
        let options = RestoreOptions::default();
        let sink = CompareSink::new(&mut connection, &options, Sample::All).unwrap();
        let compared = compare(&dump()[..], &RestoreChoice::default(), sink);
        assert!(compared.is_same() && compared.values == 2, "{name}: {compared:?}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn libraries_are_loaded_left_out_kept_or_replaced() {
    let library = |result| {
        format!("#!lua name=lib\nredis.register_function('f', function() return {result} end)")
    };
    let (one, two) = (library(1), library(2));
    let mut dump = b"REDIS0010\xf5".to_vec();
    dump.push(0x40);
    dump.push(u8::try_from(two.len()).unwrap());
    dump.extend(two.bytes());
    dump.extend(b"\xff\0\0\0\0\0\0\0\0");
    for name in &ALL[1..] {
        let server = Server::start(name, None).unwrap();
        let load = || cmd("FUNCTION").arg("LOAD").arg(&one).exec(&mut server.connect().unwrap());
        let outcome = put(&dump, &server, RestoreOptions::default()).keys;
        assert_eq!((outcome.functions.read, outcome.functions.left_out), (1, 1));
        load().unwrap();
        let options = RestoreOptions::default().functions(Conflict::Skip);
        assert_eq!(put(&dump, &server, options).keys.functions.existing, 1);
        assert_eq!(run(&server, "FCALL f 0"), "1");
        let outcome = put(&dump, &server, RestoreOptions::default().functions(Conflict::Fail)).keys;
        assert!(outcome.stopped.unwrap().message.contains("already exists"));
        let options = RestoreOptions::default().functions(Conflict::Replace);
        assert_eq!(put(&dump, &server, options).keys.functions.loaded, 1);
        assert_eq!(run(&server, "FCALL f 0"), "2", "{name}");
    }
    let server = Server::start(ALL[0], None).unwrap();
    let options = RestoreOptions::default().functions(Conflict::Replace);
    let outcome = put(&dump, &server, options.clone()).keys;
    assert_eq!(outcome.stopped.unwrap().code, "loss");
    assert_eq!(put(&dump, &server, options.on_loss(OnLoss::Drop)).keys.functions.lost, 1);
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_damaged_dump_is_never_a_finished_restore() {
    let server = Server::start("redis-7.0", None).unwrap();
    let whole = big_values();
    let cut = put(&whole[..whole.len() / 2], &server, RestoreOptions::default()).keys;
    assert!(["ends_inside", "transfer_cut"].contains(&cut.stopped.unwrap().code));
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let options = RestoreOptions::default().dry_run(true).conflict(Conflict::Replace);
    let outcome = put(&changed, &server, options).keys;
    assert_eq!(outcome.stopped.unwrap().code, "checksum_mismatch");
}
