//! The program on logs: `aof cat`, and `convert` between dumps and logs.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use redkeep::aof::write_command;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const BASE: &[u8] =
    b"REDIS0010\xfa\x08aof-base\xc0\x01\xfe\x02\x00\x05cart1\x01v\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";

/// Lines of words are commands, those with `#` annotations.
fn log(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        match line.strip_prefix('#') {
            Some(text) => redkeep::aof::write_annotation(text.as_bytes(), &mut out).unwrap(),
            None => write_command(&line.split(' ').collect::<Vec<_>>(), &mut out).unwrap(),
        }
    }
    out
}

/// A server's folder with a log of several files.
struct Data {
    folder: TempDir,
}

impl Data {
    fn new() -> Data {
        let first = ["#TS:100", "SELECT 2", "SET cart1 tea", "MULTI", "DEL k", "EXEC"];
        let second = ["DEL cart1", "#TS:200", "JSON.SET cart1 . 1", "FLUSHALL"];
        let data = Data { folder: tempfile::tempdir().unwrap() };
        data.put("appendonly.aof.1.base.rdb", BASE);
        data.put("appendonly.aof.1.incr.aof", &log(&first));
        data.put("appendonly.aof.2.incr.aof", &log(&second));
        data.put(
            "appendonly.aof.manifest",
            b"file appendonly.aof.1.base.rdb seq 1 type b\n\
              file appendonly.aof.1.incr.aof seq 1 type i\n\
              file appendonly.aof.2.incr.aof seq 2 type i\n",
        );
        data
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn logs(&self) -> PathBuf {
        self.path().join("appendonlydir")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.logs()).unwrap();
        fs::write(self.logs().join(name), bytes).unwrap();
    }

    fn cat(&self, arguments: &str) -> Output {
        run(&format!("aof cat {arguments}"), &[self.path()])
    }
}

fn run(arguments: &str, paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkeep"));
    command.args(arguments.split_whitespace()).args(paths).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The first two arguments of every command printed.
fn commands(output: &Output) -> Vec<String> {
    let words = |line: &Value| {
        let args = line["args"].as_array()?;
        let args: Vec<_> = args.iter().take(2).map(|arg| arg.as_str().unwrap()).collect();
        Some(args.join(" "))
    };
    lines(output).iter().filter_map(words).collect()
}

#[test]
fn cat_prints_every_record_of_every_file_in_order() {
    let data = Data::new();
    let output = data.cat("");
    assert_eq!((code(&output), stderr(&output)), (0, ""));
    let all = lines(&output);
    let rdb = json!({"header": "REDIS0010", "bytes": BASE.len(), "keys": 2});
    assert_eq!(all[0], json!({"file": "appendonly.aof.1.base.rdb", "rdb": rdb}));
    assert_eq!(
        all[1],
        json!({"file": "appendonly.aof.1.incr.aof", "offset": 0, "record": 0, "ts": 100,
               "tx": null, "annotation": "TS:100"})
    );
    assert_eq!(
        all[5],
        json!({"file": "appendonly.aof.1.incr.aof", "offset": 80, "record": 4, "db": 2,
               "ts": 100, "tx": "inside", "args": ["DEL", "k"]})
    );
    // A file begins in database 0, but in the second that the one before it ended in.
    assert_eq!(
        (&all[7]["db"], &all[7]["ts"], &all[7]["offset"]),
        (&0.into(), &100.into(), &0.into())
    );
    assert_eq!(all.len(), 1 + 6 + 4);
    for path in [data.logs(), data.logs().join("appendonly.aof.manifest")] {
        assert_eq!(run("aof cat", &[&path]).stdout, output.stdout);
    }
    let one = run("aof cat", &[&data.logs().join("appendonly.aof.2.incr.aof")]);
    assert_eq!(lines(&one).len(), 4);
}

#[test]
fn cat_prints_what_the_filters_keep() {
    let data = Data::new();
    let kept = |arguments: &str| commands(&data.cat(arguments));
    let by_key = data.cat("--key cart?");
    assert_eq!(commands(&by_key), ["SET cart1", "DEL cart1"]);
    assert!(stderr(&by_key).contains("1 record not printed"), "{}", stderr(&by_key));
    assert_eq!(code(&by_key), 0);
    assert_eq!(kept("--prefix cart --command del"), ["DEL cart1"]);
    assert_eq!(kept("--exact k --exact x"), ["DEL k"]);
    assert_eq!(kept("--db 2"), ["SELECT 2", "SET cart1", "MULTI", "DEL k", "EXEC"]);
    assert_eq!(kept("--command json.set --command flushall"), ["JSON.SET cart1", "FLUSHALL"]);
    assert_eq!(kept("--since 101"), ["JSON.SET cart1", "FLUSHALL"]);
    assert_eq!(kept("--until 1970-01-01T00:01:40Z --db 0"), ["DEL cart1"]);
    assert_eq!(kept("--offset 9..32"), ["SELECT 2"]);
    assert_eq!(kept("--offset 80..81"), ["DEL k"]);
    assert_eq!(kept("--offset ..1"), ["DEL cart1"]);
    for wrong in ["--since tomorrow", "--offset 5", "--offset a..b", "--db x"] {
        assert_eq!(code(&data.cat(wrong)), 2, "{wrong}");
    }
}

#[test]
fn cat_says_what_no_time_is_noted_of() {
    let data = Data::new();
    data.put("appendonly.aof.1.incr.aof", &log(&["SET a 1", "#TS:7"]));
    let output = data.cat("--since 7 --until 8");
    assert!(stderr(&output).contains("1 record not printed"), "{}", stderr(&output));
    assert_eq!(commands(&output), ["DEL cart1"]);
}

#[test]
fn cat_prints_commands_as_a_server_takes_them_in_their_databases() {
    let data = Data::new();
    let output = data.cat("--format resp --key cart?");
    let want = ["SELECT 2", "SET cart1 tea", "SELECT 0", "DEL cart1"];
    assert_eq!(output.stdout, log(&want));
    let all = data.cat("--format resp");
    let want = [
        "SELECT 2",
        "SET cart1 tea",
        "MULTI",
        "DEL k",
        "EXEC",
        "SELECT 0",
        "DEL cart1",
        "JSON.SET cart1 . 1",
        "FLUSHALL",
    ];
    assert_eq!(all.stdout, log(&want));
    assert_eq!(code(&data.cat("--format resp --keys")), 2);
}

#[test]
fn cat_prints_the_keys_of_a_base_where_they_are_asked_for() {
    let data = Data::new();
    let all = lines(&data.cat("--keys --prefix cart"));
    assert_eq!(
        all[0],
        json!({"db": 2, "key": "cart1", "type": "string", "encoding": "STRING",
               "expire_at_ms": null, "value": "v"})
    );
    assert_eq!(all[1]["args"], json!(["SET", "cart1", "tea"]));
    assert_eq!(all.len(), 3);
    assert_eq!(lines(&data.cat("--keys --db 1")).len(), 0);
}

#[test]
fn cat_reads_to_the_first_damage_and_says_where_it_is() {
    let data = Data::new();
    let whole = log(&["SET a 1", "MULTI", "DEL a"]);
    for (bytes, what) in [
        (&whole[..whole.len() - 1], "record 2 (DEL)"),
        (&whole[..], "inside a transaction"),
        (&[&whole[..27], b"\0\0\0"].concat()[..], "begins with neither * nor #"),
    ] {
        data.put("appendonly.aof.1.incr.aof", bytes);
        let output = data.cat("");
        assert_eq!(code(&output), 3);
        assert_eq!(commands(&output)[0], "SET a");
        assert!(!stdout(&output).contains("incr.2"));
        let said = stderr(&output);
        assert!(said.contains("appendonly.aof.1.incr.aof") && said.contains(what), "{said}");
        assert!(said.contains("sound up to byte 27"), "{said}");
    }
    data.put("appendonly.aof.1.base.rdb", &BASE[..BASE.len() - 12]);
    let output = data.cat("--keys");
    assert_eq!((code(&output), lines(&output).len()), (3, 1));
    fs::remove_file(data.logs().join("appendonly.aof.1.base.rdb")).unwrap();
    let output = data.cat("");
    assert_eq!((code(&output), stdout(&output)), (3, ""));
    assert!(stderr(&output).contains("base.rdb is not there"), "{}", stderr(&output));
    let output = run("aof cat", &[Path::new("/no/such/log")]);
    assert_eq!((code(&output), stdout(&output)), (1, ""));
    assert_eq!(code(&run("aof cat -", &[])), 2);
}

#[test]
fn cat_says_what_lies_where_a_log_was_looked_for() {
    let data = Data::new();
    fs::remove_file(data.logs().join("appendonly.aof.manifest")).unwrap();
    fs::write(data.path().join("dump.rdb"), BASE).unwrap();
    let output = data.cat("");
    assert_eq!((code(&output), stdout(&output)), (3, ""));
    let said = stderr(&output);
    assert!(said.contains("dump.rdb is not read"), "{said}");
    assert!(
        said.contains("no manifest: the server starts empty beside appendonly.aof.1"),
        "{said}"
    );
}

/// Runs `convert`, with `-o` last.
fn convert(source: &Path, arguments: &str, output: &Path) -> Output {
    run(&format!("convert {arguments}"), &[source, Path::new("-o"), output])
}

fn dump() -> Vec<u8> {
    let mut dump = BASE.to_vec();
    dump[20] = 0;
    assert!(dump.starts_with(b"REDIS0010\xfa\x08aof-base\xc0\x00"));
    dump
}

#[test]
fn convert_makes_a_log_of_a_dump_and_the_dump_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("dump.rdb"), dump()).unwrap();
    let output = convert(&at("dump.rdb"), "--as aof-dir", &at("appendonlydir"));
    assert_eq!((code(&output), stderr(&output)), (0, ""));
    assert_eq!(stdout(&output), "2 keys and 0 records written, 46 bytes\n");
    let base = at("appendonlydir").join("appendonly.aof.1.base.rdb");
    assert_eq!(fs::read(&base).unwrap(), BASE);
    assert!(at("appendonlydir").join("appendonly.aof.1.incr.aof").exists());
    assert_eq!(code(&convert(&at("appendonlydir"), "--as dump", &at("back.rdb"))), 0);
    assert_eq!(fs::read(at("back.rdb")).unwrap(), dump());

    let output = convert(&at("dump.rdb"), "--as aof-file --for redis-6.2 --json", &at("6.aof"));
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&report["keys"], &report["moved_to"]), (&2.into(), &Value::Null));
    let single = fs::read(at("6.aof")).unwrap();
    assert!(single.starts_with(b"REDIS0009\xfa\x0caof-preamble\xc0\x01"));
    // It says itself what it is, and stays that.
    assert_eq!(code(&convert(&at("6.aof"), "--for redis-6.2", &at("7.aof"))), 0);
    assert_eq!(fs::read(at("7.aof")).unwrap(), single);
    // A dump stays a dump.
    assert_eq!(code(&convert(&at("dump.rdb"), "--for redis-7.0", &at("same.rdb"))), 0);
    assert_eq!(fs::read(at("same.rdb")).unwrap(), dump());
}

#[test]
fn convert_makes_a_log_of_plain_commands() {
    let folder = tempfile::tempdir().unwrap();
    let (source, file) = (folder.path().join("dump.rdb"), folder.path().join("plain.aof"));
    fs::write(&source, dump()).unwrap();
    let wrong = convert(&source, "--base commands --for redis-7.0", &file);
    assert_eq!((code(&wrong), file.exists()), (2, false), "{}", stderr(&wrong));
    let done = convert(&source, "--as aof-file --base commands", &file);
    assert_eq!(code(&done), 0, "{}", stderr(&done));
    assert!(fs::read(&file).unwrap().starts_with(b"*2\r\n$6\r\nSELECT"));
    assert_eq!(code(&run("check", &[&file])), 0);
}

#[test]
fn convert_turns_a_folder_into_a_file_and_back() {
    let data = Data::new();
    let (file, folder) = (data.path().join("one.aof"), data.path().join("again"));
    let output = convert(&data.logs(), "--as aof-file", &file);
    assert_eq!(
        stdout(&output),
        format!("2 keys and 10 records written, {} bytes\n", {
            fs::metadata(&file).unwrap().len()
        })
    );
    assert_eq!(code(&convert(&file, "--as aof-dir --name my.aof", &folder)), 0);
    let records = |path: &Path, name: &str| {
        let output = run(&format!("aof cat --name {name} --format resp"), &[path]);
        output.stdout
    };
    assert_eq!(records(&folder, "my.aof"), records(&data.logs(), "appendonly.aof"));
    assert!(folder.join("my.aof.manifest").exists());
    let output = convert(&data.logs(), "--as dump", &data.path().join("x.rdb"));
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("would have to be replayed: the first is SET"));
    assert!(!data.path().join("x.rdb").exists());
    let output = convert(&data.logs(), "--for redis-8.0 --as aof-file", &file);
    assert_eq!((code(&output), fs::read(&file).unwrap().is_empty()), (1, false));
    let refused = convert(&data.logs(), "--for redis-8.0", &data.path().join("new"));
    assert!(stderr(&refused).contains("redis-8.0 does not know JSON.SET"), "{}", stderr(&refused));
}

#[test]
fn convert_keeps_what_is_there_or_moves_it_aside() {
    let data = Data::new();
    let (out, old) = (data.path().join("out"), data.path().join("out.old-1"));
    fs::create_dir(&out).unwrap();
    assert_eq!(code(&convert(&data.logs(), "--as aof-dir", &out)), 0);
    fs::write(out.join("precious"), b"x").unwrap();
    let output = convert(&data.logs(), "--as aof-dir", &out);
    assert_eq!((code(&output), old.exists()), (1, false));
    let output = convert(&data.logs(), "--as aof-dir --force", &out);
    assert!(stdout(&output).contains(&format!("is now {}", old.display())), "{output:?}");
    assert_eq!(fs::read(old.join("precious")).unwrap(), b"x");
    assert!(!out.join("precious").exists() && out.join("appendonly.aof.manifest").exists());
    assert_eq!(code(&convert(&data.logs(), "--as aof-dir --force", &data.logs())), 2);
    // Nothing is written where nothing is asked for, or where the source is damaged.
    let before = data.path().read_dir().unwrap().count();
    let dry = run("convert --as aof-file --dry-run", &[&data.logs()]);
    assert_eq!(code(&dry), 0, "{}", stderr(&dry));
    assert!(stdout(&dry).contains("would be written"), "{}", stdout(&dry));
    data.put("appendonly.aof.2.incr.aof", b"*1\r\n$4\r\nPI");
    let output = convert(&data.logs(), "--as aof-dir", &data.path().join("damaged"));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(data.path().read_dir().unwrap().count(), before);
    assert_eq!(code(&run("convert x -o y", &[])), 2);
    // What is empty or no log at all is what it is called.
    for (bytes, exit) in [(&b""[..], 0), (b"\0\0\0", 3)] {
        fs::write(data.path().join("x.aof"), bytes).unwrap();
        let output = convert(&data.path().join("x.aof"), "--as aof-dir --force", &out);
        assert_eq!(code(&output), exit, "{}", stderr(&output));
    }
}
