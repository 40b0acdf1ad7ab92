//! Sealed parts against the programs that they are to be opened with when this one is gone.

use crate::seal_laws::{PUBLIC, SECRET, by_ranges, open, options, ours, seal, text};
use redkeep::Fault;
use redkeep::repo::seal::{
    Identities, OpenOptions, Opened, Passphrase, Recipients, SealOptions, Sealed, SealedReader,
};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

/// Runs a line of bash in a folder; what it wrote, or what it complained of.
fn bash(folder: &Path, line: &str) -> Result<Vec<u8>, String> {
    let run = Command::new("bash").args(["-c", line]).current_dir(folder).output().unwrap();
    match run.status.success() {
        true => Ok(run.stdout),
        false => Err(String::from_utf8_lossy(&run.stderr).into_owned()),
    }
}

/// Seals into files of a folder, beside the key.
fn sealed_in(folder: &Path, plain: &[u8], options: SealOptions) -> Sealed {
    let (map, sealed) = seal(plain, options);
    for (name, bytes) in map {
        fs::write(folder.join(name), bytes).unwrap();
    }
    fs::write(folder.join("key"), format!("{SECRET}\n")).unwrap();
    sealed
}

fn stream(bytes: &[u8], options: &OpenOptions) -> redkeep::Result<(Vec<u8>, Opened)> {
    let mut reader = SealedReader::stream(bytes, options)?;
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain)?;
    Ok((plain, reader.finish()?))
}

/// How to get at the data when everything else is gone.
const PROMISE: &str = "set -o pipefail; cat part.* | age -d -i key | zstd -d";

#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn the_programs_open_what_we_seal() {
    for len in [0, 1, 65_536 - 29, 3_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let plain = text(len);
        let small = |encrypted| options(encrypted).volume(50_000).threads(2);
        sealed_in(folder.path(), &plain, small(true));
        assert!(bash(folder.path(), PROMISE).unwrap() == plain);
        bash(folder.path(), "cat part.* | age -d -i key | zstd -t").unwrap();
        let folder = tempfile::tempdir().unwrap();
        sealed_in(folder.path(), &plain, small(false));
        assert!(bash(folder.path(), "cat part.* | zstd -d").unwrap() == plain);
    }
}

#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn the_programs_open_what_was_sealed_long_ago() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sealed");
    let line = "set -o pipefail; cat kept.zst.age.* | age -d -i identity | zstd -d";
    assert!(bash(&folder, line).unwrap() == fs::read(folder.join("kept.plain")).unwrap());
}

#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn zstd_lists_frames_and_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = sealed_in(folder.path(), &text(3_500_000), options(false));
    assert_eq!(sealed.part.frames, 4);
    let said = bash(folder.path(), "mv part.000000 part.zst; zstd -lv part.zst").unwrap();
    let said = String::from_utf8_lossy(&said);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["# Zstandard Frames: 4", "# Skippable Frames: 1", "Check: XXH64"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn a_volume_that_is_missing_or_cut_fails_the_promise_and_us() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = sealed_in(folder.path(), &text(3_000_000), options(true).volume(70_000));
    let last = format!("part.{:06}", sealed.part.volumes.len() - 1);
    bash(folder.path(), &format!("truncate -s -1 {last}")).unwrap();
    assert!(bash(folder.path(), PROMISE).is_err());
    bash(folder.path(), &format!("rm {last}")).unwrap();
    assert!(bash(folder.path(), PROMISE).is_err());
    let left = bash(folder.path(), "cat part.*").unwrap();
    assert_eq!(stream(&left, &ours()).unwrap_err().fault(), Some(Fault::SealAuth));
}

#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn we_open_what_the_programs_made() {
    let folder = tempfile::tempdir().unwrap();
    let plain = text(2_000_000);
    fs::write(folder.path().join("plain"), &plain).unwrap();
    let made = [
        ("zstd -c plain", false),
        ("zstd -c --no-check plain", false),
        ("zstd -c < plain", false), // without the size of its content
        ("zstd -c -19 --long=24 plain", false),
        ("(head -c 1000 plain | zstd; tail -c +1001 plain | zstd -1)", false),
    ];
    for (line, table) in made {
        let age = format!("set -o pipefail; {line} | age -r {PUBLIC}");
        for line in [line, &age] {
            let stored = bash(folder.path(), line).unwrap();
            let (got, opened) = stream(&stored, &ours()).unwrap();
            assert!(got == plain, "{line}");
            assert_eq!(opened.seek_table, table);
        }
    }
    let long = bash(folder.path(), "cat plain plain | zstd -c --long=27").unwrap();
    let fault = stream(&long, &ours().window_log(20)).err().and_then(|error| error.fault());
    assert_eq!(fault, Some(Fault::SealWindow));
    let words = bash(folder.path(), &format!("zstd -c plain | age -a -r {PUBLIC}")).unwrap();
    assert_eq!(stream(&words, &ours()).unwrap_err().fault(), Some(Fault::SealForm));
}

#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn keys_of_age_keygen_open_and_lock() {
    let folder = tempfile::tempdir().unwrap();
    bash(folder.path(), "age-keygen -o key 2>/dev/null; age-keygen -y key > public").unwrap();
    let public = fs::read_to_string(folder.path().join("public")).unwrap();
    let keys = Recipients::parse(&format!("# two\n{public}\n{PUBLIC}\n")).unwrap();
    let (map, sealed) = seal(&text(1000), SealOptions::new("part").recipients(keys));
    let key = fs::File::open(folder.path().join("key")).unwrap();
    let theirs = OpenOptions::default().identities(Identities::read(key, || None).unwrap());
    for options in [theirs, ours()] {
        assert!(open(&map, &sealed.part, &options).unwrap() == text(1000));
        assert!(by_ranges(&map, &sealed.part, &options).unwrap() == text(1000));
    }
}

/// `age -p` asks a terminal; `script` is one.
#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn a_key_that_age_locked_with_a_passphrase_opens() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), format!("{SECRET}\n")).unwrap();
    for how in ["-p", "-p -a"] {
        let line = format!(
            "(sleep 1; echo open sesame; sleep 1; echo open sesame; sleep 3) \
             | script -qec 'age {how} -o locked key' /dev/null; test -s locked"
        );
        bash(folder.path(), &line).unwrap();
        let file = fs::read(folder.path().join("locked")).unwrap();
        let read =
            |text: &str| Identities::read(&file[..], || Some(Passphrase::from(text.to_owned())));
        assert_eq!(read("open sesame").unwrap().len(), 1);
        fs::remove_file(folder.path().join("locked")).unwrap();
    }
}

#[cfg(feature = "repo-ssh")]
#[test]
#[ignore = "needs the programs zstd and age, which tests/run gets"]
fn keys_of_ssh_open_and_lock() {
    for (kind, passphrase) in [("ed25519", ""), ("ed25519", "sesame"), ("rsa -b 2048", "")] {
        let folder = tempfile::tempdir().unwrap();
        bash(folder.path(), &format!("ssh-keygen -q -t {kind} -N '{passphrase}' -f id")).unwrap();
        let keys = fs::read_to_string(folder.path().join("id.pub")).unwrap();
        let keys = Recipients::parse(&keys).unwrap();
        let (map, sealed) = seal(&text(5000), SealOptions::new("part").recipients(keys));
        let file = fs::read(folder.path().join("id")).unwrap();
        let identities =
            Identities::read(&file[..], || Some(passphrase.to_owned().into())).unwrap();
        let options = OpenOptions::default().identities(identities);
        assert!(open(&map, &sealed.part, &options).unwrap() == text(5000));
        assert!(by_ranges(&map, &sealed.part, &options).unwrap() == text(5000));
        if passphrase.is_empty() {
            fs::write(folder.path().join("part.000000"), &map["part.000000"]).unwrap();
            let got = bash(folder.path(), "set -o pipefail; cat part.* | age -d -i id | zstd -d");
            assert!(got.unwrap() == text(5000));
        } else {
            assert!(Identities::read(&file[..], || Some("wrong".to_owned().into())).is_err());
            assert!(Identities::read(&file[..], || None).is_err());
        }
    }
}
