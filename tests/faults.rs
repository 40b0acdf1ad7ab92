//! What goes wrong while a file is written: one clear error, the old file as it was, and nothing
//! half beside it.

#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use redkeep::Limits;
use redkeep::task::{ExtractOptions, extract};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const REDKEEP: &str = env!("CARGO_BIN_EXE_redkeep");

/// A dump of 400 KiB, with its checksum.
fn big() -> Vec<u8> {
    let mut bytes = b"REDIS0009\xfe\x00".to_vec();
    for n in 0..4000 {
        bytes.extend_from_slice(format!("\0\x09key:{n:05}\x40\x5a").as_bytes());
        bytes.extend((0..90).map(|place| u8::try_from((n * 31 + place * 7) % 251).unwrap()));
    }
    bytes.push(0xff);
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// A folder with a dump and an output from before.
struct Place {
    folder: tempfile::TempDir,
    dump: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let dump = folder.path().join("dump.rdb");
        std::fs::write(&dump, big()).unwrap();
        Place { folder, dump }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn extract(&self, arguments: &[&str]) -> Output {
        Command::new(REDKEEP).arg("extract").arg(&self.dump).args(arguments).output().unwrap()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// One line of error, and the code for "failed".
fn failed(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stdout.is_empty());
    text
}

#[test]
fn a_limit_on_the_size_of_files_leaves_the_old_file_and_nothing_beside_it() {
    let place = Place::new();
    let out = place.path("out.rdb");
    std::fs::write(&out, b"old").unwrap();
    // 64 blocks of at most 1 KiB; without the signal writing fails as on a full disk.
    let limited = r#"trap "" XFSZ; ulimit -f 64; exec "$@""#;
    let output = Command::new("sh")
        .args(["-c", limited, "sh", REDKEEP, "extract"])
        .arg(&place.dump)
        .args(["--force", "--prefix", "key:", "-o"])
        .arg(&out)
        .output()
        .unwrap();
    let error = failed(&output);
    assert!(error.contains("File too large"), "{error}");
    assert_eq!(std::fs::read(&out).unwrap(), b"old");
    assert_eq!(names(place.folder.path()), ["dump.rdb", "out.rdb"]);
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs the right to mount a small file system: unshare -rm"]
fn a_full_disk_leaves_the_old_file_and_nothing_beside_it() {
    let place = Place::new();
    let disk = place.path("disk");
    std::fs::create_dir(&disk).unwrap();
    // The mount is gone with the shell, so the shell looks.
    let script = r#"
        mount -t tmpfs -o size=64k none "$1" || exit 99
        printf old >"$1/out.rdb"
        "$2" extract "$3" --force --prefix key: -o "$1/out.rdb"
        code=$?
        cat "$1/out.rdb"
        ls -A "$1"
        exit $code"#;
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .args([disk.as_path(), Path::new(REDKEEP), &place.dump])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("No space left"), "{error}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "oldout.rdb\n");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let place = Place::new();
    let locked = place.path("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    let out = locked.join("out.rdb");
    // Whoever may write everywhere is sent to a folder where nobody can.
    let nobody = std::fs::write(&out, b"").is_ok();
    let out = if nobody { PathBuf::from("/proc/out.rdb") } else { out };
    let error = failed(&place.extract(&["-o", out.to_str().unwrap()]));
    assert!(error.contains(out.to_str().unwrap()), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn an_output_that_is_the_source_is_refused_under_any_name() {
    let place = Place::new();
    let link = place.path("link.rdb");
    std::os::unix::fs::symlink(&place.dump, &link).unwrap();
    for out in [&place.dump, &link] {
        let output = place.extract(&["--force", "-o", out.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
    }
    assert!(std::fs::read(&place.dump).unwrap() == big());
    assert_eq!(names(place.folder.path()), ["dump.rdb", "link.rdb"]);
}

/// Gives the first half of one file and the second of another: a source that is replaced in place
/// while it is read.
struct Changing {
    halves: [Vec<u8>; 2],
    at: usize,
}

impl Read for Changing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let [first, second] = &self.halves;
        let half = first.len() / 2;
        let file = if self.at < half { &first[..half] } else { second };
        let rest = file.get(self.at..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

#[test]
fn a_source_that_changes_while_it_is_read_gives_no_dump() {
    let first = big();
    let mut second = first.clone();
    second[100] ^= 0x40;
    let body = second.len() - 8;
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&second[..body]);
    second[body..].copy_from_slice(&crc.to_le_bytes());
    for whole in [&first, &second] {
        extract(&whole[..], io::sink(), &ExtractOptions::default()).unwrap();
    }
    let source = Changing { halves: [first, second], at: 0 };
    let options = ExtractOptions::default().limits(Limits::default().window(4096));
    let error = extract(source, io::sink(), &options).unwrap_err();
    assert_eq!(error.kind(), redkeep::ErrorKind::Checksum);
}

#[test]
fn a_source_that_is_cut_while_it_is_read_gives_no_file() {
    let place = Place::new();
    let cut = big();
    std::fs::write(&place.dump, &cut[..cut.len() / 2]).unwrap();
    let out = place.path("out.rdb");
    let output = place.extract(&["-o", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(names(place.folder.path()), ["dump.rdb"]);
}
