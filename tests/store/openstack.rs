//! OpenStack's own Swift, with one copy of everything on one disk.

use crate::component::{Running, ask, folder, free_port, until};
use crate::runtime::runtime;
use crate::{conforms, name};
use redkeep::Fault;
use redkeep::repo::store::{
    Bucket, ConformanceOptions, IfExists, OpendalStore, RemoteOptions, Store, SwiftOptions,
};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

struct OpenStack {
    _running: Vec<Running>,
    _files: TempDir,
    port: u16,
    token: String,
}

/// The pipeline of the front, each filter with what it is told.
const FILTERS: [(&str, &str); 8] = [
    ("catch_errors", "catch_errors"),
    ("gatekeeper", "gatekeeper"),
    ("cache", "memcache"),
    ("listing_formats", "listing_formats"),
    ("bulk", "bulk"),
    ("tempauth", "tempauth"),
    ("slo", "slo"),
    ("dlo", "dlo"),
];

impl OpenStack {
    /// Starts it with an empty container of this name.
    fn start(container: &str) -> OpenStack {
        let files = TempDir::new().unwrap();
        let here = files.path().display().to_string();
        let program = folder("swift").join("server");
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        fs::create_dir_all(files.path().join("disks/one")).unwrap();
        let hash = "[swift-hash]\nswift_hash_path_suffix = for-tests\n";
        fs::write(files.path().join("swift.conf"), hash).unwrap();
        let (port, cache) = (free_port(), free_port());
        let cached = folder("swift").join("memcached");
        let number = cache.to_string();
        let quiet = ["-l", "127.0.0.1", "-p", &number, "-m", "16", "-u", &user];
        let mut running = vec![Running::start(&cached, &quiet)];
        let common = |port: u16| {
            format!(
                "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = {user}\n\
                 swift_dir = {here}\ndevices = {here}/disks\nmount_check = false\n\
                 disable_fallocate = true\nlog_address = {here}/no-log\n"
            )
        };
        for part in ["account", "container", "object"] {
            let port = free_port();
            let builder = format!("{here}/{part}.builder");
            let device = format!("r1z1-127.0.0.1:{port}/one");
            for step in [&["create", "2", "1", "1"][..], &["add", &device, "1"], &["rebalance"]] {
                let made = Command::new(&program)
                    .args(["swift-ring-builder", &builder])
                    .args(step)
                    .stdout(Stdio::null())
                    .status();
                let made = made.unwrap_or_else(|error| {
                    panic!("{}: {error}; tests/run gets it", program.display())
                });
                assert!(made.success(), "{part}: {step:?}");
            }
            let app = format!("{part}-server");
            let only = format!("[pipeline:main]\npipeline = {app}\n[app:{app}]\n");
            let only = only + &format!("use = egg:swift#{part}\n");
            let config = format!("{here}/{part}.conf");
            fs::write(&config, common(port) + &only).unwrap();
            running.push(Running::start(&program, &[&format!("swift-{part}-server"), &config]));
        }
        let names: Vec<_> = FILTERS.iter().map(|(name, _)| *name).collect();
        let mut front = common(port);
        front += &format!("[pipeline:main]\npipeline = {} proxy-server\n", names.join(" "));
        front += "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n";
        for (filter, egg) in FILTERS {
            front += &format!("[filter:{filter}]\nuse = egg:swift#{egg}\n");
            front += &match filter {
                "cache" => format!("memcache_servers = 127.0.0.1:{cache}\n"),
                "tempauth" => "user_test_tester = testing .admin\n".to_owned(),
                _ => String::new(),
            };
        }
        let config = format!("{here}/proxy.conf");
        fs::write(&config, front).unwrap();
        running.push(Running::start(&program, &["swift-proxy-server", &config]));
        let mut token = String::new();
        until("Swift", || {
            let who = ["X-Storage-User: test:tester", "X-Storage-Pass: testing"];
            let Some((head, _)) = ask(port, "GET /auth/v1.0", &who) else { return false };
            let mut lines = head.lines();
            let given = lines.find_map(|line| line.strip_prefix("X-Auth-Token: "));
            token = given.unwrap_or_default().to_owned();
            !token.is_empty()
        });
        let stack = OpenStack { _running: running, _files: files, port, token };
        until("the container", || {
            let made = stack.ask("PUT", container);
            made.is_some_and(|(head, _)| head.contains(" 201 ") || head.contains(" 202 "))
        });
        stack
    }

    fn ask(&self, method: &str, path: &str) -> Option<(String, String)> {
        let token = format!("X-Auth-Token: {}", self.token);
        ask(self.port, &format!("{method} /v1/AUTH_test/{path}"), &[&token])
    }

    fn container(&self, container: &str) -> SwiftOptions {
        let url = format!("http://127.0.0.1:{}/v1/AUTH_test", self.port);
        SwiftOptions::new(container).storage_url(url).token(&self.token)
    }
}

#[test]
#[ignore = "needs Swift, which tests/run gets"]
fn a_container_keeps_every_promise_but_of_one_winner() {
    let (stack, runtime) = (OpenStack::start("backups"), runtime());
    let store = |options: SwiftOptions| {
        let bucket = Bucket::swift(&options).unwrap();
        OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default())
    };
    let below = store(stack.container("backups").root(name("redis/prod")));
    conforms(&below, &ConformanceOptions::default().exclusive(false).big(20 << 20));
    assert_eq!(below.largest_object(), Some(64 << 20));
    below.put(&name("a/b"), b"1", IfExists::Refuse).unwrap();
    let whole = store(stack.container("backups"));
    let listed = whole.list(None).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, name("redis/prod/a/b"));
    whole.delete(&listed[0].name).unwrap();
    // Nothing stays that no store lists, as segments would.
    let (head, left) = stack.ask("GET", "backups").unwrap();
    assert!(head.contains(" 204 ") && left.is_empty(), "{head}\n{left}");
}

#[test]
#[ignore = "needs Swift, which tests/run gets"]
fn a_big_object_is_one_and_leaves_nothing() {
    let (stack, runtime) = (OpenStack::start("backups"), runtime());
    let bucket = Bucket::swift(&stack.container("backups")).unwrap();
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default());
    let bytes: Vec<u8> =
        (0..64u32 << 20).map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect();
    let mut writer = store.writer(&name("big"), IfExists::Refuse).unwrap();
    bytes.chunks(1 << 20).for_each(|piece| writer.write_all(piece).unwrap());
    let error = redkeep::Error::from(writer.write_all(b"x").unwrap_err());
    assert_eq!(error.fault(), Some(Fault::ObjectBig));
    writer.commit().unwrap();
    assert!(store.get(&name("big"), 1 << 30).unwrap() == bytes);
    assert_eq!(stack.ask("GET", "backups").unwrap().1, "big\n");
    store.delete(&name("big")).unwrap();
    assert_eq!(stack.ask("GET", "backups").unwrap().1, "");
}

#[test]
#[ignore = "needs Swift, which tests/run gets"]
fn a_token_that_is_none_and_a_container_that_is_not_there_are_errors() {
    let (stack, runtime) = (OpenStack::start("backups"), runtime());
    let store = |options: SwiftOptions| {
        let bucket = Bucket::swift(&options).unwrap();
        OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default())
    };
    let denied = store(stack.container("backups").token("AUTH_tk_very_secret"));
    for error in [
        denied.list(None).unwrap_err(),
        denied.put(&name("a"), b"1", IfExists::Replace).unwrap_err(),
        denied.stat(&name("a")).unwrap_err(),
    ] {
        assert_eq!(error.fault(), Some(Fault::StoreDenied), "{error}");
        assert!(!format!("{error} {error:?} {denied:?}").contains("very_secret"), "{error:?}");
    }
    let absent = store(stack.container("other"));
    assert!(absent.list(None).is_err());
    assert!(absent.put(&name("a"), b"1", IfExists::Refuse).is_err());
    // The good token goes on.
    let good = store(stack.container("backups"));
    good.put(&name("a"), b"1", IfExists::Refuse).unwrap();
}

#[cfg(feature = "live")]
#[test]
#[ignore = "needs Swift and a real server, which tests/run gets"]
fn backups_come_back() {
    let (stack, runtime) = (OpenStack::start("backups"), runtime());
    let bucket = Bucket::swift(&stack.container("backups").root(name("redis/prod"))).unwrap();
    let options = RemoteOptions::default();
    crate::backups::come_back(OpendalStore::new(bucket, runtime.handle().clone(), &options));
}
