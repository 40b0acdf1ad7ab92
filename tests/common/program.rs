//! The program, run as a user would, on files made for the purpose.

#![allow(dead_code)] // not every user needs all of it
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A key of type string; names and values up to 63 bytes.
pub(crate) fn string(key: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(key), text(value)].concat()
}

/// A dump with its checksum.
pub(crate) fn dump(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = [b"REDIS0009\xfe\x00".to_vec(), records.concat(), vec![0xff]].concat();
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

pub(crate) fn two_keys() -> Vec<u8> {
    dump(&[string("one", "1st"), string("two", "2nd")])
}

/// A folder with one dump in it.
pub(crate) struct Dump {
    _folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Dump {
    pub(crate) fn of(bytes: &[u8]) -> Dump {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        std::fs::write(&path, bytes).unwrap();
        Dump { _folder: folder, path }
    }

    /// Runs the program on it; `arguments` up to the path.
    pub(crate) fn run(&self, arguments: &str) -> Output {
        redkeep(arguments).arg(&self.path).output().unwrap()
    }
}

pub(crate) fn redkeep(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkeep"));
    command.args(arguments.split_whitespace());
    command
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Runs the program with something on its standard input.
pub(crate) fn fed(arguments: &str, input: &[u8]) -> Output {
    let mut child = piped(arguments);
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn piped(arguments: &str) -> Child {
    redkeep(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Names in the folder of a dump.
pub(crate) fn beside(dump: &Dump) -> Vec<String> {
    let entries = dump.path.parent().unwrap().read_dir().unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn extract(dump: &Dump, arguments: &str) -> Output {
    let part = dump.path.with_file_name("part.rdb");
    redkeep("extract")
        .arg(&dump.path)
        .arg("-o")
        .arg(part)
        .args(arguments.split(' '))
        .output()
        .unwrap()
}
