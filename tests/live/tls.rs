//! Servers behind TLS, of those that are built with it.

use crate::clock::System;
use crate::cluster::{bus_port, wait};
use crate::keys;
use crate::servers::{Server, any_port};
use redkeep::Fault;
use redkeep::live::cluster::{ClusterNodes, Shard};
use redkeep::live::replication::{self, ReplicationOptions, Wire, snapshot_into};
use redkeep::live::restore::{RestoreOptions, RestoreSink};
use redkeep::live::{ConnectOptions, Connection, ProbeOptions, probe};
use redkeep::rdb::check::CheckOptions;
use redkeep::task::{RestoreChoice, SnapshotOptions, copy};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Those that are built with TLS.
const NAMES: [&str; 2] = ["redis-7.0", "redis-8.0"];

/// An authority, and a certificate that it signed for `localhost`.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let done = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(done.expect("openssl makes the certificates").success(), "{arguments}");
    };
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
    );
    std::fs::write(folder.join("san"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout own.key -out own.csr");
    openssl(
        "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out own.pem",
    );
}

/// A server that wants certificates from both sides, and its port for that.
fn secured(name: &str, folder: &Path) -> (Server, u16) {
    let (port, file) = (any_port(), |name: &str| folder.join(name).display().to_string());
    let (port_word, ca, own, key) =
        (port.to_string(), file("ca.pem"), file("own.pem"), file("own.key"));
    let settings = [
        ("--tls-port", port_word.as_str()),
        ("--tls-ca-cert-file", &ca),
        ("--tls-cert-file", &own),
        ("--tls-key-file", &key),
        ("--tls-auth-clients", "yes"),
        ("--repl-diskless-sync-delay", "0"),
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|(name, value)| [*name, *value]).collect();
    (Server::start_in(name, tempfile::tempdir().unwrap(), &settings).unwrap(), port)
}

/// The options that such a server wants.
fn trusted(folder: &Path, port: u16) -> ConnectOptions {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    ConnectOptions::new(format!("rediss://localhost:{port}"))
        .authorities(read("ca.pem"))
        .identity(read("own.pem"), read("own.key"))
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn only_certificates_of_the_given_authority_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    for name in NAMES {
        let (_server, port) = secured(name, folder.path());
        let options = || ConnectOptions::new(format!("rediss://localhost:{port}"));
        // The certificates are looked at with the first words that are exchanged.
        let open = |options: ConnectOptions| -> redkeep::Result<()> {
            probe(&mut Connection::open(options)?, &ProbeOptions::default()).map(drop)
        };
        let dial = |options: ConnectOptions| replication::dial(&options).map(drop);
        for way in [open, dial] {
            way(trusted(folder.path(), port)).unwrap();
            let identity = || options().identity(read("own.pem"), read("own.key"));
            let error = way(identity()).unwrap_err();
            assert!(error.is_io(), "{name}: {error:?}");
            way(identity().danger_accept_any_certificate(true)).unwrap();
            // The certificate is good, but for another host.
            let error = way(trusted(folder.path(), port).at("127.0.0.1", port)).unwrap_err();
            assert!(error.is_io(), "{name}: {error:?}");
            let error = way(options().authorities("no certificate")).unwrap_err();
            assert_eq!(error.kind(), redkeep::ErrorKind::Usage, "{error:?}");
            let error = way(trusted(folder.path(), port).identity("none", "none")).unwrap_err();
            assert_eq!(error.kind(), redkeep::ErrorKind::Usage, "{error:?}");
            let shown = format!("{:?}", identity());
            assert!(!shown.contains("BEGIN") && !shown.contains("identity"), "{shown}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn keys_are_copied_between_servers_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    for name in NAMES {
        let ((source, from), (target, to)) =
            (secured(name, folder.path()), secured(name, folder.path()));
        let mut all = redis::pipe();
        for key in 0..5000 {
            all.cmd("SET").arg(format!("key:{key}")).arg("x".repeat(key % 500));
        }
        all.exec(&mut source.connect().unwrap()).unwrap();
        let open = |port| Connection::open(trusted(folder.path(), port)).unwrap();
        let clock = System::start();
        let sink = RestoreSink::new(open(to), &clock, RestoreOptions::default()).unwrap();
        let (way, choice) = (SnapshotOptions::default(), RestoreChoice::default());
        let outcome = copy(&mut open(from), &clock, &way, &choice, sink).unwrap();
        assert!(outcome.is_complete(), "{name}: {outcome:?}");
        assert_eq!(outcome.restored.keys.restored, 5000, "{name}");
        let digests = [&source, &target].map(|server| -> String {
            redis::cmd("DEBUG").arg("DIGEST").query(&mut server.connect().unwrap()).unwrap()
        });
        assert_eq!(digests[0], digests[1], "{name}");
    }
}

fn dialled(options: &ConnectOptions) -> (Wire, ReplicationOptions) {
    replication::dial(options).unwrap()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_snapshot_as_replicas_get_it_comes_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    for name in NAMES {
        let (server, port) = secured(name, folder.path());
        let mut admin = crate::open(&server);
        crate::run(&mut admin, "ACL SETUSER bk on >s3cret -@all +psync +replconf");
        crate::run(&mut admin, &format!("SET big {}", "x".repeat(3_000_000)));
        for key in 0..1000 {
            crate::run(&mut admin, &format!("SET key:{key} {key}"));
        }
        let options = trusted(folder.path(), port).username("bk").password("s3cret");
        for diskless in [true, false] {
            let (wire, login) = dialled(&options);
            let mut dump = Vec::new();
            let login = login.diskless(diskless);
            let check = CheckOptions::default();
            let outcome = snapshot_into(wire, Instant::now, &login, &check, &mut dump).unwrap();
            assert!(outcome.is_sound(), "{name}: {:?}", outcome.report.findings);
            assert_eq!(keys(&dump).len(), 1001, "{name}");
        }
        // What goes on afterwards comes too.
        let (wire, login) = dialled(&options);
        let mut transfer =
            replication::Transfer::start(wire, Instant::now, &login.follow(true)).unwrap();
        std::io::copy(&mut transfer, &mut std::io::sink()).unwrap();
        let mut stream = transfer.into_stream().unwrap();
        crate::run(&mut admin, "SET later 1");
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            stream.ack().unwrap(); // until it noticed that its child is done
            let found = stream.next().unwrap();
            if found.is_some_and(|command| command.name() == b"SET") {
                break;
            }
            assert!(Instant::now() < until, "{name}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_silent_server_behind_tls_is_looked_at_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    for name in NAMES {
        let (_server, port) = secured(name, folder.path());
        let (mut wire, _) = dialled(&trusted(folder.path(), port));
        let began = Instant::now();
        let error = wire.read(&mut [0; 16]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5), "{name}: {:?}", began.elapsed());
        wire.write_all(b"PING\r\n").unwrap();
        wire.flush().unwrap();
        let mut answer = [0; 7];
        wire.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+PONG\r\n", "{name}: after a timeout it goes on");
    }
}

/// Passes a connection on and cuts it, without any last word, after so many bytes from the server.
fn cutter(to: u16, after: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut up, &mut down));
        let _ = std::io::copy(&mut (&mut server).take(after as u64), &mut client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
    port
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_connection_that_ends_without_tls_saying_so_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    for name in NAMES {
        let (server, port) = secured(name, folder.path());
        crate::run(&mut crate::open(&server), &format!("SET big {}", "xyz".repeat(1_000_000)));
        crate::run(&mut crate::open(&server), "CONFIG SET rdbcompression no");
        let options = trusted(folder.path(), cutter(port, 1_000_000));
        let (wire, login) = dialled(&options);
        let check = CheckOptions::default();
        let done = snapshot_into(wire, Instant::now, &login, &check, std::io::sink());
        let error = done.unwrap_err();
        assert_eq!(error.fault(), Some(Fault::TransferCut), "{name}: {error}");
        assert!(error.is_retryable(), "{name}: {error}");
        // Before anything was agreed, too.
        let options = trusted(folder.path(), cutter(port, 100));
        assert!(replication::dial(&options).unwrap_err().is_io(), "{name}");
    }
}

#[cfg(feature = "cli")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_program_trusts_the_system_or_the_file_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    for name in NAMES {
        let (server, port) = secured(name, folder.path());
        crate::run(&mut crate::open(&server), "SET a 1");
        for (ca, system, code) in
            [(Some("ca.pem"), "own.pem", 0), (None, "ca.pem", 0), (None, "own.pem", 1)]
        {
            let output = file("out.rdb");
            let mut program = Command::new(env!("CARGO_BIN_EXE_redkeep"));
            program.args(["snapshot", &format!("rediss://localhost:{port}")]);
            program.args(["--driver", "replication", "--force", "-o", &output]);
            program.args(["--client-cert", &file("own.pem"), "--client-key", &file("own.key")]);
            if let Some(ca) = ca {
                program.args(["--ca", &file(ca)]);
            }
            // Where the system's authorities are, for who asks for them on Linux.
            let done = program.env("SSL_CERT_FILE", file(system)).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(code), "{name} {ca:?} {system}: {said}");
        }
        assert_eq!(keys(&std::fs::read(file("out.rdb")).unwrap()), ["a"], "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_nodes_of_a_cluster_are_reached_over_tls_where_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (ca, own, key) = (file("ca.pem"), file("own.pem"), file("own.key"));
    for name in NAMES {
        let node = |slots: std::ops::Range<u16>| {
            let (dir, port) = (tempfile::tempdir().unwrap(), bus_port());
            let (path, port_word) = (dir.path().display().to_string(), port.to_string());
            let settings = [
                ["--bind", "127.0.0.1"],
                ["--dir", &path],
                ["--cluster-enabled", "yes"],
                ["--tls-cluster", "yes"],
                ["--tls-port", &port_word],
                ["--tls-ca-cert-file", &ca],
                ["--tls-cert-file", &own],
                ["--tls-key-file", &key],
                ["--cluster-announce-hostname", "localhost"],
                ["--cluster-preferred-endpoint-type", "hostname"],
            ];
            let server = Server::launch(name, dir, &settings.concat(), "DBSIZE", any_port).unwrap();
            let mut admin = server.connect().unwrap();
            let mut command = redis::cmd("CLUSTER");
            command.arg("ADDSLOTS").arg(slots.collect::<Vec<_>>()).exec(&mut admin).unwrap();
            (server, port)
        };
        let ((first, port), (second, other)) = (node(0..8192), node(8192..16384));
        crate::run(&mut second.connect().unwrap(), "CLUSTER SET-CONFIG-EPOCH 2");
        crate::run(&mut first.connect().unwrap(), &format!("CLUSTER MEET 127.0.0.1 {other}"));
        let options = trusted(folder.path(), port);
        let mut last = None;
        wait("the nodes know each other", || {
            last = ClusterNodes::look(std::slice::from_ref(&options)).ok();
            let named = |shard: &Shard| shard.master.host.as_deref() == Some("localhost");
            last.as_ref()
                .is_some_and(|look| look.nodes.shards.iter().filter(|s| named(s)).count() == 2)
        });
        let look = last.unwrap();
        assert!(look.silent.is_empty(), "{name}: {look:?}");
        let ports: Vec<_> = look.nodes.shards.iter().map(|shard| shard.master.port).collect();
        assert_eq!(ports, [port, other], "{name}");
        for shard in &look.nodes.shards {
            assert!(shard.open_master(&look.asked).unwrap().options().is_tls(), "{name}");
        }
    }
}
