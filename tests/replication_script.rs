//! Dumps from servers made of bytes: every answer they may give, cut and split everywhere.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

#[path = "common/replication_laws.rs"]
mod replication_laws;

use proptest::prelude::*;
use redkeep::live::replication::{
    Form, Portion, ReplicationOptions, Transfer, TransferFacts, snapshot_into,
};
use redkeep::rdb::check::{CheckOptions, Verdict};
use redkeep::{Error, ErrorKind, Fault};
use replication_laws::{
    Act, ID, MARK, Script, by_length, by_mark, dump, granted, received, replication,
};
use std::io::{self, Read};
use std::time::Duration;

fn options() -> ReplicationOptions {
    ReplicationOptions::default()
}

/// A dump whose values hold the mark, its beginning, and what looks like an end before it.
fn marked_dump() -> Vec<u8> {
    let long = |bytes: &[u8]| {
        let len = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [b"\0\x01x\x80", &len[..], bytes].concat().split_off(3)
    };
    let values: [&[u8]; 4] = [MARK, &MARK[..39], b"\xff\x01\0\0\0\0\0\0\0", &[b'f'; 100]];
    let mut records = Vec::new();
    for (name, value) in (b'a'..).zip([&values[..1].concat()[..], values[1], values[3]]) {
        records.extend([0, 1, name]);
        records.extend(long(value));
    }
    records.extend([0, 1, b'z']);
    records.extend(long(&[values[2], MARK].concat()));
    dump(&records)
}

fn transcript(announced: Vec<u8>) -> Vec<u8> {
    [granted(false).into_bytes(), announced].concat()
}

fn failure(said: impl Into<Vec<u8>>, options: &ReplicationOptions) -> Error {
    let (dump, end) = received(Script::new(said), options, 1 << 16);
    assert_eq!(dump.len(), 0);
    end.unwrap_err()
}

#[test]
fn both_forms_give_the_dump_and_nothing_else_however_it_arrives() {
    let dump = marked_dump();
    for (announced, form) in
        [(by_mark(&dump), Form::EndMark), (by_length(&dump), Form::Length(dump.len() as u64))]
    {
        let said = transcript(announced);
        for step in (1..said.len() + 1).rev() {
            for buffer in [1, 100, 4096, 1 << 16] {
                let script = Script::new(&said[..]).step(step);
                let (got, end) = received(script, &options(), buffer);
                let end = end.unwrap_or_else(|error| panic!("step {step}: {error}"));
                assert_eq!((got, end.bytes), (dump.clone(), dump.len() as u64));
                let TransferFacts { replid, offset, rdb_only, version_heard, .. } = &end.facts;
                assert_eq!((replid.as_deref(), *offset), (Some(ID), Some(42)));
                assert_eq!((end.facts.form, *rdb_only, *version_heard), (form, true, true));
            }
        }
        // One split at every place, too.
        for at in 0..said.len() {
            let (one, two) = said.split_at(at);
            let acts = [one, two].map(|part| Act::Says(part.to_vec()));
            assert_eq!(received(Script::of(acts), &options(), 1 << 16).0, dump, "split at {at}");
        }
    }
}

#[test]
fn a_transfer_cut_anywhere_never_looks_complete() {
    let dump = marked_dump();
    for announced in [by_mark(&dump), by_length(&dump)] {
        let said = transcript(announced);
        for cut in 0..said.len() {
            for buffer in [64, 1 << 16] {
                let (got, end) = received(Script::new(&said[..cut]), &options(), buffer);
                let error = end.expect_err(&format!("cut at {cut}"));
                assert_eq!(error.fault(), Some(Fault::TransferCut), "cut at {cut}: {error}");
                assert!(error.is_retryable() && dump.starts_with(&got));
            }
            let mut sink = Vec::new();
            let script = Script::new(&said[..cut]);
            let clock = script.clock();
            let outcome =
                snapshot_into(script, clock, &options(), &CheckOptions::default(), &mut sink);
            assert_eq!(outcome.unwrap_err().fault(), Some(Fault::TransferCut));
        }
    }
}

#[test]
fn without_a_proof_of_the_end_no_part_of_a_dump_is_sound() {
    let said = transcript(by_mark(&marked_dump()));
    let options = options().proves_end(false);
    let mut ended = Vec::new();
    for cut in 0..=said.len() {
        let script = Script::new(&said[..cut]);
        let (clock, check) = (script.clock(), CheckOptions::default());
        match snapshot_into(script, clock, &options, &check, io::sink()) {
            Ok(outcome) => ended.push(outcome.is_sound()),
            Err(error) => assert_eq!(error.fault(), Some(Fault::TransferCut), "cut at {cut}"),
        }
    }
    // Inside a value that looks like an end, and where it is one.
    assert_eq!(ended, [false, true]);
}

#[test]
fn a_dump_that_is_damaged_under_way_is_never_sound() {
    let dump = marked_dump();
    for at in 0..dump.len() {
        let mut damaged = dump.clone();
        damaged[at] ^= 0x20;
        for announced in [by_mark(&damaged), by_length(&damaged)] {
            let script = Script::new(transcript(announced));
            let (clock, check) = (script.clock(), CheckOptions::default());
            match snapshot_into(script, clock, &options(), &check, io::sink()) {
                Ok(outcome) => assert!(!outcome.is_sound(), "flipped at {at}"),
                Err(error) => assert_eq!(error.fault(), Some(Fault::TransferCut), "{error}"),
            }
        }
    }
}

#[test]
fn a_wrong_length_is_a_cut_or_a_damaged_dump() {
    let whole = dump(b"\0\x01k\x01v");
    let outcome = |length: usize| {
        let said = [format!("${length}\r\n").as_bytes(), &whole].concat();
        let script = Script::new(transcript(said));
        let clock = script.clock();
        snapshot_into(script, clock, &options(), &CheckOptions::default(), io::sink())
    };
    assert!(outcome(whole.len()).unwrap().is_sound());
    assert_eq!(outcome(whole.len() + 1).unwrap_err().fault(), Some(Fault::TransferCut));
    assert_eq!(outcome(whole.len() - 1).unwrap().report.verdict, Verdict::Damaged);
    assert_eq!(outcome(0).unwrap().report.verdict, Verdict::Damaged);
    assert_eq!(outcome(1 << 60).unwrap_err().fault(), Some(Fault::TransferCut));
}

#[test]
fn a_server_that_keeps_no_checksum_is_understood() {
    let dump = b"REDIS0011\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    for step in 1..200 {
        let script = Script::new(transcript(by_mark(dump))).step(step);
        let (got, end) = received(script, &options(), 1 << 16);
        assert!(end.is_ok() && got == dump, "step {step}");
    }
}

#[test]
fn each_refusal_is_one_clear_error() {
    let cases: [(&str, Fault, bool); 12] = [
        ("-NOAUTH Authentication required.\r\n", Fault::ServerAuth, false),
        ("-NOPERM this user has no permissions\r\n", Fault::ServerDenied, false),
        ("-LOADING Redis is loading\r\n", Fault::ServerLoading, true),
        ("+OK\r\n+OK\r\n+OK\r\n-NOPERM no 'psync'\r\n", Fault::ServerDenied, false),
        ("+OK\r\n+OK\r\n+OK\r\n-LOADING loading\r\n", Fault::ServerLoading, true),
        ("+OK\r\n+OK\r\n+OK\r\n-BUSY a script\r\n", Fault::ServerBusy, true),
        ("+OK\r\n+OK\r\n+OK\r\n-NOMASTERLINK no\r\n", Fault::ServerNoMaster, true),
        ("+OK\r\n+OK\r\n+OK\r\n-ERR no more\r\n", Fault::ServerRefused, false),
        ("+OK\r\n+OK\r\n+OK\r\n+CONTINUE x\r\n", Fault::ServerReply, false),
        ("HTTP/1.1 400 Bad Request\r\n", Fault::ServerReply, false),
        (
            "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n\
             -ERR unknown command `PSYNC`\r\n-ERR unknown command `SYNC`\r\n",
            Fault::ServerLacks,
            false,
        ),
        ("+OK\r\n+OK", Fault::TransferCut, true),
    ];
    for (said, fault, retryable) in cases {
        let error = failure(said, &options());
        assert_eq!((error.fault(), error.is_retryable()), (Some(fault), retryable), "{error}");
    }
    let after = format!("{}-ERR BGSAVE failed, replication can't continue\r\n", granted(false));
    assert_eq!(failure(after, &options()).fault(), Some(Fault::ServerRefused));
    let endless = failure([b'x'; 10_000], &options());
    assert_eq!(endless.fault(), Some(Fault::ServerReply));
}

#[test]
fn a_login_is_sent_first_and_its_secret_is_in_no_error() {
    let login = options().user("backup").password("geheim");
    let whole = dump(b"");
    let said = [b"+OK\r\n", &transcript(by_length(&whole))[..]].concat();
    let script = Script::new(said);
    let heard = script.heard.clone();
    assert!(received(script, &login, 4096).1.is_ok());
    let begin = b"*3\r\n$4\r\nAUTH\r\n$6\r\nbackup\r\n$6\r\ngeheim\r\n*5\r\n$8\r\nREPLCONF\r\n";
    assert!(heard.borrow().starts_with(begin));
    for said in [
        "-WRONGPASS invalid username-password pair\r\n",
        "-ERR invalid password\r\n",
        "-ERR unknown command 'AUTH', with args beginning with: 'geheim'\r\n",
        "geheim\r\n",
    ] {
        let error = failure(said, &login);
        assert!(!format!("{error} {error:?}").contains("geheim"), "{error}");
        assert!(!error.is_retryable());
    }
    // A server without users.
    let old = options().user("default").password("geheim");
    let said = "-ERR wrong number of arguments for 'auth' command\r\n+OK\r\n";
    let said = [said.as_bytes(), &transcript(by_length(&whole))].concat();
    assert!(received(Script::new(said), &old, 4096).1.is_ok());
}

#[test]
fn old_servers_are_asked_in_older_ways() {
    let whole = dump(b"\0\x01k\x01v");
    let unknown = "-ERR Unrecognized REPLCONF option: capa\r\n".repeat(3);
    let said = format!("{unknown}+FULLRESYNC {ID} 1\r\n");
    let (got, end) =
        received(Script::new([said.as_bytes(), &by_length(&whole)].concat()), &options(), 4096);
    assert_eq!((got, end.unwrap().facts.rdb_only), (whole.clone(), false));
    let unknown = "-ERR unknown command 'REPLCONF'\r\n".repeat(4);
    let said = [unknown.as_bytes(), b"\n", &by_length(&whole)].concat();
    let end = received(Script::new(said), &options(), 4096).1.unwrap();
    assert_eq!((end.facts.replid, end.facts.offset, end.bytes), (None, None, whole.len() as u64));
}

#[test]
fn functions_alone_are_given_by_those_who_can() {
    let functions = options().portion(Portion::Functions);
    let error = failure("+OK\r\n+OK\r\n-ERR Unrecognized REPLCONF option\r\n", &functions);
    assert_eq!(error.fault(), Some(Fault::ServerLacks));
    let error = failure("", &functions.diskless(false));
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn silence_and_lateness_end_it_and_keep_alives_do_not_count_as_silence() {
    let second = || Act::Silent(Duration::from_secs(1));
    let says = |text: &str| Act::Says(text.into());
    let whole = dump(b"");
    let slow = |seconds: usize| {
        let mut acts = vec![says("+OK\r\n+OK\r\n+OK\r\n")];
        acts.extend((0..seconds).flat_map(|_| [second(), says("\n")]));
        acts.push(says(&format!("+FULLRESYNC {ID} 1\r\n")));
        acts.push(Act::Says(by_mark(&whole)));
        Script::of(acts)
    };
    assert!(received(slow(3600), &options(), 4096).1.is_ok());
    let late = received(slow(3600), &options().deadline(Duration::from_secs(600)), 4096).1;
    let late = late.unwrap_err();
    assert!(late.is_retryable() && late.to_string().contains("within 600s"), "{late}");
    let stalls = [Act::Says(transcript(b"$100\r\nREDIS".to_vec()))];
    let stalls = Script::of(stalls.into_iter().chain((0..100).map(|_| second())));
    let (_, end) = received(stalls, &options(), 4096);
    let error = end.unwrap_err();
    assert_eq!(error.io_kind(), Some(io::ErrorKind::TimedOut));
    assert!(error.is_retryable() && error.to_string().contains("silent for 60s"), "{error}");
    assert_eq!(error.offset(), Some(5));
}

#[test]
fn a_broken_connection_is_a_cut_and_another_failure_is_itself() {
    let broken = |kind| {
        let acts = [Act::Says(transcript(b"$100\r\nREDIS".to_vec())), Act::Breaks(kind)];
        received(Script::of(acts), &options(), 4096).1.unwrap_err()
    };
    for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof] {
        assert_eq!(broken(kind).fault(), Some(Fault::TransferCut));
    }
    assert_eq!(broken(io::ErrorKind::Other).kind(), ErrorKind::Io);
}

#[test]
fn a_transfer_that_was_not_read_to_its_end_is_not_finished() {
    let script = Script::new(transcript(by_mark(&dump(b""))));
    let clock = script.clock();
    let mut transfer = Transfer::start(script, clock, &options()).unwrap();
    assert_eq!(transfer.read(&mut [0; 10]).unwrap(), 10);
    assert_eq!(transfer.finish().unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn a_sink_that_fails_is_named() {
    let script = Script::new(transcript(by_mark(&dump(b""))));
    let clock = script.clock();
    let mut full = [0; 10];
    let sink = &mut full[..];
    let error =
        snapshot_into(script, clock, &options(), &CheckOptions::default(), sink).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("could not be stored"), "{error}");
}

#[test]
fn commands_after_the_dump_are_counted_and_acknowledged() {
    let ping = "*1\r\n$4\r\nping\r\n";
    let set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\n\r\n*1\r\r\n";
    for announced in [by_mark(&dump(b"")), by_length(&dump(b""))] {
        let after = format!("\n{ping}\n\n{set}").into_bytes();
        let said = [granted(true).into_bytes(), announced].concat();
        for step in 1..said.len() {
            let acts = [said.clone(), after.clone()].map(Act::Says);
            let script = Script::of(acts).step(step);
            let (clock, heard) = (script.clock(), script.heard.clone());
            let mut transfer = Transfer::start(script, clock, &options().follow(true)).unwrap();
            io::copy(&mut transfer, &mut io::sink()).unwrap();
            let mut stream = transfer.into_stream().unwrap();
            assert_eq!(stream.next().unwrap().unwrap().raw(), ping.as_bytes());
            assert_eq!(stream.offset(), 42 + 14);
            assert_eq!(stream.next().unwrap().unwrap().get(2), Some(&b"\r\n*1\r"[..]));
            stream.ack().unwrap();
            let ack = format!("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$2\r\n{}\r\n", 56 + set.len());
            assert!(heard.borrow().ends_with(ack.as_bytes()));
            assert_eq!(stream.next().unwrap_err().fault(), Some(Fault::TransferCut));
        }
    }
    let script = Script::new(transcript(by_mark(&dump(b""))));
    let clock = script.clock();
    let mut transfer = Transfer::start(script, clock, &options()).unwrap();
    io::copy(&mut transfer, &mut io::sink()).unwrap();
    assert_eq!(transfer.into_stream().err().unwrap().kind(), ErrorKind::Usage);
}

proptest! {
    #[test]
    fn laws_hold_for_any_server(
        flags in 0u8..16,
        step in any::<u8>(),
        head in 0u8..10,
        tail in prop::collection::vec(any::<u8>(), 0..200),
        cut in 0usize..400,
    ) {
        let mut input = [&[flags, step, head][..], &tail].concat();
        replication(&input);
        input.truncate(cut);
        replication(&input);
    }

    #[test]
    fn laws_hold_for_mutated_servers(
        follow in any::<bool>(),
        step in any::<u8>(),
        marked in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let whole = marked_dump();
        let announced = if marked { by_mark(&whole) } else { by_length(&whole) };
        let mut said = [granted(follow).into_bytes(), announced].concat();
        for (place, byte) in changes {
            let place = place.index(said.len());
            said[place] = byte;
        }
        let input = [&[u8::from(follow), step][..], &said].concat();
        replication(&input);
    }
}
