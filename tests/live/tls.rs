//! Servers behind TLS, of those that are built with it.

use crate::servers::Server;
use redkeep::live::{ConnectOptions, Connection, ProbeOptions, probe};
use std::path::Path;
use std::process::{Command, Stdio};

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

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn only_certificates_of_the_given_authority_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    for name in ["redis-7.0", "redis-8.0"] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port_word, ca, own, key) =
            (port.to_string(), file("ca.pem"), file("own.pem"), file("own.key"));
        let settings = [
            ("--tls-port", port_word.as_str()),
            ("--tls-ca-cert-file", &ca),
            ("--tls-cert-file", &own),
            ("--tls-key-file", &key),
            ("--tls-auth-clients", "yes"),
        ];
        let settings: Vec<&str> =
            settings.iter().flat_map(|(name, value)| [*name, *value]).collect();
        let _server = Server::start_in(name, tempfile::tempdir().unwrap(), &settings).unwrap();
        let options = || ConnectOptions::new(format!("rediss://localhost:{port}"));
        // The certificates are looked at with the first words that are exchanged.
        let open = |options: ConnectOptions| -> redkeep::Result<()> {
            probe(&mut Connection::open(options)?, &ProbeOptions::default()).map(drop)
        };
        let trusted = options().authorities(read("ca.pem"));
        open(trusted.clone().identity(read("own.pem"), read("own.key"))).unwrap();
        let identity = || options().identity(read("own.pem"), read("own.key"));
        let error = open(identity()).unwrap_err();
        assert!(error.is_io(), "{name}: {error:?}");
        open(identity().danger_accept_any_certificate(true)).unwrap();
        let shown = format!("{:?}", identity());
        assert!(!shown.contains("BEGIN") && !shown.contains("identity"), "{shown}");
        let error = Connection::open(options().authorities("no certificate")).err().unwrap();
        assert_eq!(error.kind(), redkeep::ErrorKind::Usage, "{error:?}");
    }
}
