//! The table of commands, compared with what live servers say of theirs.

use super::common::release;
use super::servers::{ALL, Server};
use redis::{Value, cmd};
use redkeep::aof::{Command, CommandSpec, write_command};
use std::collections::{BTreeMap, BTreeSet};

/// What a server says of a command.
#[derive(Debug)]
struct Said {
    arity: i64,
    write: bool,
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Value::SimpleString(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// Adds a command, or the subcommands of a container, under names as ours.
fn add(entry: &Value, said: &mut BTreeMap<String, Said>) {
    let Value::Array(parts) = entry else { panic!("{entry:?}") };
    let (Value::Int(arity), Value::Array(flags)) = (&parts[1], &parts[2]) else { panic!() };
    let write = flags.iter().any(|flag| text(flag) == "write");
    let name = text(&parts[0]).to_uppercase().replace('|', " ");
    said.insert(name, Said { arity: *arity, write });
    if let Some(Value::Array(subcommands)) = parts.get(9) {
        subcommands.iter().for_each(|subcommand| add(subcommand, said));
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_table_agrees_with_servers_on_who_knows_what_with_how_many_arguments() {
    let mut wrong = Vec::new();
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let answer = cmd("COMMAND").query(&mut server.connect().unwrap()).unwrap();
        let Value::Array(entries) = answer else { panic!("{answer:?}") };
        let mut said = BTreeMap::new();
        entries.iter().for_each(|entry| add(entry, &mut said));
        let subcommands = said.keys().any(|name| name.contains(' '));
        for spec in CommandSpec::all() {
            // Before 7.0 servers do not tell their subcommands; modules may be there or not.
            if (spec.name().contains(' ') && !subcommands) || spec.name().starts_with('V') {
                continue;
            }
            let known = spec.known_to(release(name));
            match said.get(spec.name()) {
                Some(said) if known => {
                    let arity = i64::from(spec.arity().get());
                    // Some took fewer or other forms once.
                    let former = name == "redis-6.2" && (arity < 0 || spec.name() == "PFDEBUG");
                    let fits = arity == said.arity || former;
                    if !fits || (spec.is_write() != said.write && name != "redis-6.2") {
                        wrong.push(format!("{name}: {spec:?} is {said:?}"));
                    }
                }
                None if !known => {}
                other => wrong.push(format!("{name}: {spec:?} is {other:?}")),
            }
        }
        let ours: BTreeSet<_> = CommandSpec::all().iter().map(CommandSpec::name).collect();
        let writes = said.iter().filter(|(_, said)| said.write).map(|(name, _)| name);
        // A container as a whole writes where it does not tell its subcommands.
        let missing = writes.filter(|write| {
            let container = ours.iter().any(|name| name.starts_with(&format!("{write} ")));
            !ours.contains(write.as_str()) && !container
        });
        wrong.extend(missing.map(|write| format!("{name}: {write} writes, and is not known here")));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Commands of every pattern of keys.
const SAMPLES: [&str; 28] = [
    "SET k v",
    "DEL a b c",
    "MSET a 1 b 2",
    "RENAME a b",
    "COPY a b DB 3",
    "BITOP AND dst a b",
    "BLPOP a b 0",
    "PFMERGE dst a b",
    "XGROUP CREATE st g $",
    "XADD st 1-1 f v",
    "SDIFFSTORE dst a b",
    "ZUNIONSTORE dst 2 a b WEIGHTS 1 2",
    "ZDIFFSTORE dst 1 a",
    "ZRANGESTORE dst src 0 1",
    "LMPOP 2 a b LEFT",
    "BZMPOP 0 1 a MIN",
    "EVAL code 2 a b arg",
    "MSETEX 2 a 1 b 2 EX 5",
    "MIGRATE host 1 k 0 100",
    "XREADGROUP GROUP g c COUNT 1 STREAMS a b 0 0",
    "SORT k BY w GET x STORE dst",
    "GEORADIUS k 1 1 1 m STORE a",
    "GEORADIUSBYMEMBER k m 1 m STOREDIST b",
    "GEOSEARCHSTORE dst src FROMMEMBER m BYRADIUS 1 m",
    "HSETEX k FIELDS 1 f v",
    "HPEXPIREAT k 1 FIELDS 1 f",
    "RPOPLPUSH a b",
    "SMOVE a b m",
];

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_find_the_same_keys() {
    let mut compared = 0;
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        let mut connection = server.connect().unwrap();
        for sample in SAMPLES {
            let mut raw = Vec::new();
            write_command(&sample.split(' ').collect::<Vec<_>>(), &mut raw).unwrap();
            let command = Command::parse(&raw).unwrap();
            let spec = CommandSpec::of(&command).unwrap();
            if !spec.known_to(release(name)) {
                continue;
            }
            let mut question = cmd("COMMAND");
            question.arg("GETKEYS").arg(sample.split(' ').collect::<Vec<_>>());
            let mut keys: Vec<Vec<u8>> = question.query(&mut connection).unwrap();
            let mut ours: Vec<_> = spec.keys(command).map(<[u8]>::to_vec).collect();
            // Redis 6.2 names some destinations last.
            keys.sort();
            ours.sort();
            assert_eq!(ours, keys, "{name}: {sample}");
            compared += 1;
        }
    }
    assert!(compared > 85, "{compared}");
}
