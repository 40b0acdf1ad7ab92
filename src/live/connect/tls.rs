//! Whom to believe over TLS, and as whom to come.

use crate::error::{Error, Result};
use redis::{Client, ConnectionAddr, ConnectionInfo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use std::sync::Arc;

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
        let _ = ring::default_provider().install_default();
        let Tls { authorities, identity, unverified } = self.clone();
        let insecure = unverified;
        // The client library would trust nobody for want of one, and say so only when it connects.
        if let Some(pem) = &authorities {
            certificates(pem)?;
        }
        let addr = ConnectionAddr::TcpTls { host, port, insecure, tls_params: None };
        let files = redis::TlsCertificates {
            client_tls: identity.map(|(client_cert, client_key)| redis::ClientTlsConfig {
                client_cert,
                client_key,
            }),
            root_cert: authorities,
        };
        Client::build_with_tls(info.clone().set_addr(addr), files).map_err(|_| unreadable())
    }

    /// A conversation of our own by the same rules, of which nothing was said yet.
    pub(crate) fn conversation(&self, host: &str) -> Result<ClientConnection> {
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
        let algorithms = provider.signature_verification_algorithms;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::usage("TLS with this cryptography has no version in common"))?
            .with_root_certificates(self.roots()?);
        let mut config = match &self.identity {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| unreadable())?;
                config
                    .with_client_auth_cert(certificates(chain)?, key)
                    .map_err(|_| Error::usage("our certificate and its key do not fit"))?
            }
        };
        if self.unverified {
            config.enable_sni = false;
            config.dangerous().set_certificate_verifier(Arc::new(Anybody(algorithms)));
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::usage("the server's URL: no certificate can be for such a host"))?;
        ClientConnection::new(Arc::new(config), name)
            .map_err(|error| Error::usage(format!("TLS: {error}")))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let trusted = match &self.authorities {
            Some(pem) => certificates(pem)?,
            None if self.unverified => Vec::new(),
            None => {
                let found = rustls_native_certs::load_native_certs();
                if let Some(error) = found.errors.first() {
                    let why = format!("the system's certificate authorities: {error}");
                    return Err(Error::usage(why));
                }
                found.certs
            }
        };
        let mut roots = RootCertStore::empty();
        trusted.into_iter().try_for_each(|one| roots.add(one)).map_err(|_| unreadable())?;
        Ok(roots)
    }
}

/// At least one certificate out of a PEM.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| unreadable())?;
    if all.is_empty() { Err(unreadable()) } else { Ok(all) }
}

/// Believes every certificate, but not that somebody else's is the server's own.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

fn unreadable() -> Error {
    Error::usage("a certificate or key for TLS cannot be read: PEM is expected")
}
