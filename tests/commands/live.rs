//! What real servers make of the commands.

use super::*;
use crate::differing::differing;
use crate::servers::{ALL, Server};
use redis::{Connection, Value, cmd};
use redkeep::digest::{ContentOptions, content_digest};
use redkeep::export::CommandForm;
use std::time::{Duration, Instant};

/// Sends commands as they are; the errors that came back.
fn pipe(bytes: &[u8], connection: &mut Connection) -> Vec<String> {
    let mut errors = Vec::new();
    // In parts, so that neither side waits for the other to read.
    for part in parse(bytes).chunks(100) {
        let mut packed = Vec::new();
        for command in part {
            packed.extend(format!("*{}\r\n", command.len()).bytes());
            for word in command {
                packed.extend(format!("${}\r\n", word.len()).bytes());
                packed.extend([&word[..], b"\r\n"].concat());
            }
        }
        connection.send_packed_command(&packed).unwrap();
        for command in part {
            match connection.recv_response() {
                Ok(Value::ServerError(error)) => {
                    errors.push(format!("{}: {error:?}", line(command)))
                }
                Err(error) => errors.push(format!("{}: {error}", line(command))),
                Ok(_) => {}
            }
        }
    }
    errors
}

fn debug_digest(connection: &mut Connection) -> String {
    cmd("DEBUG").arg("DIGEST").query(connection).unwrap()
}

/// What a server says of all its streams, but for what depends on when and how it got them.
fn streams(connection: &mut Connection, without: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for db in 0..16 {
        cmd("SELECT").arg(db).exec(connection).unwrap();
        let mut keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query(connection).unwrap();
        keys.sort();
        for key in keys {
            let kind: String = cmd("TYPE").arg(&key).query(connection).unwrap();
            if kind == "stream" {
                let mut info = cmd("XINFO");
                info.arg("STREAM").arg(&key).arg("FULL").arg("COUNT").arg(0);
                // What a server since 7.0 has for the first entry of none depends on its source.
                let none = "recorded-first-entry-id 18446744073709551615-18446744073709551615";
                let text = shown(&info.query(connection).unwrap(), without)
                    .replace(none, "recorded-first-entry-id 0-0");
                found.push(format!("{db} {}: {text}", key.escape_ascii()));
            }
        }
    }
    found
}

fn shown(value: &Value, without: &[&str]) -> String {
    match value {
        Value::Array(values) => {
            let (mut text, mut left_out) = (String::from("["), false);
            for value in values {
                let one = shown(value, without);
                text += if left_out { "..." } else { &one };
                text += " ";
                left_out = without.contains(&&*one);
            }
            text + "]"
        }
        Value::BulkString(bytes) => bytes.escape_ascii().to_string(),
        other => format!("{other:?}"),
    }
}

/// What was compared, and what could not be.
#[derive(Debug, Default)]
struct Done {
    restored: usize,
    plain: usize,
    log: usize,
    refused: usize,
    with_losses: usize,
}

/// One server has loaded a dump, another gets its commands: both have the same then.
fn same_after(
    name: &str,
    dump: &[u8],
    from: &mut Server,
    to: &Server,
    options: &CommandsOptions,
    done: &mut Done,
) -> Result<(), String> {
    let options = options.clone().on_loss(OnLoss::Drop).functions(true);
    let (out, outcome) = export(dump, &options).map_err(|error| error.to_string())?;
    let mut source = from.connect().unwrap();
    let mut target = to.connect().unwrap();
    cmd("FLUSHALL").exec(&mut target).unwrap();
    if name != "redis-6.2" {
        cmd("FUNCTION").arg("FLUSH").exec(&mut target).unwrap();
    }
    let errors = pipe(&out, &mut target);
    if !errors.is_empty() {
        return Err(format!("{} errors: {:?}", errors.len(), &errors[..errors.len().min(3)]));
    }
    // Fields of hashes that have expired go one by one.
    let deadline = Instant::now() + Duration::from_secs(3);
    while debug_digest(&mut source) != debug_digest(&mut target) {
        let differ = differing(&mut [&mut source, &mut target]);
        if differ.is_empty() {
            break;
        }
        if Instant::now() > deadline {
            return Err(format!("{differ:?} differ, losses {:?}", outcome.losses.to_string()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let plain = options.form == CommandForm::Plain;
    let mut without = vec!["radix-tree-keys", "radix-tree-nodes", "entries"];
    if plain {
        without.extend(["seen-time", "active-time", "inactive", "idle"]);
    }
    if outcome.losses.get(Loss::StreamPending).count > 0 {
        without.extend(["pel", "pending", "pel-count"]);
        done.with_losses += 1;
    }
    let [first, second] = [&mut source, &mut target].map(|server| streams(server, &without));
    if let Some((a, b)) = first.iter().zip(&second).find(|(a, b)| a != b) {
        return Err(format!("streams differ:\n{a}\n{b}"));
    }
    // Times of expiry, functions and all else that the server's digest leaves out.
    let content = ContentOptions::default().stream_state(!plain);
    let [a, b] = [from.save(), to.save()].map(|dump| content_digest(&dump[..], content).unwrap());
    // A server of 7.0 still takes the functions of its release candidates.
    if a != b && outcome.losses.get(Loss::Function).count == 0 {
        return Err("the same digest by the server, another of the content".to_owned());
    }
    *if plain { &mut done.plain } else { &mut done.restored } += 1;
    Ok(())
}

fn compare_all(folder: &Path) -> [Done; 4] {
    let mut paths = Vec::new();
    dumps_in(folder, &mut paths);
    std::thread::scope(|scope| {
        ALL.map(|name| scope.spawn(|| compare(name, &paths)))
            .map(|compared| compared.join().unwrap())
    })
}

/// What one server makes of dumps and of their commands.
fn compare(name: &str, paths: &[PathBuf]) -> Done {
    let (mut done, mut wrong) = (Done::default(), Vec::new());
    let target = Server::start(name, None).unwrap();
    for path in paths {
        let dump = fs::read(path).unwrap();
        let Some(mut source) = Server::start(name, Some(&dump)) else {
            done.refused += 1;
            continue;
        };
        for options in [restore(name), plain(name), plain(name).batch(1000).replace(true)] {
            let got = same_after(name, &dump, &mut source, &target, &options, &mut done);
            if let Err(what) = got {
                wrong.push(format!("{name}, {:?}, {}: {what}", options.form, path.display()));
            }
        }
        // The same commands as a log.
        let log = plain(name).on_loss(OnLoss::Drop).functions(true);
        let log = export(&dump, &log).unwrap().0;
        let loaded = Server::start_log(name, &log).expect("it loads the log");
        let [mut a, mut b] = [&source, &loaded].map(|server| server.connect().unwrap());
        if debug_digest(&mut a) != debug_digest(&mut b) {
            let differ = differing(&mut [&mut a, &mut b]);
            if !differ.is_empty() {
                wrong.push(format!("{name}, as a log, {}: {differ:?}", path.display()));
            }
        }
        done.log += 1;
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(done.restored > 0 && done.plain > 0, "{done:?}");
    done
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn servers_have_the_same_from_commands_as_from_the_dump() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    println!("{:?}", compare_all(data));
}

#[test]
#[ignore = "needs REDKEEP_CORPUS, the folder of the wide corpus, and real servers"]
fn servers_have_the_same_from_commands_as_from_each_dump_of_the_wide_corpus() {
    match std::env::var_os("REDKEEP_CORPUS") {
        Some(folder) => println!("{:?}", compare_all(Path::new(&folder))),
        None => println!("nothing compared: REDKEEP_CORPUS names no folder"),
    }
}
