//! HTTP for services, with TLS by ring and the system's certificate authorities.

use crate::error::{Error, Result};
use opendal::{HttpTransporter, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// The same operator with a transport of its own: none is installed for the whole process, which is the
/// program's to decide.
pub(super) fn over_http(operator: Operator) -> Result<Operator> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
    let mut roots = RootCertStore::empty();
    // One that cannot be read is no reason to trust none; where there are none, TLS will say so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::usage("TLS with this cryptography has no version in common"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .user_agent(concat!("redkeep/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::usage(format!("HTTP cannot be set up: {error}")))?;
    let transport = HttpTransporter::new(ReqwestTransport::new(client));
    let context = operator.base_context().with_http_transport(transport);
    Ok(operator.with_context(context))
}
