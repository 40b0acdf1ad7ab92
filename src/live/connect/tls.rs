//! Whom to believe over TLS, and as whom to come.

use crate::error::{Error, Result};
use redis::{Client, ConnectionAddr, ConnectionInfo};

#[derive(Clone, Default)]
pub(crate) struct Tls {
    pub(crate) authorities: Option<Vec<u8>>,
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) unverified: bool,
}

impl Tls {
    /// The client library's client by these rules.
    pub(crate) fn client(&self, host: String, port: u16, info: &ConnectionInfo) -> Result<Client> {
        // Where a program has two providers compiled in and chose none, rustls panics.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Tls { authorities, identity, unverified } = self.clone();
        let insecure = unverified;
        // Without one the client library would trust nobody, and say so only when it connects.
        let mark = b"-----BEGIN CERTIFICATE-----";
        let holds_one = |pem: &Vec<u8>| pem.windows(mark.len()).any(|part| part == mark);
        if !authorities.iter().all(holds_one) {
            return Err(unreadable());
        }
        let addr = ConnectionAddr::TcpTls { host, port, insecure, tls_params: None };
        let certificates = redis::TlsCertificates {
            client_tls: identity.map(|(client_cert, client_key)| redis::ClientTlsConfig {
                client_cert,
                client_key,
            }),
            root_cert: authorities,
        };
        Client::build_with_tls(info.clone().set_addr(addr), certificates).map_err(|_| unreadable())
    }
}

fn unreadable() -> Error {
    Error::usage("a certificate or key for TLS cannot be read: PEM is expected")
}
