//! Folders behind OpenSSH's own server.

use crate::component::{Running, cutting, folder, free_port, until};
use crate::runtime::runtime;
use crate::{conforms, name};
use redkeep::repo::store::{
    ConformanceOptions, IfExists, RemoteOptions, SftpOptions, SftpStore, Store,
};
use redkeep::{ErrorKind, Fault};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Sshd {
    _running: Running,
    port: u16,
    files: TempDir,
    user: String,
}

impl Sshd {
    /// Starts it with keys of its own, for the user that runs this.
    fn start(sftp: &str) -> Sshd {
        let files = TempDir::new().unwrap();
        let path = |name: &str| files.path().join(name);
        for key in ["host", "other", "user", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
                .arg(path(key))
                .status();
            assert!(made.unwrap().success());
        }
        fs::copy(path("user.pub"), path("authorized")).unwrap();
        fs::create_dir(path("data")).unwrap();
        let port = free_port();
        for (key, known) in [("host", "known"), ("other", "changed")] {
            let public = fs::read_to_string(path(key).with_extension("pub")).unwrap();
            fs::write(path(known), format!("[127.0.0.1]:{port} {public}")).unwrap();
        }
        let here = files.path().display();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\n\
             AuthorizedKeysFile {here}/authorized\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nMaxStartups 100\nSubsystem sftp internal-sftp {sftp}\n"
        );
        fs::write(path("config"), text).unwrap();
        let config = path("config").display().to_string();
        let program = folder("sshd").join("server");
        let _running = Running::start(&program, &["-D", "-f", &config]);
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        until("sshd", || {
            let mut first = [0; 4];
            let stream = TcpStream::connect(("127.0.0.1", port));
            stream
                .is_ok_and(|mut stream| stream.read_exact(&mut first).is_ok() && first == *b"SSH-")
        });
        Sshd { _running, port, files, user }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn options(&self) -> SftpOptions {
        let root = self.path("data").display().to_string();
        SftpOptions::new("127.0.0.1", root)
            .port(self.port)
            .user(&self.user)
            .key_file(self.path("user"))
            .known_hosts(self.path("known"))
            .config("none")
    }

    fn store(&self, runtime: &Runtime) -> SftpStore {
        SftpStore::new(self.options(), runtime.handle().clone(), &RemoteOptions::default())
    }

    /// All that is there, with what no store lists.
    fn everything(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                }
                found.push(path);
            }
        }
        let mut found = Vec::new();
        walk(&self.path("data"), &mut found);
        found
    }
}

#[test]
#[ignore = "needs sshd, which tests/run gets"]
fn a_folder_behind_ssh_keeps_every_promise() {
    let (sshd, runtime) = (Sshd::start(""), runtime());
    let store = sshd.store(&runtime);
    conforms(&store, &ConformanceOptions::default());
    assert!(sshd.everything().is_empty());
    // In parts that end where requests do, and where they do not.
    for part in [1, 100_000, 32 << 10, 1 << 20] {
        let remote = RemoteOptions::default().part(part);
        let store = SftpStore::new(sshd.options(), runtime.handle().clone(), &remote);
        let bytes: Vec<u8> = (0..150_u32).flat_map(u32::to_be_bytes).cycle().take(700).collect();
        let bytes = if part > 1 { bytes.repeat(1000) } else { bytes };
        let object = name(&format!("parts/{part}"));
        store.put(&object, &bytes, IfExists::Refuse).unwrap();
        assert!(fs::read(sshd.path("data").join(object.as_str())).unwrap() == bytes);
        assert!(store.get(&object, 1 << 20).unwrap() == bytes);
        assert_eq!(store.range(&object, 5..9).unwrap(), bytes[5..9]);
    }
}

#[test]
#[ignore = "needs sshd, which tests/run gets"]
fn what_is_not_an_object_is_left_alone() {
    let (sshd, runtime) = (Sshd::start(""), runtime());
    let store = sshd.store(&runtime);
    let data = sshd.path("data");
    fs::write(data.join(".redkeep-0123"), "of a writer that was killed").unwrap();
    fs::write(data.join("no object"), "1").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", data.join("link")).unwrap();
    assert_eq!(store.list(None).unwrap(), []);
    assert_eq!(store.stat(&name("link")).unwrap(), None);
    store.put(&name("a/b"), b"1", IfExists::Refuse).unwrap();
    for taken in ["a", "a/b/c", "link"] {
        for if_exists in [IfExists::Refuse, IfExists::Replace] {
            let error = store.put(&name(taken), b"2", if_exists).unwrap_err();
            assert_eq!(error.fault(), Some(Fault::ObjectFolder), "{taken}: {error}");
        }
    }
    assert_eq!(store.get(&name("a"), 10).unwrap_err().fault(), Some(Fault::ObjectMissing));
    store.delete(&name("a")).unwrap();
    store.delete(&name("link")).unwrap();
    assert_eq!(store.get(&name("a/b"), 10).unwrap(), b"1");
    store.delete(&name("a/b")).unwrap();
    assert!(!data.join("a").exists());
    assert_eq!(sshd.everything().len(), 3);
    // A root that is not there is not empty, and is not made: it might be a disk that is not mounted.
    let mut absent = sshd.options();
    absent.root.push_str("/absent");
    let absent = SftpStore::new(absent, runtime.handle().clone(), &RemoteOptions::default());
    assert!(absent.list(None).is_err());
    for object in ["a", "a/b"] {
        let error = absent.put(&name(object), b"1", IfExists::Refuse).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::ObjectMissing), "{error}");
    }
    assert!(!data.join("absent").exists());
}

#[test]
#[ignore = "needs sshd, which tests/run gets"]
fn who_cannot_be_trusted_gets_nothing() {
    let (sshd, runtime) = (Sshd::start(""), runtime());
    let fails = |options: SftpOptions| {
        let remote = RemoteOptions::default().retries(1).pause(Duration::from_millis(1));
        let store = SftpStore::new(options, runtime.handle().clone(), &remote);
        store.put(&name("a"), b"1", IfExists::Refuse).unwrap_err()
    };
    let nobody = sshd.path("nobody-is-known");
    fs::write(&nobody, "").unwrap();
    for options in [
        sshd.options().known_hosts(sshd.path("changed")),
        sshd.options().known_hosts(nobody),
        sshd.options().key_file(sshd.path("stranger")),
        sshd.options().user("nobody-of-that-name"),
    ] {
        let error = fails(options);
        assert_eq!(error.fault(), Some(Fault::StoreDenied), "{error}");
    }
    let error = fails(sshd.options().port(free_port()));
    assert!(error.is_retryable() && error.to_string().contains("refused"), "{error}");
    let error = fails(sshd.options().program("/no/such/ssh"));
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("/no/such/ssh"), "{error}");
    assert!(sshd.everything().is_empty());
}

#[test]
#[ignore = "needs sshd, which tests/run gets"]
fn connections_that_are_cut_lose_nothing() {
    let (sshd, runtime) = (Sshd::start(""), runtime());
    let (port, cuts) = cutting(sshd.port, 5_300_000);
    let known = fs::read_to_string(sshd.path("known")).unwrap();
    let through = known.replace(&format!(":{} ", sshd.port), &format!(":{port} "));
    fs::write(sshd.path("through"), through).unwrap();
    let options = sshd.options().port(port).known_hosts(sshd.path("through"));
    let remote = RemoteOptions::default().part(1 << 20).pause(Duration::from_millis(1));
    let store = SftpStore::new(options, runtime.handle().clone(), &remote);
    let bytes: Vec<u8> =
        (0..21u32 << 20).map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect();
    let mut writer = store.writer(&name("big"), IfExists::Refuse).unwrap();
    bytes.chunks(300_007).for_each(|piece| writer.write_all(piece).unwrap());
    writer.commit().unwrap();
    assert!(store.get(&name("big"), 1 << 30).unwrap() == bytes);
    assert!(cuts.load(Ordering::Relaxed) >= 3, "{cuts:?}");
    assert_eq!(sshd.everything(), [sshd.path("data").join("big")]);
}

/// A server that cannot rename over a file, as most but OpenSSH.
#[test]
#[ignore = "needs sshd, which tests/run gets"]
fn what_a_server_cannot_do_is_said() {
    let (sshd, runtime) = (Sshd::start("-P posix-rename,fsync"), runtime());
    let store = sshd.store(&runtime);
    store.put(&name("a"), b"1", IfExists::Refuse).unwrap();
    let error = store.put(&name("a"), b"2", IfExists::Replace).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::StoreFailed), "{error}");
    assert_eq!(store.get(&name("a"), 10).unwrap(), b"1");
    store.put(&name("b"), b"2", IfExists::Replace).unwrap();
    assert_eq!(sshd.everything().len(), 2);
}

#[test]
#[ignore = "needs sshd, which tests/run gets"]
fn a_server_that_is_silent_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (sshd, runtime) = (Sshd::start(""), runtime());
    let options = sshd.options().port(listener.local_addr().unwrap().port());
    let remote = RemoteOptions::default().timeout(Duration::from_millis(300)).retries(1);
    let store = SftpStore::new(options, runtime.handle().clone(), &remote);
    let begun = Instant::now();
    let error = store.stat(&name("a")).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[cfg(feature = "live")]
#[test]
#[ignore = "needs sshd and a real server, which tests/run gets"]
fn backups_come_back() {
    let (sshd, runtime) = (Sshd::start(""), runtime());
    crate::backups::come_back(sshd.store(&runtime));
}
